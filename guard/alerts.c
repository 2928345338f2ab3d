/* SPDX-License-Identifier: Apache-2.0 */
/* `guard alerts`: what was reported or blocked, with its reason; looks an id up that a client
 * quotes. */
#include "alert_log.h"
#include "alert_stream.h"
#include "command.h"
#include "mirror.h"
#include "triage.h"

#include "common/ecs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ALERTS_STATE, ALERTS_FORMAT, ALERTS_SERVICE, ALERTS_ID, ALERTS_FOLLOW, ALERTS_SERVER };

static const struct option_spec options[] = {
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"format", "text|jsonl|ecs",
     "for people, for programs, or in the words of the Elastic Common Schema (default text)"},
    {"service", "NAME", "only this service"},
    {"id", "ID", "only the exchange with this id and the calls that it caused"},
    {"follow", NULL, "go on with new alerts until interrupted"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

enum alert_form { FORM_TEXT, FORM_JSONL, FORM_ECS };

struct printing {
    const struct arguments *arguments;
    enum alert_form form;
    struct triage triage;
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
    char when[32];
    const struct triage_word *word = triage_of(&printing->triage, alert);
    bool blocked = strcmp(text_of(alert, "action"), "block") == 0;
    const char *colour = !printing->colour ? "" : blocked ? "\033[31m" : "\033[33m";
    double count = number_of(alert, "count");
    printf("%s ", alert_time(when, number_of(alert, "time_ms")));
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
    if (strcmp(text_of(alert, "state"), "end") == 0)
        printf(" (over: %.0f times in all)", number_of(alert, "total"));
    else if (count > 1)
        printf(" (%.0f times)", count);
    if (word != NULL)
        printf(" [%s]", word->state);
    putchar('\n');
}

static void print_ecs(const struct document_node *alert, const struct triage_word *word)
{
    static char line[ECS_LINE_MAX];
    struct json_writer json;
    json_writer_init(&json, line, sizeof(line));
    ecs_write(&json, alert, word != NULL ? word->state : NULL);
    if (!json.overflow)
        printf("%.*s\n", (int)json.len, line);
}

static bool wanted(const struct printing *printing, const struct document_node *alert)
{
    const char *service = printing->arguments->values[ALERTS_SERVICE];
    const char *id = printing->arguments->values[ALERTS_ID];
    return (service == NULL || strcmp(service, text_of(alert, "service")) == 0) &&
           (id == NULL || alert_names(alert, id));
}

static void take(void *ctx, const struct document_node *alert, struct guard_span line)
{
    struct printing *printing = ctx;
    if (!wanted(printing, alert))
        return;
    printing->id_found = true;
    if (printing->form == FORM_TEXT)
        print_text(printing, alert);
    else if (printing->form == FORM_ECS)
        print_ecs(alert, triage_of(&printing->triage, alert));
    else
        printf("%.*s\n", (int)line.len, (const char *)line.ptr);
}

static void print_lines(struct printing *printing, FILE *file)
{
    alert_log_lines(file, take, printing);
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

/* --- of a server --- */

static bool take_whole(void *ctx, struct guard_span line)
{
    alert_log_line(line, take, ctx);
    return true;
}

static bool take_event(void *ctx, struct guard_span line)
{
    alert_log_line(line, take, ctx);
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}

static int print_remote(struct printing *printing, const struct remote *remote)
{
    char newest[MIRROR_ID_CAP] = "";
    const char *const *values = printing->arguments->values;
    bool goes_on = values[ALERTS_FOLLOW] != NULL;
    if (!mirror_alerts(remote, values[ALERTS_SERVICE], values[ALERTS_ID], take_whole, printing,
                       newest))
        return EXIT_FAILED;
    fflush(stdout);
    if (goes_on)
        return alert_stream(remote, values[ALERTS_SERVICE], newest, take_event, printing)
                   ? EXIT_GOOD
                   : EXIT_FAILED;
    if (!printing->id_found && values[ALERTS_ID] != NULL)
        return complain(EXIT_FAILED, "no alert has this id");
    if (!printing->id_found && values[ALERTS_SERVICE] == NULL && printing->form == FORM_TEXT)
        printf("no alerts\n");
    return EXIT_GOOD;
}

static bool parse_form(const char *text, enum alert_form *out)
{
    static const char *const names[] = {"text", "jsonl", "ecs"};
    for (int form = FORM_TEXT; form <= FORM_ECS; form++) {
        if (text == NULL || strcmp(text, names[form]) == 0) {
            *out = (enum alert_form)form;
            return true;
        }
    }
    return false;
}

/* What a client quotes may be long ago: all files that are kept. */
static int look_up(struct printing *printing, const char *dir)
{
    bool any;
    if (!alert_log_all(dir, take, printing, &any))
        return EXIT_FAILED;
    if (!printing->id_found)
        return complain(EXIT_FAILED, "no alert has this id");
    return EXIT_GOOD;
}

static int print_all(struct printing *printing, const char *dir)
{
    char path[STATE_PATH_MAX];
    bool going_on = printing->arguments->values[ALERTS_FOLLOW] != NULL;
    if (state_path(path, dir, "", (struct guard_span){NULL, 0}, "alerts.jsonl") != GUARD_OK)
        return complain(EXIT_FAILED, "the path is too long");
    FILE *file = fopen(path, "r");
    if (file == NULL && errno == ENOENT && !going_on) {
        if (printing->form == FORM_TEXT)
            printf("no alerts\n");
        return EXIT_GOOD;
    }
    if (file == NULL)
        return complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
    print_lines(printing, file);
    if (going_on)
        follow(printing, &file, path);
    fclose(file);
    return EXIT_GOOD;
}

static int run(const struct arguments *arguments)
{
    struct remote remote;
    struct printing printing = {.arguments = arguments, .colour = terminal_colour()};
    bool follows = arguments->values[ALERTS_FOLLOW] != NULL;
    bool by_id = arguments->values[ALERTS_ID] != NULL;
    if (arguments->count != 0 || !parse_form(arguments->values[ALERTS_FORMAT], &printing.form))
        return complain(EXIT_USAGE, "--format is text, jsonl or ecs, and there are no operands");
    if (!remote_open(&remote, arguments, ALERTS_STATE, ALERTS_SERVER, NULL))
        return EXIT_USAGE;
    const char *dir =
        mirror_or_state(&remote, arguments->values[ALERTS_STATE], MIRROR_TRIAGE, NULL, NULL);
    if (dir == NULL || !triage_read(&printing.triage, dir))
        return EXIT_FAILED;
    int status = remote.server != NULL ? print_remote(&printing, &remote)
                 : by_id && !follows   ? look_up(&printing, dir)
                                       : print_all(&printing, dir);
    triage_free(&printing.triage);
    return status;
}

const struct command command_alerts = {
    .name = "alerts",
    .usage = "",
    .summary = "show what was reported or blocked, and why",
    .details = "Repetitions of one kind within a minute are one line with a count; what people "
               "said of it (`guard triage`) "
               "stands\nbehind it. `guard explain ID` tells everything about one.",
    .options = options,
    .run = run,
};
