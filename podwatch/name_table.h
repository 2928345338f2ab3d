/* SPDX-License-Identifier: Apache-2.0 */
/* What the addresses are called that a container was told by DNS, for as long as it may use them:
 * bounded for each and for
 * all, so that one that is told many only loses its own. */
#ifndef PODWATCH_NAME_TABLE_H
#define PODWATCH_NAME_TABLE_H

#include "dns_answer.h"

enum {
    NAMES_MAX = 256,             /* addresses of one container */
    NAME_OWN_BYTES = 4096,       /* that each container has for itself, about thirty addresses */
    NAME_SHARED_BYTES = 6 << 20, /* for all that want more */
    NAME_MS_MIN = 600000,        /* programs keep what they asked for longer than they may */
    NAME_MS_MAX = 86400000,      /* and nobody for ever */
};

struct named {
    struct dns_address address;
    uint8_t resolver[16];
    uint8_t resolver_len;
    uint64_t until_ms;
    char *name;
};
struct name_table {
    struct named *entries;
    uint32_t count, capacity;
    uint32_t bytes; /* that all of it takes, the heap's own included */
};
/* What tables take together: of each what is beyond its own. */
struct name_room {
    uint32_t shared;
    uint64_t pushed_out; /* names, while they still were good, and for want of room or memory */
};

/* Notes what resolver (4 or 16 bytes) answered; of two names of one address the later holds. What
 * finds no room takes that of the container's own names that end first. */
void name_table_add(struct name_table *table, struct name_room *room,
                    const struct dns_answer *answer, struct guard_span resolver, uint64_t now_ms);
/* NULL: nobody told. Lives until the next change. */
const struct named *name_table_find(const struct name_table *table, struct guard_span address,
                                    uint64_t now_ms);
/* Forgets what is over. */
void name_table_expire(struct name_table *table, struct name_room *room, uint64_t now_ms);
void name_table_free(struct name_table *table, struct name_room *room);

#endif
