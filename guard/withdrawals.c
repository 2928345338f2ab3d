/* SPDX-License-Identifier: Apache-2.0 */
/* `guard withdraw`: takes the gates of a state directory out of service. Works with guardd dead:
 * the gates themselves watch the file. */
#include "command.h"
#include "common/file.h"
#include "state_files.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WITHDRAW_FOR, WITHDRAW_REASON, WITHDRAW_END, WITHDRAW_STATE, WITHDRAW_FORCE };

static const struct option_spec options[] = {
    {"for", "TIME", "how long: 30s, 10m, 2h; at most 24h (required to begin)"},
    {"reason", "TEXT", "why, for the audit log (required to begin)"},
    {"end", NULL, "serve again now"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"force", NULL, "also for a service that isn't there yet"},
    {NULL, NULL, NULL},
};

/* seconds 0: its end. */
static int change(const char *dir, struct guard_span service, unsigned long seconds,
                  const char *reason)
{
    struct state_change by;
    struct guard_err err;
    if (!state_change(&by, dir, service, reason))
        return EXIT_FAILED;
    enum guard_rc rc = seconds > 0 ? change_withdraw(&by.change, seconds, &err)
                                   : change_withdraw_end(&by.change, &err);
    if (rc != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    printf("%.*s: ", (int)service.len, (const char *)service.ptr);
    if (seconds > 0)
        printf("answered with 503 for %lu s\n", seconds);
    else
        printf("served\n");
    return EXIT_GOOD;
}

static int run(const struct arguments *arguments)
{
    const char *dir = state_dir(arguments->values[WITHDRAW_STATE]);
    const char *reason = arguments->values[WITHDRAW_REASON];
    const char *time = arguments->values[WITHDRAW_FOR];
    bool ends = arguments->values[WITHDRAW_END] != NULL;
    char path[STATE_PATH_MAX];
    if (arguments->count != 1)
        return complain(EXIT_USAGE, "say `guard withdraw SERVICE --for 30m --reason TEXT`");
    struct guard_span service = {(const uint8_t *)arguments->operands[0],
                                 strlen(arguments->operands[0])};
    if (!state_service_valid(service) ||
        state_path(path, dir, "withdrawn", service, ".json") != GUARD_OK)
        return complain(EXIT_USAGE, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    unsigned long seconds = time != NULL && !ends ? read_seconds(time, BYPASS_SECONDS_MAX) : 0;
    if (!ends && seconds == 0)
        return complain(EXIT_USAGE, "--for needs a time from 1s to 24h");
    if (!ends && (reason == NULL || reason[0] == '\0'))
        return complain(EXIT_USAGE, "--reason is needed");
    bool force = arguments->values[WITHDRAW_FORCE] != NULL || access(path, F_OK) == 0;
    state_share();
    if (!state_service_known(dir, service, force))
        return EXIT_FAILED;
    return change(dir, service, seconds, ends ? NULL : reason);
}

const struct command command_withdraw = {
    .name = "withdraw",
    .usage = "SERVICE",
    .operands = "SERVICE",
    .summary = "answer a service's requests with 503 for a while",
    .details = "Of the gates that have this state directory, such as those of one pod: the others "
               "go on. What is under way ends as it would. It ends by itself, and works with "
               "guardd dead.",
    .options = options,
    .run = run,
};
