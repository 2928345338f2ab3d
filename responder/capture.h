/* SPDX-License-Identifier: Apache-2.0 */
/* Writing down what a pod runs and holds, for people: in a child, for a pod's files may make who
 * reads them wait for ever. */
#ifndef RESPONDER_CAPTURE_H
#define RESPONDER_CAPTURE_H

#include "pod_group.h"

#include "common/pods/orders.h"

struct capture_cfg {
    const char *folder; /* is made, with mode 0700 */
    const struct pod_order *order;
    const struct pod_group *group;
    uint64_t bytes;     /* of all files together */
    uint32_t processes; /* at most 4096 */
};

/* Exit status: 0: all; 1: the folder can't be made or written. Says on standard output what there
 * is. Runs in a child with group_fd as its only other descriptor. */
int capture_run(const struct capture_cfg *cfg, int group_fd);

/* --- parts of it --- */

struct capture {
    const struct capture_cfg *cfg;
    int folder;
    uint64_t left; /* bytes */
    uint32_t processes, executables;
    uint32_t gone; /* ended while they were looked at */
    bool cut;      /* something found no room */
    struct json_writer *json;
    char *buffer;
};

/* Whether it found room and was written. */
bool capture_put(struct capture *capture, int fd, const void *bytes, size_t len);
int capture_file(struct capture *capture, const char *name);
/* --- capture_process.c: a line for the process whose directory in /proc is proc. --- */
void capture_process(struct capture *capture, int out, pid_t pid, int proc);
/* Keeps the bytes of its program if that has no name any more: it would be lost with the pod. */
void capture_executable(struct capture *capture, int proc);
/* The bytes of the file at, which stands in another directory, behind a heading. */
void capture_copy(struct capture *capture, int out, int at, const char *name);

#endif
