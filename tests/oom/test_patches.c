/* SPDX-License-Identifier: Apache-2.0 */
/* Patches in memory that fails at each place in turn: what can't be inspected for want of memory is
 * told, and never passes in silence. */
#include "support/failing_alloc.h"
#include "support/naive_matcher.h"
#include "unit/policy/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct world world;
static struct guard_patch patches[3];
static struct guard_patch_condition leaves[3];
static struct guard_span texts[3];

static void patch(size_t index, enum guard_patch_operator op, uint32_t places, const char *text)
{
    static const char *const ids[] = {"A", "B", "C"};
    texts[index] = world_span(text);
    leaves[index] = (struct guard_patch_condition){
        .op = op, .places = places, .texts = &texts[index], .text_count = 1, .min = -1, .max = -1};
    patches[index] = (struct guard_patch){.id = world_span(ids[index]),
                                          .mode = GUARD_PATCH_ENFORCE,
                                          .action = GUARD_PATCH_BLOCK,
                                          .when = leaves[index]};
}

static int setup(void **state)
{
    (void)state;
    world_init(&world);
    patch(0, GUARD_OPERATOR_CONTAINS, 0, "evil");
    patch(1, GUARD_OPERATOR_REGEX, GUARD_PLACE_BODY, "ev+il");
    patch(2, GUARD_OPERATOR_CONTAINS, GUARD_PLACE_JSON | GUARD_PLACE_QUERY, "evil");
    patches[2].when.view = GUARD_VIEW_RAW;
    world.guardian.patches = patches;
    world.guardian.patch_count = 3;
    world.guardian.fail_closed = true;
    guard_guardian_set_mode(&world.guardian, GUARD_MODE_ALERT);
    return 0;
}

static enum guard_rc compile(struct guard_alloc *alloc, void *ctx)
{
    (void)ctx;
    uint8_t *bytes = NULL;
    size_t len = 0;
    world.cfg.alloc = *alloc;
    enum guard_rc rc =
        guard_policy_compile(&bytes, &len, NULL, &world.guardian, &world.cfg, NULL, NULL);
    assert_int_equal(bytes != NULL, rc == GUARD_OK);
    if (bytes != NULL)
        alloc->free(alloc->ctx, bytes);
    return rc;
}

static void test_compile(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(compile, NULL, false) > 10);
    world.cfg.alloc = world_heap;
}

struct message {
    struct guard_policy *policy;
    const char *target;
    const char *body;
    size_t padding; /* before the body */
};

static bool tells(const struct guard_verdict *verdict)
{
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        if (verdict->findings[i].rule == GUARD_RULE_PATCH ||
            verdict->findings[i].rule == GUARD_RULE_PATCH_UNSEEN)
            return true;
    }
    return false;
}

static enum guard_rc decide(struct guard_alloc *alloc, void *ctx)
{
    const struct message *message = ctx;
    struct naive_matcher naive = {.policy = message->policy};
    const struct guard_matcher matcher = {&naive, naive_scan, naive_find};
    const struct guard_txn_cfg cfg = {
        .policy = message->policy, .service = world.guardian.service, .matcher = &matcher};
    struct guard_arena arena;
    struct guard_txn *txn = NULL;
    guard_arena_init(&arena, alloc, 256 * 1024);
    enum guard_rc rc = guard_txn_begin(&txn, &cfg, &arena);
    if (rc == GUARD_OK) {
        guard_txn_request(txn, world_span("POST"), world_span(message->target), 11);
        guard_txn_header(txn, world_span("host"), world_span("shop.test"));
        guard_txn_header(txn, world_span("content-type"), world_span("application/json"));
        (void)guard_txn_headers_end(txn);
        for (size_t i = 0; i < message->padding; i++)
            guard_txn_body(txn, world_span("                                "));
        guard_txn_body(txn, world_span(message->body));
        const struct guard_verdict *verdict = guard_txn_request_end(txn);
        if (!tells(verdict))
            fail_msg("%s %s: allocation %u of %u", message->target, message->body,
                     (unsigned)((struct failing_alloc *)alloc->ctx)->fail_at,
                     (unsigned)((struct failing_alloc *)alloc->ctx)->calls);
        assert_int_equal(verdict->action, GUARD_BLOCK);
    }
    guard_arena_reset(&arena);
    return rc;
}

static void test_decide(void **state)
{
    (void)state;
    struct message messages[] = {
        {NULL, "/a?x=evil", "{}", 0},
        {NULL, "/a?x=%2565vil", "{}", 0},
        {NULL, "/a", "{\"a\":[{\"b\":\"evil\"}]}", 0},
        {NULL, "/a", "{\"a\":\"&#101;vil\"}", 2000},
        {NULL, "/a", "evil", 20000},
    };
    world.cfg.alloc = world_heap;
    struct guard_policy *policy = world_policy(&world);
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        messages[i].policy = policy;
        assert_true(failing_alloc_sweep(decide, &messages[i], true) > 2);
    }
    world_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compile),
        cmocka_unit_test(test_decide),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
