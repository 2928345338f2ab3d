/* SPDX-License-Identifier: Apache-2.0 */
/* Events are "id: PLACE", "data: JSON"; the place is behind the line, so that Last-Event-ID goes on
 * with the next. */
#include "log_stream.h"

#include "common/file.h"
#include "common/json_document.h"

#include <stdio.h>
#include <string.h>

enum { TEXTS_ROOM = 256 }; /* for what stands around a line */

struct writing {
    struct log_stream *stream;
    bool gap, told; /* something isn't kept any more; its reader was told */
};

void log_stream_begin(struct log_stream *stream, const char *dir, const char *file, uint64_t now_ms)
{
    stream->dir = dir;
    stream->access = NULL;
    stream->file = file;
    stream->begun_ms = stream->said_ms = now_ms;
    stream->len = stream->sent = 0;
    stream->filter.count = 0;
    stream->filter.since_ms = 0;
    stream->at = (struct log_position){0, 0, 0};
}

static void say(struct log_stream *stream, const char *text)
{
    size_t len = strlen(text);
    memcpy(stream->events + stream->len, text, len);
    stream->len += len;
}

static void say_gap(struct writing *writing)
{
    if (writing->gap && !writing->told)
        say(writing->stream, "event: gap\ndata: {}\n\n");
    writing->told = writing->gap;
}

static void say_place(struct log_stream *stream, struct guard_span line)
{
    struct log_position behind = stream->at;
    char place[LOG_POSITION_CAP];
    char tail[64];
    behind.offset += line.len + 1;
    log_position_write(&behind, place);
    snprintf(tail, sizeof(tail), "\nid: %s\n\n", place);
    say(stream, tail);
}

static void say_event(struct log_stream *stream, const struct document_node *root,
                      struct guard_span line)
{
    static const char head[] = "data: ";
    struct json_writer json;
    size_t start = stream->len + sizeof(head) - 1;
    memcpy(stream->events + stream->len, head, sizeof(head) - 1);
    json_writer_init(&json, stream->events + start, LOG_LINE_ROOM);
    json_document(&json, NULL, root);
    if (json.overflow)
        return;
    stream->len = start + json.len;
    say_place(stream, line);
}

static bool take(void *ctx, struct guard_span line)
{
    struct writing *writing = ctx;
    struct log_stream *stream = writing->stream;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    if (sizeof(stream->events) - stream->len <= LOG_LINE_ROOM + TEXTS_ROOM)
        return false;
    say_gap(writing);
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    if (document_parse(&document, "alert", line, &arena, NULL) == GUARD_OK &&
        (stream->access == NULL || api_access_covers_line(stream->access, document.root)))
        say_event(stream, document.root, line);
    guard_arena_reset(&arena);
    return true;
}

/* As many lines as there is room for: each look opens the log and reads a block of it. */
static void fill(struct log_stream *stream)
{
    struct writing writing = {.stream = stream};
    (void)log_scan_on(&stream->at, &stream->filter, stream->dir, stream->file, take, &writing,
                      &writing.gap);
    say_gap(&writing);
}

bool log_stream_due(const struct log_stream *stream, uint64_t now_ms)
{
    struct log_position newest;
    if (stream->sent < stream->len || now_ms - stream->said_ms >= STREAM_QUIET_MS ||
        now_ms - stream->begun_ms >= STREAM_LIFE_MS)
        return true;
    log_newest(stream->dir, stream->file, &newest);
    return newest.inode != stream->at.inode || newest.offset != stream->at.offset;
}

int64_t log_stream_read(struct log_stream *stream, char *out, size_t max, uint64_t now_ms)
{
    if (stream->sent == stream->len) {
        if (now_ms - stream->begun_ms >= STREAM_LIFE_MS)
            return -1;
        stream->sent = stream->len = 0;
        fill(stream);
        if (stream->len == 0 && now_ms - stream->said_ms >= STREAM_QUIET_MS)
            say(stream, ": nothing new\n\n");
    }
    size_t left = stream->len - stream->sent;
    size_t some = left < max ? left : max;
    if (some > 0) {
        memcpy(out, stream->events + stream->sent, some);
        stream->sent += some;
        stream->said_ms = now_ms;
    }
    return (int64_t)some;
}
