/* SPDX-License-Identifier: Apache-2.0 */
/* Key files: the seed as 64 hexadecimal digits. No other copy of one stays in memory, which a dump
 * of it would have. */
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
    enum guard_rc rc = file_replace(
        path, (struct guard_span){(const uint8_t *)text, 2 * GUARD_KEY_BYTES + 1}, mode, true, err);
    explicit_bzero(text, sizeof(text));
    return rc;
}

static enum guard_rc read_seed(const char *path, uint8_t seed[GUARD_KEY_BYTES],
                               struct guard_err *err)
{
    uint8_t *text = NULL;
    size_t len = 0;
    size_t digits;
    GUARD_TRY(file_read(path, 256, &text, &len, err));
    for (digits = len; digits > 0 && text[digits - 1] == '\n';)
        digits--;
    bool good = guardian_digest_parse((struct guard_span){text, digits}, seed);
    explicit_bzero(text, len);
    free(text);
    return good ? GUARD_OK
                : guard_fail(err, GUARD_E_SYNTAX, "%s: must be 64 hexadecimal digits", path);
}

struct pair_paths {
    char secret[STATE_PATH_MAX];
    char public[STATE_PATH_MAX];
};

static enum guard_rc find_pair(struct pair_paths *out, const char *state, const char *secret_name,
                               const char *public_name, struct guard_err *err)
{
    const struct guard_span none = {NULL, 0};
    return state_path(out->secret, state, "keys", none, secret_name) == GUARD_OK &&
                   state_path(out->public, state, "keys", none, public_name) == GUARD_OK
               ? GUARD_OK
               : guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", state);
}

static enum guard_rc take_seed(struct signing_key *out, uint8_t seed[GUARD_KEY_BYTES],
                               const struct pair_paths *paths, struct guard_err *err)
{
    guard_keypair(out->public_key, out->secret, seed);
    explicit_bzero(seed, GUARD_KEY_BYTES);
    return write_hex(paths->public, out->public_key, 0644, err);
}

static enum guard_rc pair_open(struct signing_key *out, const struct pair_paths *paths,
                               struct guard_err *err)
{
    uint8_t seed[GUARD_KEY_BYTES];
    enum guard_rc rc = read_seed(paths->secret, seed, err);
    if (rc == GUARD_E_IO && errno == ENOENT) {
        if (random_bytes(seed, sizeof(seed)) != GUARD_OK)
            return guard_fail(err, GUARD_E_IO, "no randomness for a key");
        rc = write_hex(paths->secret, seed, 0600, err);
    }
    if (rc == GUARD_OK)
        return take_seed(out, seed, paths, err);
    explicit_bzero(seed, sizeof(seed));
    return rc;
}

/* What gates follow so far is not replaced by the way: they would refuse what is signed. */
static enum guard_rc given_open(struct signing_key *out, const struct pair_paths *paths,
                                const char *file, struct guard_err *err)
{
    uint8_t seed[GUARD_KEY_BYTES], own[GUARD_KEY_BYTES];
    GUARD_TRY(read_seed(file, seed, err));
    enum guard_rc rc = read_seed(paths->secret, own, err);
    bool absent = rc == GUARD_E_IO && errno == ENOENT;
    if (rc == GUARD_OK && memcmp(seed, own, sizeof(seed)) != 0)
        rc = guard_fail(err, GUARD_E_FOREIGN,
                        "--signing-key %s: %s is another key; remove it first if gates are to "
                        "follow the new one",
                        file, paths->secret);
    explicit_bzero(own, sizeof(own));
    if (rc == GUARD_OK || absent)
        return take_seed(out, seed, paths, err);
    explicit_bzero(seed, sizeof(seed));
    return rc;
}

enum guard_rc signing_key_open(struct signing_key *out, const char *state, const char *file,
                               struct guard_err *err)
{
    struct pair_paths paths;
    GUARD_TRY(find_pair(&paths, state, "policy.key", "policy.pub", err));
    return file != NULL ? given_open(out, &paths, file, err) : pair_open(out, &paths, err);
}

enum guard_rc node_key_open(struct signing_key *out, const char *state, struct guard_err *err)
{
    struct pair_paths paths;
    GUARD_TRY(find_pair(&paths, state, "node.key", "node.pub", err));
    return pair_open(out, &paths, err);
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
