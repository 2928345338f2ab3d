/* SPDX-License-Identifier: Apache-2.0 */
/* The egress side of `guard run`: listeners that a service sends its own calls through. */
#ifndef GUARD_CLI_EGRESS_H
#define GUARD_CLI_EGRESS_H

#include "command.h"
#include "common/state.h"

enum { EGRESS_MAX = 16, EGRESS_HOST_MAX = 256, EGRESS_RESOLVERS_MAX = 256 };

struct egress_listener {
    char listen[EGRESS_HOST_MAX];      /* "127.0.0.1:9101" */
    char destination[EGRESS_HOST_MAX]; /* "payments:8443", as Host says it; "" for a proxy */
    char server[EGRESS_HOST_MAX];      /* the same with its port in any case */
    char name[EGRESS_HOST_MAX];        /* the same without it: what a certificate must name */
    bool tls;
};

struct egress {
    char service[STATE_SERVICE_MAX + 1]; /* "NAME.egress" */
    int count;
    struct egress_listener listeners[EGRESS_MAX];
    const char *allow;                    /* CIDR that may call besides this machine; NULL = none */
    const char *ca;                       /* file of certificates that are trusted */
    const char *trace;                    /* "on", "off", "sampled" */
    char resolvers[EGRESS_RESOLVERS_MAX]; /* for proxies */
};

/* Indexes of the options in their command's table. */
struct egress_options {
    int listener;
    int proxy;
    int allow;
    int ca;
    int trace;
};

/* False after a message. Without any of the options count is 0. */
bool egress_read(struct egress *egress, const struct arguments *arguments,
                 const struct egress_options *options, const char *service);
/* nginx's server blocks; their length, or -1 when they don't fit. */
int egress_conf(const struct egress *egress, char *out, size_t cap);

#endif
