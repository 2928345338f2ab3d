/* SPDX-License-Identifier: Apache-2.0 */
/* Values of rules that are a part of a value of patches: the query string, the base name, the
 * request line. */
#ifndef GUARD_COMMON_SECRULE_WITHIN_H
#define GUARD_COMMON_SECRULE_WITHIN_H

#include "common/secrule/look.h"
#include "common/secrule/test.h"

/* Rewrites a test of the look's value as one of the value that it lies in. False when the rule is
 * refused or the builder failed. */
bool secrule_write_within(struct secrule_builder *builder, const struct secrule_look *look,
                          bool negated, struct secrule_test *test);

#endif
