/* SPDX-License-Identifier: Apache-2.0 */
/* What people withdraw and see, and when orders have their turn. */
#include "withdrawals.h"

#include "withdrawals_orders.h"
#include "withdrawals_shared.h"
#include "withdrawals_table.h"
#include "withdrawn_self.h"

#include "guardd/service.h"

#include "common/file.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 1000, TRIES = 3 };

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
    const struct withdrawals_author author = {change->who.by, change->reason};
    struct pod_withdrawals *copy = withdrawals_copy(service, now_ms);
    if (copy == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    struct pod_withdrawal *one = withdrawals_of_pod(copy, pod, now_ms);
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
    return withdrawals_issue(services, service, copy, &author, now_ms, err);
}

static enum guard_rc audit_begin(const struct service *service, const struct change *change,
                                 const struct pod_self *pod, uint64_t seconds,
                                 struct guard_err *err)
{
    char after[sizeof(pod->name_space) + sizeof(pod->pod) + 32];
    struct pod_withdrawals *table = service->withdrawals.table;
    const struct pod_withdrawal *one =
        table != NULL ? withdrawals_of_pod(table, pod, clock_unix_ms()) : NULL;
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
    *out = withdrawals_find(service->withdrawals.table, id);
    return GUARD_OK;
}

static enum guard_rc lift_once(struct services *services, struct service *service,
                               const struct change *change, const char *id, struct guard_err *err)
{
    uint64_t now_ms = clock_unix_ms();
    const struct withdrawals_author author = {change->who.by, change->reason};
    const struct pod_withdrawal *one = withdrawals_find(service->withdrawals.table, id);
    if (one == NULL || !withdrawal_in_force(one, now_ms))
        return guard_fail(err, GUARD_E_RANGE, "no withdrawal with this id is in force");
    return withdrawals_end(services, service, id, &author, now_ms, err);
}

enum guard_rc withdrawals_lift(struct services *services, struct service *service,
                               const struct change *change, const char *id, struct guard_err *err)
{
    GUARD_TRY(is_ours(services, err));
    GUARD_TRY(withdrawals_refresh(services, service, err));
    const struct pod_withdrawal *one = withdrawals_find(service->withdrawals.table, id);
    if (one == NULL || !withdrawal_in_force(one, clock_unix_ms()))
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

/* --- in turn --- */

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
            withdrawals_end_those_over(services, service, now_ms);
        withdrawals_put_again(services, service);
        withdrawn_self_tick(services, service, now_ms);
    }
    if (decides)
        withdrawals_follow_orders(services, now_ms);
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
        if (!withdrawal_in_force(one, now_ms))
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
