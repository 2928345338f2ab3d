/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as logs and HAR files write them, without the C library's locale and time zone. */
#ifndef GUARD_COMMON_TRAFFIC_TIMESTAMP_H
#define GUARD_COMMON_TRAFFIC_TIMESTAMP_H

#include <guard/types.h>

/* Milliseconds since 1970. "2026-03-01T12:00:00.123+01:00", "...Z"; without zone it is UTC. */
bool timestamp_iso8601(struct guard_span text, uint64_t *out_ms);
/* "10/Oct/2000:13:55:36 -0700" */
bool timestamp_log(struct guard_span text, uint64_t *out_ms);
/* Thousandths of a plain decimal number: "1772410168.794" is 1772410168794. */
bool timestamp_thousandths(struct guard_span text, uint64_t *out);

#endif
