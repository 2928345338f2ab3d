/* SPDX-License-Identifier: Apache-2.0 */
/* An open table by the producers' numbers, hashed under a key of this process since agents choose
 * them; reporters are few and stand once each. */
#include "guardd/tree/producers.h"

#include "common/file.h"

#include <guard/crypto.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char kind[] = "producer";

struct producer {
    uint64_t id;
    uint32_t reporter; /* its number from 1; 0: free */
    bool fresh;        /* not in the store yet */
};

struct producers {
    uint64_t seed;
    struct producer *table;
    uint32_t cap; /* a power of two */
    uint32_t count;
    uint32_t fresh;
    char (*reporters)[REPORTER_CAP];
    uint32_t reporter_count;
    uint32_t reporter_cap;
};

static struct producer *slot(const struct producers *producers, struct producer *table,
                             uint32_t cap, uint64_t id)
{
    uint64_t hash =
        guard_checksum(producers->seed, (struct guard_span){(const uint8_t *)&id, sizeof(id)});
    uint32_t at = (uint32_t)hash & (cap - 1);
    while (table[at].reporter != 0 && table[at].id != id)
        at = (at + 1) & (cap - 1);
    return &table[at];
}

static bool grow(struct producers *producers)
{
    uint32_t cap = producers->cap == 0 ? 256 : producers->cap * 2;
    struct producer *table = calloc(cap, sizeof(*table));
    if (table == NULL)
        return false;
    for (uint32_t i = 0; i < producers->cap; i++) {
        if (producers->table[i].reporter != 0)
            *slot(producers, table, cap, producers->table[i].id) = producers->table[i];
    }
    free(producers->table);
    producers->table = table;
    producers->cap = cap;
    return true;
}

/* Its number; 0: no memory. Few differ, and each is looked for when its agent is new. */
static uint32_t reporter_number(struct producers *producers, const char *reporter)
{
    for (uint32_t i = producers->reporter_count; i > 0; i--) {
        if (strcmp(producers->reporters[i - 1], reporter) == 0)
            return i;
    }
    if (producers->reporter_count == producers->reporter_cap) {
        uint32_t cap = producers->reporter_cap == 0 ? 64 : producers->reporter_cap * 2;
        void *grown = realloc(producers->reporters, cap * sizeof(producers->reporters[0]));
        if (grown == NULL)
            return 0;
        producers->reporters = grown;
        producers->reporter_cap = cap;
    }
    snprintf(producers->reporters[producers->reporter_count++], REPORTER_CAP, "%s", reporter);
    return producers->reporter_count;
}

static enum guard_rc add(struct producers *producers, uint64_t id, const char *reporter, bool fresh)
{
    if (producers->count >= PRODUCERS_MAX)
        return GUARD_E_LIMIT;
    if ((producers->count + 1) * 2 > producers->cap && !grow(producers))
        return GUARD_E_NOMEM;
    uint32_t number = reporter_number(producers, reporter);
    if (number == 0)
        return GUARD_E_NOMEM;
    *slot(producers, producers->table, producers->cap, id) =
        (struct producer){.id = id, .reporter = number, .fresh = fresh};
    producers->count++;
    producers->fresh += fresh;
    return GUARD_OK;
}

static bool read_id(struct guard_span name, uint64_t *out)
{
    char number[20];
    char *end = NULL;
    if (name.len != 16)
        return false;
    memcpy(number, name.ptr, name.len);
    number[name.len] = '\0';
    *out = strtoull(number, &end, 16);
    return *end == '\0';
}

static enum guard_rc take(void *ctx, struct guard_span name, struct guard_span value)
{
    char text[REPORTER_CAP];
    uint64_t id;
    if (!read_id(name, &id) || value.len == 0 || value.len >= sizeof(text))
        return GUARD_OK;
    memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    enum guard_rc rc = add(ctx, id, text, false);
    return rc == GUARD_E_LIMIT ? GUARD_OK : rc;
}

enum guard_rc producers_open(struct producers **out, struct store *store, struct guard_err *err)
{
    struct producers *producers = calloc(1, sizeof(*producers));
    if (producers == NULL || !grow(producers)) {
        producers_free(producers);
        return guard_fail(err, GUARD_E_NOMEM, "no memory for producers");
    }
    if (random_bytes(&producers->seed, sizeof(producers->seed)) != GUARD_OK)
        producers->seed = 1;
    enum guard_rc rc = store_list_notes(store, kind, take, producers, err);
    if (rc != GUARD_OK) {
        producers_free(producers);
        return rc;
    }
    *out = producers;
    return GUARD_OK;
}

void producers_free(struct producers *producers)
{
    if (producers == NULL)
        return;
    free(producers->table);
    free(producers->reporters);
    free(producers);
}

static const struct producer *find(const struct producers *producers, uint64_t id)
{
    const struct producer *found = slot(producers, producers->table, producers->cap, id);
    return found->reporter != 0 ? found : NULL;
}

/* A pile may name one of them twice. */
static enum guard_rc take_shared(void *ctx, struct guard_span name, struct guard_span value)
{
    uint64_t id;
    return read_id(name, &id) && find(ctx, id) == NULL ? take(ctx, name, value) : GUARD_OK;
}

bool producers_may(const struct producers *producers, uint64_t producer, const char *reporter)
{
    const struct producer *found = find(producers, producer);
    return found == NULL || strcmp(producers->reporters[found->reporter - 1], reporter) == 0;
}

bool producers_room(const struct producers *producers, uint32_t more)
{
    return producers->count + more <= PRODUCERS_MAX;
}

enum guard_rc producers_bind(struct producers *producers, uint64_t producer, const char *reporter,
                             struct guard_err *err)
{
    if (find(producers, producer) != NULL)
        return GUARD_OK;
    enum guard_rc rc = add(producers, producer, reporter, true);
    return rc == GUARD_OK ? rc : guard_fail(err, rc, "too many producers, or no memory for one");
}

struct names {
    char *text;
    size_t len;
};

/* Those that aren't known, separated by commas. */
static enum guard_rc unknown_of(const struct producers *producers, const struct guard_pile *pile,
                                struct names *out)
{
    enum { NAME = 17 };
    struct guard_pile_stats stats;
    struct guard_interval interval;
    guard_pile_stats(pile, &stats);
    out->len = 0;
    out->text = malloc((size_t)stats.intervals * NAME + 1);
    if (out->text == NULL)
        return GUARD_E_NOMEM;
    for (uint32_t i = 0; guard_pile_interval(pile, i, &interval); i++) {
        if (find(producers, interval.producer) != NULL)
            continue;
        snprintf(out->text + out->len, NAME + 1, "%016" PRIx64 ",", interval.producer);
        out->len += NAME;
    }
    out->len -= out->len > 0; /* the last comma */
    return GUARD_OK;
}

enum guard_rc producers_share(struct producers *producers, struct store *store,
                              const struct guard_pile *pile, const char *reporter,
                              struct guard_err *err)
{
    struct names names;
    if (unknown_of(producers, pile, &names) != GUARD_OK)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for producers");
    enum guard_rc rc = GUARD_OK;
    if (names.len > 0)
        rc =
            store_bind_producers(store, (struct guard_span){(const uint8_t *)names.text, names.len},
                                 (struct guard_span){(const uint8_t *)reporter, strlen(reporter)},
                                 take_shared, producers, err);
    free(names.text);
    return rc == GUARD_E_LIMIT || rc == GUARD_E_NOMEM
               ? guard_fail(err, rc, "too many producers, or no memory for one")
               : rc;
}

enum guard_rc producers_save(struct producers *producers, struct store *store,
                             struct guard_err *err)
{
    char name[20];
    for (uint32_t i = 0; producers->fresh > 0 && i < producers->cap; i++) {
        const struct producer *producer = &producers->table[i];
        if (producer->reporter == 0 || !producer->fresh)
            continue;
        const char *reporter = producers->reporters[producer->reporter - 1];
        snprintf(name, sizeof(name), "%016" PRIx64, producer->id);
        GUARD_TRY(store_save_note(store, kind, (struct guard_span){(const uint8_t *)name, 16},
                                  (struct guard_span){(const uint8_t *)reporter, strlen(reporter)},
                                  err));
    }
    return GUARD_OK;
}

void producers_saved(struct producers *producers)
{
    for (uint32_t i = 0; producers->fresh > 0 && i < producers->cap; i++)
        producers->table[i].fresh = false;
    producers->fresh = 0;
}

uint32_t producers_count(const struct producers *producers)
{
    return producers->count;
}
