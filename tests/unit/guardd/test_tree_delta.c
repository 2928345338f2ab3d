/* SPDX-License-Identifier: Apache-2.0 */
/* Records are numbered on from delta to delta, through the store and whatever its bytes. */
#include "guardd/tree/delta.h"

#include "support/pile_traffic.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct guard_pile *pile_of(uint64_t producer, uint64_t incarnation, uint64_t first,
                                  uint64_t count)
{
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct guard_pile *pile = NULL;
    struct gd_profile profile = {.service = traffic_text("shop"), .method = traffic_text("GET")};
    profile.time_ms = UINT64_C(1700006400000);
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_OK);
    for (uint64_t i = 0; i < count; i++) {
        struct guard_source source = {producer, incarnation, first + i};
        assert_int_equal(gd_pile_observe_profile(pile, &source, &profile, NULL), GUARD_OK);
    }
    return pile;
}

static void test_numbers_go_on_through_the_store(void **state)
{
    struct delta_source sources[] = {{7, 1, 10}, {8, 3, 20}};
    struct delta delta = {.sources = sources, .count = 2, .cap = 2, .number = 5, .committed = 5};
    struct delta read = {.number = 0};
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(delta_position(&delta, 7, 1), 10);
    assert_int_equal(delta_position(&delta, 7, 2), 0); /* a later life of the ring begins anew */
    assert_int_equal(delta_position(&delta, 9, 1), 0);
    assert_int_equal(delta_encode(&delta, &bytes, &len), GUARD_OK);
    assert_int_equal(delta_decode(&read, (struct guard_span){bytes, len}), GUARD_OK);
    assert_int_equal(read.number, 5);
    assert_int_equal(read.committed, 5);
    assert_int_equal(delta_position(&read, 8, 3), 20);
    delta_free(&read);
    for (size_t cut = 0; cut < len; cut++) {
        enum guard_rc rc = delta_decode(&read, (struct guard_span){bytes, cut});
        assert_true(rc == GUARD_E_SYNTAX || (cut >= 8 && (cut - 8) % 24 == 0));
        delta_free(&read);
    }
    memset(bytes, 0, len);
    assert_int_equal(delta_decode(&read, (struct guard_span){bytes, len}), GUARD_E_SYNTAX);
    delta_free(&read);
    free(bytes);
}

static void test_an_empty_pile_closes_nothing_but_the_number(void **state)
{
    struct guard_pile *pile = pile_of(1, 1, 1, 0);
    struct delta delta = {.number = 1, .committed = 1, .due_ms = 5};
    (void)state;
    assert_int_equal(delta_reserve(&delta, pile), GUARD_OK);
    delta_close(&delta, pile);
    assert_int_equal(delta.number, 2);
    assert_int_equal(delta.committed, 1); /* until it is saved */
    assert_int_equal(delta.due_ms, 0);
    assert_int_equal(delta.count, 0);
    assert_false(delta_full(pile));
    guard_pile_free(pile);
    delta_free(&delta);
}

static void close_pile(struct delta *delta, uint64_t producer, uint64_t incarnation, uint64_t first,
                       uint64_t count)
{
    struct guard_pile *pile = pile_of(producer, incarnation, first, count);
    assert_int_equal(delta_reserve(delta, pile), GUARD_OK);
    delta_close(delta, pile);
    guard_pile_free(pile);
}

static void test_each_producer_has_one_place_for_its_newest_life(void **state)
{
    struct delta delta = {.number = 1};
    (void)state;
    close_pile(&delta, 42, 1, 1, 5);
    assert_int_equal(delta_position(&delta, 42, 1), 5);
    close_pile(&delta, 42, 1, 6, 4);
    assert_int_equal(delta_position(&delta, 42, 1), 9);
    close_pile(&delta, 42, 2, 1, 3);
    assert_int_equal(delta_position(&delta, 42, 2), 3);
    assert_int_equal(delta_position(&delta, 42, 1), 0);
    /* What is read late of the life before takes nothing back. */
    close_pile(&delta, 42, 1, 10, 1);
    assert_int_equal(delta_position(&delta, 42, 2), 3);
    assert_int_equal(delta.count, 1);
    assert_int_equal(delta.number, 5);
    delta_free(&delta);
}

static void test_a_full_table_gives_up_who_began_first(void **state)
{
    struct delta delta = {.number = 1};
    (void)state;
    for (uint64_t i = 1; i <= DELTA_SOURCES_MAX + 1; i++)
        close_pile(&delta, i, 100 + i, 1, 1);
    assert_int_equal(delta.count, DELTA_SOURCES_MAX);
    assert_int_equal(delta_position(&delta, 1, 101), 0);
    assert_int_equal(delta_position(&delta, DELTA_SOURCES_MAX + 1, 101 + DELTA_SOURCES_MAX), 1);
    delta_free(&delta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_go_on_through_the_store),
        cmocka_unit_test(test_an_empty_pile_closes_nothing_but_the_number),
        cmocka_unit_test(test_each_producer_has_one_place_for_its_newest_life),
        cmocka_unit_test(test_a_full_table_gives_up_who_began_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
