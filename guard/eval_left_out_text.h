/* SPDX-License-Identifier: Apache-2.0 */
/* Leave-one-class-out for people. */
#ifndef GUARD_CLI_EVAL_LEFT_OUT_TEXT_H
#define GUARD_CLI_EVAL_LEFT_OUT_TEXT_H

#include "eval_report.h"

/* Nothing where it wasn't asked for. */
void eval_left_out_print(const struct eval_run *run, FILE *out);

#endif
