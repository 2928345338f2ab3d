/* SPDX-License-Identifier: Apache-2.0 */
/* Three things are compared: the file, the revision that it was last the same as (shared/, so that
 * it survives), and the database's newest. Whatever isn't known is found by contents, so that a
 * kill between any two steps changes nothing. */
#include "documents.h"

#include "pods/withdrawals_shared.h"
#include "service.h"

#include "common/audit.h"
#include "common/changes.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/guardian.h"
#include "common/log.h"

#include <guard/crypto.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TICK_MS = 200,
    ARENA_MAX = 96 << 20,
    BASE_MAX = 4096,
    REASON_CAP = CHANGE_REASON_MAX + 1,
};

static const struct {
    const char *name;
    const char *folder;
    const char *suffix;
    bool stays; /* a file that is gone is no decision: the last one holds, and is put back */
    bool kept;  /* in the history: what names clients isn't */
} kinds[SHARED_KINDS] = {
    [SHARED_GUARDIAN] = {"guardian", "guardians", ".yaml", true, true},
    [SHARED_REVIEW] = {"review", "reviews", ".json", true, true},
    [SHARED_ROLLBACK] = {"rollback", "rollback", ".json", false, true},
    [SHARED_BYPASS] = {"bypass", "bypass", ".json", false, true},
    [SHARED_LIFTS] = {"lifts", "clients", ".lifts", false, false},
    [SHARED_PODS] = {"pods", "pods", ".decisions", false, false},
    [SHARED_WITHDRAWALS] = {"withdrawals", "pods", ".withdrawals", true, false},
};

const char *shared_kind_name(enum shared_kind kind)
{
    return kinds[kind].name;
}

/* One file while it is being compared, under its folder's lock. */
struct comparing {
    struct services *services;
    struct service *service;
    enum shared_kind kind;
    struct shared_file *file;
    char path[STATE_PATH_MAX];
    int lock;
    /* The file. */
    uint8_t *bytes; /* NULL: there is none */
    size_t len;
    uint64_t stamp;
    uint64_t uid;
    char digest[SHARED_DIGEST_CAP];
    /* Who changed it and why, when the API knows. */
    const struct audit_who *who;
    const char *why;
};

static void digest_of(struct guard_span content, char out[SHARED_DIGEST_CAP])
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    out[0] = '\0';
    if (content.ptr == NULL)
        return;
    guard_digest(digest, content);
    for (size_t i = 0; i < (SHARED_DIGEST_CAP - 1) / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static struct guard_span content_of(const struct comparing *comparing)
{
    return (struct guard_span){comparing->bytes, comparing->len};
}

/* --- what was agreed on last --- */

static bool base_path(char out[STATE_PATH_MAX], const struct comparing *comparing)
{
    char suffix[32];
    snprintf(suffix, sizeof(suffix), ".%s.json", kinds[comparing->kind].name);
    return state_path(out, comparing->services->state, "shared", comparing->service->name,
                      suffix) == GUARD_OK;
}

/* Without it all is found by contents. */
static void base_load(const struct comparing *comparing)
{
    char path[STATE_PATH_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct shared_file *file = comparing->file;
    if (file->known)
        return;
    file->known = true;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    if (base_path(path, comparing) && document_load(&document, path, &arena, NULL) == GUARD_OK) {
        const char *digest = text_of(document.root, "digest");
        int64_t revision = whole_of(document.root, "revision");
        if (revision > 0 && strlen(digest) < sizeof(file->digest)) {
            file->revision = (uint64_t)revision;
            snprintf(file->digest, sizeof(file->digest), "%s", digest);
        }
    }
    guard_arena_reset(&arena);
}

static void base_save(const struct comparing *comparing)
{
    char path[STATE_PATH_MAX];
    char text[BASE_MAX];
    struct json_writer json;
    struct guard_err err = {.text = "the path is too long"};
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_integer(&json, "revision", (int64_t)comparing->file->revision);
    json_text(&json, "digest", comparing->file->digest);
    json_close(&json, '}');
    if (!base_path(path, comparing) ||
        file_replace(path, (struct guard_span){(const uint8_t *)text, json.len}, 0640, true,
                     &err) != GUARD_OK)
        log_event("warn", "revision-not-kept", comparing->service->name, "%s", err.text);
}

/* The file is the revision's content. */
static void agree(struct comparing *comparing, uint64_t revision, const char *digest)
{
    struct shared_file *file = comparing->file;
    bool same = file->revision == revision && strcmp(file->digest, digest) == 0;
    file->revision = revision;
    snprintf(file->digest, sizeof(file->digest), "%s", digest);
    if (!same)
        base_save(comparing);
}

/* --- the file --- */

static uint64_t stamp_at(const char *path, uint64_t *uid)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return 0;
    *uid = info.st_uid;
    return file_stamp(&info);
}

/* GUARD_E_STATE: somebody is changing it. */
static enum guard_rc open_file(struct comparing *comparing, struct guard_err *err)
{
    const char *folder = kinds[comparing->kind].folder;
    if (comparing->lock < 0)
        GUARD_TRY(change_lock(&comparing->lock, comparing->services->state, folder, false, err));
    comparing->stamp = stamp_at(comparing->path, &comparing->uid);
    enum guard_rc rc =
        file_read(comparing->path, DOCUMENT_BYTES_MAX, &comparing->bytes, &comparing->len, err);
    if (rc == GUARD_E_IO && errno == ENOENT)
        rc = GUARD_OK;
    digest_of(content_of(comparing), comparing->digest);
    return rc;
}

static void close_file(struct comparing *comparing)
{
    free(comparing->bytes);
    comparing->bytes = NULL;
    if (comparing->lock >= 0)
        close(comparing->lock);
    comparing->lock = -1;
}

static enum guard_rc put_file(struct comparing *comparing, struct guard_span content,
                              struct guard_err *err)
{
    if (content.ptr != NULL)
        return file_replace(comparing->path, content, 0640, true, err);
    if (unlink(comparing->path) != 0 && errno != ENOENT)
        return guard_fail(err, GUARD_E_IO, "%s: %s", comparing->path, strerror(errno));
    if (comparing->kind == SHARED_REVIEW) { /* the last one doesn't stay in force, as it would */
        guard_arena_reset(&comparing->service->review_arena);
        comparing->service->review = (struct review_document){.count = 0};
        comparing->service->review_stamp = 0;
        comparing->service->urgent = comparing->service->by_people = true;
    }
    return GUARD_OK;
}

/* --- offering --- */

struct author {
    char who[CHANGE_BY_MAX + 32];
    char why[REASON_CAP];
};

static bool is_service(const struct comparing *comparing, struct guard_span name)
{
    return name.len == comparing->service->name.len &&
           memcmp(name.ptr, comparing->service->name.ptr, name.len) == 0;
}

/* What others couldn't read isn't given to them. */
static enum guard_rc check(const struct comparing *comparing, struct author *author,
                           struct guard_arena *arena, struct guard_err *err)
{
    struct guard_guardian guardian;
    struct review_document review;
    struct document document;
    struct guard_span name = comparing->service->name;
    if (comparing->bytes == NULL)
        return GUARD_OK;
    if (comparing->kind == SHARED_GUARDIAN) {
        GUARD_TRY(guardian_parse(&guardian, "guardian", content_of(comparing), arena, err));
        name = guardian.service;
    } else if (comparing->kind == SHARED_REVIEW) {
        GUARD_TRY(review_parse(&review, "review", content_of(comparing), arena, err));
        name = review.service;
    } else {
        GUARD_TRY(document_parse(&document, kinds[comparing->kind].name, content_of(comparing),
                                 arena, err));
        if (document.root->kind != DOCUMENT_MAPPING)
            return guard_fail(err, GUARD_E_SYNTAX, "must be an object");
        if (text_of(document.root, "by")[0] != '\0')
            snprintf(author->who, sizeof(author->who), "%s", text_of(document.root, "by"));
        if (text_of(document.root, "reason")[0] != '\0')
            snprintf(author->why, sizeof(author->why), "%s", text_of(document.root, "reason"));
    }
    return is_service(comparing, name)
               ? GUARD_OK
               : guard_fail(err, GUARD_E_FOREIGN, "the document names another service");
}

static void name_author(const struct comparing *comparing, struct author *author)
{
    snprintf(author->who, sizeof(author->who), "uid %" PRIu64, comparing->uid);
    snprintf(author->why, sizeof(author->why), "%s",
             comparing->bytes != NULL ? "its file was changed" : "its file was removed");
}

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static enum guard_rc save(const struct comparing *comparing, const struct author *author,
                          struct guard_err *err)
{
    struct store *store = comparing->services->store;
    const struct store_document document = {
        .kind = kinds[comparing->kind].name,
        .service = comparing->service->name,
        .revision = comparing->file->revision + 1,
        .content = content_of(comparing),
    };
    const struct store_change change = {
        .who = span_of(comparing->who != NULL ? comparing->who->by : author->who),
        .why = span_of(comparing->who != NULL ? comparing->why : author->why),
        .time_ms = clock_unix_ms(),
    };
    GUARD_TRY(store_begin(store, err));
    enum guard_rc rc =
        store_save_document(store, &document, &change, kinds[comparing->kind].kept, err);
    if (rc == GUARD_OK)
        rc = store_commit(store, err);
    if (rc != GUARD_OK)
        store_rollback(store);
    return rc;
}

/* A document that can't be read stays what it is: refused here, and unknown elsewhere. */
static enum guard_rc offer(struct comparing *comparing, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct author author;
    struct guard_err bad;
    name_author(comparing, &author);
    guard_arena_init(&arena, &heap, ARENA_MAX);
    enum guard_rc good = check(comparing, &author, &arena, &bad);
    guard_arena_reset(&arena);
    if (good != GUARD_OK) {
        log_event("alarm", "not-shared", comparing->service->name, "%s: %s",
                  kinds[comparing->kind].name, bad.text);
        return GUARD_OK;
    }
    GUARD_TRY(save(comparing, &author, err));
    comparing->file->head = comparing->file->revision + 1;
    agree(comparing, comparing->file->head, comparing->digest);
    log_event("info", "decision-shared", comparing->service->name, "%s, revision %" PRIu64,
              kinds[comparing->kind].name, comparing->file->head);
    return GUARD_OK;
}

/* --- taking --- */

struct stored {
    uint64_t revision;
    uint8_t *bytes; /* NULL: it was removed, or there is none */
    size_t len;
};

static enum guard_rc take_stored(void *ctx, uint64_t revision, struct guard_span content)
{
    struct stored *stored = ctx;
    stored->revision = revision;
    if (content.ptr == NULL)
        return GUARD_OK;
    stored->bytes = malloc(content.len + 1);
    if (stored->bytes == NULL)
        return GUARD_E_NOMEM;
    memcpy(stored->bytes, content.ptr, content.len);
    stored->len = content.len;
    return GUARD_OK;
}

static enum guard_rc load_stored(const struct comparing *comparing, struct stored *stored,
                                 struct guard_err *err)
{
    *stored = (struct stored){.bytes = NULL};
    (void)guard_fail(err, GUARD_E_NOMEM, "no memory for a document");
    return store_load_document(comparing->services->store, kinds[comparing->kind].name,
                               comparing->service->name, take_stored, stored, err);
}

/* Both changed: people are told, and what they wrote isn't lost. */
static enum guard_rc put_aside(const struct comparing *comparing, uint64_t revision,
                               struct guard_err *err)
{
    static const struct audit_who guardd = {.by = "guardd", .via = "guardd"};
    char aside[STATE_PATH_MAX];
    char suffix[32];
    char after[128];
    snprintf(suffix, sizeof(suffix), "%s.refused", kinds[comparing->kind].suffix);
    snprintf(after, sizeof(after), "%s: revision %" PRIu64 " of another guardd holds",
             kinds[comparing->kind].name, revision);
    GUARD_TRY(audit_append(comparing->services->state, &guardd, comparing->service->name, "refused",
                           "", after, "both were changed", err));
    if (comparing->bytes != NULL) {
        if (state_path(aside, comparing->services->state, kinds[comparing->kind].folder,
                       comparing->service->name, suffix) != GUARD_OK)
            return guard_fail(err, GUARD_E_LIMIT, "the path is too long");
        GUARD_TRY(file_replace(aside, content_of(comparing), 0640, true, err));
    }
    log_event("alarm", "change-refused", comparing->service->name,
              "%s was changed here and elsewhere: revision %" PRIu64 " holds%s",
              kinds[comparing->kind].name, revision,
              comparing->bytes != NULL ? ", what was written here is beside it as .refused" : "");
    return GUARD_OK;
}

/* Whether people changed the file since it was last known. One that has the content of a later
 * revision was written by guardd, which was killed before it noted so. */
static enum guard_rc is_edited(const struct comparing *comparing, bool *edited,
                               struct guard_err *err)
{
    const struct shared_file *file = comparing->file;
    uint64_t found = 0;
    *edited = strcmp(comparing->digest, file->digest) != 0;
    if (!*edited)
        return GUARD_OK;
    if (comparing->bytes == NULL) {
        *edited = !kinds[comparing->kind].stays;
        return GUARD_OK;
    }
    GUARD_TRY(store_find_document(comparing->services->store, kinds[comparing->kind].name,
                                  comparing->service->name, file->revision, content_of(comparing),
                                  &found, err));
    *edited = found == 0;
    return GUARD_OK;
}

static enum guard_rc place(struct comparing *comparing, const struct stored *stored, bool forced,
                           struct guard_err *err)
{
    const struct guard_span content = {stored->bytes, stored->len};
    char digest[SHARED_DIGEST_CAP];
    bool edited = false;
    digest_of(content, digest);
    if (strcmp(digest, comparing->digest) != 0) {
        if (!forced)
            GUARD_TRY(is_edited(comparing, &edited, err));
        if (edited)
            GUARD_TRY(put_aside(comparing, stored->revision, err));
        GUARD_TRY(put_file(comparing, content, err));
        comparing->stamp = stamp_at(comparing->path, &comparing->uid);
        log_event("info", "decision-taken", comparing->service->name, "%s, revision %" PRIu64,
                  kinds[comparing->kind].name, stored->revision);
    }
    comparing->file->head = stored->revision;
    agree(comparing, stored->revision, digest);
    return GUARD_OK;
}

/* forced: what is in the file doesn't count. */
static enum guard_rc take(struct comparing *comparing, bool forced, struct guard_err *err)
{
    struct stored stored;
    enum guard_rc rc = load_stored(comparing, &stored, err);
    if (rc == GUARD_OK && stored.revision != 0)
        rc = place(comparing, &stored, forced, err);
    free(stored.bytes);
    return rc;
}

/* --- comparing --- */

/* The database is an older one: what is here is newer, unless another guardd offered it already. */
static enum guard_rc note_loss(struct comparing *comparing, struct guard_err *err)
{
    struct shared_file *file = comparing->file;
    struct stored stored;
    char digest[SHARED_DIGEST_CAP];
    if (file->head >= file->revision)
        return GUARD_OK;
    GUARD_TRY(load_stored(comparing, &stored, err));
    digest_of((struct guard_span){stored.bytes, stored.len}, digest);
    free(stored.bytes);
    log_event("warn", "decision-offered-again", comparing->service->name,
              "%s: the database has revision %" PRIu64 ", not %" PRIu64,
              kinds[comparing->kind].name, file->head, file->revision);
    file->head = file->revision = stored.revision;
    snprintf(file->digest, sizeof(file->digest), "%s", digest);
    base_save(comparing);
    return GUARD_OK;
}

static enum guard_rc compare_open(struct comparing *comparing, struct guard_err *err)
{
    struct shared_file *file = comparing->file;
    GUARD_TRY(note_loss(comparing, err));
    if (file->head != file->revision)
        return take(comparing, false, err);
    if (strcmp(comparing->digest, file->digest) == 0)
        return GUARD_OK;
    if (comparing->bytes == NULL && kinds[comparing->kind].stays)
        return take(comparing, true, err);
    return offer(comparing, err);
}

static bool prepare(struct comparing *comparing, struct services *services, struct service *service,
                    enum shared_kind kind)
{
    *comparing = (struct comparing){.services = services,
                                    .service = service,
                                    .kind = kind,
                                    .file = &service->shared[kind],
                                    .lock = -1};
    if (state_path(comparing->path, services->state, kinds[kind].folder, service->name,
                   kinds[kind].suffix) != GUARD_OK)
        return false;
    base_load(comparing);
    return true;
}

static enum guard_rc compare(struct comparing *comparing, struct guard_err *err)
{
    enum guard_rc rc = open_file(comparing, err);
    if (rc == GUARD_OK)
        rc = compare_open(comparing, err);
    if (rc == GUARD_OK)
        comparing->file->stamp = comparing->stamp;
    close_file(comparing);
    return rc;
}

/* --- the tick --- */

static enum guard_rc take_head(void *ctx, struct guard_span kind, struct guard_span name,
                               uint64_t revision)
{
    struct service *service = services_find(ctx, name);
    for (int i = 0; service != NULL && i < SHARED_KINDS; i++) {
        if (kind.len == strlen(kinds[i].name) && memcmp(kind.ptr, kinds[i].name, kind.len) == 0)
            service->shared[i].head = revision;
    }
    return GUARD_OK;
}

static bool read_heads(struct services *services)
{
    struct guard_err err;
    for (uint32_t i = 0; i < services->count; i++) {
        for (int kind = 0; kind < SHARED_KINDS; kind++)
            services->list[i]->shared[kind].head = 0;
    }
    return store_list_documents(services->store, take_head, services, &err) == GUARD_OK;
}

/* False: the database is away. */
static bool attend(struct services *services, struct service *service)
{
    for (int kind = 0; kind < SHARED_KINDS; kind++) {
        struct comparing comparing;
        struct guard_err err;
        uint64_t uid = 0;
        if (kind == SHARED_WITHDRAWALS) { /* nobody edits the file: it follows the database */
            withdrawals_attend(services, service, service->shared[kind].head);
            continue;
        }
        if (!prepare(&comparing, services, service, (enum shared_kind)kind))
            continue;
        const struct shared_file *file = comparing.file;
        if (file->head == file->revision && stamp_at(comparing.path, &uid) == file->stamp)
            continue;
        enum guard_rc rc = compare(&comparing, &err);
        if (store_session(services->store) == 0)
            return false;
        if (rc != GUARD_OK && rc != GUARD_E_STATE)
            log_event("warn", "not-compared", service->name, "%s: %s", kinds[kind].name, err.text);
    }
    return true;
}

void documents_tick(struct services *services)
{
    uint64_t begin = clock_monotonic_ms();
    if (services->run == 0 || store_session(services->store) == 0 || !read_heads(services))
        return;
    uint32_t count = services->count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (services->documents_at + i) % count;
        if (clock_monotonic_ms() - begin > TICK_MS) {
            services->documents_at = at; /* the rest comes first next time */
            return;
        }
        if (!attend(services, services->list[at]))
            return;
    }
}

/* --- changes by the API --- */

static enum guard_rc away(struct guard_err *err)
{
    return guard_fail(err, GUARD_E_IO,
                      "the database is away: nobody knows what is in force elsewhere");
}

enum guard_rc documents_refresh(struct services *services, struct guard_span name,
                                enum shared_kind kind, struct guard_err *err)
{
    struct comparing comparing;
    struct stored stored = {.bytes = NULL};
    struct service *service = services_find(services, name);
    if (services->run == 0 || kind >= SHARED_KINDS)
        return GUARD_OK;
    if (store_session(services->store) == 0)
        return away(err);
    enum guard_rc rc =
        store_load_document(services->store, kinds[kind].name, name, take_stored, &stored, err);
    free(stored.bytes);
    if (rc != GUARD_OK)
        return away(err);
    if (service == NULL && stored.revision != 0)
        service = services_get(services, name); /* another guardd found it */
    if (service == NULL)
        return GUARD_OK;
    if (!prepare(&comparing, services, service, kind))
        return guard_fail(err, GUARD_E_LIMIT, "the path is too long");
    service->shared[kind].head = stored.revision;
    return compare(&comparing, err);
}

enum guard_rc documents_offer(struct services *services, struct guard_span name,
                              enum shared_kind kind, const struct audit_who *who, const char *why,
                              struct guard_err *err)
{
    struct comparing comparing;
    struct service *service = services_get(services, name);
    if (services->run == 0 || kind >= SHARED_KINDS)
        return GUARD_OK;
    if (service == NULL || !prepare(&comparing, services, service, kind))
        return guard_fail(err, GUARD_E_LIMIT, "too many services");
    comparing.who = who;
    comparing.why = why;
    enum guard_rc rc = open_file(&comparing, err);
    if (rc == GUARD_OK && strcmp(comparing.digest, comparing.file->digest) != 0)
        rc = offer(&comparing, err);
    if (rc == GUARD_E_STATE && comparing.lock >= 0) {
        enum guard_rc taken = take(&comparing, true, err);
        rc = taken == GUARD_OK ? guard_fail(err, rc, "another guardd changed it meanwhile") : taken;
    }
    if (rc == GUARD_OK)
        comparing.file->stamp = comparing.stamp;
    close_file(&comparing);
    return rc;
}

void documents_drop_refused(const struct services *services, const struct service *service,
                            enum shared_kind only, uint64_t older_than_ms)
{
    uint64_t now_ms = clock_unix_ms();
    for (int kind = 0; kind < SHARED_KINDS; kind++) {
        char path[STATE_PATH_MAX];
        char suffix[32];
        struct stat info;
        snprintf(suffix, sizeof(suffix), "%s.refused", kinds[kind].suffix);
        if ((only != SHARED_KINDS && (int)only != kind) ||
            state_path(path, services->state, kinds[kind].folder, service->name, suffix) !=
                GUARD_OK ||
            lstat(path, &info) != 0)
            continue;
        if (older_than_ms == 0 || (uint64_t)info.st_mtime * 1000 + older_than_ms < now_ms)
            (void)unlink(path);
    }
}
