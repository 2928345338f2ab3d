/* SPDX-License-Identifier: Apache-2.0 */
/* Making an OpenAPI document and laying it out, in memory that fails at each place in turn. */
#include "common/json_layout.h"
#include "common/openapi.h"
#include "support/failing_alloc.h"
#include "unit/policy/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct world world;

static enum guard_rc attempt(struct guard_alloc *alloc, void *ctx)
{
    (void)ctx;
    struct guard_arena arena;
    const struct openapi_cfg cfg = {&world.model, &world.guardian, true, NULL};
    struct guard_span text;
    guard_arena_init(&arena, alloc, (size_t)64 << 20);
    enum guard_rc rc = openapi_write(&cfg, &arena, &text, NULL);
    if (rc == GUARD_OK)
        rc = json_layout(text, JSON_LAYOUT_YAML, &arena, &text, NULL);
    guard_arena_reset(&arena);
    return rc;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    static struct guard_criterion criteria[40];
    static struct guard_endpoint_rule rules[24];
    static char names[40][16];
    world_init(&world);
    world_learn_responses(&world);
    for (size_t i = 0; i < 40; i++) {
        snprintf(names[i], sizeof(names[i]), "n%zu.m[].x", i);
        criteria[i] = world_criterion(GUARD_LOCATION_JSON, names[i]);
    }
    for (size_t i = 0; i < 24; i++)
        rules[i] = (struct guard_endpoint_rule){.template_text = world_span("/orders"),
                                                .mode = -1,
                                                .body_max = -1,
                                                .fields = criteria,
                                                .field_count = 40};
    world.guardian.endpoints = rules;
    world.guardian.endpoint_count = 24;
    assert_true(failing_alloc_sweep(attempt, NULL, false) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
