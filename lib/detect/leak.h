/* SPDX-License-Identifier: Apache-2.0 */
/* What the body of a response shows that shouldn't leave a service: error messages of runtimes and
 * databases, source text, keys, card and account data. Bodies are read as they are on the wire,
 * JSON with its escapes, HTML with its tags. */
#ifndef GD_DETECT_LEAK_H
#define GD_DETECT_LEAK_H

#include <guard/traffic.h>

/* What is seen around a word: so many bytes before its anchor's last byte, and from this on. */
enum { GD_LEAK_BEFORE = 136, GD_LEAK_AFTER = 104, GD_LEAK_TAIL = GD_LEAK_BEFORE + GD_LEAK_AFTER };

enum { GD_LEAK_CARDS = 4 };

/* Numbers that may be those of cards, where nothing but their number can tell. */
struct gd_leak_numbers {
    uint64_t cards[GD_LEAK_CARDS]; /* distinct ones */
    uint64_t end;                  /* of the last that was looked at, in the body */
    uint32_t like;                 /* of cards[] */
    uint32_t unlike;
};

/* Caller's storage; owns nothing. */
struct gd_leaks {
    uint32_t found; /* bit per enum guard_leak */
    uint32_t len;   /* of tail */
    uint64_t seen;  /* bytes of the body, to the end of tail */
    struct gd_leak_numbers numbers;
    uint8_t tail[GD_LEAK_TAIL];
};

void gd_leaks_begin(struct gd_leaks *leaks);
/* The next bytes. However a body is cut, the result is the same. */
void gd_leaks_feed(struct gd_leaks *leaks, struct guard_span bytes);
/* A bit per enum guard_leak, as if the body ended here. */
uint32_t gd_leaks_found(const struct gd_leaks *leaks);

#endif
