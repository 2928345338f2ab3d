/* SPDX-License-Identifier: Apache-2.0 */
/* An order is carried out within a budget, at the gate of its pod, and ends with what the responder
 * says of it. */
#include "withdrawals_orders.h"

#include "orders.h"
#include "responder.h"
#include "withdrawals_shared.h"
#include "withdrawals_table.h"

#include "guardd/service.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>

enum { BEHIND_MS = 15 * 1000 };

static bool may_act(const struct services *services, const struct service *service)
{
    return service->guardian.pods.withdraw_seconds > 0 &&
           service->guardian.mode == GUARD_MODE_BLOCK &&
           pod_orders_mode_of(services->pod_orders, service) == POD_ORDERS_ACT;
}

/* Those in force stand for as long in the window as they last: no more of a workload are withdrawn
 * at once than within it. Of replicas only those count whose gates report here: what sensors tell
 * may be made up. */
static enum guard_pod_permit permit(const struct service *service, const struct pod_order *order,
                                    uint64_t now_ms)
{
    struct guard_pod_budget budget = {.begun = 0};
    struct guard_pod_budget_cfg cfg;
    const struct pod_withdrawals *table = service->withdrawals.table;
    uint32_t gates = pod_gates_count(&service->withdrawals.gates, now_ms), out = 0;
    for (uint32_t i = 0; table != NULL && i < table->count; i++) {
        const struct pod_withdrawal *one = &table->list[i];
        out += withdrawal_in_force(one, now_ms);
        if (one->ordered && strcmp(one->workload, order->workload) == 0 &&
            strcmp(one->name_space, order->name_space) == 0 &&
            budget.begun < GUARD_POD_BUDGET_HISTORY)
            budget.begun_ms[budget.begun++] =
                withdrawal_in_force(one, now_ms) ? now_ms : one->begun_ms;
    }
    guard_pod_budget_default(&cfg);
    cfg.window_ms = WITHDRAWALS_WINDOW_MS;
    uint32_t replicas = order->replicas < gates ? order->replicas : gates;
    return guard_pod_budget_ask(&budget, &cfg, replicas,
                                replicas > out + 1 ? replicas - out - 1 : 0, now_ms);
}

static enum guard_rc withdraw(struct services *services, struct service *service,
                              const struct pod_order *order, uint64_t now_ms, struct guard_err *err)
{
    const struct withdrawals_author author = {"guardd", order->reason};
    struct pod_withdrawals *copy = withdrawals_copy(service, now_ms);
    if (copy == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    if (copy->count == POD_WITHDRAWALS_MAX) {
        free(copy);
        return guard_fail(err, GUARD_E_LIMIT, "too many pods are withdrawn");
    }
    struct pod_withdrawal *one = &copy->list[copy->count++];
    *one = (struct pod_withdrawal){.ordered = true, .by = "guardd", .begun_ms = now_ms};
    one->until_ms = now_ms + (uint64_t)service->guardian.pods.withdraw_seconds * 1000;
    memcpy(one->id, order->id, sizeof(one->id));
    memcpy(one->name_space, order->name_space, sizeof(one->name_space));
    memcpy(one->workload, order->workload, sizeof(one->workload));
    memcpy(one->pod, order->pod, sizeof(one->pod));
    memcpy(one->uid, order->uid, sizeof(one->uid));
    memcpy(one->reason, order->reason, sizeof(one->reason));
    return withdrawals_issue(services, service, copy, &author, now_ms, err);
}

/* Why it isn't, once for each why. */
static void tell_why(const struct service *service, struct pod_order_known *known, const char *why)
{
    if (known->not_withdrawn != NULL && strcmp(known->not_withdrawn, why) == 0)
        return;
    known->not_withdrawn = why;
    log_event("warn", "pod-not-withdrawn", service->name, "order %s, pod %s/%s: %s",
              known->order.id, known->order.name_space, known->order.pod, why);
}

/* Where another root was first what it changed is looked at before the next try. */
static void carry_out(struct services *services, struct service *service,
                      struct pod_order_known *known, uint64_t now_ms)
{
    static const char failed[] = "it can't be kept, and is tried again";
    const struct pod_order *order = &known->order;
    struct guard_err err = {.text = ""};
    enum guard_rc rc = withdraw(services, service, order, now_ms, &err);
    if (rc == GUARD_E_STATE)
        rc = withdrawals_refresh(services, service, &err);
    else if (rc == GUARD_OK)
        log_event("alarm", "pod-withdrawn", service->name,
                  "order %s, pod %s/%s: its gate answers with 503", order->id, order->name_space,
                  order->pod);
    if (rc == GUARD_OK)
        return;
    service->withdrawals.write_failures++;
    if (known->not_withdrawn != failed)
        log_event("alarm", "pod-not-withdrawn", service->name,
                  "order %s, pod %s/%s: %s; tried again", order->id, order->name_space, order->pod,
                  err.text);
    known->not_withdrawn = failed;
}

static void consider(struct services *services, struct service *service,
                     struct pod_order_known *known, uint64_t now_ms)
{
    const struct pod_order *order = &known->order;
    const struct pod_self pod = {.pod = ""};
    struct pod_self named = pod;
    memcpy(named.name_space, order->name_space, sizeof(named.name_space));
    memcpy(named.pod, order->pod, sizeof(named.pod));
    memcpy(named.uid, order->uid, sizeof(named.uid));
    if (order->dry_run || !may_act(services, service)) {
        tell_why(service, known, "dry run, its gate would answer with 503");
        return;
    }
    if (service->withdrawals.table != NULL &&
        withdrawals_of_pod(service->withdrawals.table, &named, now_ms) != NULL)
        return;
    if (!pod_gates_has(&service->withdrawals.gates, order->name_space, order->pod, order->uid,
                       now_ms)) {
        tell_why(service, known, "no gate of this pod reports here");
        return;
    }
    enum guard_pod_permit permitted = permit(service, order, now_ms);
    if (permitted != GUARD_POD_PERMITTED) {
        tell_why(service, known, guard_pod_permit_name(permitted));
        return;
    }
    carry_out(services, service, known, now_ms);
}

void withdrawals_follow_orders(struct services *services, uint64_t now_ms)
{
    struct pod_orders *orders = services->pod_orders;
    for (uint32_t i = 0; orders != NULL && i < orders->count; i++) {
        struct pod_order_known *known = orders->list[i];
        struct service *service =
            services_find(services, (struct guard_span){(const uint8_t *)known->order.service,
                                                        strlen(known->order.service)});
        if (service == NULL || service->guardian.pods.withdraw_seconds <= 0 || known->end.ended ||
            known->order.decided_ms + WITHDRAWALS_WINDOW_MS <= now_ms ||
            known->order.decided_ms > now_ms ||
            withdrawals_find(service->withdrawals.table, known->order.id) != NULL)
            continue;
        consider(services, service, known, now_ms);
    }
}

static struct pod_order_known *order_of(const struct services *services,
                                        const struct pod_withdrawal *one)
{
    const struct pod_orders *orders = services->pod_orders;
    for (uint32_t i = 0; i < orders->count; i++) {
        if (strcmp(orders->list[i]->order.id, one->id) == 0)
            return orders->list[i];
    }
    return NULL;
}

/* The responder stopped for the workload, a person looked, and it goes on: what its ended orders
 * left withdrawn serves again, and the next one has a budget. What it says of itself may be some
 * seconds behind what it reports. */
static bool is_resumed(const struct services *services, struct pod_order_known *known,
                       uint64_t now_ms)
{
    const struct pod_report_line *end = &known->end;
    enum pod_going going = pod_responder_going(services->pod_responder, known->order.name_space,
                                               known->order.workload, now_ms);
    if (going == POD_GOING_STOPPED)
        known->was_stopped = true;
    if (going != POD_GOING_ON || !end->ended)
        return false;
    return known->was_stopped || (end->end == GUARD_POD_USELESS &&
                                  services->pod_responder->seen_ms >= end->at_ms + BEHIND_MS);
}

/* What the responder ended in a way after which the pod is gone, or is not to be touched; or what
 * isn't wanted any more. Of roots that share a database the one that gave the order says so: others
 * may not have read yet what people decided. */
static bool is_over(const struct services *services, const struct service *service,
                    const struct pod_withdrawal *one, uint64_t now_ms)
{
    struct pod_order_known *known = order_of(services, one);
    if (services->run != 0 && known == NULL)
        return false;
    if (!may_act(services, service))
        return true;
    if (known == NULL)
        return false;
    return is_resumed(services, known, now_ms) ||
           (known->end.ended &&
            (known->end.end == GUARD_POD_REPLACED || known->end.end == GUARD_POD_UNTOUCHED));
}

void withdrawals_end_those_over(struct services *services, struct service *service, uint64_t now_ms)
{
    static const struct withdrawals_author author = {"guardd", "its order is over"};
    const struct pod_withdrawals *table = service->withdrawals.table;
    struct guard_err err = {.text = ""};
    for (uint32_t i = 0; i < table->count; i++) {
        const struct pod_withdrawal one = table->list[i];
        if (!one.ordered || !withdrawal_in_force(&one, now_ms) ||
            !is_over(services, service, &one, now_ms))
            continue;
        enum guard_rc rc = withdrawals_end(services, service, one.id, &author, now_ms, &err);
        if (rc == GUARD_OK) {
            withdrawals_tell_written(service);
            log_event("warn", "pod-withdrawal-ended", service->name, "order %s, pod %s/%s", one.id,
                      one.name_space, one.pod);
        } else if (rc != GUARD_E_STATE ||
                   withdrawals_refresh(services, service, &err) != GUARD_OK) {
            withdrawals_tell_failing(service, &err);
        }
        return; /* the next one at the next tick: the table is another one now */
    }
}
