/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts: what an operator is told of an exchange that deviates. Each client prefix has a quota, so
 * that an attacker can't push another one's alerts out of the ring, and one of its own for each
 * action, so that what is blocked doesn't hide what was let pass; what is held back is counted and
 * told. */
#include "counters.h"
#include "module.h"

#include "common/finding_json.h"

enum {
    QUOTA_ALERTS = 16, /* of each action */
    QUOTA_MS = 10000,
    QUOTA_SETS = 64,
    QUOTA_WAYS = 4,
    ALERT_BYTES_MAX = 16 * 1024,
    EXPLANATION_MAX = 512,
};

struct quota {
    uint64_t client; /* hash of the prefix, 0 = unused */
    uint64_t since_ms;
    uint32_t told[GUARD_BLOCK + 1]; /* by action */
    uint32_t suppressed;
    struct gate_service *service;
    u_char text[NGX_SOCKADDR_STRLEN];
    size_t text_len;
};

static struct quota quotas[QUOTA_SETS][QUOTA_WAYS];
static uint64_t suppressed_elsewhere; /* of clients that lost their place in the table */
static char line[ALERT_BYTES_MAX];

static uint64_t hash_bytes(const void *bytes, size_t len)
{
    const uint8_t *byte = bytes;
    uint64_t hash = gate_worker.hash_seed ^ len;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ byte[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash == 0 ? 1 : hash;
}

/* /24 and /56: what one client can change its address within. */
static uint64_t client_hash(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return hash_bytes(&((const struct sockaddr_in *)address)->sin_addr, 3);
#if (NGX_HAVE_INET6)
    if (address->sa_family == AF_INET6) {
        const struct in6_addr *wide = &((const struct sockaddr_in6 *)address)->sin6_addr;
        return IN6_IS_ADDR_V4MAPPED(wide) ? hash_bytes(&wide->s6_addr[12], 3) : hash_bytes(wide, 7);
    }
#endif
    return 1;
}

static struct quota *find_quota(uint64_t client)
{
    struct quota *set = quotas[client % QUOTA_SETS];
    struct quota *oldest = &set[0];
    for (int way = 0; way < QUOTA_WAYS; way++) {
        if (set[way].client == client)
            return &set[way];
        if (set[way].since_ms < oldest->since_ms)
            oldest = &set[way];
    }
    suppressed_elsewhere += oldest->suppressed;
    *oldest = (struct quota){.client = client};
    return oldest;
}

/* Whether this alert is told; counts it otherwise. */
static struct quota *admit(ngx_http_request_t *r, const gate_exchange_t *exchange, uint64_t now_ms)
{
    ngx_sockaddr_t room;
    u_char text[NGX_SOCKADDR_STRLEN];
    struct quota *quota = find_quota(client_hash(gate_client_address(r, exchange, &room)));
    ngx_str_t client = gate_client_text(r, exchange, text);
    if (now_ms - quota->since_ms >= QUOTA_MS) {
        quota->since_ms = now_ms;
        ngx_memzero(quota->told, sizeof(quota->told));
    }
    quota->service = exchange->service;
    quota->text_len = ngx_min(client.len, sizeof(quota->text));
    ngx_memcpy(quota->text, client.data, quota->text_len);
    if (quota->told[exchange->action] == QUOTA_ALERTS) {
        quota->suppressed++;
        gate_count(exchange->service, GATE_COUNT_ALERTS_SUPPRESSED);
        return NULL;
    }
    quota->told[exchange->action]++;
    return quota;
}

static void write_alert(struct json_writer *json, ngx_http_request_t *r, gate_exchange_t *exchange,
                        ngx_uint_t status, uint32_t findings, uint64_t suppressed)
{
    const struct guard_verdict *verdict = exchange->verdict;
    struct guard_span method = guard_txn_method(exchange->txn);
    struct guard_span template_text = guard_txn_template(exchange->txn);
    ngx_str_t id = gate_exchange_id(exchange);
    u_char client_room[NGX_SOCKADDR_STRLEN];
    u_char cause_room[GATE_ID_CHARS];
    ngx_str_t client = gate_client_text(r, exchange, client_room);
    ngx_str_t cause = gate_caused_by(exchange, cause_room);
    char explanation[EXPLANATION_MAX];
    guard_explain(verdict, method, template_text, explanation, sizeof(explanation));

    json_writer_init(json, line, sizeof(line));
    json_open(json, NULL, '{');
    json_integer(json, "time_ms", (int64_t)r->start_sec * 1000 + (int64_t)r->start_msec);
    json_string(json, "id", (struct guard_span){id.data, id.len});
    json_string(json, "service", exchange->service->name);
    json_integer(json, "generation", (int64_t)exchange->generation);
    json_text(json, "verdict", guard_decision_name(verdict->decision));
    json_text(json, "action", guard_decision_name(exchange->action));
    json_string(json, "method", method);
    json_string(json, "template", template_text);
    json_string(json, "client", (struct guard_span){client.data, client.len});
    if (cause.len > 0)
        json_string(json, "caused_by", (struct guard_span){cause.data, cause.len});
    json_integer(json, "status", (int64_t)status);
    json_number(json, "score", (double)verdict->score / 100.0);
    json_text(json, "explanation", explanation);
    if (verdict->exception.len > 0)
        json_string(json, "exception", verdict->exception);
    json_open(json, "findings", '[');
    for (uint32_t i = 0; i < findings; i++)
        finding_json(json, &verdict->findings[i], FINDING_OF_ALERT);
    json_close(json, ']');
    json_integer(json, "findings_total", (int64_t)verdict->finding_total);
    json_integer(json, "suppressed", (int64_t)suppressed);
    json_close(json, '}');
}

static bool hand_out(const struct json_writer *json)
{
    return !json->overflow && gate_worker.alerts != NULL &&
           ring_writer_put(gate_worker.alerts,
                           (struct guard_span){(const uint8_t *)json->ptr, json->len}) != 0;
}

/* False: it was held back or lost, and that is counted. */
static bool put(ngx_http_request_t *r, gate_exchange_t *exchange, ngx_uint_t status)
{
    struct json_writer json;
    struct quota *quota = admit(r, exchange, gate_unix_ms());
    if (quota == NULL)
        return false;
    uint64_t suppressed = quota->suppressed + suppressed_elsewhere;
    /* Names can be long: rather fewer findings than none. */
    uint32_t findings = ngx_min(exchange->verdict->finding_count, GUARD_FINDINGS_MAX);
    write_alert(&json, r, exchange, status, findings, suppressed);
    while (json.overflow && findings > 0) {
        findings /= 2;
        write_alert(&json, r, exchange, status, findings, suppressed);
    }
    if (!hand_out(&json)) {
        quota->suppressed++; /* told with the others when there is a ring again */
        gate_count(exchange->service, GATE_COUNT_ALERTS_LOST);
        return false;
    }
    quota->suppressed = 0;
    suppressed_elsewhere = 0;
    gate_count(exchange->service, GATE_COUNT_ALERTS);
    return true;
}

/* Further findings that raise nothing can wait for the end. */
static bool rises(const gate_exchange_t *exchange, const struct guard_verdict *verdict)
{
    const struct gate_told *told = &exchange->told;
    return verdict->decision > told->decision || exchange->action > told->action;
}

void gate_alert_early(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    const struct guard_verdict *verdict = guard_txn_whole(exchange->txn);
    if (exchange->action == GUARD_BLOCK || verdict->action == GUARD_PASS)
        return;
    if (gate_exchange_action(exchange, verdict) != GUARD_PASS)
        exchange->action = GUARD_ALERT;
    if (!rises(exchange, verdict))
        return;
    exchange->verdict = verdict;
    gate_alert_put(r, exchange, r->header_sent ? r->headers_out.status : 0);
}

void gate_alert_put(ngx_http_request_t *r, gate_exchange_t *exchange, ngx_uint_t status)
{
    const struct guard_verdict *verdict = exchange->verdict;
    if (verdict->action == GUARD_PASS ||
        (!rises(exchange, verdict) && verdict->finding_total <= exchange->told.findings))
        return;
    /* What was held back while the exchange goes on is tried once more at its end. */
    bool told = put(r, exchange, status);
    exchange->told =
        (struct gate_told){verdict->decision, exchange->action, told ? verdict->finding_total : 0};
}

static void tell_suppressed(struct quota *quota, uint64_t now_ms)
{
    struct json_writer json;
    json_writer_init(&json, line, sizeof(line));
    json_open(&json, NULL, '{');
    json_integer(&json, "time_ms", (int64_t)now_ms);
    json_text(&json, "id", "");
    json_string(&json, "service", quota->service->name);
    json_integer(&json, "generation", (int64_t)quota->service->generation);
    json_text(&json, "verdict", "alert");
    json_text(&json, "action", "pass");
    json_text(&json, "method", "");
    json_text(&json, "template", "");
    json_string(&json, "client", (struct guard_span){quota->text, quota->text_len});
    json_integer(&json, "status", 0);
    json_number(&json, "score", 0);
    json_text(&json, "explanation",
              "more alerts of this client than its quota: only their count is kept");
    json_open(&json, "findings", '[');
    json_close(&json, ']');
    json_integer(&json, "findings_total", 0);
    json_integer(&json, "suppressed", (int64_t)quota->suppressed);
    json_close(&json, '}');
    if (hand_out(&json))
        quota->suppressed = 0;
}

void gate_alerts_flush(bool all)
{
    uint64_t now_ms = gate_unix_ms();
    for (size_t i = 0; i < QUOTA_SETS * QUOTA_WAYS; i++) {
        struct quota *quota = &quotas[i / QUOTA_WAYS][i % QUOTA_WAYS];
        if (quota->suppressed > 0 && (all || now_ms - quota->since_ms >= QUOTA_MS))
            tell_suppressed(quota, now_ms);
    }
}
