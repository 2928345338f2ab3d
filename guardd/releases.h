/* SPDX-License-Identifier: Apache-2.0 */
/* Tells a release that nobody declared from a botnet: a new element that many clients begin to use
 * who were there before it is let in, unless the service refuses it; what others bring waits for
 * people. docs/adr/0011-releases.md */
#ifndef GUARDD_RELEASES_H
#define GUARDD_RELEASES_H

#include <guard/policy.h>
#include <guard/txn.h>

enum {
    RELEASES_WATCHED = 256,             /* new elements of a service, at most */
    RELEASES_CLIENTS = 8,               /* tenured ones that make a release: twice D */
    RELEASES_TOGETHER_MS = 3600 * 1000, /* within so long */
    RELEASES_REFUSALS = 8,              /* answers of the service that end one, if most are so */
    RELEASES_BYTES_MAX = 6 + RELEASES_WATCHED * (46 + 8 * RELEASES_CLIENTS), /* encoded */
};

enum release_state {
    RELEASE_WAITING, /* few clients use it so far */
    RELEASE_LET_IN,
    RELEASE_REFUSED, /* by the service: not let in again while it is remembered */
};

struct release {
    uint64_t element; /* 0: free */
    uint64_t first_ms;
    uint64_t last_ms;
    uint64_t until_ms; /* of LET_IN */
    uint64_t clients[RELEASES_CLIENTS];
    uint32_t client_count;
    uint32_t untenured; /* requests of others */
    uint32_t served;    /* since it was let in: 2xx, 3xx */
    uint32_t refused;   /* 4xx, 5xx */
    enum release_state state;
    bool saved; /* of LET_IN: gates may be told */
};

struct releases {
    uint32_t count;
    bool changed; /* since it was saved */
    struct release list[RELEASES_WATCHED];
};

/* A record whose head says that it deviates by new elements only. client: keyed hash of a tenured
 * one, 0 of any other. True: gates must be told, of one that was let in or that is no more. */
bool releases_observe(struct releases *releases, const struct guard_record_head *head,
                      uint64_t client, uint64_t now_ms, uint64_t window_ms);
/* What changed is in the store. True: gates must be told, of what was let in. */
bool releases_saved(struct releases *releases);
/* Those that are let in now and saved, for a policy: whoever takes over or comes back knows all
 * that ever passed. */
uint32_t releases_let_in(const struct releases *releases, uint64_t now_ms,
                         struct guard_policy_release out[GUARD_POLICY_RELEASES]);
/* How many are in that state. */
uint32_t releases_count(const struct releases *releases, enum release_state state, uint64_t now_ms);

/* For the store; its length. Whose clients nobody waits for any more isn't in it. */
size_t releases_encode(const struct releases *releases, uint64_t now_ms,
                       uint8_t out[RELEASES_BYTES_MAX]);
/* GUARD_E_SYNTAX: damaged, and *out is empty. */
GUARD_MUST_USE enum guard_rc releases_decode(struct releases *out, struct guard_span bytes);

#endif
