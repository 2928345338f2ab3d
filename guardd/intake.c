/* SPDX-License-Identifier: Apache-2.0 */
/* Finds ring files, goes on where the stored position says, hands records to the services and
 * alerts to their fold. */
#include "intake.h"

#include "alert_series.h"

#include "common/file.h"
#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Static_assert(ALERT_POSITIONS_MAX == (int)RINGS_MAX, "one for each ring");

static const struct guard_span no_service = {NULL, 0};

static bool has_suffix(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t suffix_len = strlen(suffix);
    return len > suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

static bool ring_path(const struct intake *intake, const char *name, char out[STATE_PATH_MAX])
{
    int len = snprintf(out, STATE_PATH_MAX, "%s/rings/%s", intake->state, name);
    return len > 0 && len < STATE_PATH_MAX;
}

static bool known(const struct intake *intake, const char *name)
{
    for (uint32_t i = 0; i < intake->count; i++) {
        if (strcmp(intake->list[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Of a gate of another version: what it writes isn't read. */
static void refuse(struct intake *intake, const char *name, const char *why)
{
    if (strcmp(intake->refused, name) == 0)
        return;
    snprintf(intake->refused, sizeof(intake->refused), "%s", name);
    log_event("alarm", "ring-refused", no_service,
              "%s: %s: gate and guardd are of different versions", name, why);
}

static void open_ring(struct intake *intake, const char *name)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    struct intake_ring *ring = &intake->list[intake->count];
    if (intake->count == RINGS_MAX || strlen(name) >= RING_NAME_CAP ||
        !ring_path(intake, name, path))
        return;
    memset(ring, 0, sizeof(*ring));
    enum guard_rc rc = ring_reader_open(&ring->reader, path, &err);
    if (rc == GUARD_E_VERSION)
        refuse(intake, name, err.text);
    if (rc != GUARD_OK)
        return; /* perhaps not yet initialised: tried again at the next scan */
    snprintf(ring->name, sizeof(ring->name), "%s", name);
    ring->alerts = has_suffix(name, ".alerts");
    if (ring->alerts &&
        alerts_position(intake->alerts, name, &ring->incarnation, &ring->sequence)) {
        /* Of another ring than the one that was read nothing was told yet. */
        if (ring_reader_incarnation(ring->reader) != ring->incarnation)
            alerts_caught_up(intake->alerts);
        ring_reader_seek(ring->reader, ring->incarnation, ring->sequence);
        intake->count++;
        return;
    }
    /* From the beginning again everything would be counted twice: tried again at the next scan. */
    if (store_load_position(intake->store, name, &ring->incarnation, &ring->sequence, &err) !=
        GUARD_OK) {
        if (!intake->waiting)
            log_event("warn", "position-unknown", no_service, "%s: %s", name, err.text);
        intake->waiting = true;
        ring_reader_close(ring->reader);
        return;
    }
    intake->waiting = false;
    ring_reader_seek(ring->reader, ring->incarnation, ring->sequence);
    intake->count++;
}

static void close_ring(struct intake *intake, uint32_t index)
{
    ring_reader_close(intake->list[index].reader);
    intake->list[index] = intake->list[--intake->count];
}

static bool forget(struct intake *intake, const char *name)
{
    struct guard_err err;
    if (store_forget_position(intake->store, name, &err) == GUARD_OK)
        return true;
    log_event("warn", "position-kept", no_service, "%s: %s", name, err.text);
    return false;
}

void intake_scan(struct intake *intake)
{
    char path[STATE_PATH_MAX];
    bool forgetting = true;
    for (uint32_t i = intake->count; i-- > 0;) {
        /* Removed, or replaced by a new file of the same name, which is found below. */
        if (!ring_reader_gone(intake->list[i].reader) || intake->list[i].dirty)
            continue;
        /* Each failure may take as long as a lock is waited for: one is enough. */
        if (forgetting)
            forgetting = forget(intake, intake->list[i].name);
        if (intake->list[i].alerts)
            alerts_forget_position(intake->alerts, intake->list[i].name);
        close_ring(intake, i);
    }
    if (!ring_path(intake, "", path))
        return;
    DIR *dir = opendir(path);
    for (struct dirent *entry = NULL; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if ((has_suffix(entry->d_name, ".ring") || has_suffix(entry->d_name, ".alerts")) &&
            !known(intake, entry->d_name))
            open_ring(intake, entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
}

/* False: it can't be taken yet; the ring is read again from there. */
static bool take(struct intake *intake, struct intake_ring *ring, struct guard_span record,
                 uint64_t sequence)
{
    uint64_t incarnation = ring_reader_incarnation(ring->reader);
    if (ring->alerts) {
        alerts_take(intake->alerts, record);
    } else if (!services_observe(intake->services, ring_reader_producer(ring->reader), incarnation,
                                 record)) {
        ring_reader_seek(ring->reader, ring->incarnation, ring->sequence);
        ring->held_ms = clock_unix_ms();
        return false;
    }
    ring->incarnation = incarnation;
    ring->sequence = sequence;
    ring->dirty = true;
    return true;
}

struct budget {
    uint64_t begin_ms;
    uint32_t ms;
};

static bool spent(const struct budget *budget)
{
    uint64_t now = clock_unix_ms();
    return now < budget->begin_ms || now - budget->begin_ms >= budget->ms; /* or set back */
}

/* True when there may be more. */
static bool read_ring(struct intake *intake, struct intake_ring *ring, uint32_t max,
                      const struct budget *budget)
{
    enum { BETWEEN_LOOKS = 32, HELD_MS = 200 }; /* records; between two looks at one that waits */
    struct guard_err err;
    if (ring->held_ms != 0 && budget->begin_ms >= ring->held_ms &&
        budget->begin_ms - ring->held_ms < HELD_MS)
        return false;
    ring->held_ms = 0;
    for (uint32_t taken = 0; taken < max; taken++) {
        struct guard_span record;
        uint64_t sequence = 0;
        if (taken % BETWEEN_LOOKS == BETWEEN_LOOKS - 1 && spent(budget))
            return true;
        enum guard_rc rc = ring_reader_next(ring->reader, &record, &sequence, &err);
        if (rc == GUARD_OK && !take(intake, ring, record, sequence))
            return false;
        if (rc != GUARD_OK && rc != GUARD_E_SYNTAX)
            return false;
    }
    return true;
}

bool intake_read(struct intake *intake, uint32_t max, uint32_t budget_ms)
{
    const struct budget budget = {clock_unix_ms(), budget_ms};
    uint32_t share = intake->count > 0 ? max / intake->count + 1 : 0;
    bool more = false;
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t at = (intake->first + i) % intake->count;
        more = read_ring(intake, &intake->list[at], share, &budget) || more;
        if (more && spent(&budget)) {
            intake->first = at + 1; /* the others have their turn first next time */
            break;
        }
    }
    if (!more && !intake->waiting && !intake->caught_up) {
        intake->caught_up = true;
        alerts_caught_up(intake->alerts);
    }
    return more;
}

/* Rings that went while guardd was down: their places are for others. */
static void forget_gone(struct intake *intake)
{
    const struct alerts *alerts = intake->alerts;
    for (uint32_t i = alerts->position_count; i-- > 0;) {
        char ring[RING_NAME_CAP];
        char path[STATE_PATH_MAX];
        snprintf(ring, sizeof(ring), "%s", alerts->positions[i].ring);
        if (!known(intake, ring) &&
            (!ring_path(intake, ring, path) || (access(path, F_OK) != 0 && errno == ENOENT)))
            alerts_forget_position(intake->alerts, ring);
    }
}

void intake_keep_alerts(struct intake *intake)
{
    forget_gone(intake);
    for (uint32_t i = 0; i < intake->count; i++) {
        const struct intake_ring *ring = &intake->list[i];
        if (ring->alerts && ring->sequence != 0)
            alerts_note_position(intake->alerts, ring->name, ring->incarnation, ring->sequence);
    }
    alerts_save(intake->alerts, intake->state);
}

enum guard_rc intake_save(struct intake *intake, struct guard_err *err)
{
    for (uint32_t i = 0; i < intake->count; i++) {
        struct intake_ring *ring = &intake->list[i];
        if (ring->dirty)
            GUARD_TRY(store_save_position(intake->store, ring->name, ring->incarnation,
                                          ring->sequence, err));
    }
    return GUARD_OK;
}

void intake_saved(struct intake *intake)
{
    for (uint32_t i = 0; i < intake->count; i++)
        intake->list[i].dirty = false;
}

void intake_stats(const struct intake *intake, struct ring_reader_stats *out)
{
    memset(out, 0, sizeof(*out));
    for (uint32_t i = 0; i < intake->count; i++) {
        struct ring_reader_stats one;
        if (intake->list[i].alerts)
            continue;
        ring_reader_stats(intake->list[i].reader, &one);
        out->records += one.records;
        out->lost += one.lost;
        out->hostile += one.hostile;
    }
}

void intake_close(struct intake *intake)
{
    while (intake->count > 0)
        close_ring(intake, intake->count - 1);
}
