/* SPDX-License-Identifier: Apache-2.0 */
/* `guard outputs`: where guardd sends alerts, how far it is with each, and whether one works. The
 * test is guardd's own: it is asked by a file, so that what is tried is what happens. */
#include "command.h"
#include "remote.h"
#include "state_files.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/outputs/document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUTS_STATE, OUTPUTS_FILE, OUTPUTS_SERVER };
enum { TEST_WAIT_MS = 30000, TEST_PAUSE_MS = 100, CURSOR_ARENA = 4 << 20 };

static const struct option_spec options[] = {
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"file", "FILE", "check this document instead of DIR/outputs.yaml"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

static const struct guard_span no_service = {NULL, 0};

static bool path_in(char out[STATE_PATH_MAX], const char *dir, const char *name, const char *suffix)
{
    const struct guard_span span = {(const uint8_t *)name, strlen(name)};
    return state_path(out, dir, "outputs", span, suffix) == GUARD_OK ||
           complain(0, "%s: the path is too long", dir) != 0;
}

static bool load(struct outputs_document *out, const char *dir, const char *file, bool *missing)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    *missing = false;
    if (file == NULL && state_path(path, dir, "", no_service, "outputs.yaml") != GUARD_OK)
        return complain(0, "%s: the path is too long", dir) != 0;
    if (file == NULL)
        file = path;
    *missing = access(file, F_OK) != 0 && errno == ENOENT;
    return outputs_load(out, file, &err) == GUARD_OK || complain(0, "%s", err.text) != 0;
}

/* What guardd wrote of an output; NULL when it wrote nothing yet. */
static const struct document_node *cursor_of(const char *dir, const char *name,
                                             struct guard_arena *arena)
{
    char path[STATE_PATH_MAX];
    struct document document;
    struct guard_err err;
    if (!path_in(path, dir, name, ".json") ||
        document_load(&document, path, arena, &err) != GUARD_OK)
        return NULL;
    return document.root;
}

static void print_filters(const struct output_cfg *cfg)
{
    static const char *const names[] = {"pass", "alert", "block"};
    if (cfg->actions != (OUTPUT_PASS | OUTPUT_ALERT | OUTPUT_BLOCK)) {
        for (uint32_t i = 0; i < 3; i++)
            printf("%s%s", cfg->actions & 1u << i ? " " : "",
                   cfg->actions & 1u << i ? names[i] : "");
    }
    for (uint32_t i = 0; i < cfg->service_count; i++)
        printf(" %s", cfg->services[i]);
    if (cfg->least_score > 0)
        printf(" score >= %g", cfg->least_score);
}

/* cursor NULL: nothing is known of how far it is. */
static void print_one(const struct output_cfg *cfg, const struct document_node *cursor)
{
    printf("%s: %s ", cfg->name, output_kind_name(cfg->kind));
    print_clean(cfg->target, strlen(cfg->target));
    print_clean(cfg->path, strlen(cfg->path));
    bool filtered = cfg->service_count > 0 || cfg->least_score > 0 ||
                    cfg->actions != (OUTPUT_PASS | OUTPUT_ALERT | OUTPUT_BLOCK);
    printf("%s", filtered ? "; only" : "");
    print_filters(cfg);
    if (cursor == NULL) {
        printf("\n  guardd hasn't begun with it\n");
    } else {
        printf("\n  sent %.0f, waiting %.0f, failed attempts %.0f, lost to rotation %.0f, refused "
               "%.0f\n",
               number_of(cursor, "delivered"), number_of(cursor, "lag"),
               number_of(cursor, "failures"), number_of(cursor, "skipped"),
               number_of(cursor, "refused"));
        if (number_of(cursor, "failing_since_ms") > 0) {
            printf("  FAILING: ");
            print_clean(text_of(cursor, "failure"), strlen(text_of(cursor, "failure")));
            putchar('\n');
        }
    }
}

static void print_output(const char *dir, const struct output_cfg *cfg)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    guard_arena_init(&arena, &heap, CURSOR_ARENA);
    print_one(cfg, cursor_of(dir, cfg->name, &arena));
    guard_arena_reset(&arena);
}

static int list(const char *dir, const struct outputs_document *document)
{
    if (document->count == 0)
        printf("no outputs\n");
    for (uint32_t i = 0; i < document->count; i++)
        print_output(dir, &document->list[i]);
    return EXIT_GOOD;
}

/* When guardd tested the output last; 0: never. reason: what came of it. */
static double last_test(const char *dir, const char *name, char reason[256])
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    guard_arena_init(&arena, &heap, CURSOR_ARENA);
    const struct document_node *cursor = cursor_of(dir, name, &arena);
    double when = cursor != NULL ? number_of(cursor, "test_ms") : 0;
    snprintf(reason, 256, "%s", cursor != NULL ? text_of(cursor, "test_error") : "");
    guard_arena_reset(&arena);
    return when;
}

static int test(const char *dir, const struct outputs_document *document, const char *name)
{
    const struct timespec pause = {.tv_nsec = TEST_PAUSE_MS * 1000000L};
    char path[STATE_PATH_MAX];
    char reason[256];
    struct guard_err err;
    uint32_t i = 0;
    while (i < document->count && strcmp(document->list[i].name, name) != 0)
        i++;
    if (i == document->count)
        return complain(EXIT_FAILED, "there is no output %s", name);
    double before = last_test(dir, name, reason);
    if (!path_in(path, dir, name, ".test"))
        return EXIT_FAILED;
    if (file_replace(path, (struct guard_span){(const uint8_t *)"", 0}, 0640, false, &err) !=
        GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    for (uint32_t ms = 0; ms < TEST_WAIT_MS; ms += TEST_PAUSE_MS) {
        if (last_test(dir, name, reason) > before) {
            if (reason[0] != '\0')
                return complain(EXIT_FAILED, "%s: %s", name, reason);
            printf("%s: the test has arrived\n", name);
            return EXIT_GOOD;
        }
        nanosleep(&pause, NULL);
    }
    bool taken = unlink(path) != 0;
    return complain(EXIT_FAILED, "%s: %s", name,
                    taken ? "no answer yet; guardd goes on trying what waits"
                          : "guardd doesn't take it up: does it run on this directory?");
}

/* --- of a server --- */

/* The list of outputs; NULL after a message. */
static const struct document_node *ask_list(const struct remote *remote, struct document *out)
{
    if (!remote_ask(remote, "GET", "/outputs", NULL, out, NULL))
        return NULL;
    const struct document_node *list = member_of(out->root, "outputs");
    if (list != NULL && list->kind == DOCUMENT_SEQUENCE)
        return list;
    complain(0, "%s: an answer lacks \"outputs\"", remote->server);
    return NULL;
}

static const struct document_node *named(const struct document_node *list, const char *name)
{
    const struct document_node *node = list->first;
    while (node != NULL && strcmp(text_of(node, "name"), name) != 0)
        node = node->next;
    return node;
}

static enum output_kind kind_named(const char *name)
{
    int kind = 0;
    while (kind < OUTPUT_KINDS - 1 && strcmp(output_kind_name((enum output_kind)kind), name) != 0)
        kind++;
    return (enum output_kind)kind;
}

/* As its document has it. */
static void read_cfg(struct output_cfg *cfg, const struct document_node *node)
{
    static const char *const actions[] = {"pass", "alert", "block"};
    const struct document_node *list = member_of(node, "actions");
    *cfg = (struct output_cfg){.kind = kind_named(text_of(node, "type")),
                               .least_score = number_of(node, "least_score")};
    snprintf(cfg->name, sizeof(cfg->name), "%s", text_of(node, "name"));
    snprintf(cfg->target, sizeof(cfg->target), "%s", text_of(node, "target"));
    snprintf(cfg->path, sizeof(cfg->path), "%s", text_of(node, "path"));
    for (const struct document_node *word = list != NULL ? list->first : NULL; word != NULL;
         word = word->next) {
        for (uint32_t i = 0; i < 3 && word->kind == DOCUMENT_SCALAR; i++)
            cfg->actions |= strcmp((const char *)word->text.ptr, actions[i]) == 0 ? 1u << i : 0;
    }
    list = member_of(node, "services");
    for (const struct document_node *word = list != NULL ? list->first : NULL;
         word != NULL && cfg->service_count < OUTPUT_SERVICES_MAX; word = word->next) {
        if (word->kind == DOCUMENT_SCALAR)
            snprintf(cfg->services[cfg->service_count++], sizeof(cfg->services[0]), "%s",
                     (const char *)word->text.ptr);
    }
}

static int list_remote(const struct document_node *list)
{
    if (list->count == 0)
        printf("no outputs\n");
    for (const struct document_node *node = list->first; node != NULL; node = node->next) {
        static struct output_cfg cfg;
        read_cfg(&cfg, node);
        print_one(&cfg, node);
    }
    return EXIT_GOOD;
}

static int check_remote(const struct document *document, const struct document_node *list)
{
    const char *error = text_of(document->root, "error");
    if (error[0] != '\0')
        return complain(EXIT_FAILED, "%s", error);
    printf("%u outputs, repetitions are told every %.0f s\n", list->count,
           number_of(document->root, "fold_s"));
    return EXIT_GOOD;
}

static int test_remote(const struct remote *remote, const char *name)
{
    const struct timespec pause = {.tv_nsec = TEST_PAUSE_MS * 1000000L};
    char path[256];
    char escaped[200];
    struct remote_body body;
    struct document document;
    if (!remote_escape(escaped, sizeof(escaped), name))
        return complain(EXIT_FAILED, "there is no output %s", name);
    snprintf(path, sizeof(path), "/outputs/%s/test", escaped);
    remote_body(&body);
    if (!remote_ask(remote, "POST", path, &body, &document, NULL))
        return EXIT_FAILED;
    double before = number_of(document.root, "tested_before_ms");
    for (uint32_t ms = 0; ms < TEST_WAIT_MS; ms += TEST_PAUSE_MS) {
        guard_arena_reset(remote->arena);
        const struct document_node *list = ask_list(remote, &document);
        const struct document_node *output = list != NULL ? named(list, name) : NULL;
        if (output == NULL)
            return list == NULL ? EXIT_FAILED
                                : complain(EXIT_FAILED, "there is no output %s", name);
        if (number_of(output, "test_ms") > before) {
            if (text_of(output, "test_error")[0] != '\0')
                return complain(EXIT_FAILED, "%s: %s", name, text_of(output, "test_error"));
            printf("%s: the test has arrived\n", name);
            return EXIT_GOOD;
        }
        nanosleep(&pause, NULL);
    }
    return complain(EXIT_FAILED, "%s: no answer yet; guardd goes on trying what waits", name);
}

static int run_remote(const struct remote *remote, const char *what, const char *name)
{
    struct document document;
    int status = EXIT_FAILED;
    if (strcmp(what, "test") == 0) {
        status = test_remote(remote, name);
    } else {
        const struct document_node *list = ask_list(remote, &document);
        if (list != NULL)
            status = strcmp(what, "check") == 0 ? check_remote(&document, list) : list_remote(list);
    }
    guard_arena_reset(remote->arena);
    return status;
}

static int run(const struct arguments *arguments)
{
    static struct outputs_document document;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct remote remote;
    const char *dir = state_dir(arguments->values[OUTPUTS_STATE]);
    const char *file = arguments->values[OUTPUTS_FILE];
    const char *what = arguments->count > 0 ? arguments->operands[0] : "";
    bool tests = strcmp(what, "test") == 0;
    bool checks = strcmp(what, "check") == 0;
    bool missing;
    if ((!tests && !checks && strcmp(what, "list") != 0) || arguments->count != (tests ? 2 : 1) ||
        (file != NULL && !checks))
        return complain(EXIT_USAGE,
                        "say `guard outputs list`, `check [--file FILE]` or `test NAME`");
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    if (!remote_open(&remote, arguments, OUTPUTS_STATE, OUTPUTS_SERVER, &arena))
        return EXIT_USAGE;
    if (remote.server != NULL && file == NULL)
        return run_remote(&remote, what, tests ? arguments->operands[1] : "");
    if (!load(&document, dir, file, &missing))
        return EXIT_FAILED;
    if (tests)
        return test(dir, &document, arguments->operands[1]);
    if (!checks)
        return list(dir, &document);
    if (missing)
        return complain(EXIT_FAILED, "there is no document");
    printf("%u outputs, repetitions are told every %u s\n", document.count, document.fold_s);
    return EXIT_GOOD;
}

const struct command command_outputs = {
    .name = "outputs",
    .usage = "list|check|test [NAME]",
    .operands = "list|check|test",
    .summary = "where guardd sends alerts, and whether it gets there",
    .details = "DIR/outputs.yaml says which systems get alerts: webhooks, Alertmanager, syslog, "
               "files. `list` shows how far\neach is, `check` reads the document as guardd would, "
               "`test` has guardd send one alert that says that it is a\ntest, and tells what "
               "came of it.",
    .options = options,
    .run = run,
};
