/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a line of exchange JSONL into spans. The members that mean something are a fixed tree of
 * nodes; everything else, the label of evaluation data first of all, is skipped by the scanner and
 * never seen by what learns or decides. */
#include <guard/exchange.h>

#include "base/span.h"
#include "http/json.h"

enum node {
    NODE_ROOT = GD_JSON_ROOT,
    NODE_ID,
    NODE_TIME,
    NODE_CLIENT,
    NODE_SERVICE,
    NODE_POD,
    NODE_REVISION,
    NODE_UNSEEN,
    NODE_REQUEST,
    NODE_METHOD,
    NODE_TARGET,
    NODE_VERSION,
    NODE_HEADERS,
    NODE_PAIR,
    NODE_PAIR_ITEM,
    NODE_BODY,
    NODE_BODY_B64,
    NODE_RESPONSE,
    NODE_STATUS,
    NODE_LATENCY,
    NODE_ANSWER_HEADERS,
    NODE_ANSWER_BODY,
    NODE_ANSWER_BODY_B64,
    NODE_COUNT,
};

struct member {
    enum node parent;
    enum node node;
    const char *key;
    size_t key_len;
};

#define MEMBER(parent, node, key)                                                                  \
    {                                                                                              \
        parent, node, key, sizeof(key) - 1                                                         \
    }
static const struct member members[] = {
    MEMBER(NODE_ROOT, NODE_ID, "id"),
    MEMBER(NODE_ROOT, NODE_TIME, "time"),
    MEMBER(NODE_ROOT, NODE_CLIENT, "client"),
    MEMBER(NODE_ROOT, NODE_SERVICE, "service"),
    MEMBER(NODE_ROOT, NODE_POD, "pod"),
    MEMBER(NODE_ROOT, NODE_REVISION, "revision"),
    MEMBER(NODE_ROOT, NODE_UNSEEN, "unseen"),
    MEMBER(NODE_ROOT, NODE_REQUEST, "request"),
    MEMBER(NODE_ROOT, NODE_RESPONSE, "response"),
    MEMBER(NODE_REQUEST, NODE_METHOD, "method"),
    MEMBER(NODE_REQUEST, NODE_TARGET, "target"),
    MEMBER(NODE_REQUEST, NODE_VERSION, "version"),
    MEMBER(NODE_REQUEST, NODE_HEADERS, "headers"),
    MEMBER(NODE_REQUEST, NODE_BODY, "body"),
    MEMBER(NODE_REQUEST, NODE_BODY_B64, "body_b64"),
    MEMBER(NODE_RESPONSE, NODE_STATUS, "status"),
    MEMBER(NODE_RESPONSE, NODE_LATENCY, "latency_ms"),
    MEMBER(NODE_RESPONSE, NODE_ANSWER_HEADERS, "headers"),
    MEMBER(NODE_RESPONSE, NODE_ANSWER_BODY, "body"),
    MEMBER(NODE_RESPONSE, NODE_ANSWER_BODY_B64, "body_b64"),
};

struct reading {
    struct guard_exchange *exchange;
    struct guard_span line;
    struct guard_arena *arena;
    const char *wrong; /* the first thing that is wrong, NULL while all is well */
    enum guard_rc rc;
    uint32_t pair_items;
    bool answer; /* the pairs are the response's */
    bool object_seen;
};

static void refuse(struct reading *reading, enum guard_rc rc, const char *wrong)
{
    if (reading->wrong != NULL)
        return;
    reading->wrong = wrong;
    reading->rc = rc;
}

/* Text that the scanner put together (escapes) lives only during the call. */
static struct guard_span keep(struct reading *reading, struct guard_span text)
{
    if (text.len == 0)
        return gd_span(NULL, 0);
    if (text.ptr >= reading->line.ptr && text.ptr < reading->line.ptr + reading->line.len)
        return text;
    uint8_t *copy = guard_arena_get(reading->arena, text.len);
    if (copy == NULL) {
        refuse(reading, GUARD_E_NOMEM, "the exchange is too large");
        return gd_span(NULL, 0);
    }
    memcpy(copy, text.ptr, text.len);
    return gd_span(copy, text.len);
}

static uint32_t on_member(void *ctx, uint32_t object, struct guard_span key)
{
    (void)ctx;
    if (key.len == 0)
        return GD_JSON_SKIP;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const struct member *member = &members[i];
        /* Two letters, so that few are compared whole: this is called for every member of a line.
         */
        if ((uint32_t)member->parent == object && member->key_len == key.len &&
            (uint8_t)member->key[0] == key.ptr[0] &&
            (uint8_t)member->key[key.len - 1] == key.ptr[key.len - 1] &&
            memcmp(member->key, key.ptr, key.len) == 0)
            return (uint32_t)member->node;
    }
    return GD_JSON_SKIP;
}

static uint32_t on_element(void *ctx, uint32_t array)
{
    struct reading *reading = ctx;
    if (array == NODE_HEADERS || array == NODE_ANSWER_HEADERS) {
        reading->answer = array == NODE_ANSWER_HEADERS;
        return NODE_PAIR;
    }
    if (array == NODE_PAIR)
        return NODE_PAIR_ITEM;
    refuse(reading, GUARD_E_SYNTAX, "an array stands where none is due");
    return GD_JSON_SKIP;
}

/* Thousandths of a decimal number without exponent; false for anything else. */
static bool thousandths(struct guard_span text, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.ptr[i] - '0'), &value))
            return false;
    }
    if (i == 0 || __builtin_mul_overflow(value, (uint64_t)1000, &value))
        return false;
    if (i < text.len && text.ptr[i] == '.') {
        uint64_t scale = 100;
        for (i++; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
            value += scale * (uint64_t)(text.ptr[i] - '0');
            scale /= 10;
        }
    }
    *out = value;
    return i == text.len;
}

static uint32_t version_of(struct guard_span text)
{
    static const struct {
        const char text[9];
        uint8_t len;
        uint8_t version;
    } versions[] = {{"HTTP/1.1", 8, 11}, {"HTTP/2", 6, 20}, {"HTTP/2.0", 8, 20},
                    {"HTTP/1.0", 8, 10}, {"HTTP/3", 6, 30}, {"HTTP/3.0", 8, 30},
                    {"HTTP/0.9", 8, 9}};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (gd_span_equal(text, gd_span(versions[i].text, versions[i].len)))
            return versions[i].version;
    }
    return 11;
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static struct guard_span base64_decode(struct reading *reading, struct guard_span text)
{
    while (text.len > 0 && text.ptr[text.len - 1] == '=')
        text.len--;
    uint8_t *out = guard_arena_get(reading->arena, text.len + 1);
    if (out == NULL) {
        refuse(reading, GUARD_E_NOMEM, "the body is too large");
        return gd_span(NULL, 0);
    }
    size_t len = 0;
    uint32_t bits = 0;
    uint32_t bit_count = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0) {
            refuse(reading, GUARD_E_SYNTAX, "body_b64 is not base64");
            break;
        }
        bits = (bits << 6 | (uint32_t)digit) & 0xffffff;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            out[len++] = (uint8_t)(bits >> bit_count);
        }
    }
    return gd_span(out, len);
}

static void add_header_text(struct reading *reading, struct guard_span text)
{
    struct guard_exchange *exchange = reading->exchange;
    bool answer = reading->answer;
    struct guard_header *headers = answer ? exchange->response_headers : exchange->headers;
    uint32_t *count = answer ? &exchange->response_header_count : &exchange->header_count;
    if (headers == NULL)
        return;
    if (reading->pair_items == 0) {
        if (*count == GUARD_EXCHANGE_HEADERS_MAX) {
            refuse(reading, GUARD_E_LIMIT,
                   answer ? "response.headers has more than 256 entries"
                          : "request.headers has more than 256 entries");
            return;
        }
        headers[(*count)++] = (struct guard_header){keep(reading, text), {NULL, 0}};
    } else if (reading->pair_items == 1 && *count > 0) {
        headers[*count - 1].value = keep(reading, text);
    } else {
        refuse(reading, GUARD_E_SYNTAX, "a header is not a pair of texts");
    }
    reading->pair_items++;
}

static void take_text(struct reading *reading, enum node node, struct guard_span text)
{
    struct guard_exchange *exchange = reading->exchange;
    struct guard_span *slot = NULL;
    switch ((int)node) {
    case NODE_ID:
        slot = &exchange->id;
        break;
    case NODE_CLIENT:
        slot = &exchange->client;
        break;
    case NODE_SERVICE:
        slot = &exchange->service;
        break;
    case NODE_POD:
        slot = &exchange->pod;
        break;
    case NODE_REVISION:
        slot = &exchange->revision;
        break;
    case NODE_METHOD:
        slot = &exchange->method;
        break;
    case NODE_TARGET:
        slot = &exchange->target;
        break;
    case NODE_BODY:
        exchange->body_known = true;
        slot = &exchange->body;
        break;
    case NODE_BODY_B64:
        exchange->body_known = true;
        exchange->body = base64_decode(reading, text);
        return;
    case NODE_ANSWER_BODY:
        exchange->response_known = exchange->response_body_known = true;
        slot = &exchange->response_body;
        break;
    case NODE_ANSWER_BODY_B64:
        exchange->response_known = exchange->response_body_known = true;
        exchange->response_body = base64_decode(reading, text);
        return;
    case NODE_VERSION:
        exchange->version = version_of(text);
        return;
    case NODE_PAIR_ITEM:
        add_header_text(reading, text);
        return;
    default:
        refuse(reading, GUARD_E_SYNTAX, "a text stands where none is due");
        return;
    }
    *slot = keep(reading, text);
}

static void take_number(struct reading *reading, enum node node, struct guard_span text)
{
    struct guard_exchange *exchange = reading->exchange;
    uint64_t value;
    if (node == NODE_ID) {
        exchange->id = keep(reading, text);
        return;
    }
    if (!thousandths(text, &value)) {
        refuse(reading, GUARD_E_SYNTAX, "time, status or latency_ms is not a plain decimal number");
        return;
    }
    if (node == NODE_TIME)
        exchange->time_ms = value;
    else if (node == NODE_STATUS && value % 1000 == 0 && value / 1000 <= 999)
        exchange->status = (uint32_t)(value / 1000);
    else if (node == NODE_LATENCY)
        exchange->latency_us = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX - 1;
    else
        refuse(reading, GUARD_E_SYNTAX, "a number stands where none is due");
}

static void on_scalar(void *ctx, uint32_t node, enum gd_json_type type, struct guard_span text)
{
    struct reading *reading = ctx;
    if (node == NODE_UNSEEN && (type == GD_JSON_TRUE || type == GD_JSON_FALSE))
        reading->exchange->unseen = type == GD_JSON_TRUE;
    else if (type == GD_JSON_STRING)
        take_text(reading, (enum node)node, text);
    else if (type == GD_JSON_NUMBER)
        take_number(reading, (enum node)node, text);
    else if (type != GD_JSON_NULL || node == NODE_PAIR_ITEM)
        refuse(reading, GUARD_E_SYNTAX, "true or false stands where none is due");
}

/* Room that most lines don't need. */
static void open_answer_headers(struct reading *reading)
{
    struct guard_exchange *exchange = reading->exchange;
    if (exchange->response_headers == NULL)
        exchange->response_headers = guard_arena_get(
            reading->arena, GUARD_EXCHANGE_HEADERS_MAX * sizeof(*exchange->response_headers));
    if (exchange->response_headers == NULL)
        refuse(reading, GUARD_E_NOMEM, "no memory for an exchange");
    exchange->response_known = true;
}

static void on_open(void *ctx, uint32_t node, bool is_array)
{
    struct reading *reading = ctx;
    bool array_due = node == NODE_HEADERS || node == NODE_ANSWER_HEADERS || node == NODE_PAIR;
    bool object_due = node == NODE_ROOT || node == NODE_REQUEST || node == NODE_RESPONSE;
    if (is_array ? !array_due : !object_due)
        refuse(reading, GUARD_E_SYNTAX, "an object or array stands where none is due");
    if (node == NODE_PAIR)
        reading->pair_items = 0;
    reading->object_seen = true;
    if (node == NODE_ANSWER_HEADERS)
        open_answer_headers(reading);
}

static void on_close(void *ctx, uint32_t node, bool is_array, uint32_t items)
{
    struct reading *reading = ctx;
    (void)is_array;
    (void)items;
    if (node == NODE_PAIR && reading->pair_items != 2)
        refuse(reading, GUARD_E_SYNTAX, "a header is not a pair of texts");
}

static void on_fault(void *ctx, enum guard_fault fault)
{
    struct reading *reading = ctx;
    /* A lone surrogate is how some recorders keep a byte that is no UTF-8: the value is still
     * usable. */
    if (fault == GUARD_FAULT_INVALID_UTF8 || fault == GUARD_FAULT_OVERLONG ||
        fault == GUARD_FAULT_NUL)
        return;
    refuse(reading, fault == GUARD_FAULT_MEMORY ? GUARD_E_NOMEM : GUARD_E_SYNTAX,
           guard_fault_name(fault));
}

enum guard_rc guard_exchange_read(struct guard_exchange *out, struct guard_span line,
                                  struct guard_arena *arena, struct guard_err *err)
{
    static const struct gd_limits limits = {
        .names = 4096, .leaves = 65536, .depth = 64, .value = (size_t)64 << 20};
    *out = (struct guard_exchange){.version = 11, .latency_us = UINT32_MAX};
    struct reading reading = {.exchange = out, .line = line, .arena = arena, .rc = GUARD_OK};
    struct gd_json_handler handler = {.ctx = &reading,
                                      .member = on_member,
                                      .element = on_element,
                                      .scalar = on_scalar,
                                      .open = on_open,
                                      .close = on_close,
                                      .fault = on_fault};
    struct gd_json *json;
    out->headers = guard_arena_get(arena, GUARD_EXCHANGE_HEADERS_MAX * sizeof(*out->headers));
    if (out->headers == NULL || gd_json_begin(&json, &handler, &limits, arena) != GUARD_OK)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for an exchange");
    gd_json_feed(json, line);
    gd_json_end(json);
    if (reading.wrong == NULL &&
        (!reading.object_seen || out->method.len == 0 || out->target.len == 0))
        refuse(&reading, GUARD_E_SYNTAX, "request.method or request.target is missing");
    if (reading.wrong != NULL)
        return guard_fail(err, reading.rc, "%s", reading.wrong);
    return GUARD_OK;
}

static void play_response(const struct guard_exchange *exchange, struct guard_txn *txn)
{
    if (guard_txn_response_begin(txn, exchange->status) != GUARD_OK)
        return;
    for (uint32_t i = 0; i < exchange->response_header_count; i++)
        guard_txn_response_header(txn, exchange->response_headers[i].name,
                                  exchange->response_headers[i].value);
    (void)guard_txn_response_headers_end(txn);
    if (exchange->response_body.len > 0)
        guard_txn_response_body(txn, exchange->response_body);
    (void)guard_txn_response_end(txn);
}

void guard_exchange_play(const struct guard_exchange *exchange, const struct guard_client *client,
                         struct guard_txn *txn)
{
    guard_txn_client(txn, client);
    guard_txn_request(txn, exchange->method, exchange->target, exchange->version);
    for (uint32_t i = 0; i < exchange->header_count; i++)
        guard_txn_header(txn, exchange->headers[i].name, exchange->headers[i].value);
    (void)guard_txn_headers_end(txn);
    if (exchange->body.len > 0)
        guard_txn_body(txn, exchange->body);
    (void)guard_txn_request_end(txn);
    if (exchange->response_known)
        play_response(exchange, txn);
    uint32_t ms = exchange->latency_us == UINT32_MAX ? 0 : exchange->latency_us / 1000;
    if (ms > guard_txn_deadline_ms(txn))
        (void)guard_txn_late(txn, ms);
    guard_txn_response(txn, exchange->status, exchange->latency_us);
}
