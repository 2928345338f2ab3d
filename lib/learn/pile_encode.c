/* SPDX-License-Identifier: Apache-2.0 */
/* Piles to bytes, in the one canonical form. */
#include "learn/pile_format.h"
#include "learn/pile_state.h"

#include "base/wire.h"

#include <guard/crypto.h>

enum { VARINT_MAX = 10 };

static void put_tags(struct gd_writer *writer, const uint32_t *tags, uint32_t count)
{
    gd_put_u8(writer, (uint8_t)count);
    for (uint32_t i = 0; i < count; i++)
        gd_put_u32(writer, tags[i]);
}

static void put_code(struct gd_writer *writer, const struct gd_cell *cell)
{
    enum gd_kind kind = (enum gd_kind)cell->kind;
    if (kind == GD_KIND_NAME)
        gd_put_u8(writer, cell->location);
    if (gd_kind_named(kind) || kind == GD_KIND_LITERAL)
        gd_put_u64(writer, cell->code);
    else if (kind == GD_KIND_CLIENT)
        gd_put_u32(writer, (uint32_t)cell->code);
    else if (kind != GD_KIND_SERVICE)
        gd_put_varint(writer, cell->code);
    if (gd_kind_named(kind))
        gd_put_string(writer, cell->text);
}

/* Counted from the pile's first record: most are young, and a shorter number. */
static void put_first(struct gd_writer *writer, const struct gd_cell *cell, uint64_t first_ms)
{
    gd_put_varint(writer,
                  cell->first_s == 0 ? 0 : cell->first_s - gd_cell_seconds(first_ms) + UINT64_C(1));
}

/* times: with when named ones were first seen. */
static void put_cell(struct gd_writer *writer, const struct gd_cell *cell, bool times,
                     uint64_t first_ms)
{
    gd_put_u8(writer, (uint8_t)(cell->kind | (cell->trusted ? GD_PILE_TRUSTED : 0) |
                                (cell->dropped ? GD_PILE_DROPPED : 0) |
                                (cell->child_count > 0 ? GD_PILE_CHILDREN : 0)));
    put_code(writer, cell);
    if (cell->dropped)
        gd_put_varint(writer, cell->dropped_kinds);
    if (times && gd_kind_named((enum gd_kind)cell->kind))
        put_first(writer, cell, first_ms);
    gd_put_varint(writer, cell->epochs);
    if (cell->epoch_counts != NULL) {
        /* Count and tags follow from these. */
        for (uint32_t left = cell->epochs; left != 0; left &= left - 1)
            gd_put_varint(writer, cell->epoch_counts[__builtin_ctz(left)]);
        put_tags(writer, cell->client_tags, cell->client_count);
    } else {
        gd_put_varint(writer, cell->count);
        put_tags(writer, cell->tags, cell->tag_count);
    }
    if (cell->child_count > 0)
        gd_put_varint(writer, cell->child_count);
}

static size_t cell_bound(const struct gd_cell *cell)
{
    size_t numbers = 1 + (size_t)__builtin_popcount(cell->epochs);
    return 5 * VARINT_MAX + cell->text.len + numbers * VARINT_MAX +
           4 * (size_t)(cell->tag_count + cell->client_count);
}

static size_t pile_bound(const struct guard_pile *pile)
{
    size_t bound = 512 + pile->epochs.count * sizeof(struct gd_epoch) +
                   (size_t)pile->intervals.count * 6 * VARINT_MAX + GUARD_DIGEST_BYTES;
    for (const struct gd_cell *cell = pile->tree.root; cell != NULL; cell = gd_tree_next(cell))
        bound += cell_bound(cell);
    return bound;
}

uint8_t gd_pile_version(const struct guard_pile *pile)
{
    uint32_t at;
    uint8_t version = GD_PILE_VERSION_PLAIN;
    if (gd_tree_find(pile->tree.root, GD_KIND_STATUS, GD_STATUS_MISTYPED, &at) != NULL)
        version = GD_PILE_VERSION_MISTYPED;
    if (gd_tree_find(pile->tree.root, GD_KIND_STATUS, GD_STATUS_ATTACK_LIKE, &at) != NULL)
        version = GD_PILE_VERSION_LIKENESS;
    for (const struct gd_cell *cell = pile->tree.root; cell != NULL; cell = gd_tree_next(cell)) {
        if (cell->first_s != 0)
            return GD_PILE_VERSION;
        if (cell->kind == GD_KIND_LIKENESS || (cell->dropped_kinds >> GD_KIND_LIKENESS & 1) != 0)
            version = GD_PILE_VERSION_LIKENESS;
    }
    return version;
}

static void put_head(struct gd_writer *writer, const struct guard_pile *pile, uint8_t version)
{
    gd_put_bytes(writer, gd_span(GD_PILE_MAGIC, GD_PILE_MAGIC_LEN));
    gd_put_u8(writer, version);
    gd_put_string(writer, gd_span(pile->service, pile->service_len));
    gd_put_bytes(writer, gd_span(pile->key_id, sizeof(pile->key_id)));
    gd_put_varint(writer, pile->cells_max);
    gd_put_varint(writer, pile->children_max);
    gd_put_varint(writer, pile->clients_max);
    gd_put_u8(writer,
              (uint8_t)((pile->overflowed ? GD_PILE_OVERFLOWED : 0) |
                        (pile->cut ? GD_PILE_CUT : 0) | (pile->bounded ? GD_PILE_BOUNDED : 0)));
    if (pile->bounded) {
        gd_put_varint(writer, pile->bound.order);
        gd_put_u64(writer, pile->bound.priority);
        gd_put_u64(writer, pile->bound.hash);
    }
    gd_put_varint(writer, pile->basis.generation);
    if (pile->basis.generation > 0)
        gd_put_bytes(writer, gd_span(pile->basis.digest, sizeof(pile->basis.digest)));
    gd_put_varint(writer, pile->anonymous);
    gd_put_varint(writer, pile->unlearned);
    gd_put_varint(writer, pile->first_ms);
    gd_put_varint(writer, pile->last_ms);
}

static void put_epochs(struct gd_writer *writer, const struct gd_epochs *epochs)
{
    gd_put_varint(writer, epochs->count);
    for (uint32_t i = 0; i < epochs->count; i++) {
        gd_put_u8(writer, epochs->items[i].tier);
        gd_put_varint(writer, epochs->items[i].id);
        put_tags(writer, epochs->items[i].tags, epochs->items[i].tag_count);
    }
}

static void put_intervals(struct gd_writer *writer, const struct gd_intervals *intervals)
{
    gd_put_varint(writer, intervals->count);
    for (uint32_t i = 0; i < intervals->count; i++) {
        const struct gd_interval *interval = &intervals->items[i];
        gd_put_varint(writer, interval->producer);
        gd_put_varint(writer, interval->incarnation);
        gd_put_varint(writer, interval->first);
        gd_put_varint(writer, interval->last - interval->first);
        gd_put_varint(writer, interval->count);
        gd_put_varint(writer, interval->time_ms);
    }
}

enum guard_rc guard_pile_encode(const struct guard_pile *pile, uint8_t **out, size_t *len,
                                struct guard_err *err)
{
    if (pile->broken)
        return guard_fail(err, GUARD_E_STATE, "the pile was left incomplete when memory ran out");
    size_t bound = pile_bound(pile);
    uint8_t *bytes = pile->alloc.alloc(pile->alloc.ctx, bound);
    if (bytes == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a pile's bytes");
    struct gd_writer writer;
    gd_writer_init(&writer, bytes, bound);
    uint8_t version = gd_pile_version(pile);
    put_head(&writer, pile, version);
    put_epochs(&writer, &pile->epochs);
    put_intervals(&writer, &pile->intervals);
    gd_put_varint(&writer, pile->tree.cell_count);
    for (const struct gd_cell *cell = pile->tree.root; cell != NULL; cell = gd_tree_next(cell))
        put_cell(&writer, cell, version >= GD_PILE_VERSION, pile->first_ms);
    uint8_t digest[GUARD_DIGEST_BYTES];
    guard_digest(digest, gd_span(bytes, writer.len));
    gd_put_bytes(&writer, gd_span(digest, sizeof(digest)));
    if (writer.overflow) {
        pile->alloc.free(pile->alloc.ctx, bytes);
        return guard_fail(err, GUARD_E_LIMIT, "a pile outgrew its bound");
    }
    *out = bytes;
    *len = writer.len;
    return GUARD_OK;
}
