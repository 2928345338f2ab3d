/* SPDX-License-Identifier: Apache-2.0 */
/* A set of bytes, written as what stands between the brackets of a regular expression. */
#ifndef GD_PATCH_BYTE_SET_H
#define GD_PATCH_BYTE_SET_H

#include "base/span.h"

struct gd_byte_set {
    uint64_t bits[4];
};

/* "a-z0-9._-", with escapes \\ \] \- \^ \t \r \n \d \w \s \xNN; '^' at the begin: all others. NULL,
 * or what is wrong with it (a static text). */
const char *gd_byte_set_parse(struct gd_byte_set *set, struct guard_span text);

static inline bool gd_byte_set_has(const struct gd_byte_set *set, uint8_t byte)
{
    return (set->bits[byte >> 6] >> (byte & 63) & 1) != 0;
}

#endif
