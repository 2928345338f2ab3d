/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the bytes of a value: classes, neighbourhoods of classes, counts of digits and
 * punctuation. The gate spends most of its instructions per byte here. */
#ifndef GD_PROFILE_SCAN_H
#define GD_PROFILE_SCAN_H

#include "profile/summary.h"

enum {
    GD_SCAN_START = 0xff, /* as previous: no byte came yet */
    GD_SCAN_HIGH = 63,    /* in gd_class_of_byte: a part of UTF-8 */
};

enum gd_scan_utf8 {
    GD_SCAN_UTF8_UNKNOWN, /* no high byte was met */
    GD_SCAN_UTF8_VALID,
    GD_SCAN_UTF8_INVALID, /* every high byte is INVALID */
    GD_SCAN_UTF8_STREAM,  /* each sequence is judged for itself */
};

/* Not initialised as a whole: rows are used from the time when a summary has more than a few
 * transitions. */
struct gd_scan {
    struct gd_summary *summary; /* takes the transitions */
    struct guard_arena *arena;
    uint64_t classes;  /* of this value */
    uint64_t tally;    /* digits in the low half, punctuation in the high half */
    uint32_t previous; /* class of the last byte */
    bool many;         /* rows are filled */
    enum gd_scan_utf8 utf8;
    uint64_t
        rows[GUARD_CLASS_COUNT]; /* the summary's transitions: by class, the classes behind it */
};

extern const uint8_t gd_class_of_byte[256];
extern const uint8_t gd_frequent_of_byte[256]; /* enum gd_frequent */
extern const uint64_t gd_class_bit[128];       /* the class of a byte, as a bit */
extern const uint64_t gd_count_of_byte[128];   /* what it adds to tally */

static inline void gd_scan_begin(struct gd_scan *scan, struct gd_summary *summary,
                                 struct guard_arena *arena)
{
    scan->summary = summary;
    scan->arena = arena;
    scan->classes = 0;
    scan->tally = 0;
    scan->previous = GD_SCAN_START;
    scan->many = false;
    scan->utf8 = GD_SCAN_UTF8_UNKNOWN;
}
/* Returns how many bytes were used: all, but in streams an unfinished sequence at the end. */
size_t gd_scan_bytes(struct gd_scan *scan, struct guard_span bytes);
/* What is left at the end of a stream. */
void gd_scan_invalid(struct gd_scan *scan);

/* The length of the UTF-8 sequence at `at` (which is >= 0x80), with its code point; 0 when it is
 * broken, or -1 when the bytes end inside of it. */
int gd_sequence(const uint8_t *at, const uint8_t *end, uint32_t *code);
enum guard_class gd_class_of_code(uint32_t code);

#endif
