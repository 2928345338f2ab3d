/* SPDX-License-Identifier: Apache-2.0 */
/* Reads patches by table, then holds each to the rules of guard_patch_check, whose complaint is
 * given the place of the member that it names. */
#include "common/guardian_patch.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/guardian_patch_members.h"
#include "common/guardian_patch_words.h"
#include "common/guardian_words.h"

#include <stdlib.h>
#include <string.h>

/* --- members --- */

enum { TEXT_ID, TEXT_TITLE, TEXT_FIXED_IN, TEXT_AUTHOR, TEXT_REASON };

static enum guard_rc read_text(const struct patch_reading *reading,
                               const struct document_node *node, void *target, int which)
{
    struct guard_patch *patch = target;
    struct guard_span *const texts[] = {
        [TEXT_ID] = &patch->id,
        [TEXT_TITLE] = &patch->title,
        [TEXT_FIXED_IN] = &patch->fixed_in,
        [TEXT_AUTHOR] = &patch->author,
        [TEXT_REASON] = &patch->reason,
    };
    return patch_read_text(
        reading, node, which == TEXT_ID ? GUARD_PATCH_ID_MAX : GUARD_PATCH_TEXT_MAX, texts[which]);
}

static enum guard_rc read_references(const struct patch_reading *reading,
                                     const struct document_node *node, void *target, int argument)
{
    struct guard_patch *patch = target;
    (void)argument;
    return patch_read_list(reading, node, &patch->references, &patch->reference_count);
}

static enum guard_rc read_part(const struct patch_reading *reading,
                               const struct document_node *node, void *target, int argument)
{
    int part = 0;
    (void)argument;
    GUARD_TRY(patch_read_word(reading, node, patch_part_of, "request or response", &part));
    ((struct guard_patch *)target)->part = (enum guard_patch_part)part;
    return GUARD_OK;
}

/* YAML's "off" is a word here. */
static enum guard_rc read_patch_mode(const struct patch_reading *reading,
                                     const struct document_node *node, void *target, int argument)
{
    int mode = 0;
    (void)argument;
    GUARD_TRY(patch_read_word(reading, node, patch_mode_of, "off, shadow or enforce", &mode));
    ((struct guard_patch *)target)->mode = (enum guard_patch_mode)mode;
    return GUARD_OK;
}

static enum guard_rc read_action(const struct patch_reading *reading,
                                 const struct document_node *node, void *target, int argument)
{
    int action = 0;
    (void)argument;
    GUARD_TRY(patch_read_word(reading, node, patch_action_of, "block or alert", &action));
    ((struct guard_patch *)target)->action = (enum guard_patch_action)action;
    return GUARD_OK;
}

static enum guard_rc read_mandatory(const struct patch_reading *reading,
                                    const struct document_node *node, void *target, int argument)
{
    (void)argument;
    return patch_read_bool(reading, node, &((struct guard_patch *)target)->mandatory);
}

static enum guard_rc read_expiry(const struct patch_reading *reading,
                                 const struct document_node *node, void *target, int argument)
{
    (void)argument;
    return patch_read_time(reading, node, &((struct guard_patch *)target)->expires_ms);
}

enum { SCOPE_ENDPOINTS, SCOPE_METHODS, SCOPE_MEDIA };

static enum guard_rc read_scope_list(const struct patch_reading *reading,
                                     const struct document_node *node, void *target, int which)
{
    struct guard_patch *patch = target;
    switch (which) {
    case SCOPE_ENDPOINTS:
        return patch_read_list(reading, node, &patch->endpoints, &patch->endpoint_count);
    case SCOPE_METHODS:
        return patch_read_list(reading, node, &patch->methods, &patch->method_count);
    default:
        return patch_read_list(reading, node, &patch->media_types, &patch->media_count);
    }
}

static enum guard_rc read_scope(const struct patch_reading *reading,
                                const struct document_node *node, void *target, int argument)
{
    static const struct patch_member members[] = {
        {"endpoints", read_scope_list, SCOPE_ENDPOINTS},
        {"methods", read_scope_list, SCOPE_METHODS},
        {"contentTypes", read_scope_list, SCOPE_MEDIA},
        {NULL, NULL, 0},
    };
    (void)argument;
    return patch_read_members(reading, node, members, target);
}

static enum guard_rc read_when(const struct patch_reading *reading,
                               const struct document_node *node, void *target, int argument)
{
    (void)argument;
    return patch_condition_read(reading->document, node, &((struct guard_patch *)target)->when,
                                reading->err);
}

/* --- rules --- */

static enum guard_rc check_rules(const struct patch_reading *reading,
                                 const struct document_node *node, const struct guard_patch *patch)
{
    struct guard_err err = {""};
    enum guard_rc rc = guard_patch_check(patch, &err);
    return rc == GUARD_OK ? GUARD_OK : patch_fail_rule(reading, node, rc, err.text);
}

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static enum guard_rc read_patch(const struct patch_reading *reading,
                                const struct document_node *node, struct guard_patch *patch)
{
    static const struct patch_member members[] = {
        {"id", read_text, TEXT_ID},
        {"title", read_text, TEXT_TITLE},
        {"references", read_references, 0},
        {"part", read_part, 0},
        {"mode", read_patch_mode, 0},
        {"action", read_action, 0},
        {"mandatory", read_mandatory, 0},
        {"expires", read_expiry, 0},
        {"fixedIn", read_text, TEXT_FIXED_IN},
        {"author", read_text, TEXT_AUTHOR},
        {"reason", read_text, TEXT_REASON},
        {"scope", read_scope, 0},
        {"when", read_when, 0},
        {NULL, NULL, 0},
    };
    *patch = (struct guard_patch){.mode = GUARD_PATCH_SHADOW, .action = GUARD_PATCH_BLOCK};
    GUARD_TRY(patch_read_members(reading, node, members, patch));
    if (patch->id.len == 0)
        return PATCH_FAIL(reading, node, GUARD_E_SYNTAX, "a patch needs \"id\"");
    if (member_of(node, "when") == NULL)
        return PATCH_FAIL(reading, node, GUARD_E_SYNTAX, "a patch needs \"when\"");
    return check_rules(reading, node, patch);
}

static enum guard_rc check_unique(const struct patch_reading *reading,
                                  const struct document_node *node, const struct patch_list *list,
                                  uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (same(list->patches[i].id, list->patches[index].id))
            return PATCH_FAIL(reading, member_of(node, "id"), GUARD_E_SYNTAX,
                              "patch %u has this id, too", i);
    }
    return GUARD_OK;
}

enum guard_rc patches_read(const struct document *document, const struct document_node *list,
                           struct patch_list *out, struct guard_err *err)
{
    const struct patch_reading reading = {document, err};
    void *array = NULL;
    *out = (struct patch_list){0};
    if (list->kind != DOCUMENT_SEQUENCE)
        return PATCH_FAIL(&reading, list, GUARD_E_SYNTAX, "must be a list of patches");
    if (list->count > GUARD_PATCHES_MAX)
        return PATCH_FAIL(&reading, list, GUARD_E_LIMIT, "more than %d patches", GUARD_PATCHES_MAX);
    GUARD_TRY(patch_array(&reading, list, sizeof(*out->patches), list->count, &array));
    out->patches = array;
    for (const struct document_node *node = list->first; node != NULL; node = node->next) {
        GUARD_TRY(read_patch(&reading, node, &out->patches[out->count]));
        GUARD_TRY(check_unique(&reading, node, out, out->count));
        out->count++;
    }
    return GUARD_OK;
}

/* --- documents of their own --- */

static enum guard_rc top_version(const struct patch_reading *reading,
                                 const struct document_node *node, void *target, int argument)
{
    (void)target;
    (void)argument;
    return node->kind == DOCUMENT_SCALAR && same(node->text, GUARD_SPAN_LITERAL(GUARDIAN_VERSION))
               ? GUARD_OK
               : PATCH_FAIL(reading, node, GUARD_E_VERSION, "must be " GUARDIAN_VERSION);
}

static enum guard_rc top_kind(const struct patch_reading *reading, const struct document_node *node,
                              void *target, int argument)
{
    (void)target;
    (void)argument;
    return node->kind == DOCUMENT_SCALAR && same(node->text, GUARD_SPAN_LITERAL("Patches"))
               ? GUARD_OK
               : PATCH_FAIL(reading, node, GUARD_E_SYNTAX, "must be Patches");
}

static enum guard_rc top_patches(const struct patch_reading *reading,
                                 const struct document_node *node, void *target, int argument)
{
    (void)argument;
    return patches_read(reading->document, node, target, reading->err);
}

/* Of packages that shipped patches apply to: read by who wants to know. */
static enum guard_rc top_affects(const struct patch_reading *reading,
                                 const struct document_node *node, void *target, int argument)
{
    (void)reading;
    (void)node;
    (void)target;
    (void)argument;
    return GUARD_OK;
}

static enum guard_rc read_one(const struct patch_reading *reading, struct patch_list *out)
{
    void *array = NULL;
    const struct document_node *root = reading->document->root;
    GUARD_TRY(patch_array(reading, root, sizeof(*out->patches), 1, &array));
    GUARD_TRY(read_patch(reading, root, array));
    *out = (struct patch_list){array, 1};
    return GUARD_OK;
}

enum guard_rc patches_parse(struct patch_list *out, const char *name, struct guard_span bytes,
                            struct guard_arena *arena, struct guard_err *err)
{
    static const struct patch_member members[] = {{"apiVersion", top_version, 0},
                                                  {"kind", top_kind, 0},
                                                  {"patches", top_patches, 0},
                                                  {"affects", top_affects, 0},
                                                  {NULL, NULL, 0}};
    struct document document;
    const struct patch_reading reading = {&document, err};
    *out = (struct patch_list){0};
    GUARD_TRY(document_parse(&document, name, bytes, arena, err));
    const struct document_node *root = document.root;
    if (root->kind == DOCUMENT_SEQUENCE)
        return patches_read(&document, root, out, err);
    if (root->kind == DOCUMENT_MAPPING && member_of(root, "patches") == NULL &&
        member_of(root, "kind") == NULL)
        return read_one(&reading, out);
    GUARD_TRY(patch_read_members(&reading, root, members, out));
    return member_of(root, "patches") != NULL
               ? GUARD_OK
               : PATCH_FAIL(&reading, root, GUARD_E_SYNTAX, "the document needs \"patches\"");
}

enum guard_rc patches_load(struct patch_list *out, const char *path, struct guard_arena *arena,
                           struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    GUARD_TRY(file_read(path, DOCUMENT_BYTES_MAX, &bytes, &len, err));
    enum guard_rc rc = patches_parse(out, path, (struct guard_span){bytes, len}, arena, err);
    free(bytes);
    return rc;
}
