/* SPDX-License-Identifier: Apache-2.0 */
/* The cap on growth: what is let in at once, who comes first, and that the rest only waits. */
#include "base/span.h"

#include <guard/model.h>

#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ENDPOINTS = 400, FIELDS = 2000 };

struct service {
    struct guard_model model;
    struct guard_model_endpoint endpoints[ENDPOINTS];
    struct guard_model_field fields[FIELDS];
    char texts[ENDPOINTS + FIELDS][16];
};

static struct service before, now;

static struct guard_span text(struct service *service, uint32_t slot, const char *prefix,
                              uint32_t number)
{
    (void)snprintf(service->texts[slot], sizeof(service->texts[slot]), "%s%u", prefix, number);
    return gd_span(service->texts[slot], strlen(service->texts[slot]));
}

/* So many endpoints with so many fields each. */
static void make(struct service *service, uint32_t endpoints, uint32_t fields)
{
    memset(service, 0, sizeof(*service));
    service->model.endpoints = service->endpoints;
    service->model.fields = service->fields;
    service->model.endpoint_count = endpoints;
    service->model.field_count = endpoints * fields;
    service->model.first_service_field = endpoints * fields;
    for (uint32_t i = 0; i < endpoints; i++) {
        service->endpoints[i] =
            (struct guard_model_endpoint){.method = GUARD_SPAN_LITERAL("GET"),
                                          .template_text = text(service, i, "/e", i),
                                          .clients = 100,
                                          .trusted = true,
                                          .first_field = i * fields,
                                          .field_count = fields};
        for (uint32_t k = 0; k < fields; k++) {
            uint32_t index = i * fields + k;
            service->fields[index] = (struct guard_model_field){
                .location = GUARD_LOCATION_QUERY,
                .parent = GUARD_NO_INDEX,
                .name = text(service, ENDPOINTS + index, "f", k),
                .path = gd_span(service->texts[ENDPOINTS + index],
                                strlen(service->texts[ENDPOINTS + index])),
                .clients = 100,
                .trusted = true};
        }
    }
}

static struct guard_growth hold(const struct guard_review *review)
{
    struct guard_growth growth;
    guard_model_hold_growth(&now.model, &before.model, review, &growth);
    return growth;
}

static void test_nothing_new(void **state)
{
    (void)state;
    make(&before, 20, 10);
    make(&now, 20, 10);
    struct guard_growth growth = hold(NULL);
    assert_int_equal(growth.grown + growth.held, 0);
    assert_int_equal(guard_model_elements(&now.model), 220);
    /* What is gone is no growth. */
    make(&now, 5, 2);
    growth = hold(NULL);
    assert_int_equal(growth.grown + growth.held, 0);
    assert_int_equal(guard_model_elements(&now.model), 15);
}

/* A fifth of 220; those of the most clients first, wherever they stand. */
static void test_service(void **state)
{
    (void)state;
    make(&before, 20, 10);
    make(&now, 120, 10);
    for (uint32_t i = 100; i < 120; i++)
        now.endpoints[i].clients = 5000;
    for (uint32_t i = 20; i < 100; i++)
        now.endpoints[i].clients = 5;
    struct guard_growth growth = hold(NULL);
    assert_int_equal(growth.grown, 44);
    assert_int_equal(growth.held, 56);
    for (uint32_t i = 0; i < 120; i++) {
        bool first = i < 20 || i >= 100 || i < 44;
        assert_int_equal(now.endpoints[i].trusted, first);
    }
    assert_true(gd_span_equal(growth.first[0].template_text, GUARD_SPAN_LITERAL("/e44")));
    assert_int_equal(growth.first[0].kind, GUARD_REVIEW_METHOD);
}

/* A small service may still grow by sixteen, an endpoint by twelve or by half. */
static void test_least(void **state)
{
    (void)state;
    make(&before, 3, 1);
    make(&now, 40, 1);
    assert_int_equal(hold(NULL).grown, GUARD_GROWTH_LEAST);
    make(&before, 40, 8);
    make(&now, 40, 40);
    struct guard_growth growth = hold(NULL);
    assert_int_equal(growth.grown, 72); /* a fifth of 360 */
    make(&before, 40, 8);
    make(&now, 40, 8);
    for (uint32_t i = 0; i < 8; i++)
        now.fields[i].classes = 0xff; /* 64 new characters at one endpoint */
    growth = hold(NULL);
    assert_int_equal(growth.grown, GUARD_GROWTH_ENDPOINT_LEAST);
    assert_int_equal(growth.held, 64 - GUARD_GROWTH_ENDPOINT_LEAST);
    uint32_t known = 0, pending = 0;
    for (uint32_t i = 0; i < 8; i++) {
        known += (uint32_t)__builtin_popcountll(now.fields[i].classes);
        pending += (uint32_t)__builtin_popcountll(now.fields[i].pending_classes);
    }
    assert_int_equal(known, GUARD_GROWTH_ENDPOINT_LEAST);
    assert_int_equal(pending, 64 - GUARD_GROWTH_ENDPOINT_LEAST);
}

/* People's word isn't growth; members wait with what holds them. */
static void test_accepted_and_members(void **state)
{
    (void)state;
    make(&before, 3, 0);
    make(&now, 40, 0);
    struct guard_review_entry entry = {.element = {.kind = GUARD_REVIEW_METHOD,
                                                   .template_text = GUARD_SPAN_LITERAL("/e39"),
                                                   .text = GUARD_SPAN_LITERAL("GET")},
                                       .decision = GUARD_REVIEW_ACCEPTED};
    struct guard_review review = {&entry, 1};
    struct guard_growth growth = hold(&review);
    assert_int_equal(growth.grown, GUARD_GROWTH_LEAST);
    assert_true(now.endpoints[39].trusted && !now.endpoints[38].trusted);
    make(&before, 1, 1);
    make(&now, 1, 60);
    for (uint32_t i = 40; i < 60; i++)
        now.fields[i].parent = 39;
    growth = hold(NULL);
    assert_int_equal(growth.grown, GUARD_GROWTH_ENDPOINT_LEAST);
    assert_false(now.fields[39].trusted);
    for (uint32_t i = 40; i < 60; i++)
        assert_false(now.fields[i].trusted);
}

/* A law: never more than the cap is new, and nothing that was trusted is held. */
static void test_law(void **state)
{
    (void)state;
    struct test_random random = test_random_start("growth");
    for (int round = 0; round < 300; round++) {
        make(&before, 1 + (uint32_t)test_random_below(&random, 60),
             (uint32_t)test_random_below(&random, 8));
        make(&now, 1 + (uint32_t)test_random_below(&random, 150),
             (uint32_t)test_random_below(&random, 12));
        for (uint32_t i = 0; i < now.model.endpoint_count; i++)
            now.endpoints[i].clients = (uint32_t)test_random_below(&random, 1000);
        for (uint32_t i = 0; i < now.model.field_count; i++)
            now.fields[i].clients = (uint32_t)test_random_below(&random, 1000);
        uint32_t elements = guard_model_elements(&before.model);
        uint32_t allowed = elements / GUARD_GROWTH_SHARE > GUARD_GROWTH_LEAST
                               ? elements / GUARD_GROWTH_SHARE
                               : (uint32_t)GUARD_GROWTH_LEAST;
        struct guard_growth growth = hold(NULL);
        assert_true(growth.grown <= allowed);
        uint32_t common = before.model.endpoint_count < now.model.endpoint_count
                              ? before.model.endpoint_count
                              : now.model.endpoint_count;
        for (uint32_t i = 0; i < common; i++)
            assert_true(now.endpoints[i].trusted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_new), cmocka_unit_test(test_service),
        cmocka_unit_test(test_least),       cmocka_unit_test(test_accepted_and_members),
        cmocka_unit_test(test_law),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
