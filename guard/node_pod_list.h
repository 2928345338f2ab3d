/* SPDX-License-Identifier: Apache-2.0 */
/* The pods of a node as a cluster tells of them, and the file that sensors read them from. What was
 * listed last stays while the cluster can't be asked. */
#ifndef GUARD_CLI_NODE_POD_LIST_H
#define GUARD_CLI_NODE_POD_LIST_H

#include "common/kubernetes/informer.h"
#include "common/kubernetes/pod_facts.h"
#include "common/pods/pod_list.h"

enum {
    /* What pods did as they ended is told after they are gone from the cluster. */
    NODE_PODS_GONE_MS = 120 * 1000,
    NODE_PODS_WRITE_MS = 200, /* between two files */
    NODE_PODS_RETRY_MS = 1000,
};

struct node_pod {
    char uid[GUARD_POD_UID_MAX + 1];
    char *text; /* of the list's item; malloc'd */
    uint32_t len, containers;
    bool listed;      /* in the list that is under way */
    uint64_t gone_ms; /* monotonic; 0: it is there */
};

/* Zeros but for path. */
struct node_pod_list {
    const char *path;
    struct node_pod pods[POD_LIST_PODS_MAX];
    uint32_t count, containers;
    bool listed;             /* once: before that an earlier life's file is better than ours */
    bool changed;            /* the file isn't what is known */
    bool failing, full, odd; /* that was said */
    uint64_t written_ms, retry_ms;
    uint64_t files, left_out; /* since the start */
    struct pod_facts facts;   /* of the pod that is being read */
};

/* An informer's, with the list as ctx. */
void node_pod_list_take(void *list, enum informer_change change,
                        const struct document_node *object);
/* Forgets whom nobody tells of any more, and writes the file when it is due. */
void node_pod_list_tick(struct node_pod_list *list, uint64_t mono_ms);
void node_pod_list_free(struct node_pod_list *list);

#endif
