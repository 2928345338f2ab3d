/* SPDX-License-Identifier: Apache-2.0 */
/* Servers by name, kept in the user's contexts.yaml: where they are and by which files the user is
 * known there. Secrets themselves are never in it. */
#ifndef GUARD_CLI_CONTEXTS_H
#define GUARD_CLI_CONTEXTS_H

#include <guard/types.h>

enum { CONTEXTS_MAX = 64, CONTEXT_NAME_MAX = 64, CONTEXT_TEXT_MAX = 1024 };

struct context {
    char name[CONTEXT_NAME_MAX + 1];
    char server[CONTEXT_TEXT_MAX];
    char token_file[CONTEXT_TEXT_MAX]; /* these: "" for none */
    char ca[CONTEXT_TEXT_MAX];
    char cert[CONTEXT_TEXT_MAX];
    char key[CONTEXT_TEXT_MAX];
    bool insecure_http;
};

struct contexts {
    struct context list[CONTEXTS_MAX];
    uint32_t count;
    char current[CONTEXT_NAME_MAX + 1]; /* "": none */
    char path[CONTEXT_TEXT_MAX];
};

/* Reads $XDG_CONFIG_HOME/guard/contexts.yaml, else that below ~/.config; none at all is no failure.
 * False after a message that names file:line:column. */
bool contexts_read(struct contexts *out);
/* NULL after a message: there is none of this name. */
struct context *context_find(struct contexts *contexts, const char *name);

#endif
