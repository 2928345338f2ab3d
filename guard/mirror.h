/* SPDX-License-Identifier: Apache-2.0 */
/* What a server has, as files of a private directory that looks like a state directory and is gone
 * when the command ends: so that what reads a state directory says the same of a server. */
#ifndef GUARD_CLI_MIRROR_H
#define GUARD_CLI_MIRROR_H

#include "remote.h"

enum {
    MIRROR_STATUS = 1,
    MIRROR_ALERTS = 2,
    MIRROR_TRIAGE = 4,
    MIRROR_GUARDIAN = 8,
    MIRROR_REVIEW = 16,
    MIRROR_PILE = 32,    /* it must be there */
    MIRROR_LEARNED = 64, /* a pile, if there is one */
    MIRROR_CLIENTS = 128,
    MIRROR_AUDIT = 256,
};

/* Where a command finds what it reads: its state directory, or a mirror of those parts, of the
 * service, or for NULL of all that are the asker's; of alerts, for id only those that name it.
 * place: what remote_open said. NULL after a message. */
const char *mirror_or_state(const struct remote *place, const char *state, unsigned parts,
                            const char *service, const char *id);

/* Calls take with each alert that is kept, oldest first. NULL filters count for nothing. newest
 * (may be NULL): the Last-Event-ID from which a stream goes on. False after a message. */
enum { MIRROR_ID_CAP = 96 };
bool mirror_alerts(const struct remote *remote, const char *service, const char *id,
                   bool (*take)(void *ctx, struct guard_span line), void *ctx,
                   char newest[MIRROR_ID_CAP]);

#endif
