/* SPDX-License-Identifier: Apache-2.0 */
/* See taint.h. */
#include "learn/taint.h"

#include "base/arena.h"

static enum guard_rc find(struct gd_suspects *out, const struct gd_draft *draft,
                          const struct gd_group *name, const struct gd_review_spot *spot)
{
    const struct gd_trust *trust = &draft->meter.trust;
    struct gd_groups likeness, classes;
    *out = (struct gd_suspects){.bound = UINT32_MAX};
    GUARD_TRY(gd_group_children(&likeness, name, GD_KIND_LIKENESS, draft->arena));
    gd_review_mark(trust->review, spot, GUARD_REVIEW_LIKENESS, &likeness);
    gd_review_drop_accepted(&likeness);
    if (likeness.count == 0)
        return GUARD_OK;
    GUARD_TRY(gd_group_children(&classes, name, GD_KIND_CLASS, draft->arena));
    return gd_suspects_find(out, trust, name, &likeness, &classes, draft->arena);
}

enum guard_rc gd_taint_name(struct gd_suspects *out, const struct gd_draft *draft,
                            const struct gd_group *name, const struct gd_review_spot *spot,
                            const struct gd_suspects *endpoint)
{
    struct gd_cell rest = name->sum;
    GUARD_TRY(find(out, draft, name, spot));
    out->also = endpoint;
    out->attackers = &draft->attackers;
    rest.review = 0;
    (void)gd_suspects_leave(out, &rest);
    if ((name->sum.review & GD_REVIEW_ACCEPTED) != 0 && !gd_supported(&draft->meter.trust, &rest))
        *out = (struct gd_suspects){.bound = UINT32_MAX};
    return GUARD_OK;
}

/* What has no support says nothing of who sent it: encrypted bodies are read as names and values by
 * chance. As deep as trees are. */
static enum guard_rc add_names(struct gd_suspects *all, const struct gd_draft *draft,
                               const struct gd_groups *names, const struct gd_review_spot *above)
{
    for (uint32_t i = 0; i < names->count; i++) {
        const struct gd_group *name = &names->items[i];
        struct gd_review_spot spot;
        struct gd_suspects suspects;
        struct gd_groups members;
        if (!gd_trusted(&draft->meter.trust, &name->sum))
            continue;
        GUARD_TRY(gd_review_field_spot(&spot, draft->meter.trust.review, above, &name->sum));
        GUARD_TRY(find(&suspects, draft, name, &spot));
        GUARD_TRY(gd_suspects_join(all, NULL, &suspects, draft->arena));
        GUARD_TRY(gd_group_children(&members, name, GD_KIND_NAME, draft->arena));
        GUARD_TRY(add_names(all, draft, &members, &spot));
    }
    return GUARD_OK;
}

enum guard_rc gd_taint_endpoint(struct gd_suspects *out, const struct gd_draft *draft,
                                const struct gd_draft_endpoint *endpoint)
{
    *out = (struct gd_suspects){.bound = UINT32_MAX};
    GUARD_TRY(add_names(out, draft, &endpoint->kinds[GD_KIND_NAME], &endpoint->spot));
    if (!gd_suspects_few(out, endpoint->place.exposure.clients))
        out->count = 0;
    return GUARD_OK;
}

/* Who attacked anywhere, and who at several places: one odd address is typed by anybody. */
struct gathering {
    struct gd_draft *draft;
    struct gd_suspects all, again;
};

static enum guard_rc gather(struct gathering *gathering, const struct gd_suspects *of_place)
{
    return gd_suspects_join(&gathering->all, &gathering->again, of_place, gathering->draft->arena);
}

/* Names of which nothing is known but that they were sent. As deep as trees are. */
static enum guard_rc gather_below(struct gathering *gathering, const struct gd_cell *cell)
{
    if (cell->kind == GD_KIND_NAME) {
        const struct gd_review_spot nowhere = {.silent = true};
        struct gd_suspects suspects;
        struct gd_group name;
        GUARD_TRY(gd_group_init(&name, cell, gathering->draft->arena));
        GUARD_TRY(find(&suspects, gathering->draft, &name, &nowhere));
        GUARD_TRY(gather(gathering, &suspects));
    }
    for (uint32_t i = 0; i < cell->child_count; i++) {
        if (cell->children[i]->kind <= GD_KIND_NAME)
            GUARD_TRY(gather_below(gathering, cell->children[i]));
    }
    return GUARD_OK;
}

static enum guard_rc gather_group(struct gathering *gathering, const struct gd_group *group)
{
    for (uint32_t i = 0; i < group->cell_count; i++)
        GUARD_TRY(gather_below(gathering, group->cells[i]));
    return GUARD_OK;
}

static enum guard_rc gather_headers(struct gathering *gathering)
{
    struct gd_draft *draft = gathering->draft;
    const struct gd_review_spot whole = {.status = 0};
    struct gd_groups names;
    GUARD_TRY(gd_group_children(&names, &draft->service, GD_KIND_NAME, draft->arena));
    for (uint32_t i = 0; i < names.count; i++) {
        struct gd_suspects suspects = {.bound = UINT32_MAX};
        const struct gd_groups one = {&names.items[i], 1};
        GUARD_TRY(add_names(&suspects, draft, &one, &whole));
        GUARD_TRY(gather(gathering, &suspects));
    }
    return GUARD_OK;
}

enum guard_rc gd_taint_service(struct gd_draft *draft)
{
    struct gathering gathering = {draft, {.bound = UINT32_MAX}, {.bound = UINT32_MAX}};
    GUARD_TRY(gather_headers(&gathering));
    for (const struct gd_template *node = draft->templates.root; node != NULL; node = node->next) {
        for (uint32_t i = 0; i < node->pending.count; i++)
            GUARD_TRY(gather_group(&gathering, &node->pending.items[i]));
    }
    for (const struct gd_draft_endpoint *at = draft->endpoints; at != NULL; at = at->next) {
        if (at->trusted)
            GUARD_TRY(gather(&gathering, &at->suspects));
        else
            GUARD_TRY(gather_group(&gathering, &at->group));
    }
    if (!gd_suspects_few(&gathering.all, draft->service_place.exposure.clients))
        return GUARD_OK;
    draft->attackers = gathering.again;
    return GUARD_OK;
}
