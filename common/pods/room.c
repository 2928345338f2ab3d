/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks from segments that are mapped as a whole: what was many is given back as a whole, and the
 * heap's holes add nothing to the bound. */
#include "common/pods/room.h"

#include <sys/mman.h>

enum { PART = 16, SEGMENT_BYTES = POD_SEGMENT_BLOCKS * POD_BLOCK_BYTES };
_Static_assert(sizeof(struct pod_block) == POD_BLOCK_BYTES, "a block's head takes 16 bytes");

static bool add_segment(struct pod_room *room)
{
    if (room->segment_count == POD_SEGMENTS_MAX)
        return false;
    struct pod_block *blocks =
        mmap(NULL, SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (blocks == MAP_FAILED)
        return false;
    room->segments[room->segment_count++] = blocks;
    for (uint32_t i = POD_SEGMENT_BLOCKS; i-- > 0;) {
        blocks[i].next = room->free;
        room->free = &blocks[i];
    }
    return true;
}

static void drop_segments(struct pod_room *room)
{
    while (room->segment_count > 0)
        munmap(room->segments[--room->segment_count], SEGMENT_BYTES);
    room->free = NULL;
}

struct pod_block *pod_room_take(struct pod_room *room, uint32_t has)
{
    bool own = has < room->own;
    if (!own && (has - room->own) * PART >= room->shared - room->taken)
        return NULL;
    if (room->free == NULL && !add_segment(room))
        return NULL;
    struct pod_block *block = room->free;
    room->free = block->next;
    room->taken += own ? 0 : 1;
    room->given++;
    block->next = NULL;
    block->used = 0;
    return block;
}

void pod_room_give(struct pod_room *room, struct pod_block *first)
{
    for (uint32_t has = 0; first != NULL; has++) {
        struct pod_block *block = first;
        first = block->next;
        block->next = room->free;
        room->free = block;
        room->taken -= has < room->own ? 0 : 1;
        room->given--;
    }
    if (room->given == 0)
        drop_segments(room);
}
