/* SPDX-License-Identifier: Apache-2.0 */
/* The first line is a log format, the others are lines of the log; an empty first line leaves the
 * well-known formats. */
#include "common/file.h"
#include "common/traffic/access_log.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_line(struct access_log *log, struct guard_span line, struct guard_arena *arena)
{
    struct guard_exchange exchange;
    bool skipped = false;
    uint64_t sum = 0;
    guard_arena_reset(arena);
    if (access_log_read(log, &exchange, &skipped, line, arena, NULL) != GUARD_OK || skipped)
        return;
    if (exchange.method.len == 0 || exchange.target.len == 0 || exchange.status > 999)
        abort();
    for (size_t i = 0; i < exchange.target.len; i++)
        sum += exchange.target.ptr[i];
    for (uint32_t i = 0; i < exchange.header_count; i++)
        sum += exchange.headers[i].value.ptr[0];
    if (sum > UINT64_MAX / 2)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct access_log log;
    char format[512];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    size_t at = 0;
    while (at < size && data[at] != '\n' && at + 1 < sizeof(format)) {
        format[at] = (char)data[at];
        at++;
    }
    format[at] = '\0';
    if (access_log_init(&log, at > 0 ? format : NULL, NULL) != GUARD_OK)
        return 0;
    guard_arena_init(&arena, &heap, (size_t)8 << 20);
    while (at < size) {
        const uint8_t *from = data + at + (data[at] == '\n');
        size_t left = (size_t)(data + size - from);
        const uint8_t *newline = left > 0 ? memchr(from, '\n', left) : NULL;
        size_t len = newline != NULL ? (size_t)(newline - from) : left;
        read_line(&log, (struct guard_span){from, len}, &arena);
        at = (size_t)(from - data) + len;
        if (left == 0)
            break;
    }
    guard_arena_reset(&arena);
    return 0;
}
