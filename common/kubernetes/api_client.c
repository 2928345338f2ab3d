/* SPDX-License-Identifier: Apache-2.0 */
/* On the HTTP client that everything here uses. */
#include "common/kubernetes/api_client.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/kubernetes/json_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALL_MS = 30000,
    ARENA_MAX = 512 << 20, /* of the largest answer's tree */
    RETRY_MAX_S = 120,
};

struct api_client {
    struct http_client *http;
    uint64_t full_ms;  /* when all of the burst may be used again */
    uint64_t later_ms; /* the server said to come not before */
};

struct pending {
    struct api_client *client;
    bool (*part)(void *ctx, struct guard_span piece);
    void (*done)(void *ctx, const struct api_answer *answer);
    void *ctx;
    bool own_limit, text;
};

enum guard_rc api_client_open(struct api_client **out, const struct kubernetes_config *config,
                              const char *agent, struct guard_err *err)
{
    struct http_client_cfg http = config->http;
    http.agent = agent;
    struct api_client *client = calloc(1, sizeof(*client));
    if (client == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a client");
    enum guard_rc rc = http_client_open(&client->http, &http, err);
    if (rc == GUARD_OK)
        *out = client;
    else
        free(client);
    return rc;
}

void api_client_close(struct api_client *client)
{
    if (client == NULL)
        return;
    http_client_close(client->http);
    free(client);
}

bool api_client_ready(const struct api_client *client, uint64_t now_ms)
{
    return now_ms >= client->later_ms &&
           client->full_ms < now_ms + (uint64_t)KUBERNETES_BURST * KUBERNETES_EACH_MS;
}

static void spend(struct api_client *client, uint64_t now_ms)
{
    client->full_ms = (client->full_ms > now_ms ? client->full_ms : now_ms) + KUBERNETES_EACH_MS;
}

static void answer_tree(struct api_answer *answer, const struct http_answer *http,
                        struct guard_arena *arena)
{
    struct document_node *root = NULL;
    struct guard_err err = {.text = ""};
    enum guard_rc rc =
        http->body.len > 0 ? json_tree_parse(&root, http->body, arena, &err) : GUARD_E_SYNTAX;
    if (rc == GUARD_OK && root->kind == DOCUMENT_MAPPING)
        answer->root = root;
    answer->too_large = rc == GUARD_E_LIMIT || rc == GUARD_E_NOMEM;
    if (http->status < 400) {
        if (answer->root == NULL) { /* whatever it is, it isn't what was asked for */
            answer->status = 0;
            snprintf(answer->message, sizeof(answer->message), "no JSON object: %.200s", err.text);
        }
        return;
    }
    const char *message = answer->root != NULL ? text_of(answer->root, "message") : "";
    snprintf(answer->message, sizeof(answer->message), "%u: %.200s", http->status,
             message[0] != '\0' ? message : "no words");
}

static void on_done(void *ctx, const struct http_answer *http)
{
    struct pending *pending = ctx;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct api_answer answer = {
        .status = http->status, .too_large = http->too_long, .retry_after_s = http->retry_after_s};
    guard_arena_init(&arena, &heap, ARENA_MAX);
    if (http->status == 0)
        snprintf(answer.message, sizeof(answer.message), "%.250s", http->failure);
    else if (http->status != 200 || (pending->part == NULL && !pending->text))
        answer_tree(&answer, http, &arena);
    if ((http->status == 429 && !pending->own_limit) ||
        (http->status == 503 && http->retry_after_s > 0)) {
        uint64_t wait_s = http->retry_after_s > 0 ? http->retry_after_s : 1;
        pending->client->later_ms =
            clock_monotonic_ms() + 1000 * (wait_s < RETRY_MAX_S ? wait_s : RETRY_MAX_S);
    }
    pending->done(pending->ctx, &answer);
    guard_arena_reset(&arena);
    free(pending);
}

static bool on_part(void *ctx, struct guard_span piece)
{
    const struct pending *pending = ctx;
    return pending->part(pending->ctx, piece);
}

static enum guard_rc begin(struct api_client *client, const struct api_call *call,
                           bool (*part)(void *ctx, struct guard_span piece), uint32_t ms,
                           struct guard_err *err)
{
    char type[96];
    struct http_request request = {
        .method = call->method,
        .path = call->path,
        .headers = {"Accept: application/json"},
        .body = call->body,
        .answer_max = KUBERNETES_ANSWER_MAX,
        .timeout_ms = ms,
        .part = part != NULL ? on_part : NULL,
        .part_type = "application/json",
        .revocable = call->revocable,
        .done = on_done,
    };
    if (call->content_type != NULL) {
        snprintf(type, sizeof(type), "Content-Type: %s", call->content_type);
        request.headers[1] = type;
    }
    struct pending *pending = malloc(sizeof(*pending));
    if (pending == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a call");
    *pending = (struct pending){client, part, call->done, call->ctx, call->own_limit, call->text};
    request.ctx = pending;
    enum guard_rc rc = http_client_start(client->http, &request, err);
    if (rc != GUARD_OK)
        free(pending);
    else
        spend(client, clock_monotonic_ms());
    return rc;
}

enum guard_rc api_client_call(struct api_client *client, const struct api_call *call,
                              struct guard_err *err)
{
    return begin(client, call, NULL, CALL_MS, err);
}

enum guard_rc api_client_watch(struct api_client *client, const struct api_call *call,
                               bool (*part)(void *ctx, struct guard_span piece), uint32_t silent_ms,
                               struct guard_err *err)
{
    return begin(client, call, part, silent_ms, err);
}

void api_client_run(struct api_client *client)
{
    http_client_run(client->http);
}

void api_client_revoke(struct api_client *client)
{
    http_client_revoke(client->http);
}

int api_client_fd(const struct api_client *client)
{
    return client != NULL ? http_client_fd(client->http) : -1;
}

uint32_t api_client_wait_ms(const struct api_client *client, uint32_t max)
{
    return client != NULL ? http_client_wait_ms(client->http, max) : max;
}
