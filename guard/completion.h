/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand where on a command line, and the scripts that tell shells. */
#ifndef GUARD_CLI_COMPLETION_H
#define GUARD_CLI_COMPLETION_H

#include "command.h"

#include <stdio.h>

/* Of what kind an option's value is: "FILE", "DIR", "SERVICE", alternatives as "a|b", or "TEXT" for
 * what can't be completed. */
const char *option_value_kind(const struct option_spec *option);

/* Each writes the whole script of one shell for one program, "guard" or "guardd". */
void completion_bash(FILE *out, bool daemon);
void completion_zsh(FILE *out, bool daemon);
void completion_fish(FILE *out, bool daemon);

#endif
