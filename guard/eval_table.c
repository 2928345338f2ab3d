/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing; keys are hashes already. */
#include "eval_table.h"

#include <stdlib.h>

enum { FIRST_CAP = 1024 };

static struct eval_table_slot *find(struct eval_table_slot *slots, size_t cap, uint64_t key)
{
    size_t at = (size_t)key & (cap - 1);
    while (slots[at].key != 0 && slots[at].key != key)
        at = (at + 1) & (cap - 1);
    return &slots[at];
}

static bool grow(struct eval_table *table)
{
    size_t cap = table->cap == 0 ? FIRST_CAP : table->cap * 2;
    struct eval_table_slot *slots = cap <= EVAL_TABLE_MAX ? calloc(cap, sizeof(*slots)) : NULL;
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < table->cap; i++) {
        if (table->slots[i].key != 0)
            *find(slots, cap, table->slots[i].key) = table->slots[i];
    }
    free(table->slots);
    table->slots = slots;
    table->cap = cap;
    return true;
}

uint32_t *eval_table_at(struct eval_table *table, uint64_t key, bool *added)
{
    key = key == 0 ? 1 : key;
    if (table->count >= table->cap - table->cap / 4 && !grow(table))
        return NULL;
    struct eval_table_slot *slot = find(table->slots, table->cap, key);
    if (added != NULL)
        *added = slot->key == 0;
    if (slot->key == 0) {
        slot->key = key;
        table->count++;
    }
    return &slot->value;
}

void eval_table_free(struct eval_table *table)
{
    free(table->slots);
    *table = (struct eval_table){NULL, 0, 0};
}
