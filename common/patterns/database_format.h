/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a database: the head, the patterns' ids in ascending order, one byte for each that
 * tells whether the library looks for it, and the library's own bytes. In the machine's byte order:
 * nobody else reads them. */
#ifndef GUARD_COMMON_PATTERNS_DATABASE_FORMAT_H
#define GUARD_COMMON_PATTERNS_DATABASE_FORMAT_H

#include <stdint.h>

struct database_head {
    uint32_t count;
    uint32_t unfiltered;
    uint64_t library_bytes; /* 0: there is nothing to look for */
};

#endif
