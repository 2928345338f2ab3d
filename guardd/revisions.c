/* SPDX-License-Identifier: Apache-2.0 */
/* See revisions.h. */
#include "revisions.h"

#include "common/state.h"

#include <string.h>

static bool is_called(const struct revision *revision, struct guard_span text)
{
    return strlen(revision->text) == text.len && memcmp(revision->text, text.ptr, text.len) == 0;
}

static bool known(const struct revisions *revisions, struct guard_span text)
{
    for (uint32_t i = revisions->count; i > 0; i--) { /* the newest is the usual one */
        if (is_called(&revisions->list[i - 1], text))
            return true;
    }
    return false;
}

void revisions_take(struct revisions *revisions, const struct revision *stored)
{
    if (revisions->count == REVISIONS_KEPT) {
        revisions->count--;
        memmove(&revisions->list[0], &revisions->list[1],
                revisions->count * sizeof(revisions->list[0]));
    }
    revisions->list[revisions->count++] = *stored;
}

bool revisions_observe(struct revisions *revisions, struct guard_span text, uint64_t now_ms,
                       uint64_t window_ms)
{
    if (text.len == 0 || known(revisions, text) || !state_revision_valid(text))
        return false;
    struct revision fresh = {.seen_ms = now_ms};
    memcpy(fresh.text, text.ptr, text.len);
    /* The first one that is told of is what was learned without a name. */
    fresh.until_ms = revisions->count > 0 ? now_ms + window_ms : 0;
    revisions_take(revisions, &fresh);
    return true;
}

const struct revision *revisions_newest(const struct revisions *revisions)
{
    return revisions->count > 0 ? &revisions->list[revisions->count - 1] : NULL;
}

struct guard_span revisions_newest_text(const struct revisions *revisions)
{
    const struct revision *newest = revisions_newest(revisions);
    return newest != NULL ? (struct guard_span){(const uint8_t *)newest->text, strlen(newest->text)}
                          : (struct guard_span){(const uint8_t *)"", 0};
}
