/* SPDX-License-Identifier: Apache-2.0 */
/* The pod's sockets as its network namespace tells everybody in it: those that there are, and each
 * that ends, however short it lived. No capability is needed. */
#ifndef GUARDD_PODS_SENSE_SOCKETS_H
#define GUARDD_PODS_SENSE_SOCKETS_H

#include "common/pods/socket_message.h"

enum { SENSE_OWN_MAX = 32 };

struct sense_sockets {
    int ended; /* multicast */
    int asking;
    uint32_t asked; /* sequence number of the last request */
    uint64_t
        overruns; /* times the kernel had no room for what it told: at least so many are lost */
    struct {
        uint8_t address[16];
        uint8_t len; /* 4 or 16 */
    } own[SENSE_OWN_MAX];
    uint32_t own_count;
};

typedef void sense_socket_handler(void *ctx, const struct socket_told *told);

/* GUARD_E_IO: the kernel has no sock_diag, or doesn't let us. */
GUARD_MUST_USE enum guard_rc sense_sockets_open(struct sense_sockets *sockets,
                                                struct guard_err *err);
void sense_sockets_close(struct sense_sockets *sockets);
/* Hands over those that ended since, a bounded number. */
void sense_sockets_ended(struct sense_sockets *sockets, sense_socket_handler *handler, void *ctx);
/* Those of a transport that there are: listening ones only, or those with a peer. GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc sense_sockets_list(struct sense_sockets *sockets, uint8_t transport,
                                                bool listening, sense_socket_handler *handler,
                                                void *ctx);
/* Looks what addresses the namespace has now. */
void sense_sockets_look_at_own(struct sense_sockets *sockets);
/* The peer is the pod itself: of connections that were reset the kernel has forgotten the local
 * address, so it is asked by that of the peer. */
bool sense_sockets_is_own(const struct sense_sockets *sockets, const struct socket_told *told);

#endif
