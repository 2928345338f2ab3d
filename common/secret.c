/* SPDX-License-Identifier: Apache-2.0 */
/* Argon2id of libsodium, and the form of tokens. */
#include "common/secret.h"

#include "common/file.h"

#include <sodium/core.h>
#include <sodium/crypto_pwhash.h>
#include <sodium/utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)SECRET_HASH_CAP == (int)crypto_pwhash_STRBYTES, "room for a hash");

static const char prefix[] = "guard_";
enum { PREFIX_LEN = sizeof(prefix) - 1, RANDOM_BYTES = 32, RANDOM_CHARS = 43 };
_Static_assert((int)PREFIX_LEN + (int)SECRET_ID_LEN + 1 + (int)RANDOM_CHARS ==
                   (int)SECRET_TOKEN_LEN,
               "the form of a token");

static void put_base64url(char *out, const uint8_t bytes[RANDOM_BYTES])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t held = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < RANDOM_BYTES; i++) {
        held = held << 8 | bytes[i];
        for (bits += 8; bits >= 6; bits -= 6)
            *out++ = alphabet[held >> (bits - 6) & 63];
    }
    *out++ = alphabet[held << (6 - bits) & 63];
    *out = '\0';
}

enum guard_rc secret_new(char out[SECRET_TOKEN_LEN + 1])
{
    uint8_t id[SECRET_ID_LEN / 2];
    uint8_t random[RANDOM_BYTES];
    GUARD_TRY(random_bytes(id, sizeof(id)));
    GUARD_TRY(random_bytes(random, sizeof(random)));
    memcpy(out, prefix, PREFIX_LEN);
    for (size_t i = 0; i < sizeof(id); i++)
        snprintf(out + PREFIX_LEN + 2 * i, 3, "%02x", id[i]);
    out[PREFIX_LEN + SECRET_ID_LEN] = '_';
    put_base64url(out + PREFIX_LEN + SECRET_ID_LEN + 1, random);
    sodium_memzero(random, sizeof(random));
    return GUARD_OK;
}

static bool only(const char *text, size_t len, const char *allowed)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\0' || strchr(allowed, text[i]) == NULL)
            return false;
    }
    return true;
}

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

bool secret_id(const char *text, size_t len, char out[SECRET_ID_LEN + 1])
{
    if (len != SECRET_TOKEN_LEN || memcmp(text, prefix, PREFIX_LEN) != 0)
        return false;
    const char *id = text + PREFIX_LEN;
    const char *random = id + SECRET_ID_LEN + 1;
    if (!only(id, SECRET_ID_LEN, DIGITS "abcdef") || id[SECRET_ID_LEN] != '_' ||
        !only(random, RANDOM_CHARS, DIGITS LETTERS "-_"))
        return false;
    memcpy(out, id, SECRET_ID_LEN);
    out[SECRET_ID_LEN] = '\0';
    return true;
}

enum guard_rc secret_hash(const char *token, char out[SECRET_HASH_CAP])
{
    bool good = sodium_init() >= 0 &&
                crypto_pwhash_str_alg(out, token, strlen(token), SECRET_PASSES,
                                      (size_t)SECRET_KIB * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0;
    return good ? GUARD_OK : GUARD_E_NOMEM;
}

/* Takes "m=19456," from *text; false when it isn't there, or is more than max. */
static bool take_number(const char **text, const char *name, char end, unsigned long max)
{
    size_t len = strlen(name);
    char *behind = NULL;
    if (strncmp(*text, name, len) != 0 || (*text)[len] < '1' || (*text)[len] > '9')
        return false;
    unsigned long number = strtoul(*text + len, &behind, 10);
    *text = behind + 1;
    return *behind == end && number <= max;
}

bool secret_hash_valid(struct guard_span text)
{
    static const char head[] = "$argon2id$v=19$";
    char copy[SECRET_HASH_CAP];
    if (text.len >= sizeof(copy) || text.len < sizeof(head))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    const char *at = copy + sizeof(head) - 1;
    if (strlen(copy) != text.len || strncmp(copy, head, sizeof(head) - 1) != 0 ||
        !take_number(&at, "m=", ',', SECRET_KIB_MAX) ||
        !take_number(&at, "t=", ',', SECRET_PASSES_MAX) || !take_number(&at, "p=", '$', 1))
        return false;
    const char *dollar = strchr(at, '$');
    return dollar != NULL && dollar > at && dollar[1] != '\0' &&
           only(at, (size_t)(dollar - at), DIGITS LETTERS "+/") &&
           only(dollar + 1, strlen(dollar + 1), DIGITS LETTERS "+/");
}

bool secret_matches(const char *hash, const char *token)
{
    char padded[SECRET_HASH_CAP] = "";
    size_t len = strnlen(hash, sizeof(padded) - 1);
    memcpy(padded, hash, len);
    return sodium_init() >= 0 && crypto_pwhash_str_verify(padded, token, strlen(token)) == 0;
}

bool secret_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}
