/* SPDX-License-Identifier: Apache-2.0 */
/* `guard mode`: shows or changes what a service's gate may do, in its Guardian document, with an
 * audit line. */
#include "command.h"
#include "common/file.h"
#include "state_files.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MODE_SERVICE, MODE_STATE, MODE_REASON, MODE_FORCE };

static const struct option_spec options[] = {
    {"service", "NAME", "the service (required)"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"reason", "TEXT", "why, for the audit log"},
    {"force", NULL, "also for a service that isn't there yet"},
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

static int run(const struct arguments *arguments)
{
    const char *name = arguments->values[MODE_SERVICE];
    const char *dir = state_dir(arguments->values[MODE_STATE]);
    enum guard_mode mode = GUARD_MODE_ALERT;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_guardian guardian;
    if (name == NULL || arguments->count > 1)
        return complain(EXIT_USAGE, "say `guard mode [observe|alert|block] --service NAME`");
    if (arguments->count == 1 && !read_mode(arguments->operands[0], &mode))
        return EXIT_USAGE;
    struct guard_span service = {(const uint8_t *)name, strlen(name)};
    if (!state_service_known(dir, service, arguments->values[MODE_FORCE] != NULL))
        return EXIT_FAILED;
    state_share();
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    int status = EXIT_FAILED;
    int lock = -1;
    if ((arguments->count == 0 || state_lock(&lock, dir, "guardians")) &&
        state_guardian(dir, service, &arena, &guardian)) {
        if (arguments->count == 1) {
            status = change(dir, &guardian, mode, arguments->values[MODE_REASON], &arena);
        } else {
            printf("%s\n", guard_mode_name(guardian.request_mode));
            status = EXIT_GOOD;
        }
    }
    if (lock >= 0)
        close(lock);
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
