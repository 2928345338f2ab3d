/* SPDX-License-Identifier: Apache-2.0 */
/* See condition.h. */
#include "common/secrule/condition.h"

#include "common/secrule/within.h"

#include <string.h>

struct making {
    struct secrule_builder *builder;
    const struct secrule_operator *asked;
    const struct secrule_transformations *transformations;
    struct guard_patch_condition *list;
    uint32_t count;
};

struct guard_patch_condition secrule_joined(enum guard_patch_operator op,
                                            const struct guard_patch_condition *children,
                                            uint32_t count)
{
    if (count == 1)
        return children[0];
    return (struct guard_patch_condition){
        .op = op, .min = -1, .max = -1, .children = children, .child_count = count};
}

static bool add(struct making *making, const struct guard_patch_condition *condition)
{
    if (making->count == GUARD_PATCH_CONDITIONS_MAX)
        return secrule_refuse(making->builder, making->asked->name.at[0], SECRULE_CAUSE_MAXIMUM,
                              "more than %d conditions", GUARD_PATCH_CONDITIONS_MAX);
    making->list[making->count++] = *condition;
    return builder_good(making->builder);
}

/* Not it, of a value that is always there. */
static bool add_not(struct making *making, const struct guard_patch_condition *condition)
{
    struct guard_patch_condition *child = secrule_get(making->builder, sizeof(*child));
    if (child == NULL)
        return false;
    *child = *condition;
    struct guard_patch_condition inverse = {
        .op = GUARD_OPERATOR_NOT, .min = -1, .max = -1, .children = child, .child_count = 1};
    return add(making, &inverse);
}

static struct guard_patch_condition leaf(const struct secrule_look *look)
{
    return (struct guard_patch_condition){.op = GUARD_OPERATOR_PRESENT,
                                          .view = look->view,
                                          .on_names = look->on_names,
                                          .places = look->places,
                                          .names = look->names,
                                          .name_count = look->name_count,
                                          .min = -1,
                                          .max = -1};
}

static bool add_with(struct making *making, const struct guard_patch_condition *condition,
                     bool inverse)
{
    return inverse ? add_not(making, condition) : add(making, condition);
}

static bool set_expression(struct making *making, struct guard_patch_condition *condition,
                           struct guard_span expression, bool ignore_case)
{
    struct secrule_builder *builder = making->builder;
    uint32_t at = making->asked->name.at[0];
    struct guard_err err = {.text = ""};
    if (expression.len > GUARD_PATCH_EXPRESSION_MAX)
        return secrule_refuse(builder, at, SECRULE_CAUSE_MAXIMUM,
                              "an expression of more than %d bytes", GUARD_PATCH_EXPRESSION_MAX);
    if (builder->cfg->compiles != NULL &&
        !builder->cfg->compiles(builder->cfg->ctx, expression, ignore_case, &err))
        return secrule_refuse(builder, at, SECRULE_CAUSE_EXPRESSION, "%s", err.text);
    struct guard_span *text = secrule_get(builder, sizeof(*text));
    if (text == NULL)
        return false;
    *text = expression;
    condition->op = GUARD_OPERATOR_REGEX;
    condition->ignore_case = ignore_case;
    condition->texts = text;
    condition->text_count = 1;
    return true;
}

/* A list is as long as patches allow; more are several conditions. */
static bool add_texts(struct making *making, const struct guard_patch_condition *base,
                      const struct secrule_test *test, bool inverse)
{
    struct guard_patch_condition *children =
        secrule_get(making->builder, (test->text_count / GUARD_PATCH_LIST_MAX + 1) * sizeof(*base));
    uint32_t count = 0;
    if (children == NULL)
        return false;
    for (uint32_t i = 0; i < test->text_count; i += GUARD_PATCH_LIST_MAX) {
        uint32_t rest = test->text_count - i;
        children[count] = *base;
        children[count].op = test->op;
        children[count].ignore_case = test->ignore_case;
        children[count].texts = test->texts + i;
        children[count++].text_count = rest < GUARD_PATCH_LIST_MAX ? rest : GUARD_PATCH_LIST_MAX;
    }
    struct guard_patch_condition joined = secrule_joined(GUARD_OPERATOR_ANY, children, count);
    return add_with(making, &joined, inverse);
}

/* --- several values: one of them must not be it --- */

/* "^" and what isn't found from there on. */
static bool add_no_match(struct making *making, const struct guard_patch_condition *base,
                         const struct secrule_expression *expression)
{
    struct secrule_string text = {.builder = making->builder};
    struct guard_span inner = expression->text;
    struct guard_patch_condition condition = *base;
    if (expression->begins) {
        secrule_add_text(&text, "^(?!");
        secrule_add(&text, (struct guard_span){inner.ptr + 1, inner.len - 1});
        secrule_add_text(&text, ")");
    } else {
        secrule_add_text(&text, "^(?!.*(?:");
        secrule_add(&text, inner);
        secrule_add_text(&text, "))");
    }
    return set_expression(making, &condition, secrule_string_span(&text),
                          expression->ignore_case) &&
           add(making, &condition);
}

/* ^[set]+$ and ^[set]*$: a value that isn't it holds a byte that isn't of the set, or is empty. */
static bool is_set(const struct secrule_expression *expression, struct guard_span *set, bool *empty)
{
    struct guard_span text = expression->text;
    if (expression->ignore_case || !expression->begins || !expression->ends || text.len < 6 ||
        text.ptr[1] != '[' || text.ptr[2] == '^')
        return false;
    uint8_t quantifier = text.ptr[text.len - 2];
    *set = (struct guard_span){text.ptr + 2, text.len - 5};
    *empty = quantifier == '*';
    if ((quantifier != '*' && quantifier != '+') || text.ptr[text.len - 3] != ']')
        return false;
    for (size_t i = 0; i < set->len; i++) {
        if (set->ptr[i] == '\\' && i + 1 < set->len &&
            memchr("\\]-^trndwsx", set->ptr[i + 1], 11) != NULL)
            i++; /* as sets of patches have it, too */
        else if (set->ptr[i] == '\\')
            return false;
        else if (set->ptr[i] == ']' || set->ptr[i] == '[')
            return false;
    }
    return set->len > 0;
}

static bool add_other_bytes(struct making *making, const struct guard_patch_condition *base,
                            struct guard_span set, bool empty)
{
    struct guard_span *text = secrule_get(making->builder, sizeof(*text));
    struct guard_patch_condition condition = *base;
    if (text == NULL)
        return false;
    *text = set;
    condition.op = GUARD_OPERATOR_CHARSET;
    condition.texts = text;
    condition.text_count = 1;
    if (!add(making, &condition))
        return false;
    if (empty)
        return true;
    condition = *base;
    condition.op = GUARD_OPERATOR_LENGTH;
    condition.min = 0;
    condition.max = 0;
    return add(making, &condition);
}

static bool add_outside(struct making *making, const struct guard_patch_condition *base,
                        const struct secrule_test *test)
{
    bool natural = test->op != GUARD_OPERATOR_RANGE;
    struct guard_patch_condition condition = *base;
    condition.op = test->op;
    bool good = true;
    if (test->min > (natural ? 0 : -1)) {
        condition.min = natural ? 0 : -1;
        condition.max = test->min - 1;
        if (condition.max == -1) /* of all numbers: those below zero can't be said */
            return secrule_refuse(making->builder, test->at, SECRULE_CAUSE_NEGATION,
                                  "a bound below zero can't be said of a patch");
        good = add(making, &condition);
    }
    if (test->max != -1) {
        condition.min = test->max + 1;
        condition.max = -1;
        good = good && add(making, &condition);
    }
    return good;
}

static bool add_inverse(struct making *making, const struct guard_patch_condition *base,
                        struct secrule_test *test)
{
    struct guard_span set;
    bool empty = false;
    struct secrule_builder *builder = making->builder;
    bool counted = test->op == GUARD_OPERATOR_COUNT;
    if (making->transformations->decoded && !counted &&
        !secrule_wider(builder, making->transformations->at, SECRULE_CAUSE_NEGATION,
                       "a negated operator after decoding: a patch also looks at what it was "
                       "before, which mostly isn't it"))
        return false;
    if (test->op == GUARD_OPERATOR_RANGE || test->op == GUARD_OPERATOR_LENGTH || counted)
        return add_outside(making, base, test);
    if (!secrule_test_expression(builder, test))
        return builder_good(builder) && secrule_refuse(builder, test->at, SECRULE_CAUSE_NEGATION,
                                                       "this operator can't be negated");
    if (is_set(&test->expression, &set, &empty))
        return add_other_bytes(making, base, set, empty);
    return add_no_match(making, base, &test->expression);
}

/* --- one look --- */

static bool names_without_json(struct guard_patch_condition *base, const struct secrule_test *test)
{
    bool begins = test->op == GUARD_OPERATOR_EQUALS || test->op == GUARD_OPERATOR_BEGINS ||
                  (test->op == GUARD_OPERATOR_REGEX && test->expression.begins);
    if (base->on_names && begins)
        base->places &= ~(uint32_t)GUARD_PLACE_JSON;
    return base->places != 0;
}

/* Names of headers are in lower case, whoever sent them. */
static void header_names(struct making *making, const struct secrule_look *look,
                         struct secrule_test *test)
{
    bool text = test->op == GUARD_OPERATOR_CONTAINS || test->op == GUARD_OPERATOR_EQUALS ||
                test->op == GUARD_OPERATOR_BEGINS || test->op == GUARD_OPERATOR_ENDS;
    if (!look->on_names || (look->places & GUARD_PLACE_HEADER) == 0 ||
        (!text && test->op != GUARD_OPERATOR_REGEX))
        return;
    if (!making->transformations->lower)
        secrule_note(making->builder, look->at, SECRULE_DIFFERS, SECRULE_CAUSE_MEANING,
                     "names of headers are looked at without case");
    test->ignore_case = true;
    test->expression.ignore_case = true;
}

static void note_meaning(struct making *making, const struct secrule_look *look,
                         const struct secrule_test *test, bool inverse)
{
    bool decoded = making->transformations->decoded && test->op != GUARD_OPERATOR_COUNT;
    if (decoded && inverse)
        secrule_note(making->builder, making->transformations->at, SECRULE_NARROWER,
                     SECRULE_CAUSE_MEANING,
                     "decoded values: none of the forms of a value may be it");
    else if (decoded && making->count == 0)
        secrule_note(making->builder, making->transformations->at, SECRULE_DIFFERS,
                     SECRULE_CAUSE_MEANING,
                     "decoded values are looked at in all their forms (view decoded)");
    if (test->op == GUARD_OPERATOR_RANGE && (look->places & GUARD_PLACE_STATUS) == 0)
        secrule_note(making->builder, test->at, SECRULE_NARROWER, SECRULE_CAUSE_MEANING,
                     "a value that is no whole number isn't compared: it is no 0");
}

static bool length_is_decoded(struct making *making, const struct secrule_test *test)
{
    return test->op != GUARD_OPERATOR_LENGTH || !making->transformations->decoded ||
           secrule_wider(making->builder, making->transformations->at, SECRULE_CAUSE_TRANSFORM,
                         "the length of a decoded value: a patch also looks at what it was before, "
                         "which is longer");
}

static bool can_negate(struct making *making, const struct secrule_test *test, bool single)
{
    struct secrule_builder *builder = making->builder;
    if (test->within)
        return secrule_wider(builder, test->at, SECRULE_CAUSE_NEGATION,
                             "!@within: a fragment of the text is none of its words, and hits");
    if (test->op == GUARD_OPERATOR_PRESENT || test->op == GUARD_OPERATOR_LIKENESS)
        return secrule_refuse(builder, test->at, SECRULE_CAUSE_NEGATION,
                              "this operator can't be negated");
    return test->op != GUARD_OPERATOR_CHARSET || single ||
           secrule_refuse(builder, test->at, SECRULE_CAUSE_NEGATION,
                          "this operator can't be negated");
}

static bool add_plain(struct making *making, struct guard_patch_condition *base,
                      const struct secrule_test *test, bool inverse)
{
    if (test->op == GUARD_OPERATOR_REGEX)
        return set_expression(making, base, test->expression.text, test->expression.ignore_case) &&
               add_with(making, base, inverse);
    if (test->text_count > 0)
        return add_texts(making, base, test, inverse);
    base->op = test->op;
    base->min = test->min;
    base->max = test->max;
    base->likeness = test->likeness;
    if (test->op == GUARD_OPERATOR_COUNT && (test->min == 1 || test->max == 0) &&
        (test->min == 1 ? test->max == -1 : test->min <= 0)) {
        base->op = GUARD_OPERATOR_PRESENT; /* one at least; or none */
        base->min = test->min == 1 ? -1 : 0;
        base->max = test->min == 1 ? -1 : 0;
    }
    return add_with(making, base, inverse);
}

static bool add_look(struct making *making, const struct secrule_look *look)
{
    struct secrule_test test;
    bool negated = making->asked->negated;
    bool inverse = negated && look->single;
    struct guard_patch_condition base = leaf(look);
    if (!secrule_test_of(making->builder, making->asked, making->transformations, look->counted,
                         &test))
        return false;
    header_names(making, look, &test);
    if (negated && !can_negate(making, &test, look->single))
        return false;
    if (!length_is_decoded(making, &test) ||
        !secrule_write_within(making->builder, look, negated, &test))
        return false;
    note_meaning(making, look, &test, inverse);
    if (!names_without_json(&base, &test))
        return secrule_refuse(making->builder, look->at, SECRULE_CAUSE_NEVER,
                              "names of members of JSON begin with \"json.\"");
    if (negated && !inverse)
        return add_inverse(making, &base, &test);
    return add_plain(making, &base, &test, inverse);
}

bool secrule_condition(struct secrule_builder *builder, const struct secrule_looks *looks,
                       const struct secrule_operator *asked,
                       const struct secrule_transformations *transformations,
                       struct guard_patch_condition *out)
{
    struct making making = {
        .builder = builder,
        .asked = asked,
        .transformations = transformations,
        .list = secrule_get(builder, GUARD_PATCH_CONDITIONS_MAX * sizeof(*making.list))};
    if (making.list == NULL)
        return false;
    for (uint32_t i = 0; i < looks->count; i++) {
        if (!add_look(&making, &looks->list[i]))
            return false;
    }
    if (making.count == 0)
        return secrule_refuse(builder, asked->name.at[0], SECRULE_CAUSE_NEVER,
                              "it matches nothing");
    *out = secrule_joined(GUARD_OPERATOR_ANY, making.list, making.count);
    return builder_good(builder);
}
