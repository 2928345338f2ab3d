/* SPDX-License-Identifier: Apache-2.0 */
/* See cover.h. Of conditions that must all hold the one with the longest texts is the best sign. */
#include "patch/cover.h"

#include "base/span.h"

enum { WEIGHT_OF_NAMES = 1, WEIGHT_OF_REGEX = 4, WEIGHT_MOST = 1 << 20, RUN_LEAST = 3 };

static const struct guard_span dots = {(const uint8_t *)"..", 2};

static bool is_plain(uint8_t byte)
{
    bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    return letter || (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

/* The longest part that nothing joins and no star stands for; empty: none is long enough. */
static struct guard_span longest_run(struct guard_span text)
{
    struct guard_span longest = {text.ptr, 0};
    size_t begin = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && is_plain(text.ptr[i]))
            continue;
        if (i - begin > longest.len)
            longest = gd_span(text.ptr + begin, i - begin);
        begin = i + 1;
    }
    return longest.len >= RUN_LEAST || longest.len == text.len ? longest : gd_span(text.ptr, 0);
}

/* Names of members are in the streams one by one, and joined only when they are asked for. */
static bool on_joined_names(const struct guard_patch_condition *condition)
{
    const uint32_t trees = GUARD_PLACE_JSON | GUARD_PLACE_GRAPHQL;
    return condition->on_names && (condition->places == 0 || (condition->places & trees) != 0);
}

/* How telling its cover is; 0: it has none. */
static uint32_t weight_of(const struct guard_patch_condition *condition);

static struct guard_span sign_of(const struct guard_patch_condition *condition, uint32_t text)
{
    return on_joined_names(condition) ? longest_run(condition->texts[text])
                                      : condition->texts[text];
}

static uint32_t weight_of_texts(const struct guard_patch_condition *condition)
{
    uint32_t least = WEIGHT_MOST;
    for (uint32_t i = 0; i < condition->text_count; i++) {
        struct guard_span text = sign_of(condition, i);
        if (text.len < least)
            least = (uint32_t)text.len;
    }
    return condition->text_count == 0 ? 0 : least;
}

/* What may hold without a value of any such name has none. */
static uint32_t weight_of_names(const struct guard_patch_condition *condition)
{
    if ((condition->op == GUARD_OPERATOR_COUNT && condition->min < 1) ||
        (condition->op == GUARD_OPERATOR_PRESENT && (condition->min == 0 || condition->max == 0)))
        return 0;
    for (uint32_t i = 0; i < condition->name_count; i++) {
        if (longest_run(condition->names[i]).len < RUN_LEAST)
            return 0;
    }
    return condition->name_count == 0 ? 0 : WEIGHT_OF_NAMES;
}

/* A sign that is in the values themselves; 0: there is none. */
static uint32_t weight_of_values(const struct guard_patch_condition *condition)
{
    switch ((int)condition->op) {
    case GUARD_OPERATOR_CONTAINS:
    case GUARD_OPERATOR_EQUALS:
    case GUARD_OPERATOR_BEGINS:
    case GUARD_OPERATOR_ENDS:
        return weight_of_texts(condition);
    case GUARD_OPERATOR_REGEX:
        return on_joined_names(condition) ? 0 : WEIGHT_OF_REGEX;
    case GUARD_OPERATOR_TRAVERSAL:
        return on_joined_names(condition) ? 0 : (uint32_t)dots.len;
    default:
        return 0;
    }
}

static uint32_t weight_of_children(const struct guard_patch_condition *condition)
{
    bool all = condition->op == GUARD_OPERATOR_ALL;
    uint32_t weight = all ? 0 : WEIGHT_MOST;
    for (uint32_t i = 0; i < condition->child_count; i++) {
        uint32_t child = weight_of(&condition->children[i]);
        if (all ? child > weight : child < weight)
            weight = child;
    }
    return weight;
}

static uint32_t weight_of(const struct guard_patch_condition *condition)
{
    if (condition->op == GUARD_OPERATOR_ALL || condition->op == GUARD_OPERATOR_ANY)
        return weight_of_children(condition);
    if (condition->op == GUARD_OPERATOR_NOT)
        return 0;
    uint32_t weight = weight_of_values(condition);
    return weight != 0 ? weight : weight_of_names(condition);
}

static void tell_names(const struct guard_patch_condition *condition, gd_cover_pattern *add,
                       void *ctx)
{
    bool headers = condition->places == 0 || (condition->places & GUARD_PLACE_HEADER) != 0;
    for (uint32_t i = 0; i < condition->name_count; i++)
        add(ctx, longest_run(condition->names[i]), false, headers, true);
}

static void tell_values(const struct guard_patch_condition *condition, gd_cover_pattern *add,
                        void *ctx)
{
    if (condition->op == GUARD_OPERATOR_TRAVERSAL) {
        add(ctx, dots, false, false, condition->on_names);
        return;
    }
    for (uint32_t i = 0; i < condition->text_count; i++)
        add(ctx, sign_of(condition, i), condition->op == GUARD_OPERATOR_REGEX,
            condition->ignore_case, condition->on_names);
}

/* Of conditions that have one. */
static void tell(const struct guard_patch_condition *condition, gd_cover_pattern *add, void *ctx)
{
    uint32_t weight = weight_of(condition);
    switch ((int)condition->op) {
    case GUARD_OPERATOR_ALL:
        for (uint32_t i = 0; i < condition->child_count; i++) {
            if (weight_of(&condition->children[i]) == weight) {
                tell(&condition->children[i], add, ctx);
                return;
            }
        }
        return;
    case GUARD_OPERATOR_ANY:
        for (uint32_t i = 0; i < condition->child_count; i++)
            tell(&condition->children[i], add, ctx);
        return;
    default:
        if (weight_of_values(condition) != 0)
            tell_values(condition, add, ctx);
        else
            tell_names(condition, add, ctx);
        return;
    }
}

bool gd_cover_of(const struct guard_patch_condition *condition, gd_cover_pattern *add, void *ctx)
{
    if (weight_of(condition) == 0)
        return false;
    tell(condition, add, ctx);
    return true;
}

struct telling {
    guard_pattern_told *told;
    void *ctx;
};

static void tell_pattern(void *ctx, struct guard_span text, bool regex, bool ignore_case,
                         bool of_name)
{
    (void)of_name;
    const struct telling *telling = ctx;
    const struct guard_pattern pattern = {guard_pattern_id(text, regex, ignore_case), text, regex,
                                          ignore_case};
    telling->told(telling->ctx, &pattern);
}

bool guard_patch_cover(const struct guard_patch *patch, guard_pattern_told *told, void *ctx)
{
    struct telling telling = {told, ctx};
    return gd_cover_of(&patch->when, tell_pattern, &telling);
}
