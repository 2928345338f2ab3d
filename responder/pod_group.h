/* SPDX-License-Identifier: Apache-2.0 */
/* The control group of a pod: found by the pod's uid below the configured root, never by what an
 * order says of paths, and held by a descriptor from then on. */
#ifndef RESPONDER_POD_GROUP_H
#define RESPONDER_POD_GROUP_H

#include <guard/types.h>

#include <sys/types.h>

enum {
    POD_GROUP_PATH_MAX = 1024,
    POD_GROUP_PIDS_MAX = 4096,
};

struct pod_group {
    int fd;          /* of its directory, O_CLOEXEC; -1: none */
    uint64_t number; /* its inode, which is the kernel's number of the group */
    char path[POD_GROUP_PATH_MAX];
};

/* The groups below root that name uid as their pod, without looking below pods. GUARD_E_STATE:
 * there is none; GUARD_E_RANGE: uid is no uid, several claim it, or this process is in it;
 * GUARD_E_LIMIT: too many directories to look at; GUARD_E_IO: root isn't of the second version's
 * hierarchy, or can't be read. The caller closes *out. */
GUARD_MUST_USE enum guard_rc pod_group_find(struct pod_group *out, const char *root,
                                            const char *uid, struct guard_err *err);
void pod_group_close(struct pod_group *group);
/* Whether the directory is still there, under its path, and the same. */
bool pod_group_lives(const struct pod_group *group);
/* Tasks of it and the groups below, at most max; *count how many. False: there were more, or a part
 * couldn't be read. */
bool pod_group_pids(const struct pod_group *group, pid_t *out, size_t max, size_t *count);
/* GUARD_E_IO: the kernel has no such file, or refused. */
GUARD_MUST_USE enum guard_rc pod_group_freeze(const struct pod_group *group, bool frozen,
                                              struct guard_err *err);
GUARD_MUST_USE enum guard_rc pod_group_kill(const struct pod_group *group, struct guard_err *err);
/* Whether it has tasks, and one that was there at a time (Unix ms, to a tenth of a second). */
struct pod_group_tasks {
    bool any;
    bool older;
};
struct pod_group_tasks pod_group_look(const struct pod_group *group, uint64_t since_ms);

#endif
