/* SPDX-License-Identifier: Apache-2.0 */
/* Outbound calls: a destination that was never called is a finding of its own, everything behind a
 * known one is judged as ever, and what exempts strangers exempts no call. */
#include "unit/policy/world.h"

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct world world;

static void expect_all_outbound(const struct answer *answer)
{
    for (uint32_t i = 0; i < answer->verdict->finding_count; i++)
        assert_int_equal(answer->verdict->findings[i].part, GUARD_PART_OUTBOUND);
}

/* The host is the first segment, so the world's "/users/{int}" is a destination "users". */
static void test_known(void **state)
{
    (void)state;
    static const char *const headers[] = {"host: users\n", "host: USERS:80\n", "host: users.\n",
                                          "host: tom@users\n"};
    struct guard_policy *policy = world_policy(&world);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct answer answer;
        world_call(&answer, policy, &(struct ask){"GET", "/7", headers[i], NULL, NULL});
        assert_null(world_finding(&answer, GUARD_RULE_DESTINATION, NULL));
        assert_null(world_finding(&answer, GUARD_RULE_PATH, NULL));
        assert_int_equal(answer.verdict->finding_count, 0);
        assert_true(gd_span_equal(guard_txn_template(answer.txn), world_span("/users/{int}")));
        expect_all_outbound(&answer);
        world_answer_free(&answer);
    }
    world_policy_free(policy);
}

static void test_unknown(void **state)
{
    (void)state;
    static const char *const headers[] = {"host: evil.test:81\n", "host: users:81\n",
                                          "host: users@evil.test\n", "accept: */*\n"};
    static const char *const shown[] = {"evil.test:81", "users:81", "evil.test", "-"};
    struct guard_policy *policy = world_policy(&world);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct answer answer;
        world_call(&answer, policy, &(struct ask){"GET", "/7", headers[i], NULL, NULL});
        const struct guard_finding *finding =
            world_finding(&answer, GUARD_RULE_DESTINATION, "seg0");
        assert_non_null(finding);
        assert_true(gd_span_equal(finding->observed, world_span(shown[i])));
        assert_int_equal(finding->strength, WORLD_STRENGTH);
        assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
        expect_all_outbound(&answer);
        world_answer_free(&answer);
    }
    world_policy_free(policy);
}

static void test_known_destination_unknown_path(void **state)
{
    (void)state;
    struct guard_policy *policy = world_policy(&world);
    struct answer answer;
    world_call(&answer, policy, &(struct ask){"GET", "/abc", "host: users\n", NULL, NULL});
    assert_null(world_finding(&answer, GUARD_RULE_DESTINATION, NULL));
    assert_non_null(world_finding(&answer, GUARD_RULE_PATH, "seg1"));
    world_answer_free(&answer);
    world_call(&answer, policy, &(struct ask){"DELETE", "/7", "host: users\n", NULL, NULL});
    assert_non_null(world_finding(&answer, GUARD_RULE_METHOD, NULL));
    expect_all_outbound(&answer);
    world_answer_free(&answer);
    world_policy_free(policy);
}

static void test_nothing_is_exempt(void **state)
{
    (void)state;
    struct guard_policy *policy = world_policy(&world);
    struct answer answer;
    world_call(&answer, policy, &(struct ask){"OPTIONS", "/", "host: evil.test\n", NULL, NULL});
    assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
    world_answer_free(&answer);
    world_call(&answer, policy,
               &(struct ask){"GET", "/acme-challenge", "host: .well-known\n", NULL, NULL});
    assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
    world_answer_free(&answer);
    world_policy_free(policy);
}

/* The same to the service itself is a path, as ever. */
static void test_inbound_has_no_destination(void **state)
{
    (void)state;
    struct guard_policy *policy = world_policy(&world);
    struct answer answer;
    world_ask(&answer, policy, &(struct ask){"GET", "/evil", NULL, NULL, NULL});
    assert_null(world_finding(&answer, GUARD_RULE_DESTINATION, NULL));
    assert_int_equal(world_finding(&answer, GUARD_RULE_PATH, "seg0")->part, GUARD_PART_REQUEST);
    world_answer_free(&answer);
    world_policy_free(policy);
}

static int set_up(void **state)
{
    (void)state;
    world_init(&world);
    /* Calls have destinations instead. */
    world_field(&world, -1, GUARD_LOCATION_HEADER, "host")->required = false;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_known_destination_unknown_path),
        cmocka_unit_test(test_nothing_is_exempt),
        cmocka_unit_test(test_inbound_has_no_destination),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
