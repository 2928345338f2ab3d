/* SPDX-License-Identifier: Apache-2.0 */
/* The named values of a request, read simply: for the baseline and for the names of what was put
 * where. Guard's own view isn't used, so that the baseline owes it nothing. */
#ifndef GUARD_CLI_EVAL_VALUES_H
#define GUARD_CLI_EVAL_VALUES_H

#include <guard/exchange.h>

enum { EVAL_VALUES_MAX = 200, EVAL_VALUE_BYTES_MAX = 4096, EVAL_NAME_MAX = 512 };

/* location as labels spell it; name and value, decoded, live during the call. */
typedef void eval_value_fn(void *ctx, const char *location, struct guard_span name,
                           struct guard_span value);
/* Path segments (seg0, ...), query, form, JSON and multipart values; the first EVAL_VALUES_MAX.
 * What has no name ("?1234", bodies of bytes) is none. The arena is scratch; what it has no room
 * for is left out. */
void eval_values(const struct guard_exchange *exchange, struct guard_arena *arena,
                 eval_value_fn *take, void *ctx);
/* The first header of that name (lower case); empty when there is none. */
struct guard_span eval_header(const struct guard_exchange *exchange, const char *name);

#endif
