/* SPDX-License-Identifier: Apache-2.0 */
/* An API server's client that answers what a test says, in place of the real one: included behind
 * cmocka.h, once in a test. */
#ifndef GUARD_TESTS_CLUSTER_STAND_IN_H
#define GUARD_TESTS_CLUSTER_STAND_IN_H

#include "common/file.h"
#include "common/kubernetes/api_client.h"
#include "common/kubernetes/json_tree.h"

#include <stdio.h>
#include <string.h>

enum { CALLS_MAX = 64, BODY_CAP = 24 * 1024 };

static struct {
    struct api_call calls[CALLS_MAX];
    uint32_t count;
    bool full;
    char body[BODY_CAP]; /* of the last call */
} server;

enum guard_rc kubernetes_config_load(struct kubernetes_config *out, const char *where,
                                     struct guard_err *err)
{
    (void)out;
    (void)where;
    (void)err;
    return GUARD_OK;
}

void kubernetes_config_free(struct kubernetes_config *config)
{
    (void)config;
}

enum guard_rc api_client_open(struct api_client **out, const struct kubernetes_config *config,
                              const char *agent, struct guard_err *err)
{
    (void)config;
    (void)agent;
    (void)err;
    *out = (struct api_client *)&server;
    return GUARD_OK;
}

void api_client_close(struct api_client *client)
{
    (void)client;
}

bool api_client_ready(const struct api_client *client, uint64_t now_ms)
{
    (void)client;
    (void)now_ms;
    return !server.full;
}

enum guard_rc api_client_call(struct api_client *client, const struct api_call *call,
                              struct guard_err *err)
{
    (void)client;
    (void)err;
    assert_true(server.count < CALLS_MAX);
    server.calls[server.count++] = *call;
    snprintf(server.body, sizeof(server.body), "%.*s", (int)call->body.len,
             call->body.ptr != NULL ? (const char *)call->body.ptr : "");
    return GUARD_OK;
}

void api_client_run(struct api_client *client)
{
    (void)client;
}

int api_client_fd(const struct api_client *client)
{
    (void)client;
    return -1;
}

uint32_t api_client_wait_ms(const struct api_client *client, uint32_t max)
{
    (void)client;
    return max;
}

/* Answers the call that was begun first. */
static void answer_as(const struct api_answer *answer)
{
    assert_true(server.count > 0);
    struct api_call call = server.calls[0];
    memmove(server.calls, server.calls + 1, --server.count * sizeof(server.calls[0]));
    call.done(call.ctx, answer);
}

__attribute__((unused)) static void answer(unsigned status, const char *text)
{
    const struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_err err;
    struct document_node *root = NULL;
    struct api_answer answer = {.status = status, .message = "a message"};
    guard_arena_init(&arena, &heap, 1 << 20);
    if (text != NULL)
        assert_int_equal(json_tree_parse(&root,
                                         (struct guard_span){(const uint8_t *)text, strlen(text)},
                                         &arena, &err),
                         GUARD_OK);
    answer.root = root;
    answer_as(&answer);
    guard_arena_reset(&arena);
}

#endif
