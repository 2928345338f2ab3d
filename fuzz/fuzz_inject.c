/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of clusters are anybody's: whatever they hold, they are refused with a place, or changed
 * into what reads again, is guarded, and isn't changed any more. */
#include "common/document_writer.h"
#include "common/file.h"
#include "common/inject/inject.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(void *ctx, const char *object, const char *text)
{
    (void)ctx;
    if (object[0] == '\0' || text[0] == '\0')
        abort();
}

static enum guard_rc inject(struct document_stream *stream, enum inject_result *results,
                            bool update, bool rewrite)
{
    const struct inject_cfg cfg = {.image = "localhost/guard:1",
                                   .update = update,
                                   .rewrite_services = rewrite,
                                   .named_only = !rewrite};
    struct guard_err err = {{0}};
    enum guard_rc rc = inject_stream(stream, &cfg, results, look, NULL, &err);
    if (rc != GUARD_OK && (err.text[0] == '\0' || rc == GUARD_E_NOMEM))
        abort();
    return rc;
}

/* What was written is read, injected and written again. */
static void again(struct guard_span text, enum document_form form, struct guard_arena *arena,
                  bool update, bool rewrite)
{
    static struct document_stream stream;
    static enum inject_result results[DOCUMENT_STREAM_MAX];
    struct guard_span second;
    struct guard_err err;
    stream.count = 0;
    if (document_parse_stream(&stream, "again", text, arena, &err) != GUARD_OK ||
        stream.count != 1 || inject(&stream, results, update, rewrite) != GUARD_OK ||
        document_write(stream.documents[0].root, form, arena, &second, &err) != GUARD_OK ||
        second.len != text.len || memcmp(second.ptr, text.ptr, text.len) != 0)
        abort();
}

static void inject_one(const uint8_t *data, size_t size, bool rewrite)
{
    static struct document_stream stream;
    static enum inject_result results[DOCUMENT_STREAM_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_span text;
    struct guard_err err;
    guard_arena_init(&arena, &heap, (size_t)256 << 20);
    stream.count = 0;
    if (document_parse_stream(&stream, "f", (struct guard_span){data, size}, &arena, &err) ==
            GUARD_OK &&
        inject(&stream, results, false, rewrite) == GUARD_OK) {
        for (uint32_t i = 0; i < stream.count; i++) {
            const enum document_form forms[] = {DOCUMENT_YAML, DOCUMENT_LINES};
            for (size_t k = 0; results[i] == INJECT_DONE && k < 2; k++) {
                if (document_write(stream.documents[i].root, forms[k], &arena, &text, &err) !=
                    GUARD_OK)
                    continue;
                again(text, forms[k], &arena, false, rewrite);
                again(text, forms[k], &arena, true, rewrite);
            }
        }
    }
    guard_arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TEXT_MAX)
        return 0;
    inject_one(data, size, true);
    inject_one(data, size, false);
    return 0;
}
