/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that a service makes: its inbound gate registers what is in flight and hands a trace on,
 * its egress gate finds by it whose exchange caused a call. Nothing of this can fail an exchange:
 * who isn't found is nobody. See docs/internals/outbound.md. */
#include "module.h"

#include <guard/crypto.h>

#include <signal.h>

enum {
    SWEEP_PLACES = 256, /* looked at in a tick */
    CURSOR_MAX = 1024,
    ZONE_MIN = 64 * 1024,
    ZONE_MAX = 64 * 1024 * 1024,
};

static ngx_str_t traceparent_name = ngx_string("traceparent");

static struct join_table *table;
static uint32_t enter_cursor;
static uint32_t sweep_cursor;

/* "for=NAME", "to=HOST[:PORT]", "join=trace|time" */
static bool set_parameter(gate_outbound_t *outbound, ngx_str_t *text)
{
    if (text->len > 4 && ngx_strncmp(text->data, "for=", 4) == 0) {
        outbound->inbound = (ngx_str_t){text->len - 4, text->data + 4};
        return state_service_valid(
            (struct guard_span){outbound->inbound.data, outbound->inbound.len});
    }
    if (text->len > 3 && ngx_strncmp(text->data, "to=", 3) == 0) {
        outbound->destination = (ngx_str_t){text->len - 3, text->data + 3};
        return gate_destination_plain(outbound->destination);
    }
    outbound->by_trace_only = ngx_strcmp(text->data, "join=trace") == 0;
    return outbound->by_trace_only || ngx_strcmp(text->data, "join=time") == 0;
}

char *gate_outbound_set(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    gate_loc_conf_t *conf = data;
    ngx_str_t *args = cf->args->elts;
    if (conf->outbound != NGX_CONF_UNSET_PTR)
        return "is duplicate";
    conf->outbound = NULL;
    if (ngx_strcmp(args[1].data, "off") == 0)
        return cf->args->nelts == 2 ? NGX_CONF_OK : "off takes no parameters";
    if (ngx_strcmp(args[1].data, "on") != 0)
        return "must be \"on\" or \"off\"";
    conf->outbound = ngx_pcalloc(cf->pool, sizeof(*conf->outbound));
    if (conf->outbound == NULL)
        return NGX_CONF_ERROR;
    for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
        if (!set_parameter(conf->outbound, &args[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"guard_outbound\": \"%V\" is none of for=SERVICE, to=HOST[:PORT], "
                               "join=trace|time",
                               &args[i]);
            return NGX_CONF_ERROR;
        }
    }
    return NGX_CONF_OK;
}

char *gate_join_zone_check(ngx_conf_t *cf, void *post, void *data)
{
    size_t size = *(size_t *)data;
    return size < ZONE_MIN || size > ZONE_MAX ? "is not a size from 64k to 64m" : NGX_CONF_OK;
}

/* Whose exchanges cause the calls: said, or "shop" for the service "shop.egress". */
static ngx_str_t inbound_of(const gate_outbound_t *outbound, ngx_str_t service)
{
    static const char suffix[] = ".egress";
    const size_t len = sizeof(suffix) - 1;
    if (outbound->inbound.len > 0)
        return outbound->inbound;
    if (service.len > len && ngx_memcmp(service.data + service.len - len, suffix, len) == 0)
        return (ngx_str_t){service.len - len, service.data};
    return (ngx_str_t)ngx_null_string;
}

char *gate_outbound_merge(ngx_conf_t *cf, gate_loc_conf_t *conf)
{
    gate_main_conf_t *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_guard_module);
    if (conf->outbound == NULL || conf->service < 0)
        return NGX_CONF_OK;
    ngx_str_t service = ((ngx_str_t *)main->services.elts)[conf->service];
    ngx_str_t inbound = inbound_of(conf->outbound, service);
    if (inbound.len == 0 ||
        (inbound.len == service.len && ngx_memcmp(inbound.data, service.data, service.len) == 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"guard_outbound on\" for service \"%V\": calls are a service of their "
                           "own; name it \"NAME.egress\" or say for=NAME",
                           &service);
        return NGX_CONF_ERROR;
    }
    conf->outbound_for = join_service((struct guard_span){inbound.data, inbound.len});
    uint64_t *known = main->joined.elts;
    for (ngx_uint_t i = 0; i < main->joined.nelts; i++) {
        if (known[i] == conf->outbound_for)
            return NGX_CONF_OK;
    }
    known = ngx_array_push(&main->joined);
    if (known == NULL)
        return NGX_CONF_ERROR;
    *known = conf->outbound_for;
    return NGX_CONF_OK;
}

/* In the master, before workers see it. A zone of the same size survives a reload. */
static ngx_int_t init_zone(ngx_shm_zone_t *zone, void *old)
{
    ngx_slab_pool_t *pool = (ngx_slab_pool_t *)zone->shm.addr;
    size_t size = (size_t)(pool->end - pool->start) / ngx_pagesize * ngx_pagesize;
    if (old != NULL) {
        zone->data = join_table_open(old, size);
        if (zone->data == NULL)
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "guard: the join zone is another version's: restart nginx");
        return zone->data != NULL ? NGX_OK : NGX_ERROR;
    }
    void *memory = ngx_slab_alloc(pool, size);
    if (memory != NULL)
        zone->data = join_table_init(memory, size);
    return zone->data != NULL ? NGX_OK : NGX_ERROR;
}

ngx_int_t gate_join_zone_add(ngx_conf_t *cf, gate_main_conf_t *conf)
{
    ngx_str_t name = ngx_string("guard_join");
    if (conf->joined.nelts == 0)
        return NGX_OK;
    conf->join_zone =
        ngx_shared_memory_add(cf, &name, conf->join_zone_size, &ngx_http_guard_module);
    if (conf->join_zone == NULL)
        return NGX_ERROR;
    conf->join_zone->init = init_zone;
    return NGX_OK;
}

void gate_join_worker_init(void)
{
    const gate_main_conf_t *conf = gate_worker.conf;
    const uint64_t *joined = conf->joined.elts;
    if (conf->join_zone == NULL)
        return;
    table = conf->join_zone->data;
    enter_cursor = (uint32_t)ngx_random() % CURSOR_MAX;
    join_forget(table, (uint32_t)ngx_pid, gate_unix_ms());
    for (size_t i = 0; i < gate_worker.service_count; i++) {
        struct gate_service *service = &gate_worker.services[i];
        uint64_t name = join_service(service->name);
        for (ngx_uint_t k = 0; k < conf->joined.nelts; k++)
            service->joined = service->joined || joined[k] == name;
        service->join_name = name;
    }
}

static bool is_alive(uint32_t owner)
{
    return kill((pid_t)owner, 0) == 0 || ngx_errno != NGX_ESRCH;
}

void gate_join_tick(void)
{
    if (table != NULL)
        join_sweep(table, &sweep_cursor, SWEEP_PLACES, (uint32_t)ngx_pid, is_alive, gate_unix_ms());
}

static bool is_traceparent(const ngx_table_elt_t *header)
{
    return header->hash != 0 && header->key.len == traceparent_name.len &&
           ngx_strncasecmp(header->key.data, traceparent_name.data, traceparent_name.len) == 0;
}

/* The client's own, if it is one and valid. With `value`, each such header gets that. *count: how
 * many there are. */
static bool find_traceparent(ngx_http_request_t *r, struct trace_parent *out, ngx_str_t *value,
                             ngx_uint_t *count)
{
    bool valid = false;
    *count = 0;
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (!is_traceparent(&headers[i]))
                continue;
            if (value != NULL)
                headers[i].value = *value;
            else
                valid = trace_parent_read(
                    out, (struct guard_span){headers[i].value.data, headers[i].value.len});
            ++*count;
        }
    }
    return valid && *count == 1;
}

/* The service gets the trace with a span of ours. False: it didn't. */
static bool hand_on_trace(ngx_http_request_t *r, const struct trace_parent *trace, bool there)
{
    ngx_uint_t count;
    ngx_str_t value = {TRACE_PARENT_CHARS, ngx_pnalloc(r->pool, TRACE_PARENT_CHARS + 1)};
    if (value.data == NULL)
        return false;
    trace_parent_write((char *)value.data, trace);
    value.data[TRACE_PARENT_CHARS] = '\0';
    if (there) {
        find_traceparent(r, NULL, &value, &count);
        return true;
    }
    ngx_table_elt_t *header = ngx_list_push(&r->headers_in.headers);
    if (header == NULL)
        return false;
    ngx_memzero(header, sizeof(*header));
    header->key = traceparent_name;
    header->lowcase_key = traceparent_name.data;
    header->hash = ngx_hash_key(traceparent_name.data, traceparent_name.len);
    header->value = value;
    return true;
}

static void trace(ngx_http_request_t *r, ngx_uint_t mode, struct join_exchange *out)
{
    uint8_t random[16];
    ngx_uint_t count = 0;
    out->traced = find_traceparent(r, &out->trace, NULL, &count);
    if (mode == GATE_TRACE_OFF) {
        /* No span is ours, so none is joined by it. */
        ngx_memzero(out->trace.span, sizeof(out->trace.span));
        return;
    }
    if (!out->traced) {
        ngx_memcpy(out->trace.trace, out->id, sizeof(out->trace.trace));
        out->trace.flags = mode == GATE_TRACE_SAMPLED;
    }
    gate_random_id(random);
    ngx_memcpy(out->trace.span, random, sizeof(out->trace.span));
    out->trace.span[0] |= 1; /* never all zeros */
    out->traced = hand_on_trace(r, &out->trace, count > 0);
}

void gate_join_enter(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    struct join_exchange out;
    struct guard_client client;
    const gate_loc_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_guard_module);
    if (table == NULL || exchange->entered || !exchange->service->joined)
        return;
    ngx_memzero(&out, sizeof(out));
    gate_client_of(r, conf, &client);
    out.service = exchange->service->join_name;
    out.time_ms = (uint64_t)r->start_sec * 1000 + r->start_msec;
    out.unit = (uint8_t)client.unit;
    out.address_len = client.address_len;
    ngx_memcpy(out.address, client.address, client.address_len);
    if (client.unit == GUARD_UNIT_SUBJECT) {
        uint8_t digest[GUARD_DIGEST_BYTES];
        guard_digest(digest, client.subject);
        ngx_memcpy(out.subject, digest, sizeof(out.subject));
        out.subject_known = true;
    }
    ngx_str_t id = gate_exchange_id(exchange);
    for (size_t i = 0; i < sizeof(out.id); i++)
        out.id[i] = (uint8_t)ngx_hextoi(id.data + 2 * i, 2);
    trace(r, conf->trace, &out);
    exchange->entered = true;
    exchange->place = join_enter(table, &enter_cursor, (uint32_t)ngx_pid, &out);
}

void gate_join_leave(gate_exchange_t *exchange)
{
    if (table != NULL && exchange->entered)
        join_leave(table, exchange->place, gate_unix_ms());
}

void gate_outbound_join(ngx_http_request_t *r, const gate_loc_conf_t *conf,
                        gate_exchange_t *exchange, struct guard_client *client)
{
    struct trace_parent parent;
    struct join_exchange *cause = &exchange->cause;
    ngx_uint_t count;
    bool traced = find_traceparent(r, &parent, NULL, &count);
    enum join_how how = JOIN_BY_NOTHING;
    if (table != NULL)
        how = join_find(table, conf->outbound_for, traced ? &parent : NULL,
                        !conf->outbound->by_trace_only, gate_unix_ms(), cause);
    exchange->how_joined = how;
    if (how == JOIN_BY_NOTHING) {
        /* The caller is the service, which stands for all of its clients. */
        if (client->unit == GUARD_UNIT_PREFIX)
            client->unit = GUARD_UNIT_SLICE;
        return;
    }
    *client = (struct guard_client){.unit = (enum guard_unit)cause->unit,
                                    .address_len = cause->address_len};
    ngx_memcpy(client->address, cause->address, sizeof(client->address));
    if (cause->subject_known)
        client->subject = (struct guard_span){cause->subject, sizeof(cause->subject)};
}

ngx_str_t gate_caused_by(const gate_exchange_t *exchange, u_char out[GATE_ID_CHARS])
{
    if (exchange->how_joined == JOIN_BY_NOTHING)
        return (ngx_str_t)ngx_null_string;
    ngx_hex_dump(out, (u_char *)exchange->cause.id, sizeof(exchange->cause.id));
    return (ngx_str_t){GATE_ID_CHARS, out};
}

const struct sockaddr *gate_client_address(ngx_http_request_t *r, const gate_exchange_t *exchange,
                                           ngx_sockaddr_t *room)
{
    const struct join_exchange *cause = &exchange->cause;
    if (exchange->how_joined == JOIN_BY_NOTHING || cause->address_len == 0)
        return r->connection->sockaddr;
    ngx_memzero(room, sizeof(*room));
#if (NGX_HAVE_INET6)
    if (cause->address_len == 16) {
        room->sockaddr_in6.sin6_family = AF_INET6;
        ngx_memcpy(&room->sockaddr_in6.sin6_addr, cause->address, 16);
        return &room->sockaddr;
    }
#endif
    room->sockaddr_in.sin_family = AF_INET;
    ngx_memcpy(&room->sockaddr_in.sin_addr, cause->address, 4);
    return &room->sockaddr;
}

ngx_str_t gate_client_text(ngx_http_request_t *r, const gate_exchange_t *exchange,
                           u_char out[NGX_SOCKADDR_STRLEN])
{
    ngx_sockaddr_t room;
    struct sockaddr *address = (struct sockaddr *)gate_client_address(r, exchange, &room);
    if (address == r->connection->sockaddr)
        return r->connection->addr_text;
    return (ngx_str_t){ngx_sock_ntop(address, sizeof(room), out, NGX_SOCKADDR_STRLEN, 0), out};
}

bool gate_destination_plain(ngx_str_t text)
{
    for (size_t i = 0; i < text.len; i++) {
        u_char c = text.data[i];
        u_char letter = c | 0x20;
        if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-' &&
            c != '_' && c != ':' && c != '[' && c != ']')
            return false;
    }
    return text.len > 0;
}

/* Host and port of the absolute form, as sent: newer nginx doesn't note where the port is. */
static ngx_str_t authority_of(const ngx_http_request_t *r)
{
    const u_char *end = r->request_line.data + r->request_line.len;
    const u_char *stop = r->host_end;
    while (stop < end && *stop != '/' && *stop != '?' && *stop != ' ')
        stop++;
    return (ngx_str_t){(size_t)(stop - r->host_start), r->host_start};
}

ngx_str_t gate_destination(ngx_http_request_t *r, const gate_loc_conf_t *conf)
{
    if (conf->outbound != NULL && conf->outbound->destination.len > 0)
        return conf->outbound->destination;
    if (r->http_version < NGX_HTTP_VERSION_20 && r->host_start != NULL && r->host_end != NULL)
        return authority_of(r);
    return r->headers_in.host != NULL ? r->headers_in.host->value : (ngx_str_t)ngx_null_string;
}
