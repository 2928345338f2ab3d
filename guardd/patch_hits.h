/* SPDX-License-Identifier: Apache-2.0 */
/* How often patches were hit since guardd was started, as alerts tell. */
#ifndef GUARDD_PATCH_HITS_H
#define GUARDD_PATCH_HITS_H

#include "common/state.h"

#include <guard/patch.h>

enum { PATCH_HITS_MAX = 4096 };

/* The patch of a service. */
struct patch_hit {
    char service[STATE_SERVICE_MAX + 1];
    char patch[GUARD_PATCH_ID_MAX + 1];
    uint64_t hits;
    uint64_t shadow_hits; /* not among hits */
};

/* Of what hostile gates tell no more than PATCH_HITS_MAX are known. Zeroed: empty. */
struct patch_hits {
    struct patch_hit *list; /* malloc'd */
    uint32_t count;
    uint64_t left_out; /* alerts of others */
};

/* Names that can't be ones are left out. */
void patch_hits_add(struct patch_hits *hits, struct guard_span service, struct guard_span patch,
                    bool shadow, uint64_t count);
/* NULL: there were none. */
const struct patch_hit *patch_hits_find(const struct patch_hits *hits, struct guard_span service,
                                        struct guard_span patch);
void patch_hits_free(struct patch_hits *hits);

#endif
