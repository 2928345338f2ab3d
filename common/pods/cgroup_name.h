/* SPDX-License-Identifier: Apache-2.0 */
/* Which pod and container a control group is of, by its name and those of the groups above it: as
 * the kubelet names them with systemd and with cgroupfs, and what other managers make. */
#ifndef GUARD_COMMON_PODS_CGROUP_NAME_H
#define GUARD_COMMON_PODS_CGROUP_NAME_H

#include <guard/types.h>

enum { POD_CGROUP_CAP = 72 };

/* Names as pod records have them: printable, without space, '/', '"' and '\'. */
struct pod_cgroup {
    char pod[POD_CGROUP_CAP];       /* "0f2d...-..." as Kubernetes writes it; of others: the unit */
    char container[POD_CGROUP_CAP]; /* its id; "-": none is named */
    bool kubernetes;
};

/* names: its own first, then its parent's, and so on. Of kubelets in pods of kubelets the nearest
 * counts. False when nothing names a pod, a container or a unit of systemd. */
bool pod_cgroup_of_names(struct pod_cgroup *out, const struct guard_span *names, size_t count);
/* Of a path, as in /proc/PID/cgroup. */
bool pod_cgroup_of_path(struct pod_cgroup *out, struct guard_span path);
/* Copies what fits; whatever a name may not have becomes '_'. Empty becomes "-". */
void pod_name_clean(char *out, size_t size, struct guard_span text);

#endif
