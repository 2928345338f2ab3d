/* SPDX-License-Identifier: Apache-2.0 */
/* Our scanner and jansson accept the same documents and see the same values in them, wherever the
 * chunks end: random documents, half of them damaged. The only file that includes jansson's header
 * for tests. */
#include "http/json.h"

#include "base/span.h"
#include "support/random.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_MAX = 1 << 17, ROUNDS = 30000 };

struct text {
    uint8_t bytes[TEXT_MAX];
    size_t len;
};

static void put(struct text *text, const void *bytes, size_t len)
{
    assert_true(len <= TEXT_MAX - text->len);
    if (len > 0)
        memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
}

static void put_string(struct text *text, const char *string)
{
    put(text, string, strlen(string));
}

/* ---- random documents ---- */

static void put_blanks(struct text *text, struct test_random *random)
{
    static const char *const blanks[] = {" ", "\n", "\r\n", "\t", "\n                    ", "   "};
    if (test_random_once_in(random, 5))
        put_string(text, blanks[test_random_below(random, 6)]);
}

static void put_characters(struct text *text, struct test_random *random)
{
    static const char *const pieces[] = {
        "a",       "B7",   " ",       "tom",     "=",
        "é",       "漢字", "😀",       "\\n",     "\\\"",
        "\\\\",    "\\/",  "\\u00e9", "\\u20AC", "\\ud83d\\ude00",
        "\\u0001", "\\t",  "{[]}:,",  "'",       "long run without anything special in it",
        "\x7f"};
    size_t count = test_random_below(random, test_random_once_in(random, 20) ? 300 : 6);
    for (size_t i = 0; i < count; i++)
        put_string(text, pieces[test_random_below(random, sizeof(pieces) / sizeof(pieces[0]))]);
}

static void put_number(struct text *text, struct test_random *random)
{
    char number[64];
    int64_t whole = (int64_t)test_random_next(random) >> test_random_below(random, 64);
    int len = snprintf(number, sizeof(number), "%lld", (long long)whole);
    if (test_random_once_in(random, 3))
        len += snprintf(number + len, sizeof(number) - (size_t)len, ".%llu",
                        (unsigned long long)test_random_below(random, 100000));
    if (test_random_once_in(random, 6))
        len += snprintf(number + len, sizeof(number) - (size_t)len, "%c%s%llu",
                        test_random_once_in(random, 2) ? 'e' : 'E',
                        test_random_once_in(random, 2) ? "" : "-",
                        (unsigned long long)test_random_below(random, 40));
    put(text, number, (size_t)len);
}

static void put_value(struct text *text, struct test_random *random, unsigned depth);

static void put_object(struct text *text, struct test_random *random, unsigned depth)
{
    size_t count = test_random_below(random, 6);
    put_string(text, "{");
    for (size_t i = 0; i < count; i++) {
        char suffix[8];
        put_blanks(text, random);
        put_string(text, "\"");
        put_characters(text, random);
        put(text, suffix, (size_t)snprintf(suffix, sizeof(suffix), "%zu\"", i));
        put_blanks(text, random);
        put_string(text, ":");
        put_value(text, random, depth + 1);
        put_string(text, i + 1 < count ? "," : "");
    }
    put_blanks(text, random);
    put_string(text, "}");
}

static void put_array(struct text *text, struct test_random *random, unsigned depth)
{
    size_t count = test_random_below(random, 6);
    put_string(text, "[");
    for (size_t i = 0; i < count; i++) {
        put_value(text, random, depth + 1);
        put_string(text, i + 1 < count ? "," : "");
    }
    put_blanks(text, random);
    put_string(text, "]");
}

static void put_value(struct text *text, struct test_random *random, unsigned depth)
{
    static const char *const literals[] = {"true", "false", "null"};
    uint64_t kind = test_random_below(random, depth == 0                              ? 3
                                              : depth > 6 || text->len > TEXT_MAX / 4 ? 5
                                                                                      : 8);
    put_blanks(text, random);
    if ((depth == 0 && kind == 0) || kind == 5 || kind == 6) {
        put_object(text, random, depth);
    } else if ((depth == 0 && kind == 1) || kind == 7) {
        put_array(text, random, depth);
    } else if (kind == 2) {
        put_number(text, random);
    } else if (kind == 3) {
        put_string(text, literals[test_random_below(random, 3)]);
    } else {
        put_string(text, "\"");
        put_characters(text, random);
        put_string(text, "\"");
    }
    put_blanks(text, random);
}

static void damage(struct text *text, struct test_random *random)
{
    /* No zero byte: between tokens jansson takes it for the end of the document. */
    static const char alphabet[] = "{}[]:,\"\\u0dDtfn-+.eE1 \n\x01\xc3\xa9\xff\xed\xa0";
    for (uint64_t times = test_random_between(random, 1, 3); times > 0 && text->len > 0; times--) {
        size_t at = test_random_below(random, text->len);
        uint8_t byte = (uint8_t)alphabet[test_random_below(random, sizeof(alphabet) - 1)];
        switch (test_random_below(random, 4)) {
        case 0:
            text->bytes[at] = byte;
            break;
        case 1:
            memmove(text->bytes + at, text->bytes + at + 1, text->len - at - 1);
            text->len--;
            break;
        case 2:
            memmove(text->bytes + at + 1, text->bytes + at, text->len - at);
            text->bytes[at] = byte;
            text->len++;
            break;
        default:
            text->len = at;
        }
    }
}

/* ---- what both saw, in one notation ---- */

static void put_number_text(struct text *out, struct guard_span number)
{
    char digits[400], canonical[64];
    size_t len = number.len < sizeof(digits) - 1 ? number.len : sizeof(digits) - 1;
    memcpy(digits, number.ptr, len);
    digits[len] = '\0';
    if (strpbrk(digits, ".eE") == NULL)
        snprintf(canonical, sizeof(canonical), "#%lld;", strtoll(digits, NULL, 10));
    else
        snprintf(canonical, sizeof(canonical), "#%.17g;", strtod(digits, NULL));
    put_string(out, canonical);
}

struct seen {
    struct text out;
    uint64_t faults;
    uint32_t nodes;
};

static void put_key(struct text *out, struct guard_span key)
{
    put_string(out, "K");
    put(out, key.ptr, key.len);
    put_string(out, "\n");
}

/* Every member has a node of its own: repeated keys are jansson's to find. */
static uint32_t on_member(void *ctx, uint32_t object, struct guard_span key)
{
    struct seen *seen = ctx;
    (void)object;
    put_key(&seen->out, key);
    return ++seen->nodes;
}

static uint32_t on_element(void *ctx, uint32_t array)
{
    (void)ctx;
    return array;
}

static void on_scalar(void *ctx, uint32_t node, enum gd_json_type type, struct guard_span text)
{
    static const char *const marks[] = {"n;", "f;", "t;", "", "S"};
    struct seen *seen = ctx;
    (void)node;
    put_string(&seen->out, marks[type]);
    if (type == GD_JSON_NUMBER)
        put_number_text(&seen->out, text);
    if (type == GD_JSON_STRING) {
        put(&seen->out, text.ptr, text.len);
        put_string(&seen->out, "\n");
    }
}

static void on_open(void *ctx, uint32_t node, bool is_array)
{
    struct seen *seen = ctx;
    (void)node;
    put_string(&seen->out, is_array ? "[" : "{");
}

static void on_close(void *ctx, uint32_t node, bool is_array, uint32_t items)
{
    struct seen *seen = ctx;
    char tail[24];
    (void)node;
    put(&seen->out, tail,
        (size_t)snprintf(tail, sizeof(tail), "%u%c", items, is_array ? ']' : '}'));
}

static void on_fault(void *ctx, enum guard_fault fault)
{
    struct seen *seen = ctx;
    seen->faults |= UINT64_C(1) << fault;
}

static void put_tree(struct text *out, json_t *value)
{
    char tail[24];
    const char *key;
    json_t *inner;
    size_t index;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put_string(out, "{");
        json_object_foreach(value, key, inner)
        {
            put_key(out, gd_span(key, strlen(key)));
            put_tree(out, inner);
        }
        put(out, tail, (size_t)snprintf(tail, sizeof(tail), "%zu}", json_object_size(value)));
        break;
    case JSON_ARRAY:
        put_string(out, "[");
        json_array_foreach(value, index, inner) put_tree(out, inner);
        put(out, tail, (size_t)snprintf(tail, sizeof(tail), "%zu]", json_array_size(value)));
        break;
    case JSON_STRING:
        put_string(out, "S");
        put(out, json_string_value(value), json_string_length(value));
        put_string(out, "\n");
        break;
    case JSON_INTEGER:
        put(out, tail, (size_t)snprintf(tail, sizeof(tail), "#%lld;", json_integer_value(value)));
        break;
    case JSON_REAL: {
        char real[64];
        put(out, real, (size_t)snprintf(real, sizeof(real), "#%.17g;", json_real_value(value)));
        break;
    }
    case JSON_TRUE:
        put_string(out, "t;");
        break;
    case JSON_FALSE:
        put_string(out, "f;");
        break;
    case JSON_NULL:
        put_string(out, "n;");
        break;
    }
}

static void *get_memory(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void put_memory(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static void scan(struct seen *seen, const struct text *text, struct test_random *random)
{
    static const struct gd_limits limits = {
        .names = 512, .leaves = 1000000, .depth = 500, .value = 1 << 16};
    const struct guard_alloc source = {NULL, get_memory, put_memory};
    const struct gd_json_handler handler = {seen,     on_member, on_element, on_scalar, on_open,
                                            on_close, on_fault,  NULL,       NULL};
    struct guard_arena arena;
    struct gd_json *json;
    guard_arena_init(&arena, &source, 1 << 20);
    assert_int_equal(gd_json_begin(&json, &handler, &limits, &arena), GUARD_OK);
    uint64_t mean = test_random_once_in(random, 3)   ? 3
                    : test_random_once_in(random, 2) ? 40
                                                     : 100000;
    for (size_t at = 0; at < text->len;) {
        size_t len = test_random_below(random, 2 * mean);
        len = len < text->len - at ? len : text->len - at;
        uint8_t *copy = malloc(len == 0 ? 1 : len);
        memcpy(copy, text->bytes + at, len);
        gd_json_feed(json, gd_span(copy, len));
        free(copy);
        at += len;
    }
    gd_json_end(json);
    guard_arena_reset(&arena);
}

static void compare(const struct text *text, struct test_random *random, unsigned counts[3])
{
    static struct seen seen;
    static struct text tree;
    seen.out.len = 0;
    seen.faults = 0;
    seen.nodes = 0;
    tree.len = 0;
    scan(&seen, text, random);
    json_error_t error;
    json_t *value = json_loadb((const char *)text->bytes, text->len,
                               JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    enum json_error_code code = value == NULL ? json_error_code(&error) : json_error_unknown;
    bool accepted = (seen.faults & ~(UINT64_C(1) << GUARD_FAULT_NUL)) == 0;
    if (code == json_error_numeric_overflow || code == json_error_duplicate_key ||
        code == json_error_null_byte_in_key) {
        counts[2]++;
    } else {
        counts[value != NULL]++;
        if (accepted != (value != NULL))
            fail_msg("%s but jansson says %s: %.*s", accepted ? "accepted" : "rejected",
                     value != NULL ? "valid" : error.text, (int)text->len,
                     (const char *)text->bytes);
    }
    if (value != NULL) {
        put_tree(&tree, value);
        if (!gd_span_equal(gd_span(tree.bytes, tree.len), gd_span(seen.out.bytes, seen.out.len)))
            fail_msg("other values: %.*s\nours %.*s\njansson %.*s", (int)text->len,
                     (const char *)text->bytes, (int)seen.out.len, (const char *)seen.out.bytes,
                     (int)tree.len, (const char *)tree.bytes);
    }
    json_decref(value);
}

static void test_agrees_with_jansson(void **state)
{
    (void)state;
    static struct text text;
    struct test_random random = test_random_start("json");
    unsigned counts[3] = {0, 0, 0};
    for (int round = 0; round < ROUNDS; round++) {
        text.len = 0;
        put_value(&text, &random, 0);
        if (round % 2 == 1)
            damage(&text, &random);
        compare(&text, &random, counts);
    }
    /* The generator must give both kinds, and seldom what can't be compared. */
    assert_true(counts[0] > ROUNDS / 5 && counts[1] > ROUNDS / 3 && counts[2] < ROUNDS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_agrees_with_jansson)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
