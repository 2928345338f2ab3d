/* SPDX-License-Identifier: Apache-2.0 */
/* What guardd does for the command line beside one that runs: copies its store, and judges it. */
#ifndef GUARDD_TASKS_H
#define GUARDD_TASKS_H

#include <stdbool.h>

/* "backup=FILE" or "check". */
bool task_beside(const char *task);
/* Does it with the store of the state directory, or the one that where names; the exit status. Says
 * what it found on standard output. */
int task_do_beside(const char *task, const char *state, const char *where);

#endif
