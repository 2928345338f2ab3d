/* SPDX-License-Identifier: Apache-2.0 */
/* Canaries: requests that ask whether a gate stands here. One with a valid proof is answered and
 * goes nowhere else; anything that looks like one is a request like all others. */
#include "counters.h"
#include "module.h"

#include "common/canary.h"

/* More in a second, of one service and worker, are requests like others: who has seen a proof can
 * send it again until it is too old. */
enum { CANARIES_A_SECOND = 64 };

static const u_char path[] = CANARY_PATH;
static const u_char header[] = CANARY_HEADER;

/* Told by the end of the path, which costs other requests next to nothing. */
static bool looks_like_one(const ngx_http_request_t *r)
{
    const size_t len = sizeof(path) - 1;
    return r->method == NGX_HTTP_GET && r->uri.len >= len &&
           r->uri.data[r->uri.len - 1] == path[len - 1] &&
           ngx_memcmp(r->uri.data + r->uri.len - len, path, len) == 0;
}

/* Of the only header of that name; empty when there is none, or several. */
static struct guard_span proof_of(const ngx_http_request_t *r)
{
    const size_t len = sizeof(header) - 1;
    struct guard_span proof = {NULL, 0};
    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (headers[i].key.len != len ||
                ngx_strncasecmp(headers[i].key.data, (u_char *)header, len) != 0)
                continue;
            if (proof.ptr != NULL)
                return (struct guard_span){NULL, 0};
            proof = (struct guard_span){headers[i].value.data, headers[i].value.len};
        }
    }
    return proof;
}

static bool within_rate(struct gate_service *service, uint64_t now_ms)
{
    if (now_ms / 1000 != service->canaries_second) {
        service->canaries_second = now_ms / 1000;
        service->canaries = 0;
    }
    return service->canaries++ < CANARIES_A_SECOND;
}

static void name_gate(struct canary_gate *out, const struct gate_service *service,
                      const gate_loc_conf_t *conf)
{
    const ngx_str_t host = ngx_cycle->hostname;
    *out = (struct canary_gate){.generation = service->generation};
    ngx_memcpy(out->pod, host.data, ngx_min(host.len, sizeof(out->pod) - 1));
    if (conf->revision.len > 0)
        ngx_memcpy(out->revision, conf->revision.data,
                   ngx_min(conf->revision.len, sizeof(out->revision) - 1));
}

static bool add_no_store(ngx_http_request_t *r)
{
    ngx_table_elt_t *field = ngx_list_push(&r->headers_out.headers);
    if (field == NULL)
        return false;
    ngx_memzero(field, sizeof(*field));
    field->hash = 1;
    ngx_str_set(&field->key, "Cache-Control");
    ngx_str_set(&field->value, "no-store");
    return true;
}

static ngx_int_t answer(ngx_http_request_t *r, const gate_loc_conf_t *conf,
                        const struct gate_service *service, const uint8_t key[GUARD_KEY_BYTES],
                        struct guard_span proof)
{
    struct canary_gate gate;
    ngx_buf_t *body = ngx_create_temp_buf(r->pool, CANARY_ANSWER_CAP);
    if (body == NULL || !add_no_store(r))
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    name_gate(&gate, service, conf);
    body->last += canary_answer((char *)body->pos, key, proof, &gate);
    body->last_buf = 1;
    body->last_in_chain = 1;
    r->headers_out.status = NGX_HTTP_OK;
    ngx_str_set(&r->headers_out.content_type, "text/plain");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = body->last - body->pos;
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc != NGX_ERROR && rc <= NGX_OK && !r->header_only) {
        ngx_chain_t out = {body, NULL};
        rc = ngx_http_output_filter(r, &out);
    }
    ngx_http_finalize_request(r, rc);
    return NGX_DONE;
}

ngx_int_t gate_canary(ngx_http_request_t *r, const gate_loc_conf_t *conf)
{
    uint8_t key[GUARD_KEY_BYTES];
    struct gate_service *service = &gate_worker.services[conf->service];
    if (!looks_like_one(r) || r->args.len > 0 || r->headers_in.content_length_n > 0 ||
        r->headers_in.chunked || conf->outbound != NULL || service->policy == NULL)
        return NGX_DECLINED;
    const struct guard_span proof = proof_of(r);
    const uint64_t now_ms = gate_unix_ms();
    if (proof.ptr == NULL || !guard_policy_canary_key(service->policy, key) ||
        !canary_check(proof, key, service->name, now_ms) || !within_rate(service, now_ms))
        return NGX_DECLINED;
    gate_count(service, GATE_COUNT_CANARIES);
    return answer(r, conf, service, key, proof);
}
