/* SPDX-License-Identifier: Apache-2.0 */
/* What people want to be forgotten: a client, or all that was learned of a service. Requests are
 * files in STATE/forget, so that they work on a guardd that runs and on one that is started for
 * them, and survive a kill: whatever was done of them is done again, which changes nothing. */
#ifndef GUARDD_FORGET_H
#define GUARDD_FORGET_H

#include "service.h"

enum { FORGET_ID_CHARS = 16 };

/* One request that is being carried out, a step in each tick. */
struct forgetting {
    char id[FORGET_ID_CHARS + 1];   /* "": none */
    char client[CLIENT_TEXT_CAP];   /* "": all of the service */
    char service[SERVICE_NAME_CAP]; /* "": all services */
    bool generations;               /* and what was kept to go back to */
    bool dry;                       /* only told what would be */
    uint32_t step;
    uint64_t alerts, audits, verdicts, lifts, snapshots, services;
    struct guard_err err; /* of the first step that failed */
};

/* Does a step of a request, or looks for one. True when there may be more to do. */
bool forget_tick(struct forgetting *forgetting, struct services *services);

#endif
