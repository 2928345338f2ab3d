/* SPDX-License-Identifier: Apache-2.0 */
/* An alert of guardd's log in the form of an output, and whether the output wants it. */
#ifndef GUARD_COMMON_OUTPUTS_FORM_H
#define GUARD_COMMON_OUTPUTS_FORM_H

#include "common/json_writer.h"
#include "common/outputs/document.h"

struct document_node;

enum { OUTPUT_ALERT_MAX = 128 * 1024 }; /* in any form */

/* What forms need to know besides the alert. */
struct output_place {
    const char *host;
    long pid;
    uint64_t now_ms;
    uint64_t fold_ms;
};

bool output_wants(const struct output_cfg *cfg, const struct document_node *alert);
/* Writes at most cap bytes; 0: there wasn't room. line: the alert as it stands in the log, without
 * a line's end. For files with a line's end, for syslog with the length before it. */
size_t output_write(char *out, size_t cap, const struct output_cfg *cfg,
                    const struct output_place *place, const struct document_node *alert,
                    struct guard_span line);
/* An alert of guardd itself as a line of the log: that so many lines were skipped, or a test. */
size_t output_own_line(char *out, size_t cap, const struct output_place *place, const char *text,
                       uint64_t skipped);

#endif
