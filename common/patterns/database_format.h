/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a database: the head, the patterns' ids in ascending order, one byte for each that
 * tells whether the library looks for it, and the library's own bytes, twice: patterns that are
 * found by few bytes would slow the search for all others. Behind them the proofs, which are
 * compiled by the same library. In the machine's byte order: nobody else reads them. */
#ifndef GUARD_COMMON_PATTERNS_DATABASE_FORMAT_H
#define GUARD_COMMON_PATTERNS_DATABASE_FORMAT_H

#include <stdint.h>

/* The format is also of what the library is given for a pattern: another is another database. */
enum { DATABASE_FORMAT = 4, DATABASE_LANES = 2, DATABASE_PROOFS = 4 };

struct database_head {
    uint32_t count;
    uint32_t unfiltered;
    uint64_t library_bytes[DATABASE_LANES]; /* 0: there is nothing to look for */
    uint64_t proof_bytes[DATABASE_PROOFS];
};

/* Before a database is believed its library has to find the value by the expression wherever it
 * stands. Its vector code is chosen by the processor it runs on, and a fault of one of them would
 * let pass what a patch is for: libvectorscan 5.4.9 misses three of four single bytes on processors
 * with AVX-512. One for each way to look for few bytes. */
struct database_proof {
    const char *expression;
    const char *value;
};

static const struct database_proof DATABASE_PROVED_BY[DATABASE_PROOFS] = {
    {"a", "a"},
    {"a.", "ab"},
    {"[ab]x", "bx"},
    {"x[0-9]y", "x1y"},
};

#endif
