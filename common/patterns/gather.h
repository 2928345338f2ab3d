/* SPDX-License-Identifier: Apache-2.0 */
/* The patterns that a database has to know: exactly those that libguard asks for, from patches as
 * documents have them or from policies as they are in force. */
#ifndef GUARD_COMMON_PATTERNS_GATHER_H
#define GUARD_COMMON_PATTERNS_GATHER_H

#include <guard/patch.h>
#include <guard/policy.h>

/* Zeroed: empty. */
struct pattern_list {
    struct guard_pattern *list;
    size_t count;
    size_t room;
    enum guard_rc rc; /* of all that was gathered so far */
};

/* Adds those of the patches that aren't off; texts stay the patches'. GUARD_E_NOMEM; GUARD_E_LIMIT:
 * more than a database may have. */
GUARD_MUST_USE enum guard_rc patterns_gather(struct pattern_list *list,
                                             const struct guard_patch *patches, uint32_t count);
/* Those of a policy; texts stay the policy's. Errors likewise. */
GUARD_MUST_USE enum guard_rc patterns_gather_policy(struct pattern_list *list,
                                                    const struct guard_policy *policy);
void pattern_list_free(struct pattern_list *list);

#endif
