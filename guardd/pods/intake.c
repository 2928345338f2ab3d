/* SPDX-License-Identifier: Apache-2.0 */
/* One file at a time, of each producer in the order in which it made them. A record that comes
 * after its successor counts as learned, so whose record has to wait waits with all that follows
 * it, until the files are gone through again from the first. */
#include "intake.h"

#include "forward.h"
#include "listing.h"
#include "reported.h"
#include "responder.h"
#include "show.h"
#include "silence.h"
#include "taken.h"
#include "waiting.h"

#include "common/file.h"
#include "common/guardian_pods.h"
#include "common/log.h"
#include "common/pods/record_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOOK_MS = 500,
    BOUND_MS = 5000,
    BUDGET_MS = 50, /* of a tick */
    RECORDS_PER_TICK = 2000,
    SAVE_MS = 10000,
    WATCH_MS = 500,
    SHOW_MS = 2000,
    SHOW_ALL_MS = 20000,
    FILES_UNSAVED_MAX = 512, /* then it is saved without waiting */
    MINUTE_MS = 60000,
    OUTLIERS_MAX = 16, /* told of a profile in a minute */
    AHEAD_MS = 300000, /* a sensor's clock may be so much ahead */
};
static const uint64_t DAY = 86400000;

static const struct guard_span no_service = {NULL, 0};

struct pod_intake {
    struct services *services;
    struct pod_told told;
    struct pod_orders orders;
    struct pod_cases cases;
    struct pod_responder responder;
    struct guard_pod_rules rules; /* of the service that is looked at */
    struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    struct guard_pod_verdict verdict;
    struct pod_listing listing;
    struct pod_taken taken;
    struct pod_waiting waiting;
    uint8_t *bytes; /* of the file that is being read */
    size_t len, at;
    uint64_t looked_ms, watched_ms, shown_ms, shown_all_ms, saved_ms, minute;
    bool saving;                   /* the transaction holds all that was learned */
    bool begun;                    /* something that was read was saved */
    bool unreadable;               /* that was said */
    struct pod_reported *reported; /* NULL: no children report here */
    struct pod_forward *forward;   /* NULL: there is no parent */
    uint64_t bounded_ms;
    uint64_t removed_mark; /* up to which files were removed */
    bool forwarded;        /* records of the file that is being read */
    bool unfinished;       /* others of them wait */
};

/* --- what is to be read --- */

static bool place(char out[STATE_PATH_MAX], const struct pod_intake *intake, const char *name)
{
    int len = snprintf(out, STATE_PATH_MAX, "%s/pods/%s", intake->services->state, name);
    return len > 0 && len < STATE_PATH_MAX;
}

static bool was_taken(const void *taken, const char *name)
{
    return pod_taken_has(taken, name);
}

static void look(struct pod_intake *intake)
{
    char path[STATE_PATH_MAX];
    if (pod_listing_is_over(&intake->listing))
        pod_waiting_restart(&intake->waiting);
    if (place(path, intake, ""))
        pod_listing_look(&intake->listing, path, was_taken, &intake->taken);
}

/* --- a file --- */

static enum guard_rc load(struct pod_intake *intake, const char *path, struct guard_err *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return guard_fail(err, errno == ELOOP ? GUARD_E_SYNTAX : GUARD_E_IO, "%s", strerror(errno));
    enum guard_rc rc = GUARD_OK;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        rc = guard_fail(err, GUARD_E_SYNTAX, "no file");
    else if (info.st_size > POD_FILE_BYTES_MAX)
        rc = guard_fail(err, GUARD_E_LIMIT, "more than %d bytes", POD_FILE_BYTES_MAX);
    uint8_t *bytes = rc == GUARD_OK ? malloc((size_t)info.st_size + 1) : NULL;
    size_t len = 0;
    if (rc == GUARD_OK && bytes == NULL)
        rc = guard_fail(err, GUARD_E_NOMEM, "no memory");
    while (rc == GUARD_OK && len < (size_t)info.st_size) {
        ssize_t got = read(fd, bytes + len, (size_t)info.st_size - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = guard_fail(err, GUARD_E_IO, "%s", strerror(errno));
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    close(fd);
    if (rc != GUARD_OK) {
        free(bytes);
        return rc;
    }
    intake->bytes = bytes;
    intake->len = len;
    intake->at = 0;
    return GUARD_OK;
}

static void close_file(struct pod_intake *intake)
{
    free(intake->bytes);
    intake->bytes = NULL;
    intake->forwarded = intake->unfinished = false;
    pod_listing_next(&intake->listing);
}

static void end_file(struct pod_intake *intake)
{
    intake->services->pod_counts.files++;
    pod_taken_add(&intake->taken, pod_listing_name(&intake->listing),
                  intake->forwarded ? pod_forward_mark(intake->forward) : 0);
    close_file(intake);
}

static void refuse_file(struct pod_intake *intake, const char *why)
{
    intake->services->pod_counts.damaged_files++;
    log_event("alarm", "pod-records-damaged", no_service,
              "pods/%s, byte %zu: %s; the rest of it "
              "is lost",
              pod_listing_name(&intake->listing), intake->at, why);
    end_file(intake);
}

/* What of it waits is read again, with what went already: that is known by then. */
static void leave_file(struct pod_intake *intake, const char *damage)
{
    if (intake->unfinished)
        close_file(intake);
    else if (damage != NULL)
        refuse_file(intake, damage);
    else
        end_file(intake);
}

/* --- a record --- */

static void refuse(struct pod_intake *intake, const struct guard_pod_record *record,
                   enum pod_refusal refusal, const char *why, uint64_t now_ms)
{
    pod_refuse(intake->services, record, refusal, why, "", now_ms);
}

/* Held to our clock, not the sensor's: what is ahead or was forgotten long since teaches nothing.
 * True when it is refused. */
static bool has_bad_time(struct pod_intake *intake, const struct guard_pod_record *record,
                         uint64_t now_ms)
{
    if (record->until_ms > now_ms + AHEAD_MS) {
        refuse(intake, record, POD_REFUSED_AHEAD, "it ends more than 5 minutes ahead of this clock",
               now_ms);
        return true;
    }
    if (now_ms > POD_KEPT_DAYS * DAY && record->from_ms < now_ms - POD_KEPT_DAYS * DAY) {
        refuse(intake, record, POD_REFUSED_OLD, "it is older than what is kept, 90 days", now_ms);
        return true;
    }
    return false;
}

static void observe(struct pod_intake *intake, struct service *service,
                    struct guard_pod_record *record, uint64_t now_ms)
{
    struct guard_err err = {.text = ""};
    if (pods_in_session(&service->pods, &record->id, record->from_ms)) {
        for (uint32_t i = 0; i < record->feature_count; i++)
            intake->features[i].flags |= GUARD_POD_SESSION;
    }
    if (!service->guardian.learn) { /* judged only, as what is incomplete */
        record->dropped++;
        record->counted++;
    }
    guardian_pods_rules(&service->guardian.pods, &intake->rules);
    enum guard_rc rc = pods_observe(service, &intake->rules, record, &intake->verdict, &err);
    struct pod_counts *counts = &intake->services->pod_counts;
    counts->records += rc == GUARD_OK;
    counts->repeated += rc == GUARD_E_REPLAY;
    if (rc == GUARD_OK)
        pod_tell(&intake->told, intake->services, service, &intake->verdict, record->id.uid,
                 now_ms);
    else if (rc != GUARD_E_REPLAY)
        refuse(intake, record, POD_REFUSED_OTHER, err.text, now_ms);
}

enum step { STEP_TAKEN, STEP_WAITS, STEP_FULL, STEP_ENDED };

/* On its way to the parent, which learns; what it says decides. */
static enum step forward(struct pod_intake *intake, struct guard_span bytes)
{
    if (!pod_forward_add(intake->forward, bytes))
        return STEP_FULL;
    intake->forwarded = true;
    return STEP_TAKEN;
}

static struct guard_span service_of(const struct guard_pod_record *record)
{
    return record->id.service.len > 0 ? record->id.service : record->id.workload;
}

static enum step take(struct pod_intake *intake, struct guard_pod_record *record,
                      struct guard_span bytes, uint64_t now_ms)
{
    struct services *services = intake->services;
    const struct guard_span nobody = GUARD_SPAN_LITERAL("-");
    struct guard_span name = service_of(record);
    if (record->id.workload.len == nobody.len && record->id.workload.ptr[0] == '-') {
        refuse(intake, record, POD_REFUSED_NOBODY, "the sensor doesn't know whose it is", now_ms);
        return STEP_TAKEN;
    }
    if (has_bad_time(intake, record, now_ms))
        return STEP_TAKEN;
    if (pod_waiting_has(&intake->waiting, name))
        return STEP_WAITS;
    if (!tree_has_services(services->role)) /* and no parent's word of each is asked for */
        return intake->forward != NULL ? forward(intake, bytes) : STEP_WAITS;
    struct service *service = services_get(services, name);
    if (service == NULL && services->uplink != NULL && state_service_valid(name) &&
        uplink_want(services->uplink, name))
        return STEP_WAITS;
    if (service == NULL && replica_key_away(services, name))
        return STEP_WAITS;
    if (service == NULL) {
        refuse(intake, record, POD_REFUSED_SERVICE,
               "no service can have its name, or there are too many", now_ms);
        return STEP_TAKEN;
    }
    if (intake->forward != NULL && service->up.pod_records == POD_PARENT_UNKNOWN)
        return STEP_WAITS;
    if (intake->forward != NULL && service->up.pod_records == POD_PARENT_TAKES)
        return forward(intake, bytes);
    if (!replica_publishes(services, service))
        return STEP_WAITS; /* another guardd learns it; what lies here is for when this one does */
    observe(intake, service, record, now_ms);
    return STEP_TAKEN;
}

static enum step read_record(struct pod_intake *intake, uint64_t now_ms)
{
    struct guard_err err = {.text = "it is cut"};
    struct guard_pod_record record;
    struct guard_span rest = {intake->bytes + intake->at, intake->len - intake->at};
    size_t len = 0;
    if (rest.len == 0) {
        leave_file(intake, NULL);
        return STEP_ENDED;
    }
    if (rest.len < GUARD_POD_HEAD_BYTES || guard_pod_record_size(rest, &len, &err) != GUARD_OK ||
        len > rest.len) {
        leave_file(intake, err.text[0] != '\0' ? err.text : "it is cut");
        return STEP_ENDED;
    }
    rest.len = len;
    if (guard_pod_record_decode(&record, intake->features, rest, &err) != GUARD_OK) {
        leave_file(intake, err.text);
        return STEP_ENDED;
    }
    enum step step = take(intake, &record, rest, now_ms);
    if (step == STEP_WAITS) {
        pod_waiting_add(&intake->waiting, service_of(&record));
        intake->unfinished = true;
    }
    intake->at += step == STEP_FULL ? 0 : len;
    return step;
}

static void begin_file(struct pod_intake *intake, const char *path)
{
    struct guard_err err = {.text = ""};
    enum guard_rc rc = load(intake, path, &err);
    bool later = rc == GUARD_E_IO || rc == GUARD_E_NOMEM;
    if (later && !intake->unreadable)
        log_event("alarm", "pod-records-unreadable", no_service, "%s: %s; tried again", path,
                  err.text);
    intake->unreadable = later;
    if (later)
        pod_listing_hold(&intake->listing);
    else if (rc != GUARD_OK)
        refuse_file(intake, err.text);
}

/* False: there is none, or no room to remember it. */
static bool next_file(struct pod_intake *intake)
{
    char path[STATE_PATH_MAX];
    const char *name = pod_listing_name(&intake->listing);
    if (name == NULL || !pod_taken_has_room(&intake->taken))
        return false;
    intake->at = 0;
    if (!place(path, intake, name))
        refuse_file(intake, "the path is too long");
    else
        begin_file(intake, path);
    return true;
}

static bool elapsed(uint64_t *last_ms, uint64_t now_ms, uint64_t period_ms)
{
    if (now_ms >= *last_ms && now_ms - *last_ms < period_ms)
        return false;
    *last_ms = now_ms;
    return true;
}

/* What was done alone since before there was enough to compare with. */
static void tell_outliers(struct pod_intake *intake, uint64_t last_ms, uint64_t now_ms)
{
    struct services *services = intake->services;
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        if (!replica_publishes(services, service))
            continue;
        pods_forget_old(&service->pods, now_ms);
        guardian_pods_rules(&service->guardian.pods, &intake->rules);
        pods_tell_silent(service, &intake->rules, last_ms, now_ms);
        for (uint32_t k = 0; k < service->pods.count; k++) {
            for (uint32_t told = 0;
                 told < OUTLIERS_MAX && guard_pods_outlier(service->pods.list[k], &intake->rules,
                                                           now_ms, &intake->verdict);
                 told++) {
                service->pods.changed = true;
                pod_tell(&intake->told, services, service, &intake->verdict, no_service, now_ms);
            }
        }
    }
}

static void tell_ends(struct pod_intake *intake, uint64_t now_ms)
{
    struct pod_order_known *known;
    pod_orders_tick(&intake->orders, now_ms);
    while ((known = pod_orders_ended(&intake->orders)) != NULL) {
        known->told = true;
        pod_tell_end(&intake->told, intake->services, known, now_ms);
    }
}

static void remove_taken(struct pod_intake *intake, bool saved)
{
    char path[STATE_PATH_MAX];
    if (place(path, intake, ""))
        pod_taken_remove(&intake->taken, path,
                         intake->forward != NULL ? intake->forward->settled : 0, saved);
}

/* True: there is more to do now. */
static bool read_files(struct pod_intake *intake, uint64_t begin_ms, uint64_t now_ms)
{
    for (uint32_t records = 0;
         records < RECORDS_PER_TICK && clock_monotonic_ms() - begin_ms < BUDGET_MS; records++) {
        enum step step = STEP_TAKEN;
        if (intake->bytes != NULL)
            step = read_record(intake, now_ms);
        else if (!next_file(intake))
            break;
        if (step == STEP_FULL)
            return false; /* it goes on once the parent answered */
    }
    return intake->bytes != NULL ||
           (pod_listing_name(&intake->listing) != NULL && pod_taken_has_room(&intake->taken));
}

/* Whether records of it are counted already. */
static bool is_held(const void *ctx, const char *name)
{
    const struct pod_intake *intake = ctx;
    return pod_taken_has(&intake->taken, name) ||
           (intake->bytes != NULL && strcmp(pod_listing_name(&intake->listing), name) == 0);
}

/* The parent takes none after all: what it didn't answer for is read again, for whoever it is now.
 */
static void take_back(struct pod_intake *intake)
{
    struct services *services = intake->services;
    pod_forward_undo(intake->forward);
    free(intake->bytes);
    intake->bytes = NULL;
    intake->forwarded = intake->unfinished = false;
    pod_listing_restart(&intake->listing);
    pod_taken_undo(&intake->taken, intake->forward->settled);
    for (uint32_t i = 0; i < services->count; i++)
        services->list[i]->up.pod_records = POD_PARENT_UNKNOWN;
}

/* What came from below, and what goes up. */
static void tick_tree(struct pod_intake *intake, uint64_t now_ms)
{
    char path[STATE_PATH_MAX];
    pod_reported_tick(intake->reported, now_ms);
    if (intake->forward == NULL)
        return;
    if (intake->forward->left)
        take_back(intake);
    if (intake->forward->settled != intake->removed_mark)
        remove_taken(intake, false);
    intake->removed_mark = intake->forward->settled;
    if (elapsed(&intake->bounded_ms, now_ms, BOUND_MS) && place(path, intake, ""))
        pod_forward_bound(intake->forward, path, is_held, intake);
}

static void learn(void *ctx, struct service *service, struct guard_pod_record *record,
                  uint64_t now_ms)
{
    struct pod_intake *intake = ctx;
    if (!has_bad_time(intake, record, now_ms))
        observe(intake, service, record, now_ms);
}

/* What came by any of the roots that share a database. */
static bool read_backlogs(struct pod_intake *intake, uint64_t begin_ms, uint64_t now_ms)
{
    const struct pod_backlog_reader reader = {.features = intake->features,
                                              .told = &intake->told,
                                              .learn = learn,
                                              .ctx = intake,
                                              .until_ms = begin_ms + 2 * (uint64_t)BUDGET_MS};
    return pod_backlogs_read(intake->services, &reader, now_ms);
}

bool pod_intake_tick(struct pod_intake *intake, uint64_t now_ms)
{
    if (intake == NULL)
        return false;
    uint64_t begin_ms = clock_monotonic_ms();
    if (intake->bytes == NULL && pod_listing_name(&intake->listing) == NULL &&
        elapsed(&intake->looked_ms, now_ms, LOOK_MS))
        look(intake);
    tick_tree(intake, now_ms);
    bool more = read_files(intake, begin_ms, now_ms);
    more = read_backlogs(intake, begin_ms, now_ms) || more;
    tell_ends(intake, now_ms);
    pod_responder_tick(&intake->responder, now_ms);
    if (elapsed(&intake->watched_ms, now_ms, WATCH_MS))
        pods_watch_decisions(intake->services);
    if (elapsed(&intake->shown_ms, now_ms, SHOW_MS))
        pods_show_files(intake->services, elapsed(&intake->shown_all_ms, now_ms, SHOW_ALL_MS),
                        now_ms);
    uint64_t last_ms = intake->minute;
    if (elapsed(&intake->minute, now_ms, MINUTE_MS))
        tell_outliers(intake, last_ms, now_ms);
    return more;
}

/* --- saving --- */

/* GUARD_E_STATE: another guardd learns the service. */
static enum guard_rc save_service(const struct services *services, struct service *service,
                                  bool all, struct guard_err *err)
{
    struct pod_backlog *backlog = &service->backlog;
    if (services->run != 0) {
        GUARD_TRY(store_confirm(services->store, service->name, service->replica.fence, err));
        GUARD_TRY(pod_backlog_save_told(services, service, err));
    }
    if (!all)
        return GUARD_OK;
    GUARD_TRY(pods_save(services->store, service, err));
    return backlog->read_count > 0 ? pod_backlog_save(services, service, err) : GUARD_OK;
}

/* What lies there at the start is saved as soon as it was read, else who is ended again and again
 * within SAVE_MS reads it again and again. */
static bool is_start_read(const struct pod_intake *intake)
{
    return !intake->begun && intake->taken.removable > 0 && intake->bytes == NULL &&
           pod_listing_name(&intake->listing) == NULL && pod_listing_is_over(&intake->listing);
}

enum guard_rc pod_intake_save(struct pod_intake *intake, bool all, uint64_t now_ms,
                              struct guard_err *err)
{
    if (intake == NULL)
        return GUARD_OK;
    struct services *services = intake->services;
    bool whole = true;
    GUARD_TRY(pod_reported_save(intake->reported, now_ms, err));
    if (services->run != 0)
        GUARD_TRY(pod_backlogs_look(services, now_ms, err));
    intake->saving = all || intake->taken.removable >= FILES_UNSAVED_MAX || is_start_read(intake) ||
                     pod_backlogs_due(services) || now_ms < intake->saved_ms ||
                     now_ms - intake->saved_ms >= SAVE_MS;
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        pod_backlog_begin(&service->backlog);
        bool due = intake->saving && (service->pods.changed || service->backlog.read_count > 0);
        if ((!due && !service->backlog.told_changed) || !replica_publishes(services, service))
            continue;
        enum guard_rc rc = save_service(services, service, intake->saving, err);
        if (rc != GUARD_OK && rc != GUARD_E_STATE)
            return rc;
        whole = whole && rc == GUARD_OK; /* else the files stay for the new learner */
    }
    if (intake->saving)
        intake->saved_ms = now_ms;
    intake->saving = intake->saving && whole;
    return GUARD_OK;
}

void pod_intake_saved(struct pod_intake *intake)
{
    if (intake == NULL)
        return;
    struct services *services = intake->services;
    pod_reported_saved(intake->reported);
    for (uint32_t i = 0; services->run != 0 && i < services->count; i++)
        pod_backlog_saved(&services->list[i]->backlog);
    if (!intake->saving)
        return;
    for (uint32_t i = 0; i < services->count; i++) {
        if (services->list[i]->pods.changed) /* what isn't written to takes no memory */
            services->list[i]->pods.changed = false;
    }
    intake->saving = false;
    intake->begun = intake->begun || intake->taken.removable > 0;
    remove_taken(intake, true);
}

void pod_intake_unsaved(struct pod_intake *intake)
{
    if (intake != NULL)
        pod_reported_unsaved(intake->reported);
}

/* --- its life --- */

/* Without it guardd does its work all the same; children and parent are told so. */
static void open_tree(struct pod_intake *intake)
{
    struct services *services = intake->services;
    struct guard_err err;
    bool children =
        tree_has_children(services->role) && (services->run == 0 || services->uplink == NULL);
    if (services->uplink != NULL &&
        pod_forward_open(&intake->forward, services->state, &err) != GUARD_OK)
        log_event("alarm", "pods-not-sent", no_service, "%s", err.text);
    if (children && pod_reported_open(&intake->reported, services, &err) != GUARD_OK)
        log_event("alarm", "pods-not-taken", no_service, "%s", err.text);
    services->pod_forward = intake->forward;
    services->pod_reported = intake->reported;
}

enum guard_rc pod_intake_open(struct pod_intake **out, struct services *services,
                              enum pod_orders_mode orders, uint64_t now_ms, struct guard_err *err)
{
    struct pod_intake *intake = calloc(1, sizeof(*intake));
    if (intake == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory to take in pod records");
    intake->services = services;
    intake->responder.dir = services->state;
    intake->minute = intake->saved_ms = now_ms;
    pod_told_read(&intake->told, services->state, now_ms);
    enum guard_rc rc = pod_orders_open(&intake->orders, services->state, orders, now_ms, err);
    if (rc != GUARD_OK) {
        pod_intake_close(intake);
        return rc;
    }
    services->pod_orders = &intake->orders;
    services->pod_cases = &intake->cases;
    services->pod_responder = &intake->responder;
    open_tree(intake);
    *out = intake;
    return GUARD_OK;
}

void pod_intake_close(struct pod_intake *intake)
{
    if (intake == NULL)
        return;
    if (intake->services->pod_cases == &intake->cases) {
        intake->services->pod_orders = NULL;
        intake->services->pod_cases = NULL;
        intake->services->pod_responder = NULL;
        intake->services->pod_forward = NULL;
        intake->services->pod_reported = NULL;
    }
    if (intake->forward != NULL)
        remove_taken(intake, false);
    pod_forward_close(intake->forward);
    pod_reported_close(intake->reported);
    pod_responder_close(&intake->responder);
    pod_orders_close(&intake->orders);
    free(intake->bytes);
    free(intake);
}
