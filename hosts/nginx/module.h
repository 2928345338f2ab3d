/* SPDX-License-Identifier: Apache-2.0 */
/* What the gate's files share: configuration, the worker's state, and the exchange that hangs on a
 * request. See docs/internals/gate.md for phases and lifetimes. */
#ifndef NGX_HTTP_GUARD_MODULE_H
#define NGX_HTTP_GUARD_MODULE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <guard/client.h>
#include <guard/memo.h>
#include <guard/policy.h>
#include <guard/txn.h>

#include "common/decoder.h"
#include "common/join_table.h"
#include "common/ring.h"
#include "common/state.h"
#include "timer.h"

#include "response.h"

enum {
    GATE_SERVICE_OFF = -2, /* beside NGX_CONF_UNSET and indexes of services */
    GATE_ARENA_MAX = 256 * 1024,
    GATE_ID_CHARS = 32,
    GATE_PAGE_PARTS_MAX = 8,
};

enum { GATE_FAILURE_OPEN = 0, GATE_FAILURE_CLOSED = 1 };
enum { GATE_TRACE_OFF = 0, GATE_TRACE_ON = 1, GATE_TRACE_SAMPLED = 2 };
enum { GATE_BODY_AUTO = 0, GATE_BODY_BUFFERED = 1, GATE_BODY_STREAMED = 2 };

typedef struct {
    ngx_str_t state;      /* directory, NUL-terminated; empty: none */
    ngx_array_t services; /* of ngx_str_t, each name once */
    size_t ring_size;
    ngx_str_t key_file;
    ngx_flag_t key_known;
    uint8_t key[GUARD_KEY_BYTES];
    ngx_flag_t node_key_known;
    uint8_t node_key[GUARD_KEY_BYTES]; /* of who makes databases of patterns on this machine */
    size_t hold_budget;                /* bytes that a worker may hold back of all responses */
    ngx_array_t joined;                /* of uint64_t: services whose calls come through us */
    size_t join_zone_size;
    ngx_shm_zone_t *join_zone; /* NULL: there are none */
    ngx_shm_zone_t *counters;  /* the next three are counters.c's */
    size_t counter_capacity;
    void *counters_before;
    ngx_shm_zone_t *patch_costs;
} gate_main_conf_t;

/* guard_outbound on */
typedef struct {
    ngx_str_t inbound;     /* for= */
    ngx_str_t destination; /* to= */
    bool by_trace_only;    /* join=trace */
} gate_outbound_t;

/* A page of the operator's, cut where the id belongs. */
typedef struct {
    ngx_str_t type;
    ngx_uint_t part_count; /* 0: none */
    ngx_str_t parts[GATE_PAGE_PARTS_MAX];
} gate_page_t;

typedef struct {
    ngx_int_t service; /* index, GATE_SERVICE_OFF or NGX_CONF_UNSET */
    size_t body_limit; /* bytes */
    ngx_uint_t failure;
    ngx_uint_t client; /* GUARD_UNIT_PREFIX or GUARD_UNIT_SLICE */
    ngx_uint_t body;   /* GATE_BODY_... */
    ngx_flag_t websocket;
    ngx_http_complex_value_t *subject;
    ngx_flag_t response;   /* whether responses are viewed */
    size_t response_limit; /* bytes */
    size_t hold_size;      /* bytes of one response; 0: none is held */
    ngx_msec_t hold_time;
    gate_page_t *page;
    gate_outbound_t *outbound; /* NULL: requests of clients */
    uint64_t outbound_for;     /* join_service of who makes the calls */
    ngx_uint_t trace;
    ngx_http_complex_value_t *exempt;
    ngx_uint_t time;      /* enum gate_time */
    ngx_str_t revision;   /* of the service that stands behind; data NULL: not said, len 0: none */
    uint64_t revision_id; /* 0: none */
    ngx_flag_t status;
    ngx_flag_t ready; /* guard_ready: nothing here is the service's */
} gate_loc_conf_t;

/* Tells one version of a file from another. */
struct gate_file_id {
    bool exists;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* A configured service in one worker. */
struct gate_service {
    struct guard_span name;
    struct guard_policy *policy; /* NULL: learn only */
    const uint8_t *bytes;        /* the policy's */
    size_t bytes_len;
    uint64_t generation;         /* in force, 0 = none */
    uint64_t generation_min;     /* what a next one must have */
    bool fail_closed;            /* the Guardian's wish */
    bool refused;                /* the file that is there isn't the one in force */
    uint64_t expires_ms;         /* Unix time; 0: never */
    bool expired;                /* and that was logged */
    uint64_t bypass_until_ms;    /* Unix time; nothing is blocked before */
    uint64_t withdrawn_until_ms; /* Unix time; new requests are answered with 503 before */
    bool joined;                 /* its calls come through us */
    uint64_t join_name;
    struct gate_file_id policy_seen;
    struct gate_file_id bypass_seen;
    struct gate_file_id withdrawn_seen;
    struct guard_client_table *verdicts; /* on clients; NULL: none was read */
    struct gate_file_id verdicts_seen;
    bool verdicts_refused; /* and that was logged */
    uint64_t *counts;      /* of this worker; see counters.h */
    ngx_int_t counter;
    struct gate_breaker breaker;
    uint64_t patterns_checked; /* see patterns.c; 0: not since the policy came */
    bool patterns_known;
    uint32_t *patch_cells; /* see patch_costs.c; NULL: not since the policy came */
    uint32_t patch_count;
    uint64_t canaries_second; /* Unix time: that of the last canary */
    uint32_t canaries;        /* valid ones in it */
};

struct gate_chunk;
struct gate_stream;

/* One per process. nginx's workers are single-threaded, so nothing here is locked. */
struct gate_worker {
    const gate_main_conf_t *conf;
    struct gate_service *services;
    size_t service_count;
    struct guard_alloc chunks; /* the source of every exchange's arena */
    struct gate_chunk *free_chunks;
    size_t free_chunk_count;
    uint64_t hash_seed;
    uint64_t started_ms;     /* Unix time */
    struct guard_memo *memo; /* NULL when there was no memory for it */
    struct ring_writer *records;
    struct ring_writer *alerts;
    bool rings_failed; /* and that was logged */
    uint64_t not_inspected;
    uint64_t not_inspected_logged;
    bool failing;
    struct decoder_pool decoders;
    size_t held_bytes; /* memory of held responses, until they are sent */
    bool draining;     /* the program around us ends soon: clients are to come to another one */
};

extern struct gate_worker gate_worker;
extern ngx_module_t ngx_http_guard_module;

/* Of an exchange that goes on: what is told once isn't told again. */
struct gate_told {
    enum guard_decision decision;
    enum guard_decision action;
    uint32_t findings;
};

/* An exchange that is inspected. Lives in its own arena, is found by the module context or,
 * after an internal redirect has wiped that, by its pool cleanup. */
typedef struct {
    struct guard_arena arena;
    struct guard_txn *txn; /* NULL: not inspected */
    struct guard_policy *policy;
    struct gate_service *service;
    struct gate_stream *stream;          /* NULL: judged before the upstream sees a byte */
    const struct guard_verdict *verdict; /* NULL until there is one; of streams, so far */
    uint64_t generation;
    uint64_t revision_id;       /* 0: none */
    enum guard_decision action; /* what is done, after bypass */
    bool reading;               /* the request body passes our filter */
    bool ended;                 /* the request is complete for the transaction */
    bool answered;
    bool recorded;
    bool exempt;   /* by guard_exempt: not learned from */
    bool measured; /* see overhead.h */
    uint64_t overhead_ns;
    struct gate_told told; /* in alerts so far */
    struct gate_timer timer;
    bool id_made;
    u_char id[GATE_ID_CHARS];
    struct gate_decoding decoding; /* of the request's body */
    struct gate_response response;
    bool entered; /* into the join table, at: */
    int32_t place;
    enum join_how how_joined; /* of a call: to what caused it */
    struct join_exchange cause;
} gate_exchange_t;

/* module.c: the public key of the node, which guardd makes at its start. false: it isn't there. */
bool gate_node_key_read(const gate_main_conf_t *conf, uint8_t out[GUARD_KEY_BYTES]);

/* exchange.c */
void gate_client_of(ngx_http_request_t *r, const gate_loc_conf_t *conf, struct guard_client *out);
gate_exchange_t *gate_exchange_find(ngx_http_request_t *r);
ngx_int_t gate_precontent_handler(ngx_http_request_t *r);
ngx_int_t gate_log_handler(ngx_http_request_t *r);
/* What is done of what a verdict wants: nothing is blocked during a bypass, and exempt exchanges
 * only by what a person configured. */
enum guard_decision gate_exchange_action(const gate_exchange_t *exchange,
                                         const struct guard_verdict *verdict);
/* The random id, made when it is first asked for. */
ngx_str_t gate_exchange_id(gate_exchange_t *exchange);
extern ngx_http_request_body_filter_pt gate_next_request_body_filter;
ngx_int_t gate_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in);
/* The request is complete: its verdict is final. */
void gate_exchange_end(gate_exchange_t *exchange);
/* Of a stream that goes on: what came so far is judged by the policy in force now. */
void gate_exchange_check(gate_exchange_t *exchange);
/* The policy in force now, for the checks of streams: they follow it, so that long ones don't keep
 * old ones alive. */
const struct guard_policy *gate_exchange_policy(gate_exchange_t *exchange);

/* Counts; whether what can't be inspected is refused. */
bool gate_not_inspected(ngx_http_request_t *r, const gate_exchange_t *exchange);
/* Whether a verdict is carried out by blocking: the mode says so, and no bypass is in force. */
bool gate_blocks(const gate_exchange_t *exchange, const struct guard_verdict *verdict);

/* canary.c: answers a canary whose proof is valid; NGX_DECLINED: it is a request like others. */
ngx_int_t gate_canary(ngx_http_request_t *r, const gate_loc_conf_t *conf);

/* answer.c: 403 with a random id, in the form that the client understands. */
/* From a phase: ends the request or leaves it to nginx's error_page. */
ngx_int_t gate_answer_block(ngx_http_request_t *r, gate_exchange_t *exchange);
/* From a filter, in the place of a response of which nothing went out. NGX_ERROR ends the request.
 */
ngx_int_t gate_answer_replace(ngx_http_request_t *r, gate_exchange_t *exchange);
/* When a status 403 is left to nginx: whether it answers with an error_page, which then gets the
 * id.
 */
bool gate_answer_by_page(ngx_http_request_t *r, gate_exchange_t *exchange);
/* Reads a page; NULL or NGX_CONF_ERROR. */
char *gate_page_set(ngx_conf_t *cf, ngx_command_t *command, void *conf);

/* decode.c: bodies go into the transaction through these, decoded where they are compressed. */
void gate_request_decode(gate_exchange_t *exchange, size_t limit);
void gate_request_feed(gate_exchange_t *exchange, struct guard_span chunk);
void gate_request_complete(gate_exchange_t *exchange);
void gate_response_decode(gate_exchange_t *exchange, size_t limit);
void gate_response_feed(gate_exchange_t *exchange, struct guard_span chunk);
void gate_response_complete(gate_exchange_t *exchange);

/* response.c: the way of the response through our filters. */
extern ngx_http_output_header_filter_pt gate_next_header_filter;
extern ngx_http_output_body_filter_pt gate_next_body_filter;
ngx_int_t gate_header_filter(ngx_http_request_t *r);
ngx_int_t gate_body_filter(ngx_http_request_t *r, ngx_chain_t *in);
/* Blocks the response, from whatever event: replaces it when nothing went out, else cuts it. The
 * request is over for the caller afterwards. */
void gate_response_stop(ngx_http_request_t *r, gate_exchange_t *exchange);
/* What is held has waited long enough. */
void gate_response_overdue(ngx_http_request_t *r);
/* With the exchange. */
void gate_response_free(gate_exchange_t *exchange);

/* feed.c: pushes what nginx has of a response into the transaction. */
void gate_feed_response_headers(ngx_http_request_t *r, struct guard_txn *txn);
void gate_feed_response_trailers(ngx_http_request_t *r, struct guard_txn *txn);
/* false: a file couldn't be read. */
bool gate_feed_response_buf(gate_exchange_t *exchange, const ngx_buf_t *buf, size_t limit);

/* hold.c: keeps back what mustn't go out yet. */
enum gate_hold_result { GATE_HELD, GATE_HOLD_SIZE, GATE_HOLD_BUDGET };
void gate_hold_begin(ngx_http_request_t *r, struct gate_hold *hold, ngx_msec_t time);
/* Takes all buffers of the chain, or none. */
enum gate_hold_result gate_hold_add(struct gate_hold *hold, size_t size_max, ngx_chain_t *in);
/* Ends the holding; what was kept stands before `in`, which may be NULL. */
ngx_chain_t *gate_hold_end(struct gate_hold *hold, ngx_chain_t *in);
/* Separates the two again after they went out, and gives memory back that nginx has sent. */
void gate_hold_reap(struct gate_hold *hold);
/* Drops everything; from a clean-up, or because nothing of it is sent. */
void gate_hold_free(struct gate_hold *hold);
/* Marks a chain as sent. */
void gate_chain_consume(ngx_chain_t *in);

/* alerts.c: the findings of one exchange, as JSON, into the alert ring, under the quota of its
 * client. Nothing when the mode has nothing reported, or all of it was told before. */
void gate_alert_put(ngx_http_request_t *r, gate_exchange_t *exchange, ngx_uint_t status);
/* Of an exchange that goes on, which may be for days: tells what was found so far when that is more
 * than an alert told before. What blocks ends it, and is told then. */
void gate_alert_early(ngx_http_request_t *r, gate_exchange_t *exchange);
/* Tells what quotas held back and no later alert of the client has told; `all`: before their time
 * is over. */
void gate_alerts_flush(bool all);

/* outbound.c: calls that services make, joined to the exchanges that cause them. */
char *gate_outbound_set(ngx_conf_t *cf, ngx_command_t *command, void *conf);
char *gate_outbound_merge(ngx_conf_t *cf, gate_loc_conf_t *conf);
char *gate_join_zone_check(ngx_conf_t *cf, void *post, void *data);
ngx_int_t gate_join_zone_add(ngx_conf_t *cf, gate_main_conf_t *conf);
void gate_join_worker_init(void);
void gate_join_tick(void);
/* Before the service sees a request: registers it and gives it a trace. At most once. */
void gate_join_enter(ngx_http_request_t *r, gate_exchange_t *exchange);
void gate_join_leave(gate_exchange_t *exchange);
/* Whose the call is, instead of the service's. The subject lives as long as the exchange. */
void gate_outbound_join(ngx_http_request_t *r, const gate_loc_conf_t *conf,
                        gate_exchange_t *exchange, struct guard_client *client);
/* The id of the exchange that caused it, or an empty text. */
ngx_str_t gate_caused_by(const gate_exchange_t *exchange, u_char out[GATE_ID_CHARS]);
/* Of who is behind an exchange: the connection's, or that of the joined one. */
const struct sockaddr *gate_client_address(ngx_http_request_t *r, const gate_exchange_t *exchange,
                                           ngx_sockaddr_t *room);
ngx_str_t gate_client_text(ngx_http_request_t *r, const gate_exchange_t *exchange,
                           u_char out[NGX_SOCKADDR_STRLEN]);
/* Whom a call goes to, as it was sent or configured. */
ngx_str_t gate_destination(ngx_http_request_t *r, const gate_loc_conf_t *conf);
/* Only what names, addresses and ports are made of. */
bool gate_destination_plain(ngx_str_t text);

/* report.c: the counts, into a file of the state directory that guardd reads. Of many services a
 * part at a time; true: another one follows. */
bool gate_report_slice(void);
/* All of it, before the worker goes. */
void gate_report_last(void);

/* policies.c: loads what is there before the first request, then follows changes in slices. */
void gate_policies_load(ngx_cycle_t *cycle);
/* One bounded slice of work; milliseconds until the next. */
ngx_msec_t gate_policies_slice(ngx_log_t *log);
void gate_policies_close(void);
bool gate_file_examine(const char *path, struct gate_file_id *out);
bool gate_file_same(const struct gate_file_id *a, const struct gate_file_id *b);

/* bypass.c */
void gate_bypass_follow(struct gate_service *service, ngx_log_t *log);
/* Says when one has ended by itself. */
void gate_bypass_expire(struct gate_service *service, ngx_log_t *log);

/* verdicts.c: verdicts on clients, as guardd wrote them. */
void gate_verdicts_follow(struct gate_service *service, ngx_log_t *log);
/* Hands the transaction the one that is in force for its client. */
void gate_verdicts_ask(const struct gate_service *service, const struct guard_client *client,
                       struct guard_txn *txn);

/* timer.c: when the request is complete and goes on to its service. */
void gate_timer_begin(ngx_http_request_t *r, gate_exchange_t *exchange);
/* The exchange is over, or its memory is. May be called again. */
void gate_timer_end(gate_exchange_t *exchange);
void gate_timer_init(ngx_log_t *log);

/* revision.c: which revision of a service stands behind a location. */
char *gate_revision_set(ngx_conf_t *cf, ngx_command_t *command, void *conf);
void gate_revision_merge(gate_loc_conf_t *conf, const gate_loc_conf_t *outer);
/* Whether it is new: what deviates by new elements only is told and not blocked. */
bool gate_revision_is_new(const struct gate_service *service, uint64_t revision_id);

/* status.c: what is told of a service, as an object of JSON. */
struct json_writer;
void gate_status_service(struct json_writer *json, const struct gate_service *service);
/* The content handler of guard_status. */
ngx_int_t gate_status_handler(ngx_http_request_t *r);
/* bypass.c: that of guard_ready: 200, or 503 while the service is withdrawn. */
ngx_int_t gate_ready_handler(ngx_http_request_t *r);

/* variables.c */
ngx_int_t gate_variables_add(ngx_conf_t *cf);

/* worker.c */
ngx_int_t gate_worker_init(ngx_cycle_t *cycle);
void gate_worker_exit(ngx_cycle_t *cycle);
uint64_t gate_unix_ms(void); /* nginx's cached clock */
/* 16 random bytes from a buffer that the kernel fills now and then. */
void gate_random_id(uint8_t out[16]);

#endif
