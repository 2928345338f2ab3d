/* SPDX-License-Identifier: Apache-2.0 */
/* Patches of a service's Guardian: listed, shown, added, switched and removed, each change as the
 * command line makes it. */
#include "handlers.h"

#include "body.h"
#include "common/file.h"
#include "common/guardian_patch.h"
#include "common/guardian_patch_words.h"
#include "common/patch_changes.h"
#include "common/patch_costs.h"
#include "common/patch_json.h"
#include "problem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_ARENA = 32 << 20, PATCH_ROOM = 100 * 1024 };

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

/* What is in place, not what guardd has of it: somebody may just have changed it. */
static bool read_guardian(struct api *api, const struct api_request *request,
                          struct api_response *response, struct guard_arena *arena,
                          struct guard_guardian *out)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_err err;
    guard_arena_init(arena, &heap, READ_ARENA);
    enum guard_rc rc =
        change_guardian_of(api->view.state, span_of(request->service), arena, out, &err);
    if (rc != GUARD_OK)
        problem_change(response, rc, &err);
    return rc == GUARD_OK;
}

/* --- looking --- */

/* The index behind the patch that a cursor names; 0 when it is gone: the list begins anew. */
static uint32_t behind(const struct guard_guardian *guardian, const char *cursor)
{
    const struct guard_patch *patch =
        cursor != NULL ? patch_by_id(guardian, span_of(cursor)) : NULL;
    return patch != NULL ? (uint32_t)(patch - guardian->patches) + 1 : 0;
}

/* Since guardd was started. */
static void write_hits(const struct api *api, const struct guard_guardian *guardian,
                       struct guard_span patch, struct json_writer *json)
{
    const struct patch_hit *hit =
        patch_hits_find(&api->view.alerts->patches, guardian->service, patch);
    json_open(json, "hits", '{');
    json_integer(json, "hits", hit != NULL ? (int64_t)hit->hits : 0);
    json_integer(json, "shadow_hits", hit != NULL ? (int64_t)hit->shadow_hits : 0);
    json_integer(json, "since_ms", (int64_t)api->view.started_ms);
    json_close(json, '}');
}

/* costs: one for each patch; NULL: nothing is known of them. */
static void write_list(const struct api *api, const struct guard_guardian *guardian,
                       const struct patch_cost *costs, uint32_t first, uint64_t limit,
                       struct json_writer *json)
{
    uint64_t now_ms = clock_unix_ms();
    uint32_t i = first;
    json_open(json, "patches", '[');
    for (; i < guardian->patch_count && i - first < limit && api_json_room(json) > PATCH_ROOM;
         i++) {
        json_open(json, NULL, '{');
        patch_json(json, &guardian->patches[i], now_ms);
        if (costs != NULL)
            patch_cost_json(json, &costs[i]);
        write_hits(api, guardian, guardian->patches[i].id, json);
        json_close(json, '}');
    }
    json_close(json, ']');
    if (i < guardian->patch_count && i > first)
        json_string(json, "next", guardian->patches[i - 1].id);
    else
        json_null(json, "next");
}

enum api_step api_patches_get(struct api *api, struct api_request *request,
                              struct api_response *response)
{
    struct guard_arena arena;
    struct guard_guardian guardian;
    struct json_writer json;
    uint64_t limit;
    if (api_service(api, request, response) == NULL ||
        !api_param_number(request, response, "limit", API_PAGE, API_PAGE_MAX, &limit))
        return API_DONE;
    if (read_guardian(api, request, response, &arena, &guardian) &&
        api_json_begin(&json, response)) {
        struct patch_cost *costs =
            guard_arena_get(&arena, guardian.patch_count * sizeof(*costs) + 1);
        if (costs != NULL)
            patch_costs_of(api->view.state, span_of(request->service), guardian.patches,
                           guardian.patch_count, costs);
        json_open(&json, NULL, '{');
        json_text(&json, "service", request->service);
        json_integer(&json, "total", guardian.patch_count);
        write_list(api, &guardian, costs, behind(&guardian, api_param(request, "cursor")), limit,
                   &json);
        json_close(&json, '}');
        api_json_end(&json, response, 200);
    }
    guard_arena_reset(&arena);
    return API_DONE;
}

static void answer_yaml(struct guard_span text, struct api_response *response)
{
    response->bytes = malloc(text.len + 1);
    if (response->bytes == NULL) {
        problem(response, 500, "failed", NULL, "no memory");
        return;
    }
    memcpy(response->bytes, text.ptr, text.len);
    response->len = text.len;
    response->status = 200;
    response->content_type = "application/yaml";
}

static void no_such_patch(struct api_response *response)
{
    problem(response, 404, "no-such-patch", "id", "the service has no patch of this id");
}

enum api_step api_patch_get(struct api *api, struct api_request *request,
                            struct api_response *response)
{
    struct guard_arena arena;
    struct guard_guardian guardian;
    struct guard_span text;
    struct guard_err err;
    if (api_service(api, request, response) == NULL)
        return API_DONE;
    if (read_guardian(api, request, response, &arena, &guardian)) {
        const struct guard_patch *patch = patch_by_id(&guardian, span_of(request->id));
        if (patch == NULL)
            no_such_patch(response);
        else if (patch_write(patch, &arena, &text, &err) != GUARD_OK)
            problem(response, 500, "failed", NULL, "%s", err.text);
        else
            answer_yaml(text, response);
    }
    guard_arena_reset(&arena);
    return API_DONE;
}

/* --- changing --- */

static void answer_change(const struct api_request *request, const struct patch_outcome *outcome,
                          bool dry, struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_text(&json, "service", request->service);
    json_bool(&json, "changed", outcome->changed);
    json_bool(&json, "applied", outcome->changed && !dry);
    json_text(&json, "before", outcome->before);
    json_text(&json, "after", outcome->after);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
}

static void apply(struct api *api, struct api_request *request, struct api_response *response,
                  const struct patch_change *what, const char *reason, struct guard_arena *arena)
{
    struct patch_outcome outcome;
    struct guard_err err;
    bool dry;
    int lock = -1;
    if (!api_param_bool(request, response, "dryRun", &dry))
        return;
    const struct change change = api_change(api, request, reason != NULL ? reason : "");
    enum guard_rc rc = change_lock(&lock, api->view.state, "guardians", false, &err);
    if (rc == GUARD_OK)
        rc = change_patches(&change, what, dry, arena, &outcome, &err);
    if (lock >= 0)
        close(lock);
    response->quiet = dry;
    if (rc == GUARD_OK)
        answer_change(request, &outcome, dry, response);
    else if (rc == GUARD_E_RANGE && what->verb != PATCH_ADD)
        no_such_patch(response);
    else
        problem_change(response, rc, &err);
}

enum api_step api_patches_post(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_err err;
    struct patch_change what = {.verb = PATCH_ADD};
    if (api_service(api, request, response) == NULL ||
        !api_param_bool(request, response, "replace", &what.replace))
        return API_DONE;
    if (!api_body_is_document(request, response))
        return API_DONE;
    guard_arena_init(&arena, &heap, PATCH_CHANGE_ARENA);
    enum guard_rc rc = patches_parse(&what.patches, "patches", request->body, &arena, &err);
    if (rc == GUARD_OK)
        apply(api, request, response, &what, api_param(request, "reason"), &arena);
    else
        problem_document(response, 422, &err);
    guard_arena_reset(&arena);
    return API_DONE;
}

enum api_step api_patch_put(struct api *api, struct api_request *request,
                            struct api_response *response)
{
    static const char *const members[] = {"mode", "reason", NULL};
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct api_body body;
    const char *word;
    const char *reason;
    if (api_service(api, request, response) == NULL)
        return API_DONE;
    guard_arena_init(&arena, &heap, PATCH_CHANGE_ARENA);
    if (api_body_open(&body, request, response, members) &&
        api_body_text(&body, response, "mode", true, 16, &word) &&
        api_body_text(&body, response, "reason", false, CHANGE_REASON_MAX, &reason)) {
        int mode = patch_mode_of(span_of(word));
        const struct patch_change what = {
            .verb = PATCH_MODE, .id = span_of(request->id), .mode = (enum guard_patch_mode)mode};
        if (mode < 0)
            problem(response, 422, "bad-document", "mode", "must be off, shadow or enforce");
        else
            apply(api, request, response, &what, reason, &arena);
    }
    api_body_close(&body);
    guard_arena_reset(&arena);
    return API_DONE;
}

enum api_step api_patch_delete(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    const struct patch_change what = {.verb = PATCH_REMOVE, .id = span_of(request->id)};
    if (api_service(api, request, response) == NULL)
        return API_DONE;
    guard_arena_init(&arena, &heap, PATCH_CHANGE_ARENA);
    apply(api, request, response, &what, api_param(request, "reason"), &arena);
    guard_arena_reset(&arena);
    return API_DONE;
}
