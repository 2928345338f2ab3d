/* SPDX-License-Identifier: Apache-2.0 */
/* Known are hashes under a seed of this guardd's own: nobody outside chooses what collides, and a
 * pod takes as much room whatever its names are. */
#include "pod_places.h"

#include "common/file.h"
#include "common/kubernetes/pod_facts.h"
#include "guardd/pods/text_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HTTP_OK = 200, HTTP_NOT_FOUND = 404, VARIANTS = 2 };

struct place {
    uint64_t node; /* 0: there is no such pod */
    /* Of service, workload and template: what it is, and was before somebody changed its labels. */
    uint64_t kinds[VARIANTS];
    uint64_t containers[POD_PLACES_CONTAINERS];
    uint32_t container_count;
    bool asking;
    uint64_t asked_ms; /* of the answer that is known; monotonic */
    uint64_t used_ms;
};

/* What is left of what a node may have asked, and who waits for it. */
struct asker {
    uint64_t node;
    uint64_t full_ms;
    uint64_t turn;
};

struct asked {
    struct pod_places *places;
    uint64_t pod, begun_ms;
    char uid[GUARD_POD_UID_MAX + 1];
};

struct pod_places {
    struct api_client *client;
    uint64_t *answers;
    uint64_t seed;
    uint64_t *pods; /* of namespace, name and uid: looked through for each record */
    struct place *list;
    uint32_t count, room;
    uint32_t asking;
    uint64_t full_ms;
    struct asker askers[POD_PLACES_NODES_MAX];
    uint32_t asker_count;
    uint64_t turns; /* ever */
    uint64_t failed_ms;
    char failure[KUBERNETES_REASON_CAP];
    struct pod_facts facts; /* of the answer that is being read */
};

enum guard_rc pod_places_open(struct pod_places **out, struct api_client *client, uint64_t *answers,
                              struct guard_err *err)
{
    struct pod_places *places = calloc(1, sizeof(*places));
    if (places == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for where pods run");
    places->client = client;
    places->answers = answers;
    if (random_bytes(&places->seed, sizeof(places->seed)) != GUARD_OK) {
        free(places);
        return guard_fail(err, GUARD_E_IO, "no randomness");
    }
    *out = places;
    return GUARD_OK;
}

void pod_places_close(struct pod_places *places)
{
    if (places == NULL)
        return;
    free(places->pods);
    free(places->list);
    free(places);
}

uint64_t pod_places_failed_ms(const struct pod_places *places, const char **why)
{
    *why = places->failure;
    return places->failed_ms;
}

/* --- hashes --- */

static uint64_t pod_of(const struct pod_places *places, struct guard_span name_space,
                       struct guard_span name, struct guard_span uid)
{
    return text_hash_add(text_hash_add(text_hash_add(places->seed, name_space), name), uid) | 1;
}

static uint64_t node_of(const struct pod_places *places, const char *node)
{
    return text_hash_add(places->seed + 1, text_span(node)) | 1;
}

static uint64_t kind_of(const struct pod_places *places, struct guard_span service,
                        struct guard_span workload, struct guard_span hash)
{
    return text_hash_add(text_hash_add(text_hash_add(places->seed + 2, service), workload), hash) |
           1;
}

static uint64_t container_of(const struct pod_places *places, struct guard_span name)
{
    return text_hash_add(places->seed + 3, name) | 1;
}

/* --- the table --- */

static struct place *find(struct pod_places *places, uint64_t pod)
{
    for (uint32_t i = 0; i < places->count; i++) {
        if (places->pods[i] == pod)
            return &places->list[i];
    }
    return NULL;
}

static bool grow(struct pod_places *places)
{
    enum { FIRST = 64 };
    uint32_t room = places->room == 0 ? FIRST : 2 * places->room;
    if (places->room >= POD_PLACES_MAX)
        return false;
    struct place *list = realloc(places->list, room * sizeof(*list));
    if (list == NULL)
        return false;
    places->list = list;
    uint64_t *pods = realloc(places->pods, room * sizeof(*pods));
    if (pods == NULL)
        return false;
    places->pods = pods;
    places->room = room;
    return true;
}

/* NULL: all wait for an answer. */
static struct place *make(struct pod_places *places, uint64_t pod)
{
    struct place *place = NULL;
    if (places->count < places->room || grow(places)) {
        place = &places->list[places->count++];
    } else {
        for (uint32_t i = 0; i < places->count; i++) {
            struct place *one = &places->list[i];
            if (!one->asking && (place == NULL || one->used_ms < place->used_ms))
                place = one;
        }
    }
    if (place != NULL) {
        *place = (struct place){.node = 0};
        places->pods[place - places->list] = pod;
    }
    return place;
}

static bool has_kind(const struct place *place, uint64_t kind)
{
    for (int i = 0; i < VARIANTS; i++) {
        if (place->kinds[i] == kind)
            return true;
    }
    return false;
}

static bool has_container(const struct place *place, uint64_t container)
{
    for (uint32_t i = 0; i < place->container_count; i++) {
        if (place->containers[i] == container)
            return true;
    }
    return false;
}

/* --- answers --- */

static void take_container(const struct pod_places *places, struct place *place, const char *name)
{
    uint64_t container = container_of(places, text_span(name));
    if (!has_container(place, container) && place->container_count < POD_PLACES_CONTAINERS)
        place->containers[place->container_count++] = container;
}

static void take_facts(const struct pod_places *places, struct place *place)
{
    const struct pod_facts *facts = &places->facts;
    uint64_t kind =
        kind_of(places, text_span(facts->service[0] != '\0' ? facts->service : facts->workload),
                text_span(facts->workload), text_span(facts->template_hash));
    place->node = facts->node[0] != '\0' ? node_of(places, facts->node) : 0;
    if (!has_kind(place, kind)) {
        place->kinds[1] = place->kinds[0];
        place->kinds[0] = kind;
    }
    take_container(places, place, POD_SANDBOX);
    for (uint32_t i = 0; i < facts->container_count; i++)
        take_container(places, place, facts->containers[i].name);
}

/* Of a pod that its kubelet made of a file the record has the kubelet's uid. */
static bool is_uid(const struct pod_facts *facts, const char *uid)
{
    return strcmp(facts->uid, uid) == 0 ||
           (facts->mirror[0] != '\0' && strcmp(facts->mirror, uid) == 0);
}

static void on_pod(void *ctx, const struct api_answer *answer)
{
    struct asked *asked = ctx;
    struct pod_places *places = asked->places;
    struct place *place = find(places, asked->pod);
    places->asking--;
    ++*places->answers;
    if (place != NULL)
        place->asking = false;
    if (answer->status != HTTP_OK && answer->status != HTTP_NOT_FOUND) {
        places->failed_ms = clock_monotonic_ms();
        snprintf(places->failure, sizeof(places->failure), "%s", answer->message);
    } else if (place != NULL) {
        place->asked_ms = asked->begun_ms;
        if (answer->status == HTTP_OK && pod_facts_read(&places->facts, answer->root) &&
            is_uid(&places->facts, asked->uid))
            take_facts(places, place); /* else it stays what it was: its last records are late */
    }
    free(asked);
}

/* --- asking --- */

/* Whether one more may be asked for, by a budget that is full again at *full_ms. */
static bool may(uint64_t full_ms, uint64_t mono_ms, uint64_t each_ms, uint64_t burst)
{
    return full_ms < mono_ms + each_ms * burst;
}

static void spend(uint64_t *full_ms, uint64_t mono_ms, uint64_t each_ms)
{
    *full_ms = (*full_ms > mono_ms ? *full_ms : mono_ms) + each_ms;
}

/* NULL: more nodes ask than a cluster has. Who has all of its budget is as one that is new. */
static struct asker *asker_of(struct pod_places *places, uint64_t node, uint64_t mono_ms)
{
    struct asker *full = NULL;
    for (uint32_t i = 0; i < places->asker_count; i++) {
        struct asker *asker = &places->askers[i];
        if (asker->node == node)
            return asker;
        if (asker->full_ms <= mono_ms)
            full = asker;
    }
    if (places->asker_count < POD_PLACES_NODES_MAX)
        full = &places->askers[places->asker_count++];
    if (full != NULL)
        *full = (struct asker){.node = node};
    return full;
}

/* What Kubernetes takes as a name, and a path as it is. */
static bool is_name(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.')
            return false;
    }
    return text.len > 0 && text.len <= GUARD_POD_NAME_MAX && text.ptr[0] != '.';
}

static bool send(struct pod_places *places, uint64_t pod, struct place *place,
                 const struct guard_pod_identity *id, uint64_t mono_ms)
{
    char path[KUBERNETES_PATH_MAX];
    struct guard_err err;
    struct asked *asked = malloc(sizeof(*asked));
    if (asked == NULL)
        return false;
    *asked = (struct asked){.places = places, .pod = pod, .begun_ms = mono_ms};
    memcpy(asked->uid, id->uid.ptr, id->uid.len);
    snprintf(path, sizeof(path), "/api/v1/namespaces/%.*s/pods/%.*s", (int)id->name_space.len,
             (const char *)id->name_space.ptr, (int)id->pod.len, (const char *)id->pod.ptr);
    const struct api_call call = {.method = "GET", .path = path, .done = on_pod, .ctx = asked};
    if (api_client_call(places->client, &call, &err) != GUARD_OK) {
        free(asked);
        return false;
    }
    place->asking = true;
    places->asking++;
    return true;
}

static void ask(struct pod_places *places, uint64_t pod, uint64_t node,
                const struct guard_pod_identity *id, uint64_t mono_ms)
{
    struct asker *asker = asker_of(places, node, mono_ms);
    if (asker == NULL || places->asking == POD_PLACES_ASKED_MAX ||
        !may(asker->full_ms, mono_ms, POD_PLACES_NODE_EACH_MS, POD_PLACES_NODE_BURST) ||
        !may(places->full_ms, mono_ms, POD_PLACES_EACH_MS, POD_PLACES_BURST) ||
        !api_client_ready(places->client, mono_ms))
        return;
    struct place *place = find(places, pod);
    if (place == NULL)
        place = make(places, pod);
    if (place == NULL || place->asking || !send(places, pod, place, id, mono_ms))
        return;
    place->used_ms = mono_ms;
    spend(&asker->full_ms, mono_ms, POD_PLACES_NODE_EACH_MS);
    spend(&places->full_ms, mono_ms, POD_PLACES_EACH_MS);
}

enum pod_place pod_places_look(struct pod_places *places, const char *node,
                               const struct guard_pod_identity *id, uint64_t begun_ms,
                               uint64_t mono_ms)
{
    if (!is_name(id->name_space) || !is_name(id->pod) || id->uid.len == 0 ||
        id->uid.len > GUARD_POD_UID_MAX)
        return POD_PLACE_OTHER;
    uint64_t pod = pod_of(places, id->name_space, id->pod, id->uid);
    uint64_t at = node_of(places, node);
    uint64_t kind = kind_of(places, id->service.len > 0 ? id->service : id->workload, id->workload,
                            id->template_hash);
    struct place *place = find(places, pod);
    if (place != NULL && place->node == at && has_kind(place, kind) &&
        has_container(place, container_of(places, id->container))) {
        place->used_ms = mono_ms;
        return POD_PLACE_HERE;
    }
    if (place != NULL && !place->asking && place->asked_ms >= begun_ms)
        return POD_PLACE_OTHER;
    if (place == NULL || !place->asking)
        ask(places, pod, at, id, mono_ms);
    return POD_PLACE_UNKNOWN;
}

uint64_t pod_places_wait(struct pod_places *places, const char *node, uint64_t turn,
                         uint64_t mono_ms)
{
    struct asker *asker = asker_of(places, node_of(places, node), mono_ms);
    if (asker == NULL)
        return 0;
    if (turn == 0)
        asker->turn = turn = ++places->turns;
    return asker->turn == turn ? turn : 0;
}
