/* SPDX-License-Identifier: Apache-2.0 */
/* guardd as seen by commands that need its store: one that runs, or one that is started for a task.
 */
#ifndef GUARD_CLI_DAEMON_H
#define GUARD_CLI_DAEMON_H

#include <stdbool.h>

/* Whether a guardd uses the state directory. */
bool daemon_runs(const char *dir);
/* Starts guardd with --task and waits for its end. store: NULL for the default. False after a
 * message. */
bool daemon_task(const char *dir, const char *store, const char *task);

#endif
