/* SPDX-License-Identifier: Apache-2.0 */
/* Reads blocks of log files and finds their lines. */
#include "log_scan.h"

#include "common/state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool hexadecimal(const char *text, size_t len, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < len; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = memchr(digits, text[i], 16);
        if (digit == NULL)
            return false;
        *out = *out << 4 | (uint64_t)(digit - digits);
    }
    return len >= 1 && len <= 16;
}

bool log_position_read(const char *text, struct log_position *out)
{
    uint64_t *const parts[] = {&out->inode, &out->mark, &out->offset};
    for (int i = 0; i < 3; i++) {
        size_t len = strcspn(text, "-");
        if (!hexadecimal(text, len, parts[i]) || text[len] != (i < 2 ? '-' : '\0'))
            return false;
        text += len + 1;
    }
    return out->offset <= INT64_MAX;
}

void log_position_write(const struct log_position *position, char out[LOG_POSITION_CAP])
{
    snprintf(out, LOG_POSITION_CAP, "%" PRIx64 "-%" PRIx64 "-%" PRIx64, position->inode,
             position->mark, position->offset);
}

bool log_filter_add(struct log_filter *filter, const char *name, const char *value)
{
    struct json_writer json;
    if (filter->count == LOG_NEEDLES)
        return false;
    json_writer_init(&json, filter->needles[filter->count], LOG_NEEDLE_MAX);
    json_text(&json, name, value);
    filter->lens[filter->count] = json.len;
    if (json.overflow)
        return false;
    filter->count++;
    return true;
}

uint64_t log_number(struct guard_span line, const char *name)
{
    const uint8_t *at = memmem(line.ptr, line.len, name, strlen(name));
    uint64_t number = 0;
    if (at == NULL)
        return 0;
    const uint8_t *end = line.ptr + line.len;
    for (at += strlen(name); at < end && *at >= '0' && *at <= '9' && number < UINT64_MAX / 16; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    return number;
}

bool log_filter_matches(const struct log_filter *filter, struct guard_span line)
{
    if (line.len == 0)
        return false;
    for (uint32_t i = 0; i < filter->count; i++) {
        if (memmem(line.ptr, line.len, filter->needles[i], filter->lens[i]) == NULL)
            return false;
    }
    if (filter->since_ms == 0 && filter->until_ms == 0)
        return true;
    uint64_t last = log_number(line, "\"last_ms\":");
    if (last == 0)
        last = log_number(line, "\"time_ms\":");
    return last >= filter->since_ms && (filter->until_ms == 0 || last <= filter->until_ms);
}

/* A file that is open. */
struct log_file {
    int fd;
    uint64_t inode;
    uint64_t mark;
    uint64_t size;
};

/* Of the begin of its first line, FNV-1a; 0 while that isn't there. */
static uint64_t mark_of(int fd)
{
    uint8_t bytes[LOG_MARK_BYTES];
    uint64_t mark = UINT64_C(0xcbf29ce484222325);
    if (pread(fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return 0;
    for (size_t i = 0; i < sizeof(bytes); i++)
        mark = (mark ^ bytes[i]) * UINT64_C(0x100000001b3);
    return mark | 1;
}

/* The log itself and what it was renamed to, 0 the newest. False: there is no such file. */
static bool open_file(const char *dir, const char *file, unsigned older, struct log_file *out)
{
    char path[STATE_PATH_MAX];
    char name[64];
    struct stat info;
    const struct guard_span no_service = {NULL, 0};
    snprintf(name, sizeof(name), older > 0 ? "%s.%u" : "%s", file, older);
    if (state_path(path, dir, "", no_service, name) != GUARD_OK)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return false;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return false;
    }
    *out = (struct log_file){fd, info.st_ino, mark_of(fd), (uint64_t)info.st_size};
    return true;
}

static bool open_at(const char *dir, const char *file, const struct log_position *at,
                    unsigned *older, struct log_file *out)
{
    for (*older = 0; *older <= LOG_FILES_OLDER; (*older)++) {
        if (!open_file(dir, file, *older, out))
            continue;
        if (out->inode == at->inode && (at->mark == 0 || at->mark == out->mark))
            return true;
        close(out->fd);
    }
    return false;
}

/* The place in the file of this number, when there is one. */
static bool place_in(const char *dir, const char *file, unsigned older, bool end,
                     struct log_position *out)
{
    struct log_file opened;
    if (!open_file(dir, file, older, &opened))
        return false;
    close(opened.fd);
    *out = (struct log_position){opened.inode, opened.mark, end ? opened.size : 0};
    return true;
}

/* The end of the first file that is there from `older` on. */
static bool end_of(const char *dir, const char *file, unsigned older, struct log_position *out)
{
    for (; older <= LOG_FILES_OLDER; older++) {
        if (place_in(dir, file, older, true, out))
            return true;
    }
    return false;
}

void log_newest(const char *dir, const char *file, struct log_position *out)
{
    *out = (struct log_position){0, 0, 0};
    (void)end_of(dir, file, 0, out);
}

static size_t read_at(int fd, char *block, size_t len, uint64_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(fd, block + done, len - done, (off_t)(offset + done));
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

struct looking {
    const struct log_filter *filter;
    log_take *take;
    void *ctx;
};

static bool offer(const struct looking *looking, const char *start, size_t len)
{
    struct guard_span line = {(const uint8_t *)start, len};
    return len > LOG_LINE_MAX || !log_filter_matches(looking->filter, line) ||
           looking->take(looking->ctx, line);
}

/* The lines of a block that ends at *end, from the last on; *end moves before them. False: one
 * wasn't taken. */
static bool lines_back(const struct looking *looking, const char *block, size_t len, uint64_t start,
                       uint64_t *end)
{
    const char *last = memrchr(block, '\n', len);
    size_t at = last != NULL ? (size_t)(last - block) + 1 : 0;
    *end = start + at;
    while (at > 0) {
        const char *before = memrchr(block, '\n', at - 1);
        size_t begin = before != NULL ? (size_t)(before - block) + 1 : 0;
        if (before == NULL && start > 0) {
            if (at == len)
                at = 0; /* so long a line is none of ours */
            break;      /* it begins in the block before */
        }
        if (!offer(looking, block + begin, at - 1 - begin))
            return false;
        at = begin;
        *end = start + at;
    }
    if (at == 0)
        *end = start;
    return true;
}

/* One file, back to its begin or until the budget is used up. */
static enum log_step file_back(const struct looking *looking, int fd, struct log_position *at,
                               char *block, size_t *budget)
{
    while (at->offset > 0) {
        if (*budget < LOG_BLOCK)
            return LOG_MORE;
        size_t len = at->offset < LOG_BLOCK ? (size_t)at->offset : LOG_BLOCK;
        uint64_t start = at->offset - len;
        uint64_t before = at->offset;
        *budget -= LOG_BLOCK;
        if (read_at(fd, block, len, start) != len)
            at->offset = start; /* it shrank */
        else if (!lines_back(looking, block, len, start, &at->offset))
            return LOG_FULL;
        if (at->offset >= before)
            at->offset = start;
    }
    return LOG_END;
}

enum log_step log_scan_back(struct log_scan *scan, const char *dir, const char *file,
                            log_take *take, void *ctx)
{
    const struct looking looking = {&scan->filter, take, ctx};
    size_t budget = LOG_SLICE;
    enum log_step step = LOG_END;
    char *block = malloc(LOG_BLOCK);
    if (block == NULL)
        return LOG_NOMEM;
    while (step == LOG_END) {
        unsigned older;
        struct log_file opened;
        if (!open_at(dir, file, &scan->at, &older, &opened))
            break;
        if (scan->at.offset > opened.size)
            scan->at.offset = opened.size;
        step = file_back(&looking, opened.fd, &scan->at, block, &budget);
        close(opened.fd);
        if (step == LOG_END && !end_of(dir, file, older + 1, &scan->at))
            break;
    }
    free(block);
    return step;
}

/* The lines of a block, at each of which *offset stands while it is offered. */
static bool lines_on(const struct looking *looking, const char *block, size_t len, uint64_t *offset)
{
    size_t used = 0;
    while (used < len) {
        const char *start = block + used;
        const char *stop = memchr(start, '\n', len - used);
        if (stop == NULL)
            break;
        if (!offer(looking, start, (size_t)(stop - start)))
            return false;
        used += (size_t)(stop - start) + 1;
        *offset += (size_t)(stop - start) + 1;
    }
    if (used == 0 && len == LOG_BLOCK)
        *offset += len; /* no line is so long */
    return true;
}

static enum log_step file_on(const struct looking *looking, int fd, struct log_position *at,
                             char *block, size_t *budget)
{
    for (;;) {
        uint64_t before = at->offset;
        if (*budget < LOG_BLOCK)
            return LOG_MORE;
        *budget -= LOG_BLOCK;
        size_t len = read_at(fd, block, LOG_BLOCK, before);
        if (!lines_on(looking, block, len, &at->offset))
            return LOG_FULL;
        if (at->offset == before)
            return LOG_END;
    }
}

/* The begin of the next newer file than this number. */
static bool newer(const char *dir, const char *file, unsigned older, struct log_position *out)
{
    while (older-- > 0) {
        if (place_in(dir, file, older, false, out))
            return true;
    }
    return false;
}

enum log_step log_scan_on(struct log_position *at, const struct log_filter *filter, const char *dir,
                          const char *file, log_take *take, void *ctx, bool *gap)
{
    const struct looking looking = {filter, take, ctx};
    size_t budget = LOG_SLICE;
    enum log_step step = LOG_END;
    char *block = malloc(LOG_BLOCK);
    if (block == NULL)
        return LOG_NOMEM;
    while (step == LOG_END) {
        unsigned older;
        struct log_file opened;
        if (!open_at(dir, file, at, &older, &opened)) {
            *gap = *gap || at->inode != 0;
            if (!newer(dir, file, LOG_FILES_OLDER + 1, at))
                break;
            continue;
        }
        if (at->offset > opened.size) {
            *gap = true;
            at->offset = 0;
        }
        at->mark = opened.mark;
        step = file_on(&looking, opened.fd, at, block, &budget);
        close(opened.fd);
        if (step == LOG_END && !newer(dir, file, older, at))
            break;
    }
    free(block);
    return step;
}
