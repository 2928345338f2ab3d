/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to a stream that is blocked while it comes: nginx ends the request with a page of its
 * own, which becomes ours on its way out. And what the head of a response says of the stream. */
#include "stream.h"

static ngx_http_output_header_filter_pt next_header_filter;

/* What the service makes of an upgrade that was asked for. NGX_OK, or the status instead. */
static ngx_int_t on_response(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    struct gate_stream *stream = exchange->stream;
    if (!stream->upgrade || stream->upgraded || stream->blocked || exchange->ended)
        return NGX_OK;
    if (r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS && r->upstream != NULL &&
        r->upstream->upgrade) {
        if (gate_upgrade_begin(r, stream) == NGX_OK)
            return NGX_OK;
    } else {
        gate_exchange_end(exchange);
        if (exchange->action != GUARD_BLOCK)
            return NGX_OK;
    }
    ngx_http_clean_header(r);
    return gate_stream_block(r, exchange);
}

static ngx_int_t header_filter(ngx_http_request_t *r)
{
    gate_exchange_t *exchange = r == r->main ? gate_exchange_find(r) : NULL;
    if (exchange == NULL || exchange->stream == NULL)
        return next_header_filter(r);
    ngx_int_t rc = on_response(r, exchange);
    if (rc != NGX_OK)
        return rc;
    if (!exchange->stream->shaping)
        return next_header_filter(r);
    exchange->stream->shaping = false;
    exchange->response.state = GATE_RESPONSE_REPLACED; /* the page's body is dropped */
    exchange->response.ended = true;
    return gate_answer_replace(r, exchange);
}

void gate_stream_answer_init(void)
{
    next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = header_filter;
}
