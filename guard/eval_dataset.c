/* SPDX-License-Identifier: Apache-2.0 */
/* Folders are walked with names in order, so that the same data is the same report. */
#include "eval_dataset.h"

#include "command.h"
#include "common/file.h"
#include "common/traffic/json_cursor.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES_MAX = 4096, DEPTH_MAX = 8, MANIFEST_MAX = 16 << 20 };

static const struct {
    const char *kind;
    enum eval_role role;
} kinds[] = {
    {"train", EVAL_TRAIN},        {"learn", EVAL_TRAIN},     {"test-benign", EVAL_BENIGN},
    {"test_benign", EVAL_BENIGN}, {"attacks", EVAL_ATTACKS}, {"transplant", EVAL_ATTACKS},
    {"unseen", EVAL_ATTACKS},     {"padding", EVAL_ATTACKS}, {"lookalike", EVAL_BENIGN},
};

/* "shop-learn.jsonl.gz", "train.jsonl", "host.train.jsonl". */
static bool role_of(const char *path, enum eval_role *role)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *end = strstr(name, ".jsonl");
    for (size_t i = 0; end != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i].kind);
        if ((size_t)(end - name) < len || memcmp(end - len, kinds[i].kind, len) != 0)
            continue;
        const char *before = end - len - 1;
        if (end - len == name || *before == '.' || *before == '-') {
            *role = kinds[i].role;
            return true;
        }
    }
    return false;
}

static char *copy(const char *text, size_t len)
{
    char *out = malloc(len + 1);
    if (out != NULL) {
        memcpy(out, text, len);
        out[len] = '\0';
    }
    return out;
}

static struct eval_set *set_named(struct eval_sets *sets, const char *name, size_t len)
{
    for (int i = 0; i < sets->count; i++) {
        if (strlen(sets->sets[i].name) == len && memcmp(sets->sets[i].name, name, len) == 0)
            return &sets->sets[i];
    }
    char *own = sets->count < EVAL_SETS_MAX ? copy(name, len) : NULL;
    if (own == NULL) {
        complain(0, "more than %d sets of data, or no memory", EVAL_SETS_MAX);
        return NULL;
    }
    sets->sets[sets->count] = (struct eval_set){.name = own};
    return &sets->sets[sets->count++];
}

static bool add(struct eval_set *set, const char *path, enum eval_role role)
{
    if (set == NULL)
        return false;
    if (set->count == set->cap) {
        int cap = set->cap == 0 ? 16 : set->cap * 2;
        struct eval_file *files =
            cap <= EVAL_FILES_MAX ? realloc(set->files, (size_t)cap * sizeof(*files)) : NULL;
        if (files == NULL)
            return complain(0, "%s: more than %d files, or no memory", set->name, EVAL_FILES_MAX) !=
                   0;
        set->files = files;
        set->cap = cap;
    }
    char *own = copy(path, strlen(path));
    if (own == NULL)
        return complain(0, "no memory") != 0;
    set->files[set->count++] = (struct eval_file){own, role};
    return true;
}

/* The set of a file is its folder. */
static bool add_to_folder(struct eval_sets *sets, const char *path, enum eval_role role)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return add(set_named(sets, "files", 5), path, role);
    const char *from = slash;
    while (from > path && from[-1] != '/')
        from--;
    return add(set_named(sets, from, (size_t)(slash - from)), path, role);
}

static bool walk(struct eval_sets *sets, const char *folder, int depth);

static bool visit(struct eval_sets *sets, const char *folder, const char *name, int depth)
{
    char path[PATH_BYTES_MAX];
    struct stat info;
    enum eval_role role;
    if (name[0] == '.')
        return true;
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path) ||
        stat(path, &info) != 0)
        return complain(0, "%s/%s: can't be read", folder, name) != 0;
    if (S_ISDIR(info.st_mode))
        return depth == DEPTH_MAX || walk(sets, path, depth + 1);
    return !role_of(name, &role) || add_to_folder(sets, path, role);
}

static bool walk(struct eval_sets *sets, const char *folder, int depth)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0)
        return complain(0, "%s: can't be read", folder) != 0;
    bool good = true;
    for (int i = 0; i < count; i++) {
        good = good && visit(sets, folder, entries[i]->d_name, depth);
        free(entries[i]);
    }
    free(entries);
    return good;
}

/* {"files":[{"file":"csic/train.jsonl.gz",...},...]}; names are relative to the manifest. */
static bool add_listed(struct eval_sets *sets, const char *manifest, struct guard_span file)
{
    char path[PATH_BYTES_MAX];
    enum eval_role role;
    const char *slash = strrchr(manifest, '/');
    int folder_len = slash != NULL ? (int)(slash - manifest) : 1;
    snprintf(path, sizeof(path), "%.*s/%.*s", folder_len, slash != NULL ? manifest : ".",
             (int)(file.len < 1024 ? file.len : 1024), (const char *)file.ptr);
    if (strstr(path, "/../") != NULL)
        return complain(0, "%s: \"%s\" leads outside", manifest, path) != 0;
    return !role_of(path, &role) || add_to_folder(sets, path, role);
}

static bool read_manifest(struct eval_sets *sets, const char *path, struct guard_arena *arena,
                          struct guard_span text)
{
    struct json_cursor cursor;
    struct guard_span key;
    struct guard_span file;
    bool good = true;
    json_cursor_init(&cursor, text, arena);
    (void)json_cursor_enter(&cursor, '{');
    while (good && json_cursor_member(&cursor, &key)) {
        if (key.len != 5 || memcmp(key.ptr, "files", 5) != 0 || !json_cursor_enter(&cursor, '[')) {
            json_cursor_skip(&cursor);
            continue;
        }
        while (good && json_cursor_element(&cursor) && json_cursor_enter(&cursor, '{')) {
            while (good && json_cursor_member(&cursor, &key)) {
                if (key.len == 4 && memcmp(key.ptr, "file", 4) == 0)
                    good = !json_cursor_string(&cursor, &file) || add_listed(sets, path, file);
                else
                    json_cursor_skip(&cursor);
            }
        }
    }
    if (good && cursor.wrong != NULL)
        return complain(0, "%s: %s", path, cursor.wrong) != 0;
    return good;
}

static bool open_manifest(struct eval_sets *sets, const char *path)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_err err;
    uint8_t *text = NULL;
    size_t len = 0;
    if (file_read(path, MANIFEST_MAX, &text, &len, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    guard_arena_init(&arena, &heap, MANIFEST_MAX);
    bool good = read_manifest(sets, path, &arena, (struct guard_span){text, len});
    guard_arena_reset(&arena);
    free(text);
    return good;
}

bool eval_sets_add(struct eval_sets *sets, const char *path, enum eval_role role)
{
    return add(set_named(sets, "files", 5), path, role);
}

bool eval_sets_open(struct eval_sets *sets, const char *path)
{
    char trimmed[PATH_BYTES_MAX];
    struct stat info;
    enum eval_role role;
    if ((size_t)snprintf(trimmed, sizeof(trimmed), "%s", path) >= sizeof(trimmed))
        return complain(0, "%s: the path is too long", path) != 0;
    for (size_t len = strlen(trimmed); len > 1 && trimmed[len - 1] == '/'; len--)
        trimmed[len - 1] = '\0';
    if (stat(trimmed, &info) != 0)
        return complain(0, "%s: can't be read", path) != 0;
    if (S_ISDIR(info.st_mode))
        return walk(sets, trimmed, 0);
    const char *slash = strrchr(trimmed, '/');
    if (strcmp(slash != NULL ? slash + 1 : trimmed, "manifest.json") == 0)
        return open_manifest(sets, trimmed);
    return eval_sets_add(sets, trimmed, role_of(trimmed, &role) ? role : EVAL_LABELLED);
}

static bool is_read(enum eval_role role, bool learn)
{
    return role == EVAL_LABELLED || (role == EVAL_TRAIN) == learn;
}

bool eval_sets_complete(const struct eval_sets *sets)
{
    if (sets->count == 0)
        return complain(0, "no files of exchanges found") != 0;
    for (int i = 0; i < sets->count; i++) {
        bool read[2] = {false, false};
        for (int k = 0; k < sets->sets[i].count; k++) {
            read[0] |= is_read(sets->sets[i].files[k].role, false);
            read[1] |= is_read(sets->sets[i].files[k].role, true);
        }
        if (!read[0] || !read[1])
            return complain(0, "%s: no files to %s (names end in %s)", sets->sets[i].name,
                            read[1] ? "judge" : "learn from",
                            read[1] ? "test-benign.jsonl, attacks.jsonl, transplant.jsonl, ..."
                                    : "train.jsonl or learn.jsonl") != 0;
    }
    return true;
}

void eval_sets_free(struct eval_sets *sets)
{
    for (int i = 0; i < sets->count; i++) {
        for (int k = 0; k < sets->sets[i].count; k++)
            free(sets->sets[i].files[k].path);
        free(sets->sets[i].files);
        free(sets->sets[i].name);
    }
    sets->count = 0;
}

char **eval_set_paths(const struct eval_set *set, bool learn, int *count)
{
    char **paths = calloc((size_t)set->count + 1, sizeof(*paths));
    *count = 0;
    if (paths == NULL) {
        complain(0, "no memory");
        return NULL;
    }
    for (int i = 0; i < set->count; i++) {
        if (is_read(set->files[i].role, learn))
            paths[(*count)++] = set->files[i].path;
    }
    return paths;
}

enum eval_role eval_set_role(const struct eval_set *set, bool learn, int index)
{
    for (int i = 0; i < set->count; i++) {
        if (is_read(set->files[i].role, learn) && index-- == 0)
            return set->files[i].role;
    }
    return EVAL_LABELLED;
}

bool eval_set_rereadable(const struct eval_set *set)
{
    for (int i = 0; i < set->count; i++) {
        struct stat info;
        if (stat(set->files[i].path, &info) != 0 || !S_ISREG(info.st_mode))
            return false;
    }
    return true;
}
