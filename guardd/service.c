/* SPDX-License-Identifier: Apache-2.0 */
/* The table of services: finding, making, loading, saving, and taking records in. */
#include "service.h"

#include "releases_store.h"

#include "common/file.h"
#include "common/guardian.h"
#include "common/log.h"

#include <guard/txn.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define DAY_MS UINT64_C(86400000)

static void service_free(struct service *service)
{
    guard_pile_free(service->pile);
    guard_pile_free(service->held);
    guard_model_free(service->model);
    guard_model_free(service->parent);
    guard_model_free(service->rollback.model);
    free(service->snapshot.bytes);
    guard_arena_reset(&service->guardian_arena);
    guard_arena_reset(&service->review_arena);
    clients_free(&service->clients);
    pods_free(&service->pods);
    pod_backlog_free(&service->backlog);
    withdrawals_free(&service->withdrawals);
    replica_free(&service->replica);
    delta_free(&service->delta);
    summary_free(&service->summary);
    spool_queue_free(&service->spool);
    inbox_queue_free(&service->inbox);
    history_free(&service->history);
    (void)munmap(service, sizeof(*service));
}

/* Most of it are tables that stay empty: pages that the heap gives again would be cleared, and so
 * taken. */
static struct service *service_new(struct guard_span name, const uint8_t key[GUARD_KEY_BYTES])
{
    struct service *service =
        mmap(NULL, sizeof(*service), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct guard_alloc heap = heap_alloc();
    if (service == MAP_FAILED)
        return NULL;
    memcpy(service->name_text, name.ptr, name.len);
    service->name = (struct guard_span){(const uint8_t *)service->name_text, name.len};
    memcpy(service->key, key, GUARD_KEY_BYTES);
    guard_arena_init_growing(&service->guardian_arena, &heap, (size_t)16 << 20);
    guard_arena_init_growing(&service->review_arena, &heap, (size_t)8 << 20);
    guard_guardian_default(&service->guardian, service->name);
    return service;
}

static struct guard_pile_cfg pile_cfg(const struct service *service)
{
    struct guard_pile_cfg cfg = {.alloc = heap_alloc(), .service = service->name};
    memcpy(cfg.key, service->key, GUARD_KEY_BYTES);
    return cfg;
}

enum guard_rc service_new_pile(const struct service *service, struct guard_pile **out,
                               struct guard_err *err)
{
    struct guard_pile_cfg cfg = pile_cfg(service);
    return guard_pile_new(out, &cfg, err);
}

static enum guard_rc service_open_pile(struct service *service, struct guard_span bytes,
                                       struct guard_err *err)
{
    struct guard_pile_cfg cfg = pile_cfg(service);
    if (bytes.len > 0) {
        enum guard_rc rc = guard_pile_decode(&service->pile, &cfg, bytes, err);
        if (rc == GUARD_OK || rc == GUARD_E_NOMEM)
            return rc;
        if (rc == GUARD_E_VERSION) /* not damaged, and others can read it */
            return store_check_pile(service->name, bytes, err);
        log_event("alarm", "pile-damaged", service->name, "%s: learning starts anew", err->text);
    }
    return guard_pile_new(&service->pile, &cfg, err);
}

static enum guard_rc services_add(struct services *services, struct guard_span name,
                                  const uint8_t key[GUARD_KEY_BYTES], struct guard_span pile,
                                  struct service **out, struct guard_err *err)
{
    if (services->count == SERVICES_MAX || !state_service_valid(name))
        return guard_fail(err, GUARD_E_LIMIT, "too many services, or a bad name");
    struct service *service = service_new(name, key);
    if (service == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a service");
    enum guard_rc rc = service_open_pile(service, pile, err);
    if (rc != GUARD_OK) {
        service_free(service);
        return rc;
    }
    struct guard_pile_stats stats;
    guard_pile_stats(service->pile, &stats);
    service->day = stats.last_ms / DAY_MS;
    services->list[services->count++] = service;
    withdrawals_open(services, service);
    *out = service;
    return GUARD_OK;
}

struct loading {
    struct services *services;
    struct guard_err *err;
};

static enum guard_rc take_stored(void *ctx, const struct store_service *stored)
{
    const struct loading *loading = ctx;
    struct services *services = loading->services;
    struct service *service = NULL;
    struct guard_err err;
    enum guard_rc rc =
        services_add(services, stored->name, stored->key, stored->pile, &service, &err);
    if (rc == GUARD_E_NOMEM || rc == GUARD_E_VERSION) {
        *loading->err = err;
        return rc;
    }
    if (rc != GUARD_OK) {
        log_event("alarm", "service-skipped", stored->name, "%s", err.text);
        return GUARD_OK;
    }
    service->generation = stored->generation;
    service->stored = true;
    return GUARD_OK;
}

static void take_revision(void *ctx, const struct store_revision *stored)
{
    struct service *service = ctx;
    struct revision revision = {.seen_ms = stored->seen_ms, .until_ms = stored->until_ms};
    if (!state_revision_valid(stored->text))
        return;
    memcpy(revision.text, stored->text.ptr, stored->text.len);
    revisions_take(&service->revisions, &revision);
}

static void take_generation(void *ctx, const struct store_generation *stored)
{
    struct service *service = ctx;
    uint64_t dropped[GENERATIONS_KEPT];
    struct generation generation = {stored->number, stored->created_ms, stored->exchanges};
    (void)generations_add(&service->generations, &generation, dropped);
}

void service_load_generations(struct services *services, struct service *service)
{
    struct guard_err err;
    service->generations.count = 0;
    if (store_list_generations(services->store, service->name, take_generation, service, &err) !=
        GUARD_OK)
        log_event("warn", "not-read-whole", service->name, "%s", err.text);
}

void service_load_rest(struct services *services, struct service *service)
{
    struct guard_err err;
    if (store_list_generations(services->store, service->name, take_generation, service, &err) !=
            GUARD_OK ||
        store_list_revisions(services->store, service->name, take_revision, service, &err) !=
            GUARD_OK ||
        releases_load(services, service, &err) != GUARD_OK ||
        pods_load(services, service, &err) != GUARD_OK)
        log_event("warn", "not-read-whole", service->name, "%s", err.text);
}

enum guard_rc services_load(struct services *services, struct guard_err *err)
{
    struct loading loading = {services, err};
    GUARD_TRY(store_load_services(services->store, take_stored, &loading, err));
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        GUARD_TRY(
            store_list_generations(services->store, service->name, take_generation, service, err));
        GUARD_TRY(
            store_list_revisions(services->store, service->name, take_revision, service, err));
        GUARD_TRY(inbox_load(services, service, err));
    }
    GUARD_TRY(releases_load(services, NULL, err));
    GUARD_TRY(pods_load(services, NULL, err));
    if (!tree_has_parent(services->role))
        return GUARD_OK;
    GUARD_TRY(outbox_load(services, err));
    return history_load(services, err);
}

void services_free(struct services *services)
{
    for (uint32_t i = 0; i < services->count; i++)
        service_free(services->list[i]);
    services->count = 0;
    told_free(&services->told);
}

static struct service *find(struct services *services, struct guard_span name)
{
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        if (service->name.len == name.len && memcmp(service->name.ptr, name.ptr, name.len) == 0) {
            /* The next record is likely to be of the same service. */
            services->list[i] = services->list[0];
            services->list[0] = service;
            return service;
        }
    }
    return NULL;
}

struct service *services_find(const struct services *services, struct guard_span name)
{
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        if (service->name.len == name.len && memcmp(service->name.ptr, name.ptr, name.len) == 0)
            return service;
    }
    return NULL;
}

struct service *services_get(struct services *services, struct guard_span name)
{
    uint8_t key[GUARD_KEY_BYTES];
    struct guard_err err;
    struct service *service = find(services, name);
    if (service != NULL || services->uplink != NULL)
        return service;
    if (random_bytes(key, sizeof(key)) != GUARD_OK || !state_service_valid(name) ||
        services->count == SERVICES_MAX || replica_key(services, name, key, &err) != GUARD_OK ||
        services_add(services, name, key, (struct guard_span){NULL, 0}, &service, &err) != GUARD_OK)
        return NULL;
    service->dirty = true; /* its key must survive */
    log_event("info", "service-found", service->name, "%s", "");
    return service;
}

enum guard_rc services_adopt(struct services *services, struct guard_span name,
                             const uint8_t key[GUARD_KEY_BYTES], struct guard_err *err)
{
    struct service *service = NULL;
    if (services_find(services, name) != NULL)
        return GUARD_OK;
    GUARD_TRY(services_add(services, name, key, (struct guard_span){NULL, 0}, &service, err));
    service->dirty = true;
    log_event("info", "service-found", service->name, "%s", "its key came from the parent");
    GUARD_TRY(inbox_open_service(services, service, err));
    return outbox_open(services, service, err);
}

void services_rekey(struct services *services, struct service *service,
                    const uint8_t key[GUARD_KEY_BYTES])
{
    struct guard_pile *fresh = NULL;
    struct guard_pile *ledger = NULL;
    uint8_t old[GUARD_KEY_BYTES];
    struct guard_err err = {.text = ""};
    if (memcmp(key, service->key, GUARD_KEY_BYTES) == 0)
        return;
    memcpy(old, service->key, sizeof(old));
    memcpy(service->key, key, sizeof(old));
    if (service_new_pile(service, &fresh, &err) != GUARD_OK ||
        (service->held != NULL && service_new_pile(service, &ledger, &err) != GUARD_OK)) {
        guard_pile_free(fresh);
        memcpy(service->key, old, sizeof(old));
        log_event("alarm", "service-not-opened", service->name, "%s", err.text);
        return;
    }
    log_event("alarm", "service-key-changed", service->name, "%s",
              "the parent lost the one before: what was reported under it is put aside");
    pods_free(&service->pods);
    service->pods.changed = true;
    guard_pile_free(service->pile);
    service->pile = fresh;
    if (service->held != NULL) {
        guard_pile_free(service->held);
        service->held = ledger;
    }
    while (service->spool.count > 0)
        spool_put_aside(&services->spool, service->name, &service->spool);
    clients_rekey(&service->clients);
    service->damaged = false;
    service->delta.due_ms = 0;
    service->dirty = true;
}

/* The first record of each day of traffic drops what nobody did since the epochs that the pile
 * tells apart. Days are those of records, not of the clock here: records that are read again after
 * a kill give the same pile. GUARD_E_STATE. */
static enum guard_rc forget_daily(struct service *service, uint64_t time_ms, uint64_t today,
                                  struct guard_err *err)
{
    uint64_t day = time_ms / DAY_MS;
    if (service->day > today + 1)
        service->day = day; /* the clock was ahead, for us and the gates, and came back */
    if (day <= service->day)
        return GUARD_OK;
    bool first = service->day == 0;
    service->day = day;
    return first ? GUARD_OK : guard_pile_forget(service->pile, err);
}

/* Times to come would push the epochs of all others out of a pile's table. */
static bool from_the_future(struct service *service, uint64_t time_ms, uint64_t now_ms)
{
    if (time_ms <= now_ms || time_ms - now_ms <= DAY_MS)
        return false;
    if (service->ahead_day != now_ms / DAY_MS)
        log_event("alarm", "clock-ahead", service->name, "%s",
                  "a gate's records are of a time to come: they aren't learned");
    service->ahead_day = now_ms / DAY_MS;
    service->refused++;
    return true;
}

static void note_revision(const struct services *services, struct service *service,
                          struct guard_span text)
{
    uint64_t now_ms = text.len > 0 ? clock_unix_ms() : 0;
    if (!revisions_observe(&service->revisions, text, now_ms, services->release_window_ms))
        return;
    const struct revision *revision = revisions_newest(&service->revisions);
    service->dirty = true;
    /* Gates are told at once; and what it changes isn't what was learned. */
    service->urgent = true;
    service->by_people = true;
    log_event("info", "revision-found", service->name, "%s%s", revision->text,
              revision->until_ms > 0 ? ": its new elements aren't blocked for a while" : "");
}

static bool blocks_anything(const struct guard_guardian *guardian)
{
    bool blocks = guardian->mode == GUARD_MODE_BLOCK ||
                  guardian->request_mode == GUARD_MODE_BLOCK ||
                  guardian->response_mode == GUARD_MODE_BLOCK;
    for (uint32_t i = 0; i < guardian->endpoint_count; i++)
        blocks = blocks || guardian->endpoints[i].mode == GUARD_MODE_BLOCK;
    return blocks;
}

/* Before the record is learned: tenured is who was there before. */
static void note_novelty(const struct services *services, struct service *service,
                         const struct guard_record_head *head)
{
    uint64_t client = 0;
    /* In other modes a 403 is the service's word. */
    if (!head->novel || (head->decision == GUARD_BLOCK && !blocks_anything(&service->guardian)))
        return;
    uint64_t now_ms = clock_unix_ms();
    if (!service->damaged && guard_pile_tenured(service->pile, &head->client, head->time_ms)) {
        uint8_t key[GUARD_KEY_BYTES];
        guard_key_derive(key, service->key, (struct guard_span){(const uint8_t *)"release", 7});
        client = guard_client_code(key, &head->client);
    }
    if (!releases_observe(&service->releases, head, client, now_ms, services->release_window_ms))
        return;
    service->urgent = true;
    service->by_people = true; /* not what was learned */
    log_event("info", "release-found", service->name,
              "%u new elements are let in, %u are refused by the service",
              releases_count(&service->releases, RELEASE_LET_IN, now_ms),
              releases_count(&service->releases, RELEASE_REFUSED, now_ms));
}

void service_failed(struct service *service, enum guard_rc rc, const struct guard_err *err)
{
    if ((rc != GUARD_E_NOMEM && rc != GUARD_E_STATE) || service->damaged)
        return;
    struct guard_pile_stats stats;
    uint8_t *bytes = NULL;
    size_t len = 0;
    guard_pile_stats(service->pile, &stats);
    /* A merge may be refused by the state of the other pile. */
    if (guard_pile_encode(service->pile, &bytes, &len, NULL) != GUARD_E_STATE) {
        free(bytes);
        return;
    }
    service->damaged = true;
    log_event("alarm", "learning-stopped", service->name, "%s", err->text);
}

void service_merged(struct service *service)
{
    struct guard_pile_stats stats;
    struct guard_err err;
    guard_pile_stats(service->pile, &stats);
    if (service->delta.number != 0)
        return; /* an open delta is young */
    enum guard_rc rc = forget_daily(service, stats.last_ms, clock_unix_ms() / DAY_MS, &err);
    service_failed(service, rc, &err);
}

/* One ring carries many services: each pile numbers what it got of the ring by itself. Positions of
 * rings are saved with the piles, so that numbers come out the same when records are read again
 * after a kill. */
static uint64_t next_number(const struct service *service, uint64_t producer, uint64_t incarnation)
{
    uint64_t open = guard_pile_position(service->pile, producer, incarnation);
    uint64_t closed = delta_position(&service->delta, producer, incarnation);
    return (open > closed ? open : closed) + 1;
}

void service_told_revision(struct services *services, struct service *service,
                           struct guard_span text)
{
    if (services->uplink == NULL)
        note_revision(services, service, text);
    else if (revisions_observe(&service->revisions, text, clock_unix_ms(), 0))
        service->summary.revisions = service->dirty = true;
}

void service_told_novelty(struct services *services, struct service *service,
                          const struct guard_record_head *head)
{
    if (services->uplink == NULL)
        note_novelty(services, service, head);
    else
        summary_observe(services, service, head, clock_unix_ms());
}

/* The parent's learner does what isn't the pile's with what it is told. */
static void note(struct services *services, struct service *service,
                 const struct guard_record_head *head, uint64_t now_ms)
{
    if (services->uplink != NULL) {
        summary_observe(services, service, head, now_ms);
        return;
    }
    note_revision(services, service, head->revision);
    note_novelty(services, service, head);
    breaker_observe(&service->breaker, head, now_ms);
}

/* Whether the record waits in its ring: for the service's key, or for room in a full spool. */
static bool held(struct services *services, const struct service *service, struct guard_span name)
{
    if (services->uplink == NULL && service == NULL) {
        bool waits = replica_key_awaited(services, name);
        services->rejected += !waits;
        return waits;
    }
    if (services->uplink == NULL)
        return false;
    if (service != NULL)
        return service->up.blocked;
    if (!state_service_valid(name)) {
        services->rejected++;
        return false;
    }
    return uplink_want(services->uplink, name);
}

bool services_observe(struct services *services, uint64_t producer, uint64_t incarnation,
                      struct guard_span record)
{
    uint64_t now_ms = clock_unix_ms();
    struct guard_record_head head;
    struct guard_err err;
    if (guard_record_head_read(record, &head) != GUARD_OK) {
        services->rejected++;
        return true;
    }
    struct service *service = services_get(services, head.service);
    if (held(services, service, head.service))
        return false;
    if (service == NULL)
        return true;
    traffic_observe(&service->traffic, &head);
    history_observe(&service->history, &head, now_ms);
    note(services, service, &head, now_ms);
    clients_observe(services, service, record, head.time_ms);
    if (service->damaged || !service->guardian.learn ||
        from_the_future(service, head.time_ms, now_ms))
        return true;
    struct guard_source source = {.producer = producer,
                                  .incarnation = incarnation,
                                  .sequence = next_number(service, producer, incarnation)};
    bool shared = services->run != 0;
    enum guard_rc rc = shared ? replica_observe(services, service, &source, record, &err)
                              : guard_pile_observe(service->pile, &source, record, &err);
    if (rc == GUARD_OK && service->delta.number == 0 && (!shared || service->replica.learns))
        rc = forget_daily(service, head.time_ms, now_ms / DAY_MS, &err);
    if (rc == GUARD_OK) {
        service->dirty = true;
        outbox_observed(services, service, now_ms);
        return true;
    }
    service->refused++;
    if (rc == GUARD_E_NOMEM || rc == GUARD_E_STATE) {
        service->damaged = true;
        log_event("alarm", "learning-stopped", service->name, "%s", err.text);
    }
    return true;
}

uint64_t file_stamp(const struct stat *info)
{
    uint64_t stamp =
        ((uint64_t)info->st_mtim.tv_sec * 1000000000U + (uint64_t)info->st_mtim.tv_nsec) ^
        ((uint64_t)info->st_ino << 1) ^ (uint64_t)info->st_size;
    return stamp == 0 ? 1 : stamp;
}

static void read_guardian(struct service *service, const char *path, uint64_t stamp)
{
    struct guard_guardian guardian;
    struct guard_arena arena;
    struct guard_alloc heap = heap_alloc();
    guard_arena_init_growing(&arena, &heap, (size_t)16 << 20);
    service->guardian_stamp = stamp;
    service->guardian_err.text[0] = '\0';
    enum guard_rc rc = guardian_load(&guardian, path, &arena, &service->guardian_err);
    if (rc == GUARD_OK && (guardian.service.len != service->name.len ||
                           memcmp(guardian.service.ptr, service->name.ptr, service->name.len) != 0))
        rc = guard_fail(&service->guardian_err, GUARD_E_FOREIGN, "%s: names another service", path);
    if (rc != GUARD_OK) {
        guard_arena_reset(&arena);
        log_event("alarm", "guardian-refused", service->name,
                  "%s; the last good one stays in force", service->guardian_err.text);
        return;
    }
    guard_arena_reset(&service->guardian_arena);
    service->guardian_arena = arena;
    service->guardian = guardian;
    service->guardian.service = service->name;
    service->urgent = true;
    service->by_people = true;
    service->unpublished = false;
    log_event("info", "guardian-read", service->name, "mode %s",
              guard_mode_name(guardian.request_mode));
}

static void watch_guardian(struct services *services, struct service *service)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    if (state_path(path, services->state, "guardians", service->name, ".yaml") != GUARD_OK)
        return;
    if (stat(path, &info) != 0) {
        if (service->guardian_stamp != 0) {
            log_event("alarm", "guardian-gone", service->name, "%s",
                      "the last good one stays in force");
            service->guardian_stamp = 0;
        }
        return;
    }
    if (file_stamp(&info) != service->guardian_stamp)
        read_guardian(service, path, file_stamp(&info));
}

static void find_new_guardians(struct services *services)
{
    char path[STATE_PATH_MAX];
    if (state_path(path, services->state, "guardians", (struct guard_span){NULL, 0}, "") !=
        GUARD_OK)
        return;
    DIR *dir = opendir(path);
    for (struct dirent *entry = NULL; dir != NULL && (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len <= 5 || strcmp(entry->d_name + len - 5, ".yaml") != 0)
            continue;
        struct guard_span name = {(const uint8_t *)entry->d_name, len - 5};
        if (state_service_valid(name) && services->count < SERVICES_MAX)
            (void)services_get(services, name);
    }
    if (dir != NULL)
        closedir(dir);
}

void services_watch_guardians(struct services *services)
{
    find_new_guardians(services);
    for (uint32_t i = 0; i < services->count; i++)
        watch_guardian(services, services->list[i]);
}

/* What the snapshot drives out goes with it. */
static enum guard_rc save_snapshot(struct store *store, struct service *service,
                                   struct guard_err *err)
{
    struct snapshot *snapshot = &service->snapshot;
    uint64_t dropped[GENERATIONS_KEPT];
    if (snapshot->bytes == NULL)
        return GUARD_OK;
    snapshot->after = service->generations;
    uint32_t count = generations_add(&snapshot->after, &snapshot->generation, dropped);
    for (uint32_t i = 0; i < count; i++)
        GUARD_TRY(store_drop_generation(store, service->name, dropped[i], err));
    struct store_generation stored = {.service = service->name,
                                      .number = snapshot->generation.number,
                                      .created_ms = snapshot->generation.created_ms,
                                      .exchanges = snapshot->generation.exchanges,
                                      .pile = {snapshot->bytes, snapshot->len}};
    return store_save_generation(store, &stored, err);
}

static enum guard_rc save_revisions(struct store *store, const struct service *service,
                                    struct guard_err *err)
{
    struct store_revision stored[REVISIONS_KEPT];
    for (uint32_t i = 0; i < service->revisions.count; i++) {
        const struct revision *revision = &service->revisions.list[i];
        stored[i] = (struct store_revision){
            .text = {(const uint8_t *)revision->text, strlen(revision->text)},
            .seen_ms = revision->seen_ms,
            .until_ms = revision->until_ms};
    }
    return store_save_revisions(store, service->name, stored, service->revisions.count, err);
}

enum guard_rc service_save_whole(struct services *services, struct service *service,
                                 struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    GUARD_TRY(guard_pile_encode(service->pile, &bytes, &len, err));
    struct store_service stored = {
        .name = service->name, .generation = service->generation, .pile = {bytes, len}};
    memcpy(stored.key, service->key, GUARD_KEY_BYTES);
    enum guard_rc rc = store_save_service(services->store, &stored, err);
    free(bytes);
    GUARD_TRY(rc);
    GUARD_TRY(save_snapshot(services->store, service, err));
    GUARD_TRY(save_revisions(services->store, service, err));
    GUARD_TRY(releases_save(services->store, service, err));
    return outbox_save(services, service, err);
}

enum guard_rc services_save(struct services *services, struct guard_err *err)
{
    uint64_t now_ms = clock_unix_ms();
    GUARD_TRY(replicas_begin(services, err));
    services->history_rolled = false;
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        GUARD_TRY(history_save(services, service, err));
        if (services->run != 0) {
            GUARD_TRY(replica_save(services, service, err));
            continue;
        }
        service->dirty = service->dirty || inbox_folds(&service->inbox, now_ms);
        bool whole = service->dirty && !service->damaged;
        if (whole)
            GUARD_TRY(service_save_whole(services, service, err));
        else
            GUARD_TRY(releases_save(services->store, service, err));
        GUARD_TRY(inbox_save(services, service, whole, err));
    }
    GUARD_TRY(told_save(services, err));
    return services->inbox.producers != NULL
               ? producers_save(services->inbox.producers, services->store, err)
               : GUARD_OK;
}

static enum guard_rc save_forgotten(struct services *services, const struct service *service,
                                    const uint8_t key[GUARD_KEY_BYTES], struct guard_err *err)
{
    struct store_service stored = {.name = service->name, .generation = service->generation};
    memcpy(stored.key, key, GUARD_KEY_BYTES);
    GUARD_TRY(store_begin(services->store, err));
    enum guard_rc rc = store_forget_service(services->store, service->name, err);
    if (rc == GUARD_OK)
        rc = releases_drop(services->store, service, err);
    if (rc == GUARD_OK)
        rc = pods_drop(services->store, service, err);
    if (rc == GUARD_OK)
        rc = store_save_service(services->store, &stored, err);
    if (rc == GUARD_OK)
        rc = store_commit(services->store, err);
    if (rc != GUARD_OK)
        store_rollback(services->store);
    return rc;
}

static void drop_learned(struct services *services, struct service *service,
                         struct guard_pile *pile)
{
    guard_pile_free(service->pile);
    service->pile = pile;
    guard_model_free(service->model);
    guard_model_free(service->parent);
    guard_model_free(service->rollback.model);
    free(service->snapshot.bytes);
    guard_arena_reset(&service->review_arena);
    clients_free(&service->clients);
    pods_free(&service->pods);
    withdrawals_free(&service->withdrawals);
    replica_free(&service->replica);
    service->model = NULL;
    service->parent = NULL;
    service->parent_recalled = false;
    service->growth = (struct guard_growth){.held = 0};
    service->rollback = (struct rollback){.generation = 0};
    service->snapshot = (struct snapshot){.bytes = NULL};
    service->review = (struct review_document){.count = 0};
    service->review_stamp = 0;
    service->generations.count = 0;
    services->history_queued -= history_waiting(&service->history);
    history_free(&service->history);
    memset(&service->clients, 0, sizeof(service->clients));
    memset(&service->breaker, 0, sizeof(service->breaker));
    memset(&service->revisions, 0, sizeof(service->revisions));
    memset(&service->releases, 0, sizeof(service->releases));
    service->day = 0;
    service->learned_exchanges = 0;
    service->published_exchanges = 0;
    service->published_ready = false;
    service->damaged = false;
    service->dirty = true;
    service->urgent = true;
    service->by_people = true;
}

enum guard_rc service_forget(struct services *services, struct service *service,
                             struct guard_err *err)
{
    struct guard_pile_cfg cfg = pile_cfg(service);
    struct guard_pile *pile = NULL;
    struct replica kept = service->replica;
    if (services->run != 0 && !replica_publishes(services, service))
        return guard_fail(err, GUARD_E_STATE, "another guardd learns %s: ask there",
                          service->name_text);
    /* Under a new key what is hashed elsewhere can't be found again; others that share the database
     * know the old one. */
    if (services->run == 0 && random_bytes(cfg.key, sizeof(cfg.key)) != GUARD_OK)
        return guard_fail(err, GUARD_E_IO, "no randomness for a key");
    if (services->uplink != NULL)
        return guard_fail(err, GUARD_E_STATE, "the parent learns %s: ask at the root",
                          service->name_text);
    GUARD_TRY(guard_pile_new(&pile, &cfg, err));
    enum guard_rc rc = save_forgotten(services, service, cfg.key, err);
    if (rc != GUARD_OK) {
        guard_pile_free(pile);
        return rc;
    }
    memcpy(service->key, cfg.key, sizeof(service->key));
    /* What came under the old key is gone, too; agents are told of the new one. */
    inbox_saved(&services->inbox, &service->inbox, true, clock_unix_ms());
    drop_learned(services, service, pile);
    service->replica.learns = kept.learns;
    service->replica.session = kept.session;
    service->replica.fence = kept.fence;
    service->replica.role = kept.role;
    return GUARD_OK;
}

/* Gates learn of what was let in when whoever goes on after us knows it, too. */
static void tell_saved(struct service *service)
{
    if (!releases_saved(&service->releases))
        return;
    service->urgent = true;
    service->by_people = true; /* not what was learned */
}

void services_saved(struct services *services)
{
    uint64_t now_ms = clock_unix_ms();
    if (services->inbox.producers != NULL)
        producers_saved(services->inbox.producers);
    told_free(&services->told);
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        bool saved = service->dirty && !service->damaged;
        history_saved(services, service);
        inbox_saved(&services->inbox, &service->inbox,
                    services->run != 0 ? service->replica.whole : saved, now_ms);
        service->stored = service->stored || saved;
        service->delta.committed = service->delta.number;
        bool whole = replica_saved(services, service);
        service->dirty = service->dirty && !whole;
        if (whole && service->releases.changed)
            tell_saved(service);
        if (service->snapshot.bytes == NULL || !whole)
            continue;
        service->generations = service->snapshot.after;
        free(service->snapshot.bytes);
        service->snapshot.bytes = NULL;
    }
}
