/* SPDX-License-Identifier: Apache-2.0 */
/* How long things stay that nobody else ends: lines of logs, kept generations, lifts that are over,
 * damaged databases that were put aside. docs/guide/data.md names them all. */
#ifndef GUARDD_RETENTION_H
#define GUARDD_RETENTION_H

#include "service.h"

#define RETENTION_KEEP_MS (UINT64_C(30) * 86400000)
#define RETENTION_KEEP_BYTES (UINT64_C(1) << 30)

struct retention {
    uint64_t keep_ms;
    uint64_t keep_bytes; /* of logs that were rotated and of what was put aside, together */
    uint64_t next_ms;    /* when the next pass begins */
    uint32_t step;
    uint64_t lines, generations, lifts, files; /* that went in this pass */
    bool failing;
};

/* Does a step of a pass that is due; tells what went at its end. */
void retention_tick(struct retention *retention, struct services *services, uint64_t now_ms);

#endif
