/* SPDX-License-Identifier: Apache-2.0 */
/* One file at a time, in the order of names, which is that of sequences. Names of files that were
 * read stay in a list until they are removed, so that nothing is read twice in one life. */
#include "intake.h"

#include "forward.h"
#include "reported.h"
#include "responder.h"
#include "show.h"
#include "silence.h"

#include "common/file.h"
#include "common/guardian_pods.h"
#include "common/log.h"
#include "common/pods/record_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_CAP = 128,
    READ_MAX = POD_FILES_MAX, /* names that wait for their removal */
    NAMES_ROUND = 256,        /* of a look into the directory */
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

static const char suffix[] = ".pods";
static const struct guard_span no_service = {NULL, 0};

struct read_file {
    char name[NAME_CAP];
    bool kept;     /* it couldn't be removed: passed over from now on */
    uint64_t mark; /* that the parent must have answered for; 0: nothing of it went there */
};

struct pod_intake {
    struct services *services;
    struct pod_told told;
    struct pod_orders orders;
    struct pod_cases cases;
    struct pod_responder responder;
    struct guard_pod_rules rules; /* of the service that is looked at */
    struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    struct guard_pod_verdict verdict;
    char names[NAMES_ROUND][NAME_CAP]; /* to be read, by name */
    uint32_t name_count, name_at;
    struct read_file read[READ_MAX];
    uint32_t read_count, removable;
    uint8_t *bytes; /* of the file that is being read */
    size_t len, at;
    uint64_t looked_ms, watched_ms, shown_ms, shown_all_ms, saved_ms, minute;
    bool saving;          /* the transaction holds all that was learned */
    char after[NAME_CAP]; /* where the next look goes on, so that what waits keeps nobody waiting */
    bool unreadable;      /* that was said */
    struct pod_reported *reported; /* NULL: no children report here */
    struct pod_forward *forward;   /* NULL: there is no parent */
    uint64_t bounded_ms;
    uint64_t removed_mark; /* up to which files were removed */
    bool forwarded;        /* records of the file that is being read */
};

/* --- what is to be read --- */

static bool was_read(const struct pod_intake *intake, const char *name)
{
    for (uint32_t i = 0; i < intake->read_count; i++) {
        if (strcmp(intake->read[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Keeps the lowest names that aren't read yet, sorted. */
static void offer(struct pod_intake *intake, const char *name)
{
    uint32_t at = intake->name_count;
    while (at > 0 && strcmp(intake->names[at - 1], name) > 0)
        at--;
    if (at == NAMES_ROUND)
        return;
    uint32_t last = intake->name_count < NAMES_ROUND ? intake->name_count++ : NAMES_ROUND - 1;
    memmove(intake->names[at + 1], intake->names[at], (size_t)(last - at) * NAME_CAP);
    memcpy(intake->names[at], name, strlen(name) + 1); /* is_name: it fits */
}

static bool is_name(const char *name)
{
    size_t len = strlen(name);
    return len >= sizeof(suffix) && len < NAME_CAP && name[0] != '.' &&
           strcmp(name + len - (sizeof(suffix) - 1), suffix) == 0;
}

static bool place(char out[STATE_PATH_MAX], const struct pod_intake *intake, const char *name)
{
    int len = snprintf(out, STATE_PATH_MAX, "%s/pods/%s", intake->services->state, name);
    return len > 0 && len < STATE_PATH_MAX;
}

static void look(struct pod_intake *intake)
{
    char path[STATE_PATH_MAX];
    intake->name_count = intake->name_at = 0;
    DIR *dir = place(path, intake, "") ? opendir(path) : NULL;
    for (struct dirent *entry = NULL; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (is_name(entry->d_name) && strcmp(entry->d_name, intake->after) > 0 &&
            !was_read(intake, entry->d_name))
            offer(intake, entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    if (intake->name_count == NAMES_ROUND)
        memcpy(intake->after, intake->names[NAMES_ROUND - 1], NAME_CAP);
    else
        intake->after[0] = '\0';
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

static void end_file(struct pod_intake *intake)
{
    intake->services->pod_counts.files++;
    free(intake->bytes);
    intake->bytes = NULL;
    struct read_file *file = &intake->read[intake->read_count++];
    *file = (struct read_file){.kept = false};
    memcpy(file->name, intake->names[intake->name_at++], NAME_CAP);
    intake->removable++;
    if (intake->forwarded)
        file->mark = pod_forward_mark(intake->forward);
    intake->forwarded = false;
}

static void refuse_file(struct pod_intake *intake, const char *why)
{
    intake->services->pod_counts.damaged_files++;
    log_event("alarm", "pod-records-damaged", no_service,
              "pods/%s, byte %zu: %s; the rest of it "
              "is lost",
              intake->names[intake->name_at], intake->at, why);
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

static enum step take(struct pod_intake *intake, struct guard_pod_record *record,
                      struct guard_span bytes, uint64_t now_ms)
{
    struct services *services = intake->services;
    const struct guard_span nobody = GUARD_SPAN_LITERAL("-");
    struct guard_span name = record->id.service.len > 0 ? record->id.service : record->id.workload;
    if (record->id.workload.len == nobody.len && record->id.workload.ptr[0] == '-') {
        refuse(intake, record, POD_REFUSED_NOBODY, "the sensor doesn't know whose it is", now_ms);
        return STEP_TAKEN;
    }
    if (has_bad_time(intake, record, now_ms))
        return STEP_TAKEN;
    if (!tree_has_services(services->role)) /* and no parent's word of each is asked for */
        return intake->forward != NULL ? forward(intake, bytes) : STEP_WAITS;
    struct service *service = services_get(services, name);
    if (service == NULL && services->uplink != NULL && state_service_valid(name) &&
        uplink_want(services->uplink, name))
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
        end_file(intake);
        return STEP_ENDED;
    }
    if (rest.len < GUARD_POD_HEAD_BYTES || guard_pod_record_size(rest, &len, &err) != GUARD_OK ||
        len > rest.len) {
        refuse_file(intake, err.text[0] != '\0' ? err.text : "it is cut");
        return STEP_ENDED;
    }
    rest.len = len;
    if (guard_pod_record_decode(&record, intake->features, rest, &err) != GUARD_OK) {
        refuse_file(intake, err.text);
        return STEP_ENDED;
    }
    enum step step = take(intake, &record, rest, now_ms);
    intake->at += step == STEP_TAKEN ? len : 0;
    return step;
}

/* The file waits, whole, and others have their turn. */
static void put_off(struct pod_intake *intake)
{
    free(intake->bytes);
    intake->bytes = NULL;
    intake->forwarded = false; /* what went is sent again with the rest, and is known by then */
    intake->name_at++;
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
        intake->name_at++;
    else if (rc != GUARD_OK)
        refuse_file(intake, err.text);
}

/* False: there is none, or no room to remember it. */
static bool next_file(struct pod_intake *intake)
{
    char path[STATE_PATH_MAX];
    if (intake->name_at >= intake->name_count || intake->read_count == READ_MAX)
        return false;
    intake->at = 0;
    if (!place(path, intake, intake->names[intake->name_at]))
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

/* Of those that were read: what went to the parent when that answered, all else when what was
 * learned is saved. */
static void remove_read(struct pod_intake *intake, bool saved)
{
    char path[STATE_PATH_MAX];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < intake->read_count; i++) {
        struct read_file *file = &intake->read[i];
        bool due =
            !file->kept && (file->mark == 0 ? saved : file->mark <= intake->forward->settled);
        if (due && place(path, intake, file->name) && unlink(path) != 0 && errno != ENOENT) {
            log_event("warn", "pod-records-stay", no_service, "pods/%s: %s; it is passed over",
                      file->name, strerror(errno));
            file->kept = true;
        }
        if (file->kept || !due)
            intake->read[kept++] = *file;
    }
    intake->read_count = kept;
    if (saved)
        intake->removable = 0;
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
        if (step == STEP_WAITS)
            put_off(intake);
        if (step == STEP_FULL)
            return false; /* it goes on once the parent answered */
    }
    return intake->bytes != NULL ||
           (intake->name_at < intake->name_count && intake->read_count < READ_MAX);
}

/* Whether records of it are counted already. */
static bool is_held(const void *ctx, const char *name)
{
    const struct pod_intake *intake = ctx;
    return was_read(intake, name) ||
           (intake->bytes != NULL && strcmp(intake->names[intake->name_at], name) == 0);
}

/* The parent takes none after all: what it didn't answer for is read again, for whoever it is now.
 */
static void take_back(struct pod_intake *intake)
{
    struct services *services = intake->services;
    uint32_t kept = 0;
    pod_forward_undo(intake->forward);
    free(intake->bytes);
    intake->bytes = NULL;
    intake->forwarded = false;
    intake->name_count = intake->name_at = 0;
    for (uint32_t i = 0; i < intake->read_count; i++) {
        if (intake->read[i].mark <= intake->forward->settled)
            intake->read[kept++] = intake->read[i];
    }
    intake->read_count = kept;
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
        remove_read(intake, false);
    intake->removed_mark = intake->forward->settled;
    if (elapsed(&intake->bounded_ms, now_ms, BOUND_MS) && place(path, intake, ""))
        pod_forward_bound(intake->forward, path, is_held, intake);
}

bool pod_intake_tick(struct pod_intake *intake, uint64_t now_ms)
{
    if (intake == NULL)
        return false;
    uint64_t begin_ms = clock_monotonic_ms();
    if (intake->bytes == NULL && intake->name_at >= intake->name_count &&
        elapsed(&intake->looked_ms, now_ms, LOOK_MS))
        look(intake);
    tick_tree(intake, now_ms);
    bool more = read_files(intake, begin_ms, now_ms);
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

enum guard_rc pod_intake_save(struct pod_intake *intake, bool all, uint64_t now_ms,
                              struct guard_err *err)
{
    if (intake == NULL)
        return GUARD_OK;
    struct services *services = intake->services;
    bool whole = true;
    GUARD_TRY(pod_reported_save(intake->reported, err));
    intake->saving = false;
    if (!all && intake->removable < FILES_UNSAVED_MAX && now_ms >= intake->saved_ms &&
        now_ms - intake->saved_ms < SAVE_MS)
        return GUARD_OK;
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        if (!service->pods.changed || !replica_publishes(services, service))
            continue;
        enum guard_rc rc = services->run != 0 ? store_confirm(services->store, service->name,
                                                              service->replica.fence, err)
                                              : GUARD_OK;
        if (rc == GUARD_OK)
            rc = pods_save(services->store, service, err);
        if (rc != GUARD_OK && rc != GUARD_E_STATE)
            return rc;
        whole = whole && rc == GUARD_OK; /* else the files stay for the new learner */
    }
    intake->saving = whole;
    intake->saved_ms = now_ms;
    return GUARD_OK;
}

void pod_intake_saved(struct pod_intake *intake)
{
    if (intake == NULL)
        return;
    if (intake->reported != NULL)
        intake->reported->speakers.changed = false;
    if (!intake->saving)
        return;
    struct services *services = intake->services;
    for (uint32_t i = 0; i < services->count; i++) {
        if (services->list[i]->pods.changed) /* what isn't written to takes no memory */
            services->list[i]->pods.changed = false;
    }
    intake->saving = false;
    remove_read(intake, true);
}

/* --- its life --- */

/* Without it guardd does its work all the same; children and parent are told so. */
static void open_tree(struct pod_intake *intake)
{
    struct services *services = intake->services;
    struct guard_err err;
    /* Of roots that share a database the one that is asked may not be the one that learns. */
    bool children = tree_has_children(services->role) && services->run == 0;
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
        remove_read(intake, false);
    pod_forward_close(intake->forward);
    pod_reported_close(intake->reported);
    pod_responder_close(&intake->responder);
    pod_orders_close(&intake->orders);
    free(intake->bytes);
    free(intake);
}
