/* SPDX-License-Identifier: Apache-2.0 */
/* `guard clients`: which clients are blocked by how they behave, and lifting that. */
#include "command.h"
#include "common/client_name.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "common/lifts.h"
#include "mirror.h"
#include "state_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS_FOR, CLIENTS_REASON, CLIENTS_STATE, CLIENTS_SERVER };
enum {
    DAY_SECONDS = 86400,
    LIFT_SECONDS = DAY_SECONDS, /* when it isn't said */
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

static int told(const char *service, const char *client, unsigned long seconds)
{
    printf("%s: %s isn't blocked by how it behaves for %lu s\n", service, client, seconds);
    return EXIT_GOOD;
}

static bool by_api(const struct remote *remote, struct guard_span service, const char *client,
                   unsigned long seconds, const char *reason)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    const struct remote place = {remote->server, &arena};
    struct remote_body body;
    struct document document;
    guard_arena_init(&arena, &heap, (size_t)8 << 20);
    remote_body(&body);
    json_text(&body.json, "client", client);
    json_integer(&body.json, "seconds", (int64_t)seconds);
    json_text(&body.json, "reason", reason);
    bool good = remote_service(&place, "PUT", service, "/lifts", &body, &document);
    guard_arena_reset(&arena);
    return good;
}

static bool on_files(const char *dir, struct guard_span service, const char *client,
                     unsigned long seconds, const char *reason)
{
    struct state_change by;
    struct guard_err err;
    state_share();
    return state_service_known(dir, service, false) && state_change(&by, dir, service, reason) &&
           (change_lift(&by.change, client, seconds, &err) == GUARD_OK ||
            complain(0, "%s", err.text) != 0);
}

static int lift(const struct remote *remote, const struct arguments *arguments)
{
    char client[CLIENT_NAME_MAX];
    const char *reason = arguments->values[CLIENTS_REASON];
    struct guard_span service = span(arguments->operands[1]);
    unsigned long seconds = arguments->values[CLIENTS_FOR] == NULL
                                ? LIFT_SECONDS
                                : parse_time(arguments->values[CLIENTS_FOR]);
    if (!state_service_valid(service))
        return complain(EXIT_USAGE, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    if (!client_name(arguments->operands[2], client))
        return complain(EXIT_USAGE, "a client is an address, a prefix, or as `guard clients` shows "
                                    "it");
    if (seconds == 0)
        return complain(EXIT_USAGE, "--for needs a time from 1s to 90d");
    if (reason == NULL || reason[0] == '\0')
        return complain(EXIT_USAGE, "--reason is needed");
    bool good = remote->server != NULL ? by_api(remote, service, client, seconds, reason)
                                       : on_files(state_dir(arguments->values[CLIENTS_STATE]),
                                                  service, client, seconds, reason);
    return good ? told(arguments->operands[1], client, seconds) : EXIT_FAILED;
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
