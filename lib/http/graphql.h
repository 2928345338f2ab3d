/* SPDX-License-Identifier: Apache-2.0 */
/* Executable GraphQL documents (specification of October 2021): what is selected and with which
 * arguments. A document is read as a whole, since it comes as a text of its own, a JSON string or a
 * parameter. */
#ifndef GD_HTTP_GRAPHQL_H
#define GD_HTTP_GRAPHQL_H

#include "base/buffer.h"
#include "http/view.h"

/* Nodes are names of places, given by the handler; GD_GRAPHQL_ROOT is the document. When a handler
 * returns GD_GRAPHQL_SKIP the subtree is checked for syntax but not reported. */
enum { GD_GRAPHQL_ROOT = 0, GD_GRAPHQL_SKIP = 0xffffffff };

enum gd_graphql_place {
    GD_GRAPHQL_OPERATION, /* "query", "mutation", "subscription" */
    GD_GRAPHQL_FRAGMENT,  /* a fragment's definition, by its type: names are the client's own */
    GD_GRAPHQL_FIELD,     /* by its name, whatever its alias */
    GD_GRAPHQL_TYPE,      /* "... on TYPE"; empty without a type */
    GD_GRAPHQL_SPREAD,    /* "...NAME"; without the name */
    GD_GRAPHQL_ARGUMENT,
    GD_GRAPHQL_DIRECTIVE,
    GD_GRAPHQL_VARIABLE, /* one that has a default value */
    GD_GRAPHQL_MEMBER,   /* of an object */
    GD_GRAPHQL_ELEMENT,  /* those of a list share a node; no name */
};

enum gd_graphql_type {
    GD_GRAPHQL_NULL,
    GD_GRAPHQL_FALSE,
    GD_GRAPHQL_TRUE,
    GD_GRAPHQL_NUMBER,
    GD_GRAPHQL_STRING, /* text: decoded; block strings as they stand */
    GD_GRAPHQL_ENUM,
    GD_GRAPHQL_REFERENCE, /* a variable */
};

enum gd_graphql_group { GD_GRAPHQL_SELECTION, GD_GRAPHQL_LIST, GD_GRAPHQL_OBJECT };

struct gd_graphql_handler {
    void *ctx;
    uint32_t (*node)(void *ctx, uint32_t parent, enum gd_graphql_place place,
                     struct guard_span name);
    /* The value of an argument, a member, an element or a variable. Borrowed for the call. */
    void (*value)(void *ctx, uint32_t node, enum gd_graphql_type type, struct guard_span text);
    /* A field without a selection, a spread, a directive. */
    void (*leaf)(void *ctx, uint32_t node);
    void (*open)(void *ctx, uint32_t node, enum gd_graphql_group group);
    void (*close)(void *ctx, uint32_t node, uint32_t items);
    void (*fault)(void *ctx, enum guard_fault fault);
};

/* Does the text begin as an operation or a fragment does, and hold a selection? Costs little. */
bool gd_graphql_looks(struct guard_span text);
/* Is it a document? Nothing is reported. */
bool gd_graphql_check(struct guard_span text, const struct gd_limits *limits);
/* Reports what the document holds up to its end or its first GRAPHQL_SYNTAX, DEPTH (limits->depth
 * of selections and values together) or LEAVES (of fields and values). scratch: strings are decoded
 * there; when its arena is full, MEMORY. cut: the text goes on; then its end is no fault. */
void gd_graphql_read(struct guard_span text, bool cut, const struct gd_graphql_handler *handler,
                     const struct gd_limits *limits, struct gd_buffer *scratch);

#endif
