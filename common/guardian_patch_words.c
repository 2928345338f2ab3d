/* SPDX-License-Identifier: Apache-2.0 */
/* Words of patches by table. */
#include "common/guardian_patch_words.h"

#include <guard/likeness.h>

#include <string.h>

static const char *const modes[] = {"off", "shadow", "enforce", NULL};
static const char *const actions[] = {"alert", "block", NULL};
static const char *const parts[] = {"request", "response", NULL};
static const char *const views[] = {"decoded", "text", "raw", NULL};

static bool same(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

static int number_of(const char *const *words, struct guard_span word)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (same(word, words[i]))
            return i;
    }
    return -1;
}

const char *patch_mode_word(enum guard_patch_mode mode)
{
    return modes[mode];
}

const char *patch_action_word(enum guard_patch_action action)
{
    return actions[action];
}

const char *patch_part_word(enum guard_patch_part part)
{
    return parts[part];
}

const char *patch_view_word(enum guard_patch_view view)
{
    return views[view];
}

int patch_mode_of(struct guard_span word)
{
    return number_of(modes, word);
}

int patch_action_of(struct guard_span word)
{
    return number_of(actions, word);
}

int patch_part_of(struct guard_span word)
{
    return number_of(parts, word);
}

int patch_view_of(struct guard_span word)
{
    return number_of(views, word);
}

uint32_t patch_place_bit(struct guard_span word)
{
    for (int i = 0; i < PATCH_PLACES; i++) {
        const char *name = guard_place_name(1U << i);
        if (name != NULL && same(word, name))
            return 1U << i;
    }
    return 0;
}

uint32_t patch_likeness_bit(struct guard_span word)
{
    for (int i = 0; i < GUARD_LIKENESS_COUNT; i++) {
        if (same(word, guard_likeness_name((enum guard_likeness)i)))
            return 1U << i;
    }
    return 0;
}
