/* SPDX-License-Identifier: Apache-2.0 */
/* What is read a second time is what values would have been: documents without a type are JSON by
 * their first byte and kept one by one, and are what the others are held against. */
#include "profile/leaves.h"

#include "profile/builder_state.h"
#include "support/random.h"
#include "unit/profile/exchange.h"

enum { DOCUMENT_ROOM = 1 << 17, DOCUMENTS = 3000 };

struct document {
    char *bytes;
    size_t len;
};

/* One whose values are captured. */
struct captured {
    struct exchange exchange;
    struct guard_arena arena; /* the capture's */
    struct gd_capture capture;
};

static void begin(struct captured *one, const char *type, bool numbers)
{
    assert_int_equal(exchange_begin(&one->exchange, 0), GUARD_OK);
    guard_arena_init(&one->arena, &one->exchange.memory.alloc, EXCHANGE_ARENA);
    gd_capture_init(&one->capture, &one->arena, 1 << 24, GUARD_PLACE_JSON, false, numbers);
    gd_builder_captures(one->exchange.builder, &one->capture);
    gd_builder_request(one->exchange.builder, text("POST"), text("/a"), 11);
    /* Either is a header, so that fields have the same numbers. */
    gd_builder_header(one->exchange.builder, text(type != NULL ? "Content-Type" : "X-Type"),
                      text(type != NULL ? type : "none"));
    (void)gd_builder_headers_end(one->exchange.builder);
}

static void finish(struct captured *one)
{
    guard_arena_reset(&one->arena);
    guard_arena_reset(&one->exchange.arena);
}

static void run(struct captured *one, const char *type, bool numbers,
                const struct document *document, size_t chunk)
{
    begin(one, type, numbers);
    exchange_body(&one->exchange, gd_span(document->bytes, document->len), chunk);
    (void)exchange_end(&one->exchange);
}

static struct guard_span value_text(const struct gd_capture *capture, uint32_t index)
{
    const struct gd_captured *value = &capture->values[index];
    return gd_span(capture->text.ptr + value->offset, value->len);
}

static struct guard_span value_name(const struct gd_capture *capture, uint32_t index)
{
    const struct gd_captured *value = &capture->values[index];
    const bool tree = (value->flags & GD_CAPTURE_TREE) != 0;
    return tree ? gd_span(NULL, 0)
                : gd_span(capture->text.ptr + value->name_offset, value->name_len);
}

static bool is_same(const struct gd_capture *kept, uint32_t index, const struct gd_leaf *leaf)
{
    const struct gd_captured *value = &kept->values[index];
    const bool tree = (value->flags & GD_CAPTURE_TREE) != 0;
    return value->flags == leaf->flags && gd_span_equal(value_text(kept, index), leaf->text) &&
           gd_span_equal(value_name(kept, index), leaf->name) &&
           (!tree || (value->field == leaf->field && value->types == leaf->types));
}

static void show(const struct document *document, uint32_t index, uint32_t kept, uint32_t read)
{
    fprintf(stderr, "value %u of %u, leaf of %u\n%.*s\n", index, kept, read, (int)document->len,
            document->bytes);
}

/* What is searched holds each text and each name; numbers only where they are asked for. */
static void assert_searched(const struct gd_capture *kept, const struct gd_capture *searched)
{
    for (uint32_t i = 0; i < kept->count; i++) {
        const struct guard_span one =
            kept->values[i].flags == GD_CAPTURE_KEY ? value_name(kept, i) : value_text(kept, i);
        const bool number = kept->values[i].flags != GD_CAPTURE_KEY && kept->values[i].types == 0;
        if (number && !searched->numbers)
            continue;
        assert_non_null(memmem(searched->text.ptr, searched->text.len, one.ptr, one.len));
    }
}

static void assert_alike(const struct document *document, size_t chunk, bool numbers)
{
    struct captured kept;
    struct captured again;
    struct gd_leaves leaves;
    run(&kept, NULL, true, document, chunk);
    run(&again, "application/json", numbers, document, chunk);
    assert_false(kept.capture.unlisted);
    assert_true(again.capture.unlisted);
    assert_int_equal(again.capture.count, 0);
    assert_int_equal(gd_leaves_read(&leaves, &again.capture, true), GUARD_OK);
    uint32_t i = 0;
    while (i < kept.capture.count && i < leaves.count &&
           is_same(&kept.capture, i, &leaves.leaves[i]))
        i++;
    const uint64_t full = kept.exchange.profile->faults[GUARD_LOCATION_JSON] >> GUARD_FAULT_MEMORY;
    if (i != kept.capture.count || (i != leaves.count && (full & 1) == 0)) {
        show(document, i, kept.capture.count, leaves.count);
        fail();
    }
    assert_searched(&kept.capture, &again.capture);
    finish(&kept);
    finish(&again);
}

/* --- documents --- */

static void append(struct document *document, const char *bytes)
{
    const size_t len = strlen(bytes);
    if (len >= DOCUMENT_ROOM - document->len)
        return;
    memcpy(document->bytes + document->len, bytes, len + 1);
    document->len += len;
}

static void append_string(struct document *document, struct test_random *random)
{
    static const char *const pieces[] = {
        "a",          "b",
        "word",       "a text that is longer than a block of sixteen bytes",
        "",           "17",
        "\\u0065vil", "\\/",
        "\\\"",       "\\n",
        "\xc3\xbc",   "\xe4\xbd\xa0",
        "\xff",       "{int}",
        "4711",       "3f2a9c7b5d1e8f60",
        "%2e",        "\\ud83d\\ude00"};
    append(document, "\"");
    for (uint64_t i = test_random_below(random, 3); i > 0; i--)
        append(document, pieces[test_random_below(random, sizeof(pieces) / sizeof(pieces[0]))]);
    if (test_random_once_in(random, 60)) {
        for (int i = 0; i < 30; i++)
            append(document, "a long name ");
    }
    append(document, "\"");
}

static void append_value(struct document *document, struct test_random *random, uint32_t depth);

static void append_members(struct document *document, struct test_random *random, uint32_t depth,
                           bool list)
{
    const uint64_t count = test_random_once_in(random, 40) ? test_random_below(random, 120)
                                                           : test_random_below(random, 5);
    append(document, list ? "[" : "{");
    for (uint64_t i = 0; i < count; i++) {
        append(document, i > 0 ? "," : "");
        if (!list) {
            append_string(document, random);
            append(document, test_random_once_in(random, 4) ? " : " : ":");
        }
        append_value(document, random, depth + 1);
    }
    append(document, list ? "]" : "}");
}

static void append_value(struct document *document, struct test_random *random, uint32_t depth)
{
    static const char *const scalars[] = {"true",
                                          "false",
                                          "null",
                                          "0",
                                          "12",
                                          "-3.25",
                                          "1e9",
                                          "007",
                                          "NaN",
                                          "0x1F",
                                          "12345678901234567890123"};
    const uint64_t kind = test_random_below(random, depth < 6 ? 6 : 4);
    if (kind < 2)
        append_string(document, random);
    else if (kind < 4)
        append(document, scalars[test_random_below(random, sizeof(scalars) / sizeof(scalars[0]))]);
    else
        append_members(document, random, depth, kind == 4);
}

/* Some are cut, or go wrong somewhere. */
static void draw_document(struct document *document, struct test_random *random)
{
    document->len = 0;
    document->bytes[0] = '\0';
    append_members(document, random, 0, test_random_once_in(random, 3));
    if (test_random_once_in(random, 4))
        document->len = test_random_between(random, 1, document->len);
    if (test_random_once_in(random, 8) && document->len > 1)
        document->bytes[test_random_between(random, 1, document->len - 1)] = '?';
}

static void leaves_are_the_values_that_they_would_have_been(void **state)
{
    (void)state;
    struct test_random random = test_random_start("leaves");
    struct document document = {malloc(DOCUMENT_ROOM), 0};
    for (int i = 0; i < DOCUMENTS; i++) {
        draw_document(&document, &random);
        const size_t chunk =
            test_random_once_in(&random, 2) ? document.len : test_random_between(&random, 1, 90);
        assert_alike(&document, chunk, test_random_once_in(&random, 2));
    }
    free(document.bytes);
}

/* Deeper than is read, more leaves, and more names than there is room for. */
static void limits_are_the_same(void **state)
{
    (void)state;
    struct document document = {malloc(DOCUMENT_ROOM), 0};
    char member[32];
    for (int i = 0; i < 80; i++)
        append(&document, "{\"a\":[1,");
    assert_alike(&document, document.len, true);
    document.len = 0;
    append(&document, "[");
    for (int i = 0; i < 5000; i++)
        append(&document, "1,true,");
    assert_alike(&document, 7000, false);
    document.len = 0;
    append(&document, "{");
    for (int i = 0; i < 6000; i++) {
        (void)snprintf(member, sizeof(member), "\"n%d\":\"v%d\",", i, i);
        append(&document, member);
    }
    assert_alike(&document, 7000, false);
    free(document.bytes);
}

static void a_document_may_be_one_scalar(void **state)
{
    (void)state;
    static const char *const scalars[] = {"\"evil\"", " 4711 ", "true", "\"cut", "null"};
    static const char *const texts[] = {"evil", "4711", "true", "cut", "null"};
    for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++) {
        struct captured one;
        struct gd_leaves leaves;
        struct document document = {(char *)(uintptr_t)scalars[i], strlen(scalars[i])};
        run(&one, "application/json", true, &document, 3);
        assert_int_equal(gd_leaves_read(&leaves, &one.capture, true), GUARD_OK);
        assert_int_equal(leaves.count, 2);
        assert_int_equal(leaves.leaves[0].flags, GD_CAPTURE_KEY);
        assert_int_equal(leaves.leaves[0].name.len, 0);
        assert_true(gd_span_equal(leaves.leaves[1].text, text(texts[i])));
        finish(&one);
    }
}

/* A value that isn't whole yet is none. */
static void what_goes_on_is_left_out(void **state)
{
    (void)state;
    struct captured one;
    struct gd_leaves leaves;
    begin(&one, "application/json", true);
    exchange_body(&one.exchange, text("{\"a\":\"whole\",\"b\":\"no"), 100);
    assert_int_equal(gd_leaves_read(&leaves, &one.capture, false), GUARD_OK);
    assert_int_equal(leaves.count, 4);
    assert_true(gd_span_equal(leaves.leaves[2].text, text("whole")));
    assert_int_equal(leaves.leaves[3].flags, GD_CAPTURE_KEY);
    exchange_body(&one.exchange, text("t yet\"}"), 100);
    (void)exchange_end(&one.exchange);
    assert_int_equal(gd_leaves_read(&leaves, &one.capture, true), GUARD_OK);
    assert_int_equal(leaves.count, 5);
    assert_true(gd_span_equal(leaves.leaves[4].text, text("not yet")));
    finish(&one);
}

static enum guard_rc read_again(struct guard_alloc *alloc, void *ctx)
{
    struct captured *one = ctx;
    struct gd_leaves leaves;
    struct guard_arena arena;
    guard_arena_init(&arena, alloc, EXCHANGE_ARENA);
    one->capture.arena = &arena;
    one->capture.next = one->capture.end = NULL;
    enum guard_rc rc = gd_leaves_read(&leaves, &one->capture, true);
    if (rc == GUARD_OK)
        assert_int_equal(leaves.count, 603);
    guard_arena_reset(&arena);
    return rc;
}

static void without_memory_there_is_an_error(void **state)
{
    (void)state;
    struct captured one;
    struct document document = {malloc(DOCUMENT_ROOM), 0};
    append(&document, "{\"a\":[");
    for (int i = 0; i < 600; i++)
        append(&document, i > 0 ? ",\"\\u0061 value\"" : "\"\\u0061 value\"");
    append(&document, "]}");
    run(&one, "application/json", true, &document, document.len);
    assert_true(failing_alloc_sweep(read_again, &one, false) > 2);
    one.capture.arena = &one.arena;
    finish(&one);
    free(document.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_are_the_values_that_they_would_have_been),
        cmocka_unit_test(limits_are_the_same),
        cmocka_unit_test(a_document_may_be_one_scalar),
        cmocka_unit_test(what_goes_on_is_left_out),
        cmocka_unit_test(without_memory_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
