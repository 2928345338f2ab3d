/* SPDX-License-Identifier: Apache-2.0 */
/* Following the parent: a request of each service waits there for a newer policy, and says what
 * else is newer, which is fetched then. What came down is download.c's. */
#include "guardd/tree/download.h"
#include "guardd/tree/pause.h"
#include "guardd/tree/uplink_inner.h"

#include "common/file.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FOLLOW_MS = 45000 }; /* a parent holds an answer for 25 s */

static void on_follow(void *ctx, const struct http_answer *answer)
{
    struct asked *asked = ctx;
    struct uplink *uplink = asked->uplink;
    struct service *service = asked->service;
    uint64_t now_ms = clock_unix_ms();
    free(asked);
    service->up.following = false;
    if (uplink->closing)
        return;
    if (answer->status == 200 || answer->status == 304) {
        uplink_there(uplink, now_ms);
        bool good =
            answer->status == 304 || download_policy(uplink->services, service, answer->body);
        service->up.failures = good ? 0 : service->up.failures + 1;
        download_tag(service, answer->etag);
    } else {
        if (uplink_is_of_parent(answer))
            uplink_away(uplink, answer, now_ms);
        service->up.failures++;
    }
    service->up.follow_ms =
        now_ms + (service->up.failures > 0
                      ? uplink_pause(service->up.failures + 2, answer->retry_after_s)
                      : 0);
}

/* And who asks: the pod that this guardd stands beside, and what its gate was told. Names and ids
 * need no escapes in a parameter. */
static void ask_withdrawals(const struct services *services, const struct service *service,
                            char *out, size_t size)
{
    const struct pod_self *self = &services->pod_self;
    const char *obeyed = service->withdrawals.obeyed;
    int len = snprintf(out, size, "&withdrawals=%" PRIu64, service->withdrawals.issued_ms);
    if (self->pod[0] != '\0')
        snprintf(out + len, size - (size_t)len, "&pod=%s/%s%s%s%s%s", self->name_space, self->pod,
                 self->uid[0] != '\0' ? "/" : "", self->uid, obeyed[0] != '\0' ? "&obeys=" : "",
                 obeyed);
}

static void follow(struct uplink *uplink, struct service *service)
{
    char path[1024];
    /* One that is lost here is wanted again. */
    uint64_t after = service->up.in_place || service->generation == 0 ? service->generation
                                                                      : service->generation - 1;
    int len = snprintf(path, sizeof(path),
                       "/api/v1/services/%s/policy?after=%" PRIu64 "&verdicts=%" PRIu64,
                       service->name_text, after, service->up.verdicts);
    if (service->up.says_withdrawals)
        ask_withdrawals(uplink->services, service, path + len, sizeof(path) - (size_t)len);
    struct http_request request = {.method = "GET",
                                   .path = path,
                                   .answer_max = GUARD_POLICY_BYTES_MAX,
                                   .timeout_ms = FOLLOW_MS,
                                   .done = on_follow};
    uplink_begin(uplink, &request, uplink_asked(uplink, service, service->name_text),
                 &service->up.following);
}

/* Another root than the one that offered it may have answered, one that doesn't have it yet. */
static bool is_not_there(const struct http_answer *answer)
{
    return answer->status == 404 || answer->status == 503;
}

/* A kind of text that is offered beside policies. */
struct offered {
    const char *name;    /* as the parent calls it */
    const char *refused; /* alarms: that one wasn't believed, */
    const char *unkept;  /* and that a good one couldn't be kept */
    size_t max;
    struct offer *(*of)(struct service *service);
    uint64_t (*in_place)(const struct service *service); /* its number */
    enum guard_rc (*place)(struct services *services, struct service *service,
                           struct guard_span text, struct guard_err *err);
    void (*done)(void *ctx, const struct http_answer *answer);
};

static void came(const struct offered *what, struct asked *asked, const struct http_answer *answer)
{
    struct uplink *uplink = asked->uplink;
    struct service *service = asked->service;
    struct offer *offer = what->of(service);
    struct guard_err err = {.text = "older than those it offers (replay); asked again"};
    enum guard_rc rc = GUARD_E_REPLAY;
    free(asked);
    offer->fetching = false;
    if (uplink->closing)
        return;
    if (uplink_is_of_parent(answer) && !is_not_there(answer)) {
        uplink_away(uplink, answer, clock_unix_ms());
        return;
    }
    if (answer->status == 200)
        rc = what->place(uplink->services, service, answer->body, &err);
    offer_came(offer, what->in_place(service), clock_unix_ms(), answer->retry_after_s);
    bool ours = rc == GUARD_E_IO || rc == GUARD_E_NOMEM;
    if (offer_is_told(offer, rc != GUARD_OK && rc != GUARD_E_REPLAY))
        log_event("alarm", ours ? what->unkept : what->refused, service->name, "of the parent: %s",
                  err.text);
}

static struct offer *verdicts_of(struct service *service)
{
    return &service->up.offered_verdicts;
}

static uint64_t verdicts_in_place(const struct service *service)
{
    return service->up.verdicts;
}

static void on_verdicts(void *ctx, const struct http_answer *answer);
static const struct offered verdicts = {.name = "verdicts",
                                        .refused = "client-verdicts-refused",
                                        .unkept = "client-verdicts-not-written",
                                        .max = GUARD_CLIENT_TABLE_BYTES,
                                        .of = verdicts_of,
                                        .in_place = verdicts_in_place,
                                        .place = download_verdicts,
                                        .done = on_verdicts};

static void on_verdicts(void *ctx, const struct http_answer *answer)
{
    came(&verdicts, ctx, answer);
}

static struct offer *withdrawals_of(struct service *service)
{
    return &service->up.offered_withdrawals;
}

static uint64_t withdrawals_in_place(const struct service *service)
{
    return service->withdrawals.issued_ms;
}

static void on_withdrawals(void *ctx, const struct http_answer *answer);
static const struct offered withdrawals = {.name = "withdrawals",
                                           .refused = "pod-withdrawals-refused",
                                           .unkept = "pod-withdrawals-not-written",
                                           .max = POD_WITHDRAWALS_BYTES,
                                           .of = withdrawals_of,
                                           .in_place = withdrawals_in_place,
                                           .place = withdrawals_place,
                                           .done = on_withdrawals};

static void on_withdrawals(void *ctx, const struct http_answer *answer)
{
    came(&withdrawals, ctx, answer);
}

static void fetch(struct uplink *uplink, struct service *service, const struct offered *what,
                  uint64_t now_ms)
{
    char path[160];
    struct offer *offer = what->of(service);
    if (!offer_is_due(offer, now_ms))
        return;
    offer_asked(offer);
    snprintf(path, sizeof(path), "/api/v1/services/%s/%s", service->name_text, what->name);
    struct http_request request = {.method = "GET",
                                   .path = path,
                                   .answer_max = what->max,
                                   .timeout_ms = UPLINK_REQUEST_MS,
                                   .alone = offer->short_of_it > 0, /* perhaps another root */
                                   .done = what->done};
    uplink_begin(uplink, &request, uplink_asked(uplink, service, service->name_text),
                 &offer->fetching);
}

void uplink_follow(struct uplink *uplink, uint64_t now_ms)
{
    struct services *services = uplink->services;
    for (uint32_t i = 0; i < services->count && now_ms >= uplink->next_ms; i++) {
        struct service *service = services->list[i];
        fetch(uplink, service, &verdicts, now_ms);
        fetch(uplink, service, &withdrawals, now_ms);
        /* Then with what came, and what the gate was told. */
        if (!service->up.following && now_ms >= service->up.follow_ms &&
            !offer_rests(&service->up.offered_verdicts, now_ms) &&
            !offer_rests(&service->up.offered_withdrawals, now_ms))
            follow(uplink, service);
    }
}
