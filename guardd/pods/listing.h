/* SPDX-License-Identifier: Apache-2.0 */
/* Which files of pod records are read next: those of each producer in the order in which it made
 * them, since a record behind its successor counts as learned already. One look at a directory
 * doesn't tell that order: while files come in it may meet one and have missed the one before.
 * docs/internals/pod-learning.md */
#ifndef GUARDD_PODS_LISTING_H
#define GUARDD_PODS_LISTING_H

#include <stdbool.h>
#include <stdint.h>

enum {
    POD_LISTING_NAME = 128,  /* bytes of a name, with its NUL */
    POD_LISTING_ROUND = 256, /* names of a look */
};

struct pod_listing_names {
    char list[POD_LISTING_ROUND][POD_LISTING_NAME]; /* sorted */
    uint32_t count;
};

/* Zeros: nothing was looked at. A pass is as many looks as it takes to come to the last name. */
struct pod_listing {
    struct pod_listing_names found, first;
    uint32_t at;                  /* in what was found */
    char after[POD_LISTING_NAME]; /* where the next look goes on; empty: a new pass begins */
    char held[POD_LISTING_NAME];  /* the producer that waits for the next pass; empty: none */
};

/* Whether a name is passed over. */
typedef bool pod_listing_known(const void *ctx, const char *name);

/* Looks for the next names; only when there are no more. */
void pod_listing_look(struct pod_listing *listing, const char *dir, pod_listing_known *known,
                      const void *ctx);
/* Whether the next look begins a new pass. */
bool pod_listing_is_over(const struct pod_listing *listing);
/* The file to read now; NULL: none before the next look. */
const char *pod_listing_name(const struct pod_listing *listing);
void pod_listing_next(struct pod_listing *listing);
/* The file can't be read now: what its producer made after it waits with it for the next pass. */
void pod_listing_hold(struct pod_listing *listing);
/* Begins a new pass: what was passed over is to be read after all. */
void pod_listing_restart(struct pod_listing *listing);

#endif
