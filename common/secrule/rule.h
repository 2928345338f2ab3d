/* SPDX-License-Identifier: Apache-2.0 */
/* A SecRule's three parts as they are written: variables, operator, actions. What isn't of the form
 * refuses the rule, with the place. */
#ifndef GUARD_COMMON_SECRULE_RULE_H
#define GUARD_COMMON_SECRULE_RULE_H

#include "common/secrule/builder.h"

/* ARGS, !ARGS:x, &ARGS, ARGS:/x/ */
struct secrule_variable {
    struct secrule_text name;
    struct secrule_text selector; /* ptr NULL: none */
    bool regex;                   /* the selector is one */
    bool excluded;
    bool counted;
};

struct secrule_variables {
    struct secrule_variable *list;
    uint32_t count;
};

struct secrule_operator {
    struct secrule_text name; /* without '@'; "rx" when none is said */
    struct secrule_text argument;
    bool negated;
};

struct secrule_action {
    struct secrule_text name;
    struct secrule_text value; /* ptr NULL: none */
};

struct secrule_actions {
    struct secrule_action *list;
    uint32_t count;
};

/* False when the rule is refused or the builder has failed. */
bool secrule_parse_variables(struct secrule_builder *builder, struct secrule_text text,
                             struct secrule_variables *out);
bool secrule_parse_operator(struct secrule_builder *builder, struct secrule_text text,
                            struct secrule_operator *out);
bool secrule_parse_actions(struct secrule_builder *builder, struct secrule_text text,
                           struct secrule_actions *out);
/* The first of that name; NULL for none. */
const struct secrule_action *secrule_action_named(const struct secrule_actions *actions,
                                                  const char *name);

#endif
