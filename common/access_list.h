/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use guardd's API besides its own user: STATE/access.json, which the command line writes
 * and guardd reads. An entry is a token, or the subject of a client certificate that nginx
 * verified, with a role and the services that are theirs. */
#ifndef GUARD_COMMON_ACCESS_LIST_H
#define GUARD_COMMON_ACCESS_LIST_H

#include "common/secret.h"

#include <guard/types.h>

#define ACCESS_FILE "access.json"

enum {
    ACCESS_ENTRIES_MAX = 2048,
    ACCESS_NAME_MAX = 64,     /* as of services */
    ACCESS_SERVICES_MAX = 16, /* patterns of one entry */
    ACCESS_PATTERN_CAP = 65,
    ACCESS_SUBJECT_MAX = 256,
    ACCESS_REASON_MAX = 256,
};

enum api_role {
    API_ROLE_NONE, /* nothing is allowed */
    API_ROLE_VIEWER,
    API_ROLE_OPERATOR,
    API_ROLE_ADMIN,
    API_ROLE_REPORTER, /* an agent */
    API_ROLE_FRONT,    /* nginx: what it says of verified subjects is believed, nothing else */
    API_ROLE_LOCAL,    /* guardd's own user, or root, at the local door: everything; in no file */
    API_ROLES,
};

struct access_entry {
    const char *name; /* unique, as a service's */
    enum api_role role;
    /* What services' names must match one of, with '*' for any run of characters; none: all. */
    const char *services[ACCESS_SERVICES_MAX];
    uint32_t service_count;
    const char *subject; /* "" of tokens, which have id and hash instead */
    const char *id;
    const char *hash;
    uint64_t created_ms;
    uint64_t expires_ms; /* 0: never */
    uint32_t place;      /* in the file */
};

struct access_list {
    struct access_entry *entries; /* in the arena, as all of it */
    uint32_t count;
    struct guard_arena arena;
};

/* "viewer", ...; "" for none. */
const char *access_role_name(enum api_role role);
/* API_ROLE_NONE when no entry can have it. */
enum api_role access_role(const char *name);
/* Letters, digits, '.', '_', '-' and '*'. */
bool access_pattern_valid(struct guard_span pattern);
/* What is wrong with an entry's parts together, NULL: nothing. */
const char *access_entry_fault(const struct access_entry *entry);

/* bytes are borrowed for the call; name is what messages begin with. access_list_free in any case.
 * Errors as document_parse's, with name, line and column. */
GUARD_MUST_USE enum guard_rc access_list_parse(struct access_list *list, const char *name,
                                               struct guard_span bytes, struct guard_err *err);
/* Of a state directory; an absent file is an empty list. */
GUARD_MUST_USE enum guard_rc access_list_load(struct access_list *list, const char *dir,
                                              struct guard_err *err);
void access_list_free(struct access_list *list);
/* Replaces the file, readable by the directory's owner alone. GUARD_E_LIMIT: too many or too large.
 */
GUARD_MUST_USE enum guard_rc access_list_save(const struct access_list *list, const char *dir,
                                              struct guard_err *err);

#endif
