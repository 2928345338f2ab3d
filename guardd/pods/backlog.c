/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows were read is known here alone, under one claim: who claims anew reads all that wait,
 * and records that were learned are known by their sequences. */
#include "backlog.h"

#include "backlog_row.h"
#include "tell.h"

#include "guardd/service.h"

#include "common/file.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 1000, READ_FULL = STORE_POD_ROWS_MAX - 8 };

static const char kind_speakers[] = "pod-speakers", kind_told[] = "pod-told";
static const struct guard_span no_service = {NULL, 0};

/* --- how much waits --- */

static void take_count(void *ctx, struct guard_span name, uint64_t rows, uint64_t bytes)
{
    struct services *services = ctx;
    struct service *service = services_find(services, name);
    services->pod_backlogs.rows += rows;
    services->pod_backlogs.bytes += bytes;
    if (service == NULL)
        return;
    service->backlog.rows = rows;
    service->backlog.bytes = bytes;
}

static bool service_full(const struct pod_backlog *backlog)
{
    return backlog->rows >= POD_BACKLOG_ROWS || backlog->bytes >= POD_BACKLOG_BYTES;
}

static bool all_full(const struct pod_backlogs *all)
{
    return all->rows >= POD_BACKLOG_ROWS_ALL || all->bytes >= POD_BACKLOG_BYTES_ALL;
}

/* Once each time. */
static void tell_full(bool *told, bool full, struct guard_span service)
{
    if (full && !*told)
        log_event("alarm", "pod-records-wait", service,
                  "as many as may wait in the database for who learns them; children keep theirs");
    *told = full;
}

enum guard_rc pod_backlogs_look(struct services *services, uint64_t now_ms, struct guard_err *err)
{
    struct pod_backlogs *all = &services->pod_backlogs;
    if (now_ms >= all->looked_ms && now_ms - all->looked_ms < LOOK_MS)
        return GUARD_OK;
    all->looked_ms = now_ms;
    all->rows = all->bytes = 0;
    for (uint32_t i = 0; i < services->count; i++)
        services->list[i]->backlog.rows = services->list[i]->backlog.bytes = 0;
    GUARD_TRY(store_count_pod_records(services->store, take_count, services, err));
    tell_full(&all->full, all_full(all), no_service);
    for (uint32_t i = 0; i < services->count; i++) {
        struct pod_backlog *backlog = &services->list[i]->backlog;
        tell_full(&backlog->full, service_full(backlog), services->list[i]->name);
    }
    return GUARD_OK;
}

bool pod_backlog_full(const struct services *services, const struct service *service)
{
    return all_full(&services->pod_backlogs) ||
           (service != NULL && service_full(&service->backlog));
}

/* --- under a claim --- */

void pod_backlog_free(struct pod_backlog *backlog)
{
    pod_speakers_close(&backlog->speakers);
    free(backlog->read);
    free(backlog->told);
    *backlog = (struct pod_backlog){.rows = 0};
}

static enum guard_rc take_speakers(void *ctx, struct guard_span value)
{
    struct service *service = ctx;
    struct pod_speakers *speakers = &service->backlog.speakers;
    struct guard_err err;
    if (pod_speakers_read(speakers, value, &err) == GUARD_OK)
        return GUARD_OK;
    log_event("alarm", "pod-speakers-damaged", service->name,
              "%s: pods are whose who reports of them first", err.text);
    pod_speakers_close(speakers);
    return pod_speakers_open(speakers, &err);
}

struct taking_told {
    struct pod_backlog *backlog;
    struct pod_told *told;
    uint64_t now_ms;
};

static void keep_told(struct pod_backlog *backlog, uint64_t key, uint64_t time_ms)
{
    if (backlog->told == NULL)
        backlog->told = calloc(POD_BACKLOG_TOLD, sizeof(backlog->told[0]));
    if (backlog->told != NULL)
        backlog->told[backlog->told_count++ % POD_BACKLOG_TOLD] =
            (struct pod_backlog_told){key, time_ms};
}

/* Numbers as this kind of machine has them, the oldest first. */
static enum guard_rc take_told(void *ctx, struct guard_span value)
{
    const struct taking_told *taking = ctx;
    struct pod_backlog_told one;
    if (value.len > POD_BACKLOG_TOLD * sizeof(one))
        return GUARD_OK;
    for (size_t at = 0; at + sizeof(one) <= value.len; at += sizeof(one)) {
        memcpy(&one, value.ptr + at, sizeof(one));
        keep_told(taking->backlog, one.key, one.time_ms);
        pod_told_add(taking->told, one.key, one.time_ms, taking->now_ms);
    }
    return GUARD_OK;
}

/* What the learner before had saved; all that waits is read from the first row on. */
static enum guard_rc begin(struct services *services, struct service *service,
                           const struct pod_backlog_reader *reader, uint64_t now_ms,
                           struct guard_err *err)
{
    struct pod_backlog *backlog = &service->backlog;
    struct taking_told taking = {backlog, reader->told, now_ms};
    backlog->read_count = backlog->dropping = 0;
    if (!backlog->told_changed)
        backlog->told_count = 0;
    pod_speakers_close(&backlog->speakers);
    GUARD_TRY(pod_speakers_open(&backlog->speakers, err));
    GUARD_TRY(store_read_note(services->store, kind_speakers, service->name, take_speakers, service,
                              err));
    GUARD_TRY(store_read_note(services->store, kind_told, service->name, take_told, &taking, err));
    backlog->fence = service->replica.fence;
    return GUARD_OK;
}

/* --- reading --- */

struct reading {
    struct services *services;
    struct service *service;
    const struct pod_backlog_reader *reader;
    uint64_t now_ms;
    bool more;
};

static bool is_ours(const struct service *service, const struct guard_pod_identity *id)
{
    struct guard_span name = id->service.len > 0 ? id->service : id->workload;
    return name.len == service->name.len && memcmp(name.ptr, service->name.ptr, name.len) == 0;
}

/* Held to when it came: what waited makes nobody silent, and gives nobody room. */
static void learn(const struct reading *reading, const struct pod_row_part *part,
                  struct guard_pod_record *record, uint64_t came_ms)
{
    struct services *services = reading->services;
    const struct pod_reporter who = {.name = part->name,
                                     .cluster_pod = part->of_cluster ? "" : NULL,
                                     .node = part->of_node ? "" : NULL,
                                     .believed = part->believed,
                                     .vouched = true};
    const char *why = "it lay among another service's";
    enum pod_refusal refusal = POD_REFUSED_OTHER;
    if (is_ours(reading->service, &record->id)) {
        enum pod_speech speech = pod_speakers_hear(&reading->service->backlog.speakers, &who,
                                                   part->secret, record, came_ms, &why);
        refusal = speech == POD_SPEECH_FOREIGN ? POD_REFUSED_FOREIGN : POD_REFUSED_FLOOD;
    }
    if (why != NULL)
        pod_refuse(services, record, refusal, why, part->name, reading->now_ms);
    else
        reading->reader->learn(reading->reader->ctx, reading->service, record, reading->now_ms);
}

static enum guard_rc learn_part(const struct reading *reading, const struct pod_row_part *part,
                                uint64_t came_ms, struct guard_err *err)
{
    struct guard_span rest = part->records;
    struct guard_pod_record record;
    while (rest.len > 0) {
        size_t len = 0;
        if (rest.len < GUARD_POD_HEAD_BYTES)
            return guard_fail(err, GUARD_E_SYNTAX, "a record is cut");
        GUARD_TRY(guard_pod_record_size(rest, &len, err));
        if (len > rest.len)
            return guard_fail(err, GUARD_E_SYNTAX, "a record is cut");
        const struct guard_span one = {rest.ptr, len};
        GUARD_TRY(guard_pod_record_decode(&record, reading->reader->features, one, err));
        learn(reading, part, &record, came_ms);
        rest.ptr += len;
        rest.len -= len;
    }
    return GUARD_OK;
}

/* What is damaged is told of, and the rest of the row is lost. */
static void learn_row(const struct reading *reading, const struct store_pod_records *row)
{
    struct guard_span rest = row->bytes;
    struct pod_row_part part;
    struct guard_err err = {.text = ""};
    enum guard_rc rc = pod_row_read(&rest, &err);
    while (rc == GUARD_OK && rest.len > 0) {
        rc = pod_row_next(&rest, &part, &err);
        if (rc == GUARD_OK)
            rc = learn_part(reading, &part, row->time_ms, &err);
    }
    reading->services->pod_counts.files++;
    if (rc == GUARD_OK)
        return;
    reading->services->pod_counts.damaged_files++;
    log_event("alarm", "pod-records-damaged", reading->service->name,
              "row %llu of the database: %s; the rest of it is lost",
              (unsigned long long)row->number, err.text);
}

static enum guard_rc take_row(void *ctx, const struct store_pod_records *row)
{
    struct reading *reading = ctx;
    struct pod_backlog *backlog = &reading->service->backlog;
    if (clock_monotonic_ms() >= reading->reader->until_ms ||
        backlog->read_count == STORE_POD_ROWS_MAX) {
        reading->more = true;
        return GUARD_OK;
    }
    learn_row(reading, row);
    backlog->read[backlog->read_count++] = row->number;
    return GUARD_OK;
}

static enum guard_rc read_service(struct services *services, struct service *service,
                                  const struct pod_backlog_reader *reader, uint64_t now_ms,
                                  bool *more, struct guard_err *err)
{
    struct pod_backlog *backlog = &service->backlog;
    struct reading reading = {services, service, reader, now_ms, false};
    if (backlog->fence != service->replica.fence)
        GUARD_TRY(begin(services, service, reader, now_ms, err));
    if (backlog->rows <= backlog->read_count || backlog->read_count >= READ_FULL)
        return GUARD_OK;
    if (backlog->read == NULL)
        backlog->read = calloc(STORE_POD_ROWS_MAX, sizeof(backlog->read[0]));
    if (backlog->read == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    uint32_t before = backlog->read_count;
    GUARD_TRY(store_list_pod_records(services->store, service->name, backlog->read,
                                     backlog->read_count, take_row, &reading, err));
    if (backlog->read_count == before && !reading.more)
        backlog->rows = before; /* others dropped them */
    *more = *more || reading.more || backlog->rows > backlog->read_count;
    return GUARD_OK;
}

bool pod_backlogs_read(struct services *services, const struct pod_backlog_reader *reader,
                       uint64_t now_ms)
{
    struct pod_backlogs *all = &services->pod_backlogs;
    bool more = false;
    if (services->run == 0 || services->count == 0 || store_session(services->store) == 0)
        return false;
    for (uint32_t i = 0; i < services->count; i++) {
        struct guard_err err = {.text = ""};
        struct service *service = services->list[(all->at + i) % services->count];
        if (!replica_publishes(services, service))
            continue;
        enum guard_rc rc = read_service(services, service, reader, now_ms, &more, &err);
        if (rc != GUARD_OK && !all->failing)
            log_event("warn", "pod-records-unreadable", service->name, "%s; tried again", err.text);
        all->failing = rc != GUARD_OK;
        if (rc != GUARD_OK)
            return false;
        if (clock_monotonic_ms() >= reader->until_ms) {
            all->at = (all->at + i + 1) % services->count;
            return more;
        }
    }
    return more;
}

/* --- saving --- */

bool pod_backlogs_due(const struct services *services)
{
    for (uint32_t i = 0; services->run != 0 && i < services->count; i++) {
        if (services->list[i]->backlog.read_count >= READ_FULL)
            return true;
    }
    return false;
}

void pod_backlog_tell(struct services *services, struct service *service, uint64_t key,
                      uint64_t time_ms)
{
    if (services->run == 0)
        return;
    keep_told(&service->backlog, key, time_ms);
    service->backlog.told_changed = true;
    services->inbox.open = true; /* soon */
}

static enum guard_rc save_speakers(const struct services *services, const struct service *service,
                                   struct guard_err *err)
{
    uint8_t *note = NULL;
    size_t len = 0;
    if (!service->backlog.speakers.changed)
        return GUARD_OK;
    GUARD_TRY(pod_speakers_write(&service->backlog.speakers, &note, &len, err));
    enum guard_rc rc = store_save_note(services->store, kind_speakers, service->name,
                                       (struct guard_span){note, len}, err);
    free(note);
    return rc;
}

enum guard_rc pod_backlog_save_told(const struct services *services, struct service *service,
                                    struct guard_err *err)
{
    struct pod_backlog *backlog = &service->backlog;
    struct pod_backlog_told sorted[POD_BACKLOG_TOLD];
    uint32_t count =
        backlog->told_count < POD_BACKLOG_TOLD ? backlog->told_count : POD_BACKLOG_TOLD;
    if (!backlog->told_changed || backlog->told == NULL)
        return GUARD_OK;
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = backlog->told[(backlog->told_count - count + i) % POD_BACKLOG_TOLD];
    backlog->told_saving = true;
    return store_save_note(services->store, kind_told, service->name,
                           (struct guard_span){(const uint8_t *)sorted, count * sizeof(sorted[0])},
                           err);
}

void pod_backlog_begin(struct pod_backlog *backlog)
{
    backlog->dropping = 0;
    backlog->told_saving = false;
}

enum guard_rc pod_backlog_save(const struct services *services, struct service *service,
                               struct guard_err *err)
{
    struct pod_backlog *backlog = &service->backlog;
    if (backlog->fence != service->replica.fence)
        return GUARD_OK; /* nothing was read under this claim */
    GUARD_TRY(save_speakers(services, service, err));
    GUARD_TRY(store_drop_pod_records(services->store, service->name, backlog->read,
                                     backlog->read_count, err));
    backlog->dropping = backlog->read_count;
    return GUARD_OK;
}

void pod_backlog_saved(struct pod_backlog *backlog)
{
    backlog->told_changed = backlog->told_changed && !backlog->told_saving;
    if (backlog->dropping == 0)
        return;
    backlog->rows -= backlog->rows < backlog->dropping ? backlog->rows : backlog->dropping;
    backlog->read_count = backlog->dropping = 0;
    backlog->speakers.changed = false;
}
