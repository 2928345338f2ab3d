/* SPDX-License-Identifier: Apache-2.0 */
/* The public face of an exchange: the builder of its profile, then the decision on it, then its
 * record. */
#include <guard/txn.h>

#include "base/arena.h"
#include "decide/decide.h"
#include "profile/builder.h"
#include "profile/memo.h"
#include "profile/record.h"

struct guard_txn {
    struct gd_builder *builder;
    struct gd_profile *profile; /* NULL until the request is complete */
    const struct guard_policy *policy;
    struct guard_arena *arena;
    struct gd_hash_memo *memo; /* of literals */
    struct gd_decision decision;
    struct guard_verdict response_verdict;
};

enum guard_rc guard_txn_begin(struct guard_txn **out, const struct guard_txn_cfg *cfg,
                              struct guard_arena *arena)
{
    *out = NULL;
    struct guard_txn *txn = gd_arena_get(arena, sizeof(*txn));
    if (txn == NULL)
        return GUARD_E_NOMEM;
    txn->profile = NULL;
    txn->policy = cfg->policy;
    txn->arena = arena;
    txn->memo = cfg->memo != NULL ? &cfg->memo->literals : NULL;
    gd_decide(&txn->decision, NULL, NULL, NULL, arena);
    txn->response_verdict = (struct guard_verdict){.decision = GUARD_PASS};
    GUARD_TRY(gd_builder_begin(&txn->builder, cfg, arena));
    *out = txn;
    return GUARD_OK;
}

void guard_txn_client(struct guard_txn *txn, const struct guard_client *client)
{
    gd_builder_client(txn->builder, client);
}

void guard_txn_request(struct guard_txn *txn, struct guard_span method, struct guard_span target,
                       uint32_t version)
{
    gd_builder_request(txn->builder, method, target, version);
}

void guard_txn_header(struct guard_txn *txn, struct guard_span name, struct guard_span value)
{
    gd_builder_header(txn->builder, name, value);
}

enum guard_body_kind guard_txn_headers_end(struct guard_txn *txn)
{
    return gd_builder_headers_end(txn->builder);
}

void guard_txn_body(struct guard_txn *txn, struct guard_span chunk)
{
    gd_builder_body(txn->builder, chunk);
}

const struct guard_verdict *guard_txn_request_end(struct guard_txn *txn)
{
    if (txn->profile != NULL)
        return &txn->decision.verdict;
    gd_builder_end(txn->builder);
    txn->profile = gd_builder_profile(txn->builder);
    gd_decide(&txn->decision, txn->policy, txn->profile, txn->memo, txn->arena);
    txn->profile->decision = txn->decision.verdict.decision;
    return &txn->decision.verdict;
}

const struct guard_verdict *guard_txn_request_check(struct guard_txn *txn,
                                                    const struct guard_policy *policy)
{
    txn->policy = policy;
    return &txn->decision.verdict;
}

enum guard_coding guard_txn_coding(const struct guard_txn *txn)
{
    (void)txn;
    return GUARD_CODING_IDENTITY;
}

enum guard_body_kind guard_txn_decoded(struct guard_txn *txn)
{
    (void)txn;
    return GUARD_BODY_NONE;
}

void guard_txn_decoding_failed(struct guard_txn *txn)
{
    (void)txn;
}

void guard_txn_trailer(struct guard_txn *txn, struct guard_span name, struct guard_span value)
{
    guard_txn_header(txn, name, value);
}

uint32_t guard_txn_deadline_ms(const struct guard_txn *txn)
{
    (void)txn;
    return UINT32_MAX;
}

const struct guard_verdict *guard_txn_late(struct guard_txn *txn, uint32_t waited_ms)
{
    (void)waited_ms;
    return &txn->decision.verdict;
}

enum guard_rc guard_txn_response_begin(struct guard_txn *txn, uint32_t status)
{
    (void)txn;
    (void)status;
    return GUARD_OK;
}

void guard_txn_response_header(struct guard_txn *txn, struct guard_span name,
                               struct guard_span value)
{
    (void)txn;
    (void)name;
    (void)value;
}

enum guard_body_kind guard_txn_response_headers_end(struct guard_txn *txn)
{
    (void)txn;
    return GUARD_BODY_NONE;
}

enum guard_coding guard_txn_response_coding(const struct guard_txn *txn)
{
    (void)txn;
    return GUARD_CODING_IDENTITY;
}

enum guard_body_kind guard_txn_response_decoded(struct guard_txn *txn)
{
    (void)txn;
    return GUARD_BODY_NONE;
}

void guard_txn_response_body(struct guard_txn *txn, struct guard_span chunk)
{
    (void)txn;
    (void)chunk;
}

void guard_txn_response_decoding_failed(struct guard_txn *txn)
{
    (void)txn;
}

void guard_txn_response_trailer(struct guard_txn *txn, struct guard_span name,
                                struct guard_span value)
{
    guard_txn_response_header(txn, name, value);
}

const struct guard_verdict *guard_txn_response_check(struct guard_txn *txn,
                                                     const struct guard_policy *policy)
{
    txn->policy = policy;
    return &txn->response_verdict;
}

const struct guard_verdict *guard_txn_response_end(struct guard_txn *txn)
{
    return &txn->response_verdict;
}

const struct guard_verdict *guard_txn_whole(struct guard_txn *txn)
{
    return &txn->decision.verdict;
}

void guard_txn_response(struct guard_txn *txn, uint32_t status, uint32_t latency_us)
{
    struct gd_profile *profile = gd_builder_profile(txn->builder);
    profile->status = status;
    profile->latency_us = latency_us;
}

const struct guard_verdict *guard_txn_verdict(const struct guard_txn *txn)
{
    return &txn->decision.verdict;
}

struct guard_span guard_txn_method(const struct guard_txn *txn)
{
    return gd_builder_profile(txn->builder)->method;
}

struct guard_span guard_txn_template(const struct guard_txn *txn)
{
    return txn->decision.template_text;
}

enum guard_rc guard_txn_record(struct guard_txn *txn, uint8_t *out, size_t cap, size_t *len)
{
    *len = 0;
    if (txn->profile == NULL)
        return GUARD_E_STATE;
    return gd_record_encode(txn->profile, out, cap, len);
}
