/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a proposal: what the service is known to get, how often the patch is right, and how
 * much of the traffic it looks at. */
#ifndef GUARD_COMMON_PROPOSE_PARTS_H
#define GUARD_COMMON_PROPOSE_PARTS_H

#include "common/propose/propose.h"

/* Benign requests that the patch stopped, one behind the other, as far as there is room. Zeroed:
 * none; the caller frees text. */
struct proposal_stopped {
    uint8_t *text;
    size_t len;
};

/* Enforces the patch alone, and holds the exploit, other writings of it and the benign requests
 * against it. Adds to stopped. GUARD_E_NOMEM, and what the policy or the benign requests fail with.
 */
GUARD_MUST_USE enum guard_rc
proposal_measure(const struct exploit *exploit, const struct generalised *made,
                 const struct proposal_benign *benign, struct proposal_rates *out,
                 struct proposal_stopped *stopped, struct guard_err *err);

/* What was learned of a service, judged for each request of the exploit; nothing is known where its
 * endpoint isn't learned. out is filled for generalise. The exploit must outlive it. The caller
 * frees *known in any case. */
struct proposal_known;
GUARD_MUST_USE enum guard_rc proposal_known_of(struct proposal_known **known,
                                               const struct guard_guardian *guardian,
                                               const struct guard_model *model,
                                               const struct exploit *exploit,
                                               struct generalise_known *out, struct guard_err *err);
void proposal_known_free(struct proposal_known *known);

void proposal_reach_of(const struct guard_patch *patch, const struct guard_model *model,
                       struct proposal_reach *out);

#endif
