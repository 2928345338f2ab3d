/* SPDX-License-Identifier: Apache-2.0 */
/* The options of guardd. */
#include "common/option_spec.h"

#include <stddef.h>

const struct option_spec daemon_options[DAEMON_OPTIONS + 1] = {
    [DAEMON_STATE] = {"state", "DIR", "the directory shared with the gates (required)"},
    [DAEMON_API] = {"api", "on|off", "whether DIR/api.sock is served (default on)"},
    [DAEMON_API_GROUP] = {"api-group", "GROUP", "a group that may connect too, with tokens"},
    [DAEMON_API_FRONT] = {"api-front", "on|off",
                          "whether DIR/api-front.sock is served, for nginx (default off)"},
    [DAEMON_RELEASE] = {"release-window", "TIME",
                        "how long new elements of a new revision aren't blocked (default 6h)"},
    [DAEMON_VALID] = {"policy-valid", "TIME",
                      "gates alarm when nothing newer came for so long; 0s: never (default 7d)"},
    [DAEMON_STORE] = {"store", "sqlite:FILE|postgresql://...",
                      "where what was learned is kept (default DIR/guard.db)"},
    [DAEMON_KEEP] = {"keep", "TIME", "how long logs and earlier generations stay (default 30d)"},
    [DAEMON_KEEP_SIZE] = {"keep-size", "SIZE",
                          "how large logs and what was put aside may be (default 1g)"},
    [DAEMON_TASK] = {"task", "forget|check|backup=FILE", "do that and end"},
    [DAEMON_HELP] = {"help", NULL, "print this text"},
    [DAEMON_VERSION] = {"version", NULL, "print the version"},
    [DAEMON_OPTIONS] = {NULL, NULL, NULL},
};
