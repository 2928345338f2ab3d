/* SPDX-License-Identifier: Apache-2.0 */
/* A memo changes no feature, keeps what comes again, and keeps no secrets. */
#include "profile/memo.h"

#include "exchange.h"

#include <stdio.h>

static struct failing_alloc memory;
static struct guard_memo *memo;

static int setup(void **state)
{
    (void)state;
    failing_alloc_init(&memory, 0);
    return guard_memo_new(&memo, &memory.alloc) == GUARD_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    guard_memo_free(memo);
    return memory.live == 0 ? 0 : -1;
}

static bool knows(const char *name, const char *value)
{
    struct gd_memo_visit visit;
    gd_memo_look(&visit, memo, 42, text(name), text(value));
    return visit.found != NULL;
}

/* Reads a header as an exchange does. */
static void meet(const char *name, const char *value)
{
    struct guard_arena arena;
    struct gd_memo_visit visit;
    struct gd_summary summary;
    guard_arena_init(&arena, &memory.alloc, 1 << 20);
    gd_summary_init(&summary);
    gd_summary_add(&summary, text(value), 0, &arena);
    gd_memo_look(&visit, memo, 42, text(name), text(value));
    gd_memo_keep(&visit, text(name), text(value), &summary);
    guard_arena_reset(&arena);
}

static void test_second_time(void **state)
{
    (void)state;
    assert_false(knows("accept", "text/html"));
    meet("accept", "text/html");
    assert_false(knows("accept", "text/html"));
    meet("accept", "text/html");
    assert_true(knows("accept", "text/html"));
    /* Neither another value nor another name with the same bytes in all. */
    assert_false(knows("accept", "text/htmL"));
    assert_false(knows("accept", "text/htm"));
    assert_false(knows("acceptt", "ext/html"));
}

/* The n-th value of "x-thing" whose places begin with this one. */
static void neighbour(uint32_t first, int n, char value[16])
{
    struct gd_memo_visit visit;
    for (int i = 0; n >= 0; i++) {
        snprintf(value, 16, "%d", i);
        gd_memo_look(&visit, memo, 42, text("x-thing"), text(value));
        n -= visit.first == first;
    }
}

enum { TOGETHER = 4 };

/* Two dozen headers come with each exchange: those of one place leave each other alone. */
static void test_one_place(void **state)
{
    (void)state;
    char values[TOGETHER + 2][16];
    for (int i = 0; i < TOGETHER + 2; i++)
        neighbour(8, i, values[i]);
    for (int times = 0; times < 2; times++) {
        for (int i = 0; i < TOGETHER; i++)
            meet("x-thing", values[i]);
    }
    for (int i = 0; i < TOGETHER; i++)
        assert_true(knows("x-thing", values[i]));
    /* Each newcomer takes one place. */
    for (int newcomer = TOGETHER; newcomer < TOGETHER + 2; newcomer++) {
        meet("x-thing", values[newcomer]);
        meet("x-thing", values[newcomer]);
        assert_true(knows("x-thing", values[newcomer]));
    }
    int left = 0;
    for (int i = 0; i < TOGETHER; i++)
        left += knows("x-thing", values[i]);
    assert_int_equal(left, TOGETHER - 2);
}

/* Both ends name a place in the memo; the middle counts all the same. */
static void test_same_ends(void **state)
{
    (void)state;
    for (int times = 0; times < 2; times++)
        meet("x-thing", "beginning-1-endings");
    assert_true(knows("x-thing", "beginning-1-endings"));
    assert_false(knows("x-thing", "beginning-2-endings"));
    assert_false(knows("x-thong", "beginning-1-endings"));
}

static void test_not_kept(void **state)
{
    (void)state;
    char many[200];
    for (size_t i = 0; i < sizeof(many) - 1; i++)
        many[i] = "!\"#$%&'()*"[i % 7 * (i % 3 + 1) % 10];
    many[sizeof(many) - 1] = '\0';
    char longer[300];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    const char *const headers[][2] = {
        {"authorization", "Bearer abc"},
        {"x-api-key", "k1"},
        {"x-thing", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijk"},
        {"x-thing", "a\001b"},
        {"x-thing", "a\xff"},
        {"x-thing", many},
        {"x-thing", longer},
        {"x-thing", ""},
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        for (int times = 0; times < 3; times++)
            meet(headers[i][0], headers[i][1]);
        assert_false(knows(headers[i][0], headers[i][1]));
    }
}

static size_t record_of(struct guard_memo *with, const char *const *headers, uint8_t *record)
{
    struct guard_arena arena;
    struct guard_txn *txn;
    size_t len = 0;
    struct guard_txn_cfg cfg = {.service = text("shop"), .hash_seed = 42, .memo = with};
    guard_arena_init(&arena, &memory.alloc, EXCHANGE_ARENA);
    assert_int_equal(guard_txn_begin(&txn, &cfg, &arena), GUARD_OK);
    guard_txn_request(txn, text("GET"), text("/a?b=c"), 11);
    for (; *headers != NULL; headers++) {
        const char *colon = strchr(*headers, ':');
        guard_txn_header(txn, gd_span(*headers, (size_t)(colon - *headers)), text(colon + 2));
    }
    (void)guard_txn_headers_end(txn);
    (void)guard_txn_request_end(txn);
    assert_int_equal(guard_txn_record(txn, record, GUARD_RECORD_MAX, &len), GUARD_OK);
    guard_arena_reset(&arena);
    return len;
}

static void test_same_records(void **state)
{
    (void)state;
    static const char *const exchanges[][8] = {
        {"Host: shop.test", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)", "Accept: */*",
         "X-A: ", NULL},
        {"Host: shop.test", "Accept: text/html", "Accept: */*", "Authorization: Basic QTpC", NULL},
        {"Host: shop.test", "Host: shop.test", "Password: a", "Cookie: a=b; c=d", "X-B: \xff\x01",
         NULL},
        {"Content-Type: application/json", "Accept: a\"b'c<d>e;f=g", "Accept: a\"b'c<d>e;f=g",
         NULL},
    };
    static uint8_t with[GUARD_RECORD_MAX], without[GUARD_RECORD_MAX];
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
            size_t len = record_of(NULL, exchanges[i], without);
            assert_int_equal(record_of(memo, exchanges[i], with), len);
            assert_memory_equal(with, without, len);
        }
    }
    assert_true(knows("host", "shop.test"));
    assert_false(knows("password", "a"));
}

/* No hash of a secret leaves the exchange, however often it comes. */
static void test_secret_again(void **state)
{
    (void)state;
    static const char *const headers[] = {"X-Password: a", "X-Password: a", "X-Colour: a", NULL};
    struct exchange exchange;
    const struct gd_profile *profile = exchange_run(&exchange, "GET", "/", headers, NULL, NULL);
    for (uint32_t i = 0; i < profile->field_count; i++) {
        const struct gd_field *field = &profile->fields[i];
        if (field->location == GUARD_LOCATION_HEADER)
            assert_int_equal(field->summary.literal_known,
                             gd_span_equal(field->name, text("x-colour")));
    }
    exchange_fini(&exchange);
}

static void test_oom(void **state)
{
    (void)state;
    struct failing_alloc none;
    struct guard_memo *made;
    failing_alloc_init(&none, 1);
    assert_int_equal(guard_memo_new(&made, &none.alloc), GUARD_E_NOMEM);
    assert_null(made);
    guard_memo_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_second_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_secret_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oom, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
