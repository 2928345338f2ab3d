/* SPDX-License-Identifier: Apache-2.0 */
/* Puts one record into a pile: finds the cells that it touches, makes those that are new as far as
 * the caps of tables and clients allow, and counts each of them once. */
#include "learn/pile_state.h"
#include "learn/share.h"

#include "base/arena.h"
#include "policy/policy.h"
#include "profile/record.h"
#include "profile/short.h"
#include "profile/transition.h"
#include "sketch/bucket.h"
#include "sketch/kmv.h"

#include <inttypes.h>

enum { SLICE_MS = 10 * 60 * 1000 };

struct touch {
    struct guard_pile *pile;
    uint32_t tag;
    uint32_t epoch; /* index */
    uint32_t epoch_bit;
    uint32_t stamp;
    uint32_t count; /* 1, or 0 for what a loud unit sends beyond its share */
    struct gd_ledger_entry *unit;
    bool anonymous;
    bool nomem;
};

static inline void store_u64(uint8_t *at, uint64_t value)
{
    const uint8_t bytes[8] = {
        (uint8_t)value,         (uint8_t)(value >> 8),  (uint8_t)(value >> 16),
        (uint8_t)(value >> 24), (uint8_t)(value >> 32), (uint8_t)(value >> 40),
        (uint8_t)(value >> 48), (uint8_t)(value >> 56),
    };
    memcpy(at, bytes, sizeof(bytes));
}

/* The unit of evidence, as bytes, each kind by itself. */
static uint64_t unit_hash(const struct guard_pile *pile, const struct guard_source *source,
                          const struct gd_profile *profile)
{
    const struct guard_client *client = &profile->client;
    uint64_t numbers[4] = {(uint64_t)client->unit};
    size_t prefix = client->address_len == 4 ? 3 : client->address_len == 16 ? 7 : 0;
    if (client->unit == GUARD_UNIT_SUBJECT) {
        numbers[1] = gd_hash_keyed(&pile->unit_key, client->subject);
    } else if (client->unit == GUARD_UNIT_ANONYMOUS) {
        numbers[1] = source->producer;
        numbers[2] = source->incarnation;
        numbers[3] = source->sequence;
    } else {
        for (size_t i = 0; i < prefix; i++)
            numbers[1] |= (uint64_t)client->address[i] << (8 * i);
        numbers[2] = client->address_len;
        numbers[3] = client->unit == GUARD_UNIT_SLICE ? profile->time_ms / SLICE_MS : 0;
    }
    uint8_t bytes[sizeof(numbers)];
    for (size_t i = 0; i < 4; i++)
        store_u64(bytes + 8 * i, numbers[i]);
    return gd_hash_keyed(&pile->unit_key, gd_span(bytes, sizeof(bytes)));
}

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
static inline bool touch_leaf(const struct touch *touch, struct gd_cell *cell)
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

static void touch_cell(const struct touch *touch, struct gd_cell *cell)
{
    if (!touch_leaf(touch, cell) || cell->epoch_counts == NULL)
        return;
    cell->epoch_counts[touch->epoch] += touch->count;
    if (cell->client_count < GD_KMV || touch->tag < cell->client_tags[GD_KMV - 1])
        cell->client_count =
            gd_bottom_add(cell->client_tags, cell->client_count, GD_KMV, touch->tag);
}

/* What a unit may still create; no single one fills the tables. */
static bool unit_may(const struct touch *touch, enum gd_kind kind)
{
    if (kind == GD_KIND_LITERAL)
        return touch->unit->literals < (touch->anonymous ? GD_ANONYMOUS_NAMES : GD_UNIT_LITERALS);
    return !gd_kind_named(kind) ||
           touch->unit->names < (touch->anonymous ? GD_ANONYMOUS_NAMES : GD_UNIT_NAMES);
}

static void unit_made(const struct touch *touch, enum gd_kind kind)
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
static bool make_room(struct touch *touch, struct gd_cell *parent, enum gd_kind kind, uint64_t code)
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
static struct gd_cell *make_child(struct touch *touch, struct gd_cell *parent, enum gd_kind kind,
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
    touch_cell(touch, cell);
    return cell;
}

static __attribute__((noinline)) void make_number(struct touch *touch, struct gd_cell *parent,
                                                  enum gd_kind kind, uint64_t code)
{
    (void)make_child(touch, parent, kind, code, 0, gd_span(NULL, 0));
}

static inline void touch_number(struct touch *touch, struct gd_cell *parent, enum gd_kind kind,
                                uint64_t code)
{
    struct gd_cell *cell = gd_tree_recall(parent, kind, code);
    if (__builtin_expect(cell != NULL, 1))
        (void)touch_leaf(touch, cell);
    else
        make_number(touch, parent, kind, code);
}

static struct gd_cell *touch_name(struct touch *touch, struct gd_cell *parent, enum gd_kind kind,
                                  uint8_t location, struct guard_span text)
{
    text = gd_span_head(text, GD_TEXT_MAX);
    uint64_t code = name_code(touch->pile, kind, location, text);
    uint32_t at;
    struct gd_cell *cell = parent->epoch_counts != NULL ? gd_tree_recall(parent, kind, code)
                                                        : gd_tree_find(parent, kind, code, &at);
    if (cell == NULL)
        return make_child(touch, parent, kind, code, location, text);
    touch_cell(touch, cell);
    return cell;
}

static void touch_bits(struct touch *touch, struct gd_cell *parent, enum gd_kind kind,
                       uint64_t bits, uint64_t base)
{
    for (; bits != 0; bits &= bits - 1)
        touch_number(touch, parent, kind, base + (uint64_t)__builtin_ctzll(bits));
}

static const uint64_t classes_mask = (UINT64_C(1) << GUARD_CLASS_COUNT) - 1;
static const uint64_t types_mask = (UINT64_C(1) << GUARD_TYPE_COUNT) - 1;
static const uint64_t faults_mask = (UINT64_C(1) << GUARD_FAULT_COUNT) - 1;

static void touch_summary(struct touch *touch, struct gd_cell *cell,
                          const struct gd_summary *summary)
{
    const uint32_t containers = UINT32_C(1) << GUARD_TYPE_OBJECT | UINT32_C(1) << GUARD_TYPE_ARRAY;
    touch_bits(touch, cell, GD_KIND_CLASS, summary->classes & classes_mask, 0);
    struct gd_transition_walk walk = gd_transitions(summary);
    for (uint32_t transition; gd_transition_next(&walk, &transition);) {
        if ((transition >> 6) < GUARD_CLASS_COUNT && (transition & 63) < GUARD_CLASS_COUNT)
            touch_number(touch, cell, GD_KIND_TRANSITION, transition);
    }
    /* One client's value of everything at once isn't the free text of many. */
    if (summary->transitions_full && !gd_share_exceeded(cell, GD_KIND_TRANSITION, touch->tag))
        gd_cell_drop(cell, GD_KIND_TRANSITION);
    touch_bits(touch, cell, GD_KIND_TYPE, summary->types & types_mask, 0);
    touch_number(touch, cell, GD_KIND_LENGTH, gd_bucket(summary->length_max));
    touch_number(touch, cell, GD_KIND_LENGTH_MIN, gd_bucket(summary->length_min));
    touch_number(touch, cell, GD_KIND_DIGITS, gd_bucket(summary->digits_max));
    touch_number(touch, cell, GD_KIND_SPECIALS, gd_bucket(summary->specials_max));
    if (summary->literal_known)
        touch_number(touch, cell, GD_KIND_LITERAL, literal_code(touch->pile, summary->literal));
    bool container = (summary->types & containers) != 0;
    touch_number(touch, cell, GD_KIND_ITEMS,
                 gd_bucket(container ? summary->items_max : summary->count));
}

static bool of_service(enum guard_location location)
{
    return location == GUARD_LOCATION_HEADER || location == GUARD_LOCATION_COOKIE;
}

/* Where a field hangs; NULL when its parent was refused or lies elsewhere. */
static struct gd_cell *field_parent(const struct touch *touch, const struct gd_field *field,
                                    struct gd_cell *method, struct gd_cell *const *cells,
                                    uint32_t index)
{
    if (field->location <= GUARD_LOCATION_NONE || field->location >= GUARD_LOCATION_CLIENT)
        return NULL;
    if (of_service(field->location))
        return touch->pile->tree.root;
    if (field->parent == GD_NO_FIELD)
        return method;
    if (field->parent >= index || cells[field->parent] == NULL)
        return NULL;
    return cells[field->parent]->location == field->location ? cells[field->parent] : NULL;
}

static enum guard_rc touch_fields(struct touch *touch, struct gd_cell *method,
                                  const struct gd_profile *profile)
{
    struct guard_arena *arena = &touch->pile->arena;
    struct gd_cell **cells =
        gd_arena_get(arena, ((size_t)profile->field_count + 1) * sizeof(struct gd_cell *));
    if (cells == NULL)
        return GUARD_E_NOMEM;
    for (uint32_t i = 0; i < profile->field_count; i++) {
        const struct gd_field *field = &profile->fields[i];
        struct gd_cell *parent = field_parent(touch, field, method, cells, i);
        cells[i] = parent == NULL ? NULL
                                  : touch_name(touch, parent, GD_KIND_NAME,
                                               (uint8_t)field->location, field->name);
        if (cells[i] != NULL)
            touch_summary(touch, cells[i], &field->summary);
        if (touch->nomem)
            return GUARD_E_NOMEM;
    }
    return GUARD_OK;
}

static struct gd_cell *touch_path(struct touch *touch, const struct gd_profile *profile)
{
    struct gd_cell *cell = touch->pile->tree.root;
    for (uint32_t i = 0; i < profile->segment_count && i < GD_SEGMENTS_MAX && cell != NULL; i++)
        cell = touch_name(touch, cell, GD_KIND_SEGMENT, 0, profile->segments[i].text);
    if (profile->segment_count == 0)
        cell = touch_name(touch, cell, GD_KIND_SEGMENT, 0, gd_span(NULL, 0));
    return cell == NULL ? NULL : touch_name(touch, cell, GD_KIND_METHOD, 0, profile->method);
}

static void touch_endpoint(struct touch *touch, struct gd_cell *method,
                           const struct gd_profile *profile)
{
    if (profile->media_type.len > 0)
        (void)touch_name(touch, method, GD_KIND_MEDIA, 0, profile->media_type);
    if (profile->body_kind != GUARD_BODY_NONE || profile->request_bytes > 0)
        touch_number(touch, method, GD_KIND_SIZE, gd_bucket(profile->request_bytes));
    if (profile->body_kind == GUARD_BODY_JSON)
        touch_number(touch, method, GD_KIND_DEPTH, profile->depth < 255 ? profile->depth : 255);
    if (profile->status != 0)
        touch_number(touch, method, GD_KIND_STATUS, profile->status / 100);
}

static void touch_faults(struct touch *touch, struct gd_cell *method,
                         const struct gd_profile *profile)
{
    for (uint32_t i = 0; i < GUARD_LOCATION_COUNT; i++) {
        struct gd_cell *parent =
            of_service((enum guard_location)i) ? touch->pile->tree.root : method;
        if (parent != NULL)
            touch_bits(touch, parent, GD_KIND_FAULT, profile->faults[i] & faults_mask,
                       (uint64_t)i << 8);
    }
}

static enum guard_rc touch_all(struct touch *touch, const struct gd_profile *profile)
{
    struct gd_cell *root = touch->pile->tree.root;
    const struct guard_client *client = &profile->client;
    touch_cell(touch, root);
    if ((client->unit == GUARD_UNIT_SUBJECT && client->subject.len > 0) ||
        client->address_len == 4 || client->address_len == 16)
        touch_number(touch, root, GD_KIND_CLIENT,
                     gd_policy_client(touch->pile->client_key, client));
    struct gd_cell *method = touch_path(touch, profile);
    if (method != NULL)
        touch_endpoint(touch, method, profile);
    touch_faults(touch, method, profile);
    GUARD_TRY(touch_fields(touch, method, profile));
    return touch->nomem ? GUARD_E_NOMEM : GUARD_OK;
}

/* A client by an address or subject of its own, learned from in an earlier epoch. */
static bool tenured(const struct touch *touch, const struct gd_profile *profile)
{
    if ((touch->tag & 1) == 0)
        return false;
    const struct gd_cell *client =
        gd_tree_recall(touch->pile->tree.root, GD_KIND_CLIENT,
                       gd_policy_client(touch->pile->client_key, &profile->client));
    return client != NULL && (client->epochs & ~touch->epoch_bit) != 0;
}

/* What the service refused teaches nothing. What a policy would have blocked, though the mode let
 * it pass, teaches when a tenured client sent it: else the first policy, which can't know what is
 * rare, would keep it unknown for ever. */
static bool learned(const struct touch *touch, const struct gd_profile *profile)
{
    if (profile->status != 0 && (profile->status < 200 || profile->status >= 400))
        return false;
    return profile->decision != GUARD_BLOCK || tenured(touch, profile);
}

/* A full tree is cut well below its cap, so that it isn't cut again with each record, and from then
 * on new cells that the next cut would take are refused. When nearly all of the tree is protected
 * nothing would be gained: then it stays as it is. */
static enum guard_rc keep_below(struct guard_pile *pile)
{
    uint32_t margin = pile->cells_max / 16;
    struct gd_cut_outcome outcome;
    if (pile->tree.cell_count < pile->cells_max - margin ||
        pile->trusted_count > pile->cells_max - 3 * margin)
        return GUARD_OK;
    GUARD_TRY(gd_pile_cut(pile, pile->cells_max - 2 * margin - 1, &outcome));
    if (outcome.full && (!pile->bounded || gd_rank_compare(&outcome.last, &pile->bound) < 0)) {
        pile->bounded = true;
        pile->bound = outcome.last;
    }
    return GUARD_OK;
}

static __attribute__((noinline)) uint32_t open_epoch(struct guard_pile *pile,
                                                     const struct gd_epoch *epoch)
{
    struct gd_epochs one = {.count = 1};
    uint8_t map[GD_EPOCHS_MAX];
    one.items[0] = *epoch;
    gd_pile_epochs_unite(pile, &one, map);
    return map[0];
}

uint32_t gd_pile_epoch(struct guard_pile *pile, uint64_t time_ms)
{
    struct gd_epoch epoch = gd_epoch_of(&pile->epochs, pile->tree.root, time_ms);
    uint32_t index = gd_epochs_find(&pile->epochs, &epoch);
    return index < GD_EPOCHS_MAX ? index : open_epoch(pile, &epoch);
}

/* A record counts in full until its unit had its share of the epoch; support has no such bound. */
static uint32_t records_counted(struct gd_ledger_entry *unit)
{
    if (unit->records < UINT32_MAX)
        unit->records++;
    return unit->records <= GD_UNIT_RECORDS || unit->records % GD_UNIT_SAMPLE == 0;
}

static void next_stamp(struct guard_pile *pile)
{
    if (++pile->stamp != 0)
        return;
    for (struct gd_cell *cell = pile->tree.root; cell != NULL; cell = gd_tree_next(cell)) {
        cell->stamp = 0;
        if (cell->scope != NULL)
            gd_tree_ceilings_forget(cell->scope);
    }
    pile->stamp = 1;
}

static enum guard_rc begin(struct touch *touch, const struct guard_source *source,
                           const struct gd_profile *profile)
{
    struct guard_pile *pile = touch->pile;
    if (pile->memo == NULL)
        pile->memo = gd_pool_get(&pile->tree.pool, sizeof(*pile->memo));
    if (pile->memo == NULL)
        return GUARD_E_NOMEM;
    GUARD_TRY(keep_below(pile));
    next_stamp(pile);
    touch->epoch = gd_pile_epoch(pile, profile->time_ms);
    touch->epoch_bit = UINT32_C(1) << touch->epoch;
    touch->stamp = pile->stamp;
    const struct gd_epoch *epoch = &pile->epochs.items[touch->epoch];
    uint64_t ledger_epoch = (uint64_t)epoch->tier << 60 | epoch->id;
    if (ledger_epoch > pile->ledger_epoch) {
        pile->ledger_epoch = ledger_epoch;
        gd_ledger_clear(&pile->ledger);
    }
    uint64_t unit = unit_hash(pile, source, profile);
    bool strong =
        profile->client.unit == GUARD_UNIT_SUBJECT || profile->client.unit == GUARD_UNIT_PREFIX;
    touch->tag = ((uint32_t)unit & ~UINT32_C(1)) | (strong ? 1 : 0);
    touch->anonymous = profile->client.unit == GUARD_UNIT_ANONYMOUS;
    touch->count = 1;
    if (touch->anonymous) {
        touch->unit = &pile->ledger.anonymous;
        return GUARD_OK;
    }
    touch->unit = gd_ledger_get(&pile->tree.pool, &pile->ledger, unit);
    if (touch->unit == NULL)
        return GUARD_E_NOMEM;
    touch->count = records_counted(touch->unit);
    return GUARD_OK;
}

enum guard_rc gd_pile_learn(struct guard_pile *pile, const struct guard_source *source,
                            const struct gd_profile *profile)
{
    struct touch touch = {.pile = pile};
    GUARD_TRY(begin(&touch, source, profile));
    if (touch.anonymous)
        pile->anonymous++;
    if (profile->time_ms != 0 && (pile->first_ms == 0 || profile->time_ms < pile->first_ms))
        pile->first_ms = profile->time_ms;
    if (profile->time_ms > pile->last_ms)
        pile->last_ms = profile->time_ms;
    if (profile->status >= 100 && profile->status < 600)
        touch_number(&touch, pile->tree.root, GD_KIND_STATUS, profile->status / 100);
    if (!learned(&touch, profile)) {
        pile->unlearned++;
        return touch.nomem ? GUARD_E_NOMEM : GUARD_OK;
    }
    struct gd_epoch *epoch = &pile->epochs.items[touch.epoch];
    epoch->tag_count =
        (uint8_t)gd_bottom_add(epoch->tags, epoch->tag_count, GD_TAGS_MAX, touch.tag);
    return touch_all(&touch, profile);
}

static enum guard_rc observe(struct guard_pile *pile, const struct guard_source *source,
                             const struct gd_profile *profile, struct guard_err *err)
{
    if (!gd_span_equal(profile->service, gd_span(pile->service, pile->service_len)))
        return guard_fail(err, GUARD_E_FOREIGN,
                          "a record of the service \"%.*s\" for a pile of \"%.*s\"",
                          (int)profile->service.len, (const char *)profile->service.ptr,
                          (int)pile->service_len, (const char *)pile->service);
    enum guard_rc rc =
        gd_intervals_add(&pile->tree.pool, &pile->intervals, source, profile->time_ms);
    if (rc == GUARD_OK)
        rc = gd_pile_learn(pile, source, profile);
    pile->broken = rc != GUARD_OK;
    return rc == GUARD_OK ? rc : guard_fail(err, rc, "no memory to learn a record");
}

static enum guard_rc check(const struct guard_pile *pile, const struct guard_source *source,
                           struct guard_err *err)
{
    if (pile->broken)
        return guard_fail(err, GUARD_E_STATE, "the pile was left incomplete when memory ran out");
    if (!pile->keyed)
        return guard_fail(err, GUARD_E_STATE,
                          "a pile that was read without its key can't learn records");
    if (source->sequence == 0)
        return guard_fail(err, GUARD_E_RANGE, "sequences start at 1");
    enum guard_rc rc = gd_intervals_check(&pile->intervals, source);
    if (rc == GUARD_E_REPLAY)
        return guard_fail(err, rc, "record %" PRIu64 " of producer %016" PRIx64 " is held already",
                          source->sequence, source->producer);
    if (rc == GUARD_E_LIMIT)
        return guard_fail(err, rc, "the pile holds records of %d sources, no more fit",
                          GD_INTERVALS_MAX);
    return rc;
}

enum guard_rc gd_pile_observe_profile(struct guard_pile *pile, const struct guard_source *source,
                                      const struct gd_profile *profile, struct guard_err *err)
{
    GUARD_TRY(check(pile, source, err));
    enum guard_rc rc = observe(pile, source, profile, err);
    guard_arena_reset(&pile->arena);
    return rc;
}

enum guard_rc guard_pile_observe(struct guard_pile *pile, const struct guard_source *source,
                                 struct guard_span record, struct guard_err *err)
{
    GUARD_TRY(check(pile, source, err));
    struct gd_profile profile;
    enum guard_rc rc = gd_record_decode(record, &pile->arena, &profile);
    if (rc == GUARD_OK)
        rc = observe(pile, source, &profile, err);
    else
        (void)guard_fail(err, rc,
                         rc == GUARD_E_NOMEM ? "no memory to read a record"
                                             : "not a record of this version");
    if (rc == GUARD_E_NOMEM)
        pile->broken = true;
    guard_arena_reset(&pile->arena);
    return rc;
}
