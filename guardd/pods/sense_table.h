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
    uint16_t
        interval; /* in which it was last told as a destination; those a week ago may be equal */
    bool ended;
    bool came; /* a client's, that the pod didn't open */
};
struct sense_table {
    struct sense_socket *slots;
    uint32_t count, capacity;
    uint32_t listing;
    uint16_t interval; /* of records; never 0, which no socket was told in */
    bool overflowed;   /* in this listing or the one before some weren't noted */
    bool overflows;    /* in this one */
};

/* Finds or adds (*added). NULL: full, or no memory. */
struct sense_socket *sense_table_get(struct sense_table *table, uint64_t cookie, bool *added);
/* It is told as a destination now; whether it wasn't in this interval yet. */
bool sense_table_first_told(const struct sense_table *table, struct sense_socket *socket);
/* The next interval begins. */
void sense_table_interval(struct sense_table *table);
/* A listing is over: forgets what ended, and what hasn't been told for long. */
void sense_table_listed(struct sense_table *table);
void sense_table_free(struct sense_table *table);

#endif
