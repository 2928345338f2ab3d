/* SPDX-License-Identifier: Apache-2.0 */
/* Problems are JSON whatever they quote, name the field, and tell no path of this machine. */
#include "guardd/api/body.h"
#include "guardd/api/guardian_tag.h"
#include "guardd/api/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_answer(struct api_response *response, const char *text)
{
    assert_int_equal(response->len, strlen(text));
    assert_memory_equal(response->bytes, text, response->len);
    free(response->bytes);
    *response = (struct api_response){0};
}

static void names_the_field(void **state)
{
    struct api_response response = {0};
    (void)state;
    problem(&response, 400, "bad-parameter", "a\"b", "so \x1b[31m not%c", '\n');
    assert_string_equal(response.content_type, "application/problem+json");
    assert_answer(&response,
                  "{\"type\":\"urn:guard:problem:bad-parameter\",\"title\":\"Bad Request\","
                  "\"status\":400,\"detail\":\"so ?[31m not?\",\"field\":\"a\\\"b\"}");
}

static void tells_where_in_a_document(void **state)
{
    struct api_response response = {0};
    struct guard_err err = {.text = "guardian:3:12: must be a mode (at control.mode)"};
    (void)state;
    problem_document(&response, 422, &err);
    assert_answer(&response,
                  "{\"type\":\"urn:guard:problem:bad-document\",\"title\":\"Unprocessable "
                  "Content\",\"status\":422,\"detail\":\"must be a mode (at control.mode)\","
                  "\"field\":\"control.mode\",\"line\":3,\"column\":12}");
    err = (struct guard_err){.text = "/a/path:1:1: support: must be 1 to 4"};
    problem_document(&response, 422, &err);
    assert_answer(&response,
                  "{\"type\":\"urn:guard:problem:bad-document\",\"title\":\"Unprocessable "
                  "Content\",\"status\":422,\"detail\":\"support: must be 1 to 4\","
                  "\"field\":\"support\",\"line\":1,\"column\":1}");
    err = (struct guard_err){.text = ""};
    problem_document(&response, 422, &err);
    free(response.bytes);
}

static void paths_of_files_stay_here(void **state)
{
    struct api_response response = {0};
    struct guard_err err = {.text = "/var/lib/x/guardians/a.yaml: can't be replaced: No space"};
    (void)state;
    problem_change(&response, GUARD_E_IO, &err);
    assert_int_equal(response.status, 507);
    assert_null(memmem(response.bytes, response.len, "/var", 4));
    free(response.bytes);
}

static bool open_body(struct api_body *body, struct api_response *response, const char *text,
                      const char *type)
{
    static const char *const names[] = {"seconds", "reason", NULL};
    struct api_request request = {.content_type = type,
                                  .body = {(const uint8_t *)text, strlen(text)}};
    *response = (struct api_response){0};
    return api_body_open(body, &request, response, names);
}

static void assert_refused(const char *text, const char *type, unsigned status)
{
    struct api_body body;
    struct api_response response;
    uint64_t seconds;
    const char *reason;
    bool good = open_body(&body, &response, text, type) &&
                api_body_number(&body, &response, "seconds", true, 60, &seconds) &&
                api_body_text(&body, &response, "reason", true, 5, &reason);
    if (good || response.status != status)
        fail_msg("%s: %u", text, response.status);
    api_body_close(&body);
    free(response.bytes);
}

static void bodies_are_checked(void **state)
{
    struct api_body body;
    struct api_response response;
    uint64_t seconds;
    const char *reason;
    static const char json[] = "application/json";
    (void)state;
    assert_true(open_body(&body, &response, "{\"seconds\":60,\"reason\":\"hurry\"}",
                          "application/json; charset=utf-8"));
    assert_true(api_body_number(&body, &response, "seconds", true, 60, &seconds));
    assert_true(api_body_text(&body, &response, "reason", true, 5, &reason));
    assert_int_equal(seconds, 60);
    assert_string_equal(reason, "hurry");
    api_body_close(&body);
    assert_refused("{\"seconds\":60,\"reason\":\"hurry\"}", "text/plain", 415);
    assert_refused("{\"seconds\":60,\"reason\":\"hurry\"}", NULL, 415);
    assert_refused("{\"seconds\":60,\"reason\":\"hurry\"}", "application/jsonx", 415);
    assert_refused("{\"seconds\":60,", json, 400);
    assert_refused("", json, 400);
    assert_refused("[]", json, 400);
    assert_refused("{\"seconds\":61,\"reason\":\"hurry\"}", json, 422);
    assert_refused("{\"seconds\":\"60\",\"reason\":\"hurry\"}", json, 422);
    assert_refused("{\"seconds\":-1,\"reason\":\"hurry\"}", json, 422);
    assert_refused("{\"seconds\":1.5,\"reason\":\"hurry\"}", json, 422);
    assert_refused("{\"seconds\":[1],\"reason\":\"hurry\"}", json, 422);
    assert_refused("{\"seconds\":1}", json, 422);
    assert_refused("{\"seconds\":1,\"reason\":\"\"}", json, 422);
    assert_refused("{\"seconds\":1,\"reason\":\"hurry!\"}", json, 422);
    assert_refused("{\"seconds\":1,\"reason\":\"a\\u0000b\"}", json, 422);
    assert_refused("{\"seconds\":1,\"reason\":\"hurry\",\"more\":1}", json, 422);
    assert_refused("{\"seconds\":1,\"seconds\":2,\"reason\":\"hurry\"}", json, 400);
}

static void tags_are_compared_as_told(void **state)
{
    char tag[GUARDIAN_TAG_CAP];
    char header[128];
    (void)state;
    guardian_tag(GUARD_SPAN_LITERAL("a"), tag);
    assert_int_equal(strlen(tag), 32);
    assert_true(guardian_tag_named("*", tag));
    snprintf(header, sizeof(header), "\"%s\"", tag);
    assert_true(guardian_tag_named(header, tag));
    snprintf(header, sizeof(header), "\"x\", \"%s-yaml\"", tag);
    assert_true(guardian_tag_named(header, tag));
    snprintf(header, sizeof(header), "W/\"%s\"", tag);
    assert_false(guardian_tag_named(header, tag));
    snprintf(header, sizeof(header), "\"%s-json\"", tag);
    assert_false(guardian_tag_named(header, tag));
    snprintf(header, sizeof(header), "%s", tag);
    assert_false(guardian_tag_named(header, tag));
    assert_false(guardian_tag_named("\"", tag));
    assert_false(guardian_tag_named("", tag));
    assert_false(guardian_tag_named("\"\",,\"", tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_field),           cmocka_unit_test(tells_where_in_a_document),
        cmocka_unit_test(paths_of_files_stay_here),  cmocka_unit_test(bodies_are_checked),
        cmocka_unit_test(tags_are_compared_as_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
