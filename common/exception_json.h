/* SPDX-License-Identifier: Apache-2.0 */
/* What an exception is, as JSON for programs: the same in the API and of the command line. */
#ifndef GUARD_COMMON_EXCEPTION_JSON_H
#define GUARD_COMMON_EXCEPTION_JSON_H

#include "common/json_writer.h"
#include "common/patch_json.h"

#include <guard/exception.h>

/* now_ms: Unix time. */
enum patch_standing exception_standing(const struct guard_exception *exception, uint64_t now_ms);
/* Members of an object that is open: id to scope, of which what isn't said is left out. */
void exception_json(struct json_writer *json, const struct guard_exception *exception,
                    uint64_t now_ms);

#endif
