/* SPDX-License-Identifier: Apache-2.0 */
/* The short way through what most documents are made of: plain keys and scalars that lie within the
 * chunk. It decides the cost of the gate, so it keeps its state in registers and leaves everything
 * unusual to the machine, which then reads that thing from its first byte. */
#include "http/json_machine.h"

#include "base/utf8.h"
#include "http/json_scan.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

enum { SHORT = 16 }; /* bytes that gd_scan_short looks at */

/* Strings that are long, not ASCII, or close to the chunk's end. */
static __attribute__((noinline)) const uint8_t *
plain_string_slow(const struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    unsigned high = 0;
    const uint8_t *stop = GD_SCAN_TEXT(at, end, &high);
    if (stop == end || *stop != '"' || (size_t)(stop - at) > json->value_limit)
        return NULL;
    if (high != 0 && gd_utf8_check(gd_span(at, (size_t)(stop - at))) != GD_UTF8_VALID)
        return NULL;
    return stop;
}

/* The closing quote of a string without escapes and faults that starts at `at`; NULL for any other.
 */
static ALWAYS_INLINE const uint8_t *plain_string(const struct gd_json *json, const uint8_t *at,
                                                 const uint8_t *end)
{
    if (LIKELY(end - at >= SHORT)) {
        const uint8_t *stop = gd_scan_short(at);
        if (LIKELY(stop != NULL))
            return stop;
    }
    return plain_string_slow(json, at, end);
}

static ALWAYS_INLINE bool is_digit(uint8_t byte)
{
    return (uint8_t)(byte - '0') <= 9;
}

/* Behind a number without exponent and faults; NULL for any other token. */
static ALWAYS_INLINE const uint8_t *plain_number(const struct gd_json *json, const uint8_t *at,
                                                 const uint8_t *end)
{
    const uint8_t *start = at;
    if (*at == '-')
        at++;
    const uint8_t *whole = at;
    while (at < end && is_digit(*at))
        at++;
    if (UNLIKELY(at == whole || at == end || (*whole == '0' && at > whole + 1)))
        return NULL;
    if (*at == '.') {
        const uint8_t *fraction = ++at;
        while (at < end && is_digit(*at))
            at++;
        if (at == fraction || at == end)
            return NULL;
    }
    if (UNLIKELY((gd_json_classes[*at] & GD_JSON_TOKEN) ||
                 (size_t)(at - start) > json->value_limit))
        return NULL;
    return at;
}

/* true, false or null; GD_JSON_STRING for any other token. */
static ALWAYS_INLINE enum gd_json_type plain_literal(const uint8_t *at, const uint8_t *end)
{
    size_t len = *at == 'f' ? 5 : 4;
    if (UNLIKELY((size_t)(end - at) <= len || (gd_json_classes[at[len]] & GD_JSON_TOKEN)))
        return GD_JSON_STRING;
    if (memcmp(at, "true", 4) == 0)
        return GD_JSON_TRUE;
    if (memcmp(at, "null", 4) == 0)
        return GD_JSON_NULL;
    return len == 5 && memcmp(at, "false", 5) == 0 ? GD_JSON_FALSE : GD_JSON_STRING;
}

static ALWAYS_INLINE void hand_over(struct gd_json *json, struct gd_json_frame *frame,
                                    uint32_t node, enum gd_json_type type, const uint8_t *at,
                                    const uint8_t *stop)
{
    json->leaves_left--;
    frame->items++;
    json->handler.scalar(json->handler.ctx, node, type, gd_span(at, (size_t)(stop - at)));
}

/* Hands over the scalar at `at` (which is below end) and returns what is behind it; NULL when it
 * isn't plain: then nothing has happened. */
static ALWAYS_INLINE const uint8_t *plain_scalar(struct gd_json *json, struct gd_json_frame *frame,
                                                 uint32_t node, const uint8_t *at,
                                                 const uint8_t *end)
{
    if (UNLIKELY(json->leaves_left == 0))
        return NULL;
    if (*at == '"') {
        const uint8_t *stop = plain_string(json, ++at, end);
        if (UNLIKELY(stop == NULL))
            return NULL;
        hand_over(json, frame, node, GD_JSON_STRING, at, stop);
        return stop + 1;
    }
    if (*at <= '9') {
        const uint8_t *stop = plain_number(json, at, end);
        if (UNLIKELY(stop == NULL))
            return NULL;
        hand_over(json, frame, node, GD_JSON_NUMBER, at, stop);
        return stop;
    }
    enum gd_json_type type = plain_literal(at, end);
    if (type == GD_JSON_STRING)
        return NULL;
    hand_over(json, frame, node, type, NULL, NULL);
    return at + (type == GD_JSON_FALSE ? 5 : 4);
}

/* The run ends at `at`: NULL, so that `at` needs no memory on the way. */
static ALWAYS_INLINE const uint8_t *leave(struct gd_json *json, enum gd_json_state state,
                                          const uint8_t *at)
{
    json->state = (uint8_t)state;
    json->place = at;
    return NULL;
}

/* A '{'. Returns what is behind the quote of its first key; NULL: the run ends. */
static __attribute__((noinline)) const uint8_t *read_open(struct gd_json *json, const uint8_t *at,
                                                          const uint8_t *end)
{
    gd_json_open(json, false);
    at = gd_json_skip_blanks(at + 1, end);
    if (json->state != GD_JSON_AT_FIRST_KEY || at == end || *at != '"')
        return leave(json, (enum gd_json_state)json->state, at);
    return at + 1;
}

/* A key (behind its quote), colon and scalar. Returns what is behind them; NULL: the run ends. */
static ALWAYS_INLINE const uint8_t *read_member(struct gd_json *json, struct gd_json_frame *frame,
                                                const uint8_t *at, const uint8_t *end)
{
    const uint8_t *stop = plain_string(json, at, end);
    if (UNLIKELY(stop == NULL))
        return leave(json, GD_JSON_AT_KEY, at - 1);
    uint32_t node =
        json->handler.member(json->handler.ctx, frame->node, gd_span(at, (size_t)(stop - at)));
    json->node = node;
    at = stop + 1;
    if (UNLIKELY(node == GD_JSON_SKIP))
        return leave(json, GD_JSON_AT_COLON, at);
    if (UNLIKELY(!gd_json_stamp(json, node, frame->stamp)))
        return leave(json, GD_JSON_AT_DEAD, at);
    /* Of the chunk's last bytes the machine takes care: fewer checks here. */
    if (UNLIKELY(end - at < 3 || *at != ':'))
        return leave(json, GD_JSON_AT_COLON, at);
    at++;
    if (*at <= ' ') {
        at += *at == ' ';
        at = gd_json_skip_blanks(at, end);
        if (UNLIKELY(at == end))
            return leave(json, GD_JSON_AT_VALUE, at);
    }
    stop = plain_scalar(json, frame, node, at, end);
    return LIKELY(stop != NULL) ? stop : leave(json, GD_JSON_AT_VALUE, at);
}

/* Behind a value: on to the next member of this object or of one around it. Returns what is behind
 * the quote of its key; NULL: the run ends. */
static ALWAYS_INLINE const uint8_t *read_next(struct gd_json *json,
                                              const struct gd_json_frame *frame, const uint8_t *at,
                                              const uint8_t *end)
{
    for (;;) {
        at = gd_json_skip_blanks(at, end);
        if (UNLIKELY(end - at < 3))
            return leave(json, GD_JSON_AT_AFTER, at);
        if (LIKELY(*at == ',')) {
            at = gd_json_skip_blanks(at + 1, end);
            if (frame->stamp != 0) {
                if (LIKELY(at < end && *at == '"'))
                    return at + 1;
                return leave(json, GD_JSON_AT_KEY, at);
            }
            json->node = frame->child;
            if (at < end && *at == '{' && frame->child != GD_JSON_SKIP)
                return read_open(json, at, end);
            return leave(json, GD_JSON_AT_VALUE, at);
        }
        if (*at != '}' || frame->stamp == 0)
            return leave(json, GD_JSON_AT_AFTER, at);
        gd_json_close(json);
        at++;
        frame = json->frame;
        if (frame == NULL)
            return leave(json, GD_JSON_AT_AFTER, at);
    }
}

const uint8_t *gd_json_run_members(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    struct gd_json_frame *frame = json->frame;
    if (frame->node == GD_JSON_SKIP || json->value_limit < SHORT)
        return at - 1;
    do {
        at = read_member(json, frame, at, end);
        if (LIKELY(at != NULL))
            at = read_next(json, frame, at, end);
        else if (json->state == GD_JSON_AT_VALUE && json->place < end && *json->place == '{')
            at = read_open(json, json->place, end);
        frame = json->frame;
    } while (LIKELY(at != NULL));
    return json->place;
}

const uint8_t *gd_json_run_elements(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    struct gd_json_frame *frame = json->frame;
    uint32_t node = frame->child;
    if (node == GD_JSON_SKIP || json->value_limit < SHORT)
        return at;
    json->state = GD_JSON_AT_VALUE;
    do {
        const uint8_t *stop = plain_scalar(json, frame, node, at, end);
        if (stop == NULL)
            return at;
        if (stop == end || *stop != ',') {
            json->state = GD_JSON_AT_AFTER;
            return stop;
        }
        at = gd_json_skip_blanks(stop + 1, end);
    } while (at < end);
    return at;
}
