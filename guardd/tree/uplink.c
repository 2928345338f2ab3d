/* SPDX-License-Identifier: Apache-2.0 */
/* When what is asked of the parent and sent to it; what comes down is follow.c's. A parent that is
 * away, busy or refuses is asked again later and later, each time after a random part of the pause,
 * so that many that lost it together don't come back together. */
#include "guardd/tree/uplink.h"

#include "guardd/tree/download.h"
#include "guardd/tree/pause.h"
#include "guardd/tree/uplink_inner.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/guardian_words.h"
#include "common/http_client.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MAX = 64 * 1024,
    REFUSED_MS = 30000, /* a service that the parent doesn't know is asked for again */
    RETRY_MS = 4000,    /* a delta of a service that the parent doesn't know */
    KEYS_MAX = 8,       /* asked for at once */
};
static const struct guard_span no_service = {NULL, 0};

struct asked *uplink_asked(struct uplink *uplink, struct service *service, const char *name)
{
    struct asked *asked = calloc(1, sizeof(*asked));
    if (asked == NULL)
        return NULL;
    asked->uplink = uplink;
    asked->service = service;
    snprintf(asked->name, sizeof(asked->name), "%s", name);
    return asked;
}

void uplink_there(struct uplink *uplink, uint64_t now_ms)
{
    if (!uplink->there) {
        if (uplink->known)
            log_event("info", "parent-back", no_service, "%s", uplink->server);
        uplink->since_ms = now_ms;
    }
    uplink->there = true;
    uplink->known = true;
    uplink->failures = 0;
    uplink->failure[0] = '\0';
}

void uplink_away(struct uplink *uplink, const struct http_answer *answer, uint64_t now_ms)
{
    if (uplink->closing)
        return;
    if (answer->status == 0)
        snprintf(uplink->failure, sizeof(uplink->failure), "%s", answer->failure);
    else
        snprintf(uplink->failure, sizeof(uplink->failure), "it answers %u", answer->status);
    if (uplink->there || !uplink->known) {
        log_event("alarm", "parent-away", no_service, "%s: %s; what is in force stays",
                  uplink->server, uplink->failure);
        uplink->since_ms = now_ms;
    }
    uplink->there = false;
    uplink->known = true;
    uplink->failures++;
    uplink->next_ms = now_ms + uplink_pause(uplink->failures, answer->retry_after_s);
}

bool uplink_is_of_parent(const struct http_answer *answer)
{
    return answer->status == 0 || answer->status >= 500 || answer->status == 429 ||
           answer->status == 408 || answer->status == 401 || answer->status == 403;
}

void uplink_begin(struct uplink *uplink, struct http_request *request, struct asked *asked,
                  bool *begun)
{
    struct guard_err err;
    request->ctx = asked;
    *begun = asked != NULL && http_client_start(uplink->client, request, &err) == GUARD_OK;
    if (*begun)
        return;
    const struct http_answer answer = {.failure = asked != NULL ? err.text : "no memory"};
    uplink_away(uplink, &answer, clock_unix_ms());
    free(asked);
}

/* --- keys --- */

static struct wanted *wanted_of(struct uplink *uplink, struct guard_span name)
{
    for (uint32_t i = 0; i < uplink->wanted_count; i++) {
        struct wanted *wanted = &uplink->wanted[i];
        if (strlen(wanted->name) == name.len && memcmp(wanted->name, name.ptr, name.len) == 0)
            return wanted;
    }
    return NULL;
}

/* NULL: there is no room. */
static struct wanted *wanted_new(struct uplink *uplink, struct guard_span name, uint64_t now_ms)
{
    if (uplink->wanted_count == UPLINK_WANTED_MAX)
        return NULL;
    struct wanted *wanted = &uplink->wanted[uplink->wanted_count++];
    *wanted = (struct wanted){.since_ms = now_ms};
    memcpy(wanted->name, name.ptr, name.len);
    return wanted;
}

bool uplink_want(struct uplink *uplink, struct guard_span name)
{
    uint64_t now_ms = clock_unix_ms();
    struct wanted *wanted = wanted_of(uplink, name);
    if (wanted == NULL)
        wanted = wanted_new(uplink, name, now_ms);
    if (wanted != NULL && !wanted->told && now_ms >= wanted->since_ms &&
        now_ms - wanted->since_ms < UPLINK_KEY_WAIT_MS)
        return true;
    if (wanted != NULL && !wanted->told) {
        log_event("alarm", "service-without-key", name, "%s",
                  "the parent gives none; its records are counted, and not learned");
        wanted->told = true;
    }
    uplink->unkeyed++;
    return false;
}

void uplink_want_listed(struct uplink *uplink, const char *list)
{
    struct guard_span name;
    if (uplink == NULL)
        return;
    for (const char *at = list; tree_next_listed(&at, &name);) {
        if (services_find(uplink->services, name) == NULL && wanted_of(uplink, name) == NULL)
            (void)wanted_new(uplink, name, clock_unix_ms());
    }
}

static bool read_key(const struct http_answer *answer, const char *name,
                     uint8_t key[GUARD_KEY_BYTES])
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    bool good = document_parse(&document, "key", answer->body, &arena, NULL) == GUARD_OK &&
                document.root->kind == DOCUMENT_MAPPING &&
                strcmp(text_of(document.root, "service"), name) == 0;
    if (good) {
        const char *text = text_of(document.root, "key");
        good = guardian_digest_parse((struct guard_span){(const uint8_t *)text, strlen(text)}, key);
    }
    guard_arena_reset(&arena);
    return good;
}

static void take_key(struct uplink *uplink, struct wanted *wanted, const struct http_answer *answer,
                     uint64_t now_ms)
{
    uint8_t key[GUARD_KEY_BYTES];
    struct guard_err err;
    const struct guard_span name = {(const uint8_t *)wanted->name, strlen(wanted->name)};
    if (!read_key(answer, wanted->name, key)) {
        log_event("alarm", "key-refused", name, "%s", "the parent's answer is none of its kind");
        wanted->next_ms = now_ms + uplink_jitter(REFUSED_MS);
        return;
    }
    struct service *known = services_find(uplink->services, name);
    if (known != NULL)
        services_rekey(uplink->services, known, key);
    enum guard_rc rc = services_adopt(uplink->services, name, key, &err);
    memset(key, 0, sizeof(key));
    struct service *service = services_find(uplink->services, name);
    if (rc != GUARD_OK || service == NULL) {
        log_event("alarm", "service-not-opened", name, "%s", err.text);
        wanted->next_ms = now_ms + uplink_jitter(REFUSED_MS);
        wanted->told = true;
        return;
    }
    download_answer(service, answer->body);
    *wanted = uplink->wanted[--uplink->wanted_count];
}

static void on_key(void *ctx, const struct http_answer *answer)
{
    struct asked *asked = ctx;
    struct uplink *uplink = asked->uplink;
    uint64_t now_ms = clock_unix_ms();
    struct wanted *wanted =
        wanted_of(uplink, (struct guard_span){(const uint8_t *)asked->name, strlen(asked->name)});
    free(asked);
    uplink->asking--;
    if (wanted == NULL || uplink->closing)
        return;
    wanted->asking = false;
    if (answer->status == 200) {
        uplink_there(uplink, now_ms);
        take_key(uplink, wanted, answer, now_ms);
        return;
    }
    if (answer->status != 403 && uplink_is_of_parent(answer)) {
        uplink_away(uplink, answer, now_ms);
        wanted->next_ms = uplink->next_ms;
        return;
    }
    /* It is there, and doesn't want this service of us. */
    uplink_there(uplink, now_ms);
    wanted->next_ms = now_ms + uplink_jitter(REFUSED_MS);
    if (!wanted->told)
        log_event("alarm", "service-refused", no_service,
                  "%s: the parent answers %u; its records are counted, and not learned",
                  wanted->name, answer->status);
    wanted->told = true;
}

static void ask_keys(struct uplink *uplink, uint64_t now_ms)
{
    for (uint32_t i = 0; i < uplink->wanted_count && uplink->asking < KEYS_MAX; i++) {
        struct wanted *wanted = &uplink->wanted[i];
        char path[160];
        if (wanted->asking || now_ms < wanted->next_ms)
            continue;
        snprintf(path, sizeof(path), "/api/v1/services/%s/key", wanted->name);
        struct http_request request = {.method = "GET",
                                       .path = path,
                                       .answer_max = ANSWER_MAX,
                                       .timeout_ms = UPLINK_REQUEST_MS,
                                       .done = on_key};
        uplink_begin(uplink, &request, uplink_asked(uplink, NULL, wanted->name), &wanted->asking);
        if (!wanted->asking)
            return;
        uplink->asking++;
    }
}

/* --- deltas --- */

/* Whether the key is still that one. */
static void want_again(struct uplink *uplink, const struct service *service, uint64_t now_ms)
{
    if (wanted_of(uplink, service->name) != NULL)
        return;
    struct wanted *wanted = wanted_new(uplink, service->name, now_ms);
    if (wanted != NULL)
        wanted->told = true;
}

/* The problem's detail, for people. */
static void problem_of(const struct http_answer *answer, char *out, size_t cap)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    snprintf(out, cap, "it answers %u", answer->status);
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    if (answer->body.len > 0 &&
        document_parse(&document, "problem", answer->body, &arena, NULL) == GUARD_OK &&
        document.root->kind == DOCUMENT_MAPPING && text_of(document.root, "detail")[0] != '\0')
        snprintf(out, cap, "%u: %.200s", answer->status, text_of(document.root, "detail"));
    guard_arena_reset(&arena);
}

static void on_post(void *ctx, const struct http_answer *answer)
{
    struct asked *asked = ctx;
    struct uplink *uplink = asked->uplink;
    struct service *service = asked->service;
    struct spool *spool = &uplink->services->spool;
    uint64_t now_ms = clock_unix_ms();
    uint64_t number = asked->number;
    char problem[256];
    free(asked);
    uplink->posting--;
    service->up.posting = false;
    if (uplink->closing)
        return;
    if (uplink_is_of_parent(answer)) {
        uplink_away(uplink, answer, now_ms);
        return;
    }
    uplink_there(uplink, now_ms);
    if (service->spool.count == 0 || service->spool.list[0].first != number)
        return;
    service->up.unknown = service->up.unknown && answer->status == 404;
    if (answer->status == 404) { /* it lost the service, or doesn't take it of us any more */
        if (!service->up.unknown)
            log_event("alarm", "service-refused", service->name, "%s",
                      "the parent doesn't know it of us; tried again");
        service->up.unknown = true;
        service->up.retry_ms = now_ms + uplink_jitter(RETRY_MS);
        want_again(uplink, service, now_ms);
        return;
    }
    if (answer->status == 200) {
        spool_drop(spool, service->name, &service->spool);
        uplink->sent++;
        download_answer(service, answer->body);
        return;
    }
    problem_of(answer, problem, sizeof(problem));
    log_event("alarm", "pile-refused", service->name,
              "by the parent, put aside in spool/refused: %s", problem);
    spool_put_aside(spool, service->name, &service->spool);
    want_again(uplink, service, now_ms);
}

static void post(struct uplink *uplink, struct service *service, uint64_t now_ms)
{
    struct guard_err err;
    char path[160];
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (spool_read(&uplink->services->spool, service->name, &service->spool, &bytes, &len, &err) !=
        GUARD_OK) {
        log_event("alarm", "spool-unreadable", service->name, "%s; put aside", err.text);
        spool_put_aside(&uplink->services->spool, service->name, &service->spool);
        return;
    }
    snprintf(path, sizeof(path), "/api/v1/services/%s/piles", service->name_text);
    struct http_request request = {.method = "POST",
                                   .path = path,
                                   .headers = {"Content-Type: application/octet-stream"},
                                   .body = {bytes, len},
                                   .answer_max = ANSWER_MAX,
                                   .timeout_ms = UPLINK_REQUEST_MS,
                                   .done = on_post};
    struct asked *asked = uplink_asked(uplink, service, service->name_text);
    if (asked != NULL)
        asked->number = service->spool.list[0].first;
    uplink_begin(uplink, &request, asked, &service->up.posting);
    uplink->posting += service->up.posting;
    service->up.post_ms = now_ms;
    free(bytes);
}

static bool may_post(const struct service *service)
{
    return service->spool.count > 0 && !service->up.posting &&
           service->spool.list[0].last < service->delta.committed;
}

static void post_all(struct uplink *uplink, uint64_t now_ms)
{
    struct services *services = uplink->services;
    while (uplink->posting < UPLINK_POSTS_MAX && now_ms >= uplink->next_ms) {
        struct service *next = NULL; /* who waits for the longest time */
        for (uint32_t i = 0; i < services->count; i++) {
            struct service *service = services->list[i];
            if (may_post(service) && now_ms >= service->up.retry_ms &&
                (next == NULL || service->up.post_ms < next->up.post_ms))
                next = service;
        }
        if (next == NULL)
            return;
        post(uplink, next, now_ms);
    }
}

/* --- summaries --- */

static void on_summary(void *ctx, const struct http_answer *answer)
{
    struct asked *asked = ctx;
    struct uplink *uplink = asked->uplink;
    struct service *service = asked->service;
    uint64_t now_ms = clock_unix_ms();
    free(asked);
    if (uplink->closing)
        return;
    summary_sent(uplink->services, service, answer->status == 200, now_ms);
    if (uplink_is_of_parent(answer)) {
        uplink_away(uplink, answer, now_ms);
        return;
    }
    uplink_there(uplink, now_ms);
    if (answer->status == 200)
        download_answer(service, answer->body);
    else if (!service->up.summary_refused)
        log_event("alarm", "summary-refused", service->name, "the parent answers %u; tried again",
                  answer->status);
    service->up.summary_refused = answer->status != 200;
}

static void send_summary(struct uplink *uplink, struct service *service, uint64_t now_ms)
{
    char path[160];
    size_t len = 0;
    bool begun = false;
    uint8_t *bytes = summary_write(uplink->services, service, &len, now_ms);
    if (bytes == NULL)
        return;
    snprintf(path, sizeof(path), "/api/v1/services/%s/summary", service->name_text);
    struct http_request request = {.method = "POST",
                                   .path = path,
                                   .headers = {"Content-Type: application/json"},
                                   .body = {bytes, len},
                                   .answer_max = ANSWER_MAX,
                                   .timeout_ms = UPLINK_REQUEST_MS,
                                   .done = on_summary};
    uplink_begin(uplink, &request, uplink_asked(uplink, service, service->name_text), &begun);
    if (!begun)
        summary_sent(uplink->services, service, false, now_ms);
    free(bytes);
}

static void send_summaries(struct uplink *uplink, uint64_t now_ms)
{
    struct services *services = uplink->services;
    for (uint32_t i = 0; i < services->count && now_ms >= uplink->next_ms; i++) {
        if (summary_due(services, services->list[i], now_ms))
            send_summary(uplink, services->list[i], now_ms);
    }
}

/* --- records of pods --- */

static uint64_t taken_of(struct guard_span body)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    uint64_t taken = 0;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    if (body.len > 0 && document_parse(&document, "answer", body, &arena, NULL) == GUARD_OK &&
        document.root->kind == DOCUMENT_MAPPING)
        taken = strtoull(text_of(document.root, "taken"), NULL, 10);
    guard_arena_reset(&arena);
    return taken;
}

/* It took none of the batch and never will: another one may be good. */
static void pods_refused(struct uplink *uplink, const struct http_answer *answer)
{
    char problem[256];
    problem_of(answer, problem, sizeof(problem));
    log_event("alarm", "pod-records-refused", no_service, "%s", problem);
    pod_forward_taken(uplink->services->pod_forward, 0);
}

static void on_pods(void *ctx, const struct http_answer *answer)
{
    struct asked *asked = ctx;
    struct uplink *uplink = asked->uplink;
    struct pod_forward *forward = uplink->services->pod_forward;
    uint64_t now_ms = clock_unix_ms();
    free(asked);
    if (uplink->closing || forward == NULL)
        return;
    if (uplink_is_of_parent(answer)) {
        uplink_away(uplink, answer, now_ms);
        pod_forward_failed(forward, uplink->next_ms);
        return;
    }
    bool leaves = answer->status == 404 || answer->status == 405 || answer->status == 409;
    if (leaves && !tree_has_services(uplink->services->role)) {
        uplink_away(uplink, answer, now_ms); /* who learns nothing has to wait for another one */
        pod_forward_failed(forward, uplink->next_ms);
        return;
    }
    uplink_there(uplink, now_ms);
    if (answer->status == 200)
        pod_forward_taken(forward, taken_of(answer->body));
    else if (leaves)
        forward->left = true; /* another one than said so */
    else
        pods_refused(uplink, answer);
}

static void send_pods(struct uplink *uplink, uint64_t now_ms)
{
    struct pod_forward *forward = uplink->services->pod_forward;
    bool begun = false;
    if (now_ms < uplink->next_ms || !pod_forward_due(forward, now_ms))
        return;
    struct http_request request = {.method = "POST",
                                   .path = "/api/v1/pods/records",
                                   .headers = {"Content-Type: application/octet-stream"},
                                   .body = pod_forward_begin(forward),
                                   .answer_max = ANSWER_MAX,
                                   .timeout_ms = UPLINK_REQUEST_MS,
                                   .done = on_pods};
    uplink_begin(uplink, &request, uplink_asked(uplink, NULL, ""), &begun);
    if (!begun)
        pod_forward_failed(forward, uplink->next_ms);
}

/* --- life --- */

void uplink_tick(struct uplink *uplink, uint64_t now_ms)
{
    if (uplink == NULL)
        return;
    http_client_run(uplink->client);
    /* Or the clock was set back. */
    if (uplink->next_ms > now_ms + 2 * 86400000)
        uplink->next_ms = now_ms;
    if (now_ms < uplink->next_ms)
        return;
    send_pods(uplink, now_ms);
    if (tree_has_services(uplink->services->role)) {
        ask_keys(uplink, now_ms);
        post_all(uplink, now_ms);
        send_summaries(uplink, now_ms);
        uplink_follow(uplink, now_ms);
    }
    http_client_run(uplink->client);
}

void uplink_try_again(struct uplink *uplink)
{
    uplink->next_ms = 0;
    uplink->known = uplink->there;
    if (uplink->services->pod_forward != NULL)
        uplink->services->pod_forward->retry_ms = 0;
    for (uint32_t i = 0; i < uplink->services->count; i++)
        uplink->services->list[i]->summary.next_ms = 0;
}

bool uplink_drained(const struct uplink *uplink)
{
    const struct services *services = uplink->services;
    if (uplink->known && !uplink->there)
        return true;
    if (services->pod_forward != NULL && services->pod_forward->records > 0)
        return false;
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        if (may_post(service) || service->up.posting || service->summary.sending ||
            summary_alerts_left(services, service) || history_in_flight(&service->history))
            return false;
    }
    return true;
}

int uplink_fd(const struct uplink *uplink)
{
    return uplink != NULL ? http_client_fd(uplink->client) : -1;
}

uint32_t uplink_wait_ms(const struct uplink *uplink, uint32_t max)
{
    return uplink != NULL ? http_client_wait_ms(uplink->client, max) : max;
}

const char *uplink_parent(const struct uplink *uplink)
{
    return uplink->server;
}

void uplink_status(const struct uplink *uplink, struct json_writer *json, uint64_t now_ms)
{
    const struct services *services = uplink->services;
    const struct spool *spool = &services->spool;
    uint64_t oldest = now_ms;
    for (uint32_t i = 0; i < services->count; i++) {
        const struct spool_queue *queue = &services->list[i]->spool;
        if (queue->count > 0 && queue->list[0].since_ms < oldest)
            oldest = queue->list[0].since_ms;
    }
    json_open(json, "parent", '{');
    json_text(json, "server", uplink->server);
    json_text(json, "state", !uplink->known ? "unknown" : uplink->there ? "there" : "away");
    json_integer(json, "since_ms", (int64_t)uplink->since_ms);
    json_text(json, "failure", uplink->failure);
    json_integer(json, "sent", (int64_t)uplink->sent);
    json_integer(json, "refused", (int64_t)spool->refused);
    json_integer(json, "unkeyed", (int64_t)uplink->unkeyed);
    json_integer(json, "lag_ms", (int64_t)(now_ms - oldest));
    json_open(json, "spool", '{');
    json_integer(json, "files", (int64_t)spool->files);
    json_integer(json, "bytes", (int64_t)spool->bytes);
    json_integer(json, "max", (int64_t)spool->max);
    json_integer(json, "merged", (int64_t)spool->merged);
    json_integer(json, "lost", (int64_t)spool->lost);
    json_bool(json, "failing", services->spool_failing);
    json_close(json, '}');
    pod_forward_status(services->pod_forward, json);
    json_close(json, '}');
}

enum guard_rc uplink_new(struct uplink **out, struct services *services, const struct tree_cfg *cfg,
                         struct guard_err *err)
{
    const struct http_client_cfg http = {
        .server = cfg->parent, .token_file = cfg->parent_token, .ca_file = cfg->parent_ca};
    struct uplink *uplink = calloc(1, sizeof(*uplink));
    if (uplink == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for the parent");
    uplink->services = services;
    uplink->since_ms = clock_unix_ms();
    snprintf(uplink->server, sizeof(uplink->server), "%s", cfg->parent);
    enum guard_rc rc = http_client_open(&uplink->client, &http, err);
    if (rc != GUARD_OK) {
        free(uplink);
        return rc;
    }
    *out = uplink;
    return GUARD_OK;
}

void uplink_free(struct uplink *uplink)
{
    if (uplink == NULL)
        return;
    uplink->closing = true;
    http_client_close(uplink->client);
    free(uplink);
}
