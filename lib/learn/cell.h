/* SPDX-License-Identifier: Apache-2.0 */
/* A pile is a tree of cells, one shape for everything that can be learned: a cell is an element
 * seen under its parent, with the support that it has. Merging two piles is merging two sorted
 * trees. */
#ifndef GD_LEARN_CELL_H
#define GD_LEARN_CELL_H

#include "base/span.h"

/* Kinds, with their code, their children. Numbers are part of the pile format. SEGMENT, METHOD,
 * NAME and MEDIA cells have a text, and code = keyed hash of it; the others have a number as code
 * and no text. A record is learned when its status is unknown, 2xx or 3xx and it wasn't blocked.
 * All others touch only STATUS and ANSWER at the root; so every cell's count is at most that of its
 * parent, and the root's is the number of learned records. */
enum gd_kind {
    GD_KIND_SERVICE =
        0, /* the root: SEGMENT, headers and cookies as NAME, their FAULT, STATUS, CLIENT, ANSWER */
    GD_KIND_SEGMENT = 1, /* a path segment as recorded ("{int}" for typed ones): SEGMENT, METHOD.
                          * The path "/" is the SEGMENT "" ; "/a/" ends in a SEGMENT "" */
    GD_KIND_METHOD = 2,  /* an endpoint: MEDIA, NAME, FAULT, SIZE, DEPTH, STATUS, LATENCY, ANSWER */
    GD_KIND_MEDIA = 3,   /* content type; none for requests without */
    GD_KIND_NAME = 4,    /* a field, code mixes the location: NAME for JSON members, CLASS to ITEMS,
                          * LIKENESS */
    GD_KIND_CLASS = 5,   /* code: enum guard_class */
    GD_KIND_TRANSITION = 6, /* code: from << 6 | to */
    GD_KIND_TYPE = 7,       /* code: enum guard_type */
    GD_KIND_LENGTH = 8,     /* code: gd_bucket of length_max */
    GD_KIND_LENGTH_MIN = 9, /* code: gd_bucket of length_min */
    GD_KIND_DIGITS = 10,    /* code: gd_bucket */
    GD_KIND_SPECIALS = 11,  /* code: gd_bucket */
    GD_KIND_LITERAL = 12,   /* code: gd_policy_literal, where the summary knows its literal */
    GD_KIND_ITEMS = 13,     /* code: gd_bucket of items_max for JSON objects and arrays, of count
                               (values) for all others */
    GD_KIND_FAULT =
        14, /* code: location << 8 | enum guard_fault; those of headers and cookies below SERVICE */
    GD_KIND_SIZE = 15,   /* code: gd_bucket of the body's bytes; none for requests without a body */
    GD_KIND_DEPTH = 16,  /* code: depth of JSON and of what nests, at most 255 */
    GD_KIND_STATUS = 17, /* code: status class 1..5; below SERVICE of all records, below METHOD of
                            learned ones. Below SERVICE also GD_STATUS_MISTYPED and
                            GD_STATUS_ATTACK_LIKE */
    GD_KIND_CLIENT = 18, /* code: gd_policy_client; only below SERVICE */
    GD_KIND_LATENCY = 19,  /* code: gd_bucket of milliseconds; below METHOD */
    GD_KIND_LEAK = 20,     /* code: enum guard_leak; below ANSWER */
    GD_KIND_ANSWER = 21,   /* code: status class 1..5 of responses that were viewed: MEDIA, NAME,
                              FAULT, SIZE, DEPTH, LEAK. Below METHOD without headers and cookies,
                              which are below SERVICE's; there 4xx and 5xx are whole, of all records
                              but blocked ones */
    GD_KIND_LIKENESS = 22, /* code: enum guard_likeness; below NAME of requests */
    GD_KIND_COUNT = 23,
};

enum {
    GD_STATUS_MISTYPED = 6,    /* 4xx, with syntax in the path: what many mistype is no attack */
    GD_STATUS_ATTACK_LIKE = 7, /* 4xx, with a path that reads like an attack */
    GD_TAGS_MAX = 8,    /* clients that vouch for a cell: enough for D = 4 units of weight 2 */
    GD_EPOCHS_MAX = 32, /* epochs that a pile tells apart */
    /* Weights of units in halves of a client: 8 are trusted by default (4 clients, or 8 weaker
       units). */
    GD_WEIGHT_STRONG = 2, /* GUARD_UNIT_SUBJECT, GUARD_UNIT_PREFIX */
    GD_WEIGHT_WEAK = 1,   /* GUARD_UNIT_SLICE, GUARD_UNIT_ANONYMOUS */
};

struct gd_scope;

/* A tag is a keyed hash of the unit whose lowest bit says that it is strong. What every record
 * touches stands first, in 64 bytes. */
struct gd_cell {
    uint8_t kind;     /* enum gd_kind */
    uint8_t location; /* enum guard_location, NAME cells only */
    uint8_t tag_count;
    bool trusted;    /* named by the basis: never pushed out */
    bool dropped;    /* children were pushed out of a full table: dropped_kinds says which */
    uint8_t depth;   /* 0 for SERVICE */
    bool going;      /* gd_tree_sweep takes it */
    uint8_t review;  /* of a sum: what people decided, see learn/review.h; of a cell 0 */
    uint32_t stamp;  /* of the record that touched it last; not a part of the pile's content */
    uint32_t epochs; /* bit per index of the pile's epoch table */
    uint64_t count;  /* records in which it was seen */
    uint32_t tags[GD_TAGS_MAX]; /* the lowest, sorted, distinct; 0 behind them */
    uint64_t code;
    uint32_t dropped_kinds; /* bit per enum gd_kind. Full tables of literals (free text) and
                               transitions are usual */
    uint32_t client_count;
    uint32_t first_s; /* named kinds: Unix time of the first record with it; 0: not known, of one
                         without a time or of a pile from before it was kept; else 0 */
    struct guard_span text; /* named kinds, <= 64 bytes (128 for the service); empty for LITERAL */
    uint64_t *epoch_counts; /* SERVICE, METHOD, NAME cells: records per epoch index (GD_EPOCHS_MAX),
                               else NULL */
    uint32_t *client_tags;  /* SERVICE, METHOD, NAME cells: KMV sketch, the lowest GD_KMV distinct
                               tags, sorted */
    struct gd_cell *parent;
    struct gd_cell **children; /* sorted by (kind, code); a NAME's code tells its location too */
    uint32_t child_count;
    uint32_t child_cap;
    struct gd_scope *scope; /* what only SERVICE, SEGMENT, METHOD and NAME cells have; see tree.h */
};

enum { GD_KMV = 32 };
/* Of a cell that no record touched yet: above all times, so that the least is the first. */
#define GD_FIRST_NONE UINT32_MAX

/* Support in halves of a client, at most GD_TAGS_MAX; trusted when it reaches 2 * D in >= 2 epochs.
 */
uint32_t gd_cell_weight(const struct gd_cell *cell);
/* Estimate of distinct units from the KMV sketch (exact below GD_KMV); 0 for kinds without one. */
uint32_t gd_cell_clients(const struct gd_cell *cell);
/* The child, or NULL. location: 0 for kinds but NAME. */
struct gd_cell *gd_cell_find(const struct gd_cell *parent, enum gd_kind kind, uint8_t location,
                             uint64_t code);
/* A moment as cells keep it; what lies beyond is the last that they can. */
uint32_t gd_cell_seconds(uint64_t time_ms);
/* First child of the kind and how many there are (they stand together). */
struct gd_cell **gd_cell_children(const struct gd_cell *parent, enum gd_kind kind, uint32_t *count);

struct guard_pile;
const struct gd_cell *gd_pile_root(const struct guard_pile *pile);
/* Number of epochs in the pile's table, oldest first; the bit i of cell.epochs is the i-th. The
 * first ones may stand for a day, and the very first for all before. */
uint32_t gd_pile_epochs(const struct guard_pile *pile);
/* Keys under which LITERAL and CLIENT codes were made (gd_policy_literal, gd_policy_client): false
 * when the pile was decoded without its key. */
bool gd_pile_keys(const struct guard_pile *pile, uint8_t literal[16], uint8_t client[16]);

#endif
