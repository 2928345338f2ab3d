/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a token of a service account is: what it says of itself, what the API server says of it in
 * a TokenReview, and which service the pod that it is bound to speaks for. */
#ifndef GUARD_COMMON_KUBERNETES_ACCOUNT_REVIEW_H
#define GUARD_COMMON_KUBERNETES_ACCOUNT_REVIEW_H

#include "common/document.h"

enum {
    ACCOUNT_NAMESPACE_CAP = 64,
    ACCOUNT_NAME_CAP = 254,
    ACCOUNT_UID_CAP = 40,
    ACCOUNT_SERVICE_CAP = 65,
};

/* Who a token is of, by the word of the API server. */
struct account {
    char namespace[ACCOUNT_NAMESPACE_CAP];
    char name[ACCOUNT_NAME_CAP]; /* of the service account */
    char pod[ACCOUNT_NAME_CAP];
    char pod_uid[ACCOUNT_UID_CAP];
    char node[ACCOUNT_NAME_CAP]; /* that the pod was on when the token was made; "": the server is
                                    too old to say it */
};

/* Whether a text is "NAMESPACE/ACCOUNT". */
bool account_is_named(const char *text);
/* Whether a text has the form of such a token, a JWT: three parts in base64url. */
bool account_token_formed(const char *token);
/* When it ends, Unix time. Nothing of it is verified. False: it has not the form, or doesn't say.
 */
bool account_token_expiry(const char *token, uint64_t *expires_ms);

/* What a token says of itself, unverified: by that it is told whom to ask, and nothing else. */
struct account_token {
    bool for_us; /* it has our audience */
    bool of_pod; /* it is bound to one */
};
void account_token_says(const char *token, struct account_token *out);

/* What came back of a TokenReview for our audience. GUARD_E_FOREIGN: it isn't valid, not for our
 * audience, of no service account, or bound to no pod; err says which. GUARD_E_SYNTAX: it is no
 * TokenReview. */
GUARD_MUST_USE enum guard_rc
account_review_read(struct account *out, const struct document_node *root, struct guard_err *err);
/* What the pod's agent may report for: the service that its container "guard" was given, or all of
 * the namespace ("NAMESPACE.*") when there is no such container. GUARD_E_FOREIGN: it isn't that
 * pod, or its service is of another namespace. */
GUARD_MUST_USE enum guard_rc account_pod_service(char out[ACCOUNT_SERVICE_CAP],
                                                 const struct account *account,
                                                 const struct document_node *pod,
                                                 struct guard_err *err);
/* The node that the pod runs on. GUARD_E_FOREIGN: it isn't that pod, or runs on none, or the token
 * was made on another one. */
GUARD_MUST_USE enum guard_rc account_pod_node(char *out, size_t cap, const struct account *account,
                                              const struct document_node *pod,
                                              struct guard_err *err);

#endif
