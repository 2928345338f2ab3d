/* SPDX-License-Identifier: Apache-2.0 */
/* `guard token`: who may use guardd's API besides its own user. Works on the file that guardd
 * watches, so that what is removed is refused at once, whatever guardd does; or asks a server. */
#include "command.h"
#include "remote.h"
#include "state_files.h"

#include "common/access_edit.h"
#include "common/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TOKEN_ROLE,
    TOKEN_SERVICE,
    TOKEN_SUBJECT,
    TOKEN_EXPIRES,
    TOKEN_REASON,
    TOKEN_STATE,
    TOKEN_SERVER
};

static const struct option_spec options[] = {
    {"role", "viewer|operator|admin|reporter|front", "add: what it may do (required)"},
    {"service", "PATTERN", "add: whose services, '*' for any letters; again for more; default all"},
    {"subject", "NAME", "add: of a client certificate that nginx verified, instead of a token"},
    {"expires", "TIME", "add: after 12h, 30d; at most 3650d (default never)"},
    {"reason", "TEXT", "why, for the audit log"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

/* --- what options say --- */

static bool take_services(const struct arguments *arguments, struct access_entry *entry)
{
    for (int i = 0; i < arguments->given_count; i++) {
        const struct given_option *given = &arguments->given[i];
        if (given->option != TOKEN_SERVICE)
            continue;
        if (!access_pattern_valid(span_of(given->value)))
            return complain(0, "--service %s: is no name of a service, nor a pattern of some",
                            given->value) != 0;
        if (entry->service_count == ACCESS_SERVICES_MAX)
            return complain(0, "--service: at most %d", ACCESS_SERVICES_MAX) != 0;
        entry->services[entry->service_count++] = given->value;
    }
    return true;
}

/* 0: never. */
static bool take_expiry(const char *time, unsigned long *seconds)
{
    *seconds = time != NULL ? read_seconds(time, ACCESS_EXPIRES_MAX) : 0;
    return time == NULL || *seconds > 0 ||
           complain(0, "--expires needs a time from 1s to 3650d") != 0;
}

static bool make_entry(const struct arguments *arguments, struct access_entry *entry,
                       unsigned long *seconds)
{
    const char *role = arguments->values[TOKEN_ROLE];
    const char *subject = arguments->values[TOKEN_SUBJECT];
    *entry = (struct access_entry){.name = arguments->operands[1],
                                   .role = role != NULL ? access_role(role) : API_ROLE_NONE,
                                   .subject = subject != NULL ? subject : ""};
    if (!state_service_valid(span_of(entry->name)))
        return complain(0, "a name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    if (entry->role == API_ROLE_NONE)
        return complain(0, "--role must be viewer, operator, admin, reporter or front") != 0;
    if (subject != NULL && subject[0] == '\0')
        return complain(0, "--subject: is none") != 0;
    if (!take_services(arguments, entry) || !take_expiry(arguments->values[TOKEN_EXPIRES], seconds))
        return false;
    const char *fault = access_draft_fault(entry);
    return fault == NULL || complain(0, "%s", fault) != 0;
}

static const char *reason_of(const struct arguments *arguments)
{
    const char *reason = arguments->values[TOKEN_REASON];
    return reason != NULL ? reason : "";
}

/* --- what is shown --- */

static int print_token(const char *token)
{
    if (token[0] == '\0')
        return EXIT_GOOD;
    printf("%s\n", token);
    fprintf(stderr, "guard token: it isn't shown again\n");
    return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_FAILED;
}

static void print_time(uint64_t ms)
{
    char text[32] = "never";
    struct tm parts;
    time_t seconds = (time_t)(ms / 1000);
    if (ms != 0 && gmtime_r(&seconds, &parts) != NULL)
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    printf("%-21s", text);
}

static void print_head(void)
{
    printf("%-20s %-9s %-21s%s\n", "NAME", "ROLE", "EXPIRES", "TOKEN OR SUBJECT, SERVICES");
}

static void print_entry(const struct access_entry *entry)
{
    printf("%-20s %-9s ", entry->name, access_role_name(entry->role));
    print_time(entry->expires_ms);
    if (entry->subject[0] != '\0')
        print_clean(entry->subject, strlen(entry->subject));
    else
        printf("%s", entry->id);
    for (uint32_t k = 0; k < entry->service_count; k++)
        printf("%s%s", k == 0 ? ", " : " ", entry->services[k]);
    putchar('\n');
}

/* --- on files --- */

static bool change(const struct arguments *arguments, const struct access_entry *entry)
{
    char user[CHANGE_BY_MAX];
    struct access_list list;
    struct guard_err err;
    int lock;
    const struct access_change by = {
        .dir = state_dir(arguments->values[TOKEN_STATE]),
        .who = {.by = user, .uid = (int64_t)getuid(), .via = "cli"},
        .reason = reason_of(arguments),
    };
    user_name(user, sizeof(user));
    state_share();
    if (!state_lock(&lock, by.dir, ""))
        return false;
    enum guard_rc rc = access_list_load(&list, by.dir, &err);
    if (rc == GUARD_OK)
        rc = entry != NULL ? access_add(&list, entry, &by, &err)
                           : access_remove(&list, arguments->operands[1], &by, &err);
    close(lock);
    access_list_free(&list);
    return rc == GUARD_OK || complain(0, "%s", err.text) != 0;
}

static int add(const struct arguments *arguments, struct access_entry *entry, unsigned long seconds)
{
    struct access_secret secret;
    struct guard_err err;
    entry->created_ms = clock_unix_ms();
    if (seconds > 0)
        entry->expires_ms = entry->created_ms + (uint64_t)seconds * 1000;
    if (access_secret_make(&secret, entry, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    return change(arguments, entry) ? print_token(secret.token) : EXIT_FAILED;
}

static int show(const struct arguments *arguments)
{
    struct access_list list;
    struct guard_err err;
    bool good =
        access_list_load(&list, state_dir(arguments->values[TOKEN_STATE]), &err) == GUARD_OK;
    if (good)
        print_head();
    for (uint32_t i = 0; good && i < list.count; i++)
        print_entry(&list.entries[i]);
    access_list_free(&list);
    return good ? EXIT_GOOD : complain(EXIT_FAILED, "%s", err.text);
}

/* --- of a server --- */

static int add_remote(const struct remote *remote, const struct arguments *arguments,
                      const struct access_entry *entry, unsigned long seconds)
{
    struct remote_body body;
    struct document document;
    remote_body(&body);
    json_text(&body.json, "name", entry->name);
    json_text(&body.json, "role", access_role_name(entry->role));
    json_open(&body.json, "services", '[');
    for (uint32_t i = 0; i < entry->service_count; i++)
        json_text(&body.json, NULL, entry->services[i]);
    json_close(&body.json, ']');
    if (entry->subject[0] != '\0')
        json_text(&body.json, "subject", entry->subject);
    if (seconds > 0)
        json_integer(&body.json, "seconds", (int64_t)seconds);
    json_text(&body.json, "reason", reason_of(arguments));
    if (!remote_ask(remote, "POST", "/tokens", &body, &document, NULL))
        return EXIT_FAILED;
    return print_token(text_of(document.root, "token"));
}

static int remove_remote(const struct remote *remote, const struct arguments *arguments)
{
    char path[CHANGE_REASON_MAX * 3 + 512];
    char name[256];
    char reason[CHANGE_REASON_MAX * 3 + 1];
    struct document document;
    if (!remote_escape(name, sizeof(name), arguments->operands[1]) ||
        !remote_escape(reason, sizeof(reason), reason_of(arguments)))
        return complain(EXIT_USAGE, "the name or the reason is too long");
    snprintf(path, sizeof(path), "/tokens/%s%s%s", name, reason[0] != '\0' ? "?reason=" : "",
             reason);
    return remote_ask(remote, "DELETE", path, NULL, &document, NULL) ? EXIT_GOOD : EXIT_FAILED;
}

static void print_remote_entry(const struct document_node *node)
{
    const struct document_node *services = member_of(node, "services");
    struct access_entry entry = {.name = text_of(node, "name"),
                                 .role = access_role(text_of(node, "role")),
                                 .subject = text_of(node, "subject"),
                                 .id = text_of(node, "id"),
                                 .expires_ms = (uint64_t)whole_of(node, "expires_ms")};
    for (const struct document_node *service = services != NULL ? services->first : NULL;
         service != NULL && entry.service_count < ACCESS_SERVICES_MAX; service = service->next) {
        if (service->kind == DOCUMENT_SCALAR && access_pattern_valid(service->text))
            entry.services[entry.service_count++] = (const char *)service->text.ptr;
    }
    if (state_service_valid(span_of(entry.name)) &&
        strspn(entry.id, "0123456789abcdef") == strlen(entry.id))
        print_entry(&entry);
}

/* A page; *next is where the next one begins, 0: it was the last. False after a message. */
static bool show_page(const struct remote *remote, unsigned long *next)
{
    char path[64];
    struct document document;
    unsigned long first = *next;
    snprintf(path, sizeof(path), "/tokens?limit=100&cursor=%lu", first);
    guard_arena_reset(remote->arena);
    if (!remote_ask(remote, "GET", path, NULL, &document, NULL))
        return false;
    const struct document_node *list = member_of(document.root, "tokens");
    if (list == NULL || list->kind != DOCUMENT_SEQUENCE)
        return complain(0, "%s: an answer lacks \"tokens\"", remote->server) != 0;
    if (first == 0)
        print_head();
    for (const struct document_node *node = list->first; node != NULL; node = node->next)
        print_remote_entry(node);
    *next = strtoul(text_of(document.root, "next"), NULL, 10);
    return *next == 0 || (*next > first && *next <= ACCESS_ENTRIES_MAX) ||
           complain(0, "%s: its pages don't end", remote->server) != 0;
}

static int show_remote(const struct remote *remote)
{
    unsigned long next = 0;
    do {
        if (!show_page(remote, &next))
            return EXIT_FAILED;
    } while (next != 0);
    return EXIT_GOOD;
}

/* --- all --- */

static int run_verb(const struct arguments *arguments, const struct remote *remote)
{
    static const char usage[] = "say `guard token add NAME --role ROLE`, `list` or `remove NAME`";
    const char *verb = arguments->count > 0 ? arguments->operands[0] : "";
    bool there = remote->server != NULL;
    if (strcmp(verb, "add") == 0 && arguments->count == 2) {
        struct access_entry entry;
        unsigned long seconds;
        if (!make_entry(arguments, &entry, &seconds))
            return EXIT_USAGE;
        return there ? add_remote(remote, arguments, &entry, seconds)
                     : add(arguments, &entry, seconds);
    }
    if (strcmp(verb, "list") == 0 && arguments->count == 1)
        return there ? show_remote(remote) : show(arguments);
    if (strcmp(verb, "remove") == 0 && arguments->count == 2) {
        if (there)
            return remove_remote(remote, arguments);
        return change(arguments, NULL) ? EXIT_GOOD : EXIT_FAILED;
    }
    return complain(EXIT_USAGE, "%s", usage);
}

static int run(const struct arguments *arguments)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct remote remote;
    guard_arena_init(&arena, &heap, (size_t)64 << 20);
    if (!remote_open(&remote, arguments, TOKEN_STATE, TOKEN_SERVER, &arena))
        return EXIT_USAGE;
    int status = run_verb(arguments, &remote);
    guard_arena_reset(&arena);
    return status;
}

const struct command command_token = {
    .name = "token",
    .usage = "add NAME | list | remove NAME",
    .operands = "add|list|remove",
    .summary = "say who may use guardd's API",
    .details = "add prints a token, once; guardd keeps a hash of it. viewer: may look. operator: "
               "may also change modes, begin\nbypasses and rollbacks, and review. admin: may also "
               "replace Guardians, read the audit and say who may use the API.\nreporter: an "
               "agent, may only report for its services. front: nginx in front of guardd, whose "
               "word on subjects of\nclient certificates is believed. What is removed is refused "
               "at once. guardd's own user and root need no token\nat api.sock.",
    .options = options,
    .run = run,
};
