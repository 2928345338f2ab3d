/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches before anything is shown, so that nothing is shown of half of it. The directory is the
 * user's alone (0700) and in the user's runtime directory where there is one, which is in memory.
 */
#include "mirror.h"

#include "common/file.h"
#include "common/json_document.h"
#include "common/state.h"
#include "state_files.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PILE_MAX = 64 << 20,
    DOCUMENT_MAX = 1 << 20,
    PAGE_MAX = 4 << 20,
    PAGE_ARENA = 64 << 20,
    PAGES_MAX = 100000,
    LINES_BYTES_MAX = 256 << 20, /* of a log */
    FILES_MAX = 8192,
    LINE_MAX_BYTES = 512 * 1024,
};

/* --- the directory --- */

static char root[STATE_PATH_MAX - 256];
static const char *const folders[] = {"guardians", "piles", "reviews", "clients"};
enum { FOLDERS = sizeof(folders) / sizeof(folders[0]) };
static char folder_paths[FOLDERS][STATE_PATH_MAX]; /* a signal leaves no time to make them */
static char *files[FILES_MAX];
static volatile sig_atomic_t file_count;

static void remove_all(void)
{
    for (int i = 0; i < file_count; i++)
        (void)unlink(files[i]);
    for (size_t i = 0; i < FOLDERS; i++)
        (void)rmdir(folder_paths[i]);
    (void)rmdir(root);
}

static void at_end(void)
{
    remove_all();
    while (file_count > 0)
        free(files[--file_count]);
}

static void on_signal(int number)
{
    remove_all();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static bool make_root(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};
    const char *base = getenv("XDG_RUNTIME_DIR");
    if (base == NULL || base[0] != '/' || access(base, W_OK) != 0)
        base = getenv("TMPDIR");
    int len = snprintf(root, sizeof(root), "%s/guard-XXXXXX",
                       base != NULL && base[0] == '/' ? base : "/tmp");
    if (len < 0 || (size_t)len >= sizeof(root) || mkdtemp(root) == NULL)
        return complain(0, "%s: %s", root, strerror(errno)) != 0;
    atexit(at_end);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        (void)signal(ends[i], on_signal);
    bool good = true;
    for (size_t i = 0; i < FOLDERS; i++) {
        snprintf(folder_paths[i], STATE_PATH_MAX, "%s/%s", root, folders[i]);
        good = good && mkdir(folder_paths[i], 0700) == 0;
    }
    return good || complain(0, "%s: %s", root, strerror(errno)) != 0;
}

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

/* A file of the mirror for writing; NULL after a message. name "": of no service. */
static FILE *open_file(const char *folder, const char *name, const char *suffix)
{
    char path[STATE_PATH_MAX];
    if (file_count == FILES_MAX ||
        state_path(path, root, folder, span_of(name), suffix) != GUARD_OK) {
        complain(0, "there are too many services");
        return NULL;
    }
    files[file_count] = strdup(path);
    if (files[file_count] == NULL) {
        complain(0, "no memory");
        return NULL;
    }
    file_count++;
    FILE *file = fopen(path, "wx");
    if (file == NULL)
        complain(0, "%s: %s", path, strerror(errno));
    return file;
}

static bool close_file(FILE *file)
{
    bool good = ferror(file) == 0;
    return (fclose(file) == 0 && good) || complain(0, "%s: %s", root, strerror(errno)) != 0;
}

static bool write_file(const char *folder, const char *name, const char *suffix,
                       struct guard_span bytes)
{
    FILE *file = open_file(folder, name, suffix);
    if (file == NULL)
        return false;
    (void)fwrite(bytes.ptr, 1, bytes.len, file);
    return close_file(file);
}

/* One document as a file. */
static bool fetch_file(const struct remote *remote, const char *name, const char *rest,
                       const char *type, size_t max, bool may_lack, const char *folder,
                       const char *suffix)
{
    char path[256];
    struct remote_reply reply;
    const struct remote_request request = {
        .method = "GET", .path = path, .type = type, .answer_max = max, .may_lack = may_lack};
    snprintf(path, sizeof(path), "%s%s%s", name[0] != '\0' ? "/services/" : "", name, rest);
    if (!remote_fetch(remote, &request, &reply))
        return false;
    bool good = reply.status == 404 ||
                write_file(folder, name, suffix, (struct guard_span){reply.bytes, reply.len});
    free(reply.bytes);
    return good;
}

/* --- pages --- */

struct pages {
    const struct remote *remote;
    const char *path; /* with a '?' and what else is asked for */
    const char *list; /* the member with the page's things */
    bool (*take)(void *ctx, const struct document_node *node, struct guard_arena *arena);
    /* NULL, or what is told of the first page. */
    void (*first)(void *ctx, const struct document_node *root);
    void *ctx;
};

static bool take_page(const struct pages *pages, const struct document *document,
                      struct guard_arena *arena)
{
    const struct document_node *list = member_of(document->root, pages->list);
    const struct document_node *node =
        list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
    if (list == NULL)
        return complain(0, "%s: an answer lacks \"%s\"", pages->remote->server, pages->list) != 0;
    for (; node != NULL; node = node->next) {
        if (!pages->take(pages->ctx, node, arena))
            return false;
    }
    return true;
}

static bool read_pages(const struct pages *pages)
{
    struct guard_alloc heap = heap_alloc();
    char cursor[256] = "";
    bool good = true;
    for (int page = 0; good; page++) {
        char path[1280];
        char escaped[800];
        struct guard_arena arena;
        struct document document;
        guard_arena_init(&arena, &heap, PAGE_ARENA);
        const struct remote remote = {pages->remote->server, &arena};
        good = remote_escape(escaped, sizeof(escaped), cursor);
        snprintf(path, sizeof(path), "%slimit=100%s%s", pages->path,
                 cursor[0] != '\0' ? "&cursor=" : "", escaped);
        good = good && remote_ask(&remote, "GET", path, NULL, &document, NULL);
        if (good && page == 0 && pages->first != NULL)
            pages->first(pages->ctx, document.root);
        good = good && take_page(pages, &document, &arena);
        const struct document_node *next = good ? member_of(document.root, "next") : NULL;
        bool more = next != NULL && next->kind == DOCUMENT_SCALAR && next->quoted;
        if (more && (strcmp((const char *)next->text.ptr, cursor) == 0 || page == PAGES_MAX))
            good = complain(0, "%s: its pages don't end", remote.server) != 0;
        snprintf(cursor, sizeof(cursor), "%s", more ? (const char *)next->text.ptr : "");
        guard_arena_reset(&arena);
        if (!more)
            break;
    }
    return good;
}

/* --- logs, whose pages are the newest first --- */

struct lines {
    char **list;
    size_t count;
    size_t bytes;
    char *newest;
};

static bool keep_line(void *ctx, const struct document_node *node, struct guard_arena *arena)
{
    struct lines *lines = ctx;
    struct json_writer json;
    char *room = guard_arena_get(arena, LINE_MAX_BYTES);
    if (room == NULL)
        return complain(0, "no memory") != 0;
    json_writer_init(&json, room, LINE_MAX_BYTES);
    json_document(&json, NULL, node);
    if (json.overflow)
        return true;
    if (lines->bytes + json.len > LINES_BYTES_MAX)
        return complain(0, "there is more than %d MiB of it", LINES_BYTES_MAX >> 20) != 0;
    if (lines->count % 1024 == 0) {
        char **grown = realloc(lines->list, (lines->count + 1024) * sizeof(*grown));
        if (grown == NULL)
            return complain(0, "no memory") != 0;
        lines->list = grown;
    }
    char *copy = strndup(json.ptr, json.len);
    if (copy == NULL)
        return complain(0, "no memory") != 0;
    lines->list[lines->count++] = copy;
    lines->bytes += json.len;
    return true;
}

static void note_newest(void *ctx, const struct document_node *page)
{
    struct lines *lines = ctx;
    if (lines->newest != NULL)
        snprintf(lines->newest, MIRROR_ID_CAP, "%s", text_of(page, "newest"));
}

static bool read_log(const struct remote *remote, const char *path, const char *list,
                     bool (*take)(void *ctx, struct guard_span line), void *ctx, char *newest)
{
    struct lines lines = {.newest = newest};
    const struct pages pages = {remote, path, list, keep_line, note_newest, &lines};
    bool good = read_pages(&pages);
    while (lines.count > 0) {
        char *line = lines.list[--lines.count];
        good = good && take(ctx, span_of(line));
        free(line);
    }
    free(lines.list);
    return good;
}

bool mirror_alerts(const struct remote *remote, const char *service, const char *id,
                   bool (*take)(void *ctx, struct guard_span line), void *ctx,
                   char newest[MIRROR_ID_CAP])
{
    char path[1024];
    char texts[2][400];
    if (!remote_escape(texts[0], sizeof(texts[0]), service != NULL ? service : "") ||
        !remote_escape(texts[1], sizeof(texts[1]), id != NULL ? id : ""))
        return complain(0, "a name or an id is too long") != 0;
    snprintf(path, sizeof(path), "/alerts?%s%s%s%s%s%s", service != NULL ? "service=" : "",
             texts[0], service != NULL ? "&" : "", id != NULL ? "id=" : "", texts[1],
             id != NULL ? "&" : "");
    return read_log(remote, path, "alerts", take, ctx, newest);
}

static bool put_line(void *ctx, struct guard_span line)
{
    FILE *file = ctx;
    return fwrite(line.ptr, 1, line.len, file) == line.len && fputc('\n', file) != EOF;
}

static bool fetch_alerts(const struct remote *remote, const char *service, const char *id)
{
    FILE *file = open_file("", "", "alerts.jsonl");
    if (file == NULL)
        return false;
    bool good = mirror_alerts(remote, service, id, put_line, file, NULL);
    return close_file(file) && good;
}

static bool fetch_triage(const struct remote *remote)
{
    FILE *file = open_file("", "", "triage.jsonl");
    if (file == NULL)
        return false;
    bool good = read_log(remote, "/triage?", "triage", put_line, file, NULL);
    return close_file(file) && good;
}

static bool fetch_audit(const struct remote *remote, const char *service)
{
    char path[128] = "/audit?";
    if (service != NULL && !state_service_valid(span_of(service)))
        return complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    if (service != NULL)
        snprintf(path, sizeof(path), "/services/%s/changes?", service);
    FILE *file = open_file("", "", "audit.jsonl");
    if (file == NULL)
        return false;
    bool good = read_log(remote, path, "changes", put_line, file, NULL);
    return close_file(file) && good;
}

/* --- clients --- */

struct clients {
    FILE *file;
    bool any;
};

static bool put_node(FILE *file, const struct document_node *node, struct guard_arena *arena)
{
    struct json_writer json;
    char *room = guard_arena_get(arena, LINE_MAX_BYTES);
    if (room == NULL)
        return complain(0, "no memory") != 0;
    json_writer_init(&json, room, LINE_MAX_BYTES);
    json_document(&json, NULL, node);
    return !json.overflow && fwrite(json.ptr, 1, json.len, file) == json.len;
}

static bool put_client(void *ctx, const struct document_node *node, struct guard_arena *arena)
{
    struct clients *clients = ctx;
    if (clients->any)
        fputc(',', clients->file);
    clients->any = true;
    return put_node(clients->file, node, arena);
}

static void put_counts(void *ctx, const struct document_node *page)
{
    struct clients *clients = ctx;
    char text[256];
    struct json_writer json;
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_text(&json, "mode", text_of(page, "mode"));
    json_integer(&json, "exchanges", whole_of(page, "exchanges"));
    json_integer(&json, "clients", whole_of(page, "clients"));
    if (!json.overflow)
        fprintf(clients->file, "%.*s,\"verdicts\":[", (int)json.len, json.ptr);
}

static bool fetch_clients(const struct remote *remote, const char *name)
{
    char path[128];
    struct clients clients = {.file = open_file("clients", name, ".json")};
    const struct pages pages = {remote, path, "verdicts", put_client, put_counts, &clients};
    if (clients.file == NULL)
        return false;
    snprintf(path, sizeof(path), "/services/%s/clients?", name);
    bool good = read_pages(&pages);
    fputs("]}", clients.file);
    return close_file(clients.file) && good;
}

/* --- services --- */

struct services {
    const struct remote *remote;
    unsigned parts;
};

static bool fetch_service(const struct services *services, const char *name)
{
    const struct remote *remote = services->remote;
    unsigned parts = services->parts;
    bool learned = (parts & (MIRROR_PILE | MIRROR_LEARNED)) != 0;
    if (!state_service_valid(span_of(name)))
        return complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    return ((parts & MIRROR_GUARDIAN) == 0 ||
            fetch_file(remote, name, "/guardian", "application/yaml", DOCUMENT_MAX, false,
                       "guardians", ".yaml")) &&
           ((parts & MIRROR_REVIEW) == 0 ||
            fetch_file(remote, name, "/decisions", "application/json", DOCUMENT_MAX, false,
                       "reviews", ".json")) &&
           (!learned || fetch_file(remote, name, "/pile", "application/octet-stream", PILE_MAX,
                                   (parts & MIRROR_PILE) == 0, "piles", ".pile")) &&
           ((parts & MIRROR_CLIENTS) == 0 || fetch_clients(remote, name));
}

static bool take_service(void *ctx, const struct document_node *node, struct guard_arena *arena)
{
    (void)arena;
    return fetch_service(ctx, text_of(node, "service"));
}

static bool fetch_services(const struct remote *remote, unsigned parts, const char *service)
{
    struct services services = {remote, parts};
    const struct pages pages = {remote, "/services?", "services", take_service, NULL, &services};
    if ((parts & ~(unsigned)(MIRROR_STATUS | MIRROR_ALERTS | MIRROR_TRIAGE | MIRROR_AUDIT)) == 0)
        return true;
    return service != NULL ? fetch_service(&services, service) : read_pages(&pages);
}

const char *mirror_or_state(const struct remote *place, const char *state, unsigned parts,
                            const char *service, const char *id)
{
    if (place->server == NULL)
        return state_dir(state);
    bool good =
        make_root() && fetch_services(place, parts, service) &&
        ((parts & MIRROR_STATUS) == 0 || fetch_file(place, "", "/status", "application/json",
                                                    PAGE_MAX, false, "", "status.json")) &&
        ((parts & MIRROR_TRIAGE) == 0 || fetch_triage(place)) &&
        ((parts & MIRROR_AUDIT) == 0 || fetch_audit(place, service)) &&
        ((parts & MIRROR_ALERTS) == 0 || fetch_alerts(place, service, id));
    return good ? root : NULL;
}
