/* SPDX-License-Identifier: Apache-2.0 */
/* Does a value read like an attack? A second opinion on values that deviate: recognisers for the
 * grammars that attacks are written in, from public knowledge of those languages. It says nothing
 * of whether the value is normal here. docs/internals/likeness.md */
#ifndef GD_DETECT_LIKENESS_H
#define GD_DETECT_LIKENESS_H

#include <guard/likeness.h>

enum {
    GD_LIKENESS_HEAD = 4096,    /* bytes of a value that are read: its beginning, */
    GD_LIKENESS_TAIL = 1024,    /* and its end */
    GD_LIKENESS_FUEL = 1 << 15, /* steps of looking ahead, in one value */
    GD_LIKENESS_NAME = 64,
};

struct gd_likeness {
    uint32_t classes;               /* bit per enum guard_likeness: what it reads like */
    enum guard_construct construct; /* the strongest; GUARD_CONSTRUCT_NONE */
    uint32_t degree;                /* of it: hundredths of a decade, 0 to 300 */
};

/* Any bytes, none is written. Linear in GD_LIKENESS_HEAD + GD_LIKENESS_TAIL, no memory but 7 KiB
 * of stack. */
void gd_likeness_of(struct guard_span value, struct gd_likeness *out);
/* The same without some classes (bits), as if their grammars weren't known: the construct is the
 * strongest of the others. */
void gd_likeness_of_but(struct guard_span value, uint32_t without, struct gd_likeness *out);
/* A name of a parameter or member, decoded: operators of stores, prototypes, and what a value could
 * be; without as above. */
void gd_likeness_of_name(struct guard_span name, uint32_t without, struct gd_likeness *out);

#endif
