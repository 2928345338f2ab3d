/* SPDX-License-Identifier: Apache-2.0 */
/* Directives of a file: lines that end in a backslash go on, '#' begins a comment, words are apart
 * by blanks and may be quoted. */
#ifndef GUARD_COMMON_SECRULE_DIRECTIVE_H
#define GUARD_COMMON_SECRULE_DIRECTIVE_H

#include "common/secrule/builder.h"

struct secrule_directive {
    uint32_t at; /* where it begins */
    struct secrule_text words[SECRULE_WORDS_MAX];
    uint32_t word_count; /* at least one */
};

struct secrule_lines {
    struct secrule_builder *builder;
    size_t at;
    uint32_t count; /* directives so far */
};

/* Finds where the builder's lines begin. False after a failure. */
bool secrule_lines_init(struct secrule_lines *lines, struct secrule_builder *builder);
/* The next one; false at the end, and after a failure. The words live as long as the import. */
bool secrule_next(struct secrule_lines *lines, struct secrule_directive *directive);

#endif
