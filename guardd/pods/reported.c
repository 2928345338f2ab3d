/* SPDX-License-Identifier: Apache-2.0 */
/* Many batches become one file, so that the disk is waited for a few times a second whatever number
 * of children there is. At the root a record's origin is replaced by one that only its pod can
 * have: whoever knows a sensor's number can't use up the sequences of another pod's. */
#include "reported.h"

#include "guardd/service.h"

#include "common/file.h"
#include "common/log.h"
#include "common/pods/record_files.h"

#include <guard/crypto.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEQUENCE_BITS = 22, /* four million intervals of ten seconds are more than a year */
    AHEAD_MS = 300000,
    OLD_MS = 24 * 3600 * 1000, /* what waits at a child is younger */
};

static const char kind[] = "pod-speakers";
static const struct guard_span no_service = {NULL, 0};

/* --- its life --- */

static enum guard_rc take_note(void *ctx, struct guard_span name, struct guard_span value)
{
    struct pod_reported *reported = ctx;
    struct guard_err err;
    (void)name;
    if (pod_speakers_read(&reported->speakers, value, &err) == GUARD_OK)
        return GUARD_OK;
    log_event("alarm", "pod-speakers-damaged", no_service,
              "%s: pods are whose who reports of them first", err.text);
    pod_speakers_close(&reported->speakers);
    return pod_speakers_open(&reported->speakers, &err);
}

enum guard_rc pod_reported_open(struct pod_reported **out, struct services *services,
                                struct guard_err *err)
{
    struct pod_reported *reported = calloc(1, sizeof(*reported));
    if (reported == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for what children say of pods");
    reported->services = services;
    reported->batch = 1;
    reported->incarnation = clock_unix_ms();
    reported->shared = services->run != 0;
    enum guard_rc rc = pod_speakers_open(&reported->speakers, err);
    /* Whoever learns the service knows who speaks for which pod: here floods are held off. */
    reported->speakers.apart = reported->shared;
    if (rc == GUARD_OK && !reported->shared)
        rc = store_list_notes(services->store, kind, take_note, reported, err);
    if (rc != GUARD_OK) {
        pod_reported_close(reported);
        return rc;
    }
    *out = reported;
    return GUARD_OK;
}

void pod_reported_close(struct pod_reported *reported)
{
    if (reported == NULL)
        return;
    pod_speakers_close(&reported->speakers);
    pod_outbox_empty(&reported->outbox);
    free(reported->bytes);
    free(reported);
}

static enum guard_rc save_speakers(const struct pod_reported *reported, struct guard_err *err)
{
    uint8_t *note = NULL;
    size_t len = 0;
    if (!reported->speakers.changed)
        return GUARD_OK;
    GUARD_TRY(pod_speakers_write(&reported->speakers, &note, &len, err));
    enum guard_rc rc = store_save_note(reported->services->store, kind,
                                       (struct guard_span){(const uint8_t *)"all", 3},
                                       (struct guard_span){note, len}, err);
    free(note);
    return rc;
}

enum guard_rc pod_reported_save(struct pod_reported *reported, uint64_t now_ms,
                                struct guard_err *err)
{
    if (reported == NULL)
        return GUARD_OK;
    return reported->shared ? pod_outbox_save(&reported->outbox, reported->services, now_ms, err)
                            : save_speakers(reported, err);
}

void pod_reported_saved(struct pod_reported *reported)
{
    if (reported == NULL)
        return;
    reported->speakers.changed = false;
    if (reported->outbox.saving) {
        reported->written = reported->batch++;
        pod_outbox_empty(&reported->outbox);
    } else if (reported->outbox.first != NULL) {
        reported->services->inbox.open = true; /* it wasn't its time */
    }
}

void pod_reported_unsaved(struct pod_reported *reported)
{
    if (reported == NULL || reported->outbox.first == NULL)
        return;
    reported->failed = reported->batch++;
    pod_outbox_empty(&reported->outbox);
    pod_speakers_refill(&reported->speakers);
}

/* --- a record --- */

static void digest_text(struct guard_digest_state *state, struct guard_span text)
{
    uint64_t len = text.len;
    guard_digest_update(state, (struct guard_span){(const uint8_t *)&len, sizeof(len)});
    guard_digest_update(state, text);
}

/* Under the service's key, of the pod and what the sensor calls itself. Incarnations and sequences
 * become one number that only grows: whoever counts them up by leaps takes one place all the same.
 */
static void bind_origin(const struct service *service, struct guard_pod_record *record)
{
    struct guard_digest_state state;
    uint8_t digest[GUARD_DIGEST_BYTES];
    struct guard_source *origin = &record->origin;
    guard_digest_begin(&state);
    guard_digest_update(&state, (struct guard_span){service->key, sizeof(service->key)});
    digest_text(&state, record->id.name_space);
    digest_text(&state, record->id.pod);
    digest_text(&state, record->id.uid);
    digest_text(&state, record->id.container);
    guard_digest_update(
        &state, (struct guard_span){(const uint8_t *)&origin->producer, sizeof(origin->producer)});
    guard_digest_end(&state, digest);
    memcpy(&origin->producer, digest, sizeof(origin->producer));
    origin->producer |= origin->producer == 0;
    origin->sequence |= origin->incarnation << SEQUENCE_BITS;
    origin->incarnation = 1;
}

/* By our clock; why: what is wrong, NULL: nothing. */
static const char *bad_time(const struct guard_pod_record *record, uint64_t now_ms,
                            enum pod_refusal *refusal)
{
    *refusal = POD_REFUSED_AHEAD;
    if (record->until_ms > now_ms + AHEAD_MS)
        return "it ends more than 5 minutes ahead of this clock";
    if (record->origin.incarnation > now_ms + AHEAD_MS)
        return "its sensor began more than 5 minutes ahead of this clock";
    *refusal = POD_REFUSED_OLD;
    return now_ms > OLD_MS && record->from_ms < now_ms - OLD_MS
               ? "it is older than a day, and came over the tree"
               : NULL;
}

static bool is_of_nobody(const struct guard_pod_identity *id)
{
    return id->workload.len == 1 && id->workload.ptr[0] == '-';
}

/* NULL: it may be taken. */
static const char *wrong_with(struct pod_reported *reported, const struct pod_reporter *who,
                              const struct pod_batch *batch, const struct guard_pod_record *record,
                              uint64_t now_ms, enum pod_refusal *refusal)
{
    const struct guard_pod_identity *id = &record->id;
    const char *why = bad_time(record, now_ms, refusal);
    if (why != NULL)
        return why;
    *refusal = POD_REFUSED_NOBODY;
    if (is_of_nobody(id))
        return "the sensor doesn't know whose it is";
    *refusal = POD_REFUSED_SERVICE;
    if (!state_service_valid(id->service.len > 0 ? id->service : id->workload))
        return "no service can have its name";
    *refusal = POD_REFUSED_OTHER;
    if (record->origin.sequence >> SEQUENCE_BITS != 0)
        return "its sequence is larger than any sensor's";
    enum pod_speech speech =
        pod_speakers_hear(&reported->speakers, who, batch->secret, record, now_ms, &why);
    *refusal = speech == POD_SPEECH_FOREIGN ? POD_REFUSED_FOREIGN : POD_REFUSED_FLOOD;
    return speech == POD_SPEECH_GOOD ? NULL : why;
}

static struct guard_span name_of(const struct guard_pod_record *record)
{
    return record->id.service.len > 0 ? record->id.service : record->id.workload;
}

/* GUARD_E_LIMIT: there are too many services; GUARD_E_IO: the database went away meanwhile. */
static enum guard_rc bind(struct pod_reported *reported, struct guard_pod_record *record,
                          uint8_t *out, size_t *len, const struct service **service)
{
    struct services *services = reported->services;
    *service = services_get(services, name_of(record));
    if (*service == NULL)
        return reported->shared && store_session(services->store) == 0 ? GUARD_E_IO : GUARD_E_LIMIT;
    bind_origin(*service, record);
    return guard_pod_record_encode(record, out, GUARD_POD_RECORD_MAX, len, NULL) == GUARD_OK
               ? GUARD_OK
               : GUARD_E_LIMIT;
}

/* As it goes into the file, or the database. An aggregator changes nothing: the root sees the same
 * whoever passes it on. GUARD_E_LIMIT: it can't be taken; GUARD_E_IO, GUARD_E_NOMEM: later. */
static enum guard_rc append(struct pod_reported *reported, const struct pod_reporter *who,
                            const struct pod_batch *batch, struct guard_pod_record *record,
                            struct guard_span bytes, struct guard_err *err)
{
    const struct service *service = NULL;
    size_t len = bytes.len;
    uint8_t *out = reported->bytes + reported->len;
    if (reported->services->uplink != NULL) {
        memcpy(out, bytes.ptr, bytes.len);
    } else {
        enum guard_rc rc = bind(reported, record, out, &len, &service);
        if (rc != GUARD_OK)
            return guard_fail(err, rc, "the database is away");
    }
    if (reported->shared)
        return pod_outbox_add(&reported->outbox, service, reported->batches, who, batch->secret,
                              (struct guard_span){out, len}, err);
    reported->len += len;
    return GUARD_OK;
}

/* --- a batch --- */

static enum guard_rc make_room(struct pod_reported *reported, size_t more, struct guard_err *err)
{
    if (reported->len + more + GUARD_POD_RECORD_MAX > POD_REPORTED_BYTES_MAX)
        return guard_fail(err, GUARD_E_IO, "too much waits to be written");
    if (reported->bytes == NULL)
        reported->bytes = malloc(POD_REPORTED_BYTES_MAX);
    return reported->bytes != NULL ? GUARD_OK
                                   : guard_fail(err, GUARD_E_NOMEM, "no memory for pod records");
}

enum guard_rc pod_reported_look(struct pod_reported *reported, const struct pod_reporter *who,
                                struct guard_span bytes, bool *unknown, struct guard_err *err)
{
    struct pod_batch batch;
    struct guard_pod_record record;
    struct guard_span one;
    *unknown = false;
    GUARD_TRY(pod_batch_read(&batch, reported->features, bytes, err));
    while (pod_batch_next(&batch, &record, reported->features, &one)) {
        if (!is_of_nobody(&record.id) && who->look(who->look_ctx, &record.id) == POD_PLACE_UNKNOWN)
            *unknown = true; /* and the others are asked for, too */
    }
    return GUARD_OK;
}

/* Whether the database takes what may be taken. GUARD_E_IO: the sender keeps it. */
static enum guard_rc check_shared(const struct pod_reported *reported, struct pod_batch batch,
                                  size_t bytes, struct guard_pod_feature *features,
                                  struct guard_err *err)
{
    struct services *services = reported->services;
    struct guard_pod_record record;
    struct guard_span one;
    if (store_session(services->store) == 0)
        return guard_fail(err, GUARD_E_IO, "the database is away");
    GUARD_TRY(pod_outbox_room(&reported->outbox, bytes, err));
    while (pod_batch_next(&batch, &record, features, &one)) {
        if (pod_backlog_full(services, services_find(services, name_of(&record))))
            return guard_fail(err, GUARD_E_IO, "too many records of %.*s wait to be learned",
                              (int)name_of(&record).len, (const char *)name_of(&record).ptr);
    }
    return GUARD_OK;
}

enum guard_rc pod_reported_take(struct pod_reported *reported, const struct pod_reporter *who,
                                struct guard_span bytes, uint32_t *taken, uint32_t *refused,
                                uint64_t *ticket, struct guard_err *err)
{
    struct pod_batch batch;
    struct guard_pod_record record;
    struct guard_span one;
    uint64_t now_ms = clock_unix_ms();
    GUARD_TRY(pod_batch_read(&batch, reported->features, bytes, err));
    /* An origin that is bound may have some bytes more. */
    GUARD_TRY(make_room(reported, bytes.len + (size_t)batch.count * 32, err));
    if (reported->shared)
        GUARD_TRY(check_shared(reported, batch, bytes.len, reported->features, err));
    *taken = *refused = 0;
    reported->batches++;
    while (pod_batch_next(&batch, &record, reported->features, &one)) {
        enum pod_refusal refusal;
        const char *why = wrong_with(reported, who, &batch, &record, now_ms, &refusal);
        enum guard_rc rc =
            why == NULL ? append(reported, who, &batch, &record, one, err) : GUARD_E_LIMIT;
        if (rc == GUARD_E_IO || rc == GUARD_E_NOMEM)
            return rc; /* what was taken of it comes again */
        if (rc == GUARD_OK) {
            ++*taken;
            continue;
        }
        pod_refuse(reported->services, &record, why != NULL ? refusal : POD_REFUSED_SERVICE,
                   why != NULL ? why : "there are too many services", who->name, now_ms);
        ++*refused;
    }
    reported->records += *taken;
    reported->services->inbox.open =
        reported->services->inbox.open || reported->outbox.first != NULL;
    *ticket =
        reported->len > 0 || reported->outbox.first != NULL ? reported->batch : reported->written;
    return GUARD_OK;
}

/* --- the file --- */

static enum guard_rc write_file(struct pod_reported *reported, struct guard_err *err)
{
    char path[STATE_PATH_MAX], dir[STATE_PATH_MAX];
    const char *state = reported->services->state;
    GUARD_TRY(state_path(dir, state, "pods", no_service, ""));
    int len = snprintf(path, sizeof(path), "%s/%016" PRIx64 "-%016" PRIx64 "-%020" PRIu64 ".pods",
                       dir, pod_producer("tree", "", ""), reported->incarnation, reported->batch);
    if (len < 0 || (size_t)len >= sizeof(path))
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", dir);
    if (!pod_files_room(dir))
        return guard_fail(err, GUARD_E_LIMIT, "%s: too many files wait to be read", dir);
    return file_replace(path, (struct guard_span){reported->bytes, reported->len}, 0640, true, err);
}

void pod_reported_tick(struct pod_reported *reported, uint64_t now_ms)
{
    struct guard_err err = {.text = ""};
    if (reported == NULL || reported->len == 0 ||
        (now_ms >= reported->written_ms && now_ms - reported->written_ms < POD_REPORTED_WRITE_MS))
        return;
    bool good = write_file(reported, &err) == GUARD_OK;
    if (!good && !reported->failing)
        log_event("alarm", "pod-records-not-taken", no_service, "%s; children send them again",
                  err.text);
    reported->failing = !good;
    if (good) {
        reported->written = reported->batch;
    } else {
        reported->failed = reported->batch;
        pod_speakers_refill(&reported->speakers);
    }
    reported->batch++;
    reported->len = 0;
    reported->written_ms = now_ms;
    free(reported->bytes); /* a large block, which goes back to the system */
    reported->bytes = NULL;
}
