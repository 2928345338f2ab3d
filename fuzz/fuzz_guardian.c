/* SPDX-License-Identifier: Apache-2.0 */
/* Guardian documents come from people and from control planes: whatever the bytes, parsing ends
 * with a Guardian or a refusal, and what was read can be written and read again. */
#include "common/file.h"
#include "common/guardian.h"
#include "common/guardian_patch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same of a document of patches alone. */
static void try_patches(struct guard_span bytes, struct guard_arena *arena)
{
    struct patch_list list;
    struct patch_list again;
    struct guard_span text;
    if (patches_parse(&list, "p", bytes, arena, NULL) == GUARD_OK &&
        patches_write(list.patches, list.count, arena, &text, NULL) == GUARD_OK &&
        (patches_parse(&again, "w", text, arena, NULL) != GUARD_OK || again.count != list.count))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_guardian guardian;
    struct guard_guardian again;
    struct guard_span text;
    struct guard_err err;
    guard_arena_init(&arena, &heap, (size_t)32 << 20);
    if (guardian_parse(&guardian, "g", (struct guard_span){data, size}, &arena, &err) == GUARD_OK &&
        guardian_write(&guardian, &arena, &text, &err) == GUARD_OK &&
        guardian_parse(&again, "w", text, &arena, &err) != GUARD_OK)
        abort();
    guard_arena_reset(&arena);
    try_patches((struct guard_span){data, size}, &arena);
    guard_arena_reset(&arena);
    return 0;
}
