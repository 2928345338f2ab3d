/* SPDX-License-Identifier: Apache-2.0 */
/* See epochs.h. */
#include "learn/epochs.h"

#include "sketch/kmv.h"

/* All epochs of two tables on their way into one. */
struct draft {
    struct gd_epoch epoch;
    uint8_t *slot; /* of the map that wants to know where it ended */
};

static int compare(const struct gd_epoch *a, const struct gd_epoch *b)
{
    if (a->tier != b->tier)
        return a->tier < b->tier ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static void sort(struct draft *drafts, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct draft draft = drafts[i];
        uint32_t at = i;
        for (; at > 0 && compare(&drafts[at - 1].epoch, &draft.epoch) > 0; at--)
            drafts[at] = drafts[at - 1];
        drafts[at] = draft;
    }
}

/* Moves all but the newest `keep` distinct epochs of a tier to the tier before. */
static void fold(struct draft *drafts, uint32_t count, enum gd_tier tier, uint32_t keep)
{
    uint32_t distinct = 0;
    for (uint32_t i = count; i-- > 0;) {
        struct gd_epoch *epoch = &drafts[i].epoch;
        if (epoch->tier != tier)
            continue;
        bool same = i + 1 < count && compare(epoch, &drafts[i + 1].epoch) == 0;
        distinct += !same;
        if (distinct <= keep)
            continue;
        /* drafts[i + 1] is still in this tier or was folded together with an equal one: walk on
         * without it. */
        for (uint32_t older = 0; older <= i; older++) {
            struct gd_epoch *other = &drafts[older].epoch;
            if (other->tier == tier) {
                other->tier = (uint8_t)(tier - 1);
                other->id = tier == GD_TIER_FINE ? other->id / (GD_SUBS * GD_DAY_SLOTS) : 0;
            }
        }
        break;
    }
    sort(drafts, count);
}

void gd_epochs_unite(struct gd_epochs *into, const struct gd_epochs *from,
                     uint8_t into_map[GD_EPOCHS_MAX], uint8_t from_map[GD_EPOCHS_MAX])
{
    struct draft drafts[2 * GD_EPOCHS_MAX];
    uint32_t count = 0;
    memset(into_map, 0, GD_EPOCHS_MAX);
    memset(from_map, 0, GD_EPOCHS_MAX);
    for (uint32_t i = 0; i < into->count; i++)
        drafts[count++] = (struct draft){into->items[i], &into_map[i]};
    for (uint32_t i = 0; i < from->count; i++)
        drafts[count++] = (struct draft){from->items[i], &from_map[i]};
    sort(drafts, count);
    fold(drafts, count, GD_TIER_FINE, GD_EPOCHS_FINE);
    fold(drafts, count, GD_TIER_DAY, GD_EPOCHS_DAYS);
    into->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && compare(&drafts[i - 1].epoch, &drafts[i].epoch) == 0) {
            struct gd_epoch *last = &into->items[into->count - 1];
            last->tag_count =
                (uint8_t)gd_bottom_unite(last->tags, last->tag_count, GD_TAGS_MAX,
                                         drafts[i].epoch.tags, drafts[i].epoch.tag_count);
        } else {
            into->items[into->count++] = drafts[i].epoch;
        }
        *drafts[i].slot = (uint8_t)(into->count - 1);
    }
}

static bool closed(const struct gd_epochs *epochs, const struct gd_cell *root, uint32_t index)
{
    const struct gd_epoch *epoch = &epochs->items[index];
    uint64_t sub = epoch->id % GD_SUBS;
    struct gd_cell units = {.tag_count = epoch->tag_count};
    memcpy(units.tags, epoch->tags, sizeof(units.tags));
    return sub + 1 < GD_SUBS && epochs->count < GD_SUB_EPOCHS_MAX &&
           root->epoch_counts[index] >= (uint64_t)GD_SUB_RECORDS << sub &&
           gd_cell_weight(&units) >= GD_SUB_WEIGHT;
}

struct gd_epoch gd_epoch_of(const struct gd_epochs *epochs, const struct gd_cell *root,
                            uint64_t time_ms)
{
    uint64_t slot = time_ms / GD_EPOCH_MS;
    struct gd_epoch epoch = {.id = slot * GD_SUBS, .tier = GD_TIER_FINE};
    for (uint32_t i = epochs->count; i-- > 0;) {
        const struct gd_epoch *held = &epochs->items[i];
        if (held->tier != GD_TIER_FINE || held->id / GD_SUBS < slot)
            break;
        if (held->id / GD_SUBS == slot) {
            epoch.id = held->id + closed(epochs, root, i);
            break;
        }
    }
    return epoch;
}

uint32_t gd_epochs_find(const struct gd_epochs *epochs, const struct gd_epoch *epoch)
{
    for (uint32_t i = epochs->count; i-- > 0;) {
        if (compare(&epochs->items[i], epoch) == 0)
            return i;
    }
    return GD_EPOCHS_MAX;
}
