/* SPDX-License-Identifier: Apache-2.0 */
/* Whether gates stand in the way of the cluster's services: the operator that leads asks each pod
 * that takes requests of one, and the Services' own addresses, by canaries.
 * docs/internals/canary.md
 */
#ifndef GUARDD_OPERATOR_CANARY_H
#define GUARDD_OPERATOR_CANARY_H

#include <guard/types.h>

enum {
    /* Of pace.canary_ms, between two rounds of a namespace: */
    CANARY_AGAIN_SHARE = 6, /* when what a round found has to be found once more */
    CANARY_LATER_SHARE = 2, /* when the cluster didn't say what there is */
    CANARIES_AT_ONCE = 16,
    CANARY_PAUSE_MS = 20,   /* between two of them */
    CANARY_PART_MS = 60000, /* of asking in one namespace: others wait */
};

struct cluster_operator;
struct canaries;

GUARD_MUST_USE enum guard_rc canaries_open(struct canaries **out, struct cluster_operator *cluster,
                                           struct guard_err *err);
/* asks: we lead and know the objects; else what is under way ends, and nothing is begun. */
void canaries_tick(struct canaries *canaries, bool asks, uint64_t mono_ms);
/* We don't lead: what is under way ends, and what was found is what objects say of it. */
void canaries_stop(struct canaries *canaries);
int canaries_fd(const struct canaries *canaries);
uint32_t canaries_wait_ms(const struct canaries *canaries, uint32_t max);
/* Behind api_client_close: calls of it are ours. */
void canaries_close(struct canaries *canaries);

#endif
