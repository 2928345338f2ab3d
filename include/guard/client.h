/* SPDX-License-Identifier: Apache-2.0 */
/* How clients behave, each against all others: requests, failures, bytes, how many different things
 * they ask for. A deviation is a finding of the part "client"; a verdict on a client, with its
 * expiry, goes to all gates in a small signed table. docs/internals/clients.md */
#ifndef GUARD_CLIENT_H
#define GUARD_CLIENT_H

#include <guard/policy.h>
#include <guard/txn.h>

enum {
    GUARD_CLIENT_PLACES = 65536,      /* clients that are counted at once, of all services */
    GUARD_CLIENT_VERDICTS_MAX = 1024, /* of one service in force */
    GUARD_CLIENT_SUBJECT = 8 /* bytes of a subject's digest that name it in texts and codes */
};

/* --- counting: guardd, and programs that judge recorded traffic --- */

/* What is counted of clients. Fixed memory, shared by services: a /32 has at
 * most 128 places of a service, 64 where others want them. */
struct guard_client_places;
/* count is rounded up to a power of two, 1024 at least. GUARD_E_NOMEM. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_client_places_new(struct guard_client_places **out,
                                                               const struct guard_alloc *alloc,
                                                               uint32_t count);
GUARD_API void guard_client_places_free(struct guard_client_places *places);

/* The norm of a service's clients: what the most extreme of them do, and how often a benign one
 * does more. */
struct guard_clients;

struct guard_clients_cfg {
    struct guard_alloc alloc;
    struct guard_span service; /* copied */
    uint8_t key[GUARD_KEY_BYTES];
    struct guard_client_places *places; /* outlives it */
    uint32_t support;                   /* D; 0 = 4 */
};

GUARD_API GUARD_MUST_USE enum guard_rc guard_clients_new(struct guard_clients **out,
                                                         const struct guard_clients_cfg *cfg,
                                                         struct guard_err *err);
GUARD_API void guard_clients_free(struct guard_clients *clients);

struct guard_client_report {
    struct guard_verdict verdict; /* of the client; findings of the part "client" only. Its texts
                                     live until the next call */
    struct guard_span method;     /* of the endpoint that the first finding is about, or "" */
    struct guard_span template_text;
    struct guard_client client; /* as far as its prefix; a subject is the head of its digest */
    uint64_t code;              /* names it in the table of verdicts; 0: it can't be named */
    bool shared;                /* it carries so much of the traffic that it stands for many: never
                                   blocked as a whole */
};

/* Counts one exchange, given as its record. policy: that in force, which knows the endpoints; NULL:
 * nothing is judged. mode: of the part "client". Exchanges without a client or time aren't counted.
 * GUARD_E_SYNTAX, GUARD_E_VERSION: no record; GUARD_E_FOREIGN: of another service; GUARD_E_NOMEM.
 */
GUARD_API GUARD_MUST_USE enum guard_rc guard_clients_observe(struct guard_clients *clients,
                                                             const struct guard_policy *policy,
                                                             enum guard_mode mode,
                                                             struct guard_span record,
                                                             struct guard_client_report *report);

/* The norm survives; what single clients did in the window that is open doesn't. *out comes from
 * the alloc. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_clients_encode(const struct guard_clients *clients,
                                                            uint8_t **out, size_t *len);
/* Into one that is new. Hostile input: GUARD_E_SYNTAX, _VERSION, _CHECKSUM, _FOREIGN; the norm is
 * as new then. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_clients_decode(struct guard_clients *clients,
                                                            struct guard_span bytes);

struct guard_clients_stats {
    uint64_t exchanges;  /* counted */
    uint64_t clients;    /* that were counted, estimated */
    uint64_t pushed_out; /* clients that lost their place to others */
    uint32_t norms;
    uint32_t untracked; /* places of endpoints beyond the maximum */
};
GUARD_API void guard_clients_stats(const struct guard_clients *clients,
                                   struct guard_clients_stats *out);

/* What one client did lately, for people who are about to block it. */
struct guard_client_activity {
    bool known;            /* it was counted, and lately enough to have a place still */
    bool shared;           /* as in a report: many may stand behind it */
    uint32_t requests;     /* since the window of ten minutes that is open began */
    uint32_t requests_day; /* since the day (UTC) began */
    uint64_t seen_ms;      /* its last one, Unix time */
};
/* Reads only: who isn't known gets no place. A subject must have 16 bytes of its digest. */
GUARD_API void guard_clients_activity(const struct guard_clients *clients,
                                      const struct guard_client *client, uint64_t now_ms,
                                      struct guard_client_activity *out);

/* --- verdicts: from guardd to gates --- */

struct guard_client_verdict {
    uint64_t code;     /* guard_client_code */
    uint64_t until_ms; /* Unix time; it holds before that */
    enum guard_rule rule;
    uint32_t detail;   /* of the finding */
    uint32_t expected; /* likewise */
};

/* A client as a service's table names it: SipHash of its prefix or of the head of its subject's
 * digest, so that whoever reads its name can name it. 0: it has neither. The key is in the table.
 */
GUARD_API uint64_t guard_client_code(const uint8_t key[16], const struct guard_client *client);
/* The key of a service's table, from that of its pile. */
GUARD_API void guard_client_table_key(uint8_t out[16], const uint8_t key[GUARD_KEY_BYTES]);

/* Both include the trailer. */
enum {
    GUARD_CLIENT_TABLE_HEAD = 176,
    GUARD_CLIENT_TABLE_ENTRY = 32,
    GUARD_CLIENT_TABLE_TRAILER = 96,
    GUARD_CLIENT_TABLE_BYTES = GUARD_CLIENT_TABLE_HEAD +
                               GUARD_CLIENT_VERDICTS_MAX * GUARD_CLIENT_TABLE_ENTRY +
                               GUARD_CLIENT_TABLE_TRAILER,
};

struct guard_client_table {
    uint64_t issued_ms; /* tables replace older ones only */
    uint8_t key[16];
    uint32_t count;
    struct guard_client_verdict list[GUARD_CLIENT_VERDICTS_MAX]; /* by code */
};

/* Writes the table, signed for the service when there is a secret. The list must be sorted by code.
 * GUARD_E_RANGE otherwise. */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_client_table_encode(const struct guard_client_table *table, struct guard_span service,
                          const uint8_t secret[64], uint8_t out[GUARD_CLIENT_TABLE_BYTES],
                          size_t *len);
/* Hostile input. public_key NULL: the signature isn't asked for. GUARD_E_SYNTAX, _VERSION,
 * _CHECKSUM, _SIGNATURE, _FOREIGN; out is unchanged then. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_client_table_decode(struct guard_client_table *out,
                                                                 struct guard_span bytes,
                                                                 struct guard_span service,
                                                                 const uint8_t *public_key);
/* NULL: none holds. At most 11 steps. */
GUARD_API const struct guard_client_verdict *
guard_client_table_find(const struct guard_client_table *table, uint64_t code, uint64_t now_ms);

#endif
