/* SPDX-License-Identifier: Apache-2.0 */
/* Which reporter a producer of records belongs to: the first that was seen with it. So nobody who
 * takes over one agent can write another's history. */
#ifndef GUARDD_TREE_PRODUCERS_H
#define GUARDD_TREE_PRODUCERS_H

#include "guardd/store.h"

#include <guard/pile.h>

enum { PRODUCERS_MAX = 262144, REPORTER_CAP = 96 };

struct producers;

/* Reads those of the store. GUARD_E_NOMEM, GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc producers_open(struct producers **out, struct store *store,
                                            struct guard_err *err);
void producers_free(struct producers *producers);
/* Whether it is nobody's or the reporter's. */
bool producers_may(const struct producers *producers, uint64_t producer, const char *reporter);
/* Whether so many more can be bound. */
bool producers_room(const struct producers *producers, uint32_t more);
/* It is the reporter's from now on, if it is nobody's. GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc producers_bind(struct producers *producers, uint64_t producer,
                                            const char *reporter, struct guard_err *err);
/* Of the pile's producers those that aren't known here become the reporter's in the database that
 * other roots use, too, unless they are somebody's there: then they are known, as whose they are.
 * At once. GUARD_E_IO, GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc producers_share(struct producers *producers, struct store *store,
                                             const struct guard_pile *pile, const char *reporter,
                                             struct guard_err *err);
/* New ones into the store (inside the caller's transaction); after its commit: */
GUARD_MUST_USE enum guard_rc producers_save(struct producers *producers, struct store *store,
                                            struct guard_err *err);
void producers_saved(struct producers *producers);
uint32_t producers_count(const struct producers *producers);

#endif
