/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the webhook's certificate without anybody's help: its authority stands in a Secret, the API
 * server is told whom to trust in the webhook's own configuration, and nginx gets files. Replicas
 * agree by the version of the Secret. docs/internals/kubernetes.md */
#ifndef GUARD_CLI_CERTIFICATE_KEEPER_H
#define GUARD_CLI_CERTIFICATE_KEEPER_H

#include "common/kubernetes/authority.h"

struct keeper_cfg {
    const char *cluster;       /* as kubernetes_config_load */
    const char *secret;        /* in our own namespace; it must be there, empty at first */
    const char *configuration; /* of the webhook */
    const char *names;         /* of the server; NULL: guard-webhook.NAMESPACE.svc */
    const char *certificate;   /* where the files are written */
    const char *key;
    uint64_t valid_ms;
    uint64_t overlap_ms;
};

struct keeper;

/* GUARD_E_RANGE, and what is wrong with the cluster's description. */
GUARD_MUST_USE enum guard_rc keeper_open(struct keeper **out, const struct keeper_cfg *cfg,
                                         struct guard_err *err);
/* Does what is due; NULL: nothing. */
void keeper_tick(struct keeper *keeper);
/* Whether the files are there. */
bool keeper_ready(const struct keeper *keeper);
int keeper_fd(const struct keeper *keeper);
void keeper_close(struct keeper *keeper);

#endif
