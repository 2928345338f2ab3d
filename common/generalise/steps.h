/* SPDX-License-Identifier: Apache-2.0 */
/* Which of an exploit's requests are the exploit. */
#ifndef GUARD_COMMON_GENERALISE_STEPS_H
#define GUARD_COMMON_GENERALISE_STEPS_H

#include "common/generalise/branch.h"

/* Sets steps, one for each branch. */
void steps_choose(struct work *work, const struct branch *branches, uint32_t count,
                  enum generalise_step *steps);

#endif
