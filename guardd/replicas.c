/* SPDX-License-Identifier: Apache-2.0 */
/* What a guardd took in since its last transaction is kept in a pile of its own, the delta, whoever
 * learns: so whoever stops being the learner loses nothing, it feeds the delta to the next one. The
 * numbers of records are given once, for all piles, so that nothing merges twice. */
#include "replicas.h"

#include "service.h"

#include "common/file.h"
#include "common/log.h"

#include <guard/policy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FEEDS_PER_SAVE = 64,
    FOLD_MS = 200,       /* for merging feeds in each transaction, */
    FED_MS = 1000,       /* and between two looks for some, in a root */
    CLAIM_MS = 200,      /* for claims in each tick: the rest comes next */
    UNREAD_MS = 60000,   /* until a pile that this program doesn't read is looked at again */
    ATTEND_MS = 1000,    /* between two ticks */
    KEY_WAIT_MS = 30000, /* so long records wait in their rings for a service's key */
    SOURCES_MAX = 4096,
    POLICY_MAX = 64 << 20,
    /* The last learner may have published so many generations without having saved them. */
    GENERATIONS_SKIPPED = 100,
};

static bool claimed(const struct services *services, const struct service *service)
{
    uint64_t session = store_session(services->store);
    return service->replica.learns && session != 0 && service->replica.session == session;
}

void replicas_roles(struct services *services)
{
    for (uint32_t i = 0; services->run != 0 && i < services->count; i++) {
        struct service *service = services->list[i];
        service->replica.role = !service->replica.learns     ? "follower"
                                : claimed(services, service) ? "learner"
                                                             : "suspended";
    }
}

bool replica_publishes(const struct services *services, const struct service *service)
{
    if (services->run == 0 || claimed(services, service))
        return true;
    /* People are heard also while the database is away. */
    return service->replica.learns && service->urgent && service->by_people;
}

enum guard_rc replica_key(struct services *services, struct guard_span name,
                          uint8_t key[GUARD_KEY_BYTES], struct guard_err *err)
{
    if (services->run == 0)
        return GUARD_OK;
    enum guard_rc rc = store_service_key(services->store, name, key, err);
    if (rc == GUARD_OK)
        services->keys_away_ms = 0;
    else if (services->keys_away_ms == 0)
        services->keys_away_ms = clock_monotonic_ms();
    return rc;
}

bool replica_key_away(const struct services *services, struct guard_span name)
{
    return services->keys_away_ms != 0 && state_service_valid(name) &&
           services->count < SERVICES_MAX;
}

bool replica_key_awaited(struct services *services, struct guard_span name)
{
    bool away = replica_key_away(services, name);
    if (away && clock_monotonic_ms() - services->keys_away_ms < KEY_WAIT_MS) {
        services->keys_told = false;
        return true;
    }
    if (away && !services->keys_told) {
        log_event("alarm", "service-without-key", name, "%s",
                  "the database gives none; its records are counted, and not learned");
        services->keys_told = true;
    }
    return false;
}

static enum guard_rc note_there(void *ctx, const struct store_service *stored)
{
    (void)stored;
    *(bool *)ctx = true;
    return GUARD_OK;
}

void replica_find(struct services *services, struct guard_span name)
{
    bool there = false;
    struct guard_err err;
    if (services->run != 0 && services_find(services, name) == NULL &&
        store_load_service(services->store, name, note_there, &there, &err) == GUARD_OK && there)
        (void)services_get(services, name);
}

void replica_free(struct replica *replica)
{
    guard_pile_free(replica->delta);
    guard_pile_free(replica->sealed);
    free(replica->sources);
    *replica = (struct replica){.learns = false};
}

/* --- taking in --- */

static struct replica_source *source_of(struct replica *replica, const struct guard_source *source)
{
    for (uint32_t i = 0; i < replica->source_count; i++) {
        struct replica_source *known = &replica->sources[i];
        if (known->producer == source->producer && known->incarnation == source->incarnation)
            return known;
    }
    if (replica->source_count == SOURCES_MAX)
        return NULL;
    if (replica->source_count % 16 == 0) {
        size_t room = (replica->source_count + 16) * sizeof(replica->sources[0]);
        struct replica_source *more = realloc(replica->sources, room);
        if (more == NULL)
            return NULL;
        replica->sources = more;
    }
    struct replica_source *added = &replica->sources[replica->source_count++];
    *added = (struct replica_source){source->producer, source->incarnation, 0};
    return added;
}

enum guard_rc replica_observe(struct services *services, struct service *service,
                              struct guard_source *source, struct guard_span record,
                              struct guard_err *err)
{
    struct replica *replica = &service->replica;
    /* Numbers begin anew with each guardd: it can't know how far the last one came. */
    source->incarnation ^= services->run ^ replica->turn;
    struct replica_source *known = source_of(replica, source);
    if (known == NULL)
        return guard_fail(err, GUARD_E_LIMIT, "too many rings");
    source->sequence = known->sequence + 1;
    if (replica->delta == NULL)
        GUARD_TRY(service_new_pile(service, &replica->delta, err));
    GUARD_TRY(guard_pile_observe(replica->delta, source, record, err));
    known->sequence++;
    return replica->learns ? guard_pile_observe(service->pile, source, record, err) : GUARD_OK;
}

/* --- saving --- */

/* A pile that memory ran out for is told by guardd's own, which stops learning. */
static void join_delta(struct service *service)
{
    struct replica *replica = &service->replica;
    struct guard_err err;
    if (replica->sealed == NULL)
        return;
    if (replica->delta != NULL &&
        guard_pile_merge(replica->sealed, replica->delta, NULL, &err) != GUARD_OK)
        log_event("alarm", "records-lost", service->name, "%s", err.text);
    guard_pile_free(replica->delta);
    replica->delta = replica->sealed;
    replica->sealed = NULL;
}

static enum guard_rc take_fed(void *ctx, struct guard_span name)
{
    struct service *service = services_find(ctx, name);
    if (service != NULL)
        service->replica.fed = true;
    return GUARD_OK;
}

enum guard_rc replicas_begin(struct services *services, struct guard_err *err)
{
    if (services->run == 0)
        return GUARD_OK;
    bool done = store_take_outcome(services->store) == STORE_DONE;
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        if (done) {
            guard_pile_free(service->replica.sealed);
            service->replica.sealed = NULL;
            service->history.saving.count = 0;
        } else {
            join_delta(service);
        }
    }
    uint64_t now = clock_unix_ms();
    services->fold_until_ms = now + FOLD_MS;
    /* A root commits five times a second. */
    if (services->role == TREE_SERVICE && now >= services->fed_ms &&
        now - services->fed_ms < FED_MS)
        return GUARD_OK;
    services->fed_ms = now;
    for (uint32_t i = 0; i < services->count; i++)
        services->list[i]->replica.fed = false;
    return store_list_fed(services->store, take_fed, services, err);
}

void replicas_unsaved(struct services *services)
{
    told_free(&services->told);
    for (uint32_t i = 0; services->run != 0 && i < services->count; i++) {
        struct service *service = services->list[i];
        if (!service->replica.learns)
            inbox_drop(&services->inbox, &service->inbox);
    }
}

struct folding {
    struct service *service;
    struct store_feed done[FEEDS_PER_SAVE];
    char nodes[FEEDS_PER_SAVE][NODE_NAME_CAP];
    uint32_t count;
    uint32_t seen;
    uint64_t until_ms;
};

static enum guard_rc fold(void *ctx, const struct store_feed *feed)
{
    struct folding *folding = ctx;
    struct service *service = folding->service;
    struct guard_pile_cfg cfg = {.alloc = heap_alloc(), .service = service->name};
    struct guard_pile *pile = NULL;
    struct guard_err err;
    folding->seen++;
    if (folding->count == FEEDS_PER_SAVE || feed->node.len >= NODE_NAME_CAP ||
        clock_unix_ms() >= folding->until_ms)
        return GUARD_OK;
    memcpy(cfg.key, service->key, GUARD_KEY_BYTES);
    enum guard_rc rc = guard_pile_decode(&pile, &cfg, feed->pile, &err);
    if (rc == GUARD_OK)
        rc = guard_pile_merge(service->pile, pile, NULL, &err);
    guard_pile_free(pile);
    if (rc == GUARD_E_NOMEM)
        return rc;
    if (rc != GUARD_OK)
        log_event("alarm", "feed-refused", service->name, "of %.*s: %s", (int)feed->node.len,
                  (const char *)feed->node.ptr, err.text);
    char *node = folding->nodes[folding->count];
    memcpy(node, feed->node.ptr, feed->node.len);
    folding->done[folding->count++] =
        (struct store_feed){.service = service->name,
                            .node = {(const uint8_t *)node, feed->node.len},
                            .number = feed->number};
    return GUARD_OK;
}

/* What is merged is marked, and dropped in the transaction that saves the pile; after one that
 * failed, and by the next learner, it is merged again, which changes nothing. */
static enum guard_rc fold_feeds(struct services *services, struct service *service,
                                struct guard_err *err)
{
    struct folding *folding = calloc(1, sizeof(*folding));
    if (folding == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for feeds");
    folding->service = service;
    folding->until_ms = services->fold_until_ms;
    enum guard_rc rc = store_list_feeds(services->store, service->name, service->replica.fence,
                                        fold, folding, err);
    if (rc == GUARD_E_NOMEM)
        (void)guard_fail(err, rc, "no memory for feeds");
    for (uint32_t i = 0; rc == GUARD_OK && i < folding->count; i++)
        rc = store_take_feed(services->store, &folding->done[i], service->replica.fence, err);
    service->inbox.stored += folding->count;
    /* A root saves the pile now and then, as if they had come to itself. */
    if (services->role != TREE_SERVICE)
        service->dirty = service->dirty || folding->count > 0;
    else if (folding->count > 0)
        service_merged(service);
    service->replica.fed = folding->seen > folding->count || folding->seen == FEEDS_PER_SAVE;
    services->inbox.open =
        services->inbox.open || (service->replica.fed && services->role == TREE_SERVICE);
    free(folding);
    return rc;
}

static enum guard_rc save_policy(struct services *services, struct service *service,
                                 struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (service->generation == service->replica.stored || service->published_ms == 0 ||
        state_path(path, services->state, "policies", service->name, ".policy") != GUARD_OK ||
        file_read(path, POLICY_MAX, &bytes, &len, NULL) != GUARD_OK)
        return GUARD_OK;
    enum guard_rc rc =
        store_save_policy(services->store, service->name, service->generation,
                          (struct guard_span){bytes, len}, service->published_ready, err);
    free(bytes);
    if (rc == GUARD_OK)
        service->replica.stored = service->generation;
    return rc;
}

static void seal(struct replica *replica)
{
    replica->sealed = replica->delta;
    replica->delta = NULL;
}

static enum guard_rc feed(struct services *services, struct service *service, struct guard_err *err)
{
    struct replica *replica = &service->replica;
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (replica->delta == NULL)
        return GUARD_OK;
    enum guard_rc rc = guard_pile_encode(replica->delta, &bytes, &len, err);
    if (rc == GUARD_E_STATE) {
        log_event("alarm", "records-lost", service->name, "%s", err->text);
        guard_pile_free(replica->delta);
        replica->delta = NULL;
        return GUARD_OK;
    }
    GUARD_TRY(rc);
    struct store_feed feed = {
        .service = service->name, .number = ++services->feeds, .pile = {bytes, len}};
    rc = store_save_feed(services->store, &feed, err);
    free(bytes);
    if (rc == GUARD_OK)
        seal(replica);
    return rc;
}

/* What it took in since the last transaction, for the learner. */
static enum guard_rc feed_all(struct services *services, struct service *service,
                              struct guard_err *err)
{
    GUARD_TRY(feed(services, service, err));
    return inbox_feed(services, service, 0, err);
}

static void step_down(struct service *service, const char *why)
{
    if (service->replica.learns)
        log_event("warn", "learner-replaced", service->name, "%s", why);
    service->replica.learns = false;
    service->replica.session = 0;
    free(service->snapshot.bytes);
    service->snapshot.bytes = NULL;
}

enum guard_rc replica_save(struct services *services, struct service *service,
                           struct guard_err *err)
{
    if (service->damaged)
        step_down(service, "memory ran out"); /* the next claim reads what is stored */
    service->replica.whole = false;
    if (!claimed(services, service))
        return feed_all(services, service, err);
    bool folds = inbox_folds(&service->inbox, clock_unix_ms());
    if (!service->dirty && !service->replica.fed && !folds && service->inbox.count == 0 &&
        !service->releases.changed)
        return GUARD_OK;
    enum guard_rc rc = store_confirm(services->store, service->name, service->replica.fence, err);
    if (rc == GUARD_E_STATE) {
        step_down(service, "another guardd became the learner");
        return feed_all(services, service, err);
    }
    GUARD_TRY(rc);
    if (service->replica.fed)
        GUARD_TRY(fold_feeds(services, service, err));
    if (!service->dirty && !folds)
        return inbox_feed(services, service, service->replica.fence, err);
    GUARD_TRY(service_save_whole(services, service, err));
    GUARD_TRY(store_drop_taken(services->store, service->name, service->replica.fence, err));
    GUARD_TRY(save_policy(services, service, err));
    seal(&service->replica);
    service->replica.whole = true;
    return GUARD_OK;
}

bool replica_saved(const struct services *services, struct service *service)
{
    if (services->run == 0)
        return true;
    guard_pile_free(service->replica.sealed);
    service->replica.sealed = NULL;
    return service->replica.whole;
}

/* --- claiming --- */

static enum guard_rc take_whole(void *ctx, const struct store_service *stored)
{
    struct service *service = ctx;
    struct guard_pile_cfg cfg = {.alloc = heap_alloc(), .service = service->name};
    struct guard_pile *pile = NULL;
    struct guard_err err;
    enum guard_rc rc;
    memcpy(cfg.key, service->key, GUARD_KEY_BYTES);
    if (stored->pile.len > 0)
        rc = guard_pile_decode(&pile, &cfg, stored->pile, &err);
    else
        rc = guard_pile_new(&pile, &cfg, &err);
    if (rc == GUARD_E_VERSION) /* not damaged, and others can read it */
        log_event("alarm", "pile-not-read", service->name,
                  "%s: what was learned stays with guardds that do", err.text);
    else if (rc != GUARD_OK && rc != GUARD_E_NOMEM) {
        log_event("alarm", "pile-damaged", service->name, "%s: learning starts anew", err.text);
        rc = guard_pile_new(&pile, &cfg, &err);
    }
    GUARD_TRY(rc);
    if (service->replica.delta != NULL)
        rc = guard_pile_merge(pile, service->replica.delta, NULL, &err);
    if (rc == GUARD_OK)
        rc = inbox_merge_again(service, pile, &err);
    if (rc != GUARD_OK) {
        guard_pile_free(pile);
        return rc;
    }
    guard_pile_free(service->pile);
    service->pile = pile;
    if (stored->generation > service->generation)
        service->generation = stored->generation;
    return GUARD_OK;
}

/* The stored pile, and what this guardd has taken in besides, becomes the one to go on with. */
static bool take_over(struct services *services, struct service *service, uint64_t fence)
{
    struct guard_err err;
    struct guard_pile_stats stats;
    enum guard_rc rc =
        store_load_service(services->store, service->name, take_whole, service, &err);
    if (rc != GUARD_OK) {
        log_event("alarm", "not-taken-over", service->name, "%s", guard_rc_name(rc));
        if (rc == GUARD_E_VERSION)
            service->replica.unread_ms = clock_monotonic_ms();
        return false;
    }
    /* What it fed isn't in that pile yet: a number behind it would hold that for merged. */
    service->replica.turn = fence * UINT64_C(0x9e3779b97f4a7c15);
    service->replica.source_count = 0;
    service->generations.count = 0;
    service_load_rest(services, service);
    if (fence > 1)
        service->generation += GENERATIONS_SKIPPED;
    guard_model_free(service->model);
    service->model = NULL;
    service->learned_exchanges = 0;
    service->damaged = false;
    service->dirty = true;
    service->urgent = true;
    guard_pile_stats(service->pile, &stats);
    log_event("info", "learner", service->name, "from %llu exchanges on, fence %llu",
              (unsigned long long)stats.exchanges, (unsigned long long)fence);
    return true;
}

/* False: the database is away. */
static bool claim(struct services *services, struct service *service)
{
    struct replica *replica = &service->replica;
    struct guard_err err;
    uint64_t fence = 0;
    if (replica->unread_ms != 0 && clock_monotonic_ms() - replica->unread_ms < UNREAD_MS)
        return true;
    if (store_claim(services->store, service->name, &fence, &err) != GUARD_OK)
        return false;
    if (fence == 0) {
        step_down(service, "another guardd became the learner meanwhile");
        return true;
    }
    /* Nobody was it in between: the store has nothing that this pile hasn't. */
    bool held = replica->learns && fence == replica->fence + 1;
    replica->fence = fence;
    replica->session = store_session(services->store);
    replica->learns = held || take_over(services, service, fence);
    if (!replica->learns)
        replica->session = 0;
    return true;
}

/* --- what the learner published --- */

static uint64_t generation_of(const struct services *services, const struct service *service,
                              struct guard_span bytes, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_policy *policy = NULL;
    struct guard_policy_info info;
    if (guard_policy_load(&policy, &heap, bytes, service->name, services->signing->public_key,
                          err) != GUARD_OK)
        return 0;
    guard_policy_info(policy, &info);
    guard_policy_unref(policy);
    return info.generation;
}

struct taking_policy {
    struct services *services;
    struct service *service;
};

static enum guard_rc put_in_place(void *ctx, struct guard_span bytes, struct guard_err *err)
{
    struct taking_policy *taking = ctx;
    struct services *services = taking->services;
    struct service *service = taking->service;
    char path[STATE_PATH_MAX];
    uint8_t *old = NULL;
    size_t len = 0;
    uint64_t before = 0;
    uint64_t generation = generation_of(services, service, bytes, err);
    if (generation == 0)
        return GUARD_E_FOREIGN;
    if (state_path(path, services->state, "policies", service->name, ".policy") != GUARD_OK)
        return GUARD_E_LIMIT;
    if (file_read(path, POLICY_MAX, &old, &len, NULL) == GUARD_OK)
        before = generation_of(services, service, (struct guard_span){old, len}, NULL);
    free(old);
    if (generation > before) {
        GUARD_TRY(file_replace(path, bytes, 0640, true, err));
        uint8_t *copy = malloc(bytes.len);
        if (copy != NULL) {
            memcpy(copy, bytes.ptr, bytes.len);
            clients_follow(services, service, copy, bytes.len);
        }
    }
    service->generation = generation > before ? generation : before;
    service->replica.published = generation;
    service->replica.offered = service->generation;
    return GUARD_OK;
}

static void follow(struct services *services, struct service *service, uint64_t generation)
{
    struct taking_policy taking = {services, service};
    struct guard_err err = {.text = ""};
    if (generation == 0 || generation == service->replica.published ||
        generation == service->replica.refused)
        return;
    enum guard_rc rc =
        store_load_policy(services->store, service->name, put_in_place, &taking, &err);
    if (rc == GUARD_OK)
        service_load_generations(services, service);
    if (rc == GUARD_OK || store_session(services->store) == 0)
        return;
    service->replica.refused = generation;
    if (!service->replica.foreign)
        log_event("alarm", "policy-not-taken", service->name,
                  "%s; guardds that share a database need the same keys/policy.key", err.text);
    service->replica.foreign = true;
}

/* --- the tick --- */

struct listing {
    struct services *services;
    struct {
        char name[SERVICE_NAME_CAP];
        uint64_t generation;
        bool ready;
    } * list;
    uint32_t count;
};

static enum guard_rc note_service(void *ctx, const struct store_policy *policy)
{
    struct listing *listing = ctx;
    if (listing->count == SERVICES_MAX || !state_service_valid(policy->service))
        return GUARD_OK;
    snprintf(listing->list[listing->count].name, SERVICE_NAME_CAP, "%.*s", (int)policy->service.len,
             (const char *)policy->service.ptr);
    listing->list[listing->count].ready = policy->ready;
    listing->list[listing->count++].generation = policy->generation;
    return GUARD_OK;
}

static bool attend(struct services *services, const char *name, uint64_t generation, bool ready)
{
    struct guard_span span = {(const uint8_t *)name, strlen(name)};
    struct service *service = services_find(services, span);
    if (service == NULL)
        service = services_get(services, span); /* another guardd found it */
    if (service == NULL)
        return store_session(services->store) != 0;
    if (!claimed(services, service) && !claim(services, service))
        return false;
    service->replica.ready = ready;
    if (!service->replica.learns)
        follow(services, service, generation);
    return true;
}

void replicas_tick(struct services *services)
{
    struct listing listing = {.services = services};
    struct guard_err err;
    uint64_t begin = clock_unix_ms();
    if (services->run == 0 || store_session(services->store) == 0 ||
        (begin >= services->attended_ms && begin - services->attended_ms < ATTEND_MS))
        return;
    services->attended_ms = begin;
    if (services->role == TREE_SERVICE)
        told_tick(services, begin);
    listing.list = calloc(SERVICES_MAX, sizeof(listing.list[0]));
    if (listing.list == NULL ||
        store_list_policies(services->store, note_service, &listing, &err) != GUARD_OK)
        listing.count = 0;
    for (uint32_t i = 0; i < listing.count; i++) {
        uint32_t at = (services->attended + i) % listing.count;
        uint64_t now = clock_unix_ms();
        if (now < begin || now - begin > CLAIM_MS) {
            services->attended = at; /* the rest comes first next time */
            break;
        }
        if (!attend(services, listing.list[at].name, listing.list[at].generation,
                    listing.list[at].ready))
            break;
    }
    free(listing.list);
    documents_tick(services);
}
