/* SPDX-License-Identifier: Apache-2.0 */
/* How a number is spread, drawn in a line for people at a terminal. */
#ifndef GUARD_COMMON_NUMBER_TEXT_H
#define GUARD_COMMON_NUMBER_TEXT_H

#include "common/model_numbers.h"

enum {
    NUMBER_TEXT_MAX = 640,
    NUMBER_TEXT_GROUPS = 40 /* more buckets share columns */
};

/* "length   .@#:|.  half to 5, 99 of 100 to 8 bytes; limit 3..8; 1 of 69 beyond". A column is a
 * bucket, or as many as there are too many; the highest is full, a blank stands for a gap, a bar
 * for a limit. blocks: in blocks of Unicode, else in ASCII. NUL-terminated. */
void number_text(const struct number_view *view, bool blocks, char out[NUMBER_TEXT_MAX]);
/* There is something to see: more than one bucket, which the limit alone tells; of bodies and times
 * any. */
bool number_text_tells(const struct number_view *view);

#endif
