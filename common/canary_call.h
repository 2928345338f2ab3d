/* SPDX-License-Identifier: Apache-2.0 */
/* Sending a canary, and what its answer proves. Of what answers nothing is believed but the proof:
 * certificates aren't verified, redirects not followed, and of another answer only its status is
 * told. */
#ifndef GUARD_COMMON_CANARY_CALL_H
#define GUARD_COMMON_CANARY_CALL_H

#include "common/canary.h"
#include "common/http_client.h"

enum {
    CANARY_TIMEOUT_MS = 5000, /* of the whole */
    CANARY_FAILURE_CAP = 128,
    CANARY_SERVER_CAP = 288,
    CANARY_PREFIX_CAP = 256,
};

enum canary_outcome {
    CANARY_PROVED, /* a gate that has the service's policy in force answered */
    CANARY_BARE,   /* something answered that has no proof */
    CANARY_SILENT, /* nothing answered */
};

struct canary_result {
    enum canary_outcome outcome;
    struct canary_gate gate;          /* of CANARY_PROVED */
    unsigned status;                  /* of CANARY_BARE: HTTP's; 0: it isn't HTTP, or too long */
    char failure[CANARY_FAILURE_CAP]; /* of CANARY_SILENT */
};

/* The key of a service's canaries, of the policy in a state directory that gates find there.
 * GUARD_E_STATE: it was compiled without a model, and has none; else as the file or the policy
 * fails. */
GUARD_MUST_USE enum guard_rc canary_key_read(uint8_t key[GUARD_KEY_BYTES], const char *state,
                                             struct guard_span service, struct guard_err *err);

/* For any number of servers: each call names its own. */
GUARD_MUST_USE enum guard_rc canary_client_open(struct http_client **out, struct guard_err *err);

/* One that is under way; lives until `done`, which is called once, from http_client_run or
 * http_client_close. */
struct canary_call {
    void (*done)(void *ctx, const struct canary_result *result);
    void *ctx;
    char proof[CANARY_PROOF_CAP];
    uint8_t key[GUARD_KEY_BYTES];
};

struct canary_target {
    const char *server; /* "http://HOST[:PORT]" or "https://…" */
    const char *prefix; /* of the path: "" or "/api" */
    const char *host;   /* what the Host field says; NULL: the server's */
};

/* GUARD_E_RANGE (a target or service that can't be asked), and what http_client_start says; then
 * done isn't called. key may be call->key. */
GUARD_MUST_USE enum guard_rc canary_call_begin(struct http_client *client, struct canary_call *call,
                                               const struct canary_target *target,
                                               struct guard_span service,
                                               const uint8_t key[GUARD_KEY_BYTES],
                                               struct guard_err *err);

#endif
