/* SPDX-License-Identifier: Apache-2.0 */
/* Guardians as people read them on a terminal. */
#include "guardian_text.h"

#include "command.h"
#include "common/file.h"
#include "common/guardian.h"
#include "common/guardian_diff.h"

#include <stdio.h>
#include <string.h>

enum { ARENA_MAX = 64 << 20 };

bool is_guardian_name(const char *path)
{
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t len = strlen(path), end = strlen(endings[i]);
        if (len > end && strcmp(path + len - end, endings[i]) == 0)
            return true;
    }
    return false;
}

/* The document as the writer would write it. */
static bool canonical(const char *path, struct guard_arena *arena, struct guard_span *out)
{
    struct guard_guardian guardian;
    struct guard_err err;
    if (guardian_load(&guardian, path, arena, &err) == GUARD_OK &&
        guardian_write(&guardian, arena, out, &err) == GUARD_OK)
        return true;
    return complain(0, "%s", err.text) != 0;
}

bool guardian_text_print(const char *path)
{
    static const char begin[] = "\nconfigured:\n";
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_span text;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    bool good = canonical(path, &arena, &text);
    const char *at = good ? memmem(text.ptr, text.len, begin, sizeof(begin) - 1) : NULL;
    if (good && at == NULL)
        printf("people say nothing of what is normal\n");
    if (at != NULL)
        printf("what people say\n");
    const char *end = good ? (const char *)text.ptr + text.len : NULL;
    for (at = at != NULL ? at + sizeof(begin) - 1 : end; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        print_clean(at, (size_t)(stop - at));
        putchar('\n');
        at = stop + 1;
    }
    guard_arena_reset(&arena);
    return good;
}

static void print(void *ctx, const char *text)
{
    (void)ctx;
    puts(text);
}

int guardian_text_diff(const char *path_a, const char *path_b)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_err err;
    struct guard_guardian a;
    struct guard_guardian b;
    const struct line_sink out = {print, NULL};
    uint32_t said = 0;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    bool good = guardian_load(&a, path_a, &arena, &err) == GUARD_OK &&
                guardian_load(&b, path_b, &arena, &err) == GUARD_OK &&
                guardian_diff(&a, &b, &arena, &out, &said, &err) == GUARD_OK;
    if (!good)
        complain(0, "%s", err.text);
    guard_arena_reset(&arena);
    return good ? (int)said : -1;
}
