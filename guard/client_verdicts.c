/* SPDX-License-Identifier: Apache-2.0 */
/* `guard clients`: which clients are blocked by how they behave, and lifting that. */
#include "command.h"
#include "common/client_name.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "mirror.h"
#include "state_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS_FOR, CLIENTS_REASON, CLIENTS_STATE, CLIENTS_SERVER };
enum {
    DAY_SECONDS = 86400,
    LIFT_SECONDS_MAX = 90 * DAY_SECONDS,
    LIFT_SECONDS = DAY_SECONDS, /* when it isn't said */
    LIFTS_MAX = 256,
    LIST_MAX = 512 * 1024,
};

static const struct option_spec options[] = {
    {"for", "TIME",
     "lift: how long the client isn't blocked again: 30m, 2h, 7d; at most 90d "
     "(default 1d)"},
    {"reason", "TEXT", "lift: why, for the audit log (required)"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

/* --- showing --- */

struct showing {
    const char *dir;
    int services;
    int verdicts;
};

static void print_entry(const struct document_node *node, uint64_t now_ms)
{
    double left = (number_of(node, "until_ms") - (double)now_ms) / 1000;
    if (left <= 0)
        return;
    printf("  ");
    print_clean(text_of(node, "client"), strlen(text_of(node, "client")));
    printf("  %.0f s left\n    ", left);
    print_clean(text_of(node, "why"), strlen(text_of(node, "why")));
    printf("\n");
}

static void show(void *ctx, const char *name)
{
    struct showing *showing = ctx;
    char path[STATE_PATH_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    guard_arena_init(&arena, &heap, (size_t)32 << 20);
    if (state_path(path, showing->dir, "clients", span(name), ".json") == GUARD_OK &&
        state_document(path, &arena, &document, true)) {
        const struct document_node *list = member_of(document.root, "verdicts");
        const struct document_node *node =
            list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
        showing->services++;
        print_clean(name, strlen(name));
        printf(": mode %s, %.0f exchanges of about %.0f clients counted\n",
               text_of(document.root, "mode"), number_of(document.root, "exchanges"),
               number_of(document.root, "clients"));
        for (; node != NULL; node = node->next, showing->verdicts++)
            print_entry(node, clock_unix_ms());
    }
    guard_arena_reset(&arena);
}

static int show_all(const char *dir, const char *service)
{
    struct showing showing = {.dir = dir};
    if (service != NULL)
        show(&showing, service);
    else
        state_services(dir, show, &showing);
    if (showing.services == 0)
        return complain(EXIT_FAILED, "nothing is known of clients%s%s; has guardd run?",
                        service != NULL ? " of " : "", service != NULL ? service : "");
    if (showing.verdicts == 0)
        printf("No client is blocked by how it behaves.\n");
    return EXIT_GOOD;
}

/* --- lifting --- */

/* Seconds of "90s", "15m", "2h", "7d"; 0 for anything else. */
static unsigned long parse_time(const char *text)
{
    static const struct {
        const char *unit;
        unsigned long seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", DAY_SECONDS}};
    char *end = NULL;
    errno = 0;
    unsigned long value = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (value == 0 || errno != 0 || value > LIFT_SECONDS_MAX)
        return 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) == 0 && value * units[i].seconds <= LIFT_SECONDS_MAX)
            return value * units[i].seconds;
    }
    return 0;
}

static void put_lift(struct json_writer *json, const char *client, double until_ms,
                     const char *reason, const char *by)
{
    json_open(json, NULL, '{');
    json_text(json, "client", client);
    json_integer(json, "until_ms", (int64_t)until_ms);
    json_text(json, "reason", reason);
    json_text(json, "by", by);
    json_close(json, '}');
}

/* What is still in force of the file, without the client's own. */
static void put_others(struct json_writer *json, const char *path, const char *client)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    int kept = 1;
    guard_arena_init(&arena, &heap, (size_t)8 << 20);
    if (state_document(path, &arena, &document, true)) {
        const struct document_node *list = member_of(document.root, "lifts");
        const struct document_node *node =
            list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
        for (; node != NULL && kept < LIFTS_MAX; node = node->next) {
            if (number_of(node, "until_ms") <= (double)clock_unix_ms() ||
                strcmp(text_of(node, "client"), client) == 0)
                continue;
            put_lift(json, text_of(node, "client"), number_of(node, "until_ms"),
                     text_of(node, "reason"), text_of(node, "by"));
            kept++;
        }
    }
    guard_arena_reset(&arena);
}

static int write_lift(const char *path, const char *client, unsigned long seconds,
                      const char *reason)
{
    char user[128];
    struct json_writer json;
    struct guard_err err;
    char *text = malloc(LIST_MAX);
    if (text == NULL)
        return complain(EXIT_FAILED, "no memory");
    user_name(user, sizeof(user));
    json_writer_init(&json, text, LIST_MAX);
    json_open(&json, NULL, '{');
    json_open(&json, "lifts", '[');
    put_lift(&json, client, (double)(clock_unix_ms() + seconds * 1000), reason, user);
    put_others(&json, path, client);
    json_close(&json, ']');
    json_close(&json, '}');
    int status = EXIT_GOOD;
    if (json.overflow)
        status = complain(EXIT_FAILED, "the reasons are too long");
    else if (file_replace(path, (struct guard_span){(const uint8_t *)text, json.len}, 0640, true,
                          &err) != GUARD_OK)
        status = complain(EXIT_FAILED, "%s", err.text);
    free(text);
    return status;
}

static int lift(const struct remote *remote, const struct arguments *arguments)
{
    const char *dir = state_dir(arguments->values[CLIENTS_STATE]);
    char path[STATE_PATH_MAX];
    char client[CLIENT_NAME_MAX];
    char what[CLIENT_NAME_MAX + 32];
    const char *reason = arguments->values[CLIENTS_REASON];
    struct guard_span service = span(arguments->operands[1]);
    unsigned long seconds = arguments->values[CLIENTS_FOR] == NULL
                                ? LIFT_SECONDS
                                : parse_time(arguments->values[CLIENTS_FOR]);
    if (!state_service_valid(service) ||
        state_path(path, dir, "clients", service, ".lifts") != GUARD_OK)
        return complain(EXIT_USAGE, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    if (!client_name(arguments->operands[2], client))
        return complain(EXIT_USAGE, "a client is an address, a prefix, or as `guard clients` shows "
                                    "it");
    if (seconds == 0)
        return complain(EXIT_USAGE, "--for needs a time from 1s to 90d");
    if (reason == NULL || reason[0] == '\0')
        return complain(EXIT_USAGE, "--reason is needed");
    if (remote->server != NULL)
        return complain(EXIT_FAILED, "lifting works on files only");
    state_share();
    if (!state_service_known(dir, service, false))
        return EXIT_FAILED;
    snprintf(what, sizeof(what), "%s for %lu s", client, seconds);
    if (!state_audit(dir, service, "clients lift", "", what, reason))
        return EXIT_FAILED;
    int status = write_lift(path, client, seconds, reason);
    if (status == EXIT_GOOD)
        printf("%s: %s isn't blocked by how it behaves for %lu s\n", arguments->operands[1], client,
               seconds);
    return status;
}

static int run(const struct arguments *arguments)
{
    struct remote remote;
    const char *first = arguments->count > 0 ? arguments->operands[0] : NULL;
    if (!remote_open(&remote, arguments, CLIENTS_STATE, CLIENTS_SERVER, NULL))
        return EXIT_USAGE;
    if (arguments->count == 3 && strcmp(first, "lift") == 0)
        return lift(&remote, arguments);
    if (arguments->count > 1 || (first != NULL && !state_service_valid(span(first))))
        return complain(EXIT_USAGE, "say `guard clients [SERVICE]` or `guard clients lift SERVICE "
                                    "CLIENT --reason TEXT`");
    const char *dir = mirror_or_state(&remote, arguments->values[CLIENTS_STATE],
                                      MIRROR_GUARDIAN | MIRROR_CLIENTS, first, NULL);
    return dir != NULL ? show_all(dir, first) : EXIT_FAILED;
}

const struct command command_clients = {
    .name = "clients",
    .usage = "[SERVICE] | lift SERVICE CLIENT",
    .operands = "lift SERVICE",
    .summary = "show clients that are blocked by how they behave, or lift that",
    .details = "Verdicts end by themselves. guardd carries out what is lifted; with guardd dead "
               "use guard bypass.",
    .options = options,
    .run = run,
};
