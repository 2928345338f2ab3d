/* SPDX-License-Identifier: Apache-2.0 */
/* Everything is known by hashes under a seed of this guardd's own, so that nobody outside chooses
 * what collides. The pods' hashes stand together: they are looked through for each record. */
#include "speakers.h"

#include "text_hash.h"

#include "common/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 64, THOUSAND = 1000 };
static const uint64_t DAY_MS = 86400000;

enum guard_rc pod_speakers_open(struct pod_speakers *speakers, struct guard_err *err)
{
    *speakers = (struct pod_speakers){.count = 0};
    return random_bytes(&speakers->seed, sizeof(speakers->seed)) == GUARD_OK
               ? GUARD_OK
               : guard_fail(err, GUARD_E_IO, "no randomness");
}

void pod_speakers_close(struct pod_speakers *speakers)
{
    free(speakers->pods);
    free(speakers->list);
    *speakers = (struct pod_speakers){.count = 0};
}

/* Of whom is believed apart: it says what it saw of a pod beside what the pod says of itself. */
static uint64_t pod_of(const struct pod_speakers *speakers, struct guard_span service,
                       struct guard_span name_space, struct guard_span pod, bool believed)
{
    return text_hash_add(
               text_hash_add(text_hash_add(speakers->seed + believed, service), name_space), pod) |
           1;
}

static struct guard_span service_of(const struct guard_pod_identity *id)
{
    return id->service.len > 0 ? id->service : id->workload;
}

/* --- the table --- */

static struct pod_speaker *find(const struct pod_speakers *speakers, uint64_t pod)
{
    for (uint32_t i = 0; i < speakers->count; i++) {
        if (speakers->pods[i] == pod)
            return &speakers->list[i];
    }
    return NULL;
}

const struct pod_speaker *pod_speakers_of(const struct pod_speakers *speakers,
                                          struct guard_span service, struct guard_span name_space,
                                          struct guard_span pod)
{
    const struct pod_speaker *itself =
        find(speakers, pod_of(speakers, service, name_space, pod, false));
    return itself != NULL ? itself
                          : find(speakers, pod_of(speakers, service, name_space, pod, true));
}

/* A clock that was set back makes nobody silent. */
static bool is_silent(const struct pod_speaker *speaker, uint64_t now_ms)
{
    return now_ms > speaker->seen_ms && now_ms - speaker->seen_ms > POD_SPEAKER_MS;
}

static bool grow(struct pod_speakers *speakers)
{
    uint32_t room = speakers->room == 0 ? ROOM_FIRST : 2 * speakers->room;
    if (speakers->room >= POD_SPEAKERS_MAX)
        return false;
    struct pod_speaker *list = realloc(speakers->list, room * sizeof(*list));
    if (list == NULL)
        return false;
    speakers->list = list;
    uint64_t *pods = realloc(speakers->pods, room * sizeof(*pods));
    if (pods == NULL)
        return false;
    speakers->pods = pods;
    speakers->room = room;
    return true;
}

/* NULL: there is no room. A silent one makes some. */
static struct pod_speaker *make(struct pod_speakers *speakers, uint64_t pod, uint64_t now_ms)
{
    uint32_t at = speakers->count;
    if (at < speakers->room || grow(speakers)) {
        speakers->count++;
    } else {
        for (at = 0; at < speakers->count && !is_silent(&speakers->list[at], now_ms); at++)
            continue;
        if (at == speakers->count)
            return NULL;
    }
    speakers->pods[at] = pod;
    speakers->list[at] =
        (struct pod_speaker){.filled_ms = now_ms, .room = POD_SPEAKER_RECORDS * THOUSAND};
    return &speakers->list[at];
}

static uint32_t count_of(const struct pod_speakers *speakers, uint64_t reporter, uint64_t now_ms)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < speakers->count; i++)
        count += speakers->list[i].reporter == reporter && !is_silent(&speakers->list[i], now_ms);
    return count;
}

/* --- may it --- */

/* "NAMESPACE/POD", and the uid where the record says one. */
static bool is_its_own(const struct pod_reporter *who, const struct guard_pod_identity *id)
{
    const char *slash = strchr(who->cluster_pod, '/');
    struct guard_span uid = text_span(who->cluster_uid);
    if (slash == NULL || (size_t)(slash - who->cluster_pod) != id->name_space.len ||
        strlen(slash + 1) != id->pod.len ||
        memcmp(who->cluster_pod, id->name_space.ptr, id->name_space.len) != 0 ||
        memcmp(slash + 1, id->pod.ptr, id->pod.len) != 0)
        return false;
    return id->uid.len == 0 ||
           (id->uid.len == uid.len && memcmp(id->uid.ptr, uid.ptr, uid.len) == 0);
}

static void own(struct pod_speakers *speakers, struct pod_speaker *speaker,
                const struct pod_reporter *who, uint64_t by, uint64_t reporter)
{
    speaker->who = by;
    speaker->reporter = reporter;
    speaker->of_cluster = who->cluster_pod != NULL || who->node != NULL;
    speaker->workload = 0; /* the one before may have said another one */
    memset(speaker->containers, 0, sizeof(speaker->containers));
    snprintf(speaker->name, sizeof(speaker->name), "%s", who->name);
    speakers->changed = true;
}

/* NULL after *why: the pod is somebody else's, or there is no room. */
static struct pod_speaker *speaker_of(struct pod_speakers *speakers, const struct pod_reporter *who,
                                      const uint8_t secret[POD_BATCH_SECRET], uint64_t pod,
                                      uint64_t now_ms, enum pod_speech *speech, const char **why)
{
    uint64_t reporter = text_hash_add(speakers->seed + 2, text_span(who->name)) | 1;
    /* A cluster's token is the pod's, whatever state directory it has; who is believed passes on
     * what many say. */
    bool itself = who->cluster_pod != NULL || who->node != NULL || who->believed;
    uint64_t by = itself
                      ? reporter
                      : text_hash_add(reporter, (struct guard_span){secret, POD_BATCH_SECRET}) | 1;
    if (speakers->apart)
        pod = text_hash_add(pod, (struct guard_span){(const uint8_t *)&by, sizeof(by)}) | 1;
    struct pod_speaker *speaker = find(speakers, pod);
    *speech = POD_SPEECH_FOREIGN;
    *why = "another one speaks for the pod";
    if (speaker != NULL && speaker->who == by)
        return speaker;
    if (speaker != NULL && !is_silent(speaker, now_ms) && !itself)
        return NULL;
    *speech = POD_SPEECH_FLOOD;
    *why = "it speaks for too many pods";
    if (!itself && count_of(speakers, reporter, now_ms) >= POD_SPEAKER_PODS_MAX)
        return NULL;
    if (speaker == NULL)
        speaker = make(speakers, pod, now_ms);
    *why = "too many pods are spoken for";
    if (speaker != NULL)
        own(speakers, speaker, who, by, reporter);
    return speaker;
}

static bool has_room(struct pod_speaker *speaker, uint64_t now_ms)
{
    const uint64_t full = (uint64_t)POD_SPEAKER_RECORDS * THOUSAND;
    uint64_t passed_ms = now_ms > speaker->filled_ms ? now_ms - speaker->filled_ms : 0;
    uint64_t more = passed_ms > full ? full : passed_ms * POD_SPEAKER_PER_S;
    speaker->room = (uint32_t)(speaker->room + more > full ? full : speaker->room + more);
    speaker->filled_ms = now_ms;
    if (speaker->room < THOUSAND)
        return false;
    speaker->room -= THOUSAND;
    return true;
}

void pod_speakers_refill(struct pod_speakers *speakers)
{
    for (uint32_t i = 0; i < speakers->count; i++)
        speakers->list[i].room = POD_SPEAKER_RECORDS * THOUSAND;
}

static bool takes_container(struct pod_speaker *speaker, uint64_t container)
{
    for (int i = 0; i < POD_SPEAKER_CONTAINERS; i++) {
        if (speaker->containers[i] == 0)
            speaker->containers[i] = container;
        if (speaker->containers[i] == container)
            return true;
    }
    return false;
}

/* Each takes a place in what is known of the workload's sensors. */
static bool takes_sensor(struct pod_speaker *speaker, uint64_t sensor, uint64_t now_ms)
{
    for (int i = 0; i < POD_SPEAKER_SENSORS; i++) {
        if (speaker->sensors[i] == sensor)
            return true;
    }
    if (speaker->day != now_ms / DAY_MS)
        speaker->sensors_begun = 0;
    speaker->day = now_ms / DAY_MS;
    if (speaker->sensors_begun == POD_SPEAKER_SENSORS)
        return false;
    speaker->sensors[speaker->sensors_begun++] = sensor;
    return true;
}

/* A pod is of one workload. */
static const char *too_much(const struct pod_speakers *speakers, struct pod_speaker *speaker,
                            const struct pod_reporter *who, const struct guard_pod_record *record,
                            uint64_t now_ms)
{
    uint64_t workload = text_hash_add(speakers->seed + 3, record->id.workload) | 1;
    uint64_t container = text_hash_add(speakers->seed + 4, record->id.container) | 1;
    uint64_t sensor =
        text_hash_add(container, (struct guard_span){(const uint8_t *)&record->origin.producer,
                                                     sizeof(record->origin.producer)}) |
        1;
    if (!has_room(speaker, now_ms))
        return "more records than a sensor writes";
    if (speaker->workload == 0)
        speaker->workload = workload;
    if (speaker->workload != workload)
        return "the pod is of another workload";
    bool any = who->believed || who->node != NULL; /* the cluster knows those of its pods */
    if (!any && !takes_container(speaker, container))
        return "too many containers of the pod";
    return takes_sensor(speaker, sensor, now_ms) ? NULL : "too many sensors of the pod";
}

static bool is_node(const struct pod_reporter *who, struct guard_span node)
{
    return node.len == 0 ||
           (node.len == strlen(who->node) && memcmp(node.ptr, who->node, node.len) == 0);
}

/* NULL: the pod is one that it may speak for, as far as the pod's name tells. */
static const char *foreign(const struct pod_reporter *who, const struct guard_pod_identity *id)
{
    if (who->vouched)
        return NULL;
    if (who->node != NULL)
        return is_node(who, id->node) && who->look(who->look_ctx, id) == POD_PLACE_HERE
                   ? NULL
                   : "the pod isn't on the reporter's node, or isn't what it is said to be";
    if (!who->covers(who->ctx, service_of(id)))
        return "the reporter doesn't speak for the service";
    return who->cluster_pod != NULL && !is_its_own(who, id) ? "the token is another pod's" : NULL;
}

enum pod_speech pod_speakers_hear(struct pod_speakers *speakers, const struct pod_reporter *who,
                                  const uint8_t secret[POD_BATCH_SECRET],
                                  const struct guard_pod_record *record, uint64_t now_ms,
                                  const char **why)
{
    const struct guard_pod_identity *id = &record->id;
    struct guard_span service = service_of(id);
    enum pod_speech speech;
    *why = foreign(who, id);
    if (*why != NULL)
        return POD_SPEECH_FOREIGN;
    bool beside = who->node != NULL || (who->believed && who->cluster_pod == NULL);
    struct pod_speaker *speaker = speaker_of(
        speakers, who, secret, pod_of(speakers, service, id->name_space, id->pod, beside), now_ms,
        &speech, why);
    if (speaker == NULL)
        return speech;
    speaker->seen_ms = now_ms;
    *why = too_much(speakers, speaker, who, record, now_ms);
    return *why == NULL ? POD_SPEECH_GOOD : POD_SPEECH_FLOOD;
}

/* --- what survives --- */

static const char magic[8] = {'G', 'L', 'P', 'S', 1, 0, 0, 0};

/* Of a pod; numbers as this machine has them: the note is of its own store. */
struct kept {
    uint64_t pod, who, reporter, workload, seen_ms;
    uint64_t of_cluster;
    char name[POD_SPEAKER_NAME_CAP];
};

enum guard_rc pod_speakers_write(const struct pod_speakers *speakers, uint8_t **out, size_t *len,
                                 struct guard_err *err)
{
    *len = sizeof(magic) + sizeof(speakers->seed) + speakers->count * sizeof(struct kept);
    *out = calloc(1, *len);
    if (*out == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory to save who speaks for pods");
    memcpy(*out, magic, sizeof(magic));
    memcpy(*out + sizeof(magic), &speakers->seed, sizeof(speakers->seed));
    uint8_t *at = *out + sizeof(magic) + sizeof(speakers->seed);
    for (uint32_t i = 0; i < speakers->count; i++, at += sizeof(struct kept)) {
        const struct pod_speaker *speaker = &speakers->list[i];
        struct kept kept = {.pod = speakers->pods[i],
                            .who = speaker->who,
                            .reporter = speaker->reporter,
                            .workload = speaker->workload,
                            .seen_ms = speaker->seen_ms,
                            .of_cluster = speaker->of_cluster};
        memcpy(kept.name, speaker->name, sizeof(kept.name));
        memcpy(at, &kept, sizeof(kept));
    }
    return GUARD_OK;
}

enum guard_rc pod_speakers_read(struct pod_speakers *speakers, struct guard_span note,
                                struct guard_err *err)
{
    size_t head = sizeof(magic) + sizeof(speakers->seed);
    if (note.len < head || memcmp(note.ptr, magic, sizeof(magic)) != 0 ||
        (note.len - head) % sizeof(struct kept) != 0 ||
        (note.len - head) / sizeof(struct kept) > POD_SPEAKERS_MAX)
        return guard_fail(err, GUARD_E_SYNTAX, "no note of who speaks for pods");
    memcpy(&speakers->seed, note.ptr + sizeof(magic), sizeof(speakers->seed));
    for (size_t at = head; at < note.len; at += sizeof(struct kept)) {
        struct kept kept;
        memcpy(&kept, note.ptr + at, sizeof(kept));
        struct pod_speaker *speaker = make(speakers, kept.pod, kept.seen_ms);
        if (speaker == NULL)
            return guard_fail(err, GUARD_E_NOMEM, "no memory for who speaks for pods");
        speaker->who = kept.who;
        speaker->reporter = kept.reporter;
        speaker->workload = kept.workload;
        speaker->seen_ms = kept.seen_ms;
        speaker->of_cluster = kept.of_cluster != 0;
        memcpy(speaker->name, kept.name, sizeof(speaker->name));
        speaker->name[sizeof(speaker->name) - 1] = '\0';
    }
    return GUARD_OK;
}
