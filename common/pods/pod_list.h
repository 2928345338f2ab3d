/* SPDX-License-Identifier: Apache-2.0 */
/* Who the pods of a node are: a PodList as the kubelet and the API server of Kubernetes give it, in
 * a file that somebody keeps up to date. Without it a pod is known by its uid alone. */
#ifndef GUARD_COMMON_PODS_POD_LIST_H
#define GUARD_COMMON_PODS_POD_LIST_H

#include "common/pods/cgroup_name.h"

#include <guard/pod.h>

enum { POD_LIST_BYTES_MAX = 32 << 20, POD_LIST_PODS_MAX = 1024, POD_LIST_CONTAINERS_MAX = 4096 };

struct pod_list;
/* What a list knows of a container. */
enum pod_listed {
    POD_UNLISTED,
    POD_LISTED,           /* its pod; no container of that id, or not yet */
    POD_LISTED_CONTAINER, /* both */
};
/* GUARD_E_SYNTAX (with the offset), GUARD_E_LIMIT, GUARD_E_NOMEM. The caller frees *out. */
GUARD_MUST_USE enum guard_rc pod_list_parse(struct pod_list **out, struct guard_span text,
                                            struct guard_err *err);
void pod_list_free(struct pod_list *list);
uint32_t pod_list_pods(const struct pod_list *list);
/* Fills in what the list knows of the pod and container, its service included where the list says
 * it (common/kubernetes/pod_facts.h): spans point into the list. list may be NULL. What it doesn't
 * know stays as it is. */
enum pod_listed pod_list_name(const struct pod_list *list, const struct pod_cgroup *names,
                              struct guard_pod_identity *id);

#endif
