/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the entry that a request's credentials name, and checks them. */
#include "credentials.h"

#include "common/file.h"
#include "common/log.h"
#include "common/state.h"
#include <guard/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct guard_span no_service = {NULL, 0};

/* --- buckets --- */

static bool allowed(const struct credentials_bucket *bucket, uint64_t now_ms, uint64_t burst,
                    uint64_t each_ms)
{
    return bucket->full_ms < now_ms + burst * each_ms;
}

static void spend(struct credentials_bucket *bucket, uint64_t now_ms, uint64_t each_ms)
{
    uint64_t begin = bucket->full_ms > now_ms ? bucket->full_ms : now_ms;
    bucket->full_ms = begin + each_ms;
}

static unsigned wait_s(const struct credentials_bucket *bucket, uint64_t now_ms, uint64_t burst,
                       uint64_t each_ms)
{
    uint64_t free_ms = bucket->full_ms - (burst - 1) * each_ms;
    return free_ms > now_ms ? (unsigned)((free_ms - now_ms + 999) / 1000) : 1;
}

/* --- the list --- */

/* What was known of entries that are in both lists. They mostly stand in the same order. */
static void carry_over(const struct credentials *old, const struct access_list *list,
                       struct credentials_known *known)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        for (uint32_t n = 0; n < old->list.count; n++) {
            uint32_t k = (at + n) % old->list.count;
            if (list->entries[i].hash[0] == '\0' ||
                strcmp(list->entries[i].hash, old->list.entries[k].hash) != 0)
                continue;
            known[i] = old->known[k];
            at = k + 1;
            break;
        }
    }
}

static enum guard_rc take_list(struct credentials *credentials, struct access_list *list,
                               struct guard_err *err)
{
    struct credentials_known *known = calloc(list->count + 1, sizeof(*known));
    if (known == NULL)
        return guard_fail(err, GUARD_E_NOMEM, ACCESS_FILE ": no memory");
    carry_over(credentials, list, known);
    access_list_free(&credentials->list);
    free(credentials->known);
    credentials->list = *list;
    credentials->known = known;
    credentials->version++;
    return GUARD_OK;
}

static enum guard_rc read_list(struct credentials *credentials)
{
    struct access_list list;
    struct guard_err err = {.text = ""};
    enum guard_rc rc = access_list_load(&list, credentials->dir, &err);
    if (rc == GUARD_OK)
        rc = take_list(credentials, &list, &err);
    if (rc != GUARD_OK)
        access_list_free(&list);
    if (rc != GUARD_OK && strcmp(err.text, credentials->err.text) != 0)
        log_event("alarm", "access-list-refused", no_service, "%s; the last good one stays",
                  err.text);
    credentials->err = err;
    return rc;
}

/* What tells one state of the file from another; never 0. */
static uint64_t stamp_of(const struct stat *info)
{
    const uint64_t parts[] = {info->st_ino,
                              (uint64_t)info->st_size,
                              info->st_mode,
                              (uint64_t)info->st_mtim.tv_sec,
                              (uint64_t)info->st_mtim.tv_nsec,
                              (uint64_t)info->st_ctim.tv_sec,
                              (uint64_t)info->st_ctim.tv_nsec};
    uint64_t stamp = guard_checksum(0, (struct guard_span){(const uint8_t *)parts, sizeof(parts)});
    return stamp == 0 ? 1 : stamp;
}

void credentials_watch(struct credentials *credentials)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    uint64_t stamp = 0;
    if (state_path(path, credentials->dir, "", no_service, ACCESS_FILE) != GUARD_OK)
        return;
    if (stat(path, &info) == 0)
        stamp = stamp_of(&info);
    if (stamp == credentials->stamp && credentials->version > 0)
        return;
    enum guard_rc rc = read_list(credentials);
    /* What isn't the file's fault is tried again. */
    credentials->stamp = rc == GUARD_E_NOMEM || rc == GUARD_E_IO ? 0 : stamp;
    /* Nobody is let in by a list that never was good. */
    if (credentials->version == 0)
        credentials->version = 1;
}

enum guard_rc credentials_init(struct credentials *credentials, const char *dir,
                               struct guard_err *err)
{
    *credentials = (struct credentials){.dir = dir};
    if (random_bytes(credentials->key, sizeof(credentials->key)) != GUARD_OK ||
        sessions_init(&credentials->sessions) != GUARD_OK)
        return guard_fail(err, GUARD_E_IO, "no randomness");
    credentials_watch(credentials);
    return GUARD_OK;
}

void credentials_fini(struct credentials *credentials)
{
    access_list_free(&credentials->list);
    free(credentials->known);
    credentials->known = NULL;
}

/* --- tokens --- */

static bool expired(const struct access_entry *entry, uint64_t now_ms)
{
    return entry->expires_ms != 0 && entry->expires_ms <= now_ms;
}

static void fill(struct api_access *out, const struct access_entry *entry)
{
    *out = (struct api_access){.role = entry->role, .service_count = entry->service_count};
    snprintf(out->name, sizeof(out->name), "%s", entry->name);
    snprintf(out->id, sizeof(out->id), "%s", entry->id);
    snprintf(out->subject, sizeof(out->subject), "%s", entry->subject);
    for (uint32_t i = 0; i < entry->service_count; i++)
        snprintf(out->services[i], sizeof(out->services[i]), "%s", entry->services[i]);
}

struct checking {
    struct credentials *credentials;
    bool cheap;
    uint64_t now_ms;
    uint64_t mono_ms;
    unsigned *retry_s;
};

static bool matches_at_a_cost(const struct checking *checking, const struct access_entry *entry,
                              const char *token)
{
    struct credentials *credentials = checking->credentials;
    uint64_t begin = clock_monotonic_ms();
    bool good = secret_matches(entry->hash, token);
    uint64_t cost = clock_monotonic_ms() - begin;
    credentials->free_ms = checking->mono_ms + cost * (1 + CREDENTIALS_REST);
    credentials->checks++;
    return good;
}

static enum credentials_answer limited(const struct checking *checking,
                                       const struct credentials_bucket *bucket, uint64_t burst,
                                       uint64_t each_ms)
{
    *checking->retry_s = wait_s(bucket, checking->mono_ms, burst, each_ms);
    return CREDENTIALS_LIMITED;
}

static enum credentials_answer refuse_unknown(const struct checking *checking)
{
    struct credentials_bucket *bucket = &checking->credentials->unknown;
    if (!allowed(bucket, checking->mono_ms, CREDENTIALS_UNKNOWN_BURST, CREDENTIALS_UNKNOWN_MS))
        return limited(checking, bucket, CREDENTIALS_UNKNOWN_BURST, CREDENTIALS_UNKNOWN_MS);
    spend(bucket, checking->mono_ms, CREDENTIALS_UNKNOWN_MS);
    return CREDENTIALS_BAD;
}

static enum credentials_answer refuse_wrong(const struct checking *checking,
                                            struct credentials_known *known)
{
    if (!allowed(&known->wrong, checking->mono_ms, CREDENTIALS_WRONG_BURST, CREDENTIALS_WRONG_MS))
        return limited(checking, &known->wrong, CREDENTIALS_WRONG_BURST, CREDENTIALS_WRONG_MS);
    spend(&known->wrong, checking->mono_ms, CREDENTIALS_WRONG_MS);
    return CREDENTIALS_BAD;
}

/* Of an entry whose token wasn't seen yet: only here Argon2id runs. */
static enum credentials_answer check_unseen(const struct checking *checking,
                                            const struct access_entry *entry,
                                            struct credentials_known *known, const char *token,
                                            const uint8_t mac[GUARD_KEY_BYTES])
{
    struct credentials *credentials = checking->credentials;
    uint64_t now = checking->mono_ms;
    if (!allowed(&known->wrong, now, CREDENTIALS_WRONG_BURST, CREDENTIALS_WRONG_MS))
        return limited(checking, &known->wrong, CREDENTIALS_WRONG_BURST, CREDENTIALS_WRONG_MS);
    if (!allowed(&credentials->costly, now, CREDENTIALS_COSTLY_BURST, CREDENTIALS_COSTLY_MS))
        return limited(checking, &credentials->costly, CREDENTIALS_COSTLY_BURST,
                       CREDENTIALS_COSTLY_MS);
    if (checking->cheap || now < credentials->free_ms)
        return CREDENTIALS_LATER;
    if (!matches_at_a_cost(checking, entry, token)) {
        spend(&known->wrong, now, CREDENTIALS_WRONG_MS);
        spend(&credentials->costly, now, CREDENTIALS_COSTLY_MS);
        return CREDENTIALS_BAD;
    }
    known->known = true;
    memcpy(known->mac, mac, GUARD_KEY_BYTES);
    return CREDENTIALS_GOOD;
}

/* A text that says to be a token. */
static enum credentials_answer check_token(const struct checking *checking, const char *text,
                                           struct api_access *out)
{
    struct credentials *credentials = checking->credentials;
    struct guard_span token = {(const uint8_t *)text, strlen(text)};
    char id[SECRET_ID_LEN + 1];
    uint8_t mac[GUARD_KEY_BYTES];
    uint32_t at = 0;
    bool formed = secret_id(text, token.len, id);
    while (formed && at < credentials->list.count &&
           strcmp(credentials->list.entries[at].id, id) != 0)
        at++;
    if (!formed || at == credentials->list.count)
        return refuse_unknown(checking);
    const struct access_entry *entry = &credentials->list.entries[at];
    struct credentials_known *known = &credentials->known[at];
    enum credentials_answer answer;
    guard_key_derive(mac, credentials->key, token);
    if (!known->known)
        answer = check_unseen(checking, entry, known, text, mac);
    else if (secret_same(known->mac, mac, sizeof(mac)))
        answer = CREDENTIALS_GOOD;
    else
        answer = refuse_wrong(checking, known);
    if (answer == CREDENTIALS_GOOD && expired(entry, checking->now_ms))
        answer = CREDENTIALS_BAD;
    if (answer == CREDENTIALS_GOOD)
        fill(out, entry);
    return answer;
}

/* "Bearer TOKEN"; other schemes are no tokens, and refused as such. */
static const char *behind_scheme(const char *authorization, const char *scheme)
{
    size_t len = strlen(scheme);
    if (strncasecmp(authorization, scheme, len) != 0 || authorization[len] != ' ')
        return "";
    authorization += len;
    return authorization + strspn(authorization, " ");
}

/* --- browsers --- */

/* By a code that is good once. */
static enum credentials_answer check_code(const struct checking *checking, const char *code,
                                          struct api_access *out)
{
    struct credentials *credentials = checking->credentials;
    struct api_access access;
    if (!session_code_take(&credentials->sessions, code, checking->mono_ms, &access) ||
        !credentials_still(credentials, &access, checking->now_ms, checking->mono_ms))
        return refuse_unknown(checking);
    *out = access;
    out->by_code = true;
    return CREDENTIALS_GOOD;
}

/* What a browser sends by itself must not be used by pages of others. */
static bool asked_by_others(const struct credentials_given *given)
{
    return given->site != NULL && strcmp(given->site, "same-origin") != 0 &&
           strcmp(given->site, "none") != 0;
}

/* A session that is over isn't limited as guesses are: its page may still ask for a while. */
static enum credentials_answer check_session(const struct checking *checking,
                                             const struct credentials_given *given,
                                             struct api_access *out)
{
    struct credentials *credentials = checking->credentials;
    struct api_access access;
    if (!session_find(&credentials->sessions, given->session, checking->mono_ms, &access) ||
        !credentials_still(credentials, &access, checking->now_ms, checking->mono_ms))
        return CREDENTIALS_BAD;
    if (given->changes && given->console == NULL)
        return CREDENTIALS_CROSS;
    *out = access;
    return CREDENTIALS_GOOD;
}

/* --- subjects --- */

/* Whoever else may open the socket says anything: only nginx knows the front's token. */
static enum credentials_answer check_subject(const struct checking *checking,
                                             const struct credentials_given *given,
                                             struct api_access *out)
{
    const struct access_list *list = &checking->credentials->list;
    struct api_access front;
    if (given->subject == NULL || given->subject[0] == '\0' || given->front == NULL)
        return CREDENTIALS_NONE;
    enum credentials_answer answer = check_token(checking, given->front, &front);
    if (answer != CREDENTIALS_GOOD)
        return answer;
    if (front.role != API_ROLE_FRONT)
        return refuse_unknown(checking);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct access_entry *entry = &list->entries[i];
        if (entry->subject[0] == '\0' || strcmp(entry->subject, given->subject) != 0)
            continue;
        if (expired(entry, checking->now_ms))
            return CREDENTIALS_BAD;
        fill(out, entry);
        return CREDENTIALS_GOOD;
    }
    return CREDENTIALS_BAD;
}

/* A session counts before a certificate, and one that is over doesn't stand in its way. */
static enum credentials_answer check_front(const struct checking *checking,
                                           const struct credentials_given *given,
                                           struct api_access *out)
{
    bool subject = given->subject != NULL && given->subject[0] != '\0';
    if ((given->session != NULL || subject) && asked_by_others(given))
        return CREDENTIALS_CROSS;
    if (given->session == NULL)
        return check_subject(checking, given, out);
    enum credentials_answer answer = check_session(checking, given, out);
    return answer == CREDENTIALS_BAD && subject ? check_subject(checking, given, out) : answer;
}

enum credentials_answer credentials_check(struct credentials *credentials,
                                          const struct credentials_given *given, bool cheap,
                                          uint64_t now_ms, uint64_t mono_ms, struct api_access *out,
                                          unsigned *retry_s)
{
    const struct checking checking = {.credentials = credentials,
                                      .cheap = cheap,
                                      .now_ms = now_ms,
                                      .mono_ms = mono_ms,
                                      .retry_s = retry_s};
    *out = (struct api_access){.role = API_ROLE_NONE};
    if (given->authorization != NULL) {
        const char *code = behind_scheme(given->authorization, "Login");
        return code[0] != '\0'
                   ? check_code(&checking, code, out)
                   : check_token(&checking, behind_scheme(given->authorization, "Bearer"), out);
    }
    if (given->front_door)
        return check_front(&checking, given, out);
    if (given->uid != 0 && given->uid != (int64_t)geteuid())
        return CREDENTIALS_NONE;
    out->role = API_ROLE_LOCAL;
    return CREDENTIALS_GOOD;
}

bool credentials_still(const struct credentials *credentials, struct api_access *access,
                       uint64_t now_ms, uint64_t mono_ms)
{
    uint64_t session = access->session;
    bool by_code = access->by_code;
    const struct access_list *list = &credentials->list;
    if (access->role == API_ROLE_LOCAL)
        return true;
    if (session != 0 && !session_lives(&credentials->sessions, session, mono_ms))
        return false;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct access_entry *entry = &list->entries[i];
        if (strcmp(entry->name, access->name) != 0)
            continue;
        if (strcmp(entry->id, access->id) != 0 || strcmp(entry->subject, access->subject) != 0 ||
            expired(entry, now_ms))
            return false;
        fill(access, entry);
        access->session = session;
        access->by_code = by_code;
        return true;
    }
    return false;
}
