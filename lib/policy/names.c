/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the table of names: open addressing in which every name lies within GD_POLICY_PROBES slots
 * of its place, so that a lookup is bounded whatever a client asks for. */
#include "policy/plan.h"
#include "policy/policy.h"

enum { SEEDS = 16, SLOTS_MAX = 1 << 22 };

struct table {
    struct gd_plan *plan;
    struct gd_policy_slot *slots;
    uint32_t mask;
    uint64_t seed;
};

static struct guard_span slot_text(const struct gd_plan *plan, uint32_t kind, uint32_t value)
{
    struct gd_policy_text text;
    if (kind == GD_KEY_NODE)
        text = ((const struct gd_policy_node *)(const void *)plan->sections[GD_SECTION_NODES]
                    .ptr)[value]
                   .text;
    else
        text = gd_plan_field(plan, value)->name;
    return gd_span(plan->sections[GD_SECTION_STRINGS].ptr + text.offset, text.len);
}

/* GUARD_E_LIMIT: the probe sequence is full. */
static enum guard_rc insert(struct table *table, uint32_t owner, uint32_t kind, uint32_t value)
{
    struct guard_span name = slot_text(table->plan, kind, value);
    struct gd_policy_key key = gd_policy_key(owner, kind, name);
    uint32_t at = gd_policy_slot_of(&key, table->seed);
    for (uint32_t probe = 0; probe < GD_POLICY_PROBES; probe++) {
        struct gd_policy_slot *slot = &table->slots[(at + probe) & table->mask];
        if (slot->tag == 0) {
            uint32_t offset =
                kind == GD_KEY_NODE ? 0 : value * (uint32_t)sizeof(struct gd_policy_field);
            *slot = (struct gd_policy_slot){key.low, key.high, key.tag, value, offset};
            return GUARD_OK;
        }
        if (slot->tag == key.tag && slot->low == key.low && slot->high == key.high &&
            gd_span_equal(slot_text(table->plan, kind, slot->value), name))
            return guard_fail(table->plan->err, GUARD_E_RANGE, "\"%.*s\" is there twice",
                              (int)name.len, (const char *)name.ptr);
    }
    return GUARD_E_LIMIT;
}

static enum guard_rc fill(struct table *table)
{
    struct gd_plan *plan = table->plan;
    const struct gd_policy_node *nodes = (const void *)plan->sections[GD_SECTION_NODES].ptr;
    for (uint32_t i = 1; i < plan->sections[GD_SECTION_NODES].count; i++) {
        if (!(nodes[i].flags & GD_NODE_WILDCARD))
            GUARD_TRY(insert(table, nodes[i].parent, GD_KEY_NODE, i));
    }
    for (uint32_t i = 0; i < plan->sections[GD_SECTION_FIELDS].count; i++) {
        const struct gd_policy_field *field = gd_plan_field(plan, i);
        uint32_t kind = field->flags & GD_FIELD_MEMBER ? GD_KEY_MEMBER : field->location;
        GUARD_TRY(insert(table, field->owner, kind, i));
    }
    return GUARD_OK;
}

enum guard_rc gd_plan_names(struct gd_plan *plan, uint64_t *seed)
{
    struct gd_vector *section = &plan->sections[GD_SECTION_SLOTS];
    uint32_t names =
        plan->sections[GD_SECTION_NODES].count + plan->sections[GD_SECTION_FIELDS].count;
    uint32_t slots = 8;
    while (slots < 2 * names)
        slots *= 2;
    for (; slots <= SLOTS_MAX; slots *= 2) {
        section->count = 0;
        struct table table = {.plan = plan, .mask = slots - 1};
        table.slots = gd_vector_add(section, slots);
        if (table.slots == NULL)
            return section->rc;
        for (uint64_t attempt = 1; attempt <= SEEDS; attempt++) {
            table.seed = *seed = attempt * UINT64_C(0xd6e8feb86659fd93);
            enum guard_rc rc = fill(&table);
            if (rc != GUARD_E_LIMIT)
                return rc;
            memset(table.slots, 0, (size_t)slots * sizeof(*table.slots));
        }
    }
    return GUARD_E_LIMIT;
}
