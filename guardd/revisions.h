/* SPDX-License-Identifier: Apache-2.0 */
/* The revisions of a service that its gates were seen with. What is new in a new one is told and
 * not blocked for a while (docs/adr/0011-releases.md). */
#ifndef GUARDD_REVISIONS_H
#define GUARDD_REVISIONS_H

#include <guard/txn.h>

enum { REVISIONS_KEPT = 8 };

struct revision {
    char text[GUARD_REVISION_MAX + 1];
    uint64_t seen_ms;  /* Unix time: first seen */
    uint64_t until_ms; /* of its newness; 0: it never was new, being the first one told of */
};

/* The oldest first. */
struct revisions {
    struct revision list[REVISIONS_KEPT];
    uint32_t count;
};

/* A gate says that it stands before this revision. True: it is a new one, which begins to be new
 * for window_ms. One that was seen before, among the newest REVISIONS_KEPT, begins nothing again.
 */
bool revisions_observe(struct revisions *revisions, struct guard_span text, uint64_t now_ms,
                       uint64_t window_ms);
/* From the store, in order. */
void revisions_take(struct revisions *revisions, const struct revision *stored);
/* The newest; NULL when none was told of. */
const struct revision *revisions_newest(const struct revisions *revisions);
/* Its text; empty when none was told of. */
struct guard_span revisions_newest_text(const struct revisions *revisions);

#endif
