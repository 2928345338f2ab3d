/* SPDX-License-Identifier: Apache-2.0 */
/* A process of our own that may take its time or hang, so that the responder never does: a command,
 * or a function in a copy of this process. It is killed with its group, and when this one dies. */
#ifndef RESPONDER_CHILD_H
#define RESPONDER_CHILD_H

#include <guard/types.h>

#include <sys/types.h>

enum { CHILD_TEXT_MAX = 400 };

struct child {
    pid_t pid; /* 0: there is none */
    int out;   /* what it writes to both outputs */
    char text[CHILD_TEXT_MAX + 1];
    size_t len;
};

enum child_state { CHILD_RUNS, CHILD_EXITED, CHILD_KILLED };

/* No shell: argv[0] is a path. environment is the whole. GUARD_E_IO. What can't be executed exits
 * with 127. */
GUARD_MUST_USE enum guard_rc child_command(struct child *child, char *const *argv,
                                           char *const *environment, struct guard_err *err);
/* run's result, 0 to 255, is how it exits; what it writes to standard output is child->text. kept
 * is the one descriptor that it has besides, under another number (-1: none): a child that hangs in
 * the kernel must hold nothing up. */
typedef int child_function(void *ctx, int kept);
GUARD_MUST_USE enum guard_rc child_run(struct child *child, child_function *run, void *ctx,
                                       int kept, struct guard_err *err);
/* *status: what it exited with, or the signal. Then it is gone, and text holds the first line of
 * what it wrote, without controls. */
enum child_state child_look(struct child *child, int *status);
/* Kills, without waiting: who reads a file system of a pod may hang until that answers. */
void child_kill(struct child *child);
/* Takes leave of those that were killed and have ended. */
void child_reap(void);

#endif
