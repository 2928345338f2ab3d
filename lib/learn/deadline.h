/* SPDX-License-Identifier: Apache-2.0 */
/* How long an endpoint takes at most, where there is such a bound at all. */
#ifndef GD_LEARN_DEADLINE_H
#define GD_LEARN_DEADLINE_H

#include "learn/draft.h"

struct gd_deadline {
    uint32_t latency_max; /* milliseconds; 0: none */
    const char *lacks;    /* why there is none, for people; "" when there is one */
};

/* Of an endpoint that is trusted. */
struct gd_deadline gd_deadline(const struct gd_draft *draft,
                               const struct gd_draft_endpoint *endpoint);

#endif
