/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts as the programs' contract writes them. */
#ifndef GUARD_CLI_VERDICT_JSON_H
#define GUARD_CLI_VERDICT_JSON_H

#include <guard/verdict.h>

enum { VERDICT_JSON_MAX = 32 * 1024 };

/* One line without its end: {"id":...,"verdict":...,"score":...,"findings":[...]}. The id (an
 * exchange's, of any length) is cut at 1 KiB. Returns the length. */
size_t verdict_json(struct guard_span id, const struct guard_verdict *verdict,
                    char out[VERDICT_JSON_MAX]);

#endif
