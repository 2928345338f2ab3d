/* SPDX-License-Identifier: Apache-2.0 */
/* Which server a command asks, and by what it is known there: read out of options, contexts and
 * variables, and checked before anything is sent. */
#ifndef GUARD_CLI_REMOTE_SERVER_H
#define GUARD_CLI_REMOTE_SERVER_H

#include "contexts.h"

#include "common/kubernetes/token_review.h"

enum { REMOTE_TOKEN_CAP = TOKEN_MAX + 2 }; /* with the end of its line */

struct remote_server {
    struct context place;          /* server, files; server[0] '\0': files are meant */
    char base[CONTEXT_TEXT_MAX];   /* what an HTTP client is opened with */
    char prefix[CONTEXT_TEXT_MAX]; /* before "/api/v1" of each path; "" mostly */
    char token[REMOTE_TOKEN_CAP];  /* "": none */
};

/* Whether it is of a form that can be asked. False after a message. */
bool remote_server_check(struct remote_server *server);
/* values: of the options in remote.h's order; files: --state is given. False after a message: no
 * such form, or files that others may read. */
bool remote_server_find(struct remote_server *out, const char *const *values, bool files);

#endif
