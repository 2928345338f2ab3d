/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts exchanges that take longer than their endpoint ever does, unless everything does at present.
 * A wheel instead of nginx's tree of timers: an exchange costs two list operations, one that has no
 * deadline nothing at all. */
#include "counters.h"
#include "module.h"

enum {
    GRAIN_MS = 32,
    SLOTS = 512,        /* a turn takes 16 s; what lies further ahead stays for another one */
    BREAKER_OPENS = 10, /* of GATE_BREAKER_WINDOW: more than 5 % */
    BREAKER_CLOSES = 5,
};

static ngx_queue_t wheel[SLOTS];
static ngx_uint_t waiting;
static ngx_msec_t turned_to; /* the slots before it are done */
static ngx_event_t tick;

static ngx_uint_t slot_of(ngx_msec_t due)
{
    return due / GRAIN_MS % SLOTS;
}

static void put(struct gate_timer *timer)
{
    if (waiting++ == 0 && !tick.timer_set) {
        turned_to = ngx_current_msec / GRAIN_MS;
        ngx_add_timer(&tick, GRAIN_MS);
    }
    ngx_queue_insert_tail(&wheel[slot_of(timer->due)], &timer->link);
    timer->waiting = true;
}

static void take(struct gate_timer *timer)
{
    if (!timer->waiting)
        return;
    ngx_queue_remove(&timer->link);
    timer->waiting = false;
    waiting--;
}

static void observe(struct gate_service *service, bool late, ngx_log_t *log)
{
    struct gate_breaker *breaker = &service->breaker;
    breaker->late_count += late;
    breaker->late_count -= breaker->late[breaker->next];
    breaker->late[breaker->next] = late;
    breaker->next = (breaker->next + 1) % GATE_BREAKER_WINDOW;
    if (!breaker->open && breaker->late_count > BREAKER_OPENS) {
        breaker->open = true;
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "guard: service %*s: %uD of the last %d exchanges were late; as long as "
                      "everything is slow, none is cut for that",
                      service->name.len, service->name.ptr, breaker->late_count,
                      GATE_BREAKER_WINDOW);
    } else if (breaker->open && breaker->late_count <= BREAKER_CLOSES) {
        breaker->open = false;
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "guard: service %*s: responses are in time again; late ones are cut",
                      service->name.len, service->name.ptr);
    }
}

/* Nobody was asked, or has answered all, or it has become a connection without end. */
static bool upstream_done(const ngx_http_request_t *r)
{
    return r->upstream == NULL || r->upstream->cleanup == NULL || r->upstream->upgrade;
}

/* It is the client that takes its time. */
static bool client_slow(const ngx_http_request_t *r)
{
    return r->header_sent && r->connection->buffered;
}

/* As nginx itself leaves an upstream when it redirects. */
static void leave_upstream(ngx_http_request_t *r)
{
    ngx_http_cleanup_pt clean_up = *r->upstream->cleanup;
    r->main->count++;
    clean_up(r);
}

static void cut(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    exchange->answered = true;
    gate_count(exchange->service, GATE_COUNT_LATE_CUT);
    if (r->header_sent || r != r->connection->data) {
        gate_response_stop(r, exchange);
        return;
    }
    leave_upstream(r);
    gate_hold_free(&exchange->response.hold);
    exchange->response.state = GATE_RESPONSE_DONE;
    ngx_http_clean_header(r);
    r->allow_ranges = 0;
    r->single_range = 0;
    r->header_only = r->method == NGX_HTTP_HEAD;
    ngx_int_t rc = gate_answer_block(r, exchange);
    if (rc != NGX_DONE)
        ngx_http_finalize_request(r, rc);
}

static enum guard_decision permitted(const ngx_http_request_t *r, gate_exchange_t *exchange,
                                     const struct guard_verdict *verdict)
{
    const gate_loc_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_guard_module);
    enum guard_decision action = gate_exchange_action(exchange, verdict);
    if (action != GUARD_BLOCK)
        return action;
    if (exchange->service->breaker.open) {
        gate_count(exchange->service, GATE_COUNT_LATE_SPARED);
        return GUARD_ALERT;
    }
    return conf->time == GATE_TIME_ABORT ? GUARD_BLOCK : GUARD_ALERT;
}

static void on_late(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    struct gate_timer *timer = &exchange->timer;
    ngx_msec_t waited = ngx_current_msec - timer->since;
    const struct guard_verdict *verdict =
        guard_txn_late(exchange->txn, (uint32_t)ngx_min(waited, UINT32_MAX - 1));
    if (verdict->decision == GUARD_PASS)
        return;
    timer->late = true;
    gate_count(exchange->service, GATE_COUNT_LATE);
    observe(exchange->service, true, ngx_cycle->log);
    enum guard_decision action = permitted(r, exchange, verdict);
    exchange->verdict = guard_txn_whole(exchange->txn);
    exchange->action = ngx_max(exchange->action, action);
    gate_alert_put(r, exchange, r->header_sent ? r->headers_out.status : 0);
    if (action == GUARD_BLOCK)
        cut(r, exchange);
}

static void fire(struct gate_timer *timer)
{
    ngx_http_request_t *r = timer->request;
    ngx_connection_t *c = r->connection;
    gate_exchange_t *exchange = gate_exchange_find(r);
    if (exchange == NULL || exchange->answered || upstream_done(r))
        return;
    if (client_slow(r)) {
        timer->due = ngx_current_msec + (timer->due - timer->since);
        put(timer);
        return;
    }
    ngx_http_set_log_request(c->log, r);
    on_late(r, exchange);
    ngx_http_run_posted_requests(c);
}

static void turn_slot(ngx_queue_t *slot)
{
    ngx_queue_t due;
    if (ngx_queue_empty(slot))
        return;
    /* What fires may end other exchanges, and begin some. */
    ngx_queue_init(&due);
    ngx_queue_add(&due, slot);
    ngx_queue_init(slot);
    while (!ngx_queue_empty(&due)) {
        struct gate_timer *timer = ngx_queue_data(ngx_queue_head(&due), struct gate_timer, link);
        take(timer);
        if ((ngx_msec_int_t)(timer->due - ngx_current_msec) > 0)
            put(timer);
        else
            fire(timer);
    }
}

static void on_tick(ngx_event_t *event)
{
    ngx_msec_t now = ngx_current_msec / GRAIN_MS;
    ngx_msec_t slots = ngx_min(now - turned_to, (ngx_msec_t)SLOTS);
    for (ngx_msec_t i = 0; i < slots; i++)
        turn_slot(&wheel[(now - slots + i) % SLOTS]);
    turned_to = now;
    /* A worker that is leaving still has exchanges; being cancelable, we don't keep it. */
    if (waiting > 0)
        ngx_add_timer(event, GRAIN_MS);
}

void gate_timer_begin(ngx_http_request_t *r, gate_exchange_t *exchange)
{
    struct gate_timer *timer = &exchange->timer;
    const gate_loc_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_guard_module);
    timer->since = ngx_current_msec;
    if (conf->time == GATE_TIME_OFF || timer->limited)
        return;
    uint32_t deadline = guard_txn_deadline_ms(exchange->txn);
    if (deadline == UINT32_MAX)
        return;
    timer->request = r;
    timer->due = timer->since + deadline;
    timer->limited = true;
    put(timer);
}

void gate_timer_end(gate_exchange_t *exchange)
{
    struct gate_timer *timer = &exchange->timer;
    take(timer);
    if (timer->limited && !timer->late)
        observe(exchange->service, false, ngx_cycle->log);
    timer->limited = false;
}

void gate_timer_init(ngx_log_t *log)
{
    static ngx_connection_t nobody; /* nginx's debug log wants a connection behind every timer */
    nobody.fd = (ngx_socket_t)-1;
    tick.handler = on_tick;
    tick.data = &nobody;
    tick.log = log;
    tick.cancelable = 1;
    for (int i = 0; i < SLOTS; i++) {
        ngx_queue_init(&wheel[i]);
    }
}
