/* SPDX-License-Identifier: Apache-2.0 */
/* Whether there is enough evidence to judge by, and what people should wait for when there isn't.
 */
#ifndef GD_LEARN_READINESS_H
#define GD_LEARN_READINESS_H

#include "learn/draft.h"

#include <guard/model.h>

enum { GD_LACKS_MAX = 64 };

struct gd_readiness {
    bool ready;
    uint32_t progress;        /* per mille */
    char lacks[GD_LACKS_MAX]; /* "3 of 4 clients"; "" when ready */
};

void gd_endpoint_readiness(struct gd_readiness *out, const struct gd_draft *draft,
                           const struct gd_draft_endpoint *endpoint);
/* Of what a request of the endpoint is answered with: by the class of status that it has most. The
 * endpoint is trusted. */
void gd_response_readiness(struct gd_readiness *out, const struct gd_draft *draft,
                           const struct gd_draft_endpoint *endpoint);
/* From the endpoints' readiness in the model, whose counts are filled in. progress of endpoint i is
 * progress[i]. */
void gd_service_readiness(struct guard_model *model, const struct gd_draft *draft,
                          const uint32_t *progress);

#endif
