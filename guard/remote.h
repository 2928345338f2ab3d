/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a running guardd by its API instead of its files: `--server unix:PATH` or $GUARD_SERVER.
 */
#ifndef GUARD_CLI_REMOTE_H
#define GUARD_CLI_REMOTE_H

#include "common/document_members.h"
#include "common/json_writer.h"

#define REMOTE_OPTION                                                                              \
    {                                                                                              \
        "server", "unix:PATH", "ask guardd by its API (default $GUARD_SERVER, else the files)"     \
    }

/* The socket's path in *socket, NULL when files are meant. False after a message: no such form. */
bool remote_server(const char *option, const char **socket);

struct remote {
    const char *socket;
    struct guard_arena *arena; /* for answers */
};

/* A JSON body being written; closed by remote_ask. */
struct remote_body {
    struct json_writer json;
    char text[16384];
};
void remote_body(struct remote_body *body);

/* Sends a request below /api/v1 and parses the answer's JSON into the arena; body may be NULL.
 * False after a message: nobody answers, or the problem that guardd tells. text (may be NULL): the
 * answer as it came, in the arena. */
bool remote_ask(const struct remote *remote, const char *method, const char *path,
                struct remote_body *body, struct document *out, struct guard_span *text);
/* The same of "/services/SERVICE" and what follows it. */
bool remote_service(const struct remote *remote, const char *method, struct guard_span service,
                    const char *rest, struct remote_body *body, struct document *out);

#endif
