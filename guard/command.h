/* SPDX-License-Identifier: Apache-2.0 */
/* The shape of every subcommand, and how its options are described once for parsing and for help.
 */
#ifndef GUARD_CLI_COMMAND_H
#define GUARD_CLI_COMMAND_H

#include <guard/types.h>

enum {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1, /* what was asked couldn't be done */
    EXIT_USAGE = 2,  /* what was asked makes no sense */
};

struct option_spec {
    const char *name;     /* long name without dashes */
    const char *argument; /* "FILE", NULL for a switch */
    const char *help;
};

/* Values of the options of one call, by their index in the table; NULL when absent, "" for a switch
 * that is there. */
enum { OPTIONS_MAX = 24 };
struct arguments {
    const char *values[OPTIONS_MAX];
    int count; /* operands */
    char **operands;
};

struct command {
    const char *name;
    const char *usage;                 /* operands, as "TRAFFIC..." */
    const char *summary;               /* one line */
    const char *details;               /* paragraphs for `guard NAME --help`; may be NULL */
    const struct option_spec *options; /* ended by a NULL name */
    int (*run)(const struct arguments *arguments);
};

extern const struct command command_learn;
extern const struct command command_check;
extern const struct command command_show;
extern const struct command command_diff;
extern const struct command command_mode;
extern const struct command command_bypass;
extern const struct command command_pile;
extern const struct command command_policy;
extern const struct command command_run;
extern const struct command command_status;
extern const struct command command_alerts;

/* Prints "guard NAME: text" on standard error and returns rc. */
int complain(int rc, const char *format, ...) GUARD_PRINTF(2, 3);
/* Text that came from traffic or from a gate, at most len bytes, on standard output: control
 * characters, marks of direction and what isn't UTF-8 become '?', so that nobody writes to the
 * operator's terminal. */
void print_clean(const char *text, size_t len);
/* The same into out, cut to its room and terminated. Returns out. */
const char *clean(char *out, size_t cap, const char *text, size_t len);
/* True when standard error is a terminal and progress may be drawn. */
bool terminal_progress(void);
/* True when standard output is a terminal that shows colours (NO_COLOR respected). */
bool terminal_colour(void);
/* Draws "label [#####     ] 42 %" over the last one; done ends the line. Nothing when not on a
 * terminal. */
void progress_draw(const char *label, double fraction, bool done);

#endif
