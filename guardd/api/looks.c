/* SPDX-License-Identifier: Apache-2.0 */
/* Counts looks that are the same, and writes their lines. */
#include "looks.h"

#include "common/log.h"

#include <stdio.h>
#include <string.h>

static enum guard_rc tell(const struct looks *looks, const struct look *look, uint64_t count,
                          uint64_t first_ms, uint64_t last_ms, struct guard_err *err)
{
    struct audit_line line;
    const struct audit_who who = {.by = look->by,
                                  .uid = look->uid,
                                  .via = "api",
                                  .token = look->token,
                                  .subject = look->subject};
    audit_line_begin(&line, &who);
    json_text(&line.json, "action", "look");
    json_text(&line.json, "service", look->service);
    json_text(&line.json, "what", look->what);
    json_integer(&line.json, "count", (int64_t)count);
    json_integer(&line.json, "first_ms", (int64_t)first_ms);
    json_integer(&line.json, "last_ms", (int64_t)last_ms);
    return audit_line_append(&line, looks->dir, LOOKS_FILE, err);
}

static bool same(const struct look *a, const struct look *b)
{
    return a->uid == b->uid && strcmp(a->by, b->by) == 0 && strcmp(a->token, b->token) == 0 &&
           strcmp(a->subject, b->subject) == 0 && strcmp(a->service, b->service) == 0 &&
           strcmp(a->what, b->what) == 0;
}

/* The oldest one goes; what was counted of it is told. */
static void drop_oldest(struct looks *looks)
{
    struct look *oldest = &looks->list[0];
    struct guard_err err;
    if (oldest->count > 0 &&
        tell(looks, oldest, oldest->count, oldest->first_ms, oldest->last_ms, &err) != GUARD_OK) {
        if (looks->failed == 0)
            log_event("alarm", "looks-not-told", (struct guard_span){NULL, 0}, "%s", err.text);
        looks->failed += oldest->count;
    }
    looks->count--;
    memmove(looks->list, looks->list + 1, looks->count * sizeof(looks->list[0]));
}

enum guard_rc looks_note(struct looks *looks, const struct audit_who *who, const char *service,
                         const char *what, uint64_t now_ms, struct guard_err *err)
{
    struct look look = {.uid = who->uid, .begun_ms = now_ms};
    snprintf(look.by, sizeof(look.by), "%s", who->by);
    snprintf(look.token, sizeof(look.token), "%s", who->token);
    snprintf(look.subject, sizeof(look.subject), "%s", who->subject);
    snprintf(look.service, sizeof(look.service), "%s", service);
    snprintf(look.what, sizeof(look.what), "%s", what);
    looks_tell(looks, now_ms, false);
    for (uint32_t i = 0; i < looks->count; i++) {
        struct look *known = &looks->list[i];
        if (!same(known, &look))
            continue;
        known->first_ms = known->count++ == 0 ? now_ms : known->first_ms;
        known->last_ms = now_ms;
        return GUARD_OK;
    }
    GUARD_TRY(tell(looks, &look, 1, now_ms, now_ms, err));
    if (looks->count == LOOKS_MAX)
        drop_oldest(looks);
    looks->list[looks->count++] = look;
    return GUARD_OK;
}

void looks_tell(struct looks *looks, uint64_t now_ms, bool all)
{
    while (looks->count > 0) {
        uint64_t begun = looks->list[0].begun_ms;
        /* A clock that was set back doesn't make them wait. */
        if (!all && now_ms >= begun && now_ms - begun < LOOKS_WINDOW_MS)
            return;
        drop_oldest(looks);
    }
}
