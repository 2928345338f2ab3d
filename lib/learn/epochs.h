/* SPDX-License-Identifier: Apache-2.0 */
/* The epochs that a pile tells apart: the newest ones by themselves, older ones by day, the rest as
 * one. Which epochs stand alone follows from the set of all epochs, so folding gives the same
 * whatever the order in which piles were merged. */
#ifndef GD_LEARN_EPOCHS_H
#define GD_LEARN_EPOCHS_H

#include "learn/cell.h"

enum gd_tier { GD_TIER_PAST = 0, GD_TIER_DAY = 1, GD_TIER_FINE = 2 };

enum {
    GD_EPOCH_MS = 3 * 60 * 60 * 1000, /* a slot of time */
    GD_DAY_SLOTS = 8,
    GD_SUBS = 8, /* epochs that evidence may close within a slot */
    GD_EPOCHS_FINE = 16,
    GD_EPOCHS_DAYS = 15,
    GD_SUB_RECORDS = 64,   /* that close the first epoch of a slot; doubles with each */
    GD_SUB_WEIGHT = 8,     /* of the units that sent them */
    GD_SUB_EPOCHS_MAX = 16 /* evidence closes epochs only while there are fewer in all */
};

/* id: FINE: slot * GD_SUBS + sub; DAY: slot / GD_DAY_SLOTS; PAST: 0. */
struct gd_epoch {
    uint64_t id;
    uint8_t tier;
    uint8_t tag_count;
    uint32_t tags[GD_TAGS_MAX]; /* the lowest of the units that were learned from in it */
};

/* Sorted by (tier, id): oldest first. */
struct gd_epochs {
    uint32_t count;
    struct gd_epoch items[GD_EPOCHS_MAX];
};

/* Adds `from` to `into` and folds what doesn't fit. The maps tell the new index of each old epoch
 * of both. */
void gd_epochs_unite(struct gd_epochs *into, const struct gd_epochs *from,
                     uint8_t into_map[GD_EPOCHS_MAX], uint8_t from_map[GD_EPOCHS_MAX]);
/* The epoch of a record: of its own slot, the newest in it, or the next one if evidence closed that
 * (root: counts of learned records). 0 = no time. */
struct gd_epoch gd_epoch_of(const struct gd_epochs *epochs, const struct gd_cell *root,
                            uint64_t time_ms);
/* Index of the epoch, GD_EPOCHS_MAX when it isn't there. */
uint32_t gd_epochs_find(const struct gd_epochs *epochs, const struct gd_epoch *epoch);

#endif
