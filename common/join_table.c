/* SPDX-License-Identifier: Apache-2.0 */
/* See join_table.h. Two compact arrays are what is searched: whose exchange is in flight at a place
 * (0: none), and the head of its trace id, which stays for a while after the end. */
#include "common/join_table.h"

#include <string.h>

enum {
    JOIN_MAGIC = 0x4e494f4a, /* "JOIN" */
    PLACES_MIN = 64,
    PROBES_MAX = 64,
};

struct place {
    uint32_t owner;    /* process id; 0 = free */
    uint32_t sequence; /* odd while it is written */
    uint64_t ended_ms; /* 0 = in flight */
    struct join_exchange exchange;
};

struct join_table {
    uint32_t magic;
    uint32_t version;
    uint32_t place_bytes;
    uint32_t count;
    uint64_t unregistered; /* in flight for which there was no place */
    uint64_t words[];      /* count services, count traces, then the places */
};

static uint64_t *services(struct join_table *table)
{
    return table->words;
}

static uint64_t *traces(struct join_table *table)
{
    return table->words + table->count;
}

static struct place *places(struct join_table *table)
{
    return (struct place *)(void *)(table->words + 2 * (size_t)table->count);
}

static uint64_t trace_head(const struct trace_parent *trace)
{
    uint64_t head;
    memcpy(&head, trace->trace, sizeof(head));
    return head == 0 ? 1 : head;
}

uint64_t join_service(struct guard_span name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ name.ptr[i]) * UINT64_C(0x100000001b3);
    return hash == 0 ? 1 : hash;
}

static uint32_t room_for(size_t size)
{
    const size_t each = 2 * sizeof(uint64_t) + sizeof(struct place);
    if (size < sizeof(struct join_table))
        return 0;
    size_t count = (size - sizeof(struct join_table)) / each;
    return count < INT32_MAX ? (uint32_t)count : INT32_MAX;
}

struct join_table *join_table_init(void *memory, size_t size)
{
    struct join_table *table = memory;
    uint32_t count = room_for(size);
    if (count < PLACES_MIN)
        return NULL;
    memset(memory, 0, size);
    table->version = JOIN_VERSION;
    table->place_bytes = sizeof(struct place);
    table->count = count;
    table->magic = JOIN_MAGIC;
    return table;
}

struct join_table *join_table_open(void *memory, size_t size)
{
    struct join_table *table = memory;
    uint32_t count = room_for(size);
    if (count < PLACES_MIN || table->magic != JOIN_MAGIC || table->version != JOIN_VERSION ||
        table->place_bytes != sizeof(struct place) || table->count != count)
        return NULL;
    return table;
}

static bool claim(struct place *place, uint32_t from, uint32_t owner)
{
    return __atomic_compare_exchange_n(&place->owner, &from, owner, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

/* A free place; one after another, so that what ended lingers as long as there is room. */
static int32_t find_place(struct join_table *table, uint32_t *cursor, uint32_t owner)
{
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        uint32_t at = *cursor < table->count ? *cursor : 0;
        *cursor = at + 1;
        struct place *place = &places(table)[at];
        if (__atomic_load_n(&place->owner, __ATOMIC_RELAXED) == 0 && claim(place, 0, owner))
            return (int32_t)at;
    }
    return JOIN_NONE;
}

int32_t join_enter(struct join_table *table, uint32_t *cursor, uint32_t owner,
                   const struct join_exchange *exchange)
{
    int32_t at = find_place(table, cursor, owner);
    if (at == JOIN_NONE) {
        __atomic_add_fetch(&table->unregistered, 1, __ATOMIC_RELAXED);
        return JOIN_NONE;
    }
    struct place *place = &places(table)[at];
    /* Odd by force: one that died may have left it so. */
    uint32_t sequence = __atomic_load_n(&place->sequence, __ATOMIC_RELAXED) | 1;
    __atomic_store_n(&place->sequence, sequence, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    place->exchange = *exchange;
    __atomic_store_n(&place->ended_ms, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&traces(table)[at], exchange->traced ? trace_head(&exchange->trace) : 0,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&place->sequence, sequence + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&services(table)[at], exchange->service, __ATOMIC_SEQ_CST);
    return at;
}

void join_leave(struct join_table *table, int32_t at, uint64_t now_ms)
{
    if (at == JOIN_NONE) {
        __atomic_sub_fetch(&table->unregistered, 1, __ATOMIC_RELAXED);
        return;
    }
    struct place *place = &places(table)[at];
    __atomic_store_n(&services(table)[at], 0, __ATOMIC_RELAXED);
    __atomic_store_n(&place->ended_ms, now_ms > 0 ? now_ms : 1, __ATOMIC_RELAXED);
    __atomic_store_n(&place->owner, 0, __ATOMIC_RELEASE);
}

/* False when it is being written. *ended_ms as it was meanwhile. */
static bool copy(const struct place *place, struct join_exchange *out, uint64_t *ended_ms)
{
    uint32_t before = __atomic_load_n(&place->sequence, __ATOMIC_ACQUIRE);
    if (before & 1)
        return false;
    memcpy(out, &place->exchange, sizeof(*out));
    *ended_ms = __atomic_load_n(&place->ended_ms, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(&place->sequence, __ATOMIC_RELAXED) == before;
}

static bool same_client(const struct join_exchange *a, const struct join_exchange *b)
{
    return a->unit == b->unit && a->address_len == b->address_len &&
           memcmp(a->address, b->address, sizeof(a->address)) == 0 &&
           a->subject_known == b->subject_known &&
           memcmp(a->subject, b->subject, sizeof(a->subject)) == 0;
}

struct search {
    struct join_table *table;
    uint64_t service;
    const struct trace_parent *trace;
    uint64_t now_ms;
};

/* What is at the place, if it is of the service and carries the trace. */
static bool carries(const struct search *search, uint32_t at, struct join_exchange *out,
                    uint64_t *ended_ms)
{
    return copy(&places(search->table)[at], out, ended_ms) && out->service == search->service &&
           out->traced && memcmp(out->trace.trace, search->trace->trace, TRACE_ID_BYTES) == 0 &&
           (*ended_ms == 0 || search->now_ms < *ended_ms + JOIN_LINGER_MS);
}

enum found { FOUND_NONE, FOUND_ONE, FOUND_SEVERAL };

static enum found find_trace(const struct search *search, struct join_exchange *out)
{
    const uint64_t head = trace_head(search->trace);
    const uint64_t *words = traces(search->table);
    bool found = false;
    bool several = false; /* clients */
    uint64_t best_ended_ms = 0;
    for (uint32_t at = 0; at < search->table->count; at++) {
        struct join_exchange one;
        uint64_t ended_ms;
        if (__atomic_load_n(&words[at], __ATOMIC_RELAXED) != head ||
            !carries(search, at, &one, &ended_ms))
            continue;
        if (memcmp(one.trace.span, search->trace->span, TRACE_SPAN_BYTES) == 0) {
            *out = one;
            return FOUND_ONE;
        }
        several = several || (found && !same_client(&one, out));
        /* Of one client's, rather one in flight, and the latest. */
        bool better = !found || (ended_ms == 0 && best_ended_ms != 0) ||
                      ((ended_ms == 0) == (best_ended_ms == 0) && one.time_ms >= out->time_ms);
        if (better) {
            *out = one;
            best_ended_ms = ended_ms;
        }
        found = true;
    }
    return several ? FOUND_SEVERAL : found ? FOUND_ONE : FOUND_NONE;
}

static bool find_only(const struct search *search, struct join_exchange *out)
{
    const uint64_t *words = services(search->table);
    int32_t only = JOIN_NONE;
    if (__atomic_load_n(&search->table->unregistered, __ATOMIC_RELAXED) != 0)
        return false;
    for (uint32_t at = 0; at < search->table->count; at++) {
        if (__atomic_load_n(&words[at], __ATOMIC_RELAXED) != search->service)
            continue;
        if (only != JOIN_NONE)
            return false;
        only = (int32_t)at;
    }
    uint64_t ended_ms;
    return only != JOIN_NONE && copy(&places(search->table)[only], out, &ended_ms) &&
           ended_ms == 0 && out->service == search->service;
}

enum join_how join_find(struct join_table *table, uint64_t service,
                        const struct trace_parent *trace, bool by_time, uint64_t now_ms,
                        struct join_exchange *out)
{
    const struct search search = {table, service, trace, now_ms};
    enum found found = trace != NULL ? find_trace(&search, out) : FOUND_NONE;
    if (found == FOUND_ONE)
        return JOIN_BY_TRACE;
    /* Whose it is can't be told from a trace that several clients sent, nor by when it came. */
    if (found == FOUND_SEVERAL)
        return JOIN_BY_NOTHING;
    if (by_time && find_only(&search, out))
        return JOIN_BY_TIME;
    return JOIN_BY_NOTHING;
}

void join_sweep(struct join_table *table, uint32_t *cursor, uint32_t count, uint32_t owner,
                bool (*alive)(uint32_t owner), uint64_t now_ms)
{
    uint32_t known = owner; /* to be alive */
    for (uint32_t i = 0; i < count && i < table->count; i++) {
        uint32_t at = *cursor < table->count ? *cursor : 0;
        *cursor = at + 1;
        struct place *place = &places(table)[at];
        uint32_t other = __atomic_load_n(&place->owner, __ATOMIC_RELAXED);
        if (other == 0 || other == owner || other == known)
            continue;
        if (alive(other)) {
            known = other;
            continue;
        }
        /* Ours first: another one may be sweeping here as well. */
        if (claim(place, other, owner))
            join_leave(table, (int32_t)at, now_ms);
    }
}

void join_forget(struct join_table *table, uint32_t owner, uint64_t now_ms)
{
    for (uint32_t at = 0; at < table->count; at++) {
        if (__atomic_load_n(&places(table)[at].owner, __ATOMIC_RELAXED) == owner)
            join_leave(table, (int32_t)at, now_ms);
    }
}

uint32_t join_count(struct join_table *table, uint64_t service)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < table->count; at++)
        count += __atomic_load_n(&services(table)[at], __ATOMIC_RELAXED) == service;
    return count;
}
