/* SPDX-License-Identifier: Apache-2.0 */
/* Looks through logs of JSON lines (alerts, audit) and the older files that they were renamed to:
 * from the newest line back, page by page, or onwards from a place, in steps of a bounded size, so
 * that long logs keep nobody waiting. A place is told by the file's inode, a mark of its first
 * line (inodes are used again) and the offset in it, which a rotation doesn't change. */
#ifndef GUARDD_LOG_SCAN_H
#define GUARDD_LOG_SCAN_H

#include "common/json_writer.h"

enum {
    LOG_FILES_OLDER = 4,
    LOG_NEEDLES = 4,
    LOG_NEEDLE_MAX = 448,
    LOG_LINE_MAX = 64 * 1024,  /* longer ones are no lines of ours */
    LOG_BLOCK = 256 * 1024,    /* read at once */
    LOG_SLICE = 4 << 20,       /* looked through in one step */
    LOG_MARK_BYTES = 32,       /* a line's time is within them */
    LOG_LINE_ROOM = 96 * 1024, /* in an answer, before another line is put there */
    LOG_POSITION_CAP = 52,
};

struct log_position {
    uint64_t inode; /* 0: before anything was written */
    uint64_t mark;  /* 0: there was no line yet */
    uint64_t offset;
};
/* "inode-mark-offset", hexadecimal; false when the text is none. */
bool log_position_read(const char *text, struct log_position *out);
void log_position_write(const struct log_position *position, char out[LOG_POSITION_CAP]);

/* Lines that hold all of these; exact, since the writer escapes quotes in texts. */
struct log_filter {
    char needles[LOG_NEEDLES][LOG_NEEDLE_MAX];
    size_t lens[LOG_NEEDLES];
    uint32_t count;
    uint64_t since_ms; /* last_ms, else time_ms, is at or after it */
    uint64_t until_ms; /* and at or before it; 0: whenever */
};
/* A member that is this text; name NULL: the text as a value anywhere. False: too long to be
 * anywhere. */
bool log_filter_add(struct log_filter *filter, const char *name, const char *value);
/* The number behind a text, as "\"seq\":" is; 0 when it isn't there. */
uint64_t log_number(struct guard_span line, const char *name);
bool log_filter_matches(const struct log_filter *filter, struct guard_span line);

struct log_scan {
    bool begun;
    struct log_filter filter;
    struct log_position at; /* what stands before it was not looked at yet */
    uint32_t limit;
    uint32_t count;          /* lines that were taken */
    bool passed, again;      /* the taker passed over some; it is to take these, too */
    struct json_writer json; /* of the answer that grows */
};

enum log_step {
    LOG_MORE, /* the step is over, there is more to look at */
    LOG_FULL, /* another line matches, and take had no room for it; `at` is behind it */
    LOG_END,  /* nothing is left */
    LOG_NOMEM,
};
/* False: no room; the line is offered again at the next call. */
typedef bool log_take(void *ctx, struct guard_span line);

/* The end of the newest file; all zeros when there is none. */
void log_newest(const char *dir, const char *file, struct log_position *out);
enum log_step log_scan_back(struct log_scan *scan, const char *dir, const char *file,
                            log_take *take, void *ctx);

/* Goes on from *at over whole lines, moved behind those that were taken: while one is offered it
 * stands at its begin. *gap is set, before the next line is offered, when what stood there is no
 * longer kept. LOG_END: nothing new yet. */
enum log_step log_scan_on(struct log_position *at, const struct log_filter *filter, const char *dir,
                          const char *file, log_take *take, void *ctx, bool *gap);

#endif
