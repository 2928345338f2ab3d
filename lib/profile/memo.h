/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a memo: headers with their features, and keyed hashes of literals. */
#ifndef GD_PROFILE_MEMO_H
#define GD_PROFILE_MEMO_H

#include "base/hash_memo.h"
#include "profile/summary.h"

#include <guard/memo.h>

enum {
    GD_MEMO_HEADERS = 256,
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

struct guard_memo {
    struct guard_alloc alloc;
    struct gd_memo_header headers[GD_MEMO_HEADERS]; /* a newcomer takes the place of another */
    struct gd_hash_memo literals;
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
