/* SPDX-License-Identifier: Apache-2.0 */
/* Serves the API in guardd's own thread, in the time that guardd would otherwise sleep: nothing of
 * it runs beside learning, and no client can hold it up. */
#ifndef GUARDD_API_SERVER_H
#define GUARDD_API_SERVER_H

#include "api.h"

enum {
    SERVER_CONNECTIONS = 96, /* of each socket */
    SERVER_STREAMS = 8,
    SERVER_FRONT_STREAMS = 6,  /* of those */
    SERVER_LATE = 32,          /* requests that wait for their token to be checked */
    SERVER_IDLE_S = 15,        /* without a byte in either direction */
    SERVER_REQUEST_MS = 30000, /* from the first byte, or the last answer, to the whole answer */
    SERVER_TURN_MS = 50,       /* of handlers in one turn; the others wait for the next */
    SERVER_HEADERS = 32 * 1024,
    SERVER_LAPSES = 3, /* in a row, of what a cluster said of who asks: then it is too slow */
};

struct server;

/* Listens on STATE/api.sock, and for nginx in front of guardd on STATE/api-front.sock. group: may
 * connect too; NULL: only the owner. */
GUARD_MUST_USE enum guard_rc server_open(struct server **out, const struct api_view *view,
                                         const char *group, bool front, struct guard_err *err);
/* Answers what came, for at most ms milliseconds; 0: only what is there. Returns early when a
 * signal came or something was written, which guardd must look at. server may be NULL: sleeps.
 * wake_fd: returns early, too, when that is readable; -1: none. */
void server_run(struct server *server, uint32_t ms, int wake_fd);
/* True once after something was written. */
bool server_changed(struct server *server);
void server_close(struct server *server);

#endif
