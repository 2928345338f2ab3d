/* SPDX-License-Identifier: Apache-2.0 */
/* An entry of a HAR 1.2 document as an exchange. */
#ifndef GUARD_COMMON_TRAFFIC_HAR_ENTRY_H
#define GUARD_COMMON_TRAFFIC_HAR_ENTRY_H

#include <guard/exchange.h>

enum { HAR_ENTRY_MAX = 64 << 20 };

/* entry is one JSON object, borrowed as long as the exchange; the arena needs room for twice its
 * size. Bodies are decoded already, so content-encoding (and the length that belonged to it) is
 * left out where a body is known. *skipped is set, with GUARD_OK and no exchange, for what isn't an
 * HTTP exchange with a server: data:, blob:, ws:, file: ... GUARD_E_SYNTAX with what is wrong in
 * err, GUARD_E_LIMIT (more headers than the maximum), GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc har_entry_read(struct guard_exchange *out, bool *skipped,
                                            struct guard_span entry, struct guard_arena *arena,
                                            struct guard_err *err);

#endif
