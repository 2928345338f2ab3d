/* SPDX-License-Identifier: Apache-2.0 */
/* See download.h. */
#include "guardd/tree/download.h"

#include "guardd/service.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool policy_path(char out[STATE_PATH_MAX], const struct services *services,
                        const struct service *service)
{
    return state_path(out, services->state, "policies", service->name, ".policy") == GUARD_OK;
}

/* The generation of a policy that is good for the service; 0: it isn't. */
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
    if (info.generation == 0)
        (void)guard_fail(err, GUARD_E_RANGE, "the policy has no generation");
    return info.generation;
}

/* The newest generation that was ever in place stands in the store: an older one isn't taken either
 * when the file is gone. */
static void open_policy(struct services *services, struct service *service)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (!policy_path(path, services, service) ||
        file_read(path, GUARD_POLICY_BYTES_MAX, &bytes, &len, NULL) != GUARD_OK)
        return;
    uint64_t generation = generation_of(services, service, (struct guard_span){bytes, len}, &err);
    if (generation == 0)
        log_event("alarm", "policy-in-place-refused", service->name, "%s: %s", path, err.text);
    service->up.in_place = generation != 0 && generation >= service->generation;
    if (!service->up.in_place) {
        free(bytes);
        return;
    }
    service->generation = generation;
    clients_follow(services, service, bytes, len);
}

static enum guard_rc verdicts_read(const struct services *services, const struct service *service,
                                   struct guard_span bytes, uint64_t *issued_ms,
                                   struct guard_err *err)
{
    struct guard_client_table *table = malloc(sizeof(*table));
    if (table == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    enum guard_rc rc =
        guard_client_table_decode(table, bytes, service->name, services->signing->public_key);
    if (rc == GUARD_OK)
        *issued_ms = table->issued_ms;
    free(table);
    return rc == GUARD_OK ? GUARD_OK
                          : guard_fail(err, rc, "not signed for this service by the root");
}

static void open_verdicts(struct services *services, struct service *service)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (state_path(path, services->state, "verdicts", service->name, ".table") == GUARD_OK &&
        file_read(path, GUARD_CLIENT_TABLE_BYTES, &bytes, &len, NULL) == GUARD_OK)
        (void)verdicts_read(services, service, (struct guard_span){bytes, len},
                            &service->up.verdicts, &err);
    free(bytes);
}

void download_open(struct services *services, struct service *service)
{
    open_policy(services, service);
    open_verdicts(services, service);
}

/* Told once for what is offered again and again. */
static bool refuse(struct service *service, const char *why)
{
    uint64_t refused =
        guard_checksum(1, (struct guard_span){(const uint8_t *)why, strlen(why)}) | 1;
    if (service->up.refused != refused)
        log_event("alarm", "policy-refused", service->name,
                  "of the parent: %s; the one in place stays", why);
    service->up.refused = refused;
    return false;
}

bool download_policy(struct services *services, struct service *service, struct guard_span bytes)
{
    char path[STATE_PATH_MAX];
    char why[128];
    struct guard_err err = {.text = "it is empty"};
    uint8_t *copy = malloc(bytes.len + 1);
    if (copy == NULL || !policy_path(path, services, service)) {
        free(copy);
        return false;
    }
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    bytes.ptr = copy; /* aligned */
    uint64_t generation = generation_of(services, service, bytes, &err);
    uint64_t least = service->generation + (service->up.in_place ? 1 : 0);
    snprintf(why, sizeof(why), "generation %" PRIu64 " is older than %" PRIu64 " (replay)",
             generation, service->generation);
    if (generation == 0 || generation < least) {
        free(copy);
        return refuse(service, generation == 0 ? err.text : why);
    }
    if (file_replace(path, bytes, 0640, true, &err) != GUARD_OK) {
        log_event("alarm", "policy-not-written", service->name, "%s; tried again", err.text);
        free(copy);
        return false;
    }
    if (service->generation == 0 || service->up.refused != 0)
        log_event("info", "policy-taken", service->name, "generation %" PRIu64, generation);
    service->generation = generation;
    service->breaker.generation = generation;
    breaker_published(&service->breaker, true, clock_unix_ms());
    service->up.in_place = true;
    service->up.refused = 0;
    service->dirty = true; /* the generation */
    clients_follow(services, service, copy, bytes.len);
    return true;
}

enum guard_rc download_verdicts(struct services *services, struct service *service,
                                struct guard_span bytes, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    uint64_t issued_ms = 0;
    GUARD_TRY(verdicts_read(services, service, bytes, &issued_ms, err));
    if (issued_ms == service->up.verdicts)
        return GUARD_OK;
    if (issued_ms < service->up.verdicts)
        return guard_fail(err, GUARD_E_REPLAY, "older than those in place (replay)");
    if (state_path(path, services->state, "verdicts", service->name, ".table") != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", services->state);
    GUARD_TRY(file_replace(path, bytes, 0640, false, err));
    service->up.verdicts = issued_ms;
    return GUARD_OK;
}

static void withdrawals_said(struct service *service, uint64_t number)
{
    service->up.says_withdrawals = true;
    offer_said(&service->up.offered_withdrawals, number, service->withdrawals.issued_ms);
}

void download_tag(struct service *service, const char *etag)
{
    const char *dash = strchr(etag, '-');
    uint64_t verdicts = dash != NULL ? strtoull(dash + 1, NULL, 10) : 0;
    offer_said(&service->up.offered_verdicts, verdicts, service->up.verdicts);
    dash = dash != NULL ? strchr(dash + 1, '-') : NULL;
    if (dash != NULL)
        withdrawals_said(service, strtoull(dash + 1, NULL, 10));
}

/* Who doesn't say it is older than that. */
static void take_pod_records(struct service *service, const struct document_node *said)
{
    if (said == NULL || said->kind != DOCUMENT_SCALAR)
        service->up.pod_records = POD_PARENT_LEAVES;
    else if (said->text.len == 1 && said->text.ptr[0] == '1')
        service->up.pod_records = POD_PARENT_TAKES;
    else /* it doesn't know whether its own parent does */
        service->up.pod_records = POD_PARENT_UNKNOWN;
}

void download_controls(struct service *service, const struct document_node *answer)
{
    static const enum guard_mode modes[] = {GUARD_MODE_OBSERVE, GUARD_MODE_ALERT, GUARD_MODE_BLOCK};
    const char *mode = text_of(answer, "client_mode");
    const char *withdrawals = text_of(answer, "withdrawals");
    if (withdrawals[0] >= '0' && withdrawals[0] <= '9')
        withdrawals_said(service, strtoull(withdrawals, NULL, 10));
    take_pod_records(service, member_of(answer, "pod_records"));
    service->up.young = strcmp(text_of(answer, "young"), "true") == 0;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(mode, guard_mode_name(modes[i])) == 0)
            service->guardian.client_mode = modes[i];
    }
}

void download_answer(struct service *service, struct guard_span body)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    if (body.len > 0 && document_parse(&document, "answer", body, &arena, NULL) == GUARD_OK &&
        document.root->kind == DOCUMENT_MAPPING)
        download_controls(service, document.root);
    guard_arena_reset(&arena);
}
