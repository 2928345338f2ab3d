/* SPDX-License-Identifier: Apache-2.0 */
/* Sends exchanges' requests to a server on loopback and reads the status: a client that sends what
 * the exchange holds, odd as it may be. */
#ifndef GUARD_CLI_EVAL_WIRE_H
#define GUARD_CLI_EVAL_WIRE_H

#include <guard/exchange.h>

struct eval_wire {
    int socket; /* -1: none */
    unsigned port;
};

/* A port of loopback that nobody uses now; 0 when there is none. */
unsigned eval_wire_free_port(void);
/* False when nobody listens. */
bool eval_wire_open(struct eval_wire *wire, unsigned port);
void eval_wire_close(struct eval_wire *wire);
/* The status of the answer, 0 when there is none. Opens the connection anew when the server closed
 * it. */
unsigned eval_wire_ask(struct eval_wire *wire, const struct guard_exchange *exchange);

#endif
