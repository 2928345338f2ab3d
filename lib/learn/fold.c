/* SPDX-License-Identifier: Apache-2.0 */
/* Reading several cells as one. */
#include "learn/fold.h"

#include "base/arena.h"

static int compare_tags(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

/* The lowest `max` distinct values of two sorted lists, into `into`. */
static uint32_t unite_lowest(uint32_t *into, uint32_t count, const uint32_t *from,
                             uint32_t from_count, uint32_t max)
{
    uint32_t merged[GD_KMV];
    uint32_t len = 0, i = 0, j = 0;
    while (len < max && (i < count || j < from_count)) {
        int order = i == count ? 1 : j == from_count ? -1 : compare_tags(into[i], from[j]);
        merged[len++] = order <= 0 ? into[i] : from[j];
        i += order <= 0;
        j += order >= 0;
    }
    memcpy(into, merged, len * sizeof(*into));
    return len;
}

void gd_sum_add(struct gd_cell *into, const struct gd_cell *from)
{
    if (__builtin_add_overflow(into->count, from->count, &into->count))
        into->count = UINT64_MAX;
    into->epochs |= from->epochs;
    into->first_s = from->first_s < into->first_s ? from->first_s : into->first_s;
    into->trusted = into->trusted || from->trusted;
    into->review |= from->review;
    into->dropped = into->dropped || from->dropped;
    into->dropped_kinds |= from->dropped_kinds;
    into->tag_count = (uint8_t)unite_lowest(into->tags, into->tag_count, from->tags,
                                            from->tag_count, GD_TAGS_MAX);
}

static struct gd_cell sum_start(const struct gd_cell *cell)
{
    struct gd_cell sum = *cell;
    sum.epoch_counts = NULL;
    sum.client_tags = NULL;
    sum.client_count = 0;
    sum.parent = NULL;
    sum.scope = NULL;
    sum.children = NULL;
    sum.child_count = 0;
    sum.child_cap = 0;
    return sum;
}

static void sum_cells(struct gd_group *group)
{
    group->sum = sum_start(group->cells[0]);
    for (uint32_t i = 1; i < group->cell_count; i++)
        gd_sum_add(&group->sum, group->cells[i]);
}

enum guard_rc gd_group_init(struct gd_group *group, const struct gd_cell *cell,
                            struct guard_arena *arena)
{
    group->cells = gd_arena_get(arena, sizeof(*group->cells));
    if (group->cells == NULL)
        return GUARD_E_NOMEM;
    group->cells[0] = cell;
    group->cell_count = 1;
    sum_cells(group);
    return GUARD_OK;
}

enum guard_rc gd_group_join(struct gd_group *group, const struct gd_group *const *parts,
                            uint32_t count, struct guard_arena *arena)
{
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += parts[i]->cell_count;
    const struct gd_cell **cells = gd_arena_get(arena, total * sizeof(*cells));
    if (cells == NULL)
        return GUARD_E_NOMEM;
    size_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(cells + len, parts[i]->cells, parts[i]->cell_count * sizeof(*cells));
        len += parts[i]->cell_count;
    }
    group->cells = cells;
    group->cell_count = (uint32_t)len;
    sum_cells(group);
    return GUARD_OK;
}

static int compare_cells(const struct gd_cell *a, const struct gd_cell *b)
{
    if (a->code != b->code)
        return a->code < b->code ? -1 : 1;
    return (a->location > b->location) - (a->location < b->location);
}

static int order_cells(const void *left, const void *right)
{
    return compare_cells(*(const struct gd_cell *const *)left,
                         *(const struct gd_cell *const *)right);
}

/* Cells of one code and location stand together: each run becomes a group that borrows its part of
 * the list. */
static uint32_t split_runs(struct gd_group *groups, const struct gd_cell **cells, uint32_t count)
{
    uint32_t len = 0;
    for (uint32_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && compare_cells(cells[i], cells[end]) == 0; end++)
            continue;
        groups[len] = (struct gd_group){.cells = cells + i, .cell_count = end - i};
        sum_cells(&groups[len++]);
    }
    return len;
}

enum guard_rc gd_group_children(struct gd_groups *out, const struct gd_group *parent,
                                enum gd_kind kind, struct guard_arena *arena)
{
    *out = (struct gd_groups){NULL, 0};
    uint32_t total = 0;
    for (uint32_t i = 0; i < parent->cell_count; i++) {
        uint32_t count = 0;
        (void)gd_cell_children(parent->cells[i], kind, &count);
        total += count;
    }
    if (total == 0)
        return GUARD_OK;
    const struct gd_cell **cells = gd_arena_get(arena, total * sizeof(*cells));
    struct gd_group *groups = gd_arena_get(arena, total * sizeof(*groups));
    if (cells == NULL || groups == NULL)
        return GUARD_E_NOMEM;
    uint32_t len = 0;
    for (uint32_t i = 0; i < parent->cell_count; i++) {
        uint32_t count = 0;
        struct gd_cell **children = gd_cell_children(parent->cells[i], kind, &count);
        for (uint32_t j = 0; j < count; j++)
            cells[len++] = children[j];
    }
    if (parent->cell_count > 1)
        gd_sort(cells, sizeof(*cells), total, order_cells);
    *out = (struct gd_groups){groups, split_runs(groups, cells, total)};
    return GUARD_OK;
}

void gd_group_epochs(const struct gd_group *group, uint64_t counts[GD_EPOCHS_MAX])
{
    for (uint32_t i = 0; i < group->cell_count; i++) {
        const uint64_t *from = group->cells[i]->epoch_counts;
        for (uint32_t epoch = 0; from != NULL && epoch < GD_EPOCHS_MAX; epoch++)
            counts[epoch] += from[epoch];
    }
}

uint32_t gd_cells_clients(const struct gd_cell *const *cells, uint32_t count)
{
    uint32_t tags[GD_KMV];
    struct gd_cell sum = {.kind = GD_KIND_NAME, .client_tags = tags};
    for (uint32_t i = 0; i < count; i++) {
        if (cells[i]->client_tags != NULL)
            sum.client_count = unite_lowest(tags, sum.client_count, cells[i]->client_tags,
                                            cells[i]->client_count, GD_KMV);
    }
    return gd_cell_clients(&sum);
}

static void swap_bytes(uint8_t *a, uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

static void sift(uint8_t *items, size_t size, size_t root, size_t count, gd_order order)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && order(items + child * size, items + (child + 1) * size) < 0)
            child++;
        if (order(items + root * size, items + child * size) >= 0)
            return;
        swap_bytes(items + root * size, items + child * size, size);
    }
}

void gd_sort(void *items, size_t size, size_t count, gd_order order)
{
    uint8_t *bytes = items;
    for (size_t i = count / 2; i-- > 0;)
        sift(bytes, size, i, count, order);
    for (size_t end = count; end > 1; end--) {
        swap_bytes(bytes, bytes + (end - 1) * size, size);
        sift(bytes, size, 0, end - 1, order);
    }
}

static int order_tags(const void *left, const void *right)
{
    return compare_tags(*(const uint32_t *)left, *(const uint32_t *)right);
}

void gd_sort_tags(uint32_t *tags, size_t count)
{
    gd_sort(tags, sizeof(*tags), count, order_tags);
}
