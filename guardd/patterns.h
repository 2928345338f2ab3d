/* SPDX-License-Identifier: Apache-2.0 */
/* The database of the patterns of all patches, for the gates of this machine: made anew when the
 * patterns change, in a process of its own, signed by the node's key, replaced by rename. Verdicts
 * don't wait for it: without it they only cost more. */
#ifndef GUARDD_PATTERNS_H
#define GUARDD_PATTERNS_H

#include "keys.h"
#include "service.h"

#include <sys/types.h>

/* How careful a build is. */
enum patterns_care {
    PATTERNS_ALL,        /* everything goes to the library at once */
    PATTERNS_EACH_TRIED, /* expressions are tried alone first; those that take long aren't looked
                            for */
    PATTERNS_TEXTS,      /* no expressions at all */
    PATTERNS_GIVEN_UP,   /* until the patterns change */
};

struct patterns {
    const char *state;
    struct signing_key key;
    bool key_known;
    bool key_missed;                    /* and that was logged */
    uint64_t seen;                      /* of the documents, policies and file looked at */
    uint64_t file;                      /* of the file alone */
    uint8_t wanted[GUARD_DIGEST_BYTES]; /* the name of what is to be there */
    bool up_to_date;
    enum patterns_care care;
    pid_t child; /* 0: none builds */
    uint64_t child_since_ms;
    uint64_t looked_ms;
    uint64_t retry_ms; /* what was built couldn't be written: not before */
    /* For the status. */
    size_t count;
    uint64_t bytes; /* of the file */
    uint64_t build_ms;
};

/* Makes the node's key. While that fails there is no database, and it is tried again. */
void patterns_open(struct patterns *patterns, const char *state);
/* Now and then. Begins builds, and ends those that are done or take too long; never waits. */
void patterns_tick(struct patterns *patterns, const struct services *services, uint64_t now_ms);
/* Ends a build under way. */
void patterns_close(struct patterns *patterns);

#endif
