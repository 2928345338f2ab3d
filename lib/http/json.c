/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON scanner's structure: a state machine over tokens that can stop at any byte, with a short
 * way for tokens that lie within one chunk. */
#include "http/json.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "http/json_machine.h"
#include "http/json_scan.h"
#include "http/percent.h"

const uint8_t gd_json_classes[256] = {
    [' '] = GD_JSON_BLANK,
    ['\t'] = GD_JSON_BLANK,
    ['\n'] = GD_JSON_BLANK,
    ['\r'] = GD_JSON_BLANK,
    ['+'] = GD_JSON_TOKEN,
    ['-'] = GD_JSON_TOKEN,
    ['.'] = GD_JSON_TOKEN,
    ['_'] = GD_JSON_TOKEN,
    ['A' ... 'Z'] = GD_JSON_TOKEN,
    ['a' ... 'z'] = GD_JSON_TOKEN,
    ['0' ... '9'] = GD_JSON_TOKEN | GD_JSON_DIGIT,
};

static void fault(struct gd_json *json, enum guard_fault kind)
{
    uint64_t bit = gd_fault_bit(kind);
    if (json->seen & bit)
        return;
    json->seen |= bit;
    json->handler.fault(json->handler.ctx, kind);
}

static void die(struct gd_json *json, enum guard_fault kind)
{
    fault(json, kind);
    json->state = GD_JSON_AT_DEAD;
}

static void report(struct gd_json *json, uint64_t faults)
{
    for (; faults != 0; faults &= faults - 1)
        fault(json, (enum guard_fault)__builtin_ctzll(faults));
}

bool gd_json_stamp_slow(struct gd_json *json, uint32_t node, uint32_t instance)
{
    uint32_t **page = &json->pages[node >> GD_JSON_PAGE_BITS];
    if (*page == NULL) {
        *page = gd_arena_get(json->arena, GD_JSON_PAGE_SIZE * sizeof(**page));
        if (*page == NULL) {
            die(json, GUARD_FAULT_MEMORY);
            return false;
        }
        memset(*page, 0, GD_JSON_PAGE_SIZE * sizeof(**page));
    }
    uint32_t *last = &(*page)[node & (GD_JSON_PAGE_SIZE - 1)];
    if (*last == instance)
        fault(json, GUARD_FAULT_JSON_DUPLICATE);
    *last = instance;
    return true;
}

static inline void key_seen(struct gd_json *json, struct guard_span key)
{
    const struct gd_json_frame *frame = json->frame;
    json->state = GD_JSON_AT_COLON;
    json->node = GD_JSON_SKIP;
    if (frame->node == GD_JSON_SKIP)
        return;
    json->node = json->handler.member(json->handler.ctx, frame->node, key);
    if (json->node != GD_JSON_SKIP)
        (void)gd_json_stamp(json, json->node & ~GD_JSON_APART, frame->stamp);
}

static inline void leaf_seen(struct gd_json *json, enum gd_json_type type, struct guard_span text)
{
    if (__builtin_expect(json->leaves_left == 0, 0)) {
        die(json, GUARD_FAULT_LEAVES);
        return;
    }
    json->leaves_left--;
    json->state = GD_JSON_AT_AFTER;
    if (json->depth > 0)
        json->frame->items++;
    if (json->node != GD_JSON_SKIP)
        json->handler.scalar(json->handler.ctx, json->node, type, text);
}

void gd_json_refuse(struct gd_json *json)
{
    if (json->depth < json->depth_limit) {
        die(json, GUARD_FAULT_LEAVES);
        return;
    }
    fault(json, GUARD_FAULT_DEPTH);
    json->state = GD_JSON_AT_DEEP;
    json->over = 0;
    json->deep_string = false;
    json->deep_backslash = false;
}

static void open_container(struct gd_json *json, bool is_array)
{
    const struct gd_json_frame *frame = gd_json_push(json, is_array);
    if (frame != NULL && frame->node != GD_JSON_SKIP)
        json->handler.open(json->handler.ctx, frame->node, is_array);
}

static void close_container(struct gd_json *json)
{
    const struct gd_json_frame *frame = gd_json_pop(json);
    if (frame->node != GD_JSON_SKIP)
        json->handler.close(json->handler.ctx, frame->node, frame->stamp == 0, frame->items);
}

/* Cut and check a string's text, then hand it over. */
static inline void string_seen(struct gd_json *json, struct guard_span text, bool is_key, bool high)
{
    if (__builtin_expect(text.len > json->value_limit, 0)) {
        fault(json, GUARD_FAULT_VALUE_LENGTH);
        text = gd_utf8_trim(gd_span_head(text, json->value_limit));
    }
    if (high) {
        enum gd_utf8 utf8 = gd_utf8_check(text);
        if (utf8 == GD_UTF8_OVERLONG)
            fault(json, GUARD_FAULT_OVERLONG);
        if (utf8 == GD_UTF8_INVALID)
            fault(json, GUARD_FAULT_INVALID_UTF8);
    }
    if (is_key)
        key_seen(json, text);
    else
        leaf_seen(json, GD_JSON_STRING, text);
}

/* In GD_JSON_AT_STRING: on to the closing quote or the chunk's end. */
static const uint8_t *feed_string(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    struct gd_json_text *text = &json->text;
    const uint8_t *quote = gd_json_text_feed(text, at, end);
    if (text->buffer.failed) {
        die(json, GUARD_FAULT_MEMORY);
        return end;
    }
    if (quote == NULL)
        return end;
    gd_json_text_finish(text, false);
    if (text->buffer.failed) {
        die(json, GUARD_FAULT_MEMORY);
        return end;
    }
    if (text->buffer.over)
        text->faults |= gd_fault_bit(GUARD_FAULT_VALUE_LENGTH);
    report(json, text->faults);
    string_seen(json, gd_buffer_span(&text->buffer), json->text_is_key, text->high != 0);
    return quote + 1;
}

/* at: behind the opening quote. */
static inline const uint8_t *read_string(struct gd_json *json, const uint8_t *at,
                                         const uint8_t *end, bool is_key)
{
    unsigned high = 0;
    const uint8_t *stop = GD_SCAN_TEXT(at, end, &high);
    if (__builtin_expect(stop < end && *stop == '"', 1)) {
        string_seen(json, gd_span(at, (size_t)(stop - at)), is_key, high != 0);
        return stop + 1;
    }
    gd_json_text_start(&json->text);
    json->text.high = high;
    gd_buffer_add(&json->text.buffer, at, (size_t)(stop - at));
    json->text_is_key = is_key;
    json->state = GD_JSON_AT_STRING;
    return feed_string(json, stop, end);
}

/* A whole number or literal; cut: the document ends behind it. */
static void token_seen(struct gd_json *json, struct guard_span text, bool over, bool cut)
{
    if (over) {
        fault(json, GUARD_FAULT_VALUE_LENGTH);
        if (text.len > 0 && ((gd_json_classes[text.ptr[0]] & GD_JSON_DIGIT) || text.ptr[0] == '-'))
            leaf_seen(json, GD_JSON_NUMBER, text);
        else
            die(json, GUARD_FAULT_JSON_SYNTAX);
        return;
    }
    if (gd_span_equal(text, GUARD_SPAN_LITERAL("true"))) {
        leaf_seen(json, GD_JSON_TRUE, gd_span(NULL, 0));
        return;
    }
    if (gd_span_equal(text, GUARD_SPAN_LITERAL("false"))) {
        leaf_seen(json, GD_JSON_FALSE, gd_span(NULL, 0));
        return;
    }
    if (gd_span_equal(text, GUARD_SPAN_LITERAL("null"))) {
        leaf_seen(json, GD_JSON_NULL, gd_span(NULL, 0));
        return;
    }
    enum gd_json_number number = gd_json_number_check(text);
    if (cut && number != GD_JSON_NUMBER_VALID) {
        if (gd_json_number_unfinished(text)) {
            fault(json, GUARD_FAULT_TRUNCATED);
            leaf_seen(json, GD_JSON_NUMBER, text);
            return;
        }
        if (gd_span_equal(text, gd_span_head(GUARD_SPAN_LITERAL("true"), text.len)) ||
            gd_span_equal(text, gd_span_head(GUARD_SPAN_LITERAL("false"), text.len)) ||
            gd_span_equal(text, gd_span_head(GUARD_SPAN_LITERAL("null"), text.len))) {
            fault(json, GUARD_FAULT_TRUNCATED);
            json->state = GD_JSON_AT_AFTER;
            return;
        }
    }
    if (number == GD_JSON_NUMBER_NOT) {
        die(json, GUARD_FAULT_JSON_SYNTAX);
        return;
    }
    if (number == GD_JSON_NUMBER_ODD)
        fault(json, GUARD_FAULT_JSON_NUMBER);
    leaf_seen(json, GD_JSON_NUMBER, text);
}

/* In GD_JSON_AT_TOKEN. */
static const uint8_t *feed_token(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    struct gd_buffer *buffer = &json->text.buffer;
    const uint8_t *stop = at;
    while (stop < end && (gd_json_classes[*stop] & GD_JSON_TOKEN))
        stop++;
    gd_buffer_add(buffer, at, (size_t)(stop - at));
    if (buffer->failed)
        die(json, GUARD_FAULT_MEMORY);
    else if (stop < end)
        token_seen(json, gd_buffer_span(buffer), buffer->over, false);
    return stop;
}

static inline const uint8_t *read_token(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *stop = at;
    uint8_t all = GD_JSON_TOKEN | GD_JSON_DIGIT;
    uint8_t found;
    while (stop < end && ((found = gd_json_classes[*stop]) & GD_JSON_TOKEN)) {
        all &= found;
        stop++;
    }
    size_t len = (size_t)(stop - at);
    if (stop == end || len > json->value_limit) {
        gd_buffer_clear(&json->text.buffer);
        json->state = GD_JSON_AT_TOKEN;
        return feed_token(json, at, end);
    }
    if ((all & GD_JSON_DIGIT) && (*at != '0' || len == 1))
        leaf_seen(json, GD_JSON_NUMBER, gd_span(at, len));
    else
        token_seen(json, gd_span(at, len), false, false);
    return stop;
}

static inline const uint8_t *read_value(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    uint8_t byte = *at;
    if (byte == '"')
        return read_string(json, at + 1, end, false);
    if (gd_json_classes[byte] & GD_JSON_TOKEN)
        return read_token(json, at, end);
    if (byte == '{' || byte == '[')
        open_container(json, byte == '[');
    else
        die(json, GUARD_FAULT_JSON_SYNTAX);
    return at + 1;
}

/* A value; when it is an array's element, others of its kind are likely to follow. */
static inline const uint8_t *read_element(struct gd_json *json, const uint8_t *at,
                                          const uint8_t *end)
{
    if (json->depth > 0 && json->frame->stamp == 0) {
        const uint8_t *stop = json->handler.run_elements(json, at, end);
        if (stop != at)
            return stop;
    }
    return read_value(json, at, end);
}

/* Behind a value. */
static inline void read_after(struct gd_json *json, uint8_t byte)
{
    if (json->depth == 0) {
        die(json, GUARD_FAULT_JSON_TRAILING);
        return;
    }
    const struct gd_json_frame *frame = json->frame;
    bool is_array = frame->stamp == 0;
    if (byte == ',') {
        json->node = frame->child;
        json->state = is_array ? GD_JSON_AT_VALUE : GD_JSON_AT_KEY;
    } else if (byte == (is_array ? ']' : '}')) {
        close_container(json);
    } else {
        die(json, GUARD_FAULT_JSON_SYNTAX);
    }
}

static const uint8_t *read_first_element(struct gd_json *json, const uint8_t *at,
                                         const uint8_t *end)
{
    if (*at == ']') {
        close_container(json);
        return at + 1;
    }
    struct gd_json_frame *frame = json->frame;
    frame->child = frame->node == GD_JSON_SKIP
                       ? GD_JSON_SKIP
                       : json->handler.element(json->handler.ctx, frame->node);
    json->node = frame->child;
    json->state = GD_JSON_AT_VALUE;
    return read_element(json, at, end);
}

static inline const uint8_t *read_key(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    if (*at == '}' && json->state == GD_JSON_AT_FIRST_KEY) {
        close_container(json);
        return at + 1;
    }
    if (*at != '"') {
        die(json, GUARD_FAULT_JSON_SYNTAX);
        return at;
    }
    const uint8_t *stop = json->handler.run_members(json, at + 1, end);
    /* The run goes nowhere when this very key isn't plain. */
    return stop == at ? read_string(json, at + 1, end, true) : stop;
}

static const uint8_t *feed_start(struct gd_json *json, const uint8_t *at)
{
    static const uint8_t mark[3] = {0xef, 0xbb, 0xbf};
    if (*at != mark[json->mark]) {
        json->state = GD_JSON_AT_VALUE;
        if (json->mark > 0)
            die(json, GUARD_FAULT_JSON_SYNTAX);
        return at;
    }
    json->state = GD_JSON_AT_MARK;
    if (++json->mark == sizeof(mark)) {
        fault(json, GUARD_FAULT_JSON_SYNTAX);
        json->state = GD_JSON_AT_VALUE;
    }
    return at + 1;
}

static const uint8_t *feed_deep(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    for (; at < end; at++) {
        if (json->deep_string) {
            if (json->deep_backslash)
                json->deep_backslash = false;
            else if (*at == '\\')
                json->deep_backslash = true;
            else if (*at == '"')
                json->deep_string = false;
        } else if (*at == '"') {
            json->deep_string = true;
        } else if (*at == '[' || *at == '{') {
            json->over++;
        } else if (*at == ']' || *at == '}') {
            if (json->over-- == 0) {
                json->state = GD_JSON_AT_AFTER;
                return at + 1;
            }
        }
    }
    return end;
}

const uint8_t *gd_json_skip_blanks_slow(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 16) {
        unsigned count = gd_scan_blanks(at);
        at += count;
        if (count < 16)
            return at;
    }
    while (at < end && (gd_json_classes[*at] & GD_JSON_BLANK))
        at++;
    return at;
}

/* The states between tokens, as long as tokens end within the chunk. */
static const uint8_t *feed_structure(struct gd_json *json, const uint8_t *at, const uint8_t *end)
{
    while ((at = gd_json_skip_blanks(at, end)) < end) {
        switch ((enum gd_json_state)json->state) {
        case GD_JSON_AT_FIRST_KEY:
        case GD_JSON_AT_KEY:
            at = read_key(json, at, end);
            break;
        case GD_JSON_AT_COLON:
            json->state = GD_JSON_AT_VALUE;
            if (*at != ':')
                die(json, GUARD_FAULT_JSON_SYNTAX);
            at++;
            break;
        case GD_JSON_AT_FIRST_ELEMENT:
            at = read_first_element(json, at, end);
            break;
        case GD_JSON_AT_VALUE:
            at = read_element(json, at, end);
            break;
        case GD_JSON_AT_AFTER:
            read_after(json, *at);
            at++;
            break;
        case GD_JSON_AT_START:
        case GD_JSON_AT_MARK:
        case GD_JSON_AT_STRING:
        case GD_JSON_AT_TOKEN:
        case GD_JSON_AT_DEEP:
        case GD_JSON_AT_DEAD:
            return at;
        }
    }
    return at;
}

void gd_json_feed(struct gd_json *json, struct guard_span chunk)
{
    const uint8_t *at = chunk.ptr;
    const uint8_t *end = chunk.len == 0 ? at : at + chunk.len;
    while (at < end) {
        switch ((enum gd_json_state)json->state) {
        case GD_JSON_AT_START:
        case GD_JSON_AT_MARK:
            at = feed_start(json, at);
            break;
        case GD_JSON_AT_STRING:
            at = feed_string(json, at, end);
            break;
        case GD_JSON_AT_TOKEN:
            at = feed_token(json, at, end);
            break;
        case GD_JSON_AT_DEEP:
            at = feed_deep(json, at, end);
            break;
        case GD_JSON_AT_DEAD:
            return;
        case GD_JSON_AT_VALUE:
        case GD_JSON_AT_FIRST_ELEMENT:
        case GD_JSON_AT_FIRST_KEY:
        case GD_JSON_AT_KEY:
        case GD_JSON_AT_COLON:
        case GD_JSON_AT_AFTER:
            at = feed_structure(json, at, end);
            break;
        }
    }
}

static void end_string(struct gd_json *json)
{
    struct gd_json_text *text = &json->text;
    gd_json_text_finish(text, true);
    if (text->buffer.over)
        text->faults |= gd_fault_bit(GUARD_FAULT_VALUE_LENGTH);
    report(json, text->faults | gd_fault_bit(GUARD_FAULT_TRUNCATED));
    if (!json->text_is_key)
        string_seen(json, gd_buffer_span(&text->buffer), false, text->high != 0);
}

void gd_json_end(struct gd_json *json)
{
    if (json->state == GD_JSON_AT_STRING)
        end_string(json);
    else if (json->state == GD_JSON_AT_TOKEN)
        token_seen(json, gd_buffer_span(&json->text.buffer), json->text.buffer.over, true);
    if (json->state != GD_JSON_AT_DEAD && (json->state != GD_JSON_AT_AFTER || json->depth > 0))
        fault(json, GUARD_FAULT_TRUNCATED);
    while (json->depth > 0)
        close_container(json);
    json->state = GD_JSON_AT_DEAD;
}

void gd_json_again(struct gd_json *json)
{
    json->frame = NULL;
    json->depth = 0;
    json->leaves_left = json->container_limit;
    json->containers = 0;
    json->node = GD_JSON_ROOT;
    json->state = GD_JSON_AT_START;
    json->mark = 0;
    json->seen = 0;
    for (size_t i = 0; i < GD_JSON_PAGE_COUNT; i++) {
        if (json->pages[i] != NULL)
            memset(json->pages[i], 0, GD_JSON_PAGE_SIZE * sizeof(*json->pages[i]));
    }
}

enum guard_rc gd_json_begin(struct gd_json **out, const struct gd_json_handler *handler,
                            const struct gd_limits *limits, struct guard_arena *arena)
{
    struct gd_json *json = gd_arena_get(arena, sizeof(*json));
    size_t size;
    if (json == NULL || __builtin_mul_overflow(limits->depth, sizeof(struct gd_json_frame), &size))
        return GUARD_E_NOMEM;
    gd_clear(json, sizeof(*json));
    json->frames = gd_arena_get(arena, size);
    if (json->frames == NULL)
        return GUARD_E_NOMEM;
    json->handler = *handler;
    if (handler->run_members == NULL)
        json->handler.run_members = gd_json_any_members;
    if (handler->run_elements == NULL)
        json->handler.run_elements = gd_json_any_elements;
    json->arena = arena;
    json->depth_limit = limits->depth;
    json->leaves_left = limits->leaves;
    json->container_limit = limits->leaves;
    json->value_limit = limits->value;
    json->node = GD_JSON_ROOT;
    json->state = GD_JSON_AT_START;
    gd_buffer_init(&json->text.buffer, arena, limits->value);
    *out = json;
    return GUARD_OK;
}
