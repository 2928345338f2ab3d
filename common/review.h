/* SPDX-License-Identifier: Apache-2.0 */
/* Review documents: what people accepted and refused of what a service's learner holds back, with
 * who, when and why. Written by the command line, read wherever a model is learned. Bounded, and
 * refused as a whole with file:line:column and the member when anything is wrong.
 * docs/api/review.md */
#ifndef GUARD_COMMON_REVIEW_H
#define GUARD_COMMON_REVIEW_H

#include <guard/review.h>

enum { REVIEW_TEXT_MAX = 512, REVIEW_NOTE_MAX = 256, REVIEW_WORD_MAX = 640 };

struct review_note {
    struct guard_span by;
    struct guard_span why;
    uint64_t time_ms; /* since 1970; 0: not said */
};

struct review_document {
    struct guard_span service;
    struct guard_review_entry *entries; /* each thing once */
    struct review_note *notes;          /* of each entry */
    uint32_t count;                     /* at most GUARD_REVIEW_ENTRIES_MAX */
};

/* Everything lives in the arena (8 MiB suffice). name: for messages. GUARD_E_SYNTAX, GUARD_E_RANGE,
 * GUARD_E_LIMIT, GUARD_E_VERSION, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc review_parse(struct review_document *out, const char *name,
                                          struct guard_span bytes, struct guard_arena *arena,
                                          struct guard_err *err);
/* Reads a file (at most 1 MiB). */
GUARD_MUST_USE enum guard_rc review_load(struct review_document *out, const char *path,
                                         struct guard_arena *arena, struct guard_err *err);
/* The canonical text (JSON, a decision on each line) in the arena. GUARD_E_RANGE for what a
 * document can't hold (names that are no text, too long ones), GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc review_write(const struct review_document *document,
                                          struct guard_arena *arena, struct guard_span *out,
                                          struct guard_err *err);

/* The element itself as documents write it: "=", "lower =", "int", "sql", "query bad-escape", a
 * segment; "" of names. Cut to fit, NUL-terminated; not escaped. */
void review_element_word(const struct guard_review_element *element, char out[REVIEW_WORD_MAX]);
bool review_same(const struct guard_review_element *a, const struct guard_review_element *b);

#endif
