/* SPDX-License-Identifier: Apache-2.0 */
/* Piles as objects: birth, keys, what they hold, what they protect and forget. */
#include <guard/pile.h>

#include "learn/pile_state.h"

#include "policy/policy.h"

#include <guard/crypto.h>

static uint64_t load_u64(const uint8_t bytes[8])
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

/* The size of a block stands before it. */
static void *scratch_get(void *ctx, size_t size)
{
    struct gd_scratch *scratch = ctx;
    for (unsigned i = 0; i < GD_SPARES; i++) {
        struct gd_spare *spare = &scratch->spares[i];
        if (spare->block != NULL && spare->size >= size) {
            void *block = spare->block;
            spare->block = NULL;
            return (uint8_t *)block + GD_POOL_STEP;
        }
    }
    void *block = scratch->source.alloc(scratch->source.ctx, size + GD_POOL_STEP);
    if (block == NULL)
        return NULL;
    memcpy(block, &size, sizeof(size));
    return (uint8_t *)block + GD_POOL_STEP;
}

static void scratch_put(void *ctx, void *ptr)
{
    struct gd_scratch *scratch = ctx;
    if (ptr == NULL)
        return;
    void *block = (uint8_t *)ptr - GD_POOL_STEP;
    size_t size;
    memcpy(&size, block, sizeof(size));
    for (unsigned i = 0; i < GD_SPARES && size <= GD_SPARE_MAX; i++) {
        if (scratch->spares[i].block == NULL) {
            scratch->spares[i] = (struct gd_spare){block, size};
            return;
        }
    }
    scratch->source.free(scratch->source.ctx, block);
}

static void scratch_fini(struct gd_scratch *scratch)
{
    for (unsigned i = 0; i < GD_SPARES; i++) {
        if (scratch->spares[i].block != NULL)
            scratch->source.free(scratch->source.ctx, scratch->spares[i].block);
    }
}

static size_t scratch_size(const struct gd_scratch *scratch)
{
    size_t size = 0;
    for (unsigned i = 0; i < GD_SPARES; i++)
        size += scratch->spares[i].block != NULL ? scratch->spares[i].size : 0;
    return size;
}

enum { ARENA_LIMIT = 4 * 1024 * 1024 }; /* a record of 16 KiB with the most fields needs less */

enum guard_rc gd_pile_begin(struct guard_pile **out, const struct guard_alloc *alloc,
                            const uint8_t key_id[8])
{
    struct guard_pile *pile = alloc->alloc(alloc->ctx, sizeof(*pile));
    if (pile == NULL)
        return GUARD_E_NOMEM;
    *pile = (struct guard_pile){.alloc = *alloc, .scratch = {.source = *alloc}};
    memcpy(pile->key_id, key_id, sizeof(pile->key_id));
    if (gd_tree_init(&pile->tree, alloc, load_u64(key_id)) != GUARD_OK) {
        alloc->free(alloc->ctx, pile);
        return GUARD_E_NOMEM;
    }
    struct guard_alloc scratch = {&pile->scratch, scratch_get, scratch_put};
    guard_arena_init(&pile->arena, &scratch, ARENA_LIMIT);
    *out = pile;
    return GUARD_OK;
}

static void derive(uint8_t *out, size_t len, const uint8_t key[GUARD_KEY_BYTES],
                   const char *purpose)
{
    uint8_t derived[GUARD_KEY_BYTES];
    guard_key_derive(derived, key, gd_span(purpose, strlen(purpose)));
    memcpy(out, derived, len);
}

void gd_pile_key_id(uint8_t out[8], const uint8_t key[GUARD_KEY_BYTES])
{
    derive(out, 8, key, "pile key id");
}

void gd_pile_key(struct guard_pile *pile, const uint8_t key[GUARD_KEY_BYTES])
{
    derive(pile->name_key.bytes, sizeof(pile->name_key.bytes), key, "pile name");
    derive(pile->unit_key.bytes, sizeof(pile->unit_key.bytes), key, "pile unit");
    derive(pile->literal_key, sizeof(pile->literal_key), key, "literal");
    derive(pile->client_key, sizeof(pile->client_key), key, "client");
    pile->keyed = true;
}

static uint32_t cap_or(uint32_t cap, uint32_t otherwise)
{
    return cap == 0 ? otherwise : cap;
}

enum guard_rc gd_pile_caps(struct guard_pile *pile, const struct guard_pile_cfg *cfg,
                           struct guard_err *err)
{
    pile->cells_max = cap_or(cfg->cells_max, GD_CELLS_MAX);
    pile->children_max = cap_or(cfg->children_max, GD_CHILDREN_MAX);
    pile->clients_max = cap_or(cfg->clients_max, GD_CLIENTS_MAX);
    if (pile->cells_max < 16 || pile->cells_max > GD_CELLS_LIMIT ||
        pile->children_max > GD_CELLS_LIMIT || pile->clients_max > GD_CELLS_LIMIT)
        return guard_fail(err, GUARD_E_RANGE, "a pile's caps lie between 16 cells and %d",
                          GD_CELLS_LIMIT);
    return GUARD_OK;
}

enum guard_rc guard_pile_new(struct guard_pile **out, const struct guard_pile_cfg *cfg,
                             struct guard_err *err)
{
    uint8_t key_id[8];
    if (cfg->service.len == 0 || cfg->service.len > GD_PILE_SERVICE_MAX)
        return guard_fail(err, GUARD_E_RANGE, "a service's name has 1 to %d bytes, not %zu",
                          GD_PILE_SERVICE_MAX, cfg->service.len);
    gd_pile_key_id(key_id, cfg->key);
    struct guard_pile *pile;
    if (gd_pile_begin(&pile, &cfg->alloc, key_id) != GUARD_OK)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a pile");
    enum guard_rc rc = gd_pile_caps(pile, cfg, err);
    if (rc != GUARD_OK) {
        guard_pile_free(pile);
        return rc;
    }
    gd_pile_key(pile, cfg->key);
    memcpy(pile->service, cfg->service.ptr, cfg->service.len);
    pile->service_len = cfg->service.len;
    pile->tree.root->text = gd_span(pile->service, pile->service_len);
    *out = pile;
    return GUARD_OK;
}

void guard_pile_free(struct guard_pile *pile)
{
    if (pile == NULL)
        return;
    struct guard_alloc alloc = pile->alloc;
    guard_arena_reset(&pile->arena);
    scratch_fini(&pile->scratch);
    gd_tree_fini(&pile->tree);
    alloc.free(alloc.ctx, pile);
}

uint64_t guard_pile_position(const struct guard_pile *pile, uint64_t producer, uint64_t incarnation)
{
    return gd_intervals_position(&pile->intervals, producer, incarnation);
}

const struct gd_cell *gd_pile_root(const struct guard_pile *pile)
{
    return pile->tree.root;
}

uint32_t gd_pile_epochs(const struct guard_pile *pile)
{
    return pile->epochs.count;
}

bool gd_pile_keys(const struct guard_pile *pile, uint8_t literal[16], uint8_t client[16])
{
    memcpy(literal, pile->literal_key, sizeof(pile->literal_key));
    memcpy(client, pile->client_key, sizeof(pile->client_key));
    return pile->keyed;
}

uint64_t gd_pile_code(const struct gd_hash_key *key, enum gd_kind kind, uint8_t location,
                      struct guard_span text)
{
    uint8_t bytes[2 + GD_TEXT_MAX];
    size_t len = text.len < GD_TEXT_MAX ? text.len : GD_TEXT_MAX;
    bytes[0] = (uint8_t)kind;
    bytes[1] = location;
    if (len > 0)
        memcpy(bytes + 2, text.ptr, len);
    return gd_hash_keyed(key, gd_span(bytes, len + 2));
}

void guard_pile_stats(const struct guard_pile *pile, struct guard_pile_stats *out)
{
    *out = (struct guard_pile_stats){
        .service = gd_span(pile->service, pile->service_len),
        .clients = gd_cell_clients(pile->tree.root),
        .anonymous = pile->anonymous,
        .unlearned = pile->unlearned,
        .epochs = pile->epochs.count,
        .cells = pile->tree.cell_count,
        .intervals = pile->intervals.count,
        .overflowed = pile->overflowed,
        .generation = pile->basis.generation,
        .first_ms = pile->first_ms,
        .last_ms = pile->last_ms,
        .memory =
            sizeof(*pile) + pile->tree.pool.taken + pile->arena.used + scratch_size(&pile->scratch),
    };
    memcpy(out->key_id, pile->key_id, sizeof(out->key_id));
    for (uint32_t i = 0; i < pile->intervals.count; i++) {
        const struct gd_interval *interval = &pile->intervals.items[i];
        out->exchanges += interval->count;
        out->lost += interval->last - interval->first + 1 - interval->count;
    }
}

int gd_basis_compare(const struct gd_basis *a, const struct gd_basis *b)
{
    if (a->generation != b->generation)
        return a->generation < b->generation ? -1 : 1;
    return memcmp(a->digest, b->digest, sizeof(a->digest));
}

void gd_pile_basis_digest(const struct guard_pile *pile, uint8_t digest[GUARD_DIGEST_BYTES])
{
    struct guard_digest_state state;
    guard_digest_begin(&state);
    for (const struct gd_cell *cell = pile->tree.root; cell != NULL; cell = gd_tree_next(cell)) {
        if (!cell->trusted)
            continue;
        uint8_t bytes[10] = {cell->depth, cell->kind};
        for (unsigned i = 0; i < 8; i++)
            bytes[2 + i] = (uint8_t)(cell->code >> (8 * i));
        guard_digest_update(&state, gd_span(bytes, sizeof(bytes)));
    }
    guard_digest_end(&state, digest);
}

void gd_pile_count_trusted(struct guard_pile *pile)
{
    pile->trusted_count = 0;
    for (const struct gd_cell *cell = pile->tree.root; cell != NULL; cell = gd_tree_next(cell))
        pile->trusted_count += cell->trusted;
}

static bool supported(const struct gd_cell *cell, uint32_t support)
{
    return gd_cell_weight(cell) >= 2 * support && (cell->epochs & (cell->epochs - 1)) != 0;
}

enum guard_rc guard_pile_protect(struct guard_pile *pile, uint32_t support, struct guard_err *err)
{
    if (pile->broken)
        return guard_fail(err, GUARD_E_STATE, "the pile was left incomplete when memory ran out");
    if (support < 1 || support > GD_TAGS_MAX / 2)
        return guard_fail(err, GUARD_E_RANGE, "support is 1 to %d clients, not %u", GD_TAGS_MAX / 2,
                          support);
    struct gd_cell *cell = pile->tree.root;
    for (; cell != NULL; cell = gd_tree_next(cell)) {
        cell->trusted = supported(cell, support);
        for (struct gd_cell *above = cell->parent;
             cell->trusted && above != NULL && !above->trusted; above = above->parent)
            above->trusted = true;
        if (cell->scope != NULL)
            gd_tree_ceilings_forget(cell->scope);
    }
    gd_pile_count_trusted(pile);
    struct gd_basis basis = {.generation = pile->basis.generation + 1};
    gd_pile_basis_digest(pile, basis.digest);
    bool changed = pile->basis.generation == 0
                       ? pile->tree.root->trusted
                       : memcmp(basis.digest, pile->basis.digest, sizeof(basis.digest)) != 0;
    if (changed) {
        pile->basis = basis;
        pile->cut = false;
        pile->bounded = false;
    }
    return GUARD_OK;
}

/* Nothing below is kept without its parents, so the walk may stop at what goes. */
static void forget_below(struct guard_pile *pile, struct gd_cell *cell)
{
    for (uint32_t i = cell->child_count; i-- > 0;) {
        struct gd_cell *child = cell->children[i];
        if (!child->trusted && (child->epochs & ~UINT32_C(1)) == 0)
            gd_tree_remove(&pile->tree, child);
        else
            forget_below(pile, child);
    }
}

enum guard_rc guard_pile_forget(struct guard_pile *pile, struct guard_err *err)
{
    if (pile->broken)
        return guard_fail(err, GUARD_E_STATE, "the pile was left incomplete when memory ran out");
    if (pile->epochs.count == 0 || pile->epochs.items[0].tier != GD_TIER_PAST)
        return GUARD_OK;
    uint32_t before = pile->tree.cell_count;
    forget_below(pile, pile->tree.root);
    if (pile->tree.cell_count != before)
        pile->bounded = false;
    const struct gd_epoch *oldest = pile->epochs.count > 1 ? &pile->epochs.items[1] : NULL;
    if (oldest != NULL && oldest->tier == GD_TIER_DAY)
        gd_intervals_forget(&pile->intervals, oldest->id * GD_EPOCH_MS * 8);
    return GUARD_OK;
}

bool guard_pile_interval(const struct guard_pile *pile, uint32_t index, struct guard_interval *out)
{
    if (index >= pile->intervals.count)
        return false;
    const struct gd_interval *held = &pile->intervals.items[index];
    *out = (struct guard_interval){.producer = held->producer,
                                   .incarnation = held->incarnation,
                                   .first = held->first,
                                   .last = held->last,
                                   .count = held->count};
    return true;
}
