/* SPDX-License-Identifier: Apache-2.0 */
/* What regular expressions of patches must not have, although PCRE2 knows it. */
#ifndef GUARD_COMMON_PATTERNS_REGEX_SYNTAX_H
#define GUARD_COMMON_PATTERNS_REGEX_SYNTAX_H

#include <guard/types.h>

/* What isn't a regular expression at all is left to PCRE2. NULL: nothing; else the reason, a static
 * sentence, and where it is. */
const char *regex_forbidden(struct guard_span expression, size_t *offset);

#endif
