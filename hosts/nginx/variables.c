/* SPDX-License-Identifier: Apache-2.0 */
/* Variables for access logs and headers to the upstream. All are "-" where nothing was inspected.
 */
#include "module.h"

enum { REASON_MAX = 512, NUMBER_MAX = NGX_INT64_LEN + 4 };

typedef ngx_str_t (*text_pt)(ngx_http_request_t *r, gate_exchange_t *exchange);

static ngx_str_t static_text(const char *text)
{
    return (ngx_str_t){ngx_strlen(text), (u_char *)text};
}

static ngx_str_t verdict_text(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    return static_text(guard_decision_name(exchange->verdict->decision));
}

static ngx_str_t action_text(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    return static_text(guard_decision_name(exchange->action));
}

static ngx_str_t id_text(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    return gate_exchange_id(exchange);
}

static ngx_str_t score_text(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    ngx_uint_t score = exchange->verdict->score;
    u_char *text = ngx_pnalloc(r->pool, NUMBER_MAX);
    if (text == NULL)
        return (ngx_str_t)ngx_null_string;
    return (ngx_str_t){(size_t)(ngx_sprintf(text, "%ui.%02ui", score / 100, score % 100) - text),
                       text};
}

static ngx_str_t generation_text(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    u_char *text = ngx_pnalloc(r->pool, NUMBER_MAX);
    if (text == NULL)
        return (ngx_str_t)ngx_null_string;
    return (ngx_str_t){(size_t)(ngx_sprintf(text, "%uL", exchange->generation) - text), text};
}

static ngx_str_t reason_text(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    u_char *text = NULL;
    if (exchange->verdict->decision != GUARD_PASS)
        text = ngx_pnalloc(r->pool, REASON_MAX);
    if (text == NULL)
        return (ngx_str_t)ngx_null_string;
    size_t len = guard_explain(exchange->verdict, guard_txn_method(exchange->txn),
                               guard_txn_template(exchange->txn), (char *)text, REASON_MAX);
    return (ngx_str_t){len, text};
}

static ngx_str_t service_text(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    return (ngx_str_t){exchange->service->name.len, (u_char *)exchange->service->name.ptr};
}

static ngx_str_t cause_text(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    u_char *text = ngx_pnalloc(r->pool, GATE_ID_CHARS);
    return text != NULL ? gate_caused_by(exchange, text) : (ngx_str_t)ngx_null_string;
}

static ngx_int_t get(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t data)
{
    gate_exchange_t *exchange = gate_exchange_find(r->main);
    ngx_str_t text = ngx_null_string;
    if (exchange != NULL && exchange->verdict != NULL)
        text = ((text_pt)data)(r, exchange);
    if (text.len == 0)
        text = static_text("-");
    value->data = text.data;
    value->len = text.len;
    value->valid = 1;
    value->no_cacheable = 1;
    value->not_found = 0;
    return NGX_OK;
}

/* For proxy_pass, also of what isn't inspected. Nothing that holds what isn't part of a name. */
static ngx_int_t get_destination(ngx_http_request_t *r, ngx_http_variable_value_t *value,
                                 uintptr_t data)
{
    ngx_str_t text = gate_destination(r, ngx_http_get_module_loc_conf(r, ngx_http_guard_module));
    value->not_found = !gate_destination_plain(text);
    value->valid = !value->not_found;
    value->no_cacheable = 1;
    value->data = text.data;
    value->len = text.len;
    return NGX_OK;
}

ngx_int_t gate_variables_add(ngx_conf_t *cf)
{
    static const struct {
        ngx_str_t name;
        text_pt text;
    } variables[] = {
        {ngx_string("guard_verdict"), verdict_text},
        {ngx_string("guard_action"), action_text},
        {ngx_string("guard_id"), id_text},
        {ngx_string("guard_score"), score_text},
        {ngx_string("guard_reason"), reason_text},
        {ngx_string("guard_service"), service_text},
        {ngx_string("guard_generation"), generation_text},
        {ngx_string("guard_caused_by"), cause_text},
    };
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        ngx_str_t name = variables[i].name;
        ngx_http_variable_t *variable = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
        if (variable == NULL)
            return NGX_ERROR;
        variable->get_handler = get;
        variable->data = (uintptr_t)variables[i].text;
    }
    ngx_str_t name = ngx_string("guard_destination");
    ngx_http_variable_t *destination = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
    if (destination == NULL)
        return NGX_ERROR;
    destination->get_handler = get_destination;
    return NGX_OK;
}
