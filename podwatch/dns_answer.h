/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of DNS says: the name that was asked for, and its addresses. */
#ifndef PODWATCH_DNS_ANSWER_H
#define PODWATCH_DNS_ANSWER_H

#include <guard/types.h>

enum {
    DNS_NAME_MAX = 253,     /* bytes, without a dot at its end */
    DNS_ADDRESSES_MAX = 32, /* of one answer; more are passed over */
    DNS_ALIASES_MAX = 16,   /* from the name to its addresses */
};

struct dns_address {
    uint8_t bytes[16];
    uint8_t len;  /* 4, 16 */
    uint32_t ttl; /* seconds, of the address and all aliases before it the lowest */
};

struct dns_answer {
    char name[DNS_NAME_MAX + 1]; /* lower case; letters, digits, "-", "_" and "." */
    uint32_t count;
    struct dns_address addresses[DNS_ADDRESSES_MAX];
};

/* Hostile bytes. Addresses are the question's, or of whom it is an alias; whatever else an answer
 * brings along is left out. False: it is no answer to one question for a name's addresses or
 * aliases, it is cut or broken, or its name is no host's. One that says that there is no such name
 * is an answer without addresses. */
bool dns_answer_read(struct dns_answer *out, struct guard_span bytes);

#endif
