/* SPDX-License-Identifier: Apache-2.0 */
/* `guard exception list, add, rm`: for a while, findings of a scope are told instead of blocked; in
 * the files of the state directory or by a server. */
#include "command.h"
#include "remote.h"

#include "common/exception_changes.h"
#include "common/exception_json.h"
#include "common/file.h"
#include "common/json_document.h"
#include "state_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXCEPTION_SERVICE,
    EXCEPTION_STATE,
    EXCEPTION_REASON,
    EXCEPTION_DRY_RUN,
    EXCEPTION_FORCE,
    EXCEPTION_FORMAT,
    EXCEPTION_ID,
    EXCEPTION_EXPIRES,
    EXCEPTION_DAYS,
    EXCEPTION_ENDPOINT,
    EXCEPTION_METHOD,
    EXCEPTION_CLIENT,
    EXCEPTION_IN,
    EXCEPTION_NAME,
    EXCEPTION_RULE,
    EXCEPTION_PATCH,
    EXCEPTION_SERVER, /* the first of REMOTE_OPTIONS, which are the last */
};

static const struct option_spec options[] = {
    {"service", "NAME", "the service"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"reason", "TEXT", "why, for the audit log, and for exceptions that don't say it"},
    {"dry-run", NULL, "only say what would change"},
    {"force", NULL, "also for a service that isn't there yet"},
    {"format", "text|json", "for people (default) or for programs"},
    {"id", "ID", "add: how it is called"},
    {"expires", "DATE", "add: when it ends, as 2027-01-31 or 2027-01-31T12:00:00Z"},
    {"days", "N", "add: instead, that many days from now, at most 366"},
    {"endpoint", "PATH", "add: of this path template; may be repeated, as all that follow"},
    {"method", "METHOD", "add: of this method"},
    {"client", "PREFIX", "add: of clients with this address or prefix"},
    {"in", "PLACE", "add: at this place, as findings name it: query, json, header..."},
    {"name", "NAME", "add: of this parameter, header or field; '*' stands for any bytes"},
    {"rule", "RULE", "add: of this rule, as findings name it: character, likeness..."},
    {"patch", "ID", "add: hits of this patch, unless it is mandatory"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

enum { LINE_MAX_BYTES = 128 * 1024, PATH_MAX_BYTES = 1400, DAY_MS = 86400000 };

struct call {
    const struct arguments *arguments;
    const char *operand; /* behind the verb, or NULL */
    struct guard_span service;
    const char *dir;
    struct remote remote; /* server NULL: files are meant */
    bool json;
    struct guard_arena *arena;
};

static bool path_of(const struct call *call, const char *rest, char out[PATH_MAX_BYTES])
{
    int len = snprintf(out, PATH_MAX_BYTES, "/services/%.*s/exceptions%s", (int)call->service.len,
                       (const char *)call->service.ptr, rest);
    return (len > 0 && len < PATH_MAX_BYTES) || complain(0, "what is asked for is too long") != 0;
}

/* "?reason=...&dryRun=true". False after a message. */
static bool query_of(const struct call *call, char *out, size_t cap)
{
    char reason[800];
    const char *said = call->arguments->values[EXCEPTION_REASON];
    if (!remote_escape(reason, sizeof(reason), said != NULL ? said : ""))
        return complain(0, "the reason is too long") != 0;
    snprintf(out, cap, "?dryRun=%s%s%s",
             call->arguments->values[EXCEPTION_DRY_RUN] != NULL ? "true" : "false",
             reason[0] != '\0' ? "&reason=" : "", reason);
    return true;
}

static int tell(const struct call *call, const char *before, const char *after)
{
    char text[EXCEPTION_SAID_MAX];
    bool dry = call->arguments->values[EXCEPTION_DRY_RUN] != NULL;
    if (call->json) {
        char line[2 * EXCEPTION_SAID_MAX + 512];
        struct json_writer json;
        json_writer_init(&json, line, sizeof(line));
        json_open(&json, NULL, '{');
        json_string(&json, "service", call->service);
        json_bool(&json, "applied", !dry);
        json_text(&json, "before", before);
        json_text(&json, "after", after);
        json_close(&json, '}');
        printf("%.*s\n", (int)json.len, line);
        return EXIT_GOOD;
    }
    bool gone = after[0] == '\0';
    printf("%.*s: %s %s%s\n", (int)call->service.len, (const char *)call->service.ptr,
           gone ? "removed" : "added",
           clean(text, sizeof(text), gone ? before : after, strlen(gone ? before : after)),
           dry ? " (nothing was changed yet)" : "");
    return EXIT_GOOD;
}

/* --- list --- */

static void print_line(const char *id, const char *standing, const char *expires,
                       const char *reason)
{
    char shown[4 * GUARD_EXCEPTION_TEXT_MAX + 1];
    char shown_id[4 * GUARD_EXCEPTION_ID_MAX + 1];
    char until[CLOCK_TEXT_MAX];
    printf("%-24s %s%.19sZ  %s\n", clean(shown_id, sizeof(shown_id), id, strlen(id)),
           strcmp(standing, "expired") == 0        ? "EXPIRED "
           : strcmp(standing, "expires-soon") == 0 ? "expires soon, "
                                                   : "until ",
           clean(until, sizeof(until), expires, strlen(expires)),
           clean(shown, sizeof(shown), reason, strlen(reason)));
}

static bool print_node(const struct call *call, const struct document_node *node, char *line)
{
    struct json_writer json;
    if (!call->json) {
        print_line(text_of(node, "id"), text_of(node, "standing"), text_of(node, "expires"),
                   text_of(node, "reason"));
        return true;
    }
    json_writer_init(&json, line, LINE_MAX_BYTES);
    json_document(&json, NULL, node);
    if (json.overflow)
        return complain(0, "an exception's scope is too long to print") != 0;
    printf("%.*s\n", (int)json.len, line);
    return true;
}

/* As the server writes them, so that both are printed alike. */
static bool list_files(const struct call *call, struct document *out)
{
    enum { ALL_MAX = 8 << 20 };
    struct guard_guardian guardian;
    struct json_writer json;
    struct guard_err err;
    const uint64_t now_ms = clock_unix_ms();
    if (!state_service_known(call->dir, call->service, false) ||
        !state_guardian(call->dir, call->service, call->arena, &guardian))
        return false;
    char *text = guard_arena_get(call->arena, ALL_MAX);
    if (text == NULL)
        return complain(0, "no memory") != 0;
    json_writer_init(&json, text, ALL_MAX);
    json_open(&json, NULL, '{');
    json_open(&json, "exceptions", '[');
    for (uint32_t i = 0; i < guardian.exception_count; i++) {
        json_open(&json, NULL, '{');
        exception_json(&json, &guardian.exceptions[i], now_ms);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    if (json.overflow ||
        document_parse(out, "exceptions", (struct guard_span){(const uint8_t *)text, json.len},
                       call->arena, &err) != GUARD_OK)
        return complain(0, "the exceptions are too long to print") != 0;
    return true;
}

static int list(const struct call *call)
{
    char path[PATH_MAX_BYTES];
    struct document answer;
    if (call->remote.server != NULL
            ? !path_of(call, "", path) ||
                  !remote_ask(&call->remote, "GET", path, NULL, &answer, NULL)
            : !list_files(call, &answer))
        return EXIT_FAILED;
    char *line = guard_arena_get(call->arena, LINE_MAX_BYTES);
    const struct document_node *all = member_of(answer.root, "exceptions");
    const struct document_node *node = all != NULL ? all->first : NULL;
    if (line == NULL)
        return complain(EXIT_FAILED, "no memory");
    if (node == NULL && !call->json)
        printf("%.*s: no exceptions\n", (int)call->service.len, (const char *)call->service.ptr);
    for (; node != NULL; node = node->next) {
        if (!print_node(call, node, line))
            return EXIT_FAILED;
    }
    return EXIT_GOOD;
}

/* --- changes --- */

static int on_files(const struct call *call, const struct state_change *by,
                    const struct exception_change *what)
{
    struct exception_outcome outcome;
    struct guard_err err;
    int lock = -1;
    const bool dry = call->arguments->values[EXCEPTION_DRY_RUN] != NULL;
    if (!state_service_known(call->dir, call->service,
                             call->arguments->values[EXCEPTION_FORCE] != NULL) ||
        (!dry && !state_lock(&lock, call->dir, "guardians")))
        return EXIT_FAILED;
    enum guard_rc rc = change_exceptions(&by->change, what, dry, call->arena, &outcome, &err);
    if (lock >= 0)
        close(lock);
    return rc == GUARD_OK ? tell(call, outcome.before, outcome.after)
                          : complain(EXIT_FAILED, "%s", err.text);
}

static void put_given(struct json_writer *json, const struct arguments *arguments, int option,
                      const char *name)
{
    if (arguments->values[option] == NULL)
        return;
    json_open(json, name, '[');
    for (int i = 0; i < arguments->given_count; i++) {
        if (arguments->given[i].option == option)
            json_text(json, NULL, arguments->given[i].value);
    }
    json_close(json, ']');
}

static bool put_expiry(struct json_writer *json, const struct arguments *arguments)
{
    char text[CLOCK_TEXT_MAX];
    const char *days = arguments->values[EXCEPTION_DAYS];
    const char *expires = arguments->values[EXCEPTION_EXPIRES];
    if ((days == NULL) == (expires == NULL))
        return complain(0, "say when it ends: --expires DATE or --days N; an exception without an "
                           "end is refused") != 0;
    if (expires != NULL) {
        json_text(json, "expires", expires);
        return true;
    }
    char *end;
    unsigned long count = strtoul(days, &end, 10);
    if (days[0] < '0' || days[0] > '9' || *end != '\0' || count == 0 ||
        count > GUARD_EXCEPTION_DAYS_MAX ||
        !clock_text(text, (double)clock_unix_ms() + (double)count * DAY_MS))
        return complain(0, "--days is a whole number from 1 to %d", GUARD_EXCEPTION_DAYS_MAX) != 0;
    json_text(json, "expires", text);
    return true;
}

/* The options as a document, so that they are held to the same rules. */
static bool read_options(const struct call *call, const struct exception_defaults *defaults,
                         struct exception_list *out)
{
    static const struct {
        int option;
        const char *name;
    } scope[] = {{EXCEPTION_ENDPOINT, "endpoints"}, {EXCEPTION_METHOD, "methods"},
                 {EXCEPTION_CLIENT, "clients"},     {EXCEPTION_IN, "in"},
                 {EXCEPTION_NAME, "names"},         {EXCEPTION_RULE, "rules"},
                 {EXCEPTION_PATCH, "patches"}};
    struct json_writer json;
    struct guard_err err;
    const struct arguments *arguments = call->arguments;
    char *text = guard_arena_get(call->arena, LINE_MAX_BYTES);
    if (text == NULL)
        return complain(0, "no memory") != 0;
    json_writer_init(&json, text, LINE_MAX_BYTES);
    json_open(&json, NULL, '{');
    if (arguments->values[EXCEPTION_ID] != NULL)
        json_text(&json, "id", arguments->values[EXCEPTION_ID]);
    if (!put_expiry(&json, arguments))
        return false;
    json_open(&json, "scope", '{');
    for (size_t i = 0; i < sizeof(scope) / sizeof(scope[0]); i++)
        put_given(&json, arguments, scope[i].option, scope[i].name);
    json_close(&json, '}');
    json_close(&json, '}');
    if (json.overflow)
        return complain(0, "the options are too long") != 0;
    return exceptions_parse(out, "options", (struct guard_span){(const uint8_t *)text, json.len},
                            defaults, call->arena, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

static int told_by(const struct call *call, const struct document *answer)
{
    return tell(call, text_of(answer->root, "before"), text_of(answer->root, "after"));
}

static int add_by_api(const struct call *call, const struct exception_list *list)
{
    char path[PATH_MAX_BYTES];
    char query[1000];
    struct guard_span text;
    struct document answer;
    struct remote_reply reply;
    struct guard_err err;
    if (exceptions_write(list->exceptions, list->count, call->arena, &text, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    const struct remote_request request = {.method = "POST",
                                           .path = path,
                                           .type = "application/json",
                                           .content_type = "application/yaml",
                                           .body = text,
                                           .answer_max = 1 << 20};
    if (!query_of(call, query, sizeof(query)) || !path_of(call, query, path) ||
        !remote_fetch(&call->remote, &request, &reply))
        return EXIT_FAILED;
    enum guard_rc rc = document_parse(
        &answer, "answer", (struct guard_span){reply.bytes, reply.len}, call->arena, &err);
    int status = rc == GUARD_OK ? told_by(call, &answer) : complain(EXIT_FAILED, "%s", err.text);
    free(reply.bytes);
    return status;
}

static int add(const struct call *call)
{
    struct state_change by;
    struct exception_defaults defaults;
    struct exception_list list;
    struct guard_err err;
    if (!state_change(&by, call->dir, call->service, call->arguments->values[EXCEPTION_REASON]))
        return EXIT_FAILED;
    if (exception_defaults_of(&by.change, call->arena, &defaults, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    if (call->operand == NULL && !read_options(call, &defaults, &list))
        return EXIT_FAILED;
    if (call->operand != NULL &&
        exceptions_load(&list, call->operand, &defaults, call->arena, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    const struct exception_change what = {.add = &list};
    return call->remote.server != NULL ? add_by_api(call, &list) : on_files(call, &by, &what);
}

static int take_out(const struct call *call)
{
    char path[PATH_MAX_BYTES];
    char query[1000];
    char rest[1200];
    char id[3 * GUARD_EXCEPTION_ID_MAX + 1];
    struct state_change by;
    struct document answer;
    const struct exception_change what = {
        .remove = {(const uint8_t *)call->operand, strlen(call->operand)}};
    if (call->remote.server == NULL)
        return state_change(&by, call->dir, call->service,
                            call->arguments->values[EXCEPTION_REASON])
                   ? on_files(call, &by, &what)
                   : EXIT_FAILED;
    if (!query_of(call, query, sizeof(query)))
        return EXIT_FAILED;
    if (!remote_escape(id, sizeof(id), call->operand))
        return complain(EXIT_FAILED, "id: the service has no such exception");
    snprintf(rest, sizeof(rest), "/%s%s", id, query);
    return path_of(call, rest, path) &&
                   remote_ask(&call->remote, "DELETE", path, NULL, &answer, NULL)
               ? told_by(call, &answer)
               : EXIT_FAILED;
}

/* In the order of the help. */
static const struct {
    const char *name;
    const char *operands;
    int least, most;
    int (*run)(const struct call *call);
} verbs[] = {
    {"list", "", 0, 0, list}, {"add", " [FILE]", 0, 1, add}, {"rm", " ID", 1, 1, take_out}};

static int run_verb(struct call *call, size_t verb)
{
    const struct arguments *arguments = call->arguments;
    const char *format = arguments->values[EXCEPTION_FORMAT];
    const char *name = arguments->values[EXCEPTION_SERVICE];
    const int count = arguments->count - 1;
    if (name == NULL || count < verbs[verb].least || count > verbs[verb].most)
        return complain(EXIT_USAGE, "say `guard exception %s%s --service NAME`", verbs[verb].name,
                        verbs[verb].operands);
    call->service = (struct guard_span){(const uint8_t *)name, strlen(name)};
    if (!state_service_valid(call->service))
        return complain(EXIT_USAGE, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    call->json = format != NULL && strcmp(format, "json") == 0;
    if (format != NULL && !call->json && strcmp(format, "text") != 0)
        return complain(EXIT_USAGE, "--format is text or json");
    call->operand = count > 0 ? arguments->operands[1] : NULL;
    call->dir = state_dir(arguments->values[EXCEPTION_STATE]);
    return remote_open(&call->remote, arguments, EXCEPTION_STATE, EXCEPTION_SERVER, call->arena)
               ? verbs[verb].run(call)
               : EXIT_USAGE;
}

static int run(const struct arguments *arguments)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct call call = {.arguments = arguments, .arena = &arena};
    const size_t count = sizeof(verbs) / sizeof(verbs[0]);
    size_t verb = 0;
    while (verb < count &&
           (arguments->count == 0 || strcmp(verbs[verb].name, arguments->operands[0]) != 0))
        verb++;
    if (verb == count)
        return complain(EXIT_USAGE, "say what: list, add or rm");
    guard_arena_init(&arena, &heap, EXCEPTION_CHANGE_ARENA);
    int status = run_verb(&call, verb);
    guard_arena_reset(&arena);
    return status;
}

const struct command command_exception = {
    .name = "exception",
    .usage = "list|add|rm [ID|FILE]",
    .operands = "list|add|rm FILE...",
    .summary = "for a while, what is no attack is told instead of blocked",
    .details =
        "list: the service's exceptions and until when they hold. add FILE: those of a document; "
        "add without FILE: one, by the options. rm ID: gone.\n"
        "An exception covers the findings of its scope, and nothing else of the same exchange; "
        "they "
        "are still told, with its id. It ends by itself. A hit of a patch is covered only where "
        "the patch is named, and never when the patch is mandatory.\n"
        "A change is made in the service's Guardian, of which the rest stays as it was written; "
        "guardd publishes it within seconds.",
    .options = options,
    .run = run,
};
