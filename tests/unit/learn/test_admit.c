/* SPDX-License-Identifier: Apache-2.0 */
/* A pile that is believed keeps what it says of clients and may not protect; its producers and
 * times are checked all the same. Shares are tested in tests/prop. */
#include "support/pile_traffic.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint64_t noon = UINT64_C(1700006400000);

static struct guard_pile *many_clients(void)
{
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct guard_pile *pile = NULL;
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_OK);
    struct gd_profile profile = {.service = traffic_text("shop"), .method = traffic_text("GET")};
    profile.status = 200;
    for (uint32_t i = 0; i < 40; i++) {
        struct guard_source source = {9, 1, 1 + i};
        profile.time_ms = noon + (uint64_t)i * 3600 * 1000;
        profile.client = (struct guard_client){
            .unit = GUARD_UNIT_PREFIX, .address_len = 4, .address = {10, 0, (uint8_t)(i % 20), 1}};
        assert_int_equal(gd_pile_observe_profile(pile, &source, &profile, NULL), GUARD_OK);
    }
    assert_int_equal(guard_pile_protect(pile, 4, NULL), GUARD_OK);
    return pile;
}

static void test_believed_or_not(void **state)
{
    struct guard_pile *believed = many_clients();
    struct guard_pile *share = many_clients();
    struct guard_pile_stats stats;
    (void)state;
    guard_pile_stats(believed, &stats);
    assert_true(stats.generation > 0 && stats.clients >= 18);
    struct guard_share cfg = {.now_ms = noon + UINT64_C(7) * 86400 * 1000, .whole = true};
    assert_int_equal(guard_pile_admit(believed, &cfg, NULL), GUARD_OK);
    cfg.whole = false;
    assert_int_equal(guard_pile_admit(share, &cfg, NULL), GUARD_OK);
    guard_pile_stats(believed, &stats);
    assert_int_equal(stats.generation, 0);
    assert_true(stats.clients >= 18);
    guard_pile_stats(share, &stats);
    assert_int_equal(stats.generation, 0);
    assert_true(stats.clients <= 4);
    guard_pile_free(believed);
    guard_pile_free(share);
}

/* Who writes a share can't make old what others began to use today. */
static void test_a_share_makes_nothing_old(void **state)
{
    (void)state;
    struct guard_pile *share = many_clients();
    struct guard_share cfg = {.now_ms = noon + UINT64_C(7) * 86400 * 1000};
    uint32_t at;
    struct gd_cell *path =
        gd_tree_find(share->tree.root, GD_KIND_SEGMENT,
                     gd_pile_code(&share->name_key, GD_KIND_SEGMENT, 0, traffic_text("")), &at);
    assert_non_null(path);
    assert_int_equal(path->first_s, noon / 1000);
    path->first_s = 1000;
    assert_int_equal(guard_pile_admit(share, &cfg, NULL), GUARD_OK);
    assert_int_equal(path->first_s, noon / GD_EPOCH_MS * (GD_EPOCH_MS / 1000));
    guard_pile_free(share);
}

static void test_the_believed_are_checked(void **state)
{
    struct guard_pile *pile = many_clients();
    const uint64_t others[] = {7};
    const uint64_t own[] = {7, 9};
    struct guard_share cfg = {.whole = true, .producers = others, .producer_count = 1};
    (void)state;
    assert_int_equal(guard_pile_admit(pile, &cfg, NULL), GUARD_E_FOREIGN);
    cfg.producers = own;
    cfg.producer_count = 2;
    cfg.now_ms = noon - 86400 * 1000;
    assert_int_equal(guard_pile_admit(pile, &cfg, NULL), GUARD_E_RANGE);
    cfg.now_ms = noon + UINT64_C(7) * 86400 * 1000;
    assert_int_equal(guard_pile_admit(pile, &cfg, NULL), GUARD_OK);
    guard_pile_free(pile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_believed_or_not),
        cmocka_unit_test(test_a_share_makes_nothing_old),
        cmocka_unit_test(test_the_believed_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
