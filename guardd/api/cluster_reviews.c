/* SPDX-License-Identifier: Apache-2.0 */
/* A table in sets, found by a digest under a key of the process: nobody chooses the set. */
#include "cluster_reviews.h"

#include "common/file.h"
#include "common/log.h"
#include <guard/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct guard_span no_service = {NULL, 0};

/* --- life --- */

enum guard_rc cluster_reviews_init(struct cluster_reviews *reviews,
                                   const struct cluster_reviews_cfg *cfg, const char *where,
                                   struct guard_err *err)
{
    *reviews = (struct cluster_reviews){.cfg = cfg};
    reviews->list = calloc((size_t)cfg->sets * REVIEWS_WAYS, cfg->size);
    if (reviews->list == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for tokens of a cluster");
    GUARD_TRY(kubernetes_config_load(&reviews->config, where, err));
    if (random_bytes(reviews->key, sizeof(reviews->key)) != GUARD_OK)
        return guard_fail(err, GUARD_E_IO, "no randomness");
    return api_client_open(&reviews->client, &reviews->config, "guardd/" GUARD_VERSION " (linux)",
                           err);
}

static struct review *at(const struct cluster_reviews *reviews, size_t index)
{
    return (struct review *)(void *)(reviews->list + index * reviews->cfg->size);
}

static void empty(const struct cluster_reviews *reviews, struct review *review)
{
    if (reviews->cfg->fini != NULL)
        reviews->cfg->fini(review);
    memset(review, 0, reviews->cfg->size);
}

void cluster_reviews_fini(struct cluster_reviews *reviews)
{
    reviews->closing = true; /* what ends here isn't told */
    api_client_close(reviews->client);
    kubernetes_config_free(&reviews->config);
    for (size_t i = 0; reviews->list != NULL && i < (size_t)reviews->cfg->sets * REVIEWS_WAYS; i++)
        empty(reviews, at(reviews, i));
    free(reviews->list);
    explicit_bzero(reviews->key, sizeof(reviews->key));
}

const char *cluster_reviews_bearer(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    const size_t len = sizeof(scheme) - 1;
    if (authorization == NULL || strncasecmp(authorization, scheme, len) != 0)
        return NULL;
    return authorization + len + strspn(authorization + len, " ");
}

/* --- what is known --- */

static size_t set_of(const struct cluster_reviews *reviews, uint8_t low, uint8_t high)
{
    return ((size_t)high << 8 | low) % reviews->cfg->sets * REVIEWS_WAYS;
}

static void digest_of(const struct cluster_reviews *reviews, const char *token,
                      uint8_t out[GUARD_KEY_BYTES])
{
    guard_key_derive(out, reviews->key, (struct guard_span){(const uint8_t *)token, strlen(token)});
}

static struct review *find(const struct cluster_reviews *reviews,
                           const uint8_t digest[GUARD_KEY_BYTES])
{
    size_t first = set_of(reviews, digest[0], digest[1]);
    for (size_t i = first; i < first + REVIEWS_WAYS; i++) {
        if (at(reviews, i)->used && secret_same(at(reviews, i)->digest, digest, GUARD_KEY_BYTES))
            return at(reviews, i);
    }
    return NULL;
}

struct review *cluster_reviews_find(struct cluster_reviews *reviews, const char *token)
{
    uint8_t digest[GUARD_KEY_BYTES];
    digest_of(reviews, token, digest);
    return find(reviews, digest);
}

void review_id(const struct review *review, char out[SECRET_ID_LEN + 1])
{
    for (int i = 0; i < SECRET_ID_LEN / 2; i++)
        snprintf(out + (ptrdiff_t)2 * i, 3, "%02x", review->digest[i]);
}

struct review *cluster_reviews_by_id(struct cluster_reviews *reviews, const char *id)
{
    unsigned low = 0, high = 0;
    char one[SECRET_ID_LEN + 1];
    if (sscanf(id, "%2x%2x", &low, &high) != 2)
        return NULL;
    size_t first = set_of(reviews, (uint8_t)low, (uint8_t)high);
    for (size_t i = first; i < first + REVIEWS_WAYS; i++) {
        review_id(at(reviews, i), one);
        if (at(reviews, i)->used && strcmp(one, id) == 0)
            return at(reviews, i);
    }
    return NULL;
}

bool cluster_reviews_limited(const struct cluster_reviews *reviews, uint64_t mono_ms)
{
    return reviews->wrong_ms >= mono_ms + (uint64_t)REVIEWS_WRONG_BURST * REVIEWS_WRONG_MS;
}

bool cluster_reviews_ready(const struct cluster_reviews *reviews, uint64_t mono_ms)
{
    return reviews->asked < reviews->cfg->asked_max && api_client_ready(reviews->client, mono_ms);
}

/* The free one first, then one that was refused, then that whose use is longest ago. */
static bool sooner(const struct review *a, const struct review *b)
{
    if (a->used != b->used)
        return !a->used;
    if (a->word.yes != b->word.yes)
        return !a->word.yes;
    return a->used_ms < b->used_ms;
}

/* Those that wait for an answer stay where it comes to. */
static struct review *needed_least(const struct cluster_reviews *reviews, size_t first)
{
    struct review *place = NULL;
    for (size_t i = first; i < first + REVIEWS_WAYS; i++) {
        struct review *way = at(reviews, i);
        if (way->asking == 0 && (place == NULL || sooner(way, place)))
            place = way;
    }
    return place;
}

struct review *cluster_reviews_get(struct cluster_reviews *reviews, const char *token,
                                   uint64_t mono_ms)
{
    uint8_t digest[GUARD_KEY_BYTES];
    digest_of(reviews, token, digest);
    struct review *review = find(reviews, digest);
    if (review == NULL) {
        review = needed_least(reviews, set_of(reviews, digest[0], digest[1]));
        if (review == NULL)
            return NULL;
        empty(reviews, review);
        review->reviews = reviews;
        review->used = true;
        memcpy(review->digest, digest, GUARD_KEY_BYTES);
    }
    review->used_ms = mono_ms;
    return review;
}

/* --- asking --- */

bool review_ask(struct review *review, struct review_word *word, struct api_call *call, char *body)
{
    struct cluster_reviews *reviews = review->reviews;
    struct guard_err err;
    call->method = "POST";
    call->content_type = "application/json";
    word->asking = api_client_call(reviews->client, call, &err) == GUARD_OK;
    explicit_bzero(body, call->body.len);
    if (!word->asking) {
        word->retry_ms = clock_monotonic_ms() + reviews->cfg->retry_ms;
        return false;
    }
    review->asking++;
    if (word == &review->word) {
        review->fresh = !word->yes;
        reviews->asked += review->fresh;
    }
    return true;
}

static void end(struct review *review, struct review_word *word)
{
    struct cluster_reviews *reviews = review->reviews;
    word->asking = false;
    review->asking--;
    reviews->answers++;
    if (word == &review->word && review->fresh) {
        review->fresh = false;
        reviews->asked--;
    }
}

void review_dropped(struct review *review, struct review_word *word)
{
    end(review, word);
}

void review_unanswered(struct review *review, struct review_word *word, const char *message)
{
    struct cluster_reviews *reviews = review->reviews;
    word->retry_ms = clock_monotonic_ms() + reviews->cfg->retry_ms;
    if (!reviews->away && !reviews->closing)
        log_event("alarm", reviews->cfg->away, no_service, "%s; %s", message,
                  reviews->cfg->meanwhile);
    reviews->away = true;
    end(review, word);
}

void review_said(struct review *review, struct review_word *word, bool yes)
{
    struct cluster_reviews *reviews = review->reviews;
    if (reviews->away && !reviews->closing)
        log_event("info", reviews->cfg->back, no_service, "%s", "");
    reviews->away = false;
    word->said = true;
    word->yes = yes;
    word->said_ms = clock_monotonic_ms();
    end(review, word);
}

void review_refused(struct review *review, const struct guard_err *err)
{
    struct cluster_reviews *reviews = review->reviews;
    uint64_t now = clock_monotonic_ms();
    log_event("warn", reviews->cfg->refused, no_service, "%s", err->text);
    reviews->wrong_ms = (reviews->wrong_ms > now ? reviews->wrong_ms : now) + REVIEWS_WRONG_MS;
    review_said(review, &review->word, false);
}

bool review_came(const struct api_answer *answer)
{
    return answer->status == 200 || answer->status == 201;
}

/* --- turns --- */

bool cluster_reviews_run(struct cluster_reviews *reviews)
{
    if (reviews == NULL)
        return false;
    api_client_run(reviews->client);
    bool answered = reviews->seen != reviews->answers;
    reviews->seen = reviews->answers;
    return answered;
}

int cluster_reviews_fd(const struct cluster_reviews *reviews)
{
    return reviews != NULL ? api_client_fd(reviews->client) : -1;
}

uint32_t cluster_reviews_wait_ms(const struct cluster_reviews *reviews, uint32_t max)
{
    return reviews != NULL ? api_client_wait_ms(reviews->client, max) : max;
}

uint64_t cluster_reviews_answers(const struct cluster_reviews *reviews)
{
    return reviews != NULL ? reviews->answers : 0;
}
