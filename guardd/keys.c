/* SPDX-License-Identifier: Apache-2.0 */
/* Key files: the seed as 64 hexadecimal digits. */
#include "keys.h"

#include "common/file.h"
#include "common/guardian_words.h"
#include "common/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum guard_rc write_hex(const char *path, const uint8_t bytes[GUARD_KEY_BYTES],
                               unsigned mode, struct guard_err *err)
{
    char text[2 * GUARD_DIGEST_BYTES + 2];
    guardian_digest_write(bytes, text);
    text[2 * GUARD_KEY_BYTES] = '\n';
    return file_replace(path, (struct guard_span){(const uint8_t *)text, 2 * GUARD_KEY_BYTES + 1},
                        mode, true, err);
}

static enum guard_rc read_seed(const char *path, uint8_t seed[GUARD_KEY_BYTES],
                               struct guard_err *err)
{
    uint8_t *text = NULL;
    size_t len = 0;
    GUARD_TRY(file_read(path, 256, &text, &len, err));
    while (len > 0 && text[len - 1] == '\n')
        len--;
    bool good = guardian_digest_parse((struct guard_span){text, len}, seed);
    free(text);
    return good ? GUARD_OK
                : guard_fail(err, GUARD_E_SYNTAX, "%s: must be 64 hexadecimal digits", path);
}

static enum guard_rc pair_open(struct signing_key *out, const char *state, const char *secret_name,
                               const char *public_name, struct guard_err *err)
{
    char secret_path[STATE_PATH_MAX];
    char public_path[STATE_PATH_MAX];
    uint8_t seed[GUARD_KEY_BYTES];
    const struct guard_span none = {NULL, 0};
    if (state_path(secret_path, state, "keys", none, secret_name) != GUARD_OK ||
        state_path(public_path, state, "keys", none, public_name) != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", state);
    enum guard_rc rc = read_seed(secret_path, seed, err);
    if (rc == GUARD_E_IO && errno == ENOENT) {
        if (random_bytes(seed, sizeof(seed)) != GUARD_OK)
            return guard_fail(err, GUARD_E_IO, "no randomness for a key");
        rc = write_hex(secret_path, seed, 0600, err);
    }
    GUARD_TRY(rc);
    guard_keypair(out->public_key, out->secret, seed);
    memset(seed, 0, sizeof(seed));
    return write_hex(public_path, out->public_key, 0644, err);
}

enum guard_rc signing_key_open(struct signing_key *out, const char *state, struct guard_err *err)
{
    return pair_open(out, state, "policy.key", "policy.pub", err);
}

enum guard_rc node_key_open(struct signing_key *out, const char *state, struct guard_err *err)
{
    return pair_open(out, state, "node.key", "node.pub", err);
}

static enum guard_rc read_given(const char *file, const char *path, uint8_t key[GUARD_KEY_BYTES],
                                bool there, const uint8_t placed[GUARD_KEY_BYTES],
                                struct guard_err *err)
{
    GUARD_TRY(read_seed(file, key, err));
    if (there && memcmp(key, placed, GUARD_KEY_BYTES) != 0)
        return guard_fail(err, GUARD_E_FOREIGN,
                          "--policy-key %s: %s is another key; remove it first if gates are to "
                          "follow the new one",
                          file, path);
    return there ? GUARD_OK : write_hex(path, key, 0644, err);
}

enum guard_rc policy_key_open(struct signing_key *out, const char *state, const char *file,
                              struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    uint8_t placed[GUARD_KEY_BYTES];
    const struct guard_span none = {NULL, 0};
    memset(out, 0, sizeof(*out));
    if (state_path(path, state, "keys", none, "policy.pub") != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", state);
    enum guard_rc rc = read_seed(path, placed, err);
    bool absent = rc == GUARD_E_IO && errno == ENOENT;
    if (rc != GUARD_OK && !absent)
        return rc;
    if (file != NULL)
        return read_given(file, path, out->public_key, !absent, placed, err);
    if (absent)
        return guard_fail(err, GUARD_E_STATE,
                          "%s isn't there: give the root's public key by --policy-key FILE", path);
    memcpy(out->public_key, placed, sizeof(placed));
    return GUARD_OK;
}
