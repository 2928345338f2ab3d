/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets of a folded pile as people read them: <guard/histogram.h>. */
#ifndef GD_LEARN_HISTOGRAM_H
#define GD_LEARN_HISTOGRAM_H

#include "learn/fold.h"

#include <guard/histogram.h>

/* elements: sorted by code. records: of what the number is of. Limits are left as they are.
 * GUARD_E_NOMEM. Buckets lie in the arena. */
GUARD_MUST_USE enum guard_rc gd_histogram_write(struct guard_histogram *out,
                                                enum guard_number number,
                                                const struct gd_groups *elements, uint64_t records,
                                                struct guard_arena *arena);
/* Has the same buckets. */
bool gd_histogram_same(const struct guard_histogram *a, const struct guard_histogram *b);

#endif
