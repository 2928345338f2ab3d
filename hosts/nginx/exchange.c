/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an exchange: begun in the precontent phase, fed with what the client sent, judged
 * when the request is complete, recorded in the log phase. */
#include "counters.h"
#include "module.h"
#include "overhead.h"
#include "patch_costs.h"
#include "patterns.h"
#include "stream.h"

static u_char record_buffer[GUARD_RECORD_MAX];

ngx_http_request_body_filter_pt gate_next_request_body_filter;

static void clean_up(void *data)
{
    gate_exchange_t *exchange = data;
    struct guard_arena arena = exchange->arena; /* holds the exchange itself */
    gate_response_free(exchange);
    gate_join_leave(exchange);
    gate_timer_end(exchange);
    if (exchange->stream != NULL)
        gate_stream_close(exchange->stream);
    if (exchange->policy != NULL)
        guard_policy_unref(exchange->policy);
    guard_arena_reset(&arena);
}

gate_exchange_t *gate_exchange_find(ngx_http_request_t *r)
{
    gate_exchange_t *exchange = ngx_http_get_module_ctx(r, ngx_http_guard_module);
    /* Only an internal redirect and a filter's finalization wipe the context. */
    if (exchange != NULL || !(r->internal || r->filter_finalize))
        return exchange;
    for (ngx_pool_cleanup_t *cleanup = r->pool->cleanup; cleanup != NULL; cleanup = cleanup->next) {
        if (cleanup->handler == clean_up) {
            ngx_http_set_ctx(r, cleanup->data, ngx_http_guard_module);
            return cleanup->data;
        }
    }
    return NULL;
}

ngx_str_t gate_exchange_id(gate_exchange_t *exchange)
{
    if (!exchange->id_made) {
        uint8_t random[GATE_ID_CHARS / 2];
        gate_random_id(random);
        ngx_hex_dump(exchange->id, random, sizeof(random));
        exchange->id_made = true;
    }
    return (ngx_str_t){GATE_ID_CHARS, exchange->id};
}

/* The one place where a failure of ours is decided on: is the exchange served without inspection or
 * refused? A Guardian can only make the configuration stricter. */
static ngx_int_t not_inspected(ngx_http_request_t *r, const gate_loc_conf_t *conf,
                               struct gate_service *service, enum gate_count reason)
{
    const char *why =
        reason == GATE_COUNT_NOT_INSPECTED_MEMORY ? "no memory" : "a file can't be read";
    gate_worker.not_inspected++;
    gate_count(service, GATE_COUNT_NOT_INSPECTED);
    gate_count(service, reason);
    if (!gate_worker.failing) {
        gate_worker.failing = true;
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "guard: %s to inspect exchanges with; they are %s", why,
                      conf->failure == GATE_FAILURE_CLOSED || service->fail_closed ? "refused"
                                                                                   : "let through");
    }
    if (conf->failure != GATE_FAILURE_CLOSED && !service->fail_closed)
        return NGX_DECLINED;
    return NGX_HTTP_SERVICE_UNAVAILABLE;
}

bool gate_not_inspected(ngx_http_request_t *r, const gate_exchange_t *exchange)
{
    const gate_loc_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_guard_module);
    return not_inspected(r, conf, exchange->service, GATE_COUNT_NOT_INSPECTED_FILE) != NGX_DECLINED;
}

static struct guard_span span(ngx_str_t text)
{
    return (struct guard_span){text.data, text.len};
}

static uint32_t version_of(const ngx_http_request_t *r)
{
    switch (r->http_version) {
    case NGX_HTTP_VERSION_9:
        return 9;
    case NGX_HTTP_VERSION_10:
        return 10;
    case NGX_HTTP_VERSION_20:
        return 20;
    default:
        return r->http_version > NGX_HTTP_VERSION_20 ? 30 : 11;
    }
}

/* As realip and the proxy protocol left it: nothing that the client wrote is believed here. */
void gate_client_of(ngx_http_request_t *r, const gate_loc_conf_t *conf, struct guard_client *out)
{
    struct guard_client client = {.unit = GUARD_UNIT_ANONYMOUS};
    const struct sockaddr *address = r->connection->sockaddr;
    const void *bytes = NULL;
    if (address->sa_family == AF_INET) {
        bytes = &((const struct sockaddr_in *)address)->sin_addr;
        client.address_len = 4;
#if (NGX_HAVE_INET6)
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *wide = &((const struct sockaddr_in6 *)address)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(wide);
        bytes = mapped ? &wide->s6_addr[12] : &wide->s6_addr[0];
        client.address_len = mapped ? 4 : 16;
#endif
    }
    if (bytes != NULL) {
        ngx_memcpy(client.address, bytes, client.address_len);
        client.unit = (enum guard_unit)conf->client;
    }
    ngx_str_t subject = ngx_null_string;
    if (conf->subject != NULL && ngx_http_complex_value(r, conf->subject, &subject) == NGX_OK &&
        subject.len > 0) {
        client.unit = GUARD_UNIT_SUBJECT;
        client.subject = span(subject);
    }
    *out = client;
}

/* nginx's parser makes a copy in lower case; other modules add headers and may leave it out. */
static struct guard_span name_of(const ngx_table_elt_t *header)
{
    return (struct guard_span){header->lowcase_key != NULL ? header->lowcase_key : header->key.data,
                               header->key.len};
}

/* host: what is said instead of the sender's Host, unless empty. */
static void feed_headers(ngx_http_request_t *r, struct guard_txn *txn, ngx_str_t host)
{
    if (host.len > 0)
        guard_txn_header(txn, GUARD_SPAN_LITERAL("host"), span(host));
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            bool replaced = host.len > 0 && headers[i].key.len == 4 &&
                            ngx_strncasecmp(headers[i].key.data, (u_char *)"host", 4) == 0;
            if (headers[i].hash != 0 && !replaced)
                guard_txn_header(txn, name_of(&headers[i]), span(headers[i].value));
        }
    }
}

/* As sent: unparsed_uri has lost scheme and authority of the absolute form. */
static struct guard_span target_of(const ngx_http_request_t *r)
{
    if (r->schema_start == NULL || r->http_version >= NGX_HTTP_VERSION_20)
        return span(r->unparsed_uri);
    const u_char *end = r->request_line.data + r->request_line.len;
    const u_char *stop = r->schema_start;
    while (stop < end && *stop != ' ')
        stop++;
    return (struct guard_span){r->schema_start, (size_t)(stop - r->schema_start)};
}

/* Said by the operator's configuration, of what it can trust. */
static bool is_exempt(ngx_http_request_t *r, const gate_loc_conf_t *conf)
{
    ngx_str_t value;
    if (conf->exempt == NULL || ngx_http_complex_value(r, conf->exempt, &value) != NGX_OK)
        return false;
    return value.len > 1 || (value.len == 1 && value.data[0] != '0');
}

static bool begin(ngx_http_request_t *r, const gate_loc_conf_t *conf, gate_exchange_t *exchange)
{
    struct gate_service *service = exchange->service;
    const struct guard_txn_cfg cfg = {
        .policy = service->policy,
        .service = service->name,
        .hash_seed = gate_worker.hash_seed,
        .memo = gate_worker.memo,
        .matcher = gate_patterns_matcher(),
        .meter = gate_patch_costs_meter(),
        .body_limit = conf->body_limit,
        .response_limit = conf->response_limit,
        .time_ms = (uint64_t)r->start_sec * 1000 + r->start_msec,
        .outbound = conf->outbound != NULL,
        .revision = span(conf->revision),
        .shadow = gate_revision_is_new(service, conf->revision_id),
    };
    const ngx_str_t to =
        conf->outbound != NULL ? conf->outbound->destination : (ngx_str_t)ngx_null_string;
    struct guard_client client;
    if (guard_txn_begin(&exchange->txn, &cfg, &exchange->arena) != GUARD_OK) {
        exchange->txn = NULL;
        return false;
    }
    if (service->policy != NULL) {
        exchange->policy = service->policy;
        exchange->generation = service->generation;
        guard_policy_ref(service->policy);
    } else {
        gate_count(service, GATE_COUNT_WITHOUT_POLICY);
    }
    exchange->exempt = is_exempt(r, conf);
    exchange->revision_id = conf->revision_id;
    gate_client_of(r, conf, &client);
    if (conf->outbound != NULL)
        gate_outbound_join(r, conf, exchange, &client);
    guard_txn_client(exchange->txn, &client);
    gate_verdicts_ask(service, &client, exchange->txn);
    guard_txn_request(exchange->txn, span(r->method_name),
                      to.len > 0 ? span(r->unparsed_uri) : target_of(r), version_of(r));
    feed_headers(r, exchange->txn, to);
    guard_txn_headers_end(exchange->txn);
    gate_request_decode(exchange, conf->body_limit);
    return true;
}

/* In the arena and not in nginx's pool, which would often need another block for it. */
static gate_exchange_t *hang_on(ngx_http_request_t *r, struct gate_service *service)
{
    struct guard_arena arena;
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, 0);
    guard_arena_init(&arena, &gate_worker.chunks, GATE_ARENA_MAX);
    gate_exchange_t *exchange = guard_arena_get(&arena, sizeof(*exchange));
    if (cleanup == NULL || exchange == NULL) {
        guard_arena_reset(&arena);
        return NULL;
    }
    ngx_memzero(exchange, sizeof(*exchange));
    exchange->service = service;
    exchange->arena = arena;
    cleanup->data = exchange;
    cleanup->handler = clean_up;
    ngx_http_set_ctx(r, exchange, ngx_http_guard_module);
    return exchange;
}

static bool configured(const struct guard_verdict *verdict)
{
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        if (verdict->findings[i].configured)
            return true;
    }
    return false;
}

enum guard_decision gate_exchange_action(const gate_exchange_t *exchange,
                                         const struct guard_verdict *verdict)
{
    if (verdict->action != GUARD_BLOCK)
        return verdict->action;
    if (exchange->service->bypass_until_ms > gate_unix_ms())
        return GUARD_PASS;
    return exchange->exempt && !configured(verdict) ? GUARD_ALERT : GUARD_BLOCK;
}

bool gate_blocks(const gate_exchange_t *exchange, const struct guard_verdict *verdict)
{
    return gate_exchange_action(exchange, verdict) == GUARD_BLOCK;
}

static void adopt(gate_exchange_t *exchange, const struct guard_verdict *verdict)
{
    exchange->verdict = verdict;
    exchange->action = gate_exchange_action(exchange, verdict);
}

void gate_exchange_end(gate_exchange_t *exchange)
{
    exchange->reading = false;
    exchange->ended = true;
    uint64_t begun_ns = gate_overhead_begin(exchange);
    gate_request_complete(exchange);
    /* A stream's last bytes are judged as those before, by the policy in force. */
    if (exchange->stream != NULL)
        (void)gate_exchange_policy(exchange);
    gate_patterns_begin(exchange);
    guard_txn_now(exchange->txn, gate_unix_ms());
    adopt(exchange, guard_txn_request_end(exchange->txn));
    gate_overhead_end(exchange, begun_ns);
}

/* Verdicts point into the policy that made them. All parts are decided again by the new one, and
 * only then the old one is let go. */
const struct guard_policy *gate_exchange_policy(gate_exchange_t *exchange)
{
    struct guard_policy *before = exchange->policy;
    struct guard_policy *now = exchange->service->policy;
    /* Told anew at each check: a connection may outlive the newness of its revision. */
    guard_txn_now(exchange->txn, gate_unix_ms());
    guard_txn_shadow(exchange->txn, gate_revision_is_new(exchange->service, exchange->revision_id));
    gate_patterns_begin(exchange);
    if (now == before || now == NULL)
        return before;
    guard_policy_ref(now);
    exchange->policy = now;
    exchange->generation = exchange->service->generation;
    gate_patterns_begin(exchange);
    guard_txn_request_check(exchange->txn, now);
    guard_txn_response_check(exchange->txn, now);
    if (exchange->verdict != NULL)
        exchange->verdict = guard_txn_whole(exchange->txn);
    if (before != NULL)
        guard_policy_unref(before);
    return now;
}

void gate_exchange_check(gate_exchange_t *exchange)
{
    uint64_t begun_ns = gate_overhead_begin(exchange);
    const struct guard_policy *policy = gate_exchange_policy(exchange);
    adopt(exchange, guard_txn_request_check(exchange->txn, policy));
    gate_overhead_end(exchange, begun_ns);
}

ngx_int_t gate_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    gate_exchange_t *exchange = gate_exchange_find(r);
    if (exchange != NULL && exchange->stream != NULL) {
        ngx_int_t rc = gate_stream_body(r, exchange, in);
        if (rc != NGX_OK)
            return rc;
    } else if (exchange != NULL && exchange->reading) {
        for (const ngx_chain_t *link = in; link != NULL; link = link->next) {
            const ngx_buf_t *buf = link->buf;
            if (buf->last > buf->pos)
                gate_request_feed(exchange,
                                  (struct guard_span){buf->pos, (size_t)(buf->last - buf->pos)});
        }
    }
    return gate_next_request_body_filter(r, in);
}

/* Another module wanted the body before us, so it didn't pass our filter: it is read from where
 * nginx keeps it. false: that failed. */
static bool feed_kept_body(ngx_http_request_t *r, const gate_loc_conf_t *conf,
                           gate_exchange_t *exchange)
{
    static u_char buffer[16 * 1024];
    size_t fed = 0;
    for (ngx_chain_t *link = r->request_body->bufs; link != NULL; link = link->next) {
        ngx_buf_t *buf = link->buf;
        if (!buf->in_file) {
            if (buf->last > buf->pos)
                gate_request_feed(exchange,
                                  (struct guard_span){buf->pos, (size_t)(buf->last - buf->pos)});
            continue;
        }
        off_t at = buf->file_pos;
        while (at < buf->file_last && fed <= conf->body_limit) {
            size_t want = ngx_min(sizeof(buffer), (size_t)(buf->file_last - at));
            ssize_t n = ngx_read_file(buf->file, buffer, want, at);
            if (n <= 0)
                return false;
            gate_request_feed(exchange, (struct guard_span){buffer, (size_t)n});
            at += n;
            fed += (size_t)n;
        }
    }
    return true;
}

static void on_body_read(ngx_http_request_t *r)
{
    gate_exchange_t *exchange = ngx_http_get_module_ctx(r, ngx_http_guard_module);
    gate_exchange_end(exchange);
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

static bool body_follows(const ngx_http_request_t *r)
{
    if (r->http_version >= NGX_HTTP_VERSION_20)
        return true; /* nginx knows whether the stream is closed */
    return r->headers_in.content_length_n > 0 || r->headers_in.chunked;
}

static ngx_int_t carry_out(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    if (exchange->action != GUARD_BLOCK || exchange->answered) {
        if (exchange->stream == NULL) /* a stream takes as long as its client likes */
            gate_timer_begin(r, exchange);
        return NGX_DECLINED;
    }
    exchange->answered = true;
    r->expect_tested = 1; /* the client needn't send what isn't read */
    return gate_answer_block(r, exchange);
}

static ngx_int_t inspect(ngx_http_request_t *r, const gate_loc_conf_t *conf)
{
    struct gate_service *service = &gate_worker.services[conf->service];
    gate_exchange_t *exchange = hang_on(r, service);
    uint64_t begun_ns = 0;
    if (exchange != NULL) {
        gate_overhead_choose(exchange);
        begun_ns = gate_overhead_begin(exchange);
    }
    if (exchange == NULL || !begin(r, conf, exchange))
        return not_inspected(r, conf, service, GATE_COUNT_NOT_INSPECTED_MEMORY);
    gate_overhead_end(exchange, begun_ns);
    if (r->request_body != NULL) {
        if (!feed_kept_body(r, conf, exchange)) {
            exchange->txn = NULL;
            return not_inspected(r, conf, service, GATE_COUNT_NOT_INSPECTED_FILE);
        }
    } else if (gate_stream_wanted(r, conf)) {
        if (!gate_stream_begin(r, exchange, conf))
            return not_inspected(r, conf, service, GATE_COUNT_NOT_INSPECTED_MEMORY);
        return carry_out(r, exchange);
    } else if (body_follows(r)) {
        exchange->reading = true;
        ngx_int_t rc = ngx_http_read_client_request_body(r, on_body_read);
        if (rc >= NGX_HTTP_SPECIAL_RESPONSE)
            return rc;
        /* The phases go on from on_body_read, which may have run already. */
        ngx_http_finalize_request(r, NGX_DONE);
        return NGX_DONE;
    }
    gate_exchange_end(exchange);
    return carry_out(r, exchange);
}

/* The service is withdrawn: whoever balances its load is to ask another replica, also of what comes
 * over this connection. Calls of the service itself aren't requests of clients. */
static bool is_withdrawn(const gate_loc_conf_t *conf)
{
    return conf->outbound == NULL &&
           gate_worker.services[conf->service].withdrawn_until_ms > gate_unix_ms();
}

static ngx_int_t refuse_withdrawn(ngx_http_request_t *r, const gate_loc_conf_t *conf)
{
    ngx_table_elt_t *header = ngx_list_push(&r->headers_out.headers);
    gate_count(&gate_worker.services[conf->service], GATE_COUNT_WITHDRAWN);
    if (header == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    ngx_memzero(header, sizeof(*header));
    header->hash = 1;
    ngx_str_set(&header->key, "Retry-After");
    ngx_str_set(&header->value, "1");
    r->keepalive = 0;
    return NGX_HTTP_SERVICE_UNAVAILABLE;
}

/* An error page isn't what the client asked for. A named location is no page, though: it serves the
 * request as it came, as in "error_page 418 = @other; return 418". */
static bool is_error_page(ngx_http_request_t *r)
{
    const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    return r->error_page && !core->named;
}

static ngx_int_t precontent(ngx_http_request_t *r)
{
    gate_exchange_t *exchange = gate_exchange_find(r);
    if (exchange != NULL)
        return exchange->verdict != NULL ? carry_out(r, exchange) : NGX_DECLINED;
    const gate_loc_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_guard_module);
    if (conf->service < 0 || conf->ready || is_error_page(r))
        return NGX_DECLINED;
    ngx_int_t rc = gate_canary(r, conf); /* a withdrawn gate stands in the path, too */
    if (rc != NGX_DECLINED)
        return rc;
    return is_withdrawn(conf) ? refuse_withdrawn(r, conf) : inspect(r, conf);
}

ngx_int_t gate_precontent_handler(ngx_http_request_t *r)
{
    if (r != r->main)
        return NGX_DECLINED;
    if (gate_worker.draining)
        r->keepalive = 0; /* told with an answer, nobody sends into a connection that is closed */
    ngx_int_t rc = precontent(r);
    gate_exchange_t *exchange = rc == NGX_DECLINED ? gate_exchange_find(r) : NULL;
    if (exchange != NULL)
        gate_join_enter(r, exchange); /* the service is next */
    return rc;
}

/* How long the service took, over all tries: nothing that the client's slowness is a part of.
 * UINT32_MAX where that isn't known: nothing was proxied, the client had still to send, or the
 * response is a stream, which lasts as long as its client likes. */
static uint32_t latency_us(const ngx_http_request_t *r, const gate_exchange_t *exchange)
{
    enum guard_body_kind kind = exchange->response.kind;
    if (r->upstream_states == NULL || r->upstream == NULL || r->request_body_no_buffering ||
        exchange->timer.late || kind == GUARD_BODY_EVENTS || kind == GUARD_BODY_WEBSOCKET ||
        kind == GUARD_BODY_GRPC)
        return UINT32_MAX;
    const ngx_http_upstream_state_t *states = r->upstream_states->elts;
    uint64_t ms = 0;
    for (ngx_uint_t i = 0; i < r->upstream_states->nelts; i++) {
        /* Without buffers the service is as slow as the client: then its header tells. */
        ngx_msec_t time = r->upstream->buffering ? states[i].response_time : states[i].header_time;
        ms += time == (ngx_msec_t)-1 ? 0 : time;
    }
    return ms < UINT32_MAX / 1000 ? (uint32_t)ms * 1000 : UINT32_MAX - 1;
}

static void count(gate_exchange_t *exchange)
{
    static const enum gate_count decided[] = {
        [GUARD_PASS] = GATE_COUNT_DECIDED_PASS,
        [GUARD_ALERT] = GATE_COUNT_DECIDED_ALERT,
        [GUARD_BLOCK] = GATE_COUNT_DECIDED_BLOCK,
    };
    static const enum gate_count done[] = {
        [GUARD_PASS] = GATE_COUNT_DONE_PASS,
        [GUARD_ALERT] = GATE_COUNT_DONE_ALERT,
        [GUARD_BLOCK] = GATE_COUNT_DONE_BLOCK,
    };
    gate_count(exchange->service, GATE_COUNT_EXCHANGES);
    gate_count_add(exchange->service, GATE_COUNT_EXEMPT, exchange->exempt);
    gate_count(exchange->service, decided[exchange->verdict->decision]);
    gate_count(exchange->service, done[exchange->action]);
    if (exchange->action == GUARD_PASS && exchange->verdict->action == GUARD_BLOCK)
        gate_count(exchange->service, GATE_COUNT_BYPASSED);
}

static void hand_out(gate_exchange_t *exchange)
{
    size_t len = 0;
    if (exchange->exempt)
        return; /* records are what is learned from */
    if (gate_worker.records == NULL) {
        gate_count(exchange->service, GATE_COUNT_RECORDS_LOST);
    } else if (guard_txn_record(exchange->txn, record_buffer, sizeof(record_buffer), &len) ==
               GUARD_OK) {
        ring_writer_put(gate_worker.records, (struct guard_span){record_buffer, len});
        gate_count(exchange->service, GATE_COUNT_RECORDS);
    }
}

ngx_int_t gate_log_handler(ngx_http_request_t *r)
{
    if (r != r->main)
        return NGX_OK;
    gate_exchange_t *exchange = gate_exchange_find(r);
    if (exchange == NULL || exchange->verdict == NULL || exchange->recorded)
        return NGX_OK;
    exchange->recorded = true;
    gate_timer_end(exchange);
    if (exchange->stream != NULL)
        gate_stream_finish(r, exchange);
    ngx_uint_t status = r->err_status != 0 ? r->err_status : r->headers_out.status;
    ngx_uint_t answered = exchange->response.begun ? exchange->response.status : status;
    if (exchange->action == GUARD_BLOCK)
        answered = NGX_HTTP_FORBIDDEN; /* what the service said first is no approval */
    uint64_t begun_ns = gate_overhead_begin(exchange);
    guard_txn_response(exchange->txn, (uint32_t)answered, latency_us(r, exchange));
    exchange->verdict = guard_txn_whole(exchange->txn);
    hand_out(exchange);
    gate_overhead_end(exchange, begun_ns);
    gate_overhead_count(exchange);
    count(exchange);
    /* What the mode makes of it: in observe nothing is reported. A bypass hides nothing. */
    gate_alert_put(r, exchange, status);
    return NGX_OK;
}
