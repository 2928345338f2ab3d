/* SPDX-License-Identifier: Apache-2.0 */
/* The short ways through values against one byte at a time, and whole requests: neither a memo nor
 * the chunks' borders may change a record. */
#include "base/hash.h"
#include "common/file.h"
#include "profile/scan.h"
#include "profile/transition.h"

#include <guard/memo.h>
#include <guard/txn.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TYPE(name) (1u << GUARD_TYPE_##name)
#define CLASS(name) (UINT64_C(1) << GUARD_CLASS_##name)

struct plain {
    uint64_t classes, frequent, literal;
    uint32_t types, length_min, length_max, digits, specials, count, transitions;
    uint32_t previous;
    uint16_t list[GD_TRANSITIONS_MAX];
    bool full, literal_known, text;
};

static void need(bool condition)
{
    if (!condition)
        abort();
}

static void pair(struct plain *plain, uint32_t from, uint32_t to)
{
    bool run = from == to && (from <= GUARD_CLASS_DIGIT || from >= GUARD_CLASS_LATIN);
    uint64_t bit = gd_frequent_bit(from, to);
    uint16_t code = (uint16_t)(from << 6 | to);
    plain->frequent |= bit;
    if (run || bit != 0)
        return;
    for (uint32_t i = 0; i < plain->transitions; i++) {
        if (plain->list[i] == code)
            return;
    }
    if (plain->transitions == GD_TRANSITIONS_MAX)
        plain->full = true;
    else
        plain->list[plain->transitions++] = code;
}

static bool is_valid(struct guard_span value)
{
    uint32_t code;
    for (size_t at = 0; at < value.len;) {
        int len =
            value.ptr[at] < 0x80 ? 1 : gd_sequence(value.ptr + at, value.ptr + value.len, &code);
        if (len <= 0)
            return false;
        at += (size_t)len;
    }
    return true;
}

static bool is_uuid(struct guard_span value)
{
    for (size_t i = 0; value.len == 36 && i < 36; i++) {
        uint8_t c = value.ptr[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex)
            return false;
    }
    return value.len == 36;
}

/* What a UUID is said to have, whatever it is made of. */
static void uuid(struct plain *plain, uint64_t *classes)
{
    uint32_t from = GUARD_CLASS_DIGIT;
    uint32_t kinds[] = {GUARD_CLASS_LOWER, GUARD_CLASS_UPPER, GUARD_CLASS_DIGIT,
                        GD_MARK_CLASS_FIRST};
    *classes |= CLASS(DIGIT);
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            from = kinds[i];
            if (i != j && (*classes >> from & 1) && (*classes >> kinds[j] & 1))
                plain->frequent |= gd_frequent_bit(from, kinds[j]);
        }
    }
}

static void add(struct plain *plain, struct guard_span value, uint32_t json)
{
    uint64_t classes = 0;
    uint32_t digits = 0, specials = 0, code, type;
    struct plain before = *plain;
    bool valid = is_valid(value);
    plain->previous = UINT32_MAX;
    for (size_t at = 0; at < value.len;) {
        uint8_t c = value.ptr[at];
        uint32_t cls = gd_class_of_byte[c];
        size_t len = 1;
        if (c >= 0x80) {
            cls = GUARD_CLASS_INVALID;
            if (valid) {
                len = (size_t)gd_sequence(value.ptr + at, value.ptr + value.len, &code);
                cls = (uint32_t)gd_class_of_code(code);
            }
        }
        digits += c >= '0' && c <= '9';
        specials += cls >= GUARD_CLASS_PUNCTUATION && cls < GUARD_CLASS_PUNCTUATION + 32;
        classes |= UINT64_C(1) << cls;
        if (plain->previous != UINT32_MAX)
            pair(plain, plain->previous, cls);
        plain->previous = cls;
        at += len;
    }
    bool number = (json & (TYPE(INT) | TYPE(DECIMAL))) != 0;
    if (number) {
        const uint64_t whole = CLASS(DIGIT) | UINT64_C(1) << 16 | UINT64_C(1) << 18;
        type = classes & ~whole ? GUARD_TYPE_DECIMAL : GUARD_TYPE_INT;
    } else if (is_uuid(value)) {
        plain->frequent = before.frequent;
        uuid(plain, &classes);
        type = GUARD_TYPE_UUID;
        digits = 32;
    } else {
        type = (uint32_t)gd_type_of(value, classes);
    }
    plain->classes |= classes;
    plain->types |= 1u << type | (json & TYPE(STRING));
    uint32_t len = (uint32_t)value.len;
    if (!plain->text || len < plain->length_min)
        plain->length_min = len;
    plain->text = true;
    plain->length_max = len > plain->length_max ? len : plain->length_max;
    plain->digits = digits > plain->digits ? digits : plain->digits;
    plain->specials = specials > plain->specials ? specials : plain->specials;
    const uint32_t never =
        TYPE(UUID) | TYPE(DATE) | TYPE(EMAIL) | TYPE(JWT) | TYPE(BASE64) | TYPE(BYTES);
    bool may = len <= GD_LITERAL_MAX && !(never >> type & 1) &&
               !((type == GUARD_TYPE_INT || type == GUARD_TYPE_DECIMAL) && len > 4) &&
               !(type == GUARD_TYPE_HEX && len > 15);
    uint64_t literal = may ? gd_hash_fast(0, value) : 0;
    plain->literal_known =
        may && (plain->count == 0 || (plain->literal_known && plain->literal == literal));
    plain->literal = literal;
    plain->count++;
}

static void compare(const struct plain *plain, const struct gd_summary *summary)
{
    need(plain->classes == summary->classes && plain->types == summary->types);
    need(plain->frequent == summary->frequent && plain->count == summary->count);
    need(plain->length_min == summary->length_min && plain->length_max == summary->length_max);
    need(plain->digits == summary->digits_max && plain->specials == summary->specials_max);
    need(plain->transitions == summary->transition_count);
    need(plain->full == summary->transitions_full);
    for (uint32_t i = 0; i < plain->transitions; i++)
        need(plain->list[i] == summary->transitions[i]);
    need(plain->literal_known == summary->literal_known);
    need(!plain->literal_known || plain->literal == summary->literal);
}

/* Each in a block of its own, so that whoever reads beyond it is seen. */
static uint8_t *copy_of(const uint8_t *ptr, size_t len)
{
    uint8_t *copy = malloc(len);
    need(copy != NULL);
    if (len > 0)
        memcpy(copy, ptr, len);
    return copy;
}

/* Values with a line feed between them are those of one name. */
static void values(const uint8_t *data, size_t size)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct gd_summary summary;
    struct plain plain = {.classes = 0};
    const uint32_t json = data[0] & 1 ? TYPE(STRING) : data[0] & 2 ? TYPE(INT) : 0;
    guard_arena_init(&arena, &heap, 256 * 1024);
    gd_summary_init(&summary);
    for (size_t at = 1; at < size;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end == NULL ? size - at : (size_t)(end - (data + at));
        uint8_t *copy = copy_of(data + at, len);
        if (len > 0 || json == 0) {
            add(&plain, gd_span(copy, len), len > 0 ? json : 0);
            gd_summary_add(&summary, gd_span(copy, len), len > 0 ? json : 0, &arena);
            compare(&plain, &summary);
        }
        free(copy);
        at += len + 1;
    }
    guard_arena_reset(&arena);
}

struct request {
    const uint8_t *head; /* target and headers, a line each: "name: value" */
    size_t head_len;
    const uint8_t *body;
    size_t body_len;
};

static size_t play(const struct request *request, struct guard_memo *memo, size_t step,
                   uint8_t record[GUARD_RECORD_MAX])
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_txn *txn = NULL;
    struct guard_txn_cfg cfg = {
        .service = GUARD_SPAN_LITERAL("fuzz"), .hash_seed = 7, .memo = memo};
    size_t len = 0;
    uint8_t *head = copy_of(request->head, request->head_len);
    guard_arena_init(&arena, &heap, 256 * 1024);
    need(guard_txn_begin(&txn, &cfg, &arena) == GUARD_OK);
    size_t at = 0;
    for (bool first = true; at < request->head_len || first; first = false) {
        const uint8_t *end =
            at < request->head_len ? memchr(head + at, '\n', request->head_len - at) : NULL;
        size_t line = end == NULL ? request->head_len - at : (size_t)(end - (head + at));
        struct guard_span text = {head + at, line};
        const uint8_t *colon = line > 0 ? memchr(text.ptr, ':', line) : NULL;
        size_t name = colon == NULL ? line : (size_t)(colon - text.ptr);
        if (first)
            guard_txn_request(txn, GUARD_SPAN_LITERAL("POST"), text, 11);
        else
            guard_txn_header(txn, gd_span_head(text, name), gd_span_from(text, name + 1));
        at += line + 1;
    }
    (void)guard_txn_headers_end(txn);
    for (size_t done = 0; done < request->body_len;) {
        size_t left = request->body_len - done;
        size_t piece = step == 0 || step > left ? left : step;
        uint8_t *copy = copy_of(request->body + done, piece);
        guard_txn_body(txn, gd_span(copy, piece));
        free(copy);
        done += piece;
    }
    (void)guard_txn_request_end(txn);
    need(guard_txn_record(txn, record, GUARD_RECORD_MAX, &len) == GUARD_OK);
    guard_arena_reset(&arena);
    free(head);
    return len;
}

static void whole(const uint8_t *data, size_t size)
{
    static uint8_t expected[GUARD_RECORD_MAX], found[GUARD_RECORD_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_memo *memo = NULL;
    struct request request = {.head = data + 1, .head_len = size - 1};
    for (size_t i = 1; i + 1 < size; i++) {
        if (data[i] != '\n' || data[i + 1] != '\n')
            continue;
        request.head_len = i - 1;
        request.body = data + i + 2;
        request.body_len = size - i - 2;
        break;
    }
    need(guard_memo_new(&memo, &heap) == GUARD_OK);
    size_t len = play(&request, NULL, 0, expected);
    for (size_t round = 0; round < 4; round++) {
        size_t step = round == 0 ? 0 : round == 1 ? 1 + (size_t)data[0] / 4 : 17 * round;
        size_t again = play(&request, memo, step, found);
        need(again == len && memcmp(expected, found, len) == 0);
    }
    guard_memo_free(memo);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] & 0x80)
        whole(data, size);
    else
        values(data, size);
    return 0;
}
