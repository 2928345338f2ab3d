/* SPDX-License-Identifier: Apache-2.0 */
/* How a number of what was learned is spread: a value's length, a body's bytes, ... Logarithmic
 * buckets: single numbers up to 15, then four to an octave, so that what is read off one is at most
 * 25 % too high. */
#ifndef GUARD_HISTOGRAM_H
#define GUARD_HISTOGRAM_H

#include <guard/types.h>

enum guard_number {
    /* Of a field. When an exchange has several values of the name: */
    GUARD_NUMBER_LENGTH = 0,   /* bytes of the longest */
    GUARD_NUMBER_SHORTEST = 1, /* of the shortest; without buckets where they are the longest's */
    GUARD_NUMBER_DIGITS = 2,   /* the most digits in one */
    GUARD_NUMBER_SPECIALS = 3, /* the most special characters in one */
    GUARD_NUMBER_ITEMS = 4,    /* items of JSON objects and arrays; of all others how many values */
    GUARD_FIELD_NUMBERS = 5,
    /* Of an endpoint or response. */
    GUARD_NUMBER_BODY = 5,  /* bytes */
    GUARD_NUMBER_DEPTH = 6, /* levels of what nests; exact */
    GUARD_NUMBER_TIME = 7,  /* milliseconds; not of responses */
    GUARD_NUMBER_COUNT = 8,
    GUARD_ENDPOINT_NUMBERS = GUARD_NUMBER_COUNT - GUARD_FIELD_NUMBERS,
};

enum guard_end { GUARD_END_LOWER = 0, GUARD_END_UPPER = 1 };

enum {
    GUARD_BUCKETS_MAX = 256,        /* of a number */
    GUARD_BUCKET_CLIENTS_MAX = 8,   /* that are told apart */
    GUARD_BUCKET_ERROR_PERCENT = 25 /* so much above the truth a bucket's upper edge may lie */
};

struct guard_bucket {
    uint32_t lower, upper; /* the smallest and the largest number in it */
    uint64_t exchanges;    /* one counts once, however many values it has */
    uint32_t clients;      /* distinct units; 8: eight or more */
};

struct guard_histogram {
    struct guard_bucket *buckets; /* ascending; none are empty */
    uint32_t count;
    bool limited[2];    /* by enum guard_end: there is a limit, */
    uint32_t limits[2]; /* the outermost number that isn't unusual */
    /* Exchanges that aren't in the buckets: they don't have the number (no body, no time), or come
     * from clients whose values read like attacks, or there was no room. */
    uint64_t without;
};

/* "length", "shortest", "digits", "specials", "items", "body", "depth", "time". */
GUARD_API const char *guard_number_name(enum guard_number number);
/* "bytes", "characters", "items", "levels", "milliseconds". */
GUARD_API const char *guard_number_unit(enum guard_number number);
/* The exchanges of all buckets; at most UINT64_MAX. */
GUARD_API uint64_t guard_histogram_exchanges(const struct guard_histogram *histogram);
/* Of these the ones in buckets that hold only larger numbers (at the lower end: smaller ones). */
GUARD_API uint64_t guard_histogram_beyond(const struct guard_histogram *histogram,
                                          enum guard_end end, uint32_t limit);
/* The number that so many thousandths of the exchanges don't exceed: the upper edge of its bucket.
 * 0 without buckets. */
GUARD_API uint32_t guard_histogram_quantile(const struct guard_histogram *histogram,
                                            uint32_t per_mille);

#endif
