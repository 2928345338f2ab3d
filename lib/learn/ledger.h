/* SPDX-License-Identifier: Apache-2.0 */
/* What each unit of evidence did in the current epoch, so that no single client fills the tables or
 * the counts. Not a part of the pile's content. */
#ifndef GD_LEARN_LEDGER_H
#define GD_LEARN_LEDGER_H

#include "learn/pool.h"

enum {
    GD_LEDGER_MAX = 65536,      /* units told apart; the others share one entry */
    GD_UNIT_RECORDS = 1024,     /* counted in full per unit and epoch, */
    GD_UNIT_SAMPLE = 16,        /* then one in this many */
    GD_UNIT_NAMES = 64,         /* new SEGMENT, METHOD, NAME and MEDIA cells per unit and epoch */
    GD_UNIT_LITERALS = 1024,    /* new LITERAL cells per unit and epoch */
    GD_ANONYMOUS_NAMES = 16384, /* new cells of all records without a client together */
};

struct gd_ledger_entry {
    uint64_t unit; /* keyed hash; 0 is a free place */
    uint32_t records;
    uint16_t names;
    uint16_t literals;
};

struct gd_ledger {
    struct gd_ledger_entry *entries; /* open addressing, at most half full */
    uint32_t count;
    uint32_t cap; /* a power of two */
    struct gd_ledger_entry rest;
    struct gd_ledger_entry anonymous;
};

/* The unit's entry; valid until the next call. NULL when memory is missing. */
struct gd_ledger_entry *gd_ledger_get(struct gd_pool *pool, struct gd_ledger *ledger,
                                      uint64_t unit);
/* A new epoch: all begin anew; the memory is kept. */
void gd_ledger_clear(struct gd_ledger *ledger);

#endif
