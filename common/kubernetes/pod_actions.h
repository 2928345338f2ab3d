/* SPDX-License-Identifier: Apache-2.0 */
/* What a responder may do to a pod, each as one call: evict it, take it out of its Services by its
 * labels, and cut it off by a NetworkPolicy. Who decides whether is elsewhere. */
#ifndef GUARD_COMMON_KUBERNETES_POD_ACTIONS_H
#define GUARD_COMMON_KUBERNETES_POD_ACTIONS_H

#include "common/kubernetes/api_client.h"

enum { POD_NAME_CAP = 254, POD_UID_CAP = 64, POD_LABELS_MAX = 16 };

/* The pod that is meant, and no later one of its name. */
struct pod_ref {
    const char *namespace;
    const char *name;
    const char *uid;
};

/* Whether names are such that they may stand in a path. GUARD_E_RANGE. */
GUARD_MUST_USE enum guard_rc pod_ref_check(const struct pod_ref *pod, struct guard_err *err);

enum pod_outcome {
    POD_DONE,
    POD_GONE,    /* there is none, or another one has its name */
    POD_LATER,   /* a disruption budget, or the server: not before retry_after_s */
    POD_REFUSED, /* not for us, or it is wrong: asking again is of no use */
    POD_FAILED,  /* no answer, or the server's fault: it may be asked again */
};

struct pod_result {
    enum pod_outcome outcome;
    unsigned status;                     /* of the answer; 0: there was none */
    uint32_t retry_after_s;              /* of POD_LATER; never 0 */
    bool budget;                         /* of POD_LATER: it was a disruption budget */
    char message[KUBERNETES_REASON_CAP]; /* "" when it is done */
};

/* The form of an eviction that the server knows: policy/v1 from 1.22 on, v1beta1 before 1.25. */
enum eviction_version { EVICTION_V1, EVICTION_V1BETA1 };

/* One call that is under way; lives until `done`. */
struct pod_action {
    void (*done)(void *ctx, const struct pod_result *result);
    void *ctx;
    bool makes; /* what is there already is as good */
};

/* All: GUARD_E_RANGE (no name of Kubernetes), and what api_client_call says; then done isn't
 * called. An answer of 429 keeps no other call of the client back. */

/* Only if its uid is that. dry: the server tells what it would say. */
GUARD_MUST_USE enum guard_rc pod_evict(struct api_client *client, struct pod_action *action,
                                       const struct pod_ref *pod, enum eviction_version version,
                                       bool dry, struct guard_err *err);
struct pod_label {
    const char *name;
    const char *value; /* NULL: the label is taken away */
};
bool pod_label_valid(const struct pod_label *label);
GUARD_MUST_USE enum guard_rc pod_relabel(struct api_client *client, struct pod_action *action,
                                         const struct pod_ref *pod, const struct pod_label *labels,
                                         size_t count, struct guard_err *err);
/* Nothing comes to or goes from pods with that label: a NetworkPolicy "guard-deny-VALUE" of their
 * namespace. Whether it is enforced is the network plugin's matter. */
GUARD_MUST_USE enum guard_rc pod_deny(struct api_client *client, struct pod_action *action,
                                      const char *namespace, const struct pod_label *label,
                                      struct guard_err *err);
GUARD_MUST_USE enum guard_rc pod_undeny(struct api_client *client, struct pod_action *action,
                                        const char *namespace, const struct pod_label *label,
                                        struct guard_err *err);

/* What an answer means; for tests, too. */
void pod_result_read(struct pod_result *out, const struct api_answer *answer, bool makes);

#endif
