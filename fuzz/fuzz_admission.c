/* SPDX-License-Identifier: Apache-2.0 */
/* Reviews come from whoever reaches the webhook: each is refused, or answered with JSON that names
 * its uid and an answer that reads. */
#include "common/document_members.h"
#include "common/file.h"
#include "common/inject/admission.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct guard_span answer, struct guard_arena *arena)
{
    struct document document;
    struct guard_err err;
    if (document_parse(&document, "answer", answer, arena, &err) != GUARD_OK)
        abort();
    const struct document_node *response = member_of(document.root, "response");
    if (response == NULL || text_of(response, "uid")[0] == '\0' ||
        member_of(response, "allowed") == NULL)
        abort();
    bool allowed = strcmp(text_of(response, "allowed"), "true") == 0;
    if (!allowed && member_of(response, "patch") != NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct inject_cfg cfg = {.image = "localhost/guard:1", .named_only = true};
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_span answer;
    struct guard_err err = {{0}};
    guard_arena_init(&arena, &heap, (size_t)256 << 20);
    enum guard_rc rc =
        inject_admission((struct guard_span){data, size}, &cfg, &arena, &answer, &err);
    if (rc == GUARD_OK && answer.len < DOCUMENT_BYTES_MAX)
        look(answer, &arena);
    if (rc != GUARD_OK && err.text[0] == '\0')
        abort();
    guard_arena_reset(&arena);
    return 0;
}
