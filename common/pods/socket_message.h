/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel's sock_diag tells of sockets, out of the bytes of its netlink messages. */
#ifndef GUARD_COMMON_PODS_SOCKET_MESSAGE_H
#define GUARD_COMMON_PODS_SOCKET_MESSAGE_H

#include <guard/types.h>

struct socket_end {
    uint8_t address[16];
    uint16_t port;
};

struct socket_told {
    uint64_t cookie; /* of the socket, never used again */
    struct socket_end local, remote;
    uint8_t address_len; /* 4 or 16; mapped addresses of the fourth version are 4 */
    uint8_t transport;   /* IP protocol number; 0: not said */
    bool listens;
    bool has_bytes;
    uint64_t bytes_out, bytes_in; /* acknowledged by the peer, received */
    uint32_t user;
    uint32_t sequence; /* of the request that this answers; set for every kind of message */
};

enum socket_message {
    SOCKET_END,     /* nothing is left */
    SOCKET_TOLD,    /* *out is filled in */
    SOCKET_OTHER,   /* passed over */
    SOCKET_DONE,    /* the last of an answer */
    SOCKET_REFUSED, /* the request */
    SOCKET_BAD,     /* lengths don't fit: the rest can't be read */
};

/* Takes the first message off bytes, which may be of anybody. transport: of what was asked for, as
 * answers don't say it; of those that aren't answers the message says it. */
enum socket_message socket_message_next(struct guard_span *bytes, uint8_t transport,
                                        struct socket_told *out);
bool socket_end_is_any(const struct socket_told *told, const struct socket_end *end);
/* The pod talks with itself: a loopback address, or its own. */
bool socket_is_inside(const struct socket_told *told);

#endif
