/* SPDX-License-Identifier: Apache-2.0 */
/* What libguard says, written down: which patterns are signs of a patch is decided there alone. */
#include "common/patterns/gather.h"

#include "common/patterns/database.h"

#include <stdlib.h>

static void add(struct pattern_list *list, const struct guard_pattern *pattern)
{
    /* With duplicates, which are dropped later. */
    enum { GATHERED_MAX = 8 * PATTERN_DATABASE_PATTERNS };
    if (list->rc == GUARD_OK && list->count == list->room) {
        size_t room = list->room == 0 ? 256 : 2 * list->room;
        struct guard_pattern *larger =
            room <= GATHERED_MAX ? realloc(list->list, room * sizeof(*larger)) : NULL;
        if (larger == NULL) {
            list->rc = room > GATHERED_MAX ? GUARD_E_LIMIT : GUARD_E_NOMEM;
            return;
        }
        list->list = larger;
        list->room = room;
    }
    if (list->rc == GUARD_OK)
        list->list[list->count++] = *pattern;
}

static void on_pattern(void *ctx, const struct guard_pattern *pattern)
{
    add(ctx, pattern);
}

enum guard_rc patterns_gather(struct pattern_list *list, const struct guard_patch *patches,
                              uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (patches[i].mode != GUARD_PATCH_OFF)
            (void)guard_patch_cover(&patches[i], on_pattern, list);
    }
    return list->rc;
}

enum guard_rc patterns_gather_policy(struct pattern_list *list, const struct guard_policy *policy)
{
    struct guard_pattern pattern;
    for (uint32_t i = 0; guard_policy_pattern(policy, i, &pattern); i++)
        add(list, &pattern);
    return list->rc;
}

void pattern_list_free(struct pattern_list *list)
{
    free(list->list);
    *list = (struct pattern_list){0};
}
