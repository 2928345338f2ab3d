/* SPDX-License-Identifier: Apache-2.0 */
/* `guard patch list` and `show`: what patches a service has, of its Guardian's file or by a server.
 */
#include "patch_verbs.h"

#include "common/file.h"
#include "common/guardian_patch_words.h"
#include "common/json_document.h"
#include "common/patch_costs.h"
#include "common/patch_json.h"
#include "state_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 128 * 1024, SHOWN_MAX = 4 * GUARD_PATCH_TEXT_MAX, PATCH_PAGES_MAX = 64 };

static void print_line(const char *id, const char *mode, const char *action, const char *standing,
                       const char *expires, const char *title)
{
    char text[SHOWN_MAX];
    char shown_id[4 * GUARD_PATCH_ID_MAX + 1];
    bool plain = strcmp(standing, "in-force") == 0;
    printf("%-24s %-8s %-6s %s", clean(shown_id, sizeof(shown_id), id, strlen(id)), mode, action,
           clean(text, sizeof(text), title, strlen(title)));
    if (!plain)
        printf(" (%s: %.10s)", strcmp(standing, "expired") == 0 ? "EXPIRED" : "expires soon",
               expires);
    putchar('\n');
}

static void print_patch(const struct guard_patch *patch, uint64_t now_ms)
{
    char id[GUARD_PATCH_ID_MAX + 1];
    char title[GUARD_PATCH_TEXT_MAX + 1];
    char expires[CLOCK_TEXT_MAX] = "";
    (void)clock_text(expires, (double)patch->expires_ms);
    snprintf(id, sizeof(id), "%.*s", (int)patch->id.len, (const char *)patch->id.ptr);
    snprintf(title, sizeof(title), "%.*s", (int)patch->title.len, (const char *)patch->title.ptr);
    print_line(id, patch_mode_word(patch->mode), patch_action_word(patch->action),
               patch_standing_word(patch_standing(patch, now_ms)), expires, title);
}

/* One line for each patch: texts may be long, and there may be many of them. */
static bool print_json(const struct guard_patch *patch, const struct patch_cost *cost,
                       uint64_t now_ms, char *line)
{
    struct json_writer json;
    json_writer_init(&json, line, LINE_MAX_BYTES);
    json_open(&json, NULL, '{');
    patch_json(&json, patch, now_ms);
    patch_cost_json(&json, cost);
    json_close(&json, '}');
    if (json.overflow)
        return complain(0, "a patch's texts are too long to print") != 0;
    printf("%.*s\n", (int)json.len, line);
    return true;
}

static int list_files(const struct patch_call *call)
{
    struct guard_guardian guardian;
    uint64_t now_ms = clock_unix_ms();
    if (!state_service_known(call->dir, call->service, false) ||
        !state_guardian(call->dir, call->service, call->arena, &guardian))
        return EXIT_FAILED;
    char *line = guard_arena_get(call->arena, LINE_MAX_BYTES);
    struct patch_cost *costs =
        guard_arena_get(call->arena, guardian.patch_count * sizeof(*costs) + 1);
    if (line == NULL || costs == NULL)
        return complain(EXIT_FAILED, "no memory");
    if (call->json)
        patch_costs_of(call->dir, call->service, guardian.patches, guardian.patch_count, costs);
    for (uint32_t i = 0; i < guardian.patch_count; i++) {
        if (!call->json)
            print_patch(&guardian.patches[i], now_ms);
        else if (!print_json(&guardian.patches[i], &costs[i], now_ms, line))
            return EXIT_FAILED;
    }
    if (guardian.patch_count == 0 && !call->json)
        printf("%.*s: no patches\n", (int)call->service.len, (const char *)call->service.ptr);
    return EXIT_GOOD;
}

/* What the server says of one, as it says it, but for what only a guardd that runs has counted:
 * files say the same, and `guard patch report` has the hits of all alerts that are kept. */
static bool print_member(const struct patch_call *call, const struct document_node *patch,
                         char *line)
{
    struct json_writer json;
    if (!call->json) {
        print_line(text_of(patch, "id"), text_of(patch, "mode"), text_of(patch, "action"),
                   text_of(patch, "standing"), text_of(patch, "expires"), text_of(patch, "title"));
        return true;
    }
    json_writer_init(&json, line, LINE_MAX_BYTES);
    json_open(&json, NULL, '{');
    for (const struct document_node *node = patch->first; node != NULL; node = node->next) {
        if (node->key != NULL && strcmp((const char *)node->key->text.ptr, "hits") != 0)
            json_document(&json, (const char *)node->key->text.ptr, node);
    }
    json_close(&json, '}');
    if (json.overflow)
        return complain(0, "a patch's texts are too long to print") != 0;
    printf("%.*s\n", (int)json.len, line);
    return true;
}

bool patch_pages(const struct patch_call *call,
                 bool (*take)(const struct patch_call *call, const struct document_node *patch,
                              void *ctx),
                 void *ctx, uint32_t *count)
{
    char path[512];
    char query[128] = "?limit=100";
    char next[GUARD_PATCH_ID_MAX + 1];
    struct document answer;
    *count = 0;
    for (unsigned page = 0; page < PATCH_PAGES_MAX; page++) {
        if (!patch_path(call, NULL, query, path, sizeof(path)) ||
            !remote_ask(&call->remote, "GET", path, NULL, &answer, NULL))
            return false;
        const struct document_node *list = member_of(answer.root, "patches");
        for (const struct document_node *node = list != NULL ? list->first : NULL; node != NULL;
             node = node->next) {
            ++*count;
            if (!take(call, node, ctx))
                return false;
        }
        snprintf(next, sizeof(next), "%s", text_of(answer.root, "next"));
        if (next[0] == '\0' || strcmp(next, "null") == 0 || !patch_id_good(next))
            break;
        snprintf(query, sizeof(query), "?limit=100&cursor=%s", next);
    }
    return true;
}

static bool take_listed(const struct patch_call *call, const struct document_node *patch, void *ctx)
{
    return print_member(call, patch, ctx);
}

static int list_remote(const struct patch_call *call)
{
    uint32_t count = 0;
    char *line = guard_arena_get(call->arena, LINE_MAX_BYTES);
    if (line == NULL)
        return complain(EXIT_FAILED, "no memory");
    if (!patch_pages(call, take_listed, line, &count))
        return EXIT_FAILED;
    if (count == 0 && !call->json)
        printf("%.*s: no patches\n", (int)call->service.len, (const char *)call->service.ptr);
    return EXIT_GOOD;
}

int patch_list(const struct patch_call *call)
{
    return call->remote.server != NULL ? list_remote(call) : list_files(call);
}

/* --- one of them --- */

static bool fetch_files(const struct patch_call *call, const char *id, struct patch_list *out)
{
    struct guard_guardian guardian;
    const struct guard_span wanted = {(const uint8_t *)id, strlen(id)};
    if (!state_service_known(call->dir, call->service, false) ||
        !state_guardian(call->dir, call->service, call->arena, &guardian))
        return false;
    const struct guard_patch *patch = patch_by_id(&guardian, wanted);
    out->patches = guard_arena_get(call->arena, sizeof(*patch));
    out->count = 1;
    if (patch == NULL || out->patches == NULL)
        return patch == NULL ? complain(0, "id: the service has no patch %s", id) != 0
                             : complain(0, "no memory") != 0;
    *out->patches = *patch;
    return true;
}

/* Only what is a document of a patch is taken. */
static bool fetch_remote(const struct patch_call *call, const char *id, struct patch_list *out)
{
    char path[512];
    struct guard_err err;
    struct remote_reply reply;
    const struct remote_request request = {.method = "GET",
                                           .path = path,
                                           .type = "application/yaml",
                                           .answer_max = DOCUMENT_BYTES_MAX};
    if (!patch_path(call, id, "", path, sizeof(path)) ||
        !remote_fetch(&call->remote, &request, &reply))
        return false;
    enum guard_rc rc = patches_parse(
        out, "the server's patch", (struct guard_span){reply.bytes, reply.len}, call->arena, &err);
    free(reply.bytes);
    if (rc != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    return out->count == 1 ||
           complain(0, "%s: what answers isn't guardd", call->remote.server) != 0;
}

bool patch_fetch(const struct patch_call *call, const char *id, struct patch_list *out)
{
    return call->remote.server != NULL ? fetch_remote(call, id, out) : fetch_files(call, id, out);
}

int patch_show(const struct patch_call *call)
{
    const char *id = call->operands[0];
    struct patch_list list;
    struct guard_span text;
    struct guard_err err;
    if (!patch_id_good(id))
        return EXIT_USAGE;
    if (!patch_fetch(call, id, &list))
        return EXIT_FAILED;
    if (patch_write(&list.patches[0], call->arena, &text, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    fwrite(text.ptr, 1, text.len, stdout);
    return EXIT_GOOD;
}
