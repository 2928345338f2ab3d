/* SPDX-License-Identifier: Apache-2.0 */
/* `guard token`: who may use guardd's API besides its own user. Works on the file that guardd
 * watches, so that what is removed is refused at once, whatever guardd does. */
#include "command.h"
#include "common/access_list.h"
#include "common/file.h"
#include "state_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TOKEN_ROLE, TOKEN_SERVICE, TOKEN_SUBJECT, TOKEN_EXPIRES, TOKEN_REASON, TOKEN_STATE };
enum { EXPIRES_MAX = 3650 * 86400 };

static const struct option_spec options[] = {
    {"role", "viewer|operator|admin|reporter|front", "add: what it may do (required)"},
    {"service", "PATTERN", "add: whose services, '*' for any letters; again for more; default all"},
    {"subject", "NAME", "add: of a client certificate that nginx verified, instead of a token"},
    {"expires", "TIME", "add: after 12h, 30d; at most 3650d (default never)"},
    {"reason", "TEXT", "why, for the audit log"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {NULL, NULL, NULL},
};

static const struct guard_span no_service = {NULL, 0};

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static struct access_entry *find(const struct access_list *list, const char *name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->entries[i].name, name) == 0)
            return &list->entries[i];
    }
    return NULL;
}

/* Audited first: what can't be audited isn't done. */
static bool save(const struct access_list *list, const struct arguments *arguments,
                 const char *before, const char *after)
{
    const char *dir = state_dir(arguments->values[TOKEN_STATE]);
    const char *reason = arguments->values[TOKEN_REASON];
    char user[CHANGE_BY_MAX];
    struct guard_err err;
    user_name(user, sizeof(user));
    const struct audit_who who = {.by = user, .uid = (int64_t)getuid(), .via = "cli"};
    return (audit_append(dir, &who, no_service, "token", before, after,
                         reason != NULL ? reason : "", &err) == GUARD_OK &&
            access_list_save(list, dir, &err) == GUARD_OK) ||
           complain(0, "%s", err.text) != 0;
}

/* For the audit: what it may do, never the secret. */
static void describe(const struct access_entry *entry, char *out, size_t cap)
{
    int len = snprintf(out, cap, "%s %s %s%s", entry->name, access_role_name(entry->role),
                       entry->id, entry->subject);
    for (uint32_t i = 0; i < entry->service_count && len > 0 && (size_t)len < cap; i++)
        len += snprintf(out + len, cap - (size_t)len, "%s%s", i == 0 ? " of " : ",",
                        entry->services[i]);
    if (entry->expires_ms != 0 && len > 0 && (size_t)len < cap)
        snprintf(out + len, cap - (size_t)len, " until %" PRIu64, entry->expires_ms);
}

/* --- add --- */

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

static bool take_expiry(const char *time, struct access_entry *entry)
{
    entry->created_ms = clock_unix_ms();
    if (time == NULL)
        return true;
    unsigned long seconds = read_seconds(time, EXPIRES_MAX);
    entry->expires_ms = entry->created_ms + (uint64_t)seconds * 1000;
    return seconds > 0 || complain(0, "--expires needs a time from 1s to 3650d") != 0;
}

static bool subject_good(const char *subject)
{
    size_t len = strlen(subject);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)subject[i] < ' ' || subject[i] == 0x7f)
            len = 0;
    }
    return (len > 0 && len <= ACCESS_SUBJECT_MAX) || complain(0, "--subject: is none") != 0;
}

/* What the options say; the token is made last. */
static bool make_entry(const struct arguments *arguments, struct access_entry *entry)
{
    const char *role = arguments->values[TOKEN_ROLE];
    const char *subject = arguments->values[TOKEN_SUBJECT];
    *entry = (struct access_entry){.name = arguments->operands[1],
                                   .role = role != NULL ? access_role(role) : API_ROLE_NONE,
                                   .subject = subject != NULL ? subject : "",
                                   .id = subject != NULL ? "" : "?",
                                   .hash = subject != NULL ? "" : "?"};
    if (!state_service_valid(span_of(entry->name)))
        return complain(0, "a name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    if (entry->role == API_ROLE_NONE)
        return complain(0, "--role must be viewer, operator, admin, reporter or front") != 0;
    if (!take_services(arguments, entry) || !take_expiry(arguments->values[TOKEN_EXPIRES], entry) ||
        (subject != NULL && !subject_good(subject)))
        return false;
    const char *fault = access_entry_fault(entry);
    return fault == NULL || complain(0, "%s", fault) != 0;
}

struct secret {
    char token[SECRET_TOKEN_LEN + 1];
    char id[SECRET_ID_LEN + 1];
    char hash[SECRET_HASH_CAP];
};

static bool make_secret(struct secret *secret, struct access_entry *entry)
{
    secret->token[0] = '\0';
    if (entry->subject[0] != '\0')
        return true;
    if (secret_new(secret->token) != GUARD_OK ||
        !secret_id(secret->token, SECRET_TOKEN_LEN, secret->id) ||
        secret_hash(secret->token, secret->hash) != GUARD_OK)
        return complain(0, "no memory, or no randomness") != 0;
    entry->id = secret->id;
    entry->hash = secret->hash;
    return true;
}

static bool add_to(struct access_list *list, const struct arguments *arguments,
                   const struct access_entry *entry)
{
    char after[2048];
    if (find(list, entry->name) != NULL)
        return complain(0, "%s: there is such a token already; remove it first", entry->name) != 0;
    for (uint32_t i = 0; i < list->count && entry->subject[0] != '\0'; i++) {
        if (strcmp(list->entries[i].subject, entry->subject) == 0)
            return complain(0, "%s has this subject already", list->entries[i].name) != 0;
    }
    list->entries[list->count++] = *entry; /* there is room for one */
    describe(entry, after, sizeof(after));
    return save(list, arguments, "", after);
}

/* --- remove --- */

static bool remove_from(struct access_list *list, const struct arguments *arguments)
{
    char before[2048];
    struct access_entry *entry = find(list, arguments->operands[1]);
    if (entry == NULL)
        return complain(0, "%s: there is no such token", arguments->operands[1]) != 0;
    describe(entry, before, sizeof(before));
    struct access_entry *end = list->entries + list->count--;
    memmove(entry, entry + 1, (size_t)(end - entry - 1) * sizeof(*entry));
    return save(list, arguments, before, "removed");
}

/* --- list --- */

static void print_time(uint64_t ms)
{
    char text[32] = "never";
    struct tm parts;
    time_t seconds = (time_t)(ms / 1000);
    if (ms != 0 && gmtime_r(&seconds, &parts) != NULL)
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    printf("%-21s", text);
}

static void print_list(const struct access_list *list)
{
    printf("%-20s %-9s %-21s%s\n", "NAME", "ROLE", "EXPIRES", "TOKEN OR SUBJECT, SERVICES");
    for (uint32_t i = 0; i < list->count; i++) {
        const struct access_entry *entry = &list->entries[i];
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
}

/* --- all --- */

static bool change(struct access_list *list, const struct arguments *arguments,
                   const struct access_entry *entry)
{
    const char *dir = state_dir(arguments->values[TOKEN_STATE]);
    struct guard_err err;
    int lock;
    state_share();
    if (!state_lock(&lock, dir, ""))
        return false;
    bool good = access_list_load(list, dir, &err) == GUARD_OK || complain(0, "%s", err.text) != 0;
    good = good && (entry != NULL ? add_to(list, arguments, entry) : remove_from(list, arguments));
    close(lock);
    access_list_free(list);
    return good;
}

static int add(const struct arguments *arguments, struct access_list *list)
{
    struct access_entry entry;
    struct secret secret;
    if (!make_entry(arguments, &entry))
        return EXIT_USAGE;
    if (!make_secret(&secret, &entry) || !change(list, arguments, &entry))
        return EXIT_FAILED;
    if (secret.token[0] == '\0')
        return EXIT_GOOD;
    printf("%s\n", secret.token);
    fprintf(stderr, "guard token: it isn't shown again\n");
    return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_FAILED;
}

static int show(const struct arguments *arguments, struct access_list *list)
{
    struct guard_err err;
    bool good = access_list_load(list, state_dir(arguments->values[TOKEN_STATE]), &err) == GUARD_OK;
    if (good)
        print_list(list);
    access_list_free(list);
    return good ? EXIT_GOOD : complain(EXIT_FAILED, "%s", err.text);
}

static int run(const struct arguments *arguments)
{
    static const char usage[] = "say `guard token add NAME --role ROLE`, `list` or `remove NAME`";
    struct access_list list;
    const char *verb = arguments->count > 0 ? arguments->operands[0] : "";
    if (strcmp(verb, "add") == 0 && arguments->count == 2)
        return add(arguments, &list);
    if (strcmp(verb, "list") == 0 && arguments->count == 1)
        return show(arguments, &list);
    if (strcmp(verb, "remove") == 0 && arguments->count == 2)
        return change(&list, arguments, NULL) ? EXIT_GOOD : EXIT_FAILED;
    return complain(EXIT_USAGE, "%s", usage);
}

const struct command command_token = {
    .name = "token",
    .usage = "add NAME | list | remove NAME",
    .operands = "add|list|remove",
    .summary = "say who may use guardd's API",
    .details = "add prints a token, once; guardd keeps a hash of it. viewer: may look. operator: "
               "may also change modes, begin\nbypasses and rollbacks, and review. admin: may also "
               "replace Guardians and read the audit. reporter: an agent, may\nonly report for its "
               "services. front: nginx in front of guardd, whose word on subjects of client "
               "certificates\nis believed. What is removed is refused at once. guardd's own user "
               "and root need no token at api.sock.",
    .options = options,
    .run = run,
    .files_only = true,
};
