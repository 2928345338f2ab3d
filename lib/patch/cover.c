/* SPDX-License-Identifier: Apache-2.0 */
/* See cover.h. Of conditions that must all hold the one with the longest texts is the best sign. */
#include "patch/cover.h"

#include "base/span.h"

enum { WEIGHT_OF_REGEX = 4, WEIGHT_MOST = 1 << 20 };

static const struct guard_span dots = {(const uint8_t *)"..", 2};

static bool is_plain(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
        if (!letter && !(byte >= '0' && byte <= '9') && byte != '_' && byte != '-')
            return false;
    }
    return true;
}

/* Names of members are in the streams one by one, and joined only when they are asked for. */
static bool on_joined_names(const struct guard_patch_condition *condition)
{
    const uint32_t trees = GUARD_PLACE_JSON | GUARD_PLACE_GRAPHQL;
    return condition->on_names && (condition->places == 0 || (condition->places & trees) != 0);
}

/* How telling its cover is; 0: it has none. */
static uint32_t weight_of(const struct guard_patch_condition *condition);

static uint32_t weight_of_texts(const struct guard_patch_condition *condition)
{
    uint32_t least = WEIGHT_MOST;
    for (uint32_t i = 0; i < condition->text_count; i++) {
        struct guard_span text = condition->texts[i];
        if (on_joined_names(condition) && !is_plain(text))
            return 0;
        if (text.len < least)
            least = (uint32_t)text.len;
    }
    return condition->text_count == 0 ? 0 : least;
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
    switch ((int)condition->op) {
    case GUARD_OPERATOR_ALL:
    case GUARD_OPERATOR_ANY:
        return weight_of_children(condition);
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
    case GUARD_OPERATOR_TRAVERSAL:
        add(ctx, dots, false, false);
        return;
    default:
        for (uint32_t i = 0; i < condition->text_count; i++)
            add(ctx, condition->texts[i], condition->op == GUARD_OPERATOR_REGEX,
                condition->ignore_case);
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

static void tell_pattern(void *ctx, struct guard_span text, bool regex, bool ignore_case)
{
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
