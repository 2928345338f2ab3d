/* SPDX-License-Identifier: Apache-2.0 */
/* The way of the response: viewed as it passes our filters, held until it is decided where that is
 * possible, replaced or cut when it is bad. docs/internals/gate.md tells which is when. */
#include "counters.h"
#include "module.h"
#include "overhead.h"
#include "patterns.h"

#include "stream.h"

enum {
    CHECK_FIRST = 4 * 1024,
    CHECK_EVERY = 64 * 1024,
    TELLING_FIRST = 1000, /* ms; then after twice as long each time */
};

/* What a chain of buffers means for the response. */
struct passage {
    bool complete; /* nothing more of the body comes */
    bool flush;    /* whoever made it wants it to go out */
};

ngx_http_output_header_filter_pt gate_next_header_filter;
ngx_http_output_body_filter_pt gate_next_body_filter;

static const gate_loc_conf_t *conf_of(ngx_http_request_t *r)
{
    return ngx_http_get_module_loc_conf(r, ngx_http_guard_module);
}

/* What was decided of all parts is what logs and alerts tell. */
static void settle(gate_exchange_t *exchange, const struct guard_verdict *verdict)
{
    exchange->action = ngx_max(exchange->action, gate_exchange_action(exchange, verdict));
    if (exchange->verdict != NULL)
        exchange->verdict = guard_txn_whole(exchange->txn);
}

static const struct guard_verdict *end(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    uint64_t begun_ns = gate_overhead_begin(exchange);
    gate_response_complete(exchange);
    gate_feed_response_trailers(r, exchange->txn);
    gate_patterns_begin(exchange);
    guard_txn_now(exchange->txn, gate_unix_ms());
    const struct guard_verdict *verdict = guard_txn_response_end(exchange->txn);
    exchange->response.ended = true;
    settle(exchange, verdict);
    gate_overhead_end(exchange, begun_ns);
    return verdict;
}

/* Long responses are decided on by the policy in force, not by that of their beginning. */
static const struct guard_verdict *check(gate_exchange_t *exchange)
{
    struct gate_response *response = &exchange->response;
    uint64_t begun_ns = gate_overhead_begin(exchange);
    const struct guard_policy *policy = gate_exchange_policy(exchange);
    const struct guard_verdict *verdict = guard_txn_response_check(exchange->txn, policy);
    gate_overhead_end(exchange, begun_ns);
    response->pace.unchecked = 0;
    response->watched =
        guard_txn_response_mode(exchange->txn, response->status) != GUARD_MODE_OBSERVE;
    return verdict;
}

static bool is_bad_so_far(gate_exchange_t *exchange)
{
    const struct guard_verdict *verdict = check(exchange);
    if (!gate_blocks(exchange, verdict))
        return false;
    settle(exchange, verdict);
    return true;
}

#if (NGX_HTTP_CACHE)
/* nginx moves a response into its cache before it sends the end of one without a length. */
static void remove_stored(ngx_http_request_t *r)
{
    if (r->cache != NULL && r->cache->updated && r->upstream->cacheable)
        (void)ngx_delete_file(r->cache->file.name.data);
}

static off_t stored_head(const ngx_http_request_t *r)
{
    return r->cache != NULL && r->upstream->cacheable ? (off_t)r->cache->body_start : 0;
}
#else
static void remove_stored(ngx_http_request_t *r)
{
}

static off_t stored_head(const ngx_http_request_t *r)
{
    return 0;
}
#endif

static void forbid_storing(ngx_http_request_t *r)
{
    ngx_http_upstream_t *upstream = r->upstream;
    if (upstream == NULL)
        return;
    remove_stored(r);
    upstream->cacheable = 0;
    upstream->store = 0;
}

/* A response of unknown length that is being stored must be decided on before its end is sent:
 * then it is already in the cache. nginx has all of it when the upstream is done. */
static bool stored_completely(const ngx_http_request_t *r, const struct gate_response *response)
{
    const ngx_http_upstream_t *upstream = r->upstream;
    if (upstream == NULL || !(upstream->cacheable || upstream->store) || !upstream->buffering)
        return false;
    const ngx_event_pipe_t *pipe = upstream->pipe;
    if (pipe == NULL || pipe->in != NULL || pipe->temp_file == NULL ||
        !(pipe->upstream_done || (pipe->upstream_eof && pipe->length == -1)))
        return false;
    return response->seen >= pipe->temp_file->offset - stored_head(r);
}

/* A client that can't tell an end from an abort by HTTP's means gets a reset. */
static void make_end_audible(ngx_http_request_t *r)
{
    const struct linger at_once = {.l_onoff = 1};
    if (r->http_version < NGX_HTTP_VERSION_20 && !r->chunked &&
        r->headers_out.content_length_n == -1)
        (void)setsockopt(r->connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

#if (NGX_HTTP_V2)
/* nginx keeps the reset of a stream until another one of the connection writes. */
static void flush_reset(ngx_http_request_t *r)
{
    if (r->stream != NULL) {
        ngx_post_event(r->stream->connection->connection->write, &ngx_posted_events);
    }
}
#else
static void flush_reset(ngx_http_request_t *r)
{
}
#endif

/* nginx finalizes requests in many ways, and must end the connection (the stream) in each. */
static ngx_int_t end_connection(ngx_http_request_t *r)
{
    flush_reset(r);
    r->keepalive = 0;
    r->connection->error = 1;
    return NGX_ERROR;
}

static ngx_int_t cut(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    exchange->response.state = GATE_RESPONSE_CUT;
    gate_count(exchange->service, GATE_COUNT_RESPONSES_ABORTED);
    make_end_audible(r);
    return end_connection(r);
}

static ngx_int_t replace(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    bool complete = exchange->response.ended;
    gate_hold_free(&exchange->response.hold);
    exchange->response.state = GATE_RESPONSE_REPLACED;
    gate_count(exchange->service, GATE_COUNT_RESPONSES_REPLACED);
    if (!complete)
        r->keepalive = 0;
    ngx_int_t rc = gate_answer_replace(r, exchange);
    /* The rest isn't waited for, once the answer is out of our hands. */
    if (rc != NGX_ERROR && !complete && (!r->connection->buffered || r->stream != NULL))
        return end_connection(r);
    return rc;
}

static ngx_int_t block(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    exchange->action = GUARD_BLOCK;
    exchange->answered = true;
    forbid_storing(r);
    return exchange->response.state == GATE_RESPONSE_HELD ? replace(r, exchange) : cut(r, exchange);
}

/* Sends what was held, and what is there now. */
static ngx_int_t release(ngx_http_request_t *r, struct gate_response *response,
                         enum gate_response_state state, ngx_chain_t *in)
{
    bool held = response->state == GATE_RESPONSE_HELD;
    response->state = state;
    if (!held)
        return gate_next_body_filter(r, in);
    ngx_chain_t *out = gate_hold_end(&response->hold, in);
    ngx_int_t rc = gate_next_header_filter(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only || out == NULL) {
        gate_hold_reap(&response->hold);
        return rc;
    }
    rc = gate_next_body_filter(r, out);
    gate_hold_reap(&response->hold);
    return rc;
}

static ngx_int_t finish(ngx_http_request_t *r, gate_exchange_t *exchange, ngx_chain_t *in)
{
    const struct guard_verdict *verdict = end(r, exchange);
    if (!gate_blocks(exchange, verdict))
        return release(r, &exchange->response, GATE_RESPONSE_DONE, in);
    gate_chain_consume(in);
    return block(r, exchange);
}

static struct passage view(ngx_http_request_t *r, gate_exchange_t *exchange, const ngx_chain_t *in)
{
    struct gate_response *response = &exchange->response;
    struct passage passage = {false, false};
    size_t limit = conf_of(r)->response_limit;
    for (; in != NULL; in = in->next) {
        const ngx_buf_t *buf = in->buf;
        if (!response->unread && !gate_feed_response_buf(exchange, buf, limit))
            response->unread = true;
        gate_pace_feed(&response->pace, (size_t)ngx_buf_size(buf));
        passage.complete |= buf->last_buf;
        passage.flush |= buf->flush;
    }
    passage.complete |= response->length >= 0 && response->seen >= response->length;
    passage.complete |= response->length < 0 && stored_completely(r, response);
    return passage;
}

static bool is_endless(const struct gate_response *response)
{
    return response->kind == GUARD_BODY_EVENTS || response->kind == GUARD_BODY_GRPC;
}

static bool is_endless_due(struct gate_response *response)
{
    enum gate_due due = gate_pace_due(&response->pace);
    if (due == GATE_DUE_LATER && !response->timer.timer_set)
        ngx_add_timer(&response->timer, GATE_PACE_MS);
    return due == GATE_DUE_NOW;
}

/* Nothing is blocked: somebody waits for it only when it takes long. */
static bool is_telling_due(struct gate_response *response)
{
    ngx_msec_t lasted = ngx_current_msec - response->since;
    if (lasted < response->next_telling)
        return false;
    response->next_telling = 2 * lasted;
    return true;
}

static bool is_check_due(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    struct gate_response *response = &exchange->response;
    if (!response->watched && exchange->service->policy == exchange->policy)
        return false;
    if (is_endless(response))
        return is_endless_due(response);
    if (is_telling_due(response))
        return true;
    if (!response->enforced || response->seen < response->next_check)
        return false;
    response->next_check =
        response->seen < CHECK_EVERY ? response->seen * 2 : response->seen + CHECK_EVERY;
    return response->seen <= (off_t)conf_of(r)->response_limit + CHECK_EVERY;
}

/* False: it must not go on. What is told before its end has lasted, or does by its nature. */
static bool judge(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    struct gate_response *response = &exchange->response;
    if (is_bad_so_far(exchange))
        return false;
    if (is_endless(response) || ngx_current_msec - response->since >= TELLING_FIRST)
        gate_alert_early(r, exchange);
    return true;
}

/* What went out when there was no credit to judge it, and nothing followed. */
static void on_timer(ngx_event_t *event)
{
    struct gate_response *response =
        (struct gate_response *)((u_char *)event - offsetof(struct gate_response, timer));
    ngx_http_request_t *r = response->request;
    gate_exchange_t *exchange = gate_exchange_find(r);
    if (response->state != GATE_RESPONSE_UNDER_WAY || response->pace.unchecked == 0)
        return;
    ngx_http_set_log_request(r->connection->log, r);
    if (!judge(r, exchange))
        gate_response_stop(r, exchange);
}

/* What doesn't fit goes out, unless it is known to be bad. */
static ngx_int_t hold(ngx_http_request_t *r, gate_exchange_t *exchange, ngx_chain_t *in)
{
    struct gate_response *response = &exchange->response;
    bool first = response->hold.len == 0;
    switch (gate_hold_add(&response->hold, conf_of(r)->hold_size, in)) {
    case GATE_HELD:
        gate_count_add(exchange->service, GATE_COUNT_RESPONSES_HELD,
                       first && response->hold.len > 0);
        return NGX_OK;
    case GATE_HOLD_SIZE:
        gate_count(exchange->service, GATE_COUNT_RELEASED_SIZE);
        break;
    case GATE_HOLD_BUDGET:
        gate_count(exchange->service, GATE_COUNT_RELEASED_BUDGET);
        break;
    }
    if (is_bad_so_far(exchange)) {
        gate_chain_consume(in);
        return block(r, exchange);
    }
    return release(r, response, GATE_RESPONSE_UNDER_WAY, in);
}

static ngx_int_t pass(ngx_http_request_t *r, gate_exchange_t *exchange, ngx_chain_t *in)
{
    struct gate_response *response = &exchange->response;
    struct passage passage = view(r, exchange, in);
    if (response->unread && gate_not_inspected(r, exchange))
        return block(r, exchange);
    if (response->unread)
        return release(r, response, GATE_RESPONSE_DONE, in);
    if (passage.complete)
        return finish(r, exchange, in);
    if (response->state == GATE_RESPONSE_HELD && !passage.flush)
        return hold(r, exchange, in);
    if (is_check_due(r, exchange) && !judge(r, exchange)) {
        gate_chain_consume(in);
        return block(r, exchange);
    }
    return release(r, response, GATE_RESPONSE_UNDER_WAY, in);
}

/* The client has its answer. */
static ngx_int_t drop(ngx_http_request_t *r, gate_exchange_t *exchange, ngx_chain_t *in)
{
    bool complete = exchange->response.ended;
    gate_chain_consume(in);
    if (!complete && !r->connection->buffered)
        return end_connection(r);
    return r->connection->buffered ? gate_next_body_filter(r, NULL) : NGX_OK;
}

ngx_int_t gate_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    gate_exchange_t *exchange =
        r == r->main ? ngx_http_get_module_ctx(r, ngx_http_guard_module) : NULL;
    if (exchange == NULL)
        return gate_next_body_filter(r, in);
    switch (exchange->response.state) {
    case GATE_RESPONSE_HELD:
        if (gate_stream_is_blocked(exchange)) { /* its request was, while it was held */
            gate_chain_consume(in);
            return block(r, exchange);
        }
        return in == NULL ? NGX_OK : pass(r, exchange, in);
    case GATE_RESPONSE_UNDER_WAY:
        gate_hold_reap(&exchange->response.hold);
        return in == NULL ? gate_next_body_filter(r, in) : pass(r, exchange, in);
    case GATE_RESPONSE_REPLACED:
        return drop(r, exchange, in);
    case GATE_RESPONSE_CUT:
        gate_chain_consume(in);
        return NGX_ERROR;
    case GATE_RESPONSE_NONE:
    case GATE_RESPONSE_DONE:
    default:
        return gate_next_body_filter(r, in);
    }
}

static bool is_viewed(ngx_http_request_t *r, const gate_exchange_t *exchange)
{
    return exchange->txn != NULL && !exchange->answered && conf_of(r)->response == 1 &&
           (exchange->verdict != NULL || r->request_body_no_buffering);
}

static bool is_enforced(const gate_exchange_t *exchange, uint32_t status)
{
    return exchange->service->bypass_until_ms <= gate_unix_ms() &&
           guard_txn_response_mode(exchange->txn, status) == GUARD_MODE_BLOCK;
}

static bool has_no_body(const ngx_http_request_t *r)
{
    return r->header_only || r->method == NGX_HTTP_HEAD || r->headers_out.content_length_n == 0 ||
           r->headers_out.status == NGX_HTTP_NO_CONTENT ||
           r->headers_out.status == NGX_HTTP_NOT_MODIFIED;
}

/* nginx cuts a range out of the body by what the header says when it is sent; the body before it
 * would go out whole. */
static bool is_ranged(const ngx_http_request_t *r)
{
    return r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT ||
           (r->headers_in.range != NULL && (r->allow_ranges || r->single_range));
}

static bool may_hold(ngx_http_request_t *r, const struct gate_response *response)
{
    const gate_loc_conf_t *conf = conf_of(r);
    return response->enforced && conf->hold_size > 0 && conf->hold_time > 0 &&
           response->kind != GUARD_BODY_EVENTS && response->kind != GUARD_BODY_GRPC &&
           response->kind != GUARD_BODY_WEBSOCKET && !is_ranged(r) &&
           (r->upstream == NULL || r->cached || r->upstream->buffering);
}

static ngx_int_t upgrade(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    if (exchange->response.enforced && is_bad_so_far(exchange)) {
        exchange->response.state = GATE_RESPONSE_HELD; /* nothing went out */
        return block(r, exchange);
    }
    exchange->response.state = GATE_RESPONSE_DONE;
    return gate_next_header_filter(r);
}

static ngx_int_t finish_header(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    const struct guard_verdict *verdict = end(r, exchange);
    if (gate_blocks(exchange, verdict)) {
        exchange->response.state = GATE_RESPONSE_HELD;
        return block(r, exchange);
    }
    exchange->response.state = GATE_RESPONSE_DONE;
    return gate_next_header_filter(r);
}

static bool has_type(const ngx_http_request_t *r, const char *type)
{
    size_t len = ngx_strlen(type);
    return r->headers_out.content_type.len >= len &&
           ngx_strncasecmp(r->headers_out.content_type.data, (u_char *)type, len) == 0;
}

/* However its bytes are viewed: streams may never be held. */
static enum guard_body_kind kind_of(const ngx_http_request_t *r, enum guard_body_kind kind)
{
    if (has_type(r, "text/event-stream"))
        return GUARD_BODY_EVENTS;
    return has_type(r, "application/grpc") ? GUARD_BODY_GRPC : kind;
}

static void begin(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    struct gate_response *response = &exchange->response;
    gate_count(exchange->service, GATE_COUNT_RESPONSES);
    response->begun = true;
    response->status = (uint32_t)r->headers_out.status;
    response->length = r->headers_out.content_length_n;
    response->next_check = CHECK_FIRST;
    gate_pace_begin(&response->pace, GATE_PACE_ENDLESS);
    response->request = r;
    response->since = ngx_current_msec;
    response->timer.handler = on_timer;
    response->timer.data = r->connection;
    response->timer.log = r->connection->log;
    response->timer.cancelable = 1;
    response->next_telling = TELLING_FIRST;
    response->watched =
        guard_txn_response_mode(exchange->txn, response->status) != GUARD_MODE_OBSERVE;
    response->enforced = is_enforced(exchange, response->status);
    uint64_t begun_ns = gate_overhead_begin(exchange);
    gate_feed_response_headers(r, exchange->txn);
    response->kind = kind_of(r, guard_txn_response_headers_end(exchange->txn));
    gate_overhead_end(exchange, begun_ns);
}

static ngx_int_t open_response(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    struct gate_response *response = &exchange->response;
    if (guard_txn_response_begin(exchange->txn, (uint32_t)r->headers_out.status) != GUARD_OK) {
        response->state = GATE_RESPONSE_DONE;
        return gate_next_header_filter(r);
    }
    begin(r, exchange);
    if (r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS)
        return upgrade(r, exchange);
    if (has_no_body(r))
        return finish_header(r, exchange);
    gate_response_decode(exchange, conf_of(r)->response_limit);
    if (may_hold(r, response)) {
        response->state = GATE_RESPONSE_HELD;
        gate_hold_begin(r, &response->hold, conf_of(r)->hold_time);
        return NGX_OK;
    }
    response->state = GATE_RESPONSE_UNDER_WAY;
    return gate_next_header_filter(r);
}

ngx_int_t gate_header_filter(ngx_http_request_t *r)
{
    gate_exchange_t *exchange = r == r->main ? gate_exchange_find(r) : NULL;
    if (exchange == NULL)
        return gate_next_header_filter(r);
    if (exchange->response.state == GATE_RESPONSE_NONE) {
        return is_viewed(r, exchange) ? open_response(r, exchange) : gate_next_header_filter(r);
    }
    /* Another header in the place of the first, as filters and our error page make it. */
    gate_hold_free(&exchange->response.hold);
    exchange->response.state = GATE_RESPONSE_DONE;
    return gate_next_header_filter(r);
}

/* Lets whoever writes the response go on from here. */
static void resume(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_connection_t *connection = r->connection;
    if (rc == NGX_ERROR || rc > NGX_OK) {
        /* Ending the upstream gives back the last reference, while nginx still walks its cleanups.
         */
        r->main->count++;
        ngx_http_finalize_request(r, NGX_ERROR);
    } else {
        r->write_event_handler(r);
    }
    ngx_http_run_posted_requests(connection);
}

void gate_response_overdue(ngx_http_request_t *r)
{
    gate_exchange_t *exchange = gate_exchange_find(r);
    ngx_http_set_log_request(r->connection->log, r);
    gate_count(exchange->service, GATE_COUNT_RELEASED_TIME);
    ngx_int_t rc = is_bad_so_far(exchange)
                       ? block(r, exchange)
                       : release(r, &exchange->response, GATE_RESPONSE_UNDER_WAY, NULL);
    resume(r, rc);
}

void gate_response_stop(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    resume(r, block(r, exchange));
}

void gate_response_free(gate_exchange_t *exchange)
{
    struct gate_response *response = &exchange->response;
    gate_hold_free(&response->hold);
    decoder_close(response->decoding.decoder);
    decoder_close(exchange->decoding.decoder);
    if (response->timer.timer_set)
        ngx_del_timer(&response->timer);
}
