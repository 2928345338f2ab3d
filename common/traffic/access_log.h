/* SPDX-License-Identifier: Apache-2.0 */
/* A line of an access log as an exchange: request line, status, times, client, and those headers
 * that were logged. */
#ifndef GUARD_COMMON_TRAFFIC_ACCESS_LOG_H
#define GUARD_COMMON_TRAFFIC_ACCESS_LOG_H

#include "common/traffic/log_format.h"

#include <guard/exchange.h>

enum { ACCESS_LOG_FORMATS_MAX = 4, ACCESS_LOG_LINE_MAX = 1 << 20 };

struct access_log {
    struct log_format formats[ACCESS_LOG_FORMATS_MAX];
    uint32_t count;
    uint32_t latest; /* the format of the last line: tried first */
};

/* format: see log_format_read; NULL: the well-known ones, each line by what fits. */
GUARD_MUST_USE enum guard_rc access_log_init(struct access_log *log, const char *format,
                                             struct guard_err *err);
/* line without its newline, borrowed as long as the exchange; the arena needs room for three times
 * its size. *skipped is set, with GUARD_OK and no exchange, for a line that tells of a connection
 * without a readable request ("-" 400). Headers that describe a body are left out: no body is
 * known. GUARD_E_SYNTAX with what is wrong in err, GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc access_log_read(struct access_log *log, struct guard_exchange *out,
                                             bool *skipped, struct guard_span line,
                                             struct guard_arena *arena, struct guard_err *err);

#endif
