/* SPDX-License-Identifier: Apache-2.0 */
/* guardd's command line by a table: where each option's value goes and what it may be. */
#include "options.h"

#include "api/accounts.h"
#include "api/cluster_users.h"
#include "pods/orders.h"
#include "pods/sense.h"
#include "retention.h"
#include "tasks.h"

#include "common/kubernetes/account_review.h"
#include "common/option_spec.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS(n) (UINT64_C(86400000) * (n))
#define MIB(n) (UINT64_C(1048576) * (n))

enum {
    /* Two slots of three hours, so that what D clients use comes in two epochs whenever it begins.
     */
    RELEASE_WINDOW_MS = 6 * 3600 * 1000,
    POLICY_VALID_MS = 7 * 86400 * 1000,
    FIRST_OPTION = 256, /* above all characters that getopt_long may return */
};

enum kind {
    ACTION,
    TEXT,
    SWITCH,
    TIME,
    SIZE,
    ROLE,
    TASK,
    ORDERS,
};

#define FIELD(name) offsetof(struct daemon_cfg, name)
static const struct value {
    enum kind kind;
    size_t field;
    uint64_t least, most; /* of a time in milliseconds, of a size in bytes */
} values[DAEMON_OPTIONS] = {
    [DAEMON_STATE] = {TEXT, FIELD(state), 0, 0},
    [DAEMON_API] = {SWITCH, FIELD(api), 0, 0},
    [DAEMON_API_GROUP] = {TEXT, FIELD(api_group), 0, 0},
    [DAEMON_API_FRONT] = {SWITCH, FIELD(api_front), 0, 0},
    [DAEMON_RELEASE] = {TIME, FIELD(release_window_ms), 0, DAYS(30)},
    [DAEMON_VALID] = {TIME, FIELD(policy_valid_ms), 0, DAYS(365)},
    [DAEMON_STORE] = {TEXT, FIELD(store), 0, 0},
    [DAEMON_KEEP] = {TIME, FIELD(keep_ms), 1000, DAYS(3650)},
    [DAEMON_KEEP_SIZE] = {SIZE, FIELD(keep_bytes), 0, MIB(1 << 30)},
    [DAEMON_TASK] = {TASK, FIELD(task), 0, 0},
    [DAEMON_ROLE] = {ROLE, FIELD(tree.role), 0, 0},
    [DAEMON_PARENT] = {TEXT, FIELD(tree.parent), 0, 0},
    [DAEMON_PARENT_TOKEN] = {TEXT, FIELD(tree.parent_token), 0, 0},
    [DAEMON_PARENT_CA] = {TEXT, FIELD(tree.parent_ca), 0, 0},
    [DAEMON_POLICY_KEY] = {TEXT, FIELD(tree.policy_key), 0, 0},
    [DAEMON_SIGNING_KEY] = {TEXT, FIELD(signing_key), 0, 0},
    [DAEMON_REPORT_EVERY] = {TIME, FIELD(tree.report_ms), 1000, DAYS(30)},
    [DAEMON_SPOOL] = {SIZE, FIELD(tree.spool_bytes), 1, MIB(1 << 30)},
    [DAEMON_WHOLE_PILES] = {TEXT, FIELD(tree.whole_piles), 0, 0},
    [DAEMON_FOLLOW] = {TEXT, FIELD(tree.follow), 0, 0},
    [DAEMON_KUBERNETES] = {TEXT, FIELD(kubernetes), 0, 0},
    [DAEMON_WRITE_EVERY] = {TIME, FIELD(operator_pace.write_ms), 1000, DAYS(1)},
    [DAEMON_CANARY_EVERY] = {TIME, FIELD(operator_pace.canary_ms), 1000, DAYS(1)},
    [DAEMON_TOKEN_REVIEWS] = {TEXT, FIELD(token_reviews), 0, 0},
    [DAEMON_TOKEN_KEEP] = {TIME, FIELD(token_keep_ms), 1000, DAYS(1)},
    [DAEMON_NODE_AGENTS] = {TEXT, FIELD(node_agents), 0, 0},
    [DAEMON_ACCESS_REVIEWS] = {TEXT, FIELD(access_reviews), 0, 0},
    [DAEMON_ACCESS_KEEP] = {TIME, FIELD(access_keep_ms), 1000, 600 * 1000},
    [DAEMON_POD_SENSOR] = {TEXT, FIELD(pod_sensor), 0, 0},
    [DAEMON_POD] = {TEXT, FIELD(pod), 0, 0},
    [DAEMON_POD_ORDERS] = {ORDERS, FIELD(pod_orders), 0, 0},
    [DAEMON_HELP] = {ACTION, 0, 0, 0},
    [DAEMON_VERSION] = {ACTION, 0, 0, 0},
};

struct unit {
    char name;
    uint64_t factor;
};
static const struct unit times[] = {
    {'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', DAYS(1)}, {'\0', 0}};
static const struct unit sizes[] = {
    {'k', 1 << 10}, {'m', MIB(1)}, {'g', MIB(1 << 10)}, {'t', MIB(1 << 20)}, {'\0', 0}};

static int usage(FILE *out, int status)
{
    fputs("Usage: guardd --state DIR\n\n"
          "Learns from the rings of gates, publishes signed policies, writes alerts.\n\n",
          out);
    for (const struct option_spec *option = daemon_options; option->name != NULL; option++)
        fprintf(out, "  --%s %-*s %s\n", option->name, 20 - (int)strlen(option->name),
                option->argument != NULL ? option->argument : "", option->help);
    fputs("\nSIGTERM ends it cleanly. Logs are JSON lines on standard error.\n", out);
    return status;
}

/* A whole number and one of the units, in either case, that together are within the bounds. */
static bool read_number(const char *text, const struct unit *units, uint64_t unnamed,
                        const struct value *value, uint64_t *out)
{
    enum { DIGITS = 15 };
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > DIGITS)
        return false;
    uint64_t factor = text[digits] == '\0' ? unnamed : 0;
    for (; units->name != '\0' && factor == 0; units++)
        if (text[digits + (text[digits] != '\0')] == '\0' && (text[digits] | 0x20) == units->name)
            factor = units->factor;
    uint64_t number = strtoull(text, NULL, 10);
    if (factor == 0 || number > value->most / factor || number * factor < value->least)
        return false;
    *out = number * factor;
    return true;
}

static bool take(struct daemon_cfg *cfg, const struct value *value, const char *text)
{
    void *field = (char *)cfg + value->field;
    switch (value->kind) {
    case TEXT:
        *(const char **)field = text;
        return true;
    case TASK:
        *(const char **)field = text;
        return strcmp(text, "forget") == 0 || task_beside(text);
    case SWITCH:
        *(bool *)field = strcmp(text, "on") == 0;
        return *(bool *)field || strcmp(text, "off") == 0;
    case TIME:
        return read_number(text, times, 0, value, field);
    case SIZE:
        return read_number(text, sizes, 1, value, field);
    case ROLE:
        return tree_role_read(text, field);
    case ORDERS:
        return pod_orders_mode_read(text, field);
    case ACTION:
    default:
        return false;
    }
}

static int refuse(int option, const char *text)
{
    const struct value *value = &values[option];
    fprintf(stderr, "guardd: --%s: \"%.100s\" is ", daemon_options[option].name, text);
    if (value->kind == TIME)
        fprintf(stderr, "no time of %llu s to %llu days, such as 90s, 30m, 6h or 7d\n",
                (unsigned long long)(value->least / 1000),
                (unsigned long long)(value->most / DAYS(1)));
    else if (value->kind == SIZE)
        fputs("no size in bytes, such as 500k, 64m or 2g\n", stderr);
    else
        fprintf(stderr, "not %s\n", daemon_options[option].argument);
    return 2;
}

/* What only the whole shows. */
static bool fits_together(struct daemon_cfg *cfg)
{
    struct guard_err err;
    struct pod_self self;
    bool fits = !cfg->api_front || cfg->api;
    if (!fits)
        fputs("guardd: --api-front on needs --api on\n", stderr);
    else if (cfg->kubernetes != NULL && tree_has_parent(cfg->tree.role)) {
        fprintf(stderr, "guardd: --kubernetes: --role %s takes Guardians from its parent\n",
                tree_role_name(cfg->tree.role));
        fits = false;
    } else if (cfg->signing_key != NULL && tree_has_parent(cfg->tree.role)) {
        fprintf(stderr, "guardd: --signing-key: --role %s signs nothing\n",
                tree_role_name(cfg->tree.role));
        fits = false;
    } else if (cfg->token_reviews != NULL && !tree_has_children(cfg->tree.role)) {
        fprintf(stderr, "guardd: --token-reviews: nobody reports to --role %s\n",
                tree_role_name(cfg->tree.role));
        fits = false;
    } else if (cfg->node_agents != NULL && cfg->token_reviews == NULL) {
        fputs("guardd: --node-agents needs --token-reviews\n", stderr);
        fits = false;
    } else if (cfg->node_agents != NULL && !account_is_named(cfg->node_agents)) {
        fprintf(stderr, "guardd: --node-agents: \"%.100s\" is not NAMESPACE/ACCOUNT\n",
                cfg->node_agents);
        fits = false;
    } else if (cfg->access_reviews != NULL && !cfg->api) {
        fputs("guardd: --access-reviews needs --api on\n", stderr);
        fits = false;
    } else if (cfg->pod_sensor != NULL && sense_check(cfg->pod_sensor, &err) != GUARD_OK) {
        fprintf(stderr, "guardd: --pod-sensor: %s\n", err.text);
        fits = false;
    } else if (cfg->pod != NULL && pod_self_read(&self, cfg->pod, &err) != GUARD_OK) {
        fprintf(stderr, "guardd: --pod: %s\n", err.text);
        fits = false;
    } else if (tree_check(&cfg->tree, !cfg->api, &err) != GUARD_OK) {
        fprintf(stderr, "guardd: %s\n", err.text);
        fits = false;
    }
    return fits;
}

static void set_defaults(struct daemon_cfg *cfg)
{
    *cfg = (struct daemon_cfg){.api = true,
                               .release_window_ms = RELEASE_WINDOW_MS,
                               .policy_valid_ms = POLICY_VALID_MS,
                               .keep_ms = RETENTION_KEEP_MS,
                               .keep_bytes = RETENTION_KEEP_BYTES,
                               .operator_pace = {OPERATOR_WRITE_MS, OPERATOR_CANARY_MS},
                               .token_keep_ms = ACCOUNTS_KEEP_MS,
                               .access_keep_ms = CLUSTER_USERS_KEEP_MS};
}

static void name_options(struct option options[DAEMON_OPTIONS + 1])
{
    for (int i = 0; i < DAEMON_OPTIONS; i++)
        options[i] = (struct option){.name = daemon_options[i].name,
                                     .has_arg = daemon_options[i].argument != NULL,
                                     .val = FIRST_OPTION + i};
}

bool options_read(struct daemon_cfg *cfg, int argc, char **argv, int *status)
{
    struct option options[DAEMON_OPTIONS + 1] = {0};
    int found;
    set_defaults(cfg);
    name_options(options);
    *status = 2;
    while ((found = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int option = found - FIRST_OPTION;
        if (option == DAEMON_HELP)
            *status = usage(stdout, 0);
        else if (option == DAEMON_VERSION)
            *status = printf("guardd %s\n", GUARD_VERSION) > 0 ? 0 : 1;
        else if (option < 0)
            *status = usage(stderr, 2);
        else if (take(cfg, &values[option], optarg))
            continue;
        else
            *status = refuse(option, optarg);
        return false;
    }
    if (cfg->state == NULL || optind != argc)
        usage(stderr, 2);
    return cfg->state != NULL && optind == argc && fits_together(cfg);
}
