/* SPDX-License-Identifier: Apache-2.0 */
/* Falco's events as a further source: lines that it writes to a file or a pipe, made records of
 * their own. What Falco says depends on its rules, so of what it doesn't say nothing is learned. */
#ifndef PODWATCH_FALCO_H
#define PODWATCH_FALCO_H

#include "containers.h"

#include "common/pods/record_files.h"

struct falco;
struct pod_list;

struct falco_counts {
    uint64_t lines;
    uint64_t refused;   /* no events */
    uint64_t elsewhere; /* of the host, or of a kind that pods' records don't have */
};

/* path: a file that is followed from its end, renamed and truncated ones too, or "-" for standard
 * input. What it tells is kept in the room, which must last longer.
 * GUARD_E_IO, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc falco_open(struct falco **out, const char *path, struct pod_room *room,
                                        struct guard_err *err);
void falco_close(struct falco *falco);
/* To be polled; -1: look every now and then. */
int falco_fd(const struct falco *falco);
/* Reads what there is, a bounded part at a time. */
void falco_read(struct falco *falco, struct containers *containers);
/* A record for each container that events spoke of. */
void falco_interval(struct falco *falco, struct pod_files *files, const struct pod_list *pods,
                    const char *node);
void falco_counts(const struct falco *falco, struct falco_counts *out);

#endif
