/* SPDX-License-Identifier: Apache-2.0 */
/* The nginx side of configuration: directives, their inheritance, and where the module hangs itself
 * in. */
#include "module.h"

#include "counters.h"
#include "patch_costs.h"
#include "stream.h"

#include "common/file.h"

#include <sys/stat.h>

static char *set_service(ngx_conf_t *cf, ngx_command_t *command, void *conf);
static char *set_state(ngx_conf_t *cf, ngx_command_t *command, void *conf);
static char *set_key(ngx_conf_t *cf, ngx_command_t *command, void *conf);
static char *set_status(ngx_conf_t *cf, ngx_command_t *command, void *conf);
static char *set_ready(ngx_conf_t *cf, ngx_command_t *command, void *conf);
static char *check_ring_size(ngx_conf_t *cf, void *post, void *data);
static char *check_body_limit(ngx_conf_t *cf, void *post, void *data);
static char *set_hold(ngx_conf_t *cf, ngx_command_t *command, void *conf);

static ngx_conf_post_t ring_size_post = {check_ring_size};
static ngx_conf_post_t body_limit_post = {check_body_limit};
static ngx_conf_post_t join_zone_post = {gate_join_zone_check};

static ngx_conf_enum_t failures[] = {
    {ngx_string("open"), GATE_FAILURE_OPEN},
    {ngx_string("closed"), GATE_FAILURE_CLOSED},
    {ngx_null_string, 0},
};

static ngx_conf_enum_t clients[] = {
    {ngx_string("prefix"), GUARD_UNIT_PREFIX},
    {ngx_string("slice"), GUARD_UNIT_SLICE},
    {ngx_null_string, 0},
};

static ngx_conf_enum_t traces[] = {
    {ngx_string("off"), GATE_TRACE_OFF},
    {ngx_string("on"), GATE_TRACE_ON},
    {ngx_string("sampled"), GATE_TRACE_SAMPLED},
    {ngx_null_string, 0},
};

static ngx_conf_enum_t times[] = {
    {ngx_string("off"), GATE_TIME_OFF},
    {ngx_string("alert"), GATE_TIME_ALERT},
    {ngx_string("abort"), GATE_TIME_ABORT},
    {ngx_null_string, 0},
};

static ngx_conf_enum_t bodies[] = {
    {ngx_string("auto"), GATE_BODY_AUTO},
    {ngx_string("buffered"), GATE_BODY_BUFFERED},
    {ngx_string("streamed"), GATE_BODY_STREAMED},
    {ngx_null_string, 0},
};

#define GATE_ANY_LEVEL (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1)

static ngx_command_t commands[] = {
    {ngx_string("guard"), GATE_ANY_LEVEL, set_service, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("guard_state"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, set_state,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("guard_policy_key"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, set_key,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("guard_ring_size"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_size_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(gate_main_conf_t, ring_size), &ring_size_post},
    {ngx_string("guard_body_limit"), GATE_ANY_LEVEL, ngx_conf_set_size_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(gate_loc_conf_t, body_limit), &body_limit_post},
    {ngx_string("guard_failure"), GATE_ANY_LEVEL, ngx_conf_set_enum_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(gate_loc_conf_t, failure), failures},
    {ngx_string("guard_client"), GATE_ANY_LEVEL, ngx_conf_set_enum_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(gate_loc_conf_t, client), clients},
    {ngx_string("guard_subject"), GATE_ANY_LEVEL, ngx_http_set_complex_value_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(gate_loc_conf_t, subject), NULL},
    {ngx_string("guard_response"),
     NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_FLAG,
     ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET, offsetof(gate_loc_conf_t, response), NULL},
    {ngx_string("guard_response_limit"), GATE_ANY_LEVEL, ngx_conf_set_size_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(gate_loc_conf_t, response_limit), &body_limit_post},
    {ngx_string("guard_response_hold"),
     NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_TAKE12, set_hold,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("guard_response_hold_budget"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
     ngx_conf_set_size_slot, NGX_HTTP_MAIN_CONF_OFFSET, offsetof(gate_main_conf_t, hold_budget),
     NULL},
    {ngx_string("guard_block_page"), GATE_ANY_LEVEL, gate_page_set, NGX_HTTP_LOC_CONF_OFFSET, 0,
     NULL},
    {ngx_string("guard_outbound"),
     NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_1MORE, gate_outbound_set,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("guard_trace"), GATE_ANY_LEVEL, ngx_conf_set_enum_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(gate_loc_conf_t, trace), traces},
    {ngx_string("guard_join_zone"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_size_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(gate_main_conf_t, join_zone_size), &join_zone_post},
    {ngx_string("guard_exempt"), GATE_ANY_LEVEL, ngx_http_set_complex_value_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(gate_loc_conf_t, exempt), NULL},
    {ngx_string("guard_time"), GATE_ANY_LEVEL, ngx_conf_set_enum_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(gate_loc_conf_t, time), times},
    {ngx_string("guard_revision"), GATE_ANY_LEVEL, gate_revision_set, NGX_HTTP_LOC_CONF_OFFSET, 0,
     NULL},
    {ngx_string("guard_status"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, set_status,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(gate_loc_conf_t, status), NULL},
    {ngx_string("guard_ready"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, set_ready,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(gate_loc_conf_t, ready), NULL},
    {ngx_string("guard_body"), GATE_ANY_LEVEL, ngx_conf_set_enum_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(gate_loc_conf_t, body), bodies},
    {ngx_string("guard_websocket"),
     NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_FLAG,
     ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET, offsetof(gate_loc_conf_t, websocket), NULL},
    ngx_null_command,
};

static char *complain(ngx_conf_t *cf, const char *what)
{
    const ngx_str_t *args = cf->args->elts;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" %s", &args[0], what);
    return NGX_CONF_ERROR;
}

static ngx_int_t find_or_add_service(ngx_conf_t *cf, gate_main_conf_t *conf, ngx_str_t *name)
{
    ngx_str_t *known = conf->services.elts;
    for (ngx_uint_t i = 0; i < conf->services.nelts; i++) {
        if (known[i].len == name->len && ngx_memcmp(known[i].data, name->data, name->len) == 0)
            return (ngx_int_t)i;
    }
    ngx_str_t *added = ngx_array_push(&conf->services);
    if (added == NULL)
        return NGX_ERROR;
    *added = *name;
    return (ngx_int_t)conf->services.nelts - 1;
}

static char *set_service(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    gate_loc_conf_t *conf = data;
    ngx_str_t *name = &((ngx_str_t *)cf->args->elts)[1];
    if (conf->service != NGX_CONF_UNSET)
        return complain(cf, "is duplicate");
    if (ngx_strcmp(name->data, "off") == 0) {
        conf->service = GATE_SERVICE_OFF;
        return NGX_CONF_OK;
    }
    /* A variable would be refused as well: '$' is no part of a name, so no client chooses its
     * service. */
    if (!state_service_valid((struct guard_span){name->data, name->len})) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"guard %V\": a service's name is 1 to 64 of letters, digits, "
                           "\".\", \"_\" and \"-\", and doesn't start with \".\"",
                           name);
        return NGX_CONF_ERROR;
    }
    gate_main_conf_t *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_guard_module);
    conf->service = find_or_add_service(cf, main, name);
    return conf->service == NGX_ERROR ? NGX_CONF_ERROR : NGX_CONF_OK;
}

static char *set_state(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    gate_main_conf_t *conf = data;
    if (conf->state.data != NULL)
        return complain(cf, "is duplicate");
    conf->state = ((ngx_str_t *)cf->args->elts)[1];
    if (conf->state.len == 0 || conf->state.len > STATE_PATH_MAX / 2)
        return complain(cf, "names a directory that is empty or too long");
    if (ngx_conf_full_name(cf->cycle, &conf->state, 0) != NGX_OK)
        return NGX_CONF_ERROR;
    return NGX_CONF_OK;
}

static char *set_status(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    gate_loc_conf_t *conf = data;
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    if (conf->status)
        return complain(cf, "is duplicate");
    conf->status = 1;
    core->handler = gate_status_handler;
    return NGX_CONF_OK;
}

static char *set_ready(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    gate_loc_conf_t *conf = data;
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    if (conf->ready)
        return complain(cf, "is duplicate");
    conf->ready = 1;
    core->handler = gate_ready_handler;
    return NGX_CONF_OK;
}

static bool read_hex_key(uint8_t out[GUARD_KEY_BYTES], u_char *text)
{
    for (size_t i = 0; i < GUARD_KEY_BYTES; i++) {
        ngx_int_t value = ngx_hextoi(text + 2 * i, 2);
        if (value == NGX_ERROR)
            return false;
        out[i] = (uint8_t)value;
    }
    return true;
}

/* 32 bytes, or 64 hexadecimal digits with an end of the line. */
static bool take_key(uint8_t out[GUARD_KEY_BYTES], u_char *bytes, size_t len)
{
    size_t text_len = len;
    while (text_len > 2 * GUARD_KEY_BYTES &&
           (bytes[text_len - 1] == '\n' || bytes[text_len - 1] == '\r'))
        text_len--;
    if (len == GUARD_KEY_BYTES)
        ngx_memcpy(out, bytes, GUARD_KEY_BYTES);
    return len == GUARD_KEY_BYTES || (text_len == 2 * GUARD_KEY_BYTES && read_hex_key(out, bytes));
}

static char *set_key(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    gate_main_conf_t *conf = data;
    struct guard_err err;
    uint8_t *bytes;
    size_t len;
    if (conf->key_file.data != NULL)
        return complain(cf, "is duplicate");
    conf->key_file = ((ngx_str_t *)cf->args->elts)[1];
    if (ngx_conf_full_name(cf->cycle, &conf->key_file, 0) != NGX_OK)
        return NGX_CONF_ERROR;
    if (file_read((const char *)conf->key_file.data, 4096, &bytes, &len, &err) != GUARD_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"guard_policy_key\": %s", err.text);
        return NGX_CONF_ERROR;
    }
    conf->key_known = take_key(conf->key, bytes, len);
    ngx_free(bytes);
    if (!conf->key_known) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"guard_policy_key\": \"%V\" is no Ed25519 public key "
                           "(64 hex digits or 32 bytes)",
                           &conf->key_file);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

static char *check_ring_size(ngx_conf_t *cf, void *post, void *data)
{
    size_t size = *(size_t *)data;
    if (size < 64 * 1024 || size > 64 * 1024 * 1024 || (size & (size - 1)) != 0)
        return complain(cf, "is not a power of two from 64k to 64m");
    return NGX_CONF_OK;
}

static char *check_body_limit(ngx_conf_t *cf, void *post, void *data)
{
    return *(size_t *)data == 0 ? complain(cf, "is 0") : NGX_CONF_OK;
}

/* SIZE [TIME]; 0 holds nothing. */
static char *set_hold(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    gate_loc_conf_t *conf = data;
    ngx_str_t *args = cf->args->elts;
    if (conf->hold_size != NGX_CONF_UNSET_SIZE)
        return complain(cf, "is duplicate");
    ssize_t size = ngx_parse_size(&args[1]);
    if (size == NGX_ERROR || size > 16 * 1024 * 1024)
        return complain(cf, "wants a size of at most 16m");
    conf->hold_size = (size_t)size;
    if (cf->args->nelts < 3)
        return NGX_CONF_OK;
    ngx_int_t time = ngx_parse_time(&args[2], 0);
    if (time == NGX_ERROR || time > 60 * 1000)
        return complain(cf, "wants a time of at most 60s");
    conf->hold_time = (ngx_msec_t)time;
    return NGX_CONF_OK;
}

static void *create_main_conf(ngx_conf_t *cf)
{
    gate_main_conf_t *conf = ngx_pcalloc(cf->pool, sizeof(*conf));
    if (conf == NULL || ngx_array_init(&conf->services, cf->pool, 4, sizeof(ngx_str_t)) != NGX_OK ||
        ngx_array_init(&conf->joined, cf->pool, 2, sizeof(uint64_t)) != NGX_OK)
        return NULL;
    conf->ring_size = NGX_CONF_UNSET_SIZE;
    conf->hold_budget = NGX_CONF_UNSET_SIZE;
    conf->join_zone_size = NGX_CONF_UNSET_SIZE;
    return conf;
}

static char *init_main_conf(ngx_conf_t *cf, void *data)
{
    gate_main_conf_t *conf = data;
    ngx_conf_init_size_value(conf->ring_size, 4 * 1024 * 1024);
    ngx_conf_init_size_value(conf->hold_budget, 16 * 1024 * 1024);
    ngx_conf_init_size_value(conf->join_zone_size, 512 * 1024);
    return NGX_CONF_OK;
}

static void *create_loc_conf(ngx_conf_t *cf)
{
    gate_loc_conf_t *conf = ngx_pcalloc(cf->pool, sizeof(*conf));
    if (conf == NULL)
        return NULL;
    conf->service = NGX_CONF_UNSET;
    conf->body_limit = NGX_CONF_UNSET_SIZE;
    conf->failure = NGX_CONF_UNSET_UINT;
    conf->client = NGX_CONF_UNSET_UINT;
    conf->subject = NGX_CONF_UNSET_PTR;
    conf->response = NGX_CONF_UNSET;
    conf->response_limit = NGX_CONF_UNSET_SIZE;
    conf->hold_size = NGX_CONF_UNSET_SIZE;
    conf->hold_time = NGX_CONF_UNSET_MSEC;
    conf->page = NGX_CONF_UNSET_PTR;
    conf->outbound = NGX_CONF_UNSET_PTR;
    conf->trace = NGX_CONF_UNSET_UINT;
    conf->exempt = NGX_CONF_UNSET_PTR;
    conf->time = NGX_CONF_UNSET_UINT;
    conf->body = NGX_CONF_UNSET_UINT;
    conf->websocket = NGX_CONF_UNSET;
    return conf;
}

static char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    gate_loc_conf_t *outer = parent;
    gate_loc_conf_t *conf = child;
    if (conf->status && conf->service == NGX_CONF_UNSET)
        conf->service = GATE_SERVICE_OFF; /* who looks isn't a client of the service */
    ngx_conf_merge_value(conf->service, outer->service, GATE_SERVICE_OFF);
    ngx_conf_merge_size_value(conf->body_limit, outer->body_limit, 1024 * 1024);
    ngx_conf_merge_uint_value(conf->failure, outer->failure, GATE_FAILURE_OPEN);
    ngx_conf_merge_uint_value(conf->client, outer->client, GUARD_UNIT_PREFIX);
    ngx_conf_merge_ptr_value(conf->subject, outer->subject, NULL);
    ngx_conf_merge_value(conf->response, outer->response, 1);
    ngx_conf_merge_size_value(conf->response_limit, outer->response_limit, 256 * 1024);
    ngx_conf_merge_size_value(conf->hold_size, outer->hold_size, 64 * 1024);
    ngx_conf_merge_msec_value(conf->hold_time, outer->hold_time, 50);
    ngx_conf_merge_ptr_value(conf->page, outer->page, NULL);
    ngx_conf_merge_ptr_value(conf->outbound, outer->outbound, NULL);
    ngx_conf_merge_uint_value(conf->trace, outer->trace, GATE_TRACE_OFF);
    ngx_conf_merge_ptr_value(conf->exempt, outer->exempt, NULL);
    ngx_conf_merge_uint_value(conf->time, outer->time, GATE_TIME_ABORT);
    ngx_conf_merge_uint_value(conf->body, outer->body, GATE_BODY_AUTO);
    ngx_conf_merge_value(conf->websocket, outer->websocket, 1);
    gate_revision_merge(conf, outer);
    return gate_outbound_merge(cf, conf);
}

static ngx_int_t add_handler(ngx_http_core_main_conf_t *core, ngx_http_phases phase,
                             ngx_http_handler_pt handler)
{
    ngx_http_handler_pt *slot = ngx_array_push(&core->phases[phase].handlers);
    if (slot == NULL)
        return NGX_ERROR;
    *slot = handler;
    return NGX_OK;
}

bool gate_node_key_read(const gate_main_conf_t *conf, uint8_t out[GUARD_KEY_BYTES])
{
    char path[STATE_PATH_MAX];
    uint8_t *bytes = NULL;
    size_t len = 0;
    const struct guard_span none = {NULL, 0};
    if (state_path(path, (const char *)conf->state.data, "keys", none, "node.pub") != GUARD_OK ||
        file_read(path, 4096, &bytes, &len, NULL) != GUARD_OK)
        return false;
    bool good = take_key(out, bytes, len);
    ngx_free(bytes);
    return good;
}

static ngx_int_t check_conf(ngx_conf_t *cf, gate_main_conf_t *conf)
{
    struct guard_err err;
    if (conf->services.nelts == 0)
        return NGX_OK;
    if (conf->state.data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"guard\" needs \"guard_state\" in the http block");
        return NGX_ERROR;
    }
    if (!conf->key_known)
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"guard_policy_key\" is missing: no policy will be enforced");
    if (state_prepare((const char *)conf->state.data, &err) != GUARD_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"guard_state\": %s", err.text);
        return NGX_ERROR;
    }
    conf->node_key_known = gate_node_key_read(conf, conf->node_key);
    return NGX_OK;
}

static ngx_int_t post_configuration(ngx_conf_t *cf)
{
    gate_main_conf_t *conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_guard_module);
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    if (check_conf(cf, conf) != NGX_OK)
        return NGX_ERROR;
    if (conf->services.nelts == 0)
        return NGX_OK; /* `guard off` everywhere costs nothing */
    if (gate_join_zone_add(cf, conf) != NGX_OK)
        return NGX_ERROR;
    /* A module that is loaded later runs earlier within its phase: before try_files and mirror. */
    if (add_handler(core, NGX_HTTP_PRECONTENT_PHASE, gate_precontent_handler) != NGX_OK ||
        add_handler(core, NGX_HTTP_LOG_PHASE, gate_log_handler) != NGX_OK ||
        gate_counters_add(cf, conf) != NGX_OK || gate_patch_costs_add(cf, conf) != NGX_OK)
        return NGX_ERROR;
    gate_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = gate_request_body_filter;
    gate_stream_init(cf); /* its filters come behind ours of responses */
    gate_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = gate_header_filter;
    gate_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = gate_body_filter;
    return NGX_OK;
}

/* What root made for workers that aren't root. */
static void give_to_workers(ngx_cycle_t *cycle, const char *state, const char *folder)
{
    ngx_core_conf_t *core = (ngx_core_conf_t *)ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    const struct guard_span none = {NULL, 0};
    char path[STATE_PATH_MAX];
    struct stat info;
    if (state_path(path, state, folder, none, "") != GUARD_OK || stat(path, &info) != 0 ||
        info.st_uid != 0 || core->user == (ngx_uid_t)NGX_CONF_UNSET_UINT)
        return;
    if (chown(path, core->user, core->group) != 0)
        ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                      "guard: \"%s\" can't be given to the workers", path);
}

static ngx_int_t init_module(ngx_cycle_t *cycle)
{
    gate_main_conf_t *conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_guard_module);
    if (ngx_test_config || conf == NULL || conf->services.nelts == 0 || geteuid() != 0)
        return NGX_OK;
    const char *state = (const char *)conf->state.data;
    give_to_workers(cycle, state, "");
    give_to_workers(cycle, state, "rings");
    give_to_workers(cycle, state, "policies");
    give_to_workers(cycle, state, "bypass");
    give_to_workers(cycle, state, "withdrawn");
    return NGX_OK;
}

static ngx_http_module_t module_context = {
    gate_variables_add, /* preconfiguration */
    post_configuration,
    create_main_conf,
    init_main_conf,
    NULL, /* create server configuration */
    NULL, /* merge server configuration */
    create_loc_conf,
    merge_loc_conf,
};

ngx_module_t ngx_http_guard_module = {
    NGX_MODULE_V1,
    &module_context,
    commands,
    NGX_HTTP_MODULE,
    NULL, /* init master */
    init_module,
    gate_worker_init, /* init process */
    NULL,             /* init thread */
    NULL,             /* exit thread */
    gate_worker_exit, /* exit process */
    NULL,             /* exit master */
    NGX_MODULE_V1_PADDING,
};
