/* SPDX-License-Identifier: Apache-2.0 */
/* The steps in their order, whatever goes wrong: no pod is removed before another serves. */
#include <guard/pod_response.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint64_t start = UINT64_C(1700000000000);

static void begin(struct guard_pod_response *response)
{
    struct guard_pod_plan plan;
    guard_pod_plan_default(&plan);
    plan.steps = (1u << GUARD_POD_STEPS) - 1;
    guard_pod_response_begin(response, &plan, start);
}

static void act(struct guard_pod_response *response, enum guard_pod_step step,
                enum guard_pod_outcome outcome)
{
    assert_int_equal(guard_pod_response_next(response, response->next_ms), GUARD_POD_ACT);
    assert_int_equal(response->step, step);
    guard_pod_response_did(response, outcome, response->next_ms);
}

static void ended(struct guard_pod_response *response, enum guard_pod_end end)
{
    assert_int_equal(guard_pod_response_next(response, start), GUARD_POD_ENDED);
    assert_int_equal(response->end, end);
}

static void test_all_goes_well(void **state)
{
    (void)state;
    struct guard_pod_response response;
    begin(&response);
    for (uint32_t step = 0; step < GUARD_POD_STEPS; step++)
        act(&response, (enum guard_pod_step)step, GUARD_POD_DONE);
    ended(&response, GUARD_POD_REPLACED);
}

static void test_nothing_is_done_by_default(void **state)
{
    (void)state;
    struct guard_pod_plan plan;
    struct guard_pod_response response;
    guard_pod_plan_default(&plan);
    assert_true(plan.dry_run);
    guard_pod_response_begin(&response, &plan, start);
    act(&response, GUARD_POD_TELL, GUARD_POD_DONE);
    ended(&response, GUARD_POD_UNTOUCHED);
}

static void test_lost_evidence_doesnt_stop_it(void **state)
{
    (void)state;
    struct guard_pod_response response;
    begin(&response);
    act(&response, GUARD_POD_CONTAIN, GUARD_POD_DONE);
    act(&response, GUARD_POD_CAPTURE, GUARD_POD_FAILED);
    act(&response, GUARD_POD_OUT_OF_SERVICE, GUARD_POD_DONE);
    assert_int_equal(response.failed, 1u << GUARD_POD_CAPTURE);
}

static void test_without_a_replacement_it_stays(void **state)
{
    (void)state;
    struct guard_pod_response response;
    begin(&response);
    act(&response, GUARD_POD_CONTAIN, GUARD_POD_DONE);
    act(&response, GUARD_POD_CAPTURE, GUARD_POD_DONE);
    act(&response, GUARD_POD_OUT_OF_SERVICE, GUARD_POD_DONE);
    uint64_t late = response.since_ms + response.plan.timeout_ms[GUARD_POD_WAIT_READY] + 1;
    assert_int_equal(guard_pod_response_next(&response, late), GUARD_POD_ACT);
    assert_int_equal(response.step, GUARD_POD_TELL);
    act(&response, GUARD_POD_TELL, GUARD_POD_DONE);
    ended(&response, GUARD_POD_KEPT);
}

static void test_a_refusal_is_tried_again_more_and_more_slowly(void **state)
{
    (void)state;
    struct guard_pod_response response;
    uint64_t pause = 0, before;
    begin(&response);
    for (uint32_t step = 0; step < GUARD_POD_REMOVE; step++)
        act(&response, (enum guard_pod_step)step, GUARD_POD_DONE);
    for (uint32_t i = 0; i < 4; i++) {
        before = response.next_ms;
        act(&response, GUARD_POD_REMOVE, GUARD_POD_LATER);
        assert_int_equal(guard_pod_response_next(&response, before), GUARD_POD_WAIT);
        assert_true(response.next_ms - before > pause);
        pause = response.next_ms - before;
    }
    act(&response, GUARD_POD_REMOVE, GUARD_POD_LATER);
    act(&response, GUARD_POD_TELL, GUARD_POD_DONE);
    ended(&response, GUARD_POD_KEPT);
}

static void test_a_replacement_that_does_the_same_is_said(void **state)
{
    (void)state;
    struct guard_pod_response response;
    begin(&response);
    for (uint32_t step = 0; step < GUARD_POD_VERIFY; step++)
        act(&response, (enum guard_pod_step)step, GUARD_POD_DONE);
    act(&response, GUARD_POD_VERIFY, GUARD_POD_SAME_AGAIN);
    act(&response, GUARD_POD_TELL, GUARD_POD_DONE);
    ended(&response, GUARD_POD_USELESS);
}

static void test_what_cant_be_contained_is_left(void **state)
{
    (void)state;
    struct guard_pod_response response;
    begin(&response);
    act(&response, GUARD_POD_CONTAIN, GUARD_POD_FAILED);
    act(&response, GUARD_POD_TELL, GUARD_POD_DONE);
    ended(&response, GUARD_POD_UNTOUCHED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_goes_well),
        cmocka_unit_test(test_nothing_is_done_by_default),
        cmocka_unit_test(test_lost_evidence_doesnt_stop_it),
        cmocka_unit_test(test_without_a_replacement_it_stays),
        cmocka_unit_test(test_a_refusal_is_tried_again_more_and_more_slowly),
        cmocka_unit_test(test_a_replacement_that_does_the_same_is_said),
        cmocka_unit_test(test_what_cant_be_contained_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
