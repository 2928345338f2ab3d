/* SPDX-License-Identifier: Apache-2.0 */
/* On which node a pod runs and what it is, by the API server's word: what an agent of a node says
 * of pods is held to it. A pod is asked for when it is first spoken of, and when it is said to be
 * what it wasn't then. */
#ifndef GUARDD_API_POD_PLACES_H
#define GUARDD_API_POD_PLACES_H

#include "guardd/pods/speakers.h"

#include "common/kubernetes/api_client.h"

enum {
    POD_PLACES_MAX = POD_SPEAKERS_MAX, /* whose use is longest ago makes room */
    POD_PLACES_ASKED_MAX = 32,         /* at once, */
    POD_PLACES_EACH_MS = 80,           /* and in the long run: who shows tokens is asked for, too */
    POD_PLACES_BURST = 30,
    POD_PLACES_NODE_EACH_MS = 250, /* of one node, */
    POD_PLACES_NODE_BURST = 256,   /* and so many at first: all of its pods */
    POD_PLACES_NODES_MAX = 1024,
    POD_PLACES_CONTAINERS = 32, /* of a pod */
};

struct pod_places;

/* client: kept. *answers grows with each answer. GUARD_E_NOMEM, GUARD_E_IO: no randomness. */
GUARD_MUST_USE enum guard_rc pod_places_open(struct pod_places **out, struct api_client *client,
                                             uint64_t *answers, struct guard_err *err);
/* After the client was closed. */
void pod_places_close(struct pod_places *places);
/* Whether the record's pod is on the node, of that service, workload, template and container.
 * POD_PLACE_UNKNOWN: it was asked for, or will be when this is called again; what was said before
 * begun_ms (monotonic) doesn't count against the record. */
enum pod_place pod_places_look(struct pod_places *places, const char *node,
                               const struct guard_pod_identity *id, uint64_t begun_ms,
                               uint64_t mono_ms);
/* Whether a batch of the node may wait for answers: the latest may, and an agent sends one at a
 * time. turn: 0 at first, then what was answered. 0: another one waits in its place. */
uint64_t pod_places_wait(struct pod_places *places, const char *node, uint64_t turn,
                         uint64_t mono_ms);
/* When the API server gave no answer last, monotonic, and what it was; 0: never. */
uint64_t pod_places_failed_ms(const struct pod_places *places, const char **why);

#endif
