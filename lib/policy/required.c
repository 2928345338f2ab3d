/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of the fields that must be there: of objects, of endpoints, of the service, in this order.
 */
#include "policy/plan.h"

static bool is_required(const struct gd_policy_field *field)
{
    return (field->flags & GD_FIELD_REQUIRED) && field->location != GUARD_LOCATION_PATH;
}

static struct gd_policy_range *owner_range(struct gd_plan *plan,
                                           const struct gd_policy_field *field,
                                           struct gd_policy_range *service)
{
    if (field->flags & GD_FIELD_MEMBER)
        return &gd_plan_field(plan, field->owner)->required;
    if (field->owner == GD_POLICY_NONE)
        return service;
    return &((struct gd_policy_endpoint *)(void *)plan->sections[GD_SECTION_ENDPOINTS]
                 .ptr)[field->owner]
                .required;
}

static void range_place(struct gd_policy_range *range, uint32_t *next)
{
    range->first = *next;
    *next += range->count;
    range->count = 0;
}

enum guard_rc gd_plan_required(struct gd_plan *plan, struct gd_policy_range *service)
{
    uint32_t fields = plan->sections[GD_SECTION_FIELDS].count;
    uint32_t total = 0;
    *service = (struct gd_policy_range){0, 0};
    for (uint32_t i = 0; i < fields; i++)
        gd_plan_field(plan, i)->required = (struct gd_policy_range){0, 0};
    for (uint32_t i = 0; i < fields; i++) {
        if (is_required(gd_plan_field(plan, i))) {
            owner_range(plan, gd_plan_field(plan, i), service)->count++;
            total++;
        }
    }
    struct gd_vector *section = &plan->sections[GD_SECTION_REQUIRED];
    uint32_t *lists = gd_vector_add(section, total);
    if (total > 0 && lists == NULL)
        return section->rc;
    uint32_t next = 0;
    for (uint32_t i = 0; i < fields; i++) {
        struct gd_policy_field *field = gd_plan_field(plan, i);
        if (field->required.count > 0 || field->shadow != GD_POLICY_NONE)
            field->flags |= GD_FIELD_COUNTS;
        range_place(&field->required, &next);
    }
    struct gd_policy_endpoint *endpoints = (void *)plan->sections[GD_SECTION_ENDPOINTS].ptr;
    for (uint32_t i = 0; i < plan->sections[GD_SECTION_ENDPOINTS].count; i++)
        range_place(&endpoints[i].required, &next);
    range_place(service, &next);
    for (uint32_t i = 0; i < fields; i++) {
        if (!is_required(gd_plan_field(plan, i)))
            continue;
        struct gd_policy_range *range = owner_range(plan, gd_plan_field(plan, i), service);
        lists[range->first + range->count++] = i;
    }
    return GUARD_OK;
}
