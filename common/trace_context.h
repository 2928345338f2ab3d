/* SPDX-License-Identifier: Apache-2.0 */
/* The header traceparent of W3C Trace Context: by it a call is joined to the exchange that caused
 * it. https://www.w3.org/TR/trace-context/ */
#ifndef GUARD_COMMON_TRACE_CONTEXT_H
#define GUARD_COMMON_TRACE_CONTEXT_H

#include <guard/types.h>

enum {
    TRACE_ID_BYTES = 16,
    TRACE_SPAN_BYTES = 8,
    TRACE_PARENT_CHARS = 55, /* of version 00, which is what we write */
};

struct trace_parent {
    uint8_t trace[TRACE_ID_BYTES];
    uint8_t span[TRACE_SPAN_BYTES];
    uint8_t flags;
};

/* False for what the specification calls invalid: upper case, zeros, version ff, other lengths in
 * version 00. */
bool trace_parent_read(struct trace_parent *out, struct guard_span value);
/* Not terminated. */
void trace_parent_write(char out[TRACE_PARENT_CHARS], const struct trace_parent *parent);

#endif
