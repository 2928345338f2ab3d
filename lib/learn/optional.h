/* SPDX-License-Identifier: Apache-2.0 */
/* Names that a protocol lets anyone leave out: that a record lacks one says nothing. */
#ifndef GD_LEARN_OPTIONAL_H
#define GD_LEARN_OPTIONAL_H

#include "learn/draft.h"

/* Selections of GraphQL (what a client asks for is its choice; operations, arguments and variables
 * aren't optional), and fields of protocol buffers (absent means the default). */
bool gd_field_optional(const struct gd_draft_field *field);

#endif
