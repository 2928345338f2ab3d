/* SPDX-License-Identifier: Apache-2.0 */
/* Our incremental JSON scanner (RFC 8259): chunks may end anywhere, no tree is built, numbers stay
 * text, a truncated document is still seen up to its end. Speed decides the cost of the gate, so
 * strings without escapes inside one chunk are handed over where they lie. */
#ifndef GD_HTTP_JSON_H
#define GD_HTTP_JSON_H

#include "http/view.h"

enum gd_json_type { GD_JSON_NULL, GD_JSON_FALSE, GD_JSON_TRUE, GD_JSON_NUMBER, GD_JSON_STRING };

/* Nodes are names of places ("a.b[].c"), given by the handler; GD_JSON_ROOT is the document. When a
 * handler returns GD_JSON_SKIP the subtree is checked for syntax but not reported. */
enum { GD_JSON_ROOT = 0, GD_JSON_SKIP = 0xffffffff };
/* A handler may set this bit in the node of a member: its value then comes through the calls of the
 * handler, with the bit, and not through those of a run. */
#define GD_JSON_APART UINT32_C(0x80000000)

struct gd_json; /* lives in the arena */

struct gd_json_handler {
    void *ctx;
    /* The node of a member, given its object's node and its decoded key. */
    uint32_t (*member)(void *ctx, uint32_t object, struct guard_span key);
    /* The node that all elements of this array share. */
    uint32_t (*element)(void *ctx, uint32_t array);
    /* text: decoded for strings, raw for numbers, empty for others. */
    void (*scalar)(void *ctx, uint32_t node, enum gd_json_type type, struct guard_span text);
    void (*open)(void *ctx, uint32_t node, bool is_array);
    void (*close)(void *ctx, uint32_t node, bool is_array, uint32_t items);
    void (*fault)(void *ctx, enum guard_fault fault);
    /* Runs compiled for this receiver (json_run.h); NULL: those that call the above.
     * Members: reads those that are plain scalars within the chunk, and the objects around and
     * inside that hold such; `at` is behind the opening quote of a key. Stops before the first
     * thing that isn't plain, in the state that is due there; returns at - 1 when that is the key
     * itself. Elements: reads those that are plain scalars; `at`: where a value begins, and what is
     * returned when that one isn't plain. */
    const uint8_t *(*run_members)(struct gd_json *json, const uint8_t *at, const uint8_t *end);
    const uint8_t *(*run_elements)(struct gd_json *json, const uint8_t *at, const uint8_t *end);
};

/* handler and limits are borrowed until gd_json_end. GUARD_E_NOMEM when the arena is full. */
GUARD_MUST_USE enum guard_rc gd_json_begin(struct gd_json **out,
                                           const struct gd_json_handler *handler,
                                           const struct gd_limits *limits,
                                           struct guard_arena *arena);
/* The chunk is borrowed for the call. After a syntax fault (reported once) the rest is ignored;
 * after the arena filled up (GUARD_FAULT_MEMORY, once) too. Duplicate keys of an object are found
 * by the handler's nodes: two members of one object instance with the same node report
 * GUARD_FAULT_JSON_DUPLICATE. */
void gd_json_feed(struct gd_json *json, struct guard_span chunk);
/* Ends the document: reports GUARD_FAULT_TRUNCATED when it is incomplete (a value cut in the middle
 * is still handed over as far as it was seen). */
void gd_json_end(struct gd_json *json);
/* Begins another document with what was allocated for the last one; it needn't have ended. */
void gd_json_again(struct gd_json *json);

#endif
