/* SPDX-License-Identifier: Apache-2.0 */
/* The web console of `guard run`. */
#ifndef GUARD_CLI_CONSOLE_H
#define GUARD_CLI_CONSOLE_H

#include "common/state.h"

struct console {
    const char *listen; /* "127.0.0.1:8090"; NULL: there is none */
    char files[STATE_PATH_MAX];
    char group[64]; /* that may open the API's socket; "": the owner alone */
};

/* listen and files as given, NULL: not. user: the account of nginx's workers when we are root.
 * False after a message. */
bool console_read(struct console *console, const char *listen, const char *files, const char *state,
                  const char *user);
/* Writes what belongs into the block of http; how long it is, -1: too long. */
int console_conf(const struct console *console, const char *state, char *out, size_t cap);

#endif
