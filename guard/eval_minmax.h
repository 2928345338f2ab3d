/* SPDX-License-Identifier: Apache-2.0 */
/* A baseline: the learner of Guard's ancestor. Of each parameter the least and the greatest count
 * of digits, letters, blanks, specials, controls, other characters and runs, and the set of
 * specials that were seen; anything beyond is blocked. No support, no calibration, no clients. */
#ifndef GUARD_CLI_EVAL_MINMAX_H
#define GUARD_CLI_EVAL_MINMAX_H

#include "eval_tally.h"

#include <guard/exchange.h>

enum { EVAL_MINMAX_KEYS = 65536 };

struct eval_minmax;

/* NULL without memory. */
struct eval_minmax *eval_minmax_new(void);
void eval_minmax_free(struct eval_minmax *minmax);
/* The arena is scratch. Headers aren't read. */
void eval_minmax_learn(struct eval_minmax *minmax, const struct guard_exchange *exchange,
                       struct guard_arena *arena);
/* The name in *out lives in the arena. */
void eval_minmax_judge(struct eval_minmax *minmax, const struct guard_exchange *exchange,
                       struct guard_arena *arena, struct eval_said *out);

#endif
