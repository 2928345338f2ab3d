/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a database: the head, the patterns' ids in ascending order, one byte for each that
 * tells whether the library looks for it, and the library's own bytes, twice: patterns that are
 * found by few bytes would slow the search for all others. In the machine's byte order: nobody else
 * reads them. */
#ifndef GUARD_COMMON_PATTERNS_DATABASE_FORMAT_H
#define GUARD_COMMON_PATTERNS_DATABASE_FORMAT_H

#include <stdint.h>

/* The format is also of what the library is given for a pattern: another is another database. */
enum { DATABASE_FORMAT = 3, DATABASE_LANES = 2 };

struct database_head {
    uint32_t count;
    uint32_t unfiltered;
    uint64_t library_bytes[DATABASE_LANES]; /* 0: there is nothing to look for */
};

#endif
