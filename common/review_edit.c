/* SPDX-License-Identifier: Apache-2.0 */
/* Changes review documents. */
#include "common/review_edit.h"

#include "common/file.h"
#include "common/state.h"

#include <string.h>

enum guard_rc review_make_room(struct review_document *document, struct guard_arena *arena,
                               struct guard_err *err)
{
    struct guard_review_entry *entries =
        guard_arena_get(arena, GUARD_REVIEW_ENTRIES_MAX * sizeof(*entries));
    struct review_note *notes = guard_arena_get(arena, GUARD_REVIEW_ENTRIES_MAX * sizeof(*notes));
    if (entries == NULL || notes == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    if (document->count > 0) {
        memcpy(entries, document->entries, document->count * sizeof(*entries));
        memcpy(notes, document->notes, document->count * sizeof(*notes));
    }
    document->entries = entries;
    document->notes = notes;
    return GUARD_OK;
}

int review_decided_at(const struct review_document *document,
                      const struct guard_review_element *element)
{
    for (uint32_t i = 0; i < document->count; i++) {
        if (review_same(&document->entries[i].element, element))
            return (int)i;
    }
    return -1;
}

static void take_back(struct review_document *document, int at)
{
    document->count--;
    uint32_t behind = document->count - (uint32_t)at;
    memmove(&document->entries[at], &document->entries[at + 1],
            behind * sizeof(*document->entries));
    memmove(&document->notes[at], &document->notes[at + 1], behind * sizeof(*document->notes));
}

enum guard_rc review_decide(struct review_document *document,
                            const struct guard_review_element *element,
                            enum guard_review_decision decision, const struct review_note *note,
                            struct guard_err *err)
{
    int at = review_decided_at(document, element);
    if (decision == GUARD_REVIEW_WAITING) {
        if (at >= 0)
            take_back(document, at);
        return GUARD_OK;
    }
    if (at < 0 && document->count == GUARD_REVIEW_ENTRIES_MAX)
        return guard_fail(err, GUARD_E_LIMIT,
                          "a service has at most %d decisions; guard review reset ID frees one",
                          (int)GUARD_REVIEW_ENTRIES_MAX);
    if (at < 0)
        at = (int)document->count++;
    document->entries[at] = (struct guard_review_entry){*element, decision};
    document->notes[at] = *note;
    return GUARD_OK;
}

enum guard_rc review_save(const struct review_document *document, const char *dir,
                          struct guard_arena *arena, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    struct guard_span text;
    if (state_path(path, dir, "reviews", document->service, ".json") != GUARD_OK)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", dir);
    GUARD_TRY(review_write(document, arena, &text, err));
    return file_replace(path, text, 0640, true, err);
}
