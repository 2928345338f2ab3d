/* SPDX-License-Identifier: Apache-2.0 */
/* Whose evidence is withheld: units whose values read like attacks, where no text is written and
 * hardly anybody does so; and what is left of what they saw with others. */
#include "unit/learn/tree.h"

#include "learn/screen.h"

#include "base/arena.h"

#include <guard/likeness.h>
#include <guard/traffic.h>

static struct guard_arena arena;

/* A name with 1,000 values of 200 units. */
struct field {
    struct gd_cell name, likeness, blank;
    const struct gd_cell *cells[1];
    struct gd_group group, like, cls;
    struct gd_groups likenesses, classes;
    uint32_t clients[GD_KMV];
};

static void tags(struct gd_cell *cell, uint32_t first, uint32_t step, uint32_t count)
{
    cell->tag_count = (uint8_t)(count < GD_TAGS_MAX ? count : GD_TAGS_MAX);
    for (uint32_t i = 0; i < cell->tag_count; i++)
        cell->tags[i] = (first + i * step) | 1;
}

/* Units whose tags are multiples of 2^24: 256 of them. `attackers` of these, every eighth, send
 * what reads like SQL, once each; `blanks` values hold a blank. */
static void field_init(struct field *field, uint32_t attackers, uint64_t blanks)
{
    memset(field, 0, sizeof(*field));
    field->name = (struct gd_cell){.kind = GD_KIND_NAME,
                                   .location = GUARD_LOCATION_QUERY,
                                   .count = 1000,
                                   .epochs = 7,
                                   .client_tags = field->clients,
                                   .client_count = GD_KMV};
    for (uint32_t i = 0; i < GD_KMV; i++)
        field->clients[i] = (i + 1) << 24 | 1;
    field->likeness = (struct gd_cell){
        .kind = GD_KIND_LIKENESS, .code = GUARD_LIKENESS_SQL, .count = attackers, .epochs = 7};
    tags(&field->likeness, 1u << 24, 1u << 28, attackers);
    field->blank = (struct gd_cell){
        .kind = GD_KIND_CLASS, .code = GUARD_CLASS_SPACE, .count = blanks + attackers, .epochs = 7};
    field->cells[0] = &field->name;
    field->group = (struct gd_group){field->name, field->cells, 1};
    field->like.sum = field->likeness;
    field->cls.sum = field->blank;
    field->likenesses = (struct gd_groups){&field->like, attackers > 0};
    field->classes = (struct gd_groups){&field->cls, 1};
}

static uint32_t suspects_of(const struct field *field, struct gd_suspects *suspects)
{
    const struct gd_trust trust = {.weight = 8, .epochs_min = 2};
    assert_int_equal(gd_suspects_find(suspects, &trust, &field->group, &field->likenesses,
                                      &field->classes, &arena),
                     GUARD_OK);
    return suspects->count;
}

static void test_where(void **state)
{
    (void)state;
    struct field field;
    struct gd_suspects suspects;
    field_init(&field, 3, 0);
    assert_int_equal(suspects_of(&field, &suspects), 3);
    assert_int_equal(suspects.bound, UINT32_MAX);
    field_init(&field, 0, 0);
    assert_int_equal(suspects_of(&field, &suspects), 0);
    field_init(&field, 20, 0);
    assert_int_equal(suspects_of(&field, &suspects), GD_TAGS_MAX);
    assert_int_equal(suspects.bound, field.likeness.tags[GD_TAGS_MAX - 1]);
    /* Where people write, an eighth of the values at least, code is text. */
    field_init(&field, 20, 125);
    assert_int_equal(suspects_of(&field, &suspects), 0);
    field_init(&field, 20, 124);
    assert_int_not_equal(suspects_of(&field, &suspects), 0);
    /* Nobody writes headers. */
    field_init(&field, 3, 1000);
    field.group.sum.location = GUARD_LOCATION_HEADER;
    assert_int_equal(suspects_of(&field, &suspects), 3);
}

/* What an eighth of all do is normal, unless these are fewer than may be trusted. */
static void test_usual(void **state)
{
    (void)state;
    struct field field;
    struct gd_suspects suspects;
    field_init(&field, 6, 0);
    field.name.client_count = 30;
    assert_int_equal(suspects_of(&field, &suspects), 0);
    field_init(&field, 3, 0);
    field.name.client_count = 10;
    assert_int_equal(suspects_of(&field, &suspects), 3);
    field_init(&field, 6, 0);
    field.name.client_count = 30;
    field.like.sum.epochs = 1;
    assert_int_equal(suspects_of(&field, &suspects), 6);
}

static void test_leave(void **state)
{
    (void)state;
    struct field field;
    struct gd_suspects suspects;
    struct gd_cell sum = {.count = 100};
    field_init(&field, 3, 0);
    (void)suspects_of(&field, &suspects);
    tags(&sum, 1u << 24, 1u << 28, 3); /* they alone */
    assert_false(gd_suspects_leave(&suspects, &sum));
    assert_int_equal(sum.tag_count, 0);
    tags(&sum, 1u << 24, 1u << 27, 8); /* every second is one of them, as far as they go */
    assert_true(gd_suspects_leave(&suspects, &sum));
    assert_int_equal(sum.tag_count, 5);
    for (uint32_t i = 1; i < sum.tag_count; i++)
        assert_true(sum.tags[i] > sum.tags[i - 1]);
    assert_int_equal(sum.tags[5], 0);
    suspects.count = 0;
    assert_true(gd_suspects_leave(&suspects, &sum));
    assert_int_equal(sum.tag_count, 5);
}

/* The lists name eight. Of units with higher tags nobody knows whether they are suspects: they are
 * taken for what those are of whom it is known. */
static void test_beyond_the_list(void **state)
{
    (void)state;
    struct gd_suspects suspects = {.bound = 801};
    uint32_t known[GD_TAGS_MAX];
    struct gd_cell sum = {.count = 100};
    for (uint32_t i = 0; i < GD_TAGS_MAX; i++)
        known[i] = (i + 1) * 100 | 1;
    suspects.tags = known;
    suspects.count = GD_TAGS_MAX;
    tags(&sum, 300, 200, 8); /* 300 to 700 are suspects: so are 900 to 1700 */
    assert_false(gd_suspects_leave(&suspects, &sum));
    tags(&sum, 350, 150, 8); /* 350, 650 are none, 500, 800 are: of the four others two stay */
    assert_true(gd_suspects_leave(&suspects, &sum));
    assert_int_equal(sum.tag_count, 4);
    assert_int_equal(sum.tags[0], 351);
    tags(&sum, 1000, 100, 4); /* nothing is known */
    assert_true(gd_suspects_leave(&suspects, &sum));
    assert_int_equal(sum.tag_count, 4);
}

/* Whose records they were isn't known: of a loud suspect and another one record stays. */
static void test_counts_of_suspects_go(void **state)
{
    (void)state;
    uint32_t loud = 101;
    const struct gd_suspects suspects = {.tags = &loud, .count = 1, .bound = UINT32_MAX};
    struct gd_cell sum = {.count = 700, .tag_count = 2, .tags = {101, 301}};
    assert_true(gd_suspects_leave(&suspects, &sum));
    assert_int_equal(sum.tags[0], 301);
    assert_int_equal(sum.count, 1);
    /* Of many it isn't known how many they are. */
    sum = (struct gd_cell){.count = 700};
    tags(&sum, 100, 100, GD_TAGS_MAX);
    assert_true(gd_suspects_leave(&suspects, &sum));
    assert_int_equal(sum.count, 700);
    sum = (struct gd_cell){.count = 700, .tag_count = 2, .tags = {201, 301}};
    assert_true(gd_suspects_leave(&suspects, &sum));
    assert_int_equal(sum.count, 700);
}

static void test_join(void **state)
{
    (void)state;
    static uint32_t many[GD_SUSPECTS_MAX + 500];
    uint32_t few[] = {11, 21, 31}, others[] = {15, 21, 35};
    struct gd_suspects all = {.bound = UINT32_MAX}, again = {.bound = UINT32_MAX};
    const struct gd_suspects first = {.tags = few, .count = 3, .bound = UINT32_MAX};
    const struct gd_suspects second = {.tags = others, .count = 3, .bound = 900};
    const struct gd_suspects nobody = {.bound = 5};
    assert_int_equal(gd_suspects_join(&all, &again, &first, &arena), GUARD_OK);
    assert_int_equal(gd_suspects_join(&all, &again, &nobody, &arena), GUARD_OK);
    assert_int_equal(again.count, 0);
    assert_int_equal(all.bound, UINT32_MAX);
    assert_int_equal(gd_suspects_join(&all, &again, &second, &arena), GUARD_OK);
    const uint32_t both[] = {11, 15, 21, 31, 35};
    assert_int_equal(all.count, 5);
    assert_memory_equal(all.tags, both, sizeof(both));
    assert_int_equal(all.bound, 900);
    assert_int_equal(again.count, 1);
    assert_int_equal(again.tags[0], 21);
    /* Of too many the lowest are kept, and of those above nothing is known. */
    for (uint32_t i = 0; i < GD_SUSPECTS_MAX + 500; i++)
        many[i] = 10 * i + 1;
    const struct gd_suspects crowd = {many, GD_SUSPECTS_MAX + 500, UINT32_MAX, NULL, NULL};
    all = (struct gd_suspects){.bound = UINT32_MAX};
    assert_int_equal(gd_suspects_join(&all, NULL, &crowd, &arena), GUARD_OK);
    assert_int_equal(all.count, GD_SUSPECTS_MAX);
    assert_memory_equal(all.tags, many, GD_SUSPECTS_MAX * sizeof(*many));
    assert_int_equal(all.bound, many[GD_SUSPECTS_MAX - 1]);
}

static void test_few(void **state)
{
    (void)state;
    uint32_t some[] = {1u << 28, 2u << 28, 3u << 28, 4u << 28};
    struct gd_suspects suspects = {.tags = some, .count = 4, .bound = UINT32_MAX};
    assert_true(gd_suspects_few(&suspects, 32));
    assert_false(gd_suspects_few(&suspects, 31));
    suspects.bound = UINT32_MAX / 4; /* three up to there: as many in each other quarter */
    assert_true(gd_suspects_few(&suspects, 96));
    assert_false(gd_suspects_few(&suspects, 95));
    suspects.count = 0;
    assert_true(gd_suspects_few(&suspects, 0));
}

/* Those of the field, of its endpoint, and as to attacks of the service. */
static void test_levels(void **state)
{
    (void)state;
    uint32_t tags_of[] = {11, 21, 31};
    const struct gd_suspects service = {&tags_of[2], 1, UINT32_MAX, NULL, NULL};
    const struct gd_suspects endpoint = {&tags_of[1], 1, UINT32_MAX, NULL, NULL};
    const struct gd_suspects field = {&tags_of[0], 1, UINT32_MAX, &endpoint, &service};
    struct gd_cell sum = {.kind = GD_KIND_CLASS, .tag_count = 4, .tags = {11, 21, 31, 41}};
    struct gd_cell like = sum, fault = sum;
    like.kind = GD_KIND_LIKENESS;
    fault.kind = GD_KIND_FAULT;
    assert_true(gd_suspects_leave(&field, &sum));
    assert_int_equal(sum.tag_count, 2);
    assert_int_equal(sum.tags[0], 31);
    assert_true(gd_suspects_leave(&field, &like));
    assert_int_equal(like.tag_count, 1);
    assert_int_equal(like.tags[0], 41);
    assert_true(gd_suspects_leave(&field, &fault));
    assert_int_equal(fault.tag_count, 1);
    const struct gd_suspects nobody = {.count = 0};
    assert_true(gd_suspects_none(&nobody));
    assert_false(gd_suspects_none(&(struct gd_suspects){.also = &endpoint}));
    assert_false(gd_suspects_none(&(struct gd_suspects){.attackers = &service}));
    assert_true(gd_suspects_none(&(struct gd_suspects){.also = &nobody, .attackers = &nobody}));
}

int main(void)
{
    guard_arena_init(&arena, &(struct guard_alloc){NULL, tree_alloc, tree_release}, 1 << 20);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_where),
                                       cmocka_unit_test(test_usual),
                                       cmocka_unit_test(test_leave),
                                       cmocka_unit_test(test_beyond_the_list),
                                       cmocka_unit_test(test_counts_of_suspects_go),
                                       cmocka_unit_test(test_join),
                                       cmocka_unit_test(test_few),
                                       cmocka_unit_test(test_levels)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guard_arena_reset(&arena);
    return failed;
}
