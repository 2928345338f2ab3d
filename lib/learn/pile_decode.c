/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to piles. The bytes are hostile even when their checksum fits: only the canonical form of a
 * pile that could exist is taken, and memory follows what was read, never what was announced. */
#include "learn/pile_format.h"
#include "learn/pile_state.h"

#include "base/wire.h"
#include "sketch/kmv.h"

#include <guard/crypto.h>

/* No service had that many requests; sums of what is below don't overflow. */
#define COUNT_LIMIT (UINT64_C(1) << 56)

struct decoder {
    struct gd_reader reader;
    const uint8_t *start;
    struct guard_pile *pile;
    uint32_t cells_left;
    struct guard_err *err;
};

static enum guard_rc wrong(const struct decoder *decoder, enum guard_rc rc, const char *what)
{
    return guard_fail(decoder->err, rc, "pile, byte %zu: %s",
                      (size_t)(decoder->reader.ptr - decoder->start), what);
}

static enum guard_rc truncated(const struct decoder *decoder)
{
    return wrong(decoder, GUARD_E_SYNTAX, "ends early, or holds a number in a long form");
}

static bool get_tags(struct gd_reader *reader, uint32_t *tags, uint32_t max, uint32_t *count)
{
    *count = gd_get_u8(reader);
    if (*count > max)
        return false;
    for (uint32_t i = 0; i < *count; i++) {
        tags[i] = gd_get_u32(reader);
        if (i > 0 && tags[i] <= tags[i - 1])
            return false;
    }
    return true;
}

static enum guard_rc get_caps(struct decoder *decoder)
{
    struct gd_reader *reader = &decoder->reader;
    uint64_t cells = gd_get_varint(reader);
    uint64_t children = gd_get_varint(reader);
    uint64_t clients = gd_get_varint(reader);
    if (reader->failed)
        return truncated(decoder);
    if (cells < 16 || cells > GD_CELLS_LIMIT || children == 0 || children > GD_CELLS_LIMIT ||
        clients == 0 || clients > GD_CELLS_LIMIT)
        return wrong(decoder, GUARD_E_LIMIT, "caps beyond those of any pile");
    decoder->pile->cells_max = (uint32_t)cells;
    decoder->pile->children_max = (uint32_t)children;
    decoder->pile->clients_max = (uint32_t)clients;
    return GUARD_OK;
}

static enum guard_rc get_counters(struct decoder *decoder)
{
    struct gd_reader *reader = &decoder->reader;
    struct guard_pile *pile = decoder->pile;
    uint8_t flags = gd_get_u8(reader);
    pile->overflowed = (flags & GD_PILE_OVERFLOWED) != 0;
    pile->cut = (flags & GD_PILE_CUT) != 0;
    pile->bounded = (flags & GD_PILE_BOUNDED) != 0;
    uint64_t order = pile->bounded ? gd_get_varint(reader) : 0;
    if (pile->bounded) {
        pile->bound.priority = gd_get_u64(reader);
        pile->bound.hash = gd_get_u64(reader);
    }
    pile->basis.generation = gd_get_varint(reader);
    if (pile->basis.generation > 0) {
        struct guard_span digest = gd_get_bytes(reader, GUARD_DIGEST_BYTES);
        if (digest.len == GUARD_DIGEST_BYTES)
            memcpy(pile->basis.digest, digest.ptr, digest.len);
    }
    pile->anonymous = gd_get_varint(reader);
    pile->unlearned = gd_get_varint(reader);
    pile->first_ms = gd_get_varint(reader);
    pile->last_ms = gd_get_varint(reader);
    if (reader->failed)
        return truncated(decoder);
    if ((flags & ~(GD_PILE_OVERFLOWED | GD_PILE_CUT | GD_PILE_BOUNDED)) != 0 || order >= 3 << 8)
        return wrong(decoder, GUARD_E_SYNTAX, "unknown flags");
    pile->bound.order = (uint32_t)order;
    return GUARD_OK;
}

static bool epoch_fits(const struct gd_epoch *epoch, const struct gd_epoch *before)
{
    if (epoch->tier > GD_TIER_FINE || (epoch->id >> 60) != 0 ||
        (epoch->tier == GD_TIER_PAST && epoch->id != 0))
        return false;
    return before == NULL || before->tier < epoch->tier ||
           (before->tier == epoch->tier && before->id < epoch->id);
}

static enum guard_rc get_epochs(struct decoder *decoder)
{
    struct gd_reader *reader = &decoder->reader;
    struct gd_epochs *epochs = &decoder->pile->epochs;
    uint32_t tiers[GD_TIER_FINE + 1] = {0};
    uint64_t count = gd_get_varint(reader);
    if (count > GD_EPOCHS_MAX)
        return wrong(decoder, GUARD_E_LIMIT, "too many epochs");
    for (uint32_t i = 0; i < count; i++) {
        struct gd_epoch epoch = {.tier = gd_get_u8(reader)};
        epoch.id = gd_get_varint(reader);
        uint32_t tags;
        if (!get_tags(reader, epoch.tags, GD_TAGS_MAX, &tags) ||
            !epoch_fits(&epoch, i > 0 ? &epochs->items[i - 1] : NULL))
            return wrong(decoder, GUARD_E_SYNTAX, "epochs out of order");
        epoch.tag_count = (uint8_t)tags;
        epochs->items[epochs->count++] = epoch;
        tiers[epoch.tier]++;
    }
    if (reader->failed)
        return truncated(decoder);
    if (tiers[GD_TIER_FINE] > GD_EPOCHS_FINE || tiers[GD_TIER_DAY] > GD_EPOCHS_DAYS)
        return wrong(decoder, GUARD_E_LIMIT, "epochs that should have been folded");
    return GUARD_OK;
}

static bool interval_fits(const struct gd_interval *interval, uint64_t span,
                          const struct gd_interval *before)
{
    if (interval->first == 0 || span > UINT64_MAX - interval->first || interval->count == 0 ||
        interval->count - 1 > span)
        return false;
    if (before == NULL || before->producer < interval->producer)
        return true;
    if (before->producer != interval->producer || before->incarnation != interval->incarnation)
        return before->producer == interval->producer &&
               before->incarnation < interval->incarnation;
    return before->last < interval->first - 1;
}

static enum guard_rc get_intervals(struct decoder *decoder)
{
    struct gd_reader *reader = &decoder->reader;
    struct gd_intervals *intervals = &decoder->pile->intervals;
    struct gd_pool *pool = &decoder->pile->tree.pool;
    uint64_t count = gd_get_varint(reader);
    if (count > GD_INTERVALS_MAX)
        return wrong(decoder, GUARD_E_LIMIT, "too many intervals");
    if (count == 0 || reader->failed)
        return reader->failed ? truncated(decoder) : GUARD_OK;
    intervals->items = gd_pool_get(pool, (size_t)count * sizeof(*intervals->items));
    if (intervals->items == NULL)
        return GUARD_E_NOMEM;
    intervals->cap = (uint32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        struct gd_interval interval = {.producer = gd_get_varint(reader)};
        interval.incarnation = gd_get_varint(reader);
        interval.first = gd_get_varint(reader);
        uint64_t span = gd_get_varint(reader);
        interval.count = gd_get_varint(reader);
        interval.time_ms = gd_get_varint(reader);
        if (reader->failed)
            return truncated(decoder);
        if (!interval_fits(&interval, span, i > 0 ? &intervals->items[i - 1] : NULL))
            return wrong(decoder, GUARD_E_SYNTAX, "intervals out of order");
        interval.last = interval.first + span;
        intervals->items[intervals->count++] = interval;
    }
    return GUARD_OK;
}

/* What stands before the values: which cell it is. */
struct identity {
    enum gd_kind kind;
    uint8_t flags;
    uint8_t location;
    uint64_t code;
    struct guard_span text;
};

static bool location_fits(const struct gd_cell *parent, uint8_t location)
{
    if (!gd_location_in(GD_LOCATION_FIELDS, location))
        return false;
    if (parent->kind == GD_KIND_NAME)
        return location == parent->location;
    bool common = location == GUARD_LOCATION_HEADER || location == GUARD_LOCATION_COOKIE;
    if (parent->kind == GD_KIND_ANSWER) /* failures are whole at the service */
        return parent->depth == 1 ? common || parent->code >= 4 : !common;
    return common == (parent->kind == GD_KIND_SERVICE);
}

static enum guard_rc get_identity(struct decoder *decoder, const struct gd_cell *parent,
                                  struct identity *identity)
{
    struct gd_reader *reader = &decoder->reader;
    uint8_t head = gd_get_u8(reader);
    uint32_t kind = head & GD_PILE_KIND;
    *identity =
        (struct identity){.kind = (enum gd_kind)kind, .flags = head & (uint8_t)~GD_PILE_KIND};
    if (reader->failed)
        return truncated(decoder);
    if (kind >= GD_KIND_COUNT ||
        (parent == NULL ? kind != GD_KIND_SERVICE
                        : !gd_kind_allowed((enum gd_kind)parent->kind, identity->kind)))
        return wrong(decoder, GUARD_E_SYNTAX, "a cell that can't be here");
    if (kind == GD_KIND_NAME)
        identity->location = gd_get_u8(reader);
    if (gd_kind_named(identity->kind) || kind == GD_KIND_LITERAL)
        identity->code = gd_get_u64(reader);
    else if (kind == GD_KIND_CLIENT)
        identity->code = gd_get_u32(reader);
    else if (kind != GD_KIND_SERVICE)
        identity->code = gd_get_varint(reader);
    if (gd_kind_named(identity->kind))
        identity->text = gd_get_string(reader, GD_TEXT_MAX);
    if (reader->failed)
        return truncated(decoder);
    if ((kind == GD_KIND_NAME && !location_fits(parent, identity->location)) ||
        !gd_kind_code(identity->kind, identity->code))
        return wrong(decoder, GUARD_E_RANGE, "a cell's code or location");
    return GUARD_OK;
}

static enum guard_rc check_place(const struct decoder *decoder, const struct gd_cell *parent,
                                 const struct identity *identity)
{
    const struct guard_pile *pile = decoder->pile;
    const struct gd_cell *last =
        parent->child_count > 0 ? parent->children[parent->child_count - 1] : NULL;
    if (last != NULL && (last->kind > identity->kind ||
                         (last->kind == identity->kind && last->code >= identity->code)))
        return wrong(decoder, GUARD_E_SYNTAX, "cells out of order");
    uint32_t alike =
        parent->scope->first[identity->kind + 1] - parent->scope->first[identity->kind];
    if (alike >= gd_pile_leaf_cap(pile, identity->kind) || parent->depth + 1 >= GD_DEPTH_MAX)
        return wrong(decoder, GUARD_E_LIMIT, "more cells below one than a pile keeps");
    if (pile->keyed && gd_kind_named(identity->kind) &&
        identity->code !=
            gd_pile_code(&pile->name_key, identity->kind, identity->location, identity->text))
        return wrong(decoder, GUARD_E_SYNTAX, "a name under another name's code");
    if ((identity->flags & GD_PILE_TRUSTED) != 0 && !parent->trusted)
        return wrong(decoder, GUARD_E_SYNTAX, "a trusted cell below one that isn't");
    return GUARD_OK;
}

static enum guard_rc get_values(struct decoder *decoder, struct gd_cell *cell)
{
    struct gd_reader *reader = &decoder->reader;
    uint32_t table = decoder->pile->epochs.count;
    uint64_t epochs = gd_get_varint(reader);
    if (reader->failed)
        return truncated(decoder);
    if ((table < GD_EPOCHS_MAX && (epochs >> table) != 0) || epochs > UINT32_MAX ||
        (epochs == 0 && cell->parent != NULL))
        return wrong(decoder, GUARD_E_RANGE, "a cell's epochs");
    cell->epochs = (uint32_t)epochs;
    uint32_t tags;
    bool sorted, too_many = false;
    if (cell->epoch_counts != NULL) {
        for (uint32_t left = cell->epochs; left != 0; left &= left - 1) {
            uint64_t count = gd_get_varint(reader);
            cell->epoch_counts[__builtin_ctz(left)] = count;
            cell->count += count < COUNT_LIMIT ? count : COUNT_LIMIT;
            too_many = too_many || count >= COUNT_LIMIT;
        }
        sorted = get_tags(reader, cell->client_tags, GD_KMV, &tags);
        cell->client_count = sorted ? tags : 0;
        cell->tag_count = (uint8_t)gd_bottom_unite(cell->tags, 0, GD_TAGS_MAX, cell->client_tags,
                                                   cell->client_count);
    } else {
        cell->count = gd_get_varint(reader);
        too_many = cell->count >= COUNT_LIMIT;
        sorted = get_tags(reader, cell->tags, GD_TAGS_MAX, &tags);
        cell->tag_count = (uint8_t)(sorted ? tags : 0);
    }
    if (reader->failed)
        return truncated(decoder);
    if (too_many)
        return wrong(decoder, GUARD_E_RANGE, "a cell's count");
    if (!sorted || (cell->tag_count == 0) != (cell->epochs == 0))
        return wrong(decoder, GUARD_E_SYNTAX, "a cell's clients out of order");
    return GUARD_OK;
}

static enum guard_rc get_dropped(struct decoder *decoder, struct gd_cell *cell, uint8_t flags)
{
    if ((flags & GD_PILE_DROPPED) == 0)
        return GUARD_OK;
    uint64_t kinds = gd_get_varint(&decoder->reader);
    if (decoder->reader.failed)
        return truncated(decoder);
    if (kinds == 0 || (kinds >> GD_KIND_COUNT) != 0 || cell->scope == NULL)
        return wrong(decoder, GUARD_E_RANGE, "kinds of dropped cells");
    cell->dropped = true;
    cell->dropped_kinds = (uint32_t)kinds;
    return GUARD_OK;
}

/* Within the pile's times, and not before what it is in: no pile has others. */
static enum guard_rc get_first(struct decoder *decoder, struct gd_cell *cell)
{
    const struct guard_pile *pile = decoder->pile;
    if (decoder->start[GD_PILE_MAGIC_LEN] < GD_PILE_VERSION ||
        !gd_kind_named((enum gd_kind)cell->kind)) {
        cell->first_s = 0;
        return GUARD_OK;
    }
    uint64_t from = gd_cell_seconds(pile->first_ms);
    uint64_t past = gd_get_varint(&decoder->reader);
    if (decoder->reader.failed)
        return truncated(decoder);
    if (past > gd_cell_seconds(pile->last_ms) - from + 1)
        return wrong(decoder, GUARD_E_RANGE, "a cell's first time");
    cell->first_s = past == 0 ? 0 : (uint32_t)(from + past - 1);
    if (cell->first_s < cell->parent->first_s || (past != 0 && cell->first_s == 0))
        return wrong(decoder, GUARD_E_RANGE, "a cell's first time");
    return GUARD_OK;
}

static enum guard_rc get_below(struct decoder *decoder, struct gd_cell *parent);

static enum guard_rc get_rest(struct decoder *decoder, struct gd_cell *cell, uint8_t flags)
{
    cell->trusted = (flags & GD_PILE_TRUSTED) != 0;
    GUARD_TRY(get_dropped(decoder, cell, flags));
    GUARD_TRY(get_first(decoder, cell));
    GUARD_TRY(get_values(decoder, cell));
    return (flags & GD_PILE_CHILDREN) != 0 ? get_below(decoder, cell) : GUARD_OK;
}

/* Recursion is as deep as the tree: below GD_DEPTH_MAX. */
static enum guard_rc get_below(struct decoder *decoder, struct gd_cell *parent)
{
    uint64_t count = gd_get_varint(&decoder->reader);
    if (decoder->reader.failed)
        return truncated(decoder);
    if (parent->scope == NULL || count == 0)
        return wrong(decoder, GUARD_E_SYNTAX,
                     "a leaf with cells below it, or none where some were announced");
    if (count > decoder->cells_left)
        return wrong(decoder, GUARD_E_LIMIT, "more cells than were announced");
    for (; count > 0; count--) {
        struct identity identity;
        GUARD_TRY(get_identity(decoder, parent, &identity));
        GUARD_TRY(check_place(decoder, parent, &identity));
        if (decoder->cells_left-- == 0)
            return wrong(decoder, GUARD_E_LIMIT, "more cells than were announced");
        struct gd_cell *cell =
            gd_tree_insert(&decoder->pile->tree, parent, identity.kind, parent->child_count,
                           identity.code, identity.location, identity.text);
        if (cell == NULL)
            return GUARD_E_NOMEM;
        GUARD_TRY(get_rest(decoder, cell, identity.flags));
    }
    return GUARD_OK;
}

static enum guard_rc get_tree(struct decoder *decoder)
{
    struct guard_pile *pile = decoder->pile;
    uint64_t cells = gd_get_varint(&decoder->reader);
    if (decoder->reader.failed)
        return truncated(decoder);
    if (cells == 0 || cells > pile->cells_max)
        return wrong(decoder, GUARD_E_LIMIT, "more cells than the pile's cap, or none");
    decoder->cells_left = (uint32_t)cells - 1;
    struct identity identity;
    GUARD_TRY(get_identity(decoder, NULL, &identity));
    GUARD_TRY(get_rest(decoder, pile->tree.root, identity.flags));
    if (decoder->cells_left != 0)
        return wrong(decoder, GUARD_E_SYNTAX, "fewer cells than were announced");
    return GUARD_OK;
}

static enum guard_rc check_basis(const struct decoder *decoder)
{
    const struct guard_pile *pile = decoder->pile;
    uint8_t digest[GUARD_DIGEST_BYTES];
    if (pile->basis.generation == 0)
        return pile->tree.root->trusted
                   ? wrong(decoder, GUARD_E_SYNTAX, "protected cells without a basis")
                   : GUARD_OK;
    gd_pile_count_trusted(decoder->pile);
    gd_pile_basis_digest(pile, digest);
    if (memcmp(digest, pile->basis.digest, sizeof(digest)) != 0)
        return wrong(decoder, GUARD_E_SYNTAX, "the protected cells are not those of the basis");
    return GUARD_OK;
}

static enum guard_rc get_pile(struct decoder *decoder)
{
    GUARD_TRY(get_caps(decoder));
    GUARD_TRY(get_counters(decoder));
    GUARD_TRY(get_epochs(decoder));
    GUARD_TRY(get_intervals(decoder));
    GUARD_TRY(get_tree(decoder));
    if (!gd_reader_done(&decoder->reader))
        return wrong(decoder, GUARD_E_SYNTAX, "bytes behind the end");
    if (decoder->start[GD_PILE_MAGIC_LEN] != gd_pile_version(decoder->pile))
        return wrong(decoder, GUARD_E_SYNTAX, "a version that isn't that of its cells");
    return check_basis(decoder);
}

/* Magic, version, checksum: what can be said before anything is believed. */
static enum guard_rc check_frame(struct guard_span bytes, struct guard_err *err)
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    if (bytes.len < GD_PILE_MAGIC_LEN || memcmp(bytes.ptr, GD_PILE_MAGIC, GD_PILE_MAGIC_LEN) != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "not a pile");
    if (bytes.len < GD_PILE_MAGIC_LEN + 1 + sizeof(digest))
        return guard_fail(err, GUARD_E_SYNTAX, "a pile of only %zu bytes", bytes.len);
    uint8_t version = bytes.ptr[GD_PILE_MAGIC_LEN];
    if (version < GD_PILE_VERSION_PLAIN || version > GD_PILE_VERSION)
        return guard_fail(err, GUARD_E_VERSION, "a pile of version %u; this program reads %d to %d",
                          version, GD_PILE_VERSION_PLAIN, GD_PILE_VERSION);
    guard_digest(digest, gd_span(bytes.ptr, bytes.len - sizeof(digest)));
    if (memcmp(digest, bytes.ptr + bytes.len - sizeof(digest), sizeof(digest)) != 0)
        return guard_fail(err, GUARD_E_CHECKSUM,
                          "a pile whose %zu bytes are not those that were written", bytes.len);
    return GUARD_OK;
}

static enum guard_rc check_owner(const struct guard_pile_cfg *cfg, struct guard_span service,
                                 const uint8_t key_id[8], struct guard_err *err)
{
    uint8_t own[8];
    if (cfg->service.len == 0)
        return GUARD_OK;
    if (!gd_span_equal(cfg->service, service))
        return guard_fail(err, GUARD_E_FOREIGN, "a pile of the service \"%.*s\", not of \"%.*s\"",
                          (int)service.len, (const char *)service.ptr, (int)cfg->service.len,
                          (const char *)cfg->service.ptr);
    gd_pile_key_id(own, cfg->key);
    if (memcmp(own, key_id, sizeof(own)) != 0)
        return guard_fail(err, GUARD_E_FOREIGN, "a pile made under another key");
    return GUARD_OK;
}

enum guard_rc guard_pile_decode(struct guard_pile **out, const struct guard_pile_cfg *cfg,
                                struct guard_span bytes, struct guard_err *err)
{
    GUARD_TRY(check_frame(bytes, err));
    struct decoder decoder = {.start = bytes.ptr, .err = err};
    gd_reader_init(&decoder.reader, gd_span(bytes.ptr, bytes.len - GUARD_DIGEST_BYTES));
    (void)gd_get_bytes(&decoder.reader, GD_PILE_MAGIC_LEN + 1);
    struct guard_span service = gd_get_string(&decoder.reader, GD_PILE_SERVICE_MAX);
    struct guard_span key_id = gd_get_bytes(&decoder.reader, 8);
    if (decoder.reader.failed || service.len == 0)
        return wrong(&decoder, GUARD_E_SYNTAX, "the service's name");
    GUARD_TRY(check_owner(cfg, service, key_id.ptr, err));
    struct guard_pile *pile;
    if (gd_pile_begin(&pile, &cfg->alloc, key_id.ptr) != GUARD_OK)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a pile");
    memcpy(pile->service, service.ptr, service.len);
    pile->service_len = service.len;
    pile->tree.root->text = gd_span(pile->service, pile->service_len);
    if (cfg->service.len > 0)
        gd_pile_key(pile, cfg->key);
    decoder.pile = pile;
    enum guard_rc rc = get_pile(&decoder);
    if (rc != GUARD_OK) {
        guard_pile_free(pile);
        return rc == GUARD_E_NOMEM ? guard_fail(err, rc, "no memory for a pile") : rc;
    }
    *out = pile;
    return GUARD_OK;
}
