/* SPDX-License-Identifier: Apache-2.0 */
/* The demo's words: names of users, endpoints and parameters, all drawn from a seed, so that the
 * data store, the traffic client and the demo's script agree on them without talking to each other.
 */
#ifndef DEMO_NAMES_H
#define DEMO_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DEMO_NAME_SIZE = 32, /* bytes of a user name with its end */
    DEMO_USERS = 1000,   /* names that exist in the store: indexes 0 to DEMO_USERS - 1 */
    DEMO_TEXT_SIZE = 160 /* bytes of an attack's text with its end */
};

/* What the service calls its things. Seed 0 gives /users?username= and /orders with coupon. */
struct demo_words {
    const char *users_path;
    const char *users_param;
    const char *orders_path;
    const char *orders_field;
};

/* Deterministic random numbers (splitmix64); state is any number and is moved on. */
uint64_t demo_random(uint64_t *state);
/* A number from 0 to bound - 1; bound > 0. */
uint32_t demo_below(uint64_t *state, uint32_t bound);

/* The index'th benign user name of this seed, such as tom, j.smith, marie-claire, user42. */
void demo_name(char out[static DEMO_NAME_SIZE], uint64_t seed, uint64_t index);
/* The words of a seed; the strings are static. */
void demo_words_pick(struct demo_words *out, uint64_t seed);
/* A payload that makes the user lookup return every user; seed 0 gives "tom or 1=1". */
void demo_payload(char out[static DEMO_TEXT_SIZE], uint64_t seed);

/* A number in [low, high] from a command line's text; false when it is none. */
bool demo_number(uint64_t *out, const char *text, uint64_t low, uint64_t high);

#endif
