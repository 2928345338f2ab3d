/* SPDX-License-Identifier: Apache-2.0 */
/* Thinning: of three neighbours the middle one goes whose gap is smallest for its age. What stays
 * is spaced about evenly in the logarithm of age: minutes for this hour, days for this month. */
#include "generations.h"

#include <string.h>

static const uint64_t kept_ms = (uint64_t)GENERATIONS_DAYS * 24 * 3600 * 1000;

static uint64_t drop(struct generations *generations, uint32_t at)
{
    uint64_t number = generations->list[at].number;
    generations->count--;
    memmove(&generations->list[at], &generations->list[at + 1],
            (generations->count - at) * sizeof(generations->list[0]));
    return number;
}

static uint64_t since(uint64_t earlier, uint64_t later)
{
    return later > earlier ? later - earlier : 0; /* clocks are set back */
}

/* The one whose absence leaves the smallest gap for its age, the newest two and the oldest aside.
 */
static uint32_t least_missed(const struct generations *generations, uint64_t now_ms)
{
    uint32_t least = 1;
    double least_gap = 0;
    for (uint32_t i = 1; i + 2 < generations->count; i++) {
        const struct generation *list = generations->list;
        double gap = (double)since(list[i - 1].created_ms, list[i + 1].created_ms) /
                     (double)(since(list[i].created_ms, now_ms) + 1);
        if (i == 1 || gap < least_gap) {
            least = i;
            least_gap = gap;
        }
    }
    return least;
}

uint32_t generations_add(struct generations *generations, const struct generation *newest,
                         uint64_t dropped[GENERATIONS_KEPT])
{
    uint32_t count = 0;
    if (generations->count > 0 &&
        newest->number <= generations->list[generations->count - 1].number)
        return 0;
    while (generations->count > 1 &&
           since(generations->list[0].created_ms, newest->created_ms) > kept_ms)
        dropped[count++] = drop(generations, 0);
    if (generations->count == GENERATIONS_KEPT)
        dropped[count++] = drop(generations, least_missed(generations, newest->created_ms));
    generations->list[generations->count++] = *newest;
    return count;
}

const struct generation *generations_find(const struct generations *generations, uint64_t number)
{
    for (uint32_t i = 0; i < generations->count; i++) {
        if (generations->list[i].number == number)
            return &generations->list[i];
    }
    return NULL;
}

const struct generation *generations_before(const struct generations *generations, uint64_t number)
{
    const struct generation *found = NULL;
    for (uint32_t i = 0; i < generations->count && generations->list[i].number < number; i++)
        found = &generations->list[i];
    return found;
}
