/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to an API server, for a program with a loop of its own: as many as the server and our
 * own limit allow; what it answers is a tree. */
#ifndef GUARD_COMMON_KUBERNETES_API_CLIENT_H
#define GUARD_COMMON_KUBERNETES_API_CLIENT_H

#include "common/document.h"
#include "common/kubernetes/config.h"

enum {
    KUBERNETES_PATH_MAX = 1800,
    KUBERNETES_ANSWER_MAX = 64 << 20, /* a page of 500 objects */
    KUBERNETES_BURST = 40,            /* requests at once, then one each so many milliseconds */
    KUBERNETES_EACH_MS = 50,
    KUBERNETES_REASON_CAP = 256,
};

struct api_client;

struct api_answer {
    unsigned status;                  /* 0: there was none */
    const struct document_node *root; /* NULL: none, or no JSON; until the call returns */
    bool too_large;                   /* for us: there is no root, and so is status 0 */
    uint32_t retry_after_s;           /* not again before; 0: nothing was said */
    /* What went wrong, as the server or the connection says; "" otherwise. */
    char message[KUBERNETES_REASON_CAP];
};

struct api_call {
    const char *method;
    const char *path;
    const char *content_type; /* of the body; NULL: none */
    struct guard_span body;
    void (*done)(void *ctx, const struct api_answer *answer);
    void *ctx;
    bool own_limit; /* 429 is said of what this call asks for, and keeps no other call back */
    bool text;      /* an answer of 200 is no JSON: root stays NULL */
    bool revocable; /* ended by api_client_revoke */
};

/* version: what it calls itself, "guardd/1.0"; kept by the caller. */
GUARD_MUST_USE enum guard_rc api_client_open(struct api_client **out,
                                             const struct kubernetes_config *config,
                                             const char *agent, struct guard_err *err);
/* Calls under way end with status 0. */
void api_client_close(struct api_client *client);
/* Whether a call may be begun now: of the limit, and of a server that said to come later. */
bool api_client_ready(const struct api_client *client, uint64_t now_ms);
/* GUARD_E_LIMIT, GUARD_E_IO, GUARD_E_NOMEM: done isn't called. Doesn't look at api_client_ready. */
GUARD_MUST_USE enum guard_rc api_client_call(struct api_client *client, const struct api_call *call,
                                             struct guard_err *err);
/* A call whose answer doesn't end; each piece goes to `part` (false ends it). Ended after so long
 * without a byte. */
GUARD_MUST_USE enum guard_rc api_client_watch(struct api_client *client,
                                              const struct api_call *call,
                                              bool (*part)(void *ctx, struct guard_span piece),
                                              uint32_t silent_ms, struct guard_err *err);
void api_client_run(struct api_client *client);
/* Ends what may be revoked, with status 0: what of it wasn't sent never is. */
void api_client_revoke(struct api_client *client);
int api_client_fd(const struct api_client *client);
uint32_t api_client_wait_ms(const struct api_client *client, uint32_t max);

#endif
