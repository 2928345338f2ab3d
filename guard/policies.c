/* SPDX-License-Identifier: Apache-2.0 */
/* `guard policy`: what guardd does by itself, by hand: keys, compiling and signing a policy, saying
 * what one holds. */
#include "command.h"
#include "common/file.h"
#include "common/guardian.h"
#include "common/guardian_words.h"
#include "service_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    POLICY_GUARDIAN,
    POLICY_PILE,
    POLICY_KEY,
    POLICY_GENERATION,
    POLICY_OUTPUT,
    POLICY_MODE,
    POLICY_CONFIGURED,
    POLICY_EXPIRES,
    POLICY_REVIEW
};

#define EXPIRES_MAX (365UL * 24 * 3600)

static const struct option_spec options[] = {
    {"guardian", "G.yaml", "check, compile: the service's Guardian"},
    {"pile", "P.pile", "check, compile: what was learned"},
    {"key", "FILE", "compile: the secret signing key; show: the public key to check with"},
    {"generation", "N", "compile: the generation, higher than the one in force (default 1)"},
    {"output", "FILE",
     "compile: the policy to write; key: the secret key to write, FILE.pub beside it"},
    {"mode", "MODE", "compile: observe, alert or block instead of the Guardian's"},
    {"configured-only", NULL, "compile: the Guardian's configured criteria alone"},
    {"expires", "TIME", "compile: gates alarm when nothing newer came for so long (default never)"},
    {"review", "FILE", "check, compile: what people accepted and refused (reviews/SERVICE.json)"},
    {NULL, NULL, NULL},
};

static bool read_key(const char *path, uint8_t out[GUARD_KEY_BYTES])
{
    return path != NULL ? service_key(path, (struct guard_span){NULL, 0}, out)
                        : complain(0, "--key FILE is needed") != 0;
}

static bool write_key(const char *path, const uint8_t bytes[GUARD_KEY_BYTES], unsigned mode)
{
    char text[2 * GUARD_DIGEST_BYTES + 2];
    struct guard_err err;
    guardian_digest_write(bytes, text);
    text[2 * GUARD_KEY_BYTES] = '\n';
    return file_replace(path, (struct guard_span){(const uint8_t *)text, 2 * GUARD_KEY_BYTES + 1},
                        mode, true, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

static int make_key(const char *path)
{
    uint8_t seed[GUARD_KEY_BYTES];
    uint8_t public_key[GUARD_KEY_BYTES];
    uint8_t secret[64];
    char public_path[4096];
    if (path == NULL ||
        snprintf(public_path, sizeof(public_path), "%s.pub", path) >= (int)sizeof(public_path))
        return complain(EXIT_USAGE, "--output FILE is needed");
    if (random_bytes(seed, sizeof(seed)) != GUARD_OK)
        return complain(EXIT_FAILED, "no randomness");
    guard_keypair(public_key, secret, seed);
    return write_key(path, seed, 0600) && write_key(public_path, public_key, 0644) ? EXIT_GOOD
                                                                                   : EXIT_FAILED;
}

static bool set_mode(struct guard_guardian *guardian, const char *text)
{
    enum guard_mode mode;
    if (text == NULL)
        return true;
    if (!read_mode(text, &mode))
        return false;
    guard_guardian_set_mode(guardian, mode);
    return true;
}

static bool write_policy(const struct arguments *arguments, const struct guard_guardian *guardian,
                         const struct guard_model *model, const uint8_t secret[64])
{
    const char *generation = arguments->values[POLICY_GENERATION];
    struct guard_policy_cfg cfg = {.alloc = heap_alloc(),
                                   .generation =
                                       generation != NULL ? strtoull(generation, NULL, 10) : 1,
                                   .created_ms = clock_unix_ms(),
                                   .configured_only = model == NULL};
    const char *expires = arguments->values[POLICY_EXPIRES];
    unsigned long seconds = expires != NULL ? read_seconds(expires, EXPIRES_MAX) : 0;
    struct guard_err err;
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (cfg.generation == 0)
        return complain(0, "--generation must be a whole number from 1 on") != 0;
    if (expires != NULL && seconds == 0)
        return complain(0, "--expires must be a time from 1s to 365d") != 0;
    if (seconds > 0)
        cfg.expires_ms = cfg.created_ms + (uint64_t)seconds * 1000;
    enum guard_rc rc = guard_policy_compile(&bytes, &len, model, guardian, &cfg, secret, &err);
    if (rc == GUARD_OK)
        rc = file_replace(arguments->values[POLICY_OUTPUT], (struct guard_span){bytes, len}, 0640,
                          true, &err);
    free(bytes);
    return rc == GUARD_OK || complain(0, "%s", err.text) != 0;
}

static bool compile_with(const struct arguments *arguments, struct guard_arena *arena,
                         const uint8_t secret[64])
{
    struct guard_guardian guardian;
    struct guard_err err;
    struct guard_model *model = NULL;
    if (guardian_load(&guardian, arguments->values[POLICY_GUARDIAN], arena, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    if (!set_mode(&guardian, arguments->values[POLICY_MODE]))
        return false;
    if (arguments->values[POLICY_CONFIGURED] == NULL) {
        struct guard_pile *pile = guardian_pile(&guardian, arguments->values[POLICY_GUARDIAN],
                                                arguments->values[POLICY_PILE]);
        model = pile != NULL
                    ? pile_model_by(pile, guardian.support, arguments->values[POLICY_REVIEW])
                    : NULL;
        guard_pile_free(pile);
        if (model == NULL)
            return false;
    }
    bool good = write_policy(arguments, &guardian, model, secret);
    guard_model_free(model);
    return good;
}

static int compile(const struct arguments *arguments)
{
    uint8_t seed[GUARD_KEY_BYTES];
    uint8_t public_key[GUARD_KEY_BYTES];
    uint8_t secret[64];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    if (arguments->values[POLICY_GUARDIAN] == NULL || arguments->values[POLICY_OUTPUT] == NULL)
        return complain(EXIT_USAGE, "--guardian FILE and --output FILE are needed");
    if (!read_key(arguments->values[POLICY_KEY], seed))
        return EXIT_FAILED;
    guard_keypair(public_key, secret, seed);
    guard_arena_init(&arena, &heap, (size_t)8 << 20);
    bool good = compile_with(arguments, &arena, secret);
    guard_arena_reset(&arena);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

/* As guardd would: what can be read and compiled is good. Without a pile what people say alone. */
static int check(const struct arguments *arguments)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_guardian guardian;
    struct guard_policy_cfg cfg = {.alloc = heap, .generation = 1};
    struct guard_err err;
    const char *path = arguments->values[POLICY_GUARDIAN];
    struct guard_model *model = NULL;
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (path == NULL)
        return complain(EXIT_USAGE, "--guardian FILE is needed");
    guard_arena_init(&arena, &heap, (size_t)8 << 20);
    enum guard_rc rc = guardian_load(&guardian, path, &arena, &err);
    bool said = rc != GUARD_OK && complain(0, "%s", err.text) == 0;
    if (rc == GUARD_OK && arguments->values[POLICY_PILE] != NULL) {
        struct guard_pile *pile = guardian_pile(&guardian, path, arguments->values[POLICY_PILE]);
        model = pile != NULL
                    ? pile_model_by(pile, guardian.support, arguments->values[POLICY_REVIEW])
                    : NULL;
        guard_pile_free(pile);
        said = model == NULL;
        rc = model == NULL ? GUARD_E_STATE : GUARD_OK;
    }
    if (rc == GUARD_OK)
        rc = guard_policy_compile(&bytes, &len, model, &guardian, &cfg, NULL, &err);
    if (rc != GUARD_OK && !said)
        complain(0, "%s: %s", path, err.text);
    if (rc == GUARD_OK)
        printf("%s is good: %" PRIu32 " endpoints, a policy of %zu bytes\n", path,
               guardian.endpoint_count, len);
    free(bytes);
    guard_model_free(model);
    guard_arena_reset(&arena);
    return rc == GUARD_OK ? EXIT_GOOD : EXIT_FAILED;
}

static void print_expiry(uint64_t expires_ms)
{
    time_t seconds = (time_t)(expires_ms / 1000);
    struct tm when;
    char text[32] = "never";
    if (expires_ms != 0 && gmtime_r(&seconds, &when) != NULL)
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &when);
    printf("expires      %s%s\n", text,
           expires_ms != 0 && expires_ms <= clock_unix_ms() ? " (it has)" : "");
}

static void print_info(const struct guard_policy *policy, size_t len, bool checked)
{
    struct guard_policy_info info;
    char digest[2 * GUARD_DIGEST_BYTES + 1];
    guard_policy_info(policy, &info);
    guardian_digest_write(info.digest, digest);
    printf("service      %.*s\ngeneration   %" PRIu64
           "%s\nmode         %s\nalpha        %g\nfailure      %s\nbytes        %zu\n"
           "digest       %s\nsignature    %s\n",
           (int)info.service.len, (const char *)info.service.ptr, info.generation,
           info.rollback ? " (rollback)" : "", guard_mode_name(info.mode), info.alpha,
           info.fail_closed ? "closed" : "open", len, digest,
           checked ? "good" : "not checked (no --key)");
    print_expiry(info.expires_ms);
}

static int show(const struct arguments *arguments, const char *path)
{
    uint8_t key[GUARD_KEY_BYTES];
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    struct guard_alloc heap = heap_alloc();
    struct guard_policy *policy = NULL;
    bool checked = arguments->values[POLICY_KEY] != NULL;
    if (checked && !read_key(arguments->values[POLICY_KEY], key))
        return EXIT_FAILED;
    if (file_read(path, GUARD_POLICY_BYTES_MAX, &bytes, &len, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    enum guard_rc rc = guard_policy_load(&policy, &heap, (struct guard_span){bytes, len},
                                         (struct guard_span){NULL, 0}, checked ? key : NULL, &err);
    if (rc == GUARD_OK) {
        print_info(policy, len, checked);
        guard_policy_unref(policy);
    }
    free(bytes);
    return rc == GUARD_OK ? EXIT_GOOD
                          : complain(EXIT_FAILED, "%s: %s (%s)", path, err.text, guard_rc_name(rc));
}

static int run(const struct arguments *arguments)
{
    const char *verb = arguments->count > 0 ? arguments->operands[0] : "";
    if (arguments->count == 1 && strcmp(verb, "key") == 0)
        return make_key(arguments->values[POLICY_OUTPUT]);
    if (arguments->count == 1 && strcmp(verb, "compile") == 0)
        return compile(arguments);
    if (arguments->count == 1 && strcmp(verb, "check") == 0)
        return check(arguments);
    if (arguments->count == 2 && strcmp(verb, "show") == 0)
        return show(arguments, arguments->operands[1]);
    return complain(EXIT_USAGE, "say `check`, `compile`, `show FILE` or `key`");
}

const struct command command_policy = {
    .name = "policy",
    .usage = "check | compile | show FILE | key",
    .operands = "key|check|compile|show FILE",
    .summary = "compile, sign and inspect policies by hand",
    .details = "guardd does this by itself; by hand it serves gates whose policies are signed "
               "elsewhere. A gate takes a policy from\n"
               "policies/<service>.policy of its state directory and refuses an older generation.",
    .options = options,
    .run = run,
};
