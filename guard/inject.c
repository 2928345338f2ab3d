/* SPDX-License-Identifier: Apache-2.0 */
/* `guard inject`: files for a cluster with Guard put into their pods, or what would become of them.
 */
#include "common/inject/inject.h"
#include "command.h"
#include "common/document_writer.h"
#include "common/file.h"
#include "export.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef GUARD_VERSION
#define GUARD_VERSION "development"
#endif

enum {
    INJECT_FILENAME,
    INJECT_IMAGE,
    INJECT_PULL,
    INJECT_SERVICE,
    INJECT_PORT,
    INJECT_MODE,
    INJECT_GUARDIAN,
    INJECT_PARENT,
    INJECT_TRUST,
    INJECT_AUDIENCE,
    INJECT_NATIVE,
    INJECT_REWRITE,
    INJECT_CHECK,
    INJECT_OUTPUT
};
enum { FILES_MAX = 256, BYTES_MAX = 32 << 20, ARENA_MAX = 512 << 20, NAME_CAP = 4096 };

static const struct option_spec options[] = {
    {"filename", "FILE", "a file, a folder, or - for standard input; repeatable; -f is short"},
    {"image", "IMAGE", "the image with Guard (default guard:" GUARD_VERSION ")"},
    {"pull-policy", "WORD", "Always, IfNotPresent or Never, for that image"},
    {"service", "NAME", "the service's name for Guard (default the object's)"},
    {"port", "PORTS", "names or numbers of ports to guard, separated by commas"},
    {"mode", "MODE", "observe, alert or block; without it the Guardian's (alert at first)"},
    {"guardian", "CONFIGMAP", "holds the Guardian as guardian.yaml"},
    {"parent", "URL", "the guardd that learns for all (default: each pod's own)"},
    {"trust", "CONFIGMAP", "holds the parent's ca.crt and policy.pub"},
    {"audience", "WORD", "of the token that pods show the parent (default guard.security)"},
    {"native", NULL, "as a native sidecar: Kubernetes 1.29 and later"},
    {"rewrite-services", NULL, "lead Services that give the application's port number to the gate"},
    {"check", NULL, "only tell what would be done"},
    {"output", "FILE", "write there instead of to standard output; -o is short for it"},
    {NULL, NULL, NULL},
};

/* All that was read: names and bytes are kept until the end, the stream points to them. */
struct injecting {
    struct document_stream stream;
    enum inject_result results[DOCUMENT_STREAM_MAX];
    bool json[DOCUMENT_STREAM_MAX];
    char *names[FILES_MAX];
    uint8_t *files[FILES_MAX];
    uint32_t file_count;
    size_t bytes;
    struct guard_arena arena;
    FILE *told;
};

static bool read_stdin(uint8_t **out, size_t *len)
{
    size_t cap = 65536;
    *len = 0;
    *out = malloc(cap);
    while (*out != NULL && !feof(stdin) && !ferror(stdin) && *len <= DOCUMENT_STREAM_BYTES_MAX) {
        if (*len == cap) {
            uint8_t *larger = realloc(*out, cap *= 2);
            if (larger == NULL)
                free(*out);
            *out = larger;
            if (larger == NULL)
                break;
        }
        *len += fread(*out + *len, 1, cap - *len, stdin);
    }
    if (*out == NULL)
        return complain(0, "no memory") != 0;
    return !ferror(stdin) || complain(0, "standard input: %s", strerror(errno)) != 0;
}

/* A list of several objects, or one, in JSON is answered in JSON. */
static bool looks_like_json(struct guard_span bytes)
{
    size_t at = 0;
    while (at < bytes.len && strchr(" \t\r\n", bytes.ptr[at]) != NULL && bytes.ptr[at] != '\0')
        at++;
    return at < bytes.len && bytes.ptr[at] == '{';
}

static bool take_file(struct injecting *all, const char *path)
{
    struct guard_err err;
    size_t len = 0;
    uint32_t first = all->stream.count;
    uint32_t index = all->file_count;
    bool standard = strcmp(path, "-") == 0;
    if (index == FILES_MAX)
        return complain(0, "more than %d files", FILES_MAX) != 0;
    all->names[index] = strdup(standard ? "standard input" : path);
    if (all->names[index] == NULL)
        return complain(0, "no memory") != 0;
    all->file_count++;
    if (standard ? !read_stdin(&all->files[index], &len)
                 : file_read(path, DOCUMENT_STREAM_BYTES_MAX, &all->files[index], &len, &err) !=
                       GUARD_OK)
        return standard ? false : complain(0, "%s", err.text) != 0;
    all->bytes += len;
    if (all->bytes > BYTES_MAX)
        return complain(0, "more than %d bytes in all", BYTES_MAX) != 0;
    struct guard_span bytes = {all->files[index], len};
    if (document_parse_stream(&all->stream, all->names[index], bytes, &all->arena, &err) !=
        GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    for (uint32_t i = first; i < all->stream.count; i++)
        all->json[i] = looks_like_json(bytes);
    return true;
}

static int is_manifest(const struct dirent *entry)
{
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    size_t len = strlen(entry->d_name);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t ending = strlen(endings[i]);
        if (len > ending && strcmp(entry->d_name + len - ending, endings[i]) == 0)
            return 1;
    }
    return 0;
}

static bool take_folder(struct injecting *all, const char *path)
{
    struct dirent **entries = NULL;
    char name[NAME_CAP];
    int count = scandir(path, &entries, is_manifest, alphasort);
    bool good = count >= 0 || complain(0, "%s: %s", path, strerror(errno)) != 0;
    if (count == 0)
        good = complain(0, "%s: no .yaml, .yml or .json in it", path) != 0;
    for (int i = 0; i < count; i++) {
        int len = snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
        if (good && (len < 0 || (size_t)len >= sizeof(name)))
            good = complain(0, "%s: the path is too long", path) != 0;
        good = good && take_file(all, name);
        free(entries[i]);
    }
    free(entries);
    return good;
}

static bool take(struct injecting *all, const char *path)
{
    struct stat info;
    if (strcmp(path, "-") != 0 && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return take_folder(all, path);
    return take_file(all, path);
}

static bool take_all(struct injecting *all, const struct arguments *arguments)
{
    bool any = false;
    for (int i = 0; i < arguments->given_count; i++) {
        if (arguments->given[i].option != INJECT_FILENAME)
            continue;
        any = true;
        if (!take(all, arguments->given[i].value))
            return false;
    }
    for (int i = 0; i < arguments->count; i++) {
        any = true;
        if (!take(all, arguments->operands[i]))
            return false;
    }
    return any || complain(0, "say -f FILE, -f FOLDER or -f -") != 0;
}

static void tell(void *ctx, const char *object, const char *text)
{
    char name[INJECT_OBJECT_CAP * 4];
    char words[2048];
    const struct injecting *all = ctx;
    fprintf(all->told, "%s: %s\n", clean(name, sizeof(name), object, strlen(object)),
            clean(words, sizeof(words), text, strlen(text)));
}

static bool starts_document(struct guard_span text)
{
    return text.len >= 3 && memcmp(text.ptr, "---", 3) == 0;
}

static bool print_document(struct injecting *all, uint32_t index, FILE *out)
{
    struct guard_err err;
    struct guard_span source = all->stream.sources[index];
    struct guard_span text = source;
    bool changed = all->results[index] == INJECT_DONE;
    if (changed && document_write(all->stream.documents[index].root,
                                  all->json[index] ? DOCUMENT_LINES : DOCUMENT_YAML, &all->arena,
                                  &text, &err) != GUARD_OK)
        return complain(0, "%s: %s", all->stream.documents[index].name, err.text) != 0;
    /* What is passed on as it is brings its own separator, but for the first of a file. */
    if ((changed && starts_document(source)) || (index > 0 && !starts_document(text)))
        fputs("---\n", out);
    fwrite(text.ptr, 1, text.len, out);
    if (text.len > 0 && text.ptr[text.len - 1] != '\n')
        fputc('\n', out);
    return true;
}

static int print_all(struct injecting *all, const char *path)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        return complain(EXIT_FAILED, "no memory");
    bool good = true;
    for (uint32_t i = 0; good && i < all->stream.count; i++)
        good = print_document(all, i, out);
    good = (fclose(out) == 0 || complain(0, "no memory") != 0) && good &&
           export_write(path, (struct guard_span){(const uint8_t *)text, len});
    free(text);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

static void settings(const struct arguments *arguments, struct inject_cfg *cfg)
{
    const char *const *values = arguments->values;
    *cfg = (struct inject_cfg){
        .image = values[INJECT_IMAGE] != NULL ? values[INJECT_IMAGE] : "guard:" GUARD_VERSION,
        .pull_policy = values[INJECT_PULL],
        .service = values[INJECT_SERVICE],
        .ports = values[INJECT_PORT],
        .mode = values[INJECT_MODE],
        .guardian = values[INJECT_GUARDIAN],
        .parent = values[INJECT_PARENT],
        .trust = values[INJECT_TRUST],
        .audience = values[INJECT_AUDIENCE],
        .native = values[INJECT_NATIVE] != NULL,
        .rewrite_services = values[INJECT_REWRITE] != NULL,
        .update = true,
    };
}

static void release(struct injecting *all)
{
    for (uint32_t i = 0; i < all->file_count; i++) {
        free(all->names[i]);
        free(all->files[i]);
    }
    guard_arena_reset(&all->arena);
    free(all);
}

static int inject(struct injecting *all, const struct arguments *arguments)
{
    struct inject_cfg cfg;
    struct guard_err err;
    bool check = arguments->values[INJECT_CHECK] != NULL;
    settings(arguments, &cfg);
    if (inject_check(&cfg, &err) != GUARD_OK)
        return complain(EXIT_USAGE, "%s", err.text);
    all->told = check ? stdout : stderr;
    if (!take_all(all, arguments))
        return EXIT_FAILED;
    if (inject_stream(&all->stream, &cfg, all->results, tell, all, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    return check ? EXIT_GOOD : print_all(all, arguments->values[INJECT_OUTPUT]);
}

static int run(const struct arguments *arguments)
{
    const struct guard_alloc heap = heap_alloc();
    struct injecting *all = calloc(1, sizeof(*all));
    if (all == NULL)
        return complain(EXIT_FAILED, "no memory");
    guard_arena_init(&all->arena, &heap, ARENA_MAX);
    int status = inject(all, arguments);
    release(all);
    return status;
}

const struct command command_inject = {
    .name = "inject",
    .usage = "-f FILE...",
    .operands = "FILE...",
    .summary = "put Guard into the pods of Kubernetes and Knative objects",
    .details =
        "Reads workloads, lists and Knative Services as YAML or JSON and writes them with a gate "
        "in front of\ntheir ports; what isn't one passes as it is. Named ports move to the gate, "
        "so Services follow;\na Service that gives the application's number is refused, or led to "
        "the gate with --rewrite-services.\nDone again it gives the same. Annotations of pods win "
        "over options: guard.security/service, port,\nmode, guardian, drain, native; the label "
        "guard.security/inject=disabled leaves a pod out.\n"
        "  guard inject -f app.yaml | kubectl apply -f -",
    .options = options,
    .run = run,
};
