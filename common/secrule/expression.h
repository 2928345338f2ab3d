/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of rules as those of patches: what isn't allowed is found with its place,
 * what transformations would have done to the value is written into the expression where that is
 * exact. */
#ifndef GUARD_COMMON_SECRULE_EXPRESSION_H
#define GUARD_COMMON_SECRULE_EXPRESSION_H

#include "common/secrule/builder.h"

enum secrule_spaces { SECRULE_SPACES_KEPT, SECRULE_SPACES_COMPRESSED, SECRULE_SPACES_REMOVED };

struct secrule_expression {
    struct guard_span text; /* without options in front */
    bool ignore_case;
    bool begins;    /* ^ in front, and no alternative beside it */
    bool ends;      /* $ at the end, likewise */
    bool anchors;   /* has ^ or $ anywhere else */
    bool bar;       /* alternatives outside of groups */
    bool spaces;    /* an atom may match a blank */
    bool slashes;   /* an atom may match a slash or backslash */
    bool looks;     /* looks ahead, or asks for boundaries */
    bool uppercase; /* names a letter in upper case and not in lower case: of a lower-cased value it
                       means something else than without case */
    bool lowercase; /* the other way round */
};

/* False when the rule is refused, with the place of what isn't allowed, or the builder failed. */
bool secrule_expression_read(struct secrule_builder *builder, struct secrule_text text,
                             struct secrule_expression *out);
/* The same for text that was made here. */
bool secrule_expression_made(struct secrule_builder *builder, struct guard_span text,
                             bool ignore_case, struct secrule_expression *out);
/* Rewrites it so that it finds in a value what it found in the value without its blanks, or with
 * each run of them as one. NULL, or why that can't be said (a static text). */
const char *secrule_expression_spaces(struct secrule_builder *builder,
                                      struct secrule_expression *expression,
                                      enum secrule_spaces spaces);

/* Text that grows in the import's arena. */
struct secrule_string {
    struct secrule_builder *builder;
    uint8_t *ptr;
    size_t len;
    size_t cap;
};
void secrule_add(struct secrule_string *string, struct guard_span text);
void secrule_add_text(struct secrule_string *string, const char *text);
/* So that an expression matches these bytes. */
void secrule_add_escaped(struct secrule_string *string, struct guard_span text);
static inline struct guard_span secrule_string_span(const struct secrule_string *string)
{
    return (struct guard_span){string->ptr, string->len};
}

#endif
