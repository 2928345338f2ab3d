/* SPDX-License-Identifier: Apache-2.0 */
/* Guardian objects of Knative: what is taken over, what is named as left out, what is refused. */
#include "common/file.h"
#include "common/guardian.h"
#include "common/guardian_words.h"
#include "common/knative_guardian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "apiVersion: guard.security.knative.dev/v1alpha1\nkind: Guardian\nmetadata: {name: pay}\n"
#define CONTROL "spec:\n  control: {alert: true, auto: false, block: true, learn: true}\n"

static struct guard_arena arena;
static char told[8192]; /* "path: why\n" */

static int set_up(void **state)
{
    struct guard_alloc heap = heap_alloc();
    (void)state;
    guard_arena_init(&arena, &heap, (size_t)32 << 20);
    told[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return 0;
}

static void tell(void *ctx, const struct document_node *at, const char *path, const char *why,
                 uint32_t count)
{
    size_t len = strlen(told);
    (void)ctx;
    assert_true(at->line > 0 && count > 0);
    (void)snprintf(told + len, sizeof(told) - len, "%s: %s\n", path, why);
}

static enum guard_rc import(struct guard_guardian *out, const char *text, uint32_t paths,
                            bool configured, struct guard_err *err)
{
    static const struct guard_span path[] = {GUARD_SPAN_LITERAL("/pay/{}"),
                                             GUARD_SPAN_LITERAL("/refund")};
    const struct knative_import how = {
        .paths = path, .path_count = paths, .configured = configured, .left_out = tell};
    struct document document;
    GUARD_TRY(document_parse(&document, "k.yaml",
                             (struct guard_span){(const uint8_t *)text, strlen(text)}, &arena,
                             err));
    return knative_guardian(out, &document, &how, err);
}

static void taken(struct guard_guardian *out, const char *text, uint32_t paths)
{
    struct guard_err err;
    struct guard_guardian again;
    struct guard_span yaml;
    assert_int_equal(import(out, text, paths, false, &err), GUARD_OK);
    assert_int_equal(guardian_write(out, &arena, &yaml, &err), GUARD_OK);
    assert_int_equal(guardian_parse(&again, "g", yaml, &arena, &err), GUARD_OK);
}

static bool is(struct guard_span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.ptr, text, span.len) == 0;
}

static uint64_t classes_of(const char *const *words, size_t count)
{
    uint64_t classes = 0;
    for (size_t i = 0; i < count; i++)
        classes |=
            guardian_class_bit((struct guard_span){(const uint8_t *)words[i], strlen(words[i])});
    return classes;
}

static void test_control_becomes_a_mode(void **state)
{
    (void)state;
    static const struct {
        const char *control;
        enum guard_mode mode;
        bool learn;
        const char *told;
    } cases[] = {
        {"{alert: true, block: true, learn: true, auto: true}", GUARD_MODE_BLOCK, true, ""},
        {"{alert: true, block: false, learn: false, auto: true}", GUARD_MODE_ALERT, false, ""},
        /* It blocks what it alerts on. */
        {"{alert: false, block: true, learn: true, auto: true}", GUARD_MODE_OBSERVE, true, ""},
        {"{alert: true, force: true, auto: true}", GUARD_MODE_ALERT, true, "spec.control.force: "},
        {"{alert: true, learn: true}", GUARD_MODE_ALERT, true, "spec.control.auto: "},
        {"{alert: true, auto: true, rpm: 60}", GUARD_MODE_ALERT, false,
         "spec.control.rpm: not known"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_guardian guardian;
        char text[512];
        told[0] = '\0';
        (void)snprintf(text, sizeof(text), HEAD "spec:\n  control: %s\n", cases[i].control);
        taken(&guardian, text, 0);
        assert_true(is(guardian.service, "pay"));
        assert_int_equal(guardian.mode, cases[i].mode);
        assert_int_equal(guardian.request_mode, cases[i].mode);
        assert_int_equal(guardian.learn, cases[i].learn);
        assert_int_equal(strncmp(told, cases[i].told, strlen(cases[i].told)), 0);
        assert_int_equal(told[0] == '\0', cases[i].told[0] == '\0');
    }
}

static void test_values_become_criteria(void **state)
{
    (void)state;
    static const char *const dashed[] = {"lower", "upper", "digit", "-", "(", ")"};
    static const char *const blank[] = {"lower", "upper", "space"};
    struct guard_guardian guardian;
    taken(
        &guardian,
        HEAD CONTROL
        "  configured:\n    active: true\n    req:\n      headers:\n        kv:\n          vals:\n"
        "            X-Tenant: {letters: [{min: 0, max: 8}], digits: 2, schars: 1, flags: 2176}\n"
        "            X-Note: {letters: 255, spaces: [{min: 0, max: 3}], flags: 2048}\n"
        "            X-None: {letters: null, digits: []}\n"
        "            Cookie: {letters: 3}\n",
        0);
    assert_int_equal(guardian.header_count, 3);
    const struct guard_criterion *tenant = &guardian.headers[0];
    assert_true(is(tenant->name, "x-tenant") && tenant->location == GUARD_LOCATION_HEADER);
    assert_true(tenant->classes_said);
    assert_int_equal(tenant->classes, classes_of(dashed, 6));
    assert_int_equal(tenant->length_max, 11);
    /* Counts end at 255; without special characters their flags say nothing. */
    const struct guard_criterion *note = &guardian.headers[1];
    assert_int_equal(note->classes, classes_of(blank, 3));
    assert_int_equal(note->length_max, -1);
    const struct guard_criterion *none = &guardian.headers[2];
    assert_int_equal(none->classes, 0);
    assert_int_equal(none->length_max, 0);
    assert_non_null(strstr(told, "vals.Cookie: cookies"));
    assert_null(guardian.response);
    assert_int_equal(guardian.endpoint_count, 0);
}

#define REQUEST                                                                                    \
    HEAD CONTROL                                                                                   \
        "  configured:\n    reqbody:\n      structured: {kind: object, kv: {\n"                    \
        "        amount: {kind: number, val: {digits: 6}}, on: {kind: boolean, val: {}},\n"        \
        "        tags: {kind: array, val: {letters: 4}}, any: {kind: multi},\n"                    \
        "        to: {kind: object, kv: {iban: {kind: string, val: {letters: 9}}}}}}\n"            \
        "    req:\n      contentlength: [{min: 0, max: 11}]\n"                                     \
        "      mediatype: {type: {set: [none, application/json%s]}}\n"                             \
        "      qs: {kv: {vals: {user: {letters: 12}}, otherVals: null, otherKeynames: null}}\n"

static void test_criteria_on_requests_need_endpoints(void **state)
{
    (void)state;
    static const char *const names[] = {"user", "amount", "on", "tags[]", "to.iban"};
    struct guard_guardian guardian;
    char text[2048];
    (void)snprintf(text, sizeof(text), REQUEST, "");
    taken(&guardian, text, 2);
    assert_int_equal(guardian.endpoint_count, 2);
    assert_null(strstr(told, "configured."));
    for (uint32_t i = 0; i < 2; i++) {
        const struct guard_endpoint_rule *endpoint = &guardian.endpoints[i];
        assert_true(is(endpoint->template_text, i == 0 ? "/pay/{}" : "/refund"));
        assert_int_equal(endpoint->body_max, 2047);
        assert_int_equal(endpoint->media_count, 1);
        assert_true(endpoint->closed);
        assert_int_equal(endpoint->field_count, 5);
        for (uint32_t k = 0; k < 5; k++)
            assert_true(is(endpoint->fields[k].name, names[k]));
        assert_int_equal(endpoint->fields[1].types,
                         1u << GUARD_TYPE_INT | 1u << GUARD_TYPE_DECIMAL);
        assert_false(endpoint->fields[1].classes_said);
        assert_int_equal(endpoint->fields[2].types, 1u << GUARD_TYPE_BOOL);
    }
    /* Without an endpoint they are named, and nothing of them is made. */
    taken(&guardian, text, 0);
    assert_int_equal(guardian.endpoint_count, 0);
    assert_non_null(strstr(told, "spec.configured.req.mediatype: "));
    assert_non_null(strstr(told, "spec.configured.req.contentlength: "));
    assert_non_null(strstr(told, "spec.configured.req.qs.kv: "));
    assert_non_null(strstr(told, "spec.configured.reqbody: "));
}

/* Whatever the order of the members: the media types decide. */
static void test_members_are_also_forms(void **state)
{
    (void)state;
    struct guard_guardian guardian;
    char text[2048];
    (void)snprintf(text, sizeof(text), REQUEST,
                   ", application/x-www-form-urlencoded, multipart/form-data");
    taken(&guardian, text, 1);
    uint32_t forms = 0;
    for (uint32_t i = 0; i < guardian.endpoints[0].field_count; i++) {
        const struct guard_criterion *field = &guardian.endpoints[0].fields[i];
        bool form =
            field->location == GUARD_LOCATION_FORM || field->location == GUARD_LOCATION_MULTIPART;
        forms += form;
        assert_true(!form || is(field->name, "tags"));
    }
    assert_int_equal(forms, 2);
}

static void test_responses(void **state)
{
    (void)state;
    struct guard_guardian guardian;
    taken(&guardian,
          HEAD CONTROL
          "  configured:\n    resp: {contentlength: 20, mediatype: [text/html], headers: "
          "{kv: {vals: {X-A: {letters: 3}}}}}\n"
          "    respbody: {unstructured: {letters: 9}, faults: {set: [a]}}\n",
          0);
    assert_non_null(guardian.response);
    assert_int_equal(guardian.response->body_max, 1048575);
    assert_int_equal(guardian.response->media_count, 1);
    assert_int_equal(guardian.response->field_count, 2);
    assert_int_equal(guardian.response->fields[1].location, GUARD_LOCATION_BODY);
    assert_non_null(strstr(told, "spec.configured.respbody.faults: kinds of malformed"));
}

static void test_each_thing_left_out_is_named(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "spec.learned",          "configured.req.cip",   "configured.req.hopip",
        "configured.req.method", "configured.req.proto", "configured.req.url",
        "configured.envelop",    "configured.pod",       "configured.process",
        "configured.new",        "kv.otherKeynames",     "values: how often",
        "values: blocks",        "values: a least",      "values: how many",
        "values: comments",      "values: counts"};
    struct guard_guardian guardian;
    taken(&guardian,
          HEAD CONTROL
          "  learned: {active: true}\n"
          "  configured:\n    req: {cip: [a], hopip: [b], method: {set: [GET]}, proto: {set: [a]}, "
          "url: {segments: 1}, headers: {kv: {otherKeynames: {letters: 1}, vals: {X: {letters: "
          "[{min: 5, max: 255}], digits: 1, sequences: 4, unicodeFlags: [1]}}}}}\n"
          "    envelop: {responsetime: 1}\n    pod: {a: 1}\n    process: {a: 1}\n    new: 7\n",
          0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_non_null(strstr(told, paths[i]));
}

/* What isn't in force there isn't put into force here by itself. */
static void test_unused_criteria_stay_out(void **state)
{
    (void)state;
    static const char *const texts[] = {
        HEAD "spec: {control: {alert: true, auto: true}, configured: {active: true, resp: "
             "{contentlength: 3}}}",
        HEAD "spec: {control: {alert: true, auto: false}, configured: {active: false, resp: "
             "{contentlength: 3}}}"};
    struct guard_err err;
    for (size_t i = 0; i < 2; i++) {
        struct guard_guardian guardian;
        told[0] = '\0';
        assert_int_equal(import(&guardian, texts[i], 0, false, &err), GUARD_OK);
        assert_null(guardian.response);
        assert_non_null(strstr(told, "spec.configured: not "));
        assert_int_equal(import(&guardian, texts[i], 0, true, &err), GUARD_OK);
        assert_non_null(guardian.response);
    }
}

static void test_refusals_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"apiVersion: v1\nkind: Pod\nspec: {}\n", "k.yaml:1:13: apiVersion: must be"},
        {"kind: Guardian\n", "k.yaml:1:1: is no Guardian of Knative"},
        {"spec: {control: {alert: true}}\n", "has no metadata.name"},
        {HEAD CONTROL "  configured: {req: 7}\n", "k.yaml:6:21: must be a mapping"},
        {HEAD CONTROL "  configured: {resp: {contentlength: many}}\n", "must be a count"},
        {HEAD CONTROL "  configured: {resp: {headers: {kv: {vals: {A: {letters: [3]}}}}}}\n",
         "k.yaml:6:58: must describe a value"},
        {HEAD CONTROL "  configured: {resp: {headers: {kv: {vals: {A: {flags: -1}}}}}}\n",
         "must describe a value"},
        {HEAD CONTROL "  configured: {resp: {mediatype: [[]]}}\n", "must be a media type"},
        {HEAD CONTROL "  configured: {respbody: {structured: [1]}}\n", "must be {kind, val, kv}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_guardian guardian;
        struct guard_err err = {""};
        assert_int_not_equal(import(&guardian, cases[i].text, 0, false, &err), GUARD_OK);
        if (strstr(err.text, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].says, err.text);
    }
}

/* More than a Guardian holds is told, and the rest of it is good. */
static void test_limits_are_told(void **state)
{
    (void)state;
    static char text[64 * 1024];
    struct guard_guardian guardian;
    size_t len = (size_t)snprintf(text, sizeof(text),
                                  HEAD CONTROL "  configured: {resp: {headers: {kv: {vals: {\n");
    for (int i = 0; i < 300; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "X-%d: {letters: 1},\n", i);
    (void)snprintf(text + len, sizeof(text) - len, "}}}}}\n");
    taken(&guardian, text, 0);
    assert_int_equal(guardian.response->field_count, GUARD_GUARDIAN_FIELDS_MAX);
    assert_non_null(strstr(told, "256 criteria at most"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_control_becomes_a_mode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values_become_criteria, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_criteria_on_requests_need_endpoints, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_members_are_also_forms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_responses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_thing_left_out_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unused_criteria_stay_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals_name_the_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits_are_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
