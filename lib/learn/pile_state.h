/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a pile, for the files that implement it. docs/internals/pile.md has the laws. */
#ifndef GD_LEARN_PILE_STATE_H
#define GD_LEARN_PILE_STATE_H

#include "base/hash_memo.h"
#include "learn/epochs.h"
#include "learn/intervals.h"
#include "learn/ledger.h"
#include "learn/tree.h"
#include "profile/profile.h"

#include <guard/pile.h>

enum {
    GD_CELLS_MAX = 49152,
    GD_CHILDREN_MAX = 512,
    GD_CLIENTS_MAX = 4096,
    GD_CELLS_LIMIT = 1 << 20, /* no pile may ask for more */
    GD_LITERALS_MAX = 64,
    GD_TRANSITIONS_KEPT = 96,
    GD_MEDIA_KEPT = 32,
};

/* The generation of trust that sorts first. The higher of two bases wins. */
struct gd_basis {
    uint64_t generation; /* 0: nothing is protected */
    uint8_t digest[GUARD_DIGEST_BYTES];
};

struct gd_name_memo {
    uint16_t place; /* kind << 8 | location; 0 = empty */
    uint8_t len;
    uint8_t text[GD_TEXT_MAX];
    uint64_t code;
};

/* Codes of recent names and literals: saves a SipHash for what comes again and again. */
enum { GD_MEMO_NAMES = 256 };
struct gd_memo {
    struct gd_name_memo names[GD_MEMO_NAMES];
    struct gd_hash_memo literals;
};

/* Blocks that the arena of records takes and gives back for each record. */
enum { GD_SPARES = 4, GD_SPARE_MAX = 128 * 1024 };
struct gd_spare {
    void *block;
    size_t size;
};
struct gd_scratch {
    struct guard_alloc source;
    struct gd_spare spares[GD_SPARES];
};

/* The order in which cells stay when room is short; parents come before their children. */
struct gd_rank {
    uint32_t
        order; /* class of trust << 8 | depth: the class decides before priority, depth after */
    uint64_t priority;
    uint64_t hash;
};

struct guard_pile {
    struct guard_alloc alloc;
    struct gd_tree tree;
    uint8_t service[GD_PILE_SERVICE_MAX];
    size_t service_len;
    uint8_t key_id[8];
    bool keyed; /* the keys below are known: it can observe */
    struct gd_hash_key name_key;
    struct gd_hash_key unit_key;
    uint8_t literal_key[16];
    uint8_t client_key[16];
    uint32_t cells_max;
    uint32_t children_max;
    uint32_t clients_max;
    struct gd_epochs epochs;
    struct gd_intervals intervals;
    struct gd_basis basis;
    bool overflowed; /* something was pushed out or refused, ever; literals and transitions apart */
    bool cut;        /* a merge pushed out something under this basis */
    bool bounded; /* observing found the tree full: what would be new from `bound` on is refused */
    struct gd_rank bound;
    bool broken; /* memory ran out in the middle of a change */
    uint64_t anonymous;
    uint64_t unlearned;
    uint64_t first_ms, last_ms;
    /* What follows is not a part of the content, or follows from it. */
    uint32_t trusted_count;
    struct gd_ledger ledger;
    uint64_t ledger_epoch;
    uint32_t stamp;
    struct gd_memo *memo;
    struct gd_scratch scratch;
    struct guard_arena arena;
};

/* As guard_pile_observe, from a profile. */
GUARD_MUST_USE enum guard_rc gd_pile_observe_profile(struct guard_pile *pile,
                                                     const struct guard_source *source,
                                                     const struct gd_profile *profile,
                                                     struct guard_err *err);
/* Learns the profile, the intervals apart. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_pile_learn(struct guard_pile *pile,
                                           const struct guard_source *source,
                                           const struct gd_profile *profile);
/* Index of the epoch of a time; opens it. */
uint32_t gd_pile_epoch(struct guard_pile *pile, uint64_t time_ms);
/* Unites tables of epochs and remaps the cells; other_map as in gd_epochs_unite. */
void gd_pile_epochs_unite(struct guard_pile *pile, const struct gd_epochs *other,
                          uint8_t other_map[GD_EPOCHS_MAX]);

/* Cap of the children of a leaf kind below one parent; UINT32_MAX for kinds without. */
uint32_t gd_pile_leaf_cap(const struct guard_pile *pile, enum gd_kind kind);
/* The share of a SEGMENT, METHOD or ANSWER in a tree of so many cells, itself not counted: no
 * single endpoint and no single directory takes it all. */
uint32_t gd_pile_subtree_cap(uint32_t cells, const struct gd_cell *cell);
struct gd_cut_outcome {
    bool removed;
    bool full;           /* the whole tree was over its cap, */
    struct gd_rank last; /* and this is the first in the order that went */
};
/* Pushes out what doesn't fit: tables of leaves, subtrees' shares, and at last the whole tree, to
 * `cells`. Trusted cells stay. GUARD_E_NOMEM: nothing has changed. */
GUARD_MUST_USE enum guard_rc gd_pile_cut(struct guard_pile *pile, uint32_t cells,
                                         struct gd_cut_outcome *outcome);
int gd_rank_compare(const struct gd_rank *a, const struct gd_rank *b);
/* The rank that a new child would have. */
struct gd_rank gd_rank_new(const struct gd_cell *parent, enum gd_kind kind, uint64_t code);

/* The caps of cfg, with defaults; GUARD_E_RANGE. */
GUARD_MUST_USE enum guard_rc gd_pile_caps(struct guard_pile *pile, const struct guard_pile_cfg *cfg,
                                          struct guard_err *err);
/* An empty pile of no service with cfg's memory. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_pile_begin(struct guard_pile **out, const struct guard_alloc *alloc,
                                           const uint8_t key_id[8]);
void gd_pile_key(struct guard_pile *pile, const uint8_t key[GUARD_KEY_BYTES]);
void gd_pile_key_id(uint8_t out[8], const uint8_t key[GUARD_KEY_BYTES]);
/* Code of a named cell. */
uint64_t gd_pile_code(const struct gd_hash_key *key, enum gd_kind kind, uint8_t location,
                      struct guard_span text);
/* The one version in which its bytes can be written: the oldest that knows all of its cells. */
uint8_t gd_pile_version(const struct guard_pile *pile);
/* The parent notes that a child was pushed out or refused; the pile too, unless that is usual for
 * the kind. */
void gd_pile_drop(struct guard_pile *pile, struct gd_cell *parent, enum gd_kind kind);
void gd_pile_count_trusted(struct guard_pile *pile);
/* Digest over the paths of trusted cells. */
void gd_pile_basis_digest(const struct guard_pile *pile, uint8_t digest[GUARD_DIGEST_BYTES]);
/* (generation, digest), as numbers. */
int gd_basis_compare(const struct gd_basis *a, const struct gd_basis *b);

#endif
