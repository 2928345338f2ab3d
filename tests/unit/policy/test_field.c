/* SPDX-License-Identifier: Apache-2.0 */
/* What a learned field becomes in a policy: a benign name that is spelled like a hash by chance was
 * blocked where tokens had been learned. */
#include "unit/policy/world.h"

#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BIT(type) (1u << GUARD_TYPE_##type)

static struct world world;

static const struct gd_policy_field *compiled(const struct guard_policy *policy, const char *name)
{
    for (uint32_t i = 0; i < policy->field_count; i++) {
        if (gd_span_equal(gd_policy_span(policy, policy->fields[i].name), world_span(name)))
            return &policy->fields[i];
    }
    fail_msg("the policy has no field %s", name);
    return NULL;
}

/* Only who sent tokens or text sends words and what is spelled like hex and base64. */
static void test_accidental_types(void **state)
{
    (void)state;
    const uint32_t accidental = BIT(TOKEN) | BIT(WORD) | BIT(HEX) | BIT(BASE64);
    const struct {
        uint32_t learned;
        uint32_t compiled;
    } cases[] = {
        {BIT(TOKEN), accidental},
        {BIT(TOKEN) | BIT(INT), accidental | BIT(INT)},
        {BIT(TEXT), accidental | BIT(TEXT)},
        {BIT(WORD), BIT(WORD)},
        {BIT(HEX), BIT(HEX)},
        {BIT(INT), BIT(INT)},
        {BIT(DATE) | BIT(UUID), BIT(DATE) | BIT(UUID)},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_init(&world);
        struct guard_model_field *note =
            world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "note");
        note->types = cases[i].learned;
        note->pending_types = BIT(HEX) | BIT(EMAIL);
        struct guard_policy *policy = world_policy(&world);
        const struct gd_policy_field *field = compiled(policy, "note");
        assert_int_equal(field->types, cases[i].compiled);
        assert_int_equal(field->pending_types, (BIT(HEX) | BIT(EMAIL)) & ~cases[i].compiled);
        world_policy_free(policy);
    }
}

/* The names themselves: all pass where one token was learned, numbers and dates still don't. */
static void test_names_spelled_by_chance(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        {"GET", "/search?username=tom&note=cafe1234", NULL, NULL, NULL},
        {"GET", "/search?username=tom&note=deadbeef42", NULL, NULL, NULL},
        {"GET", "/search?username=tom&note=abcdabcd", NULL, NULL, NULL},
        {"GET", "/search?username=tom&note=20241231", NULL, NULL, NULL},
    };
    world_init(&world);
    struct guard_model_field *note =
        world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "note");
    note->types = 0;
    world_teach(note, "mirabelle77xyz");
    world_teach(note, "x1x1x1x1x1x1y");
    note->length_min = 1;
    note->digits_max = 12;
    struct guard_policy *policy = world_policy(&world);
    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        struct answer answer;
        world_ask(&answer, policy, &asks[i]);
        bool number = i == sizeof(asks) / sizeof(asks[0]) - 1;
        if ((world_finding(&answer, GUARD_RULE_TYPE, "note") != NULL) != number)
            fail_msg("%s", asks[i].target);
        world_answer_free(&answer);
    }
    world_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accidental_types),
        cmocka_unit_test(test_names_spelled_by_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
