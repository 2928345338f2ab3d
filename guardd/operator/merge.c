/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults are merged as members, since only these say what wasn't said; the floor as a Guardian,
 * since only that says what holds. */
#include "merge.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/guardian.h"
#include "common/json_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.[]_"

enum { TEXT_MAX = 3 << 20, LEVELS = 3, CHECK_ARENA = 64 << 20 };

static const struct document_node *mapping_in(const struct document_node *node, const char *name)
{
    const struct document_node *found = node != NULL ? member_of(node, name) : NULL;
    return found != NULL && found->kind == DOCUMENT_MAPPING ? found : NULL;
}

static const char *name_of(const struct document_node *member)
{
    return (const char *)member->key->text.ptr;
}

/* --- control --- */

/* Of what levels say the first one that says a member holds. A level whose mode is overruled
 * doesn't set modes of parts. */
static void write_control(struct json_writer *json, const struct document_node *levels[LEVELS])
{
    bool mode = false;
    json_open(json, "control", '{');
    for (size_t i = 0; i < LEVELS; i++) {
        for (const struct document_node *member = levels[i] != NULL ? levels[i]->first : NULL;
             member != NULL; member = member->next) {
            bool said = mode && strcmp(name_of(member), "parts") == 0;
            for (size_t k = 0; k < i && !said; k++)
                said = levels[k] != NULL && member_of(levels[k], name_of(member)) != NULL;
            if (!said)
                json_document(json, name_of(member), member);
        }
        mode = mode || (levels[i] != NULL && member_of(levels[i], "mode") != NULL);
    }
    json_close(json, '}');
}

static void write_document(struct json_writer *json, struct guard_span service,
                           const struct merge_parts *parts)
{
    const struct document_node *levels[LEVELS] = {
        mapping_in(parts->spec, "control"),
        mapping_in(parts->namespace, "control"),
        mapping_in(mapping_in(parts->cluster, "defaults"), "control"),
    };
    json_open(json, NULL, '{');
    json_string(json, "service", service);
    write_control(json, levels);
    for (const struct document_node *member = parts->spec != NULL ? parts->spec->first : NULL;
         member != NULL; member = member->next) {
        const char *name = name_of(member);
        if (strcmp(name, "control") != 0 && strcmp(name, "service") != 0 &&
            strcmp(name, "profile") != 0)
            json_document(json, name, member);
    }
    json_close(json, '}');
}

/* What learning needs to be worth something: a part that blocks, of a service that may not learn,
 * is a floor of air. */
static const char *const bounded[] = {"learn", "falseAlarmBudget", "support"};

/* The floor as a document: what it doesn't say is no floor. */
static void write_floor(struct json_writer *json, const struct document_node *floor)
{
    const struct document_node *modes = mapping_in(floor, "parts");
    json_open(json, NULL, '{');
    json_text(json, "service", "floor");
    json_open(json, "control", '{');
    json_text(json, "mode", "observe");
    if (modes != NULL)
        json_document(json, "parts", modes);
    for (size_t i = 0; i < sizeof(bounded) / sizeof(bounded[0]); i++) {
        const struct document_node *said = floor != NULL ? member_of(floor, bounded[i]) : NULL;
        if (said != NULL)
            json_document(json, bounded[i], said);
    }
    json_close(json, '}');
    if (floor != NULL && member_of(floor, "patches") != NULL)
        json_document(json, "patches", member_of(floor, "patches"));
    json_close(json, '}');
}

/* --- errors --- */

/* "guardian:1:80: must be a mode (at control.mode)" becomes "spec.control.mode: must be a mode":
 * nobody knows that line. */
static enum guard_rc say_path(enum guard_rc rc, const char *root, const struct guard_err *told,
                              struct guard_err *err)
{
    const char *text = told->text;
    for (int colons = 0; colons < 3; colons++) {
        const char *colon = strchr(text, ':');
        if (colon == NULL)
            return guard_fail(err, rc, "%s: %s", root, told->text);
        text = colon + 1;
    }
    text += strspn(text, " ");
    const char *at = strstr(text, " (at ");
    size_t end = strlen(text);
    if (at != NULL && text[end - 1] == ')')
        return guard_fail(err, rc, "%s.%.*s: %.*s", root, (int)(text + end - 1 - (at + 5)), at + 5,
                          (int)(at - text), text);
    size_t word = strspn(text, PATH_LETTERS);
    return guard_fail(err, rc, "%s%s%s", root, word > 0 && text[word] == ':' ? "." : ": ", text);
}

static enum guard_rc parse(struct guard_guardian *out, const struct json_writer *json,
                           const char *root, struct guard_arena *arena, struct guard_err *err)
{
    struct guard_err told = {.text = ""};
    if (json->overflow)
        return guard_fail(err, GUARD_E_LIMIT, "%s: is too large", root);
    enum guard_rc rc = guardian_parse(
        out, "guardian", (struct guard_span){(const uint8_t *)json->ptr, json->len}, arena, &told);
    return rc == GUARD_OK ? rc : say_path(rc, root, &told, err);
}

/* --- the floor --- */

static void raise_mode(enum guard_mode *mode, enum guard_mode least)
{
    if (*mode < least)
        *mode = least;
}

static bool has_patch(const struct guard_guardian *floor, const struct guard_patch *patch)
{
    for (uint32_t i = 0; i < floor->patch_count; i++) {
        if (floor->patches[i].id.len == patch->id.len &&
            memcmp(floor->patches[i].id.ptr, patch->id.ptr, patch->id.len) == 0)
            return true;
    }
    return false;
}

/* The floor's patches first; of the same id it is the floor's that holds. */
static enum guard_rc add_patches(struct guard_guardian *guardian,
                                 const struct guard_guardian *floor, struct guard_arena *arena,
                                 struct guard_err *err)
{
    if (floor->patch_count == 0)
        return GUARD_OK;
    uint32_t count = floor->patch_count;
    struct guard_patch *patches =
        guard_arena_get(arena, (count + guardian->patch_count) * sizeof(*patches));
    if (patches == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for patches");
    memcpy(patches, floor->patches, count * sizeof(*patches));
    for (uint32_t i = 0; i < guardian->patch_count; i++) {
        if (!has_patch(floor, &guardian->patches[i]))
            patches[count++] = guardian->patches[i];
    }
    if (count > GUARD_PATCHES_MAX)
        return guard_fail(err, GUARD_E_LIMIT,
                          "spec.patches: with the cluster's there are more than %d",
                          (int)GUARD_PATCHES_MAX);
    guardian->patches = patches;
    guardian->patch_count = count;
    return GUARD_OK;
}

static void raise_learning(struct guard_guardian *guardian, const struct guard_guardian *floor,
                           const struct document_node *said)
{
    if (member_of(said, "learn") != NULL && floor->learn)
        guardian->learn = true;
    if (member_of(said, "falseAlarmBudget") != NULL &&
        guardian->false_alarm_budget < floor->false_alarm_budget)
        guardian->false_alarm_budget = floor->false_alarm_budget;
    if (member_of(said, "support") != NULL && guardian->support < floor->support)
        guardian->support = floor->support;
}

static enum guard_rc raise_to(struct guard_guardian *guardian, const struct guard_guardian *floor,
                              struct guard_arena *arena, struct guard_err *err)
{
    raise_mode(&guardian->request_mode, floor->request_mode);
    raise_mode(&guardian->response_mode, floor->response_mode);
    raise_mode(&guardian->time_mode, floor->time_mode);
    raise_mode(&guardian->client_mode, floor->client_mode);
    /* An endpoint has one mode for its requests and its answers. */
    int32_t least = (int32_t)(floor->request_mode > floor->response_mode ? floor->request_mode
                                                                         : floor->response_mode);
    for (uint32_t i = 0; i < guardian->endpoint_count; i++) {
        if (guardian->endpoints[i].mode >= 0 && guardian->endpoints[i].mode < least)
            guardian->endpoints[i].mode = least;
    }
    return add_patches(guardian, floor, arena, err);
}

/* --- the whole --- */

static enum guard_rc hold_floor(char *buffer, struct guard_guardian *guardian,
                                const struct merge_parts *parts, struct guard_arena *arena,
                                struct guard_err *err)
{
    struct guard_guardian floor;
    struct json_writer json;
    if (mapping_in(parts->cluster, "floor") == NULL)
        return GUARD_OK;
    json_writer_init(&json, buffer, TEXT_MAX);
    write_floor(&json, mapping_in(parts->cluster, "floor"));
    GUARD_TRY(parse(&floor, &json, "the ClusterGuardian's spec.floor", arena, err));
    raise_learning(guardian, &floor, mapping_in(parts->cluster, "floor"));
    return raise_to(guardian, &floor, arena, err);
}

/* What an object says beside the document. */
static enum guard_rc check_profile(const struct document_node *spec, struct guard_err *err)
{
    const char *said =
        spec != NULL && member_of(spec, "profile") != NULL ? text_of(spec, "profile") : "Never";
    return strcmp(said, "Never") == 0 || strcmp(said, "OnChange") == 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_RANGE, "spec.profile: must be Never or OnChange");
}

static enum guard_rc merge_in(char *buffer, struct guard_guardian *guardian,
                              struct guard_span service, const struct merge_parts *parts,
                              struct guard_arena *arena, struct guard_err *err)
{
    struct json_writer json;
    GUARD_TRY(check_profile(parts->spec, err));
    json_writer_init(&json, buffer, TEXT_MAX);
    write_document(&json, service, parts);
    GUARD_TRY(parse(guardian, &json, "spec", arena, err));
    return hold_floor(buffer, guardian, parts, arena, err);
}

/* What is longer as text than it was as JSON, guardd couldn't read: the old policy would stay. */
static enum guard_rc write_text(const struct guard_guardian *guardian, struct guard_span *text,
                                struct guard_arena *arena, struct guard_err *err)
{
    GUARD_TRY(guardian_write(guardian, arena, text, err));
    return text->len <= DOCUMENT_BYTES_MAX
               ? GUARD_OK
               : guard_fail(err, GUARD_E_LIMIT, "spec: is too large: %zu bytes as a document",
                            text->len);
}

enum guard_rc merge_last(struct guard_guardian *guardian, struct guard_span *text,
                         struct guard_span last, const struct merge_parts *parts,
                         struct guard_arena *arena, struct guard_err *err)
{
    char *buffer = malloc(TEXT_MAX);
    if (buffer == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a Guardian");
    enum guard_rc rc = guardian_parse(guardian, "guardian", last, arena, err);
    if (rc == GUARD_OK)
        rc = hold_floor(buffer, guardian, parts, arena, err);
    if (rc == GUARD_OK)
        rc = write_text(guardian, text, arena, err);
    free(buffer);
    return rc;
}

enum guard_rc merge_guardian(struct guard_guardian *guardian, struct guard_span *text,
                             struct guard_span service, const struct merge_parts *parts,
                             struct guard_arena *arena, struct guard_err *err)
{
    char *buffer = malloc(TEXT_MAX);
    if (buffer == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a Guardian");
    enum guard_rc rc = merge_in(buffer, guardian, service, parts, arena, err);
    if (rc == GUARD_OK)
        rc = write_text(guardian, text, arena, err);
    free(buffer);
    return rc;
}

enum guard_rc merge_check(const struct merge_parts *parts, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_guardian guardian;
    struct guard_span text;
    guard_arena_init(&arena, &heap, CHECK_ARENA);
    enum guard_rc rc =
        merge_guardian(&guardian, &text, GUARD_SPAN_LITERAL("check"), parts, &arena, err);
    guard_arena_reset(&arena);
    return rc;
}
