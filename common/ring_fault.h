/* SPDX-License-Identifier: Apache-2.0 */
/* Survival of a file that is truncated while it is mapped: the access that would kill the process
 * finds private memory instead, and the mapping is marked as broken. */
#ifndef GUARD_COMMON_RING_FAULT_H
#define GUARD_COMMON_RING_FAULT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct ring_map {
    void *address;
    size_t len;
    volatile sig_atomic_t broken;
};

/* Installs the handler (it hands on what is not ours) and watches the mapping,
 * which must outlive the watch. False when too many are watched. */
bool ring_fault_watch(struct ring_map *map);
void ring_fault_unwatch(struct ring_map *map);

#endif
