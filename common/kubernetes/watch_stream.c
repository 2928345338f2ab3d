/* SPDX-License-Identifier: Apache-2.0 */
/* Each byte is looked at once for the line's end; only a line that is whole is parsed. */
#include "common/kubernetes/watch_stream.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/kubernetes/json_tree.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 64 << 20 };

static bool kind_of(const char *text, enum watch_kind *out)
{
    static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum watch_kind)i;
            return true;
        }
    }
    return false;
}

static enum guard_rc take_line(struct guard_span line, struct guard_arena *arena,
                               bool (*take)(void *ctx, const struct watch_event *event), void *ctx,
                               struct guard_err *err)
{
    struct document_node *root;
    struct watch_event event = {.resource_version = ""};
    GUARD_TRY(json_tree_parse(&root, line, arena, err));
    if (root->kind != DOCUMENT_MAPPING || !kind_of(text_of(root, "type"), &event.kind))
        return guard_fail(err, GUARD_E_SYNTAX, "no event of a watch");
    event.object = member_of(root, "object");
    if (event.object == NULL || event.object->kind != DOCUMENT_MAPPING)
        return guard_fail(err, GUARD_E_SYNTAX, "an event without an object");
    const struct document_node *metadata = member_of(event.object, "metadata");
    if (metadata != NULL)
        event.resource_version = text_of(metadata, "resourceVersion");
    if (event.kind == WATCH_ERROR)
        event.code = whole_of(event.object, "code");
    return take(ctx, &event) ? GUARD_OK : guard_fail(err, GUARD_E_STATE, "ended");
}

static enum guard_rc keep(struct watch_stream *stream, struct guard_span piece,
                          struct guard_err *err)
{
    if (piece.len > WATCH_LINE_MAX - stream->len)
        return guard_fail(err, GUARD_E_LIMIT, "an event of more than %d bytes",
                          (int)WATCH_LINE_MAX);
    if (stream->len + piece.len > stream->cap) {
        size_t cap = 2 * (stream->len + piece.len);
        uint8_t *grown = realloc(stream->line, cap);
        if (grown == NULL)
            return guard_fail(err, GUARD_E_NOMEM, "no memory for an event");
        stream->line = grown;
        stream->cap = cap;
    }
    if (piece.len > 0)
        memcpy(stream->line + stream->len, piece.ptr, piece.len);
    stream->len += piece.len;
    return GUARD_OK;
}

enum guard_rc watch_stream_feed(struct watch_stream *stream, struct guard_span piece,
                                bool (*take)(void *ctx, const struct watch_event *event), void *ctx,
                                struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    while (piece.len > 0) {
        const uint8_t *end = memchr(piece.ptr, '\n', piece.len);
        struct guard_span part = {piece.ptr, end != NULL ? (size_t)(end - piece.ptr) : piece.len};
        size_t taken = part.len + (end != NULL);
        piece = (struct guard_span){piece.ptr + taken, piece.len - taken};
        GUARD_TRY(keep(stream, part, err));
        if (end == NULL || stream->len == 0)
            continue;
        struct guard_arena arena;
        guard_arena_init(&arena, &heap, ARENA_MAX);
        enum guard_rc rc =
            take_line((struct guard_span){stream->line, stream->len}, &arena, take, ctx, err);
        guard_arena_reset(&arena);
        stream->len = 0;
        GUARD_TRY(rc);
    }
    return GUARD_OK;
}

void watch_stream_reset(struct watch_stream *stream)
{
    free(stream->line);
    *stream = (struct watch_stream){.line = NULL};
}
