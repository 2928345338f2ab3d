/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of alerts: how many there may be, and for how long each. */
#include "server_parts.h"

#include "common/file.h"

#include <stdlib.h>

bool stream_may_go_on(struct stream *stream)
{
    return admission_still(&stream->server->admission, &stream->access) &&
           api_role_has(stream->access.role, API_RIGHT_EVIDENCE);
}

void stream_end(void *ctx)
{
    struct stream *stream = ctx;
    stream->server->streams[stream->place] = NULL;
    stream->server->api.counts.streams--;
    free(stream);
}

/* Some places are for the local door alone. */
struct stream *stream_new(struct exchange *exchange)
{
    struct server *server = exchange->server;
    int end = exchange->door->front ? SERVER_FRONT_STREAMS : SERVER_STREAMS;
    int place = 0;
    while (place < end && server->streams[place] != NULL)
        place++;
    struct stream *stream = place < end ? malloc(sizeof(*stream)) : NULL;
    if (stream == NULL)
        return NULL;
    stream->server = server;
    stream->connection = exchange->connection;
    stream->place = place;
    stream->suspended = false;
    stream->access = exchange->request.access;
    log_stream_begin(&stream->log, server->api.view.state, "alerts.jsonl", clock_monotonic_ms());
    stream->log.filter = exchange->request.scan.filter;
    stream->log.at = exchange->request.scan.at;
    stream->log.access = &stream->access;
    return stream;
}
