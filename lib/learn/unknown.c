/* SPDX-License-Identifier: Apache-2.0 */
/* See unknown.h. */
#include "learn/unknown.h"

#include "base/arena.h"

static enum guard_rc measure_name(struct gd_draft *draft, const struct gd_cell *name,
                                  uint32_t owner, const struct gd_suspects *endpoint)
{
    struct gd_group group;
    struct gd_groups likeness, classes;
    struct gd_suspects suspects;
    uint32_t count;
    /* What reads like nothing are trials. */
    bool reads = gd_cell_children(name, GD_KIND_LIKENESS, &count) != NULL;
    if (draft->unknown_count >= (reads ? 2 * GD_UNKNOWN_MAX : GD_UNKNOWN_MAX))
        return GUARD_OK;
    struct gd_place *place = gd_arena_get(draft->arena, sizeof(*place));
    if (place == NULL)
        return GUARD_E_NOMEM;
    memset(place, 0, sizeof(*place));
    GUARD_TRY(gd_group_init(&group, name, draft->arena));
    GUARD_TRY(gd_group_children(&likeness, &group, GD_KIND_LIKENESS, draft->arena));
    GUARD_TRY(gd_group_children(&classes, &group, GD_KIND_CLASS, draft->arena));
    GUARD_TRY(gd_suspects_find(&suspects, &draft->meter.trust, &group, &likeness, &classes,
                               draft->arena));
    suspects.also = endpoint;
    suspects.attackers = &draft->attackers;
    gd_suspects_leave_all(&suspects, &likeness);
    gd_exposure_init(&place->exposure, name->epoch_counts, gd_cell_clients(name));
    place->unknown = true;
    place->owner = owner;
    place->order = ++draft->place_count;
    draft->unknown_count++;
    return gd_measure_set(&draft->meter, place, GUARD_RULE_LIKENESS, &likeness, NULL, 1);
}

/* As deep as trees are. */
static enum guard_rc measure_below(struct gd_draft *draft, const struct gd_cell *cell,
                                   uint32_t owner, const struct gd_suspects *endpoint)
{
    if (cell->kind == GD_KIND_NAME)
        GUARD_TRY(measure_name(draft, cell, owner, endpoint));
    for (uint32_t i = 0; i < cell->child_count; i++) {
        if (cell->children[i]->kind <= GD_KIND_NAME)
            GUARD_TRY(measure_below(draft, cell->children[i], owner, endpoint));
    }
    return GUARD_OK;
}

enum guard_rc gd_unknown_measure(struct gd_draft *draft, const struct gd_group *group,
                                 uint32_t owner, const struct gd_suspects *endpoint)
{
    for (uint32_t i = 0; i < group->cell_count; i++)
        GUARD_TRY(measure_below(draft, group->cells[i], owner, endpoint));
    return GUARD_OK;
}
