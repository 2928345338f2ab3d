/* SPDX-License-Identifier: Apache-2.0 */
/* See screen.h. Tags are the lowest of all units that did something, so whether one with a low tag
 * did something else, too, can be read off two lists. */
#include "learn/screen.h"

#include <guard/traffic.h>

#include "base/arena.h"
#include "learn/review.h"

enum { TEXT_SHARE = 8, USERS_SHARE = 8 };

/* Blanks, and letters of scripts that are written without. */
static bool is_of_text(uint64_t cls)
{
    return cls == GUARD_CLASS_SPACE || cls == GUARD_CLASS_BREAK || cls == GUARD_CLASS_INDIC ||
           cls == GUARD_CLASS_CJK || cls == GUARD_CLASS_HANGUL;
}

static uint64_t records_of(const struct gd_groups *elements)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < elements->count; i++) {
        if (__builtin_add_overflow(sum, elements->items[i].sum.count, &sum))
            return UINT64_MAX;
    }
    return sum;
}

/* People write into what they send, not into headers, cookies and paths. */
static bool is_written(uint8_t location)
{
    return location == GUARD_LOCATION_QUERY || location == GUARD_LOCATION_FORM ||
           location == GUARD_LOCATION_MULTIPART || location == GUARD_LOCATION_JSON ||
           location == GUARD_LOCATION_BODY;
}

/* One value in eight at least, not counting as many as read like attacks. */
static bool takes_text(const struct gd_group *name, const struct gd_groups *likeness,
                       const struct gd_groups *classes)
{
    uint64_t most = 0, attacks = records_of(likeness);
    if (!is_written(name->sum.location))
        return false;
    for (uint32_t i = 0; i < classes->count; i++) {
        const struct gd_cell *cls = &classes->items[i].sum;
        if (is_of_text(cls->code) && cls->count > most)
            most = cls->count;
    }
    return most > attacks && most - attacks >= name->sum.count / TEXT_SHARE;
}

/* What an eighth of all units do is how the service is used. */
static bool is_usual(const struct gd_trust *trust, const struct gd_group *name,
                     const struct gd_groups *likeness)
{
    struct gd_cell sum = {0};
    for (uint32_t i = 0; i < likeness->count; i++)
        gd_sum_add(&sum, &likeness->items[i].sum);
    uint64_t clients = gd_cells_clients(name->cells, name->cell_count);
    return gd_trusted(trust, &sum) && (uint64_t)gd_units(&sum) * USERS_SHARE >= clients;
}

static uint32_t distinct(uint32_t *tags, uint32_t count)
{
    uint32_t len = 0;
    gd_sort_tags(tags, count);
    for (uint32_t i = 0; i < count; i++) {
        if (len == 0 || tags[len - 1] != tags[i])
            tags[len++] = tags[i];
    }
    return len;
}

enum guard_rc gd_suspects_find(struct gd_suspects *suspects, const struct gd_trust *trust,
                               const struct gd_group *name, const struct gd_groups *likeness,
                               const struct gd_groups *classes, struct guard_arena *arena)
{
    *suspects = (struct gd_suspects){.bound = UINT32_MAX};
    if (likeness->count == 0 || takes_text(name, likeness, classes) ||
        is_usual(trust, name, likeness))
        return GUARD_OK;
    suspects->tags =
        gd_arena_get(arena, (size_t)likeness->count * GD_TAGS_MAX * sizeof(*suspects->tags));
    if (suspects->tags == NULL)
        return GUARD_E_NOMEM;
    for (uint32_t i = 0; i < likeness->count; i++) {
        const struct gd_cell *cls = &likeness->items[i].sum;
        memcpy(suspects->tags + suspects->count, cls->tags, cls->tag_count * sizeof(*cls->tags));
        suspects->count += cls->tag_count;
        /* A full list may stand for more, of higher tags. */
        if (cls->tag_count == GD_TAGS_MAX && cls->count > GD_TAGS_MAX &&
            cls->tags[GD_TAGS_MAX - 1] < suspects->bound)
            suspects->bound = cls->tags[GD_TAGS_MAX - 1];
    }
    suspects->count = distinct(suspects->tags, suspects->count);
    return GUARD_OK;
}

static bool is_suspect(const struct gd_suspects *suspects, uint32_t tag)
{
    uint32_t low = 0, high = suspects->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (suspects->tags[middle] < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low < suspects->count && suspects->tags[low] == tag;
}

static enum guard_rc add_tags(struct gd_suspects *all, const uint32_t *tags, uint32_t count,
                              struct guard_arena *arena)
{
    if (all->tags == NULL)
        all->tags = gd_arena_get(arena, (size_t)2 * GD_SUSPECTS_MAX * sizeof(*all->tags));
    if (all->tags == NULL)
        return GUARD_E_NOMEM;
    for (uint32_t done = 0, part; done < count; done += part) {
        part = count - done < GD_SUSPECTS_MAX ? count - done : GD_SUSPECTS_MAX;
        memcpy(all->tags + all->count, tags + done, part * sizeof(*tags));
        all->count = distinct(all->tags, all->count + part);
        if (all->count > GD_SUSPECTS_MAX) {
            all->count = GD_SUSPECTS_MAX;
            if (all->tags[GD_SUSPECTS_MAX - 1] < all->bound)
                all->bound = all->tags[GD_SUSPECTS_MAX - 1];
        }
    }
    return GUARD_OK;
}

enum guard_rc gd_suspects_join(struct gd_suspects *all, struct gd_suspects *again,
                               const struct gd_suspects *more, struct guard_arena *arena)
{
    if (more->count == 0)
        return GUARD_OK;
    for (uint32_t i = 0; again != NULL && i < more->count; i++) {
        if (is_suspect(all, more->tags[i]))
            GUARD_TRY(add_tags(again, &more->tags[i], 1, arena));
    }
    if (more->bound < all->bound)
        all->bound = more->bound;
    return add_tags(all, more->tags, more->count, arena);
}

bool gd_suspects_few(const struct gd_suspects *suspects, uint32_t units)
{
    uint64_t known = 0;
    while (known < suspects->count && suspects->tags[known] <= suspects->bound)
        known++;
    /* Tags are spread evenly. */
    return (known << 32) / ((uint64_t)suspects->bound + 1) * USERS_SHARE <= units;
}

bool gd_suspects_none(const struct gd_suspects *suspects)
{
    bool none = suspects->attackers == NULL || suspects->attackers->count == 0;
    for (; suspects != NULL; suspects = suspects->also)
        none = none && suspects->count == 0;
    return none;
}

static bool leave(const struct gd_suspects *suspects, struct gd_cell *sum)
{
    uint32_t told = 0, honest = 0, count = 0;
    for (uint32_t i = 0; i < sum->tag_count; i++) {
        told += sum->tags[i] <= suspects->bound;
        honest += sum->tags[i] <= suspects->bound && !is_suspect(suspects, sum->tags[i]);
    }
    /* Of those of whom it isn't known as many as of those of whom it is. */
    uint32_t unknown = sum->tag_count - told;
    unknown = told == 0 ? unknown : unknown * honest / told;
    for (uint32_t i = 0; i < sum->tag_count; i++) {
        bool known = sum->tags[i] <= suspects->bound;
        if (is_suspect(suspects, sum->tags[i]) || (!known && unknown == 0))
            continue;
        unknown -= !known;
        sum->tags[count++] = sum->tags[i];
    }
    /* Whose records they were isn't known: of the others one of each, as long as they can be told.
     */
    if (count < sum->tag_count && sum->tag_count < GD_TAGS_MAX && sum->count > count)
        sum->count = count;
    memset(sum->tags + count, 0, (sum->tag_count - count) * sizeof(*sum->tags));
    sum->tag_count = (uint8_t)count;
    return count > 0;
}

bool gd_suspects_leave(const struct gd_suspects *suspects, struct gd_cell *sum)
{
    if (sum->tag_count == 0 || (sum->review & GD_REVIEW_ACCEPTED) != 0)
        return true;
    bool attack = sum->kind == GD_KIND_LIKENESS || sum->kind == GD_KIND_FAULT;
    const struct gd_suspects *attackers = attack ? suspects->attackers : NULL;
    for (; suspects != NULL; suspects = suspects->also) {
        if (suspects->count > 0 && !leave(suspects, sum))
            return false;
    }
    return attackers == NULL || attackers->count == 0 || leave(attackers, sum);
}

void gd_suspects_leave_all(const struct gd_suspects *suspects, struct gd_groups *elements)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < elements->count; i++) {
        if (gd_suspects_leave(suspects, &elements->items[i].sum))
            elements->items[len++] = elements->items[i];
    }
    elements->count = len;
}
