/* SPDX-License-Identifier: Apache-2.0 */
/* One budget of memory for all that a sensor gathers: blocks of one size, some of them each
 * gatherer's own and the others for whom needs more, in fair parts. Who asks for much leaves room
 * behind for who comes later, so nobody's things make way for another's. */
#ifndef GUARD_COMMON_PODS_ROOM_H
#define GUARD_COMMON_PODS_ROOM_H

#include <guard/types.h>

enum { POD_BLOCK_BYTES = 1024, POD_SEGMENT_BLOCKS = 256, POD_SEGMENTS_MAX = 64 };

struct pod_block {
    struct pod_block *next;
    uint64_t used;
    uint8_t bytes[POD_BLOCK_BYTES - 16];
};
struct pod_room {
    uint32_t own;    /* blocks that each gatherer gets whatever others have */
    uint32_t shared; /* for those who want more, together */
    uint32_t taken;  /* of these */
    uint32_t given;  /* blocks in use, of both */
    uint32_t segment_count;
    struct pod_block *free;
    void *segments[POD_SEGMENTS_MAX];
};

/* An empty one more for whom has so many; NULL: beyond its own it has what is its part by now, or
 * there is no memory. Beyond its own nobody gets more than a sixteenth of what is then left: one
 * alone a seventeenth of all, many the same each, and something always stays. */
struct pod_block *pod_room_take(struct pod_room *room, uint32_t has);
/* Takes all of a gatherer's blocks back. When nobody has any the memory goes back, too. */
void pod_room_give(struct pod_room *room, struct pod_block *first);

#endif
