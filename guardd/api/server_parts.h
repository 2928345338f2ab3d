/* SPDX-License-Identifier: Apache-2.0 */
/* What the server is made of: connections, requests with their answers, streams, doors. Only
 * server.c knows the HTTP library behind it. */
#ifndef GUARDD_API_SERVER_PARTS_H
#define GUARDD_API_SERVER_PARTS_H

#include "server.h"

#include "admission.h"
#include "log_stream.h"
#include "looks.h"
#include "router.h"

struct MHD_Connection;
struct MHD_Daemon;

/* A connection, for as long as it is open. */
struct peer {
    struct peer *next;
    struct peer *before;
    int fd;
    uint64_t since_ms; /* of its request, or of the last answer */
    bool stream;
    bool cut; /* took too long */
};

/* A request with its answer. */
struct exchange {
    struct exchange *next; /* of those that wait */
    struct server *server;
    const struct door *door;
    struct peer *peer;
    struct MHD_Connection *connection;
    const struct api_route *route;
    struct api_request request;
    struct api_response response;
    uint8_t *body;
    size_t body_len;
    size_t body_max;
    bool too_large;
    bool prepared;
    bool admitted;    /* it is known who asks */
    bool authorised;  /* and that they may */
    bool refused;     /* they are nobody: the answer is there, the body isn't kept */
    bool late;        /* waits for a check that costs something */
    bool asked;       /* waits for a cluster's answer */
    uint64_t answers; /* of clusters when that began */
    uint32_t lapses;  /* how often in a row what was said was over before the handler was called */
};

/* Whether who was let in needn't be asked for again, or is from here on; false after a problem. */
bool asker_stands(struct exchange *exchange);
/* Whether the handler may be called, again: who was admitted may have lost that meanwhile, or be
 * somebody to whom this isn't there. False after a problem. */
bool asker_permitted(struct exchange *exchange);
/* Waits for the next answer of a cluster. It may be of another one's token: then it waits on. */
void asker_wait(struct exchange *exchange);
/* Whether what it waits for is there. */
bool exchange_due(const struct exchange *exchange, uint64_t now_ms);

/* A reader of alerts. It lives as long as the library's response, which is longer than the
 * exchange. */
struct stream {
    struct server *server;
    struct MHD_Connection *connection;
    int place;
    bool suspended;
    struct api_access access;
    struct log_stream log;
};

/* NULL when there are too many, or no memory. */
struct stream *stream_new(struct exchange *exchange);
/* Whether its reader may go on: asked before each piece that is sent. */
bool stream_may_go_on(struct stream *stream);
/* Of a response of the library: ctx is the stream. */
void stream_end(void *ctx);

/* A socket that is listened on. Each has connections of its own, so that who floods the front
 * doesn't close the local door. */
struct door {
    struct server *server;
    struct MHD_Daemon *daemon; /* NULL: there is none */
    int epoll_fd;
    bool front;
};
enum { LOCAL_DOOR, FRONT_DOOR, DOORS };

struct server {
    struct api api;
    struct admission admission;
    struct looks looks;
    struct door doors[DOORS];
    struct peer *peers;
    struct exchange *waiting; /* oldest first */
    struct exchange **last_waiting;
    uint32_t waiting_count;
    uint32_t late_count;
    struct exchange *parked; /* until their wait is due */
    struct stream *streams[SERVER_STREAMS];
    uint64_t turn_ms; /* when the turn began */
    uint64_t swept_ms;
    bool closing;
};

#endif
