/* SPDX-License-Identifier: Apache-2.0 */
/* A request is done when its report lies beside it and it is gone itself. Logs are gone through the
 * newest first, a file in each step: a rotation meanwhile moves what wasn't seen yet to where it
 * will be. */
#include "forget.h"

#include "alerts.h"

#include "common/audit.h"
#include "common/client_name.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/file_lines.h"
#include "common/json_writer.h"
#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REPORT_MAX = 4096, STEP_MEMORY = 0, STEP_LOGS = 1 };

static const struct guard_span no_service = {NULL, 0};

static bool path_in(char out[STATE_PATH_MAX], const struct services *services, const char *id,
                    const char *suffix)
{
    struct guard_span name = {(const uint8_t *)id, strlen(id)};
    return state_path(out, services->state, "forget", name, suffix) == GUARD_OK;
}

/* --- requests --- */

static bool is_request(const char *name)
{
    return strspn(name, "0123456789abcdef") == FORGET_ID_CHARS &&
           strcmp(name + FORGET_ID_CHARS, ".json") == 0;
}

static bool copy_text(char *out, size_t cap, const char *text)
{
    int len = snprintf(out, cap, "%s", text);
    return len >= 0 && (size_t)len < cap;
}

/* What a person may write into the folder is checked as if a stranger had. */
static bool read_request(struct forgetting *out, const struct document *document)
{
    char prefix[CLIENT_NAME_MAX];
    const char *service = text_of(document->root, "service");
    const char *client = text_of(document->root, "client");
    struct guard_span name = {(const uint8_t *)service, strlen(service)};
    out->generations = strcmp(text_of(document->root, "generations"), "true") == 0;
    out->dry = strcmp(text_of(document->root, "dry_run"), "true") == 0;
    return copy_text(out->service, sizeof(out->service), service) &&
           copy_text(out->client, sizeof(out->client), client) &&
           (service[0] == '\0' || state_service_valid(name)) &&
           (client[0] == '\0' ? service[0] != '\0' : client_name(client, prefix));
}

static void open_request(struct forgetting *out, const struct services *services, const char *name)
{
    char path[STATE_PATH_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    *out = (struct forgetting){.step = STEP_MEMORY};
    snprintf(out->id, sizeof(out->id), "%.*s", FORGET_ID_CHARS, name);
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    if (!path_in(path, services, out->id, ".json"))
        (void)guard_fail(&out->err, GUARD_E_LIMIT, "the path is too long");
    else if (document_load(&document, path, &arena, &out->err) == GUARD_OK &&
             !read_request(out, &document))
        (void)guard_fail(&out->err, GUARD_E_RANGE, "the request names no client and no service");
    guard_arena_reset(&arena);
}

/* Whoever asked by the API may have gone. */
static void drop_old_report(const char *folder, const char *name)
{
    enum { KEPT_S = 86400 };
    char path[STATE_PATH_MAX];
    struct stat info;
    size_t chars = strspn(name, "0123456789abcdef");
    int len = snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (chars == FORGET_ID_CHARS && strcmp(name + chars, ".done") == 0 && len > 0 &&
        len < STATE_PATH_MAX && lstat(path, &info) == 0 &&
        (uint64_t)info.st_mtime + KEPT_S < clock_unix_ms() / 1000)
        (void)unlink(path);
}

static bool find_request(struct forgetting *out, const struct services *services)
{
    char path[STATE_PATH_MAX];
    bool found = false;
    if (state_path(path, services->state, "forget", no_service, "") != GUARD_OK)
        return false;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && !found && (entry = readdir(dir)) != NULL;) {
        found = is_request(entry->d_name);
        if (found)
            open_request(out, services, entry->d_name);
        else
            drop_old_report(path, entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

/* --- what guardd holds, and files of services --- */

static bool is_meant(const struct forgetting *forgetting, const struct service *service)
{
    return forgetting->service[0] == '\0' || strcmp(forgetting->service, service->name_text) == 0;
}

static enum guard_rc drop_snapshots(struct forgetting *forgetting, struct services *services,
                                    struct service *service)
{
    struct guard_err *err = &forgetting->err;
    forgetting->snapshots += service->generations.count;
    if (forgetting->dry || service->generations.count == 0)
        return GUARD_OK;
    GUARD_TRY(store_begin(services->store, err));
    enum guard_rc rc = GUARD_OK;
    for (uint32_t i = 0; rc == GUARD_OK && i < service->generations.count; i++)
        rc = store_drop_generation(services->store, service->name,
                                   service->generations.list[i].number, err);
    if (rc == GUARD_OK)
        rc = store_commit(services->store, err);
    if (rc == GUARD_OK)
        service->generations.count = 0;
    else
        store_rollback(services->store);
    return rc;
}

static void remove_file(const struct services *services, const struct service *service,
                        const char *folder, const char *suffix)
{
    char path[STATE_PATH_MAX];
    if (state_path(path, services->state, folder, service->name, suffix) == GUARD_OK)
        (void)unlink(path);
}

/* All that was learned; what people wrote of how to judge stays. */
static enum guard_rc forget_service(struct forgetting *forgetting, struct services *services,
                                    struct service *service)
{
    forgetting->services++;
    forgetting->snapshots += service->generations.count;
    forgetting->verdicts += service->clients.count;
    forgetting->lifts += service->clients.lift_count;
    if (forgetting->dry)
        return GUARD_OK;
    GUARD_TRY(service_forget(services, service, &forgetting->err));
    remove_file(services, service, "piles", ".pile");
    remove_file(services, service, "clients", ".json");
    remove_file(services, service, "clients", ".norm");
    remove_file(services, service, "clients", ".lifts");
    remove_file(services, service, "pods", ".json");
    remove_file(services, service, "pods", ".decisions");
    remove_file(services, service, "pods", ".withdrawals");
    remove_file(services, service, "reviews", ".json");
    remove_file(services, service, "rollback", ".json");
    documents_drop_refused(services, service, SHARED_KINDS, 0);
    return GUARD_OK;
}

/* Files of a service that the store doesn't know, after it was damaged or replaced, name clients,
 * too. */
static void find_services(struct services *services)
{
    static const char *const suffixes[] = {".json", ".lifts"};
    char path[STATE_PATH_MAX];
    services_watch_guardians(services);
    if (state_path(path, services->state, "clients", no_service, "") != GUARD_OK)
        return;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
            size_t suffix = strlen(suffixes[i]);
            struct guard_span name = {(const uint8_t *)entry->d_name,
                                      len > suffix ? len - suffix : 0};
            if (name.len > 0 && strcmp(entry->d_name + name.len, suffixes[i]) == 0 &&
                state_service_valid(name) && services->count < SERVICES_MAX)
                (void)services_get(services, name);
        }
    }
    if (dir != NULL)
        closedir(dir);
}

static enum guard_rc forget_in_memory(struct forgetting *forgetting, struct services *services)
{
    bool whole = forgetting->client[0] == '\0';
    find_services(services);
    if (!forgetting->dry)
        alerts_flush(services->alerts, UINT64_MAX); /* what is folded is a line, too */
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        if (!is_meant(forgetting, service))
            continue;
        if (whole) {
            GUARD_TRY(forget_service(forgetting, services, service));
            continue;
        }
        if (!forgetting->dry) {
            documents_drop_refused(services, service, SHARED_LIFTS, 0); /* they may name clients */
            GUARD_TRY(told_forget(services, service, &forgetting->err));
        }
        forgetting->verdicts +=
            clients_forget(services, service, forgetting->client, forgetting->dry);
        GUARD_TRY(client_files_forget_lifts(services, service, forgetting->client, forgetting->dry,
                                            &forgetting->lifts, &forgetting->err));
        if (forgetting->generations)
            GUARD_TRY(drop_snapshots(forgetting, services, service));
    }
    return GUARD_OK;
}

/* --- logs --- */

static enum line_fate alert_fate(void *ctx, struct guard_span line, char *out, size_t *len)
{
    const struct forgetting *forgetting = ctx;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    enum line_fate fate = LINE_KEPT;
    (void)out;
    (void)len;
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    if (document_parse(&document, "alert", line, &arena, NULL) == GUARD_OK &&
        document.root->kind == DOCUMENT_MAPPING) {
        const char *client = text_of(document.root, "client");
        const char *service = text_of(document.root, "service");
        struct guard_span who = {(const uint8_t *)client, strlen(client)};
        bool meant = forgetting->service[0] == '\0' || strcmp(forgetting->service, service) == 0;
        if (meant && (forgetting->client[0] == '\0' || client_is(forgetting->client, who)))
            fate = LINE_DROPPED;
    }
    guard_arena_reset(&arena);
    return fate;
}

static enum line_fate audit_fate(void *ctx, struct guard_span line, char *out, size_t *len)
{
    const struct forgetting *forgetting = ctx;
    return client_redact(forgetting->client, line, out, LINE_OUT_MAX, len) > 0 ? LINE_CHANGED
                                                                               : LINE_KEPT;
}

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

static enum guard_rc filter_alerts(struct forgetting *forgetting, const struct services *services,
                                   uint32_t age)
{
    char path[STATE_PATH_MAX];
    struct line_filter filter = {.fate = alert_fate, .ctx = forgetting, .dry = forgetting->dry};
    if (!log_path(path, services, "alerts.jsonl", age))
        return GUARD_OK;
    GUARD_TRY(file_filter_lines(path, &filter, &forgetting->err));
    forgetting->alerts += filter.dropped;
    return GUARD_OK;
}

/* That something was done stays; to whom doesn't. */
static enum guard_rc filter_audits(struct forgetting *forgetting, const struct services *services,
                                   const char *name, uint32_t age)
{
    char path[STATE_PATH_MAX];
    struct line_filter filter = {.fate = audit_fate, .ctx = forgetting, .dry = forgetting->dry};
    if (forgetting->client[0] == '\0' || !log_path(path, services, name, age))
        return GUARD_OK;
    int lock = audit_lock(services->state);
    enum guard_rc rc = file_filter_lines(path, &filter, &forgetting->err);
    if (lock >= 0)
        close(lock);
    forgetting->audits += filter.changed;
    return rc;
}

/* --- the end --- */

static enum guard_rc write_report(struct forgetting *forgetting, const struct services *services,
                                  enum guard_rc rc)
{
    char path[STATE_PATH_MAX];
    char text[REPORT_MAX];
    struct json_writer json;
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_bool(&json, "done", rc == GUARD_OK);
    json_bool(&json, "dry_run", forgetting->dry);
    json_text(&json, "error", rc == GUARD_OK ? "" : forgetting->err.text);
    json_integer(&json, "services", (int64_t)forgetting->services);
    json_integer(&json, "verdicts", (int64_t)forgetting->verdicts);
    json_integer(&json, "lifts", (int64_t)forgetting->lifts);
    json_integer(&json, "alerts", (int64_t)forgetting->alerts);
    json_integer(&json, "audits", (int64_t)forgetting->audits);
    json_integer(&json, "generations", (int64_t)forgetting->snapshots);
    json_close(&json, '}');
    if (!path_in(path, services, forgetting->id, ".done"))
        return GUARD_E_LIMIT;
    return file_replace(path, (struct guard_span){(const uint8_t *)text, json.len}, 0640, true,
                        NULL);
}

static void end(struct forgetting *forgetting, const struct services *services, enum guard_rc rc)
{
    char path[STATE_PATH_MAX];
    /* Without its report it is done again. */
    if (write_report(forgetting, services, rc) == GUARD_OK &&
        path_in(path, services, forgetting->id, ".json"))
        (void)unlink(path);
    if (rc != GUARD_OK)
        log_event("alarm", "not-forgotten", no_service, "request %s: %s", forgetting->id,
                  forgetting->err.text);
    else if (!forgetting->dry)
        log_event("info", "forgotten", no_service, "request %s", forgetting->id);
    forgetting->id[0] = '\0';
}

bool forget_tick(struct forgetting *forgetting, struct services *services)
{
    enum { ALERT_FILES = ALERT_FILES_OLDER + 1, AUDIT_FILES = AUDIT_FILES_OLDER + 1 };
    static const char *const audits[] = {"audit.jsonl", "looks.jsonl"};
    enum guard_rc rc;
    if (forgetting->id[0] == '\0' && !find_request(forgetting, services))
        return false;
    uint32_t step = forgetting->step++;
    if (forgetting->err.text[0] != '\0')
        rc = GUARD_E_RANGE;
    else if (step == STEP_MEMORY)
        rc = forget_in_memory(forgetting, services);
    else if (step < STEP_LOGS + ALERT_FILES)
        rc = filter_alerts(forgetting, services, step - STEP_LOGS);
    else
        rc = filter_audits(forgetting, services,
                           audits[(step - STEP_LOGS - ALERT_FILES) / AUDIT_FILES],
                           (step - STEP_LOGS - ALERT_FILES) % AUDIT_FILES);
    if (rc != GUARD_OK || forgetting->step == STEP_LOGS + ALERT_FILES + 2 * AUDIT_FILES)
        end(forgetting, services, rc);
    return true;
}
