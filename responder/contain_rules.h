/* SPDX-License-Identifier: Apache-2.0 */
/* What the responder and its programs in the kernel share. Plain numbers in the network's order
 * where the kernel has them so. */
#ifndef RESPONDER_CONTAIN_RULES_H
#define RESPONDER_CONTAIN_RULES_H

enum { CONTAIN_ALLOW_MAX = 32, CONTAIN_GROUPS_MAX = 16, CONTAIN_LEVELS = 24 };

/* A destination that stays open: the bits of mask, and the port unless it is 0. IPv4 as
 * ::ffff:a.b.c.d. */
struct contain_allow {
    unsigned int address[4]; /* network order */
    unsigned int mask[4];
    unsigned int port; /* network order, as the kernel hands it over */
    unsigned int used;
};

/* Of one contained group. */
struct contain_counts {
    unsigned long long denied; /* connections, datagrams, sockets of other kinds */
    unsigned long long killed; /* programs that were started */
};

#endif
