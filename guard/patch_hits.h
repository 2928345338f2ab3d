/* SPDX-License-Identifier: Apache-2.0 */
/* How often each patch of a service was hit, as the log of alerts tells. */
#ifndef GUARD_CLI_PATCH_HITS_H
#define GUARD_CLI_PATCH_HITS_H

#include "patch_verbs.h"

struct patch_hits {
    uint64_t hits;
    uint64_t shadow_hits; /* not among hits */
    double last_ms;       /* Unix time; 0: never */
};

struct patch_tally {
    const struct guard_patch *patches;
    uint32_t count;
    struct guard_span service;
    struct patch_hits *hits; /* as many */
    double since_ms;         /* of the oldest alert of any service; 0: there is none */
};

/* In the call's arena; of the files or of the server. False after a message. */
bool patch_tally_read(struct patch_tally *out, const struct patch_call *call,
                      const struct guard_guardian *guardian);

#endif
