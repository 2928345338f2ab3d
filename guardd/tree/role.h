/* SPDX-License-Identifier: Apache-2.0 */
/* What a guardd is in the tree of learners, and how it was told so. docs/adr/0013-tree.md */
#ifndef GUARDD_TREE_ROLE_H
#define GUARDD_TREE_ROLE_H

#include <guard/types.h>

enum tree_role {
    TREE_STANDALONE, /* learns from the rings beside it, for the gates beside it */
    TREE_AGENT,      /* reads rings, neither learns nor signs: its parent does */
    TREE_AGGREGATOR, /* merges what its children send, and passes it on */
    TREE_NODE,       /* passes on what a node's sensors tell of its pods, and nothing else */
    TREE_SERVICE,    /* the root: a standalone that takes in what agents send */
};

enum {
    TREE_REPORT_MS = 60000,
    TREE_REPORT_MIN_MS = 1000,
    TREE_YOUNG_MS = 5000, /* between reports while the service is young at the root */
    TREE_SPOOL_MIN = 1 << 20,
    TREE_FOLLOW_MAX = 64, /* services that are named before a gate names them */
};
#define TREE_SPOOL_BYTES ((uint64_t)64 << 20)

struct tree_cfg {
    enum tree_role role;
    /* NULL, 0: not given. */
    const char *parent;
    const char *parent_token;
    const char *parent_ca;
    const char *policy_key;
    const char *whole_piles;
    const char *follow;
    uint64_t report_ms;
    uint64_t spool_bytes;
};

const char *tree_role_name(enum tree_role role);
/* False: there is none of that name. */
bool tree_role_read(const char *name, enum tree_role *out);
static inline bool tree_has_parent(enum tree_role role)
{
    return role == TREE_AGENT || role == TREE_AGGREGATOR || role == TREE_NODE;
}
/* Whether gates stand beside it, or below: it has services, and what they need. */
static inline bool tree_has_services(enum tree_role role)
{
    return role != TREE_NODE;
}
static inline bool tree_has_children(enum tree_role role)
{
    return role == TREE_AGGREGATOR || role == TREE_SERVICE;
}
/* Fills in what wasn't given. GUARD_E_RANGE for what makes no sense together; err names the
 * option. */
GUARD_MUST_USE enum guard_rc tree_check(struct tree_cfg *cfg, bool api_off, struct guard_err *err);
/* The next name of such a list from *at on, which is moved behind it; false: there is none. */
bool tree_next_listed(const char **at, struct guard_span *out);
/* Whether the list (names separated by commas, "*" is all) has the name. */
bool tree_listed(const char *list, const char *name);

#endif
