/* SPDX-License-Identifier: Apache-2.0 */
/* The log of daemons: JSON lines on standard error, {"time","level","event",...}. State changes
 * only, never per request. */
#ifndef GUARD_COMMON_LOG_H
#define GUARD_COMMON_LOG_H

#include <guard/types.h>

/* level: "info", "warn", "alarm" (someone must act). service may be empty. detail is free text. */
void log_event(const char *level, const char *event, struct guard_span service, const char *detail,
               ...) GUARD_PRINTF(4, 5);

#endif
