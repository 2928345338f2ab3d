/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory that gates, guardd and the command line share, and the names in it:
 *   rings/<producer>.ring    features of exchanges, one file per worker slot, written by the gate
 * only rings/<producer>.alerts  findings, JSON texts in the same ring form
 *   rings/<id>.counts        what a gate counts, for guardd's metrics
 *   policies/<service>.policy  signed policies, written by guardd only
 *   bypass/<service>.json      a bypass in force: {"until_ms":…,"reason":…,"by":…}; works without
 * guardd
 *   withdrawn/<service>.json   the same form: the service answers nobody until then
 *   rollback/<service>.json    a rollback in force: {"generation":…,"until_ms":…,"reason":…,"by":…}
 *   reviews/<service>.json     what people accepted and refused of what is learned; by the command
 * line guardians/<service>.yaml   Guardian documents, written by people and the command line
 *   outputs/<output>.json      how far an output of outputs.yaml is; by guardd
 *   keys/policy.pub, keys/policy.key   Ed25519; the secret is readable by guardd only
 *   piles/<service>.pile, guard.db, status.json, alerts.jsonl, alerts.open, audit.jsonl   written
 * by guardd (audit: and the command line) spool/s.<service>/FIRST-LAST   what is to be reported to
 * a parent; spool/refused what it refused verdicts/<service>.table   signed verdicts on clients,
 * for gates, written by guardd only clients/<service>.json, clients/<service>.norm   the same for
 * people, and what clients usually do; by guardd. clients/<service>.lifts   clients that people
 * don't want to be blocked, by the command line
 *   pods/<service>.decisions   what people decided of what its pods do; by the command line and the
 * API. pods/<service>.json the same and what they do, for people; by guardd. pods/<sensor>.pods
 * from sensors; pods/orders, pods/reports, pods/given: common/pods/orders.h patterns/patterns.db
 * all patterns of all patches, for gates; written by guardd only keys/node.pub, keys/node.key
 * Ed25519; what signs that file, and never leaves the node */
#ifndef GUARD_COMMON_STATE_H
#define GUARD_COMMON_STATE_H

#include <guard/types.h>

/* While this file is in the state directory gates are to lose their clients, since who runs them
 * ends soon. By `guard run`. */
#define STATE_DRAINING "draining"

enum { STATE_PATH_MAX = 1024, STATE_SERVICE_MAX = 64, STATE_REVISION_MAX = 64 };

/* A service's name is a file's name: letters, digits, '.', '_', '-', not starting with '.', 1..64
 * bytes. */
bool state_service_valid(struct guard_span service);
/* A revision of a service, as an operator calls it: 1..64 letters, digits and "._-:+/@". */
bool state_revision_valid(struct guard_span revision);
/* "<dir>/<folder>/<service><suffix>"; folder and suffix may be "". GUARD_E_RANGE for a bad service,
 * GUARD_E_LIMIT when it doesn't fit. service.len == 0 leaves the name out. */
GUARD_MUST_USE enum guard_rc state_path(char out[STATE_PATH_MAX], const char *dir,
                                        const char *folder, struct guard_span service,
                                        const char *suffix);
/* Makes the directory and its folders (0750) as far as they don't exist. */
GUARD_MUST_USE enum guard_rc state_prepare(const char *dir, struct guard_err *err);

#endif
