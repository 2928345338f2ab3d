/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table with open addressing that is made anew after each listing, so nothing is ever taken
 * out of its middle. */
#include "sense_table.h"

#include <stdlib.h>

enum { FIRST = 256, UNTOLD_MAX = 12 };

static struct sense_socket *place_of(struct sense_socket *slots, uint32_t capacity, uint64_t cookie)
{
    uint32_t at = (uint32_t)((cookie * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (capacity - 1);
    while (slots[at].cookie != 0 && slots[at].cookie != cookie)
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

static bool resize(struct sense_table *table, uint32_t capacity, bool forget)
{
    struct sense_socket *slots = calloc(capacity, sizeof(*slots));
    if (slots == NULL)
        return false;
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->capacity; i++) {
        const struct sense_socket *old = &table->slots[i];
        if (old->cookie == 0 ||
            (forget && (old->ended || table->listing - old->listing > UNTOLD_MAX)))
            continue;
        *place_of(slots, capacity, old->cookie) = *old;
        count++;
    }
    free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    table->count = count;
    return true;
}

struct sense_socket *sense_table_get(struct sense_table *table, uint64_t cookie, bool *added)
{
    *added = false;
    if (table->capacity == 0 && !resize(table, FIRST, false))
        return NULL;
    struct sense_socket *found = place_of(table->slots, table->capacity, cookie);
    if (found->cookie == cookie)
        return found;
    if (cookie == 0 || table->count >= SENSE_SOCKETS_MAX) {
        table->overflows = table->overflowed = true;
        return NULL;
    }
    if (table->count >= table->capacity / 2) {
        if (!resize(table, table->capacity * 2, false))
            return NULL;
        found = place_of(table->slots, table->capacity, cookie);
    }
    if (table->interval == 0)
        sense_table_interval(table);
    *found = (struct sense_socket){.cookie = cookie, .listing = table->listing};
    table->count++;
    *added = true;
    return found;
}

bool sense_table_first_told(const struct sense_table *table, struct sense_socket *socket)
{
    bool first = socket->interval != table->interval;
    socket->interval = table->interval;
    return first;
}

void sense_table_interval(struct sense_table *table)
{
    if (++table->interval == 0)
        table->interval = 1;
}

void sense_table_listed(struct sense_table *table)
{
    table->listing++;
    table->overflowed = table->overflows;
    table->overflows = false;
    uint32_t capacity = table->capacity;
    while (capacity > FIRST && table->count < capacity / 8)
        capacity /= 2;
    if (capacity > 0)
        (void)resize(table, capacity, true);
}

void sense_table_free(struct sense_table *table)
{
    free(table->slots);
    *table = (struct sense_table){0};
}
