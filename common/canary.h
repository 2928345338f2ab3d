/* SPDX-License-Identifier: Apache-2.0 */
/* A canary: a request that asks whether a gate stands in a service's way. It carries a proof that
 * only who has the service's policy can make, and so does the answer, which says whose gate it is.
 * docs/internals/canary.md, docs/adr/0030-canary.md */
#ifndef GUARD_COMMON_CANARY_H
#define GUARD_COMMON_CANARY_H

#include <guard/types.h>

enum {
    CANARY_WINDOW_MS = 60000, /* a proof holds for so long, and clocks may differ by as much */
    CANARY_NONCE_BYTES = 16,
    /* "1." time "." nonce "." proof, numbers in hexadecimal */
    CANARY_HEAD_LEN = 2 + 16 + 1 + 2 * CANARY_NONCE_BYTES,
    CANARY_PROOF_LEN = CANARY_HEAD_LEN + 1 + 2 * GUARD_KEY_BYTES,
    CANARY_PROOF_CAP = CANARY_PROOF_LEN + 1,
    CANARY_POD_CAP = 256,
    CANARY_REVISION_CAP = 129,
    CANARY_ANSWER_CAP = 1024,
};
/* What ends the path of one, and the header that carries the proof, in lower case. A service that
 * gets one sees a GET without a query, of a path that RFC 8615 keeps for such things. */
#define CANARY_PATH "/.well-known/guard-canary"
#define CANARY_HEADER "guard-canary"

/* The proof of one that is sent now, with its NUL. The nonce is random; GUARD_E_RANGE: the service
 * has no name. */
GUARD_MUST_USE enum guard_rc canary_ask(char out[CANARY_PROOF_CAP],
                                        const uint8_t key[GUARD_KEY_BYTES],
                                        struct guard_span service,
                                        const uint8_t nonce[CANARY_NONCE_BYTES], uint64_t now_ms);
/* Whether it is the proof of a canary of that service, of now. Foreign bytes of any length; all but
 * the last step is done without the key. */
bool canary_check(struct guard_span proof, const uint8_t key[GUARD_KEY_BYTES],
                  struct guard_span service, uint64_t now_ms);

/* Who answers. */
struct canary_gate {
    char pod[CANARY_POD_CAP];           /* the name of the machine, in a pod the pod's */
    char revision[CANARY_REVISION_CAP]; /* of the service behind it; "": undeclared */
    uint64_t generation;                /* of the policy in force */
};

/* The body of the answer to a canary of that proof; its length. What isn't printable is left out of
 * the texts. */
size_t canary_answer(char out[CANARY_ANSWER_CAP], const uint8_t key[GUARD_KEY_BYTES],
                     struct guard_span proof, const struct canary_gate *gate);
/* Whether a body is such an answer, by who has the key, to this very proof. Foreign bytes of any
 * length; *out is set only when it is. */
bool canary_answered(struct canary_gate *out, struct guard_span body,
                     const uint8_t key[GUARD_KEY_BYTES], struct guard_span proof);

#endif
