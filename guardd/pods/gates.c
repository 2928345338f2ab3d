/* SPDX-License-Identifier: Apache-2.0 */
/* A list is enough: who asks does so every 25 seconds. */
#include "gates.h"

#include <guard/crypto.h>

#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 16 };

void pod_gates_free(struct pod_gates *gates)
{
    free(gates->list);
    *gates = (struct pod_gates){.list = NULL};
}

const char *pod_gate_answer_name(enum pod_gate_answer answer)
{
    static const char *const names[] = {"taken", "contested", "too-many", "full"};
    return names[answer];
}

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

uint64_t pod_gate_pod(const char *name_space, const char *pod)
{
    /* With its end, so that the two don't run together. */
    uint64_t hash =
        guard_checksum(5, (struct guard_span){(const uint8_t *)name_space, strlen(name_space) + 1});
    return guard_checksum(hash, span(pod));
}

uint64_t pod_gate_order(const char *id)
{
    return id[0] == '\0' ? 0 : guard_checksum(6, span(id)) | 1;
}

uint64_t pod_gate_by(const char *reporter)
{
    return guard_checksum(8, span(reporter)) | 1;
}

/* A clock that was set back makes none of them dead. */
static bool is_live(const struct pod_gate *gate, uint64_t now_ms)
{
    return now_ms < gate->seen_ms + POD_GATES_LIVE_MS;
}

/* --- taking --- */

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

/* What is known of the pod and of who claims it. */
struct place {
    struct pod_gate *own;     /* of the same pod and by the same; NULL: none */
    struct pod_gate *other;   /* who counts for the pod beside it; NULL: nobody */
    struct pod_gate *dead;    /* silent for the longest time; NULL: none is dead */
    struct pod_gate *doubted; /* that no cluster attests, silent for the longest time */
    uint32_t of_one;          /* other pods that the same speaks for */
};

static bool is_older(const struct pod_gate *a, const struct pod_gate *b)
{
    return b == NULL || a->seen_ms < b->seen_ms;
}

static void look_at(struct place *place, struct pod_gate *gate, const struct pod_gate_claim *claim,
                    uint64_t now_ms)
{
    bool live = is_live(gate, now_ms);
    if (gate->pod == claim->pod && gate->by == claim->by)
        place->own = gate;
    else if (gate->pod == claim->pod && live && !gate->again)
        place->other = gate;
    else if (gate->by == claim->by && live)
        place->of_one++;
    if (!live && is_older(gate, place->dead))
        place->dead = gate;
    if (!gate->attested && is_older(gate, place->doubted))
        place->doubted = gate;
}

static struct place look(struct pod_gates *gates, const struct pod_gate_claim *claim,
                         uint64_t now_ms)
{
    struct place place = {.own = NULL};
    for (uint32_t i = 0; i < gates->count; i++)
        look_at(&place, &gates->list[i], claim, now_ms);
    return place;
}

/* What a cluster attests is never kept out by what anybody may say. NULL: there is no room. */
static struct pod_gate *make_room(struct pod_gates *gates, const struct place *place,
                                  const struct pod_gate_claim *claim)
{
    if (place->dead != NULL)
        return place->dead;
    if (gates->count < gates->room)
        return &gates->list[gates->count++];
    return claim->attested ? place->doubted : NULL;
}

/* A pod of a cluster has one token at a time: a later pod of the same name takes its place. */
static void supersede(struct pod_gates *gates, const struct pod_gate *by)
{
    for (uint32_t i = 0; i < gates->count; i++) {
        struct pod_gate *gate = &gates->list[i];
        if (gate == by || gate->pod != by->pod)
            continue;
        gate->again = true;
        if (gate->attested)
            gate->seen_ms = 0;
    }
}

static void note(struct pod_gate *gate, const struct pod_gate_claim *claim, bool is_new, bool again)
{
    bool same = !is_new && gate->obeys == claim->obeys && strcmp(gate->uid, claim->uid) == 0 &&
                gate->attested == claim->attested;
    uint64_t told_ms = same ? gate->told_ms : 0;
    bool ours = claim->ours || (!is_new && gate->ours);
    *gate = (struct pod_gate){.pod = claim->pod,
                              .by = claim->by,
                              .obeys = claim->obeys,
                              .seen_ms = claim->seen_ms,
                              .told_ms = told_ms,
                              .attested = claim->attested,
                              .ours = ours,
                              .again = again};
    memcpy(gate->uid, claim->uid, strlen(claim->uid) + 1);
}

enum pod_gate_answer pod_gates_seen(struct pod_gates *gates, const struct pod_gate_claim *claim,
                                    uint64_t now_ms)
{
    if (strlen(claim->uid) > POD_ORDER_UID_MAX)
        return POD_GATE_FULL;
    if (gates->count == gates->room)
        (void)grow(gates); /* before anything points into the list */
    struct place place = look(gates, claim, now_ms);
    bool is_new = place.own == NULL;
    if (!is_new && claim->seen_ms < place.own->seen_ms)
        return POD_GATE_TAKEN;
    if (is_new && !claim->trusted && place.of_one >= POD_GATES_OF_ONE)
        return POD_GATE_TOO_MANY;
    struct pod_gate *gate = is_new ? make_room(gates, &place, claim) : place.own;
    if (gate == NULL)
        return POD_GATE_FULL;
    bool contested = place.other != NULL && (!claim->attested || !place.other->attested);
    bool known = !is_new && place.own->again == (place.other != NULL);
    note(gate, claim, is_new, place.other != NULL && !claim->attested);
    if (claim->attested)
        supersede(gates, gate);
    return contested && !known ? POD_GATE_CONTESTED : POD_GATE_TAKEN;
}

/* --- asking --- */

/* Who speaks for the pod: what a cluster attests alone, else all who claim it. */
struct speakers {
    const struct pod_gate *first;
    bool agree_uid, all_obey;
};

static bool is_meant(const struct pod_gate *gate, uint64_t pod, const char *uid, uint64_t now_ms)
{
    return gate->pod == pod && is_live(gate, now_ms) &&
           (uid[0] == '\0' || gate->uid[0] == '\0' || strcmp(uid, gate->uid) == 0);
}

static struct speakers listen(const struct pod_gates *gates, uint64_t pod, const char *uid,
                              uint64_t obeys, uint64_t now_ms)
{
    struct speakers out = {.first = NULL, .agree_uid = true, .all_obey = true};
    bool attested = false;
    for (uint32_t i = 0; i < gates->count && !attested; i++)
        attested = gates->list[i].pod == pod && gates->list[i].attested &&
                   is_live(&gates->list[i], now_ms);
    for (uint32_t i = 0; i < gates->count; i++) {
        const struct pod_gate *gate = &gates->list[i];
        if (!is_meant(gate, pod, uid, now_ms) || (attested && !gate->attested))
            continue;
        if (out.first == NULL)
            out.first = gate;
        out.agree_uid = out.agree_uid && strcmp(gate->uid, out.first->uid) == 0;
        out.all_obey = out.all_obey && obeys != 0 && gate->obeys == obeys;
    }
    return out;
}

bool pod_gates_has(const struct pod_gates *gates, const char *name_space, const char *pod,
                   const char *uid, uint64_t now_ms)
{
    return listen(gates, pod_gate_pod(name_space, pod), uid, 0, now_ms).first != NULL;
}

const char *pod_gates_uid(const struct pod_gates *gates, const char *name_space, const char *pod,
                          uint64_t now_ms)
{
    struct speakers found = listen(gates, pod_gate_pod(name_space, pod), "", 0, now_ms);
    return found.first != NULL && found.agree_uid ? found.first->uid : "";
}

bool pod_gates_obey(const struct pod_gates *gates, const char *name_space, const char *pod,
                    const char *uid, const char *id, uint64_t now_ms)
{
    struct speakers found =
        listen(gates, pod_gate_pod(name_space, pod), uid, pod_gate_order(id), now_ms);
    return found.first != NULL && found.all_obey;
}

uint32_t pod_gates_count(const struct pod_gates *gates, uint64_t now_ms)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < gates->count; i++)
        count += is_live(&gates->list[i], now_ms) && !gates->list[i].again;
    return count;
}

bool pod_gate_due(const struct pod_gate *gate, uint64_t now_ms)
{
    if (!gate->ours || !is_live(gate, now_ms))
        return false;
    return gate->told_ms == 0 || now_ms < gate->told_ms ||
           (now_ms - gate->told_ms >= POD_GATES_TELL_MS && gate->seen_ms > gate->told_ms);
}
