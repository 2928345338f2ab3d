/* SPDX-License-Identifier: Apache-2.0 */
/* Reads, edits, audits, writes; nothing is half applied. */
#include "common/patch_changes.h"

#include "common/clean.h"
#include "common/file.h"
#include "common/guardian.h"
#include "common/guardian_edit.h"
#include "common/guardian_patch_words.h"
#include "common/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct changing {
    const struct change *change;
    const struct patch_change *what;
    struct guard_arena *arena;
    struct patch_outcome *out;
    struct guard_err *err;
    struct guard_guardian now;
    struct guard_guardian wanted;
};

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

const struct guard_patch *patch_by_id(const struct guard_guardian *guardian, struct guard_span id)
{
    for (uint32_t i = 0; i < guardian->patch_count; i++) {
        if (same(guardian->patches[i].id, id))
            return &guardian->patches[i];
    }
    return NULL;
}

static struct guard_patch *wanted_by_id(struct changing *changing, struct guard_span id)
{
    const struct guard_patch *found = patch_by_id(&changing->wanted, id);
    return found != NULL ? &changing->wanted.patches[found - changing->wanted.patches] : NULL;
}

/* ", CVE-1 shadow" */
static void say(char text[PATCH_SAID_MAX], const struct guard_patch *patch)
{
    size_t len = strlen(text);
    snprintf(text + len, PATCH_SAID_MAX - len, "%s%.*s %s", len > 0 ? ", " : "", (int)patch->id.len,
             (const char *)patch->id.ptr, patch_mode_word(patch->mode));
}

/* A copy of the patches with room for more. */
static enum guard_rc copy(struct changing *changing, uint32_t more)
{
    struct guard_guardian *wanted = &changing->wanted;
    size_t size = sizeof(*wanted->patches);
    if (wanted->patch_count + more > GUARD_PATCHES_MAX)
        return guard_fail(changing->err, GUARD_E_LIMIT, "patches: a Guardian has at most %d",
                          GUARD_PATCHES_MAX);
    struct guard_patch *patches =
        guard_arena_get(changing->arena, (wanted->patch_count + more) * size + 1);
    if (patches == NULL)
        return guard_fail(changing->err, GUARD_E_NOMEM, "no memory");
    if (wanted->patch_count > 0)
        memcpy(patches, wanted->patches, wanted->patch_count * size);
    wanted->patches = patches;
    return GUARD_OK;
}

/* What patches hold of who and why is a line; what people say may be anything. */
static enum guard_rc one_line(struct changing *changing, const char *text, struct guard_span *out)
{
    size_t cap = 4 * strlen(text) + 1;
    char *line = guard_arena_get(changing->arena, cap);
    if (line == NULL)
        return guard_fail(changing->err, GUARD_E_NOMEM, "no memory");
    clean(line, cap, text, strlen(text));
    size_t len = strlen(line);
    if (len <= GUARD_PATCH_TEXT_MAX)
        *out = (struct guard_span){(const uint8_t *)line, len};
    return GUARD_OK;
}

static enum guard_rc add(struct changing *changing)
{
    const struct patch_list *list = &changing->what->patches;
    struct guard_span by = {NULL, 0};
    struct guard_span reason = {NULL, 0};
    GUARD_TRY(one_line(changing, changing->change->who.by, &by));
    GUARD_TRY(one_line(changing, changing->change->reason, &reason));
    for (uint32_t i = 0; i < list->count; i++) {
        struct guard_patch patch = list->patches[i];
        struct guard_patch *old = wanted_by_id(changing, patch.id);
        if (patch.author.len == 0)
            patch.author = by;
        if (patch.reason.len == 0)
            patch.reason = reason;
        if (old != NULL && !changing->what->replace)
            return guard_fail(changing->err, GUARD_E_RANGE,
                              "patches[%u].id: the service has a patch %.*s already", i,
                              (int)patch.id.len, (const char *)patch.id.ptr);
        if (old != NULL)
            say(changing->out->before, old);
        say(changing->out->after, &patch);
        if (old != NULL)
            *old = patch;
        else
            changing->wanted.patches[changing->wanted.patch_count++] = patch;
    }
    return GUARD_OK;
}

static enum guard_rc change_one(struct changing *changing)
{
    const struct patch_change *what = changing->what;
    struct guard_guardian *wanted = &changing->wanted;
    struct guard_patch *patch = wanted_by_id(changing, what->id);
    if (patch == NULL)
        return guard_fail(changing->err, GUARD_E_RANGE, "id: the service has no patch %.*s",
                          (int)what->id.len, (const char *)what->id.ptr);
    say(changing->out->before, patch);
    if (what->verb == PATCH_MODE) {
        patch->mode = what->mode;
        say(changing->out->after, patch);
        return GUARD_OK;
    }
    size_t index = (size_t)(patch - wanted->patches);
    wanted->patch_count--;
    memmove(patch, patch + 1, (wanted->patch_count - index) * sizeof(*patch));
    return GUARD_OK;
}

static enum guard_rc put(struct changing *changing, struct guard_span text, bool dry)
{
    struct guard_span edited;
    const struct patch_outcome *out = changing->out;
    GUARD_TRY(guardian_edit_patches(text, &changing->now, &changing->wanted, changing->arena,
                                    &edited, changing->err));
    if (dry)
        return GUARD_OK;
    return change_guardian_patches(changing->change, edited, out->before, out->after,
                                   changing->err);
}

/* The document in place; *bytes NULL: there is none. */
static enum guard_rc read_now(struct changing *changing, uint8_t **bytes, size_t *len)
{
    char path[STATE_PATH_MAX];
    const struct change *change = changing->change;
    if (!state_service_valid(change->service) ||
        state_path(path, change->dir, "guardians", change->service, ".yaml") != GUARD_OK)
        return guard_fail(changing->err, GUARD_E_RANGE,
                          "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    guard_guardian_default(&changing->now, change->service);
    errno = 0;
    enum guard_rc rc = file_read(path, DOCUMENT_BYTES_MAX, bytes, len, changing->err);
    if (rc == GUARD_E_IO && errno == ENOENT)
        return GUARD_OK;
    GUARD_TRY(rc);
    return guardian_parse(&changing->now, path, (struct guard_span){*bytes, *len}, changing->arena,
                          changing->err);
}

enum guard_rc change_patches(const struct change *change, const struct patch_change *what, bool dry,
                             struct guard_arena *arena, struct patch_outcome *out,
                             struct guard_err *err)
{
    struct changing changing = {
        .change = change, .what = what, .arena = arena, .out = out, .err = err};
    uint8_t *bytes = NULL;
    size_t len = 0;
    *out = (struct patch_outcome){0};
    enum guard_rc rc = read_now(&changing, &bytes, &len);
    changing.wanted = changing.now;
    if (rc == GUARD_OK)
        rc = copy(&changing, what->verb == PATCH_ADD ? what->patches.count : 0);
    if (rc == GUARD_OK)
        rc = what->verb == PATCH_ADD ? add(&changing) : change_one(&changing);
    out->changed = strcmp(out->before, out->after) != 0 ||
                   (what->verb == PATCH_ADD && what->patches.count > 0);
    if (rc == GUARD_OK && out->changed)
        rc = put(&changing, (struct guard_span){bytes, len}, dry);
    free(bytes);
    return rc;
}
