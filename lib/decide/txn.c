/* SPDX-License-Identifier: Apache-2.0 */
/* The public face of an exchange: the builders of its two profiles, the decisions on them, then
 * their record. */
#include <guard/txn.h>

#include "base/arena.h"
#include "decide/exceptions.h"
#include "decide/patching.h"
#include "detect/leak.h"
#include "detect/likeness.h"
#include "http/base64.h"
#include "profile/builder.h"
#include "profile/memo.h"
#include "profile/record.h"

#include <guard/client.h>

enum { GD_CLIENT_CERTAIN = 600 }; /* hundredths of -log10 p: it was weighed when it was made */

struct answer {
    struct gd_builder *builder;
    struct gd_profile *profile;   /* of the builder */
    struct gd_patching *patching; /* NULL: no patch is of responses */
    struct gd_leaks leaks;
    struct gd_base64 base64; /* of a body that is searched decoded */
    bool seen;               /* its body is searched for leaks */
    bool decided;
    bool ended;
    struct gd_decision decision;
};

struct guard_txn {
    struct gd_builder *builder;
    struct gd_profile *profile; /* NULL until the request is complete */
    const struct guard_policy *policy;
    struct guard_arena *arena;
    struct gd_hash_memo *memo;   /* of literals */
    struct guard_txn_cfg cfg;    /* time_ms: now */
    struct gd_patch_scope scope; /* of the request, for exceptions */
    struct guard_span method;    /* of it: the caller's until they are kept */
    struct guard_span target;
    bool kept;
    struct gd_patching *patching; /* NULL: there are no patches */
    struct answer *answer;        /* NULL: the response isn't viewed */
    struct gd_decision *late;     /* NULL: it is in time */
    struct guard_verdict *whole;  /* NULL until it is asked for */
    struct guard_finding client;  /* of a verdict on the client; strength 0: there is none */
    struct gd_decision decision;
};

static const struct guard_verdict passed = {.decision = GUARD_PASS};

/* Nothing is decided yet. */
static void clear(struct gd_decision *decision)
{
    const struct gd_deciding none = {.policy = NULL};
    decision->known_cap = 0;
    decision->room_count = 0;
    decision->exempt = false;
    gd_decide(decision, &none, NULL);
}

static struct gd_decision *new_decision(struct guard_txn *txn)
{
    struct gd_decision *decision = gd_arena_get(txn->arena, sizeof(*decision));
    if (decision != NULL)
        clear(decision);
    return decision;
}

static struct gd_reading read_value(struct guard_span value, uint32_t without)
{
    struct gd_likeness likeness;
    gd_likeness_of_but(value, without, &likeness);
    return (struct gd_reading){(uint16_t)likeness.classes, (uint8_t)likeness.construct};
}

/* What responses are held against needs to know of their request. */
static enum guard_rc begin_patching(struct guard_txn *txn)
{
    txn->patching = gd_patching_new(&txn->cfg, GUARD_PATCH_REQUEST, txn->arena);
    if (txn->patching == NULL)
        return GUARD_E_NOMEM;
    gd_builder_captures(txn->builder, &txn->patching->capture);
    return GUARD_OK;
}

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
    txn->cfg = *cfg;
    txn->scope = (struct gd_patch_scope){.path = {NULL, 0}};
    txn->method = txn->target = gd_span(NULL, 0);
    txn->kept = false;
    txn->answer = NULL;
    txn->late = NULL;
    txn->whole = NULL;
    txn->client.strength = 0;
    clear(&txn->decision);
    GUARD_TRY(gd_builder_begin(&txn->builder, cfg, arena));
    gd_builder_reads(txn->builder, read_value);
    txn->patching = NULL;
    if (cfg->policy != NULL && cfg->policy->patches.entry_count > 0)
        GUARD_TRY(begin_patching(txn));
    *out = txn;
    return GUARD_OK;
}

void guard_txn_client(struct guard_txn *txn, const struct guard_client *client)
{
    gd_builder_client(txn->builder, client);
}

static bool has_exceptions(const struct guard_policy *policy)
{
    return policy != NULL && policy->exception_count > 0;
}

/* Scopes are asked for as long as the exchange goes on, when other bytes of the client's may stand
 * where its request line was. */
static void keep_line(struct guard_txn *txn)
{
    if (txn->kept)
        return;
    const struct guard_span method = gd_arena_copy(txn->arena, txn->method);
    const struct guard_span target = gd_arena_copy(txn->arena, txn->target);
    txn->kept = method.len == txn->method.len && target.len == txn->target.len;
    if (!txn->kept)
        return;
    txn->method = method;
    txn->target = target;
}

/* Without memory patches are for what is there now, and exceptions for nothing. */
static void keep_scope(struct guard_txn *txn)
{
    keep_line(txn);
    if (txn->patching != NULL)
        gd_patching_request(txn->patching, txn->method, txn->target);
    if (txn->kept && has_exceptions(txn->policy))
        gd_exception_scope(&txn->scope, gd_builder_profile(txn->builder), txn->method, txn->target,
                           txn->arena);
}

void guard_txn_request(struct guard_txn *txn, struct guard_span method, struct guard_span target,
                       uint32_t version)
{
    gd_builder_request(txn->builder, method, target, version);
    txn->method = method;
    txn->target = target;
    if (txn->patching != NULL || has_exceptions(txn->policy))
        keep_scope(txn);
}

void guard_txn_header(struct guard_txn *txn, struct guard_span name, struct guard_span value)
{
    gd_builder_header(txn->builder, name, value);
}

enum guard_body_kind guard_txn_headers_end(struct guard_txn *txn)
{
    return gd_builder_headers_end(txn->builder);
}

enum guard_coding guard_txn_coding(const struct guard_txn *txn)
{
    return gd_builder_coding(txn->builder);
}

enum guard_body_kind guard_txn_decoded(struct guard_txn *txn)
{
    return gd_builder_decoded(txn->builder);
}

void guard_txn_decoding_failed(struct guard_txn *txn)
{
    gd_builder_decoding_failed(txn->builder);
}

void guard_txn_trailer(struct guard_txn *txn, struct guard_span name, struct guard_span value)
{
    if (txn->profile == NULL)
        gd_builder_trailer(txn->builder, name, value);
}

void guard_txn_body(struct guard_txn *txn, struct guard_span chunk)
{
    gd_builder_body(txn->builder, chunk);
}

static struct gd_deciding deciding(const struct guard_txn *txn, bool partial)
{
    return (struct gd_deciding){.policy = txn->policy,
                                .memo = txn->memo,
                                .arena = txn->arena,
                                .partial = partial,
                                .shadow = txn->cfg.shadow,
                                .scope = &txn->scope,
                                .now_ms = txn->cfg.time_ms};
}

void guard_txn_client_verdict(struct guard_txn *txn, const struct guard_client_verdict *verdict,
                              uint32_t left_s)
{
    const char *rule = guard_rule_name(verdict->rule);
    txn->client = (struct guard_finding){.rule = GUARD_RULE_CLIENT_VERDICT,
                                         .part = GUARD_PART_CLIENT,
                                         .location = GUARD_LOCATION_CLIENT,
                                         .name = gd_span(rule, strlen(rule)),
                                         .detail = verdict->detail,
                                         .expected = left_s,
                                         .strength = GD_CLIENT_CERTAIN};
}

/* Told behind what else deviates, as it stops nothing. */
static void add_excepted_client(const struct guard_txn *txn, struct guard_verdict *verdict,
                                struct guard_span exception)
{
    uint32_t last = verdict->finding_count < GUARD_FINDINGS_MAX ? verdict->finding_count++
                                                                : GUARD_FINDINGS_MAX - 1;
    verdict->findings[last] = txn->client;
    verdict->findings[last].exception = exception;
    verdict->finding_total++;
    if (verdict->decision < GUARD_ALERT)
        verdict->decision = GUARD_ALERT;
    if (verdict->action < GUARD_ALERT)
        verdict->action = GUARD_ALERT;
    if (verdict->decision == GUARD_ALERT && verdict->exception.len == 0)
        verdict->exception = exception;
}

/* It stands first: whatever else deviates, this is why the client gets nothing. */
static void add_client(struct guard_txn *txn, struct guard_verdict *verdict)
{
    uint32_t index = gd_exception_of_client(&txn->decision);
    if (index != GD_NO_EXCEPTION) {
        add_excepted_client(txn, verdict, gd_exception_id(&txn->decision, index));
        return;
    }
    uint32_t last = verdict->finding_count < GUARD_FINDINGS_MAX ? verdict->finding_count++
                                                                : GUARD_FINDINGS_MAX - 1;
    for (; last > 0; last--)
        verdict->findings[last] = verdict->findings[last - 1];
    verdict->findings[0] = txn->client;
    verdict->finding_total++;
    verdict->decision = verdict->action = GUARD_BLOCK;
    verdict->exception = gd_span(NULL, 0);
    verdict->novel = false;
    if (verdict->score < verdict->threshold)
        verdict->score = verdict->threshold;
}

void guard_txn_shadow(struct guard_txn *txn, bool shadow)
{
    txn->cfg.shadow = shadow;
}

void guard_txn_now(struct guard_txn *txn, uint64_t now_ms)
{
    txn->cfg.time_ms = now_ms;
}

static void decide_request(struct guard_txn *txn)
{
    const struct gd_deciding with = deciding(txn, txn->profile == NULL);
    const struct gd_profile *profile = gd_builder_profile(txn->builder);
    gd_decide(&txn->decision, &with, profile);
    if (txn->patching != NULL)
        gd_decide_patches(&txn->decision, txn->patching, &txn->cfg, profile, with.partial,
                          gd_builder_is_endless(txn->builder));
    if (txn->client.strength > 0 && !gd_profile_exempt(profile))
        add_client(txn, &txn->decision.verdict);
}

const struct guard_verdict *guard_txn_request_end(struct guard_txn *txn)
{
    if (txn->profile != NULL)
        return &txn->decision.verdict;
    gd_builder_end(txn->builder);
    txn->profile = gd_builder_profile(txn->builder);
    decide_request(txn);
    return &txn->decision.verdict;
}

static void follow_answer(struct guard_txn *txn, const struct gd_patch_set *set)
{
    struct answer *answer = txn->answer;
    if (answer == NULL || txn->patching == NULL)
        return;
    if (answer->patching == NULL && set->places[GUARD_PATCH_RESPONSE] != 0) {
        answer->patching = gd_patching_late(&txn->cfg, GUARD_PATCH_RESPONSE, txn->arena);
        if (answer->patching == NULL)
            return;
        answer->patching->scope = txn->patching->scope;
        gd_builder_captures(answer->builder, &answer->patching->capture);
    }
    if (answer->patching == NULL)
        return;
    gd_patching_follow(answer->patching, set, answer->builder, GUARD_PATCH_RESPONSE);
    answer->patching->late = answer->ended && answer->patching->capture.missed != 0;
}

/* What began under another policy: its patches look at what comes from here on. Without memory
 * there are none. */
static void follow_patches(struct guard_txn *txn)
{
    const struct gd_patch_set *set = &txn->policy->patches;
    if (set->entry_count > 0 && txn->patching == NULL) {
        txn->patching = gd_patching_late(&txn->cfg, GUARD_PATCH_REQUEST, txn->arena);
        if (txn->patching != NULL)
            gd_builder_captures(txn->builder, &txn->patching->capture);
    }
    if (txn->patching != NULL || has_exceptions(txn->policy))
        keep_scope(txn);
    if (txn->patching == NULL)
        return;
    gd_patching_follow(txn->patching, set, txn->builder, GUARD_PATCH_REQUEST);
    txn->patching->late = txn->profile != NULL && txn->patching->capture.missed != 0;
    follow_answer(txn, set);
}

static void take_policy(struct guard_txn *txn, const struct guard_policy *policy)
{
    if (policy == txn->policy)
        return;
    txn->policy = txn->cfg.policy = policy;
    if (policy != NULL)
        follow_patches(txn);
}

/* Nothing that is kept points into the policy before: what it said of the request is said again. */
static void follow(struct guard_txn *txn, const struct guard_policy *policy)
{
    if (policy == txn->policy)
        return;
    take_policy(txn, policy);
    decide_request(txn);
}

const struct guard_verdict *guard_txn_request_check(struct guard_txn *txn,
                                                    const struct guard_policy *policy)
{
    keep_line(txn);
    if (txn->profile != NULL) {
        follow(txn, policy);
    } else {
        take_policy(txn, policy);
        decide_request(txn);
    }
    return &txn->decision.verdict;
}

uint32_t guard_txn_deadline_ms(const struct guard_txn *txn)
{
    return txn->profile == NULL ? UINT32_MAX : gd_deadline_ms(&txn->decision);
}

const struct guard_verdict *guard_txn_late(struct guard_txn *txn, uint32_t waited_ms)
{
    if (txn->late == NULL && txn->decision.policy != NULL)
        txn->late = new_decision(txn);
    if (txn->late == NULL)
        return &passed;
    gd_decide_late(txn->late, &txn->decision, waited_ms, txn->cfg.time_ms);
    return &txn->late->verdict;
}

/* --- the response --- */

static enum guard_rc begin_answer_patching(struct guard_txn *txn, struct answer *answer,
                                           uint32_t status)
{
    const uint8_t digits[3] = {(uint8_t)('0' + status / 100 % 10),
                               (uint8_t)('0' + status / 10 % 10), (uint8_t)('0' + status % 10)};
    if (txn->patching == NULL || txn->policy == NULL ||
        txn->policy->patches.places[GUARD_PATCH_RESPONSE] == 0)
        return GUARD_OK;
    answer->patching = gd_patching_new(&txn->cfg, GUARD_PATCH_RESPONSE, txn->arena);
    if (answer->patching == NULL)
        return GUARD_E_NOMEM;
    answer->patching->scope = txn->patching->scope;
    gd_builder_captures(answer->builder, &answer->patching->capture);
    gd_capture_value(&answer->patching->capture, GUARD_PLACE_STATUS, gd_span(NULL, 0),
                     gd_span(digits, sizeof(digits)), 0);
    return GUARD_OK;
}

enum guard_rc guard_txn_response_begin(struct guard_txn *txn, uint32_t status)
{
    txn->answer = NULL;
    gd_builder_profile(txn->builder)->response = NULL;
    struct answer *answer = gd_arena_get(txn->arena, sizeof(*answer));
    if (answer == NULL)
        return GUARD_E_NOMEM;
    answer->decided = answer->ended = answer->seen = false;
    gd_leaks_begin(&answer->leaks);
    answer->base64 = (struct gd_base64){.bits = 0};
    GUARD_TRY(gd_builder_begin_answer(&answer->builder, &txn->cfg, status, txn->arena));
    answer->profile = gd_builder_profile(answer->builder);
    answer->patching = NULL;
    GUARD_TRY(begin_answer_patching(txn, answer, status));
    clear(&answer->decision);
    txn->answer = answer;
    return GUARD_OK;
}

enum guard_mode guard_txn_response_mode(const struct guard_txn *txn, uint32_t status)
{
    return txn->decision.policy == NULL ? GUARD_MODE_OBSERVE
                                        : (enum guard_mode)gd_answer_mode(&txn->decision, status);
}

void guard_txn_response_header(struct guard_txn *txn, struct guard_span name,
                               struct guard_span value)
{
    if (txn->answer != NULL)
        gd_builder_header(txn->answer->builder, name, value);
}

static enum guard_body_kind body_kind(struct answer *answer, enum guard_body_kind kind)
{
    /* Not of files: an image isn't searched for stack traces. */
    answer->seen = kind == GUARD_BODY_JSON || kind == GUARD_BODY_TEXT || kind == GUARD_BODY_NONE ||
                   kind == GUARD_BODY_EVENTS || kind == GUARD_BODY_GRPC ||
                   kind == GUARD_BODY_WEBSOCKET;
    return kind;
}

enum guard_body_kind guard_txn_response_headers_end(struct guard_txn *txn)
{
    enum { SWITCHING_PROTOCOLS = 101 };
    struct answer *answer = txn->answer;
    if (answer == NULL)
        return GUARD_BODY_NONE;
    enum guard_body_kind kind = gd_builder_headers_end(answer->builder);
    if (answer->profile->status == SWITCHING_PROTOCOLS) {
        gd_builder_upgraded(txn->builder, true);
        gd_builder_upgraded(answer->builder, false);
        kind = GUARD_BODY_WEBSOCKET;
    }
    return body_kind(answer, kind);
}

enum guard_coding guard_txn_response_coding(const struct guard_txn *txn)
{
    return txn->answer == NULL ? GUARD_CODING_IDENTITY : gd_builder_coding(txn->answer->builder);
}

enum guard_body_kind guard_txn_response_decoded(struct guard_txn *txn)
{
    return txn->answer == NULL ? GUARD_BODY_NONE
                               : body_kind(txn->answer, gd_builder_decoded(txn->answer->builder));
}

static void search(struct answer *answer, struct guard_span text)
{
    enum { DECODED_BYTES = 768 };
    uint8_t decoded[DECODED_BYTES];
    bool plain = !gd_builder_is_base64(answer->builder);
    if (plain)
        gd_leaks_feed(&answer->leaks, text);
    while (!plain && text.len > 0) {
        size_t len = gd_base64_feed(&answer->base64, &text, decoded, sizeof(decoded));
        gd_leaks_feed(&answer->leaks, gd_span(decoded, len));
    }
    answer->profile->leaks = gd_leaks_found(&answer->leaks);
}

void guard_txn_response_body(struct guard_txn *txn, struct guard_span chunk)
{
    struct answer *answer = txn->answer;
    if (answer == NULL || answer->ended)
        return;
    size_t room = gd_builder_room(answer->builder);
    if (answer->seen && room > 0)
        search(answer, gd_span_head(chunk, room));
    gd_builder_body(answer->builder, chunk);
}

void guard_txn_response_decoding_failed(struct guard_txn *txn)
{
    if (txn->answer != NULL)
        gd_builder_decoding_failed(txn->answer->builder);
}

void guard_txn_response_trailer(struct guard_txn *txn, struct guard_span name,
                                struct guard_span value)
{
    if (txn->answer != NULL && !txn->answer->ended)
        gd_builder_trailer(txn->answer->builder, name, value);
}

/* A response may come before the end of its request: what was decided of it so far finds the
 * endpoint. */
static const struct guard_verdict *decide_response(struct guard_txn *txn, bool partial)
{
    struct answer *answer = txn->answer;
    const struct gd_deciding with = deciding(txn, partial);
    gd_decide_answer(&answer->decision, &with, answer->profile, &txn->decision);
    if (answer->patching != NULL)
        gd_decide_patches(&answer->decision, answer->patching, &txn->cfg, answer->profile, partial,
                          gd_builder_is_endless(answer->builder));
    answer->decided = true;
    return &answer->decision.verdict;
}

const struct guard_verdict *guard_txn_response_check(struct guard_txn *txn,
                                                     const struct guard_policy *policy)
{
    follow(txn, policy);
    return txn->answer == NULL ? &passed : decide_response(txn, !txn->answer->ended);
}

const struct guard_verdict *guard_txn_response_end(struct guard_txn *txn)
{
    struct answer *answer = txn->answer;
    if (answer == NULL)
        return &passed;
    if (answer->ended)
        return &answer->decision.verdict;
    gd_builder_end(answer->builder);
    answer->ended = true;
    gd_builder_profile(txn->builder)->response = answer->profile;
    return decide_response(txn, false);
}

void guard_txn_response(struct guard_txn *txn, uint32_t status, uint32_t latency_us)
{
    struct gd_profile *profile = gd_builder_profile(txn->builder);
    profile->status = status;
    profile->latency_us = latency_us;
}

/* --- all together --- */

const struct guard_verdict *guard_txn_verdict(const struct guard_txn *txn)
{
    return &txn->decision.verdict;
}

static void add_findings(struct guard_verdict *whole, const struct guard_verdict *part)
{
    whole->finding_total += part->finding_total;
    for (uint32_t i = 0; i < part->finding_count; i++) {
        uint32_t at = whole->finding_count < GUARD_FINDINGS_MAX ? whole->finding_count++
                                                                : (uint32_t)GUARD_FINDINGS_MAX;
        while (at > 0 && whole->findings[at - 1].strength < part->findings[i].strength) {
            if (at < GUARD_FINDINGS_MAX)
                whole->findings[at] = whole->findings[at - 1];
            at--;
        }
        if (at < GUARD_FINDINGS_MAX)
            whole->findings[at] = part->findings[i];
    }
}

static bool outweighs(const struct guard_verdict *part, const struct guard_verdict *whole)
{
    if (part->decision != whole->decision)
        return part->decision > whole->decision;
    return part->score > whole->score;
}

/* A part that blocks for more than new elements makes the whole so. */
static bool both_novel(const struct guard_verdict *a, const struct guard_verdict *b)
{
    return (a->novel || b->novel) && (a->decision != GUARD_BLOCK || a->novel) &&
           (b->decision != GUARD_BLOCK || b->novel);
}

static void take_elements(struct guard_verdict *into, const struct guard_verdict *from)
{
    into->novel_count = from->novel_count;
    memcpy(into->novel_elements, from->novel_elements,
           from->novel_count * sizeof(from->novel_elements[0]));
}

static void add_part(struct guard_verdict *whole, const struct guard_verdict *part)
{
    bool novel = both_novel(whole, part);
    if (novel && part->novel && !whole->novel) {
        whole->released = part->released;
        take_elements(whole, part);
    }
    if (outweighs(part, whole)) {
        whole->decision = part->decision;
        whole->score = part->score;
        whole->threshold = part->threshold;
    }
    whole->novel = novel;
    if (whole->exception.len == 0)
        whole->exception = part->exception;
    if (part->action > whole->action)
        whole->action = part->action;
    add_findings(whole, part);
}

const struct guard_verdict *guard_txn_whole(struct guard_txn *txn)
{
    bool answered = txn->answer != NULL && txn->answer->decided &&
                    txn->answer->decision.verdict.finding_total > 0;
    if (!answered && txn->late == NULL)
        return &txn->decision.verdict;
    if (txn->whole == NULL)
        txn->whole = gd_arena_get(txn->arena, sizeof(*txn->whole));
    if (txn->whole == NULL)
        return &txn->decision.verdict;
    *txn->whole = txn->decision.verdict;
    if (answered)
        add_part(txn->whole, &txn->answer->decision.verdict);
    if (txn->late != NULL)
        add_part(txn->whole, &txn->late->verdict);
    if (txn->whole->decision == GUARD_BLOCK)
        txn->whole->exception = gd_span(NULL, 0);
    return txn->whole;
}

uint32_t guard_txn_patches(const struct guard_txn *txn, bool response,
                           const struct guard_patch_result **out)
{
    const struct gd_patching *patching =
        response ? (txn->answer != NULL ? txn->answer->patching : NULL) : txn->patching;
    *out = patching != NULL ? patching->results : NULL;
    return patching != NULL ? patching->result_count : 0;
}

struct guard_span guard_txn_method(const struct guard_txn *txn)
{
    return gd_builder_profile(txn->builder)->method;
}

struct guard_span guard_txn_template(const struct guard_txn *txn)
{
    return txn->decision.template_text;
}

/* What is recorded of all parts. */
static void record_verdict(const struct guard_txn *txn, struct gd_profile *profile)
{
    const struct guard_verdict *parts[] = {
        &txn->decision.verdict,
        txn->answer != NULL && txn->answer->decided ? &txn->answer->decision.verdict : &passed,
        txn->late != NULL ? &txn->late->verdict : &passed};
    struct guard_verdict whole = {.decision = GUARD_PASS};
    bool excepted = false;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i]->novel && whole.novel_count == 0)
            take_elements(&whole, parts[i]);
        whole.novel = both_novel(&whole, parts[i]);
        if (parts[i]->decision > whole.decision)
            whole.decision = parts[i]->decision;
        excepted = excepted || parts[i]->exception.len > 0;
    }
    profile->decision = whole.decision;
    profile->excepted = excepted && whole.decision != GUARD_BLOCK;
    profile->novel = whole.novel;
    profile->novel_count = whole.novel ? whole.novel_count : 0;
    memcpy(profile->novel_elements, whole.novel_elements,
           profile->novel_count * sizeof(whole.novel_elements[0]));
}

enum guard_rc guard_txn_record(struct guard_txn *txn, uint8_t *out, size_t cap, size_t *len)
{
    *len = 0;
    if (txn->profile == NULL)
        return GUARD_E_STATE;
    record_verdict(txn, txn->profile);
    return gd_record_encode(txn->profile, out, cap, len);
}
