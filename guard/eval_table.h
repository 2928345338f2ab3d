/* SPDX-License-Identifier: Apache-2.0 */
/* A table from hashes to small numbers: which requests were seen, which clients were blocked. */
#ifndef GUARD_CLI_EVAL_TABLE_H
#define GUARD_CLI_EVAL_TABLE_H

#include <guard/types.h>

enum { EVAL_TABLE_MAX = 1 << 26 };

struct eval_table_slot {
    uint64_t key; /* 0: free */
    uint32_t value;
};

struct eval_table {
    struct eval_table_slot *slots;
    size_t cap; /* a power of 2 */
    size_t count;
};

/* The value of a key, new ones with 0; NULL when the table is full or there is no memory. *added
 * (may be NULL) tells whether it is new. Valid until the next call. */
uint32_t *eval_table_at(struct eval_table *table, uint64_t key, bool *added);
void eval_table_free(struct eval_table *table);

#endif
