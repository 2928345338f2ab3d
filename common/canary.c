/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs are keyed BLAKE2b over lines: what is proved, then what it is said of. A line holds no end
 * of a line, so no two sets of them read alike. */
#include "common/canary.h"

#include "common/hex.h"

#include <guard/crypto.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ASKED "guard canary asked\n"
#define ANSWERED "guard canary answered\n"
#define ANSWER_HEAD "guard-canary 1 "

enum {
    SERVICE_MAX = 256,
    MESSAGE_CAP = sizeof(ANSWERED) + CANARY_PROOF_CAP + CANARY_ANSWER_CAP,
    MAC_LEN = 2 * GUARD_KEY_BYTES,
    ANSWER_HEAD_LEN = sizeof(ANSWER_HEAD) - 1 + MAC_LEN + 1,
};

/* --- proofs --- */

static bool all_hex(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (hex_digit_of(bytes[i]) < 0)
            return false;
    }
    return true;
}

/* How many differ says nothing of where. */
static bool equal(const void *left, const void *right, size_t len)
{
    const uint8_t *a = left;
    const uint8_t *b = right;
    uint8_t differs = 0;
    for (size_t i = 0; i < len; i++)
        differs |= (uint8_t)(a[i] ^ b[i]);
    return differs == 0;
}

/* Of a purpose, a line and what follows it. */
static bool prove(char mac[MAC_LEN], const uint8_t key[GUARD_KEY_BYTES], struct guard_span purpose,
                  struct guard_span line, struct guard_span rest)
{
    uint8_t message[MESSAGE_CAP];
    uint8_t digest[GUARD_KEY_BYTES];
    size_t len = 0;
    if (purpose.len + line.len + 1 + rest.len > sizeof(message))
        return false;
    memcpy(message, purpose.ptr, purpose.len);
    len += purpose.len;
    memcpy(message + len, line.ptr, line.len);
    len += line.len;
    message[len++] = '\n';
    memcpy(message + len, rest.ptr, rest.len);
    len += rest.len;
    guard_key_derive(digest, key, (struct guard_span){message, len});
    hex_write(mac, digest, sizeof(digest));
    return true;
}

static bool prove_asked(char mac[MAC_LEN], const uint8_t key[GUARD_KEY_BYTES],
                        struct guard_span service, const void *head)
{
    return service.len > 0 && service.len <= SERVICE_MAX &&
           prove(mac, key, GUARD_SPAN_LITERAL(ASKED), service,
                 (struct guard_span){head, CANARY_HEAD_LEN});
}

enum guard_rc canary_ask(char out[CANARY_PROOF_CAP], const uint8_t key[GUARD_KEY_BYTES],
                         struct guard_span service, const uint8_t nonce[CANARY_NONCE_BYTES],
                         uint64_t now_ms)
{
    snprintf(out, CANARY_PROOF_CAP, "1.%016" PRIx64 ".", now_ms);
    hex_write(out + CANARY_HEAD_LEN - 2 * CANARY_NONCE_BYTES, nonce, CANARY_NONCE_BYTES);
    out[CANARY_HEAD_LEN] = '.';
    out[CANARY_PROOF_LEN] = '\0';
    return prove_asked(out + CANARY_HEAD_LEN + 1, key, service, out) ? GUARD_OK : GUARD_E_RANGE;
}

static bool formed(struct guard_span proof)
{
    const uint8_t *at = proof.ptr;
    return proof.len == CANARY_PROOF_LEN && at[0] == '1' && at[1] == '.' && all_hex(at + 2, 16) &&
           at[18] == '.' && all_hex(at + 19, 2 * (size_t)CANARY_NONCE_BYTES) &&
           at[CANARY_HEAD_LEN] == '.' && all_hex(at + CANARY_HEAD_LEN + 1, MAC_LEN);
}

static bool is_of_now(struct guard_span proof, uint64_t now_ms)
{
    uint64_t time = 0;
    for (size_t i = 0; i < 16; i++)
        time = time << 4 | (uint64_t)hex_digit_of(proof.ptr[2 + i]);
    return time > now_ms ? time - now_ms <= CANARY_WINDOW_MS : now_ms - time <= CANARY_WINDOW_MS;
}

bool canary_check(struct guard_span proof, const uint8_t key[GUARD_KEY_BYTES],
                  struct guard_span service, uint64_t now_ms)
{
    char mac[MAC_LEN];
    return formed(proof) && is_of_now(proof, now_ms) && prove_asked(mac, key, service, proof.ptr) &&
           equal(mac, proof.ptr + CANARY_HEAD_LEN + 1, MAC_LEN);
}

/* --- answers --- */

static void put_line(char *out, size_t *len, const char *name, const char *text)
{
    *len += (size_t)snprintf(out + *len, CANARY_ANSWER_CAP - *len, "%s ", name);
    for (; *text != '\0'; text++) {
        if (*text > ' ' && *text < 0x7f)
            out[(*len)++] = *text;
    }
    out[(*len)++] = '\n';
}

size_t canary_answer(char out[CANARY_ANSWER_CAP], const uint8_t key[GUARD_KEY_BYTES],
                     struct guard_span proof, const struct canary_gate *gate)
{
    char generation[24];
    size_t len = ANSWER_HEAD_LEN;
    snprintf(generation, sizeof(generation), "%" PRIu64, gate->generation);
    memcpy(out, ANSWER_HEAD, sizeof(ANSWER_HEAD) - 1);
    out[ANSWER_HEAD_LEN - 1] = '\n';
    put_line(out, &len, "pod", gate->pod);
    put_line(out, &len, "revision", gate->revision);
    put_line(out, &len, "generation", generation);
    const struct guard_span rest = {(const uint8_t *)out + ANSWER_HEAD_LEN, len - ANSWER_HEAD_LEN};
    return prove(out + sizeof(ANSWER_HEAD) - 1, key, GUARD_SPAN_LITERAL(ANSWERED), proof, rest)
               ? len
               : 0;
}

/* Takes "NAME TEXT\n" off the front. */
static bool take_line(struct guard_span *rest, const char *name, char *out, size_t cap)
{
    size_t name_len = strlen(name);
    const uint8_t *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - rest->ptr) : 0;
    if (len <= name_len || memcmp(rest->ptr, name, name_len) != 0 || rest->ptr[name_len] != ' ' ||
        len - name_len - 1 >= cap)
        return false;
    for (size_t i = name_len + 1; i < len; i++) {
        if (rest->ptr[i] <= ' ' || rest->ptr[i] >= 0x7f)
            return false;
    }
    memcpy(out, rest->ptr + name_len + 1, len - name_len - 1);
    out[len - name_len - 1] = '\0';
    rest->ptr += len + 1;
    rest->len -= len + 1;
    return true;
}

static bool read_number(const char *text, uint64_t *out)
{
    *out = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || __builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, (uint64_t)(*at - '0'), out))
            return false;
    }
    return text[0] != '\0';
}

bool canary_answered(struct canary_gate *out, struct guard_span body,
                     const uint8_t key[GUARD_KEY_BYTES], struct guard_span proof)
{
    char mac[MAC_LEN];
    char generation[24];
    struct canary_gate gate;
    if (body.len <= ANSWER_HEAD_LEN || body.len > CANARY_ANSWER_CAP ||
        memcmp(body.ptr, ANSWER_HEAD, sizeof(ANSWER_HEAD) - 1) != 0 ||
        body.ptr[ANSWER_HEAD_LEN - 1] != '\n')
        return false;
    struct guard_span rest = {body.ptr + ANSWER_HEAD_LEN, body.len - ANSWER_HEAD_LEN};
    if (!prove(mac, key, GUARD_SPAN_LITERAL(ANSWERED), proof, rest) ||
        !equal(mac, body.ptr + sizeof(ANSWER_HEAD) - 1, MAC_LEN) ||
        !take_line(&rest, "pod", gate.pod, sizeof(gate.pod)) ||
        !take_line(&rest, "revision", gate.revision, sizeof(gate.revision)) ||
        !take_line(&rest, "generation", generation, sizeof(generation)) ||
        !read_number(generation, &gate.generation) || rest.len != 0)
        return false;
    *out = gate;
    return true;
}
