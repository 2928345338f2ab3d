/* SPDX-License-Identifier: Apache-2.0 */
/* `guard rollback`: shows what was learned when, and lets gates enforce what an older generation
 * had learned, until it is ended or its time is over. guardd does it, and keeps learning meanwhile.
 */
#include "command.h"
#include "common/file.h"
#include "remote.h"
#include "state_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROLLBACK_FOR, ROLLBACK_REASON, ROLLBACK_END, ROLLBACK_STATE, ROLLBACK_SERVER };

static const struct option_spec options[] = {
    {"for", "TIME", "how long: 30m, 12h, 7d; at most 30d (default: until it is ended)"},
    {"reason", "TEXT", "why, for the audit log (required to begin)"},
    {"end", NULL, "enforce what was learned last again"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

struct place {
    const char *dir;
    struct guard_span service;
    char path[STATE_PATH_MAX]; /* of the rollback's document */
    const struct document_node
        *known;           /* of the service in the status; NULL: guardd doesn't know it */
    struct remote remote; /* server NULL: on the files */
};

static void print_time(double ms, char out[32])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    if (ms <= 0 || gmtime_r(&seconds, &parts) == NULL ||
        strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
        snprintf(out, 32, "an unknown time");
}

static const struct document_node *service_in(const struct document *status,
                                              struct guard_span service)
{
    const struct document_node *services = member_of(status->root, "services");
    for (const struct document_node *node = services != NULL ? services->first : NULL; node != NULL;
         node = node->next) {
        const char *name = text_of(node, "service");
        if (strlen(name) == service.len && memcmp(name, service.ptr, service.len) == 0)
            return node;
    }
    return NULL;
}

static const struct document_node *generations_of(const struct place *place)
{
    const struct document_node *generations = member_of(place->known, "generations");
    return generations != NULL ? generations->first : NULL;
}

static void print_request(const struct place *place, struct guard_arena *arena)
{
    struct document document;
    char until[32];
    char by[128];
    char reason[2048];
    const struct document_node *request;
    if (place->remote.server != NULL) {
        if (!remote_service(&place->remote, "GET", place->service, "/rollback", NULL, &document))
            return;
        request = member_of(document.root, "rollback");
    } else {
        request = state_document(place->path, arena, &document, true) ? document.root : NULL;
    }
    if (request == NULL || request->kind != DOCUMENT_MAPPING)
        return;
    const char *text = text_of(request, "by");
    clean(by, sizeof(by), text, strlen(text));
    text = text_of(request, "reason");
    clean(reason, sizeof(reason), text, strlen(text));
    print_time(number_of(request, "until_ms"), until);
    printf("rolled back to %.0f by %s", number_of(request, "generation"), by);
    if (number_of(request, "until_ms") > 0)
        printf(" until %s", until);
    printf(": %s\n", reason);
}

static int list(const struct place *place, struct guard_arena *arena)
{
    double held = number_of(place->known, "rolled_back_to");
    print_request(place, arena);
    if (generations_of(place) == NULL)
        printf("no generation is kept yet: the service must be ready first\n");
    for (const struct document_node *node = generations_of(place); node != NULL;
         node = node->next) {
        char created[32];
        print_time(number_of(node, "created_ms"), created);
        printf("%10.0f  %s  %.0f exchanges%s\n", number_of(node, "generation"), created,
               number_of(node, "exchanges"),
               number_of(node, "generation") == held ? "  <- in force" : "");
    }
    return EXIT_GOOD;
}

static bool kept(const struct place *place, const char *number)
{
    for (const struct document_node *node = generations_of(place); node != NULL;
         node = node->next) {
        if (strcmp(text_of(node, "generation"), number) == 0)
            return true;
    }
    return complain(0, "generation %s isn't kept; `guard rollback SERVICE` lists those that are",
                    number) != 0;
}

static bool begin_remote(const struct place *place, const char *number, unsigned long seconds,
                         const char *reason)
{
    struct remote_body body;
    struct document document;
    remote_body(&body);
    json_integer(&body.json, "generation", strtoll(number, NULL, 10));
    if (seconds > 0)
        json_integer(&body.json, "seconds", (int64_t)seconds);
    json_text(&body.json, "reason", reason);
    return remote_service(&place->remote, "PUT", place->service, "/rollback", &body, &document);
}

static bool begin_on_files(const struct place *place, const char *number, unsigned long seconds,
                           const char *reason)
{
    struct state_change by;
    struct guard_err err;
    if (!state_change(&by, place->dir, place->service, reason))
        return false;
    return change_rollback(&by.change, text_of(place->known, "generation"),
                           strtoull(number, NULL, 10), seconds, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

static int begin(const struct place *place, const char *number, unsigned long seconds,
                 const char *reason)
{
    if (!kept(place, number) ||
        !(place->remote.server != NULL ? begin_remote(place, number, seconds, reason)
                                       : begin_on_files(place, number, seconds, reason)))
        return EXIT_FAILED;
    printf("%.*s: what generation %s had learned is enforced, under a new number\n",
           (int)place->service.len, (const char *)place->service.ptr, number);
    return EXIT_GOOD;
}

static bool end_on_files(const struct place *place)
{
    struct state_change by;
    struct guard_err err;
    return state_change(&by, place->dir, place->service, NULL) &&
           (change_rollback_end(&by.change, &err) == GUARD_OK || complain(0, "%s", err.text) != 0);
}

static int end(const struct place *place)
{
    struct document document;
    if (!(place->remote.server != NULL ? remote_service(&place->remote, "DELETE", place->service,
                                                        "/rollback", NULL, &document)
                                       : end_on_files(place)))
        return EXIT_FAILED;
    printf("%.*s: what was learned last is enforced\n", (int)place->service.len,
           (const char *)place->service.ptr);
    return EXIT_GOOD;
}

/* What guardd knows of the service, with a message when it doesn't know it. */
static bool find_known(struct place *place, struct guard_arena *arena)
{
    char path[STATE_PATH_MAX];
    struct document document;
    if (place->remote.server != NULL) {
        if (!remote_service(&place->remote, "GET", place->service, "", NULL, &document))
            return false;
        place->known = document.root;
        return true;
    }
    if (state_path(path, place->dir, "", (struct guard_span){NULL, 0}, "status.json") != GUARD_OK)
        return complain(0, "%s: the path is too long", place->dir) != 0;
    if (!state_document(path, arena, &document, false))
        return false;
    place->known = service_in(&document, place->service);
    return place->known != NULL ||
           complain(0, "guardd knows no service \"%.*s\"", (int)place->service.len,
                    (const char *)place->service.ptr) != 0;
}

static int act(struct place *place, const struct arguments *arguments, struct guard_arena *arena)
{
    const char *reason = arguments->values[ROLLBACK_REASON];
    const char *time = arguments->values[ROLLBACK_FOR];
    unsigned long seconds = time != NULL ? read_seconds(time, ROLLBACK_SECONDS_MAX) : 0;
    if (arguments->values[ROLLBACK_END] != NULL)
        return place->remote.server != NULL || state_learns(place->dir) ? end(place) : EXIT_FAILED;
    if (arguments->count == 2 && time != NULL && seconds == 0)
        return complain(EXIT_USAGE, "--for needs a time from 1s to 30d");
    if (arguments->count == 2 && (reason == NULL || reason[0] == '\0'))
        return complain(EXIT_USAGE, "--reason is needed");
    if (!find_known(place, arena) ||
        (arguments->count == 2 && place->remote.server == NULL && !state_learns(place->dir)))
        return EXIT_FAILED;
    return arguments->count == 2 ? begin(place, arguments->operands[1], seconds, reason)
                                 : list(place, arena);
}

static int run(const struct arguments *arguments)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct place place = {.dir = state_dir(arguments->values[ROLLBACK_STATE]),
                          .remote = {NULL, &arena}};
    bool ending = arguments->values[ROLLBACK_END] != NULL;
    if (arguments->count < 1 || arguments->count > (ending ? 1 : 2))
        return complain(EXIT_USAGE,
                        "say `guard rollback SERVICE [GENERATION --reason TEXT | --end]`");
    place.service = (struct guard_span){(const uint8_t *)arguments->operands[0],
                                        strlen(arguments->operands[0])};
    if (!state_service_valid(place.service) ||
        state_path(place.path, place.dir, "rollback", place.service, ".json") != GUARD_OK)
        return complain(EXIT_USAGE, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    guard_arena_init(&arena, &heap, (size_t)64 << 20);
    if (!remote_open(&place.remote, arguments, ROLLBACK_STATE, ROLLBACK_SERVER, &arena))
        return EXIT_USAGE;
    state_share();
    int status = act(&place, arguments, &arena);
    guard_arena_reset(&arena);
    return status;
}

const struct command command_rollback = {
    .name = "rollback",
    .usage = "SERVICE [GENERATION]",
    .operands = "SERVICE",
    .summary = "show the generations that are kept, or enforce an older one again",
    .details = "Without GENERATION it lists what can be gone back to. Modes and criteria of the "
               "Guardian stay as they are;\n"
               "learning goes on meanwhile. guardd goes back by itself, for a day, when a new "
               "generation would block far\n"
               "more of the clients that have long been served than the one before.",
    .options = options,
    .run = run,
};
