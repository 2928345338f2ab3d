/* SPDX-License-Identifier: Apache-2.0 */
/* `guard import`: documents of other tools, taken over as far as they say what Guard can hold, and
 * Guardians of other environments. */
#include "command.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/guardian.h"
#include "common/knative_guardian.h"
#include "common/state.h"
#include "export.h"
#include "mirror.h"
#include "state_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    IMPORT_SERVICE,
    IMPORT_PATH,
    IMPORT_CONFIGURED,
    IMPORT_OUTPUT,
    IMPORT_STATE,
    IMPORT_REVIEWS,
    IMPORT_REASON,
    IMPORT_DRY,
    IMPORT_SERVER
};
enum { ARENA_MAX = 32 << 20 };

static const struct option_spec options[] = {
    {"service", "NAME", "the service that it is for (default: the one that it names)"},
    {"path", "TEMPLATE",
     "knative: an endpoint that its criteria on requests are for; may be repeated"},
    {"configured", NULL, "knative: take criteria that the object itself doesn't use"},
    {"output", "FILE", "knative: write there instead of to standard output; -o is short for it"},
    {"state", "DIR", "guardian: state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"reviews", "FILE", "guardian: with what people accepted and refused there"},
    {"reason", "TEXT", "guardian: why, for the audit log"},
    {"dry-run", NULL, "guardian: only show what would change"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

struct report {
    const char *name;
    uint32_t count;
};

static void tell(void *ctx, const struct document_node *at, const char *path, const char *why,
                 uint32_t count)
{
    struct report *report = ctx;
    char text[KNATIVE_PATH_TEXT + 1];
    report->count++;
    fprintf(stderr, "%s:%u:%u: left out: %s: %s", report->name, at->line, at->column,
            clean(text, sizeof(text), path, strlen(path)), why);
    if (count > 1)
        fprintf(stderr, " (%u places, this is the first)", count);
    fputc('\n', stderr);
}

static uint32_t gather_paths(const struct arguments *arguments,
                             struct guard_span paths[KNATIVE_PATHS_MAX])
{
    uint32_t count = 0;
    for (int i = 0; i < arguments->given_count && count < KNATIVE_PATHS_MAX; i++) {
        const char *text = arguments->given[i].value;
        if (arguments->given[i].option == IMPORT_PATH)
            paths[count++] = (struct guard_span){(const uint8_t *)text, strlen(text)};
    }
    return count;
}

/* What is written can be read: names and paths are held to the rules of Guardians. */
static enum guard_rc write_out(const struct guard_guardian *guardian, const char *output,
                               struct guard_arena *arena, struct guard_err *err)
{
    struct guard_guardian again;
    struct guard_span text;
    GUARD_TRY(guardian_write(guardian, arena, &text, err));
    GUARD_TRY(guardian_parse(&again, output != NULL ? output : "the Guardian", text, arena, err));
    if (output != NULL)
        return file_replace(output, text, 0644, false, err);
    return fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_IO, "standard output can't be written to");
}

static enum guard_rc import_knative(const struct arguments *arguments, const char *name,
                                    struct report *report, struct guard_arena *arena,
                                    struct guard_err *err)
{
    struct guard_span paths[KNATIVE_PATHS_MAX];
    struct document document;
    struct guard_guardian guardian;
    const char *service = arguments->values[IMPORT_SERVICE];
    const struct knative_import import = {
        .service = {(const uint8_t *)service, service != NULL ? strlen(service) : 0},
        .paths = paths,
        .path_count = gather_paths(arguments, paths),
        .configured = arguments->values[IMPORT_CONFIGURED] != NULL,
        .left_out = tell,
        .ctx = report};
    GUARD_TRY(document_load(&document, name, arena, err));
    GUARD_TRY(knative_guardian(&guardian, &document, &import, err));
    if (!state_service_valid(guardian.service))
        return guard_fail(err, GUARD_E_RANGE,
                          "%s: its name can't be a service's (1 to 64 letters, digits, '.', '_', "
                          "'-'): say --service NAME",
                          name);
    return write_out(&guardian, arguments->values[IMPORT_OUTPUT], arena, err);
}

static int run_knative(const struct arguments *arguments)
{
    struct guard_arena arena;
    struct guard_alloc heap = heap_alloc();
    struct guard_err err = {"failed"};
    struct report report = {arguments->operands[1], 0};
    guard_arena_init(&arena, &heap, ARENA_MAX);
    enum guard_rc rc = import_knative(arguments, arguments->operands[1], &report, &arena, &err);
    guard_arena_reset(&arena);
    if (rc != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    fprintf(stderr, "%u left out\n", report.count);
    return EXIT_GOOD;
}

static int run_guardian(const struct arguments *arguments)
{
    struct remote remote;
    if (!remote_open(&remote, arguments, IMPORT_STATE, IMPORT_SERVER, NULL))
        return EXIT_USAGE;
    const struct import_guardian job = {.file = arguments->operands[1],
                                        .service = arguments->values[IMPORT_SERVICE],
                                        .dir = state_dir(arguments->values[IMPORT_STATE]),
                                        .remote = remote.server != NULL ? &remote : NULL,
                                        .reviews = arguments->values[IMPORT_REVIEWS],
                                        .reason = arguments->values[IMPORT_REASON],
                                        .dry = arguments->values[IMPORT_DRY] != NULL};
    return import_guardian(&job);
}

static int run(const struct arguments *arguments)
{
    static const struct {
        const char *name;
        int first, last; /* options that are its own */
        int (*run)(const struct arguments *arguments);
    } kinds[] = {{"knative", IMPORT_PATH, IMPORT_OUTPUT, run_knative},
                 {"guardian", IMPORT_STATE, IMPORT_DRY, run_guardian}};
    for (size_t i = 0; arguments->count == 2 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(arguments->operands[0], kinds[i].name) != 0)
            continue;
        for (int k = IMPORT_PATH; k <= IMPORT_DRY; k++) {
            if (arguments->values[k] != NULL && (k < kinds[i].first || k > kinds[i].last))
                return complain(EXIT_USAGE, "--%s isn't for %s", options[k].name, kinds[i].name);
        }
        return kinds[i].run(arguments);
    }
    return complain(EXIT_USAGE, "say `guard import knative FILE` or `guard import guardian FILE`");
}

const struct command command_import = {
    .name = "import",
    .usage = "knative|guardian FILE",
    .operands = "knative|guardian FILE",
    .summary = "take over a Guardian, or another tool's document as one",
    .details =
        "`knative`: a Guardian object of Knative Security-Guard (its `kubectl get -o yaml`), "
        "or its spec alone.\nThe Guardian goes to standard output; what has no equivalent is "
        "told on standard error, with its\nplace and why. Criteria that the object doesn't "
        "use (control.auto, not active) are left out unless\n--configured is said. Criteria "
        "on queries and bodies need --path: there they are said of every path.\n"
        "`guardian`: what `guard export guardian` wrote elsewhere. What it changes is shown, then "
        "it is put in place\nas `guard mode` changes a Guardian: audited, and published by guardd "
        "within seconds.",
    .options = options,
    .run = run,
};
