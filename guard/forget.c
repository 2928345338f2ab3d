/* SPDX-License-Identifier: Apache-2.0 */
/* `guard forget`: drops what is kept of a client, or what was learned of a service, and says what
 * it can't drop. guardd does it; when none runs, one is started for it. */
#include "command.h"
#include "common/client_name.h"
#include "common/file.h"
#include "daemon.h"
#include "remote.h"
#include "state_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FORGET_CLIENT,
    FORGET_SERVICE,
    FORGET_GENERATIONS,
    FORGET_DRY,
    FORGET_REASON,
    FORGET_STATE,
    FORGET_STORE,
    FORGET_SERVER
};
enum { WAIT_MS = 120000, PAUSE_MS = 50, REQUEST_MAX = 1024, PATHS = 2 };

static const struct option_spec options[] = {
    {"client", "CLIENT", "an address, a prefix or \"subject NAME\""},
    {"service", "NAME", "of this service alone; without --client: all that was learned of it"},
    {"generations", NULL, "with --client: also what was kept to roll back to"},
    {"dry-run", NULL, "only tell what would be dropped"},
    {"reason", "TEXT", "why, for the audit log (required)"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"store", "WHERE", "guardd's --store, if it isn't the default and none runs"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

struct request {
    const char *dir;
    const char *client;
    const char *service;
    bool generations, dry;
    char path[STATE_PATH_MAX]; /* of the request */
    char done[STATE_PATH_MAX]; /* of its report */
    char id[17];
};

static bool name_request(struct request *request)
{
    uint64_t number = 0;
    struct guard_err err;
    if (state_prepare(request->dir, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    if (random_bytes(&number, sizeof(number)) != GUARD_OK)
        return complain(0, "no randomness") != 0;
    snprintf(request->id, sizeof(request->id), "%016" PRIx64, number);
    struct guard_span id = {(const uint8_t *)request->id, 16};
    return (state_path(request->path, request->dir, "forget", id, ".json") == GUARD_OK &&
            state_path(request->done, request->dir, "forget", id, ".done") == GUARD_OK) ||
           complain(0, "%s: the path is too long", request->dir) != 0;
}

static bool write_request(const struct request *request)
{
    char text[REQUEST_MAX];
    struct json_writer json;
    struct guard_err err;
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_text(&json, "client", request->client != NULL ? request->client : "");
    json_text(&json, "service", request->service != NULL ? request->service : "");
    json_bool(&json, "generations", request->generations);
    json_bool(&json, "dry_run", request->dry);
    json_close(&json, '}');
    return file_replace(request->path, (struct guard_span){(const uint8_t *)text, json.len}, 0640,
                        true, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

/* Whom it is about isn't written into what is kept. */
static bool audit(const struct request *request, const char *reason)
{
    char what[128];
    struct guard_span service = {(const uint8_t *)request->service,
                                 request->service != NULL ? strlen(request->service) : 0};
    snprintf(what, sizeof(what), "%s, request %s", request->client != NULL ? "a client" : "all",
             request->id);
    char user[CHANGE_BY_MAX];
    struct guard_err err;
    user_name(user, sizeof(user));
    const struct audit_who who = {.by = user, .uid = getuid(), .via = "cli"};
    return audit_append(request->dir, &who, service, "forget", "", what, reason, &err) ==
               GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

static bool wait_for_report(const struct request *request)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    uint64_t begin = clock_unix_ms();
    while (access(request->done, F_OK) != 0) {
        if (clock_unix_ms() - begin > WAIT_MS)
            return complain(0, "guardd hasn't done it yet; it will, request %s", request->id) != 0;
        nanosleep(&pause, NULL);
    }
    return true;
}

static void print_line(const struct document_node *report, const char *name, const char *text)
{
    if (number_of(report, name) > 0)
        printf("  %.0f %s\n", number_of(report, name), text);
}

static void print_rest(const struct request *request)
{
    printf("not dropped:\n");
    if (request->client != NULL)
        printf(
            "  counts in piles, and their hashes of clients: nobody can tell one client's share, "
            "nor who a hash is without the service's key; gone with the epochs\n"
            "  alerts of others with which this client's were folded: they hold a count only\n");
    else
        printf("  the Guardian, the bypass and the service's name: people wrote them\n"
               "  what it still learns, as long as gates send it records\n");
    if (request->client != NULL && !request->generations)
        printf("  generations kept to roll back to (--generations)\n");
    printf("  rings, until they are overwritten; what people wrote as a reason or a label\n"
           "  backups, and what was sent to other programs\n");
}

static int tell(const struct request *request, const struct document_node *root)
{
    bool done = strcmp(text_of(root, "done"), "true") == 0;
    printf("%s:\n", request->dry ? "would be dropped" : "dropped");
    print_line(root, "services", "services, with all that was learned of them");
    print_line(root, "verdicts", "verdicts on clients");
    print_line(root, "lifts", "lifts of verdicts");
    print_line(root, "alerts", "lines of alerts");
    print_line(root, "audits", "lines of the audit log no longer say who it was");
    print_line(root, "generations", "generations that were kept");
    print_rest(request);
    return done ? EXIT_GOOD : complain(EXIT_FAILED, "not all of it: %s", text_of(root, "error"));
}

static int report(const struct request *request)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    int status = EXIT_FAILED;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    if (state_document(request->done, &arena, &document, false)) {
        status = tell(request, document.root);
        (void)unlink(request->done);
    }
    guard_arena_reset(&arena);
    return status;
}

static bool carry_out(const struct request *request, const char *store)
{
    if (daemon_runs(request->dir))
        return wait_for_report(request);
    return daemon_task(request->dir, store, "forget") &&
           (access(request->done, F_OK) == 0 ||
            complain(0, "guardd didn't do it; it will when it is started, request %s",
                     request->id) != 0);
}

/* --- of a server --- */

static bool wait_remote(const struct remote *remote, struct request *request, struct document *out)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    uint64_t begin = clock_unix_ms();
    char path[64];
    snprintf(path, sizeof(path), "/forget/%s", request->id);
    while (remote_ask(remote, "GET", path, NULL, out, NULL)) {
        if (strcmp(text_of(out->root, "state"), "done") == 0)
            return true;
        if (clock_unix_ms() - begin > WAIT_MS)
            return complain(0, "guardd hasn't done it yet; it will, request %s", request->id) != 0;
        guard_arena_reset(remote->arena);
        nanosleep(&pause, NULL);
    }
    return false;
}

static bool order_remote(const struct remote *remote, struct request *request, const char *reason)
{
    struct remote_body body;
    struct document document;
    remote_body(&body);
    if (request->client != NULL)
        json_text(&body.json, "client", request->client);
    if (request->service != NULL)
        json_text(&body.json, "service", request->service);
    json_bool(&body.json, "generations", request->generations);
    json_bool(&body.json, "dryRun", request->dry);
    json_text(&body.json, "reason", reason != NULL ? reason : "");
    if (!remote_ask(remote, "POST", "/forget", &body, &document, NULL))
        return false;
    const char *id = text_of(document.root, "id");
    bool good = strlen(id) == sizeof(request->id) - 1 &&
                strspn(id, "0123456789abcdef") == sizeof(request->id) - 1;
    snprintf(request->id, sizeof(request->id), "%s", good ? id : "");
    guard_arena_reset(remote->arena);
    return good || complain(0, "%s: an answer lacks \"id\"", remote->server) != 0;
}

static int by_api(const struct remote *remote, struct request *request, const char *reason)
{
    struct document document;
    int status = EXIT_FAILED;
    if (!order_remote(remote, request, reason))
        return EXIT_FAILED;
    if (wait_remote(remote, request, &document)) {
        const struct document_node *told = member_of(document.root, "report");
        status = told != NULL
                     ? tell(request, told)
                     : complain(EXIT_FAILED, "%s: an answer lacks \"report\"", remote->server);
    }
    guard_arena_reset(remote->arena);
    return status;
}

static int run(const struct arguments *arguments)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct remote remote;
    char prefix[CLIENT_NAME_MAX];
    const char *reason = arguments->values[FORGET_REASON];
    struct request request = {.dir = state_dir(arguments->values[FORGET_STATE]),
                              .client = arguments->values[FORGET_CLIENT],
                              .service = arguments->values[FORGET_SERVICE],
                              .generations = arguments->values[FORGET_GENERATIONS] != NULL,
                              .dry = arguments->values[FORGET_DRY] != NULL};
    struct guard_span service = {(const uint8_t *)request.service,
                                 request.service != NULL ? strlen(request.service) : 0};
    if (arguments->count > 0 || (request.client == NULL && request.service == NULL))
        return complain(EXIT_USAGE, "say `guard forget --client CLIENT [--service NAME]` or `guard "
                                    "forget --service NAME`");
    if (request.client != NULL && !client_name(request.client, prefix))
        return complain(EXIT_USAGE, "a client is an address, a prefix or \"subject NAME\"");
    if (request.service != NULL && !state_service_valid(service))
        return complain(EXIT_USAGE, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    if (!request.dry && (reason == NULL || reason[0] == '\0'))
        return complain(EXIT_USAGE, "--reason is needed");
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    if (!remote_open(&remote, arguments, FORGET_STATE, FORGET_SERVER, &arena))
        return EXIT_USAGE;
    if (remote.server != NULL)
        return by_api(&remote, &request, reason);
    state_share();
    if ((request.service != NULL && !state_service_known(request.dir, service, false)) ||
        !name_request(&request) || (!request.dry && !audit(&request, reason)) ||
        !write_request(&request) || !carry_out(&request, arguments->values[FORGET_STORE]))
        return EXIT_FAILED;
    return report(&request);
}

const struct command command_forget = {
    .name = "forget",
    .usage = "",
    .summary = "drop what is kept of a client, or what was learned of a service",
    .details = "It is done by guardd, whether one runs or not, and survives a kill. What can't be "
               "dropped is told.\n"
               "A service that still gets traffic is learned anew.",
    .options = options,
    .run = run,
};
