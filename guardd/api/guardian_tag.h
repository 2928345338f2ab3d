/* SPDX-License-Identifier: Apache-2.0 */
/* Entity tags of Guardian documents: what tells whether the one in place is the one that somebody
 * read. */
#ifndef GUARDD_API_GUARDIAN_TAG_H
#define GUARDD_API_GUARDIAN_TAG_H

#include <guard/types.h>

enum { GUARDIAN_TAG_CAP = 33 };

/* The head of the bytes' digest, hexadecimal. */
void guardian_tag(struct guard_span text, char out[GUARDIAN_TAG_CAP]);
/* Whether a header (If-Match, If-None-Match) names it: "*", or one of a list, in whichever form
 * ("-yaml") it was read. Weak tags never match. */
bool guardian_tag_named(const char *header, const char *tag);

#endif
