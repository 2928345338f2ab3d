/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `guard patch`, each in a file of its own, and the options that they share. */
#ifndef GUARD_CLI_PATCH_VERBS_H
#define GUARD_CLI_PATCH_VERBS_H

#include "command.h"
#include "remote.h"

#include "common/patch_changes.h"

/* Indices of the options in arguments->values. */
enum {
    PATCH_SERVICE,
    PATCH_STATE,
    PATCH_REASON,
    PATCH_AUTHOR,
    PATCH_DRY_RUN,
    PATCH_REPLACE,
    PATCH_FORCE,
    PATCH_FORMAT,
    PATCH_SHIPPED,
    PATCH_ADD_THEM,
    PATCH_WIDER,
    PATCH_SUMMARY,
    PATCH_FROM_GUARDIAN,
    PATCH_FROM_PILE,
    PATCH_FROM_TRAFFIC,
    PATCH_FROM_ID,
    PATCH_FROM_TITLE,
    PATCH_EXPECT,
    PATCH_SERVER, /* the first of REMOTE_OPTIONS, which are the last */
};

/* What a verb works with; operands are those behind the verb. */
struct patch_call {
    const struct arguments *arguments;
    int count;
    char **operands;
    struct guard_span service; /* ptr NULL: none was said */
    const char *dir;           /* the state directory */
    struct remote remote;      /* server NULL: files are meant */
    bool json;                 /* --format json */
    struct guard_arena *arena; /* of PATCH_CHANGE_ARENA */
};

struct patch_verb_entry {
    const char *name;
    const char *operands; /* for the help */
    int least;            /* operands */
    int most;             /* -1: any number */
    bool of_service;      /* --service is needed */
    bool files_only;      /* isn't done by a server */
    int (*run)(const struct patch_call *call);
};

/* Each prints what it did or a message, and returns an exit status. */
int patch_list(const struct patch_call *call);
int patch_show(const struct patch_call *call);
int patch_add(const struct patch_call *call);
int patch_from(const struct patch_call *call);
int patch_enable(const struct patch_call *call);
int patch_shadow(const struct patch_call *call);
int patch_disable(const struct patch_call *call);
int patch_remove(const struct patch_call *call);
int patch_report(const struct patch_call *call);
int patch_import(const struct patch_call *call);
/* Adds patches that are at hand to the service's Guardian, in files or by a server, as patch_add
 * does those of a file, and says so. */
int patch_add_list(const struct patch_call *call, struct patch_list *list);
int patch_for(const struct patch_call *call);
int patch_shipped(const struct patch_call *call);
int patch_test(const struct patch_call *call);

/* "/services/SERVICE/patches" and what follows it; false after a message. */
bool patch_path(const struct patch_call *call, const char *id, const char *query, char *out,
                size_t cap);
/* Calls take with each patch that the server has, as its answer shows it; false after a message, or
 * when take returned so. */
bool patch_pages(const struct patch_call *call,
                 bool (*take)(const struct patch_call *call, const struct document_node *patch,
                              void *ctx),
                 void *ctx, uint32_t *count);
/* The service's patch of that id, of its Guardian's file or by a server, in the call's arena; false
 * after a message. */
bool patch_fetch(const struct patch_call *call, const char *id, struct patch_list *out);
/* Whether a text can be a patch's id; false after a message. */
bool patch_id_good(const char *id);

#endif
