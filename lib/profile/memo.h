/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a memo: headers with their features, and keyed hashes of literals. Both are small
 * tables in which a newcomer takes the place of what was there. */
#ifndef GD_PROFILE_MEMO_H
#define GD_PROFILE_MEMO_H

#include "profile/summary.h"

#include <guard/memo.h>

enum {
    GD_MEMO_HEADERS = 256,
    GD_MEMO_LITERALS = 512,
    GD_MEMO_TEXT = 240, /* longer headers aren't remembered */
};

struct gd_memo_header {
    uint64_t hash;      /* of name and value; 0: free */
    uint64_t candidate; /* came once: remembered when it comes again */
    uint16_t name_len;
    uint16_t value_len;
    uint8_t text[GD_MEMO_TEXT]; /* name and value */
    struct gd_summary summary;  /* of one value, its transitions inside */
};

struct gd_memo_literal {
    uint64_t key; /* head of the key */
    uint64_t literal;
    uint64_t code;
};

struct guard_memo {
    struct guard_alloc alloc;
    struct gd_memo_header headers[GD_MEMO_HEADERS];
    struct gd_memo_literal literals[GD_MEMO_LITERALS];
};

/* One header on its way through the memo. */
struct gd_memo_visit {
    struct gd_memo_header *place; /* NULL: isn't to be remembered */
    uint64_t hash;
    bool found; /* place->summary is that of the header */
};

/* name is lower case. memo may be NULL. */
void gd_memo_look(struct gd_memo_visit *visit, struct guard_memo *memo, uint64_t seed,
                  struct guard_span name, struct guard_span value);
/* What wasn't found, with its features. Secrets and what has faults aren't kept. */
void gd_memo_keep(const struct gd_memo_visit *visit, struct guard_span name,
                  struct guard_span value, const struct gd_summary *summary);

#endif
