/* SPDX-License-Identifier: Apache-2.0 */
/* What the variables of a line say, put together. */
#include "common/traffic/access_log.h"

#include "common/traffic/timestamp.h"

#include <string.h>

/* Values of a line by what they mean, without escapes; NULL pointers: not logged. */
struct fields {
    struct guard_span request;
    struct guard_span method;
    struct guard_span request_uri;
    struct guard_span uri;
    struct guard_span args;
    struct guard_span protocol;
    struct guard_span host;
    uint64_t time_ms;
    int time_rank; /* of the variable that told the time: higher is more exact */
    bool upstream_time;
};

struct reading {
    struct guard_exchange *exchange;
    struct guard_arena *arena;
    struct fields fields;
    const char *wrong;
    enum guard_rc rc;
};

enum guard_rc access_log_init(struct access_log *log, const char *format, struct guard_err *err)
{
    memset(log, 0, sizeof(*log));
    if (format != NULL) {
        log->count = 1;
        return log_format_read(&log->formats[0],
                               (struct guard_span){(const uint8_t *)format, strlen(format)}, err);
    }
    const char *name;
    while (log->count < ACCESS_LOG_FORMATS_MAX && (name = log_format_name(log->count)) != NULL) {
        GUARD_TRY(log_format_read(&log->formats[log->count],
                                  (struct guard_span){(const uint8_t *)name, strlen(name)}, err));
        log->count++;
    }
    return GUARD_OK;
}

static void refuse(struct reading *reading, enum guard_rc rc, const char *wrong)
{
    if (reading->wrong != NULL)
        return;
    reading->wrong = wrong;
    reading->rc = rc;
}

static bool is_absent(struct guard_span value)
{
    return value.len == 0 || (value.len == 1 && value.ptr[0] == '-');
}

static bool same(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

static struct guard_span plain(struct reading *reading, struct guard_span value,
                               enum log_escape escape)
{
    if (value.len == 0 || memchr(value.ptr, '\\', value.len) == NULL)
        return value;
    uint8_t *out = guard_arena_get(reading->arena, value.len);
    if (out == NULL) {
        refuse(reading, GUARD_E_NOMEM, "the line is too large");
        return (struct guard_span){NULL, 0};
    }
    return (struct guard_span){out, log_unescape(out, value, escape)};
}

/* Whoever learns of a body's type or length expects the body, which no log holds. */
static bool describes_body(struct guard_span name)
{
    return same(name, "content-type") || same(name, "content-length") ||
           same(name, "content-encoding") || same(name, "transfer-encoding") ||
           same(name, "expect");
}

static void add_header(struct reading *reading, bool response, struct guard_span name,
                       struct guard_span value)
{
    struct guard_exchange *exchange = reading->exchange;
    struct guard_header **headers = response ? &exchange->response_headers : &exchange->headers;
    uint32_t *count = response ? &exchange->response_header_count : &exchange->header_count;
    if (is_absent(value) || (!response && describes_body(name)))
        return;
    if (*headers == NULL)
        *headers = guard_arena_get(reading->arena, (LOG_PIECES_MAX + 1) * sizeof(**headers));
    if (*headers == NULL) {
        refuse(reading, GUARD_E_NOMEM, "the line is too large");
        return;
    }
    (*headers)[(*count)++] = (struct guard_header){name, value};
    exchange->response_known = exchange->response_header_count > 0;
}

static void take_time(struct reading *reading, int rank, struct guard_span value,
                      bool (*read)(struct guard_span text, uint64_t *out))
{
    uint64_t ms;
    if (!read(value, &ms))
        refuse(reading, GUARD_E_SYNTAX, "the time is none");
    else if (rank > reading->fields.time_rank) {
        reading->fields.time_rank = rank;
        reading->exchange->time_ms = ms;
    }
}

/* Seconds; of several upstreams ("0.004, 0.010 : 0.002, -") the sum. */
static void take_latency(struct reading *reading, bool upstream, struct guard_span value)
{
    uint64_t us = 0;
    bool found = false;
    for (size_t from = 0; from < value.len;) {
        size_t to = from;
        while (to < value.len && strchr(", :", value.ptr[to]) == NULL)
            to++;
        uint64_t ms;
        if (to > from &&
            timestamp_thousandths((struct guard_span){value.ptr + from, to - from}, &ms)) {
            us += ms < UINT32_MAX ? ms * 1000 : UINT32_MAX;
            found = true;
        }
        from = to + 1;
    }
    if (!found || (!upstream && reading->fields.upstream_time))
        return;
    reading->fields.upstream_time = upstream;
    reading->exchange->latency_us = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX - 1;
}

static void take_client(struct reading *reading, struct guard_span value)
{
    if (!is_absent(value) && !same(value, "unix:"))
        reading->exchange->client = value;
}

static void take_value(struct reading *reading, const struct log_piece *piece,
                       struct guard_span value)
{
    struct fields *fields = &reading->fields;
    switch (piece->variable) {
    case LOG_CLIENT:
        take_client(reading, value);
        break;
    case LOG_TIME_LOCAL:
        take_time(reading, 1, value, timestamp_log);
        break;
    case LOG_TIME_ISO8601:
        take_time(reading, 1, value, timestamp_iso8601);
        break;
    case LOG_MSEC:
        take_time(reading, 2, value, timestamp_thousandths);
        break;
    case LOG_REQUEST:
        fields->request = value;
        break;
    case LOG_METHOD:
        fields->method = value;
        break;
    case LOG_REQUEST_URI:
        fields->request_uri = value;
        break;
    case LOG_URI:
        fields->uri = value;
        break;
    case LOG_ARGS:
        fields->args = value;
        break;
    case LOG_PROTOCOL:
        fields->protocol = value;
        break;
    case LOG_HOST:
        fields->host = value;
        break;
    case LOG_STATUS:
        reading->exchange->status = 0; /* of several the last */
        for (size_t i = 0; i < value.len; i++)
            reading->exchange->status =
                reading->exchange->status * 10 + (uint32_t)(value.ptr[i] - '0');
        break;
    case LOG_REQUEST_TIME:
        take_latency(reading, false, value);
        break;
    case LOG_UPSTREAM_TIME:
        take_latency(reading, true, value);
        break;
    case LOG_REQUEST_ID:
        if (!is_absent(value))
            reading->exchange->id = value;
        break;
    case LOG_REQUEST_HEADER:
    case LOG_RESPONSE_HEADER:
        add_header(reading, piece->variable == LOG_RESPONSE_HEADER, piece->name, value);
        break;
    case LOG_OTHER:
    case LOG_NUMBER:
    default:
        break;
    }
}

static uint32_t version_of(struct guard_span text)
{
    if (same(text, "HTTP/2.0") || same(text, "HTTP/2"))
        return 20;
    if (same(text, "HTTP/3.0") || same(text, "HTTP/3"))
        return 30;
    return same(text, "HTTP/1.0") ? 10 : 11;
}

static bool is_method(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return text.len > 0;
}

/* "GET /path HTTP/1.1"; without a version it is HTTP/0.9. False when it is no request line. */
static bool split_request(struct guard_exchange *exchange, struct guard_span line)
{
    const uint8_t *blank = line.len > 0 ? memchr(line.ptr, ' ', line.len) : NULL;
    if (blank == NULL)
        return false;
    exchange->method = (struct guard_span){line.ptr, (size_t)(blank - line.ptr)};
    struct guard_span rest = {blank + 1, line.len - exchange->method.len - 1};
    const uint8_t *last = rest.len > 0 ? memrchr(rest.ptr, ' ', rest.len) : NULL;
    exchange->version = 9;
    if (last != NULL && rest.ptr + rest.len - last > 6 && memcmp(last + 1, "HTTP/", 5) == 0) {
        exchange->version =
            version_of((struct guard_span){last + 1, (size_t)(rest.ptr + rest.len - last - 1)});
        rest.len = (size_t)(last - rest.ptr);
    }
    exchange->target = rest;
    return is_method(exchange->method) && rest.len > 0;
}

/* $uri is decoded: what would read differently when it is decoded again is encoded. */
static bool encode_uri(struct reading *reading)
{
    static const char hex[] = "0123456789ABCDEF";
    const struct fields *fields = &reading->fields;
    uint8_t *out = guard_arena_get(reading->arena, fields->uri.len * 3 + fields->args.len + 1);
    size_t len = 0;
    if (out == NULL) {
        refuse(reading, GUARD_E_NOMEM, "the line is too large");
        return false;
    }
    for (size_t i = 0; i < fields->uri.len; i++) {
        uint8_t c = fields->uri.ptr[i];
        if (c > 0x20 && c < 0x7f && strchr("%?#\"<>", c) == NULL) {
            out[len++] = c;
            continue;
        }
        out[len++] = '%';
        out[len++] = (uint8_t)hex[c >> 4];
        out[len++] = (uint8_t)hex[c & 15];
    }
    if (!is_absent(fields->args)) {
        out[len++] = '?';
        memcpy(out + len, fields->args.ptr, fields->args.len);
        len += fields->args.len;
    }
    reading->exchange->target = (struct guard_span){out, len};
    return true;
}

/* False when the line tells of no request. */
static bool put_request(struct reading *reading)
{
    const struct fields *fields = &reading->fields;
    struct guard_exchange *exchange = reading->exchange;
    bool whole = !is_absent(fields->request) && split_request(exchange, fields->request);
    if (!whole && !is_absent(fields->request))
        return false;
    if (!is_absent(fields->method))
        exchange->method = fields->method;
    if (!is_absent(fields->protocol))
        exchange->version = version_of(fields->protocol);
    if (!is_absent(fields->request_uri))
        exchange->target = fields->request_uri;
    else if (!whole && !is_absent(fields->uri) && !encode_uri(reading))
        return false;
    /* A format without a method is one of a service that is only read. */
    if (exchange->method.len == 0 && fields->method.ptr == NULL && fields->request.ptr == NULL)
        exchange->method = GUARD_SPAN_LITERAL("GET");
    return is_method(exchange->method) && exchange->target.len > 0;
}

static void put_host(struct reading *reading)
{
    const struct guard_exchange *exchange = reading->exchange;
    for (uint32_t i = 0; i < exchange->header_count; i++) {
        if (same(exchange->headers[i].name, "host"))
            return;
    }
    add_header(reading, false, GUARD_SPAN_LITERAL("host"), reading->fields.host);
}

static const struct log_format *match(struct access_log *log, struct guard_span line,
                                      struct guard_span values[LOG_PIECES_MAX])
{
    for (uint32_t i = 0; i < log->count; i++) {
        uint32_t idx = (log->latest + i) % log->count;
        if (log_format_match(&log->formats[idx], line, values)) {
            log->latest = idx;
            return &log->formats[idx];
        }
    }
    return NULL;
}

enum guard_rc access_log_read(struct access_log *log, struct guard_exchange *out, bool *skipped,
                              struct guard_span line, struct guard_arena *arena,
                              struct guard_err *err)
{
    struct guard_span values[LOG_PIECES_MAX];
    struct reading reading = {.exchange = out, .arena = arena};
    *out = (struct guard_exchange){.version = 11, .latency_us = UINT32_MAX, .unseen = true};
    *skipped = false;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (line.len > ACCESS_LOG_LINE_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "longer than %d bytes", ACCESS_LOG_LINE_MAX);
    const struct log_format *format = match(log, line, values);
    if (format == NULL)
        return guard_fail(err, GUARD_E_SYNTAX,
                          log->count > 1 ? "no line of a known log format (say --log-format)"
                                         : "the line doesn't have the form that --log-format says");
    for (uint32_t i = 1; i < format->count; i++)
        take_value(&reading, &format->pieces[i], plain(&reading, values[i], format->escape));
    if (reading.wrong == NULL && !put_request(&reading) && reading.wrong == NULL) {
        *skipped = true;
        return GUARD_OK;
    }
    put_host(&reading);
    return reading.wrong != NULL ? guard_fail(err, reading.rc, "%s", reading.wrong) : GUARD_OK;
}
