/* SPDX-License-Identifier: Apache-2.0 */
/* `guard context`: servers by name. The document is small and the user's own; it is refused as a
 * whole when anything in it is wrong, and replaced whole. */
#include "contexts.h"

#include "command.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/json_layout.h"
#include "common/json_writer.h"
#include "common/state.h"
#include "remote_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXT_MAX = 512 * 1024, ARENA_MAX = 32 << 20 };
enum {
    CONTEXT_SERVER,
    CONTEXT_TOKEN_FILE,
    CONTEXT_CA,
    CONTEXT_CERT,
    CONTEXT_KEY,
    CONTEXT_INSECURE,
    CONTEXT_OPTIONS
};

static const struct option_spec options[] = {
    {"server", "URL", "add: unix:PATH or https://HOST[:PORT][/PREFIX] (required)"},
    {"token-file", "FILE", "add: the file with the token, that nobody else may read"},
    {"ca", "FILE", "add: who signs the server's certificate (default: the system's)"},
    {"cert", "FILE", "add: the own certificate"},
    {"key", "FILE", "add: its key, that nobody else may read"},
    {"insecure-http", NULL, "add: http:// also to other hosts, for all to read"},
    {NULL, NULL, NULL},
};

/* --- the document --- */

static const struct {
    const char *name;
    size_t offset;
    size_t cap;
} members[] = {
    {"name", offsetof(struct context, name), CONTEXT_NAME_MAX + 1},
    {"server", offsetof(struct context, server), CONTEXT_TEXT_MAX},
    {"token-file", offsetof(struct context, token_file), CONTEXT_TEXT_MAX},
    {"ca", offsetof(struct context, ca), CONTEXT_TEXT_MAX},
    {"cert", offsetof(struct context, cert), CONTEXT_TEXT_MAX},
    {"key", offsetof(struct context, key), CONTEXT_TEXT_MAX},
};
enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

static bool is(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

static bool name_valid(const char *name)
{
    return state_service_valid((struct guard_span){(const uint8_t *)name, strlen(name)});
}

static enum guard_rc read_text(const struct document *document, const struct document_node *node,
                               char *out, size_t cap, struct guard_err *err)
{
    if (node->kind != DOCUMENT_SCALAR || node->text.len >= cap ||
        memchr(node->text.ptr, '\0', node->text.len) != NULL)
        return document_fail(document, node, GUARD_E_RANGE, err,
                             "must be a text of at most %zu bytes", cap - 1);
    memcpy(out, node->text.ptr, node->text.len);
    out[node->text.len] = '\0';
    return GUARD_OK;
}

static enum guard_rc read_member(const struct document *document, const struct document_node *node,
                                 struct context *out, struct guard_err *err)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if (is(node->key->text, members[i].name))
            return read_text(document, node, (char *)out + members[i].offset, members[i].cap, err);
    }
    if (!is(node->key->text, "insecure-http"))
        return document_fail(document, node->key, GUARD_E_RANGE, err, "there is no such member");
    if (node->kind != DOCUMENT_SCALAR || (!is(node->text, "true") && !is(node->text, "false")))
        return document_fail(document, node, GUARD_E_RANGE, err, "must be true or false");
    out->insecure_http = is(node->text, "true");
    return GUARD_OK;
}

static struct context *find(struct contexts *contexts, const char *name)
{
    for (uint32_t i = 0; i < contexts->count; i++) {
        if (strcmp(contexts->list[i].name, name) == 0)
            return &contexts->list[i];
    }
    return NULL;
}

static enum guard_rc read_context(const struct document *document, const struct document_node *node,
                                  struct contexts *out, struct guard_err *err)
{
    struct context context = {.name = ""};
    if (node->kind != DOCUMENT_MAPPING)
        return document_fail(document, node, GUARD_E_RANGE, err, "must be a mapping");
    for (const struct document_node *at = node->first; at != NULL; at = at->next)
        GUARD_TRY(read_member(document, at, &context, err));
    if (!name_valid(context.name) || find(out, context.name) != NULL)
        return document_fail(document, node, GUARD_E_RANGE, err,
                             "name: must be 1 to 64 letters, digits, '.', '_' or '-', once");
    if (context.server[0] == '\0')
        return document_fail(document, node, GUARD_E_RANGE, err, "server: is needed");
    out->list[out->count++] = context;
    return GUARD_OK;
}

static enum guard_rc read_contexts(const struct document *document, struct contexts *out,
                                   struct guard_err *err)
{
    const struct document_node *root = document->root;
    const struct document_node *current = NULL;
    if (root->kind != DOCUMENT_MAPPING)
        return document_fail(document, root, GUARD_E_RANGE, err, "must be a mapping");
    for (const struct document_node *node = root->first; node != NULL; node = node->next) {
        bool list = is(node->key->text, "contexts");
        if (!list && !is(node->key->text, "current"))
            return document_fail(document, node->key, GUARD_E_RANGE, err,
                                 "there is no such member");
        if (list && (node->kind != DOCUMENT_SEQUENCE || node->count > CONTEXTS_MAX))
            return document_fail(document, node, GUARD_E_RANGE, err, "must be a list of at most %d",
                                 (int)CONTEXTS_MAX);
        if (!list) {
            GUARD_TRY(read_text(document, node, out->current, sizeof(out->current), err));
            current = node;
        }
        for (const struct document_node *at = list ? node->first : NULL; at != NULL; at = at->next)
            GUARD_TRY(read_context(document, at, out, err));
    }
    if (current != NULL && out->current[0] != '\0' && find(out, out->current) == NULL)
        return document_fail(document, current, GUARD_E_RANGE, err, "names no context");
    return GUARD_OK;
}

static bool find_path(char out[CONTEXT_TEXT_MAX])
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int len = -1;
    if (config != NULL && config[0] == '/')
        len = snprintf(out, CONTEXT_TEXT_MAX, "%s/guard/contexts.yaml", config);
    else if (home != NULL && home[0] == '/')
        len = snprintf(out, CONTEXT_TEXT_MAX, "%s/.config/guard/contexts.yaml", home);
    if (len < 0)
        out[0] = '\0';
    return len < CONTEXT_TEXT_MAX || complain(0, "$XDG_CONFIG_HOME is too long") != 0;
}

bool contexts_read(struct contexts *out)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct guard_err err;
    struct stat info;
    memset(out, 0, sizeof(*out));
    if (!find_path(out->path))
        return false;
    if (out->path[0] == '\0' || (stat(out->path, &info) != 0 && errno == ENOENT))
        return true;
    if (stat(out->path, &info) == 0 && (info.st_mode & 022) != 0)
        return complain(0, "%s: others may write it: chmod 600", out->path) != 0;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    enum guard_rc rc = document_load(&document, out->path, &arena, &err);
    if (rc == GUARD_OK)
        rc = read_contexts(&document, out, &err);
    guard_arena_reset(&arena);
    return rc == GUARD_OK || complain(0, "%s", err.text) != 0;
}

struct context *context_find(struct contexts *contexts, const char *name)
{
    struct context *found = find(contexts, name);
    char shown[CONTEXT_TEXT_MAX];
    if (found == NULL)
        complain(0, "there is no context \"%s\"; see guard context list",
                 clean(shown, sizeof(shown), name, strlen(name)));
    return found;
}

static void put_context(struct json_writer *json, const struct context *context)
{
    json_open(json, NULL, '{');
    for (size_t i = 0; i < MEMBERS; i++) {
        const char *text = (const char *)context + members[i].offset;
        if (text[0] != '\0')
            json_text(json, members[i].name, text);
    }
    if (context->insecure_http)
        json_bool(json, "insecure-http", true);
    json_close(json, '}');
}

/* The folders above, which nobody else may look into. */
static void make_folders(const char *path)
{
    char folder[CONTEXT_TEXT_MAX];
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
        (void)mkdir(folder, 0700);
    }
}

static bool save(const struct contexts *contexts)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct json_writer json;
    struct guard_span text;
    struct guard_err err = {"no memory"};
    if (contexts->path[0] == '\0')
        return complain(0, "neither $XDG_CONFIG_HOME nor $HOME says where contexts are") != 0;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    char *room = guard_arena_get(&arena, TEXT_MAX);
    bool good = room != NULL;
    if (good) {
        json_writer_init(&json, room, TEXT_MAX);
        json_open(&json, NULL, '{');
        json_text(&json, "current", contexts->current);
        json_open(&json, "contexts", '[');
        for (uint32_t i = 0; i < contexts->count; i++)
            put_context(&json, &contexts->list[i]);
        json_close(&json, ']');
        json_close(&json, '}');
        make_folders(contexts->path);
        good = json_layout((struct guard_span){(const uint8_t *)room, json.len}, JSON_LAYOUT_YAML,
                           &arena, &text, &err) == GUARD_OK &&
               file_replace(contexts->path, text, 0600, true, &err) == GUARD_OK;
    }
    guard_arena_reset(&arena);
    return good || complain(0, "%s", err.text) != 0;
}

/* --- verbs --- */

static void print_line(const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    printf("  %-10s ", name);
    print_clean(text, strlen(text));
    putchar('\n');
}

static int list(struct contexts *contexts)
{
    for (uint32_t i = 0; i < contexts->count; i++) {
        const struct context *context = &contexts->list[i];
        printf("%c %-20s ", strcmp(context->name, contexts->current) == 0 ? '*' : ' ',
               context->name);
        print_clean(context->server, strlen(context->server));
        putchar('\n');
    }
    if (contexts->count == 0)
        printf("no contexts\n");
    return EXIT_GOOD;
}

static int show(struct contexts *contexts, const char *name)
{
    if (name == NULL && contexts->current[0] == '\0')
        return complain(EXIT_FAILED, "no context is in use");
    const struct context *context = context_find(contexts, name != NULL ? name : contexts->current);
    if (context == NULL)
        return EXIT_FAILED;
    printf("%s%s\n", context->name,
           strcmp(context->name, contexts->current) == 0 ? " (in use)" : "");
    for (size_t i = 1; i < MEMBERS; i++)
        print_line(members[i].name, (const char *)context + members[i].offset);
    if (context->insecure_http)
        print_line("http", "without TLS also to other hosts");
    return EXIT_GOOD;
}

/* Whole paths: a context is used from anywhere. */
static bool take_file(char out[CONTEXT_TEXT_MAX], const char *path)
{
    char *whole = path != NULL ? realpath(path, NULL) : NULL;
    bool good = path == NULL || (whole != NULL && strlen(whole) < CONTEXT_TEXT_MAX);
    if (!good)
        complain(0, "%s: %s", path, whole == NULL ? strerror(errno) : "the path is too long");
    else if (whole != NULL)
        snprintf(out, CONTEXT_TEXT_MAX, "%s", whole);
    free(whole);
    return good;
}

static int add(struct contexts *contexts, const struct arguments *arguments)
{
    static struct remote_server server;
    const char *const *values = arguments->values;
    const char *name = arguments->operands[1];
    struct context *place = &server.place;
    if (!name_valid(name))
        return complain(EXIT_USAGE, "a name is 1 to 64 letters, digits, '.', '_' or '-'");
    if (values[CONTEXT_SERVER] == NULL || strlen(values[CONTEXT_SERVER]) >= CONTEXT_TEXT_MAX)
        return complain(EXIT_USAGE, "--server is needed");
    if (find(contexts, name) != NULL || contexts->count == CONTEXTS_MAX)
        return complain(EXIT_FAILED, find(contexts, name) != NULL
                                         ? "there is one of this name: guard context rm first"
                                         : "there are too many");
    snprintf(place->name, sizeof(place->name), "%s", name);
    snprintf(place->server, sizeof(place->server), "%s", values[CONTEXT_SERVER]);
    place->insecure_http = values[CONTEXT_INSECURE] != NULL;
    if (!take_file(place->token_file, values[CONTEXT_TOKEN_FILE]) ||
        !take_file(place->ca, values[CONTEXT_CA]) ||
        !take_file(place->cert, values[CONTEXT_CERT]) ||
        !take_file(place->key, values[CONTEXT_KEY]))
        return EXIT_FAILED;
    if (!remote_server_check(&server))
        return EXIT_USAGE;
    contexts->list[contexts->count++] = *place;
    return save(contexts) ? EXIT_GOOD : EXIT_FAILED;
}

static int use(struct contexts *contexts, const char *name)
{
    bool none = strcmp(name, "-") == 0;
    if (!none && context_find(contexts, name) == NULL)
        return EXIT_FAILED;
    snprintf(contexts->current, sizeof(contexts->current), "%s", none ? "" : name);
    return save(contexts) ? EXIT_GOOD : EXIT_FAILED;
}

static int take_away(struct contexts *contexts, const char *name)
{
    struct context *context = context_find(contexts, name);
    if (context == NULL)
        return EXIT_FAILED;
    if (strcmp(contexts->current, name) == 0)
        contexts->current[0] = '\0';
    memmove(context, context + 1,
            (size_t)(&contexts->list[--contexts->count] - context) * sizeof(*context));
    return save(contexts) ? EXIT_GOOD : EXIT_FAILED;
}

static int run(const struct arguments *arguments)
{
    static struct contexts contexts;
    const char *verb = arguments->count > 0 ? arguments->operands[0] : "list";
    const char *name = arguments->count == 2 ? arguments->operands[1] : NULL;
    bool adds = strcmp(verb, "add") == 0 && name != NULL;
    for (int i = 0; i < CONTEXT_OPTIONS; i++) {
        if (arguments->values[i] != NULL && !adds)
            return complain(EXIT_USAGE, "--%s is for add", options[i].name);
    }
    if (!contexts_read(&contexts))
        return EXIT_FAILED;
    if (adds)
        return add(&contexts, arguments);
    if (strcmp(verb, "list") == 0 && arguments->count <= 1)
        return list(&contexts);
    if (strcmp(verb, "show") == 0 && arguments->count <= 2)
        return show(&contexts, name);
    if (strcmp(verb, "use") == 0 && name != NULL)
        return use(&contexts, name);
    if (strcmp(verb, "rm") == 0 && name != NULL)
        return take_away(&contexts, name);
    return complain(EXIT_USAGE, "say `guard context list|show [NAME]|use NAME|rm NAME` or `guard "
                                "context add NAME --server URL`");
}

const struct command command_context = {
    .name = "context",
    .usage = "list|show [NAME]|use NAME|rm NAME|add NAME --server URL",
    .operands = "list|show|use|rm|add",
    .summary = "name the servers that commands ask instead of files",
    .details = "They are kept in $XDG_CONFIG_HOME/guard/contexts.yaml (else ~/.config), tokens by "
               "the names of their files.\n"
               "Which counts, the first of: --state; --server; --context; GUARD_SERVER; "
               "GUARD_CONTEXT; GUARD_STATE; the\ncontext in use; /var/lib/guard. `use -` ends "
               "using one.",
    .options = options,
    .run = run,
};
