/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a memo: headers with their features, and keyed hashes of literals. */
#ifndef GD_PROFILE_MEMO_H
#define GD_PROFILE_MEMO_H

#include "base/hash_memo.h"
#include "profile/summary.h"

#include <guard/memo.h>

enum {
    GD_MEMO_HEADERS = 256,
    GD_MEMO_WAYS = 4,    /* places that a header may take; a power of two */
    GD_MEMO_TEXT = 240,  /* longer headers aren't remembered */
    GD_MEMO_RECORD = 96, /* longer records of them aren't either */
};

struct gd_memo_header {
    uint16_t name_len;
    uint16_t value_len;
    uint8_t text[GD_MEMO_TEXT]; /* name and value */
    struct gd_summary summary;  /* of one value, its transitions inside */
    uint32_t stamp;             /* how often the place was taken */
    /* What else follows from name and summary: the bytes of the record, */
    uint32_t record_len; /* 0: not known */
    uint8_t record[GD_MEMO_RECORD];
    /* and that nothing of it deviates under a policy. */
    uint64_t policy; /* its identity; 0: not known */
    uint32_t owner;
    uint32_t known; /* field of the policy */
};

struct guard_memo {
    struct guard_alloc alloc;
    /* A header stands at one of several places: of the two dozen that come with each exchange, two
     * would else often turn one another out for as long as the worker lives. */
    uint64_t hashes[GD_MEMO_HEADERS]; /* of name and value at that place; 0: free */
    struct gd_memo_header headers[GD_MEMO_HEADERS];
    uint64_t candidates[GD_MEMO_HEADERS]; /* hashes of those that came once; 0: none */
    uint32_t next;                        /* whose turn it is to leave, of any GD_MEMO_WAYS */
    struct gd_hash_memo literals;
};

/* One header on its way through the memo. */
struct gd_memo_visit {
    struct guard_memo *memo;      /* NULL: isn't to be remembered */
    struct gd_memo_header *found; /* its summary is that of the header; NULL: not known */
    uint64_t hash;
    uint32_t first; /* of the places that it may take */
};

/* The place that a field's features came from, unless another header took it since; else NULL. */
static inline struct gd_memo_header *gd_memo_place(struct guard_memo *memo,
                                                   const struct gd_summary *summary)
{
    if (summary->memo_place == 0 || memo == NULL)
        return NULL;
    struct gd_memo_header *place = &memo->headers[summary->memo_place - 1];
    return place->stamp == summary->memo_stamp ? place : NULL;
}

/* name is lower case. memo may be NULL. */
void gd_memo_look(struct gd_memo_visit *visit, struct guard_memo *memo, uint64_t seed,
                  struct guard_span name, struct guard_span value);
/* What wasn't found, with its features. Secrets and what has faults aren't kept. */
void gd_memo_keep(const struct gd_memo_visit *visit, struct guard_span name,
                  struct guard_span value, const struct gd_summary *summary);

#endif
