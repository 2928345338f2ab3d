/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule's variables are among the places of patches. */
#ifndef GUARD_COMMON_SECRULE_LOOK_H
#define GUARD_COMMON_SECRULE_LOOK_H

#include "common/secrule/rule.h"

/* How a value that patches don't have by itself lies in one that they have. */
enum secrule_within {
    SECRULE_WHOLE,
    SECRULE_QUERY_STRING, /* in the target, behind its first '?' */
    SECRULE_BASENAME,     /* in the path, behind its last slash or backslash */
    SECRULE_REQUEST_LINE, /* the method, the target and the version, with blanks between */
};

/* Values of one kind. */
struct secrule_look {
    uint32_t at; /* where it is written */
    uint32_t places;
    enum guard_patch_view view;
    bool on_names;
    bool single; /* there is always exactly one such value */
    bool counted;
    enum secrule_within within;
    struct guard_span *names;
    uint32_t name_count;
};

struct secrule_looks {
    struct secrule_look *list;
    uint32_t count;
};

/* The phase of the rule: 1 to 5. decoded: transformations decode the values. False when the rule is
 * refused or the builder failed. Looks that differ in their names alone are one. */
bool secrule_looks(struct secrule_builder *builder, const struct secrule_variables *variables,
                   int phase, bool decoded, struct secrule_looks *out);

#endif
