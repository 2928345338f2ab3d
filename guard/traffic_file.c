/* SPDX-License-Identifier: Apache-2.0 */
/* Lines out of files through one growing buffer; zlib reads plain files as well as packed ones. */
#include "traffic_file.h"

#include "command.h"
#include "common/file.h"

#include <guard/crypto.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { BLOCK = 256 * 1024, PROGRESS_LINES = 4096 };

struct line_reader {
    gzFile file;
    uint8_t *bytes;
    size_t cap;
    size_t start;
    size_t end;
    bool eof;
    bool failed;
};

/* Makes room for another block behind end; the unread rest moves to the front. */
static bool make_room(struct line_reader *reader)
{
    if (reader->start > 0) {
        memmove(reader->bytes, reader->bytes + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    if (reader->cap - reader->end >= BLOCK)
        return true;
    size_t cap = reader->cap * 2;
    uint8_t *bytes = cap <= (size_t)2 * TRAFFIC_LINE_MAX ? realloc(reader->bytes, cap) : NULL;
    if (bytes == NULL)
        return false;
    reader->bytes = bytes;
    reader->cap = cap;
    return true;
}

static bool fill(struct line_reader *reader)
{
    if (!make_room(reader)) {
        reader->failed = true;
        return false;
    }
    int n = gzread(reader->file, reader->bytes + reader->end, BLOCK);
    if (n <= 0) {
        int code = Z_OK;
        (void)gzerror(reader->file, &code);
        reader->eof = true;
        reader->failed = n < 0 || code == Z_BUF_ERROR;
        return false;
    }
    reader->end += (size_t)n;
    return true;
}

/* The next line without its end; false at the end of the file. A line beyond the maximum ends the
 * file as failed. */
static bool next_line(struct line_reader *reader, struct guard_span *line)
{
    size_t seen = 0;
    for (;;) {
        uint8_t *from = reader->bytes + reader->start;
        size_t len = reader->end - reader->start;
        uint8_t *newline = len > seen ? memchr(from + seen, '\n', len - seen) : NULL;
        if (newline != NULL) {
            *line = (struct guard_span){from, (size_t)(newline - from)};
            reader->start += line->len + 1;
            return true;
        }
        seen = len;
        if (reader->eof || len > TRAFFIC_LINE_MAX || !fill(reader)) {
            from = reader->bytes + reader->start;
            *line = (struct guard_span){from, len};
            reader->start = reader->end;
            return len > 0 && !reader->failed && len <= TRAFFIC_LINE_MAX;
        }
    }
}

static bool blank(struct guard_span line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t' && line.ptr[i] != '\r')
            return false;
    }
    return true;
}

struct walk {
    struct traffic *traffic;
    bool (*take)(void *ctx, const struct guard_exchange *exchange,
                 const struct traffic_place *place);
    void *ctx;
    off_t total;
    off_t before; /* bytes of the files that are done */
};

static void draw(const struct walk *walk, const struct line_reader *reader, bool done)
{
    if (walk->total > 0)
        progress_draw(walk->traffic->label,
                      done ? 1.0
                           : (double)(walk->before + gzoffset(reader->file)) / (double)walk->total,
                      done);
}

static bool walk_line(struct walk *walk, struct guard_span line, struct traffic_place *place)
{
    struct traffic *traffic = walk->traffic;
    struct guard_exchange exchange;
    struct guard_err err;
    guard_arena_reset(&traffic->arena);
    if (guard_exchange_read(&exchange, line, &traffic->arena, &err) != GUARD_OK) {
        if (traffic->unreadable++ < TRAFFIC_COMPLAINTS_MAX)
            complain(0, "%s:%llu: unreadable: %s", place->path, (unsigned long long)place->line,
                     err.text);
        return true;
    }
    traffic->exchanges++;
    place->ordinal++;
    return walk->take(walk->ctx, &exchange, place);
}

static bool walk_lines(struct walk *walk, struct line_reader *reader, struct traffic_place *place)
{
    struct guard_span line;
    while (next_line(reader, &line)) {
        place->line++;
        walk->traffic->bytes += line.len + 1;
        if (blank(line))
            continue;
        if (!walk_line(walk, line, place))
            return false;
        if (place->line % PROGRESS_LINES == 0)
            draw(walk, reader, false);
    }
    if (reader->failed || reader->start != reader->end || (!reader->eof))
        return complain(0,
                        "%s:%llu: can't be read further: damaged, or a line longer than %d bytes",
                        place->path, (unsigned long long)place->line + 1, TRAFFIC_LINE_MAX) != 0;
    return true;
}

static bool walk_file(struct walk *walk, int index)
{
    const char *path = walk->traffic->paths[index];
    struct traffic_place place = {.path = path, .file = index};
    struct line_reader reader = {.cap = (size_t)2 * BLOCK};
    reader.file = strcmp(path, "-") == 0 ? gzdopen(0, "rb") : gzopen(path, "rb");
    if (reader.file == NULL)
        return complain(0, "%s: can't be opened", path) != 0;
    gzbuffer(reader.file, BLOCK);
    reader.bytes = malloc(reader.cap);
    bool good = reader.bytes != NULL && walk_lines(walk, &reader, &place);
    walk->before += gzoffset(reader.file);
    gzclose(reader.file);
    free(reader.bytes);
    return good;
}

static off_t total_size(const struct traffic *traffic)
{
    off_t total = 0;
    for (int i = 0; i < traffic->count; i++) {
        struct stat info;
        if (stat(traffic->paths[i], &info) != 0 || !S_ISREG(info.st_mode))
            return 0; /* no progress bar without a known end */
        total += info.st_size;
    }
    return total;
}

bool traffic_read(struct traffic *traffic,
                  bool (*take)(void *ctx, const struct guard_exchange *exchange,
                               const struct traffic_place *place),
                  void *ctx)
{
    struct guard_alloc heap = heap_alloc();
    struct walk walk = {.traffic = traffic, .take = take, .ctx = ctx, .total = total_size(traffic)};
    guard_arena_init(&traffic->arena, &heap, (size_t)4 * TRAFFIC_LINE_MAX);
    bool good = true;
    for (int i = 0; good && i < traffic->count; i++)
        good = walk_file(&walk, i);
    guard_arena_reset(&traffic->arena);
    if (good)
        draw(&walk, NULL, true);
    if (traffic->unreadable > TRAFFIC_COMPLAINTS_MAX)
        complain(0, "%llu unreadable lines in all", (unsigned long long)traffic->unreadable);
    return good;
}

struct guard_client traffic_client(const struct guard_exchange *exchange)
{
    struct guard_client client = {.unit = GUARD_UNIT_ANONYMOUS};
    char text[INET6_ADDRSTRLEN];
    if (exchange->client.len == 0)
        return client;
    client.unit = GUARD_UNIT_SUBJECT;
    client.subject = exchange->client;
    if (exchange->client.len >= sizeof(text))
        return client;
    memcpy(text, exchange->client.ptr, exchange->client.len);
    text[exchange->client.len] = '\0';
    if (inet_pton(AF_INET, text, client.address) == 1)
        client.address_len = 4;
    else if (inet_pton(AF_INET6, text, client.address) == 1)
        client.address_len = 16;
    else
        return client;
    client.unit = GUARD_UNIT_PREFIX;
    client.subject = (struct guard_span){NULL, 0};
    return client;
}

bool traffic_fingerprint(const char *path, uint64_t *number)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return false;
    FILE *file = fopen(path, "rb");
    uint8_t *block = malloc(BLOCK);
    bool good = file != NULL && block != NULL;
    for (size_t n = BLOCK; good && n == BLOCK;) {
        n = fread(block, 1, BLOCK, file);
        *number = guard_checksum(*number, (struct guard_span){block, n});
        good = ferror(file) == 0;
    }
    if (file != NULL)
        fclose(file);
    free(block);
    return good;
}
