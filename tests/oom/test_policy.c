/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling, checking and opening a policy, and deciding with it, in memory that fails at each
 * place in turn. */
#include "support/failing_alloc.h"
#include "unit/policy/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct world world;
static struct guard_endpoint_rule rule;
static struct guard_response_rule response;
static struct guard_status_range statuses[1] = {{200, 200}};
static struct guard_criterion criterion;
static struct guard_span values[2];

static int setup(void **state)
{
    (void)state;
    world_init(&world);
    values[0] = GUARD_SPAN_LITERAL("a");
    values[1] = GUARD_SPAN_LITERAL("b=;,:.-_()[]{}<>!?*+~#'|&%$/");
    criterion = (struct guard_criterion){.location = GUARD_LOCATION_JSON,
                                         .name = GUARD_SPAN_LITERAL("gift.to[].name"),
                                         .required = 1,
                                         .length_max = -1,
                                         .length_min = -1,
                                         .items_max = -1,
                                         .values = values,
                                         .value_count = 2};
    rule = (struct guard_endpoint_rule){.template_text = GUARD_SPAN_LITERAL("/orders"),
                                        .mode = -1,
                                        .body_max = -1,
                                        .fields = &criterion,
                                        .field_count = 1};
    world_learn_responses(&world);
    response = (struct guard_response_rule){.statuses = statuses,
                                            .status_count = 1,
                                            .body_max = 100,
                                            .media_types = values,
                                            .media_count = 1,
                                            .closed = true,
                                            .fields = &criterion,
                                            .field_count = 1};
    rule.response = world.guardian.response = &response;
    world.guardian.endpoints = &rule;
    world.guardian.endpoint_count = 1;
    return 0;
}

static enum guard_rc compile(struct guard_alloc *alloc, void *ctx)
{
    (void)ctx;
    uint8_t *bytes = NULL;
    size_t len = 0;
    world.cfg.alloc = *alloc;
    enum guard_rc rc =
        guard_policy_compile(&bytes, &len, &world.model, &world.guardian, &world.cfg, NULL, NULL);
    assert_int_equal(bytes != NULL, rc == GUARD_OK);
    if (bytes != NULL)
        alloc->free(alloc->ctx, bytes);
    return rc;
}

static void test_compile(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(compile, NULL, false) > 20);
}

static struct guard_span policy_bytes(void)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    world.cfg.alloc = world_heap;
    assert_int_equal(
        guard_policy_compile(&bytes, &len, &world.model, &world.guardian, &world.cfg, NULL, NULL),
        GUARD_OK);
    return (struct guard_span){bytes, len};
}

static enum guard_rc load(struct guard_alloc *alloc, void *ctx)
{
    const struct guard_span *bytes = ctx;
    struct guard_policy *policy = NULL;
    enum guard_rc rc =
        guard_policy_load(&policy, alloc, *bytes, world.guardian.service, NULL, NULL);
    assert_int_equal(policy != NULL, rc == GUARD_OK);
    guard_policy_unref(policy);
    return rc;
}

static void test_load(void **state)
{
    (void)state;
    struct guard_span bytes = policy_bytes();
    assert_int_equal(failing_alloc_sweep(load, &bytes, false), 2);
    free((void *)(uintptr_t)bytes.ptr);
}

/* What can't be inspected for want of memory is a finding, never a silent pass. */
static enum guard_rc decide(struct guard_alloc *alloc, void *ctx)
{
    struct guard_policy *policy = ctx;
    struct guard_arena arena;
    guard_arena_init(&arena, alloc, 256 * 1024);
    struct guard_txn_cfg cfg = {.policy = policy, .service = world.guardian.service};
    struct guard_txn *txn = NULL;
    static char body[32768];
    size_t len = (size_t)snprintf(body, sizeof(body), "{\"item\":\"chair\"");
    for (int i = 0; i < 1500; i++)
        len += (size_t)snprintf(body + len, sizeof(body) - len, ",\"member%d\":%d", i, i);
    body[len++] = '}';
    enum guard_rc rc = guard_txn_begin(&txn, &cfg, &arena);
    if (rc == GUARD_OK) {
        guard_txn_request(txn, world_span("POST"), world_span("/orders"), 11);
        guard_txn_header(txn, world_span("host"), world_span("shop.test"));
        guard_txn_header(txn, world_span("content-type"), world_span("application/json"));
        (void)guard_txn_headers_end(txn);
        guard_txn_body(txn, (struct guard_span){(const uint8_t *)body, len});
        const struct guard_verdict *verdict = guard_txn_request_end(txn);
        assert_int_equal(verdict->decision, GUARD_BLOCK);
        assert_true(verdict->finding_count > 0);
    }
    guard_arena_reset(&arena);
    return rc;
}

static void test_decide(void **state)
{
    (void)state;
    world.cfg.alloc = world_heap;
    struct guard_policy *policy = world_policy(&world);
    assert_true(failing_alloc_sweep(decide, policy, true) > 2);
    world_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compile),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_decide),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
