/* SPDX-License-Identifier: Apache-2.0 */
/* The patches that come with Guard: each document reads as patches and as a shipped one, is named
 * as its patch, and stays out of force by itself. usage: test_shipped_set FOLDER */
#include "common/document_members.h"
#include "common/file.h"
#include "common/guardian_patch.h"
#include "common/sbom/shipped_patch.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SET_LEAST = 30 };

static const char *folder;

static void check_patch(const char *name, const struct guard_patch *patch,
                        const struct shipped_patch *shipped)
{
    char file[GUARD_PATCH_ID_MAX + 8];
    snprintf(file, sizeof(file), "%.*s.yaml", (int)patch->id.len, (const char *)patch->id.ptr);
    assert_string_equal(file, name);
    assert_int_equal(patch->mode, GUARD_PATCH_SHADOW);
    assert_int_equal(patch->action, GUARD_PATCH_BLOCK);
    if (patch->title.len == 0 || patch->reference_count == 0 || patch->reason.len == 0 ||
        shipped->affected_count == 0)
        fail_msg("%s lacks title, references, reason or affects", name);
}

static void check_document(const char *name)
{
    char path[4096];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct patch_list list;
    struct document document;
    struct shipped_patch shipped;
    struct guard_err err = {.text = ""};
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    if (patches_load(&list, path, &arena, &err) != GUARD_OK ||
        document_load(&document, path, &arena, &err) != GUARD_OK ||
        shipped_patch_read(&document, &shipped, &err) != GUARD_OK)
        fail_msg("%s", err.text);
    assert_int_equal(list.count, 1);
    check_patch(name, &list.patches[0], &shipped);
    guard_arena_reset(&arena);
}

static void test_each_document(void **state)
{
    struct dirent **entries = NULL;
    int documents = 0;
    int count = scandir(folder, &entries, NULL, alphasort);
    (void)state;
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(entries[i]->d_name, '.');
        if (dot != NULL && strcmp(dot, ".yaml") == 0) {
            check_document(entries[i]->d_name);
            documents++;
        }
        free(entries[i]);
    }
    free(entries);
    printf("%d shipped patches\n", documents);
    assert_true(documents >= SET_LEAST);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_document),
    };
    folder = argc == 2 ? argv[1] : "patches";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
