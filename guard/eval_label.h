/* SPDX-License-Identifier: Apache-2.0 */
/* The label of an exchange line: what evaluation data says of an exchange. Only what scores reads
 * it, never what learns or judges. */
#ifndef GUARD_CLI_EVAL_LABEL_H
#define GUARD_CLI_EVAL_LABEL_H

#include <guard/types.h>

struct eval_label {
    bool known; /* there is a label that says whether it is an attack */
    bool attack;
    bool padded;
    struct guard_span split; /* "train": to be learned; empty or anything else: to be judged */
    struct guard_span class_name;
    struct guard_span location;
    struct guard_span param;
    bool param_known;
    struct guard_span encoding;
    struct guard_span base; /* id of the exchange into which the attack was put */
};

/* line as it was read; the label borrows of it and of the arena. False when the line is no JSON
 * object. What isn't there is empty. */
bool eval_label_read(struct eval_label *out, struct guard_span line, struct guard_arena *arena);
bool eval_span_is(struct guard_span span, const char *text);
bool eval_span_same(struct guard_span a, struct guard_span b);
/* True when the finding's place is where the label says the attack is. Names are compared as the
 * independent scorer of evaluation data does: indexes become [], case doesn't matter, a body's
 * forms are one place, and a path without segment names every segment. */
bool eval_label_names(const struct eval_label *label, struct guard_span location,
                      struct guard_span name);

#endif
