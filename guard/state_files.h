/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory as the operator's commands use it: without guardd and without any API. */
#ifndef GUARD_CLI_STATE_FILES_H
#define GUARD_CLI_STATE_FILES_H

#include "common/changes.h"
#include "common/document_members.h"
#include "common/json_writer.h"
#include "common/state.h"

#include <guard/guardian.h>

/* --state, else $GUARD_STATE, else /var/lib/guard. */
const char *state_dir(const char *option);
/* Parses a JSON file of the state directory into the arena. False after a message (none when it is
 * absent and quiet is set). */
bool state_document(const char *path, struct guard_arena *arena, struct document *out, bool quiet);
/* Calls found with the name of every service that has a Guardian, a pile or a policy, each once and
 * in order; at most 1024. */
void state_services(const char *dir, void (*found)(void *ctx, const char *name), void *ctx);
/* Whether the service is one of them or force is set; else says which there are. */
bool state_service_known(const char *dir, struct guard_span service, bool force);
/* The service's Guardian; the built-in default when there is no document yet. False after a
 * message. */
bool state_guardian(const char *dir, struct guard_span service, struct guard_arena *arena,
                    struct guard_guardian *out);
bool state_guardian_save(const char *dir, const struct guard_guardian *guardian,
                         struct guard_arena *arena);
/* One line of audit.jsonl: who (the user's name), what, why. False after a message. */
bool state_audit(const char *dir, struct guard_span service, const char *action, const char *before,
                 const char *after, const char *reason);
/* Whatever the caller's umask is: workers and guardd read by their group what is written from here
 * on, and nobody else does. */
void state_share(void);
/* What a change by this command's user is: for the functions of common/changes.h. False after a
 * message: no service has such a name. */
struct state_change {
    char user[CHANGE_BY_MAX];
    struct change change;
};
bool state_change(struct state_change *out, const char *dir, struct guard_span service,
                  const char *reason);
/* Whether the guardd of the directory learns, so that what people decide in it has an effect. False
 * after a message that names the parent of one that doesn't. */
bool state_learns(const char *dir);
/* change_lock that waits, where state_learns is true. False after a message. */
bool state_lock(int *out, const char *dir, const char *folder);
/* The user's name for audits: $SUDO_USER, else the account's, else its number. */
void user_name(char *out, size_t cap);

#endif
