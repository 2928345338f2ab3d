/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that the upstream sees while they still come: unbuffered uploads, gRPC, and connections
 * that were upgraded. They are judged on and on, and cut when the verdict turns to block. */
#ifndef GUARD_GATE_STREAM_H
#define GUARD_GATE_STREAM_H

#include "module.h"
#include "pace.h"

struct gate_stream {
    ngx_http_request_t *request;
    gate_exchange_t *exchange;
    struct gate_pace up;   /* from the client */
    struct gate_pace down; /* from the service, after an upgrade */
    ngx_event_t timer;
    bool timer_ready;
    bool grpc;
    bool upgrade; /* the client asks for one */
    bool websocket;
    bool upgraded;
    bool opaque;              /* upgraded, and only counted */
    bool blocked;             /* nothing passes any more */
    bool shaping;             /* the answer that nginx makes of it becomes ours */
    ngx_connection_t *client; /* its recv is wrapped */
    ngx_recv_pt client_recv;
    ngx_recv_pt service_recv;
};

/* stream.c */
void gate_stream_init(ngx_conf_t *cf);
/* Fixed by headers and configuration, once. */
bool gate_stream_wanted(ngx_http_request_t *r, const gate_loc_conf_t *conf);
/* Judges path, query and headers; the body comes by gate_stream_body. False: no memory. */
bool gate_stream_begin(ngx_http_request_t *r, gate_exchange_t *exchange,
                       const gate_loc_conf_t *conf);
/* NGX_OK, or the status that ends the request. */
ngx_int_t gate_stream_body(ngx_http_request_t *r, gate_exchange_t *exchange, const ngx_chain_t *in);
/* What came from one side of an upgraded connection; false: it must not go on. */
bool gate_stream_message(struct gate_stream *stream, bool from_client, struct guard_span bytes);
/* In the log phase: whether the request can count as complete. */
void gate_stream_finish(ngx_http_request_t *r, gate_exchange_t *exchange);
void gate_stream_close(struct gate_stream *stream);
/* The request ends here, whatever it is doing. Returns what filters return for it. */
ngx_int_t gate_stream_block(ngx_http_request_t *r, gate_exchange_t *exchange);

bool gate_stream_is_blocked(const gate_exchange_t *exchange);

/* stream_answer.c: the block answer when nginx makes it, and what responses mean for streams. */
void gate_stream_answer_init(void);

/* websocket.c */
bool gate_upgrade_wanted(ngx_http_request_t *r, bool *websocket);
/* So that the service doesn't agree to compressing messages. */
void gate_websocket_plain(ngx_http_request_t *r);
/* The service agreed. NGX_OK, or the status to end with instead. */
ngx_int_t gate_upgrade_begin(ngx_http_request_t *r, struct gate_stream *stream);
void gate_upgrade_close(struct gate_stream *stream);

#endif
