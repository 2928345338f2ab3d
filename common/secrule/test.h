/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule's operator asks of one value, with the rule's transformations written into it. */
#ifndef GUARD_COMMON_SECRULE_TEST_H
#define GUARD_COMMON_SECRULE_TEST_H

#include "common/secrule/transformation.h"

struct secrule_test {
    uint32_t at;                  /* of the operator */
    enum guard_patch_operator op; /* never ALL, ANY, NOT */
    bool ignore_case;
    struct guard_span *texts; /* of CONTAINS, EQUALS, BEGINS, ENDS; CHARSET: one */
    uint32_t text_count;
    struct secrule_expression expression; /* of REGEX */
    int64_t min;                          /* of RANGE and LENGTH; -1: none */
    int64_t max;
    uint32_t likeness;
    bool within; /* made of @within: negated it hits more */
};

/* counted: it is asked of how many values there are. False when the rule is refused, or the builder
 * failed. */
bool secrule_test_of(struct secrule_builder *builder, const struct secrule_operator *asked,
                     const struct secrule_transformations *transformations, bool counted,
                     struct secrule_test *out);
/* The same as a regular expression; false when there is none. */
bool secrule_test_expression(struct secrule_builder *builder, struct secrule_test *test);

#endif
