/* SPDX-License-Identifier: Apache-2.0 */
/* The words of patches in documents that reading, writing and reports share. */
#ifndef GUARD_COMMON_GUARDIAN_PATCH_WORDS_H
#define GUARD_COMMON_GUARDIAN_PATCH_WORDS_H

#include <guard/patch.h>

enum { PATCH_PLACES = 13 };

/* "off", "shadow", "enforce" */
const char *patch_mode_word(enum guard_patch_mode mode);
/* "alert", "block" */
const char *patch_action_word(enum guard_patch_action action);
/* "request", "response" */
const char *patch_part_word(enum guard_patch_part part);
/* "decoded", "text", "raw" */
const char *patch_view_word(enum guard_patch_view view);

/* The other way round: the number of the word, -1 when it is none of them. */
int patch_mode_of(struct guard_span word);
int patch_action_of(struct guard_span word);
int patch_part_of(struct guard_span word);
int patch_view_of(struct guard_span word);
/* The bit of a place's word, of a likeness's; 0 when it is none. */
uint32_t patch_place_bit(struct guard_span word);
uint32_t patch_likeness_bit(struct guard_span word);

#endif
