/* SPDX-License-Identifier: Apache-2.0 */
/* What simulated agents have in common: services with the keys that the parent gave, and deltas of
 * made exchanges. */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include "common/http_client.h"

#include <guard/pile.h>

enum { FLEET_RECORDS = 100, FLEET_ANSWER_MAX = 65536, FLEET_NAME_CAP = 32 };

void fleet_name(char out[FLEET_NAME_CAP], uint64_t service);
/* One turn of the client's work, of at most so long. */
void fleet_turn(struct http_client *client, uint32_t ms);
/* Asks for the keys of services 0, 1, ... for a minute, since an aggregator has to ask for them
 * itself. False: the parent didn't give all. */
bool fleet_keys(struct http_client *client, uint8_t (*keys)[GUARD_KEY_BYTES], uint64_t services);
/* The delta of an agent's next FLEET_RECORDS records, numbered on from source->sequence; *bytes is
 * the caller's. */
bool fleet_delta(uint64_t service, const uint8_t key[GUARD_KEY_BYTES], struct guard_source *source,
                 uint8_t **bytes, size_t *len);

#endif
