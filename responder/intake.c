/* SPDX-License-Identifier: Apache-2.0 */
/* Which orders are carried out. guardd decides what is wrong with a pod; this side decides whether
 * anything may be done about it, by its own configuration, budgets and memory alone. */
#include "response.h"

#include "common/file.h"
#include "common/log.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FUTURE_MS = 60 * 1000, RESUMES_MAX = 256 };

static const struct guard_span no_service = {NULL, 0};

enum verdict { TAKE, REFUSE, WAIT };

/* A sensor that knows no names calls a pod by its uid. */
static void complete(struct pod_order *order)
{
    if (order->uid[0] == '\0' && strlen(order->pod) < sizeof(order->uid))
        snprintf(order->uid, sizeof(order->uid), "%.*s", POD_ORDER_UID_MAX, order->pod);
}

static const char *check(const struct responder *responder, const struct pod_order *order,
                         const struct workload_cfg *cfg, uint64_t now_ms)
{
    if (responder->broken[0] != '\0')
        return responder->broken;
    if (responder->stopped)
        return "stopped by a person";
    if (cfg == NULL)
        return "its workload isn't configured";
    if (cfg->plan.steps == 0)
        return "no step is configured for its workload";
    if (order->decided_ms > now_ms + FUTURE_MS)
        return "decided in the future";
    if (order->decided_ms + responder->cfg.order_ms < now_ms)
        return "too old: decided long ago, or no budget was left in time";
    return ledger_of_pod(&responder->ledger, order->uid) != NULL
               ? "its pod is being answered to already"
               : NULL;
}

/* What one pod alone does is an intrusion, what several do is a change or a hole that replacing
 * doesn't close: a person must look. */
static bool others_do_so(struct responder *responder, const struct pod_order *order,
                         const struct workload_cfg *cfg, uint64_t now_ms)
{
    uint64_t pod = 0;
    uint64_t window_ms = cfg->budget.window_ms;
    for (int step = 0; step < GUARD_POD_STEPS; step++)
        window_ms += cfg->plan.timeout_ms[step]; /* a replacement is looked at so much later */
    if (!ledger_trace(&responder->ledger, order, window_ms, now_ms, &pod))
        return false;
    ledger_stop(&responder->ledger, order, POD_STOP_SAME_EVIDENCE, now_ms);
    for (size_t i = 0; i < RESPONSES_MAX; i++) {
        struct response *response = &responder->ledger.responses[i];
        if (response->used && ledger_pod(response->order.uid) == pod)
            response_see_others(response);
    }
    return true;
}

static enum verdict ask_budget(const struct responder *responder, const struct pod_order *order,
                               const struct workload_cfg *cfg,
                               const struct guard_pod_budget *budget, uint64_t now_ms, char *why,
                               size_t size)
{
    uint32_t replicas = order->replicas < cfg->replicas_max ? order->replicas : cfg->replicas_max;
    enum guard_pod_permit permit =
        guard_pod_budget_ask(budget, &cfg->budget, replicas, order->ready, now_ms);
    snprintf(why, size, "budget: %s", guard_pod_permit_name(permit));
    if (permit == GUARD_POD_STOPPED)
        snprintf(why, size,
                 "stopped for this workload until a person says so (--resume %.90s/%.90s)",
                 order->name_space, order->workload);
    if (permit == GUARD_POD_STOPPED || permit == GUARD_POD_TOO_FEW)
        return REFUSE;
    if (permit != GUARD_POD_PERMITTED)
        return WAIT;
    if (ledger_begun(&responder->ledger, now_ms) < responder->cfg.per_hour)
        return TAKE;
    snprintf(why, size, "budget: %u pods in an hour", responder->cfg.per_hour);
    return WAIT;
}

static void refuse(struct responder *responder, const struct pod_order *order, const char *why,
                   uint64_t now_ms)
{
    if (responder->broken[0] == '\0') {
        (void)ledger_handle(&responder->ledger, order, now_ms, 0);
        (void)responder_save(responder);
    }
    responder_refuse(responder, order->id, why);
}

/* The ledger knows of it before the order is taken away, and that before anything is done. */
static void take(struct responder *responder, const struct pod_order *order,
                 const struct workload_cfg *cfg, struct guard_pod_budget *budget, uint64_t now_ms)
{
    struct ledger *ledger = &responder->ledger;
    struct response *room = ledger_room(ledger);
    struct guard_err err;
    bool dry_run = order->dry_run || responder->cfg.dry_run || cfg->plan.dry_run;
    uint32_t replicas = order->replicas < cfg->replicas_max ? order->replicas : cfg->replicas_max;
    if (ledger_keep_order(responder->cfg.state, order, &err) != GUARD_OK) {
        refuse(responder, order, err.text, now_ms);
        return;
    }
    if (!ledger_handle(ledger, order, now_ms, responder->cfg.order_ms))
        return; /* so many orders lately that this one waits */
    if (!dry_run) {
        (void)!guard_pod_budget_begin(budget, &cfg->budget, replicas, order->ready, now_ms);
        ledger_begin(ledger, now_ms);
    }
    response_begin(room, order, cfg, dry_run, now_ms);
    if (!responder_save(responder))
        return;
    mailbox_remove(&responder->mailbox, order->id);
    log_event("alarm", "pod-order-taken",
              (struct guard_span){(const uint8_t *)order->service, strlen(order->service)},
              "%s: pod %s of %.90s/%.90s%s: %.300s", order->id, order->uid, order->name_space,
              order->workload, dry_run ? ", dry run" : "", order->reason);
}

static void judge(struct responder *responder, struct pod_order *order, uint64_t now_ms)
{
    char why[256];
    complete(order);
    const struct workload_cfg *cfg =
        config_workload(&responder->cfg, order->name_space, order->workload, order->container);
    const char *wrong = check(responder, order, cfg, now_ms);
    struct guard_pod_budget *budget =
        wrong == NULL ? ledger_budget(&responder->ledger, order->name_space, order->workload)
                      : NULL;
    if (wrong == NULL && budget == NULL)
        wrong = "too many workloads";
    if (wrong == NULL && others_do_so(responder, order, cfg, now_ms))
        wrong = "another pod of the workload does the same: a change, or a hole that replacing "
                "doesn't close; nothing is done until a person says so";
    if (wrong != NULL) {
        refuse(responder, order, wrong, now_ms);
        return;
    }
    switch (ask_budget(responder, order, cfg, budget, now_ms, why, sizeof(why))) {
    case REFUSE:
        refuse(responder, order, why, now_ms);
        break;
    case TAKE:
        if (ledger_room(&responder->ledger) != NULL)
            take(responder, order, cfg, budget, now_ms);
        break;
    case WAIT: /* until it is too old */
        break;
    }
}

/* This program was killed after it took the order; or somebody lays an old one down again. */
static bool was_given(const struct responder *responder, const char *id)
{
    return ledger_was_handled(&responder->ledger, id) ||
           (responder->broken[0] != '\0' && mailbox_has_report(&responder->mailbox, id));
}

void intake_look(struct responder *responder, uint64_t now_ms)
{
    static order_id ids[POD_ORDERS_MAX];
    static struct pod_order order;
    struct guard_err err;
    uint32_t count = mailbox_list(&responder->mailbox, ids);
    for (uint32_t i = 0; i < count; i++) {
        if (was_given(responder, ids[i])) {
            mailbox_remove(&responder->mailbox, ids[i]);
            continue;
        }
        enum guard_rc rc = mailbox_read(&responder->mailbox, ids[i], &order, &err);
        if (rc == GUARD_OK) {
            judge(responder, &order, now_ms);
        } else if (rc != GUARD_E_NOMEM) {
            order = (struct pod_order){.id = ""};
            memcpy(order.id, ids[i], sizeof(order.id));
            refuse(responder, &order, err.text, now_ms);
        }
    }
}

/* --- people --- */

static void resume(struct responder *responder, const char *name)
{
    struct ledger *ledger = &responder->ledger;
    char both[2 * GUARD_POD_NAME_MAX + 2];
    for (uint32_t i = 0; i < ledger->workload_count; i++) {
        struct workload_budget *one = &ledger->workloads[i];
        snprintf(both, sizeof(both), "%s.%s", one->name_space, one->workload);
        if (strcmp(both, name) != 0)
            continue;
        (void)ledger_resume(ledger, one->name_space, one->workload);
        log_event("info", "resumed", no_service, "%s", name);
    }
}

void intake_look_at_people(struct responder *responder)
{
    char path[STATE_PATH_MAX];
    struct dirent *entry;
    uint32_t count = 0;
    snprintf(path, sizeof(path), "%.900s/stop", responder->cfg.state);
    bool stopped = access(path, F_OK) == 0;
    if (stopped != responder->stopped)
        log_event("alarm", stopped ? "stopped-by-a-person" : "no-longer-stopped", no_service, "%s",
                  path);
    responder->state_file.stale |= stopped != responder->stopped;
    responder->stopped = stopped;
    snprintf(path, sizeof(path), "%.900s/resume", responder->cfg.state);
    DIR *dir = opendir(path);
    while (dir != NULL && count < RESUMES_MAX && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        resume(responder, entry->d_name);
        if (responder_save(responder))
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL)
        closedir(dir);
}
