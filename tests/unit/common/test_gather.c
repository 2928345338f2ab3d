/* SPDX-License-Identifier: Apache-2.0 */
/* What is gathered for a database is what policies ask it for, no more and no less: a pattern that
 * one side forgot would switch the database off, or a patch. */
#include "common/patterns/gather.h"

#include "common/patterns/database.h"
#include "unit/policy/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LEAVES = 12 };

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

struct made {
    struct guard_span texts[LEAVES][2];
    struct guard_patch_condition leaves[LEAVES];
    struct guard_patch_condition both[2];
    struct guard_patch_condition other;
    struct guard_span name;
    struct guard_patch patches[8];
    uint32_t leaf_count;
    uint32_t count;
};

static struct guard_patch_condition *leaf(struct made *made, enum guard_patch_operator op,
                                          const char *first, const char *second)
{
    uint32_t at = made->leaf_count++;
    made->texts[at][0] = span(first != NULL ? first : "");
    made->texts[at][1] = span(second != NULL ? second : "");
    made->leaves[at] = (struct guard_patch_condition){.op = op,
                                                      .places = GUARD_PLACE_QUERY,
                                                      .texts = made->texts[at],
                                                      .text_count = first == NULL    ? 0
                                                                    : second == NULL ? 1
                                                                                     : 2,
                                                      .min = -1,
                                                      .max = -1};
    return &made->leaves[at];
}

static void patch(struct made *made, const char *id, struct guard_patch_condition when,
                  enum guard_patch_mode mode)
{
    made->patches[made->count++] =
        (struct guard_patch){.id = span(id), .title = span("a title"), .mode = mode, .when = when};
}

static struct guard_patch_condition
group(enum guard_patch_operator op, const struct guard_patch_condition *children, uint32_t count)
{
    return (struct guard_patch_condition){
        .op = op, .children = children, .child_count = count, .min = -1, .max = -1};
}

static void fill(struct made *made)
{
    memset(made, 0, sizeof(*made));
    patch(made, "dots", *leaf(made, GUARD_OPERATOR_TRAVERSAL, NULL, NULL), GUARD_PATCH_ENFORCE);
    patch(made, "texts", *leaf(made, GUARD_OPERATOR_CONTAINS, "first text", "second"),
          GUARD_PATCH_SHADOW);
    patch(made, "off", *leaf(made, GUARD_OPERATOR_CONTAINS, "nobody asks", NULL), GUARD_PATCH_OFF);
    /* Of two that must both hold one is asked for. */
    const struct guard_patch_condition *pair = leaf(made, GUARD_OPERATOR_BEGINS, "longest", NULL);
    (void)leaf(made, GUARD_OPERATOR_REGEX, "un[i]on", NULL);
    patch(made, "all", group(GUARD_OPERATOR_ALL, pair, 2), GUARD_PATCH_ENFORCE);
    pair = leaf(made, GUARD_OPERATOR_REGEX, "sel[e]ct", NULL);
    made->leaves[made->leaf_count - 1].ignore_case = true;
    (void)leaf(made, GUARD_OPERATOR_ENDS, "an end", NULL);
    patch(made, "any", group(GUARD_OPERATOR_ANY, pair, 2), GUARD_PATCH_ENFORCE);
    struct guard_patch_condition *length = leaf(made, GUARD_OPERATOR_LENGTH, NULL, NULL);
    length->min = 9;
    patch(made, "long", *length, GUARD_PATCH_ENFORCE);
    /* Only values of this name are looked at. */
    length = leaf(made, GUARD_OPERATOR_LENGTH, NULL, NULL);
    length->min = 9;
    length->names = &made->name;
    length->name_count = 1;
    made->name = span("x.named*");
    patch(made, "named", *length, GUARD_PATCH_ENFORCE);
    made->other = *leaf(made, GUARD_OPERATOR_CONTAINS, "not this", NULL);
    patch(made, "not", group(GUARD_OPERATOR_NOT, &made->other, 1), GUARD_PATCH_ENFORCE);
}

static void compare(const struct pattern_list *list, const struct guard_policy *policy)
{
    struct guard_pattern pattern;
    uint32_t index = 0;
    for (; guard_policy_pattern(policy, index, &pattern); index++) {
        assert_true(index < list->count);
        const struct guard_pattern *other = &list->list[index];
        assert_true(pattern.id == other->id);
        assert_int_equal(pattern.text.len, other->text.len);
        assert_memory_equal(pattern.text.ptr, other->text.ptr, pattern.text.len);
        assert_int_equal(pattern.regex, other->regex);
        assert_int_equal(pattern.ignore_case, other->ignore_case);
        assert_true(pattern.id ==
                    guard_pattern_id(pattern.text, pattern.regex, pattern.ignore_case));
    }
    assert_int_equal(index, list->count);
    assert_true(pattern.id == 0 && pattern.text.len == 0);
}

static bool has(const struct pattern_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->list[i].text.len == strlen(text) &&
            memcmp(list->list[i].text.ptr, text, strlen(text)) == 0)
            return true;
    }
    return false;
}

static void test_policies_are_covered(void **state)
{
    static struct world world;
    static struct made made;
    struct pattern_list of_patches = {0};
    struct pattern_list of_policy = {0};
    (void)state;
    fill(&made);
    world_init(&world);
    world.guardian.patches = made.patches;
    world.guardian.patch_count = made.count;
    struct guard_policy *policy = world_policy(&world);
    assert_int_equal(patterns_gather(&of_patches, made.patches, made.count), GUARD_OK);
    of_patches.count = patterns_sort(of_patches.list, of_patches.count);
    compare(&of_patches, policy);
    assert_true(has(&of_patches, "..") && has(&of_patches, "longest"));
    assert_true(has(&of_patches, "second") && has(&of_patches, "an end"));
    assert_true(has(&of_patches, "named"));
    assert_false(has(&of_patches, "nobody asks") || has(&of_patches, "un[i]on"));
    assert_false(has(&of_patches, "not this"));
    assert_int_equal(patterns_gather_policy(&of_policy, policy), GUARD_OK);
    compare(&of_policy, policy); /* in order already */
    pattern_list_free(&of_policy);
    pattern_list_free(&of_patches);
    world_policy_free(policy);
}

static void test_a_policy_without_patches_has_none(void **state)
{
    static struct world world;
    struct pattern_list list = {0};
    struct guard_pattern pattern;
    (void)state;
    world_init(&world);
    struct guard_policy *policy = world_policy(&world);
    assert_false(guard_policy_pattern(policy, 0, &pattern));
    assert_int_equal(patterns_gather_policy(&list, policy), GUARD_OK);
    assert_int_equal(list.count, 0);
    world_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies_are_covered),
        cmocka_unit_test(test_a_policy_without_patches_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
