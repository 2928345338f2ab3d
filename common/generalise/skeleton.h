/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in which nothing is recognised, as regular expressions: the same text with its blanks,
 * numbers and tokens free. */
#ifndef GUARD_COMMON_GENERALISE_SKELETON_H
#define GUARD_COMMON_GENERALISE_SKELETON_H

#include "common/generalise/work.h"

enum { SKELETON_TEXT_MAX = 512 };

/* tokens may be NULL. anchored: the whole value. Empty when nothing of it is left, or after
 * failing. Linear to match: what is free never holds the byte that follows it. */
struct guard_span skeleton(struct work *work, struct guard_span text, const uint8_t *tokens,
                           bool anchored);
/* Of longer texts: up to three pieces that say most, all to be there; NULL: there is none. */
struct guard_patch_condition *skeleton_pieces(struct work *work, uint32_t place,
                                              struct guard_span name, struct guard_span text,
                                              const uint8_t *tokens);

#endif
