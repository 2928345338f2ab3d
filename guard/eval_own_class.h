/* SPDX-License-Identifier: Apache-2.0 */
/* Which class of likeness knows the grammar of a label's class of attacks. */
#ifndef GUARD_CLI_EVAL_OWN_CLASS_H
#define GUARD_CLI_EVAL_OWN_CLASS_H

#include <guard/likeness.h>

/* GUARD_LIKENESS_COUNT: none does, or the label doesn't say what kind of attack it is. */
enum guard_likeness eval_own_class(struct guard_span label_class);

#endif
