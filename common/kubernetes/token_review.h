/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a bearer token is, as the API server says it in a TokenReview: what is asked, and what all
 * answers have in common. */
#ifndef GUARD_COMMON_KUBERNETES_TOKEN_REVIEW_H
#define GUARD_COMMON_KUBERNETES_TOKEN_REVIEW_H

#include "common/document.h"

enum {
    TOKEN_MAX = 8192, /* bytes; real ones have about 1,000 */
    TOKEN_REVIEW_MAX = TOKEN_MAX + 512,
};
#define TOKEN_AUDIENCE "guard.security"
#define TOKEN_REVIEWS_PATH "/apis/authentication.k8s.io/v1/tokenreviews"

/* The TokenReview to be sent. for_us: the token must be for our audience; else for whatever the API
 * server itself takes. False: no room. */
bool token_review_write(char *out, size_t cap, const char *token, bool for_us, size_t *len);
/* What came back: the user, or NULL when it names none. GUARD_E_FOREIGN: it isn't valid, or not for
 * our audience; err says which. GUARD_E_SYNTAX: it is no TokenReview. */
GUARD_MUST_USE enum guard_rc token_review_read(const struct document_node **user,
                                               const struct document_node *root, bool for_us,
                                               struct guard_err *err);

#endif
