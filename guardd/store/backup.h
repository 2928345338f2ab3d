/* SPDX-License-Identifier: Apache-2.0 */
/* Copies and judges a store beside the guardd that uses it. */
#ifndef GUARDD_STORE_BACKUP_H
#define GUARDD_STORE_BACKUP_H

#include <guard/types.h>

/* The file as it was at one moment, whatever guardd writes meanwhile, into a new file (0600), which
 * is checked. GUARD_E_IO, GUARD_E_CHECKSUM (the copy isn't sound: it is removed). */
GUARD_MUST_USE enum guard_rc sqlite_backup(const char *path, const char *out,
                                           struct guard_err *err);

struct store_health {
    bool sound; /* by the database's own, whole check */
    char trouble[128];
    int64_t version;
    int64_t services;
    int64_t pile_bytes;
    int64_t generations;
    int64_t generation_bytes;
    int64_t file_bytes; /* with what is not checkpointed yet */
};
/* Of a file. GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc sqlite_health(const char *path, struct store_health *out,
                                           struct guard_err *err);

#endif
