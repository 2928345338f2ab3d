/* SPDX-License-Identifier: Apache-2.0 */
/* On the HTTP client that everything here uses. */
#include "common/canary_call.h"

#include "common/file.h"
#include "common/state.h"

#include <guard/policy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than an answer has: a service that sends more has none. */
enum { ANSWER_MAX = 4 * CANARY_ANSWER_CAP };

enum guard_rc canary_key_read(uint8_t key[GUARD_KEY_BYTES], const char *state,
                              struct guard_span service, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_policy *policy = NULL;
    const struct guard_alloc heap = heap_alloc();
    enum guard_rc rc = state_path(path, state, "policies", service, ".policy");
    if (rc != GUARD_OK)
        return guard_fail(err, rc, "no service has such a name");
    GUARD_TRY(file_read(path, GUARD_POLICY_BYTES_MAX, &bytes, &len, err));
    rc = guard_policy_load(&policy, &heap, (struct guard_span){bytes, len}, service, NULL, err);
    if (rc == GUARD_OK && !guard_policy_canary_key(policy, key))
        rc = guard_fail(err, GUARD_E_STATE,
                        "%s: was made without a model, so there is no key for canaries", path);
    guard_policy_unref(policy);
    free(bytes);
    return rc;
}

enum guard_rc canary_client_open(struct http_client **out, struct guard_err *err)
{
    const struct http_client_cfg cfg = {
        .server = "http://localhost", .agent = "guard-canary", .unverified = true};
    return http_client_open(out, &cfg, err);
}

static void on_answer(void *ctx, const struct http_answer *answer)
{
    struct canary_call *call = ctx;
    const struct guard_span proof = {(const uint8_t *)call->proof, CANARY_PROOF_LEN};
    struct canary_result result = {.outcome = CANARY_BARE, .status = answer->status};
    if (answer->status == 0 && !answer->too_long) {
        result.outcome = CANARY_SILENT;
        snprintf(result.failure, sizeof(result.failure), "%.*s", CANARY_FAILURE_CAP - 1,
                 answer->failure);
    } else if (answer->status == 200 &&
               canary_answered(&result.gate, answer->body, call->key, proof)) {
        result.outcome = CANARY_PROVED;
    }
    explicit_bzero(call->key, sizeof(call->key));
    call->done(call->ctx, &result);
}

enum guard_rc canary_call_begin(struct http_client *client, struct canary_call *call,
                                const struct canary_target *target, struct guard_span service,
                                const uint8_t key[GUARD_KEY_BYTES], struct guard_err *err)
{
    char path[CANARY_PREFIX_CAP + sizeof(CANARY_PATH)];
    char header[sizeof(CANARY_HEADER) + 2 + CANARY_PROOF_CAP];
    char host[CANARY_SERVER_CAP];
    uint8_t nonce[CANARY_NONCE_BYTES];
    if (strlen(target->prefix) >= CANARY_PREFIX_CAP)
        return guard_fail(err, GUARD_E_RANGE, "the path is too long");
    GUARD_TRY(random_bytes(nonce, sizeof(nonce)));
    if (canary_ask(call->proof, key, service, nonce, clock_unix_ms()) != GUARD_OK)
        return guard_fail(err, GUARD_E_RANGE, "no service has such a name");
    if (key != call->key)
        memcpy(call->key, key, GUARD_KEY_BYTES);
    snprintf(path, sizeof(path), "%s" CANARY_PATH, target->prefix);
    snprintf(header, sizeof(header), CANARY_HEADER ": %s", call->proof);
    snprintf(host, sizeof(host), "Host: %.*s", CANARY_SERVER_CAP - 8,
             target->host != NULL ? target->host : "");
    const struct http_request request = {
        .method = "GET",
        .server = target->server,
        .path = path,
        .headers = {header, target->host != NULL ? host : NULL},
        .answer_max = ANSWER_MAX,
        .timeout_ms = CANARY_TIMEOUT_MS,
        .alone = true,
        .done = on_answer,
        .ctx = call,
    };
    return http_client_start(client, &request, err);
}
