/* SPDX-License-Identifier: Apache-2.0 */
/* Whose word on a pod's gate counts: nobody takes another's over, nobody speaks for more than their
 * share, and what is silent makes room. */
#include "guardd/pods/gates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pod_gates gates;
static const uint64_t start = UINT64_C(1764000000000);

static int tear_down(void **state)
{
    (void)state;
    pod_gates_free(&gates);
    return 0;
}

static struct pod_gate_claim claim_of(const char *pod, const char *by, const char *uid,
                                      uint64_t now_ms)
{
    return (struct pod_gate_claim){.pod = pod_gate_pod("prod", pod),
                                   .by = pod_gate_by(by),
                                   .uid = uid,
                                   .seen_ms = now_ms,
                                   .ours = true};
}

static enum pod_gate_answer say(const char *pod, const char *by, const char *uid, const char *obeys,
                                uint64_t now_ms)
{
    struct pod_gate_claim claim = claim_of(pod, by, uid, now_ms);
    claim.obeys = pod_gate_order(obeys);
    return pod_gates_seen(&gates, &claim, now_ms);
}

static enum pod_gate_answer attest(const char *pod, const char *uid, const char *obeys,
                                   uint64_t now_ms)
{
    struct pod_gate_claim claim = claim_of(pod, uid, uid, now_ms);
    claim.attested = true;
    claim.obeys = pod_gate_order(obeys);
    return pod_gates_seen(&gates, &claim, now_ms);
}

static bool obeys(const char *pod, const char *id, uint64_t now_ms)
{
    return pod_gates_obey(&gates, "prod", pod, "", id, now_ms);
}

static void one_is_known_by_its_names_and_uid_for_a_while(void **state)
{
    (void)state;
    assert_int_equal(say("web-1", "a", "u1", "", start), POD_GATE_TAKEN);
    assert_true(pod_gates_has(&gates, "prod", "web-1", "", start));
    assert_true(pod_gates_has(&gates, "prod", "web-1", "u1", start));
    assert_false(pod_gates_has(&gates, "prod", "web-1", "u2", start));
    assert_false(pod_gates_has(&gates, "test", "web-1", "", start));
    assert_string_equal(pod_gates_uid(&gates, "prod", "web-1", start), "u1");
    assert_int_equal(pod_gates_count(&gates, start), 1);
    assert_false(obeys("web-1", "order", start));
    assert_int_equal(say("web-1", "a", "u1", "order", start + 1), POD_GATE_TAKEN);
    assert_true(obeys("web-1", "order", start + 1));
    assert_false(obeys("web-1", "", start + 1));
    assert_true(pod_gates_has(&gates, "prod", "web-1", "", start + POD_GATES_LIVE_MS));
    assert_false(pod_gates_has(&gates, "prod", "web-1", "", start + 1 + POD_GATES_LIVE_MS));
    assert_int_equal(pod_gates_count(&gates, start + 1 + POD_GATES_LIVE_MS), 0);
}

static void an_older_word_changes_nothing(void **state)
{
    (void)state;
    (void)say("web-1", "a", "u1", "order", start + 100);
    (void)say("web-1", "a", "u1", "", start); /* on another way, later */
    assert_true(obeys("web-1", "order", start + 100));
}

static void nobody_takes_anothers_over(void **state)
{
    (void)state;
    assert_int_equal(say("web-1", "a", "u1", "", start), POD_GATE_TAKEN);
    assert_int_equal(say("web-1", "b", "x", "order", start), POD_GATE_CONTESTED);
    assert_int_equal(say("web-1", "b", "x", "order", start + 1), POD_GATE_TAKEN); /* told once */
    assert_int_equal(say("web-1", "a", "u1", "", start + 1), POD_GATE_TAKEN);
    /* It counts once, it can be withdrawn as whichever it is, and isn't believed to obey. */
    assert_int_equal(pod_gates_count(&gates, start + 1), 1);
    assert_true(pod_gates_has(&gates, "prod", "web-1", "u1", start + 1));
    assert_string_equal(pod_gates_uid(&gates, "prod", "web-1", start + 1), "");
    assert_false(obeys("web-1", "order", start + 1));
    (void)say("web-1", "a", "u1", "order", start + 2);
    assert_true(obeys("web-1", "order", start + 2));
    /* Who was first falls silent: the other one counts. */
    uint64_t later = start + 2 + POD_GATES_LIVE_MS;
    assert_int_equal(say("web-1", "b", "x", "", later), POD_GATE_TAKEN);
    assert_int_equal(pod_gates_count(&gates, later), 1);
}

static void what_a_cluster_attests_counts_alone(void **state)
{
    (void)state;
    (void)say("web-1", "b", "x", "order", start);
    assert_int_equal(attest("web-1", "u1", "", start), POD_GATE_CONTESTED);
    assert_int_equal(attest("web-1", "u1", "", start + 1), POD_GATE_TAKEN);
    assert_false(obeys("web-1", "order", start + 1));
    assert_string_equal(pod_gates_uid(&gates, "prod", "web-1", start + 1), "u1");
    assert_false(pod_gates_has(&gates, "prod", "web-1", "x", start + 1));
    assert_int_equal(pod_gates_count(&gates, start + 1), 1);
    /* A later pod of the same name: nothing is odd about it. */
    assert_int_equal(attest("web-1", "u2", "", start + 2), POD_GATE_TAKEN);
    assert_true(pod_gates_has(&gates, "prod", "web-1", "u2", start + 2));
    assert_false(pod_gates_has(&gates, "prod", "web-1", "u1", start + 2));
    assert_int_equal(pod_gates_count(&gates, start + 2), 1);
}

static enum pod_gate_answer fill(const char *by, uint32_t count, uint64_t now_ms)
{
    char pod[32];
    enum pod_gate_answer answer = POD_GATE_TAKEN;
    for (uint32_t i = 0; i < count && answer == POD_GATE_TAKEN; i++) {
        snprintf(pod, sizeof(pod), "%s-%u", by, i);
        answer = say(pod, by, "", "", now_ms);
    }
    return answer;
}

static void no_token_speaks_for_more_than_its_share(void **state)
{
    (void)state;
    assert_int_equal(fill("a", POD_GATES_OF_ONE, start), POD_GATE_TAKEN);
    assert_int_equal(say("one-more", "a", "", "", start), POD_GATE_TOO_MANY);
    assert_int_equal(say("a-0", "a", "", "", start + 1),
                     POD_GATE_TAKEN); /* those it has it keeps */
    assert_int_equal(say("web-1", "b", "", "", start), POD_GATE_TAKEN);
    assert_true(pod_gates_has(&gates, "prod", "web-1", "", start));
    /* What fell silent is no part of it. */
    assert_int_equal(say("one-more", "a", "", "", start + POD_GATES_LIVE_MS), POD_GATE_TAKEN);
    struct pod_gate_claim claim = claim_of("two-more", "a", "", start + 2);
    claim.trusted = true;
    (void)fill("a", POD_GATES_OF_ONE, start + 2);
    assert_int_equal(pod_gates_seen(&gates, &claim, start + 2), POD_GATE_TAKEN);
}

static void a_full_list_keeps_those_that_are_there(void **state)
{
    char by[2] = "a";
    (void)state;
    for (; by[0] < 'a' + POD_GATES_MAX / POD_GATES_OF_ONE; by[0]++)
        assert_int_equal(fill(by, POD_GATES_OF_ONE, start), POD_GATE_TAKEN);
    assert_int_equal(pod_gates_count(&gates, start), POD_GATES_MAX);
    assert_int_equal(say("web-1", "z", "", "", start), POD_GATE_FULL);
    assert_true(pod_gates_has(&gates, "prod", "a-0", "", start));
    assert_int_equal(attest("web-1", "u1", "", start), POD_GATE_TAKEN); /* a real one has room */
    assert_int_equal(pod_gates_count(&gates, start), POD_GATES_MAX);
    assert_int_equal(say("web-2", "z", "", "", start + POD_GATES_LIVE_MS), POD_GATE_TAKEN);
    assert_int_equal(gates.count, POD_GATES_MAX);
}

static void it_is_told_on_when_it_is_news(void **state)
{
    struct pod_gate_claim claim = claim_of("web-2", "a", "", start);
    (void)state;
    (void)say("web-1", "a", "u1", "", start);
    assert_true(pod_gate_due(&gates.list[0], start));
    gates.list[0].told_ms = start;
    assert_false(pod_gate_due(&gates.list[0], start + 1));
    (void)say("web-1", "a", "u1", "", start + 1);
    assert_false(pod_gate_due(&gates.list[0], start + 2));
    assert_true(pod_gate_due(&gates.list[0], start + POD_GATES_TELL_MS));
    (void)say("web-1", "a", "u1", "order", start + 3); /* it obeys now */
    assert_true(pod_gate_due(&gates.list[0], start + 3));
    claim.ours = false; /* of another root, which tells it itself */
    (void)pod_gates_seen(&gates, &claim, start);
    assert_false(pod_gate_due(&gates.list[1], start));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(one_is_known_by_its_names_and_uid_for_a_while, tear_down),
        cmocka_unit_test_teardown(an_older_word_changes_nothing, tear_down),
        cmocka_unit_test_teardown(nobody_takes_anothers_over, tear_down),
        cmocka_unit_test_teardown(what_a_cluster_attests_counts_alone, tear_down),
        cmocka_unit_test_teardown(no_token_speaks_for_more_than_its_share, tear_down),
        cmocka_unit_test_teardown(a_full_list_keeps_those_that_are_there, tear_down),
        cmocka_unit_test_teardown(it_is_told_on_when_it_is_news, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
