/* SPDX-License-Identifier: Apache-2.0 */
/* Sends the batches of one output, one at a time and without waiting: into a file, by HTTP (signed
 * when there is a secret) or by syslog. */
#ifndef GUARD_COMMON_OUTPUTS_SENDER_H
#define GUARD_COMMON_OUTPUTS_SENDER_H

#include "common/outputs/document.h"

enum { SENDER_TIMEOUT_MS = 20000, SENDER_SECRET_MAX = 4096, SENDER_SECRET_MIN = 16 };

enum sender_state { SENDER_BUSY, SENDER_SENT, SENDER_FAILED };

struct sender_end {
    unsigned status; /* of HTTP, 0 without an answer */
    uint32_t retry_after_s;
    struct guard_err err; /* why it failed */
};

struct output_sender;

/* cfg must outlive it. GUARD_E_RANGE, GUARD_E_IO, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc output_sender_new(struct output_sender **out,
                                               const struct output_cfg *cfg, struct guard_err *err);
/* What is under way is given up. */
void output_sender_free(struct output_sender *sender);
/* body is copied. delivery names the batch: the same when it is sent again. GUARD_E_IO (also: a
 * secret that others may read), GUARD_E_LIMIT, GUARD_E_NOMEM: nothing is under way. */
GUARD_MUST_USE enum guard_rc output_sender_begin(struct output_sender *sender,
                                                 struct guard_span body, const char *delivery,
                                                 uint64_t now_ms, struct guard_err *err);
/* Goes on with what is under way; end is set when that is over. */
enum sender_state output_sender_run(struct output_sender *sender, struct sender_end *end);

#endif
