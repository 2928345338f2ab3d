/* SPDX-License-Identifier: Apache-2.0 */
/* JSON without blanks, as json_writer makes it, laid out for people: in lines with indents, or as
 * YAML. */
#ifndef GUARD_COMMON_JSON_LAYOUT_H
#define GUARD_COMMON_JSON_LAYOUT_H

#include <guard/types.h>

enum json_layout { JSON_LAYOUT_LINES, JSON_LAYOUT_YAML };
enum { JSON_LAYOUT_DEPTH_MAX = 256 };

/* Into the arena, with a line feed at the end. json must be one object or array of json_writer's;
 * nested deeper than JSON_LAYOUT_DEPTH_MAX is GUARD_E_LIMIT. Keys of more than 1024 bytes can't be
 * read as YAML. GUARD_E_NOMEM, GUARD_E_SYNTAX. */
GUARD_MUST_USE enum guard_rc json_layout(struct guard_span json, enum json_layout layout,
                                         struct guard_arena *arena, struct guard_span *out,
                                         struct guard_err *err);

#endif
