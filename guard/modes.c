/* SPDX-License-Identifier: Apache-2.0 */
/* `guard mode`: shows or changes what a service's gate may do, in its Guardian document, with an
 * audit line. */
#include "command.h"
#include "common/file.h"
#include "remote.h"
#include "state_files.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MODE_SERVICE, MODE_STATE, MODE_REASON, MODE_FORCE, MODE_SERVER };

static const struct option_spec options[] = {
    {"service", "NAME", "the service (required)"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"reason", "TEXT", "why, for the audit log"},
    {"force", NULL, "also for a service that isn't there yet"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

static int change(const char *dir, struct guard_guardian *guardian, enum guard_mode mode,
                  const char *reason, struct guard_arena *arena)
{
    struct state_change by;
    struct guard_err err;
    const char *before = guard_mode_name(guardian->request_mode);
    if (!state_change(&by, dir, guardian->service, reason))
        return EXIT_FAILED;
    if (change_mode(&by.change, guardian, mode, arena, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    printf("%.*s: %s -> %s\n", (int)guardian->service.len, (const char *)guardian->service.ptr,
           before, guard_mode_name(mode));
    return EXIT_GOOD;
}

/* word NULL: only shown. */
static int by_api(const struct remote *remote, struct guard_span service, const char *word,
                  const char *reason)
{
    struct document document;
    struct remote_body body;
    if (!remote_service(remote, "GET", service, "/mode", NULL, &document))
        return EXIT_FAILED;
    const char *before = text_of(document.root, "mode");
    if (word == NULL) {
        print_clean(before, strlen(before));
        putchar('\n');
        return EXIT_GOOD;
    }
    remote_body(&body);
    json_text(&body.json, "mode", word);
    json_text(&body.json, "reason", reason != NULL ? reason : "");
    if (!remote_service(remote, "PUT", service, "/mode", &body, &document))
        return EXIT_FAILED;
    printf("%.*s: ", (int)service.len, (const char *)service.ptr);
    print_clean(before, strlen(before));
    printf(" -> %s\n", word);
    return EXIT_GOOD;
}

static int on_files(const struct arguments *arguments, struct guard_span service,
                    enum guard_mode mode, struct guard_arena *arena)
{
    const char *dir = state_dir(arguments->values[MODE_STATE]);
    struct guard_guardian guardian;
    int status = EXIT_FAILED;
    int lock = -1;
    if (!state_service_known(dir, service, arguments->values[MODE_FORCE] != NULL))
        return EXIT_FAILED;
    state_share();
    if ((arguments->count == 0 || state_lock(&lock, dir, "guardians")) &&
        state_guardian(dir, service, arena, &guardian)) {
        if (arguments->count == 1) {
            status = change(dir, &guardian, mode, arguments->values[MODE_REASON], arena);
        } else {
            printf("%s\n", guard_mode_name(guardian.request_mode));
            status = EXIT_GOOD;
        }
    }
    if (lock >= 0)
        close(lock);
    return status;
}

static int run(const struct arguments *arguments)
{
    const char *name = arguments->values[MODE_SERVICE];
    struct remote remote;
    enum guard_mode mode = GUARD_MODE_ALERT;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    if (name == NULL || arguments->count > 1)
        return complain(EXIT_USAGE, "say `guard mode [observe|alert|block] --service NAME`");
    if (arguments->count == 1 && !read_mode(arguments->operands[0], &mode))
        return EXIT_USAGE;
    struct guard_span service = {(const uint8_t *)name, strlen(name)};
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    if (!remote_open(&remote, arguments, MODE_STATE, MODE_SERVER, &arena))
        return EXIT_USAGE;
    int status =
        remote.server == NULL
            ? on_files(arguments, service, mode, &arena)
            : by_api(&remote, service, arguments->count == 1 ? guard_mode_name(mode) : NULL,
                     arguments->values[MODE_REASON]);
    guard_arena_reset(&arena);
    return status;
}

const struct command command_mode = {
    .name = "mode",
    .usage = "[observe|alert|block]",
    .operands = "observe|alert|block",
    .summary = "show or change a service's mode",
    .details = "observe: nothing is blocked, nothing alerts. alert: deviations are reported. "
               "block: they are refused.\n"
               "guardd publishes the change within seconds; no gate is reloaded.",
    .options = options,
    .run = run,
};
