/* SPDX-License-Identifier: Apache-2.0 */
/* Guardian documents come from people and from control planes: whatever the bytes, parsing ends
 * with a Guardian or a refusal, and what was read can be written and read again. */
#include "common/file.h"
#include "common/guardian.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    return 0;
}
