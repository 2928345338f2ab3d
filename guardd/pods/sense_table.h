/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that were told before, by their cookie: so that each is one connection, and of its bytes
 * only those since are added. */
#ifndef GUARDD_PODS_SENSE_TABLE_H
#define GUARDD_PODS_SENSE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

enum { SENSE_SOCKETS_MAX = 16384 };

struct sense_socket {
    uint64_t cookie; /* 0: free */
    uint64_t bytes_out, bytes_in;
    uint32_t listing; /* when it was last told */
    bool ended;
    bool came; /* a client's, that the pod didn't open */
};
struct sense_table {
    struct sense_socket *slots;
    uint32_t count, capacity;
    uint32_t listing;
    bool overflowed; /* in this listing or the one before some weren't noted */
    bool overflows;  /* in this one */
};

/* Finds or adds (*added). NULL: full, or no memory. */
struct sense_socket *sense_table_get(struct sense_table *table, uint64_t cookie, bool *added);
/* A listing is over: forgets what ended, and what hasn't been told for long. */
void sense_table_listed(struct sense_table *table);
void sense_table_free(struct sense_table *table);

#endif
