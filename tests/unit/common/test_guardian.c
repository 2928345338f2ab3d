/* SPDX-License-Identifier: Apache-2.0 */
/* Guardian documents: what is read, what is refused with its place, and that writing and reading
 * agree. */
#include "common/file.h"
#include "common/guardian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct guard_arena arena;

static int set_up(void **state)
{
    struct guard_alloc heap = heap_alloc();
    (void)state;
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return 0;
}

static enum guard_rc parse(struct guard_guardian *out, const char *text, struct guard_err *err)
{
    return guardian_parse(out, "g.yaml", (struct guard_span){(const uint8_t *)text, strlen(text)},
                          &arena, err);
}

static const char full[] = "apiVersion: guard/v1alpha1\n"
                           "kind: Guardian\n"
                           "service: shop\n"
                           "control:\n"
                           "  mode: block\n"
                           "  parts: {request: alert, response: observe, time: block}\n"
                           "  learn: paused\n"
                           "  falseAlarmBudget: 0.0005\n"
                           "  support: 2\n"
                           "  failure: closed\n"
                           "configured:\n"
                           "  endpoints:\n"
                           "    - path: \"/users/{}\"\n"
                           "      methods: [GET, POST]\n"
                           "      mode: block\n"
                           "      maxBody: 4096\n"
                           "      contentTypes: [application/json]\n"
                           "      closed: true\n"
                           "      parameters:\n"
                           "        - in: query\n"
                           "          name: username\n"
                           "          required: true\n"
                           "          types: [word, token]\n"
                           "          characters: [lower, digit, \".\", \"\\\"\"]\n"
                           "          minLength: 1\n"
                           "          maxLength: 32\n"
                           "          maxItems: 1\n"
                           "          values: [tom, \"1\"]\n"
                           "  headers:\n"
                           "    - {in: header, name: x-debug, forbidden: true}\n";

static void reads_every_member(void **state)
{
    struct guard_guardian guardian;
    struct guard_err err = {""};
    (void)state;
    assert_int_equal(parse(&guardian, full, &err), GUARD_OK);
    assert_int_equal(guardian.mode, GUARD_MODE_BLOCK);
    assert_int_equal(guardian.request_mode, GUARD_MODE_ALERT);
    assert_int_equal(guardian.response_mode, GUARD_MODE_OBSERVE);
    assert_int_equal(guardian.time_mode, GUARD_MODE_BLOCK);
    assert_false(guardian.learn);
    assert_true(guardian.fail_closed);
    assert_int_equal(guardian.support, 2);
    assert_true(guardian.false_alarm_budget > 0.00049 && guardian.false_alarm_budget < 0.00051);
    assert_int_equal(guardian.endpoint_count, 1);
    const struct guard_endpoint_rule *rule = &guardian.endpoints[0];
    assert_memory_equal(rule->template_text.ptr, "/users/{}", 9);
    assert_int_equal(rule->method_count, 2);
    assert_int_equal(rule->mode, GUARD_MODE_BLOCK);
    assert_int_equal(rule->body_max, 4096);
    assert_true(rule->closed);
    const struct guard_criterion *criterion = &rule->fields[0];
    assert_int_equal(criterion->location, GUARD_LOCATION_QUERY);
    assert_int_equal(criterion->required, 1);
    assert_int_equal(criterion->types, 1 << GUARD_TYPE_WORD | 1 << GUARD_TYPE_TOKEN);
    assert_true((criterion->classes >> GUARD_CLASS_LOWER & 1) != 0);
    assert_true((criterion->classes >> (GUARD_CLASS_PUNCTUATION + 1) & 1) !=
                0); /* the double quote */
    assert_int_equal(criterion->length_min, 1);
    assert_int_equal(criterion->length_max, 32);
    assert_int_equal(criterion->value_count, 2);
    assert_true(guardian.headers[0].forbidden);
}

static const char answers[] =
    "service: shop\n"
    "configured:\n"
    "  endpoints:\n"
    "    - path: /users/{}\n"
    "      response:\n"
    "        statuses: [200, 4xx, 302]\n"
    "        maxBody: 65536\n"
    "        contentTypes: [application/json]\n"
    "        closed: true\n"
    "        parameters:\n"
    "          - {in: json, name: id, required: true, types: [int]}\n"
    "          - {in: header, name: cache-control, values: [no-store]}\n"
    "        leaks: {allowed: [card-number], forbidden: [stack-trace, private-key]}\n"
    "        failures:\n"
    "          maxBody: 0\n"
    "          closed: true\n"
    "          parameters: [{in: json, name: error}]\n"
    "  response:\n"
    "    leaks: {forbidden: [password-file]}\n";

static void reads_responses(void **state)
{
    struct guard_guardian guardian;
    struct guard_err err = {""};
    (void)state;
    assert_int_equal(parse(&guardian, full, &err), GUARD_OK);
    assert_null(guardian.endpoints[0].response);
    assert_null(guardian.response);
    assert_int_equal(parse(&guardian, answers, &err), GUARD_OK);
    const struct guard_response_rule *rule = guardian.endpoints[0].response;
    static const struct guard_status_range statuses[] = {{200, 200}, {400, 499}, {302, 302}};
    assert_int_equal(rule->status_count, 3);
    assert_memory_equal(rule->statuses, statuses, sizeof(statuses));
    assert_int_equal(rule->body_max, 65536);
    assert_int_equal(rule->media_count, 1);
    assert_true(rule->closed);
    assert_int_equal(rule->field_count, 2);
    assert_int_equal(rule->fields[0].types, 1 << GUARD_TYPE_INT);
    assert_int_equal(rule->fields[1].location, GUARD_LOCATION_HEADER);
    assert_int_equal(rule->leaks_allowed, 1 << GUARD_LEAK_CARD);
    assert_int_equal(rule->leaks_forbidden,
                     1 << GUARD_LEAK_STACK_TRACE | 1 << GUARD_LEAK_PRIVATE_KEY);
    assert_int_equal(rule->failures->body_max, 0);
    assert_true(rule->failures->closed);
    assert_int_equal(rule->failures->field_count, 1);
    assert_null(rule->failures->failures);
    assert_int_equal(guardian.response->leaks_forbidden, 1 << GUARD_LEAK_PASSWD);
    assert_int_equal(guardian.response->body_max, -1);
}

static void json_reads_alike(void **state)
{
    struct guard_guardian guardian;
    struct guard_err err = {""};
    (void)state;
    assert_int_equal(
        parse(&guardian,
              "{\"service\":\"shop\",\"control\":{\"mode\":\"observe\",\"falseAlarmBudget\":1e-4},"
              "\"configured\":{\"headers\":[{\"in\":\"cookie\",\"name\":\"a\\u0062\"}]}}",
              &err),
        GUARD_OK);
    assert_int_equal(guardian.mode, GUARD_MODE_OBSERVE);
    assert_memory_equal(guardian.headers[0].name.ptr, "ab", 2);
}

static void refuses_with_the_place(void **state)
{
    static const struct {
        const char *text;
        const char *place;
        const char *word;
    } cases[] = {
        {"service: a\nmodus: block\n", "g.yaml:2:1:", "modus"},
        {"service: a\ncontrol:\n  mode: blok\n", "g.yaml:3:9:", "mode"},
        {"service: a\ncontrol: {falseAlarmBudget: 2}\n", "g.yaml:2:29:", "falseAlarmBudget"},
        {"service: a\ncontrol: {falseAlarmBudget: nan}\n", "g.yaml:2:29:", "falseAlarmBudget"},
        {"service: a\ncontrol: {support: 9}\n", "g.yaml:2:20:", "support"},
        {"service: a\nservice: b\n", "g.yaml:2:1:", "twice"},
        {"service: &x a\n", "g.yaml:1:10:", "anchors"},
        {"service: !!str a\n", "g.yaml:1:10:", "tags"},
        {"kind: Guardian\n", "g.yaml:1:1:", "service"},
        {"kind: Guard\nservice: a\n", "g.yaml:1:7:", "kind"},
        {"apiVersion: guard/v9\nservice: a\n", "g.yaml:1:13:", "apiVersion"},
        {"service: a\nconfigured: {endpoints: [{methods: [GET]}]}\n", "g.yaml:2:26:", "path"},
        {"service: a\nconfigured: {endpoints: [{path: x}]}\n", "g.yaml:2:33:", "path"},
        {"service: a\nconfigured: {headers: [{in: query, name: x}]}\n", "g.yaml:2:24:", "header"},
        {"service: a\nconfigured: {headers: [{in: header, name: x, types: [strin]}]}\n",
         "g.yaml:2:54:", "strin"},
        {"service: a\nconfigured: {headers: [{in: header, name: x, minLength: 3, maxLength: 2}]}\n",
         "g.yaml:2:24:", "minLength"},
        {"service: a\nconfigured: {headers: [{in: header, name: x, required: true, forbidden: "
         "true}]}\n",
         "g.yaml:2:24:", "exclude each other"},
        {"service: a\nconfigured: {endpoints: [{path: '/a{*}'}]}\n", "g.yaml:2:33:", "the rest"},
        {"service: a\nconfigured: {endpoints: [{path: '/a/{*}/b'}]}\n", "g.yaml:2:33:", "the rest"},
        {"service: a\ncontrol: [1]\n", "g.yaml:2:10:", "mapping"},
        {"service: a\nconfigured: {response: 200}\n", "g.yaml:2:24:", "mapping"},
        {"service: a\nconfigured: {response: {status: [200]}}\n",
         "g.yaml:2:25:", "(at configured.response.status)"},
        {"service: a\nconfigured: {response: {statuses: 200}}\n", "g.yaml:2:35:", "list"},
        {"service: a\nconfigured: {response: {statuses: []}}\n", "g.yaml:2:35:", "statuses"},
        {"service: a\nconfigured: {response: {statuses: [200, 600]}}\n",
         "g.yaml:2:41:", "(at configured.response.statuses[1])"},
        {"service: a\nconfigured: {response: {statuses: [99]}}\n", "g.yaml:2:36:", "100 to 599"},
        {"service: a\nconfigured: {response: {statuses: [6xx]}}\n", "g.yaml:2:36:", "2xx"},
        {"service: a\nconfigured: {response: {statuses: [2x0]}}\n", "g.yaml:2:36:", "2xx"},
        {"service: a\nconfigured: {response: {statuses: [0200]}}\n", "g.yaml:2:36:", "2xx"},
        {"service: a\nconfigured: {response: {statuses: [[200]]}}\n", "g.yaml:2:36:", "2xx"},
        {"service: a\nconfigured: {response: {maxBody: -1}}\n", "g.yaml:2:34:", "maxBody"},
        {"service: a\nconfigured: {response: {leaks: [card-number]}}\n", "g.yaml:2:32:", "mapping"},
        {"service: a\nconfigured: {response: {leaks: {forbidden: [card]}}}\n",
         "g.yaml:2:45:", "card-number"},
        {"service: a\nconfigured: {response: {leaks: {forbidden: [credential], allowed: "
         "[credential]}}}\n",
         "g.yaml:2:32:", "allowed and forbidden"},
        {"service: a\nconfigured: {response: {failures: {statuses: [500]}}}\n",
         "g.yaml:2:36:", "(at configured.response.failures.statuses)"},
        {"service: a\nconfigured: {response: {failures: {failures: {}}}}\n",
         "g.yaml:2:36:", "unknown"},
        {"service: a\nconfigured: {endpoints: [{path: /, response: {parameters: [{in: json, name: "
         "a}, {in: query, name: b}]}}]}\n",
         "g.yaml:2:81:", "(at configured.endpoints[0].response.parameters[1])"},
        {"service: [a\n", "g.yaml:", "expect"},
        {"", "g.yaml:1:1:", "empty"},
        {"service: a\n---\nservice: b\n", "g.yaml:3:", "document"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_guardian guardian;
        struct guard_err err = {""};
        assert_int_not_equal(parse(&guardian, cases[i].text, &err), GUARD_OK);
        if (strncmp(err.text, cases[i].place, strlen(cases[i].place)) != 0 ||
            strstr(err.text, cases[i].word) == NULL)
            fail_msg("case %zu: \"%s\" names neither %s nor %s", i, err.text, cases[i].place,
                     cases[i].word);
    }
}

static void refuses_depth_and_size(void **state)
{
    static char deep[256];
    struct guard_guardian guardian;
    struct guard_err err = {""};
    (void)state;
    memset(deep, '[', 100);
    assert_int_equal(parse(&guardian, deep, &err), GUARD_E_LIMIT);
    static char large[(1 << 20) + 2];
    memset(large, '#', sizeof(large) - 1);
    assert_int_equal(parse(&guardian, large, &err), GUARD_E_LIMIT);
    /* What costs a comparison with all before it. */
    size_t len = (size_t)snprintf(large, sizeof(large), "{");
    for (int i = 0; i < 30000; i++)
        len += (size_t)snprintf(large + len, sizeof(large) - len, "\"%x\":1,", i);
    assert_int_equal(parse(&guardian, large, &err), GUARD_E_LIMIT);
    len = 0;
    for (int i = 0; i < 60000; i++)
        len += (size_t)snprintf(large + len, sizeof(large) - len, "%%TAG !%x! b\r", i);
    assert_int_equal(parse(&guardian, large, &err), GUARD_E_LIMIT);
}

static void writing_reads_responses_back(void **state)
{
    struct guard_guardian first, second;
    struct guard_span text, again;
    struct guard_err err = {""};
    (void)state;
    assert_int_equal(parse(&first, answers, &err), GUARD_OK);
    assert_int_equal(guardian_write(&first, &arena, &text, &err), GUARD_OK);
    if (guardian_parse(&second, "w.yaml", text, &arena, &err) != GUARD_OK)
        fail_msg("%s\n%.*s", err.text, (int)text.len, (const char *)text.ptr);
    assert_int_equal(guardian_write(&second, &arena, &again, &err), GUARD_OK);
    assert_int_equal(text.len, again.len);
    assert_memory_equal(text.ptr, again.ptr, text.len);
    const struct guard_response_rule *a = first.endpoints[0].response;
    const struct guard_response_rule *b = second.endpoints[0].response;
    assert_int_equal(a->status_count, b->status_count);
    assert_memory_equal(a->statuses, b->statuses, a->status_count * sizeof(*a->statuses));
    assert_int_equal(a->body_max, b->body_max);
    assert_int_equal(a->media_count, b->media_count);
    assert_int_equal(a->closed, b->closed);
    assert_int_equal(a->field_count, b->field_count);
    assert_int_equal(a->leaks_allowed, b->leaks_allowed);
    assert_int_equal(a->leaks_forbidden, b->leaks_forbidden);
    assert_int_equal(a->failures->body_max, b->failures->body_max);
    assert_int_equal(a->failures->closed, b->failures->closed);
    assert_int_equal(a->failures->field_count, b->failures->field_count);
    assert_int_equal(first.response->leaks_forbidden, second.response->leaks_forbidden);
    /* What says nothing isn't written. */
    assert_int_equal(
        parse(&first, "{\"service\":\"a\",\"configured\":{\"response\":{\"failures\":{}}}}", &err),
        GUARD_OK);
    assert_int_equal(guardian_write(&first, &arena, &text, &err), GUARD_OK);
    assert_int_equal(guardian_parse(&second, "w.yaml", text, &arena, &err), GUARD_OK);
    assert_null(second.response);
}

static void writing_reads_back_equal(void **state)
{
    struct guard_guardian first;
    struct guard_guardian second;
    struct guard_span text;
    struct guard_span again;
    struct guard_err err = {""};
    (void)state;
    assert_int_equal(parse(&first, full, &err), GUARD_OK);
    memset(first.pile_digest, 0xa5, sizeof(first.pile_digest));
    first.pile_named = true;
    assert_int_equal(guardian_write(&first, &arena, &text, &err), GUARD_OK);
    if (guardian_parse(&second, "w.yaml", text, &arena, &err) != GUARD_OK)
        fail_msg("%s\n%.*s", err.text, (int)text.len, (const char *)text.ptr);
    assert_int_equal(guardian_write(&second, &arena, &again, &err), GUARD_OK);
    assert_int_equal(text.len, again.len);
    assert_memory_equal(text.ptr, again.ptr, text.len);
    assert_int_equal(second.endpoints[0].fields[0].classes, first.endpoints[0].fields[0].classes);
    assert_memory_equal(second.pile_digest, first.pile_digest, sizeof(first.pile_digest));
}

/* YAML knows more ends of lines than the line feed, and characters that it refuses. */
static void names_come_back_as_they_were(void **state)
{
    static const char document[] =
        "{\"service\":\"a\",\"configured\":{\"headers\":[{\"in\":\"cookie\",\"name\":"
        "\"a\\u0001\\n\\r\\u007f\\u0080\\u0085\\u009f\\u00a0\\u2028\\u2029\\u202a\\ufeff\\ufffe\\uf"
        "fff\"}]}}";
    static const char name[] =
        "a\x01\n\r\x7f\xc2\x80\xc2\x85\xc2\x9f\xc2\xa0\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"
        "\xef\xbb\xbf\xef\xbf\xbe\xef\xbf\xbf";
    struct guard_guardian first;
    struct guard_guardian second;
    struct guard_span text;
    struct guard_err err = {""};
    (void)state;
    assert_int_equal(parse(&first, document, &err), GUARD_OK);
    assert_int_equal(guardian_write(&first, &arena, &text, &err), GUARD_OK);
    if (guardian_parse(&second, "w.yaml", text, &arena, &err) != GUARD_OK)
        fail_msg("%s\n%.*s", err.text, (int)text.len, (const char *)text.ptr);
    assert_int_equal(second.headers[0].name.len, sizeof(name) - 1);
    assert_memory_equal(second.headers[0].name.ptr, name, sizeof(name) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_every_member, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_responses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writing_reads_responses_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_reads_alike, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_with_the_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_depth_and_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writing_reads_back_equal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_come_back_as_they_were, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
