/* SPDX-License-Identifier: Apache-2.0 */
/* What libguard can tell of a regular expression without a library for them: that its brackets
 * close, and that it holds nothing that only one place of one value could decide, or that costs
 * more than its length. */
#ifndef GD_PATCH_EXPRESSION_H
#define GD_PATCH_EXPRESSION_H

#include "base/span.h"

/* NULL, or what is wrong with it (a static text) at *at. */
const char *gd_expression_check(struct guard_span expression, size_t *at);

#endif
