/* SPDX-License-Identifier: Apache-2.0 */
/* The file is a person's or ours: ours has the member "order". */
#include "withdrawn_self.h"

#include "guardd/service.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool path_of(char out[STATE_PATH_MAX], const struct services *services,
                    const struct service *service)
{
    return state_path(out, services->state, "withdrawn", service->name, ".json") == GUARD_OK;
}

/* What lies there. */
struct in_place {
    uint64_t until_ms;                /* 0: nothing, or nothing that can be read */
    char order[POD_ORDER_ID_MAX + 1]; /* "": a person's */
};

static struct in_place read_file(const char *path)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct in_place out = {.until_ms = 0};
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    if (document_load(&document, path, &arena, NULL) == GUARD_OK &&
        document.root->kind == DOCUMENT_MAPPING) {
        int64_t until = whole_of(document.root, "until_ms");
        out.until_ms = until > 0 ? (uint64_t)until : 0;
        const char *order = text_of(document.root, "order");
        if (pod_order_id_valid((struct guard_span){(const uint8_t *)order, strlen(order)}))
            snprintf(out.order, sizeof(out.order), "%s", order);
    }
    guard_arena_reset(&arena);
    return out;
}

/* The one that lasts longest. */
static const struct pod_withdrawal *ours(const struct services *services,
                                         const struct service *service, uint64_t now_ms)
{
    const struct pod_withdrawals *table = service->withdrawals.table;
    const struct pod_withdrawal *found = NULL;
    for (uint32_t i = 0; table != NULL && i < table->count; i++) {
        const struct pod_withdrawal *one = &table->list[i];
        if (one->until_ms > now_ms && pod_withdrawal_is_of(one, &services->pod_self) &&
            (found == NULL || one->until_ms > found->until_ms))
            found = one;
    }
    return found;
}

static void note(struct service_withdrawals *state, const struct pod_withdrawal *one)
{
    memcpy(state->obeyed, one->id, sizeof(state->obeyed));
    state->obeyed_until_ms = one->until_ms;
    state->not_told[0] = '\0';
}

void withdrawn_self_known(const struct services *services, struct service *service)
{
    const struct pod_withdrawal *one = ours(services, service, clock_unix_ms());
    struct service_withdrawals *state = &service->withdrawals;
    char path[STATE_PATH_MAX];
    if (one != NULL)
        note(state, one);
    else if (path_of(path, services, service)) /* over meanwhile: the file is taken away */
        memcpy(state->obeyed, read_file(path).order, sizeof(state->obeyed));
}

/* No longer than the longest, whatever clock the root has. */
static bool write_file(const char *path, struct service *service, const struct pod_withdrawal *one,
                       uint64_t now_ms)
{
    char text[8192];
    struct json_writer json;
    struct guard_err err = {.text = "it is too long"};
    uint64_t most_ms = now_ms + (uint64_t)POD_WITHDRAWAL_SECONDS_MAX * 1000;
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_integer(&json, "until_ms", (int64_t)(one->until_ms < most_ms ? one->until_ms : most_ms));
    json_text(&json, "reason", one->reason);
    json_text(&json, "by", one->by);
    json_text(&json, "order", one->id);
    json_close(&json, '}');
    if (!json.overflow && file_replace(path, (struct guard_span){(const uint8_t *)text, json.len},
                                       0640, true, &err) == GUARD_OK) {
        log_event("alarm", "gate-withdrawn", service->name, "%s by %s: %s", one->id, one->by,
                  one->reason);
        return true;
    }
    struct service_withdrawals *state = &service->withdrawals;
    state->write_failures++;
    if (strcmp(state->not_told, one->id) != 0)
        log_event("alarm", "gate-not-withdrawn", service->name, "%s: %s; tried again", one->id,
                  err.text);
    memcpy(state->not_told, one->id, sizeof(state->not_told));
    return false;
}

static void begin(const char *path, struct service *service, const struct pod_withdrawal *one,
                  uint64_t now_ms)
{
    const struct in_place there = read_file(path);
    bool persons = there.order[0] == '\0' && there.until_ms >= one->until_ms;
    if (persons || write_file(path, service, one, now_ms))
        note(&service->withdrawals, one);
}

static void end(const char *path, struct service *service)
{
    struct service_withdrawals *state = &service->withdrawals;
    bool ours = strcmp(read_file(path).order, state->obeyed) == 0;
    if (ours && unlink(path) != 0) {
        state->write_failures++;
        if (strcmp(state->not_told, state->obeyed) != 0)
            log_event("alarm", "gate-not-served", service->name,
                      "%s is over, and its file can't be removed: %s; tried again", state->obeyed,
                      strerror(errno));
        memcpy(state->not_told, state->obeyed, sizeof(state->not_told));
        return;
    }
    if (ours)
        log_event("warn", "gate-serves-again", service->name, "%s", state->obeyed);
    state->not_told[0] = '\0';
    state->obeyed[0] = '\0';
    state->obeyed_until_ms = 0;
}

/* It is over before its gate could be told. */
static void give_up(struct service *service)
{
    struct service_withdrawals *state = &service->withdrawals;
    log_event("warn", "gate-was-not-withdrawn", service->name, "%s is over", state->not_told);
    state->not_told[0] = '\0';
}

void withdrawn_self_tick(const struct services *services, struct service *service, uint64_t now_ms)
{
    const struct pod_withdrawal *one = ours(services, service, now_ms);
    struct service_withdrawals *state = &service->withdrawals;
    char path[STATE_PATH_MAX];
    if (!path_of(path, services, service))
        return;
    if (one == NULL && state->obeyed[0] != '\0')
        end(path, service);
    else if (one == NULL && state->not_told[0] != '\0')
        give_up(service);
    else if (one != NULL &&
             (strcmp(one->id, state->obeyed) != 0 || one->until_ms != state->obeyed_until_ms))
        begin(path, service, one, now_ms);
}
