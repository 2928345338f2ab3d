/* SPDX-License-Identifier: Apache-2.0 */
/* Files of pod records that were read and lie there until what they taught is safe, so that none is
 * read twice in one life. */
#ifndef GUARDD_PODS_TAKEN_H
#define GUARDD_PODS_TAKEN_H

#include "listing.h"

#include "common/pods/record_files.h"

enum {
    POD_TAKEN_MAX = POD_FILES_MAX,
    POD_TAKEN_SLOTS = 2 * POD_TAKEN_MAX,
};

struct pod_taken_file {
    char name[POD_LISTING_NAME];
    bool kept;     /* it couldn't be removed: passed over from now on */
    uint64_t mark; /* that the parent must have answered for; 0: nothing of it went there */
};

/* Zeros: none. */
struct pod_taken {
    struct pod_taken_file files[POD_TAKEN_MAX];
    uint16_t slots[POD_TAKEN_SLOTS]; /* by name: the number of its file and 1; 0: free */
    uint32_t count;
    uint32_t removable; /* since all was saved */
};

bool pod_taken_has(const struct pod_taken *taken, const char *name);
/* False: there is no room to remember it, and nothing may be read. */
bool pod_taken_has_room(const struct pod_taken *taken);
/* Only with room. */
void pod_taken_add(struct pod_taken *taken, const char *name, uint64_t mark);
/* Removes from the directory what went to the parent, up to the mark that it answered for, and all
 * else if what was learned is saved. */
void pod_taken_remove(struct pod_taken *taken, const char *dir, uint64_t settled, bool saved);
/* What the parent didn't answer for was never read. */
void pod_taken_undo(struct pod_taken *taken, uint64_t settled);

#endif
