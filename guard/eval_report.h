/* SPDX-License-Identifier: Apache-2.0 */
/* The report card of one run, for people and for programs. */
#ifndef GUARD_CLI_EVAL_REPORT_H
#define GUARD_CLI_EVAL_REPORT_H

#include "common/json_writer.h"
#include "eval_run.h"

#include <stdio.h>

/* Why the ModSecurity baseline isn't there, or NULL. */
struct eval_report_notes {
    const char *modsecurity_skipped;
};

void eval_report_text(struct eval_run *run, const struct eval_report_notes *notes, FILE *out);
/* One object, of the same members and meaning as the independent scorer's where it has them. */
void eval_report_json(struct eval_run *run, const struct eval_report_notes *notes,
                      struct json_writer *json);

/* Attacks blocked by column and alpha, as SET-card.svg in the folder. False after a message. */
bool eval_report_plot(const struct eval_run *run, const char *folder);

/* Calls write with ever larger buffers until all fits, and prints it with a line end. False after a
 * message. */
bool eval_json_print(void (*write)(void *ctx, struct json_writer *json), void *ctx);

/* Hex of the first 8 bytes of a digest. */
const char *eval_short_digest(const uint8_t digest[GUARD_DIGEST_BYTES], char out[17]);
/* "1e-3", "0.02". */
const char *eval_alpha_text(double alpha, char out[16]);
/* Digest of program, constants, settings, and of the bytes of all files of the run's set: into
 * run->digest. False after a message. */
bool eval_report_digest(struct eval_run *run);

#endif
