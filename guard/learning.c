/* SPDX-License-Identifier: Apache-2.0 */
/* `guard learning`: shows or changes whether a service goes on learning; what is enforced stays. */
#include "command.h"
#include "common/file.h"
#include "remote.h"
#include "state_files.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LEARNING_SERVICE, LEARNING_STATE, LEARNING_REASON, LEARNING_FORCE, LEARNING_SERVER };

static const struct option_spec options[] = {
    {"service", "NAME", "the service (required)"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"reason", "TEXT", "why, for the audit log"},
    {"force", NULL, "also for a service that isn't there yet"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

static const char *word_of(bool learns)
{
    return learns ? "on" : "paused";
}

static int told(struct guard_span service, const char *before, const char *after)
{
    if (after == NULL) {
        print_clean(before, strlen(before));
        putchar('\n');
        return EXIT_GOOD;
    }
    printf("%.*s: learning ", (int)service.len, (const char *)service.ptr);
    print_clean(before, strlen(before));
    printf(" -> %s\n", after);
    return EXIT_GOOD;
}

/* word NULL: only shown. */
static int by_api(const struct remote *remote, struct guard_span service, const char *word,
                  const char *reason)
{
    struct document document;
    struct remote_body body;
    if (!remote_service(remote, "GET", service, "/learning", NULL, &document))
        return EXIT_FAILED;
    const char *before = text_of(document.root, "learn");
    remote_body(&body);
    json_text(&body.json, "learn", word != NULL ? word : "");
    json_text(&body.json, "reason", reason != NULL ? reason : "");
    if (word != NULL && !remote_service(remote, "PUT", service, "/learning", &body, &document))
        return EXIT_FAILED;
    return told(service, before, word);
}

static int change(const char *dir, struct guard_guardian *guardian, const char *word,
                  const char *reason, struct guard_arena *arena)
{
    struct state_change by;
    struct guard_err err;
    const char *before = word_of(guardian->learn);
    if (!state_change(&by, dir, guardian->service, reason))
        return EXIT_FAILED;
    if (change_learning(&by.change, guardian, strcmp(word, "on") == 0, arena, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    return told(guardian->service, before, word);
}

static int on_files(const struct arguments *arguments, struct guard_span service, const char *word,
                    struct guard_arena *arena)
{
    const char *dir = state_dir(arguments->values[LEARNING_STATE]);
    struct guard_guardian guardian;
    int status = EXIT_FAILED;
    int lock = -1;
    if (!state_service_known(dir, service, arguments->values[LEARNING_FORCE] != NULL))
        return EXIT_FAILED;
    state_share();
    if ((word == NULL || state_lock(&lock, dir, "guardians")) &&
        state_guardian(dir, service, arena, &guardian))
        status = word != NULL
                     ? change(dir, &guardian, word, arguments->values[LEARNING_REASON], arena)
                     : told(service, word_of(guardian.learn), NULL);
    if (lock >= 0)
        close(lock);
    return status;
}

static int run(const struct arguments *arguments)
{
    const char *name = arguments->values[LEARNING_SERVICE];
    const char *word = arguments->count == 1 ? arguments->operands[0] : NULL;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct remote remote;
    if (name == NULL || arguments->count > 1 ||
        (word != NULL && strcmp(word, "on") != 0 && strcmp(word, "paused") != 0))
        return complain(EXIT_USAGE, "say `guard learning [on|paused] --service NAME`");
    struct guard_span service = {(const uint8_t *)name, strlen(name)};
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    if (!remote_open(&remote, arguments, LEARNING_STATE, LEARNING_SERVER, &arena))
        return EXIT_USAGE;
    int status = remote.server == NULL
                     ? on_files(arguments, service, word, &arena)
                     : by_api(&remote, service, word, arguments->values[LEARNING_REASON]);
    guard_arena_reset(&arena);
    return status;
}

const struct command command_learning = {
    .name = "learning",
    .usage = "[on|paused]",
    .operands = "on|paused",
    .summary = "show or change whether a service learns",
    .details = "paused: what was learned stays as it is and goes on being enforced.",
    .options = options,
    .run = run,
};
