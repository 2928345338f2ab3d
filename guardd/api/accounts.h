/* SPDX-License-Identifier: Apache-2.0 */
/* Agents that show tokens of a cluster's service accounts: the cluster says whose they are, by a
 * TokenReview, and which service their pod speaks for. What it said is known for a while by a keyed
 * digest, never by the token. docs/internals/kubernetes.md */
#ifndef GUARDD_API_ACCOUNTS_H
#define GUARDD_API_ACCOUNTS_H

#include "credentials.h"

enum {
    ACCOUNTS_SETS = 512,     /* of REVIEWS_WAYS tokens that are known; whose use is longest ago
                                is asked for again */
    ACCOUNTS_ASKED_MAX = 32, /* new ones that the cluster is asked for */
    ACCOUNTS_KEEP_MS = 180 * 1000, /* what was said counts, unless another time is told */
    ACCOUNTS_REFUSED_MS = 10 * 1000,
    ACCOUNTS_RETRY_MS = 5 * 1000, /* after the cluster gave no answer */
};

struct accounts;
struct cluster_reviews;
struct pod_places;

/* where: as kubernetes_config_load. node_agents: the "NAMESPACE/ACCOUNT", kept, whose pods speak
 * for the pods of their nodes and for no service; NULL: none does. keep_ms: how long what the
 * cluster said of a token counts while it can be asked again, which is done from the half of it on.
 * What isn't there yet is tried again: only what is wrong with where fails. */
GUARD_MUST_USE enum guard_rc accounts_open(struct accounts **out, const char *where,
                                           const char *node_agents, uint64_t keep_ms,
                                           struct guard_err *err);
void accounts_close(struct accounts *accounts);
/* The token in a header "Authorization" if it is one that the cluster is asked for, else NULL.
 * accounts may be NULL. */
const char *accounts_token(const struct accounts *accounts, const char *authorization);
/* CREDENTIALS_ASKED: to be called again when the reviews' answers have grown. */
enum credentials_answer accounts_check(struct accounts *accounts, const char *token,
                                       uint64_t now_ms, uint64_t mono_ms, struct api_access *out,
                                       unsigned *retry_s);
/* Whether anything is known of the token that let them in: others' tokens may have its place. */
bool accounts_know(struct accounts *accounts, const struct api_access *access);
/* Whether who was let in by a token of the cluster may still be. */
bool accounts_still(struct accounts *accounts, const struct api_access *access, uint64_t now_ms);
/* Whether that is how they were let in. */
bool accounts_are(const struct api_access *access);

/* Where pods run; NULL: nobody speaks for a node. */
struct pod_places *accounts_places(const struct accounts *accounts);
/* What runs them, in turns; NULL for NULL. */
struct cluster_reviews *accounts_reviews(struct accounts *accounts);

#endif
