/* SPDX-License-Identifier: Apache-2.0 */
/* Review documents come from the command line, from people's editors and from control planes:
 * whatever the bytes, parsing ends with decisions or a refusal, and what was read can be written
 * and read again. */
#include "common/file.h"
#include "common/review.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct review_document document;
    struct review_document again;
    struct guard_span text;
    struct guard_err err;
    guard_arena_init(&arena, &heap, (size_t)32 << 20);
    if (review_parse(&document, "r", (struct guard_span){data, size}, &arena, &err) == GUARD_OK &&
        review_write(&document, &arena, &text, &err) == GUARD_OK) {
        if (review_parse(&again, "w", text, &arena, &err) != GUARD_OK ||
            again.count != document.count)
            abort();
        for (uint32_t i = 0; i < again.count; i++) {
            if (!review_same(&document.entries[i].element, &again.entries[i].element))
                abort();
        }
    }
    guard_arena_reset(&arena);
    return 0;
}
