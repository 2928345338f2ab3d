/* SPDX-License-Identifier: Apache-2.0 */
/* What a blocked client gets: the same bytes whatever the reason was, but for a random id that the
 * operator can look up. */
#include "module.h"

#define TEXT_BEFORE "403 Forbidden\n\nid: "

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

static ngx_int_t add_id_header(ngx_http_request_t *r, ngx_str_t id)
{
    ngx_table_elt_t *header = ngx_list_push(&r->headers_out.headers);
    if (header == NULL)
        return NGX_ERROR;
    ngx_memzero(header, sizeof(*header));
    header->hash = 1;
    ngx_str_set(&header->key, "X-Guard-Id");
    header->value = id;
    return NGX_OK;
}

ngx_int_t gate_answer_block(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    static ngx_str_t type = ngx_string("text/plain");
    ngx_http_complex_value_t body;
    ngx_str_t id = gate_exchange_id(exchange);
    size_t len = sizeof(TEXT_BEFORE) - 1 + id.len + 1;
    u_char *text = ngx_pnalloc(r->pool, len);
    if (text == NULL || add_id_header(r, id) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (error_page_configured(r))
        return NGX_HTTP_FORBIDDEN;
    u_char *end = ngx_cpymem(text, TEXT_BEFORE, sizeof(TEXT_BEFORE) - 1);
    end = ngx_cpymem(end, id.data, id.len);
    *end = '\n';
    ngx_memzero(&body, sizeof(body));
    body.value.data = text;
    body.value.len = len;
    ngx_http_finalize_request(r, ngx_http_send_response(r, NGX_HTTP_FORBIDDEN, &type, &body));
    return NGX_DONE;
}
