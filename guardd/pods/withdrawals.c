/* SPDX-License-Identifier: Apache-2.0 */
/* A change is made in a copy, which takes the place of the table once its text is on the disk. */
#include "withdrawals.h"

#include "orders.h"
#include "responder.h"
#include "withdrawals_shared.h"
#include "withdrawn_self.h"

#include "guardd/keys.h"
#include "guardd/service.h"

#include "common/file.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Budget and age of orders are those of a responder that says nothing else. */
static const uint64_t WINDOW_MS = 600 * 1000, TICK_MS = 1000;
enum { TRIES = 3, BEHIND_MS = 15 * 1000 };

void withdrawals_free(struct service_withdrawals *withdrawals)
{
    free(withdrawals->table);
    free(withdrawals->unwritten);
    pod_gates_free(&withdrawals->gates);
    *withdrawals = (struct service_withdrawals){.table = NULL};
}

static bool path_of(char out[STATE_PATH_MAX], const struct services *services,
                    const struct service *service)
{
    return state_path(out, services->state, "pods", service->name, ".withdrawals") == GUARD_OK;
}

void withdrawals_open(struct services *services, struct service *service)
{
    char path[STATE_PATH_MAX];
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    if (!path_of(path, services, service) ||
        file_read(path, POD_WITHDRAWALS_BYTES, &bytes, &len, NULL) != GUARD_OK)
        return;
    struct pod_withdrawals *table = malloc(sizeof(*table));
    if (table != NULL && pod_withdrawals_read(table, (struct guard_span){bytes, len}, service->name,
                                              services->signing->public_key, &err) == GUARD_OK) {
        service->withdrawals.table = table;
        service->withdrawals.issued_ms = service->withdrawals.offered_ms = table->issued_ms;
        withdrawn_self_known(services, service);
    } else {
        if (table != NULL)
            log_event("alarm", "pod-withdrawals-refused", service->name, "%s: %s", path, err.text);
        free(table);
    }
    free(bytes);
}

/* --- the file --- */

static enum guard_rc write_text(const struct services *services, const struct service *service,
                                struct guard_span text, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    return path_of(path, services, service)
               ? file_replace(path, text, 0640, true, err)
               : guard_fail(err, GUARD_E_LIMIT, "the path is too long");
}

/* Once, until it goes well again. */
static void tell_failing(struct service *service, const struct guard_err *err)
{
    struct service_withdrawals *state = &service->withdrawals;
    state->write_failures++;
    if (!state->failing)
        log_event("alarm", "pod-withdrawals-not-written", service->name, "%s; tried again",
                  err->text);
    state->failing = true;
}

static void tell_written(struct service *service)
{
    struct service_withdrawals *state = &service->withdrawals;
    if (state->failing)
        log_event("info", "pod-withdrawals-written", service->name, "%s", "as before");
    state->failing = false;
}

/* The copy that is tried again; without memory for it the next text has what this one says. */
static void keep_unwritten(struct service_withdrawals *state, struct guard_span text)
{
    free(state->unwritten);
    state->unwritten = malloc(text.len);
    state->unwritten_len = text.len;
    if (state->unwritten != NULL)
        memcpy(state->unwritten, text.ptr, text.len);
}

/* What is in force whether it can be written or not. */
static void put_text(const struct services *services, struct service *service,
                     struct guard_span text)
{
    struct service_withdrawals *state = &service->withdrawals;
    struct guard_err err;
    if (write_text(services, service, text, &err) != GUARD_OK) {
        if (text.ptr != state->unwritten)
            keep_unwritten(state, text);
        tell_failing(service, &err);
        return;
    }
    free(state->unwritten);
    state->unwritten = NULL;
    state->offered_ms = state->issued_ms;
    tell_written(service);
}

static void put_again(const struct services *services, struct service *service)
{
    const struct service_withdrawals *state = &service->withdrawals;
    if (state->unwritten != NULL)
        put_text(services, service, (struct guard_span){state->unwritten, state->unwritten_len});
}

static void set_table(struct services *services, struct service *service,
                      struct pod_withdrawals *table, uint64_t now_ms)
{
    service->withdrawals.table = table;
    service->withdrawals.issued_ms = table != NULL ? table->issued_ms : 0;
    withdrawn_self_tick(services, service, now_ms);
}

/* --- changing --- */

static bool in_force(const struct pod_withdrawal *one, uint64_t now_ms)
{
    return one->until_ms > now_ms;
}

/* A copy without those that are over and count for nothing any more; NULL: no memory. */
static struct pod_withdrawals *copy_of(const struct service *service, uint64_t now_ms)
{
    const struct pod_withdrawals *from = service->withdrawals.table;
    struct pod_withdrawals *copy = calloc(1, sizeof(*copy));
    for (uint32_t i = 0; copy != NULL && from != NULL && i < from->count; i++) {
        if (in_force(&from->list[i], now_ms) || from->list[i].begun_ms + WINDOW_MS > now_ms)
            copy->list[copy->count++] = from->list[i];
    }
    return copy;
}

/* Our own gate before the text, which after a kill counts as told. */
static enum guard_rc put_in_force(struct services *services, struct service *service,
                                  struct pod_withdrawals *copy, struct guard_span text,
                                  uint64_t now_ms, struct guard_err *err)
{
    struct pod_withdrawals *before = service->withdrawals.table;
    set_table(services, service, copy, now_ms);
    if (services->run != 0) { /* the database has it */
        put_text(services, service, text);
        free(before);
        return GUARD_OK;
    }
    enum guard_rc rc = write_text(services, service, text, err);
    if (rc != GUARD_OK) {
        set_table(services, service, before, now_ms);
        free(copy);
        return rc;
    }
    service->withdrawals.offered_ms = copy->issued_ms;
    free(before);
    return GUARD_OK;
}

/* Who changes something, and why. */
struct author {
    const char *by, *why;
};

/* Signs it and lays it down; the copy is the service's then, or freed. GUARD_E_STATE: another root
 * changed it meanwhile. */
static enum guard_rc issue(struct services *services, struct service *service,
                           struct pod_withdrawals *copy, const struct author *author,
                           uint64_t now_ms, struct guard_err *err)
{
    size_t len = 0;
    uint64_t last_ms = service->withdrawals.issued_ms;
    char *text = malloc(POD_WITHDRAWALS_BYTES);
    copy->issued_ms = now_ms > last_ms ? now_ms : last_ms + 1;
    enum guard_rc rc = text == NULL
                           ? guard_fail(err, GUARD_E_NOMEM, "no memory")
                           : pod_withdrawals_sign(copy, service->name, services->signing->secret,
                                                  text, POD_WITHDRAWALS_BYTES, &len, err);
    const struct guard_span signed_text = {(const uint8_t *)text, len};
    if (rc == GUARD_OK)
        rc = withdrawals_offer(services, service, signed_text, author->by, author->why, err);
    if (rc == GUARD_OK)
        rc = put_in_force(services, service, copy, signed_text, now_ms, err);
    else
        free(copy);
    free(text);
    return rc;
}

static struct pod_withdrawal *find(struct pod_withdrawals *table, const char *id)
{
    for (uint32_t i = 0; table != NULL && i < table->count; i++) {
        if (strcmp(table->list[i].id, id) == 0)
            return &table->list[i];
    }
    return NULL;
}

/* Who is withdrawn is named by its names: it is one pod, whatever is known of its uid. */
static struct pod_withdrawal *of_pod(struct pod_withdrawals *table, const struct pod_self *pod,
                                     uint64_t now_ms)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (in_force(&table->list[i], now_ms) && pod_withdrawal_is_of(&table->list[i], pod))
            return &table->list[i];
    }
    return NULL;
}

static enum guard_rc end_one(struct services *services, struct service *service, const char *id,
                             const struct author *author, uint64_t now_ms, struct guard_err *err)
{
    struct pod_withdrawals *copy = copy_of(service, now_ms);
    if (copy == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    find(copy, id)->until_ms = now_ms;
    return issue(services, service, copy, author, now_ms, err);
}

/* --- people --- */

static enum guard_rc is_ours(const struct services *services, struct guard_err *err)
{
    return services->uplink == NULL
               ? GUARD_OK
               : guard_fail(err, GUARD_E_STATE, "the parent says which pods are withdrawn");
}

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void fill(struct pod_withdrawal *one, const struct service *service,
                 const struct change *change, const struct pod_self *pod, uint64_t seconds,
                 uint64_t now_ms)
{
    memcpy(one->name_space, pod->name_space, sizeof(one->name_space));
    memcpy(one->pod, pod->pod, sizeof(one->pod));
    /* So that a later pod of the same name isn't meant. */
    snprintf(one->uid, sizeof(one->uid), "%s",
             pod->uid[0] != '\0'
                 ? pod->uid
                 : pod_gates_uid(&service->withdrawals.gates, pod->name_space, pod->pod, now_ms));
    pod_order_text(one->by, sizeof(one->by), span(change->who.by));
    pod_order_text(one->reason, sizeof(one->reason), span(change->reason));
    one->ordered = false;
    one->begun_ms = now_ms;
    one->until_ms = now_ms + seconds * 1000;
}

static enum guard_rc new_id(char out[POD_ORDER_ID_MAX + 1], struct guard_err *err)
{
    uint64_t number = 0;
    if (random_bytes(&number, sizeof(number)) != GUARD_OK)
        return guard_fail(err, GUARD_E_IO, "no randomness");
    snprintf(out, POD_ORDER_ID_MAX + 1, "hand-%016" PRIx64, number);
    return GUARD_OK;
}

/* The one of the pod, renewed, or one more: id. */
static enum guard_rc begin_once(struct services *services, struct service *service,
                                const struct change *change, const struct pod_self *pod,
                                uint64_t seconds, char id[POD_ORDER_ID_MAX + 1],
                                struct guard_err *err)
{
    uint64_t now_ms = clock_unix_ms();
    const struct author author = {change->who.by, change->reason};
    struct pod_withdrawals *copy = copy_of(service, now_ms);
    if (copy == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    struct pod_withdrawal *one = of_pod(copy, pod, now_ms);
    if (one == NULL && copy->count == POD_WITHDRAWALS_MAX) {
        free(copy);
        return guard_fail(err, GUARD_E_LIMIT, "at most %d pods of a service are withdrawn",
                          POD_WITHDRAWALS_MAX);
    }
    if (one == NULL) {
        one = &copy->list[copy->count++];
        memcpy(one->id, id, sizeof(one->id));
        snprintf(one->workload, sizeof(one->workload), "-");
    }
    fill(one, service, change, pod, seconds, now_ms);
    memcpy(id, one->id, sizeof(one->id));
    return issue(services, service, copy, &author, now_ms, err);
}

static enum guard_rc audit_begin(const struct service *service, const struct change *change,
                                 const struct pod_self *pod, uint64_t seconds,
                                 struct guard_err *err)
{
    char after[sizeof(pod->name_space) + sizeof(pod->pod) + 32];
    struct pod_withdrawals *table = service->withdrawals.table;
    const struct pod_withdrawal *one = table != NULL ? of_pod(table, pod, clock_unix_ms()) : NULL;
    snprintf(after, sizeof(after), "%s/%s for %u s", pod->name_space, pod->pod, (unsigned)seconds);
    return audit_append(change->dir, &change->who, change->service, "pods withdraw",
                        one != NULL ? one->id : "", after, change->reason, err);
}

enum guard_rc withdrawals_begin(struct services *services, struct service *service,
                                const struct change *change, const struct pod_self *pod,
                                uint64_t seconds, const struct pod_withdrawal **out,
                                struct guard_err *err)
{
    char id[POD_ORDER_ID_MAX + 1];
    GUARD_TRY(is_ours(services, err));
    if (seconds == 0 || seconds > POD_WITHDRAWAL_SECONDS_MAX)
        return guard_fail(err, GUARD_E_RANGE, "seconds: a withdrawal lasts from 1 to %d s",
                          POD_WITHDRAWAL_SECONDS_MAX);
    GUARD_TRY(new_id(id, err));
    GUARD_TRY(withdrawals_refresh(services, service, err));
    GUARD_TRY(audit_begin(service, change, pod, seconds, err));
    enum guard_rc rc = begin_once(services, service, change, pod, seconds, id, err);
    for (int i = 1; i < TRIES && rc == GUARD_E_STATE; i++) { /* another root was first */
        GUARD_TRY(withdrawals_refresh(services, service, err));
        rc = begin_once(services, service, change, pod, seconds, id, err);
    }
    if (rc != GUARD_OK)
        return rc;
    log_event("alarm", "pod-withdrawn", service->name, "%s/%s for %u s by %s", pod->name_space,
              pod->pod, (unsigned)seconds, change->who.by);
    *out = find(service->withdrawals.table, id);
    return GUARD_OK;
}

static enum guard_rc lift_once(struct services *services, struct service *service,
                               const struct change *change, const char *id, struct guard_err *err)
{
    uint64_t now_ms = clock_unix_ms();
    const struct author author = {change->who.by, change->reason};
    const struct pod_withdrawal *one = find(service->withdrawals.table, id);
    if (one == NULL || !in_force(one, now_ms))
        return guard_fail(err, GUARD_E_RANGE, "no withdrawal with this id is in force");
    return end_one(services, service, id, &author, now_ms, err);
}

enum guard_rc withdrawals_lift(struct services *services, struct service *service,
                               const struct change *change, const char *id, struct guard_err *err)
{
    GUARD_TRY(is_ours(services, err));
    GUARD_TRY(withdrawals_refresh(services, service, err));
    const struct pod_withdrawal *one = find(service->withdrawals.table, id);
    if (one == NULL || !in_force(one, clock_unix_ms()))
        return guard_fail(err, GUARD_E_RANGE, "no withdrawal with this id is in force");
    GUARD_TRY(audit_append(change->dir, &change->who, change->service, "pods withdraw", one->id,
                           "ended", change->reason, err));
    enum guard_rc rc = lift_once(services, service, change, id, err);
    for (int i = 1; i < TRIES && rc == GUARD_E_STATE; i++) {
        GUARD_TRY(withdrawals_refresh(services, service, err));
        rc = lift_once(services, service, change, id, err);
    }
    if (rc == GUARD_OK)
        log_event("warn", "pod-withdrawal-ended", service->name, "%s by %s", id, change->who.by);
    return rc;
}

/* --- orders --- */

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
        out += in_force(one, now_ms);
        if (one->ordered && strcmp(one->workload, order->workload) == 0 &&
            strcmp(one->name_space, order->name_space) == 0 &&
            budget.begun < GUARD_POD_BUDGET_HISTORY)
            budget.begun_ms[budget.begun++] = in_force(one, now_ms) ? now_ms : one->begun_ms;
    }
    guard_pod_budget_default(&cfg);
    cfg.window_ms = WINDOW_MS;
    uint32_t replicas = order->replicas < gates ? order->replicas : gates;
    return guard_pod_budget_ask(&budget, &cfg, replicas,
                                replicas > out + 1 ? replicas - out - 1 : 0, now_ms);
}

static enum guard_rc withdraw(struct services *services, struct service *service,
                              const struct pod_order *order, uint64_t now_ms, struct guard_err *err)
{
    const struct author author = {"guardd", order->reason};
    struct pod_withdrawals *copy = copy_of(service, now_ms);
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
    return issue(services, service, copy, &author, now_ms, err);
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
        of_pod(service->withdrawals.table, &named, now_ms) != NULL)
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

/* One order is carried out once, also when it was lifted: it is remembered for as long as orders
 * are carried out. */
static void follow_orders(struct services *services, uint64_t now_ms)
{
    struct pod_orders *orders = services->pod_orders;
    for (uint32_t i = 0; orders != NULL && i < orders->count; i++) {
        struct pod_order_known *known = orders->list[i];
        struct service *service = services_find(services, span(known->order.service));
        if (service == NULL || service->guardian.pods.withdraw_seconds <= 0 || known->end.ended ||
            known->order.decided_ms + WINDOW_MS <= now_ms || known->order.decided_ms > now_ms ||
            find(service->withdrawals.table, known->order.id) != NULL)
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

static void end_those_over(struct services *services, struct service *service, uint64_t now_ms)
{
    static const struct author author = {"guardd", "its order is over"};
    const struct pod_withdrawals *table = service->withdrawals.table;
    struct guard_err err = {.text = ""};
    for (uint32_t i = 0; i < table->count; i++) {
        const struct pod_withdrawal one = table->list[i];
        if (!one.ordered || !in_force(&one, now_ms) || !is_over(services, service, &one, now_ms))
            continue;
        enum guard_rc rc = end_one(services, service, one.id, &author, now_ms, &err);
        if (rc == GUARD_OK) {
            tell_written(service);
            log_event("warn", "pod-withdrawal-ended", service->name, "order %s, pod %s/%s", one.id,
                      one.name_space, one.pod);
        } else if (rc != GUARD_E_STATE ||
                   withdrawals_refresh(services, service, &err) != GUARD_OK) {
            tell_failing(service, &err);
        }
        return; /* the next one at the next tick: the table is another one now */
    }
}

void withdrawals_tick(struct services *services, uint64_t now_ms)
{
    if (now_ms >= services->withdrawals_ms && now_ms - services->withdrawals_ms < TICK_MS)
        return;
    services->withdrawals_ms = now_ms;
    bool decides = services->uplink == NULL && services->pod_orders != NULL;
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        if (service->withdrawals.table == NULL)
            continue;
        if (decides)
            end_those_over(services, service, now_ms);
        put_again(services, service);
        withdrawn_self_tick(services, service, now_ms);
    }
    if (decides)
        follow_orders(services, now_ms);
}

/* --- from above --- */

enum guard_rc withdrawals_place(struct services *services, struct service *service,
                                struct guard_span text, struct guard_err *err)
{
    struct pod_withdrawals *table = malloc(sizeof(*table));
    struct pod_withdrawals *before = service->withdrawals.table;
    if (table == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    enum guard_rc rc =
        pod_withdrawals_read(table, text, service->name, services->signing->public_key, err);
    if (rc == GUARD_OK && table->issued_ms < service->withdrawals.issued_ms)
        rc = guard_fail(err, GUARD_E_REPLAY, "older than those in place (replay)");
    if (rc != GUARD_OK) {
        free(table);
        return rc;
    }
    set_table(services, service, table, clock_unix_ms());
    put_text(services, service, text);
    free(before);
    return GUARD_OK;
}

bool withdrawals_take(struct services *services, struct service *service, struct guard_span text)
{
    struct guard_err err;
    if (withdrawals_place(services, service, text, &err) == GUARD_OK)
        return true;
    log_event("alarm", "pod-withdrawals-refused", service->name, "of the parent: %s", err.text);
    return false;
}

/* --- showing --- */

static bool is_obeyed(const struct services *services, const struct service *service,
                      const struct pod_withdrawal *one, uint64_t now_ms)
{
    return pod_gates_obey(&service->withdrawals.gates, one->name_space, one->pod, one->uid, one->id,
                          now_ms) ||
           (pod_withdrawal_is_of(one, &services->pod_self) &&
            strcmp(service->withdrawals.obeyed, one->id) == 0);
}

void withdrawals_json(const struct services *services, const struct service *service,
                      const char *name, struct json_writer *json, uint64_t now_ms)
{
    const struct pod_withdrawals *table = service->withdrawals.table;
    json_open(json, name, '[');
    for (uint32_t i = 0; table != NULL && i < table->count; i++) {
        const struct pod_withdrawal *one = &table->list[i];
        if (!in_force(one, now_ms))
            continue;
        json_open(json, NULL, '{');
        json_text(json, "id", one->id);
        json_text(json, "namespace", one->name_space);
        json_text(json, "workload", one->workload);
        json_text(json, "pod", one->pod);
        json_text(json, "uid", one->uid);
        json_text(json, "by", one->by);
        json_text(json, "reason", one->reason);
        json_bool(json, "ordered", one->ordered);
        json_integer(json, "begun_ms", (int64_t)one->begun_ms);
        json_integer(json, "until_ms", (int64_t)one->until_ms);
        json_bool(json, "obeyed", is_obeyed(services, service, one, now_ms));
        json_close(json, '}');
    }
    json_close(json, ']');
}
