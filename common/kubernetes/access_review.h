/* SPDX-License-Identifier: Apache-2.0 */
/* People and programs that a cluster knows: whose a bearer token is by a TokenReview, and what they
 * may do with Guardians by a SubjectAccessReview. */
#ifndef GUARD_COMMON_KUBERNETES_ACCESS_REVIEW_H
#define GUARD_COMMON_KUBERNETES_ACCESS_REVIEW_H

#include "common/document.h"

enum {
    CLUSTER_TOKEN_MIN = 16,      /* what is shorter is a mistake, or soon guessed */
    CLUSTER_USER_NAME_CAP = 257, /* for people to read; what is longer is cut */
    CLUSTER_USER_GROUPS_CAP = 257,
    CLUSTER_USER_WORDS_MAX = 16 * 1024, /* of all that a cluster says of one user */
    ACCESS_REVIEW_MAX = CLUSTER_USER_WORDS_MAX + 2048,
};

/* Who a token is of, by the word of the API server. */
struct cluster_user {
    char name[CLUSTER_USER_NAME_CAP];     /* cleaned */
    char groups[CLUSTER_USER_GROUPS_CAP]; /* likewise, "a, b" */
    char *words; /* name, UID, groups and extra as a SubjectAccessReview says them; malloc'd */
    size_t words_len;
};

/* What is asked: whether they may VERB guardians of guard.security there, or a part of them. */
struct access_question {
    const char *verb;
    const char *part;            /* a subresource; "": none */
    struct guard_span namespace; /* empty: in all */
    struct guard_span name;      /* empty: all of them */
};

/* Whether a text can be a bearer token (RFC 6750). */
bool cluster_token_formed(const char *token);
/* What came back of a TokenReview; cluster_user_fini in any case. GUARD_E_FOREIGN: it isn't valid,
 * or not for our audience; GUARD_E_SYNTAX: it is no TokenReview; GUARD_E_LIMIT: more is said of the
 * user than CLUSTER_USER_WORDS_MAX; GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc user_review_read(struct cluster_user *out,
                                              const struct document_node *root, bool for_us,
                                              struct guard_err *err);
void cluster_user_fini(struct cluster_user *user);

/* The SubjectAccessReview to be sent; false: no room. */
bool access_review_write(char *out, size_t cap, const struct cluster_user *user,
                         const struct access_question *question, size_t *len);
/* What came back. GUARD_E_SYNTAX: it is no SubjectAccessReview, and nothing is allowed. */
GUARD_MUST_USE enum guard_rc access_review_read(bool *allowed, const struct document_node *root,
                                                struct guard_err *err);

#endif
