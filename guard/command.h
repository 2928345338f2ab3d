/* SPDX-License-Identifier: Apache-2.0 */
/* The shape of every subcommand, and how its options are described once for parsing and for help.
 */
#ifndef GUARD_CLI_COMMAND_H
#define GUARD_CLI_COMMAND_H

#include "common/clean.h"
#include "common/option_spec.h"

#include <guard/verdict.h>

enum {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1, /* what was asked couldn't be done */
    EXIT_USAGE = 2,  /* what was asked makes no sense */
};

/* Values of the options of one call, by their index in the table; NULL when absent, "" for a switch
 * that is there. */
enum { OPTIONS_MAX = 40, GIVEN_MAX = 64 };
struct given_option {
    int option;
    const char *value;
};
struct arguments {
    const char *values[OPTIONS_MAX];
    struct given_option given[GIVEN_MAX]; /* all, in order: for those that may be repeated */
    int given_count;
    int count; /* operands */
    char **operands;
};

struct command {
    const char *name;
    const char *usage;                 /* operands, as "TRAFFIC..." */
    const char *operands;              /* for completion: what may stand where, in order: "FILE",
                                          "SERVICE", "a|b"; "..." behind the last: and so on. NULL: none */
    const char *summary;               /* one line */
    const char *details;               /* paragraphs for `guard NAME --help`; may be NULL */
    const struct option_spec *options; /* ended by a NULL name */
    int (*run)(const struct arguments *arguments);
    bool files_only; /* of a state directory: refused where options and variables mean a server */
};

extern const struct command command_learn;
extern const struct command command_check;
extern const struct command command_show;
extern const struct command command_diff;
extern const struct command command_export;
extern const struct command command_eval;
extern const struct command command_exception;
extern const struct command command_mode;
extern const struct command command_bypass;
extern const struct command command_withdraw;
extern const struct command command_review;
extern const struct command command_rollback;
extern const struct command command_clients;
extern const struct command command_import;
extern const struct command command_forget;
extern const struct command command_backup;
extern const struct command command_store;
extern const struct command command_pile;
extern const struct command command_policy;
extern const struct command command_pods;
extern const struct command command_run;
extern const struct command command_status;
extern const struct command command_alerts;
extern const struct command command_explain;
extern const struct command command_exploit;
extern const struct command command_token;
extern const struct command command_triage;
extern const struct command command_outputs;
extern const struct command command_completion;
extern const struct command command_whatif;
extern const struct command command_context;
extern const struct command command_learning;
extern const struct command command_audit;
extern const struct command command_patch;
extern const struct command command_inject;
extern const struct command command_webhook;
extern const struct command command_canary;
extern const struct command command_node_pods;

/* All of them in the order of the help, ended by NULL. */
extern const struct command *const all_commands[];
/* The option that -o is short for, NULL when the command has none. */
const struct option_spec *command_short_output(const struct command *command);
/* The option that -f is short for, likewise. */
const struct option_spec *command_short_filename(const struct command *command);
/* Prints the tables as JSON; the exit status. */
int print_tables(void);

/* Seconds of "90", "90s", "15m", "2h", "7d"; 0 for anything else, and for more than max. */
unsigned long read_seconds(const char *text, unsigned long max);
/* The mode of that name; false after a message. */
bool read_mode(const char *text, enum guard_mode *mode);
/* Prints "guard NAME: text" on standard error and returns rc. */
int complain(int rc, const char *format, ...) GUARD_PRINTF(2, 3);
/* True when standard error is a terminal and progress may be drawn. */
bool terminal_progress(void);
/* True when standard output is a terminal that shows colours (NO_COLOR respected). */
bool terminal_colour(void);
/* True when standard output is a terminal whose locale is of UTF-8. */
bool terminal_blocks(void);
/* Draws "label [#####     ] 42 %" over the last one; done ends the line. Nothing when not on a
 * terminal. */
void progress_draw(const char *label, double fraction, bool done);

#endif
