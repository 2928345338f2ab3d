/* SPDX-License-Identifier: Apache-2.0 */
/* What people decide of single clients: whom not to block by how they behave, and whom to block for
 * a while. clients/SERVICE.lifts in the state directory, which guardd follows. */
#ifndef GUARD_COMMON_LIFTS_H
#define GUARD_COMMON_LIFTS_H

#include "common/changes.h"
#include "common/document.h"

enum { LIFT_SECONDS_MAX = 90 * 86400, LIFTS_MAX = 256 };
enum { BLOCK_SECONDS_MAX = 30 * 86400, BLOCKS_MAX = 256 };

/* A client that a person blocked, as the file says it. */
enum { BLOCK_WHY_CAP = 320, BLOCK_NAME_CAP = 64 };
struct client_block {
    char client[BLOCK_NAME_CAP]; /* as client_name_of_one writes it */
    char why[BLOCK_WHY_CAP];     /* for people: who did it, and the reason */
    uint64_t since_ms;
    uint64_t until_ms;
};
/* Those of the file's list "blocks" (NULL: none) that end after now_ms and within
 * BLOCK_SECONDS_MAX, most at most; returns how many. *refused: how many weren't taken, as they name
 * nobody or too many, or never end. Hostile input. */
uint32_t blocks_read(const struct document_node *list, uint64_t now_ms, struct client_block *out,
                     uint32_t most, uint32_t *refused);

/* The caller of each holds the lock of the folder "clients" (change_lock). What is over goes out of
 * the file. Audited first. GUARD_E_RANGE, GUARD_E_LIMIT (the reasons are too long), GUARD_E_IO,
 * GUARD_E_NOMEM. */

/* The client, as client_name writes it, isn't blocked for so long, neither by how it behaves nor by
 * a person up to now. The oldest lift goes when there are too many. */
GUARD_MUST_USE enum guard_rc change_lift(const struct change *change, const char *client,
                                         unsigned long seconds, struct guard_err *err);
/* The client, as client_name_of_one writes it, is blocked for so long; what lifted it before ends.
 * GUARD_E_LIMIT, too, when BLOCKS_MAX others are; GUARD_E_SYNTAX when the file can't be read: what
 * it said of others isn't thrown away. dry: only what can be wrong. */
GUARD_MUST_USE enum guard_rc change_block(const struct change *change, const char *client,
                                          unsigned long seconds, bool dry, struct guard_err *err);
/* Ends that. GUARD_E_STATE: no person blocked it. */
GUARD_MUST_USE enum guard_rc change_block_end(const struct change *change, const char *client,
                                              struct guard_err *err);

#endif
