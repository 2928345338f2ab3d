/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the API server by a process that may wait for each: only children of the responder do.
 * And what the server says of pods. */
#ifndef RESPONDER_CLUSTER_VIEW_H
#define RESPONDER_CLUSTER_VIEW_H

#include "common/kubernetes/pod_actions.h"

enum { VIEW_LABEL_CAP = 64, VIEW_MOMENT_CAP = 32 };

/* Labels of pods that were taken out of service. */
#define QUARANTINED "guard.security/quarantined"             /* the pod's own uid */
#define QUARANTINED_FROM "guard.security/quarantined-from"   /* its workload */
#define QUARANTINED_AFTER "guard.security/quarantined-after" /* its workload's newest pod then */

struct cluster {
    struct kubernetes_config config;
    struct api_client *client;
    bool over;  /* the call that is under way */
    bool ready; /* the server was, before that call */
    struct pod_result result;
    /* Of an answer of 2xx. */
    void (*take)(void *ctx, const struct document_node *root);
    void *ctx;
    struct pod_action action;
};

/* where: as kubernetes_config_load has it, which says what is wrong. cluster_close in any case. */
GUARD_MUST_USE enum guard_rc cluster_open(struct cluster *out, const char *where,
                                          struct guard_err *err);
void cluster_close(struct cluster *cluster);
/* What pod_evict and the others began, which got cluster->action: waits for it, then
 * cluster->result holds. rc: what beginning it said; then the result is POD_REFUSED (GUARD_E_RANGE)
 * or POD_FAILED with err's text. */
enum pod_outcome cluster_wait(struct cluster *cluster, enum guard_rc rc,
                              const struct guard_err *err);

/* Whether the server has read all that it decides by, which everybody may ask. */
bool cluster_ready(struct cluster *cluster);

struct pod_view {
    char uid[POD_UID_CAP];
    char name[POD_NAME_CAP];
    char
        workload[POD_NAME_CAP]; /* as sensors name it: the controller without the template's hash */
    char hash_label[VIEW_LABEL_CAP], hash[VIEW_LABEL_CAP]; /* of its template; "" */
    char quarantined[VIEW_LABEL_CAP], after[VIEW_LABEL_CAP];
    char created[VIEW_MOMENT_CAP]; /* as labels can have it: 2026-11-23T00-00-00Z */
    bool ready, leaving;
};

/* The pod of that name and uid. POD_GONE: there is none. */
enum pod_outcome cluster_look(struct cluster *cluster, const struct pod_ref *pod,
                              struct pod_view *out);
/* Every pod of the namespace with that label. see's false ends it. */
enum pod_outcome cluster_list(struct cluster *cluster, const char *name_space, const char *label,
                              const char *value, bool (*see)(void *ctx, const struct pod_view *pod),
                              void *ctx);

#endif
