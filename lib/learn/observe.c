/* SPDX-License-Identifier: Apache-2.0 */
/* Puts one record into a pile: whose it is, of which epoch, whether it teaches, and which cells it
 * touches. */
#include "learn/touch.h"

#include "base/arena.h"
#include "policy/policy.h"
#include "profile/record.h"
#include "sketch/bucket.h"
#include "sketch/kmv.h"

#include <inttypes.h>

enum { SLICE_MS = 10 * 60 * 1000 };

static const uint64_t faults_mask = (UINT64_C(1) << GUARD_FAULT_COUNT) - 1;

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

/* Where the parts of a message hang. */
struct owners {
    struct gd_cell *common; /* its headers and cookies */
    struct gd_cell *own;    /* the rest; either may be NULL: refused */
};

static bool is_common(enum guard_location location)
{
    return location == GUARD_LOCATION_HEADER || location == GUARD_LOCATION_COOKIE;
}

/* Where a field hangs; NULL when its parent was refused or lies elsewhere. */
static struct gd_cell *field_parent(const struct owners *owners, const struct gd_field *field,
                                    struct gd_cell *const *cells, uint32_t index)
{
    if (!gd_location_in(GD_LOCATION_FIELDS, field->location))
        return NULL;
    if (is_common(field->location))
        return owners->common;
    if (field->parent == GD_NO_FIELD)
        return owners->own;
    if (field->parent >= index || cells[field->parent] == NULL)
        return NULL;
    return cells[field->parent]->location == field->location ? cells[field->parent] : NULL;
}

static enum guard_rc touch_fields(struct gd_touch *touch, const struct owners *owners,
                                  const struct gd_profile *profile)
{
    struct guard_arena *arena = &touch->pile->arena;
    struct gd_cell **cells =
        gd_arena_get(arena, ((size_t)profile->field_count + 1) * sizeof(struct gd_cell *));
    if (cells == NULL)
        return GUARD_E_NOMEM;
    for (uint32_t i = 0; i < profile->field_count; i++) {
        const struct gd_field *field = &profile->fields[i];
        struct gd_cell *parent = field_parent(owners, field, cells, i);
        cells[i] = parent == NULL ? NULL
                                  : gd_touch_name(touch, parent, GD_KIND_NAME,
                                                  (uint8_t)field->location, field->name);
        if (cells[i] != NULL)
            gd_touch_summary(touch, cells[i], &field->summary);
        if (touch->nomem)
            return GUARD_E_NOMEM;
    }
    return GUARD_OK;
}

static struct gd_cell *touch_path(struct gd_touch *touch, const struct gd_profile *profile)
{
    struct gd_cell *cell = touch->pile->tree.root;
    for (uint32_t i = 0; i < profile->segment_count && i < GD_SEGMENTS_MAX && cell != NULL; i++)
        cell = gd_touch_name(touch, cell, GD_KIND_SEGMENT, 0, profile->segments[i].text);
    if (profile->segment_count == 0)
        cell = gd_touch_name(touch, cell, GD_KIND_SEGMENT, 0, gd_span(NULL, 0));
    return cell == NULL ? NULL : gd_touch_name(touch, cell, GD_KIND_METHOD, 0, profile->method);
}

static void touch_body(struct gd_touch *touch, struct gd_cell *own,
                       const struct gd_profile *profile)
{
    if (profile->media_type.len > 0)
        (void)gd_touch_name(touch, own, GD_KIND_MEDIA, 0, profile->media_type);
    if (profile->body_kind != GUARD_BODY_NONE || profile->body_bytes > 0)
        gd_touch_number(touch, own, GD_KIND_SIZE, gd_bucket(profile->body_bytes));
    if (profile->body_kind == GUARD_BODY_JSON || profile->depth > 0)
        gd_touch_number(touch, own, GD_KIND_DEPTH, profile->depth < 255 ? profile->depth : 255);
}

static void touch_faults(struct gd_touch *touch, const struct owners *owners,
                         const struct gd_profile *profile)
{
    for (uint32_t i = 0; i < GUARD_LOCATION_COUNT; i++) {
        struct gd_cell *parent = is_common((enum guard_location)i) ? owners->common : owners->own;
        if (parent != NULL)
            gd_touch_bits(touch, parent, GD_KIND_FAULT, profile->faults[i] & faults_mask,
                          (uint64_t)i << 8);
    }
}

static enum guard_rc touch_message(struct gd_touch *touch, const struct owners *owners,
                                   const struct gd_profile *profile)
{
    if (owners->own != NULL)
        touch_body(touch, owners->own, profile);
    touch_faults(touch, owners, profile);
    return touch_fields(touch, owners, profile);
}

static uint32_t status_class(const struct gd_profile *profile)
{
    uint32_t cls = profile->status / 100;
    return cls >= 1 && cls <= 5 ? cls : 0;
}

/* A response that was viewed. method: NULL for what belongs to no endpoint, as failures do. */
static enum guard_rc touch_answer(struct gd_touch *touch, struct gd_cell *method,
                                  const struct gd_profile *profile)
{
    const struct gd_profile *response = profile->response;
    uint32_t cls = status_class(profile);
    if (response == NULL || cls == 0)
        return GUARD_OK;
    struct owners owners = {
        .common = gd_touch_numbered(touch, touch->pile->tree.root, GD_KIND_ANSWER, cls)};
    owners.own = method == NULL ? NULL : gd_touch_numbered(touch, method, GD_KIND_ANSWER, cls);
    if (cls >= 4)
        owners.own = owners.common;
    if (owners.own != NULL)
        gd_touch_bits(touch, owners.own, GD_KIND_LEAK, response->leaks, 0);
    if (owners.common != NULL && owners.common != owners.own)
        gd_touch_bits(touch, owners.common, GD_KIND_LEAK, response->leaks, 0);
    return touch_message(touch, &owners, response);
}

static void touch_outcome(struct gd_touch *touch, struct gd_cell *method,
                          const struct gd_profile *profile)
{
    uint32_t cls = status_class(profile);
    if (cls != 0)
        gd_touch_number(touch, method, GD_KIND_STATUS, cls);
    if (profile->latency_us != UINT32_MAX)
        gd_touch_number(touch, method, GD_KIND_LATENCY, gd_bucket(profile->latency_us / 1000));
}

/* As if sizes had been pushed out of a full table: whether there were bodies, and which headers,
 * these records don't tell. */
static void note_unseen(struct gd_cell *root, struct gd_cell *method)
{
    gd_cell_drop(root, GD_KIND_SIZE);
    if (method != NULL)
        gd_cell_drop(method, GD_KIND_SIZE);
}

static enum guard_rc touch_all(struct gd_touch *touch, const struct gd_profile *profile)
{
    struct gd_cell *root = touch->pile->tree.root;
    const struct guard_client *client = &profile->client;
    gd_touch_cell(touch, root);
    if ((client->unit == GUARD_UNIT_SUBJECT && client->subject.len > 0) ||
        client->address_len == 4 || client->address_len == 16)
        gd_touch_number(touch, root, GD_KIND_CLIENT,
                        gd_policy_client(touch->pile->client_key, client));
    struct gd_cell *method = touch_path(touch, profile);
    const struct owners owners = {root, method};
    GUARD_TRY(touch_message(touch, &owners, profile));
    if (method != NULL)
        touch_outcome(touch, method, profile);
    if (profile->unseen)
        note_unseen(root, method);
    GUARD_TRY(touch_answer(touch, method, profile));
    return touch->nomem ? GUARD_E_NOMEM : GUARD_OK;
}

/* Syntax in a segment of the path. */
static bool mistyped(const struct gd_profile *profile)
{
    for (uint32_t i = 0; i < profile->field_count; i++) {
        const struct gd_field *field = &profile->fields[i];
        for (uint64_t left = field->summary.classes;
             field->location == GUARD_LOCATION_PATH && left != 0; left &= left - 1) {
            if (guard_class_is_syntax((enum guard_class)__builtin_ctzll(left)))
                return true;
        }
    }
    return false;
}

/* A segment of the path that reads like an attack. */
static bool attack_like(const struct gd_profile *profile)
{
    for (uint32_t i = 0; profile->likeness && i < profile->field_count; i++) {
        if (profile->fields[i].location == GUARD_LOCATION_PATH &&
            profile->fields[i].summary.likeness != 0)
            return true;
    }
    return false;
}

/* A client by an address or subject of its own, learned from in an earlier epoch. */
static bool tenured(const struct gd_touch *touch, const struct gd_profile *profile)
{
    if ((touch->tag & 1) == 0)
        return false;
    const struct gd_cell *client =
        gd_tree_recall(touch->pile->tree.root, GD_KIND_CLIENT,
                       gd_policy_client(touch->pile->client_key, &profile->client));
    return client != NULL && (client->epochs & ~touch->epoch_bit) != 0;
}

bool guard_pile_tenured(const struct guard_pile *pile, const struct guard_client *client,
                        uint64_t time_ms)
{
    if (client->unit != GUARD_UNIT_PREFIX && client->unit != GUARD_UNIT_SUBJECT)
        return false;
    uint32_t at;
    const struct gd_cell *cell = gd_tree_find(pile->tree.root, GD_KIND_CLIENT,
                                              gd_policy_client(pile->client_key, client), &at);
    if (!pile->keyed || cell == NULL)
        return false;
    struct gd_epoch epoch = gd_epoch_of(&pile->epochs, pile->tree.root, time_ms);
    uint32_t index = gd_epochs_find(&pile->epochs, &epoch);
    return index >= GD_EPOCHS_MAX || (cell->epochs & ~(UINT32_C(1) << index)) != 0;
}

/* What the service refused teaches nothing of requests. What a policy would have blocked, though
 * the mode let it pass, teaches when a tenured client sent it: else the first policy, which can't
 * know what is rare, would keep it unknown for ever. */
static bool trusted(const struct gd_touch *touch, const struct gd_profile *profile)
{
    bool held = profile->decision == GUARD_BLOCK || profile->novel || profile->excepted;
    return !held || tenured(touch, profile);
}

static bool succeeded(const struct gd_profile *profile)
{
    const uint32_t status = profile->status;
    return status == 0 || status == 101 || (status >= 200 && status < 400);
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

static enum guard_rc begin(struct gd_touch *touch, const struct guard_source *source,
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
    touch->time_s = gd_cell_seconds(profile->time_ms);
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
    struct gd_touch touch = {.pile = pile};
    GUARD_TRY(begin(&touch, source, profile));
    if (touch.anonymous)
        pile->anonymous++;
    if (profile->time_ms != 0 && (pile->first_ms == 0 || profile->time_ms < pile->first_ms))
        pile->first_ms = profile->time_ms;
    if (profile->time_ms > pile->last_ms)
        pile->last_ms = profile->time_ms;
    if (gd_profile_exempt(profile)) {
        pile->unlearned++;
        return GUARD_OK;
    }
    if (status_class(profile) != 0)
        gd_touch_number(&touch, pile->tree.root, GD_KIND_STATUS, status_class(profile));
    if (!succeeded(profile) || !trusted(&touch, profile)) {
        pile->unlearned++;
        if (status_class(profile) == 4 && mistyped(profile))
            gd_touch_number(&touch, pile->tree.root, GD_KIND_STATUS, GD_STATUS_MISTYPED);
        if (status_class(profile) == 4 && attack_like(profile))
            gd_touch_number(&touch, pile->tree.root, GD_KIND_STATUS, GD_STATUS_ATTACK_LIKE);
        if (status_class(profile) >= 4 && trusted(&touch, profile))
            GUARD_TRY(touch_answer(&touch, NULL, profile));
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
