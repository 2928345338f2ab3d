/* SPDX-License-Identifier: Apache-2.0 */
/* `guard status`: services, modes, readiness and what is missing, as guardd wrote them last. */
#include "command.h"
#include "common/file.h"
#include "remote.h"
#include "state_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_STATE, STATUS_FORMAT, STATUS_READY, STATUS_SERVER };
enum { STALE_MS = 10000 };

static const struct option_spec options[] = {
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"format", "text|json", "for people or programs (default text)"},
    {"ready", NULL,
     "server: only whether it can serve, that is to save and to write alerts; 1 when it can't"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

/* Says nothing of a part that is ready, that lacks what the endpoint lacks, or that an older guardd
 * knows nothing of. */
static void print_part(const struct document_node *endpoint, const char *part, const char *title)
{
    const char *lacks = text_of(member_of(endpoint, part), "lacks");
    char text[128];
    if (lacks[0] != '\0' && strcmp(lacks, text_of(endpoint, "lacks")) != 0)
        printf("; %s: %s", title, clean(text, sizeof(text), lacks, strlen(lacks)));
}

static void print_endpoint(const struct document_node *endpoint)
{
    char method[32];
    char path[2560];
    const char *lacks = text_of(endpoint, "lacks");
    const char *text = text_of(endpoint, "method");
    clean(method, sizeof(method), text, strlen(text));
    text = text_of(endpoint, "template");
    clean(path, sizeof(path), text, strlen(text));
    printf("  %-7s %-40s %8s exchanges, %s clients: %s", method, path,
           text_of(endpoint, "exchanges"), text_of(endpoint, "clients"),
           lacks[0] != '\0' ? lacks : "ready");
    print_part(endpoint, "response", "of responses missing");
    print_part(endpoint, "time", "of time missing");
    printf("\n");
}

/* Where the status comes from. */
struct source {
    const char *dir;
    struct remote remote; /* server NULL: from the files */
};

/* Of the gates that have this state directory: a server knows of none. */
static void print_withdrawn(const struct source *source, const char *service,
                            struct guard_arena *arena)
{
    char path[STATE_PATH_MAX], by[128], reason[2048];
    struct document document;
    const struct guard_span name = {(const uint8_t *)service, strlen(service)};
    if (source->remote.server != NULL ||
        state_path(path, source->dir, "withdrawn", name, ".json") != GUARD_OK ||
        !state_document(path, arena, &document, true))
        return;
    double left = number_of(document.root, "until_ms") - (double)clock_unix_ms();
    const char *who = text_of(document.root, "by"), *why = text_of(document.root, "reason");
    if (left > 0)
        printf("  WITHDRAWN, answered with 503, for %.0f s more by %s: %s\n", left / 1000,
               clean(by, sizeof(by), who, strlen(who)),
               clean(reason, sizeof(reason), why, strlen(why)));
}

/* NULL: none. */
static const struct document_node *bypass_of(const struct source *source, const char *service,
                                             struct guard_arena *arena)
{
    char path[STATE_PATH_MAX];
    struct document document;
    struct guard_span name = {(const uint8_t *)service, strlen(service)};
    if (source->remote.server != NULL)
        return remote_service(&source->remote, "GET", name, "/bypass", NULL, &document)
                   ? member_of(document.root, "bypass")
                   : NULL;
    return state_path(path, source->dir, "bypass", name, ".json") == GUARD_OK &&
                   state_document(path, arena, &document, true)
               ? document.root
               : NULL;
}

static void print_bypass(const struct source *source, const char *service,
                         struct guard_arena *arena)
{
    const struct document_node *bypass = bypass_of(source, service, arena);
    double left = number_of(bypass, "until_ms") - (double)clock_unix_ms();
    char by[128];
    char reason[2048];
    const char *text = text_of(bypass, "by");
    clean(by, sizeof(by), text, strlen(text));
    text = text_of(bypass, "reason");
    if (left > 0)
        printf("  BYPASSED for %.0f s more by %s: %s\n", left / 1000, by,
               clean(reason, sizeof(reason), text, strlen(text)));
}

static void print_revision(const struct document_node *service)
{
    const struct document_node *revision = member_of(service, "revision");
    const struct document_node *releases = member_of(service, "releases");
    if (releases != NULL &&
        (number_of(releases, "let_in") > 0 || number_of(releases, "waiting") > 0))
        printf(
            "  new elements that were blocked: %s let in as a release, %s waiting (guard review)\n",
            text_of(releases, "let_in"), text_of(releases, "waiting"));
    if (revision == NULL)
        return;
    char text[128];
    const char *raw = text_of(revision, "text");
    double left = number_of(revision, "new_until_ms") - (double)clock_unix_ms();
    printf("  revision %s", clean(text, sizeof(text), raw, strlen(raw)));
    if (left > 0)
        printf(", new for %.0f min more: what deviates by new elements only isn't blocked",
               left / 60000 + 0.5);
    printf("\n");
}

static void print_expiring(const struct document_node *list, const char *what)
{
    char text[4 * 64 + 1];
    if (list == NULL || list->kind != DOCUMENT_SEQUENCE || list->first == NULL)
        return;
    printf("  %s:", what);
    for (const struct document_node *node = list->first; node != NULL; node = node->next)
        printf(" %s", node->kind == DOCUMENT_SCALAR
                          ? clean(text, sizeof(text), (const char *)node->text.ptr, node->text.len)
                          : "?");
    printf(" (guard patch list)\n");
}

static void print_patches(const struct document_node *service)
{
    const struct document_node *patches = member_of(service, "patches");
    if (patches == NULL || number_of(patches, "count") <= 0)
        return;
    printf("  %s patches, %s enforced\n", text_of(patches, "count"), text_of(patches, "enforced"));
    print_expiring(member_of(patches, "expired"), "PATCHES EXPIRED, they block nothing");
    print_expiring(member_of(patches, "expires_soon"), "patches that expire within a week");
    print_expiring(member_of(patches, "fixed"),
                   "patches that the service's revision has the fix of, they block nothing there");
}

static void print_exceptions(const struct document_node *service)
{
    const struct document_node *exceptions = member_of(service, "exceptions");
    if (exceptions == NULL)
        return;
    const double soon = number_of(exceptions, "expires_soon");
    const double expired = number_of(exceptions, "expired");
    const double all = number_of(exceptions, "in_force") + soon;
    if (all + expired > 0)
        printf("  %.0f exceptions in force, %.0f of them expire within a week, %.0f EXPIRED (guard "
               "exception list)\n",
               all, soon, expired);
}

static void print_growth(const struct document_node *service)
{
    const struct document_node *growth = member_of(service, "growth");
    if (growth != NULL && number_of(growth, "held") > 0)
        printf("  GROWTH HELD: %s new elements are trusted, %s more wait: much at once\n",
               text_of(growth, "grown"), text_of(growth, "held"));
}

/* What an operator's canaries proved. */
static void print_path(const struct document_node *service)
{
    const struct document_node *path = member_of(service, "path");
    char text[4 * 400 + 1];
    if (path == NULL)
        return;
    const char *message = text_of(path, "message");
    printf("  %s%s\n",
           strcmp(text_of(path, "not_in_path"), "true") == 0 ? "NOT IN PATH: " : "path: ",
           clean(text, sizeof(text), message, strlen(message)));
}

static void print_service(const struct source *source, const struct document_node *service,
                          struct guard_arena *arena)
{
    const char *name = text_of(service, "service");
    bool ready = strcmp(text_of(service, "ready"), "true") == 0;
    printf("%s: mode %s, learning %s, generation %s, %s exchanges from %s clients in %s epochs "
           "(unit: %s)\n",
           name, text_of(service, "mode"), text_of(service, "learn"),
           text_of(service, "generation"), text_of(service, "exchanges"),
           text_of(service, "clients"), text_of(service, "epochs"), text_of(service, "unit"));
    printf("  %s, %.0f %%\n", ready ? "ready" : "still learning",
           number_of(service, "progress") * 100);
    if (text_of(service, "guardian_error")[0] != '\0')
        printf("  Guardian refused: %s\n", text_of(service, "guardian_error"));
    if (text_of(service, "review_error")[0] != '\0')
        printf("  Review refused: %s\n", text_of(service, "review_error"));
    print_path(service);
    print_revision(service);
    print_growth(service);
    print_patches(service);
    print_exceptions(service);
    print_bypass(source, name, arena);
    print_withdrawn(source, name, arena);
    const struct document_node *endpoints = member_of(service, "endpoints");
    for (const struct document_node *node = endpoints != NULL ? endpoints->first : NULL;
         node != NULL; node = node->next)
        print_endpoint(node);
}

static void print_parent(const struct document_node *parent)
{
    char server[300];
    char failure[300];
    const struct document_node *spool = member_of(parent, "spool");
    const char *text = text_of(parent, "server");
    double since = ((double)clock_unix_ms() - number_of(parent, "since_ms")) / 1000;
    clean(server, sizeof(server), text, strlen(text));
    text = text_of(parent, "failure");
    clean(failure, sizeof(failure), text, strlen(text));
    printf("parent %s: %s for %.0f s%s%s\n", server, text_of(parent, "state"), since,
           failure[0] != '\0' ? ": " : "", failure);
    printf("  spool: %s reports, %s of %s bytes, the oldest %.0f s old; %s sent, %s refused\n",
           text_of(spool, "files"), text_of(spool, "bytes"), text_of(spool, "max"),
           number_of(parent, "lag_ms") / 1000, text_of(parent, "sent"), text_of(parent, "refused"));
    if (strcmp(text_of(spool, "failing"), "true") == 0)
        printf("  SPOOL FAILING: reports can't be written; records wait in the rings\n");
}

/* Of one that is learned at the parent. */
static void print_reported(const struct source *source, const struct document_node *service,
                           struct guard_arena *arena)
{
    printf("%s: generation %s, %s exchanges to be reported\n", text_of(service, "service"),
           text_of(service, "generation"), text_of(service, "exchanges"));
    print_bypass(source, text_of(service, "service"), arena);
    print_withdrawn(source, text_of(service, "service"), arena);
}

static void print_text(const struct source *source, const struct document *document,
                       struct guard_arena *arena)
{
    const struct document_node *rings = member_of(document->root, "rings");
    double age = (double)clock_unix_ms() - number_of(document->root, "time_ms");
    if (source->remote.server == NULL && age > STALE_MS)
        printf("guardd isn't running: this is %.0f s old. The gates go on with what they have.\n",
               age / 1000);
    printf("rings: %s, %s records, %s lost, %s hostile\n", text_of(rings, "count"),
           text_of(rings, "records"), text_of(rings, "lost"), text_of(rings, "hostile"));
    const struct document_node *parent = member_of(document->root, "parent");
    if (parent != NULL)
        print_parent(parent);
    const struct document_node *services = member_of(document->root, "services");
    for (const struct document_node *node = services != NULL ? services->first : NULL; node != NULL;
         node = node->next) {
        if (parent != NULL)
            print_reported(source, node, arena);
        else
            print_service(source, node, arena);
    }
}

static int print_json(const char *path)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    if (file_read(path, DOCUMENT_BYTES_MAX, &bytes, &len, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    fwrite(bytes, 1, len, stdout);
    fputc('\n', stdout);
    free(bytes);
    return EXIT_GOOD;
}

static int show_remote(const struct source *source, bool json, struct guard_arena *arena)
{
    struct document document;
    struct guard_span text;
    if (!remote_ask(&source->remote, "GET", "/status", NULL, &document, &text))
        return EXIT_FAILED;
    if (json)
        printf("%.*s\n", (int)text.len, (const char *)text.ptr);
    else
        print_text(source, &document, arena);
    return EXIT_GOOD;
}

static int show_ready(const struct source *source)
{
    if (source->remote.server == NULL)
        return complain(EXIT_USAGE, "--ready needs --server");
    return remote_is_ready(&source->remote) ? EXIT_GOOD : EXIT_FAILED;
}

static int show_files(const struct source *source, bool json, struct guard_arena *arena)
{
    char path[STATE_PATH_MAX];
    struct document document;
    if (state_path(path, source->dir, "", (struct guard_span){NULL, 0}, "status.json") != GUARD_OK)
        return complain(EXIT_FAILED, "%s: the path is too long", source->dir);
    if (json)
        return print_json(path);
    if (!state_document(path, arena, &document, false))
        return EXIT_FAILED;
    print_text(source, &document, arena);
    return EXIT_GOOD;
}

static int run(const struct arguments *arguments)
{
    const char *format = arguments->values[STATUS_FORMAT];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct source source = {.dir = state_dir(arguments->values[STATUS_STATE]),
                            .remote = {NULL, &arena}};
    if (arguments->count != 0 ||
        (format != NULL && strcmp(format, "text") != 0 && strcmp(format, "json") != 0))
        return complain(EXIT_USAGE, "--format is text or json, and there are no operands");
    bool json = format != NULL && strcmp(format, "json") == 0;
    guard_arena_init(&arena, &heap, (size_t)64 << 20);
    if (!remote_open(&source.remote, arguments, STATUS_STATE, STATUS_SERVER, &arena))
        return EXIT_USAGE;
    int status = EXIT_GOOD;
    if (arguments->values[STATUS_READY] != NULL)
        status = show_ready(&source);
    else
        status = source.remote.server != NULL ? show_remote(&source, json, &arena)
                                              : show_files(&source, json, &arena);
    guard_arena_reset(&arena);
    return status;
}

const struct command command_status = {
    .name = "status",
    .usage = "",
    .summary = "show services, modes and readiness",
    .details = NULL,
    .options = options,
    .run = run,
};
