/* SPDX-License-Identifier: Apache-2.0 */
/* Which programs run in the pod, where its containers share a process namespace with guardd's: no
 * privilege is needed. They are looked at now and then, so what runs shorter isn't seen; what a
 * process of another user runs is known by the name that it gives itself. */
#ifndef GUARDD_PODS_SENSE_PROCESSES_H
#define GUARDD_PODS_SENSE_PROCESSES_H

#include <guard/pod.h>

#include <sys/types.h>

enum {
    SENSE_PROCESSES_MAX = 512, /* at a time */
    SENSE_PROGRAM_CAP = 128,   /* of a path: what is longer is cut */
};

struct sense_process {
    pid_t pid, parent; /* parent 0: outside of the namespace, the runtime started it */
    uint64_t start;    /* of the kernel's: with pid it is one process */
    uid_t user;
    bool forked; /* and runs nothing of its own so far */
    bool told;
    char program[SENSE_PROGRAM_CAP]; /* its path, or "[name]" where that can't be read: hostile */
};
struct sense_processes;

/* program: what runs now or did until it became another; parent: its parent's, "-": outside. */
typedef void (*sense_process_fn)(void *ctx, const struct sense_process *process,
                                 const char *parent);

/* From proc, "/proc" but in tests. GUARD_E_STATE: the namespace is guardd's own, there is nobody
 * else in it; GUARD_E_IO, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc sense_processes_open(struct sense_processes **out, const char *proc,
                                                  struct guard_err *err);
/* Calls process for each that wasn't there or ran something else the last time, without those of
 * guardd's own container. A child that still is what its parent is, or was put here by the
 * runtime, may be about to become another program: it is told with the next look, if it is the same
 * then. False: there are more than can be
 * watched, or none could be read. */
bool sense_processes_look(struct sense_processes *processes, sense_process_fn process, void *ctx);
void sense_processes_close(struct sense_processes *processes);

#endif
