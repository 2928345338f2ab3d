/* SPDX-License-Identifier: Apache-2.0 */
/* Clients are a sample by their hash, so that a share is told of the same ones under both
 * generations. When the table fills, those that aren't established yet are halved first: a flood of
 * new addresses can't drive the others out. The hash is keyed by this process: nobody outside knows
 * who is watched. */
#include "breaker.h"

#include "common/file.h"

#include <guard/crypto.h>

#include <math.h>
#include <string.h>

enum { FILLED = BREAKER_CLIENTS * 3 / 4, SHIFT_MAX = 40 };
static const double share_least = 0.01;
static const double share_growth = 10;

static uint64_t hash_of(const struct guard_client *client)
{
    static uint64_t seed;
    if (seed == 0 && random_bytes(&seed, sizeof(seed)) != GUARD_OK)
        seed = 1;
    uint64_t hash = guard_checksum(seed, (struct guard_span){client->address, client->address_len});
    hash = guard_checksum(hash, client->subject);
    return hash == 0 ? 1 : hash;
}

static bool established(const struct breaker_client *client, uint64_t now_ms)
{
    return now_ms > client->first_ms && now_ms - client->first_ms >= BREAKER_TENURE_MS;
}

/* The slot of the hash, or the free one where it belongs. The table is never full. */
static struct breaker_client *slot(struct breaker *breaker, uint64_t hash)
{
    uint64_t at = hash >> 32;
    while (breaker->clients[at % BREAKER_CLIENTS].hash != 0 &&
           breaker->clients[at % BREAKER_CLIENTS].hash != hash)
        at++;
    return &breaker->clients[at % BREAKER_CLIENTS];
}

static bool in_sample(uint64_t hash, uint32_t shift)
{
    return (hash & ((UINT64_C(1) << shift) - 1)) == 0;
}

static bool stays(const struct breaker *breaker, const struct breaker_client *client,
                  uint64_t now_ms)
{
    if (now_ms > client->last_ms && now_ms - client->last_ms >= BREAKER_GONE_MS)
        return false;
    return in_sample(client->hash,
                     established(client, now_ms) ? breaker->shift : breaker->new_shift);
}

static void make_room(struct breaker *breaker, uint64_t now_ms)
{
    struct breaker_client kept[BREAKER_CLIENTS];
    uint32_t tenured = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < BREAKER_CLIENTS; i++)
        tenured += breaker->clients[i].hash != 0 && established(&breaker->clients[i], now_ms);
    if (tenured > FILLED / 2 && breaker->shift < SHIFT_MAX)
        breaker->shift++;
    if (breaker->new_shift < SHIFT_MAX)
        breaker->new_shift++;
    for (uint32_t i = 0; i < BREAKER_CLIENTS; i++) {
        if (breaker->clients[i].hash != 0 && stays(breaker, &breaker->clients[i], now_ms))
            kept[count++] = breaker->clients[i];
    }
    memset(breaker->clients, 0, sizeof(breaker->clients));
    for (uint32_t i = 0; i < count; i++)
        *slot(breaker, kept[i].hash) = kept[i];
    breaker->count = count;
}

static struct breaker_client *client_of(struct breaker *breaker, const struct guard_client *client,
                                        uint64_t now_ms)
{
    uint64_t hash = hash_of(client);
    struct breaker_client *found = slot(breaker, hash);
    if (found->hash == hash)
        return found;
    if (!in_sample(hash, breaker->new_shift))
        return NULL;
    if (breaker->count >= FILLED) {
        make_room(breaker, now_ms);
        if (breaker->count >= FILLED || !in_sample(hash, breaker->new_shift))
            return NULL;
        found = slot(breaker, hash);
    }
    *found = (struct breaker_client){.hash = hash, .first_ms = now_ms, .last_ms = now_ms};
    breaker->count++;
    return found;
}

void breaker_observe(struct breaker *breaker, const struct guard_record_head *head, uint64_t now_ms)
{
    if (head->client.unit != GUARD_UNIT_PREFIX && head->client.unit != GUARD_UNIT_SUBJECT)
        return;
    struct breaker_client *client = client_of(breaker, &head->client, now_ms);
    if (client == NULL)
        return;
    client->last_ms = now_ms;
    /* Until gates have the new generation, their records tell of the one before. */
    if (now_ms - breaker->published_ms < BREAKER_SETTLE_MS ||
        client->in_force.requests == BREAKER_REQUESTS)
        return;
    client->in_force.requests++;
    client->in_force.blocked |= head->decision == GUARD_BLOCK;
}

void breaker_published(struct breaker *breaker, bool comparable, uint64_t now_ms)
{
    breaker->published_ms = now_ms;
    breaker->watching = comparable;
    for (uint32_t i = 0; i < BREAKER_CLIENTS; i++) {
        struct breaker_client *client = &breaker->clients[i];
        if (client->hash == 0)
            continue; /* nor is the memory of free ones touched */
        /* Who wasn't there keeps what an earlier one did to it. */
        if (!comparable)
            client->before = (struct breaker_tally){0};
        else if (client->in_force.requests > 0)
            client->before = client->in_force;
        client->in_force = (struct breaker_tally){0};
    }
    /* A flood that is over needn't thin the sample for ever. */
    if (breaker->count < BREAKER_CLIENTS / 4) {
        breaker->new_shift -= breaker->new_shift > 0;
        breaker->shift = breaker->shift < breaker->new_shift ? breaker->shift : breaker->new_shift;
    }
}

static void count(struct breaker_count *sum, const struct breaker_tally *tally)
{
    sum->seen += tally->requests > 0;
    sum->blocked += tally->blocked;
}

static void bound(struct breaker_count *sum)
{
    sum->seen = sum->seen < BREAKER_CLIENTS ? sum->seen : BREAKER_CLIENTS;
    sum->blocked = sum->blocked < sum->seen ? sum->blocked : sum->seen;
}

void breaker_reported(struct breaker *breaker, const struct breaker_report *report)
{
    struct breaker_report *place = &breaker->reports[0];
    for (uint32_t i = 0; i < BREAKER_REPORTS; i++) {
        struct breaker_report *held = &breaker->reports[i];
        if (held->reporter == report->reporter) {
            place = held;
            break;
        }
        if (place->reporter != 0 && (held->reporter == 0 || held->at_ms < place->at_ms))
            place = held;
    }
    *place = *report;
    bound(&place->in_force);
    bound(&place->before);
}

static void add_reports(const struct breaker *breaker, struct breaker_count *in_force,
                        struct breaker_count *before)
{
    for (uint32_t i = 0; i < BREAKER_REPORTS; i++) {
        const struct breaker_report *report = &breaker->reports[i];
        if (report->reporter == 0 || report->generation != breaker->generation)
            continue;
        in_force->seen += report->in_force.seen;
        in_force->blocked += report->in_force.blocked;
        before->seen += report->before.seen;
        before->blocked += report->before.blocked;
    }
}

bool breaker_tripped(const struct breaker *breaker, double alpha, struct breaker_count *in_force,
                     struct breaker_count *before)
{
    *in_force = *before = (struct breaker_count){0};
    for (uint32_t i = 0; i < BREAKER_CLIENTS; i++) {
        const struct breaker_client *client = &breaker->clients[i];
        if (client->hash == 0 || !established(client, breaker->published_ms))
            continue;
        count(in_force, &client->in_force);
        count(before, &client->before);
    }
    add_reports(breaker, in_force, before);
    if (!breaker->watching || in_force->seen < BREAKER_MIN_SEEN ||
        in_force->blocked < BREAKER_MIN_BLOCKED || before->seen < BREAKER_MIN_SEEN)
        return false;
    double allowed = 1 - pow(1 - alpha, BREAKER_REQUESTS);
    double usual = (double)before->blocked / (double)before->seen;
    double share = (double)in_force->blocked / (double)in_force->seen;
    return share > share_least && share > share_growth * usual && share > share_growth * allowed;
}
