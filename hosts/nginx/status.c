/* SPDX-License-Identifier: Apache-2.0 */
/* guard_status: what the gate does, for people and for Prometheus. Counts are those of all workers;
 * what is in force is told as the worker that answers has it. */
#include "counters.h"
#include "module.h"
#include "overhead.h"
#include "patterns.h"

#include "common/json_writer.h"

enum {
    HEAD_BYTES = 16 * 1024,    /* what is there without services, and the help of the metrics */
    SERVICE_BYTES = 12 * 1024, /* each metric's line has the name of the service */
};

/* A service as it is shown. */
struct view {
    const struct gate_service *service;
    const char *mode; /* NULL: no policy */
    uint64_t bypass_seconds;
    uint64_t withdrawn_seconds;
    uint64_t oldest; /* generations that workers have in force */
    uint64_t newest;
    uint64_t counts[GATE_COUNT_MAX];
};

struct report {
    struct view *views;
    size_t view_count;
    ngx_uint_t running;
    ngx_uint_t leaving;
};

static void view(struct view *out, const struct gate_service *service)
{
    uint64_t now_ms = gate_unix_ms();
    *out = (struct view){.service = service};
    if (service->policy != NULL) {
        struct guard_policy_info info;
        guard_policy_info(service->policy, &info);
        out->mode = guard_mode_name(info.mode);
    }
    if (service->bypass_until_ms > now_ms)
        out->bypass_seconds = (service->bypass_until_ms - now_ms + 999) / 1000;
    if (service->withdrawn_until_ms > now_ms)
        out->withdrawn_seconds = (service->withdrawn_until_ms - now_ms + 999) / 1000;
    gate_counters_sum(service, out->counts);
    gate_counters_generations(service, &out->oldest, &out->newest);
}

static bool collect(ngx_http_request_t *r, struct report *out)
{
    out->view_count = gate_worker.service_count;
    out->views = ngx_palloc(r->pool, ngx_max(out->view_count, 1) * sizeof(*out->views));
    if (out->views == NULL)
        return false;
    for (size_t i = 0; i < out->view_count; i++)
        view(&out->views[i], &gate_worker.services[i]);
    gate_counters_workers(&out->running, &out->leaving);
    return true;
}

static void json_counts(struct json_writer *json, const uint64_t counts[])
{
    json_open(json, "counts", '{');
    for (int which = 0; which < GATE_COUNT_MAX; which++)
        json_integer(json, gate_count_name((enum gate_count)which), (int64_t)counts[which]);
    json_close(json, '}');
}

static void json_service(struct json_writer *json, const struct view *view)
{
    json_open(json, NULL, '{');
    json_string(json, "service", view->service->name);
    json_integer(json, "generation", (int64_t)view->service->generation);
    json_integer(json, "generation_oldest", (int64_t)view->oldest);
    json_integer(json, "generation_newest", (int64_t)view->newest);
    json_text(json, "mode", view->mode != NULL ? view->mode : "none");
    json_integer(json, "bypass_seconds", (int64_t)view->bypass_seconds);
    json_integer(json, "withdrawn_seconds", (int64_t)view->withdrawn_seconds);
    json_bool(json, "policy_refused", view->service->refused);
    json_bool(json, "policy_expired", view->service->expired);
    json_bool(json, "slow", view->service->breaker.open);
    json_counts(json, view->counts);
    json_close(json, '}');
}

/* Of the worker that answers. */
static void json_patterns(struct json_writer *json)
{
    struct gate_patterns_info info;
    char name[2 * GUARD_DIGEST_BYTES + 1] = "";
    gate_patterns_info(&info);
    if (info.loaded)
        *ngx_hex_dump((u_char *)name, info.name, sizeof(info.name)) = '\0';
    json_open(json, "patterns", '{');
    json_text(json, "database", name);
    json_bool(json, "refused", info.refused);
    json_integer(json, "patterns", info.patterns);
    json_integer(json, "unfiltered", info.unfiltered);
    json_integer(json, "bytes", (int64_t)info.bytes);
    json_integer(json, "expressions", (int64_t)info.expressions.kept);
    json_integer(json, "expression_bytes", (int64_t)info.expressions.bytes);
    json_integer(json, "expressions_refused", (int64_t)info.expressions.refused);
    json_integer(json, "searches_aborted", (int64_t)info.expressions.aborted);
    json_close(json, '}');
}

void gate_status_service(struct json_writer *json, const struct gate_service *service)
{
    struct view seen;
    view(&seen, service);
    json_service(json, &seen);
}

static void write_json(struct json_writer *json, const struct report *report)
{
    uint64_t total[GATE_COUNT_MAX] = {0};
    json_open(json, NULL, '{');
    json_open(json, "workers", '{');
    json_integer(json, "running", (int64_t)report->running);
    json_integer(json, "leaving", (int64_t)report->leaving);
    json_close(json, '}');
    json_bool(json, "rings_failed", gate_worker.rings_failed);
    json_patterns(json);
    json_open(json, "services", '[');
    for (size_t i = 0; i < report->view_count; i++) {
        json_service(json, &report->views[i]);
        for (int which = 0; which < GATE_COUNT_MAX; which++)
            total[which] += report->views[i].counts[which];
    }
    json_close(json, ']');
    json_counts(json, total);
    json_close(json, '}');
}

typedef uint64_t (*number_pt)(const struct view *view, int which);

static uint64_t count_of(const struct view *view, int which)
{
    return view->counts[which];
}

static uint64_t generation_of(const struct view *view, int which)
{
    return view->service->generation;
}

static uint64_t bypass_of(const struct view *view, int which)
{
    return view->bypass_seconds;
}

static uint64_t withdrawn_of(const struct view *view, int which)
{
    return view->withdrawn_seconds;
}

static uint64_t refused_of(const struct view *view, int which)
{
    return view->service->refused;
}

static uint64_t expired_of(const struct view *view, int which)
{
    return view->service->expired;
}

static uint64_t slow_of(const struct view *view, int which)
{
    return view->service->breaker.open;
}

struct text {
    u_char *next;
    u_char *end;
};

static void put_head(struct text *text, const char *name, const char *kind)
{
    const char *suffix = kind[0] == 'c' ? "_total" : "";
    text->next = ngx_slprintf(text->next, text->end, "# TYPE guard_%s%s %s\n", name, suffix, kind);
}

/* A service's name needs no escaping: see state_service_valid. */
static void put_metric(struct text *text, const struct report *report, const char *name,
                       const char *kind, number_pt number, int which)
{
    const char *suffix = kind[0] == 'c' ? "_total" : "";
    put_head(text, name, kind);
    for (size_t i = 0; i < report->view_count; i++) {
        const struct view *view = &report->views[i];
        text->next =
            ngx_slprintf(text->next, text->end, "guard_%s%s{service=\"%*s\"} %uL\n", name, suffix,
                         view->service->name.len, view->service->name.ptr, number(view, which));
    }
}

static void put_modes(struct text *text, const struct report *report)
{
    put_head(text, "mode", "gauge");
    for (size_t i = 0; i < report->view_count; i++) {
        const struct view *view = &report->views[i];
        text->next =
            ngx_slprintf(text->next, text->end, "guard_mode{service=\"%*s\",mode=\"%s\"} 1\n",
                         view->service->name.len, view->service->name.ptr,
                         view->mode != NULL ? view->mode : "none");
    }
}

static void put_number(struct text *text, const char *name, const char *kind, uint64_t number)
{
    put_head(text, name, kind);
    text->next = ngx_slprintf(text->next, text->end, "guard_%s%s %uL\n", name,
                              kind[0] == 'c' ? "_total" : "", number);
}

static void put_patterns(struct text *text)
{
    struct gate_patterns_info info;
    gate_patterns_info(&info);
    put_number(text, "patterns", "gauge", info.patterns);
    put_number(text, "patterns_bytes", "gauge", info.bytes);
    put_number(text, "patterns_refused", "gauge", info.refused);
    put_number(text, "expressions_refused", "counter", info.expressions.refused);
    put_number(text, "searches_aborted", "counter", info.expressions.aborted);
}

static uint64_t oldest_of(const struct view *view, int which)
{
    return view->oldest;
}

static void put_overhead_of(struct text *text, const struct view *view)
{
    uint64_t count = 0;
    const struct guard_span name = view->service->name;
    for (int i = 0; i < GATE_OVERHEAD_BUCKETS; i++) {
        uint64_t bound_ns = gate_overhead_bound_ns(i);
        count += view->counts[GATE_COUNT_OVERHEAD + i];
        text->next =
            ngx_slprintf(text->next, text->end,
                         "guard_overhead_seconds_bucket{service=\"%*s\",le=\"", name.len, name.ptr);
        text->next = bound_ns == UINT64_MAX
                         ? ngx_slprintf(text->next, text->end, "+Inf\"} %uL\n", count)
                         : ngx_slprintf(text->next, text->end, "%.6f\"} %uL\n",
                                        (double)bound_ns / 1e9, count);
    }
    text->next =
        ngx_slprintf(text->next, text->end,
                     "guard_overhead_seconds_sum{service=\"%*s\"} %.9f\n"
                     "guard_overhead_seconds_count{service=\"%*s\"} %uL\n",
                     name.len, name.ptr, (double)view->counts[GATE_COUNT_OVERHEAD_NS] / 1e9,
                     name.len, name.ptr, count);
}

static void put_overhead(struct text *text, const struct report *report)
{
    text->next = ngx_slprintf(text->next, text->end, "# TYPE guard_overhead_seconds histogram\n");
    for (size_t i = 0; i < report->view_count; i++)
        put_overhead_of(text, &report->views[i]);
}

static void write_metrics(struct text *text, const struct report *report)
{
    put_head(text, "workers", "gauge");
    text->next = ngx_slprintf(text->next, text->end,
                              "guard_workers{state=\"running\"} %ui\n"
                              "guard_workers{state=\"leaving\"} %ui\n",
                              report->running, report->leaving);
    put_head(text, "rings_failed", "gauge");
    text->next = ngx_slprintf(text->next, text->end, "guard_rings_failed %d\n",
                              gate_worker.rings_failed ? 1 : 0);
    put_patterns(text);
    put_metric(text, report, "generation", "gauge", generation_of, 0);
    put_metric(text, report, "generation_oldest", "gauge", oldest_of, 0);
    put_modes(text, report);
    put_metric(text, report, "bypass_seconds", "gauge", bypass_of, 0);
    put_metric(text, report, "withdrawn_seconds", "gauge", withdrawn_of, 0);
    put_metric(text, report, "policy_refused", "gauge", refused_of, 0);
    put_metric(text, report, "policy_expired", "gauge", expired_of, 0);
    put_metric(text, report, "slow", "gauge", slow_of, 0);
    put_overhead(text, report);
    for (int which = 0; which < GATE_COUNT_OVERHEAD; which++) {
        enum gate_count count = (enum gate_count)which;
        put_metric(text, report, gate_count_name(count),
                   gate_count_is_gauge(count) ? "gauge" : "counter", count_of, which);
    }
}

enum format { FORMAT_JSON, FORMAT_METRICS, FORMAT_UNKNOWN };

static bool accepts(const ngx_http_request_t *r, const char *type)
{
    const ngx_list_part_t *part = &r->headers_in.headers.part;
    for (; part != NULL; part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            const ngx_str_t *value = &headers[i].value;
            if (headers[i].key.len == sizeof("Accept") - 1 &&
                ngx_strncasecmp(headers[i].key.data, (u_char *)"Accept", headers[i].key.len) == 0 &&
                ngx_strlcasestrn(value->data, value->data + value->len, (u_char *)type,
                                 ngx_strlen(type) - 1) != NULL)
                return true;
        }
    }
    return false;
}

static enum format wanted(ngx_http_request_t *r)
{
    ngx_str_t format;
    if (ngx_http_arg(r, (u_char *)"format", sizeof("format") - 1, &format) == NGX_OK) {
        if (format.len == 4 && ngx_memcmp(format.data, "json", 4) == 0)
            return FORMAT_JSON;
        if (format.len == 10 && ngx_memcmp(format.data, "prometheus", 10) == 0)
            return FORMAT_METRICS;
        return FORMAT_UNKNOWN;
    }
    if (accepts(r, "application/json"))
        return FORMAT_JSON;
    return accepts(r, "text/plain") || accepts(r, "application/openmetrics-text") ? FORMAT_METRICS
                                                                                  : FORMAT_JSON;
}

static ngx_int_t add_no_store(ngx_http_request_t *r)
{
    ngx_table_elt_t *header = ngx_list_push(&r->headers_out.headers);
    if (header == NULL)
        return NGX_ERROR;
    ngx_memzero(header, sizeof(*header));
    header->hash = 1;
    ngx_str_set(&header->key, "Cache-Control");
    ngx_str_set(&header->value, "no-store");
    return NGX_OK;
}

static ngx_int_t write_report(ngx_http_request_t *r, enum format format, ngx_str_t *out)
{
    struct report report;
    if (!collect(r, &report))
        return NGX_ERROR;
    size_t room = HEAD_BYTES + report.view_count * SERVICE_BYTES;
    u_char *bytes = ngx_palloc(r->pool, room);
    if (bytes == NULL)
        return NGX_ERROR;
    out->data = bytes;
    if (format == FORMAT_METRICS) {
        struct text text = {bytes, bytes + room};
        write_metrics(&text, &report);
        out->len = (size_t)(text.next - bytes);
        return text.next < text.end ? NGX_OK : NGX_ERROR;
    }
    struct json_writer json;
    json_writer_init(&json, (char *)bytes, room - 1);
    write_json(&json, &report);
    out->len = json.len + 1;
    bytes[json.len] = '\n';
    return json.overflow ? NGX_ERROR : NGX_OK;
}

ngx_int_t gate_status_handler(ngx_http_request_t *r)
{
    static ngx_str_t json_type = ngx_string("application/json");
    static ngx_str_t metrics_type = ngx_string("text/plain; version=0.0.4; charset=utf-8");
    ngx_http_complex_value_t body;
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)))
        return NGX_HTTP_NOT_ALLOWED;
    enum format format = wanted(r);
    if (format == FORMAT_UNKNOWN)
        return NGX_HTTP_BAD_REQUEST;
    ngx_memzero(&body, sizeof(body));
    if (write_report(r, format, &body.value) != NGX_OK || add_no_store(r) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    return ngx_http_send_response(r, NGX_HTTP_OK,
                                  format == FORMAT_METRICS ? &metrics_type : &json_type, &body);
}
