/* SPDX-License-Identifier: Apache-2.0 */
/* Random inputs for property tests, the same on every machine: a failure is repeated by giving its
 * printed seed in GUARD_TEST_SEED. */
#ifndef GUARD_TEST_RANDOM_H
#define GUARD_TEST_RANDOM_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct test_random {
    uint64_t state;
};

/* SplitMix64 (public domain, Vigna): every seed is as good as any other. */
static inline uint64_t test_random_next(struct test_random *random)
{
    uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* GUARD_TEST_SEED, else a fixed number; printed. */
static inline struct test_random test_random_start(const char *what)
{
    const char *text = getenv("GUARD_TEST_SEED");
    struct test_random random = {text == NULL ? 20240229 : strtoull(text, NULL, 0)};
    fprintf(stderr, "%s: GUARD_TEST_SEED=%" PRIu64 "\n", what, random.state);
    return random;
}

/* 0 .. bound-1; bound > 0. The bias of at most bound/2^64 doesn't matter to tests. */
static inline uint64_t test_random_below(struct test_random *random, uint64_t bound)
{
    return test_random_next(random) % bound;
}

/* low .. high, both included. */
static inline uint64_t test_random_between(struct test_random *random, uint64_t low, uint64_t high)
{
    return low + test_random_below(random, high - low + 1);
}

/* True once in n. */
static inline bool test_random_once_in(struct test_random *random, uint64_t n)
{
    return test_random_below(random, n) == 0;
}

static inline void test_random_bytes(struct test_random *random, void *to, size_t len)
{
    uint8_t *bytes = to;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)test_random_next(random);
}

/* len characters out of alphabet, which is not empty. Not terminated. */
static inline void test_random_text(struct test_random *random, char *to, size_t len,
                                    const char *alphabet, size_t alphabet_len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = alphabet[test_random_below(random, alphabet_len)];
}

/* Fisher and Yates. */
static inline void test_random_shuffle(struct test_random *random, size_t *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)test_random_below(random, i);
        size_t item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}

#endif
