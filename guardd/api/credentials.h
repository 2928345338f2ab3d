/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: peer credentials at the local door, tokens at both, and at the front door a browser's
 * session, or the subject of a client certificate, when it is nginx that says so. Checking a token
 * costs milliseconds once; then a keyed hash of it is known until its entry is gone. Wrong ones are
 * limited, so that guesses hold up nobody. */
#ifndef GUARDD_API_CREDENTIALS_H
#define GUARDD_API_CREDENTIALS_H

#include "sessions.h"

enum {
    /* Wrong secrets for one token: so many at once, then one each so many milliseconds. */
    CREDENTIALS_WRONG_BURST = 5,
    CREDENTIALS_WRONG_MS = 2000,
    /* The same over all tokens, as long as they cost something. */
    CREDENTIALS_COSTLY_BURST = 20,
    CREDENTIALS_COSTLY_MS = 250,
    /* Texts that name no token: they cost nothing. */
    CREDENTIALS_UNKNOWN_BURST = 20,
    CREDENTIALS_UNKNOWN_MS = 100,
    /* After a check that cost time guardd does other things for so many times as long. */
    CREDENTIALS_REST = 4,
};

/* A bucket of permissions that fills up with time. */
struct credentials_bucket {
    uint64_t full_ms; /* when it is, or was, full again */
};

struct credentials_known {
    bool known;
    uint8_t mac[GUARD_KEY_BYTES]; /* of the one token that has this entry's hash */
    struct credentials_bucket wrong;
};

struct credentials {
    const char *dir;
    struct access_list list;
    struct credentials_known *known; /* as many as the list's entries */
    uint64_t stamp;                  /* of the file that was read, good or not; 0: none */
    uint64_t version;                /* how often the list was replaced */
    struct guard_err err;            /* why the newest file isn't in force; "" when it is */
    uint8_t key[GUARD_KEY_BYTES];    /* of this process */
    struct sessions sessions;
    struct credentials_bucket costly;
    struct credentials_bucket unknown;
    uint64_t free_ms; /* when the next costly check may begin */
    uint64_t checks;  /* costly ones so far */
};

/* What came with a request. Headers; NULL when absent. */
struct credentials_given {
    const char *authorization;
    const char *subject;
    const char *front;
    const char *session; /* the cookie */
    const char *site;    /* Sec-Fetch-Site: where the page is that asks */
    const char *console; /* X-Guard-Console: a header that pages of other sites can't set */
    bool changes;        /* more than looking is asked for */
    bool front_door;
    int64_t uid; /* of the peer's process; counts at the local door only */
};

enum credentials_answer {
    CREDENTIALS_GOOD,
    CREDENTIALS_NONE,      /* nothing was given that says who it is */
    CREDENTIALS_BAD,       /* wrong, unknown or expired */
    CREDENTIALS_CROSS,     /* a browser asks by itself, not for a page of ours */
    CREDENTIALS_LIMITED,   /* too many wrong ones came before */
    CREDENTIALS_LATER,     /* it must be checked at a cost, and it isn't time for it */
    CREDENTIALS_ASKED,     /* the cluster that made it is asked, and hasn't answered */
    CREDENTIALS_UNCHECKED, /* that can't be asked now */
};

/* GUARD_E_IO: no randomness. Reads the list; a bad one is none, and told. */
GUARD_MUST_USE enum guard_rc credentials_init(struct credentials *credentials, const char *dir,
                                              struct guard_err *err);
void credentials_fini(struct credentials *credentials);
/* Reads the list when it has changed. A bad one is told, and the last good one stays. */
void credentials_watch(struct credentials *credentials);
/* now_ms since 1970, mono_ms of a clock that nobody sets. cheap: a check that costs something is
 * always left for later. *retry_s is set when limited. */
enum credentials_answer credentials_check(struct credentials *credentials,
                                          const struct credentials_given *given, bool cheap,
                                          uint64_t now_ms, uint64_t mono_ms, struct api_access *out,
                                          unsigned *retry_s);
/* Whether who was let in may still be: read anew from the list, and of a browser whether its
 * session goes on. False: not any more. */
bool credentials_still(const struct credentials *credentials, struct api_access *access,
                       uint64_t now_ms, uint64_t mono_ms);

#endif
