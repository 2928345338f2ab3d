/* SPDX-License-Identifier: Apache-2.0 */
/* The containers of the node, by the kernel's number of their cgroup, and what was seen of each
 * since its last record. */
#ifndef PODWATCH_CONTAINERS_H
#define PODWATCH_CONTAINERS_H

#include "event.h"
#include "name_table.h"

#include "common/pods/cgroup_name.h"
#include "common/pods/gather.h"
#include "common/pods/news.h"

enum {
    CONTAINERS_MAX = 1024,
    GATHER_OWN_BLOCKS = 4,       /* that each container has for itself until its next record */
    GATHER_SHARED_BLOCKS = 6144, /* for all that want more */
};

struct container {
    uint64_t cgroup;
    struct pod_cgroup names; /* empty: not told yet */
    uint64_t started_boot_ns;
    struct pod_gather gather;
    struct pod_news news;
    struct name_table dns;
    uint64_t incarnation;        /* ms; when it was met */
    uint64_t sequence;           /* of its last record */
    uint64_t from_ms;            /* begin of what is gathered */
    uint64_t received;           /* events since then */
    uint64_t unkept;             /* of these, for want of room or memory */
    uint64_t received_all;       /* since its cgroup was met */
    uint64_t lost;               /* that the kernel sent and never came, of all */
    struct event_counts counted; /* by the kernel, as of the last record */
    uint64_t bytes_out, connections;
    bool named;    /* the list of pods has it, or was waited for long enough */
    bool urgent;   /* a hard sign is among what is gathered */
    uint32_t idle; /* intervals without a task */
};

struct containers {
    struct container *entries[CONTAINERS_MAX];
    uint32_t count;
    uint32_t last;    /* found */
    uint64_t refused; /* events of those that there was no room for */
    struct name_room names;
    struct pod_room room; /* of what is gathered, Falco's too */
};

/* Finds or adds; NULL: no room or memory, counted. */
struct container *containers_get(struct containers *containers, uint64_t cgroup, uint64_t now_ms);
struct container *containers_find(struct containers *containers, uint64_t cgroup);
/* The one whose id begins with these digits, at least 12; NULL: none. */
struct container *containers_by_id(struct containers *containers, struct guard_span id);
void containers_remove(struct containers *containers, uint32_t index);
/* Before anything else. */
void containers_init(struct containers *containers);
void containers_free(struct containers *containers);

#endif
