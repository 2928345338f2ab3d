/* SPDX-License-Identifier: Apache-2.0 */
/* What a benign client of the demo's service sends. */
#ifndef DEMO_REQUEST_H
#define DEMO_REQUEST_H

#include "names.h"

enum { DEMO_REQUEST_SIZE = 4096, DEMO_HOST_SIZE = 64 };

/* Where requests come from; owns nothing that must be freed. */
struct demo_source {
    uint64_t seed;
    struct demo_words words;
    bool fresh; /* only names that the store and other runs of this seed do not use */
    char host[DEMO_HOST_SIZE];
    char known[DEMO_USERS][DEMO_NAME_SIZE]; /* sorted */
};

/* Fills seed, words and known. */
void demo_source_init(struct demo_source *source, uint64_t seed);
/* Writes one HTTP/1.1 request of a client and returns its length; state is the client's random
 * state and is moved on. */
size_t demo_request_write(char out[static DEMO_REQUEST_SIZE], const struct demo_source *source,
                          uint32_t client, uint64_t *state);

#endif
