/* SPDX-License-Identifier: Apache-2.0 */
/* The short way through what most documents are made of: plain keys and scalars that lie within the
 * chunk. It decides the cost of the gate, so it keeps its state in registers, leaves everything
 * unusual to the machine, which then reads that thing from its first byte, and is compiled anew for
 * each receiver whose calls are constants. */
#ifndef GD_HTTP_JSON_RUN_H
#define GD_HTTP_JSON_RUN_H

#include "base/block.h"
#include "http/json_machine.h"
#include "http/json_scan.h"

#define GD_ALWAYS_INLINE inline __attribute__((always_inline))
#define GD_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define GD_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* A number without exponent. */
struct gd_json_plain_number {
    struct guard_span text;
    bool minus;
    bool point;
};

/* What a run calls instead of the calls in json->handler. */
struct gd_json_run_calls {
    uint32_t (*member)(struct gd_json *json, uint32_t object, struct guard_span key);
    void (*string)(struct gd_json *json, uint32_t node, struct guard_span text);
    void (*number)(struct gd_json *json, uint32_t node, const struct gd_json_plain_number *number);
    void (*literal)(struct gd_json *json, uint32_t node, enum gd_json_type type);
    void (*open)(struct gd_json *json, uint32_t node); /* an object */
    void (*close)(struct gd_json *json, uint32_t node, uint32_t items);
};

/* Strings that are long, not ASCII, or close to the chunk's end. */
const uint8_t *gd_json_plain_string_slow(const struct gd_json *json, const uint8_t *at,
                                         const uint8_t *end);
/* The closing quote of a string without escapes and faults that starts at `at`; NULL for any other.
 */
static GD_ALWAYS_INLINE const uint8_t *gd_json_plain_string(const struct gd_json *json,
                                                            const uint8_t *at, const uint8_t *end)
{
    if (GD_LIKELY(end - at >= GD_BLOCK)) {
        const uint8_t *stop = gd_scan_short(at);
        if (GD_LIKELY(stop != NULL))
            return stop;
    }
    return gd_json_plain_string_slow(json, at, end);
}

/* Behind a number without exponent and faults, of which 16 bytes can be read; NULL for any other
 * token and for long ones. */
static GD_ALWAYS_INLINE const uint8_t *gd_json_plain_digits(const uint8_t *at,
                                                            struct gd_json_plain_number *out)
{
    struct gd_block block = gd_block_load(at, GD_BLOCK);
    uint32_t others = ~GD_BLOCK_BETWEEN(&block, '0', '9'); /* its upper half stops every search */
    uint32_t first = *at == '-';
    uint32_t len = (uint32_t)__builtin_ctz(others >> first) + first;
    if (GD_UNLIKELY(len == first || (at[first] == '0' && len > first + 1)))
        return NULL;
    out->minus = first != 0;
    out->point = at[len & (GD_BLOCK - 1)] == '.';
    if (out->point) {
        uint32_t fraction = len + 1;
        len = (uint32_t)__builtin_ctz(others >> fraction) + fraction;
        if (len == fraction)
            return NULL;
    }
    if (GD_UNLIKELY(len >= GD_BLOCK || (gd_json_classes[at[len]] & GD_JSON_TOKEN)))
        return NULL;
    out->text = (struct guard_span){at, len};
    return at + len;
}

/* true, false or null; GD_JSON_STRING for any other token. */
static GD_ALWAYS_INLINE enum gd_json_type gd_json_plain_literal(const uint8_t *at,
                                                                const uint8_t *end)
{
    size_t len = *at == 'f' ? 5 : 4;
    if (GD_UNLIKELY((size_t)(end - at) <= len || (gd_json_classes[at[len]] & GD_JSON_TOKEN)))
        return GD_JSON_STRING;
    if (memcmp(at, "true", 4) == 0)
        return GD_JSON_TRUE;
    if (memcmp(at, "null", 4) == 0)
        return GD_JSON_NULL;
    return len == 5 && memcmp(at, "false", 5) == 0 ? GD_JSON_FALSE : GD_JSON_STRING;
}

static GD_ALWAYS_INLINE void gd_json_count_leaf(struct gd_json *json, struct gd_json_frame *frame)
{
    json->leaves_left--;
    frame->items++;
}

/* Hands over the scalar at `at` (which is below end) and returns what is behind it; NULL when it
 * isn't plain: then nothing has happened. */
static GD_ALWAYS_INLINE const uint8_t *gd_json_plain_scalar(struct gd_json *json,
                                                            const struct gd_json_run_calls *calls,
                                                            struct gd_json_frame *frame,
                                                            uint32_t node, const uint8_t *at,
                                                            const uint8_t *end)
{
    if (GD_UNLIKELY(json->leaves_left == 0))
        return NULL;
    if (*at == '"') {
        const uint8_t *stop = gd_json_plain_string(json, ++at, end);
        if (GD_UNLIKELY(stop == NULL))
            return NULL;
        gd_json_count_leaf(json, frame);
        calls->string(json, node, (struct guard_span){at, (size_t)(stop - at)});
        return stop + 1;
    }
    if (*at <= '9') {
        struct gd_json_plain_number number;
        const uint8_t *stop = end - at > GD_BLOCK ? gd_json_plain_digits(at, &number) : NULL;
        if (GD_UNLIKELY(stop == NULL))
            return NULL;
        gd_json_count_leaf(json, frame);
        calls->number(json, node, &number);
        return stop;
    }
    enum gd_json_type type = gd_json_plain_literal(at, end);
    if (type == GD_JSON_STRING)
        return NULL;
    gd_json_count_leaf(json, frame);
    calls->literal(json, node, type);
    return at + (type == GD_JSON_FALSE ? 5 : 4);
}

/* The run ends at `at`: NULL, so that `at` needs no memory on the way. */
static GD_ALWAYS_INLINE const uint8_t *
gd_json_run_leave(struct gd_json *json, enum gd_json_state state, const uint8_t *at)
{
    json->state = (uint8_t)state;
    json->place = at;
    return NULL;
}

/* A '{'. Returns what is behind the quote of its first key; NULL: the run ends. */
static GD_ALWAYS_INLINE const uint8_t *gd_json_run_open(struct gd_json *json,
                                                        const struct gd_json_run_calls *calls,
                                                        const uint8_t *at, const uint8_t *end)
{
    const struct gd_json_frame *frame = gd_json_push(json, false);
    if (frame != NULL)
        calls->open(json, frame->node); /* runs have no nodes to skip */
    at = gd_json_skip_blanks(at + 1, end);
    if (GD_UNLIKELY(json->state != GD_JSON_AT_FIRST_KEY || at == end || *at != '"'))
        return gd_json_run_leave(json, (enum gd_json_state)json->state, at);
    return at + 1;
}

/* A member whose value isn't for the run: the state that is due behind its key. */
enum gd_json_state gd_json_stamp_apart(struct gd_json *json, uint32_t node, uint32_t instance);

/* A key (behind its quote), colon and scalar. Returns what is behind them; NULL: the run ends. */
static GD_ALWAYS_INLINE const uint8_t *gd_json_run_member(struct gd_json *json,
                                                          const struct gd_json_run_calls *calls,
                                                          struct gd_json_frame *frame,
                                                          const uint8_t *at, const uint8_t *end)
{
    const uint8_t *stop = gd_json_plain_string(json, at, end);
    if (GD_UNLIKELY(stop == NULL))
        return gd_json_run_leave(json, GD_JSON_AT_KEY, at - 1);
    uint32_t node = calls->member(json, frame->node, (struct guard_span){at, (size_t)(stop - at)});
    json->node = node;
    at = stop + 1;
    /* This is GD_JSON_SKIP too. */
    if (GD_UNLIKELY(node >= GD_JSON_APART))
        return gd_json_run_leave(json, gd_json_stamp_apart(json, node, frame->stamp), at);
    if (GD_UNLIKELY(!gd_json_stamp(json, node, frame->stamp)))
        return gd_json_run_leave(json, GD_JSON_AT_DEAD, at);
    /* Of the chunk's last bytes the machine takes care: fewer checks here. */
    if (GD_UNLIKELY(end - at < 3 || *at != ':'))
        return gd_json_run_leave(json, GD_JSON_AT_COLON, at);
    at++;
    if (*at <= ' ') {
        at += *at == ' ';
        at = gd_json_skip_blanks(at, end);
        if (GD_UNLIKELY(at == end))
            return gd_json_run_leave(json, GD_JSON_AT_VALUE, at);
    }
    stop = gd_json_plain_scalar(json, calls, frame, node, at, end);
    return GD_LIKELY(stop != NULL) ? stop : gd_json_run_leave(json, GD_JSON_AT_VALUE, at);
}

/* Behind a value: on to the next member of this object or of one around it. Returns what is behind
 * the quote of its key; NULL: the run ends. */
static GD_ALWAYS_INLINE const uint8_t *gd_json_run_next(struct gd_json *json,
                                                        const struct gd_json_run_calls *calls,
                                                        const struct gd_json_frame *frame,
                                                        const uint8_t *at, const uint8_t *end)
{
    for (;;) {
        at = gd_json_skip_blanks(at, end);
        if (GD_UNLIKELY(end - at < 3))
            return gd_json_run_leave(json, GD_JSON_AT_AFTER, at);
        if (GD_LIKELY(*at == ',')) {
            at = gd_json_skip_blanks(at + 1, end);
            if (frame->stamp != 0) {
                if (GD_LIKELY(at < end && *at == '"'))
                    return at + 1;
                return gd_json_run_leave(json, GD_JSON_AT_KEY, at);
            }
            json->node = frame->child;
            return gd_json_run_leave(json, GD_JSON_AT_VALUE, at);
        }
        if (*at != '}' || frame->stamp == 0)
            return gd_json_run_leave(json, GD_JSON_AT_AFTER, at);
        (void)gd_json_pop(json);
        calls->close(json, frame->node, frame->items);
        at++;
        frame = json->frame;
        if (frame == NULL)
            return gd_json_run_leave(json, GD_JSON_AT_AFTER, at);
    }
}

/* What json->handler.run_members and run_elements do. */
static GD_ALWAYS_INLINE const uint8_t *gd_json_run_members(struct gd_json *json,
                                                           const struct gd_json_run_calls *calls,
                                                           const uint8_t *at, const uint8_t *end)
{
    struct gd_json_frame *frame = json->frame;
    if (frame->node == GD_JSON_SKIP || json->value_limit < GD_BLOCK)
        return at - 1;
    do {
        at = gd_json_run_member(json, calls, frame, at, end);
        if (GD_LIKELY(at != NULL))
            at = gd_json_run_next(json, calls, frame, at, end);
        /* An object as a member or an element. */
        if (at == NULL && json->state == GD_JSON_AT_VALUE && json->place < end &&
            *json->place == '{' && json->node != GD_JSON_SKIP)
            at = gd_json_run_open(json, calls, json->place, end);
        frame = json->frame;
    } while (GD_LIKELY(at != NULL));
    return json->place;
}

static GD_ALWAYS_INLINE const uint8_t *gd_json_run_elements(struct gd_json *json,
                                                            const struct gd_json_run_calls *calls,
                                                            const uint8_t *at, const uint8_t *end)
{
    struct gd_json_frame *frame = json->frame;
    uint32_t node = frame->child;
    if (node == GD_JSON_SKIP || json->value_limit < GD_BLOCK)
        return at;
    json->state = GD_JSON_AT_VALUE;
    do {
        const uint8_t *stop = gd_json_plain_scalar(json, calls, frame, node, at, end);
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

#endif
