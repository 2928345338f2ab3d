/* SPDX-License-Identifier: Apache-2.0 */
/* Reading cells, and adding one cell's values to another's. */
#include "learn/cell.h"

#include "learn/tree.h"
#include "sketch/kmv.h"

_Static_assert((int)GD_KMV <= (int)GD_BOTTOM_MAX && (int)GD_TAGS_MAX <= (int)GD_BOTTOM_MAX,
               "sketch sizes");

uint32_t gd_cell_weight(const struct gd_cell *cell)
{
    uint32_t weight = 0;
    for (uint32_t i = 0; i < cell->tag_count; i++)
        weight += (cell->tags[i] & 1) != 0 ? GD_WEIGHT_STRONG : GD_WEIGHT_WEAK;
    return weight < GD_TAGS_MAX ? weight : GD_TAGS_MAX;
}

uint32_t gd_cell_clients(const struct gd_cell *cell)
{
    return cell->client_tags == NULL
               ? 0
               : gd_bottom_estimate(cell->client_tags, cell->client_count, GD_KMV);
}

/* First child whose kind is not below. */
static uint32_t lower_bound(const struct gd_cell *parent, uint32_t kind)
{
    uint32_t low = 0, high = parent->child_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (parent->children[middle]->kind < kind)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct gd_cell **gd_cell_children(const struct gd_cell *parent, enum gd_kind kind, uint32_t *count)
{
    uint32_t first = lower_bound(parent, (uint32_t)kind);
    *count = lower_bound(parent, (uint32_t)kind + 1) - first;
    return *count == 0 ? NULL : parent->children + first;
}

struct gd_cell *gd_cell_find(const struct gd_cell *parent, enum gd_kind kind, uint8_t location,
                             uint64_t code)
{
    uint32_t count;
    struct gd_cell **children = gd_cell_children(parent, kind, &count);
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (children[middle]->code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && children[low]->code == code && children[low]->location == location
               ? children[low]
               : NULL;
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint32_t map_epochs(uint32_t epochs, const uint8_t map[GD_EPOCHS_MAX])
{
    uint32_t mapped = 0;
    for (; epochs != 0; epochs &= epochs - 1)
        mapped |= UINT32_C(1) << map[__builtin_ctz(epochs)];
    return mapped;
}

/* A record is counted in an epoch whose bit the cell has. */
static void add_epoch_counts(uint64_t into[GD_EPOCHS_MAX], const uint64_t from[GD_EPOCHS_MAX],
                             uint32_t epochs, const uint8_t map[GD_EPOCHS_MAX])
{
    for (; epochs != 0; epochs &= epochs - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(epochs);
        into[map[i]] = add_saturating(into[map[i]], from[i]);
    }
}

uint32_t gd_cell_seconds(uint64_t time_ms)
{
    uint64_t seconds = time_ms / 1000;
    return seconds < GD_FIRST_NONE ? (uint32_t)seconds : GD_FIRST_NONE - 1;
}

void gd_cell_unite(struct gd_cell *into, const struct gd_cell *from,
                   const uint8_t map[GD_EPOCHS_MAX])
{
    into->dropped = into->dropped || from->dropped;
    into->dropped_kinds |= from->dropped_kinds;
    into->count = add_saturating(into->count, from->count);
    into->epochs |= map_epochs(from->epochs, map);
    into->first_s = from->first_s < into->first_s ? from->first_s : into->first_s;
    if (into->epoch_counts == NULL) {
        into->tag_count = (uint8_t)gd_bottom_unite(into->tags, into->tag_count, GD_TAGS_MAX,
                                                   from->tags, from->tag_count);
        return;
    }
    add_epoch_counts(into->epoch_counts, from->epoch_counts, from->epochs, map);
    into->client_count = gd_bottom_unite(into->client_tags, into->client_count, GD_KMV,
                                         from->client_tags, from->client_count);
    /* The lowest of them are its tags. */
    into->tag_count =
        (uint8_t)(into->client_count < GD_TAGS_MAX ? into->client_count : (uint32_t)GD_TAGS_MAX);
    memcpy(into->tags, into->client_tags, into->tag_count * sizeof(into->tags[0]));
}

/* Where the bits of each byte of an epoch set go. */
struct epoch_bytes {
    uint32_t sets[4][256];
};

static void epoch_bytes_init(struct epoch_bytes *bytes, const uint8_t map[GD_EPOCHS_MAX])
{
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t byte = 0; byte < 256; byte++)
            bytes->sets[i][byte] = map_epochs(byte << (8 * i), map);
    }
}

static void remap_counts(struct gd_cell *cell, uint32_t epochs, const uint8_t map[GD_EPOCHS_MAX])
{
    uint64_t old[GD_EPOCHS_MAX];
    memcpy(old, cell->epoch_counts, sizeof(old));
    memset(cell->epoch_counts, 0, sizeof(old));
    add_epoch_counts(cell->epoch_counts, old, epochs, map);
}

static uint32_t remap_bits(const struct epoch_bytes *bytes, uint32_t epochs)
{
    return bytes->sets[0][epochs & 255] | bytes->sets[1][epochs >> 8 & 255] |
           bytes->sets[2][epochs >> 16 & 255] | bytes->sets[3][epochs >> 24];
}

/* Most cells have nothing below them and are far apart in memory. */
static void remap_below(struct gd_cell *cell, const struct epoch_bytes *bytes,
                        const uint8_t map[GD_EPOCHS_MAX])
{
    enum { AHEAD = 8 };
    const uint32_t epochs = cell->epochs;
    cell->epochs = remap_bits(bytes, epochs);
    if (cell->epoch_counts != NULL)
        remap_counts(cell, epochs, map);
    for (uint32_t i = 0; i < cell->child_count; i++) {
        if (i + AHEAD < cell->child_count)
            __builtin_prefetch(cell->children[i + AHEAD], 1);
        struct gd_cell *child = cell->children[i];
        if (gd_kind_scope((enum gd_kind)child->kind))
            remap_below(child, bytes, map);
        else
            child->epochs = remap_bits(bytes, child->epochs);
    }
}

void gd_tree_remap(struct gd_cell *root, const uint8_t map[GD_EPOCHS_MAX])
{
    struct epoch_bytes bytes;
    epoch_bytes_init(&bytes, map);
    remap_below(root, &bytes, map);
}
