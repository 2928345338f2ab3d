/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of fixed size; secrets are found by their keyed hash, compared without telling where it
 * differs. */
#include "sessions.h"

#include "common/file.h"

#include <guard/crypto.h>

#include <stdio.h>
#include <string.h>

enum { RANDOM_BYTES = SESSION_SECRET_LEN / 2 };

static enum guard_rc new_secret(char out[SESSION_SECRET_LEN + 1])
{
    uint8_t random[RANDOM_BYTES];
    GUARD_TRY(random_bytes(random, sizeof(random)));
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(out + 2 * i, 3, "%02x", random[i]);
    return GUARD_OK;
}

/* False for what can't be a secret. */
static bool hash(const struct sessions *sessions, const char *secret, uint8_t mac[GUARD_KEY_BYTES])
{
    if (strlen(secret) != SESSION_SECRET_LEN)
        return false;
    guard_key_derive(mac, sessions->key,
                     (struct guard_span){(const uint8_t *)secret, SESSION_SECRET_LEN});
    return true;
}

static struct session_owner owner_of(const struct api_access *access)
{
    struct session_owner owner;
    snprintf(owner.name, sizeof(owner.name), "%s", access->name);
    snprintf(owner.id, sizeof(owner.id), "%s", access->id);
    snprintf(owner.subject, sizeof(owner.subject), "%s", access->subject);
    return owner;
}

static void tell_owner(const struct session_owner *owner, struct api_access *out)
{
    *out = (struct api_access){.role = API_ROLE_NONE};
    snprintf(out->name, sizeof(out->name), "%s", owner->name);
    snprintf(out->id, sizeof(out->id), "%s", owner->id);
    snprintf(out->subject, sizeof(out->subject), "%s", owner->subject);
}

static bool same_owner(const struct session_owner *a, const struct session_owner *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->id, b->id) == 0 &&
           strcmp(a->subject, b->subject) == 0;
}

enum guard_rc sessions_init(struct sessions *sessions)
{
    memset(sessions, 0, sizeof(*sessions));
    return random_bytes(sessions->key, sizeof(sessions->key));
}

/* --- codes --- */

static bool code_good(const struct session_code *code, uint64_t now_ms)
{
    return code->there && now_ms - code->begin_ms < SESSION_CODE_MS;
}

enum guard_rc session_code_make(struct sessions *sessions, const struct session_owner *owner,
                                uint64_t now_ms, char out[SESSION_SECRET_LEN + 1])
{
    for (int i = 0; i < SESSION_CODES_MAX; i++) {
        struct session_code *code = &sessions->codes[i];
        if (code_good(code, now_ms))
            continue;
        GUARD_TRY(new_secret(out));
        *code = (struct session_code){.there = true, .owner = *owner, .begin_ms = now_ms};
        (void)hash(sessions, out, code->mac);
        return GUARD_OK;
    }
    return GUARD_E_LIMIT;
}

bool session_code_take(struct sessions *sessions, const char *code, uint64_t now_ms,
                       struct api_access *out)
{
    uint8_t mac[GUARD_KEY_BYTES];
    if (!hash(sessions, code, mac))
        return false;
    for (int i = 0; i < SESSION_CODES_MAX; i++) {
        struct session_code *known = &sessions->codes[i];
        if (!code_good(known, now_ms) || !secret_same(known->mac, mac, sizeof(mac)))
            continue;
        known->there = false;
        tell_owner(&known->owner, out);
        return true;
    }
    return false;
}

/* --- sessions --- */

static bool lives(const struct session *session, uint64_t now_ms)
{
    return session->serial != 0 && now_ms - session->begin_ms < SESSION_MS &&
           now_ms - session->seen_ms < SESSION_IDLE_MS;
}

/* A free place, or of an owner who has many already that which was idle longest. */
static struct session *place_for(struct sessions *sessions, const struct session_owner *owner,
                                 uint64_t now_ms)
{
    struct session *free = NULL;
    struct session *idle = NULL;
    int own = 0;
    for (int i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &sessions->list[i];
        if (!lives(session, now_ms)) {
            free = session;
        } else if (same_owner(&session->owner, owner)) {
            own++;
            if (idle == NULL || session->seen_ms < idle->seen_ms)
                idle = session;
        }
    }
    return own >= SESSIONS_EACH ? idle : free;
}

/* The place of a session that goes on; -1: there is none of this number. */
static int numbered(const struct sessions *sessions, uint64_t serial, uint64_t now_ms)
{
    for (int i = 0; i < SESSIONS_MAX; i++) {
        if (sessions->list[i].serial == serial && lives(&sessions->list[i], now_ms))
            return i;
    }
    return -1;
}

enum guard_rc session_begin(struct sessions *sessions, const struct api_access *access,
                            uint64_t now_ms, char out[SESSION_SECRET_LEN + 1], uint64_t *serial)
{
    const struct session_owner owner = owner_of(access);
    const int old = numbered(sessions, access->session, now_ms);
    struct session *session = old >= 0 ? &sessions->list[old] : place_for(sessions, &owner, now_ms);
    if (session == NULL)
        return GUARD_E_LIMIT;
    GUARD_TRY(new_secret(out));
    *session = (struct session){.serial = ++sessions->last_serial,
                                .owner = owner,
                                .begin_ms = old >= 0 ? session->begin_ms : now_ms,
                                .seen_ms = now_ms};
    (void)hash(sessions, out, session->mac);
    *serial = session->serial;
    return GUARD_OK;
}

bool session_find(struct sessions *sessions, const char *secret, uint64_t now_ms,
                  struct api_access *out)
{
    uint8_t mac[GUARD_KEY_BYTES];
    if (!hash(sessions, secret, mac))
        return false;
    for (int i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &sessions->list[i];
        if (!lives(session, now_ms) || !secret_same(session->mac, mac, sizeof(mac)))
            continue;
        session->seen_ms = now_ms;
        tell_owner(&session->owner, out);
        out->session = session->serial;
        return true;
    }
    return false;
}

bool session_lives(const struct sessions *sessions, uint64_t serial, uint64_t now_ms)
{
    return numbered(sessions, serial, now_ms) >= 0;
}

uint64_t session_left_ms(const struct sessions *sessions, uint64_t serial, uint64_t now_ms)
{
    const int at = numbered(sessions, serial, now_ms);
    return at >= 0 ? sessions->list[at].begin_ms + SESSION_MS - now_ms : 0;
}

void session_end(struct sessions *sessions, uint64_t serial)
{
    for (int i = 0; i < SESSIONS_MAX && serial != 0; i++) {
        if (sessions->list[i].serial == serial)
            sessions->list[i] = (struct session){.serial = 0};
    }
}
