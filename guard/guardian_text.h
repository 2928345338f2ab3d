/* SPDX-License-Identifier: Apache-2.0 */
/* What people say in Guardians, for people: shown as it would be written, and compared. */
#ifndef GUARD_CLI_GUARDIAN_TEXT_H
#define GUARD_CLI_GUARDIAN_TEXT_H

#include <stdbool.h>

/* A name of a Guardian document, by its ending: .yaml, .yml or .json. */
bool is_guardian_name(const char *path);
/* Prints what the Guardian says of traffic, whatever order and form it was written in; false after
 * a message. */
bool guardian_text_print(const char *path);
/* Prints what only one of two Guardians says, by member; the number of lines, -1 after a message.
 */
int guardian_text_diff(const char *path_a, const char *path_b);

#endif
