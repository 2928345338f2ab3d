/* SPDX-License-Identifier: Apache-2.0 */
/* Writes down what the parsers report, so that tests compare texts: the same input cut elsewhere
 * must give the same trace. */
#ifndef TEST_TRACE_H
#define TEST_TRACE_H

#include "base/span.h"
#include "http/body.h"

struct trace_node {
    uint32_t parent;
    char *name;
    size_t name_len;
};

struct trace {
    char *text;
    size_t len;
    size_t cap;
    uint64_t faults; /* reported, as bits */
    int open;        /* containers and blobs that are open */
    struct trace_node *nodes;
    uint32_t node_count;
    uint32_t node_cap;
    uint32_t skip_from; /* the number of nodes from which on members are skipped */
    unsigned calls;
    enum gd_protobuf_framing framing;
    bool from_client;
};

/* An allocator that fails its fail_at-th call (0: never) and counts. */
struct trace_alloc {
    unsigned calls;
    unsigned fail_at;
    size_t live;
};

extern const struct gd_limits trace_limits;

void trace_init(struct trace *trace);
void trace_fini(struct trace *trace);
struct guard_alloc trace_allocator(struct trace_alloc *state);
struct gd_view trace_view(struct trace *trace);
struct gd_json_handler trace_json(struct trace *trace);
struct gd_body_sink trace_sink(struct trace *trace);

/* Where to cut: every `step` bytes, or (step 0) once at `cut`. */
struct trace_cuts {
    size_t step;
    size_t cut;
};
/* Feed the body in pieces, each copied to memory of its own so that reads beyond it are seen.
 * Returns false when gd_body_begin failed. */
bool trace_body(struct trace *trace, enum guard_body_kind kind, struct guard_span boundary,
                struct guard_span text, const struct gd_limits *limits, struct trace_cuts cuts,
                struct trace_alloc *alloc);

#endif
