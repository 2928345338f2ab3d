/* SPDX-License-Identifier: Apache-2.0 */
/* A change is made in a copy, which takes the place of the table once its text is on the disk. */
#include "withdrawals_table.h"

#include "withdrawals_shared.h"
#include "withdrawn_self.h"

#include "guardd/keys.h"
#include "guardd/service.h"

#include "common/file.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

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

void withdrawals_tell_failing(struct service *service, const struct guard_err *err)
{
    struct service_withdrawals *state = &service->withdrawals;
    state->write_failures++;
    if (!state->failing)
        log_event("alarm", "pod-withdrawals-not-written", service->name, "%s; tried again",
                  err->text);
    state->failing = true;
}

void withdrawals_tell_written(struct service *service)
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
        withdrawals_tell_failing(service, &err);
        return;
    }
    free(state->unwritten);
    state->unwritten = NULL;
    state->offered_ms = state->issued_ms;
    withdrawals_tell_written(service);
}

void withdrawals_put_again(const struct services *services, struct service *service)
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

bool withdrawal_in_force(const struct pod_withdrawal *one, uint64_t now_ms)
{
    return one->until_ms > now_ms;
}

struct pod_withdrawals *withdrawals_copy(const struct service *service, uint64_t now_ms)
{
    const struct pod_withdrawals *from = service->withdrawals.table;
    struct pod_withdrawals *copy = calloc(1, sizeof(*copy));
    for (uint32_t i = 0; copy != NULL && from != NULL && i < from->count; i++) {
        if (withdrawal_in_force(&from->list[i], now_ms) ||
            from->list[i].begun_ms + WITHDRAWALS_WINDOW_MS > now_ms)
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

enum guard_rc withdrawals_issue(struct services *services, struct service *service,
                                struct pod_withdrawals *copy,
                                const struct withdrawals_author *author, uint64_t now_ms,
                                struct guard_err *err)
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

struct pod_withdrawal *withdrawals_find(struct pod_withdrawals *table, const char *id)
{
    for (uint32_t i = 0; table != NULL && i < table->count; i++) {
        if (strcmp(table->list[i].id, id) == 0)
            return &table->list[i];
    }
    return NULL;
}

struct pod_withdrawal *withdrawals_of_pod(struct pod_withdrawals *table, const struct pod_self *pod,
                                          uint64_t now_ms)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (withdrawal_in_force(&table->list[i], now_ms) &&
            pod_withdrawal_is_of(&table->list[i], pod))
            return &table->list[i];
    }
    return NULL;
}

enum guard_rc withdrawals_end(struct services *services, struct service *service, const char *id,
                              const struct withdrawals_author *author, uint64_t now_ms,
                              struct guard_err *err)
{
    struct pod_withdrawals *copy = withdrawals_copy(service, now_ms);
    if (copy == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    withdrawals_find(copy, id)->until_ms = now_ms;
    return withdrawals_issue(services, service, copy, author, now_ms, err);
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
