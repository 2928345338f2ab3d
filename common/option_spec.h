/* SPDX-License-Identifier: Apache-2.0 */
/* How a program's options are described: once, for parsing, help, manual pages and the completion
 * of shells. guardd's are here because the command line prints its completion, too. */
#ifndef GUARD_COMMON_OPTION_SPEC_H
#define GUARD_COMMON_OPTION_SPEC_H

struct option_spec {
    const char *name;     /* long name without dashes */
    const char *argument; /* "FILE", "text|json"; NULL for a switch */
    const char *help;
};

enum {
    DAEMON_STATE,
    DAEMON_API,
    DAEMON_API_GROUP,
    DAEMON_API_FRONT,
    DAEMON_RELEASE,
    DAEMON_VALID,
    DAEMON_STORE,
    DAEMON_KEEP,
    DAEMON_KEEP_SIZE,
    DAEMON_TASK,
    DAEMON_ROLE,
    DAEMON_PARENT,
    DAEMON_PARENT_TOKEN,
    DAEMON_PARENT_CA,
    DAEMON_POLICY_KEY,
    DAEMON_SIGNING_KEY,
    DAEMON_REPORT_EVERY,
    DAEMON_SPOOL,
    DAEMON_WHOLE_PILES,
    DAEMON_FOLLOW,
    DAEMON_KUBERNETES,
    DAEMON_WRITE_EVERY,
    DAEMON_CANARY_EVERY,
    DAEMON_TOKEN_REVIEWS,
    DAEMON_TOKEN_KEEP,
    DAEMON_NODE_AGENTS,
    DAEMON_ACCESS_REVIEWS,
    DAEMON_ACCESS_KEEP,
    DAEMON_POD_SENSOR,
    DAEMON_POD,
    DAEMON_POD_ORDERS,
    DAEMON_HELP,
    DAEMON_VERSION,
    DAEMON_OPTIONS
};
/* Of guardd, ended by a NULL name. */
extern const struct option_spec daemon_options[DAEMON_OPTIONS + 1];

#endif
