/* SPDX-License-Identifier: Apache-2.0 */
/* See check_patches.h. Each patch's nodes and texts follow those of the one before, so each is
 * looked at once. */
#include "policy/check_patches.h"

#include <guard/likeness.h>

static bool range_ok(struct gd_patch_range range, uint32_t *next, uint32_t total)
{
    if (range.first != *next || range.count > total - *next)
        return false;
    *next += range.count;
    return true;
}

static uint32_t count_of(const struct guard_policy *policy, enum gd_policy_section section)
{
    return policy->header->sections[section].count;
}

static bool text_ok(const struct guard_policy *policy, struct gd_patch_text text, uint32_t max)
{
    uint32_t strings = count_of(policy, GD_SECTION_STRINGS);
    return text.len <= max && text.offset <= strings && text.len <= strings - text.offset;
}

static bool list_ok(const struct guard_policy *policy, struct gd_patch_sums *sums,
                    struct gd_patch_range range)
{
    return range.count <= GUARD_PATCH_LIST_MAX &&
           range_ok(range, &sums->texts, count_of(policy, GD_SECTION_PATCH_TEXTS));
}

static bool operands_ok(const struct gd_patch_node *node)
{
    bool one = node->op == GUARD_OPERATOR_REGEX || node->op == GUARD_OPERATOR_CHARSET;
    return (!one || node->texts.count == 1) && (node->places & ~(uint32_t)GUARD_PLACE_ALL) == 0 &&
           node->likeness >> GUARD_LIKENESS_COUNT == 0;
}

/* Ends of the groups that are open, from the outermost on. */
struct depths {
    uint32_t end[GUARD_PATCH_DEPTH_MAX + 1];
    uint32_t count;
};

static bool node_ok(const struct guard_policy *policy, struct gd_patch_sums *sums, uint32_t at,
                    struct depths *depths)
{
    const struct gd_patch_node *node = &policy->patches.nodes[at];
    bool inner = node->op <= GUARD_OPERATOR_NOT;
    while (depths->count > 1 && depths->end[depths->count - 1] == at)
        depths->count--;
    if (node->op >= GUARD_OPERATORS || node->view > GUARD_VIEW_RAW || node->size == 0 ||
        node->size > depths->end[depths->count - 1] - at)
        return false;
    if (inner ? node->size == 1 : node->size != 1)
        return false;
    if (inner && depths->count > GUARD_PATCH_DEPTH_MAX)
        return false;
    if (inner)
        depths->end[depths->count++] = at + node->size;
    /* What a negation is of fills it. */
    if (node->op == GUARD_OPERATOR_NOT && policy->patches.nodes[at + 1].size != node->size - 1)
        return false;
    return operands_ok(node) && list_ok(policy, sums, node->names) &&
           list_ok(policy, sums, node->texts);
}

static bool nodes_ok(const struct guard_policy *policy, struct gd_patch_sums *sums,
                     struct gd_patch_range range)
{
    uint32_t next = sums->nodes;
    if (range.count == 0 || range.count > GUARD_PATCH_CONDITIONS_MAX ||
        !range_ok(range, &next, count_of(policy, GD_SECTION_CONDITIONS)))
        return false;
    struct depths depths = {.end = {next}, .count = 1};
    if (policy->patches.nodes[range.first].size != range.count)
        return false;
    for (; sums->nodes < next; sums->nodes++) {
        if (!node_ok(policy, sums, sums->nodes, &depths))
            return false;
    }
    return true;
}

bool gd_patch_entry_ok(const struct guard_policy *policy, struct gd_patch_sums *sums,
                       uint32_t index, uint32_t *cost)
{
    const struct gd_patch_entry *entry = &policy->patches.entries[index];
    *cost += entry->nodes.count;
    return index < GUARD_PATCHES_MAX && text_ok(policy, entry->id, GUARD_PATCH_ID_MAX) &&
           text_ok(policy, entry->title, GUARD_PATCH_TEXT_MAX) &&
           text_ok(policy, entry->fixed_in, GUARD_REVISION_MAX) &&
           entry->part <= GUARD_PATCH_RESPONSE && entry->mode <= GUARD_PATCH_ENFORCE &&
           entry->action <= GUARD_PATCH_BLOCK && list_ok(policy, sums, entry->endpoints) &&
           list_ok(policy, sums, entry->methods) && list_ok(policy, sums, entry->media) &&
           nodes_ok(policy, sums, entry->nodes);
}

bool gd_patch_pattern_ok(const struct guard_policy *policy, struct gd_patch_sums *sums,
                         uint32_t index, uint32_t *cost)
{
    const struct gd_patch_pattern *pattern = &policy->patches.patterns[index];
    (void)cost;
    return (index == 0 || pattern->id > policy->patches.patterns[index - 1].id) &&
           text_ok(policy, pattern->text, GUARD_PATCH_EXPRESSION_MAX) &&
           range_ok(pattern->patches, &sums->covers, count_of(policy, GD_SECTION_COVERS));
}

bool gd_patch_sums_ok(const struct guard_policy *policy, const struct gd_patch_sums *sums)
{
    const struct gd_policy_header *header = policy->header;
    const struct gd_patch_range always = policy->patches.always;
    uint32_t covers = sums->covers;
    return (header->patch_places[0] & ~(uint32_t)GUARD_PLACE_ALL) == 0 &&
           (header->patch_places[1] & ~(uint32_t)GUARD_PLACE_ALL) == 0 &&
           range_ok(always, &covers, count_of(policy, GD_SECTION_COVERS)) &&
           covers == count_of(policy, GD_SECTION_COVERS) &&
           sums->nodes == count_of(policy, GD_SECTION_CONDITIONS) &&
           sums->texts == count_of(policy, GD_SECTION_PATCH_TEXTS);
}
