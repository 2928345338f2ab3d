/* SPDX-License-Identifier: Apache-2.0 */
/* responder.yaml: for which workloads what may be done, and by which commands. Everything is off
 * and a dry run unless it says otherwise. docs/guide/pods.md */
#ifndef RESPONDER_CONFIG_H
#define RESPONDER_CONFIG_H

#include "contain_rules.h"

#include "common/kubernetes/pod_actions.h"

#include <guard/pod_response.h>

enum {
    CONFIG_WORKLOADS_MAX = 64,
    CONFIG_WORDS_MAX = 32,                    /* of a command */
    CONFIG_ALLOW_MAX = CONTAIN_ALLOW_MAX - 2, /* besides loopback */
    CONFIG_LABELS_OURS = 3,                   /* that are given to each relabelled pod */
    CONFIG_LABELS_MAX = POD_LABELS_MAX - CONFIG_LABELS_OURS,
};

enum contain_by {
    CONTAIN_BY_DENY,           /* programs in the kernel */
    CONTAIN_BY_FREEZE,         /* cgroup.freeze: the pod stands still */
    CONTAIN_BY_DENY_OR_FREEZE, /* the latter where the kernel refuses the former */
};

struct step_cfg {
    char **command;    /* NULL: none; NULL behind its last word */
    uint64_t every_ms; /* between two runs of a command that said "not yet" */
    uint64_t watch_ms; /* of VERIFY */
    bool kill;         /* of REMOVE: cgroup.kill */
    /* By the API server. */
    bool evict;       /* of REMOVE */
    bool replacement; /* of WAIT_READY: a newer pod of the workload is ready */
    struct pod_label labels[CONFIG_LABELS_MAX]; /* of OUT_OF_SERVICE */
    uint32_t label_count;
    uint32_t keep; /* pods of the workload that are kept relabelled at once */
    bool deny;     /* and a NetworkPolicy */
};

struct workload_cfg {
    const char *name_space;
    const char *workload;
    const char *container; /* NULL: any */
    struct guard_pod_plan plan;
    struct step_cfg steps[GUARD_POD_STEPS];
    struct guard_pod_budget_cfg budget;
    uint32_t replicas_max; /* more than an order may claim */
};

struct responder_cfg {
    const char *state; /* of its own, nobody else's */
    const char *guard; /* guardd's state directory */
    const char *cgroup_root;
    const char *kubernetes; /* "in-cluster" or a kubeconfig's path; NULL: no cluster */
    bool dry_run;
    bool resumes;      /* a stopped workload is let go on when guardd is asked for it, too */
    uint64_t order_ms; /* older orders aren't carried out */
    uint32_t per_hour; /* pods of all workloads together */
    enum contain_by by;
    struct contain_allow allow[CONTAIN_ALLOW_MAX];
    uint32_t allow_count;
    uint64_t hold_ms; /* a pod that is kept stays contained so long */
    uint64_t capture_bytes;
    uint32_t capture_processes;
    uint32_t capture_keep; /* folders; then no further ones are made */
    struct workload_cfg workloads[CONFIG_WORKLOADS_MAX];
    uint32_t workload_count;
};

/* Texts live in the arena. GUARD_E_SYNTAX, GUARD_E_RANGE, GUARD_E_LIMIT, GUARD_E_VERSION with
 * "name:line:column: ..."; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc config_parse(struct responder_cfg *out, const char *name,
                                          struct guard_span bytes, struct guard_arena *arena,
                                          struct guard_err *err);
/* A file that others than its owner may write, or that isn't root's or ours, is refused, and so are
 * such commands. GUARD_E_IO, and as config_parse. */
GUARD_MUST_USE enum guard_rc config_load(struct responder_cfg *out, const char *path,
                                         struct guard_arena *arena, struct guard_err *err);
/* NULL: the workload isn't configured. */
const struct workload_cfg *config_workload(const struct responder_cfg *cfg, const char *name_space,
                                           const char *workload, const char *container);

#endif
