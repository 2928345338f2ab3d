/* SPDX-License-Identifier: Apache-2.0 */
/* See share.h. A cell counts for each of its clients, fewer than D, so that at most HOLDERS of them
 * have an eighth of a table; counters for as many find them all (Misra and Gries 1982). */
#include "learn/share.h"

enum {
    SHARES = 8,
    CLIENTS_OVERFLOW = GD_TAGS_MAX / GD_WEIGHT_STRONG,
    HOLDERS = SHARES * (CLIENTS_OVERFLOW - 1)
};

struct holder {
    uint32_t tag;
    uint32_t cells;
};

/* Fewer than D clients vouch for the cell, and nobody else. */
static bool held_by_few(const struct gd_cell *cell)
{
    bool strong = cell->tag_count < CLIENTS_OVERFLOW;
    for (uint32_t i = 0; strong && i < cell->tag_count; i++)
        strong = (cell->tags[i] & 1) != 0;
    return strong;
}

static bool held_by(const struct gd_cell *cell, uint32_t tag)
{
    bool found = false;
    for (uint32_t i = 0; i < cell->tag_count && i < CLIENTS_OVERFLOW - 1; i++)
        found = found || cell->tags[i] == tag;
    return found && held_by_few(cell);
}

static uint32_t table_size(const struct gd_cell *parent, enum gd_kind kind)
{
    return parent->scope->first[kind + 1] - parent->scope->first[kind];
}

static struct gd_cell *const *table(const struct gd_cell *parent, enum gd_kind kind)
{
    return parent->children + parent->scope->first[kind];
}

static uint32_t count_held(const struct gd_cell *parent, enum gd_kind kind, uint32_t tag)
{
    uint32_t count = 0, size = table_size(parent, kind);
    for (uint32_t i = 0; i < size; i++)
        count += held_by(table(parent, kind)[i], tag);
    return count;
}

static void note(struct holder holders[HOLDERS], uint32_t tag)
{
    struct holder *unused = NULL;
    for (uint32_t i = 0; i < HOLDERS; i++) {
        if (holders[i].cells > 0 && holders[i].tag == tag) {
            holders[i].cells++;
            return;
        }
        if (holders[i].cells == 0)
            unused = &holders[i];
    }
    if (unused != NULL) {
        *unused = (struct holder){tag, 1};
        return;
    }
    for (uint32_t i = 0; i < HOLDERS; i++)
        holders[i].cells--;
}

static uint32_t share_of(uint32_t size)
{
    return size / SHARES > 0 ? size / SHARES : 1;
}

/* The client that holds most cells; *count says how many clients have their share. */
static struct holder largest(const struct gd_cell *parent, enum gd_kind kind, uint32_t *count)
{
    struct holder holders[HOLDERS] = {{0, 0}}, most = {0, 0};
    uint32_t size = table_size(parent, kind);
    for (uint32_t i = 0; i < size; i++) {
        const struct gd_cell *cell = table(parent, kind)[i];
        for (uint32_t j = 0; held_by_few(cell) && j < cell->tag_count; j++)
            note(holders, cell->tags[j]);
    }
    *count = 0;
    for (uint32_t i = 0; i < HOLDERS; i++) {
        if (holders[i].cells == 0)
            continue;
        holders[i].cells = count_held(parent, kind, holders[i].tag);
        *count += holders[i].cells >= share_of(size);
        if (holders[i].cells > most.cells)
            most = holders[i];
    }
    return most;
}

bool gd_share_exceeded(const struct gd_cell *parent, enum gd_kind kind, uint32_t tag)
{
    return (tag & 1) != 0 && count_held(parent, kind, tag) >= share_of(table_size(parent, kind));
}

bool gd_share_room(struct gd_tree *tree, struct gd_cell *parent, enum gd_kind kind, uint32_t tag,
                   uint32_t stamp, bool *refused)
{
    uint32_t count, size = table_size(parent, kind);
    *refused = false;
    if ((parent->dropped_kinds >> kind & 1) != 0)
        return false;
    struct holder most = largest(parent, kind, &count);
    if (count >= CLIENTS_OVERFLOW)
        return false;
    *refused = gd_share_exceeded(parent, kind, tag);
    if (*refused || most.cells <= share_of(size))
        return false;
    for (uint32_t i = size; i-- > 0;) {
        struct gd_cell *cell = table(parent, kind)[i];
        if (!held_by(cell, most.tag) || cell->trusted ||
            (cell->scope != NULL && cell->stamp == stamp))
            continue;
        gd_tree_remove(tree, cell);
        return true;
    }
    return false;
}
