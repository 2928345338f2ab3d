/* SPDX-License-Identifier: Apache-2.0 */
/* A small YAML or JSON document as a tree that knows where each thing stands, so that every
 * complaint names line and column. Anchors, aliases, tags and several documents in one file are
 * refused; size, depth and number of nodes are bounded. */
#ifndef GUARD_COMMON_DOCUMENT_H
#define GUARD_COMMON_DOCUMENT_H

#include <guard/types.h>

enum { DOCUMENT_BYTES_MAX = 1 << 20, DOCUMENT_NODES_MAX = 65536, DOCUMENT_DEPTH_MAX = 24 };
enum {
    DOCUMENT_MEMBERS_MAX = 1024,
    DOCUMENT_DIRECTIVES_MAX = 16
}; /* each is held against all before */

/* Of files with several documents, as clusters take them: larger, for what isn't ours stands there,
 * too. */
enum {
    DOCUMENT_STREAM_BYTES_MAX = 8 << 20,
    DOCUMENT_STREAM_NODES_MAX = 1 << 19,
    DOCUMENT_STREAM_DEPTH_MAX = 64,
    DOCUMENT_STREAM_MAX = 1024
};

enum document_kind { DOCUMENT_SCALAR, DOCUMENT_SEQUENCE, DOCUMENT_MAPPING };

struct document_node {
    enum document_kind kind;
    uint32_t line; /* from 1 */
    uint32_t column;
    uint32_t last_line;          /* of what belongs to it */
    struct guard_span text;      /* scalars; NUL-terminated */
    struct guard_span bytes;     /* text, but a quoted "\xNN" is that byte, not that character */
    bool quoted;                 /* a text even if it looks like a number */
    struct document_node *key;   /* in a mapping: the key of this value */
    struct document_node *next;  /* the next element or value */
    struct document_node *first; /* of sequences and mappings */
    uint32_t count;
};

struct document {
    struct document_node *root;
    const char *name; /* for messages; borrowed */
    struct guard_arena *arena;
};

/* The documents of one file, or of several; count is 0 at first. */
struct document_stream {
    struct document documents[DOCUMENT_STREAM_MAX];
    struct guard_span sources[DOCUMENT_STREAM_MAX]; /* the bytes that each was read from, with its
                                                       "---" and the comments behind it */
    uint32_t count;
};

/* All nodes live in the arena; bytes are borrowed for the call. GUARD_E_SYNTAX ("name:line:column:
 * ..."), GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc document_parse(struct document *out, const char *name,
                                            struct guard_span bytes, struct guard_arena *arena,
                                            struct guard_err *err);
/* The same of what may hold several documents, which are added to the stream; empty ones included:
 * those have a root that is an unquoted scalar without text. out is large; sources point into
 * bytes. */
GUARD_MUST_USE enum guard_rc document_parse_stream(struct document_stream *out, const char *name,
                                                   struct guard_span bytes,
                                                   struct guard_arena *arena,
                                                   struct guard_err *err);
/* Fails with "name:line:column: text (at a.b[0].c)"; of members of the root without their path. */
enum guard_rc document_fail(const struct document *document, const struct document_node *node,
                            enum guard_rc rc, struct guard_err *err, const char *format, ...)
    GUARD_PRINTF(5, 6);
/* Fails with "name:line:column: a.b[0].c: text". */
enum guard_rc document_fail_member(const struct document *document,
                                   const struct document_node *node, enum guard_rc rc,
                                   struct guard_err *err, const char *format, ...)
    GUARD_PRINTF(5, 6);

#endif
