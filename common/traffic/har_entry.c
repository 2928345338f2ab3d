/* SPDX-License-Identifier: Apache-2.0 */
/* Takes of an entry what a server or a gate would have seen. Members that browsers add, comments,
 * and what is told twice (queryString, cookies) are passed over. */
#include "common/traffic/har_entry.h"

#include "common/traffic/har_body.h"
#include "common/traffic/timestamp.h"

#include <string.h>
#include <strings.h>

struct headers {
    struct guard_header *items;
    uint32_t count;
};

struct reading {
    struct json_cursor cursor;
    struct guard_exchange *exchange;
    struct guard_span url;
    struct guard_span authority; /* ":authority" of HTTP/2 */
    struct headers request;
    struct headers response;
    struct har_body request_body;
    struct har_body response_body;
    double request_body_size;
};

static bool is(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

static bool is_name(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && strncasecmp((const char *)text.ptr, word, text.len) == 0;
}

static void add_header(struct reading *reading, struct headers *headers, struct guard_span name,
                       struct guard_span value)
{
    if (headers->items == NULL)
        headers->items = guard_arena_get(reading->cursor.arena,
                                         GUARD_EXCHANGE_HEADERS_MAX * sizeof(*headers->items));
    if (headers->items == NULL)
        json_cursor_refuse(&reading->cursor, GUARD_E_NOMEM, "the entry is too large");
    else if (headers->count == GUARD_EXCHANGE_HEADERS_MAX)
        json_cursor_refuse(&reading->cursor, GUARD_E_LIMIT, "more than 256 headers");
    else
        headers->items[headers->count++] = (struct guard_header){name, value};
}

/* Browsers put the values of headers of one name into one text, a line each. */
static void add_lines(struct reading *reading, struct headers *headers, struct guard_span name,
                      struct guard_span value)
{
    const uint8_t *newline;
    while (value.len > 0 && (newline = memchr(value.ptr, '\n', value.len)) != NULL) {
        size_t len = (size_t)(newline - value.ptr);
        add_header(reading, headers, name, (struct guard_span){value.ptr, len});
        value = (struct guard_span){newline + 1, value.len - len - 1};
    }
    add_header(reading, headers, name, value);
}

static void read_header(struct reading *reading, struct headers *headers)
{
    struct json_cursor *cursor = &reading->cursor;
    struct guard_span name = {NULL, 0};
    struct guard_span value = {NULL, 0};
    struct guard_span key;
    if (!json_cursor_enter(cursor, '{'))
        return;
    while (json_cursor_member(cursor, &key)) {
        if (is(key, "name"))
            (void)json_cursor_string(cursor, &name);
        else if (is(key, "value"))
            (void)json_cursor_string(cursor, &value);
        else
            json_cursor_skip(cursor);
    }
    if (is_name(name, ":authority"))
        reading->authority = value;
    if (name.len > 0 && name.ptr[0] != ':')
        add_lines(reading, headers, name, value);
}

static void read_headers(struct reading *reading, struct headers *headers)
{
    if (!json_cursor_enter(&reading->cursor, '['))
        return;
    while (json_cursor_element(&reading->cursor))
        read_header(reading, headers);
}

static uint32_t version_of(struct guard_span text)
{
    static const struct {
        const char *text;
        uint32_t version;
    } versions[] = {{"HTTP/0.9", 9}, {"HTTP/1.0", 10}, {"HTTP/2", 20}, {"HTTP/2.0", 20}, {"h2", 20},
                    {"h2c", 20},     {"HTTP/3", 30},   {"h3", 30},     {"HTTP/3.0", 30}};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (is_name(text, versions[i].text))
            return versions[i].version;
    }
    return 11;
}

static void read_request(struct reading *reading)
{
    struct json_cursor *cursor = &reading->cursor;
    struct guard_span key;
    struct guard_span version;
    if (!json_cursor_enter(cursor, '{'))
        return;
    while (json_cursor_member(cursor, &key)) {
        if (is(key, "method"))
            (void)json_cursor_string(cursor, &reading->exchange->method);
        else if (is(key, "url"))
            (void)json_cursor_string(cursor, &reading->url);
        else if (is(key, "httpVersion") && json_cursor_string(cursor, &version))
            reading->exchange->version = version_of(version);
        else if (is(key, "headers"))
            read_headers(reading, &reading->request);
        else if (is(key, "postData"))
            har_body_read(cursor, &reading->request_body);
        else if (is(key, "bodySize"))
            (void)json_cursor_number(cursor, &reading->request_body_size);
        else if (!is(key, "httpVersion"))
            json_cursor_skip(cursor);
    }
}

static void read_response(struct reading *reading)
{
    struct json_cursor *cursor = &reading->cursor;
    struct guard_span key;
    double status;
    if (!json_cursor_enter(cursor, '{'))
        return;
    while (json_cursor_member(cursor, &key)) {
        if (is(key, "status") && json_cursor_number(cursor, &status))
            reading->exchange->status = status >= 100 && status <= 999 ? (uint32_t)status : 0;
        else if (is(key, "headers"))
            read_headers(reading, &reading->response);
        else if (is(key, "content"))
            har_body_read(cursor, &reading->response_body);
        else if (!is(key, "status"))
            json_cursor_skip(cursor);
    }
}

static void read_timings(struct reading *reading)
{
    struct json_cursor *cursor = &reading->cursor;
    struct guard_span key;
    double wait;
    if (!json_cursor_enter(cursor, '{'))
        return;
    while (json_cursor_member(cursor, &key)) {
        if (!is(key, "wait")) {
            json_cursor_skip(cursor);
        } else if (json_cursor_number(cursor, &wait) && wait >= 0) {
            /* Half a nanosecond, against what binary fractions lack of 8.82. */
            double us = wait * 1000 + 0.0005;
            reading->exchange->latency_us =
                us < (double)(UINT32_MAX - 1) ? (uint32_t)us : UINT32_MAX - 1;
        }
    }
}

static void read_entry(struct reading *reading)
{
    struct json_cursor *cursor = &reading->cursor;
    struct guard_span key;
    struct guard_span text = {NULL, 0};
    if (!json_cursor_enter(cursor, '{'))
        return;
    while (json_cursor_member(cursor, &key)) {
        if (is(key, "request")) {
            read_request(reading);
        } else if (is(key, "response")) {
            read_response(reading);
        } else if (is(key, "timings")) {
            read_timings(reading);
        } else if (is(key, "startedDateTime")) {
            if (json_cursor_string(cursor, &text) &&
                !timestamp_iso8601(text, &reading->exchange->time_ms))
                json_cursor_refuse(cursor, GUARD_E_SYNTAX, "startedDateTime is no ISO 8601 time");
        } else if (is(key, "clientIPAddress") || is(key, "_clientIPAddress") ||
                   is(key, "_clientAddress")) {
            (void)json_cursor_string(cursor, &reading->exchange->client);
        } else {
            json_cursor_skip(cursor);
        }
    }
    if (!json_cursor_done(cursor))
        json_cursor_refuse(cursor, GUARD_E_SYNTAX, "the entry is no JSON object");
}

/* Content was decoded by who wrote the file: the coding and its length are no longer true. */
static void drop_coding(struct headers *headers, const struct har_body *body)
{
    bool coded = false;
    for (uint32_t i = 0; i < headers->count; i++)
        coded = coded || is_name(headers->items[i].name, "content-encoding");
    if (!coded || !body->known)
        return;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < headers->count; i++) {
        if (!is_name(headers->items[i].name, "content-encoding") &&
            !is_name(headers->items[i].name, "content-length"))
            headers->items[kept++] = headers->items[i];
    }
    headers->count = kept;
}

/* "http://", "https://"; 0 for any other scheme, -1 when there is none. */
static int scheme_len(struct guard_span url)
{
    const uint8_t *colon = url.len > 0 ? memchr(url.ptr, ':', url.len) : NULL;
    if (url.len == 0 || url.ptr[0] == '/' || colon == NULL)
        return -1;
    if (url.len >= 7 && strncasecmp((const char *)url.ptr, "http://", 7) == 0)
        return 7;
    return url.len >= 8 && strncasecmp((const char *)url.ptr, "https://", 8) == 0 ? 8 : 0;
}

static struct guard_span tail(struct guard_span text, size_t from)
{
    return (struct guard_span){text.ptr + from, text.len - from};
}

/* Splits the URL into what becomes the Host header and the target as a client sends it. */
static bool split_url(struct reading *reading, size_t scheme, struct guard_span *host)
{
    struct guard_span target = tail(reading->url, scheme);
    size_t len = 0;
    while (len < target.len && strchr("/?#", target.ptr[len]) == NULL)
        len++;
    *host = (struct guard_span){target.ptr, len};
    for (size_t i = 0; i < len; i++) {
        if (target.ptr[i] == '@')
            *host = tail((struct guard_span){target.ptr, len}, i + 1);
    }
    target = tail(target, len);
    const uint8_t *fragment = target.len > 0 ? memchr(target.ptr, '#', target.len) : NULL;
    if (fragment != NULL)
        target.len = (size_t)(fragment - target.ptr);
    if (target.len > 0 && target.ptr[0] == '/') {
        reading->exchange->target = target;
        return true;
    }
    uint8_t *made = guard_arena_get(reading->cursor.arena, target.len + 1);
    if (made == NULL)
        return false;
    made[0] = '/';
    if (target.len > 0)
        memcpy(made + 1, target.ptr, target.len);
    reading->exchange->target = (struct guard_span){made, target.len + 1};
    return true;
}

/* A server always gets a host: what stands in the URL or in HTTP/2's pseudo-header comes first. */
static void add_host(struct reading *reading, struct guard_span host)
{
    struct headers *headers = &reading->request;
    if (reading->authority.len > 0)
        host = reading->authority;
    for (uint32_t i = 0; i < headers->count; i++) {
        if (is_name(headers->items[i].name, "host"))
            return;
    }
    if (host.len == 0)
        return;
    add_header(reading, headers, GUARD_SPAN_LITERAL("host"), host);
    if (reading->cursor.wrong != NULL)
        return;
    struct guard_header last = headers->items[headers->count - 1];
    memmove(headers->items + 1, headers->items, (headers->count - 1) * sizeof(last));
    headers->items[0] = last;
}

static void fill_exchange(struct reading *reading)
{
    struct guard_exchange *exchange = reading->exchange;
    drop_coding(&reading->request, &reading->request_body);
    drop_coding(&reading->response, &reading->response_body);
    exchange->headers = reading->request.items;
    exchange->header_count = reading->request.count;
    exchange->body_known = reading->request_body.known || reading->request_body_size == 0;
    exchange->body = reading->request_body.bytes;
    exchange->response_headers = reading->response.items;
    exchange->response_header_count = reading->response.count;
    exchange->response_body_known = reading->response_body.known;
    exchange->response_body = reading->response_body.bytes;
    exchange->response_known = reading->response.count > 0 || reading->response_body.known;
}

enum guard_rc har_entry_read(struct guard_exchange *out, bool *skipped, struct guard_span entry,
                             struct guard_arena *arena, struct guard_err *err)
{
    struct reading reading = {.exchange = out, .request_body_size = -1};
    struct guard_span host = {NULL, 0};
    *out = (struct guard_exchange){.version = 11, .latency_us = UINT32_MAX};
    *skipped = false;
    json_cursor_init(&reading.cursor, entry, arena);
    read_entry(&reading);
    int scheme = scheme_len(reading.url);
    if (reading.cursor.wrong == NULL && scheme == 0) {
        *skipped = true;
        return GUARD_OK;
    }
    if (out->method.len == 0 || reading.url.len == 0)
        json_cursor_refuse(&reading.cursor, GUARD_E_SYNTAX,
                           "request.method or request.url is missing");
    else if (scheme < 0)
        out->target = reading.url;
    else if (!split_url(&reading, (size_t)scheme, &host))
        json_cursor_refuse(&reading.cursor, GUARD_E_NOMEM, "the entry is too large");
    add_host(&reading, host);
    if (reading.cursor.wrong != NULL)
        return guard_fail(err, reading.cursor.rc, "%s", reading.cursor.wrong);
    fill_exchange(&reading);
    return GUARD_OK;
}
