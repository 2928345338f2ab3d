/* SPDX-License-Identifier: Apache-2.0 */
/* Guardian objects of Knative come from clusters of others: whatever they hold, a Guardian within
 * its limits or a refusal comes of it, and each thing left out has a place. */
#include "common/file.h"
#include "common/guardian.h"
#include "common/knative_guardian.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(void *ctx, const struct document_node *at, const char *path, const char *why,
                 uint32_t count)
{
    if (at == NULL || at->line == 0 || strlen(path) >= KNATIVE_PATH_TEXT || why[0] == '\0' ||
        count == 0)
        abort();
    ++*(uint32_t *)ctx;
}

static void import_it(const struct document *document, uint32_t path_count)
{
    const struct guard_span paths[] = {GUARD_SPAN_LITERAL("/a"), GUARD_SPAN_LITERAL("/b/{}")};
    uint32_t told = 0;
    const struct knative_import import = {.service = GUARD_SPAN_LITERAL("shop"),
                                          .paths = paths,
                                          .path_count = path_count,
                                          .configured = path_count > 1,
                                          .left_out = look,
                                          .ctx = &told};
    struct guard_guardian guardian;
    struct guard_span text;
    struct guard_err err;
    if (knative_guardian(&guardian, document, &import, &err) != GUARD_OK)
        return;
    if (guardian.endpoint_count > path_count || guardian.header_count > GUARD_GUARDIAN_FIELDS_MAX ||
        guardian_write(&guardian, document->arena, &text, &err) == GUARD_E_STATE)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct guard_err err;
    guard_arena_init(&arena, &heap, (size_t)32 << 20);
    if (document_parse(&document, "k", (struct guard_span){data, size}, &arena, &err) == GUARD_OK) {
        for (uint32_t count = 0; count <= 2; count++)
            import_it(&document, count);
    }
    guard_arena_reset(&arena);
    return 0;
}
