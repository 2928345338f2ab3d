/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule does to values before it looks at them, as far as patches can say it. */
#ifndef GUARD_COMMON_SECRULE_TRANSFORMATION_H
#define GUARD_COMMON_SECRULE_TRANSFORMATION_H

#include "common/secrule/expression.h"
#include "common/secrule/rule.h"

struct secrule_transformations {
    uint32_t at; /* of the last one */
    bool decoded;
    bool lower;
    bool upper;
    bool trim_begin;
    bool trim_end;
    bool normalized; /* as a path */
    bool length;
    enum secrule_spaces spaces;
};

/* False when one can't be said. */
bool secrule_transformations_of(struct secrule_builder *builder,
                                const struct secrule_actions *actions,
                                struct secrule_transformations *out);

#endif
