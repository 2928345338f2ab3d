/* SPDX-License-Identifier: Apache-2.0 */
/* Work that what people send may make long or large is done in a child of guardd with limits of its
 * own, so that neither learning nor the gates ever wait for it. */
#ifndef GUARDD_LIMITED_H
#define GUARDD_LIMITED_H

#include <stdint.h>
#include <sys/resource.h>

struct limited {
    unsigned cpu_s;   /* of the processor */
    uint64_t memory;  /* bytes beyond guardd's own */
    uint64_t written; /* bytes of a file that it writes; 0: any */
    int fd;           /* of all that guardd has open what it keeps, as LIMITED_FD; -1: none */
};
enum { LIMITED_FD = 3 };

/* In a child that was just forked: nothing of guardd's is touched any more, its files, with their
 * locks, are let go, it ends with guardd and gives way to everybody. */
void limited_become(const struct limited *limited);
/* One limit of this process, for good. */
void limited_to(int resource, rlim_t most);

#endif
