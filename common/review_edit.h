/* SPDX-License-Identifier: Apache-2.0 */
/* Deciding about things in a review document that was read; the command line and the API do it
 * alike. */
#ifndef GUARD_COMMON_REVIEW_EDIT_H
#define GUARD_COMMON_REVIEW_EDIT_H

#include "common/review.h"

/* Room for all that may come: entries of a document that was read have just theirs. */
GUARD_MUST_USE enum guard_rc review_make_room(struct review_document *document,
                                              struct guard_arena *arena, struct guard_err *err);
/* Where the element stands in it, -1: nothing was decided. */
int review_decided_at(const struct review_document *document,
                      const struct guard_review_element *element);
/* WAITING takes a decision back. element and note are borrowed for as long as the document.
 * GUARD_E_LIMIT: there are too many. review_make_room comes first. */
GUARD_MUST_USE enum guard_rc review_decide(struct review_document *document,
                                           const struct guard_review_element *element,
                                           enum guard_review_decision decision,
                                           const struct review_note *note, struct guard_err *err);
/* Replaces the service's document in the state directory. */
GUARD_MUST_USE enum guard_rc review_save(const struct review_document *document, const char *dir,
                                         struct guard_arena *arena, struct guard_err *err);

#endif
