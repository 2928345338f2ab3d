/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events, read piece by piece. An event counts when its id has come: whoever is cut off
 * before that gets it again. */
#include "alert_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE_MAX_BYTES = 512 * 1024, ID_CAP = 96, PAUSE_MS = 200, PAUSE_MAX_MS = 5000 };
enum { TOLD_TRY = 4 }; /* a server that is away for longer than a restart is told of, once */

struct stream {
    const struct remote *remote;
    bool (*take)(void *ctx, struct guard_span line);
    void *ctx;
    char *line; /* LINE_MAX_BYTES */
    size_t len;
    char *data; /* of the event; likewise */
    size_t data_len;
    bool gap;
    char id[ID_CAP];      /* of the event that is being read */
    char last_id[ID_CAP]; /* of the last that was handed on */
    bool any;             /* something came by this connection */
    bool broken;          /* it isn't what it should be */
};

static const char *value_of(const char *line, const char *name)
{
    size_t len = strlen(name);
    if (strncmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    return line[len + 1] == ' ' ? line + len + 2 : line + len + 1;
}

/* An empty line ends an event. */
static bool end_event(struct stream *stream)
{
    bool good = true;
    if (stream->gap)
        complain(0, "alerts in between are no longer kept");
    else if (stream->data_len > 0)
        good = stream->take(stream->ctx,
                            (struct guard_span){(const uint8_t *)stream->data, stream->data_len});
    if (stream->id[0] != '\0')
        memcpy(stream->last_id, stream->id, sizeof(stream->id));
    stream->data_len = 0;
    stream->gap = false;
    stream->id[0] = '\0';
    return good;
}

static bool end_line(struct stream *stream)
{
    const char *line = stream->line;
    const char *value;
    stream->line[stream->len] = '\0';
    stream->any = true;
    if (stream->len == 0)
        return end_event(stream);
    if ((value = value_of(line, "data")) != NULL) {
        stream->data_len = stream->len - (size_t)(value - line);
        memcpy(stream->data, value, stream->data_len + 1);
    } else if ((value = value_of(line, "id")) != NULL && strlen(value) < ID_CAP) {
        memcpy(stream->id, value, strlen(value) + 1);
    } else if ((value = value_of(line, "event")) != NULL) {
        stream->gap = strcmp(value, "gap") == 0;
    }
    return true;
}

static bool take_piece(void *ctx, struct guard_span piece)
{
    struct stream *stream = ctx;
    for (size_t i = 0; i < piece.len; i++) {
        char byte = (char)piece.ptr[i];
        if (byte == '\r')
            continue;
        if (byte != '\n') {
            if (stream->len == LINE_MAX_BYTES - 1) {
                stream->broken = true;
                return false;
            }
            stream->line[stream->len++] = byte;
            continue;
        }
        if (!end_line(stream)) {
            stream->broken = true;
            return false;
        }
        stream->len = 0;
    }
    return true;
}

static void wait_a_while(unsigned tries)
{
    unsigned ms = (unsigned)PAUSE_MS << (tries < 5 ? tries : 5);
    ms = ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L};
    nanosleep(&pause, NULL);
}

static bool read_all(struct stream *stream, const char *path)
{
    for (unsigned tries = 0;; tries++) {
        stream->len = stream->data_len = 0;
        stream->any = stream->gap = false;
        stream->id[0] = '\0';
        enum remote_end end = remote_stream(stream->remote, path, stream->last_id,
                                            tries != TOLD_TRY, take_piece, stream);
        if (stream->broken)
            return ferror(stdout) != 0 ||
                   complain(0, "%s: what it tells are no alerts", stream->remote->server) != 0;
        if (end == REMOTE_REFUSED)
            return false;
        tries = stream->any ? 0 : tries;
        wait_a_while(tries);
    }
}

bool alert_stream(const struct remote *remote, const char *service, const char *last_id,
                  bool (*take)(void *ctx, struct guard_span line), void *ctx)
{
    char path[512];
    char name[400];
    struct stream stream = {.remote = remote,
                            .take = take,
                            .ctx = ctx,
                            .line = malloc(LINE_MAX_BYTES),
                            .data = malloc(LINE_MAX_BYTES)};
    bool good = stream.line != NULL && stream.data != NULL;
    snprintf(stream.last_id, sizeof(stream.last_id), "%s", last_id);
    if (!good)
        complain(0, "no memory");
    else if (!remote_escape(name, sizeof(name), service != NULL ? service : ""))
        good = complain(0, "--service is too long") != 0;
    if (good) {
        snprintf(path, sizeof(path), "/alerts/stream%s%s", service != NULL ? "?service=" : "",
                 name);
        good = read_all(&stream, path);
    }
    free(stream.line);
    free(stream.data);
    return good;
}
