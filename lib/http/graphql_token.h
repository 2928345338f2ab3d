/* SPDX-License-Identifier: Apache-2.0 */
/* The tokens of GraphQL. */
#ifndef GD_HTTP_GRAPHQL_TOKEN_H
#define GD_HTTP_GRAPHQL_TOKEN_H

#include "base/buffer.h"

enum gd_graphql_kind {
    GD_GRAPHQL_END,
    GD_GRAPHQL_BAD,
    GD_GRAPHQL_MARK, /* one of ! $ & ( ) : = @ [ ] { | } */
    GD_GRAPHQL_DOTS, /* ... */
    GD_GRAPHQL_NAME,
    GD_GRAPHQL_DIGITS, /* a number of any form */
    GD_GRAPHQL_QUOTED, /* text: between the quotes */
    GD_GRAPHQL_BLOCK,  /* text: between the triple quotes */
};

struct gd_graphql_token {
    enum gd_graphql_kind kind;
    struct guard_span text;
    bool escaped; /* a QUOTED text with escapes in it */
};

/* Reads the token at *at, which is moved behind it. An unfinished one is BAD, with *at at the end.
 */
struct gd_graphql_token gd_graphql_next(const uint8_t **at, const uint8_t *end);
/* The text of a QUOTED token without its escapes, in the buffer. False: an escape isn't one. */
bool gd_graphql_decode(struct guard_span text, struct gd_buffer *out);

#endif
