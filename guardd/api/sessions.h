/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of browsers: who showed a token or a one-time code gets a cookie that scripts can't
 * read. Sessions belong to entries of the access list, live in memory alone, and are bounded in
 * number and time; only keyed hashes of secrets are kept. */
#ifndef GUARDD_API_SESSIONS_H
#define GUARDD_API_SESSIONS_H

#include "access.h"

#define SESSION_COOKIE "__Host-guard"

enum {
    SESSIONS_MAX = 256,
    SESSIONS_EACH = 16, /* of one entry; the one that is idle longest gives way */
    SESSION_SECRET_LEN = 64,
    SESSION_IDLE_MS = 30 * 60 * 1000,
    SESSION_MS = 12 * 60 * 60 * 1000,
    SESSION_CODES_MAX = 32,
    SESSION_CODE_MS = 10 * 60 * 1000,
};

/* Whose it is: the entry as it was then. One of the same name that came later is another. */
struct session_owner {
    char name[ACCESS_NAME_MAX + 1];
    char id[SECRET_ID_LEN + 1];
    char subject[ACCESS_SUBJECT_MAX + 1];
};

struct session {
    uint64_t serial; /* 0: free */
    uint8_t mac[GUARD_KEY_BYTES];
    struct session_owner owner;
    uint64_t begin_ms;
    uint64_t seen_ms;
};

struct session_code {
    bool there;
    uint8_t mac[GUARD_KEY_BYTES];
    struct session_owner owner;
    uint64_t begin_ms;
};

struct sessions {
    uint8_t key[GUARD_KEY_BYTES]; /* of this process */
    uint64_t last_serial;
    struct session list[SESSIONS_MAX];
    struct session_code codes[SESSION_CODES_MAX];
};

/* All times are those of a clock that nobody sets. GUARD_E_IO: no randomness. */
GUARD_MUST_USE enum guard_rc sessions_init(struct sessions *sessions);

/* A code that begins one session of the owner, once. GUARD_E_LIMIT: too many wait to be used. */
GUARD_MUST_USE enum guard_rc session_code_make(struct sessions *sessions,
                                               const struct session_owner *owner, uint64_t now_ms,
                                               char out[SESSION_SECRET_LEN + 1]);
/* Whose the code is, which is used up by that; false: unknown, used or too old. */
bool session_code_take(struct sessions *sessions, const char *code, uint64_t now_ms,
                       struct api_access *out);

/* A new session with a new secret: never one that the client has named. *serial: its number. When
 * it is a session that asks, that one is over, and the new one ends when it would have: asking
 * again and again makes no session longer. GUARD_E_LIMIT: there are too many of others. */
GUARD_MUST_USE enum guard_rc session_begin(struct sessions *sessions,
                                           const struct api_access *access, uint64_t now_ms,
                                           char out[SESSION_SECRET_LEN + 1], uint64_t *serial);
/* Whose session has this secret: name, id, subject and number; false: none, or it is over. Counts
 * as use. */
bool session_find(struct sessions *sessions, const char *secret, uint64_t now_ms,
                  struct api_access *out);
/* Whether a session goes on. Doesn't count as use. */
bool session_lives(const struct sessions *sessions, uint64_t serial, uint64_t now_ms);
/* Milliseconds until it ends however much it is used. */
uint64_t session_left_ms(const struct sessions *sessions, uint64_t serial, uint64_t now_ms);
void session_end(struct sessions *sessions, uint64_t serial);

#endif
