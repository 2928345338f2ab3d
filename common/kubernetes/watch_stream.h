/* SPDX-License-Identifier: Apache-2.0 */
/* The events of a watch: JSON texts, one a line, that come in pieces of any size. */
#ifndef GUARD_COMMON_KUBERNETES_WATCH_STREAM_H
#define GUARD_COMMON_KUBERNETES_WATCH_STREAM_H

#include "common/document.h"

enum { WATCH_LINE_MAX = 3 << 20 }; /* bytes: more than etcd keeps of an object */

enum watch_kind { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK, WATCH_ERROR };

struct watch_event {
    enum watch_kind kind;
    const struct document_node *object; /* until the call returns */
    const char *resource_version;       /* "" when it has none, as an ERROR's Status */
    int64_t code;                       /* of an ERROR */
};

/* All zeros at first. */
struct watch_stream {
    uint8_t *line; /* what came of it so far */
    size_t len;
    size_t cap;
};

/* Calls `take` for each whole line; its false ends it, with GUARD_E_STATE. GUARD_E_LIMIT (a line),
 * GUARD_E_SYNTAX, GUARD_E_NOMEM: the watch can't go on. */
GUARD_MUST_USE enum guard_rc watch_stream_feed(struct watch_stream *stream, struct guard_span piece,
                                               bool (*take)(void *ctx,
                                                            const struct watch_event *event),
                                               void *ctx, struct guard_err *err);
/* Frees what came of a line; it can be fed anew. */
void watch_stream_reset(struct watch_stream *stream);

#endif
