/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that a cluster is asked for, and what it said of them for a while: what agents' (accounts)
 * and users' (cluster_users) have in common. Known is a keyed digest, never a token.
 * docs/internals/kubernetes.md */
#ifndef GUARDD_API_CLUSTER_REVIEWS_H
#define GUARDD_API_CLUSTER_REVIEWS_H

#include "common/kubernetes/api_client.h"
#include "common/secret.h"

enum {
    REVIEWS_WAYS = 8,
    /* Tokens that the cluster refused: so many at once, then one each so many milliseconds. */
    REVIEWS_WRONG_BURST = 20,
    REVIEWS_WRONG_MS = 250,
};

/* What the cluster said last of one thing; all times are monotonic. */
struct review_word {
    bool asking; /* just now */
    bool said;
    bool yes;
    uint64_t said_ms;
    uint64_t retry_ms; /* it said nothing: not again before */
};

struct cluster_reviews;

/* What is known of one token; the first member of what else is. All zeros: nothing. */
struct review {
    struct cluster_reviews *reviews;
    uint8_t digest[GUARD_KEY_BYTES];
    bool used;
    bool fresh;          /* it was never good: counts among those asked for */
    uint32_t asking;     /* answers that come here */
    uint64_t expires_ms; /* Unix time; 0: nobody knows */
    uint64_t used_ms;
    struct review_word word; /* on the token */
};

struct cluster_reviews_cfg {
    size_t size;                         /* of one, with its review */
    uint32_t sets;                       /* of REVIEWS_WAYS each; at most 65,536 */
    uint32_t asked_max;                  /* new tokens at once */
    uint64_t retry_ms;                   /* after the cluster gave no answer */
    const char *away, *back, *refused;   /* what the log calls it */
    const char *meanwhile;               /* what becomes of people while it is away */
    void (*fini)(struct review *review); /* gives back what one has besides; NULL: nothing */
};

struct cluster_reviews {
    const struct cluster_reviews_cfg *cfg; /* kept */
    struct kubernetes_config config;
    struct api_client *client;
    uint8_t key[GUARD_KEY_BYTES];
    uint8_t *list; /* in sets */
    uint32_t asked;
    uint64_t answers;  /* how often the cluster answered, or gave up */
    uint64_t seen;     /* of those, by cluster_reviews_run */
    uint64_t wrong_ms; /* when all of the burst may be used again */
    bool away;
    bool closing;
};

/* where: as kubernetes_config_load. cluster_reviews_fini in any case, of all zeros, too. */
GUARD_MUST_USE enum guard_rc cluster_reviews_init(struct cluster_reviews *reviews,
                                                  const struct cluster_reviews_cfg *cfg,
                                                  const char *where, struct guard_err *err);
void cluster_reviews_fini(struct cluster_reviews *reviews);
/* What follows "Bearer " in a header "Authorization"; NULL: it is none, or another one. */
const char *cluster_reviews_bearer(const char *authorization);

/* What is known of a token, or by what review_id said; NULL: nothing. */
struct review *cluster_reviews_find(struct cluster_reviews *reviews, const char *token);
struct review *cluster_reviews_by_id(struct cluster_reviews *reviews, const char *id);
void review_id(const struct review *review, char out[SECRET_ID_LEN + 1]);
/* For who isn't known to be good: whether too many were refused lately; else whether the cluster
 * can be asked. */
bool cluster_reviews_limited(const struct cluster_reviews *reviews, uint64_t mono_ms);
bool cluster_reviews_ready(const struct cluster_reviews *reviews, uint64_t mono_ms);
/* The one of that token, or a new one in the place of that which is needed least; NULL: all places
 * wait for an answer. */
struct review *cluster_reviews_get(struct cluster_reviews *reviews, const char *token,
                                   uint64_t mono_ms);

/* Sends call as a POST of JSON, whose body is overwritten, for a word. False: it wasn't asked for.
 */
bool review_ask(struct review *review, struct review_word *word, struct api_call *call, char *body);
/* Its answer: one of these four, behind more calls for the same word where it needs some. One that
 * is none leaves what was said before. */
void review_unanswered(struct review *review, struct review_word *word, const char *message);
void review_said(struct review *review, struct review_word *word, bool yes);
/* Of the token itself, with the reason. */
void review_refused(struct review *review, const struct guard_err *err);
/* What was asked counts for nothing any more. */
void review_dropped(struct review *review, struct review_word *word);
/* Whether one came. */
bool review_came(const struct api_answer *answer);

/* reviews may be NULL in all of these. As api_client_run; true: something was answered. */
bool cluster_reviews_run(struct cluster_reviews *reviews);
int cluster_reviews_fd(const struct cluster_reviews *reviews);
uint32_t cluster_reviews_wait_ms(const struct cluster_reviews *reviews, uint32_t max);
uint64_t cluster_reviews_answers(const struct cluster_reviews *reviews);

#endif
