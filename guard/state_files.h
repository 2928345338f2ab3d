/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory as the operator's commands use it: without guardd and without any API. */
#ifndef GUARD_CLI_STATE_FILES_H
#define GUARD_CLI_STATE_FILES_H

#include "common/document.h"
#include "common/json_writer.h"
#include "common/state.h"

#include <guard/guardian.h>

/* --state, else $GUARD_STATE, else /var/lib/guard. */
const char *state_dir(const char *option);
/* Parses a JSON file of the state directory into the arena. False after a message (none when it is
 * absent and quiet is set). */
bool state_document(const char *path, struct guard_arena *arena, struct document *out, bool quiet);
/* A member of a mapping, NULL when absent. */
const struct document_node *member_of(const struct document_node *mapping, const char *name);
/* Its text, "" when absent or no scalar. */
const char *text_of(const struct document_node *mapping, const char *name);
double number_of(const struct document_node *mapping, const char *name);
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
/* A line that tells what a person did or said: when and who come first, then what the caller writes
 * into json, then it is appended to a file of the state directory in one write. */
struct state_line {
    struct json_writer json;
    char text[4096];
};
void state_line_begin(struct state_line *line);
/* False after a message. */
bool state_line_append(struct state_line *line, const char *dir, const char *file);
/* The user's name for audits: $SUDO_USER, else the account's, else its number. */
void user_name(char *out, size_t cap);

#endif
