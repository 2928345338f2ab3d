/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by class, and by class, location and encoding, as far as labels say. */
#ifndef GUARD_CLI_EVAL_CELLS_H
#define GUARD_CLI_EVAL_CELLS_H

#include "eval_run.h"

/* blocked: a bit per detector. What has no room any more counts in no cell. */
void eval_cells_add(struct eval_run *run, const struct eval_label *label, uint32_t blocked);
/* NULL when there is none. */
struct eval_cell *eval_cells_find(struct eval_run *run, const char *key, bool class_only);
/* By name. */
void eval_cells_sort(struct eval_run *run);

#endif
