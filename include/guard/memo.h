/* SPDX-License-Identifier: Apache-2.0 */
/* What one thread remembers from exchange to exchange: most headers of a client come again as they
 * were. Only speed depends on it; whatever is remembered, verdicts and records are the same. */
#ifndef GUARD_MEMO_H
#define GUARD_MEMO_H

#include <guard/types.h>

struct guard_memo;

/* About 140 KiB, for one thread; serves any number of services and policies. alloc is copied, what
 * it refers to must outlive the memo. GUARD_E_NOMEM. The caller owns *out. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_memo_new(struct guard_memo **out,
                                                      const struct guard_alloc *alloc);
/* NULL is allowed. No exchange that was begun with it may be open any more. */
GUARD_API void guard_memo_free(struct guard_memo *memo);

#endif
