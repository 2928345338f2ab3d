/* SPDX-License-Identifier: Apache-2.0 */
/* `guard bypass`: lets everything pass for a while. Works with guardd dead: the gates themselves
 * watch the file. */
#include "command.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "state_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BYPASS_FOR, BYPASS_REASON, BYPASS_END, BYPASS_STATE, BYPASS_FORCE };

static const struct option_spec options[] = {
    {"for", "TIME", "how long: 30s, 10m, 2h; at most 24h (required to begin)"},
    {"reason", "TEXT", "why, for the audit log (required to begin)"},
    {"end", NULL, "end the bypass now"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"force", NULL, "also for a service that isn't there yet"},
    {NULL, NULL, NULL},
};

static int begin(const char *dir, struct guard_span service, unsigned long seconds,
                 const char *reason)
{
    struct state_change by;
    struct guard_err err;
    if (!state_change(&by, dir, service, reason))
        return EXIT_FAILED;
    if (change_bypass(&by.change, seconds, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    printf("%.*s: nothing is blocked for %lu s\n", (int)service.len, (const char *)service.ptr,
           seconds);
    return EXIT_GOOD;
}

static int end(const char *dir, struct guard_span service)
{
    struct state_change by;
    struct guard_err err;
    if (!state_change(&by, dir, service, NULL))
        return EXIT_FAILED;
    if (change_bypass_end(&by.change, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    printf("%.*s: no bypass\n", (int)service.len, (const char *)service.ptr);
    return EXIT_GOOD;
}

static int run(const struct arguments *arguments)
{
    const char *dir = state_dir(arguments->values[BYPASS_STATE]);
    char path[STATE_PATH_MAX];
    if (arguments->count != 1)
        return complain(EXIT_USAGE, "say `guard bypass SERVICE --for 30m --reason TEXT`");
    struct guard_span service = {(const uint8_t *)arguments->operands[0],
                                 strlen(arguments->operands[0])};
    if (!state_service_valid(service) ||
        state_path(path, dir, "bypass", service, ".json") != GUARD_OK)
        return complain(EXIT_USAGE, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    bool force = arguments->values[BYPASS_FORCE] != NULL || access(path, F_OK) == 0;
    state_share();
    if (arguments->values[BYPASS_END] != NULL && !state_service_known(dir, service, force))
        return EXIT_FAILED;
    if (arguments->values[BYPASS_END] != NULL)
        return end(dir, service);
    const char *reason = arguments->values[BYPASS_REASON];
    unsigned long seconds = arguments->values[BYPASS_FOR] != NULL
                                ? read_seconds(arguments->values[BYPASS_FOR], BYPASS_SECONDS_MAX)
                                : 0;
    if (seconds == 0)
        return complain(EXIT_USAGE, "--for needs a time from 1s to 24h");
    if (reason == NULL || reason[0] == '\0')
        return complain(EXIT_USAGE, "--reason is needed");
    if (!state_service_known(dir, service, force))
        return EXIT_FAILED;
    return begin(dir, service, seconds, reason);
}

const struct command command_bypass = {
    .name = "bypass",
    .usage = "SERVICE",
    .operands = "SERVICE",
    .summary = "let everything pass for a while, loudly",
    .details =
        "The gates watch for it themselves, so it works with guardd dead. It ends by itself.",
    .options = options,
    .run = run,
};
