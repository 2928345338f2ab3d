/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `guard run`: settings, nginx's configuration, children. */
#ifndef GUARD_CLI_RUN_H
#define GUARD_CLI_RUN_H

#include "console.h"
#include "egress.h"
#include "sidecar.h"

#include <sys/types.h>

struct run_settings {
    const char *upstream; /* "http://host:port" */
    const char *listen;   /* "127.0.0.1:8080" */
    const char *service;
    const char *user;           /* of nginx's workers when we are root */
    const char *trust;          /* CIDR whose X-Forwarded-For is believed; NULL = nobody's */
    const char *workers;        /* "auto" or a number */
    const char *revision;       /* as of guard_revision; NULL = undeclared */
    const char *access_log;     /* a file; NULL = off */
    char state[STATE_PATH_MAX]; /* absolute */
    char nginx[STATE_PATH_MAX];
    char guardd[STATE_PATH_MAX];
    char module[STATE_PATH_MAX];
    struct egress egress; /* count 0: none */
    struct console console;
    struct sidecar sidecar;
};

/* Writes <state>/nginx/nginx.conf with all of nginx's paths below it. Settings were validated
 * before. False after a message. */
bool nginx_conf_write(const struct run_settings *settings, char path[STATE_PATH_MAX]);

struct child {
    const char *name;
    pid_t pid; /* 0 = not running */
    uint64_t started_ms;
    uint64_t retry_ms; /* not before; 0 = at once */
    uint32_t failures; /* in a row */
};

/* Starts argv[0] as a child that gets SIGTERM when we die. False after a message. */
bool child_start(struct child *child, char *const argv[]);
/* True once it has ended; its status is taken. */
bool child_ended(const struct child *child);
/* Sends the signal, waits at most grace_ms, then kills. */
void child_stop(struct child *child, int signal, uint64_t grace_ms);

#endif
