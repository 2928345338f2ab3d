/* SPDX-License-Identifier: Apache-2.0 */
/* The baseline learns ranges of counts and the set of specials, and names what is beyond. */
#include "guard/eval_minmax.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static struct guard_exchange post(const char *target, const char *type, const char *body,
                                  struct guard_header *header)
{
    *header = (struct guard_header){span("Content-Type"), span(type)};
    return (struct guard_exchange){.method = span("POST"),
                                   .target = span(target),
                                   .headers = header,
                                   .header_count = 1,
                                   .body = span(body)};
}

static void test_beyond_the_range_is_blocked_and_named(void **state)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_header header;
    struct eval_said said;
    struct eval_minmax *minmax = eval_minmax_new();
    static const char json[] = "application/json";
    static const char form[] = "application/x-www-form-urlencoded";
    static const char multipart[] = "multipart/form-data; boundary=xx";
    static const char part[] =
        "--xx\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--xx--\r\n";
    static const char other[] =
        "--xx\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhel'o\r\n--xx--\r\n";
    (void)state;
    assert_non_null(minmax);
    guard_arena_init(&arena, &heap, 1 << 20);
    const struct {
        const char *target, *type, *body;
    } learned[] = {{"/a?q=tom", json, "{\"x\":{\"y\":[\"ab\",\"abc\"]}}"},
                   {"/a?q=john", form, "c=10&d=zz"},
                   {"/a?q=anna", multipart, part}};
    for (size_t i = 0; i < sizeof(learned) / sizeof(learned[0]); i++) {
        struct guard_exchange exchange =
            post(learned[i].target, learned[i].type, learned[i].body, &header);
        eval_minmax_learn(minmax, &exchange, &arena);
    }
    const struct {
        const char *target, *type, *body, *location, *name;
    } judged[] = {{"/a?q=tim", form, "c=99&d=yy", NULL, NULL},
                  {"/a?q=t'm", form, "c=99&d=yy", "query", "q"},
                  {"/a?q=tim", form, "c=999&d=yy", "form", "c"},
                  {"/a?q=tim&z=1", form, "", "query", "z"},
                  {"/a?q=tim&1752.4", form, "c=99&d=yy", NULL, NULL}, /* no name, no value */
                  {"/a?q=tim", form, "z=\001", NULL, NULL},           /* bytes */
                  {"/a?q=tim", form, "z=1", "form", "z"},
                  {"/a?q=tim", json, "{\"x\":{\"y\":[\"abcd\"]}}", "json", "x.y[]"},
                  {"/a?q=tim", multipart, part, NULL, NULL},
                  {"/a?q=tim", multipart, other, "multipart", "note"},
                  {"/-?q=tim", form, "", "path", "seg0"}};
    for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]); i++) {
        struct guard_exchange exchange =
            post(judged[i].target, judged[i].type, judged[i].body, &header);
        eval_minmax_judge(minmax, &exchange, &arena, &said);
        assert_int_equal(said.block, judged[i].location != NULL);
        if (said.block) {
            assert_true(eval_span_is(said.location, judged[i].location));
            assert_true(eval_span_is(said.name, judged[i].name));
        }
    }
    struct guard_exchange exchange = post("/a?q=tim", form, "c=99&d=yy", &header);
    exchange.method = span("DELETE");
    eval_minmax_judge(minmax, &exchange, &arena, &said);
    assert_true(said.block && !said.placed);
    guard_arena_reset(&arena);
    eval_minmax_free(minmax);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beyond_the_range_is_blocked_and_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
