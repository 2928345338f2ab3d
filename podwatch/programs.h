/* SPDX-License-Identifier: Apache-2.0 */
/* podwatch's programs in the kernel: loading what this kernel takes, and reading what they tell. */
#ifndef PODWATCH_PROGRAMS_H
#define PODWATCH_PROGRAMS_H

#include "event.h"

#include <guard/types.h>

struct programs_cfg {
    const char *root;       /* how the name of the cgroup above all pods begins */
    const char *cgroup_dir; /* of the second version's hierarchy: what to attach to */
    bool look_at_v1;        /* pods may lie in the first version's hierarchies */
    uint64_t seed;          /* nobody can guess what collides */
    struct path_prefix prefixes[PREFIXES];
    uint32_t prefix_count;
};

struct programs;
typedef void programs_handler(void *ctx, const struct event *event);

/* Loads and attaches; what the kernel refuses is logged by name and the rest works: programs_sees.
 * GUARD_E_IO: nothing at all could be loaded; GUARD_E_NOMEM. handler gets each event; its texts are
 * ended by NUL. */
GUARD_MUST_USE enum guard_rc programs_open(struct programs **out, const struct programs_cfg *cfg,
                                           programs_handler *handler, void *ctx,
                                           struct guard_err *err);
void programs_close(struct programs *programs);
/* Readable when events wait. */
int programs_fd(const struct programs *programs);
/* Hands over what waits. */
void programs_read(struct programs *programs);
/* Events for all that runs already, and marks the cgroups that have tasks: see cgroup_state. */
void programs_list(struct programs *programs);
/* Marks only. */
void programs_mark(struct programs *programs);
/* Bits of enum guard_pod_kind. */
uint32_t programs_sees(const struct programs *programs);
uint32_t programs_attached(const struct programs *programs);
/* Begins a new interval: things become events again. */
void programs_next_epoch(struct programs *programs);
uint32_t programs_epoch(const struct programs *programs);
void programs_set_clock(struct programs *programs, uint64_t real_offset_ns);
/* False: the kernel has forgotten it. */
bool programs_cgroup(const struct programs *programs, uint64_t cgroup, struct cgroup_state *out);
/* Its books begin anew, and it is named again, if something is seen of it once more. */
void programs_forget(const struct programs *programs, uint64_t cgroup);
/* Times in this interval; at least 1. */
uint64_t programs_seen(const struct programs *programs, const struct seen_key *key);
/* Of all processors, by kind. */
void programs_counts(const struct programs *programs, struct event_counts out[EVENT_KINDS]);

#endif
