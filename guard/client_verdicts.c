/* SPDX-License-Identifier: Apache-2.0 */
/* `guard clients`: which clients are blocked by how they behave or by a person, blocking one for a
 * while, ending and lifting that. */
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
#include <unistd.h>

enum { CLIENTS_FOR, CLIENTS_REASON, CLIENTS_DRY_RUN, CLIENTS_STATE, CLIENTS_SERVER };
enum {
    DAY_SECONDS = 86400,
    /* When it isn't said: */
    LIFT_SECONDS = DAY_SECONDS,
    BLOCK_SECONDS = 3600,
};

static const struct option_spec options[] = {
    {"for", "TIME",
     "lift: how long the client isn't blocked again: 30m, 2h, 7d; at most 90d "
     "(default 1d); block: how long it is; at most 30d (default 1h)"},
    {"reason", "TEXT", "lift, block, unblock: why, for the audit log (required; unblock: may be)"},
    {"dry-run", NULL, "block: only say whom that would hit"},
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
        printf("No client is blocked.\n");
    return EXIT_GOOD;
}

/* --- lifting --- */

/* Seconds of "90s", "15m", "2h", "7d"; 0 for anything else, and for more than most. */
static unsigned long parse_time(const char *text, unsigned long most)
{
    static const struct {
        const char *unit;
        unsigned long seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", DAY_SECONDS}};
    char *end = NULL;
    errno = 0;
    unsigned long value = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (value == 0 || errno != 0 || value > most)
        return 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) == 0 && value * units[i].seconds <= most)
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
    int lock = -1;
    state_share();
    if (!state_service_known(dir, service, false) || !state_change(&by, dir, service, reason))
        return false;
    enum guard_rc rc = change_lock(&lock, dir, "clients", true, &err);
    if (rc == GUARD_OK)
        rc = change_lift(&by.change, client, seconds, &err);
    if (lock >= 0)
        close(lock);
    return rc == GUARD_OK || complain(0, "%s", err.text) != 0;
}

static int lift(const struct remote *remote, const struct arguments *arguments)
{
    char client[CLIENT_NAME_MAX];
    const char *reason = arguments->values[CLIENTS_REASON];
    struct guard_span service = span(arguments->operands[1]);
    unsigned long seconds = arguments->values[CLIENTS_FOR] == NULL
                                ? LIFT_SECONDS
                                : parse_time(arguments->values[CLIENTS_FOR], LIFT_SECONDS_MAX);
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

/* --- blocking --- */

struct blocking {
    const struct remote *remote;
    const char *dir;
    const char *service;
    const char *reason; /* "" when it isn't given */
    char client[CLIENT_NAME_MAX];
    unsigned long seconds; /* 0: it ends */
    bool dry;
};

static void print_lately(const struct document_node *lately)
{
    if (strcmp(text_of(lately, "known"), "true") != 0) {
        printf("  it wasn't seen lately, or isn't counted\n");
        return;
    }
    printf("  %.0f requests of it today, %.0f since ten minutes began, of about %.0f clients\n",
           number_of(lately, "requests_day"), number_of(lately, "requests"),
           number_of(lately, "clients"));
    if (strcmp(text_of(lately, "shared"), "true") == 0)
        printf("  MANY MAY STAND BEHIND IT: more than a twentieth of the traffic is its own\n");
}

static int told_blocking(const struct blocking *blocking, const struct document_node *answer)
{
    if (blocking->seconds == 0)
        printf("%s: %s isn't blocked by hand any more\n", blocking->service, blocking->client);
    else
        printf("%s: %s %s for %lu s\n", blocking->service, blocking->client,
               blocking->dry ? "would be blocked" : "is blocked", blocking->seconds);
    if (answer != NULL && blocking->seconds != 0)
        print_lately(member_of(answer, "lately"));
    return EXIT_GOOD;
}

static bool end_path(char *out, size_t cap, const struct blocking *blocking)
{
    char client[3 * CLIENT_NAME_MAX];
    char reason[3 * CHANGE_REASON_MAX + 1];
    if (!remote_escape(client, sizeof(client), blocking->client) ||
        !remote_escape(reason, sizeof(reason), blocking->reason))
        return complain(0, "--reason is too long") != 0;
    snprintf(out, cap, "/blocks?client=%s%s%s", client, reason[0] != '\0' ? "&reason=" : "",
             reason);
    return true;
}

static int block_by_api(const struct blocking *blocking)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    const struct remote place = {blocking->remote->server, &arena};
    struct remote_body body;
    struct document document;
    char path[3 * (CLIENT_NAME_MAX + CHANGE_REASON_MAX) + 64];
    bool good;
    guard_arena_init(&arena, &heap, (size_t)8 << 20);
    if (blocking->seconds == 0) {
        good = end_path(path, sizeof(path), blocking) &&
               remote_service(&place, "DELETE", span(blocking->service), path, NULL, &document);
    } else {
        remote_body(&body);
        json_text(&body.json, "client", blocking->client);
        json_integer(&body.json, "seconds", (int64_t)blocking->seconds);
        json_text(&body.json, "reason", blocking->reason);
        good = remote_service(&place, "POST", span(blocking->service),
                              blocking->dry ? "/blocks?dryRun=true" : "/blocks", &body, &document);
    }
    int status = good ? told_blocking(blocking, document.root) : EXIT_FAILED;
    guard_arena_reset(&arena);
    return status;
}

/* Nothing blocks in mode observe: saying so is better than a block that doesn't hold. */
static enum guard_rc may_block(const struct change *change, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_guardian guardian;
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    enum guard_rc rc = change_guardian_of(change->dir, change->service, &arena, &guardian, err);
    if (rc == GUARD_OK && guardian.client_mode == GUARD_MODE_OBSERVE)
        rc = guard_fail(err, GUARD_E_STATE,
                        "nothing is blocked in mode observe: set another mode first");
    guard_arena_reset(&arena);
    return rc;
}

static enum guard_rc block_in_files(const struct blocking *blocking, const struct change *change,
                                    struct guard_err *err)
{
    if (blocking->seconds == 0)
        return change_block_end(change, blocking->client, err);
    GUARD_TRY(may_block(change, err));
    return change_block(change, blocking->client, blocking->seconds, blocking->dry, err);
}

static int block_on_files(const struct blocking *blocking)
{
    struct state_change by;
    struct guard_err err;
    struct guard_span service = span(blocking->service);
    int lock = -1;
    state_share();
    if (!state_service_known(blocking->dir, service, false) ||
        !state_change(&by, blocking->dir, service, blocking->reason))
        return EXIT_FAILED;
    enum guard_rc rc = change_lock(&lock, blocking->dir, "clients", true, &err);
    if (rc == GUARD_OK)
        rc = block_in_files(blocking, &by.change, &err);
    if (lock >= 0)
        close(lock);
    return rc == GUARD_OK ? told_blocking(blocking, NULL) : complain(EXIT_FAILED, "%s", err.text);
}

static int block(const struct remote *remote, const struct arguments *arguments, bool ends)
{
    const char *why;
    const char *time = arguments->values[CLIENTS_FOR];
    const char *reason = arguments->values[CLIENTS_REASON];
    struct blocking blocking = {.remote = remote,
                                .dir = state_dir(arguments->values[CLIENTS_STATE]),
                                .service = arguments->operands[1],
                                .reason = reason != NULL ? reason : "",
                                .dry = arguments->values[CLIENTS_DRY_RUN] != NULL};
    if (!state_service_valid(span(blocking.service)))
        return complain(EXIT_USAGE, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    if (!client_name_of_one(arguments->operands[2], blocking.client, &why))
        return complain(EXIT_USAGE, "%s: %s", arguments->operands[2], why);
    if (ends && (time != NULL || blocking.dry))
        return complain(EXIT_USAGE, "--for and --dry-run are of block");
    if (!ends)
        blocking.seconds = time == NULL ? BLOCK_SECONDS : parse_time(time, BLOCK_SECONDS_MAX);
    if (!ends && blocking.seconds == 0)
        return complain(EXIT_USAGE, "--for needs a time from 1s to 30d");
    if (!ends && !blocking.dry && blocking.reason[0] == '\0')
        return complain(EXIT_USAGE, "--reason is needed");
    return remote->server != NULL ? block_by_api(&blocking) : block_on_files(&blocking);
}

static int run(const struct arguments *arguments)
{
    struct remote remote;
    const char *first = arguments->count > 0 ? arguments->operands[0] : NULL;
    if (!remote_open(&remote, arguments, CLIENTS_STATE, CLIENTS_SERVER, NULL))
        return EXIT_USAGE;
    if (arguments->count == 3 && strcmp(first, "lift") == 0)
        return lift(&remote, arguments);
    if (arguments->count == 3 && strcmp(first, "block") == 0)
        return block(&remote, arguments, false);
    if (arguments->count == 3 && strcmp(first, "unblock") == 0)
        return block(&remote, arguments, true);
    if (arguments->count > 1 || (first != NULL && !state_service_valid(span(first))))
        return complain(EXIT_USAGE, "say `guard clients [SERVICE]` or `guard clients "
                                    "lift|block|unblock SERVICE CLIENT --reason TEXT`");
    const char *dir = mirror_or_state(&remote, arguments->values[CLIENTS_STATE],
                                      MIRROR_GUARDIAN | MIRROR_CLIENTS, first, NULL);
    return dir != NULL ? show_all(dir, first) : EXIT_FAILED;
}

const struct command command_clients = {
    .name = "clients",
    .usage = "[SERVICE] | lift|block|unblock SERVICE CLIENT",
    .operands = "lift|block|unblock SERVICE",
    .summary = "show clients that are blocked, block one for a while, or end that",
    .details = "Verdicts end by themselves. guardd carries out what is lifted and blocked; with "
               "guardd dead use guard bypass. A client is an address's prefix (/24, /56) or a "
               "subject as guard clients names it.",
    .options = options,
    .run = run,
};
