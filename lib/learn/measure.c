/* SPDX-License-Identifier: Apache-2.0 */
/* The learner tests itself: what would the profile of all earlier epochs, or of all other clients,
 * have said? */
#include "learn/measure.h"

#include "base/arena.h"
#include "learn/review.h"
#include "learn/scale.h"
#include "sketch/bucket.h"

enum {
    BEFORE_MIN = 8, /* records before an epoch can be judged */
};

static uint64_t at_most(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

void gd_exposure_init(struct gd_exposure *exposure, const uint64_t epochs[GD_EPOCHS_MAX],
                      uint32_t clients)
{
    *exposure = (struct gd_exposure){.clients = clients};
    for (uint32_t i = 0; i < GD_EPOCHS_MAX; i++) {
        /* Hostile piles hold any count; sums of what is kept here don't overflow. */
        exposure->epochs[i] = at_most(epochs[i], UINT32_MAX);
        exposure->records += exposure->epochs[i];
    }
    uint64_t units = clients == 0 ? exposure->records : at_most(clients, exposure->records);
    if (units == 0)
        units = 1;
    uint64_t full = units * GD_UNIT_WORTH;
    exposure->epoch_most = full;
    for (uint32_t i = 0; i < GD_EPOCHS_MAX; i++)
        exposure->counted += at_most(exposure->epochs[i], full);
    uint64_t rest = exposure->counted > units ? exposure->counted - units : 0;
    exposure->worth = (uint32_t)(GD_TRIAL * full / (full + rest));
}

uint64_t gd_exposure_trials(const struct gd_exposure *exposure)
{
    return exposure->counted * exposure->worth;
}

/* Trials of one epoch. */
static uint64_t epoch_trials(const struct gd_exposure *exposure, uint32_t epoch)
{
    return at_most(exposure->epochs[epoch], exposure->epoch_most) * exposure->worth;
}

/* Tags of the units behind some elements; a unit counts once. */
struct tally {
    uint32_t *tags;
    uint32_t count;
    uint32_t *own; /* units whose firings the place holds against itself, of all epochs */
    uint32_t own_count;
};

static enum guard_rc tally_init(struct tally *tally, uint32_t elements, struct guard_arena *arena)
{
    size_t most = (size_t)elements * GD_TAGS_MAX + 1;
    tally->count = tally->own_count = 0;
    tally->tags = gd_arena_get(arena, most * sizeof(*tally->tags));
    tally->own = gd_arena_get(arena, most * sizeof(*tally->own));
    return tally->tags == NULL || tally->own == NULL ? GUARD_E_NOMEM : GUARD_OK;
}

static void tally_add(struct tally *tally, const struct gd_cell *element)
{
    /* A known client stands for itself, and is one. */
    if (element->kind == GD_KIND_CLIENT) {
        tally->tags[tally->count++] = (uint32_t)element->code | 1;
        return;
    }
    memcpy(tally->tags + tally->count, element->tags, element->tag_count * sizeof(*tally->tags));
    tally->count += element->tag_count;
}

/* Leaves each unit that brought at least `least` of the elements once, `most` of them. */
static void tally_units(struct tally *tally, uint32_t least, uint64_t most)
{
    uint32_t units = 0;
    gd_sort_tags(tally->tags, tally->count);
    for (uint32_t i = 0, end; i < tally->count; i = end) {
        for (end = i + 1; end < tally->count && tally->tags[end] == tally->tags[i]; end++)
            continue;
        if (end - i >= least && units < most)
            tally->tags[units++] = tally->tags[i];
    }
    tally->count = units;
}

static uint32_t first_epoch(const struct gd_cell *element)
{
    return element->epochs == 0 ? GD_EPOCHS_MAX : (uint32_t)__builtin_ctz(element->epochs);
}

/* What was measured goes to the pool, and to the place when it had nearly as many records then as
 * now: how it began says nothing of it. True when it goes to the place. */
static bool note_trials(const struct gd_meter *meter, struct gd_place *place,
                        enum gd_estimate estimate, enum guard_rule rule, uint64_t before,
                        struct gd_measure measure)
{
    uint32_t size = gd_size_of(before);
    gd_pools_add(meter->pools, estimate, rule, place->family, size, measure);
    if (size + 2 < gd_size_of(gd_exposure_trials(&place->exposure)))
        return false;
    place->own.measures[estimate][rule].trials += measure.trials;
    place->own.measures[estimate][rule].fires += measure.fires;
    return true;
}

/* One more firing than trials can't be. Empties the tally. */
static enum guard_rc note(const struct gd_meter *meter, struct gd_place *place,
                          enum gd_estimate estimate, enum guard_rule rule, uint64_t before,
                          uint64_t trials, struct tally *tally, uint32_t least)
{
    struct gd_measure measure = {trials, 0};
    bool own = note_trials(meter, place, estimate, rule, before, measure);
    tally_units(tally, least, trials / GD_TRIAL + 1);
    for (uint32_t i = 0; i < tally->count; i++) {
        GUARD_TRY(gd_firings_add(meter->firings, estimate, rule, place->family, gd_size_of(before),
                                 tally->tags[i], meter->arena));
        if (own)
            tally->own[tally->own_count++] = tally->tags[i];
    }
    tally->count = 0;
    return GUARD_OK;
}

/* What the place holds against itself, of one estimate, `least` in any case. Empties the tally. */
static void note_own(const struct gd_meter *meter, struct gd_place *place,
                     enum gd_estimate estimate, enum guard_rule rule, struct tally *tally,
                     uint32_t least)
{
    uint64_t counted = gd_firings_counted(&meter->trust, tally->own, tally->own_count);
    place->own.measures[estimate][rule].fires += counted > least ? counted : least;
    tally->own_count = 0;
}

/* Walks through the epochs that can be judged: false at the end. */
struct stroll {
    const struct gd_exposure *exposure;
    uint32_t epoch;
    uint64_t before;  /* records */
    uint64_t counted; /* their trials */
};

static bool stroll_next(struct stroll *stroll)
{
    const struct gd_exposure *exposure = stroll->exposure;
    for (;;) {
        stroll->before += exposure->epochs[stroll->epoch];
        stroll->counted += epoch_trials(exposure, stroll->epoch);
        if (++stroll->epoch >= GD_EPOCHS_MAX)
            return false;
        if (stroll->before >= BEFORE_MIN && exposure->epochs[stroll->epoch] > 0)
            return true;
    }
}

static enum guard_rc note_epoch(const struct gd_meter *meter, struct gd_place *place,
                                enum guard_rule rule, const struct stroll *stroll,
                                struct tally *tally, uint32_t least)
{
    return note(meter, place, GD_ESTIMATE_ORDERED, rule, stroll->counted,
                epoch_trials(&place->exposure, stroll->epoch), tally, least);
}

static enum guard_rc note_left_out(const struct gd_meter *meter, struct gd_place *place,
                                   enum guard_rule rule, struct tally *tally, uint32_t least,
                                   uint32_t least_own)
{
    uint64_t trials = gd_exposure_trials(&place->exposure);
    note_own(meter, place, GD_ESTIMATE_ORDERED, rule, tally, 0);
    GUARD_TRY(note(meter, place, GD_ESTIMATE_LEFT_OUT, rule, trials, trials, tally, least));
    note_own(meter, place, GD_ESTIMATE_LEFT_OUT, rule, tally, least_own);
    return GUARD_OK;
}

/* Does the rule know what is pending? A finding of that has half the strength and doesn't count. */
static bool unheard(const struct gd_meter *meter, enum guard_rule rule,
                    const struct gd_cell *element)
{
    const uint32_t pend = 1u << GUARD_RULE_CHARACTER | 1u << GUARD_RULE_ALPHABET |
                          1u << GUARD_RULE_TRANSITION | 1u << GUARD_RULE_TYPE |
                          1u << GUARD_RULE_NAME | 1u << GUARD_RULE_PATH | 1u << GUARD_RULE_METHOD |
                          1u << GUARD_RULE_LIKENESS;
    return (pend >> (unsigned)rule & 1) != 0 ? gd_unheard(&meter->trust, element)
                                             : gd_borderline(&meter->trust, element);
}

/* What people refused is no false alarm, however many do it. */
static bool counts(const struct gd_cell *element, bool (*applies)(const struct gd_cell *element))
{
    return (element->review & GD_REVIEW_REFUSED) == 0 && (applies == NULL || applies(element));
}

enum guard_rc gd_measure_set(const struct gd_meter *meter, struct gd_place *place,
                             enum guard_rule rule, const struct gd_groups *elements,
                             bool (*applies)(const struct gd_cell *element), uint32_t least)
{
    struct tally tally;
    GUARD_TRY(tally_init(&tally, elements->count, meter->arena));
    for (struct stroll stroll = {.exposure = &place->exposure}; stroll_next(&stroll);) {
        for (uint32_t i = 0; i < elements->count; i++) {
            const struct gd_cell *element = &elements->items[i].sum;
            if (counts(element, applies) && first_epoch(element) == stroll.epoch)
                tally_add(&tally, element);
        }
        GUARD_TRY(note_epoch(meter, place, rule, &stroll, &tally, least));
    }
    for (uint32_t i = 0; i < elements->count; i++) {
        const struct gd_cell *element = &elements->items[i].sum;
        if (!counts(element, applies))
            continue;
        if (gd_borderline(&meter->trust, element))
            tally_add(&tally, element);
        /* Many new ones are counted from single ones. */
        if (least == 1 && unheard(meter, rule, element))
            GUARD_TRY(
                gd_marks_add(meter->marks, &meter->trust, place, rule, element, meter->arena));
    }
    return note_left_out(meter, place, rule, &tally, least, 0);
}

static bool lies_beyond(const struct gd_beyond *beyond, uint32_t code, uint32_t limit)
{
    if (beyond->factor > 1)
        return gd_bucket_lower(code) / beyond->factor > gd_bucket_upper(limit) &&
               gd_bucket_lower(code) >= beyond->least;
    return beyond->end == GD_END_HIGH ? code > limit : code < limit;
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
                         const struct gd_beyond *beyond)
{
    uint32_t limit;
    if (!limit_before(elements, epoch, beyond->end, &limit))
        return;
    for (uint32_t i = 0; i < elements->count; i++) {
        const struct gd_cell *element = &elements->items[i].sum;
        if (first_epoch(element) == epoch && lies_beyond(beyond, (uint32_t)element->code, limit))
            tally_add(tally, element);
    }
}

enum guard_rc gd_measure_tail(const struct gd_meter *meter, struct gd_place *place,
                              enum guard_rule rule, const struct gd_groups *elements,
                              const struct gd_beyond *beyond)
{
    struct tally tally;
    GUARD_TRY(tally_init(&tally, elements->count, meter->arena));
    for (struct stroll stroll = {.exposure = &place->exposure}; stroll_next(&stroll);) {
        tally_beyond(&tally, elements, stroll.epoch, beyond);
        GUARD_TRY(note_epoch(meter, place, rule, &stroll, &tally, 1));
    }
    struct gd_tail tail = gd_tail(&meter->trust, elements, beyond->end);
    for (uint32_t i = 0; i < tail.borderline; i++) {
        uint32_t at = beyond->end == GD_END_HIGH ? elements->count - 1 - i : i;
        const struct gd_cell *element = &elements->items[at].sum;
        if (beyond->factor == 1 ||
            (tail.supported && lies_beyond(beyond, (uint32_t)element->code, tail.limit))) {
            tally_add(&tally, element);
            GUARD_TRY(
                gd_marks_add(meter->marks, &meter->trust, place, rule, element, meter->arena));
        }
    }
    /* D units out of n reach or cross the limit, wherever it is: the chance of a new client to join
       them is D of n + 1, whatever few units show of it. */
    uint32_t least_own =
        beyond->factor > 1 || meter->trust.anonymous ? 0 : meter->trust.weight / GD_WEIGHT_STRONG;
    return note_left_out(meter, place, rule, &tally, 1, least_own);
}

void gd_measure_missing(const struct gd_meter *meter, struct gd_place *place,
                        const struct gd_exposure *whole)
{
    for (struct stroll stroll = {.exposure = whole}; stroll_next(&stroll);) {
        uint64_t had = 0;
        for (uint32_t i = 0; i < stroll.epoch; i++)
            had += place->exposure.epochs[i];
        if (stroll.before < GD_REQUIRED_MIN || had != stroll.before)
            continue;
        uint64_t all = whole->epochs[stroll.epoch];
        uint64_t present = place->exposure.epochs[stroll.epoch];
        struct gd_measure measure = {epoch_trials(whole, stroll.epoch), 0};
        uint64_t missing = present < all ? (all - present) * whole->worth / GD_TRIAL : 0;
        measure.fires =
            at_most(missing + (present < all && missing == 0), measure.trials / GD_TRIAL + 1);
        (void)note_trials(meter, place, GD_ESTIMATE_ORDERED, GUARD_RULE_MISSING, stroll.counted,
                          measure);
    }
    if (whole->records < GD_REQUIRED_MIN || place->exposure.records + 1 < whole->records)
        return;
    uint64_t trials = gd_exposure_trials(whole);
    struct gd_measure measure = {trials, place->exposure.records < whole->records};
    (void)note_trials(meter, place, GD_ESTIMATE_LEFT_OUT, GUARD_RULE_MISSING, trials, measure);
}

uint16_t gd_place_strength(const struct gd_meter *meter, const struct gd_place *place,
                           enum guard_rule rule)
{
    bool young = place->unknown || place->exposure.records < BEFORE_MIN;
    if (young)
        return rule == GUARD_RULE_LIKENESS ? gd_pool_strength(meter->pools, rule) : 0;
    return gd_strength(meter->pools, rule, place->family, gd_exposure_trials(&place->exposure),
                       &place->own);
}
