/* SPDX-License-Identifier: Apache-2.0 */
/* A token is asked for at its first use, in the time of whoever shows it; later on beside its use.
 * While the cluster is away what it said holds until the token ends, and nobody new is let in. */
#include "accounts.h"

#include "cluster_reviews.h"
#include "pod_places.h"

#include "common/file.h"
#include "common/kubernetes/account_review.h"
#include "common/kubernetes/token_review.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HTTP_NOT_FOUND = 404 };
static const char name_prefix[] = "pod:"; /* no name of an access list has a colon */
static const struct guard_span no_service = {NULL, 0};

/* What is known of one token. */
struct known {
    struct review review;
    struct account account;
    char service[ACCOUNT_SERVICE_CAP];
    char node[ACCESS_NODE_CAP]; /* that it speaks for, and then for no service; "": none */
};

struct accounts {
    struct cluster_reviews reviews; /* first: a review knows it only */
    const char *node_agents;
    struct pod_places *places;
    uint64_t keep_ms;
};

static const struct cluster_reviews_cfg rules = {
    .size = sizeof(struct known),
    .sets = ACCOUNTS_SETS,
    .asked_max = ACCOUNTS_ASKED_MAX,
    .retry_ms = ACCOUNTS_RETRY_MS,
    .away = "token-reviews-away",
    .back = "token-reviews-back",
    .refused = "agent-refused",
    .meanwhile = "agents that are known go on, new ones are refused",
};

enum guard_rc accounts_open(struct accounts **out, const char *where, const char *node_agents,
                            uint64_t keep_ms, struct guard_err *err)
{
    struct accounts *accounts = calloc(1, sizeof(*accounts));
    if (accounts == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for tokens of a cluster");
    accounts->keep_ms = keep_ms;
    accounts->node_agents = node_agents;
    enum guard_rc rc = cluster_reviews_init(&accounts->reviews, &rules, where, err);
    if (rc == GUARD_OK && node_agents != NULL)
        rc = pod_places_open(&accounts->places, accounts->reviews.client,
                             &accounts->reviews.answers, err);
    if (rc == GUARD_OK)
        *out = accounts;
    else
        accounts_close(accounts);
    return rc;
}

void accounts_close(struct accounts *accounts)
{
    if (accounts == NULL)
        return;
    cluster_reviews_fini(&accounts->reviews);
    pod_places_close(accounts->places);
    free(accounts);
}

struct pod_places *accounts_places(const struct accounts *accounts)
{
    return accounts != NULL ? accounts->places : NULL;
}

struct cluster_reviews *accounts_reviews(struct accounts *accounts)
{
    return accounts != NULL ? &accounts->reviews : NULL;
}

const char *accounts_token(const struct accounts *accounts, const char *authorization)
{
    const char *token = accounts != NULL ? cluster_reviews_bearer(authorization) : NULL;
    return token != NULL && account_token_formed(token) ? token : NULL;
}

/* --- what is known --- */

static struct known *known_of(struct review *review)
{
    return (struct known *)(void *)review;
}

static void fill(const struct known *known, struct api_access *out)
{
    *out = (struct api_access){.role = API_ROLE_REPORTER, .service_count = 1};
    snprintf(out->name, sizeof(out->name), "%s%s", name_prefix, known->account.pod_uid);
    snprintf(out->subject, sizeof(out->subject), "%s/%.180s", known->account.namespace,
             known->account.pod);
    snprintf(out->services[0], sizeof(out->services[0]), "%s", known->service);
    snprintf(out->node, sizeof(out->node), "%s", known->node);
    review_id(&known->review, out->id);
}

bool accounts_are(const struct api_access *access)
{
    return strncmp(access->name, name_prefix, sizeof(name_prefix) - 1) == 0;
}

static struct review *review_of(struct accounts *accounts, const struct api_access *access)
{
    return accounts != NULL ? cluster_reviews_by_id(&accounts->reviews, access->id) : NULL;
}

bool accounts_know(struct accounts *accounts, const struct api_access *access)
{
    const struct review *review = review_of(accounts, access);
    return review != NULL && review->word.said;
}

bool accounts_still(struct accounts *accounts, const struct api_access *access, uint64_t now_ms)
{
    struct review *review = review_of(accounts, access);
    return review != NULL && review->word.yes && review->expires_ms > now_ms &&
           strcmp(known_of(review)->account.pod_uid, access->name + sizeof(name_prefix) - 1) == 0;
}

/* --- the cluster's answers --- */

static void unanswered(struct known *known, const char *message)
{
    review_unanswered(&known->review, &known->review.word, message);
}

static void accept(struct known *known)
{
    if (!known->review.word.yes)
        log_event("info", "agent-known", no_service, "%s/%s reports for %s%s",
                  known->account.namespace, known->account.pod,
                  known->node[0] != '\0' ? "the pods of node " : "",
                  known->node[0] != '\0' ? known->node : known->service);
    review_said(&known->review, &known->review.word, true);
}

static struct accounts *accounts_of(const struct known *known)
{
    return (struct accounts *)(void *)known->review.reviews;
}

static bool is_node_agent(const struct known *known)
{
    const char *name = accounts_of(known)->node_agents;
    size_t namespace = strlen(known->account.namespace);
    return name != NULL && strncmp(name, known->account.namespace, namespace) == 0 &&
           name[namespace] == '/' && strcmp(name + namespace + 1, known->account.name) == 0;
}

/* What its pod lets it speak for. */
static enum guard_rc find_part(struct known *known, const struct document_node *pod,
                               struct guard_err *err)
{
    known->service[0] = known->node[0] = '\0';
    return is_node_agent(known)
               ? account_pod_node(known->node, sizeof(known->node), &known->account, pod, err)
               : account_pod_service(known->service, &known->account, pod, err);
}

static void on_pod(void *ctx, const struct api_answer *answer)
{
    struct known *known = ctx;
    struct guard_err err;
    if (answer->status == HTTP_NOT_FOUND) {
        (void)guard_fail(&err, GUARD_E_FOREIGN, "its pod %s/%.100s isn't there",
                         known->account.namespace, known->account.pod);
        review_refused(&known->review, &err);
    } else if (answer->status != 200) {
        unanswered(known, answer->message);
    } else if (find_part(known, answer->root, &err) != GUARD_OK) {
        review_refused(&known->review, &err);
    } else {
        accept(known);
    }
}

/* Names of pods and namespaces, which the API server said, need no escapes in a path. */
static void ask_pod(struct known *known)
{
    char path[KUBERNETES_PATH_MAX];
    struct guard_err err;
    snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s", known->account.namespace,
             known->account.pod);
    const struct api_call call = {.method = "GET", .path = path, .done = on_pod, .ctx = known};
    if (api_client_call(known->review.reviews->client, &call, &err) != GUARD_OK)
        unanswered(known, err.text);
}

static void on_review(void *ctx, const struct api_answer *answer)
{
    struct known *known = ctx;
    struct account account;
    struct guard_err err;
    if (!review_came(answer)) {
        unanswered(known, answer->message);
        return;
    }
    enum guard_rc rc = account_review_read(&account, answer->root, &err);
    if (rc == GUARD_E_SYNTAX) {
        unanswered(known, err.text);
        return;
    }
    if (rc != GUARD_OK) {
        review_refused(&known->review, &err);
        return;
    }
    known->account = account;
    if (known->review.word.yes) /* what its pod was given stays the same while there is that pod */
        accept(known);
    else
        ask_pod(known);
}

static bool ask(struct review *review, const char *token)
{
    char body[TOKEN_REVIEW_MAX];
    size_t len;
    if (!token_review_write(body, sizeof(body), token, true, &len))
        return false;
    struct api_call call = {.path = TOKEN_REVIEWS_PATH,
                            .body = {(const uint8_t *)body, len},
                            .done = on_review,
                            .ctx = known_of(review)};
    return review_ask(review, &review->word, &call, body);
}

/* --- checking --- */

static enum credentials_answer unchecked(unsigned *retry_s)
{
    *retry_s = ACCOUNTS_RETRY_MS / 1000;
    return CREDENTIALS_UNCHECKED;
}

/* Of what was said; the answer may have come behind the moment that is asked for. */
static uint64_t age_ms(const struct review *review, uint64_t mono_ms)
{
    return mono_ms > review->word.said_ms ? mono_ms - review->word.said_ms : 0;
}

/* Of one that the cluster hasn't let in. */
static enum credentials_answer check_new(struct accounts *accounts, const struct review *review,
                                         const char *token, uint64_t mono_ms, unsigned *retry_s)
{
    struct cluster_reviews *reviews = &accounts->reviews;
    uint64_t expires_ms;
    if (review != NULL && mono_ms < review->word.retry_ms)
        return unchecked(retry_s);
    if (review != NULL && review->word.said && age_ms(review, mono_ms) < ACCOUNTS_REFUSED_MS)
        return CREDENTIALS_BAD;
    if (!account_token_expiry(token, &expires_ms) || expires_ms <= clock_unix_ms())
        return CREDENTIALS_BAD;
    if (cluster_reviews_limited(reviews, mono_ms)) {
        *retry_s = 1;
        return CREDENTIALS_LIMITED;
    }
    struct review *place = cluster_reviews_ready(reviews, mono_ms)
                               ? cluster_reviews_get(reviews, token, mono_ms)
                               : NULL;
    if (place == NULL)
        return unchecked(retry_s);
    place->expires_ms = expires_ms;
    return ask(place, token) ? CREDENTIALS_ASKED : unchecked(retry_s);
}

/* Of one that it has let in. What it said long ago counts only while it can't be asked. */
static enum credentials_answer check_good(struct accounts *accounts, struct review *review,
                                          const char *token, uint64_t mono_ms)
{
    uint64_t age = age_ms(review, mono_ms);
    review->used_ms = mono_ms;
    if (age >= accounts->keep_ms / 2 && !review->word.asking && mono_ms >= review->word.retry_ms &&
        api_client_ready(accounts->reviews.client, mono_ms))
        (void)ask(review, token);
    return age >= accounts->keep_ms && review->word.asking && mono_ms >= review->word.retry_ms
               ? CREDENTIALS_ASKED
               : CREDENTIALS_GOOD;
}

enum credentials_answer accounts_check(struct accounts *accounts, const char *token,
                                       uint64_t now_ms, uint64_t mono_ms, struct api_access *out,
                                       unsigned *retry_s)
{
    struct review *review = cluster_reviews_find(&accounts->reviews, token);
    bool good = review != NULL && review->word.yes;
    *out = (struct api_access){.role = API_ROLE_NONE};
    if (good && review->expires_ms <= now_ms)
        return CREDENTIALS_BAD;
    if (!good)
        return review != NULL && review->word.asking
                   ? CREDENTIALS_ASKED
                   : check_new(accounts, review, token, mono_ms, retry_s);
    enum credentials_answer answer = check_good(accounts, review, token, mono_ms);
    if (answer == CREDENTIALS_GOOD)
        fill(known_of(review), out);
    return answer;
}
