/* SPDX-License-Identifier: Apache-2.0 */
/* Norms: what the most extreme clients do, and how often a client does more than a multiple of
 * that. Each client has one vote. */
#include "client/client.h"

#include "learn/calibrate.h"
#include "sketch/kmv.h"

enum {
    DAYS_KEPT = 14,
    CLIENTS_PER_EXTREME = 256,
};

static const double prior = 0.01; /* of a rule about which nothing is known: blocks nothing */

static bool stale(uint32_t then, uint32_t day)
{
    return day > then && day - then > DAYS_KEPT;
}

uint32_t gd_client_key(const struct guard_clients *clients, const struct gd_client_subject *subject)
{
    uint64_t parts[4] = {(uint64_t)subject->rule << 16 | (uint64_t)subject->tier << 8 |
                             (uint64_t)subject->location,
                         gd_hash_keyed(&clients->key, subject->method),
                         gd_hash_keyed(&clients->key, subject->template_text),
                         gd_hash_keyed(&clients->key, subject->place)};
    uint32_t key = (uint32_t)gd_hash_keyed(&clients->key, gd_span(parts, sizeof(parts)));
    return key == 0 ? 1 : key;
}

static uint8_t keep(uint8_t *to, size_t max, struct guard_span text)
{
    size_t len = text.len < max ? text.len : max;
    if (len > 0)
        memcpy(to, text.ptr, len);
    return (uint8_t)len;
}

/* One that fewer than D clients knew and nobody for a while makes room for another. */
static uint32_t find_room(struct guard_clients *clients, uint32_t day)
{
    if (clients->norm_count < GD_CLIENT_NORMS)
        return clients->norm_count++;
    uint32_t oldest = GD_CLIENT_NORMS;
    for (uint32_t i = GD_CLIENT_TIERS; i < GD_CLIENT_NORMS; i++) {
        const struct gd_client_norm *norm = &clients->norms[i];
        if (!stale(norm->day, day) && norm->tag_count >= clients->support)
            continue;
        if (oldest == GD_CLIENT_NORMS || norm->day < clients->norms[oldest].day)
            oldest = i;
    }
    return oldest;
}

struct gd_client_norm *gd_client_norm(struct guard_clients *clients, uint32_t key,
                                      const struct gd_client_subject *subject, uint32_t day)
{
    for (uint32_t i = 0; i < clients->norm_count; i++) {
        if (clients->keys[i] == key)
            return &clients->norms[i];
    }
    uint32_t index = find_room(clients, day);
    if (index == GD_CLIENT_NORMS) {
        clients->untracked += clients->untracked < UINT32_MAX;
        return NULL;
    }
    struct gd_client_norm *norm = &clients->norms[index];
    memset(norm, 0, sizeof(*norm));
    clients->keys[index] = key;
    norm->rule = (uint8_t)((unsigned)subject->rule - (unsigned)GUARD_RULE_CLIENT_RATE);
    norm->tier = subject->tier;
    norm->location = (uint8_t)subject->location;
    norm->day = day;
    norm->method_len = keep(norm->method, sizeof(norm->method), subject->method);
    norm->template_len =
        keep(norm->template_text, sizeof(norm->template_text), subject->template_text);
    norm->place_len = keep(norm->place, sizeof(norm->place), subject->place);
    return norm;
}

void gd_client_norm_begin(struct gd_client_norm *norm, uint32_t tag, bool trial, uint32_t day)
{
    norm->day = day > norm->day ? day : norm->day;
    norm->tag_count = (uint8_t)gd_bottom_add(norm->tags, norm->tag_count, GD_CLIENT_TAGS, tag);
    norm->trials += trial && norm->trials < UINT32_MAX;
}

/* The entry that is given up first: an old one, else the least. */
static bool weaker(const struct gd_client_extreme *a, const struct gd_client_extreme *b,
                   uint32_t day)
{
    bool stale_a = stale(a->day, day);
    return stale_a != stale(b->day, day) ? stale_a : a->value < b->value;
}

void gd_client_norm_raise(struct gd_client_norm *norm, uint32_t tag, uint32_t value, uint32_t day)
{
    struct gd_client_extreme *weakest = NULL;
    for (uint32_t i = 0; i < norm->top_count; i++) {
        struct gd_client_extreme *entry = &norm->top[i];
        if (entry->tag == tag) {
            entry->value = value > entry->value ? value : entry->value;
            entry->day = value >= entry->value && day > entry->day ? day : entry->day;
            return;
        }
        if (weakest == NULL || weaker(entry, weakest, day))
            weakest = entry;
    }
    const struct gd_client_extreme entry = {tag, value, day};
    if (norm->top_count < GD_CLIENT_TOP)
        norm->top[norm->top_count++] = entry;
    else if (weaker(weakest, &entry, day))
        *weakest = entry;
}

uint32_t gd_client_norm_clients(const struct gd_client_norm *norm)
{
    return gd_bottom_estimate(norm->tags, norm->tag_count, GD_CLIENT_TAGS);
}

uint32_t gd_client_norm_limit(const struct gd_client_norm *norm, uint32_t support, uint32_t clients,
                              uint32_t tag, uint32_t day)
{
    uint32_t values[GD_CLIENT_TOP];
    uint32_t count = 0;
    uint32_t rank = clients / CLIENTS_PER_EXTREME;
    rank = rank > support ? rank : support;
    rank = rank < GD_CLIENT_TOP ? rank : GD_CLIENT_TOP - 1;
    for (uint32_t i = 0; i < norm->top_count; i++) {
        const struct gd_client_extreme *entry = &norm->top[i];
        if (entry->tag == tag || stale(entry->day, day))
            continue;
        uint32_t at = count++;
        for (; at > 0 && values[at - 1] < entry->value; at--)
            values[at] = values[at - 1];
        values[at] = entry->value;
    }
    return rank <= count ? values[rank - 1] : 0;
}

void gd_client_norm_fire(struct gd_client_norm *norm, uint32_t level, uint32_t tag, uint32_t day)
{
    struct gd_client_fire *list = norm->fired[level];
    uint32_t at = norm->fired_count[level];
    for (uint32_t i = 0; i < norm->fired_count[level]; i++) {
        if (list[i].tag == tag) {
            list[i].day = day;
            return;
        }
        if (stale(list[i].day, day))
            at = i;
    }
    if (at == GD_CLIENT_FIRED) {
        norm->fired_more[level] += norm->fired_more[level] < UINT32_MAX;
        return;
    }
    list[at] = (struct gd_client_fire){tag, day};
    if (at == norm->fired_count[level])
        norm->fired_count[level]++;
}

/* Of fewer than D clients, however they fired, no rule becomes blunt. */
static uint64_t fires_of(const struct gd_client_norm *norm, uint32_t support, uint32_t level,
                         uint32_t day)
{
    uint32_t fires = 0;
    for (uint32_t i = 0; i < norm->fired_count[level]; i++)
        fires += !stale(norm->fired[level][i].day, day);
    if (fires < GD_CLIENT_FIRED)
        return fires >= support ? fires - support + 1 : 0;
    return (uint64_t)fires + norm->fired_more[level] - support + 1;
}

/* Not to do it at all is what most clients do: they are trials too. */
static bool seldom(uint32_t rule)
{
    enum guard_rule which = (enum guard_rule)(rule + GUARD_RULE_CLIENT_RATE);
    return which != GUARD_RULE_CLIENT_IDS && which != GUARD_RULE_CLIENT_RATE;
}

const struct gd_client_norm *gd_client_population(const struct guard_clients *clients,
                                                  const struct gd_client_norm *norm)
{
    return seldom(norm->rule) ? &clients->norms[clients->rate_at[norm->tier]] : norm;
}

static double shrink(double rate, uint64_t fires, uint64_t trials)
{
    return ((double)fires + 1) / ((double)trials + 1 / rate);
}

uint16_t gd_client_strength(const struct guard_clients *clients, const struct gd_client_norm *norm,
                            uint32_t level, uint32_t day)
{
    uint64_t trials = 0, fires = 0;
    for (uint32_t i = 0; i < clients->norm_count; i++) {
        const struct gd_client_norm *other = &clients->norms[i];
        if (other->rule != norm->rule || other->tier != norm->tier)
            continue;
        trials += seldom(norm->rule) ? 0 : other->trials;
        fires += fires_of(other, clients->support, level, day);
    }
    uint64_t own_trials = gd_client_population(clients, norm)->trials;
    uint64_t own_fires = fires_of(norm, clients->support, level, day);
    trials = seldom(norm->rule) ? own_trials : trials;
    double rate = shrink(shrink(prior, fires, trials), own_fires, own_trials);
    double least = 1 / ((double)trials + 1);
    double alone = ((double)own_fires - 0.5) / ((double)own_trials + 1);
    rate = rate > least ? rate : least;
    rate = rate > alone ? rate : alone;
    /* 1/rate trials without a fire are as strong. */
    return gd_rate_strength(
        (struct gd_measure){.trials = (uint64_t)((1 / rate - 1) * GD_TRIAL), .fires = 0});
}

uint16_t gd_client_weighted(uint32_t rule, uint32_t level, uint16_t strength)
{
    static const int weights[GD_CLIENT_RULES] = {-150, -50, -100, 0, -150, 0, 50, 50};
    int weighted = (int)strength + weights[rule] + 50 * (int)level;
    return (uint16_t)(weighted < 0 ? 0 : weighted);
}

uint32_t gd_client_floor(uint32_t rule, uint32_t tier)
{
    /* rate, errors, KiB, paths, steps, values, failures, refused values */
    static const uint32_t floors[GD_CLIENT_RULES][GD_CLIENT_TIERS] = {
        {60, 600}, {8, 24}, {1024, 8192}, {4, 12}, {4, 12}, {4, 8}, {4, 12}, {2, 4}};
    return floors[rule][tier];
}

bool gd_client_step_known(struct guard_clients *clients, uint32_t key, uint32_t tag)
{
    enum { PROBES = 8 };
    for (uint32_t i = 0; i < PROBES; i++) {
        struct gd_client_step *step = &clients->steps[(key + i) % GD_CLIENT_STEPS];
        if (step->key != 0 && step->key != key)
            continue;
        step->key = key;
        if (step->tags[GD_CLIENT_STEP_TAGS - 1] != 0)
            return true;
        for (size_t at = 0; at < GD_CLIENT_STEP_TAGS; at++) {
            if (step->tags[at] == tag)
                return false;
            if (step->tags[at] == 0) {
                step->tags[at] = tag == 0 ? 1 : tag;
                return false;
            }
        }
    }
    return true; /* no room: nothing is new any more */
}
