/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and what they may do: each operation of the API needs one right, each role has some of
 * them, and what belongs to a service is there only for those to whom the service is. */
#ifndef GUARDD_API_ACCESS_H
#define GUARDD_API_ACCESS_H

#include "common/access_list.h"
#include "common/document.h"

/* What an operation needs; a column of the table of routes. */
enum api_right {
    API_RIGHT_NONE,       /* an operation that has none isn't served */
    API_RIGHT_READ,       /* what guardd is and how its services are set */
    API_RIGHT_EVIDENCE,   /* what clients did: each look is audited */
    API_RIGHT_OPERATE,    /* modes, bypasses, rollbacks, reviews, triage */
    API_RIGHT_ADMINISTER, /* Guardians as a whole, and the audit */
    API_RIGHT_REPORT,     /* what agents send and fetch */
    API_RIGHTS,
};

enum { ACCESS_NODE_CAP = 254 };

struct api_access {
    enum api_role role;
    char name[ACCESS_NAME_MAX + 1]; /* of the entry; "" at the local door */
    char id[SECRET_ID_LEN + 1];     /* of the token, "" of a subject */
    char subject[ACCESS_SUBJECT_MAX + 1];
    /* What services' names must match one of, with '*' for any run of characters; none: all. */
    char services[ACCESS_SERVICES_MAX][ACCESS_PATTERN_CAP];
    uint32_t service_count;
    char node[ACCESS_NODE_CAP]; /* an agent's that speaks for the pods there; "" */
    uint64_t session;           /* of a browser; 0: none */
    bool by_code;               /* let in by one that is used up */
    uint64_t until_ms; /* a cluster's user: what it said counts until then, monotonic; 0: none */
};

/* "read", "evidence", ...; "" for none. */
const char *api_right_name(enum api_right right);
/* Whether somebody of that role may do what needs the right, of services that are theirs. */
bool api_role_has(enum api_role role, enum api_right right);
/* Whether the service is theirs. What is of no service (name "") is only for those to whom all are.
 */
bool api_access_covers(const struct api_access *access, struct guard_span service);
/* The same of a line of a log, by its member "service". */
bool api_access_covers_line(const struct api_access *access, const struct document_node *line);
/* Whether all services are. */
bool api_access_unbound(const struct api_access *access);

#endif
