/* SPDX-License-Identifier: Apache-2.0 */
/* The alerts that guardd wrote, as the operator's commands read them: alerts.jsonl and the older
 * files that it was renamed to. */
#ifndef GUARD_CLI_ALERT_LOG_H
#define GUARD_CLI_ALERT_LOG_H

#include "state_files.h"

#include <stdio.h>

/* One line, parsed; both live until take returns. */
typedef void (*alert_take)(void *ctx, const struct document_node *alert, struct guard_span line);

/* The whole lines of a file from where it stands; an unfinished last one is left for the next time.
 * Lines that are no JSON are passed over. */
void alert_log_lines(FILE *file, alert_take take, void *ctx);
/* One line of it. */
void alert_log_line(struct guard_span line, alert_take take, void *ctx);
/* All lines that are kept, oldest file first. False after a message; no file at all is no failure,
 * and *any tells. */
bool alert_log_all(const char *dir, alert_take take, void *ctx, bool *any);
/* The same of another log that is rotated alike, as audit.jsonl. */
bool log_all(const char *dir, const char *file_name, alert_take take, void *ctx, bool *any);
/* Whether the line tells of the exchange with this id: as its own, as one of those folded into it,
 * or as what caused it. */
bool alert_names(const struct document_node *alert, const char *id);
/* "2026-11-27 05:20:11" in the user's time zone. Returns out. */
const char *alert_time(char out[32], double time_ms);

#endif
