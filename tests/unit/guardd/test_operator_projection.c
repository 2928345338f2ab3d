/* SPDX-License-Identifier: Apache-2.0 */
/* What was learned as an object of a cluster: bounded, of what is trusted only, and the same text
 * while only the traffic goes on. */
#include "guardd/operator/projection.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/kubernetes/json_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ENDPOINTS = 3000, EACH = 20, NAME_CAP = 2048 };

/* A model whose endpoints have so many parameters each. */
struct shape {
    struct guard_model model;
    char (*names)[NAME_CAP];
};

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void shape_init(struct shape *shape, uint32_t endpoints, uint32_t each)
{
    struct guard_model *model = &shape->model;
    *model = (struct guard_model){.service = span("prod.shop"), .ready = true};
    model->endpoint_count = endpoints;
    model->exchanges = 48211;
    model->clients = 312;
    model->endpoints = calloc(endpoints, sizeof(*model->endpoints));
    model->field_count = endpoints * each;
    model->fields = calloc(model->field_count + 1, sizeof(*model->fields));
    model->first_service_field = model->field_count;
    shape->names = calloc(endpoints, sizeof(*shape->names));
    assert_true(model->endpoints != NULL && model->fields != NULL && shape->names != NULL);
    for (uint32_t i = 0; i < endpoints; i++) {
        snprintf(shape->names[i], NAME_CAP, "/a%u/{}", i);
        model->endpoints[i] = (struct guard_model_endpoint){.method = span("GET"),
                                                            .template_text = span(shape->names[i]),
                                                            .trusted = true,
                                                            .ready = true,
                                                            .exchanges = 1234,
                                                            .clients = 56,
                                                            .statuses = 1 << 2 | 1 << 4,
                                                            .first_field = i * each,
                                                            .field_count = each};
    }
    for (uint32_t i = 0; i < model->field_count; i++)
        model->fields[i] = (struct guard_model_field){.location = GUARD_LOCATION_QUERY,
                                                      .path = span("username"),
                                                      .trusted = true,
                                                      .types = 1 << GUARD_TYPE_INT,
                                                      .clients = 99};
}

static void shape_free(struct shape *shape)
{
    free(shape->model.endpoints);
    free(shape->model.fields);
    free(shape->names);
}

/* The text of the object; freed by the caller. */
static char *written(const struct shape *shape)
{
    struct json_writer json;
    char *text = malloc(PROJECTION_BYTES + 1);
    assert_non_null(text);
    json_writer_init(&json, text, PROJECTION_BYTES);
    json_open(&json, NULL, '{');
    projection_write(&json, &shape->model);
    json_close(&json, '}');
    assert_false(json.overflow);
    text[json.len] = '\0';
    return text;
}

static const struct document_node *learned(const char *text, struct guard_arena *arena)
{
    struct document_node *root = NULL;
    struct guard_err err;
    assert_int_equal(json_tree_parse(&root, span(text), arena, &err), GUARD_OK);
    return member_of(root, "learned");
}

static uint32_t count(const struct document_node *list)
{
    uint32_t found = 0;
    for (const struct document_node *item = list->first; item != NULL; item = item->next)
        found++;
    return found;
}

static void test_it_says_what_was_learned(void **state)
{
    struct shape shape;
    (void)state;
    shape_init(&shape, 1, 1);
    char *text = written(&shape);
    assert_string_equal(
        text,
        "{\"learned\":{\"service\":\"prod.shop\",\"ready\":true,\"exchanges\":10000,\"clients\":"
        "100,"
        "\"headers\":[],\"endpoints\":[{\"method\":\"GET\",\"template\":\"/a0/{}\",\"ready\":["
        "\"request\"],\"exchanges\":1000,\"clients\":10,\"contentTypes\":[],\"bodyMax\":0,"
        "\"statuses\":[\"2xx\",\"4xx\"],\"parameters\":[{\"in\":\"query\",\"name\":\"username\","
        "\"normal\":\"int\",\"types\":[\"int\"],\"required\":false,\"clients\":10}]}],"
        "\"endpointCount\":1}}");
    free(text);
    shape_free(&shape);
}

/* The whole of a JSON body has no name. */
static void test_what_has_no_name_says_none(void **state)
{
    struct shape shape;
    (void)state;
    shape_init(&shape, 1, 1);
    shape.model.fields[0].path = (struct guard_span){NULL, 0};
    char *text = written(&shape);
    assert_null(strstr(text, "\"name\""));
    free(text);
    shape_free(&shape);
}

static void test_what_is_pending_and_what_is_too_long_is_not_told(void **state)
{
    const struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct shape shape;
    (void)state;
    shape_init(&shape, 4, 2);
    shape.model.endpoints[0].trusted = false;
    shape.model.fields[2].trusted = false;
    memset(shape.names[2] + 1, 'x', PROJECTION_TEMPLATE_LEN);
    shape.model.endpoints[2].template_text = span(shape.names[2]);
    guard_arena_init(&arena, &heap, 64 << 20);
    char *text = written(&shape);
    const struct document_node *root = learned(text, &arena);
    const struct document_node *endpoints = member_of(root, "endpoints");
    assert_int_equal(count(endpoints), 2);
    assert_int_equal(whole_of(root, "endpointCount"), 3);
    assert_int_equal(whole_of(root, "moreEndpoints"), 1);
    assert_int_equal(count(member_of(endpoints->first, "parameters")), 1);
    assert_null(member_of(endpoints->first, "moreParameters"));
    assert_null(strstr(text, "/a0/"));
    guard_arena_reset(&arena);
    free(text);
    shape_free(&shape);
}

static void test_large_ones_are_cut_and_say_so(void **state)
{
    const struct guard_alloc heap = heap_alloc();
    (void)state;
    for (uint32_t each = 0; each < 600; each = 2 * each + 1) {
        struct guard_arena arena;
        struct shape shape;
        shape_init(&shape, ENDPOINTS, each);
        guard_arena_init(&arena, &heap, 256 << 20);
        char *text = written(&shape);
        assert_true(strlen(text) <= PROJECTION_BYTES);
        const struct document_node *root = learned(text, &arena);
        const struct document_node *endpoints = member_of(root, "endpoints");
        uint32_t told = count(endpoints);
        assert_in_range(told, 1, PROJECTION_ENDPOINTS);
        assert_int_equal(told + (uint32_t)whole_of(root, "moreEndpoints"), ENDPOINTS);
        for (const struct document_node *one = endpoints->first; one != NULL; one = one->next)
            assert_int_equal(count(member_of(one, "parameters")) + whole_of(one, "moreParameters"),
                             each);
        guard_arena_reset(&arena);
        free(text);
        shape_free(&shape);
    }
}

static void test_headers_leave_room_for_endpoints(void **state)
{
    const struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct shape shape;
    (void)state;
    shape_init(&shape, 300, EACH);
    static char name[PROJECTION_NAME_LEN + 1];
    memset(name, '\1', PROJECTION_NAME_LEN); /* six bytes each in JSON */
    for (uint32_t i = 0; i < shape.model.field_count; i++)
        shape.model.fields[i].path = span(name);
    shape.model.first_service_field = 0;
    shape.model.service_field_count = 300;
    guard_arena_init(&arena, &heap, 64 << 20);
    char *text = written(&shape);
    const struct document_node *root = learned(text, &arena);
    assert_true(count(member_of(root, "endpoints")) >= 4); /* of 32 KiB each */
    assert_int_equal(count(member_of(root, "headers")) + whole_of(root, "moreHeaders"), 300);
    assert_true(whole_of(root, "moreHeaders") > 0);
    guard_arena_reset(&arena);
    free(text);
    shape_free(&shape);
}

static void test_traffic_that_goes_on_changes_nothing(void **state)
{
    struct shape shape;
    (void)state;
    shape_init(&shape, 2, 2);
    char *before = written(&shape);
    shape.model.exchanges += 10000;
    shape.model.endpoints[1].exchanges += 1000;
    shape.model.endpoints[1].latency_max += 7;
    shape.model.fields[1].values += 100;
    char *after = written(&shape);
    assert_string_equal(before, after);
    free(after);
    shape.model.fields[1].required = true;
    after = written(&shape);
    assert_string_not_equal(before, after);
    free(before);
    free(after);
    shape_free(&shape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_says_what_was_learned),
        cmocka_unit_test(test_what_has_no_name_says_none),
        cmocka_unit_test(test_what_is_pending_and_what_is_too_long_is_not_told),
        cmocka_unit_test(test_large_ones_are_cut_and_say_so),
        cmocka_unit_test(test_headers_leave_room_for_endpoints),
        cmocka_unit_test(test_traffic_that_goes_on_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
