/* SPDX-License-Identifier: Apache-2.0 */
/* `guard patch report`: what each patch did, and which ones aren't needed any more. */
#include "patch_hits.h"

#include "alert_log.h"
#include "common/file.h"
#include "common/guardian.h"
#include "common/guardian_patch_words.h"
#include "common/patch_costs.h"
#include "common/patch_json.h"
#include "state_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_DAYS = 90, LINE_ROOM = 128 * 1024, STATUS_ARENA = 96 << 20 };
static const double day_ms = 86400000;

struct reporting {
    const struct patch_call *call;
    struct guard_guardian guardian;
    struct patch_tally tally;
    struct patch_cost *costs;           /* one for each patch */
    const struct document_node *status; /* of the service; NULL: guardd told none */
    uint64_t now_ms;
    char *line;
};

/* --- endpoints --- */

static size_t segment(const char *path)
{
    return strcspn(path + 1, "/");
}

/* Whether a path may be of both templates. */
static bool overlap(const char *patch, const char *learned)
{
    while (*patch == '/' && *learned == '/') {
        size_t a = segment(patch);
        size_t b = segment(learned);
        bool any = patch[1] == '{' || learned[1] == '{';
        if (strncmp(patch, "/{*}", 4) == 0 || strncmp(learned, "/{*}", 4) == 0)
            return true;
        if (!any && (a != b || memcmp(patch, learned, a + 1) != 0))
            return false;
        patch += a + 1;
        learned += b + 1;
    }
    return *patch == '\0' && *learned == '\0';
}

/* No endpoint of the scope is known to the service; false where nobody can tell. */
static bool is_nowhere(const struct reporting *reporting, const struct guard_patch *patch)
{
    const struct document_node *list = member_of(reporting->status, "endpoints");
    if (list == NULL || list->first == NULL || patch->endpoint_count == 0)
        return false;
    for (uint32_t i = 0; i < patch->endpoint_count; i++) {
        char scope[GUARD_PATCH_TEXT_MAX + 1];
        snprintf(scope, sizeof(scope), "%.*s", (int)patch->endpoints[i].len,
                 (const char *)patch->endpoints[i].ptr);
        for (const struct document_node *node = list->first; node != NULL; node = node->next) {
            if (overlap(scope, text_of(node, "template")))
                return false;
        }
    }
    return true;
}

/* --- what is said of a patch --- */

static bool is_fixed(const struct reporting *reporting, const struct guard_patch *patch)
{
    const char *revision = text_of(member_of(reporting->status, "revision"), "text");
    return patch_fixed(patch, (struct guard_span){(const uint8_t *)revision, strlen(revision)});
}

/* Only where the log goes back so far: it may have been hit before. */
static bool is_idle(const struct reporting *reporting, const struct patch_hits *hits)
{
    double since = hits->last_ms > 0 ? hits->last_ms : reporting->tally.since_ms;
    return since > 0 && (double)reporting->now_ms - since > IDLE_DAYS * day_ms;
}

/* As words behind each other, "" when there is nothing to say. */
static void remarks(const struct reporting *reporting, uint32_t index, char out[256])
{
    const struct guard_patch *patch = &reporting->guardian.patches[index];
    enum patch_standing standing = patch_standing(patch, reporting->now_ms);
    const char *const words[] = {
        standing == PATCH_EXPIRED        ? "expired"
        : standing == PATCH_EXPIRES_SOON ? "expires soon"
                                         : NULL,
        is_fixed(reporting, patch) ? "not needed: the service runs the revision with the fix"
                                   : NULL,
        is_idle(reporting, &reporting->tally.hits[index]) ? "no hit in 90 days" : NULL,
        is_nowhere(reporting, patch) ? "no such endpoint" : NULL,
    };
    out[0] = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(out);
        if (words[i] != NULL)
            snprintf(out + len, 256 - len, "%s%s", len > 0 ? ", " : "", words[i]);
    }
}

static void print_text(const struct reporting *reporting, uint32_t index)
{
    char said[256];
    char time[32] = "never";
    char each[32] = "-";
    const struct guard_patch *patch = &reporting->guardian.patches[index];
    const struct patch_hits *hits = &reporting->tally.hits[index];
    const struct patch_cost *cost = &reporting->costs[index];
    remarks(reporting, index, said);
    if (hits->last_ms > 0)
        alert_time(time, hits->last_ms);
    if (cost->timed > 0)
        snprintf(each, sizeof(each), "%.1f", (double)cost->timed_ns / (double)cost->timed / 1000);
    printf("%-24.*s %-8s %8" PRIu64 " %8" PRIu64 " %10" PRIu64 " %8s  %-19s%s%s\n",
           (int)patch->id.len, (const char *)patch->id.ptr, patch_mode_word(patch->mode),
           hits->hits, hits->shadow_hits, cost->tried, each, time, said[0] != '\0' ? "  " : "",
           said);
}

static bool print_json(const struct reporting *reporting, uint32_t index)
{
    struct json_writer json;
    const struct guard_patch *patch = &reporting->guardian.patches[index];
    const struct patch_hits *hits = &reporting->tally.hits[index];
    json_writer_init(&json, reporting->line, LINE_ROOM);
    json_open(&json, NULL, '{');
    patch_json(&json, patch, reporting->now_ms);
    json_integer(&json, "hits", (int64_t)hits->hits);
    json_integer(&json, "shadow_hits", (int64_t)hits->shadow_hits);
    if (hits->last_ms > 0)
        json_integer(&json, "last_ms", (int64_t)hits->last_ms);
    else
        json_null(&json, "last_ms");
    patch_cost_json(&json, &reporting->costs[index]);
    json_bool(&json, "fixed", is_fixed(reporting, patch));
    json_bool(&json, "idle", is_idle(reporting, hits));
    json_bool(&json, "no_endpoint", is_nowhere(reporting, patch));
    json_close(&json, '}');
    if (json.overflow)
        return complain(0, "a patch's texts are too long to print") != 0;
    printf("%.*s\n", (int)json.len, reporting->line);
    return true;
}

/* --- where it comes from --- */

/* Without a status there is less to say. */
static void read_status(struct reporting *reporting, struct guard_arena *arena,
                        struct document *document)
{
    char path[STATE_PATH_MAX];
    const struct patch_call *call = reporting->call;
    if (call->remote.server != NULL) {
        if (remote_service(&call->remote, "GET", call->service, "", NULL, document))
            reporting->status = document->root;
        return;
    }
    if (state_path(path, call->dir, "", (struct guard_span){NULL, 0}, "status.json") != GUARD_OK ||
        !state_document(path, arena, document, true))
        return;
    const struct document_node *list = member_of(document->root, "services");
    for (const struct document_node *node = list != NULL ? list->first : NULL; node != NULL;
         node = node->next) {
        const char *name = text_of(node, "service");
        if (strlen(name) == call->service.len &&
            memcmp(name, call->service.ptr, call->service.len) == 0)
            reporting->status = node;
    }
}

static bool read_guardian(struct reporting *reporting)
{
    const struct patch_call *call = reporting->call;
    char path[STATE_SERVICE_MAX + 32];
    struct guard_err err;
    struct remote_reply reply;
    const struct remote_request request = {.method = "GET",
                                           .path = path,
                                           .type = "application/yaml",
                                           .answer_max = DOCUMENT_BYTES_MAX};
    if (call->remote.server == NULL)
        return state_service_known(call->dir, call->service, false) &&
               state_guardian(call->dir, call->service, call->arena, &reporting->guardian);
    snprintf(path, sizeof(path), "/services/%.*s/guardian", (int)call->service.len,
             (const char *)call->service.ptr);
    if (!remote_fetch(&call->remote, &request, &reply))
        return false;
    bool good = guardian_parse(&reporting->guardian, "the server's Guardian",
                               (struct guard_span){reply.bytes, reply.len}, call->arena,
                               &err) == GUARD_OK ||
                complain(0, "%s", err.text) != 0;
    free(reply.bytes);
    return good;
}

static uint64_t whole(const struct document_node *mapping, const char *name)
{
    int64_t value = whole_of(mapping, name);
    return value > 0 ? (uint64_t)value : 0;
}

/* As the server's list tells it. */
static bool take_cost(const struct patch_call *call, const struct document_node *patch, void *ctx)
{
    struct reporting *reporting = ctx;
    const char *id = text_of(patch, "id");
    const struct document_node *cost = member_of(patch, "cost");
    (void)call;
    for (uint32_t i = 0; cost != NULL && i < reporting->guardian.patch_count; i++) {
        struct guard_span own = reporting->guardian.patches[i].id;
        if (own.len != strlen(id) || memcmp(own.ptr, id, own.len) != 0)
            continue;
        reporting->costs[i] = (struct patch_cost){.tried = whole(cost, "tried"),
                                                  .held = whole(cost, "held"),
                                                  .bytes = whole(cost, "bytes"),
                                                  .timed = whole(cost, "timed"),
                                                  .timed_ns = whole(cost, "timed_ns")};
    }
    return true;
}

static bool read_costs(struct reporting *reporting)
{
    const struct patch_call *call = reporting->call;
    uint32_t count = reporting->guardian.patch_count;
    size_t size = count * sizeof(*reporting->costs) + 1;
    uint32_t shown = 0;
    reporting->costs = guard_arena_get(call->arena, size);
    if (reporting->costs == NULL)
        return complain(0, "no memory") != 0;
    memset(reporting->costs, 0, size);
    if (call->remote.server != NULL)
        return patch_pages(call, take_cost, reporting, &shown);
    patch_costs_of(call->dir, call->service, reporting->guardian.patches, count, reporting->costs);
    return true;
}

static int report(struct reporting *reporting)
{
    uint32_t count = reporting->guardian.patch_count;
    bool json = reporting->call->json;
    char since[32];
    if (count == 0 && !json)
        printf("%.*s: no patches\n", (int)reporting->call->service.len,
               (const char *)reporting->call->service.ptr);
    if (count > 0 && !json)
        printf("%-24s %-8s %8s %8s %10s %8s  %s\n", "patch", "mode", "hits", "shadow", "tried",
               "us each", "last");
    for (uint32_t i = 0; i < count; i++) {
        if (!json)
            print_text(reporting, i);
        else if (!print_json(reporting, i))
            return EXIT_FAILED;
    }
    if (count > 0 && !json && reporting->tally.since_ms > 0)
        printf("hits since %s, as far back as the log of alerts goes\n",
               alert_time(since, reporting->tally.since_ms));
    return EXIT_GOOD;
}

int patch_report(const struct patch_call *call)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct reporting reporting = {.call = call, .now_ms = clock_unix_ms()};
    reporting.line = guard_arena_get(call->arena, LINE_ROOM);
    if (reporting.line == NULL)
        return complain(EXIT_FAILED, "no memory");
    guard_arena_init(&arena, &heap, STATUS_ARENA);
    int status = EXIT_FAILED;
    if (read_guardian(&reporting) &&
        patch_tally_read(&reporting.tally, call, &reporting.guardian) && read_costs(&reporting)) {
        read_status(&reporting, &arena, &document);
        status = report(&reporting);
    }
    guard_arena_reset(&arena);
    return status;
}
