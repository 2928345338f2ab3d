/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the piles behind a service's published policies are kept, so that people and the breaker
 * can go back to one: few of long ago, more of lately. Plain data; the store has the piles. */
#ifndef GUARDD_GENERATIONS_H
#define GUARDD_GENERATIONS_H

#include <guard/types.h>

enum { GENERATIONS_KEPT = 16, GENERATIONS_DAYS = 30 };

struct generation {
    uint64_t number;
    uint64_t created_ms;
    uint64_t exchanges; /* of the pile */
};

struct generations {
    struct generation list[GENERATIONS_KEPT]; /* oldest first */
    uint32_t count;
};

/* Adds the newest one (number above all others; else nothing happens). The numbers that are kept no
 * longer go to dropped, room for GENERATIONS_KEPT; returns how many. The newest two always stay. */
uint32_t generations_add(struct generations *generations, const struct generation *newest,
                         uint64_t dropped[GENERATIONS_KEPT]);
/* NULL when it isn't kept. */
const struct generation *generations_find(const struct generations *generations, uint64_t number);
/* The newest kept one before number; NULL when there is none. */
const struct generation *generations_before(const struct generations *generations, uint64_t number);

#endif
