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

/* An entry without a name, in the place of the one that ends first when there are too many. */
static struct named *make_room(struct name_table *table, uint64_t now_ms)
{
    enum { FIRST = 8 };
    if (table->count == NAMES_MAX) {
        struct named *old = soonest(table);
        table->pushed_out += old->until_ms >= now_ms;
        free(old->name);
        memset(old, 0, sizeof(*old));
        return old;
    }
    if (table->count == table->capacity) {
        uint32_t capacity = table->capacity > 0 ? 2 * table->capacity : FIRST;
        struct named *more = realloc(table->entries, capacity * sizeof(*more));
        if (more == NULL)
            return NULL;
        table->entries = more;
        table->capacity = capacity;
    }
    struct named *named = &table->entries[table->count++];
    memset(named, 0, sizeof(*named));
    return named;
}

static uint64_t lasts_ms(uint32_t ttl)
{
    uint64_t ms = (uint64_t)ttl * 1000;
    ms = ms < NAME_MS_MIN ? NAME_MS_MIN : ms;
    return ms > NAME_MS_MAX ? NAME_MS_MAX : ms;
}

static void add(struct name_table *table, const char *name, const struct dns_address *address,
                struct guard_span resolver, uint64_t now_ms)
{
    char *copy = strdup(name);
    struct named *named = find(table, (struct guard_span){address->bytes, address->len});
    if (copy != NULL && named == NULL)
        named = make_room(table, now_ms);
    if (copy == NULL || named == NULL) {
        free(copy);
        table->pushed_out++;
        return;
    }
    free(named->name);
    *named = (struct named){.address = *address,
                            .resolver_len = (uint8_t)resolver.len,
                            .until_ms = now_ms + lasts_ms(address->ttl),
                            .name = copy};
    memcpy(named->resolver, resolver.ptr, resolver.len);
}

void name_table_add(struct name_table *table, const struct dns_answer *answer,
                    struct guard_span resolver, uint64_t now_ms)
{
    if (resolver.len != 4 && resolver.len != 16)
        return;
    for (uint32_t i = 0; i < answer->count; i++)
        add(table, answer->name, &answer->addresses[i], resolver, now_ms);
}

void name_table_expire(struct name_table *table, uint64_t now_ms)
{
    for (uint32_t i = table->count; i-- > 0;) {
        if (table->entries[i].until_ms >= now_ms)
            continue;
        free(table->entries[i].name);
        table->entries[i] = table->entries[--table->count];
    }
    if (table->count == 0)
        name_table_free(table);
}

void name_table_free(struct name_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        free(table->entries[i].name);
    free(table->entries);
    *table = (struct name_table){.pushed_out = table->pushed_out};
}
