/* SPDX-License-Identifier: Apache-2.0 */
/* The response of an exchange on its way to the client: how far it is, and what is held of it. */
#ifndef NGX_HTTP_GUARD_RESPONSE_H
#define NGX_HTTP_GUARD_RESPONSE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <guard/policy.h>
#include <guard/txn.h>

#include "common/decoder.h"

#include "pace.h"

enum gate_response_state {
    GATE_RESPONSE_NONE = 0,      /* not seen, or not viewed */
    GATE_RESPONSE_HELD = 1,      /* nothing of it went out */
    GATE_RESPONSE_UNDER_WAY = 2, /* its header went out; not decided */
    GATE_RESPONSE_DONE = 3,      /* decided, or no longer viewed: passes */
    GATE_RESPONSE_REPLACED = 4,  /* the client has our answer: what still comes is dropped */
    GATE_RESPONSE_CUT = 5,       /* aborted */
};

struct gate_hold_chunk;

/* A body that is compressed, and what became of decoding it. */
struct gate_decoding {
    struct decoder *decoder; /* NULL: it isn't compressed, or nothing more is decoded */
    bool failed;
};

/* What is kept back of a response, in order. Memory comes in chunks from the worker and counts in
 * its budget until nginx has sent all of it. */
struct gate_hold {
    ngx_queue_t queue; /* of the worker, by deadline; only while the response is held */
    ngx_http_request_t *request;
    struct gate_service *service;
    ngx_msec_t deadline;
    ngx_chain_t *first;
    ngx_chain_t **last;
    struct gate_hold_chunk *chunks;
    off_t len;
};

struct gate_response {
    enum gate_response_state state;
    enum guard_body_kind kind;
    uint32_t status; /* as the service gave it */
    bool watched;    /* what deviates is reported at least */
    bool enforced;   /* a bad one is blocked, not only reported */
    bool begun;
    bool ended;
    bool unread;  /* a file that holds it couldn't be read: it isn't viewed any more */
    off_t length; /* of the body, -1 = unknown */
    off_t seen;
    off_t next_check;
    ngx_msec_t since;        /* its head came */
    ngx_msec_t next_telling; /* after that time it is looked at for what can be told */
    struct gate_pace pace;   /* of one that never ends */
    ngx_event_t timer;       /* for what was too much to be judged at once */
    struct gate_decoding decoding;
    struct gate_hold hold;
    ngx_http_request_t *request; /* since there is a response */
};

#endif
