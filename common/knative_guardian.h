/* SPDX-License-Identifier: Apache-2.0 */
/* Guardian objects of Knative Security-Guard (guard.security.knative.dev/v1alpha1), taken over as
 * far as they say what a Guardian can say. What they say beyond that is named, never guessed. */
#ifndef GUARD_COMMON_KNATIVE_GUARDIAN_H
#define GUARD_COMMON_KNATIVE_GUARDIAN_H

#include "common/document.h"

#include <guard/guardian.h>

enum { KNATIVE_PATHS_MAX = 64, KNATIVE_PATH_TEXT = 512 };

struct knative_import {
    struct guard_span service; /* its name; empty: that of the object */
    /* Endpoints whose requests the criteria on queries and bodies are for. The object has one set
     * of them for all paths; a Guardian names endpoints, for whoever names every path switches
     * off what was learned of paths. 0: these criteria are left out. */
    const struct guard_span *paths;
    uint32_t path_count;
    bool configured; /* take criteria that the object itself doesn't use (auto, not active) */
    /* Called for what has no equivalent. path: "spec.configured.req.proto"; count: in how many
     * places, this being the first. May be NULL. */
    void (*left_out)(void *ctx, const struct document_node *at, const char *path, const char *why,
                     uint32_t count);
    void *ctx;
};

/* The object, or its `spec` alone. Everything lives in the document's arena. GUARD_E_SYNTAX,
 * GUARD_E_RANGE with file:line:column, GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc knative_guardian(struct guard_guardian *out,
                                              const struct document *document,
                                              const struct knative_import *import,
                                              struct guard_err *err);

#endif
