/* SPDX-License-Identifier: Apache-2.0 */
/* Streamed requests: which are, how they are fed and judged, and how they are cut. */
#include "stream.h"

#include "counters.h"

/* nginx's modules that can send a request on while it comes. The configuration of each begins with
 * that of the upstream. */
static const char *const proxies[] = {"ngx_http_proxy_module", "ngx_http_fastcgi_module",
                                      "ngx_http_uwsgi_module", "ngx_http_scgi_module"};
static ngx_uint_t proxy_indexes[sizeof(proxies) / sizeof(proxies[0])];
static ngx_uint_t proxy_count;

void gate_stream_init(ngx_conf_t *cf)
{
    proxy_count = 0;
    for (ngx_uint_t i = 0; cf->cycle->modules[i] != NULL; i++) {
        const ngx_module_t *module = cf->cycle->modules[i];
        for (size_t k = 0; k < sizeof(proxies) / sizeof(proxies[0]); k++) {
            if (module->type == NGX_HTTP_MODULE && ngx_strcmp(module->name, proxies[k]) == 0)
                proxy_indexes[proxy_count++] = module->ctx_index;
        }
    }
    gate_stream_answer_init();
}

static bool unbuffered(const ngx_http_request_t *r)
{
    for (ngx_uint_t i = 0; i < proxy_count; i++) {
        const ngx_http_upstream_conf_t *upstream = r->loc_conf[proxy_indexes[i]];
        if (upstream != NULL && upstream->request_buffering == 0)
            return true;
    }
    return false;
}

static bool is_grpc(const ngx_http_request_t *r)
{
    static const char name[] = "application/grpc";
    const ngx_table_elt_t *type = r->headers_in.content_type;
    return type != NULL && type->value.len >= sizeof(name) - 1 &&
           ngx_strncasecmp(type->value.data, (u_char *)name, sizeof(name) - 1) == 0;
}

/* HTTP/2 without a length counts as chunked when the stream is still open. */
static bool body_follows(const ngx_http_request_t *r)
{
    return r->headers_in.content_length_n > 0 || r->headers_in.chunked;
}

bool gate_stream_wanted(ngx_http_request_t *r, const gate_loc_conf_t *conf)
{
    bool websocket;
    if (gate_upgrade_wanted(r, &websocket))
        return true;
    if (conf->body != GATE_BODY_AUTO || !body_follows(r))
        return conf->body == GATE_BODY_STREAMED && body_follows(r);
    if (is_grpc(r))
        return true;
    return unbuffered(r) &&
           (r->headers_in.chunked || r->headers_in.content_length_n > (off_t)conf->body_limit);
}

static void check(struct gate_stream *stream)
{
    gate_exchange_t *exchange = stream->exchange;
    stream->up.unchecked = 0;
    gate_exchange_check(exchange);
    if (exchange->action == GUARD_BLOCK)
        stream->blocked = true;
    gate_alert_early(stream->request, exchange);
}

static void check_response(struct gate_stream *stream)
{
    gate_exchange_t *exchange = stream->exchange;
    const struct guard_policy *policy = gate_exchange_policy(exchange);
    stream->down.unchecked = 0;
    const struct guard_verdict *verdict = guard_txn_response_check(exchange->txn, policy);
    if (gate_blocks(exchange, verdict)) {
        exchange->action = GUARD_BLOCK;
        stream->blocked = true;
    }
    gate_alert_early(stream->request, exchange);
}

/* Whoever reads next finds the stream blocked: our body filter is called, or our recv. */
static void wake(struct gate_stream *stream)
{
    ngx_event_t *read = stream->request->connection->read;
    if (stream->upgraded)
        read->ready = 1;
    ngx_post_event(read, &ngx_posted_events);
}

static void on_timer(ngx_event_t *event)
{
    struct gate_stream *stream =
        (struct gate_stream *)((u_char *)event - offsetof(struct gate_stream, timer));
    if (stream->up.unchecked > 0 && !stream->exchange->ended)
        check(stream);
    if (stream->down.unchecked > 0)
        check_response(stream);
    if (stream->blocked)
        wake(stream);
}

static void check_later(struct gate_stream *stream)
{
    ngx_event_t *timer = &stream->timer;
    if (!stream->timer_ready) {
        timer->handler = on_timer;
        timer->data = stream->request->connection;
        timer->log = stream->request->connection->log;
        timer->cancelable = 1;
        stream->timer_ready = true;
    }
    if (!timer->timer_set)
        ngx_add_timer(timer, GATE_PACE_MS);
}

bool gate_stream_begin(ngx_http_request_t *r, gate_exchange_t *exchange,
                       const gate_loc_conf_t *conf)
{
    struct gate_stream *stream = guard_arena_get(&exchange->arena, sizeof(*stream));
    if (stream == NULL)
        return false;
    ngx_memzero(stream, sizeof(*stream));
    stream->request = r;
    stream->exchange = exchange;
    stream->upgrade = gate_upgrade_wanted(r, &stream->websocket);
    stream->grpc = is_grpc(r);
    stream->opaque = !stream->websocket || !conf->websocket;
    size_t limit = stream->grpc || stream->upgrade ? GATE_PACE_ENDLESS : conf->body_limit;
    gate_pace_begin(&stream->up, limit);
    gate_pace_begin(&stream->down, limit);
    exchange->stream = stream;
    exchange->reading = !stream->upgrade;
    if (!stream->upgrade)
        gate_count(exchange->service, GATE_COUNT_STREAMS);
    check(stream);
    if (stream->upgrade && !stream->opaque)
        gate_websocket_plain(r);
    return true;
}

ngx_int_t gate_stream_block(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    struct gate_stream *stream = exchange->stream;
    if (!exchange->ended)
        gate_exchange_end(exchange); /* for the record */
    exchange->action = GUARD_BLOCK;
    stream->blocked = true;
    if (!exchange->answered && !r->header_sent) {
        exchange->answered = true;
        stream->shaping =
            exchange->response.state != GATE_RESPONSE_HELD && !gate_answer_by_page(r, exchange);
    }
    if (r->stream == NULL) {
        r->keepalive = 0; /* what the client still sends is no new request */
        r->lingering_close = 1;
    }
    /* An error page that is fetched from a service isn't fetched with half a body. */
    if (r->request_body != NULL)
        r->request_body->bufs = NULL;
    r->headers_in.content_length_n = 0;
    r->headers_in.chunked = 0;
    return NGX_HTTP_FORBIDDEN;
}

static bool feed(struct gate_stream *stream, const ngx_chain_t *in)
{
    bool last = false;
    for (; in != NULL; in = in->next) {
        const ngx_buf_t *buf = in->buf;
        last |= buf->last_buf;
        if (buf->last <= buf->pos)
            continue;
        size_t len = (size_t)(buf->last - buf->pos);
        gate_request_feed(stream->exchange, (struct guard_span){buf->pos, len});
        gate_pace_feed(&stream->up, len);
    }
    return last;
}

ngx_int_t gate_stream_body(ngx_http_request_t *r, gate_exchange_t *exchange, const ngx_chain_t *in)
{
    struct gate_stream *stream = exchange->stream;
    if (stream->blocked)
        return gate_stream_block(r, exchange);
    if (!exchange->reading)
        return NGX_OK;
    if (feed(stream, in)) {
        gate_exchange_end(exchange);
        return exchange->action == GUARD_BLOCK ? gate_stream_block(r, exchange) : NGX_OK;
    }
    enum gate_due due = gate_pace_due(&stream->up);
    if (due == GATE_DUE_NOW)
        check(stream);
    else if (due == GATE_DUE_LATER)
        check_later(stream);
    return stream->blocked ? gate_stream_block(r, exchange) : NGX_OK;
}

bool gate_stream_message(struct gate_stream *stream, bool from_client, struct guard_span bytes)
{
    struct gate_pace *pace = from_client ? &stream->up : &stream->down;
    if (from_client)
        guard_txn_body(stream->exchange->txn, bytes);
    else
        guard_txn_response_body(stream->exchange->txn, bytes);
    gate_pace_feed(pace, bytes.len);
    enum gate_due due = gate_pace_due(pace);
    if (due == GATE_DUE_LATER)
        check_later(stream);
    else if (due == GATE_DUE_NOW && from_client)
        check(stream);
    else if (due == GATE_DUE_NOW)
        check_response(stream);
    return !stream->blocked;
}

/* Calls and connections are often ended by leaving: they count as they are. Of an upload that broke
 * off nothing is learned. */
void gate_stream_finish(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    const struct gate_stream *stream = exchange->stream;
    if (stream->blocked)
        gate_count(exchange->service,
                   stream->upgraded ? GATE_COUNT_WEBSOCKETS_ABORTED : GATE_COUNT_STREAMS_ABORTED);
    if (!exchange->ended && (stream->grpc || stream->upgrade))
        gate_exchange_end(exchange);
    /* Of what the service sends, too, which the request's verdict doesn't know. */
    exchange->action = ngx_max(exchange->action, exchange->told.action);
}

bool gate_stream_is_blocked(const gate_exchange_t *exchange)
{
    return exchange->stream != NULL && exchange->stream->blocked;
}

void gate_stream_close(struct gate_stream *stream)
{
    if (stream->timer.timer_set)
        ngx_del_timer(&stream->timer);
    gate_upgrade_close(stream);
}
