/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a release, and what never does, however much of it there is. */
#include "guardd/releases.h"

#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { WINDOW = 6 * 3600 * 1000, START = 100000000 };

static struct releases releases;

static int fresh(void **state)
{
    (void)state;
    memset(&releases, 0, sizeof(releases));
    return 0;
}

static bool blocked(uint64_t element, uint64_t client, uint64_t now_ms)
{
    struct guard_record_head head = {.decision = GUARD_BLOCK,
                                     .status = 403,
                                     .novel = true,
                                     .novel_count = 1,
                                     .novel_elements = {element}};
    return releases_observe(&releases, &head, client, now_ms, WINDOW);
}

static bool passed(uint64_t element, uint32_t status, uint64_t now_ms)
{
    struct guard_record_head head = {.decision = GUARD_ALERT,
                                     .status = status,
                                     .novel = true,
                                     .novel_count = 1,
                                     .novel_elements = {element}};
    return releases_observe(&releases, &head, 7, now_ms, WINDOW);
}

static uint32_t let_in(uint64_t now_ms)
{
    struct guard_policy_release out[GUARD_POLICY_RELEASES];
    (void)releases_saved(&releases);
    uint32_t count = releases_let_in(&releases, now_ms, out);
    assert_int_equal(count, releases_count(&releases, RELEASE_LET_IN, now_ms));
    return count;
}

static void test_tenured_clients(void **state)
{
    (void)state;
    for (uint64_t i = 1; i < RELEASES_CLIENTS; i++) {
        for (int repeat = 0; repeat < 10; repeat++)
            assert_false(blocked(5, i, START + i));
    }
    assert_int_equal(let_in(START), 0);
    assert_true(blocked(5, RELEASES_CLIENTS, START + 10));
    assert_int_equal(let_in(START + 10), 1);
    /* It ends by itself, and nothing that comes meanwhile prolongs it. */
    for (uint64_t i = 1; i < 50; i++)
        assert_false(blocked(5, 100 + i, START + 10 + i * 1000));
    /* Nor does a request end it that is blocked for something else beside it. */
    assert_false(blocked(5, 3, START + 2 * RELEASES_TOGETHER_MS));
    assert_int_equal(let_in(START + 10 + WINDOW - 1), 1);
    assert_int_equal(let_in(START + 10 + WINDOW), 0);
}

static void test_others(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++)
        assert_false(blocked(5, 0, START + (uint64_t)i));
    /* Seven, and one long after. */
    for (uint64_t i = 1; i < RELEASES_CLIENTS; i++)
        assert_false(blocked(6, i, START));
    assert_false(blocked(6, 8, START + RELEASES_TOGETHER_MS + 1));
    assert_int_equal(let_in(START), 0);
    /* What was let through isn't wanted by those who were blocked. */
    for (uint64_t i = 1; i < 100; i++)
        assert_false(passed(7, 200, START));
    assert_int_equal(releases_count(&releases, RELEASE_WAITING, START), 2);
}

static void test_refused(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= RELEASES_CLIENTS; i++)
        (void)blocked(5, i, START);
    for (int i = 0; i < 5; i++)
        assert_false(passed(5, 200, START));
    for (int i = 0; i < RELEASES_REFUSALS - 1; i++)
        assert_false(passed(5, 404, START));
    assert_true(passed(5, 500, START));
    assert_int_equal(let_in(START), 0);
    assert_int_equal(releases_count(&releases, RELEASE_REFUSED, START), 1);
    for (uint64_t i = 1; i < 100; i++)
        assert_false(blocked(5, i, START + i));
    assert_int_equal(let_in(START), 0);
}

static void read_back(uint64_t now_ms, struct releases *out)
{
    static uint8_t bytes[RELEASES_BYTES_MAX];
    size_t len = releases_encode(&releases, now_ms, bytes);
    assert_int_equal(releases_decode(out, (struct guard_span){bytes, len}), GUARD_OK);
}

/* What was let in stays, what was refused stays so, and who waits needs only the others. */
static void test_bytes(void **state)
{
    struct releases whole;
    (void)state;
    for (uint64_t i = 1; i <= RELEASES_CLIENTS; i++) {
        (void)blocked(5, 1000 + i, START);
        (void)blocked(6, 2000 + i, START);
    }
    for (int i = 0; i < RELEASES_REFUSALS; i++)
        (void)passed(6, 404, START);
    assert_true(releases_saved(&releases));
    assert_false(releases_saved(&releases));
    for (uint64_t i = 1; i < RELEASES_CLIENTS; i++)
        (void)blocked(7, 3000 + i, START + 60000);
    (void)blocked(8, 4001, START - RELEASES_TOGETHER_MS);
    whole = releases;
    read_back(START + 60000, &releases);
    assert_int_equal(releases.count, 3); /* what few wanted long ago begins anew */
    assert_int_equal(let_in(START + WINDOW - 1), 1);
    assert_int_equal(let_in(START + WINDOW), 0);
    assert_int_equal(releases_count(&releases, RELEASE_REFUSED, START), 1);
    for (uint32_t i = 0; i < 3; i++) {
        struct release expected = whole.list[i];
        if (expected.state != RELEASE_WAITING) /* nobody is kept whom nothing waits for */
            memset(expected.clients, 0, sizeof(expected.clients));
        assert_memory_equal(&expected, &releases.list[i], sizeof(expected));
    }
    assert_false(blocked(7, 3001, START + 60001));
    assert_true(blocked(7, 3000 + RELEASES_CLIENTS, START + 60002));
}

static void test_bytes_that_are_damaged(void **state)
{
    static uint8_t bytes[RELEASES_BYTES_MAX];
    struct test_random random = test_random_start("damaged");
    struct releases out;
    (void)state;
    for (uint64_t i = 0; i < 2000; i++)
        (void)blocked(1 + test_random_below(&random, 400), test_random_below(&random, 20), START);
    size_t len = releases_encode(&releases, START, bytes);
    assert_true(len <= RELEASES_BYTES_MAX);
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(releases_decode(&out, (struct guard_span){bytes, cut}), GUARD_E_SYNTAX);
        assert_int_equal(out.count, 0);
    }
    for (int i = 0; i < 20000; i++) {
        size_t at = test_random_below(&random, (uint32_t)len);
        bytes[at] ^= (uint8_t)(1 + test_random_below(&random, 255));
        (void)!releases_decode(&out, (struct guard_span){bytes, len});
        for (uint32_t k = 0; k < out.count; k++)
            assert_true(out.list[k].state <= RELEASE_REFUSED &&
                        out.list[k].client_count <= RELEASES_CLIENTS);
    }
}

/* A law: whatever comes in whatever order, nothing is let in that fewer than eight tenured clients
 * were blocked for; and a flood of names by others drives out nothing that is let in. */
static void test_floods(void **state)
{
    (void)state;
    struct test_random random = test_random_start("floods");
    uint64_t clients[64] = {0}; /* of element i, as bits */
    for (uint64_t i = 1; i <= RELEASES_CLIENTS; i++)
        (void)blocked(1000, i, START);
    for (int i = 0; i < 200000; i++) {
        uint64_t element = 1 + test_random_below(&random, 63);
        uint64_t client =
            test_random_below(&random, 4) == 0 ? 1 + test_random_below(&random, element) : 0;
        if (client > 0)
            clients[element] |= UINT64_C(1) << (client - 1);
        bool told = blocked(element, client, START + (uint64_t)i / 100);
        if (told)
            assert_true(__builtin_popcountll(clients[element]) >= RELEASES_CLIENTS);
        (void)blocked(100000 + (uint64_t)i, 0, START + (uint64_t)i / 100);
    }
    struct guard_policy_release out[GUARD_POLICY_RELEASES];
    (void)releases_saved(&releases);
    uint32_t count = releases_let_in(&releases, START + 2001, out);
    bool kept = false;
    for (uint32_t i = 0; i < count; i++)
        kept = kept || out[i].element == 1000;
    assert_true(kept);
    assert_true(releases.count <= RELEASES_WATCHED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_tenured_clients, fresh),
        cmocka_unit_test_setup(test_others, fresh),
        cmocka_unit_test_setup(test_refused, fresh),
        cmocka_unit_test_setup(test_floods, fresh),
        cmocka_unit_test_setup(test_bytes, fresh),
        cmocka_unit_test_setup(test_bytes_that_are_damaged, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
