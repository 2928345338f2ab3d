/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a ring file, shared by its writer and its reader; docs/internals/ring.md is its
 * specification. Both run on one machine, so numbers are the machine's own. */
#ifndef GUARD_COMMON_RING_FORMAT_H
#define GUARD_COMMON_RING_FORMAT_H

#include <guard/types.h>

#include <string.h>

#define RING_MAGIC UINT64_C(0x31474e5244524147) /* "GARDRNG1" as bytes */

enum {
    RING_VERSION = 1,
    RING_HEADER_BYTES = 4096,
    RING_CAPACITY_MIN = 64 * 1024,
    RING_CAPACITY_MAX = 64 * 1024 * 1024,
    RING_FRAME_HEADER = 16,
    RING_FRAME_ALIGN = 16, /* so that a frame's header never wraps */
    RING_MARKS = 64,
};

/* What doesn't change while an incarnation lasts. */
struct ring_identity {
    uint64_t magic;
    uint32_t version;
    uint32_t header_bytes;
    uint64_t capacity;
    uint64_t producer;
    uint64_t incarnation;
    uint64_t previous_incarnation; /* the owner before, 0 when unknown ... */
    uint64_t previous_sequence;    /* ... and its last record: what of it wasn't read is lost */
    uint64_t check;                /* over the fields above */
};

/* Where the first frame that begins in one of the 64 blocks of the data lies: a way in for readers
 * that were lapped. */
struct ring_mark {
    uint64_t position;
    uint64_t sequence;
};

/* Positions are logical: they only grow; the byte lies at position % capacity. */
struct ring_header {
    struct ring_identity identity;
    uint64_t alive_ms; /* when the owner last said that it lives */
    uint64_t padding_alive[7];
    uint64_t reserved;  /* bytes below reserved - capacity are overwritten or may be any moment */
    uint64_t committed; /* bytes below are complete frames */
    uint64_t sequence;  /* of the last frame; for the next owner, not for readers */
    uint64_t padding_positions[5];
    struct ring_mark marks[RING_MARKS];
};

_Static_assert(sizeof(struct ring_identity) == 64, "one cache line");
_Static_assert(sizeof(struct ring_header) <= RING_HEADER_BYTES, "the header is one page");

struct ring_frame {
    uint32_t length;
    uint32_t check;
    uint64_t sequence;
};
_Static_assert(sizeof(struct ring_frame) == RING_FRAME_HEADER, "as specified");

static inline uint64_t ring_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 32);
}

static inline uint64_t ring_identity_check(const struct ring_identity *identity)
{
    uint64_t hash = ring_mix(identity->magic, identity->version);
    hash = ring_mix(hash, identity->header_bytes);
    hash = ring_mix(hash, identity->capacity);
    hash = ring_mix(hash, identity->producer);
    hash = ring_mix(hash, identity->incarnation);
    hash = ring_mix(hash, identity->previous_incarnation);
    return ring_mix(hash, identity->previous_sequence);
}

typedef uint64_t ring_lanes __attribute__((vector_size(32)));

/* A Fletcher sum over 32-byte steps: sees changed, moved and stale bytes, and costs less than the
 * copy. The incarnation is part of it, so a frame of an earlier owner is never taken for one of
 * ours. */
static inline uint32_t ring_frame_check(uint64_t incarnation, uint64_t sequence, uint64_t position,
                                        struct guard_span record)
{
    ring_lanes sum = {0, 0, 0, 0};
    ring_lanes sums = {0, 0, 0, 0};
    ring_lanes step;
    size_t i = 0;
    for (; record.len - i >= sizeof(step); i += sizeof(step)) {
        memcpy(&step, record.ptr + i, sizeof(step));
        sum += step;
        sums += sum;
    }
    step = (ring_lanes){0, 0, 0, 0};
    if (i < record.len)
        memcpy(&step, record.ptr + i, record.len - i);
    sum += step;
    sums += sum;
    uint64_t hash = ring_mix(incarnation, sequence);
    hash = ring_mix(hash, position);
    hash = ring_mix(hash, record.len);
    for (int lane = 0; lane < 4; lane++) {
        hash = ring_mix(hash, sum[lane]);
        hash = ring_mix(hash, sums[lane]);
    }
    return (uint32_t)(hash ^ (hash >> 32));
}

static inline uint64_t ring_frame_bytes(uint64_t length)
{
    return (RING_FRAME_HEADER + length + RING_FRAME_ALIGN - 1) & ~(uint64_t)(RING_FRAME_ALIGN - 1);
}

static inline bool ring_capacity_valid(uint64_t capacity)
{
    return capacity >= RING_CAPACITY_MIN && capacity <= RING_CAPACITY_MAX &&
           (capacity & (capacity - 1)) == 0;
}

#endif
