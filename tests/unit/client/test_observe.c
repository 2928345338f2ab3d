/* SPDX-License-Identifier: Apache-2.0 */
/* Who is found, how soon, and who is left alone. */
#include "unit/client/crowd.h"

static void setup(struct crowd *crowd)
{
    crowd_open(crowd);
    assert_int_equal(crowd_live(crowd, 0, 400), 0);
}

static void test_finds_enumeration_within_20_requests(void **state)
{
    struct crowd crowd;
    char line[256];
    setup(&crowd);
    struct guard_client scraper = crowd_client(5000);
    uint32_t sent = crowd_until(&crowd, &scraper, "GET", "/users/%u", NULL, 200, 40, 500);
    assert_in_range(sent, 1, 20);
    const struct guard_verdict *verdict = &crowd.report.verdict;
    assert_int_equal(verdict->findings[0].rule, GUARD_RULE_CLIENT_IDS);
    assert_int_equal(verdict->findings[0].part, GUARD_PART_CLIENT);
    assert_int_equal(verdict->decision, GUARD_BLOCK);
    assert_int_not_equal(crowd.report.code, 0);
    assert_false(crowd.report.shared);
    (void)guard_explain(verdict, crowd.report.method, crowd.report.template_text, line,
                        sizeof(line));
    assert_non_null(strstr(line,
                           "BLOCK GET /users/{int} client 10.19.136.0/24: 9 different values at "
                           "/users/{int} in 10 min (of 4"));
    crowd_close(&crowd);
}

static void test_finds_stuffing_with_60_percent_refused(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    struct guard_client stuffer = crowd_client(5000);
    uint32_t found = 0;
    for (uint32_t i = 1; i <= 40 && found == 0; i++) {
        char form[64];
        snprintf(form, sizeof(form), "user=victim%u@example.com&password=x%u", i, i);
        crowd.now_ms += 500;
        if (crowd_send(&crowd, &stuffer, "POST", "/login", form, i % 5 < 3 ? 401 : 200))
            found = i;
    }
    assert_in_range(found, 1, 20);
    assert_int_equal(crowd.report.verdict.decision, GUARD_BLOCK);
    crowd_close(&crowd);
}

/* One account, many passwords: passwords aren't known, refusals are. */
static void test_finds_many_refused_logins_of_one_subject(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    struct guard_client client = crowd_client(5000);
    uint32_t sent =
        crowd_until(&crowd, &client, "POST", "/login", "user=tom&password=x%u", 401, 40, 500);
    assert_in_range(sent, 1, 20);
    assert_int_equal(crowd.report.verdict.findings[0].rule, GUARD_RULE_CLIENT_FAILURES);
    crowd_close(&crowd);
}

static void test_finds_unknown_paths(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    struct guard_client scanner = crowd_client(5000);
    uint32_t found = 0;
    for (uint32_t i = 0; i < 40 && found == 0; i++) {
        char target[64];
        snprintf(target, sizeof(target), "/%c%c.php", 'a' + (int)(i % 26), 'a' + (int)(i / 26));
        if (crowd_send(&crowd, &scanner, "GET", target, NULL, 404))
            found = i + 1;
    }
    assert_in_range(found, 1, 20);
    assert_int_equal(crowd.report.verdict.findings[0].rule, GUARD_RULE_CLIENT_PATHS);
    crowd_close(&crowd);
}

/* Two ids in ten minutes are nothing; three hundred a day are. */
static void test_finds_a_slow_scan_by_the_day(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    struct guard_client scraper = crowd_client(5000);
    uint32_t sent =
        crowd_until(&crowd, &scraper, "GET", "/users/%u", NULL, 200, 280, 5 * CROWD_MINUTE_MS);
    assert_in_range(sent, 1, 40);
    assert_int_equal(crowd.report.verdict.findings[0].values, 86400);
    crowd_close(&crowd);
}

static void test_finds_a_hoard_of_bytes(void **state)
{
    struct crowd crowd;
    crowd_open(&crowd);
    crowd.response_bytes = 2048;
    assert_int_equal(crowd_live(&crowd, 0, 1200), 0);
    struct guard_client client = crowd_client(5000);
    crowd.response_bytes = 65536;
    uint32_t sent = crowd_until(&crowd, &client, "GET", "/users/7", NULL, 200, 400, 100);
    assert_in_range(sent, 1, 400);
    assert_int_equal(crowd.report.verdict.findings[0].rule, GUARD_RULE_CLIENT_BYTES);
    crowd_close(&crowd);
}

/* Sixty people behind one address do sixty times what one does, of everything. */
static void test_leaves_many_users_behind_one_address_alone(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    struct guard_client nat = crowd_client(6000);
    uint32_t reports = 0;
    for (uint32_t user = 0; user < 60; user++) {
        reports += crowd_visit(&crowd, &nat, 7000 + user);
        crowd.now_ms += 2000;
        if (crowd.report.verdict.finding_count > 0)
            assert_int_not_equal(crowd.report.verdict.decision, GUARD_BLOCK);
    }
    assert_int_equal(reports, 0);
    crowd_close(&crowd);
}

/* Who carries more than a twentieth of the traffic stands for many: told, never blocked. */
static void test_never_blocks_a_large_share_of_the_traffic(void **state)
{
    struct crowd crowd;
    crowd_open(&crowd);
    struct guard_client proxy = crowd_client(6000);
    for (uint32_t round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < 40; i++)
            (void)crowd_visit(&crowd, &proxy, 7000 + i);
        (void)crowd_live(&crowd, 0, 300);
        crowd.now_ms += 10 * CROWD_MINUTE_MS;
    }
    uint32_t sent = crowd_until(&crowd, &proxy, "GET", "/users/%u", NULL, 200, 250, 500);
    assert_true(crowd.report.shared || sent == 0);
    assert_int_not_equal(crowd.report.verdict.decision, GUARD_BLOCK);
    crowd_close(&crowd);
}

static void test_leaves_a_probe_alone(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    struct guard_client probe = crowd_client(6000);
    assert_int_equal(
        crowd_until(&crowd, &probe, "GET", "/search?username=tom", NULL, 200, 100, 10000), 0);
    crowd_close(&crowd);
}

/* A /56 is one client, however many addresses it has. */
static void test_counts_rotating_addresses_as_one(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    uint32_t found = 0;
    for (uint32_t i = 1; i <= 40 && found == 0; i++) {
        struct guard_client client = {.unit = GUARD_UNIT_PREFIX,
                                      .address_len = 16,
                                      .address = {0x20, 1, 0xd, 0xb8, 0, 0, 1, (uint8_t)i}};
        char target[64];
        snprintf(target, sizeof(target), "/users/%u", 300000 + i);
        client.address[15] = (uint8_t)(i * 7);
        if (crowd_send(&crowd, &client, "GET", target, NULL, 200))
            found = i;
    }
    assert_in_range(found, 1, 20);
    crowd_close(&crowd);
}

/* Without a population nobody is far from it; without a policy nothing is known of endpoints. */
static void test_says_nothing_before_there_is_a_norm(void **state)
{
    struct crowd crowd;
    crowd_open(&crowd);
    assert_int_equal(crowd_live(&crowd, 0, 20), 0);
    struct guard_client scraper = crowd_client(5000);
    assert_int_equal(crowd_until(&crowd, &scraper, "GET", "/users/%u", NULL, 200, 100, 100), 0);
    assert_int_equal(crowd.report.verdict.decision, GUARD_PASS);
    crowd_close(&crowd);
}

/* One window of one client reports each of its bounds once. */
static void test_repeats_itself_at_far_bounds_only(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    struct guard_client scraper = crowd_client(5000);
    uint32_t reports = 0;
    for (uint32_t i = 0; i < 300; i++) {
        char target[64];
        snprintf(target, sizeof(target), "/users/%u", 400000 + i);
        crowd.now_ms += 10;
        reports += crowd_send(&crowd, &scraper, "GET", target, NULL, 200);
    }
    assert_in_range(reports, 1, 2 * 3 * GD_CLIENT_LEVELS);
    crowd_close(&crowd);
}

static void test_modes(void **state)
{
    static const enum guard_decision actions[] = {
        [GUARD_MODE_OBSERVE] = GUARD_PASS,
        [GUARD_MODE_ALERT] = GUARD_ALERT,
        [GUARD_MODE_BLOCK] = GUARD_BLOCK,
    };
    for (int mode = GUARD_MODE_OBSERVE; mode <= GUARD_MODE_BLOCK; mode++) {
        struct crowd crowd;
        setup(&crowd);
        crowd.mode = (enum guard_mode)mode;
        struct guard_client scraper = crowd_client(5000);
        assert_true(crowd_until(&crowd, &scraper, "GET", "/users/%u", NULL, 200, 40, 500) > 0);
        assert_int_equal(crowd.report.verdict.decision, GUARD_BLOCK);
        assert_int_equal(crowd.report.verdict.action, actions[mode]);
        crowd_close(&crowd);
    }
}

/* An unverified caller in a slice of time may be a proxy. */
static void test_never_blocks_a_caller_that_may_be_many(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    struct guard_client caller = crowd_client(5000);
    caller.unit = GUARD_UNIT_SLICE;
    assert_true(crowd_until(&crowd, &caller, "GET", "/users/%u", NULL, 200, 40, 500) > 0);
    assert_true(crowd.report.shared);
    assert_int_equal(crowd.report.verdict.decision, GUARD_ALERT);
    crowd_close(&crowd);
}

static void test_ignores_what_has_no_client_or_time(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    struct guard_clients_stats before, after;
    struct guard_client nobody = {.unit = GUARD_UNIT_ANONYMOUS};
    guard_clients_stats(crowd.clients, &before);
    assert_false(crowd_send(&crowd, &nobody, "GET", "/users/7", NULL, 200));
    uint64_t now = crowd.now_ms;
    crowd.now_ms = 0;
    struct guard_client client = crowd_client(5000);
    assert_false(crowd_send(&crowd, &client, "GET", "/users/7", NULL, 200));
    crowd.now_ms = now;
    guard_clients_stats(crowd.clients, &after);
    assert_int_equal(before.exchanges, after.exchanges);
    crowd_close(&crowd);
}

/* Whatever the clock does, a scraper is found and others aren't. */
static void test_survives_jumps_of_the_clock(void **state)
{
    static const int64_t jumps[] = {-3600000, 86400000, -31536000000, 31536000000, -700000, 1};
    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        struct crowd crowd;
        setup(&crowd);
        crowd.now_ms = (uint64_t)((int64_t)crowd.now_ms + jumps[i]);
        assert_int_equal(crowd_live(&crowd, 0, 400), 0);
        struct guard_client scraper = crowd_client(5000);
        uint32_t sent = crowd_until(&crowd, &scraper, "GET", "/users/%u", NULL, 200, 60, 100);
        assert_in_range(sent, 1, 20);
        crowd_close(&crowd);
    }
}

/* Fewer than D clients, however far they go, move neither the limit nor the rule's evidence. */
static void test_few_clients_dont_raise_the_norm(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    for (uint32_t i = 0; i < 3; i++) {
        struct guard_client hostile = crowd_client(9000 + i);
        (void)crowd_until(&crowd, &hostile, "GET", "/users/%u", NULL, 200, 200, 100);
        for (uint32_t more = 0; more < 200; more++) {
            char target[64];
            snprintf(target, sizeof(target), "/users/%u", 500000 + more);
            (void)crowd_send(&crowd, &hostile, "GET", target, NULL, 200);
        }
    }
    struct guard_client scraper = crowd_client(5000);
    assert_in_range(crowd_until(&crowd, &scraper, "GET", "/users/%u", NULL, 200, 40, 500), 1, 20);
    assert_int_equal(crowd.report.verdict.decision, GUARD_BLOCK);
    crowd_close(&crowd);
}

/* Nor do many that come only to disarm a rule that is proved. */
static void test_newcomers_dont_disarm_a_rule(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    for (uint32_t i = 0; i < 50; i++) {
        struct guard_client hostile = crowd_client(9000 + i);
        (void)crowd_until(&crowd, &hostile, "GET", "/users/%u", NULL, 200, 12, 100);
    }
    struct guard_client scraper = crowd_client(5000);
    assert_in_range(crowd_until(&crowd, &scraper, "GET", "/users/%u", NULL, 200, 80, 500), 1, 60);
    assert_int_equal(crowd.report.verdict.decision, GUARD_BLOCK);
    crowd_close(&crowd);
}

/* A window moves a norm no farther than to its first bound, whatever was done in it. */
static void test_extremes_move_the_norm_by_steps(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    for (uint32_t i = 0; i < 6; i++) {
        struct guard_client hostile = crowd_client(9000 + i);
        for (uint32_t more = 0; more < 200; more++) {
            char target[64];
            snprintf(target, sizeof(target), "/users/%u", 500000 + more);
            (void)crowd_send(&crowd, &hostile, "GET", target, NULL, 200);
        }
    }
    struct guard_client scraper = crowd_client(5000);
    assert_in_range(crowd_until(&crowd, &scraper, "GET", "/users/%u", NULL, 200, 80, 500), 1, 20);
    crowd_close(&crowd);
}

/* What fewer than D do by whom the others know doesn't count against a rule either. */
static void test_few_of_long_standing_dont_disarm_a_rule(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    crowd.now_ms += 15 * CROWD_MINUTE_MS;
    for (uint32_t i = 0; i < 3; i++) {
        struct guard_client known = crowd_client(i);
        (void)crowd_until(&crowd, &known, "GET", "/users/%u", NULL, 200, 12, 100);
    }
    struct guard_client scraper = crowd_client(5000);
    assert_in_range(crowd_until(&crowd, &scraper, "GET", "/users/%u", NULL, 200, 40, 500), 1, 12);
    assert_int_equal(crowd.report.verdict.decision, GUARD_BLOCK);
    crowd_close(&crowd);
}

/* Around the border of two windows the records of two gates come in turns. */
static void test_counts_records_that_come_late(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    struct guard_client scraper = crowd_client(5000);
    const uint64_t border = crowd.now_ms / 600000 * 600000 + 600000;
    uint32_t found = 0;
    for (uint32_t i = 1; i <= 40 && found == 0; i++) {
        char target[64];
        snprintf(target, sizeof(target), "/users/%u", 600000 + i);
        crowd.now_ms = border + (i % 2 == 0 ? 200 + i : (uint64_t)0) - (i % 2) * 200;
        if (crowd_send(&crowd, &scraper, "GET", target, NULL, 200) &&
            crowd.report.verdict.findings[0].values == 600)
            found = i;
    }
    assert_in_range(found, 1, 20);
    crowd_close(&crowd);
}

static void test_refuses_what_is_no_record(void **state)
{
    struct crowd crowd;
    setup(&crowd);
    uint8_t record[GUARD_RECORD_MAX];
    struct guard_client client = crowd_client(1);
    size_t len = crowd_record(&crowd, &client, "GET", "/users/1", NULL, 200, record);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_not_equal(guard_clients_observe(crowd.clients, crowd.policy, GUARD_MODE_BLOCK,
                                                   (struct guard_span){record, cut}, &crowd.report),
                             GUARD_OK);
    record[5] ^= 1; /* another service */
    assert_int_equal(guard_clients_observe(crowd.clients, crowd.policy, GUARD_MODE_BLOCK,
                                           (struct guard_span){record, len}, &crowd.report),
                     GUARD_E_FOREIGN);
    crowd_close(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_enumeration_within_20_requests),
        cmocka_unit_test(test_finds_stuffing_with_60_percent_refused),
        cmocka_unit_test(test_finds_many_refused_logins_of_one_subject),
        cmocka_unit_test(test_finds_unknown_paths),
        cmocka_unit_test(test_finds_a_slow_scan_by_the_day),
        cmocka_unit_test(test_finds_a_hoard_of_bytes),
        cmocka_unit_test(test_leaves_many_users_behind_one_address_alone),
        cmocka_unit_test(test_never_blocks_a_large_share_of_the_traffic),
        cmocka_unit_test(test_leaves_a_probe_alone),
        cmocka_unit_test(test_counts_rotating_addresses_as_one),
        cmocka_unit_test(test_says_nothing_before_there_is_a_norm),
        cmocka_unit_test(test_repeats_itself_at_far_bounds_only),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_never_blocks_a_caller_that_may_be_many),
        cmocka_unit_test(test_ignores_what_has_no_client_or_time),
        cmocka_unit_test(test_survives_jumps_of_the_clock),
        cmocka_unit_test(test_few_clients_dont_raise_the_norm),
        cmocka_unit_test(test_newcomers_dont_disarm_a_rule),
        cmocka_unit_test(test_extremes_move_the_norm_by_steps),
        cmocka_unit_test(test_few_of_long_standing_dont_disarm_a_rule),
        cmocka_unit_test(test_counts_records_that_come_late),
        cmocka_unit_test(test_refuses_what_is_no_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
