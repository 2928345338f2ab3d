/* SPDX-License-Identifier: Apache-2.0 */
/* `guard audit`: who changed what, when and why, before and after; of a state directory, or of a
 * server. */
#include "alert_log.h"
#include "command.h"
#include "common/file.h"
#include "mirror.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    AUDIT_SERVICE,
    AUDIT_ACTION,
    AUDIT_SINCE,
    AUDIT_LIMIT,
    AUDIT_FORMAT,
    AUDIT_STATE,
    AUDIT_SERVER
};
enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 100000, SINCE_MAX = 3650 * 86400 };

static const struct option_spec options[] = {
    {"service", "NAME", "only of this service"},
    {"action", "WORD", "only these: mode, guardian, bypass, rollback, review, token, forget, ..."},
    {"since", "TIME", "only of the last 12h, 30d"},
    {"limit", "N", "at most so many, the newest (default 50)"},
    {"format", "text|jsonl", "for people or for programs (default text)"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

/* The newest lines so far, as they will be printed. */
struct audit_lines {
    const struct arguments *arguments;
    double since_ms;
    char **list; /* a ring of `limit` */
    unsigned long limit;
    unsigned long count; /* that were taken in all */
    bool failed;
};

static bool is_meant(const struct audit_lines *lines, const struct document_node *change)
{
    const char *service = lines->arguments->values[AUDIT_SERVICE];
    const char *action = lines->arguments->values[AUDIT_ACTION];
    return (service == NULL || strcmp(service, text_of(change, "service")) == 0) &&
           (action == NULL || strcmp(action, text_of(change, "action")) == 0) &&
           number_of(change, "time_ms") >= lines->since_ms;
}

static void take(void *ctx, const struct document_node *change, struct guard_span line)
{
    struct audit_lines *lines = ctx;
    if (!is_meant(lines, change))
        return;
    char *copy = strndup((const char *)line.ptr, line.len);
    lines->failed = lines->failed || copy == NULL;
    char **place = &lines->list[lines->count++ % lines->limit];
    free(*place);
    *place = copy;
}

static void print_part(const struct document_node *change, const char *name, const char *label)
{
    const char *text = text_of(change, name);
    if (text[0] == '\0')
        return;
    printf("  %s ", label);
    print_clean(text, strlen(text));
    putchar('\n');
}

static void print_text(void *ctx, const struct document_node *change, struct guard_span line)
{
    char when[32];
    const char *service = text_of(change, "service");
    (void)ctx;
    (void)line;
    printf("%s ", alert_time(when, number_of(change, "time_ms")));
    print_clean(text_of(change, "by"), strlen(text_of(change, "by")));
    printf(": ");
    print_clean(text_of(change, "action"), strlen(text_of(change, "action")));
    if (service[0] != '\0') {
        printf(" of ");
        print_clean(service, strlen(service));
    }
    printf(" (%s)\n", strcmp(text_of(change, "via"), "api") == 0 ? "api" : "cli");
    print_part(change, "before", "before:");
    print_part(change, "after", "after: ");
    print_part(change, "reason", "why:   ");
}

static void print_all(const struct audit_lines *lines, bool jsonl)
{
    unsigned long first = lines->count > lines->limit ? lines->count - lines->limit : 0;
    if (lines->count == 0 && !jsonl)
        printf("no changes\n");
    for (unsigned long i = first; i < lines->count; i++) {
        const char *line = lines->list[i % lines->limit];
        if (line != NULL && jsonl)
            printf("%s\n", line);
        else if (line != NULL)
            alert_log_line((struct guard_span){(const uint8_t *)line, strlen(line)}, print_text,
                           NULL);
    }
}

static int show(struct audit_lines *lines, const char *dir, bool jsonl)
{
    bool any;
    lines->list = calloc(lines->limit, sizeof(*lines->list));
    bool good = lines->list != NULL && log_all(dir, "audit.jsonl", take, lines, &any);
    if (lines->list == NULL || lines->failed)
        good = complain(0, "no memory") != 0;
    if (good)
        print_all(lines, jsonl);
    for (unsigned long i = 0; lines->list != NULL && i < lines->limit; i++)
        free(lines->list[i]);
    free(lines->list);
    return good && fflush(stdout) == 0 ? EXIT_GOOD : EXIT_FAILED;
}

/* False after a message. */
static bool read_options(struct audit_lines *lines, bool *jsonl)
{
    const char *const *values = lines->arguments->values;
    const char *format = values[AUDIT_FORMAT];
    char *end = NULL;
    *jsonl = format != NULL && strcmp(format, "jsonl") == 0;
    if (lines->arguments->count != 0 || (format != NULL && !*jsonl && strcmp(format, "text") != 0))
        return complain(0, "--format is text or jsonl, and there are no operands") != 0;
    lines->limit = LIMIT_DEFAULT;
    if (values[AUDIT_LIMIT] != NULL) {
        const char *text = values[AUDIT_LIMIT];
        lines->limit = text[0] >= '1' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
        if (lines->limit == 0 || *end != '\0' || lines->limit > LIMIT_MAX)
            return complain(0, "--limit must be a number from 1 to %d", (int)LIMIT_MAX) != 0;
    }
    if (values[AUDIT_SINCE] != NULL) {
        unsigned long seconds = read_seconds(values[AUDIT_SINCE], SINCE_MAX);
        if (seconds == 0)
            return complain(0, "--since needs a time from 1s to 3650d") != 0;
        lines->since_ms = (double)clock_unix_ms() - (double)seconds * 1000;
    }
    return true;
}

static int run(const struct arguments *arguments)
{
    struct remote remote;
    struct audit_lines lines = {.arguments = arguments};
    bool jsonl;
    if (!read_options(&lines, &jsonl) ||
        !remote_open(&remote, arguments, AUDIT_STATE, AUDIT_SERVER, NULL))
        return EXIT_USAGE;
    const char *dir = mirror_or_state(&remote, arguments->values[AUDIT_STATE], MIRROR_AUDIT,
                                      arguments->values[AUDIT_SERVICE], NULL);
    return dir != NULL ? show(&lines, dir, jsonl) : EXIT_FAILED;
}

const struct command command_audit = {
    .name = "audit",
    .usage = "",
    .summary = "show who changed what, when and why",
    .details = "Every change that people make is noted before it is made: of modes, Guardians, "
               "bypasses, rollbacks, reviews,\ntokens, and what was forgotten. The newest stands "
               "last. Who looked at evidence stands in DIR/looks.jsonl.",
    .options = options,
    .run = run,
};
