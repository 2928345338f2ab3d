/* SPDX-License-Identifier: Apache-2.0 */
/* Leave-one-class-out: what likeness adds against attacks whose grammar it doesn't know. All is
 * learned and judged again without one class of likeness, for each class that has attacks; attacks
 * count in the run without their own class. docs/guide/detection.md */
#ifndef GUARD_CLI_EVAL_LEFT_OUT_H
#define GUARD_CLI_EVAL_LEFT_OUT_H

#include "eval_run.h"

/* After eval_run: fills the detectors of EVAL_LEFT_OUT and run->left_out, or run->left_out_skipped.
 * Of several classes the benign requests of the row are those of the class without which most are
 * blocked in vain. False after a message. */
bool eval_left_out(struct eval_run *run);
/* Attacks of run whose own class it is, by one of its other detectors. */
struct eval_share eval_left_out_attacks(const struct eval_run *run, enum guard_likeness class_out,
                                        int detector);
/* The class of a cell; GUARD_LIKENESS_COUNT for none. */
enum guard_likeness eval_left_out_class(const struct eval_cell *cell);

#endif
