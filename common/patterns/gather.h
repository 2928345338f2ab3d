/* SPDX-License-Identifier: Apache-2.0 */
/* The patterns that a database has to know, from patches as documents have them: every text and
 * every expression that a condition looks for. What libguard asks for is among them. */
#ifndef GUARD_COMMON_PATTERNS_GATHER_H
#define GUARD_COMMON_PATTERNS_GATHER_H

#include <guard/patch.h>

/* Zeroed: empty. */
struct pattern_list {
    struct guard_pattern *list;
    size_t count;
    size_t room;
};

/* Adds those of the patches that aren't off; texts stay the patches'. GUARD_E_NOMEM; GUARD_E_LIMIT:
 * more than a database may have. */
GUARD_MUST_USE enum guard_rc patterns_gather(struct pattern_list *list,
                                             const struct guard_patch *patches, uint32_t count);
void pattern_list_free(struct pattern_list *list);

#endif
