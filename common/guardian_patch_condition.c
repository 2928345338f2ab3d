/* SPDX-License-Identifier: Apache-2.0 */
/* Reads conditions: one operator each, and what says where it looks. Documents are nested no deeper
 * than DOCUMENT_DEPTH_MAX, so that this isn't, either. */
#include "common/guardian_patch.h"
#include "common/guardian_patch_members.h"
#include "common/guardian_patch_words.h"
#include "common/guardian_words.h"

#include <string.h>

static const char place_words[] = "method, path, target, query, header, cookie, form, json, "
                                  "multipart, file, body, graphql or status";
static const char likeness_words[] = "a class of likeness: sql, script, shell, path, template, ...";

struct target {
    struct guard_patch_condition *condition;
    const struct document_node *asked;  /* the operator */
    const struct document_node *placed; /* a member that says where or how */
};

/* Only one thing is asked by a condition. */
static enum guard_rc ask(const struct patch_reading *reading, const struct document_node *node,
                         struct target *target, int op)
{
    if (target->asked != NULL)
        return PATCH_FAIL(reading, node, GUARD_E_SYNTAX,
                          "a condition has one operator: put both into all or any");
    target->asked = node;
    target->condition->op = (enum guard_patch_operator)op;
    return GUARD_OK;
}

static enum guard_rc read_children(const struct patch_reading *reading,
                                   const struct document_node *node, void *to, int op)
{
    struct target *target = to;
    void *array = NULL;
    GUARD_TRY(ask(reading, node, target, op));
    bool list = op != GUARD_OPERATOR_NOT;
    if (list && (node->kind != DOCUMENT_SEQUENCE || node->count == 0))
        return PATCH_FAIL(reading, node, GUARD_E_SYNTAX, "must be a list of conditions");
    uint32_t count = list ? node->count : 1;
    if (count > GUARD_PATCH_CONDITIONS_MAX)
        return PATCH_FAIL(reading, node, GUARD_E_LIMIT, "a patch has at most %d conditions",
                          GUARD_PATCH_CONDITIONS_MAX);
    GUARD_TRY(patch_array(reading, node, sizeof(*target->condition), count, &array));
    struct guard_patch_condition *children = array;
    target->condition->children = children;
    target->condition->child_count = count;
    const struct document_node *child = list ? node->first : node;
    for (uint32_t i = 0; i < count; i++, child = child->next)
        GUARD_TRY(patch_condition_read(reading->document, child, &children[i], reading->err));
    return GUARD_OK;
}

static enum guard_rc read_texts(const struct patch_reading *reading,
                                const struct document_node *node, void *to, int op)
{
    struct target *target = to;
    GUARD_TRY(ask(reading, node, target, op));
    return patch_read_list(reading, node, &target->condition->texts,
                           &target->condition->text_count);
}

/* A regular expression or a set. */
static enum guard_rc read_one_text(const struct patch_reading *reading,
                                   const struct document_node *node, void *to, int op)
{
    struct target *target = to;
    void *array = NULL;
    GUARD_TRY(ask(reading, node, target, op));
    GUARD_TRY(patch_array(reading, node, sizeof(*target->condition->texts), 1, &array));
    target->condition->texts = array;
    target->condition->text_count = 1;
    return patch_read_bytes(reading, node, GUARD_PATCH_EXPRESSION_MAX, array);
}

static enum guard_rc read_types(const struct patch_reading *reading,
                                const struct document_node *node, void *to, int op)
{
    struct target *target = to;
    GUARD_TRY(ask(reading, node, target, op));
    return patch_read_bits(reading, node, guardian_type_bit, "a type: word, int, email, ...",
                           &target->condition->types);
}

static enum guard_rc read_likeness(const struct patch_reading *reading,
                                   const struct document_node *node, void *to, int op)
{
    struct target *target = to;
    GUARD_TRY(ask(reading, node, target, op));
    return patch_read_bits(reading, node, patch_likeness_bit, likeness_words,
                           &target->condition->likeness);
}

static enum guard_rc read_presence(const struct patch_reading *reading,
                                   const struct document_node *node, void *to, int op)
{
    struct target *target = to;
    bool present = false;
    GUARD_TRY(ask(reading, node, target, op));
    GUARD_TRY(patch_read_bool(reading, node, &present));
    if (!present)
        target->condition->min = target->condition->max = 0;
    return GUARD_OK;
}

static enum guard_rc read_traversal(const struct patch_reading *reading,
                                    const struct document_node *node, void *to, int op)
{
    bool wanted = false;
    GUARD_TRY(ask(reading, node, to, op));
    GUARD_TRY(patch_read_bool(reading, node, &wanted));
    return wanted ? GUARD_OK
                  : PATCH_FAIL(reading, node, GUARD_E_RANGE, "must be true; its opposite is not");
}

enum { RANGE_MIN, RANGE_MAX };

static enum guard_rc read_bound(const struct patch_reading *reading,
                                const struct document_node *node, void *to, int which)
{
    struct guard_patch_condition *condition = to;
    return patch_read_number(reading, node, which == RANGE_MIN ? &condition->min : &condition->max);
}

static enum guard_rc read_range(const struct patch_reading *reading,
                                const struct document_node *node, void *to, int op)
{
    static const struct patch_member members[] = {
        {"min", read_bound, RANGE_MIN}, {"max", read_bound, RANGE_MAX}, {NULL, NULL, 0}};
    struct target *target = to;
    struct guard_patch_condition *condition = target->condition;
    GUARD_TRY(ask(reading, node, target, op));
    GUARD_TRY(patch_read_members(reading, node, members, condition));
    if (condition->min < 0 && condition->max < 0)
        return PATCH_FAIL(reading, node, GUARD_E_SYNTAX, "must have min, max or both");
    if (condition->max >= 0 && condition->min > condition->max)
        return PATCH_FAIL(reading, node, GUARD_E_RANGE, "min is above max");
    return GUARD_OK;
}

static enum guard_rc read_places(const struct patch_reading *reading,
                                 const struct document_node *node, void *to, int argument)
{
    struct target *target = to;
    (void)argument;
    target->placed = node;
    return patch_read_bits(reading, node, patch_place_bit, place_words, &target->condition->places);
}

static enum guard_rc read_names(const struct patch_reading *reading,
                                const struct document_node *node, void *to, int argument)
{
    struct target *target = to;
    (void)argument;
    target->placed = node;
    return patch_read_list(reading, node, &target->condition->names,
                           &target->condition->name_count);
}

static int what_of(struct guard_span word)
{
    return word.len == 4 && memcmp(word.ptr, "name", 4) == 0    ? 1
           : word.len == 5 && memcmp(word.ptr, "value", 5) == 0 ? 0
                                                                : -1;
}

static enum guard_rc read_what(const struct patch_reading *reading,
                               const struct document_node *node, void *to, int argument)
{
    struct target *target = to;
    int names = 0;
    (void)argument;
    target->placed = node;
    GUARD_TRY(patch_read_word(reading, node, what_of, "name or value", &names));
    target->condition->on_names = names == 1;
    return GUARD_OK;
}

static enum guard_rc read_view(const struct patch_reading *reading,
                               const struct document_node *node, void *to, int argument)
{
    struct target *target = to;
    int view = 0;
    (void)argument;
    target->placed = node;
    GUARD_TRY(patch_read_word(reading, node, patch_view_of, "decoded, text or raw", &view));
    target->condition->view = (enum guard_patch_view)view;
    return GUARD_OK;
}

static enum guard_rc read_case(const struct patch_reading *reading,
                               const struct document_node *node, void *to, int argument)
{
    struct target *target = to;
    (void)argument;
    target->placed = node;
    return patch_read_bool(reading, node, &target->condition->ignore_case);
}

enum guard_rc patch_condition_read(const struct document *document,
                                   const struct document_node *node,
                                   struct guard_patch_condition *out, struct guard_err *err)
{
    static const struct patch_member members[] = {
        {"all", read_children, GUARD_OPERATOR_ALL},
        {"any", read_children, GUARD_OPERATOR_ANY},
        {"not", read_children, GUARD_OPERATOR_NOT},
        {"present", read_presence, GUARD_OPERATOR_PRESENT},
        {"contains", read_texts, GUARD_OPERATOR_CONTAINS},
        {"equals", read_texts, GUARD_OPERATOR_EQUALS},
        {"begins", read_texts, GUARD_OPERATOR_BEGINS},
        {"ends", read_texts, GUARD_OPERATOR_ENDS},
        {"regex", read_one_text, GUARD_OPERATOR_REGEX},
        {"type", read_types, GUARD_OPERATOR_TYPE},
        {"length", read_range, GUARD_OPERATOR_LENGTH},
        {"count", read_range, GUARD_OPERATOR_COUNT},
        {"range", read_range, GUARD_OPERATOR_RANGE},
        {"charset", read_one_text, GUARD_OPERATOR_CHARSET},
        {"traversal", read_traversal, GUARD_OPERATOR_TRAVERSAL},
        {"likeness", read_likeness, GUARD_OPERATOR_LIKENESS},
        {"in", read_places, 0},
        {"names", read_names, 0},
        {"of", read_what, 0},
        {"view", read_view, 0},
        {"ignoreCase", read_case, 0},
        {NULL, NULL, 0},
    };
    const struct patch_reading reading = {document, err};
    struct target target = {.condition = out};
    *out = (struct guard_patch_condition){.min = -1, .max = -1};
    GUARD_TRY(patch_read_members(&reading, node, members, &target));
    if (target.asked == NULL)
        return PATCH_FAIL(&reading, node, GUARD_E_SYNTAX,
                          "needs an operator: all, any, not, contains, regex, ...");
    if (out->child_count > 0 && target.placed != NULL)
        return PATCH_FAIL(&reading, target.placed, GUARD_E_SYNTAX,
                          "belongs to the conditions in all, any or not");
    return GUARD_OK;
}
