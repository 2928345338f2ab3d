/* SPDX-License-Identifier: Apache-2.0 */
/* `guard export`: what Guard knows, for other tools and for another environment. */
#include "export.h"

#include "command.h"
#include "common/file.h"
#include "mirror.h"
#include "state_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXPORT_SERVICE,
    EXPORT_STATE,
    EXPORT_PILE,
    EXPORT_GUARDIAN,
    EXPORT_REVIEW,
    EXPORT_PENDING,
    EXPORT_FORMAT,
    EXPORT_REVIEWS,
    EXPORT_OUTPUT,
    EXPORT_SERVER
};

static const struct option_spec options[] = {
    {"service", "NAME", "a running service (its files in the state directory)"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"pile", "FILE", "openapi: what this pile teaches"},
    {"guardian", "G.yaml",
     "openapi: criteria that override what was learned (default: the service's)"},
    {"review", "FILE",
     "openapi: what people accepted and refused (default: the service's decisions)"},
    {"pending", NULL, "openapi: also what has no support yet, marked x-guard-pending"},
    {"format", "yaml|json", "openapi: the form (default yaml)"},
    {"reviews", "FILE", "guardian: write what people accepted and refused there"},
    {"output", "FILE", "write there instead of to standard output; -o is short for it"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

bool export_write(const char *path, struct guard_span text)
{
    struct guard_err err;
    if (path != NULL)
        return file_replace(path, text, 0644, false, &err) == GUARD_OK ||
               complain(0, "%s", err.text) != 0;
    return (fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0) ||
           complain(0, "standard output can't be written to") != 0;
}

static int run_openapi(const struct arguments *arguments, const char *dir)
{
    const char *format = arguments->values[EXPORT_FORMAT];
    const struct export_openapi job = {.service = arguments->values[EXPORT_SERVICE],
                                       .pile = arguments->values[EXPORT_PILE],
                                       .dir = dir,
                                       .guardian = arguments->values[EXPORT_GUARDIAN],
                                       .review = arguments->values[EXPORT_REVIEW],
                                       .output = arguments->values[EXPORT_OUTPUT],
                                       .json = format != NULL && strcmp(format, "json") == 0,
                                       .pending = arguments->values[EXPORT_PENDING] != NULL};
    if ((job.service == NULL) == (job.pile == NULL))
        return complain(EXIT_USAGE, "say --service NAME or --pile FILE");
    if (format != NULL && !job.json && strcmp(format, "yaml") != 0)
        return complain(EXIT_USAGE, "--format is yaml or json");
    if (arguments->values[EXPORT_REVIEWS] != NULL)
        return complain(EXIT_USAGE, "--reviews is for guardian; say --review FILE");
    return export_openapi(&job);
}

static int run_guardian(const struct arguments *arguments, const char *dir)
{
    static const int others[] = {EXPORT_PILE, EXPORT_GUARDIAN, EXPORT_REVIEW, EXPORT_PENDING,
                                 EXPORT_FORMAT};
    const struct export_guardian job = {.service = arguments->values[EXPORT_SERVICE],
                                        .dir = dir,
                                        .output = arguments->values[EXPORT_OUTPUT],
                                        .reviews = arguments->values[EXPORT_REVIEWS]};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (arguments->values[others[i]] != NULL)
            return complain(EXIT_USAGE, "--%s is for openapi", options[others[i]].name);
    }
    if (job.service == NULL)
        return complain(EXIT_USAGE, "--service NAME is needed");
    return export_guardian(&job);
}

/* For guardds that are to have the same one: of files alone, since no server gives it away, and not
 * for eyes. */
static int run_policy_key(const struct arguments *arguments)
{
    char path[STATE_PATH_MAX];
    uint8_t *text = NULL;
    size_t len = 0;
    struct guard_err err;
    const char *output = arguments->values[EXPORT_OUTPUT];
    for (int i = 0; i < EXPORT_SERVER + REMOTE_OPTIONS_COUNT; i++) {
        if (i != EXPORT_STATE && i != EXPORT_OUTPUT && arguments->values[i] != NULL)
            return complain(EXIT_USAGE, "--%s is not for policy-key", options[i].name);
    }
    const char *dir = state_dir(arguments->values[EXPORT_STATE]);
    if (!remote_files_only(arguments->values[EXPORT_STATE]))
        return EXIT_USAGE;
    if (output == NULL && isatty(STDOUT_FILENO))
        return complain(EXIT_USAGE, "whoever has the key decides what gates do: say --output FILE");
    if (state_path(path, dir, "keys", (struct guard_span){NULL, 0}, "policy.key") != GUARD_OK)
        return complain(EXIT_FAILED, "%s: the path is too long", dir);
    enum guard_rc rc = file_read(path, 256, &text, &len, &err);
    const struct guard_span key = {text, len};
    if (rc == GUARD_OK && output != NULL)
        rc = file_replace(output, key, 0600, false, &err);
    bool good = rc == GUARD_OK ? output != NULL || export_write(NULL, key)
                               : complain(0, "%s", err.text) != 0;
    free(text);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

static int run(const struct arguments *arguments)
{
    static const struct {
        const char *name;
        unsigned parts; /* of a server's */
        int (*run)(const struct arguments *arguments, const char *dir);
    } kinds[] = {{"openapi", MIRROR_GUARDIAN | MIRROR_REVIEW | MIRROR_PILE, run_openapi},
                 {"guardian", MIRROR_GUARDIAN, run_guardian}};
    struct remote remote;
    if (arguments->count == 1 && strcmp(arguments->operands[0], "policy-key") == 0)
        return run_policy_key(arguments);
    if (!remote_open(&remote, arguments, EXPORT_STATE, EXPORT_SERVER, NULL))
        return EXIT_USAGE;
    const char *service = arguments->values[EXPORT_SERVICE];
    if (service == NULL)
        remote.server = NULL; /* on files that are named */
    for (size_t i = 0; arguments->count == 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(arguments->operands[0], kinds[i].name) != 0)
            continue;
        unsigned parts =
            kinds[i].parts | (arguments->values[EXPORT_REVIEWS] != NULL ? MIRROR_REVIEW : 0);
        const char *dir =
            mirror_or_state(&remote, arguments->values[EXPORT_STATE], parts, service, NULL);
        return dir != NULL ? kinds[i].run(arguments, dir) : EXIT_FAILED;
    }
    return complain(
        EXIT_USAGE,
        "say `guard export openapi`, `guard export guardian` or `guard export policy-key`");
}

const struct command command_export = {
    .name = "export",
    .usage = "openapi|guardian|policy-key",
    .operands = "openapi|guardian|policy-key",
    .summary = "write what was learned as OpenAPI, a Guardian for another environment, or the key",
    .details =
        "`openapi`: an OpenAPI 3.1 document of what is normal: paths, parameters, bodies, "
        "responses, with\nschemas of what is known of their values. What OpenAPI can't say is "
        "told on standard error and\ncounted in x-guard.\n"
        "`guardian`: what people say of the service, without what was learned here; `guard import "
        "guardian` takes it.\n"
        "`policy-key`: the secret that policies are signed with, to be given to another guardd.",
    .options = options,
    .run = run,
};
