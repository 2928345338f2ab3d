/* SPDX-License-Identifier: Apache-2.0 */
/* `guard alerts`: what was reported or blocked, with its reason; looks an id up that a client
 * quotes. */
#include "command.h"
#include "common/file.h"
#include "state_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ALERTS_STATE, ALERTS_FORMAT, ALERTS_SERVICE, ALERTS_ID, ALERTS_FOLLOW };

static const struct option_spec options[] = {
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"format", "text|jsonl", "for people or programs (default text)"},
    {"service", "NAME", "only this service"},
    {"id", "ID", "only the exchange with this id and the calls that it caused"},
    {"follow", NULL, "go on with new alerts until interrupted"},
    {NULL, NULL, NULL},
};

struct printing {
    const struct arguments *arguments;
    bool jsonl;
    bool colour;
    bool id_found;
};

static void print_text_of(const struct document_node *alert, const char *name)
{
    const char *text = text_of(alert, name);
    print_clean(text, strlen(text));
}

static void print_text(const struct printing *printing, const struct document_node *alert)
{
    char when[32] = "";
    time_t seconds = (time_t)(number_of(alert, "time_ms") / 1000);
    struct tm parts;
    if (localtime_r(&seconds, &parts) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &parts);
    bool blocked = strcmp(text_of(alert, "action"), "block") == 0;
    const char *colour = !printing->colour ? "" : blocked ? "\033[31m" : "\033[33m";
    double count = number_of(alert, "count");
    printf("%s ", when);
    print_text_of(alert, "service");
    printf(" %s", colour);
    print_text_of(alert, "explanation");
    printf("%s  client ", colour[0] != '\0' ? "\033[0m" : "");
    print_text_of(alert, "client");
    printf(", id ");
    print_text_of(alert, "id");
    if (text_of(alert, "caused_by")[0] != '\0') {
        printf(", caused by ");
        print_text_of(alert, "caused_by");
    }
    if (!blocked && strcmp(text_of(alert, "verdict"), "block") == 0)
        printf(" (not blocked: mode)");
    if (count > 1)
        printf(" (%.0f times)", count);
    putchar('\n');
}

static bool wanted(const struct printing *printing, const struct document_node *alert)
{
    const char *service = printing->arguments->values[ALERTS_SERVICE];
    const char *id = printing->arguments->values[ALERTS_ID];
    return (service == NULL || strcmp(service, text_of(alert, "service")) == 0) &&
           (id == NULL || strcmp(id, text_of(alert, "id")) == 0 ||
            strcmp(id, text_of(alert, "caused_by")) == 0);
}

static void print_line(struct printing *printing, const char *line, size_t len)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    if (document_parse(&document, "alerts.jsonl", (struct guard_span){(const uint8_t *)line, len},
                       &arena, NULL) == GUARD_OK &&
        wanted(printing, document.root)) {
        printing->id_found = true;
        if (printing->jsonl)
            printf("%.*s\n", (int)len, line);
        else
            print_text(printing, document.root);
    }
    guard_arena_reset(&arena);
}

/* Prints whole lines; an unfinished last line is left for the next time. */
static void print_lines(struct printing *printing, FILE *file)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    while ((len = getline(&line, &cap, file)) > 0) {
        if (line[len - 1] != '\n') {
            fseek(file, -(long)len, SEEK_CUR);
            break;
        }
        print_line(printing, line, (size_t)len - 1);
    }
    free(line);
    clearerr(file);
    fflush(stdout);
}

static void follow(struct printing *printing, FILE **file, const char *path)
{
    for (;;) {
        struct timespec pause = {.tv_nsec = 200000000L};
        nanosleep(&pause, NULL);
        print_lines(printing, *file);
        /* After a rotation the path is another file. */
        FILE *newer = fopen(path, "r");
        if (newer == NULL)
            continue;
        fseek(newer, 0, SEEK_END);
        if (ftell(newer) < ftell(*file)) {
            rewind(newer);
            fclose(*file);
            *file = newer;
        } else {
            fclose(newer);
        }
    }
}

static int run(const struct arguments *arguments)
{
    const char *format = arguments->values[ALERTS_FORMAT];
    char path[STATE_PATH_MAX];
    struct printing printing = {.arguments = arguments, .colour = terminal_colour()};
    if (arguments->count != 0 ||
        (format != NULL && strcmp(format, "text") != 0 && strcmp(format, "jsonl") != 0))
        return complain(EXIT_USAGE, "--format is text or jsonl, and there are no operands");
    printing.jsonl = format != NULL && strcmp(format, "jsonl") == 0;
    if (state_path(path, state_dir(arguments->values[ALERTS_STATE]), "",
                   (struct guard_span){NULL, 0}, "alerts.jsonl") != GUARD_OK)
        return complain(EXIT_FAILED, "the path is too long");
    FILE *file = fopen(path, "r");
    if (file == NULL && errno == ENOENT && arguments->values[ALERTS_FOLLOW] == NULL) {
        if (!printing.jsonl)
            printf("no alerts\n");
        return arguments->values[ALERTS_ID] != NULL ? EXIT_FAILED : EXIT_GOOD;
    }
    if (file == NULL)
        return complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
    print_lines(&printing, file);
    if (arguments->values[ALERTS_FOLLOW] != NULL)
        follow(&printing, &file, path);
    fclose(file);
    if (arguments->values[ALERTS_ID] != NULL && !printing.id_found)
        return complain(
            EXIT_FAILED,
            "no alert has this id (repetitions are folded: only the first and the last are named)");
    return EXIT_GOOD;
}

const struct command command_alerts = {
    .name = "alerts",
    .usage = "",
    .summary = "show what was reported or blocked, and why",
    .details = "Repetitions of one kind within a minute are one line with a count.",
    .options = options,
    .run = run,
};
