/* SPDX-License-Identifier: Apache-2.0 */
/* See scale.h. The pile keeps no exchanges, but the units that brought what is rare: what one unit
 * alone brought to one endpoint is, but for a few, of one exchange. */
#include "learn/scale.h"

#include "base/arena.h"
#include "policy/evidence.h"

enum {
    BLOCK_MARKS = 128,
    EVIDENCE_MAX = 32, /* as many as a decision keeps */
    ANCHOR = 3,        /* records beyond the last point that is measured */
};

struct gd_marks_block {
    struct gd_marks_block *next;
    uint32_t count;
    struct gd_mark items[BLOCK_MARKS];
};

/* An exchange of a unit that would have deviated. */
struct reached {
    uint32_t tag;
    uint32_t weight, recent;
    uint32_t score;
};

void gd_marks_init(struct gd_marks *marks, const struct gd_exposure *service)
{
    uint64_t held = 0;
    *marks = (struct gd_marks){.records = service->counted};
    for (uint32_t i = GD_EPOCHS_MAX; i-- > 0 && 2 * held < service->counted;) {
        uint64_t records = service->epochs[i];
        held += records < service->epoch_most ? records : service->epoch_most;
        marks->recent_epochs |= UINT32_C(1) << i;
    }
    marks->recent_records = held;
}

/* The pile doesn't tell which construct it was: the strongest. */
static uint16_t degree_of(enum guard_rule rule, const struct gd_cell *element)
{
    if (rule == GUARD_RULE_LIKENESS)
        return GUARD_LIKENESS_MAX;
    return rule == GUARD_RULE_FAULT ? gd_fault_degree((uint32_t)(element->code & 0xff)) : 0;
}

enum guard_rc gd_marks_add(struct gd_marks *marks, const struct gd_trust *trust,
                           const struct gd_place *place, enum guard_rule rule,
                           const struct gd_cell *element, struct guard_arena *arena)
{
    enum { COUNT_MAX = 1 << 20 };
    /* Of several units any may have sent nearly all records: were they shared out, one that is loud
       would make those of others count ten times. */
    uint64_t units = trust->anonymous ? element->count : gd_units(element);
    uint64_t most = trust->anonymous || units == 1 ? units * GD_UNIT_WORTH : units;
    uint64_t count = element->count < most ? element->count : most;
    /* What comes late is judged by itself, with a threshold of its own. */
    if (marks == NULL || element->tag_count == 0 || rule == GUARD_RULE_LATENCY)
        return GUARD_OK;
    count = count < COUNT_MAX ? count : COUNT_MAX;
    uint32_t weight = (uint32_t)(count * GD_MARK / element->tag_count);
    weight = weight > GD_MARK ? weight : GD_MARK;
    uint32_t all = (uint32_t)__builtin_popcount(element->epochs);
    uint32_t late = (uint32_t)__builtin_popcount(element->epochs & marks->recent_epochs);
    for (uint32_t i = 0; i < element->tag_count; i++) {
        struct gd_marks_block *block = marks->blocks;
        if (block == NULL || block->count == BLOCK_MARKS) {
            block = gd_arena_get(arena, sizeof(*block));
            if (block == NULL)
                return GUARD_E_NOMEM;
            block->next = marks->blocks;
            block->count = 0;
            marks->blocks = block;
        }
        block->items[block->count++] = (struct gd_mark){
            place, element->tags[i],        weight, all == 0 ? weight : weight * late / all,
            rule,  degree_of(rule, element)};
        marks->count++;
    }
    return GUARD_OK;
}

/* By unit, exchange and place. */
static int order_marks(const void *left, const void *right)
{
    const struct gd_mark *a = left;
    const struct gd_mark *b = right;
    if (a->tag != b->tag)
        return a->tag < b->tag ? -1 : 1;
    if (a->place->owner != b->place->owner)
        return a->place->owner < b->place->owner ? -1 : 1;
    if (a->place->order != b->place->order)
        return a->place->order < b->place->order ? -1 : 1;
    return (a->rule > b->rule) - (a->rule < b->rule);
}

static struct gd_mark *sorted(const struct gd_marks *marks, struct guard_arena *arena)
{
    struct gd_mark *items = gd_arena_get(arena, (marks->count + 1u) * sizeof(*items));
    uint32_t len = 0;
    if (items == NULL)
        return NULL;
    for (const struct gd_marks_block *block = marks->blocks; block != NULL; block = block->next) {
        memcpy(items + len, block->items, block->count * sizeof(*items));
        len += block->count;
    }
    gd_sort(items, sizeof(*items), len, order_marks);
    return items;
}

static bool has(const uint32_t counts[GUARD_RULE_COUNT], enum guard_rule rule)
{
    return counts[rule] > 0;
}

/* As the decision does: of rules that exclude each other the narrower one speaks. */
static void exclude(uint32_t counts[GUARD_RULE_COUNT], const uint16_t strength[GUARD_RULE_COUNT])
{
    enum { MANY_TRANSITIONS = 3 };
    static const enum guard_rule pairs[][2] = {{GUARD_RULE_TRANSITIONS, GUARD_RULE_TRANSITION},
                                               {GUARD_RULE_CHARACTER, GUARD_RULE_ALPHABET},
                                               {GUARD_RULE_LENGTH_FAR, GUARD_RULE_LENGTH},
                                               {GUARD_RULE_ITEMS_FAR, GUARD_RULE_ITEMS},
                                               {GUARD_RULE_SIZE_FAR, GUARD_RULE_SIZE}};
    counts[GUARD_RULE_TRANSITIONS] = counts[GUARD_RULE_TRANSITION] >= MANY_TRANSITIONS;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        bool far = pairs[i][0] != GUARD_RULE_TRANSITIONS && pairs[i][0] != GUARD_RULE_CHARACTER;
        if (has(counts, pairs[i][0]) && (!far || strength[pairs[i][0]] != 0))
            counts[pairs[i][1]] = 0;
    }
}

/* Keeps the strongest, strongest first. */
static void keep(struct gd_evidence *evidence, uint32_t *count, struct gd_evidence one)
{
    uint32_t at = *count;
    while (at > 0 && evidence[at - 1].weighted < one.weighted)
        at--;
    if (at == EVIDENCE_MAX)
        return;
    uint32_t last = *count < EVIDENCE_MAX ? *count : EVIDENCE_MAX - 1u;
    memmove(evidence + at + 1, evidence + at, (last - at) * sizeof(*evidence));
    evidence[at] = one;
    *count = last + 1;
}

struct scoring {
    const struct gd_meter *meter;
    uint16_t path_most;
    enum guard_scale of;
    struct gd_evidence evidence[EVIDENCE_MAX];
    uint32_t count;
};

/* The marks of one unit at one place. */
static void score_place(struct scoring *scoring, const struct gd_mark *marks, uint32_t count)
{
    uint32_t counts[GUARD_RULE_COUNT] = {0};
    uint16_t strength[GUARD_RULE_COUNT] = {0}, degrees[GUARD_RULE_COUNT] = {0};
    const bool likeness = scoring->of == GUARD_SCALE_ALIKE;
    for (uint32_t i = 0; i < count; i++) {
        counts[marks[i].rule] += likeness || marks[i].rule != GUARD_RULE_LIKENESS;
        if (likeness && marks[i].degree > degrees[marks[i].rule])
            degrees[marks[i].rule] = marks[i].degree;
    }
    for (uint32_t rule = 0; rule < GUARD_RULE_COUNT; rule++) {
        if (counts[rule] > 0 ||
            (rule == GUARD_RULE_TRANSITIONS && counts[GUARD_RULE_TRANSITION] > 0))
            strength[rule] = gd_place_strength(scoring->meter, marks->place, (enum guard_rule)rule);
        bool path = rule == GUARD_RULE_PATH || rule == GUARD_RULE_METHOD;
        if (path && strength[rule] > scoring->path_most)
            strength[rule] = scoring->path_most;
    }
    exclude(counts, strength);
    /* Where no other rule can speak nothing says that the value is as others are. */
    bool beside = gd_place_strength(scoring->meter, marks->place, GUARD_RULE_CHARACTER) == 0;
    for (uint32_t rule = 0; rule < GUARD_RULE_LIKENESS; rule++)
        beside |= counts[rule] > 0 && strength[rule] > 0;
    for (uint32_t rule = 0; rule < GUARD_RULE_COUNT; rule++) {
        struct gd_evidence one = {marks->place->order,
                                  gd_rule_weighted((enum guard_rule)rule, strength[rule])};
        if (rule != GUARD_RULE_LIKENESS || beside)
            one.weighted = (uint16_t)(one.weighted + degrees[rule]);
        if (has(counts, (enum guard_rule)rule) && strength[rule] > 0)
            keep(scoring->evidence, &scoring->count, one);
    }
}

static bool reads_like_one(const struct gd_mark *marks, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (marks[i].degree > 0)
            return true;
    }
    return false;
}

/* The marks of one exchange: the score, and as many records as the place that has most. */
static struct reached score_exchange(const struct scoring *with, const struct gd_mark *marks,
                                     uint32_t count)
{
    struct scoring scoring = *with;
    struct reached reached = {.tag = marks->tag};
    for (uint32_t i = 0, end; i < count; i = end) {
        for (end = i; end < count && marks[end].place->order == marks[i].place->order; end++) {
            if (marks[end].weight > reached.weight)
                reached.weight = marks[end].weight;
            if (marks[end].recent > reached.recent)
                reached.recent = marks[end].recent;
        }
        score_place(&scoring, marks + i, end - i);
    }
    if (with->of != GUARD_SCALE_ALIKE || reads_like_one(marks, count))
        reached.score = gd_evidence_score(scoring.evidence, scoring.count);
    return reached;
}

static uint32_t score_all(struct reached *reached, const struct scoring *with,
                          const struct gd_mark *marks)
{
    uint32_t len = 0;
    const uint32_t count = with->meter->marks->count;
    for (uint32_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && marks[end].tag == marks[i].tag &&
                          marks[end].place->owner == marks[i].place->owner;
             end++)
            continue;
        reached[len++] = score_exchange(with, marks + i, end - i);
    }
    return len;
}

/* Records whose score is so high or higher, those of the loudest fewer-than-D units left out. */
static struct gd_measure beyond(const struct gd_meter *meter, const struct reached *reached,
                                uint32_t count, uint32_t score, bool recent)
{
    struct gd_loudest loudest = {0};
    for (uint32_t i = 0, end; i < count; i = end) {
        uint64_t sum = 0;
        for (end = i; end < count && reached[end].tag == reached[i].tag; end++) {
            if (reached[end].score >= score)
                sum += recent ? reached[end].recent : reached[end].weight;
        }
        gd_loudest_add(&loudest, reached[i].tag, sum);
    }
    const struct gd_marks *marks = meter->marks;
    return (struct gd_measure){(recent ? marks->recent_records : marks->records) * GD_TRIAL,
                               gd_loudest_left(&loudest, &meter->trust) / GD_MARK};
}

/* The worse of all epochs and of the recent ones; false when too little lies beyond. */
static bool measured(uint16_t *out, const struct gd_meter *meter, const struct reached *reached,
                     uint32_t count, uint32_t score)
{
    struct gd_measure all = beyond(meter, reached, count, score, false);
    uint16_t strength = gd_rate_strength(all);
    uint16_t late = gd_rate_strength(beyond(meter, reached, count, score, true));
    *out = strength < late ? strength : late;
    return all.fires >= ANCHOR;
}

/* Beyond what was measured a score proves a decade more for each of its own, and never more than it
 * says: what traffic doesn't show only the rules can know. */
static void extend(uint16_t scale[GUARD_SCALE_POINTS], uint32_t point)
{
    uint32_t proved = scale[point - 1], line = proved;
    for (; point < GUARD_SCALE_POINTS; point++) {
        uint32_t says = point * GUARD_SCALE_STEP;
        line += GUARD_SCALE_STEP;
        uint32_t least = line < says ? line : says;
        scale[point] = (uint16_t)(least > proved ? least : proved);
    }
}

enum guard_rc gd_scale(uint16_t scale[GUARD_SCALE_POINTS], const struct gd_meter *meter,
                       enum guard_scale of, uint16_t path_most)
{
    const struct scoring with = {.meter = meter, .path_most = path_most, .of = of};
    struct gd_mark *marks = sorted(meter->marks, meter->arena);
    struct reached *reached =
        gd_arena_get(meter->arena, (meter->marks->count + 1u) * sizeof(*reached));
    if (marks == NULL || reached == NULL)
        return GUARD_E_NOMEM;
    uint32_t count = score_all(reached, &with, marks), point = 1;
    scale[0] = 0;
    for (; point < GUARD_SCALE_POINTS; point++) {
        if (!measured(&scale[point], meter, reached, count, point * GUARD_SCALE_STEP))
            break;
    }
    extend(scale, point);
    return GUARD_OK;
}
