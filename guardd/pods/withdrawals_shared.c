/* SPDX-License-Identifier: Apache-2.0 */
/* See withdrawals_shared.h. */
#include "withdrawals_shared.h"

#include "guardd/keys.h"
#include "guardd/service.h"

#include "common/file.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *kind(void)
{
    return shared_kind_name(SHARED_WITHDRAWALS);
}

static enum guard_rc is_there(const struct services *services, struct guard_err *err)
{
    return store_session(services->store) != 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_IO,
                            "the database is away: nobody knows what other roots withdraw");
}

/* --- offering --- */

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

enum guard_rc withdrawals_offer(struct services *services, struct service *service,
                                struct guard_span text, const char *by, const char *why,
                                struct guard_err *err)
{
    struct store *store = services->store;
    const struct store_document document = {.kind = kind(),
                                            .service = service->name,
                                            .revision = service->withdrawals.revision + 1,
                                            .content = text};
    const struct store_change change = {
        .who = span(by), .why = span(why), .time_ms = clock_unix_ms()};
    if (services->run == 0)
        return GUARD_OK;
    GUARD_TRY(is_there(services, err));
    GUARD_TRY(store_begin(store, err));
    enum guard_rc rc = store_save_document(store, &document, &change, false, err);
    if (rc == GUARD_OK)
        rc = store_commit(store, err);
    if (rc != GUARD_OK)
        store_rollback(store);
    else
        service->withdrawals.revision = document.revision;
    return rc;
}

/* What is in place, signed anew: the same bytes. */
static enum guard_rc offer_ours(struct services *services, struct service *service,
                                struct guard_err *err)
{
    size_t len = 0;
    char *text = malloc(POD_WITHDRAWALS_BYTES);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    enum guard_rc rc =
        pod_withdrawals_sign(service->withdrawals.table, service->name, services->signing->secret,
                             text, POD_WITHDRAWALS_BYTES, &len, err);
    if (rc == GUARD_OK)
        rc = withdrawals_offer(services, service, (struct guard_span){(const uint8_t *)text, len},
                               "guardd", "the database had an older one", err);
    free(text);
    return rc;
}

/* --- taking --- */

struct taking {
    struct services *services;
    struct service *service;
    struct guard_err *err;
    bool older; /* than what is in place */
};

static enum guard_rc take(void *ctx, uint64_t revision, struct guard_span content)
{
    struct taking *taking = ctx;
    struct service_withdrawals *state = &taking->service->withdrawals;
    if (revision == state->revision)
        return GUARD_OK;
    enum guard_rc rc = withdrawals_place(taking->services, taking->service, content, taking->err);
    taking->older = rc == GUARD_E_REPLAY;
    if (rc == GUARD_OK || rc == GUARD_E_REPLAY) {
        state->revision = revision;
        return GUARD_OK;
    }
    if (state->refused != revision)
        log_event("alarm", "pod-withdrawals-refused", taking->service->name,
                  "revision %" PRIu64 " of another root: %s", revision, taking->err->text);
    state->refused = revision;
    return rc;
}

enum guard_rc withdrawals_refresh(struct services *services, struct service *service,
                                  struct guard_err *err)
{
    struct taking taking = {.services = services, .service = service, .err = err};
    if (services->run == 0)
        return GUARD_OK;
    GUARD_TRY(is_there(services, err));
    GUARD_TRY(store_load_document(services->store, kind(), service->name, take, &taking, err));
    return taking.older ? offer_ours(services, service, err) : GUARD_OK;
}

/* Whether something of it still counts. */
static bool is_worth(const struct service_withdrawals *state)
{
    uint64_t now_ms = clock_unix_ms();
    for (uint32_t i = 0; state->table != NULL && i < state->table->count; i++) {
        if (state->table->list[i].until_ms > now_ms)
            return true;
    }
    return false;
}

void withdrawals_attend(struct services *services, struct service *service, uint64_t head)
{
    struct service_withdrawals *state = &service->withdrawals;
    struct guard_err err = {.text = ""};
    if (services->run == 0 || head == state->revision || (head != 0 && head == state->refused))
        return;
    if (head < state->revision) /* it was restored, or forgotten */
        state->revision = 0;
    enum guard_rc rc = GUARD_OK;
    if (head != 0)
        rc = withdrawals_refresh(services, service, &err);
    else if (is_worth(state))
        rc = offer_ours(services, service, &err);
    if (rc != GUARD_OK && rc != GUARD_E_STATE && state->refused != head)
        log_event("warn", "not-compared", service->name, "withdrawals: %s", err.text);
}
