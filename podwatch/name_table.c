/* SPDX-License-Identifier: Apache-2.0 */
/* A few addresses each, looked through one by one. */
#include "name_table.h"

#include <stdlib.h>
#include <string.h>

static bool is_of(const struct named *named, struct guard_span address)
{
    return named->address.len == address.len &&
           memcmp(named->address.bytes, address.ptr, address.len) == 0;
}

static struct named *find(const struct name_table *table, struct guard_span address)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (is_of(&table->entries[i], address))
            return &table->entries[i];
    return NULL;
}

const struct named *name_table_find(const struct name_table *table, struct guard_span address,
                                    uint64_t now_ms)
{
    const struct named *named = find(table, address);
    return named != NULL && named->until_ms >= now_ms ? named : NULL;
}

static struct named *soonest(const struct name_table *table)
{
    struct named *found = &table->entries[0];
    for (uint32_t i = 1; i < table->count; i++)
        if (table->entries[i].until_ms < found->until_ms)
            found = &table->entries[i];
    return found;
}

/* What an allocation of the heap takes. */
static uint32_t heap_bytes(size_t len)
{
    enum { HEAD = 8, ALIGN = 16, LEAST = 32 };
    size_t bytes = (len + HEAD + ALIGN - 1) / ALIGN * ALIGN;
    return (uint32_t)(bytes > LEAST ? bytes : LEAST);
}

static uint32_t beyond_own(uint32_t bytes)
{
    return bytes > NAME_OWN_BYTES ? bytes - NAME_OWN_BYTES : 0;
}

static void set_bytes(struct name_table *table, struct name_room *room, uint32_t bytes)
{
    room->shared = room->shared - beyond_own(table->bytes) + beyond_own(bytes);
    table->bytes = bytes;
}

static bool has_room(const struct name_table *table, const struct name_room *room, uint32_t more)
{
    return room->shared - beyond_own(table->bytes) + beyond_own(table->bytes + more) <=
           NAME_SHARED_BYTES;
}

/* The last takes its place. */
static void drop(struct name_table *table, struct name_room *room, struct named *named)
{
    set_bytes(table, room, table->bytes - heap_bytes(strlen(named->name) + 1));
    free(named->name);
    *named = table->entries[--table->count];
}

static bool grow(struct name_table *table, struct name_room *room)
{
    enum { FIRST = 8 };
    uint32_t capacity = table->capacity > 0 ? 2 * table->capacity : FIRST;
    uint32_t now = table->capacity > 0 ? heap_bytes(table->capacity * sizeof(struct named)) : 0;
    uint32_t then = heap_bytes(capacity * sizeof(struct named));
    if (capacity > NAMES_MAX || !has_room(table, room, then - now))
        return false;
    struct named *more = realloc(table->entries, capacity * sizeof(*more));
    if (more == NULL)
        return false;
    table->entries = more;
    table->capacity = capacity;
    set_bytes(table, room, table->bytes + then - now);
    return true;
}

/* A place for one more whose name takes so many bytes. NULL: there is none, even for its own. */
static struct named *make_room(struct name_table *table, struct name_room *room, uint32_t bytes,
                               uint64_t now_ms)
{
    if (table->count == table->capacity)
        (void)grow(table, room);
    while (table->count > 0 && (table->count == table->capacity || !has_room(table, room, bytes))) {
        struct named *old = soonest(table);
        room->pushed_out += old->until_ms >= now_ms;
        drop(table, room, old);
    }
    return table->count < table->capacity && has_room(table, room, bytes)
               ? &table->entries[table->count]
               : NULL;
}

static uint64_t lasts_ms(uint32_t ttl)
{
    uint64_t ms = (uint64_t)ttl * 1000;
    ms = ms < NAME_MS_MIN ? NAME_MS_MIN : ms;
    return ms > NAME_MS_MAX ? NAME_MS_MAX : ms;
}

static void add(struct name_table *table, struct name_room *room, const char *name,
                const struct dns_address *address, struct guard_span resolver, uint64_t now_ms)
{
    uint32_t bytes = heap_bytes(strlen(name) + 1);
    struct named *named = find(table, (struct guard_span){address->bytes, address->len});
    if (named != NULL)
        drop(table, room, named);
    named = make_room(table, room, bytes, now_ms);
    char *copy = named != NULL ? strdup(name) : NULL;
    if (copy == NULL) {
        room->pushed_out++;
        return;
    }
    *named = (struct named){.address = *address,
                            .resolver_len = (uint8_t)resolver.len,
                            .until_ms = now_ms + lasts_ms(address->ttl),
                            .name = copy};
    memcpy(named->resolver, resolver.ptr, resolver.len);
    table->count++;
    set_bytes(table, room, table->bytes + bytes);
}

void name_table_add(struct name_table *table, struct name_room *room,
                    const struct dns_answer *answer, struct guard_span resolver, uint64_t now_ms)
{
    if (resolver.len != 4 && resolver.len != 16)
        return;
    for (uint32_t i = 0; i < answer->count; i++)
        add(table, room, answer->name, &answer->addresses[i], resolver, now_ms);
}

void name_table_expire(struct name_table *table, struct name_room *room, uint64_t now_ms)
{
    for (uint32_t i = table->count; i-- > 0;) {
        if (table->entries[i].until_ms < now_ms)
            drop(table, room, &table->entries[i]);
    }
    if (table->count == 0)
        name_table_free(table, room);
}

void name_table_free(struct name_table *table, struct name_room *room)
{
    for (uint32_t i = 0; i < table->count; i++)
        free(table->entries[i].name);
    free(table->entries);
    set_bytes(table, room, 0);
    *table = (struct name_table){.entries = NULL};
}
