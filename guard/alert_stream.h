/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts as a server tells them when they happen, across whatever interrupts it. */
#ifndef GUARD_CLI_ALERT_STREAM_H
#define GUARD_CLI_ALERT_STREAM_H

#include "remote.h"

/* Hands on each alert behind last_id, until take returns false (true then) or the server refuses
 * (false, after a message). When the connection ends it goes on where it was: what is no longer
 * kept by then is told on standard error. service NULL: all. */
bool alert_stream(const struct remote *remote, const char *service, const char *last_id,
                  bool (*take)(void *ctx, struct guard_span line), void *ctx);

#endif
