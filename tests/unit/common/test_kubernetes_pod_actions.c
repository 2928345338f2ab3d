/* SPDX-License-Identifier: Apache-2.0 */
/* What answers to evictions mean, and what is never asked. That a real server takes them is in
 * tests/integration/kubernetes/test_pod_actions.py. */
#include "common/kubernetes/pod_actions.h"

#include "common/file.h"
#include "common/kubernetes/json_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct pod_result read_answer(unsigned status, uint32_t retry_after_s, const char *body,
                                     bool makes)
{
    const struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document_node *root = NULL;
    struct pod_result result;
    guard_arena_init(&arena, &heap, 1 << 20);
    if (body != NULL)
        assert_int_equal(json_tree_parse(&root,
                                         (struct guard_span){(const uint8_t *)body, strlen(body)},
                                         &arena, NULL),
                         GUARD_OK);
    const struct api_answer answer = {
        .status = status, .root = root, .retry_after_s = retry_after_s, .message = "said"};
    pod_result_read(&result, &answer, makes);
    guard_arena_reset(&arena);
    return result;
}

static void test_what_answers_mean(void **state)
{
    static const struct {
        unsigned status;
        uint32_t retry_after_s;
        bool makes;
        enum pod_outcome outcome;
    } cases[] = {
        {201, 0, false, POD_DONE},    {200, 0, false, POD_DONE},   {404, 0, false, POD_GONE},
        {409, 0, false, POD_GONE},    {409, 0, true, POD_DONE},    {429, 0, false, POD_LATER},
        {429, 7, false, POD_LATER},   {503, 3, false, POD_LATER},  {503, 0, false, POD_FAILED},
        {403, 0, false, POD_REFUSED}, {422, 0, true, POD_REFUSED}, {500, 0, false, POD_FAILED},
        {0, 0, false, POD_FAILED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pod_result result =
            read_answer(cases[i].status, cases[i].retry_after_s, NULL, cases[i].makes);
        assert_int_equal(result.outcome, cases[i].outcome);
        assert_int_equal(result.outcome == POD_LATER, result.retry_after_s > 0);
        assert_int_equal(result.outcome == POD_DONE, result.message[0] == '\0');
        assert_false(result.budget);
    }
    assert_int_equal(read_answer(429, 7, NULL, false).retry_after_s, 7);
}

static void test_a_budget_is_told_from_a_busy_server(void **state)
{
    (void)state;
    assert_true(
        read_answer(429, 0, "{\"details\":{\"causes\":[{\"reason\":\"DisruptionBudget\"}]}}", false)
            .budget);
    assert_false(
        read_answer(429, 1, "{\"details\":{\"causes\":[7,{\"reason\":\"x\"}]}}", false).budget);
    assert_false(read_answer(429, 1, "{\"details\":[1]}", false).budget);
    assert_false(read_answer(429, 1, "{\"details\":{\"causes\":\"x\"}}", false).budget);
}

/* None of these gets as far as a client. */
static void test_what_is_no_name_is_never_asked_for(void **state)
{
    static const struct pod_ref wrong[] = {
        {"a/b", "p", "u"}, {"a", "p/../../x", "u"}, {"a", "", "u"},   {"a", "p?x", "u"},
        {"a", "p", ""},    {"a", "p", "u\"}"},      {"..", "p", "u"}, {"a", "..", "u"},
        {"a", "P", "u"},   {"a", "p..q", "u"},
    };
    static const struct pod_label labels[] = {{"a b", "x"},   {"", "x"},      {"a", "x y"},
                                              {"x_y/a", "b"}, {"a/b/c", "d"}, {"a", "\"}"}};
    const struct pod_ref good = {"a", "p", "u"};
    struct pod_action action = {.done = NULL};
    struct guard_err err;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(pod_evict(NULL, &action, &wrong[i], EVICTION_V1, false, &err),
                         GUARD_E_RANGE);
        assert_int_equal(pod_relabel(NULL, &action, &wrong[i], labels, 1, &err), GUARD_E_RANGE);
    }
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        assert_int_equal(pod_relabel(NULL, &action, &good, &labels[i], 1, &err), GUARD_E_RANGE);
        assert_int_equal(pod_deny(NULL, &action, "a", &labels[i], &err), GUARD_E_RANGE);
        assert_int_equal(pod_undeny(NULL, &action, "a", &labels[i], &err), GUARD_E_RANGE);
    }
    assert_int_equal(pod_relabel(NULL, &action, &good, labels, 0, &err), GUARD_E_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_answers_mean),
        cmocka_unit_test(test_a_budget_is_told_from_a_busy_server),
        cmocka_unit_test(test_what_is_no_name_is_never_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
