/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the proof of a canary and as the answer to one: no crash, and nobody who doesn't
 * have the key makes either. */
#include "common/canary.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[GUARD_KEY_BYTES] = "no corpus was made with this key";
    static const uint8_t nonce[CANARY_NONCE_BYTES];
    const struct guard_span bytes = {data, size};
    const struct guard_span service = GUARD_SPAN_LITERAL("prod.shop");
    char proof[CANARY_PROOF_CAP];
    char body[CANARY_ANSWER_CAP];
    struct canary_gate gate = {.generation = size};
    if (canary_ask(proof, key, service, nonce, 1800000000000) != GUARD_OK ||
        canary_check(bytes, key, service, 1800000000000) ||
        canary_answered(&gate, bytes, key, GUARD_SPAN_LITERAL("1.")))
        abort();
    /* Whatever a gate is called, its answer is read again. */
    size_t len = size < sizeof(gate.pod) ? size : sizeof(gate.pod) - 1;
    if (len > 0)
        memcpy(gate.pod, data, len);
    const struct guard_span asked = {(const uint8_t *)proof, CANARY_PROOF_LEN};
    len = canary_answer(body, key, asked, &gate);
    struct canary_gate said;
    if (!canary_answered(&said, (struct guard_span){(const uint8_t *)body, len}, key, asked) ||
        said.generation != size)
        abort();
    return 0;
}
