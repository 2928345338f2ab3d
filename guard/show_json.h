/* SPDX-License-Identifier: Apache-2.0 */
/* `guard show --format json`. */
#ifndef GUARD_CLI_SHOW_JSON_H
#define GUARD_CLI_SHOW_JSON_H

#include <guard/model.h>

/* One document on standard output. support: of how many clients a thing needs. False after a
 * message. */
bool show_json(const struct guard_model *model, uint32_t support);

#endif
