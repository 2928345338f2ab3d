/* SPDX-License-Identifier: Apache-2.0 */
/* What nginx has of a response, pushed into the transaction: fields that stand in slots of their
 * own, fields in the list, bytes in memory and in files. */
#include "module.h"

static struct guard_span span(ngx_str_t text)
{
    return (struct guard_span){text.data, text.len};
}

static void feed_list(const ngx_list_t *list, struct guard_txn *txn,
                      void (*feed)(struct guard_txn *, struct guard_span, struct guard_span))
{
    for (const ngx_list_part_t *part = &list->part; part != NULL; part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (headers[i].hash != 0)
                feed(txn, span(headers[i].key), span(headers[i].value));
        }
    }
}

/* A header that is put together here: findings show a part of it, so it lives as long as the
 * request. */
static void feed_made(ngx_http_request_t *r, struct guard_txn *txn, struct guard_span name,
                      const u_char *text, size_t len)
{
    u_char *copy = ngx_pnalloc(r->pool, len);
    if (copy == NULL)
        return;
    ngx_memcpy(copy, text, len);
    guard_txn_response_header(txn, name, (struct guard_span){copy, len});
}

/* nginx has cut the charset off and puts it on again when it writes the header. */
static void feed_content_type(ngx_http_request_t *r, struct guard_txn *txn)
{
    const ngx_http_headers_out_t *headers = &r->headers_out;
    static const u_char between[] = "; charset=";
    u_char text[256];
    const struct guard_span name = GUARD_SPAN_LITERAL("content-type");
    size_t len = headers->content_type.len;
    size_t charset_len = headers->charset.len;
    if (len == 0)
        return;
    if (charset_len == 0 || headers->content_type_len != len ||
        len + sizeof(between) - 1 + charset_len > sizeof(text)) {
        guard_txn_response_header(txn, name, span(headers->content_type));
        return;
    }
    u_char *end = ngx_cpymem(text, headers->content_type.data, len);
    end = ngx_cpymem(end, between, sizeof(between) - 1);
    end = ngx_cpymem(end, headers->charset.data, charset_len);
    feed_made(r, txn, name, text, (size_t)(end - text));
}

static void feed_content_length(const ngx_http_headers_out_t *headers, struct guard_txn *txn)
{
    u_char text[NGX_OFF_T_LEN];
    if (headers->content_length_n < 0 || headers->content_length != NULL)
        return;
    u_char *end = ngx_sprintf(text, "%O", headers->content_length_n);
    guard_txn_response_header(txn, GUARD_SPAN_LITERAL("content-length"),
                              (struct guard_span){text, (size_t)(end - text)});
}

static void feed_last_modified(ngx_http_request_t *r, struct guard_txn *txn)
{
    const ngx_http_headers_out_t *headers = &r->headers_out;
    u_char text[sizeof("Mon, 28 Sep 1970 06:00:00 GMT")];
    if (headers->last_modified_time == -1 || headers->last_modified != NULL)
        return;
    u_char *end = ngx_http_time(text, headers->last_modified_time);
    feed_made(r, txn, GUARD_SPAN_LITERAL("last-modified"), text, (size_t)(end - text));
}

void gate_feed_response_headers(ngx_http_request_t *r, struct guard_txn *txn)
{
    feed_content_type(r, txn);
    feed_content_length(&r->headers_out, txn);
    feed_last_modified(r, txn);
    feed_list(&r->headers_out.headers, txn, guard_txn_response_header);
}

void gate_feed_response_trailers(ngx_http_request_t *r, struct guard_txn *txn)
{
    if (r->headers_out.trailers.part.nelts > 0)
        feed_list(&r->headers_out.trailers, txn, guard_txn_response_trailer);
}

/* A file's part beyond the limit isn't read: one byte more shows that there was one. */
static bool feed_file(gate_exchange_t *exchange, const ngx_buf_t *buf, size_t limit)
{
    static u_char bytes[16 * 1024];
    off_t at = buf->file_pos;
    off_t end = ngx_min(buf->file_last, at + (off_t)limit + 1 - exchange->response.seen);
    while (at < end) {
        size_t want = (size_t)ngx_min((off_t)sizeof(bytes), end - at);
        ssize_t n = ngx_read_file(buf->file, bytes, want, at);
        if (n <= 0)
            return false;
        gate_response_feed(exchange, (struct guard_span){bytes, (size_t)n});
        at += n;
    }
    return true;
}

bool gate_feed_response_buf(gate_exchange_t *exchange, const ngx_buf_t *buf, size_t limit)
{
    bool fine = true;
    if (ngx_buf_in_memory(buf)) {
        if (buf->last > buf->pos)
            gate_response_feed(exchange,
                               (struct guard_span){buf->pos, (size_t)(buf->last - buf->pos)});
    } else if (buf->in_file && exchange->response.seen <= (off_t)limit) {
        fine = feed_file(exchange, buf, limit);
    }
    exchange->response.seen += ngx_buf_size(buf);
    return fine;
}
