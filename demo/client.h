/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/1.1 client with one connection at a time and one request in flight, driven by poll(2).
 */
#ifndef DEMO_CLIENT_H
#define DEMO_CLIENT_H

#include "request.h"

#include <netinet/in.h>

enum { DEMO_HEAD_SIZE = 16 * 1024 };

enum demo_progress { DEMO_BUSY, DEMO_ANSWERED, DEMO_FAILED };

struct demo_client {
    struct in_addr from; /* the address this client comes from */
    int fd;              /* -1: not connected */
    bool reused;         /* the connection has carried an answer before */
    bool idle;           /* no request in flight */
    size_t len;          /* of the request */
    size_t sent;
    size_t head_len; /* bytes in head */
    bool in_body;
    bool chunked;
    bool close;
    unsigned status;    /* of the answer */
    uint64_t remaining; /* bytes of the body, or of this chunk with its line end */
    unsigned line_len;  /* bytes of the chunk's size line so far */
    bool last_chunk;
    char request[DEMO_REQUEST_SIZE];
    char head[DEMO_HEAD_SIZE + 1];
};

void demo_client_init(struct demo_client *client, uint32_t number);
void demo_client_fini(struct demo_client *client);
/* Starts sending client->request (client->len bytes); connects when needed. False when it cannot
 * connect. */
bool demo_client_start(struct demo_client *client, const struct sockaddr_in *server);
/* The poll events that the client waits for. */
short demo_client_events(const struct demo_client *client);
/* Moves on after poll; after DEMO_ANSWERED and DEMO_FAILED the client is idle. */
enum demo_progress demo_client_step(struct demo_client *client, const struct sockaddr_in *server);

#endif
