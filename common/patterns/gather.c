/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the conditions of patches. */
#include "common/patterns/gather.h"

#include "common/patterns/database.h"

#include <stdlib.h>

static enum guard_rc add(struct pattern_list *list, struct guard_span text, bool regex,
                         bool ignore_case)
{
    /* With duplicates, which are dropped later. */
    enum { GATHERED_MAX = 8 * PATTERN_DATABASE_PATTERNS };
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 256 : 2 * list->room;
        if (room > GATHERED_MAX)
            return GUARD_E_LIMIT;
        struct guard_pattern *larger = realloc(list->list, room * sizeof(*larger));
        if (larger == NULL)
            return GUARD_E_NOMEM;
        list->list = larger;
        list->room = room;
    }
    list->list[list->count++] = (struct guard_pattern){guard_pattern_id(text, regex, ignore_case),
                                                       text, regex, ignore_case};
    return GUARD_OK;
}

static bool looks_for_texts(enum guard_patch_operator op)
{
    return op == GUARD_OPERATOR_CONTAINS || op == GUARD_OPERATOR_EQUALS ||
           op == GUARD_OPERATOR_BEGINS || op == GUARD_OPERATOR_ENDS || op == GUARD_OPERATOR_REGEX;
}

static enum guard_rc gather(struct pattern_list *list,
                            const struct guard_patch_condition *condition, unsigned depth)
{
    for (uint32_t i = 0; looks_for_texts(condition->op) && i < condition->text_count; i++)
        GUARD_TRY(add(list, condition->texts[i], condition->op == GUARD_OPERATOR_REGEX,
                      condition->ignore_case));
    for (uint32_t i = 0; depth < GUARD_PATCH_DEPTH_MAX && i < condition->child_count; i++)
        GUARD_TRY(gather(list, &condition->children[i], depth + 1));
    return GUARD_OK;
}

enum guard_rc patterns_gather(struct pattern_list *list, const struct guard_patch *patches,
                              uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (patches[i].mode != GUARD_PATCH_OFF)
            GUARD_TRY(gather(list, &patches[i].when, 0));
    }
    return GUARD_OK;
}

void pattern_list_free(struct pattern_list *list)
{
    free(list->list);
    *list = (struct pattern_list){0};
}
