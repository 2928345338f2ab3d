/* SPDX-License-Identifier: Apache-2.0 */
/* What a blocked client gets, in the form that it understands: the same bytes whatever the reason
 * was, but for a random id that the operator can look up. */
#include "module.h"

#include "common/file.h"

enum { PAGE_BYTES_MAX = 64 * 1024 };

#define ID_MARK "@ID@"

/* How an answer looks; parts are joined by the id. */
struct form {
    ngx_uint_t status;
    ngx_str_t type;
    const ngx_str_t *parts;
    ngx_uint_t part_count;
    bool people;        /* the operator's page may stand in its place */
    bool trailers_only; /* no body: the status is in header fields */
};

static const ngx_str_t text_parts[] = {ngx_string("403 Forbidden\n\nid: "), ngx_string("\n")};
static const ngx_str_t json_parts[] = {
    ngx_string("{\"type\":\"about:blank\",\"title\":\"Forbidden\",\"status\":403,\"id\":\""),
    ngx_string("\"}\n")};
static const ngx_str_t html_parts[] = {
    ngx_string("<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
               "<title>403 Forbidden</title></head>\n"
               "<body>\n<h1>403 Forbidden</h1>\n<p>id: "),
    ngx_string("</p>\n</body>\n</html>\n")};

/* The trailers of gRPC-Web are a frame of the body, where scripts of other origins can read them.
 */
static const ngx_str_t web_parts[] = {
    ngx_string("\x80\0\0\0\x27grpc-status:7\r\ngrpc-message:Forbidden\r\n")};
static const ngx_str_t web_text_parts[] = {
    ngx_string("gAAAACdncnBjLXN0YXR1czo3DQpncnBjLW1lc3NhZ2U6Rm9yYmlkZGVuDQo=")};

static const struct form text_form = {
    NGX_HTTP_FORBIDDEN, ngx_string("text/plain"), text_parts, 2, true, false};
static const struct form json_form = {
    NGX_HTTP_FORBIDDEN, ngx_string("application/problem+json"), json_parts, 2, false, false};
static const struct form html_form = {
    NGX_HTTP_FORBIDDEN, ngx_string("text/html; charset=utf-8"), html_parts, 2, true, false};
static const struct form grpc_form = {NGX_HTTP_OK, ngx_string("application/grpc"), NULL, 0, false,
                                      true};
static const struct form web_form = {
    NGX_HTTP_OK, ngx_string("application/grpc-web+proto"), web_parts, 1, false, false};
static const struct form web_text_form = {
    NGX_HTTP_OK, ngx_string("application/grpc-web-text+proto"), web_text_parts, 1, false, false};

static ngx_str_t request_header(const ngx_http_request_t *r, ngx_str_t name)
{
    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (headers[i].key.len == name.len &&
                ngx_strncasecmp(headers[i].key.data, name.data, name.len) == 0)
                return headers[i].value;
        }
    }
    return (ngx_str_t)ngx_null_string;
}

static bool begins(ngx_str_t text, ngx_str_t with)
{
    return text.len >= with.len && ngx_strncasecmp(text.data, with.data, with.len) == 0;
}

static bool contains(ngx_str_t text, const char *part)
{
    size_t len = ngx_strlen(part);
    return text.len >= len &&
           ngx_strlcasestrn(text.data, text.data + text.len, (u_char *)part, len - 1) != NULL;
}

static bool is_json(ngx_str_t type)
{
    return contains(type, "/json") || contains(type, "+json");
}

/* The q of one range of an Accept field, in thousandths; 1000 when it isn't said. */
static ngx_uint_t weight_of(ngx_str_t range)
{
    u_char *q = ngx_strlcasestrn(range.data, range.data + range.len, (u_char *)"q=", 2 - 1);
    if (q == NULL)
        return 1000;
    const u_char *end = range.data + range.len;
    ngx_uint_t weight = 0;
    ngx_uint_t unit = 1000;
    for (q += 2; q < end && unit > 0; q++) {
        if (*q == '.')
            continue;
        if (*q < '0' || *q > '9')
            break;
        weight += (ngx_uint_t)(*q - '0') * unit;
        unit /= 10;
    }
    return weight;
}

static const struct form *form_of_range(ngx_str_t range)
{
    if (is_json(range))
        return &json_form;
    if (contains(range, "text/html") || contains(range, "application/xhtml"))
        return &html_form;
    return contains(range, "text/plain") ? &text_form : NULL;
}

/* What the client names with the largest weight, the first of equals; NULL: nothing of ours. */
static const struct form *accepted(ngx_str_t accept)
{
    const struct form *best = NULL;
    ngx_uint_t best_weight = 0;
    const u_char *end = accept.data + accept.len;
    for (u_char *at = accept.data; at < end;) {
        u_char *comma = ngx_strlchr(at, (u_char *)end, ',');
        u_char *stop = comma == NULL ? (u_char *)end : comma;
        ngx_str_t range = {(size_t)(stop - at), at};
        const struct form *form = form_of_range(range);
        ngx_uint_t weight = form == NULL ? 0 : weight_of(range);
        if (weight > best_weight) {
            best = form;
            best_weight = weight;
        }
        at = stop + 1;
    }
    return best;
}

static const struct form *choose(const ngx_http_request_t *r)
{
    ngx_str_t type = request_header(r, (ngx_str_t)ngx_string("content-type"));
    if (begins(type, (ngx_str_t)ngx_string("application/grpc-web-text")))
        return &web_text_form;
    if (begins(type, (ngx_str_t)ngx_string("application/grpc-web")))
        return &web_form;
    if (begins(type, (ngx_str_t)ngx_string("application/grpc")))
        return &grpc_form;
    const struct form *form = accepted(request_header(r, (ngx_str_t)ngx_string("accept")));
    if (form != NULL)
        return form;
    return is_json(type) ? &json_form : &text_form;
}

/* The operator's page stands for what people see, not for what programs read. */
static struct form form_for(ngx_http_request_t *r)
{
    const gate_loc_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_guard_module);
    struct form form = *choose(r);
    if (conf->page != NULL && conf->page->part_count > 0 && form.people) {
        form.type = conf->page->type;
        form.parts = conf->page->parts;
        form.part_count = conf->page->part_count;
    }
    return form;
}

/* As nginx itself will decide when it gets the status. */
static bool error_page_configured(const ngx_http_request_t *r)
{
    const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    if (r->error_page || core->error_pages == NULL || r->uri_changes == 0)
        return false;
    const ngx_http_err_page_t *pages = core->error_pages->elts;
    for (ngx_uint_t i = 0; i < core->error_pages->nelts; i++) {
        if (pages[i].status == NGX_HTTP_FORBIDDEN)
            return true;
    }
    return false;
}

static bool add_header(ngx_http_request_t *r, ngx_str_t name, ngx_str_t value)
{
    ngx_table_elt_t *header = ngx_list_push(&r->headers_out.headers);
    if (header == NULL)
        return false;
    ngx_memzero(header, sizeof(*header));
    header->hash = 1;
    header->key = name;
    header->value = value;
    return true;
}

static bool add_id(ngx_http_request_t *r, ngx_str_t id)
{
    return add_header(r, (ngx_str_t)ngx_string("X-Guard-Id"), id);
}

bool gate_answer_by_page(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    if (!error_page_configured(r))
        return false;
    (void)add_id(r, gate_exchange_id(exchange)); /* without memory for it the page still goes out */
    return true;
}

static ngx_buf_t *make_body(ngx_http_request_t *r, const struct form *form, ngx_str_t id)
{
    size_t len = (form->part_count - 1) * id.len;
    for (ngx_uint_t i = 0; i < form->part_count; i++)
        len += form->parts[i].len;
    ngx_buf_t *buf = ngx_create_temp_buf(r->pool, len);
    if (buf == NULL)
        return NULL;
    for (ngx_uint_t i = 0; i < form->part_count; i++) {
        if (i > 0)
            buf->last = ngx_cpymem(buf->last, id.data, id.len);
        buf->last = ngx_cpymem(buf->last, form->parts[i].data, form->parts[i].len);
    }
    buf->last_buf = 1;
    buf->last_in_chain = 1;
    return buf;
}

/* Trailers only: the header is all there is. */
static bool make_grpc(ngx_http_request_t *r)
{
    r->header_only = 1;
    return add_header(r, (ngx_str_t)ngx_string("grpc-status"), (ngx_str_t)ngx_string("7")) &&
           add_header(r, (ngx_str_t)ngx_string("grpc-message"), (ngx_str_t)ngx_string("Forbidden"));
}

/* Makes header and body (NULL: none) of the answer; false without memory. */
static bool make(ngx_http_request_t *r, gate_exchange_t *exchange, ngx_buf_t **body)
{
    struct form form = form_for(r);
    ngx_str_t id = gate_exchange_id(exchange);
    *body = NULL;
    r->headers_out.status = form.status;
    r->headers_out.content_type = form.type;
    r->headers_out.content_type_len = form.type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.charset.len = 0;
    if (!add_id(r, id) ||
        !add_header(r, (ngx_str_t)ngx_string("Cache-Control"), (ngx_str_t)ngx_string("no-store")))
        return false;
    if (form.trailers_only)
        return make_grpc(r);
    *body = make_body(r, &form, id);
    if (*body == NULL)
        return false;
    r->headers_out.content_length_n = (*body)->last - (*body)->pos;
    return true;
}

static ngx_int_t send_answer(ngx_http_request_t *r, ngx_buf_t *body,
                             ngx_http_output_header_filter_pt send_header,
                             ngx_http_output_body_filter_pt send_body)
{
    ngx_int_t rc = send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only || body == NULL)
        return rc;
    ngx_chain_t out = {body, NULL};
    return send_body(r, &out);
}

ngx_int_t gate_answer_block(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    ngx_buf_t *body;
    if (error_page_configured(r))
        return add_id(r, gate_exchange_id(exchange)) ? NGX_HTTP_FORBIDDEN
                                                     : NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (ngx_http_discard_request_body(r) != NGX_OK || !make(r, exchange, &body))
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    ngx_http_finalize_request(r,
                              send_answer(r, body, ngx_http_send_header, ngx_http_output_filter));
    return NGX_DONE;
}

ngx_int_t gate_answer_replace(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    ngx_buf_t *body;
    ngx_http_clean_header(r);
    r->allow_ranges = 0;
    r->single_range = 0;
    r->header_only = r->method == NGX_HTTP_HEAD;
    if (error_page_configured(r)) {
        if (!add_id(r, gate_exchange_id(exchange)))
            return NGX_ERROR;
        return ngx_http_filter_finalize_request(r, &ngx_http_guard_module, NGX_HTTP_FORBIDDEN);
    }
    if (!make(r, exchange, &body))
        return NGX_ERROR;
    return send_answer(r, body, gate_next_header_filter, gate_next_body_filter);
}

static char *refuse(ngx_conf_t *cf, const char *why)
{
    const ngx_str_t *args = cf->args->elts;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": \"%V\" %s", &args[0], &args[1], why);
    return NGX_CONF_ERROR;
}

static char *cut_page(ngx_conf_t *cf, gate_page_t *page, ngx_str_t text)
{
    const size_t mark_len = sizeof(ID_MARK) - 1;
    u_char *at = text.data;
    u_char *end = text.data + text.len;
    for (;;) {
        u_char *mark = ngx_strnstr(at, ID_MARK, (size_t)(end - at));
        u_char *stop = mark == NULL ? end : mark;
        if (page->part_count == GATE_PAGE_PARTS_MAX)
            return refuse(cf, "holds " ID_MARK " too often");
        page->parts[page->part_count++] = (ngx_str_t){(size_t)(stop - at), at};
        if (mark == NULL)
            return NGX_CONF_OK;
        at = mark + mark_len;
    }
}

static bool is_text_file(ngx_str_t path)
{
    return path.len > 4 && ngx_strncasecmp(path.data + path.len - 4, (u_char *)".txt", 4) == 0;
}

char *gate_page_set(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    gate_loc_conf_t *conf = data;
    ngx_str_t path = ((ngx_str_t *)cf->args->elts)[1];
    struct guard_err err;
    uint8_t *bytes;
    size_t len;
    if (conf->page != NGX_CONF_UNSET_PTR)
        return "is duplicate";
    conf->page = ngx_pcalloc(cf->pool, sizeof(*conf->page));
    if (conf->page == NULL || ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK)
        return NGX_CONF_ERROR;
    if (file_read((const char *)path.data, PAGE_BYTES_MAX, &bytes, &len, &err) != GUARD_OK)
        return refuse(cf, err.text);
    ngx_str_t text = {len, ngx_pnalloc(cf->pool, len + 1)};
    if (text.data != NULL) {
        ngx_memcpy(text.data, bytes, len);
        text.data[len] = '\0';
    }
    ngx_free(bytes);
    if (text.data == NULL)
        return NGX_CONF_ERROR;
    if (len == 0 || ngx_strlen(text.data) != len)
        return refuse(cf, "is empty or no text");
    static const ngx_str_t html = ngx_string("text/html; charset=utf-8");
    static const ngx_str_t plain = ngx_string("text/plain; charset=utf-8");
    conf->page->type = is_text_file(path) ? plain : html;
    return cut_page(cf, conf->page, text);
}
