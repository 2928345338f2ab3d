/* SPDX-License-Identifier: Apache-2.0 */
/* A token and each thing that its user wants are asked for once and kept with the time of the
 * answer. Nothing of a token is kept but a keyed digest. */
#include "cluster_users.h"

#include "guardd/service.h"

#include "common/file.h"
#include "common/kubernetes/access_review.h"
#include "common/kubernetes/account_review.h"
#include "common/kubernetes/api_client.h"
#include "common/log.h"
#include <guard/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    REVIEW_CAP = CLUSTER_TOKEN_MAX + 512,
    WHERE_CAP = SERVICE_NAME_CAP + 2,
};
static const char name_prefix[] = "user:"; /* no name of an access list has a colon */
static const struct guard_span no_service = {NULL, 0};

/* What the cluster said last; all times are monotonic. */
struct word {
    bool asking; /* just now */
    bool said;
    bool yes;
    uint64_t said_ms;
    uint64_t retry_ms; /* it said nothing: not again before */
};

struct user;
struct grant {
    struct user *user;
    const char *verb;      /* static; NULL: not used */
    char where[WHERE_CAP]; /* "" all namespaces, "NAMESPACE/" or "NAMESPACE/NAME" */
    bool dropped;          /* what is being asked is of somebody else now */
    struct word word;
    uint64_t used_ms;
};

/* What is known of one token. */
struct user {
    struct cluster_users *users;
    uint8_t digest[GUARD_KEY_BYTES];
    bool used;
    bool for_us;
    bool fresh;          /* it was never good: counts among those asked for */
    uint32_t asking;     /* answers that come here */
    uint64_t expires_ms; /* Unix time; 0: nobody knows */
    uint64_t used_ms;
    struct word word;
    struct cluster_user identity;
    struct grant grants[CLUSTER_USERS_GRANTS];
};

struct cluster_users {
    struct kubernetes_config config;
    struct api_client *client;
    uint64_t keep_ms;
    uint8_t key[GUARD_KEY_BYTES];
    struct user *known; /* CLUSTER_USERS_MAX, in sets */
    uint32_t asked;     /* new ones */
    uint64_t answers;
    uint64_t seen;
    uint64_t wrong_ms; /* when all of the burst may be used again */
    bool away;
    bool closing;
};

enum guard_rc cluster_users_open(struct cluster_users **out, const char *where, uint64_t keep_ms,
                                 struct guard_err *err)
{
    struct cluster_users *users = calloc(1, sizeof(*users));
    if (users == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for users of a cluster");
    users->keep_ms = keep_ms;
    users->known = calloc(CLUSTER_USERS_MAX, sizeof(*users->known));
    enum guard_rc rc = kubernetes_config_load(&users->config, where, err);
    if (rc == GUARD_OK && users->known == NULL)
        rc = guard_fail(err, GUARD_E_NOMEM, "no memory for users of a cluster");
    if (rc == GUARD_OK && random_bytes(users->key, sizeof(users->key)) != GUARD_OK)
        rc = guard_fail(err, GUARD_E_IO, "no randomness");
    if (rc == GUARD_OK)
        rc = api_client_open(&users->client, &users->config, "guardd/" GUARD_VERSION " (linux)",
                             err);
    if (rc != GUARD_OK) {
        cluster_users_close(users);
        return rc;
    }
    *out = users;
    return GUARD_OK;
}

void cluster_users_close(struct cluster_users *users)
{
    if (users == NULL)
        return;
    users->closing = true; /* what ends here isn't told */
    api_client_close(users->client);
    kubernetes_config_free(&users->config);
    for (int i = 0; users->known != NULL && i < CLUSTER_USERS_MAX; i++)
        cluster_user_fini(&users->known[i].identity);
    free(users->known);
    explicit_bzero(users->key, sizeof(users->key));
    free(users);
}

const char *cluster_users_token(const struct cluster_users *users, const char *authorization,
                                bool agents)
{
    static const char scheme[] = "Bearer ";
    const size_t len = sizeof(scheme) - 1;
    char id[SECRET_ID_LEN + 1];
    struct account_token says;
    if (users == NULL || authorization == NULL || strncasecmp(authorization, scheme, len) != 0)
        return NULL;
    const char *token = authorization + len + strspn(authorization + len, " ");
    if (!cluster_token_formed(token) || secret_id(token, strlen(token), id))
        return NULL;
    account_token_says(token, &says);
    return agents && says.for_us && says.of_pod ? NULL : token;
}

/* --- what is known --- */

/* By the first bytes of a digest, which is keyed: nobody chooses the set. */
static struct user *set_of(struct cluster_users *users, uint8_t low)
{
    return &users->known[(size_t)(low % CLUSTER_USERS_SETS) * CLUSTER_USERS_WAYS];
}

/* The free one first, then one that was refused, then that whose use is longest ago. */
static bool sooner(const struct user *a, const struct user *b)
{
    if (a->used != b->used)
        return !a->used;
    if (a->word.yes != b->word.yes)
        return !a->word.yes;
    return a->used_ms < b->used_ms;
}

static struct user *find(struct cluster_users *users, const uint8_t digest[GUARD_KEY_BYTES],
                         bool make)
{
    struct user *ways = set_of(users, digest[0]);
    struct user *place = NULL;
    for (int i = 0; i < CLUSTER_USERS_WAYS; i++) {
        if (ways[i].used && secret_same(ways[i].digest, digest, GUARD_KEY_BYTES))
            return &ways[i];
        if (ways[i].asking == 0 && (place == NULL || sooner(&ways[i], place)))
            place = &ways[i];
    }
    if (!make || place == NULL)
        return NULL;
    cluster_user_fini(&place->identity);
    *place = (struct user){.users = users, .used = true, .fresh = true};
    memcpy(place->digest, digest, GUARD_KEY_BYTES);
    return place;
}

static void id_of(const struct user *user, char out[SECRET_ID_LEN + 1])
{
    for (int i = 0; i < SECRET_ID_LEN / 2; i++)
        snprintf(out + (ptrdiff_t)2 * i, 3, "%02x", user->digest[i]);
}

static struct user *find_by_id(struct cluster_users *users, const char *id)
{
    unsigned low = 0;
    char one[SECRET_ID_LEN + 1];
    if (sscanf(id, "%2x", &low) != 1)
        return NULL;
    struct user *ways = set_of(users, (uint8_t)low);
    for (int i = 0; i < CLUSTER_USERS_WAYS; i++) {
        id_of(&ways[i], one);
        if (ways[i].used && strcmp(one, id) == 0)
            return &ways[i];
    }
    return NULL;
}

static uint64_t until(const struct cluster_users *users, const struct word *word)
{
    uint64_t denied_ms =
        users->keep_ms < CLUSTER_USERS_DENIED_MS ? users->keep_ms : CLUSTER_USERS_DENIED_MS;
    return word->said ? word->said_ms + (word->yes ? users->keep_ms : denied_ms) : 0;
}

/* --- the cluster's answers --- */

static void end(struct user *user, struct word *word)
{
    word->asking = false;
    user->asking--;
    user->users->answers++;
    if (word == &user->word && user->fresh) {
        user->fresh = false;
        user->users->asked--;
    }
}

/* Nobody said anything. What was said before counts to its end. */
static void unanswered(struct user *user, struct word *word, const char *message)
{
    struct cluster_users *users = user->users;
    word->retry_ms = clock_monotonic_ms() + CLUSTER_USERS_RETRY_MS;
    if (!users->away && !users->closing)
        log_event("alarm", "access-reviews-away", no_service,
                  "%s; users of the cluster are refused meanwhile", message);
    users->away = true;
    end(user, word);
}

static void settle(struct user *user, struct word *word, bool yes)
{
    struct cluster_users *users = user->users;
    if (users->away && !users->closing)
        log_event("info", "access-reviews-back", no_service, "%s", "");
    users->away = false;
    word->said = true;
    word->yes = yes;
    word->said_ms = clock_monotonic_ms();
    end(user, word);
}

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
    struct cluster_users *users = user->users;
    uint64_t now = clock_monotonic_ms();
    log_event("warn", "user-refused", no_service, "%s", err->text);
    cluster_user_fini(&user->identity);
    drop_grants(user);
    users->wrong_ms = (users->wrong_ms > now ? users->wrong_ms : now) + CLUSTER_USERS_WRONG_MS;
    settle(user, &user->word, false);
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
    settle(user, &user->word, true);
}

static bool came(const struct api_answer *answer)
{
    return answer->status == 200 || answer->status == 201;
}

static void on_token(void *ctx, const struct api_answer *answer)
{
    struct user *user = ctx;
    struct cluster_user identity;
    struct guard_err err;
    if (!came(answer)) {
        unanswered(user, &user->word, answer->message);
        return;
    }
    enum guard_rc rc = user_review_read(&identity, answer->root, user->for_us, &err);
    if (rc == GUARD_OK) {
        become(user, &identity);
        return;
    }
    cluster_user_fini(&identity);
    if (rc == GUARD_E_SYNTAX || rc == GUARD_E_NOMEM)
        unanswered(user, &user->word, err.text);
    else
        refuse(user, &err);
}

static void on_access(void *ctx, const struct api_answer *answer)
{
    struct grant *grant = ctx;
    struct guard_err err;
    bool allowed = false;
    if (grant->dropped) {
        struct user *user = grant->user;
        end(user, &grant->word);
        *grant = (struct grant){.user = user};
    } else if (!came(answer)) {
        unanswered(grant->user, &grant->word, answer->message);
    } else if (access_review_read(&allowed, answer->root, &err) != GUARD_OK) {
        unanswered(grant->user, &grant->word, err.text);
    } else {
        settle(grant->user, &grant->word, allowed);
    }
}

static bool ask(struct user *user, struct word *word, struct api_call *call, char *body)
{
    struct guard_err err;
    call->method = "POST";
    call->content_type = "application/json";
    word->asking = api_client_call(user->users->client, call, &err) == GUARD_OK;
    explicit_bzero(body, call->body.len);
    user->asking += word->asking;
    return word->asking;
}

static bool ask_token(struct user *user, const char *token)
{
    char body[REVIEW_CAP];
    size_t len;
    if (!user_review_write(body, sizeof(body), token, user->for_us, &len))
        return false;
    struct api_call call = {.path = "/apis/authentication.k8s.io/v1/tokenreviews",
                            .body = {(const uint8_t *)body, len},
                            .done = on_token,
                            .ctx = user};
    return ask(user, &user->word, &call, body);
}

static bool ask_access(struct grant *grant)
{
    char body[ACCESS_REVIEW_MAX];
    size_t namespace = strcspn(grant->where, "/");
    const char *name = grant->where[namespace] != '\0' ? grant->where + namespace + 1 : "";
    const struct access_question question = {
        .verb = grant->verb,
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
    return ask(grant->user, &grant->word, &call, body);
}

/* --- who it is --- */

static enum credentials_answer unchecked(unsigned *retry_s)
{
    *retry_s = CLUSTER_USERS_RETRY_MS / 1000;
    return CREDENTIALS_UNCHECKED;
}

static void fill(const struct user *user, uint64_t now_ms, uint64_t mono_ms, struct api_access *out)
{
    *out = (struct api_access){.role = API_ROLE_NONE, .until_ms = until(user->users, &user->word)};
    if (user->expires_ms != 0 && user->expires_ms - now_ms < out->until_ms - mono_ms)
        out->until_ms = mono_ms + (user->expires_ms - now_ms);
    snprintf(out->name, sizeof(out->name), "%s%.59s", name_prefix, user->identity.name);
    snprintf(out->subject, sizeof(out->subject), "%.160s (%.90s)", user->identity.name,
             user->identity.groups);
    id_of(user, out->id);
}

/* Of one that isn't known to be good. Who was is asked for before all guesses. */
static enum credentials_answer check_new(struct cluster_users *users, struct user *user,
                                         const uint8_t digest[GUARD_KEY_BYTES], const char *token,
                                         uint64_t mono_ms, unsigned *retry_s)
{
    const uint64_t burst = (uint64_t)CLUSTER_USERS_WRONG_BURST * CLUSTER_USERS_WRONG_MS;
    struct account_token says;
    bool was_good = user != NULL && user->word.yes;
    if (user != NULL && mono_ms < user->word.retry_ms)
        return unchecked(retry_s);
    if (!was_good && users->wrong_ms >= mono_ms + burst) {
        *retry_s = 1;
        return CREDENTIALS_LIMITED;
    }
    if (users->asked >= CLUSTER_USERS_ASKED_MAX || !api_client_ready(users->client, mono_ms))
        return unchecked(retry_s);
    user = find(users, digest, true);
    if (user == NULL)
        return unchecked(retry_s);
    account_token_says(token, &says);
    user->for_us = says.for_us;
    user->used_ms = mono_ms;
    if (!account_token_expiry(token, &user->expires_ms))
        user->expires_ms = 0;
    if (!ask_token(user, token)) {
        user->word.retry_ms = mono_ms + CLUSTER_USERS_RETRY_MS;
        return unchecked(retry_s);
    }
    user->fresh = !was_good;
    users->asked += user->fresh;
    return CREDENTIALS_ASKED;
}

enum credentials_answer cluster_users_check(struct cluster_users *users, const char *token,
                                            uint64_t now_ms, uint64_t mono_ms,
                                            struct api_access *out, unsigned *retry_s)
{
    uint8_t digest[GUARD_KEY_BYTES];
    uint64_t expires_ms = 0;
    guard_key_derive(digest, users->key,
                     (struct guard_span){(const uint8_t *)token, strlen(token)});
    struct user *user = find(users, digest, false);
    *out = (struct api_access){.role = API_ROLE_NONE};
    if (account_token_expiry(token, &expires_ms) && expires_ms <= now_ms)
        return CREDENTIALS_BAD;
    if (user != NULL && user->word.asking)
        return CREDENTIALS_ASKED;
    if (user == NULL || mono_ms >= until(users, &user->word))
        return check_new(users, user, digest, token, mono_ms, retry_s);
    if (!user->word.yes)
        return CREDENTIALS_BAD;
    user->used_ms = mono_ms;
    fill(user, now_ms, mono_ms, out);
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

/* NULL: all places wait for an answer. */
static struct grant *grant_of(struct user *user, const char *verb, const char *where)
{
    struct grant *place = NULL;
    for (int i = 0; i < CLUSTER_USERS_GRANTS; i++) {
        struct grant *grant = &user->grants[i];
        if (grant->verb != NULL && strcmp(grant->verb, verb) == 0 &&
            strcmp(grant->where, where) == 0)
            return grant;
        if (!grant->word.asking && (place == NULL || grant->used_ms < place->used_ms))
            place = grant;
    }
    if (place == NULL)
        return NULL;
    *place = (struct grant){.user = user, .verb = verb};
    snprintf(place->where, sizeof(place->where), "%s", where);
    return place;
}

struct deciding {
    struct user *user;
    const char *verb;
    uint64_t mono_ms;
    uint64_t until_ms; /* of what was said so far */
    bool asked;        /* something has no answer yet */
    bool unanswered;   /* something gets none */
};

/* Whether it is allowed, as far as that is known. */
static bool may(struct deciding *deciding, const char *where)
{
    struct user *user = deciding->user;
    struct grant *grant = grant_of(user, deciding->verb, where);
    if (grant == NULL) {
        deciding->unanswered = true;
        return false;
    }
    uint64_t until_ms = until(user->users, &grant->word);
    grant->used_ms = deciding->mono_ms;
    if (deciding->mono_ms < until_ms) {
        if (until_ms < deciding->until_ms)
            deciding->until_ms = until_ms;
        return grant->word.yes;
    }
    if (grant->word.asking ||
        (deciding->mono_ms >= grant->word.retry_ms &&
         api_client_ready(user->users->client, deciding->mono_ms) && ask_access(grant)))
        deciding->asked = true;
    else
        deciding->unanswered = true;
    return false;
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
    struct user *user = find_by_id(users, access->id);
    access->role = API_ROLE_NONE;
    access->service_count = 0;
    if (user == NULL || user->identity.words == NULL || user->word.asking)
        return unchecked(retry_s);
    if (role_of(wish->right) == API_ROLE_NONE)
        return CREDENTIALS_BAD;
    struct deciding deciding = {.user = user,
                                .verb = cluster_users_verb(wish),
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

/* --- its turns --- */

uint64_t cluster_users_answers(const struct cluster_users *users)
{
    return users != NULL ? users->answers : 0;
}

bool cluster_users_run(struct cluster_users *users)
{
    if (users == NULL)
        return false;
    api_client_run(users->client);
    bool answered = users->seen != users->answers;
    users->seen = users->answers;
    return answered;
}

int cluster_users_fd(const struct cluster_users *users)
{
    return users != NULL ? api_client_fd(users->client) : -1;
}

uint32_t cluster_users_wait_ms(const struct cluster_users *users, uint32_t max)
{
    return users != NULL ? api_client_wait_ms(users->client, max) : max;
}
