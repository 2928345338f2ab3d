/* SPDX-License-Identifier: Apache-2.0 */
/* See tree.h. */
#include "learn/tree.h"

#include "sketch/bucket.h"

#include <guard/likeness.h>

#define KINDS(a) (UINT32_C(1) << GD_KIND_##a)
static const uint32_t below[GD_KIND_COUNT] = {
    [GD_KIND_SERVICE] =
        KINDS(SEGMENT) | KINDS(NAME) | KINDS(FAULT) | KINDS(STATUS) | KINDS(CLIENT) | KINDS(ANSWER),
    [GD_KIND_SEGMENT] = KINDS(SEGMENT) | KINDS(METHOD),
    [GD_KIND_METHOD] = KINDS(MEDIA) | KINDS(NAME) | KINDS(FAULT) | KINDS(SIZE) | KINDS(DEPTH) |
                       KINDS(STATUS) | KINDS(LATENCY) | KINDS(ANSWER),
    [GD_KIND_ANSWER] =
        KINDS(MEDIA) | KINDS(NAME) | KINDS(FAULT) | KINDS(SIZE) | KINDS(DEPTH) | KINDS(LEAK),
    [GD_KIND_NAME] = KINDS(NAME) | ((KINDS(ITEMS) << 1) - KINDS(CLASS)) | KINDS(LIKENESS),
};

bool gd_kind_counted(enum gd_kind kind)
{
    return below[kind] != 0 && kind != GD_KIND_SEGMENT;
}

bool gd_kind_named(enum gd_kind kind)
{
    return kind >= GD_KIND_SEGMENT && kind <= GD_KIND_NAME;
}

bool gd_kind_allowed(enum gd_kind parent, enum gd_kind kind)
{
    return ((below[parent] >> kind) & 1) != 0;
}

bool gd_kind_code(enum gd_kind kind, uint64_t code)
{
    static const uint32_t codes[GD_KIND_COUNT] = {
        [GD_KIND_CLASS] = GUARD_CLASS_COUNT,
        [GD_KIND_TRANSITION] = GUARD_CLASS_COUNT << 6,
        [GD_KIND_TYPE] = GUARD_TYPE_COUNT,
        [GD_KIND_LENGTH] = GD_BUCKETS,
        [GD_KIND_LENGTH_MIN] = GD_BUCKETS,
        [GD_KIND_DIGITS] = GD_BUCKETS,
        [GD_KIND_SPECIALS] = GD_BUCKETS,
        [GD_KIND_ITEMS] = GD_BUCKETS,
        [GD_KIND_FAULT] = GUARD_LOCATION_COUNT << 8,
        [GD_KIND_SIZE] = GD_BUCKETS,
        [GD_KIND_DEPTH] = 256,
        [GD_KIND_STATUS] = GD_STATUS_ATTACK_LIKE + 1,
        [GD_KIND_LATENCY] = GD_BUCKETS,
        [GD_KIND_LEAK] = GUARD_LEAK_COUNT,
        [GD_KIND_ANSWER] = 6,
        [GD_KIND_LIKENESS] = GUARD_LIKENESS_COUNT,
    };
    if (codes[kind] == 0)
        return kind != GD_KIND_CLIENT || code <= UINT32_MAX;
    if (code >= codes[kind])
        return false;
    if (kind == GD_KIND_TRANSITION)
        return (code & 63) < GUARD_CLASS_COUNT;
    return kind != GD_KIND_FAULT || (code & 255) < GUARD_FAULT_COUNT;
}

/* SplitMix64's finaliser: codes of named cells are keyed hashes already, so nobody without the key
 * can aim. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t path_hash(uint64_t parent, enum gd_kind kind, uint64_t code)
{
    return mix(parent + mix(code + ((uint64_t)kind << 58) + UINT64_C(0x9e3779b97f4a7c15)));
}

uint64_t gd_path_hash(const struct gd_cell *parent, enum gd_kind kind, uint64_t code)
{
    return path_hash(parent->scope->hash, kind, code);
}

uint64_t gd_leaf_rank(const struct gd_cell *parent, enum gd_kind kind, uint64_t code)
{
    if (kind == GD_KIND_LITERAL || kind == GD_KIND_CLIENT || kind == GD_KIND_MEDIA)
        return code;
    return path_hash(parent->scope->hash, kind, code);
}

uint64_t gd_cell_rank(const struct gd_cell *cell)
{
    return cell->scope != NULL ? cell->scope->hash
                               : gd_leaf_rank(cell->parent, (enum gd_kind)cell->kind, cell->code);
}

static size_t scope_size(enum gd_kind kind)
{
    return gd_kind_counted(kind) ? sizeof(struct gd_scope_block) : sizeof(struct gd_scope);
}

static struct gd_cell *new_cell(struct gd_tree *tree, enum gd_kind kind, struct guard_span text)
{
    struct gd_pool *pool = &tree->pool;
    struct gd_cell *cell = gd_pool_get(pool, sizeof(*cell));
    struct gd_scope *scope = gd_kind_scope(kind) ? gd_pool_get(pool, scope_size(kind)) : NULL;
    uint8_t *copy = text.len > 0 ? gd_pool_get(pool, text.len) : NULL;
    if (cell == NULL || (scope == NULL && gd_kind_scope(kind)) || (copy == NULL && text.len > 0)) {
        gd_pool_put(pool, cell, sizeof(*cell));
        gd_pool_put(pool, scope, scope_size(kind));
        gd_pool_put(pool, copy, text.len);
        return NULL;
    }
    cell->kind = (uint8_t)kind;
    cell->scope = scope;
    cell->first_s = gd_kind_named(kind) ? GD_FIRST_NONE : 0;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    cell->text = gd_span(copy, text.len);
    if (gd_kind_counted(kind)) {
        struct gd_counts *counts = &((struct gd_scope_block *)(void *)scope)->counts;
        cell->epoch_counts = counts->epochs;
        cell->client_tags = counts->tags;
    }
    tree->cell_count++;
    return cell;
}

static void free_cell(struct gd_tree *tree, struct gd_cell *cell)
{
    struct gd_pool *pool = &tree->pool;
    size_t cap = cell->child_cap;
    gd_pool_put(pool, cell->children, cap * sizeof(*cell->children));
    if (cell->scope != NULL) {
        gd_pool_put(pool, cell->scope->codes, cap * sizeof(*cell->scope->codes));
        gd_pool_put(pool, cell->scope, scope_size((enum gd_kind)cell->kind));
    }
    gd_pool_put(pool, (void *)(uintptr_t)cell->text.ptr, cell->text.len);
    gd_pool_put(pool, cell, sizeof(*cell));
    tree->cell_count--;
}

enum guard_rc gd_tree_init(struct gd_tree *tree, const struct guard_alloc *alloc, uint64_t key_id)
{
    *tree = (struct gd_tree){.root = NULL};
    gd_pool_init(&tree->pool, alloc);
    tree->root = new_cell(tree, GD_KIND_SERVICE, gd_span(NULL, 0));
    if (tree->root == NULL) {
        gd_pool_fini(&tree->pool);
        return GUARD_E_NOMEM;
    }
    tree->root->scope->hash = mix(key_id);
    return GUARD_OK;
}

void gd_tree_fini(struct gd_tree *tree)
{
    gd_pool_fini(&tree->pool);
    tree->root = NULL;
    tree->cell_count = 0;
}

struct gd_cell *gd_tree_find(const struct gd_cell *parent, enum gd_kind kind, uint64_t code,
                             uint32_t *at)
{
    const uint64_t *codes = parent->scope->codes;
    uint32_t low = parent->scope->first[kind];
    uint32_t end = parent->scope->first[kind + 1];
    for (uint32_t high = end; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (codes[middle] < code)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return low < end && codes[low] == code ? parent->children[low] : NULL;
}

static bool grow(struct gd_tree *tree, struct gd_cell *parent)
{
    size_t cap = parent->child_cap;
    size_t wider = cap < 4 ? 4 : cap + cap / 2 + (cap & 1);
    if (wider > UINT32_MAX)
        return false;
    struct gd_cell **children = gd_pool_get(&tree->pool, wider * sizeof(struct gd_cell *));
    uint64_t *codes = gd_pool_get(&tree->pool, wider * sizeof(*codes));
    if (children == NULL || codes == NULL) {
        gd_pool_put(&tree->pool, children, wider * sizeof(struct gd_cell *));
        gd_pool_put(&tree->pool, codes, wider * sizeof(*codes));
        return false;
    }
    if (parent->child_count > 0) {
        memcpy(children, parent->children, parent->child_count * sizeof(struct gd_cell *));
        memcpy(codes, parent->scope->codes, parent->child_count * sizeof(*codes));
    }
    gd_pool_put(&tree->pool, parent->children, cap * sizeof(struct gd_cell *));
    gd_pool_put(&tree->pool, parent->scope->codes, cap * sizeof(*codes));
    parent->children = children;
    parent->scope->codes = codes;
    parent->child_cap = (uint32_t)wider;
    return true;
}

struct gd_cell *gd_tree_insert(struct gd_tree *tree, struct gd_cell *parent, enum gd_kind kind,
                               uint32_t at, uint64_t code, uint8_t location, struct guard_span text)
{
    if (parent->child_count == parent->child_cap && !grow(tree, parent))
        return NULL;
    struct gd_cell *cell = new_cell(tree, kind, text);
    if (cell == NULL)
        return NULL;
    struct gd_scope *scope = parent->scope;
    cell->location = location;
    cell->code = code;
    cell->parent = parent;
    cell->depth = (uint8_t)(parent->depth + 1);
    if (cell->scope != NULL) {
        cell->scope->hash = path_hash(scope->hash, kind, code);
        cell->scope->priority =
            cell->scope->hash > scope->priority ? cell->scope->hash : scope->priority;
    }
    size_t behind = parent->child_count - at;
    memmove(parent->children + at + 1, parent->children + at, behind * sizeof(struct gd_cell *));
    memmove(scope->codes + at + 1, scope->codes + at, behind * sizeof(*scope->codes));
    parent->children[at] = cell;
    scope->codes[at] = code;
    parent->child_count++;
    for (uint32_t other = (uint32_t)kind + 1; other <= GD_KIND_COUNT; other++)
        scope->first[other]++;
    struct gd_ceiling *ceiling = gd_tree_ceiling(scope, kind);
    if (ceiling != NULL && ceiling->all != 0 && gd_cell_rank(cell) >= ceiling->all)
        ceiling->all = 0;
    return cell;
}

void gd_tree_ceilings_forget(struct gd_scope *scope)
{
    memset(scope->ceilings, 0, sizeof(scope->ceilings));
}

void gd_cell_drop(struct gd_cell *parent, enum gd_kind kind)
{
    parent->dropped = true;
    parent->dropped_kinds |= UINT32_C(1) << kind;
}

/* The deepest recursion over a tree: GD_DEPTH_MAX. */
static void free_subtree(struct gd_tree *tree, struct gd_cell *cell)
{
    for (uint32_t i = 0; i < cell->child_count; i++)
        free_subtree(tree, cell->children[i]);
    free_cell(tree, cell);
}

void gd_tree_remove(struct gd_tree *tree, struct gd_cell *cell)
{
    struct gd_cell *parent = cell->parent;
    struct gd_scope *scope = parent->scope;
    uint32_t at;
    (void)gd_tree_find(parent, (enum gd_kind)cell->kind, cell->code, &at);
    size_t behind = parent->child_count - at - 1;
    memmove(parent->children + at, parent->children + at + 1, behind * sizeof(struct gd_cell *));
    memmove(scope->codes + at, scope->codes + at + 1, behind * sizeof(*scope->codes));
    parent->child_count--;
    for (uint32_t other = (uint32_t)cell->kind + 1; other <= GD_KIND_COUNT; other++)
        scope->first[other]--;
    free_subtree(tree, cell);
}

void gd_tree_sweep(struct gd_tree *tree, struct gd_cell *cell, bool children_only)
{
    struct gd_scope *scope = cell->scope;
    uint32_t gone[GD_KIND_COUNT] = {0};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < cell->child_count; i++) {
        struct gd_cell *child = cell->children[i];
        if (child->going) {
            gone[child->kind]++;
            free_subtree(tree, child);
            continue;
        }
        if (child->child_count > 0 && !children_only)
            gd_tree_sweep(tree, child, false);
        cell->children[kept] = child;
        scope->codes[kept++] = scope->codes[i];
    }
    if (kept == cell->child_count)
        return;
    cell->child_count = kept;
    uint32_t before = 0;
    for (uint32_t kind = 0; kind < GD_KIND_COUNT; kind++) {
        before += gone[kind];
        scope->first[kind + 1] -= before;
    }
}

uint32_t gd_tree_size(const struct gd_cell *cell)
{
    uint32_t size = 1;
    for (uint32_t i = 0; i < cell->child_count; i++)
        size += cell->children[i]->child_count == 0 ? 1 : gd_tree_size(cell->children[i]);
    return size;
}

struct gd_cell *gd_tree_next(const struct gd_cell *cell)
{
    if (cell->child_count > 0)
        return cell->children[0];
    for (const struct gd_cell *parent = cell->parent; parent != NULL;
         cell = parent, parent = cell->parent) {
        uint32_t at;
        (void)gd_tree_find(parent, (enum gd_kind)cell->kind, cell->code, &at);
        if (at + 1 < parent->child_count)
            return parent->children[at + 1];
    }
    return NULL;
}
