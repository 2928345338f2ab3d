/* SPDX-License-Identifier: Apache-2.0 */
/* The learner tests itself: what would the profile of all earlier epochs, or of all other clients,
 * have said? */
#include "learn/measure.h"

#include "base/arena.h"
#include "sketch/bucket.h"

enum {
    BEFORE_MIN = 8, /* records before an epoch can be judged */
    RECORDS_PER_CLIENT = 10,
};

void gd_exposure_init(struct gd_exposure *exposure, const uint64_t epochs[GD_EPOCHS_MAX],
                      uint32_t clients)
{
    *exposure = (struct gd_exposure){.clients = clients};
    for (uint32_t i = 0; i < GD_EPOCHS_MAX; i++) {
        /* Hostile piles hold any count; sums of what is kept here don't overflow. */
        exposure->epochs[i] = epochs[i] < UINT32_MAX ? epochs[i] : UINT32_MAX;
        exposure->records += exposure->epochs[i];
    }
    uint64_t units = clients == 0 || clients > exposure->records ? exposure->records : clients;
    if (units == 0)
        units = 1;
    uint64_t full = units * RECORDS_PER_CLIENT;
    exposure->worth = (uint32_t)(GD_TRIAL * full /
                                 (full + exposure->records - (exposure->records > 0 ? units : 0)));
}

uint64_t gd_exposure_trials(const struct gd_exposure *exposure)
{
    return exposure->records * exposure->worth;
}

/* Tags of the units behind some elements; a unit counts once. */
struct tally {
    uint32_t *tags;
    uint32_t count;
};

static enum guard_rc tally_init(struct tally *tally, uint32_t elements, struct guard_arena *arena)
{
    tally->count = 0;
    tally->tags = gd_arena_get(arena, ((size_t)elements * GD_TAGS_MAX + 1) * sizeof(*tally->tags));
    return tally->tags == NULL ? GUARD_E_NOMEM : GUARD_OK;
}

static void tally_add(struct tally *tally, const struct gd_cell *element)
{
    if (element->kind == GD_KIND_CLIENT) {
        tally->tags[tally->count++] = (uint32_t)element->code;
        return;
    }
    memcpy(tally->tags + tally->count, element->tags, element->tag_count * sizeof(*tally->tags));
    tally->count += element->tag_count;
}

/* Units that brought at least `least` of the elements; empties the tally. */
static uint64_t tally_units(struct tally *tally, uint32_t least)
{
    uint64_t units = 0;
    gd_sort_tags(tally->tags, tally->count);
    for (uint32_t i = 0, end; i < tally->count; i = end) {
        for (end = i + 1; end < tally->count && tally->tags[end] == tally->tags[i]; end++)
            continue;
        units += end - i >= least;
    }
    tally->count = 0;
    return units;
}

static uint32_t first_epoch(const struct gd_cell *element)
{
    return element->epochs == 0 ? GD_EPOCHS_MAX : (uint32_t)__builtin_ctz(element->epochs);
}

/* One more firing than trials can't be; what was measured goes to the pool, and to the place when
 * it had nearly as many records then as now: how it began says nothing of it. */
static void note(const struct gd_meter *meter, struct gd_place *place, enum gd_estimate estimate,
                 enum guard_rule rule, uint64_t before, struct gd_measure measure)
{
    uint32_t size = gd_size_of(before);
    uint64_t most = measure.trials / GD_TRIAL + 1;
    measure.fires = measure.fires < most ? measure.fires : most;
    gd_pools_add(meter->pools, estimate, rule, place->family, size, measure);
    if (size + 2 >= gd_size_of(gd_exposure_trials(&place->exposure))) {
        place->own.measures[estimate][rule].trials += measure.trials;
        place->own.measures[estimate][rule].fires += measure.fires;
    }
}

/* Walks through the epochs that can be judged: false at the end. */
struct stroll {
    const struct gd_exposure *exposure;
    uint32_t epoch;
    uint64_t before; /* records */
};

static bool stroll_next(struct stroll *stroll)
{
    const struct gd_exposure *exposure = stroll->exposure;
    for (;;) {
        stroll->before += exposure->epochs[stroll->epoch];
        if (++stroll->epoch >= GD_EPOCHS_MAX)
            return false;
        if (stroll->before >= BEFORE_MIN && exposure->epochs[stroll->epoch] > 0)
            return true;
    }
}

static void note_epoch(const struct gd_meter *meter, struct gd_place *place, enum guard_rule rule,
                       const struct stroll *stroll, uint64_t fires)
{
    uint32_t worth = place->exposure.worth;
    struct gd_measure measure = {place->exposure.epochs[stroll->epoch] * worth, fires};
    note(meter, place, GD_ESTIMATE_ORDERED, rule, stroll->before * worth, measure);
}

static void note_left_out(const struct gd_meter *meter, struct gd_place *place,
                          enum guard_rule rule, uint64_t fires)
{
    uint64_t trials = gd_exposure_trials(&place->exposure);
    note(meter, place, GD_ESTIMATE_LEFT_OUT, rule, trials, (struct gd_measure){trials, fires});
}

enum guard_rc gd_measure_set(const struct gd_meter *meter, struct gd_place *place,
                             enum guard_rule rule, const struct gd_groups *elements,
                             bool (*applies)(const struct gd_cell *element), uint32_t least)
{
    struct tally tally;
    GUARD_TRY(tally_init(&tally, elements->count, meter->arena));
    for (struct stroll stroll = {&place->exposure, 0, 0}; stroll_next(&stroll);) {
        for (uint32_t i = 0; i < elements->count; i++) {
            const struct gd_cell *element = &elements->items[i].sum;
            if ((applies == NULL || applies(element)) && first_epoch(element) == stroll.epoch)
                tally_add(&tally, element);
        }
        note_epoch(meter, place, rule, &stroll, tally_units(&tally, least));
    }
    for (uint32_t i = 0; i < elements->count; i++) {
        const struct gd_cell *element = &elements->items[i].sum;
        if ((applies == NULL || applies(element)) && gd_borderline(&meter->trust, element))
            tally_add(&tally, element);
    }
    note_left_out(meter, place, rule, tally_units(&tally, least));
    return GUARD_OK;
}

static bool beyond(uint32_t code, uint32_t limit, enum gd_end end, uint32_t factor)
{
    if (factor > 1)
        return gd_bucket_lower(code) / factor > gd_bucket_upper(limit);
    return end == GD_END_HIGH ? code > limit : code < limit;
}

/* The outermost code that was seen before the epoch; false when there was none. */
static bool limit_before(const struct gd_groups *elements, uint32_t epoch, enum gd_end end,
                         uint32_t *limit)
{
    for (uint32_t i = 0; i < elements->count; i++) {
        uint32_t at = end == GD_END_HIGH ? elements->count - 1 - i : i;
        if (first_epoch(&elements->items[at].sum) < epoch) {
            *limit = (uint32_t)elements->items[at].sum.code;
            return true;
        }
    }
    return false;
}

static void tally_beyond(struct tally *tally, const struct gd_groups *elements, uint32_t epoch,
                         enum gd_end end, uint32_t factor)
{
    uint32_t limit;
    if (!limit_before(elements, epoch, end, &limit))
        return;
    for (uint32_t i = 0; i < elements->count; i++) {
        const struct gd_cell *element = &elements->items[i].sum;
        if (first_epoch(element) == epoch && beyond((uint32_t)element->code, limit, end, factor))
            tally_add(tally, element);
    }
}

enum guard_rc gd_measure_tail(const struct gd_meter *meter, struct gd_place *place,
                              enum guard_rule rule, const struct gd_groups *elements,
                              enum gd_end end, uint32_t factor)
{
    struct tally tally;
    GUARD_TRY(tally_init(&tally, elements->count, meter->arena));
    for (struct stroll stroll = {&place->exposure, 0, 0}; stroll_next(&stroll);) {
        tally_beyond(&tally, elements, stroll.epoch, end, factor);
        note_epoch(meter, place, rule, &stroll, tally_units(&tally, 1));
    }
    struct gd_tail tail = gd_tail(&meter->trust, elements, end);
    for (uint32_t i = 0; i < tail.borderline; i++) {
        uint32_t at = end == GD_END_HIGH ? elements->count - 1 - i : i;
        const struct gd_cell *element = &elements->items[at].sum;
        if (factor == 1 ||
            (tail.supported && beyond((uint32_t)element->code, tail.limit, end, factor)))
            tally_add(&tally, element);
    }
    note_left_out(meter, place, rule, tally_units(&tally, 1));
    return GUARD_OK;
}

void gd_measure_missing(const struct gd_meter *meter, struct gd_place *place,
                        const struct gd_exposure *whole)
{
    for (struct stroll stroll = {whole, 0, 0}; stroll_next(&stroll);) {
        uint64_t had = 0;
        for (uint32_t i = 0; i < stroll.epoch; i++)
            had += place->exposure.epochs[i];
        if (stroll.before < GD_REQUIRED_MIN || had != stroll.before)
            continue;
        uint64_t all = whole->epochs[stroll.epoch];
        uint64_t present = place->exposure.epochs[stroll.epoch];
        uint64_t missing = present < all ? (all - present) * whole->worth / GD_TRIAL : 0;
        struct gd_measure measure = {all * whole->worth, missing + (present < all && missing == 0)};
        note(meter, place, GD_ESTIMATE_ORDERED, GUARD_RULE_MISSING, stroll.before * whole->worth,
             measure);
    }
    if (whole->records < GD_REQUIRED_MIN || place->exposure.records + 1 < whole->records)
        return;
    uint64_t trials = gd_exposure_trials(whole);
    note(meter, place, GD_ESTIMATE_LEFT_OUT, GUARD_RULE_MISSING, trials,
         (struct gd_measure){trials, place->exposure.records < whole->records});
}

uint16_t gd_place_strength(const struct gd_meter *meter, const struct gd_place *place,
                           enum guard_rule rule)
{
    if (place->exposure.records < BEFORE_MIN)
        return 0;
    return gd_strength(meter->pools, rule, place->family, gd_exposure_trials(&place->exposure),
                       &place->own);
}
