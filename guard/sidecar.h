/* SPDX-License-Identifier: Apache-2.0 */
/* What `guard run` does beside an application in its pod: further ports, probes that are never
 * learned, a Guardian from a mounted file, a parent that learns, an end that waits for who still
 * comes. */
#ifndef GUARD_CLI_SIDECAR_H
#define GUARD_CLI_SIDECAR_H

#include "command.h"
#include "common/state.h"

#include <sys/stat.h>

enum { ALSO_MAX = 8, ADDRESS_CAP = 300, SIDECAR_DAEMON_ARGS = 16 };

struct sidecar_options { /* by their index in the table */
    int also;
    int drain;
    int probe;
    int guardian;
    int parent;
    int parent_token;
    int parent_ca;
    int policy_key;
    int pod;
    int pod_sensor;
};

struct sidecar {
    struct {
        char listen[ADDRESS_CAP];
        char upstream[ADDRESS_CAP]; /* http://host:port */
    } also[ALSO_MAX];
    int also_count;
    uint64_t drain_ms;
    const char *probe;    /* a path; NULL: none */
    const char *guardian; /* a file; NULL: none */
    const char *parent;   /* NULL: this guardd learns */
    const char *parent_token;
    const char *parent_ca;
    const char *policy_key;
    const char *pod;        /* "NAMESPACE/POD/UID"; NULL: not said */
    const char *pod_sensor; /* as guardd takes it; NULL: the pod isn't watched */
    char follow[192];       /* the services of this gate, for guardd to ask a parent for at once */
    struct stat seen;       /* of the Guardian's file */
};

/* False after a message. */
bool sidecar_read(struct sidecar *out, const struct arguments *arguments,
                  const struct sidecar_options *options);
/* "http://host:port" or "https://host:port", and nothing behind it. */
bool sidecar_is_upstream(const char *text);
/* Which services the gate will have; the second one may be NULL. */
void sidecar_follow(struct sidecar *sidecar, const char *service, const char *outbound);
/* Adds guardd's options to argv, which has room for SIDECAR_DAEMON_ARGS and the NULL. */
void sidecar_daemon_arguments(const struct sidecar *sidecar, char **argv, int count);
/* Takes the file over as the service's Guardian, with that mode when it isn't NULL. False after a
 * message. */
bool sidecar_guardian(struct sidecar *sidecar, const char *state, const char *service,
                      const char *mode);
/* The same when the file has become another one; what is wrong with it is told once, and the last
 * good one stays. */
void sidecar_watch(struct sidecar *sidecar, const char *state, const char *service,
                   const char *mode);

#endif
