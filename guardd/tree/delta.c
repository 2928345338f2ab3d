/* SPDX-License-Identifier: Apache-2.0 */
/* Records of a service are numbered on from delta to delta, so that deltas join at the parent into
 * one interval for each source. */
#include "guardd/tree/delta.h"

#include <stdlib.h>
#include <string.h>

enum { SOURCE_BYTES = 24 };

void delta_free(struct delta *delta)
{
    free(delta->sources);
    *delta = (struct delta){.number = 0};
}

uint64_t delta_position(const struct delta *delta, uint64_t producer, uint64_t incarnation)
{
    for (uint32_t i = 0; i < delta->count; i++) {
        const struct delta_source *source = &delta->sources[i];
        if (source->producer == producer)
            return source->incarnation == incarnation ? source->sequence : 0;
    }
    return 0;
}

static bool reserve(struct delta *delta, uint32_t count)
{
    if (count <= delta->cap)
        return true;
    struct delta_source *grown = realloc(delta->sources, count * sizeof(*grown));
    if (grown == NULL)
        return false;
    delta->sources = grown;
    delta->cap = count;
    return true;
}

/* The producer's, which the newest life of its ring has; else a free one; else that of the producer
 * that began to write first. */
static struct delta_source *place_of(struct delta *delta, uint64_t producer)
{
    struct delta_source *oldest = &delta->sources[0];
    for (uint32_t i = 0; i < delta->count; i++) {
        if (delta->sources[i].producer == producer)
            return &delta->sources[i];
        if (delta->sources[i].incarnation < oldest->incarnation)
            oldest = &delta->sources[i];
    }
    if (delta->count == DELTA_SOURCES_MAX)
        return oldest;
    struct delta_source *fresh = &delta->sources[delta->count++];
    *fresh = (struct delta_source){.producer = producer};
    return fresh;
}

enum guard_rc delta_reserve(struct delta *delta, const struct guard_pile *pile)
{
    struct guard_pile_stats stats;
    guard_pile_stats(pile, &stats);
    uint64_t need = (uint64_t)delta->count + stats.intervals;
    return reserve(delta, need < DELTA_SOURCES_MAX ? (uint32_t)need : DELTA_SOURCES_MAX)
               ? GUARD_OK
               : GUARD_E_NOMEM;
}

void delta_close(struct delta *delta, const struct guard_pile *pile)
{
    struct guard_interval interval;
    for (uint32_t i = 0; guard_pile_interval(pile, i, &interval); i++) {
        struct delta_source *source = place_of(delta, interval.producer);
        if (source->producer == interval.producer && interval.incarnation < source->incarnation)
            continue;
        *source = (struct delta_source){interval.producer, interval.incarnation, interval.last};
    }
    delta->number++;
    delta->due_ms = 0;
}

static void put_number(uint8_t out[8], uint64_t number)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (8 * i));
}

static uint64_t get_number(const uint8_t bytes[8])
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number |= (uint64_t)bytes[i] << (8 * i);
    return number;
}

enum guard_rc delta_encode(const struct delta *delta, uint8_t **out, size_t *len)
{
    *len = 8 + (size_t)delta->count * SOURCE_BYTES;
    *out = malloc(*len);
    if (*out == NULL)
        return GUARD_E_NOMEM;
    put_number(*out, delta->number);
    uint8_t *at = *out + 8;
    for (uint32_t i = 0; i < delta->count; i++, at += SOURCE_BYTES) {
        put_number(at, delta->sources[i].producer);
        put_number(at + 8, delta->sources[i].incarnation);
        put_number(at + 16, delta->sources[i].sequence);
    }
    return GUARD_OK;
}

enum guard_rc delta_decode(struct delta *delta, struct guard_span bytes)
{
    if (bytes.len < 8 || (bytes.len - 8) % SOURCE_BYTES != 0 ||
        (bytes.len - 8) / SOURCE_BYTES > DELTA_SOURCES_MAX)
        return GUARD_E_SYNTAX;
    uint32_t count = (uint32_t)((bytes.len - 8) / SOURCE_BYTES);
    if (!reserve(delta, count))
        return GUARD_E_NOMEM;
    delta->number = get_number(bytes.ptr);
    delta->committed = delta->number;
    delta->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *at = bytes.ptr + 8 + (size_t)i * SOURCE_BYTES;
        delta->sources[i] =
            (struct delta_source){get_number(at), get_number(at + 8), get_number(at + 16)};
    }
    return delta->number > 0 ? GUARD_OK : GUARD_E_SYNTAX;
}

bool delta_full(const struct guard_pile *pile)
{
    struct guard_pile_stats stats;
    guard_pile_stats(pile, &stats);
    return stats.cells >= DELTA_CELLS_MAX || stats.clients >= DELTA_CLIENTS_MAX ||
           stats.exchanges >= DELTA_EXCHANGES_MAX || stats.intervals >= DELTA_INTERVALS_MAX;
}
