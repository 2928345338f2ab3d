/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and reads the folder. A document whose name isn't its patch's id would never be found by
 * it, so it is refused. */
#include "shipped_patches.h"

#include "command.h"
#include "common/document_members.h"
#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_MAX = 64 << 20, EXTENSION = 5 };

static bool use_folder(char out[SHIPPED_FOLDER_MAX], const char *own, const char *below)
{
    int len = snprintf(out, SHIPPED_FOLDER_MAX, "%s%s", own, below);
    return len > 0 && len < SHIPPED_FOLDER_MAX && access(out, R_OK | X_OK) == 0;
}

static bool find_folder(char out[SHIPPED_FOLDER_MAX], const char *folder)
{
    char own[SHIPPED_FOLDER_MAX];
    if (folder != NULL)
        return use_folder(out, folder, "") || complain(0, "%s: %s", folder, strerror(errno)) != 0;
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (slash != NULL)
        *slash = '\0';
    return use_folder(out, own, "/../share/guard/patches") ||
           use_folder(out, "/usr/share/guard/patches", "") ||
           use_folder(out, "/usr/local/share/guard/patches", "") ||
           complain(0, "the patches that come with Guard aren't found; give --patches DIR") != 0;
}

static int is_patch(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > EXTENSION &&
           strcmp(entry->d_name + len - EXTENSION, ".yaml") == 0;
}

static bool read_one(struct shipped_patches *out, const char *name)
{
    char path[SHIPPED_FOLDER_MAX + 256 + 2];
    struct document document;
    struct guard_err err;
    snprintf(path, sizeof(path), "%s/%s", out->folder, name);
    size_t len = strlen(path) + 1;
    char *kept = guard_arena_get(&out->arena, len); /* documents borrow it for messages */
    if (kept == NULL)
        return complain(0, "no memory") != 0;
    memcpy(kept, path, len);
    struct shipped_patch *patch = &out->patches[out->count];
    if (document_load(&document, kept, &out->arena, &err) != GUARD_OK ||
        shipped_patch_read(&document, patch, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    if (patch->id.len != strlen(name) - EXTENSION ||
        memcmp(patch->id.ptr, name, patch->id.len) != 0)
        return complain(0, "%s: the file has to be named as the patch in it", path) != 0;
    out->count++;
    return true;
}

bool shipped_patches_open(struct shipped_patches *out, const char *folder)
{
    struct guard_alloc heap = heap_alloc();
    struct dirent **entries = NULL;
    out->count = 0;
    guard_arena_init(&out->arena, &heap, ARENA_MAX);
    if (!find_folder(out->folder, folder))
        return false;
    int count = scandir(out->folder, &entries, is_patch, alphasort);
    if (count < 0)
        return complain(0, "%s: %s", out->folder, strerror(errno)) != 0;
    bool good = count <= SHIPPED_PATCHES_MAX ||
                complain(0, "%s: more than %d patches", out->folder, SHIPPED_PATCHES_MAX) != 0;
    size_t size = ((size_t)count + 1) * sizeof(*out->patches);
    out->patches = good ? guard_arena_get(&out->arena, size) : NULL;
    good = good && (out->patches != NULL || complain(0, "no memory") != 0);
    for (int i = 0; i < count; i++) {
        good = good && read_one(out, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return good;
}

void shipped_patches_close(struct shipped_patches *shipped)
{
    guard_arena_reset(&shipped->arena);
}

const struct shipped_patch *shipped_patches_find(const struct shipped_patches *shipped,
                                                 const char *id)
{
    for (uint32_t i = 0; i < shipped->count; i++) {
        const struct shipped_patch *patch = &shipped->patches[i];
        if (patch->id.len == strlen(id) && memcmp(patch->id.ptr, id, patch->id.len) == 0)
            return patch;
    }
    return NULL;
}

bool shipped_patches_path(const struct shipped_patches *shipped, struct guard_span id,
                          char out[STATE_PATH_MAX])
{
    int len = snprintf(out, STATE_PATH_MAX, "%s/%.*s.yaml", shipped->folder, (int)id.len,
                       (const char *)id.ptr);
    return len > 0 && len < STATE_PATH_MAX;
}
