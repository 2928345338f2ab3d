/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI document and the router say the same, in both directions: paths, methods, parameters
 * of the query. */
#include "guardd/api/openapi.h"
#include "guardd/api/router.h"
#include "guardd/api/sessions.h"

#include "common/document_members.h"
#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

static struct guard_arena arena;
static struct document document;

static int setup(void **state)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_err err;
    (void)state;
    guard_arena_init(&arena, &heap, (size_t)64 << 20);
    if (document_parse(&document, "openapi.yaml",
                       (struct guard_span){api_openapi_text, api_openapi_len}, &arena,
                       &err) != GUARD_OK) {
        print_error("%s\n", err.text);
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return 0;
}

static const struct document_node *operation_of(const struct api_route *route)
{
    char method[16] = "";
    for (size_t i = 0; i < strlen(route->method) && i < sizeof(method) - 1; i++)
        method[i] = (char)(route->method[i] | 0x20);
    return member_of(member_of(member_of(document.root, "paths"), route->path), method);
}

static void every_route_is_in_the_document(void **state)
{
    (void)state;
    for (const struct api_route *route = api_routes; route->method != NULL; route++) {
        if (operation_of(route) == NULL)
            fail_msg("%s %s isn't in the document", route->method, route->path);
    }
}

static bool routed(const char *method, const char *path)
{
    for (const struct api_route *route = api_routes; route->method != NULL; route++) {
        if (strcasecmp(route->method, method) == 0 && strcmp(route->path, path) == 0)
            return true;
    }
    return false;
}

static void everything_in_the_document_is_routed(void **state)
{
    const struct document_node *paths = member_of(document.root, "paths");
    (void)state;
    assert_non_null(paths);
    for (const struct document_node *path = paths->first; path != NULL; path = path->next) {
        for (const struct document_node *method = path->first; method != NULL;
             method = method->next) {
            if (!routed((const char *)method->key->text.ptr, (const char *)path->key->text.ptr))
                fail_msg("%s %s isn't routed", (const char *)method->key->text.ptr,
                         (const char *)path->key->text.ptr);
        }
    }
}

/* "#/components/parameters/limit" */
static const struct document_node *resolved(const struct document_node *parameter)
{
    static const char prefix[] = "#/components/parameters/";
    const char *ref = text_of(parameter, "$ref");
    if (strncmp(ref, prefix, sizeof(prefix) - 1) != 0)
        return parameter;
    return member_of(member_of(member_of(document.root, "components"), "parameters"),
                     ref + sizeof(prefix) - 1);
}

static bool route_has(const struct api_route *route, const char *name)
{
    for (int i = 0; i < 8 && route->params[i] != NULL; i++) {
        if (strcmp(route->params[i], name) == 0)
            return true;
    }
    return false;
}

static void parameters_are_the_same(void **state)
{
    (void)state;
    for (const struct api_route *route = api_routes; route->method != NULL; route++) {
        const struct document_node *list = member_of(operation_of(route), "parameters");
        size_t routed_count = 0;
        size_t documented = 0;
        while (routed_count < 8 && route->params[routed_count] != NULL)
            routed_count++;
        for (const struct document_node *node = list != NULL ? list->first : NULL; node != NULL;
             node = node->next) {
            const struct document_node *parameter = resolved(node);
            assert_non_null(parameter);
            if (strcmp(text_of(parameter, "in"), "query") != 0)
                continue;
            documented++;
            if (!route_has(route, text_of(parameter, "name")))
                fail_msg("%s %s doesn't take %s", route->method, route->path,
                         text_of(parameter, "name"));
        }
        if (documented != routed_count)
            fail_msg("%s %s: parameters differ", route->method, route->path);
    }
}

static enum api_step step_of(const char *method, const char *path, struct api_response *response,
                             const struct api_route **route, struct api_request *request)
{
    *request = (struct api_request){.method = method, .path = path};
    *response = (struct api_response){0};
    *route = api_route_find(request, response);
    return API_DONE;
}

static void rights_are_the_same(void **state)
{
    (void)state;
    for (const struct api_route *route = api_routes; route->method != NULL; route++) {
        if (route->right <= API_RIGHT_NONE || route->right >= API_RIGHTS)
            fail_msg("%s %s has no right", route->method, route->path);
        if (strcmp(text_of(operation_of(route), "x-guard-right"), api_right_name(route->right)) !=
            0)
            fail_msg("%s %s: rights differ", route->method, route->path);
        /* Who may only look changes nothing but their own session. */
        if (strcmp(route->method, "GET") != 0 && strcmp(route->path, "/session") != 0 &&
            (route->right == API_RIGHT_READ || route->right == API_RIGHT_EVIDENCE))
            fail_msg("%s %s needs no more than reading does", route->method, route->path);
    }
}

/* What has an effect only where a service is learned says so, and how it is refused elsewhere. */
static void what_the_learner_follows_is_in_the_document(void **state)
{
    static const char *const statuses[] = {"409", "412", "503"};
    uint32_t decide = 0;
    (void)state;
    for (const struct api_route *route = api_routes; route->method != NULL; route++) {
        const char *at = shared_kind_is_learners(route->decides) ? "learner" : "";
        if (strcmp(text_of(operation_of(route), "x-guard-at"), at) != 0)
            fail_msg("%s %s: x-guard-at isn't '%s'", route->method, route->path, at);
        if (route->decides == SHARED_NONE)
            continue;
        decide++;
        for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
            if (member_of(member_of(operation_of(route), "responses"), statuses[i]) == NULL)
                fail_msg("%s %s: no answer %s", route->method, route->path, statuses[i]);
        }
        if (strcmp(route->method, "GET") == 0)
            fail_msg("%s %s decides something", route->method, route->path);
    }
    assert_int_equal(decide, 19);
}

/* Whoever reads the document knows what is needed, and how one is refused without. */
static void what_is_needed_is_in_the_document(void **state)
{
    static const char *const statuses[] = {"401", "403", "429"};
    const struct document_node *schemes =
        member_of(member_of(document.root, "components"), "securitySchemes");
    (void)state;
    assert_string_equal(text_of(member_of(schemes, "token"), "scheme"), "bearer");
    assert_string_equal(text_of(member_of(schemes, "certificate"), "type"), "mutualTLS");
    assert_string_equal(text_of(member_of(schemes, "session"), "name"), SESSION_COOKIE);
    assert_non_null(member_of(document.root, "security"));
    assert_int_equal(member_of(document.root, "security")->count, 4);
    for (const struct api_route *route = api_routes; route->method != NULL; route++) {
        for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
            if (member_of(member_of(operation_of(route), "responses"), statuses[i]) == NULL)
                fail_msg("%s %s: no answer %s", route->method, route->path, statuses[i]);
        }
    }
}

static void methods_and_paths_are_told_apart(void **state)
{
    struct api_response response;
    struct api_request request;
    const struct api_route *route;
    (void)state;
    step_of("GET", "/api/v1/services/shop/mode", &response, &route, &request);
    assert_non_null(route);
    assert_string_equal(request.service, "shop");
    step_of("HEAD", "/api/v1/services", &response, &route, &request);
    assert_non_null(route);
    step_of("POST", "/api/v1/services/shop/mode", &response, &route, &request);
    assert_null(route);
    assert_int_equal(response.status, 405);
    assert_string_equal(response.allow, "GET, HEAD, PUT");
    free(response.bytes);
    static const char *const unknown[] = {
        "/",
        "",
        "/api/v1",
        "/api/v1/",
        "/api/v1/services/",
        "/api/v1/services//mode",
        "/api/v1/services/shop/mode/",
        "/api/v2/services",
        "/api/v1services",
        "/api/v1/services/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        step_of("GET", unknown[i], &response, &route, &request);
        assert_null(route);
        assert_int_equal(response.status, 404);
        free(response.bytes);
    }
    /* A literal segment wins over a pattern. */
    step_of("GET", "/api/v1/alerts/stream", &response, &route, &request);
    assert_string_equal(route->path, "/alerts/stream");
}

static void parameters_are_checked(void **state)
{
    struct api_request request = {.method = "GET",
                                  .path = "/api/v1/services",
                                  .params = {{"limit", "1"}, {"limit", "2"}},
                                  .param_count = 2};
    struct api_response response = {0};
    (void)state;
    assert_null(api_route_find(&request, &response));
    assert_int_equal(response.status, 400);
    free(response.bytes);
    request.param_count = 1;
    response = (struct api_response){0};
    assert_non_null(api_route_find(&request, &response));
    request.params[0].name = "limits";
    assert_null(api_route_find(&request, &response));
    assert_non_null(memmem(response.bytes, response.len, "\"field\":\"limits\"", 16));
    free(response.bytes);
}

static void numbers_are_checked(void **state)
{
    static const char *const bad[] = {"-1", "", "1x", "101", " 1", "99999999999999999999999", "+1"};
    struct api_request request = {.params = {{"limit", "100"}}, .param_count = 1};
    struct api_response response = {0};
    uint64_t out;
    (void)state;
    assert_true(api_param_number(&request, &response, "limit", 50, 100, &out));
    assert_int_equal(out, 100);
    assert_true(api_param_number(&request, &response, "since", 50, 100, &out));
    assert_int_equal(out, 50);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request.params[0].value = bad[i];
        assert_false(api_param_number(&request, &response, "limit", 50, 100, &out));
        assert_int_equal(response.status, 400);
    }
    free(response.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_in_the_document),
        cmocka_unit_test(everything_in_the_document_is_routed),
        cmocka_unit_test(parameters_are_the_same),
        cmocka_unit_test(rights_are_the_same),
        cmocka_unit_test(what_the_learner_follows_is_in_the_document),
        cmocka_unit_test(what_is_needed_is_in_the_document),
        cmocka_unit_test(methods_and_paths_are_told_apart),
        cmocka_unit_test(parameters_are_checked),
        cmocka_unit_test(numbers_are_checked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
