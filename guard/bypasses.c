/* SPDX-License-Identifier: Apache-2.0 */
/* `guard bypass`: lets everything pass for a while. Works with guardd dead: the gates themselves
 * watch the file. */
#include "command.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "remote.h"
#include "state_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BYPASS_FOR, BYPASS_REASON, BYPASS_END, BYPASS_STATE, BYPASS_FORCE, BYPASS_SERVER };

static const struct option_spec options[] = {
    {"for", "TIME", "how long: 30s, 10m, 2h; at most 24h (required to begin)"},
    {"reason", "TEXT", "why, for the audit log (required to begin)"},
    {"end", NULL, "end the bypass now"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"force", NULL, "also for a service that isn't there yet"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

static int told(struct guard_span service, unsigned long seconds)
{
    printf("%.*s: ", (int)service.len, (const char *)service.ptr);
    if (seconds > 0)
        printf("nothing is blocked for %lu s\n", seconds);
    else
        printf("no bypass\n");
    return EXIT_GOOD;
}

/* seconds 0: its end. */
static int on_files(const char *dir, struct guard_span service, unsigned long seconds,
                    const char *reason)
{
    struct state_change by;
    struct guard_err err;
    if (!state_change(&by, dir, service, reason))
        return EXIT_FAILED;
    enum guard_rc rc = seconds > 0 ? change_bypass(&by.change, seconds, &err)
                                   : change_bypass_end(&by.change, &err);
    return rc == GUARD_OK ? told(service, seconds) : complain(EXIT_FAILED, "%s", err.text);
}

static int by_api(const struct remote *remote, struct guard_span service, unsigned long seconds,
                  const char *reason)
{
    struct document document;
    struct remote_body body;
    remote_body(&body);
    json_integer(&body.json, "seconds", (int64_t)seconds);
    json_text(&body.json, "reason", reason != NULL ? reason : "");
    bool good = remote_service(remote, seconds > 0 ? "PUT" : "DELETE", service, "/bypass",
                               seconds > 0 ? &body : NULL, &document);
    guard_arena_reset(remote->arena);
    return good ? told(service, seconds) : EXIT_FAILED;
}

static int run(const struct arguments *arguments)
{
    const char *dir = state_dir(arguments->values[BYPASS_STATE]);
    const char *reason = arguments->values[BYPASS_REASON];
    const char *time = arguments->values[BYPASS_FOR];
    bool ends = arguments->values[BYPASS_END] != NULL;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct remote remote;
    char path[STATE_PATH_MAX];
    if (arguments->count != 1)
        return complain(EXIT_USAGE, "say `guard bypass SERVICE --for 30m --reason TEXT`");
    struct guard_span service = {(const uint8_t *)arguments->operands[0],
                                 strlen(arguments->operands[0])};
    if (!state_service_valid(service) ||
        state_path(path, dir, "bypass", service, ".json") != GUARD_OK)
        return complain(EXIT_USAGE, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    if (!remote_open(&remote, arguments, BYPASS_STATE, BYPASS_SERVER, &arena))
        return EXIT_USAGE;
    unsigned long seconds = time != NULL && !ends ? read_seconds(time, BYPASS_SECONDS_MAX) : 0;
    if (!ends && seconds == 0)
        return complain(EXIT_USAGE, "--for needs a time from 1s to 24h");
    if (!ends && (reason == NULL || reason[0] == '\0'))
        return complain(EXIT_USAGE, "--reason is needed");
    if (remote.server != NULL)
        return by_api(&remote, service, seconds, reason);
    bool force = arguments->values[BYPASS_FORCE] != NULL || access(path, F_OK) == 0;
    state_share();
    if (!state_service_known(dir, service, force))
        return EXIT_FAILED;
    return on_files(dir, service, seconds, ends ? NULL : reason);
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
