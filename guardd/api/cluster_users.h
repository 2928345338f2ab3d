/* SPDX-License-Identifier: Apache-2.0 */
/* People and programs of a cluster: it says whose their token is (TokenReview), and whether they
 * may do with Guardians there what they ask for here (SubjectAccessReview). What it said counts for
 * a short while and not beyond it: who can't be asked for isn't let in.
 * docs/internals/kubernetes.md */
#ifndef GUARDD_API_CLUSTER_USERS_H
#define GUARDD_API_CLUSTER_USERS_H

#include "credentials.h"

enum {
    CLUSTER_USERS_SETS = 32,         /* of REVIEWS_WAYS tokens that are known */
    CLUSTER_USERS_GRANTS = 48,       /* answers to what one of them may */
    CLUSTER_USERS_ASKED_MAX = 16,    /* new tokens that the cluster is asked for */
    CLUSTER_USERS_NAMESPACES = 16,   /* that somebody is asked for who hasn't all */
    CLUSTER_USERS_KEEP_MS = 60000,   /* what was allowed, unless another time is told */
    CLUSTER_USERS_DENIED_MS = 10000, /* what was denied, or less when less is kept */
    CLUSTER_USERS_RETRY_MS = 2000,   /* after the cluster gave no answer */
};

struct cluster_users;
struct cluster_reviews;
struct services;

/* What is asked for: by a route and of a service, or of all that there are. */
struct cluster_wish {
    enum api_right right;
    bool follows;              /* a stream */
    bool whole;                /* the name is of a service that the path names */
    struct guard_span service; /* empty: all */
    const struct services *services;
};

/* where: as kubernetes_config_load. What isn't there yet is tried again: only what is wrong with
 * where fails. */
GUARD_MUST_USE enum guard_rc cluster_users_open(struct cluster_users **out, const char *where,
                                                uint64_t keep_ms, struct guard_err *err);
void cluster_users_close(struct cluster_users *users);
/* The token in a header "Authorization" if it can be one of a cluster's users: neither guardd's own
 * nor, when agents have theirs (agents), of a pod for its reports. NULL otherwise, and when users
 * is. */
const char *cluster_users_token(const struct cluster_users *users, const char *authorization,
                                bool agents);
/* Who it is; what they may isn't known by that: the role is API_ROLE_NONE. CREDENTIALS_ASKED: to be
 * called again when the reviews' answers have grown. */
enum credentials_answer cluster_users_check(struct cluster_users *users, const char *token,
                                            uint64_t now_ms, uint64_t mono_ms,
                                            struct api_access *out, unsigned *retry_s);
/* Whether they may: then the least role that has the right, bound to what they may it of.
 * CREDENTIALS_BAD: they may not. */
enum credentials_answer cluster_users_authorise(struct cluster_users *users,
                                                const struct cluster_wish *wish, uint64_t mono_ms,
                                                struct api_access *access, unsigned *retry_s);
/* The verb that a right is in the cluster. */
const char *cluster_users_verb(const struct cluster_wish *wish);
/* The subresource of Guardians of which the verb is as good as of the whole; "": there is none. */
const char *cluster_users_part(const struct cluster_wish *wish);
/* Whether that is how they were let in, and whether it still counts. */
bool cluster_users_are(const struct api_access *access);
bool cluster_users_still(const struct api_access *access, uint64_t mono_ms);
/* What runs them, in turns; NULL for NULL. */
struct cluster_reviews *cluster_users_reviews(struct cluster_users *users);

#endif
