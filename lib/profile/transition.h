/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbourhoods of character classes. Those between the seven frequent classes are bits of one
 * word: most values have no others, and a word is compared at once. */
#ifndef GD_PROFILE_TRANSITION_H
#define GD_PROFILE_TRANSITION_H

#include "profile/summary.h"

/* A frequent transition is bit 8 * from + to; all other classes are GD_FREQUENT_NONE. */
enum gd_frequent {
    GD_FREQUENT_LOWER = 0,
    GD_FREQUENT_UPPER = 1,
    GD_FREQUENT_DIGIT = 2,
    GD_FREQUENT_SPACE = 3,
    GD_FREQUENT_DASH = 4,
    GD_FREQUENT_POINT = 5,
    GD_FREQUENT_SLASH = 6,
    GD_FREQUENT_NONE = 7,
};

#define GD_FREQUENT_PAIR(from, to) (UINT64_C(1) << ((unsigned)(from)*8 + (unsigned)(to)))

/* Runs of letters and digits, which are no transitions. */
#define GD_FREQUENT_RUNS (GD_FREQUENT_PAIR(0, 0) | GD_FREQUENT_PAIR(1, 1) | GD_FREQUENT_PAIR(2, 2))
/* All that can be: seven by seven, but those. */
#define GD_FREQUENT_ALL (UINT64_C(0x007f7f7f7f7f7f7f) & ~GD_FREQUENT_RUNS)

enum { GD_MARK_CLASS_FIRST = GUARD_CLASS_PUNCTUATION + '-' - '!' }; /* then '.' and '/' */

extern const uint8_t gd_frequent_of_class[GUARD_CLASS_COUNT];
extern const uint8_t gd_class_of_frequent[8];

/* The transition (from << 6 | to) of a bit. */
static inline uint32_t gd_frequent_transition(uint32_t bit)
{
    return (uint32_t)gd_class_of_frequent[bit >> 3] << 6 | gd_class_of_frequent[bit & 7];
}

/* The bit of a transition between known classes, 0 when it isn't a frequent one. */
static inline uint64_t gd_frequent_bit(uint32_t from, uint32_t to)
{
    return GD_FREQUENT_PAIR(gd_frequent_of_class[from], gd_frequent_of_class[to]) & GD_FREQUENT_ALL;
}

/* The classes that frequent transitions name. */
static inline uint64_t gd_frequent_classes(uint64_t frequent)
{
    const uint64_t tops = UINT64_C(0x0080808080808080);
    uint64_t to = frequent | frequent >> 32;
    to |= to >> 16;
    to |= to >> 8;
    /* A byte that isn't 0 carries into its top bit. */
    uint64_t rows = ((frequent + (tops - (tops >> 7))) & tops) >> 7;
    /* The lowest bits of the bytes, side by side: each falls on its place in the top byte by one
     * of the factors, and the sums of the others end below it or above. */
    uint64_t set = (to & 0x7f) | rows * UINT64_C(0x0102040810204080) >> 56;
    return (set & 0x0f) | (set & 0x70) << (GD_MARK_CLASS_FIRST - GD_FREQUENT_DASH);
}

/* All transitions of a summary, those that tell people most first: the rare ones in order of first
 * sight, then the frequent ones from punctuation to letters. */
struct gd_transition_walk {
    const struct gd_summary *summary;
    uint64_t frequent;
    uint32_t at;
};

static inline struct gd_transition_walk gd_transitions(const struct gd_summary *summary)
{
    return (struct gd_transition_walk){summary, summary->frequent, 0};
}

/* False at the end. */
static inline bool gd_transition_next(struct gd_transition_walk *walk, uint32_t *transition)
{
    if (walk->at < walk->summary->transition_count) {
        *transition = walk->summary->transitions[walk->at++];
        return true;
    }
    if (walk->frequent == 0)
        return false;
    uint32_t bit = 63 - (uint32_t)__builtin_clzll(walk->frequent);
    *transition = gd_frequent_transition(bit);
    walk->frequent ^= UINT64_C(1) << bit;
    return true;
}

#endif
