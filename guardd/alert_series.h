/* SPDX-License-Identifier: Apache-2.0 */
/* Series of alerts that go on, and how far the rings of alerts were read, in one file that is
 * replaced whole: so a kill neither loses what was folded and not told yet, nor tells it twice. */
#ifndef GUARDD_ALERT_SERIES_H
#define GUARDD_ALERT_SERIES_H

#include "alerts.h"

/* Goes on from STATE/alerts.open: what the log has of later is known by the numbers of its lines,
 * and is left out when the rings tell it again. */
void alerts_restore(struct alerts *alerts, const char *state);
/* Writes it when anything changed. What can't be written is told once, and tried again. */
void alerts_save(struct alerts *alerts, const char *state);

/* How far a ring was read. Of ALERT_POSITIONS_MAX that are known no more is taken. */
void alerts_note_position(struct alerts *alerts, const char *ring, uint64_t incarnation,
                          uint64_t sequence);
/* False: it isn't known. */
bool alerts_position(const struct alerts *alerts, const char *ring, uint64_t *incarnation,
                     uint64_t *sequence);
/* A ring that is gone. */
void alerts_forget_position(struct alerts *alerts, const char *ring);
/* All of them, and their memory; after the last saving. */
void alerts_forget_positions(struct alerts *alerts);

#endif
