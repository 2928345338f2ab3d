/* SPDX-License-Identifier: Apache-2.0 */
/* One line of exchange JSONL, the form in which traffic is recorded and exchanged
 * (docs/api/exchange.md), read by the same scanner that inspects bodies. */
#ifndef GUARD_EXCHANGE_H
#define GUARD_EXCHANGE_H

#include <guard/txn.h>

enum { GUARD_EXCHANGE_HEADERS_MAX = 256 };

struct guard_header {
    struct guard_span name;
    struct guard_span value;
};

/* Spans point into the line or the arena. What the line doesn't say is empty or 0. */
struct guard_exchange {
    struct guard_span id;
    uint64_t time_ms;
    struct guard_span client; /* an address, or a name of any other kind */
    struct guard_span service;
    struct guard_span pod;
    struct guard_span revision; /* of the service */
    struct guard_span method;
    struct guard_span target;
    uint32_t version; /* 9, 10, 11, 20, 30; 11 when it isn't said */
    struct guard_header *headers;
    uint32_t header_count;
    bool body_known;
    struct guard_span body; /* decoded */
    bool unseen;            /* as in guard_txn_cfg: bodies and most headers weren't recorded */
    bool response_known;    /* more than status and latency is: headers or a body */
    struct guard_header *response_headers;
    uint32_t response_header_count;
    bool response_body_known;
    struct guard_span response_body; /* decoded */
    uint32_t status;
    uint32_t latency_us; /* UINT32_MAX unknown */
};

/* line without its newline; borrowed as long as the exchange. The arena needs room for escaped
 * strings and bodies. GUARD_E_SYNTAX with what is wrong in err, GUARD_E_LIMIT (more headers than
 * the maximum), GUARD_E_NOMEM. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_exchange_read(struct guard_exchange *out,
                                                           struct guard_span line,
                                                           struct guard_arena *arena,
                                                           struct guard_err *err);

/* Pushes the exchange through a transaction: client, request, headers, body in one piece, end,
 * response. */
GUARD_API void guard_exchange_play(const struct guard_exchange *exchange,
                                   const struct guard_client *client, struct guard_txn *txn);

#endif
