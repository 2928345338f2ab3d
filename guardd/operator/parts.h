/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator is made of; operator.c alone knows how its parts follow each other. */
#ifndef GUARDD_OPERATOR_PARTS_H
#define GUARDD_OPERATOR_PARTS_H

#include "objects.h"
#include "operator.h"

#include "common/kubernetes/informer.h"
#include "common/kubernetes/lease.h"

enum {
    OPERATOR_MERGES = 8,     /* in a tick */
    OPERATOR_LOOK_MS = 1000, /* between two looks at whether an object's status differs */
    OPERATOR_RELIST_MS = 30000,
    OPERATOR_PROFILE_MS = 10 * 60000, /* then it is said again, should somebody have changed it */
    OPERATOR_TRIM_MS = 10000,         /* after work began */
    OPERATOR_PATH_MAX = 1024,
};
#define OPERATOR_GROUP "guard.security"
#define OPERATOR_API "/apis/guard.security/v1alpha1"
#define OPERATOR_LEASE "guard-operator"

enum informed { INFORMED_GUARDIANS, INFORMED_DEFAULTS, INFORMED_CLUSTER, INFORMED };

/* One kind of objects that is followed. */
struct following {
    struct cluster_operator *cluster;
    struct informer informer;
    struct objects objects;
    enum informed kind;
    uint64_t left_out;  /* that was told */
    uint64_t relist_ms; /* monotonic: not again before */
};

struct cluster_operator {
    struct operator_pace pace;
    struct services *services;
    struct alerts *alerts;
    struct kubernetes_config config;
    struct api_client *client;
    struct lease lease;
    struct canaries *canaries;
    int wake_fd; /* readable when the API's client or that of canaries is */
    struct following followed[INFORMED];
    bool leads;
    uint64_t since_ms; /* monotonic: it leads or follows */
    bool apart;        /* that it has a store of its own while others lead was told */
    bool more;         /* there is more to merge at once */
    bool changed;      /* something that was followed is another one since the last tick */
    uint32_t known;    /* of guardd's services, that have an object or need none */
    bool told;         /* that the cluster can't be reached */
    uint32_t at;       /* where merging goes on */
    uint32_t report_at;
    uint64_t trim_ms; /* monotonic: then what the heap has free goes back; 0: nothing was done */
};

/* Something was taken in or written: the heap is looked at some time after. */
void operator_worked(struct cluster_operator *cluster);
/* reconcile.c: merges what is dirty and writes it as files. */
void operator_reconcile(struct cluster_operator *cluster);
/* report.c: status and events of what is due. */
void operator_report(struct cluster_operator *cluster, uint64_t mono_ms);
/* report_profile.c: what was learned of a Guardian's service. service may be NULL. */
void operator_report_profile(struct cluster_operator *cluster, struct object *object,
                             const struct service *service, uint64_t mono_ms);
/* Of an object with another kind than Guardian: whether it can be used. */
void operator_check_defaults(struct cluster_operator *cluster);

#endif
