/* SPDX-License-Identifier: Apache-2.0 */
/* Takes in what gates wrote into their rings. */
#ifndef GUARDD_INTAKE_H
#define GUARDD_INTAKE_H

#include "alerts.h"
#include "service.h"

#include "common/ring.h"

enum { RINGS_MAX = 512, RING_NAME_CAP = 128 };

struct intake_ring {
    char name[RING_NAME_CAP]; /* the file's */
    struct ring_reader *reader;
    bool alerts;
    uint64_t incarnation; /* of the last record taken in */
    uint64_t sequence;
    bool dirty;       /* the position differs from the stored one */
    uint64_t held_ms; /* its next record can't be taken since; 0: it isn't so */
};

struct intake {
    const char *state;
    struct store *store;
    struct services *services;
    struct alerts *alerts;
    struct intake_ring list[RINGS_MAX];
    uint32_t count;
    bool waiting;                /* for the store to say how far a ring was read */
    bool caught_up;              /* what was in the rings at the start was read */
    uint32_t first;              /* where reading goes on when time ran out */
    char refused[RING_NAME_CAP]; /* the last file of another version that was told */
};

/* Opens rings that appeared, closes those that are gone. */
void intake_scan(struct intake *intake);
/* Takes in what is there, at most max records and for about so long; true when there may be more.
 */
bool intake_read(struct intake *intake, uint32_t max, uint32_t budget_ms);
/* Saves the positions (inside the caller's transaction). */
GUARD_MUST_USE enum guard_rc intake_save(struct intake *intake, struct guard_err *err);
void intake_saved(struct intake *intake);
/* Saves what is known of alerts, with or without a store. */
void intake_keep_alerts(struct intake *intake);
/* Sums over all rings of records (not alerts). */
void intake_stats(const struct intake *intake, struct ring_reader_stats *out);
void intake_close(struct intake *intake);

#endif
