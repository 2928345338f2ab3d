/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions as they are put together. */
#include "common/generalise/work.h"

#include <string.h>

static const struct guard_span *one_span(struct work *work, struct guard_span text)
{
    struct guard_span *kept = work_get(work, sizeof(*kept));
    if (kept != NULL)
        *kept = text;
    return kept;
}

struct guard_patch_condition *condition_new(struct work *work, enum guard_patch_operator op,
                                            uint32_t place, struct guard_span name)
{
    struct guard_patch_condition *made = work_get(work, sizeof(*made));
    if (made == NULL)
        return NULL;
    *made = (struct guard_patch_condition){.op = op, .places = place, .min = -1, .max = -1};
    if (name.len > 0) {
        made->names = one_span(work, name);
        made->name_count = made->names != NULL;
    }
    return made;
}

struct guard_patch_condition *condition_text(struct work *work, enum guard_patch_operator op,
                                             uint32_t place, struct guard_span name,
                                             struct guard_span text)
{
    struct guard_patch_condition *made = condition_new(work, op, place, name);
    if (made == NULL)
        return NULL;
    made->texts = one_span(work, text);
    made->text_count = 1;
    return made->texts != NULL ? made : NULL;
}

struct guard_patch_condition *condition_group(struct work *work, enum guard_patch_operator op,
                                              const struct guard_patch_condition *const *of,
                                              uint32_t count)
{
    struct guard_patch_condition *children = work_get(work, (count + 1) * sizeof(*children));
    struct guard_patch_condition *made = work_get(work, sizeof(*made));
    uint32_t kept = 0;
    if (children == NULL || made == NULL)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        bool known = of[i] == NULL;
        for (uint32_t k = 0; k < kept && !known; k++)
            known = condition_equal(&children[k], of[i]);
        if (!known)
            children[kept++] = *of[i];
    }
    if (kept == 0)
        return NULL;
    *made = (struct guard_patch_condition){
        .op = op, .children = children, .child_count = kept, .min = -1, .max = -1};
    return kept == 1 ? children : made;
}

uint32_t condition_size(const struct guard_patch_condition *condition)
{
    uint32_t size = 1;
    for (uint32_t i = 0; i < condition->child_count; i++)
        size += condition_size(&condition->children[i]);
    return size;
}

static bool same_texts(const struct guard_span *a, uint32_t a_count, const struct guard_span *b,
                       uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++) {
        if (!span_equal(a[i], b[i]))
            return false;
    }
    return true;
}

bool condition_equal(const struct guard_patch_condition *a, const struct guard_patch_condition *b)
{
    if (a->op != b->op || a->view != b->view || a->on_names != b->on_names ||
        a->ignore_case != b->ignore_case || a->places != b->places || a->types != b->types ||
        a->likeness != b->likeness || a->min != b->min || a->max != b->max ||
        a->child_count != b->child_count)
        return false;
    if (!same_texts(a->names, a->name_count, b->names, b->name_count) ||
        !same_texts(a->texts, a->text_count, b->texts, b->text_count))
        return false;
    for (uint32_t i = 0; i < a->child_count; i++) {
        if (!condition_equal(&a->children[i], &b->children[i]))
            return false;
    }
    return true;
}
