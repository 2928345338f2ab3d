/* SPDX-License-Identifier: Apache-2.0 */
/* A list is enough: who asks does so every 25 seconds. */
#include "gates.h"

#include <guard/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 16 };

void pod_gates_free(struct pod_gates *gates)
{
    free(gates->list);
    *gates = (struct pod_gates){.list = NULL};
}

static uint64_t hash_of(const char *name_space, const char *pod)
{
    /* With its end, so that the two don't run together. */
    uint64_t hash =
        guard_checksum(5, (struct guard_span){(const uint8_t *)name_space, strlen(name_space) + 1});
    return guard_checksum(hash, (struct guard_span){(const uint8_t *)pod, strlen(pod)});
}

static uint64_t hash_of_id(const char *id)
{
    return id[0] == '\0'
               ? 0
               : guard_checksum(6, (struct guard_span){(const uint8_t *)id, strlen(id)}) | 1;
}

/* A clock that was set back makes none of them dead. */
static bool is_live(const struct pod_gate *gate, uint64_t now_ms)
{
    return now_ms < gate->seen_ms + POD_GATES_LIVE_MS;
}

static bool grow(struct pod_gates *gates)
{
    uint32_t room = gates->room == 0 ? ROOM_FIRST : 2 * gates->room;
    if (gates->room >= POD_GATES_MAX)
        return false;
    struct pod_gate *list = realloc(gates->list, room * sizeof(*list));
    if (list == NULL)
        return false;
    gates->list = list;
    gates->room = room;
    return true;
}

/* NULL: there is no room at all. */
static struct pod_gate *add(struct pod_gates *gates)
{
    struct pod_gate *oldest = NULL;
    if (gates->count < gates->room || grow(gates))
        return &gates->list[gates->count++];
    for (uint32_t i = 0; i < gates->count; i++) {
        if (oldest == NULL || gates->list[i].seen_ms < oldest->seen_ms)
            oldest = &gates->list[i];
    }
    return oldest;
}

static struct pod_gate *find(const struct pod_gates *gates, uint64_t pod)
{
    for (uint32_t i = 0; i < gates->count; i++) {
        if (gates->list[i].pod == pod)
            return &gates->list[i];
    }
    return NULL;
}

void pod_gates_seen(struct pod_gates *gates, const struct pod_self *pod, const char *obeys,
                    uint64_t now_ms)
{
    uint64_t hash = hash_of(pod->name_space, pod->pod);
    struct pod_gate *gate = find(gates, hash);
    if (gate == NULL)
        gate = add(gates);
    if (gate == NULL)
        return;
    *gate = (struct pod_gate){.pod = hash, .obeys = hash_of_id(obeys), .seen_ms = now_ms};
    memcpy(gate->uid, pod->uid, sizeof(gate->uid));
}

const struct pod_gate *pod_gates_find(const struct pod_gates *gates, const char *name_space,
                                      const char *pod, const char *uid, uint64_t now_ms)
{
    const struct pod_gate *gate = find(gates, hash_of(name_space, pod));
    bool same =
        gate != NULL && (uid[0] == '\0' || gate->uid[0] == '\0' || strcmp(uid, gate->uid) == 0);
    return same && is_live(gate, now_ms) ? gate : NULL;
}

bool pod_gate_obeys(const struct pod_gate *gate, const char *id)
{
    return gate->obeys != 0 && gate->obeys == hash_of_id(id);
}

uint32_t pod_gates_count(const struct pod_gates *gates, uint64_t now_ms)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < gates->count; i++)
        count += is_live(&gates->list[i], now_ms);
    return count;
}
