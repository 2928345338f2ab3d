/* SPDX-License-Identifier: Apache-2.0 */
/* guardd: one thread that reads rings, learns, saves, publishes and writes alerts, by a clock of
 * its own; or does a part of it, and leaves the rest to a parent. */
#include "alert_series.h"
#include "api/server.h"
#include "expiries.h"
#include "forget.h"
#include "gates.h"
#include "intake.h"
#include "node.h"
#include "operator/operator.h"
#include "options.h"
#include "outputs.h"
#include "patterns.h"
#include "pods/intake.h"
#include "pods/sense.h"
#include "proposals.h"
#include "retention.h"
#include "status.h"
#include "tasks.h"

#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    SCAN_MS = 500,
    SAVE_MS = 2000,
    STATUS_MS = 500,
    RECORDS_PER_TICK = 20000,
    INTAKE_MS = 100,      /* at most for them: costly ones must not keep piles from being saved */
    TASK_MS = 10 * 60000, /* at most for a task */
    STOP_MS = 2000,       /* at most for what still lies in the rings: their writers go on */
    DRAIN_MS = 10000,     /* and for what lies in the spool */
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

struct daemon {
    struct daemon_cfg cfg;
    struct signing_key signing;
    struct store *store;
    struct services services;
    struct alerts alerts;
    struct outputs outputs;
    struct intake intake;
    uint64_t scanned_ms, saved_ms, status_ms;
    bool save_failed;
    struct api_saves saves;
    int lock;
    struct forgetting forgetting;
    struct retention retention;
    struct patterns patterns;
    struct proposals proposals;
    struct server *server;            /* NULL: there is no API */
    struct cluster_operator *cluster; /* NULL: there is none */
    struct sense *sense;              /* NULL: no pod is watched */
    struct pod_intake *pods;          /* NULL: no records of pods are taken in */
};

static const struct guard_span no_service = {NULL, 0};

/* One guardd per state directory: two would publish against each other. */
static enum guard_rc take_lock(struct daemon *daemon, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    if (state_path(path, daemon->cfg.state, "", no_service, "guardd.lock") != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", daemon->cfg.state);
    daemon->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (daemon->lock < 0)
        return guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(errno));
    if (flock(daemon->lock, LOCK_EX | LOCK_NB) != 0)
        return guard_fail(err, GUARD_E_STATE, "%s: another guardd uses this directory", path);
    return GUARD_OK;
}

/* Its place in the tree. Before the services are loaded: what they have depends on it. */
static enum guard_rc start_tree(struct daemon *daemon, struct guard_err *err)
{
    struct services *services = &daemon->services;
    services->role = daemon->cfg.tree.role;
    services->report_ms = daemon->cfg.tree.report_ms;
    if (daemon->cfg.tree.role == TREE_STANDALONE)
        return GUARD_OK;
    if (services->run != 0 && tree_has_parent(daemon->cfg.tree.role))
        return guard_fail(err, GUARD_E_RANGE,
                          "--role %s needs a store of its own, in SQLite, and --store is shared: "
                          "what it still has to send lies in its state directory, which no other "
                          "guardd has",
                          tree_role_name(daemon->cfg.tree.role));
    GUARD_TRY(store_durable(daemon->store, err));
    if (tree_has_parent(daemon->cfg.tree.role)) {
        GUARD_TRY(
            spool_open(&services->spool, daemon->cfg.state, daemon->cfg.tree.spool_bytes, err));
        GUARD_TRY(uplink_new(&services->uplink, services, &daemon->cfg.tree, err));
    }
    return tree_has_children(daemon->cfg.tree.role)
               ? inbox_open(&services->inbox, daemon->store, daemon->cfg.tree.whole_piles, err)
               : GUARD_OK;
}

static enum guard_rc open_key(struct daemon *daemon, struct guard_err *err)
{
    if (!tree_has_services(daemon->cfg.tree.role)) /* it signs nothing and verifies nothing */
        return GUARD_OK;
    return tree_has_parent(daemon->cfg.tree.role)
               ? policy_key_open(&daemon->signing, daemon->cfg.state, daemon->cfg.tree.policy_key,
                                 err)
               : signing_key_open(&daemon->signing, daemon->cfg.state, daemon->cfg.signing_key,
                                  err);
}

static enum guard_rc start(struct daemon *daemon, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    char node[NODE_NAME_CAP];
    bool damaged = false;
    daemon->lock = -1;
    GUARD_TRY(state_prepare(daemon->cfg.state, err));
    GUARD_TRY(take_lock(daemon, err));
    patterns_open(&daemon->patterns, daemon->cfg.state); /* gates look for both keys at once */
    GUARD_TRY(open_key(daemon, err));
    if (state_path(path, daemon->cfg.state, "", no_service, "guard.db") != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", daemon->cfg.state);
    GUARD_TRY(node_name(node, daemon->cfg.state, err));
    GUARD_TRY(store_open(&daemon->store, daemon->cfg.store != NULL ? daemon->cfg.store : path, node,
                         &damaged, err));
    if (damaged)
        log_event("alarm", "store-damaged", no_service, "%s was put aside; learning starts anew",
                  path);
    daemon->services.state = daemon->cfg.state;
    if (daemon->cfg.pod != NULL)
        GUARD_TRY(pod_self_read(&daemon->services.pod_self, daemon->cfg.pod, err));
    daemon->services.release_window_ms = daemon->cfg.release_window_ms;
    daemon->services.policy_valid_ms = daemon->cfg.policy_valid_ms;
    daemon->retention.keep_ms = daemon->cfg.keep_ms;
    daemon->retention.keep_bytes = daemon->cfg.keep_bytes;
    daemon->services.signing = &daemon->signing;
    daemon->services.store = daemon->store;
    if (store_shared(daemon->store) &&
        random_bytes(&daemon->services.run, sizeof(daemon->services.run)) != GUARD_OK)
        return guard_fail(err, GUARD_E_IO, "no randomness");
    daemon->services.run |= store_shared(daemon->store); /* 0 has a meaning */
    daemon->services.feeds = daemon->services.run << 20;
    const struct guard_alloc heap = heap_alloc();
    if (guard_client_places_new(&daemon->services.places, &heap, GUARD_CLIENT_PLACES) != GUARD_OK)
        log_event("alarm", "clients-not-counted", no_service, "%s", "no memory");
    daemon->services.alerts = &daemon->alerts;
    GUARD_TRY(start_tree(daemon, err));
    GUARD_TRY(services_load(&daemon->services, err));
    GUARD_TRY(alerts_open(&daemon->alerts, daemon->cfg.state, err));
    alerts_restore(&daemon->alerts, daemon->cfg.state);
    outputs_open(&daemon->outputs, daemon->cfg.state, &daemon->alerts);
    daemon->intake.state = daemon->cfg.state;
    daemon->intake.store = daemon->store;
    daemon->intake.services = &daemon->services;
    daemon->intake.alerts = &daemon->alerts;
    uplink_want_listed(daemon->services.uplink, daemon->cfg.tree.follow);
    return daemon->cfg.kubernetes != NULL && daemon->cfg.task == NULL
               ? operator_open(&daemon->cluster, daemon->cfg.kubernetes, &daemon->cfg.operator_pace,
                               &daemon->services, &daemon->alerts, err)
               : GUARD_OK;
}

/* Each child waits on a connection of its own. */
static uint32_t connections_wanted(const struct daemon *daemon)
{
    enum { OF_CHILDREN = 8192, OTHERS = 1024 };
    struct rlimit limit;
    if (!tree_has_children(daemon->cfg.tree.role) || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    rlim_t wanted = OF_CHILDREN + OTHERS;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < 2 * OTHERS)
        return 0;
    return limit.rlim_cur >= wanted ? OF_CHILDREN : (uint32_t)(limit.rlim_cur - OTHERS);
}

/* Without it guardd does its work all the same, but who is told to ask a cluster. */
static bool open_api(struct daemon *daemon)
{
    struct guard_err err;
    const struct api_view view = {.state = daemon->cfg.state,
                                  .token_reviews = daemon->cfg.token_reviews,
                                  .token_keep_ms = daemon->cfg.token_keep_ms,
                                  .node_agents = daemon->cfg.node_agents,
                                  .access_reviews = daemon->cfg.access_reviews,
                                  .access_keep_ms = daemon->cfg.access_keep_ms,
                                  .services = &daemon->services,
                                  .connections = connections_wanted(daemon),
                                  .intake = &daemon->intake,
                                  .alerts = &daemon->alerts,
                                  .outputs = &daemon->outputs,
                                  .proposals = &daemon->proposals,
                                  .save_failed = &daemon->save_failed,
                                  .saves = &daemon->saves,
                                  .started_ms = clock_unix_ms()};
    if (daemon->cfg.api && server_open(&daemon->server, &view, daemon->cfg.api_group,
                                       daemon->cfg.api_front, &err) != GUARD_OK)
        log_event("alarm", "api-not-served", no_service, "%s", err.text);
    return daemon->server != NULL ||
           (daemon->cfg.token_reviews == NULL && daemon->cfg.access_reviews == NULL);
}

/* Without it guardd does its work all the same. */
static void open_sense(struct daemon *daemon)
{
    struct guard_err err;
    if (daemon->cfg.pod_sensor != NULL &&
        sense_open(&daemon->sense, daemon->cfg.pod_sensor, daemon->cfg.state, &daemon->services,
                   &daemon->alerts, &err) != GUARD_OK)
        log_event("alarm", "pod-not-watched", no_service, "%s", err.text);
}

/* Without it guardd does its work all the same. */
static void open_pods(struct daemon *daemon)
{
    struct guard_err err;
    if (pod_intake_open(&daemon->pods, &daemon->services, daemon->cfg.pod_orders, clock_unix_ms(),
                        &err) != GUARD_OK)
        log_event("alarm", "pods-not-learned", no_service, "%s", err.text);
}

static enum guard_rc save_all(struct daemon *daemon, struct guard_err *err)
{
    GUARD_TRY(store_begin(daemon->store, err));
    enum guard_rc rc = services_save(&daemon->services, err);
    if (rc == GUARD_OK)
        rc = intake_save(&daemon->intake, err);
    if (rc == GUARD_OK)
        rc = pod_intake_save(daemon->pods, stopping != 0, clock_unix_ms(), err);
    if (rc == GUARD_OK)
        rc = store_commit(daemon->store, err);
    if (rc != GUARD_OK)
        store_rollback(daemon->store);
    return rc;
}

static void save(struct daemon *daemon)
{
    struct guard_err err;
    intake_keep_alerts(&daemon->intake);
    enum guard_rc rc = save_all(daemon, &err);
    inbox_commit(&daemon->services.inbox, rc == GUARD_OK);
    if (rc != GUARD_OK) {
        if (!daemon->save_failed)
            log_event("alarm", "not-saved", no_service, "%s; tried again", err.text);
        daemon->save_failed = true;
        daemon->saves.failed++;
        replicas_unsaved(&daemon->services);
        pod_intake_unsaved(daemon->pods);
        history_unsaved(&daemon->services);
        replicas_roles(&daemon->services);
        return;
    }
    if (daemon->save_failed)
        log_event("info", "saved-again", no_service, "%s", "");
    daemon->save_failed = false;
    daemon->saves.done++;
    services_saved(&daemon->services);
    intake_saved(&daemon->intake);
    pod_intake_saved(daemon->pods);
    replicas_tick(&daemon->services);
    replicas_roles(&daemon->services);
}

static bool elapsed(uint64_t *last_ms, uint64_t now_ms, uint64_t period_ms)
{
    /* now < last: the clock was set back. */
    if (now_ms >= *last_ms && now_ms - *last_ms < period_ms)
        return false;
    *last_ms = now_ms;
    return true;
}

/* Open piles whose time has come become deltas, which may be sent when that is saved. */
static void close_deltas(struct daemon *daemon, bool all)
{
    uint64_t now = clock_unix_ms();
    if (daemon->services.uplink == NULL || !outbox_due(&daemon->services, now, all))
        return;
    save(daemon);
    if (daemon->save_failed)
        return;
    outbox_close(&daemon->services, now, all);
    save(daemon);
}

static bool commit_due(struct daemon *daemon, uint64_t now_ms)
{
    return daemon->services.inbox.open && elapsed(&daemon->saved_ms, now_ms, INBOX_COMMIT_MS);
}

/* What guardd itself learns and publishes, or its parent in its stead. */
static void tick_services(struct daemon *daemon, uint64_t now)
{
    if (daemon->services.uplink == NULL) {
        services_watch_guardians(&daemon->services);
        services_watch_reviews(&daemon->services);
        services_watch_rollbacks(&daemon->services, now);
    }
}

/* Until the next tick: what the cluster and gates answer comes by the hundred in a second where
 * canaries go out, and a tick looks at every service. */
static void wait_as_operator(struct daemon *daemon, uint32_t ms)
{
    uint64_t begin_ms = clock_monotonic_ms(), spent_ms = 0;
    bool changed, due;
    do {
        server_run(daemon->server, operator_wait_ms(daemon->cluster, (uint32_t)(ms - spent_ms)),
                   operator_fd(daemon->cluster));
        changed = server_changed(daemon->server);
        due = operator_run(daemon->cluster);
        spent_ms = clock_monotonic_ms() - begin_ms;
    } while (!changed && !due && !stopping && spent_ms < ms);
    if (changed)
        daemon->scanned_ms = 0; /* looked at now */
}

static void tick(struct daemon *daemon)
{
    uint64_t now = clock_unix_ms();
    if (server_changed(daemon->server))
        daemon->scanned_ms = 0; /* looked at now */
    if (elapsed(&daemon->scanned_ms, now, SCAN_MS)) {
        if (tree_has_services(daemon->cfg.tree.role))
            intake_scan(&daemon->intake);
        gates_drop_old(daemon->cfg.state, now);
        tick_services(daemon, now);
    }
    bool forgot = forget_tick(&daemon->forgetting, &daemon->services);
    retention_tick(&daemon->retention, &daemon->services, now);
    bool more = intake_read(&daemon->intake, RECORDS_PER_TICK, INTAKE_MS);
    services_publish(&daemon->services, now);
    patterns_tick(&daemon->patterns, &daemon->services, now);
    clients_tick(&daemon->services, clock_unix_ms());
    /* Not before the alerts that were just read. */
    expiries_tick(&daemon->services, now);
    sense_tick(daemon->sense, clock_unix_ms());
    more = pod_intake_tick(daemon->pods, clock_unix_ms()) || more;
    withdrawals_tick(&daemon->services, clock_unix_ms());
    alerts_flush(&daemon->alerts, clock_unix_ms());
    outputs_tick(&daemon->outputs, clock_unix_ms());
    if (commit_due(daemon, now) || elapsed(&daemon->saved_ms, now, SAVE_MS))
        save(daemon);
    close_deltas(daemon, false);
    uplink_tick(daemon->services.uplink, clock_unix_ms());
    if (elapsed(&daemon->status_ms, now, STATUS_MS))
        status_write(daemon->cfg.state, &daemon->services, &daemon->intake);
    more = operator_tick(daemon->cluster) || more;
    uint32_t wait_ms = more || forgot ? 0 : TICK_MS;
    if (daemon->cluster != NULL) /* who has a parent is no operator */
        wait_as_operator(daemon, wait_ms);
    else
        server_run(daemon->server, uplink_wait_ms(daemon->services.uplink, wait_ms),
                   uplink_fd(daemon->services.uplink));
}

/* The parent has what we had, or is away and gets it when we come again. */
static void drain(struct daemon *daemon)
{
    struct uplink *uplink = daemon->services.uplink;
    uint64_t begin_ms = clock_unix_ms();
    if (uplink == NULL)
        return;
    close_deltas(daemon, true);
    uplink_try_again(uplink);
    do {
        uplink_tick(uplink, clock_unix_ms());
        server_run(NULL, uplink_wait_ms(uplink, TICK_MS), uplink_fd(uplink));
    } while (!uplink_drained(uplink) && clock_unix_ms() - begin_ms < DRAIN_MS);
}

static void stop(struct daemon *daemon)
{
    server_close(daemon->server);
    operator_close(daemon->cluster);
    daemon->cluster = NULL;
    sense_close(daemon->sense, clock_unix_ms());
    if (tree_has_services(daemon->cfg.tree.role))
        intake_scan(&daemon->intake);
    for (uint32_t ms = 0;
         ms < STOP_MS && intake_read(&daemon->intake, RECORDS_PER_TICK, INTAKE_MS);)
        ms += INTAKE_MS;
    for (uint32_t ms = 0; ms < STOP_MS && pod_intake_tick(daemon->pods, clock_unix_ms());)
        ms += INTAKE_MS;
    services_publish(&daemon->services, clock_unix_ms());
    clients_save(&daemon->services, clock_unix_ms());
    alerts_close(&daemon->alerts);
    daemon->services.history_all = true;
    save(daemon);
    drain(daemon);
    outputs_close(&daemon->outputs);
    services_export(&daemon->services);
    status_write(daemon->cfg.state, &daemon->services, &daemon->intake);
}

/* For the command line, when no guardd runs: nothing is read from rings, nothing published. */
static int do_task(struct daemon *daemon)
{
    struct guard_err err;
    uint64_t begin = clock_unix_ms();
    /* A shared database: what nobody learns becomes ours to change. */
    if (store_shared(daemon->store) && store_begin(daemon->store, &err) == GUARD_OK &&
        store_commit(daemon->store, &err) == GUARD_OK)
        replicas_tick(&daemon->services);
    while (!stopping && clock_unix_ms() - begin < TASK_MS &&
           forget_tick(&daemon->forgetting, &daemon->services))
        continue;
    alerts_close(&daemon->alerts);
    alerts_save(&daemon->alerts, daemon->cfg.state);
    return 0;
}

/* Large buffers live for a moment: they go back to the system at once. Otherwise each of them would
 * make the heap keep more, where services are many and small. */
static void bound_heap(void)
{
    enum { LARGE = 256 * 1024, KEPT = 1024 * 1024 };
    (void)mallopt(M_MMAP_THRESHOLD, LARGE);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT);
}

/* Until SIGTERM. */
static int serve(struct daemon *daemon)
{
    if (!open_api(daemon))
        return 1;
    open_sense(daemon);
    open_pods(daemon);
    log_event("info", "started", no_service, "%u services", daemon->services.count);
    while (!stopping)
        tick(daemon);
    stop(daemon);
    log_event("info", "stopped", no_service, "%s", "");
    return 0;
}

static void release(struct daemon *daemon)
{
    operator_close(daemon->cluster);
    pod_intake_close(daemon->pods);
    patterns_close(&daemon->patterns);
    proposals_close(&daemon->proposals);
    intake_close(&daemon->intake);
    alerts_forget_positions(&daemon->alerts);
    patch_hits_free(&daemon->alerts.patches);
    patch_hits_free(&daemon->alerts.exceptions);
    uplink_free(daemon->services.uplink);
    inbox_close(&daemon->services.inbox);
    services_free(&daemon->services);
    guard_client_places_free(daemon->services.places);
    store_close(daemon->store);
    if (daemon->lock >= 0)
        close(daemon->lock);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    static struct daemon daemon;
    struct guard_err err;
    int status;
    catch_signals();
    if (!options_read(&daemon.cfg, argc, argv, &status))
        return status;
    prctl(PR_SET_DUMPABLE, 0); /* it holds the signing key */
    umask(027);
    bound_heap();
    if (daemon.cfg.task != NULL && task_beside(daemon.cfg.task))
        return task_do_beside(daemon.cfg.task, daemon.cfg.state, daemon.cfg.store);
    if (start(&daemon, &err) != GUARD_OK) {
        log_event("alarm", "not-started", no_service, "%s", err.text);
        release(&daemon);
        return 1;
    }
    status = daemon.cfg.task != NULL ? do_task(&daemon) : serve(&daemon);
    release(&daemon);
    return status;
}
