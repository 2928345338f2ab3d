/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that the service upgraded. nginx copies their bytes between two sockets and asks no
 * filter, so that we stand where it reads: docs/adr/0006-websocket.md. */
#include "counters.h"
#include "stream.h"

static bool is_websocket(const ngx_str_t *protocol)
{
    static const char name[] = "websocket";
    return protocol->len == sizeof(name) - 1 &&
           ngx_strncasecmp(protocol->data, (u_char *)name, sizeof(name) - 1) == 0;
}

/* One with a body is an ordinary request that asks for more: its body has to be inspected first. */
bool gate_upgrade_wanted(ngx_http_request_t *r, bool *websocket)
{
    const ngx_table_elt_t *upgrade = r->headers_in.upgrade;
    *websocket = upgrade != NULL && is_websocket(&upgrade->value);
    return upgrade != NULL && r->http_version == NGX_HTTP_VERSION_11 &&
           r->headers_in.content_length_n <= 0 && !r->headers_in.chunked;
}

/* Elements of the list can't be taken out, others point to them. But "Keep-Alive" is for nginx
 * alone: no proxy module sends on what the client says there. */
void gate_websocket_plain(ngx_http_request_t *r)
{
    static u_char name[] = "keep-alive";
    static const ngx_str_t extensions = ngx_string("sec-websocket-extensions");
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (headers[i].key.len != extensions.len ||
                ngx_strncasecmp(headers[i].key.data, extensions.data, extensions.len) != 0)
                continue;
            headers[i].key = (ngx_str_t){sizeof(name) - 1, name};
            headers[i].lowcase_key = name;
            headers[i].hash = ngx_hash_key(name, sizeof(name) - 1);
            ngx_str_null(&headers[i].value);
        }
    }
}

static struct gate_stream *stream_of(ngx_connection_t *c)
{
    ngx_http_request_t *r = c->data;
    return gate_exchange_find(r->main)->stream;
}

/* nginx takes NGX_ERROR for the end of this side: it sends on what passed before, then closes both.
 */
static ssize_t taken(struct gate_stream *stream, bool from_client, const u_char *bytes, ssize_t n)
{
    if (n <= 0)
        return n;
    if (stream->opaque)
        return n;
    struct guard_span span = {bytes, (size_t)n};
    return gate_stream_message(stream, from_client, span) ? n : NGX_ERROR;
}

static ssize_t client_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    struct gate_stream *stream = stream_of(c);
    if (stream->blocked)
        return NGX_ERROR;
    return taken(stream, true, buf, stream->client_recv(c, buf, size));
}

static ssize_t service_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    struct gate_stream *stream = stream_of(c);
    if (stream->blocked)
        return NGX_ERROR;
    return taken(stream, false, buf, stream->service_recv(c, buf, size));
}

/* Bytes that one side sent right behind its part of the handshake. */
static bool take_kept(struct gate_stream *stream, bool from_client, const ngx_buf_t *buf)
{
    return taken(stream, from_client, buf->pos, buf->last - buf->pos) >= 0;
}

ngx_int_t gate_upgrade_begin(ngx_http_request_t *r, struct gate_stream *stream)
{
    ngx_connection_t *service = r->upstream->peer.connection;
    if (!stream->exchange->response.begun)
        stream->opaque = true; /* responses aren't viewed here: nothing says what follows */
    gate_count(stream->exchange->service,
               stream->opaque ? GATE_COUNT_UPGRADES_OPAQUE : GATE_COUNT_WEBSOCKETS);
    stream->upgraded = true;
    if (!take_kept(stream, true, r->header_in) || !take_kept(stream, false, &r->upstream->buffer))
        return NGX_HTTP_FORBIDDEN;
    stream->client = r->connection;
    stream->client_recv = r->connection->recv;
    stream->service_recv = service->recv;
    r->connection->recv = client_recv;
    service->recv = service_recv;
    return NGX_OK;
}

/* The client's connection outlives the request by a moment. That to the service is closed already,
 * and may be another one by now. */
void gate_upgrade_close(struct gate_stream *stream)
{
    if (stream->client != NULL && stream->client->recv == client_recv)
        stream->client->recv = stream->client_recv;
}
