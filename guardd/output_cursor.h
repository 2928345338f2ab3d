/* SPDX-License-Identifier: Apache-2.0 */
/* outputs/NAME.json: how far an output is, for guardd after a restart, for `guard outputs list`,
 * and what came of a test. */
#ifndef GUARDD_OUTPUT_CURSOR_H
#define GUARDD_OUTPUT_CURSOR_H

#include "outputs.h"

/* False: there is none that can be read; *out is untouched. *broken: there is one. */
bool output_cursor_load(struct output_cursor *out, const char *state, const char *name,
                        bool *broken);
GUARD_MUST_USE enum guard_rc output_cursor_save(const struct output *output, const char *state,
                                                uint64_t lag, struct guard_err *err);
/* True once for each request of `guard outputs test`. */
bool output_test_asked(const char *state, const char *name);

#endif
