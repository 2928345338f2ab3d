/* SPDX-License-Identifier: Apache-2.0 */
/* Values at names and paths that have no support: nothing is normal there, but how often harmless
 * ones read like an attack is a part of what such a reading proves. */
#ifndef GD_LEARN_UNKNOWN_H
#define GD_LEARN_UNKNOWN_H

#include "learn/draft.h"

enum { GD_UNKNOWN_MAX = 8192 }; /* places, and as many again that read like something */

/* Measures all names in and below the group. owner: of the exchanges' other places. suspects: of
 * the endpoint; NULL: nobody. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_unknown_measure(struct gd_draft *draft,
                                                const struct gd_group *group, uint32_t owner,
                                                const struct gd_suspects *suspects);

#endif
