/* SPDX-License-Identifier: Apache-2.0 */
/* A token is asked for at its first use, in the time of whoever shows it; later on beside its use.
 * While the cluster is away what it said holds until the token ends, and nobody new is let in. */
#include "accounts.h"

#include "common/file.h"
#include "common/kubernetes/account_review.h"
#include "common/kubernetes/api_client.h"
#include "common/log.h"
#include <guard/crypto.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { REVIEW_CAP = ACCOUNT_TOKEN_MAX + 512, HTTP_NOT_FOUND = 404 };
static const char name_prefix[] = "pod:"; /* no name of an access list has a colon */
static const struct guard_span no_service = {NULL, 0};

/* What is known of one token. */
struct known {
    struct accounts *accounts;
    uint8_t digest[GUARD_KEY_BYTES];
    bool used;
    bool asking;  /* the cluster, just now */
    bool good;    /* it said so */
    bool refused; /* it said that it isn't */
    uint64_t expires_ms;
    uint64_t said_ms; /* monotonic, as all below: when it said something last */
    uint64_t retry_ms;
    uint64_t used_ms;
    struct account account;
    char service[ACCOUNT_SERVICE_CAP];
};

struct accounts {
    struct kubernetes_config config;
    struct api_client *client;
    uint64_t keep_ms;
    uint8_t key[GUARD_KEY_BYTES];
    struct known *known; /* ACCOUNTS_MAX, in sets */
    uint32_t asked;      /* new ones */
    uint64_t answers;
    uint64_t seen;     /* of the answers, by accounts_run */
    uint64_t wrong_ms; /* when all of the burst may be used again */
    bool away;
};

enum guard_rc accounts_open(struct accounts **out, const char *where, uint64_t keep_ms,
                            struct guard_err *err)
{
    struct accounts *accounts = calloc(1, sizeof(*accounts));
    if (accounts == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for tokens of a cluster");
    accounts->keep_ms = keep_ms;
    accounts->known = calloc(ACCOUNTS_MAX, sizeof(*accounts->known));
    enum guard_rc rc = kubernetes_config_load(&accounts->config, where, err);
    if (rc == GUARD_OK && accounts->known == NULL)
        rc = guard_fail(err, GUARD_E_NOMEM, "no memory for tokens of a cluster");
    if (rc == GUARD_OK && random_bytes(accounts->key, sizeof(accounts->key)) != GUARD_OK)
        rc = guard_fail(err, GUARD_E_IO, "no randomness");
    if (rc == GUARD_OK)
        rc = api_client_open(&accounts->client, &accounts->config,
                             "guardd/" GUARD_VERSION " (linux)", err);
    if (rc != GUARD_OK) {
        accounts_close(accounts);
        return rc;
    }
    *out = accounts;
    return GUARD_OK;
}

void accounts_close(struct accounts *accounts)
{
    if (accounts == NULL)
        return;
    accounts->away = true; /* what ends here isn't told */
    api_client_close(accounts->client);
    kubernetes_config_free(&accounts->config);
    free(accounts->known);
    explicit_bzero(accounts->key, sizeof(accounts->key));
    free(accounts);
}

const char *accounts_token(const struct accounts *accounts, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    const size_t len = sizeof(scheme) - 1;
    if (accounts == NULL || authorization == NULL || strncasecmp(authorization, scheme, len) != 0)
        return NULL;
    const char *token = authorization + len + strspn(authorization + len, " ");
    return account_token_formed(token) ? token : NULL;
}

/* --- what is known --- */

/* By the first bytes of a digest, which is keyed: nobody chooses the set. */
static struct known *set_of(struct accounts *accounts, uint8_t low, uint8_t high)
{
    size_t set = ((size_t)high << 8 | low) % ACCOUNTS_SETS;
    return &accounts->known[set * ACCOUNTS_WAYS];
}

static struct known *find(struct accounts *accounts, const uint8_t digest[GUARD_KEY_BYTES],
                          bool make)
{
    struct known *oldest = NULL;
    struct known *ways = set_of(accounts, digest[0], digest[1]);
    for (int i = 0; i < ACCOUNTS_WAYS; i++) {
        if (ways[i].used && secret_same(ways[i].digest, digest, GUARD_KEY_BYTES))
            return &ways[i];
        if (ways[i].asking) /* its answer comes here */
            continue;
        if (oldest == NULL || (oldest->used && !ways[i].used) ||
            (oldest->used == ways[i].used && ways[i].used_ms < oldest->used_ms))
            oldest = &ways[i];
    }
    if (!make || oldest == NULL)
        return NULL;
    *oldest = (struct known){.accounts = accounts, .used = true};
    memcpy(oldest->digest, digest, GUARD_KEY_BYTES);
    return oldest;
}

static void id_of(const struct known *known, char out[SECRET_ID_LEN + 1])
{
    for (int i = 0; i < SECRET_ID_LEN / 2; i++)
        snprintf(out + (ptrdiff_t)2 * i, 3, "%02x", known->digest[i]);
}

static void fill(const struct known *known, struct api_access *out)
{
    *out = (struct api_access){.role = API_ROLE_REPORTER, .service_count = 1};
    snprintf(out->name, sizeof(out->name), "%s%s", name_prefix, known->account.pod_uid);
    snprintf(out->subject, sizeof(out->subject), "%s/%.180s", known->account.namespace,
             known->account.pod);
    snprintf(out->services[0], sizeof(out->services[0]), "%s", known->service);
    id_of(known, out->id);
}

bool accounts_are(const struct api_access *access)
{
    return strncmp(access->name, name_prefix, sizeof(name_prefix) - 1) == 0;
}

bool accounts_still(struct accounts *accounts, const struct api_access *access, uint64_t now_ms)
{
    unsigned low = 0, high = 0;
    char id[SECRET_ID_LEN + 1];
    if (accounts == NULL || sscanf(access->id, "%2x%2x", &low, &high) != 2)
        return false;
    const struct known *ways = set_of(accounts, (uint8_t)low, (uint8_t)high);
    for (int i = 0; i < ACCOUNTS_WAYS; i++) {
        if (!ways[i].used || !ways[i].good || ways[i].expires_ms <= now_ms)
            continue;
        id_of(&ways[i], id);
        if (strcmp(id, access->id) == 0 &&
            strcmp(ways[i].account.pod_uid, access->name + sizeof(name_prefix) - 1) == 0)
            return true;
    }
    return false;
}

/* --- the cluster's answers --- */

static void end(struct known *known)
{
    struct accounts *accounts = known->accounts;
    known->asking = false;
    accounts->answers++;
    accounts->asked -= !known->good && accounts->asked > 0;
}

/* Nobody said anything of it. */
static void unanswered(struct known *known, const char *message)
{
    struct accounts *accounts = known->accounts;
    known->retry_ms = clock_monotonic_ms() + ACCOUNTS_RETRY_MS;
    if (!accounts->away)
        log_event("alarm", "token-reviews-away", no_service,
                  "%s; agents that are known go on, new ones are refused", message);
    accounts->away = true;
    end(known);
}

static void refuse(struct known *known, const struct guard_err *err)
{
    struct accounts *accounts = known->accounts;
    uint64_t now = clock_monotonic_ms();
    log_event("warn", "agent-refused", no_service, "%s", err->text);
    end(known);
    known->good = false;
    known->refused = true;
    known->said_ms = now;
    accounts->wrong_ms = (accounts->wrong_ms > now ? accounts->wrong_ms : now) + ACCOUNTS_WRONG_MS;
}

static void accept(struct known *known)
{
    end(known);
    if (!known->good)
        log_event("info", "agent-known", no_service, "%s/%s reports for %s",
                  known->account.namespace, known->account.pod, known->service);
    known->good = true;
    known->said_ms = clock_monotonic_ms();
}

static void back(struct accounts *accounts)
{
    if (accounts->away)
        log_event("info", "token-reviews-back", no_service, "%s", "");
    accounts->away = false;
}

static void on_pod(void *ctx, const struct api_answer *answer)
{
    struct known *known = ctx;
    struct guard_err err;
    if (answer->status == HTTP_NOT_FOUND) {
        (void)guard_fail(&err, GUARD_E_FOREIGN, "its pod %s/%.100s isn't there",
                         known->account.namespace, known->account.pod);
        refuse(known, &err);
    } else if (answer->status != 200) {
        unanswered(known, answer->message);
    } else if (account_pod_service(known->service, &known->account, answer->root, &err) !=
               GUARD_OK) {
        refuse(known, &err);
    } else {
        back(known->accounts);
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
    if (api_client_call(known->accounts->client, &call, &err) != GUARD_OK)
        unanswered(known, err.text);
}

static void on_review(void *ctx, const struct api_answer *answer)
{
    struct known *known = ctx;
    struct account account;
    struct guard_err err;
    if (answer->status != 200 && answer->status != 201) {
        unanswered(known, answer->message);
        return;
    }
    enum guard_rc rc = account_review_read(&account, answer->root, &err);
    if (rc == GUARD_E_SYNTAX) {
        unanswered(known, err.text);
        return;
    }
    back(known->accounts);
    if (rc != GUARD_OK) {
        refuse(known, &err);
        return;
    }
    known->account = account;
    if (known->good) /* what its pod was given stays the same for as long as there is that pod */
        accept(known);
    else
        ask_pod(known);
}

/* Whether the cluster is asked. */
static bool ask(struct known *known, const char *token)
{
    char body[REVIEW_CAP];
    struct guard_err err;
    size_t len;
    if (!account_review_write(body, sizeof(body), token, &len))
        return false;
    const struct api_call call = {
        .method = "POST",
        .path = "/apis/authentication.k8s.io/v1/tokenreviews",
        .content_type = "application/json",
        .body = {(const uint8_t *)body, len},
        .done = on_review,
        .ctx = known,
    };
    known->asking = api_client_call(known->accounts->client, &call, &err) == GUARD_OK;
    explicit_bzero(body, sizeof(body));
    return known->asking;
}

/* --- checking --- */

static enum credentials_answer unchecked(unsigned *retry_s)
{
    *retry_s = ACCOUNTS_RETRY_MS / 1000;
    return CREDENTIALS_UNCHECKED;
}

/* Of what was said; the answer may have come behind the moment that is asked for. */
static uint64_t age_ms(const struct known *known, uint64_t mono_ms)
{
    return mono_ms > known->said_ms ? mono_ms - known->said_ms : 0;
}

/* Of one that the cluster hasn't let in. */
static enum credentials_answer check_new(struct accounts *accounts, struct known *known,
                                         const uint8_t digest[GUARD_KEY_BYTES], const char *token,
                                         uint64_t mono_ms, unsigned *retry_s)
{
    const uint64_t burst = (uint64_t)ACCOUNTS_WRONG_BURST * ACCOUNTS_WRONG_MS;
    uint64_t expires_ms;
    if (known != NULL && mono_ms < known->retry_ms)
        return unchecked(retry_s);
    if (known != NULL && known->refused && age_ms(known, mono_ms) < ACCOUNTS_REFUSED_MS)
        return CREDENTIALS_BAD;
    if (!account_token_expiry(token, &expires_ms) || expires_ms <= clock_unix_ms())
        return CREDENTIALS_BAD;
    if (accounts->wrong_ms >= mono_ms + burst) {
        *retry_s = 1;
        return CREDENTIALS_LIMITED;
    }
    if (accounts->asked >= ACCOUNTS_ASKED_MAX || !api_client_ready(accounts->client, mono_ms))
        return unchecked(retry_s);
    known = find(accounts, digest, true);
    if (known == NULL)
        return unchecked(retry_s);
    known->refused = false;
    known->expires_ms = expires_ms;
    known->used_ms = mono_ms;
    if (!ask(known, token)) {
        known->used = false;
        return unchecked(retry_s);
    }
    accounts->asked++;
    return CREDENTIALS_ASKED;
}

/* Of one that it has let in. What it said long ago counts only while it can't be asked. */
static enum credentials_answer check_good(struct accounts *accounts, struct known *known,
                                          const char *token, uint64_t mono_ms)
{
    uint64_t age = age_ms(known, mono_ms);
    known->used_ms = mono_ms;
    if (age >= accounts->keep_ms / 2 && !known->asking && mono_ms >= known->retry_ms &&
        api_client_ready(accounts->client, mono_ms))
        (void)ask(known, token);
    return age >= accounts->keep_ms && known->asking && mono_ms >= known->retry_ms
               ? CREDENTIALS_ASKED
               : CREDENTIALS_GOOD;
}

enum credentials_answer accounts_check(struct accounts *accounts, const char *token,
                                       uint64_t now_ms, uint64_t mono_ms, struct api_access *out,
                                       unsigned *retry_s)
{
    uint8_t digest[GUARD_KEY_BYTES];
    guard_key_derive(digest, accounts->key,
                     (struct guard_span){(const uint8_t *)token, strlen(token)});
    struct known *known = find(accounts, digest, false);
    *out = (struct api_access){.role = API_ROLE_NONE};
    if (known != NULL && known->good && known->expires_ms <= now_ms)
        return CREDENTIALS_BAD;
    if (known == NULL || !known->good)
        return known != NULL && known->asking
                   ? CREDENTIALS_ASKED
                   : check_new(accounts, known, digest, token, mono_ms, retry_s);
    enum credentials_answer answer = check_good(accounts, known, token, mono_ms);
    if (answer == CREDENTIALS_GOOD)
        fill(known, out);
    return answer;
}

/* --- its turns --- */

uint64_t accounts_answers(const struct accounts *accounts)
{
    return accounts != NULL ? accounts->answers : 0;
}

bool accounts_run(struct accounts *accounts)
{
    if (accounts == NULL)
        return false;
    api_client_run(accounts->client);
    bool answered = accounts->seen != accounts->answers;
    accounts->seen = accounts->answers;
    return answered;
}

int accounts_fd(const struct accounts *accounts)
{
    return accounts != NULL ? api_client_fd(accounts->client) : -1;
}

uint32_t accounts_wait_ms(const struct accounts *accounts, uint32_t max)
{
    return accounts != NULL ? api_client_wait_ms(accounts->client, max) : max;
}
