/* SPDX-License-Identifier: Apache-2.0 */
/* See touch.h. */
#include "learn/touch.h"

#include "learn/share.h"
#include "policy/policy.h"
#include "profile/short.h"
#include "profile/transition.h"
#include "sketch/bucket.h"
#include "sketch/kmv.h"

static uint64_t name_code(struct guard_pile *pile, enum gd_kind kind, uint8_t location,
                          struct guard_span text)
{
    if (text.len > GD_TEXT_MAX || pile->memo == NULL)
        return gd_pile_code(&pile->name_key, kind, location, text);
    uint16_t place = (uint16_t)((uint32_t)kind << 8 | location);
    struct gd_name_memo *memo = &pile->memo->names[gd_hash_short(0, place, text) % GD_MEMO_NAMES];
    if (memo->place == place && gd_equal_short(gd_span(memo->text, memo->len), text))
        return memo->code;
    memo->place = place;
    memo->len = (uint8_t)text.len;
    if (text.len > 0)
        memcpy(memo->text, text.ptr, text.len);
    memo->code = gd_pile_code(&pile->name_key, kind, location, text);
    return memo->code;
}

static uint64_t literal_code(struct guard_pile *pile, uint64_t literal)
{
    return gd_policy_literal(pile->literal_key, literal,
                             pile->memo == NULL ? NULL : &pile->memo->literals);
}

static __attribute__((noinline)) void add_tag(struct gd_cell *cell, uint32_t tag)
{
    /* A unit that comes again is the usual case. */
    uint32_t held = 0;
    for (uint32_t i = 0; i < GD_TAGS_MAX; i++)
        held |= (uint32_t)(cell->tags[i] == tag);
    if (held == 0 || tag == 0)
        cell->tag_count = (uint8_t)gd_bottom_add(cell->tags, cell->tag_count, GD_TAGS_MAX, tag);
}

/* False when the record has touched it before. */
static inline bool touch_leaf(const struct gd_touch *touch, struct gd_cell *cell)
{
    if (cell->stamp == touch->stamp)
        return false;
    cell->stamp = touch->stamp;
    cell->count += touch->count;
    cell->epochs |= touch->epoch_bit;
    /* A full list whose last tag is lower needs no look. */
    if (cell->tag_count < GD_TAGS_MAX || touch->tag < cell->tags[GD_TAGS_MAX - 1])
        add_tag(cell, touch->tag);
    return true;
}

void gd_touch_cell(const struct gd_touch *touch, struct gd_cell *cell)
{
    if (!touch_leaf(touch, cell) || cell->epoch_counts == NULL)
        return;
    cell->epoch_counts[touch->epoch] += touch->count;
    if (cell->client_count < GD_KMV || touch->tag < cell->client_tags[GD_KMV - 1])
        cell->client_count =
            gd_bottom_add(cell->client_tags, cell->client_count, GD_KMV, touch->tag);
}

/* What a unit may still create; no single one fills the tables. */
static bool unit_may(const struct gd_touch *touch, enum gd_kind kind)
{
    if (kind == GD_KIND_LITERAL)
        return touch->unit->literals < (touch->anonymous ? GD_ANONYMOUS_NAMES : GD_UNIT_LITERALS);
    return !gd_kind_named(kind) ||
           touch->unit->names < (touch->anonymous ? GD_ANONYMOUS_NAMES : GD_UNIT_NAMES);
}

static void unit_made(const struct gd_touch *touch, enum gd_kind kind)
{
    touch->unit->literals = (uint16_t)(touch->unit->literals + (kind == GD_KIND_LITERAL));
    touch->unit->names = (uint16_t)(touch->unit->names + gd_kind_named(kind));
}

static uint32_t table_cap(const struct guard_pile *pile, enum gd_kind kind)
{
    return gd_kind_scope(kind) ? pile->children_max : gd_pile_leaf_cap(pile, kind);
}

/* 0 when there is no such number. */
static inline uint64_t above(uint64_t ceiling, uint64_t rank)
{
    return ceiling == 0 || rank < ceiling ? ceiling : rank + 1;
}

/* The last cell of a full table that may go: not trusted, and no scope that this record works in.
 * The table's ceiling is known afterwards. */
static struct gd_cell *last_of_table(const struct gd_cell *parent, enum gd_kind kind,
                                     uint32_t stamp)
{
    struct gd_cell *last = NULL;
    struct gd_ceiling found = {.all = 1, .idle = 1, .stamp = stamp};
    uint64_t last_rank = 0;
    bool sorted = kind == GD_KIND_LITERAL || kind == GD_KIND_CLIENT || kind == GD_KIND_MEDIA;
    for (uint32_t i = parent->scope->first[kind + 1]; i-- > parent->scope->first[kind];) {
        struct gd_cell *cell = parent->children[i];
        if (cell->trusted)
            continue;
        uint64_t rank = gd_cell_rank(cell);
        found.all = above(found.all, rank);
        if (cell->scope != NULL && cell->stamp == stamp)
            continue;
        found.idle = above(found.idle, rank);
        if (last == NULL || rank > last_rank) {
            last = cell;
            last_rank = rank;
        }
        if (sorted)
            break;
    }
    struct gd_ceiling *ceiling = gd_tree_ceiling(parent->scope, kind);
    if (ceiling != NULL)
        *ceiling = found;
    return last;
}

/* Nothing in the full table lies behind this rank and may go. */
static bool all_before(const struct gd_ceiling *ceiling, uint64_t rank, uint32_t stamp)
{
    if (ceiling == NULL)
        return false;
    return (ceiling->all != 0 && rank >= ceiling->all - 1) ||
           (ceiling->stamp == stamp && ceiling->idle != 0 && rank >= ceiling->idle - 1);
}

/* A place in a full table for one more: the lowest ranks stay. False: the new one is refused. */
static bool take_place(struct guard_pile *pile, struct gd_cell *parent, enum gd_kind kind,
                       uint64_t code)
{
    uint64_t rank = gd_rank_new(parent, kind, code).hash;
    gd_pile_drop(pile, parent, kind);
    if (all_before(gd_tree_ceiling(parent->scope, kind), rank, pile->stamp))
        return false;
    struct gd_cell *last = last_of_table(parent, kind, pile->stamp);
    if (last == NULL || gd_cell_rank(last) <= rank)
        return false;
    gd_tree_remove(&pile->tree, last);
    return true;
}

/* Room for one more in the parent's table and in the tree. */
static bool make_room(struct gd_touch *touch, struct gd_cell *parent, enum gd_kind kind,
                      uint64_t code)
{
    struct guard_pile *pile = touch->pile;
    const struct gd_scope *scope = parent->scope;
    if (pile->bounded) {
        struct gd_rank rank = gd_rank_new(parent, kind, code);
        if (gd_rank_compare(&rank, &pile->bound) >= 0) {
            gd_pile_drop(pile, parent, kind);
            return false;
        }
    }
    bool refused = false;
    bool full = scope->first[kind + 1] - scope->first[kind] >= table_cap(pile, kind);
    if (full && !gd_share_room(&pile->tree, parent, kind, touch->tag, touch->stamp, &refused)) {
        if (refused)
            unit_made(touch, kind); /* that it tried: floods end early */
        if (refused || !take_place(pile, parent, kind, code))
            return false;
    }
    if (pile->tree.cell_count < pile->cells_max && parent->depth + 1 < GD_DEPTH_MAX)
        return true;
    gd_pile_drop(pile, parent, kind);
    return false;
}

/* A new child, touched. NULL when it was refused, or memory is missing. */
static struct gd_cell *make_child(struct gd_touch *touch, struct gd_cell *parent, enum gd_kind kind,
                                  uint64_t code, uint8_t location, struct guard_span text)
{
    if (!unit_may(touch, kind) || !make_room(touch, parent, kind, code))
        return NULL;
    uint32_t at;
    (void)gd_tree_find(parent, kind, code, &at);
    struct gd_cell *cell =
        gd_tree_insert(&touch->pile->tree, parent, kind, at, code, location, text);
    if (cell == NULL) {
        touch->nomem = true;
        return NULL;
    }
    unit_made(touch, kind);
    gd_touch_cell(touch, cell);
    return cell;
}

static __attribute__((noinline)) void make_number(struct gd_touch *touch, struct gd_cell *parent,
                                                  enum gd_kind kind, uint64_t code)
{
    (void)make_child(touch, parent, kind, code, 0, gd_span(NULL, 0));
}

static inline void touch_number(struct gd_touch *touch, struct gd_cell *parent, enum gd_kind kind,
                                uint64_t code)
{
    struct gd_cell *cell = gd_tree_recall(parent, kind, code);
    if (__builtin_expect(cell != NULL, 1))
        (void)touch_leaf(touch, cell);
    else
        make_number(touch, parent, kind, code);
}

/* Records come late: the first is the one with the least time. */
static inline void touch_first(const struct gd_touch *touch, struct gd_cell *cell)
{
    if (touch->time_s < cell->first_s)
        cell->first_s = touch->time_s;
}

struct gd_cell *gd_touch_name(struct gd_touch *touch, struct gd_cell *parent, enum gd_kind kind,
                              uint8_t location, struct guard_span text)
{
    text = gd_span_head(text, GD_TEXT_MAX);
    uint64_t code = name_code(touch->pile, kind, location, text);
    uint32_t at;
    struct gd_cell *cell = parent->epoch_counts != NULL ? gd_tree_recall(parent, kind, code)
                                                        : gd_tree_find(parent, kind, code, &at);
    if (cell == NULL)
        cell = make_child(touch, parent, kind, code, location, text);
    else
        gd_touch_cell(touch, cell);
    if (cell != NULL)
        touch_first(touch, cell);
    return cell;
}

void gd_touch_bits(struct gd_touch *touch, struct gd_cell *parent, enum gd_kind kind, uint64_t bits,
                   uint64_t base)
{
    for (; bits != 0; bits &= bits - 1)
        touch_number(touch, parent, kind, base + (uint64_t)__builtin_ctzll(bits));
}

static const uint64_t classes_mask = (UINT64_C(1) << GUARD_CLASS_COUNT) - 1;
static const uint64_t types_mask = (UINT64_C(1) << GUARD_TYPE_COUNT) - 1;

void gd_touch_number(struct gd_touch *touch, struct gd_cell *parent, enum gd_kind kind,
                     uint64_t code)
{
    touch_number(touch, parent, kind, code);
}

struct gd_cell *gd_touch_numbered(struct gd_touch *touch, struct gd_cell *parent, enum gd_kind kind,
                                  uint64_t code)
{
    struct gd_cell *cell = gd_tree_recall(parent, kind, code);
    if (cell == NULL)
        return make_child(touch, parent, kind, code, 0, gd_span(NULL, 0));
    gd_touch_cell(touch, cell);
    return cell;
}

void gd_touch_summary(struct gd_touch *touch, struct gd_cell *cell,
                      const struct gd_summary *summary)
{
    const uint32_t containers = UINT32_C(1) << GUARD_TYPE_OBJECT | UINT32_C(1) << GUARD_TYPE_ARRAY;
    gd_touch_bits(touch, cell, GD_KIND_CLASS, summary->classes & classes_mask, 0);
    struct gd_transition_walk walk = gd_transitions(summary);
    for (uint32_t transition; gd_transition_next(&walk, &transition);) {
        if ((transition >> 6) < GUARD_CLASS_COUNT && (transition & 63) < GUARD_CLASS_COUNT)
            touch_number(touch, cell, GD_KIND_TRANSITION, transition);
    }
    /* One client's value of everything at once isn't the free text of many. */
    if (summary->transitions_full && !gd_share_exceeded(cell, GD_KIND_TRANSITION, touch->tag))
        gd_cell_drop(cell, GD_KIND_TRANSITION);
    gd_touch_bits(touch, cell, GD_KIND_TYPE, summary->types & types_mask, 0);
    touch_number(touch, cell, GD_KIND_LENGTH, gd_bucket(summary->length_max));
    touch_number(touch, cell, GD_KIND_LENGTH_MIN, gd_bucket(summary->length_min));
    touch_number(touch, cell, GD_KIND_DIGITS, gd_bucket(summary->digits_max));
    touch_number(touch, cell, GD_KIND_SPECIALS, gd_bucket(summary->specials_max));
    if (summary->literal_known)
        touch_number(touch, cell, GD_KIND_LITERAL, literal_code(touch->pile, summary->literal));
    if (__builtin_expect(summary->likeness != 0, 0))
        gd_touch_bits(touch, cell, GD_KIND_LIKENESS, summary->likeness, 0);
    bool container = (summary->types & containers) != 0;
    touch_number(touch, cell, GD_KIND_ITEMS,
                 gd_bucket(container ? summary->items_max : summary->count));
}
