/* SPDX-License-Identifier: Apache-2.0 */
/* Where the API server is and who we are there: as a pod is told, or from a kubeconfig. */
#ifndef GUARD_COMMON_KUBERNETES_CONFIG_H
#define GUARD_COMMON_KUBERNETES_CONFIG_H

#include "common/http_client.h"

enum { KUBERNETES_NAMESPACE_CAP = 64 };

struct kubernetes_config {
    struct http_client_cfg http;              /* texts live in the arena */
    char namespace[KUBERNETES_NAMESPACE_CAP]; /* ours; "default" when nothing says it */
    struct guard_arena arena;
};

/* "in-cluster": of the pod that this runs in. The token is read for each request, so that a new
 * one holds at once. Otherwise the file of a kubeconfig; what it names lies beside it. Programs
 * that make credentials (exec) aren't run, and unverified servers not talked to: GUARD_E_RANGE.
 * Others: GUARD_E_IO, GUARD_E_SYNTAX, GUARD_E_NOMEM. kubernetes_config_free in any case: it
 * overwrites what was read. */
GUARD_MUST_USE enum guard_rc kubernetes_config_load(struct kubernetes_config *out,
                                                    const char *where, struct guard_err *err);
/* The text of a kubeconfig; folder: that of its file. */
GUARD_MUST_USE enum guard_rc kubernetes_config_parse(struct kubernetes_config *out,
                                                     const char *name, const char *folder,
                                                     struct guard_span text, struct guard_err *err);
void kubernetes_config_free(struct kubernetes_config *config);

#endif
