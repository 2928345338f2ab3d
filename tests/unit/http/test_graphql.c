/* SPDX-License-Identifier: Apache-2.0 */
/* GraphQL documents: the examples of its specification, and what isn't one. */
#include "http/graphql.h"

#include "trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { OUT_SIZE = 8192 };

struct out {
    char text[OUT_SIZE];
    size_t len;
    char paths[256][128];
    uint32_t count;
    int open;
};

static void put(struct out *out, struct guard_span piece)
{
    assert_true(piece.len < OUT_SIZE - out->len);
    if (piece.len > 0)
        memcpy(out->text + out->len, piece.ptr, piece.len);
    out->len += piece.len;
    out->text[out->len] = '\0';
}

static void put_text(struct out *out, const char *text)
{
    put(out, gd_span(text, strlen(text)));
}

static uint32_t on_node(void *ctx, uint32_t parent, enum gd_graphql_place place,
                        struct guard_span name)
{
    static const char *const marks[] = {"",  "fragment ", ".", ".on ", "...",
                                        "(", "@",         "$", ":",    "[]"};
    struct out *out = ctx;
    assert_true(out->count < 255);
    uint32_t node = ++out->count;
    (void)snprintf(out->paths[node], sizeof(out->paths[node]), "%.60s%s%.*s",
                   parent == GD_GRAPHQL_ROOT ? "" : out->paths[parent], marks[place], (int)name.len,
                   (const char *)name.ptr);
    return node;
}

static void on_value(void *ctx, uint32_t node, enum gd_graphql_type type, struct guard_span text)
{
    static const char *const marks[] = {"", "", "", "#", "\"", "", "$"};
    put_text(ctx, ((struct out *)ctx)->paths[node]);
    put_text(ctx, "=");
    put_text(ctx, marks[type]);
    put(ctx, text);
    put_text(ctx, "\n");
}

static void on_leaf(void *ctx, uint32_t node)
{
    put_text(ctx, ((struct out *)ctx)->paths[node]);
    put_text(ctx, "\n");
}

static void on_open(void *ctx, uint32_t node, enum gd_graphql_group group)
{
    static const char *const marks[] = {" {\n", " [\n", " {:\n"};
    ((struct out *)ctx)->open++;
    put_text(ctx, ((struct out *)ctx)->paths[node]);
    put_text(ctx, marks[group]);
}

static void on_close(void *ctx, uint32_t node, uint32_t items)
{
    char text[32];
    (void)node;
    ((struct out *)ctx)->open--;
    (void)snprintf(text, sizeof(text), "}%u\n", items);
    put_text(ctx, text);
}

static void on_fault(void *ctx, enum guard_fault fault)
{
    put_text(ctx, "! ");
    put_text(ctx, guard_fault_name(fault));
    put_text(ctx, "\n");
}

static void check_limits(const char *document, bool cut, const struct gd_limits *limits,
                         const char *expected)
{
    struct trace_alloc memory = {0};
    struct guard_alloc source = trace_allocator(&memory);
    struct guard_arena arena;
    struct gd_buffer scratch;
    struct out *out = calloc(1, sizeof(*out));
    size_t len = strlen(document);
    char *copy = malloc(len + 1);
    memcpy(copy, document, len);
    const struct gd_graphql_handler handler = {out,     on_node,  on_value, on_leaf,
                                               on_open, on_close, on_fault};
    guard_arena_init(&arena, &source, 256 * 1024);
    gd_buffer_init(&scratch, &arena, limits->value);
    gd_graphql_read(gd_span(copy, len), cut, &handler, limits, &scratch);
    if (strcmp(out->text, expected) != 0)
        fail_msg("%s\n%s\nexpected:\n%s", document, out->text, expected);
    assert_int_equal(out->open, 0);
    guard_arena_reset(&arena);
    assert_int_equal(memory.live, 0);
    free(copy);
    free(out);
}

static void check(const char *document, const char *expected)
{
    check_limits(document, false, &trace_limits, expected);
}

static void test_examples(void **state)
{
    (void)state;
    check("mutation { likeStory(storyID: 12345) { story { likeCount } } }",
          "mutation {\nmutation.likeStory(storyID=#12345\nmutation.likeStory {\n"
          "mutation.likeStory.story {\nmutation.likeStory.story.likeCount\n}1\n}1\n}1\n");
    check("{ field }", "query {\nquery.field\n}1\n");
    check("{ user(id: 4) { id smallPic: profilePic(size: 64) bigPic: profilePic(size: 1024) } }",
          "query {\nquery.user(id=#4\nquery.user {\nquery.user.id\n"
          "query.user.profilePic(size=#64\nquery.user.profilePic\n"
          "query.user.profilePic(size=#1024\nquery.user.profilePic\n}3\n}1\n");
    check("query q { user(id: 4) { ...friendFields @a ... on User @include(if: true) { x } ... {y} "
          "} }\n"
          "fragment friendFields on User { id }",
          "query {\nquery.user(id=#4\nquery.user {\nquery.user...\nquery.user...@a\n"
          "query.user.on User@include\nquery.user.on User@include(if=true\n"
          "query.user.on User {\nquery.user.on User.x\n}1\n"
          "query.user.on  {\nquery.user.on .y\n}1\n}3\n}1\n"
          "fragment User {\nfragment User.id\n}1\n");
    check("query getZuckProfile($devicePicSize: Int, $t: [[T!]!]! = [1]) @d { user(size: "
          "$devicePicSize) }",
          "query$t [\nquery$t[]=#1\n}1\nquery@d\nquery {\nquery.user(size=$devicePicSize\n"
          "query.user\n}1\n");
    check("subscription sub { newMessage { body } }",
          "subscription {\nsubscription.newMessage {\nsubscription.newMessage.body\n}1\n}1\n");
}

static void test_values(void **state)
{
    (void)state;
    check("{ f(a: -1.5e3, b: true, c: null, d: RED, e: [1, [2]], f: {x: 1.0, y: {}}, g: \"\", h: "
          "[]) }",
          "query {\nquery.f(a=#-1.5e3\nquery.f(b=true\nquery.f(c=null\nquery.f(d=RED\n"
          "query.f(e [\nquery.f(e[]=#1\nquery.f(e[] [\nquery.f(e[][]=#2\n}1\n}2\n"
          "query.f(f {:\nquery.f(f:x=#1.0\nquery.f(f:y {:\n}0\n}2\nquery.f(g=\"\n"
          "query.f(h [\n}0\nquery.f\n}1\n");
    check("{ f(a: \"q\\\"\\u00e4\\ud83d\\ude00\\u{20ac}\\n\", b: \"\"\"\n a \\\"\"\" \" b\"\"\") }",
          "query {\nquery.f(a=\"q\"\xc3\xa4\xf0\x9f\x98\x80\xe2\x82\xac\n\n"
          "query.f(b=\"\n a \\\"\"\" \" b\nquery.f\n}1\n");
    check("\xef\xbb\xbf# {\n{,,a,,b #}\n}", "query {\nquery.a\nquery.b\n}2\n");
}

static void test_broken(void **state)
{
    (void)state;
    static const char *const broken[] = {"",
                                         "{",
                                         "}",
                                         "{}",
                                         "{a(}",
                                         "{a()}",
                                         "{a(b)}",
                                         "{a(b:)}",
                                         "{a(b: 01)}",
                                         "{a(b: 1.)}",
                                         "{a(b: 1a)}",
                                         "{a(b: -)}",
                                         "{a(b: \"x)}",
                                         "{a(b: \"x\n\")}",
                                         "{a(b: \"\\q\")}",
                                         "{a(b: \"\\u12\")}",
                                         "{a(b: \"\\ud800\")}",
                                         "{a(b: [1)}",
                                         "{a(b: {c})}",
                                         "{a(b: $)}",
                                         "{a:}",
                                         "{a @}",
                                         "{a ...}",
                                         "{...on}",
                                         "query",
                                         "query Q",
                                         "query ($a) {a}",
                                         "query ($a: [Int) {a}",
                                         "query () {a}",
                                         "fragment on on T {a}",
                                         "fragment F T {a}",
                                         "type T { a: Int }",
                                         "{a} b",
                                         "{a} }",
                                         "{a(b: \"\"\"x)}",
                                         "{a ? b}",
                                         "{a(b: 1, c)}",
                                         "{a\x01}"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct trace_alloc memory = {0};
        struct guard_alloc source = trace_allocator(&memory);
        struct guard_arena arena;
        struct gd_buffer scratch;
        struct out *out = calloc(1, sizeof(*out));
        const struct gd_graphql_handler handler = {out,     on_node,  on_value, on_leaf,
                                                   on_open, on_close, on_fault};
        guard_arena_init(&arena, &source, 256 * 1024);
        gd_buffer_init(&scratch, &arena, 65536);
        gd_graphql_read(gd_span(broken[i], strlen(broken[i])), false, &handler, &trace_limits,
                        &scratch);
        if (strstr(out->text, "! graphql-syntax\n") == NULL)
            fail_msg("no fault: %s", broken[i]);
        assert_int_equal(out->open, 0);
        guard_arena_reset(&arena);
        free(out);
    }
    check_limits("{a b(c: \"x", true, &trace_limits, "query {\nquery.a\n}2\n");
}

static void test_limits(void **state)
{
    (void)state;
    const struct gd_limits limits = {.names = 4, .leaves = 3, .depth = 2, .value = 24};
    check_limits("{a b c d}", false, &limits, "query {\nquery.a\nquery.b\nquery.c\n! leaves\n}4\n");
    check_limits("{a{b{c}}}", false, &limits, "query {\nquery.a {\n! depth\n}1\n}1\n");
    check_limits("{a(b:[[1]])}", false, &limits, "query {\nquery.a(b [\n! depth\n}1\n}1\n");
}

static void test_looks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool looks;
        bool whole;
    } cases[] = {
        {"{a}", true, true},           {" # x\n query { a }", true, true},
        {"mutation M{a}", true, true}, {"fragment F on T{a}", true, true},
        {"shoes", false, false},       {"query", false, false},
        {"queryx {a}", false, false},  {"{\"a\": 1}", false, false},
        {"query me {", true, false},   {"", false, false},
        {"[{a}]", false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_span text = {(const uint8_t *)cases[i].text, strlen(cases[i].text)};
        assert_int_equal(gd_graphql_looks(text), cases[i].looks);
        assert_int_equal(gd_graphql_check(text, &trace_limits), cases[i].whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples), cmocka_unit_test(test_values),
        cmocka_unit_test(test_broken),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
