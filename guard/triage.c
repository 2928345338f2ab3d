/* SPDX-License-Identifier: Apache-2.0 */
/* `guard triage`: a person says what an alert was. Kept beside the alerts, so that the same isn't
 * looked at twice and what was harmless can be counted. */
#include "triage.h"

#include "alert_log.h"
#include "command.h"
#include "common/file.h"
#include "remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIAGE_FILE "triage.jsonl"

enum { TRIAGE_STATE, TRIAGE_REASON, TRIAGE_SERVER };

static const struct option_spec options[] = {
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"reason", "TEXT", "why, for whoever looks next"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

static void copy(char *out, size_t cap, const char *text)
{
    size_t len = strnlen(text, cap - 1);
    memcpy(out, text, len);
    out[len] = '\0';
}

/* The newest lines stay when there are too many: the oldest half goes at once. */
static void take(void *ctx, const struct document_node *said, struct guard_span line)
{
    struct triage *triage = ctx;
    (void)line;
    const char *state = triage_state(text_of(said, "state"));
    if (text_of(said, "id")[0] == '\0' || state == NULL)
        return;
    if (triage->count == TRIAGE_MAX) {
        triage->count = TRIAGE_MAX / 2;
        memmove(triage->words, triage->words + TRIAGE_MAX / 2,
                triage->count * sizeof(*triage->words));
    }
    if (triage->count % 1024 == 0) {
        void *grown = realloc(triage->words, (triage->count + 1024) * sizeof(*triage->words));
        if (grown == NULL)
            return;
        triage->words = grown;
    }
    struct triage_word *word = &triage->words[triage->count++];
    copy(word->id, sizeof(word->id), text_of(said, "id"));
    word->state = state;
    copy(word->by, sizeof(word->by), text_of(said, "by"));
    copy(word->reason, sizeof(word->reason), text_of(said, "reason"));
    word->time_ms = number_of(said, "time_ms");
    word->place = triage->read++;
}

static int by_id_and_place(const void *left, const void *right)
{
    const struct triage_word *a = left;
    const struct triage_word *b = right;
    int order = strcmp(a->id, b->id);
    return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

bool triage_read(struct triage *triage, const char *dir)
{
    char path[STATE_PATH_MAX];
    *triage = (struct triage){NULL, 0, 0};
    if (state_path(path, dir, "", (struct guard_span){NULL, 0}, TRIAGE_FILE) != GUARD_OK)
        return complain(0, "the path is too long") != 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return errno == ENOENT || complain(0, "%s: %s", path, strerror(errno)) != 0;
    alert_log_lines(file, take, triage);
    fclose(file);
    if (triage->count > 0)
        qsort(triage->words, triage->count, sizeof(*triage->words), by_id_and_place);
    return true;
}

void triage_free(struct triage *triage)
{
    free(triage->words);
    *triage = (struct triage){NULL, 0, 0};
}

/* The last of those with this id. */
static const struct triage_word *find(const struct triage *triage, const char *id)
{
    size_t low = 0;
    size_t high = triage->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(triage->words[middle].id, id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && strcmp(triage->words[low - 1].id, id) == 0 ? &triage->words[low - 1] : NULL;
}

/* Whichever was said later. */
static const struct triage_word *later(const struct triage_word *a, const struct triage_word *b)
{
    return a == NULL || (b != NULL && b->place > a->place) ? b : a;
}

const struct triage_word *triage_of(const struct triage *triage, const struct document_node *alert)
{
    const struct triage_word *word = find(triage, text_of(alert, "id"));
    const struct document_node *ids = member_of(alert, "ids");
    if (ids == NULL || ids->kind != DOCUMENT_SEQUENCE)
        return word;
    for (const struct document_node *node = ids->first; node != NULL; node = node->next) {
        if (node->kind == DOCUMENT_SCALAR)
            word = later(word, find(triage, (const char *)node->text.ptr));
    }
    return word;
}

struct search {
    const char *id;
    char service[128];
    char explanation[1024];
    bool found;
};

static void look(void *ctx, const struct document_node *alert, struct guard_span line)
{
    struct search *search = ctx;
    (void)line;
    if (!alert_names(alert, search->id))
        return;
    search->found = true;
    copy(search->service, sizeof(search->service), text_of(alert, "service"));
    copy(search->explanation, sizeof(search->explanation), text_of(alert, "explanation"));
}

static int told(const char *state, const char *explanation)
{
    printf("%s: ", state);
    print_clean(explanation, strlen(explanation));
    putchar('\n');
    return EXIT_GOOD;
}

static int by_api(const struct remote *remote, const char *id, const char *state,
                  const char *reason)
{
    char path[1024];
    char escaped[3 * TRIAGE_ID_MAX + 8];
    struct document alert;
    struct document answer;
    struct remote_body body;
    if (!remote_escape(escaped, sizeof(escaped), id))
        return complain(EXIT_USAGE, "no alert can have this id");
    snprintf(path, sizeof(path), "/alerts/%s", escaped);
    if (!remote_ask(remote, "GET", path, NULL, &alert, NULL))
        return EXIT_FAILED;
    snprintf(path, sizeof(path), "/alerts/%s/triage", escaped);
    remote_body(&body);
    json_text(&body.json, "state", state);
    json_text(&body.json, "reason", reason != NULL ? reason : "");
    return remote_ask(remote, "PUT", path, &body, &answer, NULL)
               ? told(state, text_of(alert.root, "explanation"))
               : EXIT_FAILED;
}

static int on_files(const char *dir, const char *id, const char *state, const char *reason)
{
    bool any;
    struct search search = {.id = id};
    if (!alert_log_all(dir, look, &search, &any))
        return EXIT_FAILED;
    if (!search.found)
        return complain(EXIT_FAILED, "no alert has this id");
    struct state_change by;
    struct guard_err err;
    struct guard_span service = {(const uint8_t *)search.service, strlen(search.service)};
    if (!state_change(&by, dir, service, reason))
        return EXIT_FAILED;
    if (change_triage(&by.change, search.id, state, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    return told(state, search.explanation);
}

static int run(const struct arguments *arguments)
{
    const char *reason = arguments->values[TRIAGE_REASON];
    const char *state = arguments->count == 2 ? triage_state(arguments->operands[1]) : NULL;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct remote remote;
    if (state == NULL || strlen(arguments->operands[0]) > TRIAGE_ID_MAX)
        return complain(EXIT_USAGE, "say `guard triage ID true|false|rare`");
    if (reason != NULL && strlen(reason) >= TRIAGE_TEXT_MAX)
        return complain(EXIT_USAGE, "a reason is at most %d bytes", TRIAGE_TEXT_MAX - 1);
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    if (!remote_open(&remote, arguments, TRIAGE_STATE, TRIAGE_SERVER, &arena))
        return EXIT_USAGE;
    int status = remote.server != NULL ? by_api(&remote, arguments->operands[0], state, reason)
                                       : on_files(state_dir(arguments->values[TRIAGE_STATE]),
                                                  arguments->operands[0], state, reason);
    guard_arena_reset(&arena);
    return status;
}

const struct command command_triage = {
    .name = "triage",
    .usage = "ID true|false|rare",
    .operands = "ID true|false|rare",
    .summary = "say what an alert was",
    .details = "true: an attack, or what must not happen. false: harmless, and it will come again. "
               "rare: harmless, and "
               "not\nexpected to come again. The last word on an alert counts; `guard alerts` "
               "shows it. Nothing is "
               "allowed by it: what is\nharmless and common is said in the service's Guardian "
               "(`guard explain ID` "
               "names the member).",
    .options = options,
    .run = run,
};
