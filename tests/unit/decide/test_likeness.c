/* SPDX-License-Identifier: Apache-2.0 */
/* What reads like an attack counts where it is new, more when something else deviates, too; where
 * such text is normal it passes; nothing of it without the rule. */
#include "unit/policy/world.h"

#include "policy/policy.h"

#include <guard/likeness.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MEASURED = 300 };

static struct world world;
static struct guard_policy *policy;
static struct answer answer;

/* `note` takes any characters in any order. */
static struct guard_model_field *free_note(void)
{
    world_init(&world);
    struct guard_model_field *note =
        world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "note");
    note->classes = (UINT64_C(1) << GUARD_CLASS_COUNT) - 1;
    memset(note->transitions, 0xff, sizeof(note->transitions));
    note->types = (1u << GUARD_TYPE_COUNT) - 1;
    note->length_max = note->digits_max = note->specials_max = 10000;
    note->strength[GUARD_RULE_LIKENESS] = MEASURED;
    return note;
}

static const struct guard_finding *ask_but(const char *target, uint32_t without)
{
    struct ask asked = {"GET", target, NULL, NULL, NULL};
    policy = world_policy(&world);
    world_ask_but(&answer, policy, &asked, without);
    return world_finding(&answer, GUARD_RULE_LIKENESS, NULL);
}

static const struct guard_finding *ask(const char *target)
{
    return ask_but(target, 0);
}

static void done(void)
{
    world_answer_free(&answer);
    world_policy_free(policy);
}

#define INJECTED "/search?username=tom&note=x%27+or+%271%27%3D%271"

static void test_alone(void **state)
{
    (void)state;
    (void)free_note();
    const struct guard_finding *finding = ask(INJECTED);
    assert_non_null(finding);
    assert_int_equal(answer.verdict->finding_total, 1);
    assert_int_equal(answer.verdict->score, MEASURED);
    assert_int_equal(finding->detail, GUARD_CONSTRUCT_SQL_TAUTOLOGY_QUOTE);
    assert_int_equal(finding->expected, GUARD_LIKENESS_SQL);
    char line[512];
    guard_explain_finding(finding, line, sizeof(line));
    assert_non_null(
        strstr(line, "param note: looks like SQL: a tautology after a quote, never seen in "));
    done();
    (void)free_note();
    assert_null(ask("/search?username=tom&note=it%27s+%22fine%22+(really);+thanks"));
    assert_int_equal(answer.verdict->finding_total, 0);
    done();
}

static void test_beside(void **state)
{
    (void)state;
    struct guard_model_field *note = free_note();
    note->length_max = 5;
    note->strength[GUARD_RULE_LENGTH_FAR] = 200;
    note->strength[GUARD_RULE_LENGTH] = 200;
    assert_non_null(ask(INJECTED));
    const struct guard_finding *first = &answer.verdict->findings[0];
    assert_int_equal(first->rule, GUARD_RULE_LIKENESS);
    /* The construct's degree, and a twentieth of the other one. */
    uint32_t degree = guard_construct_degree((enum guard_construct)first->detail);
    assert_int_equal(answer.verdict->score, MEASURED + degree + (200 + 50) / 20);
    done();
}

/* A scale by which a score says what it is, or a decade less. */
static void teach_scale(enum guard_scale of, uint16_t less)
{
    for (uint16_t i = 1; i < GUARD_SCALE_POINTS; i++) {
        uint16_t says = (uint16_t)(i * GUARD_SCALE_STEP);
        world.model.scale[of][i] = says > less ? (uint16_t)(says - less) : 1;
    }
}

/* Benign outliers in shape, which make novelty prove less, excuse nothing that reads like an
 * attack. */
static void test_budget(void **state)
{
    (void)state;
    struct guard_model_field *note = free_note();
    note->length_max = 5;
    note->strength[GUARD_RULE_LENGTH_FAR] = note->strength[GUARD_RULE_LENGTH] = 300;
    world.cfg.alpha = 1e-3;
    teach_scale(GUARD_SCALE_REQUESTS, 200);
    teach_scale(GUARD_SCALE_ALIKE, 0);
    assert_non_null(ask(INJECTED));
    assert_in_range(answer.verdict->threshold, 355, 365);
    assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
    world_answer_free(&answer);
    struct ask longer = {"GET", "/search?username=tom&note=fffffffffffffffffffff", NULL, NULL,
                         NULL};
    world_ask(&answer, policy, &longer);
    assert_in_range(answer.verdict->score, 340, 499);
    assert_in_range(answer.verdict->threshold, 500, 535);
    assert_int_not_equal(answer.verdict->decision, GUARD_BLOCK);
    done();
}

/* Evasions read like attacks by themselves; other faults don't, nor any where likeness is off. */
static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        bool off;
        uint16_t extra;
    } cases[] = {{"/a/../search", false, 200}, {"/a//search", false, 0}, {"/a/../search", true, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct ask asked = {"GET", cases[i].target, NULL, NULL, NULL};
        world_init(&world);
        world.model.service_strength[GUARD_RULE_LIKENESS] = MEASURED;
        world.cfg.without_likeness = cases[i].off;
        world.cfg.alpha = 1e-6;
        policy = world_policy(&world);
        world_ask(&answer, policy, &asked);
        assert_non_null(world_finding(&answer, GUARD_RULE_FAULT, NULL));
        assert_int_equal(answer.verdict->findings[0].rule, GUARD_RULE_FAULT);
        /* its strength, 0.5 for faults, and a tenth of the unknown path */
        assert_int_equal(answer.verdict->score,
                         WORLD_STRENGTH + 50u + cases[i].extra + WORLD_STRENGTH / 10u);
        done();
    }
}

static void test_known(void **state)
{
    (void)state;
    free_note()->likeness = 1u << GUARD_LIKENESS_SQL;
    assert_null(ask(INJECTED));
    assert_int_equal(answer.verdict->finding_total, 0);
    done();
    /* Another class is new. */
    free_note()->likeness = 1u << GUARD_LIKENESS_SQL;
    const struct guard_finding *finding =
        ask("/search?username=tom&note=%3Cscript%3Ef()%3C/script%3E");
    assert_non_null(finding);
    assert_int_equal(finding->expected, GUARD_LIKENESS_SCRIPT);
    done();
}

static void test_pending(void **state)
{
    (void)state;
    free_note()->pending_likeness = 1u << GUARD_LIKENESS_SQL;
    const struct guard_finding *finding = ask(INJECTED);
    assert_non_null(finding);
    assert_int_equal(finding->strength, MEASURED / 2);
    assert_int_not_equal(answer.verdict->decision, GUARD_BLOCK);
    done();
}

/* Where nothing is known: unknown names and paths, and names themselves. */
static void test_unknown(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        uint32_t strength;
    } rows[] = {{"/search?username=tom&x=1%27+or+%271%27%3D%271", MEASURED},
                {"/nowhere?x=1%27+or+%271%27%3D%271", MEASURED},
                {"/nowhere/%3Cscript%3Ef()", MEASURED},
                {"/search?username=tom&__proto__=1", 200},
                {"/search?username=tom&x[$ne]=1", 200}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_init(&world);
        world.model.service_strength[GUARD_RULE_LIKENESS] = MEASURED;
        const struct guard_finding *finding = ask(rows[i].target);
        if (finding == NULL || finding->strength != rows[i].strength)
            fail_msg("%s: %d", rows[i].target, finding == NULL ? -1 : finding->strength);
        done();
    }
    world_init(&world);
    assert_null(ask("/search?username=tom&x=1"));
    done();
}

/* In the path it proves no more than what the service refuses anyway. */
static void test_refused(void **state)
{
    (void)state;
    world_init(&world);
    world.model.service_strength[GUARD_RULE_LIKENESS] = MEASURED;
    world.model.attack_like_strength = 120;
    assert_int_equal(ask("/nowhere/%3Cscript%3Ef()")->strength, 120);
    done();
}

static void test_without(void **state)
{
    (void)state;
    (void)free_note();
    world.cfg.without_likeness = true;
    assert_null(ask(INJECTED));
    assert_int_equal(answer.verdict->finding_total, 0);
    done();
    world_init(&world);
    world.cfg.without_likeness = true;
    assert_null(ask("/nowhere/%3Cscript%3Ef()?__proto__=1"));
    done();
}

/* A class that isn't looked for: nothing of it at values, names and unknown paths; all of others.
 */
static void test_without_class(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        uint32_t own, other;
    } rows[] = {{INJECTED, GUARD_LIKENESS_SQL, GUARD_LIKENESS_SCRIPT},
                {"/nowhere/%3Cscript%3Ef()", GUARD_LIKENESS_SCRIPT, GUARD_LIKENESS_SQL},
                {"/search?username=tom&x[$ne]=1", GUARD_LIKENESS_NOSQL, GUARD_LIKENESS_SQL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (uint32_t other = 0; other < 2; other++) {
            (void)free_note();
            world.model.service_strength[GUARD_RULE_LIKENESS] = MEASURED;
            const struct guard_finding *finding =
                ask_but(rows[i].target, 1u << (other ? rows[i].other : rows[i].own));
            if ((finding != NULL) != (other == 1))
                fail_msg("%s: %u", rows[i].target, other);
            done();
        }
    }
}

/* Not armed: nothing. */
static void test_disarmed(void **state)
{
    (void)state;
    free_note()->strength[GUARD_RULE_LIKENESS] = 0;
    assert_null(ask(INJECTED));
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),         cmocka_unit_test(test_budget),
        cmocka_unit_test(test_faults),        cmocka_unit_test(test_beside),
        cmocka_unit_test(test_known),         cmocka_unit_test(test_pending),
        cmocka_unit_test(test_unknown),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_without),       cmocka_unit_test(test_disarmed),
        cmocka_unit_test(test_without_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
