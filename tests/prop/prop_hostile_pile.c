/* SPDX-License-Identifier: Apache-2.0 */
/* One gate of nine is taken over and sends any pile: forged counts and support, other producers'
 * intervals, times to come, contradictions. Refused by name, or merged as fewer than D clients:
 * nothing of it becomes normal, no rule that the others proved gets weaker, no record of theirs
 * counts as held, nothing overflows. docs/internals/pile.md says what isn't held off. */
#include "support/pile_traffic.h"

#include "sketch/kmv.h"

#include <guard/model.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* SLACK, in hundredths of a decade: as in prop_poison. */
enum { GATES = 8, EPOCHS = 6, CLIENTS = 24, RUNS = 40, SLACK = 25, VICTIM = 1, HOSTILE = 99 };
#define SLOT UINT64_C(10800000)
#define START (UINT64_C(160000) * SLOT)
#define NOW (START + EPOCHS * SLOT)

static const char *const users[] = {"tom", "ann", "robert", "li", "maria", "jo"};
static const char *const paths[] = {"users", "orders", "search", "items"};

static void add_field(struct gd_profile *profile, struct guard_arena *arena,
                      enum guard_location location, const char *name, const char *value)
{
    struct gd_field *field = &profile->fields[profile->field_count++];
    *field = (struct gd_field){.location = location, .parent = GD_NO_FIELD};
    field->name = traffic_text(name);
    gd_summary_init(&field->summary);
    gd_summary_add(&field->summary, gd_arena_copy(arena, traffic_text(value)), 0, arena);
}

/* All that is ever seen is seen in each epoch, by each client, at each gate. */
static void send_one(struct guard_pile *pile, struct guard_source *source, uint32_t number)
{
    uint32_t kind = number / CLIENTS % 12, epoch = number / (CLIENTS * 12);
    struct guard_arena arena;
    struct gd_field fields[4];
    struct gd_segment segment = {traffic_text(paths[kind == 7 ? 1 : kind % 3]), false};
    char page[16];
    guard_arena_init(&arena, &traffic_memory, 1 << 20);
    struct gd_profile profile = {.service = traffic_text("shop"), .latency_us = UINT32_MAX};
    profile.method = traffic_text(kind == 7 ? "POST" : "GET");
    profile.version = 11;
    profile.status = 200;
    profile.time_ms = START + epoch * SLOT + number;
    profile.client = (struct guard_client){.unit = GUARD_UNIT_PREFIX, .address_len = 4};
    profile.client.address[0] = 10;
    profile.client.address[1] = (uint8_t)(number % CLIENTS);
    profile.segments = &segment;
    profile.segment_count = 1;
    profile.fields = fields;
    profile.field_cap = 4;
    snprintf(page, sizeof(page), "%u", 10 + kind * 7);
    add_field(&profile, &arena, GUARD_LOCATION_QUERY, "username", users[kind % 6]);
    add_field(&profile, &arena, GUARD_LOCATION_QUERY, "page", page);
    add_field(&profile, &arena, GUARD_LOCATION_QUERY, "sort", kind % 2 == 0 ? "up" : "down");
    add_field(&profile, &arena, GUARD_LOCATION_HEADER, "accept", "text");
    assert_int_equal(gd_pile_observe_profile(pile, source, &profile, NULL), GUARD_OK);
    source->sequence++;
    guard_arena_reset(&arena);
}

static struct guard_pile *gate_pile(uint64_t producer)
{
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct guard_source source = {producer, 1, 1};
    struct guard_pile *pile;
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_OK);
    for (uint32_t i = 0; i < EPOCHS * CLIENTS * 12; i++)
        send_one(pile, &source, i);
    return pile;
}

static struct guard_pile *copy(const struct guard_pile *pile, struct guard_err *err)
{
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct guard_pile *made = NULL;
    uint8_t *bytes;
    size_t len;
    assert_int_equal(guard_pile_encode(pile, &bytes, &len, NULL), GUARD_OK);
    if (guard_pile_decode(&made, &cfg, gd_span(bytes, len), err) != GUARD_OK)
        made = NULL;
    free(bytes);
    return made;
}

static enum guard_rc admit(struct guard_pile *pile, uint64_t producer, struct guard_err *err)
{
    const struct guard_share share = {.producers = &producer, .producer_count = 1, .now_ms = NOW};
    return guard_pile_admit(pile, &share, err);
}

static struct guard_model *learned(struct guard_pile *pile)
{
    const struct guard_learn_cfg cfg = {.alloc = traffic_memory};
    struct guard_model *model;
    assert_int_equal(guard_learn(&model, pile, &cfg, NULL), GUARD_OK);
    return model;
}

/* The honest gates' shares, merged. */
struct world {
    struct test_random random;
    struct guard_pile *gate; /* as the hostile one would make it, were it honest */
    struct guard_pile *sum;
    struct guard_model *model;
};

static struct world world_start(const char *what)
{
    struct world world = {.random = test_random_start(what), .gate = gate_pile(HOSTILE)};
    for (uint64_t i = 0; i < GATES; i++) {
        struct guard_err err = {"nothing"};
        struct guard_pile *pile = gate_pile(VICTIM + i);
        if (admit(pile, VICTIM + i, &err) != GUARD_OK)
            fail_msg("an honest pile: %s", err.text);
        if (i == 0) {
            world.sum = pile;
            continue;
        }
        assert_int_equal(guard_pile_merge(world.sum, pile, NULL, NULL), GUARD_OK);
        guard_pile_free(pile);
    }
    world.model = learned(world.sum);
    assert_true(world.model->endpoint_count == 4 && world.model->ready);
    return world;
}

static void world_end(struct world *world)
{
    guard_model_free(world->model);
    guard_pile_free(world->sum);
    guard_pile_free(world->gate);
}

static uint32_t any_tag(struct test_random *random)
{
    return (uint32_t)test_random_next(random) >> test_random_below(random, 24) | 1;
}

/* A new name, seen first at any time since what it is in. */
static void forge_first(struct test_random *random, const struct guard_pile *pile,
                        struct gd_cell *cell)
{
    if (cell->first_s != GD_FIRST_NONE)
        return;
    uint32_t from =
        cell->parent->first_s != 0 ? cell->parent->first_s : gd_cell_seconds(pile->first_ms);
    uint32_t last = gd_cell_seconds(pile->last_ms);
    cell->first_s = from + (uint32_t)test_random_below(random, last - from + 1);
}

/* Anything that a cell can hold, whether it adds up or not. */
static void forge_values(struct test_random *random, const struct guard_pile *pile,
                         struct gd_cell *cell, bool whole)
{
    uint32_t table = pile->epochs.count, all = (uint32_t)((UINT64_C(1) << table) - 1);
    uint64_t count = UINT64_C(1) << test_random_below(random, whole ? 28 : 56);
    forge_first(random, pile, cell);
    cell->epochs = test_random_once_in(random, 3) ? all : 1u << test_random_below(random, table);
    cell->count = count;
    cell->tag_count = 0;
    memset(cell->tags, 0, sizeof(cell->tags));
    for (uint32_t i = 0; i < 8; i++)
        cell->tag_count =
            (uint8_t)gd_bottom_add(cell->tags, cell->tag_count, GD_TAGS_MAX, any_tag(random));
    if (cell->epoch_counts == NULL)
        return;
    memset(cell->client_tags, 0, GD_KMV * sizeof(*cell->client_tags));
    cell->client_count = 0;
    for (uint32_t i = 0; i < GD_KMV; i++)
        cell->client_count =
            gd_bottom_add(cell->client_tags, cell->client_count, GD_KMV, any_tag(random));
    cell->tag_count =
        (uint8_t)gd_bottom_unite(cell->tags, 0, GD_TAGS_MAX, cell->client_tags, cell->client_count);
    cell->count = 0;
    for (uint32_t i = 0; i < GD_EPOCHS_MAX; i++) {
        cell->epoch_counts[i] = (cell->epochs >> i & 1) != 0 ? count : 0;
        cell->count += cell->epoch_counts[i];
    }
}

/* What the cell claims, all above it claim, too: it adds up. */
static void claim_above(const struct gd_cell *cell)
{
    uint64_t amount = cell->count;
    for (struct gd_cell *above = cell->parent; above != NULL; above = above->parent) {
        above->epochs |= cell->epochs;
        above->tag_count = (uint8_t)gd_bottom_unite(above->tags, above->tag_count, GD_TAGS_MAX,
                                                    cell->tags, cell->tag_count);
        if (above->epoch_counts == NULL) {
            above->count += amount;
            continue;
        }
        above->count = 0;
        for (uint32_t i = 0; i < GD_EPOCHS_MAX; i++) {
            if ((cell->epochs >> i & 1) != 0)
                above->epoch_counts[i] += amount;
            above->count += above->epoch_counts[i];
        }
        amount *= (uint64_t)__builtin_popcount(cell->epochs);
        const uint32_t *tags = cell->client_tags != NULL ? cell->client_tags : cell->tags;
        uint32_t count = cell->client_tags != NULL ? cell->client_count : cell->tag_count;
        above->client_count =
            gd_bottom_unite(above->client_tags, above->client_count, GD_KMV, tags, count);
        above->tag_count = (uint8_t)gd_bottom_unite(above->tags, 0, GD_TAGS_MAX, above->client_tags,
                                                    above->client_count);
    }
}

static struct gd_cell *any_cell(struct test_random *random, struct guard_pile *pile)
{
    uint64_t left = test_random_below(random, pile->tree.cell_count);
    struct gd_cell *cell = pile->tree.root;
    for (; left > 0; left--)
        cell = gd_tree_next(cell);
    return cell;
}

/* Something new: an attack's characters, pairs, likeness, lengths, names, methods, paths. */
static struct gd_cell *forge_cell(struct test_random *random, struct guard_pile *pile)
{
    static const enum gd_kind kinds[] = {
        GD_KIND_SEGMENT,    GD_KIND_METHOD, GD_KIND_NAME,   GD_KIND_CLASS,    GD_KIND_TYPE,
        GD_KIND_TRANSITION, GD_KIND_LENGTH, GD_KIND_DIGITS, GD_KIND_SPECIALS, GD_KIND_LIKENESS,
        GD_KIND_LITERAL,    GD_KIND_FAULT,  GD_KIND_STATUS, GD_KIND_MEDIA};
    enum gd_kind kind = kinds[test_random_below(random, sizeof(kinds) / sizeof(kinds[0]))];
    struct gd_cell *parent = any_cell(random, pile);
    while (!gd_kind_allowed((enum gd_kind)parent->kind, kind))
        parent = any_cell(random, pile);
    char text[24];
    snprintf(text, sizeof(text), "forged%u", (unsigned)test_random_below(random, 50));
    uint8_t location = 0;
    if (kind == GD_KIND_NAME)
        location = parent->kind == GD_KIND_SERVICE ? GUARD_LOCATION_HEADER : GUARD_LOCATION_QUERY;
    if (kind == GD_KIND_NAME && parent->kind == GD_KIND_NAME)
        return NULL;
    uint64_t code = test_random_below(random, 60);
    if (gd_kind_named(kind))
        code = gd_pile_code(&pile->name_key, kind, location, traffic_text(text));
    uint32_t at;
    if (!gd_kind_code(kind, code) || gd_tree_find(parent, kind, code, &at) != NULL)
        return NULL;
    return gd_tree_insert(&pile->tree, parent, kind, at, code, location,
                          gd_kind_named(kind) ? traffic_text(text) : gd_span(NULL, 0));
}

/* The gate's pile with forged elements, which `times` as many claim as are there; whole: it adds
 * up.
 */
static struct guard_pile *forge(struct world *world, uint32_t count, bool whole)
{
    struct guard_pile *pile = copy(world->gate, NULL);
    pile->intervals.items[0].last = pile->intervals.items[0].count = UINT64_C(1) << 62;
    for (uint32_t i = 0; i < count; i++) {
        struct gd_cell *cell = forge_cell(&world->random, pile);
        if (cell == NULL && (whole || test_random_once_in(&world->random, 2)))
            continue;
        cell = cell == NULL ? any_cell(&world->random, pile) : cell;
        if (cell == pile->tree.root)
            continue;
        forge_values(&world->random, pile, cell, whole);
        if (whole)
            claim_above(cell);
    }
    return pile;
}

/* What isn't held off: a name that is left out, and literals and pairs, of which everybody may say
 * that there are more than are kept. */
static bool may_weaken(uint32_t rule)
{
    return rule == GUARD_RULE_MISSING || rule == GUARD_RULE_LITERAL;
}

static void no_weaker(const char *what, const uint16_t *before, const uint16_t *after)
{
    for (uint32_t rule = 0; rule < GUARD_RULE_COUNT; rule++) {
        if (!may_weaken(rule) && after[rule] + SLACK < before[rule])
            fail_msg("%s: rule %s fell from %u to %u", what, guard_rule_name((enum guard_rule)rule),
                     before[rule], after[rule]);
    }
}

static const struct guard_model_endpoint *endpoint_of(const struct guard_model *model,
                                                      const struct guard_model_endpoint *like)
{
    for (uint32_t i = 0; i < model->endpoint_count; i++) {
        const struct guard_model_endpoint *endpoint = &model->endpoints[i];
        if (gd_span_equal(endpoint->method, like->method) &&
            gd_span_equal(endpoint->template_text, like->template_text))
            return endpoint;
    }
    return NULL;
}

static const struct guard_model_field *field_of(const struct guard_model *model, uint32_t first,
                                                uint32_t count,
                                                const struct guard_model_field *like)
{
    for (uint32_t i = first; i < first + count; i++) {
        if (gd_span_equal(model->fields[i].path, like->path) &&
            model->fields[i].location == like->location)
            return &model->fields[i];
    }
    return NULL;
}

static void field_unchanged(const struct guard_model_field *old,
                            const struct guard_model_field *now)
{
    assert_non_null(now);
    assert_true(old->trusted == now->trusted);
    assert_true(old->classes == now->classes && now->pending_classes == 0);
    assert_true(old->types == now->types && now->pending_types == 0);
    assert_true(old->likeness == now->likeness && now->pending_likeness == 0);
    assert_memory_equal(old->transitions, now->transitions, sizeof(old->transitions));
    assert_true(old->length_max == now->length_max && old->length_min == now->length_min);
    assert_true(old->digits_max == now->digits_max && old->specials_max == now->specials_max);
    no_weaker("field", old->strength, now->strength);
}

static uint32_t trusted_fields(const struct guard_model *model)
{
    uint32_t trusted = 0;
    for (uint32_t i = 0; i < model->field_count; i++)
        trusted += model->fields[i].trusted;
    return trusted;
}

static uint32_t trusted_endpoints(const struct guard_model *model)
{
    uint32_t trusted = 0;
    for (uint32_t i = 0; i < model->endpoint_count; i++)
        trusted += model->endpoints[i].trusted;
    return trusted;
}

static void nothing_learned(const struct guard_model *before, const struct guard_model *after)
{
    assert_int_equal(before->node_count, after->node_count);
    assert_int_equal(trusted_endpoints(before), trusted_endpoints(after));
    assert_int_equal(trusted_fields(before), trusted_fields(after));
    for (uint32_t i = 0; i < before->endpoint_count; i++) {
        const struct guard_model_endpoint *old = &before->endpoints[i];
        const struct guard_model_endpoint *now = endpoint_of(after, old);
        assert_non_null(now);
        assert_true(old->trusted == now->trusted && old->media_count == now->media_count);
        assert_memory_equal(old->faults, now->faults, sizeof(old->faults));
        no_weaker("endpoint", old->strength, now->strength);
        for (uint32_t j = 0; j < old->field_count; j++) {
            const struct guard_model_field *field = &before->fields[old->first_field + j];
            field_unchanged(field, field_of(after, now->first_field, now->field_count, field));
        }
    }
    no_weaker("service", before->service_strength, after->service_strength);
    for (uint32_t i = 0; i < before->service_field_count; i++) {
        const struct guard_model_field *field = &before->fields[before->first_service_field + i];
        field_unchanged(
            field, field_of(after, after->first_service_field, after->service_field_count, field));
    }
}

static void others_go_on(struct guard_pile *merged)
{
    for (uint64_t i = 0; i < GATES; i++) {
        struct guard_source source = {VICTIM + i, 1, guard_pile_position(merged, VICTIM + i, 1)};
        assert_int_equal(source.sequence, EPOCHS * CLIENTS * 12);
        source.sequence++;
        send_one(merged, &source, 0);
    }
}

static void test_what_adds_up_counts_as_fewer_than_d_clients(void **state)
{
    (void)state;
    struct world world = world_start("hostile pile");
    uint32_t merged = 0;
    for (uint32_t run = 0; run < RUNS; run++) {
        struct guard_err err = {"nothing"};
        struct guard_pile *forged = forge(&world, 1 + run * 3, true);
        struct guard_pile *hostile = copy(forged, &err);
        guard_pile_free(forged);
        if (hostile == NULL)
            fail_msg("a forged pile: %s", err.text);
        if (admit(hostile, HOSTILE, &err) == GUARD_OK) {
            struct guard_pile *sum = copy(world.sum, NULL);
            enum guard_merge outcome;
            assert_int_equal(guard_pile_merge(sum, hostile, &outcome, &err), GUARD_OK);
            assert_int_equal(outcome, GUARD_MERGE_ADDED);
            struct guard_model *model = learned(sum);
            nothing_learned(world.model, model);
            others_go_on(sum);
            guard_model_free(model);
            guard_pile_free(sum);
            merged++;
        } else {
            fail_msg("run %u: %s", run, err.text);
        }
        guard_pile_free(hostile);
    }
    assert_true(merged >= RUNS / 2);
    world_end(&world);
}

/* Whatever is decoded is refused by name or merged, with the check and without it; nothing
 * overflows, and what comes out can be learned from and written. */
static void test_what_does_not_add_up_overflows_nothing(void **state)
{
    (void)state;
    struct world world = world_start("hostile pile, contradictions");
    uint32_t refused = 0;
    for (uint32_t run = 0; run < RUNS; run++) {
        struct guard_err err = {"nothing"};
        struct guard_pile *forged = forge(&world, 1 + run * 5, false);
        struct guard_pile *hostile = copy(forged, &err), *sum = copy(world.sum, NULL);
        guard_pile_free(forged);
        for (uint32_t i = 0; hostile != NULL && i < 3; i++) {
            hostile->intervals.items[0].producer = 100 + i;
            assert_int_equal(guard_pile_merge(sum, hostile, NULL, &err), GUARD_OK);
        }
        struct guard_pile *again = copy(sum, &err);
        guard_model_free(learned(sum));
        guard_pile_free(again);
        guard_pile_free(sum);
        refused += hostile == NULL || admit(hostile, 102, &err) != GUARD_OK;
        guard_pile_free(hostile);
    }
    assert_true(refused >= RUNS / 2);
    world_end(&world);
}

static void expect(struct world *world, const char *complaint, enum guard_rc wanted,
                   void (*change)(struct guard_pile *))
{
    struct guard_err err = {"nothing"};
    struct guard_pile *pile = copy(world->gate, NULL);
    change(pile);
    assert_int_equal(admit(pile, HOSTILE, &err), wanted);
    if (strstr(err.text, complaint) == NULL)
        fail_msg("%s", err.text);
    guard_pile_free(pile);
}

static void claim_others_records(struct guard_pile *pile)
{
    pile->intervals.items[0] = (struct gd_interval){VICTIM, 1, 1, UINT64_C(1) << 63, 1, NOW};
}

static void come_from_the_future(struct guard_pile *pile)
{
    pile->epochs.items[pile->epochs.count - 1].id += UINT64_C(8) * 365 * 8;
}

static void claim_last_time(struct guard_pile *pile)
{
    pile->last_ms = UINT64_MAX;
}

static void count_too_many(struct guard_pile *pile)
{
    pile->tree.root->epoch_counts[0] = UINT64_C(1) << 55;
}

static void say_that_names_overflowed(struct guard_pile *pile)
{
    gd_cell_drop(pile->tree.root, GD_KIND_NAME);
}

static void fill_half(struct guard_pile *pile)
{
    char text[24];
    struct gd_cell *root = pile->tree.root;
    for (uint32_t i = 0; i < pile->cells_max / 2; i++) {
        uint32_t at;
        snprintf(text, sizeof(text), "x%u", i);
        uint64_t code = gd_pile_code(&pile->name_key, GD_KIND_SEGMENT, 0, traffic_text(text));
        assert_null(gd_tree_find(root, GD_KIND_SEGMENT, code, &at));
        struct gd_cell *cell =
            gd_tree_insert(&pile->tree, root, GD_KIND_SEGMENT, at, code, 0, traffic_text(text));
        cell->count = 1;
        cell->epochs = 1;
        cell->tags[0] = root->tags[0];
        cell->tag_count = 1;
    }
}

static void test_refusals(void **state)
{
    (void)state;
    struct world world = world_start("hostile pile, refusals");
    expect(&world, "may not speak", GUARD_E_FOREIGN, claim_others_records);
    expect(&world, "time to come", GUARD_E_RANGE, come_from_the_future);
    expect(&world, "time to come", GUARD_E_RANGE, claim_last_time);
    expect(&world, "more records than it numbers", GUARD_E_RANGE, count_too_many);
    expect(&world, "overflowed", GUARD_E_LIMIT, say_that_names_overflowed);
    expect(&world, "half", GUARD_E_LIMIT, fill_half);
    world_end(&world);
}

static uint32_t slots_told_apart(const struct guard_pile *pile)
{
    uint32_t found = 0;
    for (uint32_t slot = 0; slot < EPOCHS; slot++) {
        const struct gd_epoch epoch = {.tier = GD_TIER_FINE, .id = (START / SLOT + slot) * GD_SUBS};
        found += gd_epochs_find(&pile->epochs, &epoch) < GD_EPOCHS_MAX;
    }
    return found;
}

/* As many epochs as fit, all of the last two slots, and as many records as can be written. */
static void test_neither_epochs_nor_records_crowd_out_others(void **state)
{
    (void)state;
    struct world world = world_start("hostile pile, epochs");
    struct guard_pile *forged = copy(world.gate, NULL);
    struct gd_cell *root = forged->tree.root;
    assert_int_equal(slots_told_apart(world.sum), EPOCHS);
    assert_int_equal(forged->epochs.count, GD_EPOCHS_FINE);
    forged->intervals.items[0].last = forged->intervals.items[0].count = UINT64_C(1) << 62;
    for (uint32_t i = 0; i < GD_EPOCHS_FINE; i++) {
        forged->epochs.items[i].id = (NOW / SLOT - 1) * GD_SUBS + i;
        root->epoch_counts[i] = UINT64_C(1) << 50;
    }
    struct guard_pile *hostile = copy(forged, NULL);
    assert_int_equal(admit(hostile, HOSTILE, NULL), GUARD_OK);
    assert_true(hostile->tree.root->count <= UINT64_C(2) * 4 * GD_UNIT_RECORDS);
    assert_int_equal(guard_pile_merge(world.sum, hostile, NULL, NULL), GUARD_OK);
    assert_int_equal(slots_told_apart(world.sum), EPOCHS);
    guard_pile_free(hostile);
    guard_pile_free(forged);
    world_end(&world);
}

/* Shares are piles: their sum doesn't depend on the order, and twice is once. */
static void test_shares_merge_in_any_order(void **state)
{
    (void)state;
    struct test_random random = test_random_start("hostile pile, order");
    struct guard_pile *shares[GATES], *sums[2];
    struct traffic_shape shape = traffic_usual;
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    size_t order[GATES];
    shape.time_ms = START;
    for (uint64_t i = 0; i < GATES; i++) {
        struct guard_source source = {VICTIM + i, 1, 1};
        uint64_t producer = source.producer;
        const struct guard_share share = {.producers = &producer, .producer_count = 1};
        order[i] = i;
        assert_int_equal(guard_pile_new(&shares[i], &cfg, NULL), GUARD_OK);
        assert_int_equal(traffic_learn(shares[i], &random, &shape, source, 300), GUARD_OK);
        assert_int_equal(guard_pile_protect(shares[i], 2, NULL), GUARD_OK);
        assert_int_equal(guard_pile_admit(shares[i], &share, NULL), GUARD_OK);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(guard_pile_new(&sums[i], &cfg, NULL), GUARD_OK);
        test_random_shuffle(&random, order, GATES);
        for (uint32_t j = 0; j < GATES + 1; j++)
            assert_int_equal(guard_pile_merge(sums[i], shares[order[j % GATES]], NULL, NULL),
                             GUARD_OK);
    }
    assert_true(traffic_equal(traffic_digest(sums[0]), traffic_digest(sums[1])));
    assert_int_equal(gd_cell_weight(sums[0]->tree.root), GD_TAGS_MAX);
    assert_true(gd_cell_weight(shares[0]->tree.root) < GD_TAGS_MAX);
    for (uint32_t i = 0; i < GATES; i++)
        guard_pile_free(shares[i]);
    guard_pile_free(sums[0]);
    guard_pile_free(sums[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_adds_up_counts_as_fewer_than_d_clients),
        cmocka_unit_test(test_what_does_not_add_up_overflows_nothing),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_neither_epochs_nor_records_crowd_out_others),
        cmocka_unit_test(test_shares_merge_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
