/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange, pushed in as it comes: request line, headers, body chunks, end; response status,
 * headers, body chunks, end; record. Request and response may overlap, as streams do. The host owns
 * all buffers; they are borrowed for the time of the call (names and short values that are needed
 * later are copied into the arena). Malformed traffic never fails a call: it becomes findings. */
#ifndef GUARD_TXN_H
#define GUARD_TXN_H

#include <guard/patch.h>
#include <guard/verdict.h>

struct guard_matcher;
struct guard_memo;
struct guard_policy;
struct guard_txn;

enum { GUARD_REVISION_MAX = 64 };

enum guard_unit {
    GUARD_UNIT_ANONYMOUS = 0, /* nothing is known of the client */
    GUARD_UNIT_SLICE = 1,   /* the caller's address, which may stand for many, in a slice of time */
    GUARD_UNIT_PREFIX = 2,  /* the address prefix behind trusted hops: /24 or /56 */
    GUARD_UNIT_SUBJECT = 3, /* verified by the host: certificate, auth_request, checked token */
};

struct guard_client {
    enum guard_unit unit;
    uint8_t address_len;       /* 0, 4 or 16 */
    uint8_t address[16];       /* the client's address as the host trusts it */
    struct guard_span subject; /* for GUARD_UNIT_SUBJECT; only its keyed hash leaves the process */
};

struct guard_txn_cfg {
    const struct guard_policy *policy; /* NULL: only recorded. Must outlive the transaction */
    struct guard_span service;         /* <= 128 bytes; must outlive the transaction */
    uint64_t hash_seed;      /* secret of this process, for tables on names that clients choose */
    struct guard_memo *memo; /* of this thread, or NULL; must outlive the transaction */
    size_t body_limit;       /* bytes of request body inspected; 0 = 1 MiB */
    size_t response_limit;   /* bytes of response body inspected; 0 = 256 KiB */
    uint64_t time_ms;        /* when the request came, Unix time; 0 = unknown */
    bool unseen;             /* who recorded it saw no body, and headers only here and there */
    bool outbound; /* a call that the service makes: its destination is the first path segment */
    /* Which revision of the service this is, by the host's configuration and never by anything that
     * a client says; <= GUARD_REVISION_MAX bytes, empty: undeclared. Must outlive the transaction.
     */
    struct guard_span revision;
    bool shadow; /* the revision is new: see guard_txn_shadow */
    /* Bit per enum guard_likeness: what isn't recognised, neither for the verdict nor for the
     * record, as if libguard didn't know that grammar. For measuring what it adds; 0 otherwise. A
     * memo is of transactions with the same bits. */
    uint32_t likeness_without;
    /* For the patches of the policy (guard/patch.h); NULL: their regular expressions are told as
     * not inspected. Of this thread; must outlive the transaction. */
    const struct guard_matcher *matcher;
    /* Told of what patches cost, or NULL. Must outlive the transaction; its clock may come and go
     * between the calls of one. */
    const struct guard_patch_meter *meter;
};

/* What became of one patch that was evaluated on a message. */
struct guard_patch_result {
    struct guard_span id; /* as long as the policy */
    bool hit;
    bool shadow; /* it only tells: by its mode, or as it expired or the revision carries the fix */
    bool unseen; /* it can't be said: a part of the message wasn't inspected */
};
enum { GUARD_PATCH_RESULTS_MAX = 32 };

/* The transaction and all it needs live in the arena (limit 256 KiB); resetting the arena ends it.
 */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_txn_begin(struct guard_txn **out, const struct guard_txn_cfg *cfg, struct guard_arena *arena);
GUARD_API void guard_txn_client(struct guard_txn *txn, const struct guard_client *client);
/* Before request_end or request_check: a verdict on the client that is in force (guard/client.h),
 * which becomes a finding that blocks. Must outlive the transaction; left_s: how long it holds. */
struct guard_client_verdict;
GUARD_API void guard_txn_client_verdict(struct guard_txn *txn,
                                        const struct guard_client_verdict *verdict,
                                        uint32_t left_s);
/* target is as sent by the client, version 9, 10, 11, 20 or 30. */
GUARD_API void guard_txn_request(struct guard_txn *txn, struct guard_span method,
                                 struct guard_span target, uint32_t version);
/* In order of arrival; name in any case. Name and value, and the request's method and target, must
 * live as long as the transaction: findings show parts of them. */
GUARD_API void guard_txn_header(struct guard_txn *txn, struct guard_span name,
                                struct guard_span value);
/* After the last header. Tells how the body will be read. */
GUARD_API enum guard_body_kind guard_txn_headers_end(struct guard_txn *txn);
/* After headers_end and before the first chunk: how the body is compressed; a host that can undo
 * it says so and feeds what it decoded. Otherwise the body is bytes, and that a fault. */
GUARD_API enum guard_coding guard_txn_coding(const struct guard_txn *txn);
GUARD_API enum guard_body_kind guard_txn_decoded(struct guard_txn *txn);
GUARD_API void guard_txn_body(struct guard_txn *txn, struct guard_span chunk);
/* The host couldn't decode it to its end; what was fed counts. */
GUARD_API void guard_txn_decoding_failed(struct guard_txn *txn);
/* Header fields behind the body. name in any case. */
GUARD_API void guard_txn_trailer(struct guard_txn *txn, struct guard_span name,
                                 struct guard_span value);
/* Decides on what came so far: nothing is missing yet. For requests that are streamed; may be
 * called again and again, each time at the cost of a decision. policy: that in force now, which
 * long streams follow; as in guard_txn_cfg. */
GUARD_API const struct guard_verdict *guard_txn_request_check(struct guard_txn *txn,
                                                              const struct guard_policy *policy);
/* The time, Unix milliseconds, for what ends at a time: exceptions and patches. That of
 * guard_txn_cfg at first; of exchanges that go on the host says it again before it checks them. Not
 * known (0): no exception is in force. */
GUARD_API void guard_txn_now(struct guard_txn *txn, uint64_t now_ms);
/* Whether the service's revision is new, so that what deviates by new elements only (verdict.h:
 * novel) is told instead of blocked. From guard_txn_cfg at first; of exchanges that go on the host
 * says it again before it checks them, so that none outlives the time of its shadow. */
GUARD_API void guard_txn_shadow(struct guard_txn *txn, bool shadow);
/* The request is complete: decides. The verdict lives as long as the arena. */
GUARD_API const struct guard_verdict *guard_txn_request_end(struct guard_txn *txn);
/* After the verdict on the request: how many milliseconds its response may take until that alone is
 * a deviation; UINT32_MAX: any. When they are over and the response isn't complete, the host calls
 * guard_txn_late, which gives the verdict on the time (action BLOCK: cut it). */
GUARD_API uint32_t guard_txn_deadline_ms(const struct guard_txn *txn);
GUARD_API const struct guard_verdict *guard_txn_late(struct guard_txn *txn, uint32_t waited_ms);

/* The response. Without these calls it isn't viewed. Those of a request belong to it by the
 * endpoint that was found for it. GUARD_E_NOMEM: it isn't viewed, and that is a fault. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_txn_response_begin(struct guard_txn *txn,
                                                                uint32_t status);
/* What a bad response of this status may have done to it: below BLOCK nobody needs to hold it. */
GUARD_API enum guard_mode guard_txn_response_mode(const struct guard_txn *txn, uint32_t status);
GUARD_API void guard_txn_response_header(struct guard_txn *txn, struct guard_span name,
                                         struct guard_span value);
GUARD_API enum guard_body_kind guard_txn_response_headers_end(struct guard_txn *txn);
GUARD_API enum guard_coding guard_txn_response_coding(const struct guard_txn *txn);
GUARD_API enum guard_body_kind guard_txn_response_decoded(struct guard_txn *txn);
GUARD_API void guard_txn_response_body(struct guard_txn *txn, struct guard_span chunk);
GUARD_API void guard_txn_response_decoding_failed(struct guard_txn *txn);
GUARD_API void guard_txn_response_trailer(struct guard_txn *txn, struct guard_span name,
                                          struct guard_span value);
GUARD_API const struct guard_verdict *guard_txn_response_check(struct guard_txn *txn,
                                                               const struct guard_policy *policy);
GUARD_API const struct guard_verdict *guard_txn_response_end(struct guard_txn *txn);
/* For the record. status 0: unknown. latency of the service in microseconds, UINT32_MAX unknown. */
GUARD_API void guard_txn_response(struct guard_txn *txn, uint32_t status, uint32_t latency_us);

/* The verdict on all parts together, so far: their strongest decision and action, the score that
 * belongs to it, the findings of all. */
GUARD_API const struct guard_verdict *guard_txn_whole(struct guard_txn *txn);
/* Patches evaluated for the last verdict on the request, or on the response; of more than
 * GUARD_PATCH_RESULTS_MAX the first, and the last that hit. Returns how many; *out lives as long as
 * the arena. */
GUARD_API uint32_t guard_txn_patches(const struct guard_txn *txn, bool response,
                                     const struct guard_patch_result **out);
/* After request_end: the verdict again, the endpoint's template ("" without a policy that knows
 * it). */
GUARD_API const struct guard_verdict *guard_txn_verdict(const struct guard_txn *txn);
GUARD_API struct guard_span guard_txn_method(const struct guard_txn *txn);
GUARD_API struct guard_span guard_txn_template(const struct guard_txn *txn);

enum { GUARD_RECORD_MAX = 16 * 1024 };
/* The exchange as a record (lib/profile/record.h) of at most cap (GUARD_RECORD_MAX suffices) bytes;
 * *len is set. Deterministic: the same traffic gives the same bytes, whatever the policy said; only
 * the verdict field differs. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_txn_record(struct guard_txn *txn, uint8_t *out,
                                                        size_t cap, size_t *len);

/* The head of a record, for programs that route it. Spans point into the record. */
struct guard_record_head {
    struct guard_span service;
    struct guard_span method;
    uint64_t time_ms;
    uint32_t status;
    uint32_t latency_us;
    uint32_t request_bytes; /* body */
    enum guard_decision decision;
    bool novel;                 /* see verdict.h */
    bool excepted;              /* it wasn't blocked because of an exception */
    struct guard_span revision; /* empty: undeclared */
    uint32_t novel_count;       /* as of the verdict */
    uint64_t novel_elements[GUARD_NOVEL_MAX];
    struct guard_client client; /* address reduced to its prefix */
};
/* GUARD_E_SYNTAX, GUARD_E_VERSION for anything but a record; checks only the head. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_record_head_read(struct guard_span record,
                                                              struct guard_record_head *out);

#endif
