/* SPDX-License-Identifier: Apache-2.0 */
/* Every operator follows the objects; the one that holds the Lease acts on them. */
#include "operator.h"

#include "canary.h"
#include "parts.h"

#include "guardd/alerts.h"

#include "common/document_members.h"
#include "common/kubernetes/moment.h"
#include "common/log.h"

#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    RELEASE_MS = 5000,
    APART_MS = 2 * LEASE_MS, /* longer than one takes over from another */
};

static const struct guard_span no_service = {NULL, 0};
static const char *const paths[INFORMED] = {
    OPERATOR_API "/guardians",
    OPERATOR_API "/guardiandefaults",
    OPERATOR_API "/clusterguardians",
};

void operator_worked(struct cluster_operator *cluster)
{
    if (cluster->trim_ms == 0)
        cluster->trim_ms = clock_monotonic_ms() + OPERATOR_TRIM_MS;
}

/* --- what is followed --- */

static void all_dirty(struct cluster_operator *cluster)
{
    struct objects *guardians = &cluster->followed[INFORMED_GUARDIANS].objects;
    for (uint32_t i = 0; i < guardians->count; i++)
        guardians->list[i]->dirty = true;
}

static void end_list(struct following *following)
{
    for (uint32_t i = 0; i < following->objects.count; i++) {
        struct object *object = following->objects.list[i];
        if (object->listed || !object->there)
            continue;
        objects_gone(&following->objects, object);
        if (following->kind != INFORMED_GUARDIANS)
            all_dirty(following->cluster);
    }
}

static void take_object(struct following *following, const struct document_node *node, bool gone)
{
    const struct document_node *metadata = member_of(node, "metadata");
    if (metadata == NULL || metadata->kind != DOCUMENT_MAPPING)
        return;
    const char *namespace = text_of(metadata, "namespace");
    const char *name = text_of(metadata, "name");
    bool changed = false;
    if (gone) {
        struct object *object = objects_find(&following->objects, namespace, name);
        changed = object != NULL && object->there;
        if (changed)
            objects_gone(&following->objects, object);
    } else {
        struct object *object = objects_get(&following->objects, namespace, name);
        changed = object != NULL && objects_take(&following->objects, object, node);
        if (object == NULL && following->objects.left_out != following->left_out)
            log_event("alarm", "guardian-left-out", no_service,
                      "%s/%s: there are more than %d, or more than %d beyond its namespace's %d",
                      namespace, name, (int)OBJECTS_MAX, (int)OBJECTS_TOLD, (int)OBJECTS_SHARE);
        following->left_out = following->objects.left_out;
    }
    following->cluster->changed = following->cluster->changed || changed;
    if (changed && following->kind != INFORMED_GUARDIANS)
        all_dirty(following->cluster);
}

static void take(void *ctx, enum informer_change change, const struct document_node *node)
{
    struct following *following = ctx;
    operator_worked(following->cluster);
    if (change == INFORMER_LISTING) {
        for (uint32_t i = 0; i < following->objects.count; i++)
            following->objects.list[i]->listed = false;
    } else if (change == INFORMER_LISTED) {
        end_list(following);
    } else {
        take_object(following, node, change == INFORMER_GONE);
    }
}

static void on_alert(void *ctx, struct guard_span service, bool blocked, uint64_t count)
{
    struct cluster_operator *cluster = ctx;
    struct object *object =
        objects_of_service(&cluster->followed[INFORMED_GUARDIANS].objects, service);
    if (object == NULL)
        return;
    object->alerts += count;
    if (blocked)
        object->events[EVENT_BLOCKED].due += count;
}

/* --- life --- */

static enum guard_rc name_us(struct lease *lease, struct guard_err *err)
{
    char host[128] = "guardd";
    uint64_t number = 0;
    if (random_bytes(&number, sizeof(number)) != GUARD_OK)
        return guard_fail(err, GUARD_E_IO, "no randomness for a name");
    (void)gethostname(host, sizeof(host) - 1);
    snprintf(lease->identity, sizeof(lease->identity), "%.100s_%016" PRIx64, host, number);
    return GUARD_OK;
}

static enum guard_rc open_parts(struct cluster_operator *cluster, const char *where,
                                struct guard_err *err)
{
    GUARD_TRY(kubernetes_config_load(&cluster->config, where, err));
    GUARD_TRY(api_client_open(&cluster->client, &cluster->config,
                              "guardd/" GUARD_VERSION " (linux)", err));
    GUARD_TRY(name_us(&cluster->lease, err));
    cluster->lease.client = cluster->client;
    cluster->lease.namespace = cluster->config.namespace;
    cluster->lease.name = OPERATOR_LEASE;
    for (int kind = 0; kind < INFORMED; kind++) {
        struct following *following = &cluster->followed[kind];
        following->cluster = cluster;
        following->kind = (enum informed)kind;
        following->informer = (struct informer){
            .client = cluster->client, .path = paths[kind], .take = take, .ctx = following};
    }
    return GUARD_OK;
}

static void set_leading(struct cluster_operator *cluster, bool leads)
{
    cluster->leads = leads;
    cluster->since_ms = clock_monotonic_ms();
    for (int kind = 0; kind < INFORMED; kind++)
        cluster->followed[kind].objects.recalls = !leads;
}

static bool wakes(const struct cluster_operator *cluster, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(cluster->wake_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

enum guard_rc operator_open(struct cluster_operator **out, const char *where,
                            const struct operator_pace *pace, struct services *services,
                            struct alerts *alerts, struct guard_err *err)
{
    struct cluster_operator *cluster = calloc(1, sizeof(*cluster));
    if (cluster == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for the operator");
    cluster->pace = *pace;
    cluster->services = services;
    cluster->wake_fd = epoll_create1(EPOLL_CLOEXEC);
    set_leading(cluster, false);
    enum guard_rc rc = open_parts(cluster, where, err);
    if (rc == GUARD_OK)
        rc = canaries_open(&cluster->canaries, cluster, err);
    if (rc == GUARD_OK && (!wakes(cluster, api_client_fd(cluster->client)) ||
                           !wakes(cluster, canaries_fd(cluster->canaries))))
        rc = guard_fail(err, GUARD_E_IO, "the operator can't be set up");
    if (rc != GUARD_OK) {
        operator_close(cluster);
        return rc;
    }
    cluster->alerts = alerts;
    alerts->heard = on_alert;
    alerts->heard_ctx = cluster;
    *out = cluster;
    return GUARD_OK;
}

static void await_lease(struct cluster_operator *cluster, uint64_t begin_ms)
{
    while (cluster->lease.busy && clock_monotonic_ms() - begin_ms < RELEASE_MS) {
        struct pollfd wake = {.fd = api_client_fd(cluster->client), .events = POLLIN};
        (void)poll(&wake, 1, (int)api_client_wait_ms(cluster->client, 100));
        api_client_run(cluster->client);
    }
}

/* A renewal may be under way: only what it answers can be given up. */
static void release(struct cluster_operator *cluster)
{
    uint64_t begin = clock_monotonic_ms();
    await_lease(cluster, begin);
    lease_release(&cluster->lease, clock_monotonic_ms());
    await_lease(cluster, begin);
}

void operator_close(struct cluster_operator *cluster)
{
    if (cluster == NULL)
        return;
    if (cluster->alerts != NULL)
        cluster->alerts->heard = NULL;
    if (cluster->client != NULL)
        release(cluster);
    api_client_close(cluster->client);
    canaries_close(cluster->canaries);
    for (int kind = 0; kind < INFORMED; kind++) {
        informer_close(&cluster->followed[kind].informer);
        objects_free(&cluster->followed[kind].objects);
    }
    kubernetes_config_free(&cluster->config);
    if (cluster->wake_fd >= 0)
        close(cluster->wake_fd);
    free(cluster);
}

/* --- its turn --- */

static bool is_synced(const struct cluster_operator *cluster)
{
    bool synced = true;
    for (int kind = 0; kind < INFORMED; kind++)
        synced = synced && cluster->followed[kind].informer.synced;
    return synced;
}

/* What objects came to is told by whoever leads now; what reached us alone waits until we do. */
static void leave_to_others(struct cluster_operator *cluster)
{
    struct objects *guardians = &cluster->followed[INFORMED_GUARDIANS].objects;
    for (uint32_t i = 0; i < guardians->count; i++) {
        guardians->list[i]->events[EVENT_REFUSED].due = 0;
        guardians->list[i]->events[EVENT_PATH].due = 0;
    }
    canaries_stop(cluster->canaries);
}

/* What was written before a change of leaders isn't known any more. It is told when it is known
 * what objects came to here. */
static void begin_leading(struct cluster_operator *cluster)
{
    uint64_t settled = clock_monotonic_ms() + OBJECT_SETTLE_MS;
    for (int kind = 0; kind < INFORMED; kind++) {
        struct objects *objects = &cluster->followed[kind].objects;
        for (uint32_t i = 0; i < objects->count; i++) {
            objects->list[i]->written = 0;
            objects->list[i]->settle_ms = settled;
        }
    }
    all_dirty(cluster);
}

static void note_leading(struct cluster_operator *cluster, bool leads)
{
    if (leads == cluster->leads)
        return;
    set_leading(cluster, leads);
    log_event("info", leads ? "operator-leads" : "operator-follows", no_service, "%s",
              cluster->lease.identity);
    if (leads)
        begin_leading(cluster);
    else
        leave_to_others(cluster);
}

static void note_trouble(struct cluster_operator *cluster)
{
    const char *failure = cluster->lease.failure;
    for (int kind = 0; kind < INFORMED && failure[0] == '\0'; kind++) {
        if (cluster->followed[kind].informer.failures > 2)
            failure = cluster->followed[kind].informer.failure;
    }
    bool trouble = failure[0] != '\0';
    if (trouble != cluster->told)
        log_event(trouble ? "alarm" : "info", trouble ? "cluster-away" : "cluster-back", no_service,
                  "%s", failure);
    cluster->told = trouble;
}

/* What several learn apart from one another, and sign each by a key of its own, is of no use to
 * gates: that is no way to have more than one. */
static void note_apart(struct cluster_operator *cluster, uint64_t now_ms)
{
    const struct lease *lease = &cluster->lease;
    if (cluster->apart || cluster->leads || now_ms - cluster->since_ms < APART_MS ||
        lease->holder[0] == '\0' || strcmp(lease->holder, lease->identity) == 0 ||
        store_shared(cluster->services->store))
        return;
    cluster->apart = true;
    log_event("alarm", "operator-apart", no_service,
              "%s leads, and this guardd's store is its own: several need one PostgreSQL (--store) "
              "and the same keys/policy.key",
              lease->holder);
}

/* Where room came for what was beyond a namespace's share, that is asked for again. */
static void follow(struct following *following, uint64_t mono_ms)
{
    if (following->objects.waiting && mono_ms >= following->relist_ms) {
        following->objects.waiting = false;
        following->relist_ms = mono_ms + OPERATOR_RELIST_MS;
        informer_relist(&following->informer);
    }
    informer_tick(&following->informer, mono_ms);
}

/* Lists, merges and writes leave holes between what stays, which the heap would keep: as much again
 * as a thousand Guardians take. */
static void give_back(struct cluster_operator *cluster, uint64_t now_ms)
{
    if (cluster->trim_ms == 0 || now_ms < cluster->trim_ms || cluster->more)
        return;
    (void)malloc_trim(0);
    cluster->trim_ms = 0;
}

bool operator_run(struct cluster_operator *cluster)
{
    uint64_t now = clock_monotonic_ms();
    if (!lease_held(&cluster->lease, now)) /* we may have stood still with what we had begun */
        api_client_revoke(cluster->client);
    api_client_run(cluster->client);
    now = clock_monotonic_ms();
    for (int kind = 0; kind < INFORMED; kind++)
        follow(&cluster->followed[kind], now);
    lease_tick(&cluster->lease, now);
    bool leads = lease_held(&cluster->lease, now);
    canaries_tick(cluster->canaries, cluster->leads && leads && is_synced(cluster), now);
    return leads != cluster->leads || cluster->changed;
}

bool operator_tick(struct cluster_operator *cluster)
{
    if (cluster == NULL)
        return false;
    (void)operator_run(cluster);
    uint64_t now = clock_monotonic_ms();
    note_trouble(cluster);
    note_apart(cluster, now);
    note_leading(cluster, lease_held(&cluster->lease, now));
    give_back(cluster, now);
    cluster->more = cluster->changed = false;
    if (!cluster->leads || !is_synced(cluster))
        return false;
    operator_check_defaults(cluster);
    operator_reconcile(cluster);
    if (lease_held(&cluster->lease, clock_monotonic_ms()))
        operator_report(cluster, now);
    return cluster->more;
}

int operator_fd(const struct cluster_operator *cluster)
{
    return cluster != NULL ? cluster->wake_fd : -1;
}

uint32_t operator_wait_ms(const struct cluster_operator *cluster, uint32_t max)
{
    if (cluster == NULL)
        return max;
    return canaries_wait_ms(cluster->canaries, api_client_wait_ms(cluster->client, max));
}
