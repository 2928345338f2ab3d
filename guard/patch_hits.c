/* SPDX-License-Identifier: Apache-2.0 */
/* Counts findings of patches in alerts. A line tells of as many alerts as its "count" says. */
#include "patch_hits.h"

#include "alert_log.h"
#include "common/file.h"

#include <stdio.h>
#include <string.h>

enum { ALERT_PAGES_MAX = 4096, CURSOR_MAX = 128 };

static bool is_text(const struct document_node *mapping, const char *name, struct guard_span text)
{
    const struct document_node *node = member_of(mapping, name);
    return node != NULL && node->kind == DOCUMENT_SCALAR && node->text.len == text.len &&
           memcmp(node->text.ptr, text.ptr, text.len) == 0;
}

static struct patch_hits *hits_of(struct patch_tally *tally, const struct document_node *finding)
{
    for (uint32_t i = 0; i < tally->count; i++) {
        if (is_text(finding, "patch", tally->patches[i].id))
            return &tally->hits[i];
    }
    return NULL;
}

static void count_finding(struct patch_tally *tally, const struct document_node *finding,
                          uint64_t count, double last_ms)
{
    struct patch_hits *hits = hits_of(tally, finding);
    if (hits == NULL)
        return;
    if (strcmp(text_of(finding, "shadow"), "true") == 0)
        hits->shadow_hits += count;
    else
        hits->hits += count;
    if (last_ms > hits->last_ms)
        hits->last_ms = last_ms;
}

static void take(void *ctx, const struct document_node *alert, struct guard_span line)
{
    struct patch_tally *tally = ctx;
    double time_ms = number_of(alert, "time_ms");
    double last_ms = number_of(alert, "last_ms");
    int64_t count = whole_of(alert, "count");
    const struct document_node *list = member_of(alert, "findings");
    (void)line;
    if (time_ms > 0 && (tally->since_ms <= 0 || time_ms < tally->since_ms))
        tally->since_ms = time_ms;
    if (!is_text(alert, "service", tally->service) || list == NULL ||
        list->kind != DOCUMENT_SEQUENCE || count < 0)
        return;
    for (const struct document_node *node = list->first; node != NULL; node = node->next)
        count_finding(tally, node, (uint64_t)count, last_ms > time_ms ? last_ms : time_ms);
}

/* The pages of the server's log, the newest first. */
static bool take_pages(struct patch_tally *tally, const struct patch_call *call)
{
    char path[512];
    char cursor[3 * CURSOR_MAX] = "";
    for (unsigned page = 0; page < ALERT_PAGES_MAX; page++) {
        struct guard_alloc heap = heap_alloc();
        struct guard_arena arena;
        struct document answer;
        struct remote remote = {call->remote.server, &arena};
        guard_arena_init(&arena, &heap, (size_t)32 << 20);
        snprintf(path, sizeof(path), "/alerts?limit=100&service=%.*s%s%s", (int)call->service.len,
                 (const char *)call->service.ptr, cursor[0] != '\0' ? "&cursor=" : "", cursor);
        bool good = remote_ask(&remote, "GET", path, NULL, &answer, NULL);
        const struct document_node *list = good ? member_of(answer.root, "alerts") : NULL;
        for (const struct document_node *node = list != NULL ? list->first : NULL; node != NULL;
             node = node->next)
            take(tally, node, (struct guard_span){NULL, 0});
        const char *next = good ? text_of(answer.root, "next") : "";
        bool more = next[0] != '\0' && strcmp(next, "null") != 0 && strlen(next) < CURSOR_MAX &&
                    remote_escape(cursor, sizeof(cursor), next);
        guard_arena_reset(&arena);
        if (!good || !more)
            return good;
    }
    return true;
}

bool patch_tally_read(struct patch_tally *out, const struct patch_call *call,
                      const struct guard_guardian *guardian)
{
    bool any = false;
    size_t size = guardian->patch_count * sizeof(*out->hits) + 1;
    *out = (struct patch_tally){.patches = guardian->patches,
                                .count = guardian->patch_count,
                                .service = call->service,
                                .hits = guard_arena_get(call->arena, size)};
    if (out->hits == NULL)
        return complain(0, "no memory") != 0;
    memset(out->hits, 0, size);
    return call->remote.server != NULL ? take_pages(out, call)
                                       : alert_log_all(call->dir, take, out, &any);
}
