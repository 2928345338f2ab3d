/* SPDX-License-Identifier: Apache-2.0 */
/* New lines of a log as server-sent events, for one reader that may be slow: what it doesn't take
 * waits in the log, not in memory. */
#ifndef GUARDD_API_LOG_STREAM_H
#define GUARDD_API_LOG_STREAM_H

#include "access.h"
#include "guardd/log_scan.h"

enum {
    STREAM_EVENTS_MAX = 256 * 1024, /* bytes that wait for the reader */
    STREAM_QUIET_MS = 5000,         /* then a comment tells that it lives */
    STREAM_LIFE_MS = 3600 * 1000,   /* then it ends; readers go on by Last-Event-ID */
};

struct log_stream {
    const char *dir;
    const char *file;
    const struct api_access *access; /* of its reader; NULL: all lines are theirs */
    struct log_filter filter;
    struct log_position at;
    uint64_t begun_ms;
    uint64_t said_ms;
    size_t len;
    size_t sent;
    char events[STREAM_EVENTS_MAX];
};

/* Zeros all but the buffer; the caller fills in access, filter and at. */
void log_stream_begin(struct log_stream *stream, const char *dir, const char *file,
                      uint64_t now_ms);
/* Copies what is to be sent next, at most max bytes; 0: nothing yet; -1: the stream is over. */
int64_t log_stream_read(struct log_stream *stream, char *out, size_t max, uint64_t now_ms);
/* Whether there may be something to send. */
bool log_stream_due(const struct log_stream *stream, uint64_t now_ms);

#endif
