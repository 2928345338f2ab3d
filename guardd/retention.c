/* SPDX-License-Identifier: Apache-2.0 */
/* A pass goes through the logs, a file in each tick and the newest first (as guardd/forget.c), then
 * through what else grows old. Nothing that isn't named here is ever deleted. */
#include "retention.h"

#include "alerts.h"

#include "common/audit.h"
#include "common/file.h"
#include "common/file_lines.h"
#include "common/log.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PASS_MS = 3600 * 1000, PASS_MIN_MS = 1000, REPORT_KEPT_MS = 3600 * 1000 };
enum { AGES = ALERT_FILES_OLDER + 1, STAYING = 2 };

static const struct guard_span no_service = {NULL, 0};
static const char *const logs[] = {"alerts.jsonl", "audit.jsonl", "triage.jsonl", "looks.jsonl"};
enum { LOGS = sizeof(logs) / sizeof(logs[0]), LOG_STEPS = LOGS * AGES };

static bool log_path(char out[STATE_PATH_MAX], const struct services *services, const char *name,
                     uint32_t age)
{
    char file[64];
    if (age == 0)
        snprintf(file, sizeof(file), "%s", name);
    else
        snprintf(file, sizeof(file), "%s.%u", name, age);
    return state_path(out, services->state, "", no_service, file) == GUARD_OK;
}

/* --- lines --- */

/* guardd's and the command line's lines begin with their time; others stay. */
static enum line_fate fate_by_age(void *ctx, struct guard_span line, char *out, size_t *len)
{
    static const char begin[] = "{\"time_ms\":";
    const uint64_t before_ms = *(const uint64_t *)ctx;
    uint64_t time_ms = 0;
    (void)out;
    (void)len;
    if (line.len < sizeof(begin) || memcmp(line.ptr, begin, sizeof(begin) - 1) != 0)
        return LINE_KEPT;
    for (size_t i = sizeof(begin) - 1; i < line.len && line.ptr[i] >= '0' && line.ptr[i] <= '9';
         i++)
        time_ms = time_ms * 10 + (uint64_t)(line.ptr[i] - '0');
    return time_ms > 0 && time_ms < before_ms ? LINE_DROPPED : LINE_KEPT;
}

static void drop_lines(struct retention *retention, const struct services *services,
                       const char *name, uint32_t age, uint64_t now_ms)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    struct stat info;
    uint64_t before_ms = now_ms > retention->keep_ms ? now_ms - retention->keep_ms : 0;
    struct line_filter filter = {.fate = fate_by_age, .ctx = &before_ms};
    if (!log_path(path, services, name, age) || stat(path, &info) != 0)
        return;
    /* Alerts are written by guardd alone. */
    int lock = name == logs[0] ? -1 : audit_lock(services->state);
    enum guard_rc rc = file_filter_lines(path, &filter, &err);
    if (rc == GUARD_OK && age > 0 && stat(path, &info) == 0 && info.st_size == 0)
        (void)unlink(path);
    if (lock >= 0)
        close(lock);
    retention->lines += filter.dropped;
    if (rc != GUARD_OK && !retention->failing)
        log_event("alarm", "too-old-and-kept", no_service, "%s", err.text);
    retention->failing = rc != GUARD_OK;
}

/* --- generations and lifts --- */

/* The newest two stay, as ever. */
static void drop_generations(struct retention *retention, struct services *services,
                             struct service *service, uint64_t now_ms)
{
    struct generations *kept = &service->generations;
    struct guard_err err;
    uint32_t old = 0;
    while (old + STAYING < kept->count && now_ms > kept->list[old].created_ms &&
           now_ms - kept->list[old].created_ms > retention->keep_ms)
        old++;
    if (old == 0 || service->snapshot.bytes != NULL || !replica_publishes(services, service) ||
        store_begin(services->store, &err) != GUARD_OK)
        return;
    enum guard_rc rc = GUARD_OK;
    for (uint32_t i = 0; rc == GUARD_OK && i < old; i++)
        rc = store_drop_generation(services->store, service->name, kept->list[i].number, &err);
    if (rc == GUARD_OK)
        rc = store_commit(services->store, &err);
    if (rc != GUARD_OK) {
        store_rollback(services->store);
        return;
    }
    kept->count -= old;
    memmove(&kept->list[0], &kept->list[old], kept->count * sizeof(kept->list[0]));
    retention->generations += old;
}

static void drop_of_services(struct retention *retention, struct services *services,
                             uint64_t now_ms)
{
    struct guard_err err;
    for (uint32_t i = 0; i < services->count; i++) {
        drop_generations(retention, services, services->list[i], now_ms);
        documents_drop_refused(services, services->list[i], SHARED_KINDS, retention->keep_ms);
        /* They name clients, and say nothing any more. */
        if (client_files_forget_lifts(services, services->list[i], NULL, false, &retention->lifts,
                                      &err) != GUARD_OK)
            log_event("warn", "lifts-kept", services->list[i]->name, "%s", err.text);
    }
}

/* --- files --- */

static bool was_put_aside(const char *name)
{
    return strncmp(name, "guard.db.damaged-", 17) == 0;
}

/* The oldest file that was put aside, its size and that of all; false: there is none. */
static bool oldest_aside(const struct services *services, char out[STATE_PATH_MAX],
                         struct stat *info, uint64_t *bytes)
{
    bool found = false;
    DIR *dir = opendir(services->state);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char path[STATE_PATH_MAX];
        struct stat one;
        if (!was_put_aside(entry->d_name) ||
            state_path(path, services->state, "", no_service, entry->d_name) != GUARD_OK ||
            lstat(path, &one) != 0 || !S_ISREG(one.st_mode))
            continue;
        *bytes += (uint64_t)one.st_size;
        if (!found || one.st_mtime < info->st_mtime) {
            *info = one;
            memcpy(out, path, sizeof(path));
        }
        found = true;
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

/* The oldest rotated log and the size of all. */
static bool oldest_log(const struct services *services, char out[STATE_PATH_MAX], uint64_t *bytes)
{
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < LOGS; i++) {
        for (uint32_t age = 0; age < AGES; age++) {
            char path[STATE_PATH_MAX];
            struct stat info;
            if (!log_path(path, services, logs[i], age) || stat(path, &info) != 0)
                continue;
            *bytes += (uint64_t)info.st_size;
            if (age > oldest) {
                oldest = age;
                memcpy(out, path, sizeof(path));
            }
        }
    }
    return oldest > 0;
}

/* One in each pass and kind would be too slow on a disk that fills. */
static void drop_files(struct retention *retention, const struct services *services,
                       uint64_t now_ms)
{
    enum { FILES_MAX = 64 };
    for (int i = 0; i < FILES_MAX; i++) {
        char aside[STATE_PATH_MAX];
        char log[STATE_PATH_MAX];
        struct stat info = {.st_mtime = 0};
        uint64_t bytes = 0;
        bool has_aside = oldest_aside(services, aside, &info, &bytes);
        bool has_log = oldest_log(services, log, &bytes);
        uint64_t changed_ms = (uint64_t)info.st_mtime * 1000;
        bool old = has_aside && now_ms > changed_ms && now_ms - changed_ms > retention->keep_ms;
        if (!old && (bytes <= retention->keep_bytes || (!has_aside && !has_log)))
            return;
        if (unlink(has_aside ? aside : log) != 0)
            return;
        retention->files++;
    }
}

/* Reports of `guard forget` that nobody took. */
static void drop_reports(const struct services *services, uint64_t now_ms)
{
    char folder[STATE_PATH_MAX];
    if (state_path(folder, services->state, "forget", no_service, "") != GUARD_OK)
        return;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char path[STATE_PATH_MAX + 256 + 1];
        struct stat info;
        const char *dot = strrchr(entry->d_name, '.');
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (dot != NULL && strcmp(dot, ".done") == 0 && lstat(path, &info) == 0 &&
            (uint64_t)info.st_mtime * 1000 + REPORT_KEPT_MS < now_ms)
            (void)unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
}

static void end_pass(struct retention *retention, uint64_t now_ms)
{
    uint64_t pause = retention->keep_ms / 4;
    pause = pause > PASS_MS ? PASS_MS : pause < PASS_MIN_MS ? PASS_MIN_MS : pause;
    if (retention->lines + retention->generations + retention->lifts + retention->files > 0)
        log_event("info", "retention", no_service,
                  "dropped: %llu lines of logs, %llu generations, %llu lifts, %llu files",
                  (unsigned long long)retention->lines, (unsigned long long)retention->generations,
                  (unsigned long long)retention->lifts, (unsigned long long)retention->files);
    retention->lines = 0;
    retention->generations = 0;
    retention->lifts = 0;
    retention->files = 0;
    retention->step = 0;
    retention->next_ms = now_ms + pause;
}

void retention_tick(struct retention *retention, struct services *services, uint64_t now_ms)
{
    /* Or the clock was set back. */
    bool due = now_ms >= retention->next_ms || retention->next_ms - now_ms > PASS_MS;
    if (retention->step == 0 && !due)
        return;
    uint32_t step = retention->step++;
    if (step < LOG_STEPS) {
        drop_lines(retention, services, logs[step / AGES], step % AGES, now_ms);
        return;
    }
    drop_of_services(retention, services, now_ms);
    drop_files(retention, services, now_ms);
    drop_reports(services, now_ms);
    end_pass(retention, now_ms);
}
