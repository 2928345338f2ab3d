/* SPDX-License-Identifier: Apache-2.0 */
/* The table of clients is bounded, and nobody takes more of it than a share. */
#include "support/failing_alloc.h"
#include "support/random.h"
#include "unit/client/crowd.h"

static struct guard_client ipv6(uint32_t wide, uint32_t number)
{
    return (struct guard_client){.unit = GUARD_UNIT_PREFIX,
                                 .address_len = 16,
                                 .address = {0x20, 1, (uint8_t)(wide >> 8), (uint8_t)wide,
                                             (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                                             (uint8_t)number}};
}

static struct gd_client_place *touch(struct crowd *crowd, const struct guard_client *client)
{
    struct gd_client_place *place = gd_client_place(crowd->clients, client, crowd->now_ms);
    assert_non_null(place);
    gd_client_windows(crowd->clients, place, crowd->now_ms);
    place->windows[0].requests++;
    return place;
}

static bool there(struct crowd *crowd, const struct guard_client *client)
{
    struct gd_client_place *place = gd_client_place(crowd->clients, client, crowd->now_ms);
    bool known = place->windows[0].requests > 0;
    place->windows[0].requests += !known; /* so that asking pushes out no second one */
    return known;
}

/* Whoever holds a /32 has 16 million /56: they push others out of 16 sets only, and of their
 * halves. */
static void test_a_wide_prefix_has_a_share(void **state)
{
    struct crowd crowd;
    crowd_open(&crowd);
    enum { OTHERS = 60000, HOSTILE = 20000, SHARE = 16 * 4 };
    for (uint32_t i = 0; i < OTHERS; i++) {
        struct guard_client client = crowd_client(i * 256);
        touch(&crowd, &client)->past = 50; /* the table is full of those who were there before */
    }
    for (uint32_t i = 0; i < HOSTILE; i++) {
        struct guard_client client = ipv6(0xdb8, i);
        touch(&crowd, &client)->past = 1000000; /* each looks worth more than any other */
    }
    uint32_t held = 0, kept = 0;
    for (size_t i = 0; i < CROWD_PLACES; i++) {
        const struct gd_client_place *place = &crowd.places->list[i];
        held += place->past == 1000000;
        kept += place->past == 50;
    }
    assert_in_range(held, 1, SHARE);
    assert_int_equal(held + kept, CROWD_PLACES);
    crowd_close(&crowd);
}

/* Who came first to an empty table gives back what is more than the share. */
static void test_an_excess_goes_back(void **state)
{
    struct crowd crowd;
    crowd_open(&crowd);
    enum { OTHERS = 60000, HOSTILE = 20000, SHARE = 16 * 4 };
    for (uint32_t i = 0; i < HOSTILE; i++) {
        struct guard_client client = ipv6(0xdb8, i);
        touch(&crowd, &client)->past = 1000000;
    }
    for (uint32_t i = 0; i < OTHERS; i++) {
        struct guard_client client = crowd_client(i * 256);
        touch(&crowd, &client)->past = 50;
    }
    uint32_t held = 0;
    for (size_t i = 0; i < CROWD_PLACES; i++)
        held += crowd.places->list[i].past == 1000000;
    assert_in_range(held, 1, SHARE);
    crowd_close(&crowd);
}

/* All of a /16 have a place while there is room. */
static void test_neighbours_dont_push_each_other_out(void **state)
{
    struct crowd crowd;
    crowd_open(&crowd);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < 256; i++) {
        struct guard_client client = crowd_client(i);
        (void)touch(&crowd, &client);
    }
    for (uint32_t i = 0; i < 256; i++) {
        struct guard_client client = crowd_client(i);
        kept += there(&crowd, &client);
    }
    assert_in_range(kept, 240, 256);
    crowd_close(&crowd);
}

/* Of one set the newcomers go first, not who has been counted for long. */
static void test_newcomers_push_out_newcomers(void **state)
{
    struct crowd crowd;
    crowd_open(&crowd);
    struct guard_client old = ipv6(1, 7);
    touch(&crowd, &old)->past = 100;
    for (uint32_t wide = 0; wide < 2000; wide++) {
        for (uint32_t i = 0; i < 60; i++) {
            struct guard_client client = ipv6(0x100 + wide, i);
            (void)touch(&crowd, &client);
        }
    }
    assert_true(there(&crowd, &old));
    crowd_close(&crowd);
}

/* Who was away for a day gives the place up, whatever was done before. */
static void test_who_is_gone_makes_room(void **state)
{
    struct crowd crowd;
    crowd_open(&crowd);
    struct guard_client old = ipv6(1, 7);
    touch(&crowd, &old)->past = 1000000;
    crowd.now_ms += UINT64_C(2) * 86400000;
    for (uint32_t wide = 0; wide < 2000; wide++) {
        for (uint32_t i = 0; i < 60; i++) {
            struct guard_client client = ipv6(0x100 + wide, i);
            (void)touch(&crowd, &client);
        }
    }
    assert_false(there(&crowd, &old));
    crowd_close(&crowd);
}

static void test_clients_without_identity_have_no_place(void **state)
{
    struct crowd crowd;
    crowd_open(&crowd);
    const struct guard_client nobody = {.unit = GUARD_UNIT_PREFIX};
    const struct guard_client subject = {.unit = GUARD_UNIT_SUBJECT,
                                         .subject = GUARD_SPAN_LITERAL("0123456789abcdef")};
    const struct guard_client other = {.unit = GUARD_UNIT_SUBJECT,
                                       .subject = GUARD_SPAN_LITERAL("0123456789abcdeg")};
    assert_null(gd_client_place(crowd.clients, &nobody, crowd.now_ms));
    assert_non_null(gd_client_place(crowd.clients, &subject, crowd.now_ms));
    assert_ptr_equal(touch(&crowd, &subject), touch(&crowd, &subject));
    assert_ptr_not_equal(touch(&crowd, &subject), touch(&crowd, &other));
    crowd_close(&crowd);
}

/* Addresses of one /24 are one client; the same bytes as an IPv6 prefix aren't. */
static void test_a_prefix_is_a_client(void **state)
{
    struct crowd crowd;
    crowd_open(&crowd);
    struct guard_client one = crowd_client(1);
    struct guard_client same = one;
    same.address[3] = 200;
    assert_ptr_equal(touch(&crowd, &one), touch(&crowd, &same));
    same.address[2]++;
    assert_ptr_not_equal(touch(&crowd, &one), touch(&crowd, &same));
    crowd_close(&crowd);
}

/* Within a tenth, from 1 to 600 different values; repetitions count once. */
static void test_counts_different_values(void **state)
{
    struct test_random random = test_random_start("different values");
    for (uint32_t wanted = 1; wanted <= 600; wanted = wanted * 5 / 4 + 1) {
        struct gd_client_slot slot = {.key = 1};
        uint32_t counted = 0;
        uint64_t first = test_random_next(&random);
        for (uint32_t i = 0; i < wanted; i++) {
            uint64_t hash = i == 0 ? first : test_random_next(&random);
            (void)gd_client_slot_add(&slot, hash);
            counted = gd_client_slot_add(&slot, hash);
        }
        uint32_t slack = 2 + wanted / 4;
        assert_in_range(counted, wanted > slack ? wanted - slack : 1, wanted + slack);
    }
}

static void test_slots_keep_what_is_most_telling(void **state)
{
    struct gd_client_window window = {.number = 1};
    bool fresh;
    struct gd_client_slot *telling = gd_client_slot(&window, 77, &fresh);
    assert_true(fresh);
    telling->mark.counted = 9;
    for (uint32_t key = 1000; key < 1100; key++) {
        struct gd_client_slot *slot = gd_client_slot(&window, key, &fresh);
        slot->mark.counted = 1;
        assert_int_equal(fresh, key < 1000 + GD_CLIENT_SLOTS - 1);
    }
    assert_ptr_equal(gd_client_slot(&window, 77, &fresh), telling);
    assert_int_equal(telling->mark.counted, 9);
}

static void test_without_memory(void **state)
{
    struct guard_client_places *places;
    struct guard_clients *clients;
    struct guard_err err;
    for (uint64_t fail_at = 1; fail_at <= 3; fail_at++) {
        struct failing_alloc memory;
        failing_alloc_init(&memory, fail_at);
        assert_int_equal(guard_client_places_new(&places, &memory.alloc, 1024), GUARD_E_NOMEM);
        assert_null(places);
        assert_int_equal(memory.live, 0);
    }
    struct failing_alloc memory;
    failing_alloc_init(&memory, 1);
    struct guard_clients_cfg cfg = {.alloc = memory.alloc, .service = GUARD_SPAN_LITERAL("shop")};
    assert_int_equal(guard_clients_new(&clients, &cfg, &err), GUARD_E_NOMEM);
    cfg.service.len = 0;
    assert_int_equal(guard_clients_new(&clients, &cfg, &err), GUARD_E_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wide_prefix_has_a_share),
        cmocka_unit_test(test_an_excess_goes_back),
        cmocka_unit_test(test_neighbours_dont_push_each_other_out),
        cmocka_unit_test(test_newcomers_push_out_newcomers),
        cmocka_unit_test(test_who_is_gone_makes_room),
        cmocka_unit_test(test_clients_without_identity_have_no_place),
        cmocka_unit_test(test_a_prefix_is_a_client),
        cmocka_unit_test(test_counts_different_values),
        cmocka_unit_test(test_slots_keep_what_is_most_telling),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
