/* SPDX-License-Identifier: Apache-2.0 */
/* See ledger.h. */
#include "learn/ledger.h"

#include <string.h>

enum { CAP_FIRST = 64 };

static struct gd_ledger_entry *place(const struct gd_ledger *ledger, uint64_t unit)
{
    uint32_t at = (uint32_t)unit & (ledger->cap - 1);
    while (ledger->entries[at].unit != 0 && ledger->entries[at].unit != unit)
        at = (at + 1) & (ledger->cap - 1);
    return &ledger->entries[at];
}

static bool grow(struct gd_pool *pool, struct gd_ledger *ledger)
{
    struct gd_ledger wider = *ledger;
    wider.cap = ledger->cap == 0 ? CAP_FIRST : 2 * ledger->cap;
    wider.entries = gd_pool_get(pool, wider.cap * sizeof(*wider.entries));
    if (wider.entries == NULL)
        return false;
    for (uint32_t i = 0; i < ledger->cap; i++) {
        if (ledger->entries[i].unit != 0)
            *place(&wider, ledger->entries[i].unit) = ledger->entries[i];
    }
    gd_pool_put(pool, ledger->entries, ledger->cap * sizeof(*ledger->entries));
    *ledger = wider;
    return true;
}

struct gd_ledger_entry *gd_ledger_get(struct gd_pool *pool, struct gd_ledger *ledger, uint64_t unit)
{
    if (unit == 0)
        unit = 1;
    if (ledger->cap == 0 && !grow(pool, ledger))
        return NULL;
    struct gd_ledger_entry *entry = place(ledger, unit);
    if (entry->unit != 0)
        return entry;
    if (ledger->count >= GD_LEDGER_MAX)
        return &ledger->rest;
    if (2 * (ledger->count + 1) > ledger->cap) {
        if (!grow(pool, ledger))
            return NULL;
        entry = place(ledger, unit);
    }
    *entry = (struct gd_ledger_entry){.unit = unit};
    ledger->count++;
    return entry;
}

void gd_ledger_clear(struct gd_ledger *ledger)
{
    if (ledger->cap > 0)
        memset(ledger->entries, 0, ledger->cap * sizeof(*ledger->entries));
    ledger->count = 0;
    ledger->rest = (struct gd_ledger_entry){.unit = 0};
    ledger->anonymous = (struct gd_ledger_entry){.unit = 0};
}
