/* SPDX-License-Identifier: Apache-2.0 */
/* A token and each thing that its user wants are asked for once and kept with the time of the
 * answer. Nothing of a token is kept but a keyed digest. */
#include "cluster_users.h"

#include "cluster_reviews.h"

#include "guardd/service.h"

#include "common/kubernetes/access_review.h"
#include "common/kubernetes/account_review.h"
#include "common/kubernetes/token_review.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHERE_CAP = SERVICE_NAME_CAP + 2 };
static const char name_prefix[] = "user:"; /* no name of an access list has a colon */
static const struct guard_span no_service = {NULL, 0};

struct user;
struct grant {
    struct user *user;
    const char *verb;      /* static; NULL: not used */
    const char *part;      /* static, of a Guardian; "": the whole */
    char where[WHERE_CAP]; /* "" all namespaces, "NAMESPACE/" or "NAMESPACE/NAME" */
    bool dropped;          /* what is being asked is of somebody else now */
    struct review_word word;
    uint64_t used_ms;
};

/* What is known of one token. */
struct user {
    struct review review;
    bool for_us;
    struct cluster_user identity;
    struct grant grants[CLUSTER_USERS_GRANTS];
};

struct cluster_users {
    struct cluster_reviews reviews;
    uint64_t keep_ms;
};

static struct user *user_of(struct review *review)
{
    return (struct user *)(void *)review;
}

static void forget(struct review *review)
{
    cluster_user_fini(&user_of(review)->identity);
}

static const struct cluster_reviews_cfg rules = {
    .size = sizeof(struct user),
    .sets = CLUSTER_USERS_SETS,
    .asked_max = CLUSTER_USERS_ASKED_MAX,
    .retry_ms = CLUSTER_USERS_RETRY_MS,
    .away = "access-reviews-away",
    .back = "access-reviews-back",
    .refused = "user-refused",
    .meanwhile = "users of the cluster are refused meanwhile",
    .fini = forget,
};

enum guard_rc cluster_users_open(struct cluster_users **out, const char *where, uint64_t keep_ms,
                                 struct guard_err *err)
{
    struct cluster_users *users = calloc(1, sizeof(*users));
    if (users == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for users of a cluster");
    users->keep_ms = keep_ms;
    enum guard_rc rc = cluster_reviews_init(&users->reviews, &rules, where, err);
    if (rc == GUARD_OK)
        *out = users;
    else
        cluster_users_close(users);
    return rc;
}

void cluster_users_close(struct cluster_users *users)
{
    if (users == NULL)
        return;
    cluster_reviews_fini(&users->reviews);
    free(users);
}

struct cluster_reviews *cluster_users_reviews(struct cluster_users *users)
{
    return users != NULL ? &users->reviews : NULL;
}

const char *cluster_users_token(const struct cluster_users *users, const char *authorization,
                                bool agents)
{
    char id[SECRET_ID_LEN + 1];
    struct account_token says;
    const char *token = users != NULL ? cluster_reviews_bearer(authorization) : NULL;
    if (token == NULL || !cluster_token_formed(token) || secret_id(token, strlen(token), id))
        return NULL;
    account_token_says(token, &says);
    return agents && says.for_us && says.of_pod ? NULL : token;
}

static uint64_t until(uint64_t keep_ms, const struct review_word *word)
{
    uint64_t denied_ms = keep_ms < CLUSTER_USERS_DENIED_MS ? keep_ms : CLUSTER_USERS_DENIED_MS;
    return word->said ? word->said_ms + (word->yes ? keep_ms : denied_ms) : 0;
}

/* --- the cluster's answers --- */

/* Answers that are under way come to their places still, and count for nothing. */
static void drop_grants(struct user *user)
{
    for (int i = 0; i < CLUSTER_USERS_GRANTS; i++) {
        struct grant *grant = &user->grants[i];
        if (grant->word.asking)
            grant->dropped = true;
        else
            *grant = (struct grant){.user = user};
    }
}

static void refuse(struct user *user, const struct guard_err *err)
{
    cluster_user_fini(&user->identity);
    drop_grants(user);
    review_refused(&user->review, err);
}

/* What was said of somebody else isn't theirs. */
static void become(struct user *user, struct cluster_user *identity)
{
    bool same = user->identity.words != NULL && strcmp(user->identity.words, identity->words) == 0;
    if (!same) {
        log_event("info", "user-known", no_service, "%s (%s)", identity->name, identity->groups);
        drop_grants(user);
    }
    cluster_user_fini(&user->identity);
    user->identity = *identity;
    review_said(&user->review, &user->review.word, true);
}

static void on_token(void *ctx, const struct api_answer *answer)
{
    struct user *user = ctx;
    struct review *review = &user->review;
    struct cluster_user identity;
    struct guard_err err;
    if (!review_came(answer)) {
        review_unanswered(review, &review->word, answer->message);
        return;
    }
    enum guard_rc rc = user_review_read(&identity, answer->root, user->for_us, &err);
    if (rc == GUARD_OK) {
        become(user, &identity);
        return;
    }
    cluster_user_fini(&identity);
    if (rc == GUARD_E_SYNTAX || rc == GUARD_E_NOMEM)
        review_unanswered(review, &review->word, err.text);
    else
        refuse(user, &err);
}

static void on_access(void *ctx, const struct api_answer *answer)
{
    struct grant *grant = ctx;
    struct user *user = grant->user;
    struct guard_err err;
    bool allowed = false;
    if (grant->dropped) {
        review_dropped(&user->review, &grant->word);
        *grant = (struct grant){.user = user};
    } else if (!review_came(answer)) {
        review_unanswered(&user->review, &grant->word, answer->message);
    } else if (access_review_read(&allowed, answer->root, &err) != GUARD_OK) {
        review_unanswered(&user->review, &grant->word, err.text);
    } else {
        review_said(&user->review, &grant->word, allowed);
    }
}

static bool ask_token(struct user *user, const char *token)
{
    char body[TOKEN_REVIEW_MAX];
    size_t len;
    if (!token_review_write(body, sizeof(body), token, user->for_us, &len))
        return false;
    struct api_call call = {.path = TOKEN_REVIEWS_PATH,
                            .body = {(const uint8_t *)body, len},
                            .done = on_token,
                            .ctx = user};
    return review_ask(&user->review, &user->review.word, &call, body);
}

static bool ask_access(struct grant *grant)
{
    char body[ACCESS_REVIEW_MAX];
    size_t namespace = strcspn(grant->where, "/");
    const char *name = grant->where[namespace] != '\0' ? grant->where + namespace + 1 : "";
    const struct access_question question = {
        .verb = grant->verb,
        .part = grant->part,
        .namespace = {(const uint8_t *)grant->where, namespace},
        .name = {(const uint8_t *)name, strlen(name)},
    };
    size_t len;
    if (!access_review_write(body, sizeof(body), &grant->user->identity, &question, &len))
        return false;
    struct api_call call = {.path = "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                            .body = {(const uint8_t *)body, len},
                            .done = on_access,
                            .ctx = grant};
    return review_ask(&grant->user->review, &grant->word, &call, body);
}

/* --- who it is --- */

static enum credentials_answer unchecked(unsigned *retry_s)
{
    *retry_s = CLUSTER_USERS_RETRY_MS / 1000;
    return CREDENTIALS_UNCHECKED;
}

static void fill(const struct user *user, uint64_t until_ms, uint64_t now_ms, uint64_t mono_ms,
                 struct api_access *out)
{
    uint64_t expires_ms = user->review.expires_ms;
    *out = (struct api_access){.role = API_ROLE_NONE, .until_ms = until_ms};
    if (expires_ms != 0 && expires_ms - now_ms < until_ms - mono_ms)
        out->until_ms = mono_ms + (expires_ms - now_ms);
    snprintf(out->name, sizeof(out->name), "%s%.59s", name_prefix, user->identity.name);
    snprintf(out->subject, sizeof(out->subject), "%.160s (%.90s)", user->identity.name,
             user->identity.groups);
    review_id(&user->review, out->id);
}

/* Of one that isn't known to be good. Who was is asked for before all guesses. */
static enum credentials_answer check_new(struct cluster_users *users, const struct review *review,
                                         const char *token, uint64_t mono_ms, unsigned *retry_s)
{
    struct cluster_reviews *reviews = &users->reviews;
    struct account_token says;
    if (review != NULL && mono_ms < review->word.retry_ms)
        return unchecked(retry_s);
    if ((review == NULL || !review->word.yes) && cluster_reviews_limited(reviews, mono_ms)) {
        *retry_s = 1;
        return CREDENTIALS_LIMITED;
    }
    struct review *place = cluster_reviews_ready(reviews, mono_ms)
                               ? cluster_reviews_get(reviews, token, mono_ms)
                               : NULL;
    if (place == NULL)
        return unchecked(retry_s);
    account_token_says(token, &says);
    user_of(place)->for_us = says.for_us;
    if (!account_token_expiry(token, &place->expires_ms))
        place->expires_ms = 0;
    return ask_token(user_of(place), token) ? CREDENTIALS_ASKED : unchecked(retry_s);
}

enum credentials_answer cluster_users_check(struct cluster_users *users, const char *token,
                                            uint64_t now_ms, uint64_t mono_ms,
                                            struct api_access *out, unsigned *retry_s)
{
    struct review *review = cluster_reviews_find(&users->reviews, token);
    uint64_t until_ms = review != NULL ? until(users->keep_ms, &review->word) : 0;
    uint64_t expires_ms = 0;
    *out = (struct api_access){.role = API_ROLE_NONE};
    if (account_token_expiry(token, &expires_ms) && expires_ms <= now_ms)
        return CREDENTIALS_BAD;
    if (review != NULL && review->word.asking)
        return CREDENTIALS_ASKED;
    if (review == NULL || mono_ms >= until_ms)
        return check_new(users, review, token, mono_ms, retry_s);
    if (!review->word.yes)
        return CREDENTIALS_BAD;
    review->used_ms = mono_ms;
    fill(user_of(review), until_ms, now_ms, mono_ms, out);
    return CREDENTIALS_GOOD;
}

/* --- what they may --- */

const char *cluster_users_verb(const struct cluster_wish *wish)
{
    if (wish->right == API_RIGHT_OPERATE)
        return "update";
    if (wish->right == API_RIGHT_ADMINISTER)
        return "administer";
    if (wish->follows)
        return "watch";
    return wish->whole ? "get" : "list";
}

static enum api_role role_of(enum api_right right)
{
    static const enum api_role roles[API_RIGHTS] = {
        [API_RIGHT_READ] = API_ROLE_VIEWER,
        [API_RIGHT_EVIDENCE] = API_ROLE_VIEWER,
        [API_RIGHT_OPERATE] = API_ROLE_OPERATOR,
        [API_RIGHT_ADMINISTER] = API_ROLE_ADMIN,
    };
    return (unsigned)right < API_RIGHTS ? roles[right] : API_ROLE_NONE;
}

const char *cluster_users_part(const struct cluster_wish *wish)
{
    return wish->right == API_RIGHT_OPERATE ? "decisions" : "";
}

/* NULL: all places wait for an answer. */
static struct grant *grant_of(struct user *user, const char *verb, const char *part,
                              const char *where)
{
    struct grant *place = NULL;
    for (int i = 0; i < CLUSTER_USERS_GRANTS; i++) {
        struct grant *grant = &user->grants[i];
        if (grant->verb != NULL && strcmp(grant->verb, verb) == 0 &&
            strcmp(grant->part, part) == 0 && strcmp(grant->where, where) == 0)
            return grant;
        if (!grant->word.asking && (place == NULL || grant->used_ms < place->used_ms))
            place = grant;
    }
    if (place == NULL)
        return NULL;
    *place = (struct grant){.user = user, .verb = verb, .part = part};
    snprintf(place->where, sizeof(place->where), "%s", where);
    return place;
}

struct deciding {
    struct user *user;
    const char *verb;
    const char *part; /* that is as good; "": none */
    uint64_t keep_ms;
    uint64_t mono_ms;
    uint64_t until_ms; /* of what was said so far */
    bool asked;        /* something has no answer yet */
    bool unanswered;   /* something gets none */
};

enum said { OPEN, NO, YES };

/* What was said of it, or that it isn't known yet. */
static enum said look_up(struct deciding *deciding, const char *part, const char *where)
{
    struct user *user = deciding->user;
    struct grant *grant = grant_of(user, deciding->verb, part, where);
    if (grant == NULL) {
        deciding->unanswered = true;
        return OPEN;
    }
    uint64_t until_ms = until(deciding->keep_ms, &grant->word);
    grant->used_ms = deciding->mono_ms;
    if (deciding->mono_ms < until_ms) {
        if (until_ms < deciding->until_ms)
            deciding->until_ms = until_ms;
        return grant->word.yes ? YES : NO;
    }
    if (grant->word.asking ||
        (deciding->mono_ms >= grant->word.retry_ms &&
         api_client_ready(user->review.reviews->client, deciding->mono_ms) && ask_access(grant)))
        deciding->asked = true;
    else
        deciding->unanswered = true;
    return OPEN;
}

/* Of the whole first, which most have: the part is another question. */
static bool may(struct deciding *deciding, const char *where)
{
    enum said said = look_up(deciding, "", where);
    if (said == NO && deciding->part[0] != '\0')
        said = look_up(deciding, deciding->part, where);
    return said == YES;
}

static void bind(struct api_access *access, const char *pattern, size_t len, const char *suffix)
{
    snprintf(access->services[access->service_count++], sizeof(access->services[0]), "%.*s%s",
             (int)len, pattern, suffix);
}

/* A service is called NAMESPACE.NAME; one that isn't is of no namespace. */
static size_t namespace_of(struct guard_span service)
{
    const uint8_t *dot = service.len > 0 ? memchr(service.ptr, '.', service.len) : NULL;
    return dot != NULL ? (size_t)(dot - service.ptr) : 0;
}

static void decide_one(struct deciding *deciding, const struct cluster_wish *wish,
                       struct api_access *access)
{
    char where[WHERE_CAP];
    const char *name = (const char *)wish->service.ptr;
    size_t len = wish->service.len;
    size_t namespace = namespace_of(wish->service);
    if (len >= SERVICE_NAME_CAP)
        return;
    snprintf(where, sizeof(where), "%.*s", namespace > 0 ? (int)len : 0, name);
    if (namespace > 0)
        where[namespace] = '/';
    if (!may(deciding, where))
        return;
    access->role = role_of(wish->right);
    bind(access, name, len, "");
}

/* Of whom not all is: in which namespaces of those that have services. */
static void decide_each(struct deciding *deciding, const struct cluster_wish *wish,
                        struct api_access *access)
{
    struct guard_span seen[CLUSTER_USERS_NAMESPACES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < wish->services->count; i++) {
        struct guard_span one = wish->services->list[i]->name;
        uint32_t at = 0;
        one.len = namespace_of(one);
        while (at < count &&
               (seen[at].len != one.len || memcmp(seen[at].ptr, one.ptr, one.len) != 0))
            at++;
        if (one.len == 0 || at < count)
            continue;
        if (count == CLUSTER_USERS_NAMESPACES)
            return; /* a part would look like all: they are to name a service */
        seen[count++] = one;
    }
    for (uint32_t at = 0; at < count; at++) {
        char where[WHERE_CAP];
        snprintf(where, sizeof(where), "%.*s/", (int)seen[at].len, (const char *)seen[at].ptr);
        if (may(deciding, where))
            bind(access, (const char *)seen[at].ptr, seen[at].len, ".*");
    }
    if (access->service_count > 0)
        access->role = role_of(wish->right);
}

static void decide(struct deciding *deciding, const struct cluster_wish *wish,
                   struct api_access *access)
{
    if (wish->service.len > 0) {
        decide_one(deciding, wish, access);
        return;
    }
    if (may(deciding, ""))
        access->role = role_of(wish->right);
    else if (!deciding->asked && !deciding->unanswered)
        decide_each(deciding, wish, access);
}

enum credentials_answer cluster_users_authorise(struct cluster_users *users,
                                                const struct cluster_wish *wish, uint64_t mono_ms,
                                                struct api_access *access, unsigned *retry_s)
{
    struct review *review = cluster_reviews_by_id(&users->reviews, access->id);
    access->role = API_ROLE_NONE;
    access->service_count = 0;
    if (review == NULL || user_of(review)->identity.words == NULL || review->word.asking)
        return unchecked(retry_s);
    if (role_of(wish->right) == API_ROLE_NONE)
        return CREDENTIALS_BAD;
    struct deciding deciding = {.user = user_of(review),
                                .keep_ms = users->keep_ms,
                                .verb = cluster_users_verb(wish),
                                .part = cluster_users_part(wish),
                                .mono_ms = mono_ms,
                                .until_ms = access->until_ms};
    decide(&deciding, wish, access);
    bool open = deciding.asked || deciding.unanswered;
    if (open || access->role == API_ROLE_NONE) {
        access->role = API_ROLE_NONE;
        return deciding.asked ? CREDENTIALS_ASKED : open ? unchecked(retry_s) : CREDENTIALS_BAD;
    }
    access->until_ms = deciding.until_ms;
    return CREDENTIALS_GOOD;
}

bool cluster_users_are(const struct api_access *access)
{
    return access->until_ms != 0;
}

bool cluster_users_still(const struct api_access *access, uint64_t mono_ms)
{
    return mono_ms < access->until_ms;
}
