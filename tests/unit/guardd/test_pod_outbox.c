/* SPDX-License-Identifier: Apache-2.0 */
/* What waits for the transaction: in the order in which it came, bounded, and kept until that. */
#include "guardd/pods/outbox.h"
#include "guardd/service.h"

#include <stdlib.h>
#include <string.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SAVED_MAX = 64 };

static const uint8_t secret[POD_BATCH_SECRET] = "secret";
static const struct pod_reporter who = {.name = "ann"};
static struct service shop, cart;
static struct pod_outbox outbox;
static struct services services;
static struct {
    const struct service *of[SAVED_MAX];
    size_t len[SAVED_MAX];
    char last[SAVED_MAX];
    uint32_t count;
    bool fails;
} saved;

enum guard_rc store_add_pod_records(struct store *store, struct guard_span service,
                                    struct guard_span bytes, struct guard_err *err)
{
    (void)store;
    if (saved.fails)
        return guard_fail(err, GUARD_E_IO, "away");
    assert_true(saved.count < SAVED_MAX);
    saved.of[saved.count] = service.ptr == shop.name.ptr ? &shop : &cart;
    saved.last[saved.count] = (char)bytes.ptr[bytes.len - 1];
    saved.len[saved.count++] = bytes.len;
    return GUARD_OK;
}

static int begin(void **state)
{
    (void)state;
    shop.name = (struct guard_span){(const uint8_t *)"shop", 4};
    cart.name = (struct guard_span){(const uint8_t *)"cart", 4};
    memset(&saved, 0, sizeof(saved));
    return 0;
}

static int end(void **state)
{
    (void)state;
    pod_outbox_empty(&outbox);
    outbox.saved_ms = 0;
    return 0;
}

static enum guard_rc add(const struct service *service, char byte, size_t len)
{
    uint8_t *bytes = malloc(len);
    assert_non_null(bytes);
    memset(bytes, byte, len);
    enum guard_rc rc =
        pod_outbox_add(&outbox, service, 1, &who, secret, (struct guard_span){bytes, len}, NULL);
    free(bytes);
    return rc;
}

static void each_service_has_rows_in_the_order_of_its_records(void **state)
{
    (void)state;
    const size_t large = 100 * 1024;
    assert_int_equal(add(&shop, 'a', large), GUARD_OK);
    assert_int_equal(add(&cart, 'b', 10), GUARD_OK);
    assert_int_equal(add(&shop, 'c', large), GUARD_OK);
    assert_int_equal(add(&shop, 'd', large), GUARD_OK); /* of another row */
    assert_int_equal(add(&shop, 'e', 10), GUARD_OK);    /* behind it, though the first had room */
    assert_int_equal(outbox.rows, 3);
    assert_int_equal(pod_outbox_save(&outbox, &services, 100000, NULL), GUARD_OK);
    assert_true(outbox.saving);
    assert_int_equal(saved.count, 3);
    assert_ptr_equal(saved.of[0], &shop);
    assert_ptr_equal(saved.of[1], &cart);
    assert_ptr_equal(saved.of[2], &shop);
    assert_int_equal(saved.last[0], 'c');
    assert_int_equal(saved.last[2], 'e');
    assert_int_equal(outbox.bytes, saved.len[0] + saved.len[1] + saved.len[2]);
}

static void it_waits_for_its_time_and_for_the_database(void **state)
{
    (void)state;
    assert_int_equal(pod_outbox_save(&outbox, &services, 100000, NULL), GUARD_OK);
    assert_false(outbox.saving);
    assert_int_equal(add(&shop, 'a', 10), GUARD_OK);
    saved.fails = true;
    assert_int_equal(pod_outbox_save(&outbox, &services, 100000, NULL), GUARD_E_IO);
    assert_false(outbox.saving);
    saved.fails = false;
    assert_int_equal(pod_outbox_save(&outbox, &services, 100001, NULL), GUARD_OK);
    assert_true(outbox.saving);
    pod_outbox_empty(&outbox);
    assert_int_equal(add(&shop, 'b', 10), GUARD_OK);
    assert_int_equal(pod_outbox_save(&outbox, &services, 100002, NULL), GUARD_OK);
    assert_false(outbox.saving);
    assert_int_equal(saved.count, 1);
    assert_int_equal(pod_outbox_save(&outbox, &services, 99999, NULL), GUARD_OK); /* set back */
    assert_true(outbox.saving);
    assert_int_equal(saved.count, 2);
}

/* One that is nobody's: the outbox tells services apart by where they are alone. */
static const struct service *other(uint32_t index)
{
    static char places[POD_OUTBOX_ROWS_MAX + 1];
    return (const struct service *)(const void *)&places[index];
}

static void it_is_bounded(void **state)
{
    (void)state;
    size_t before = 0;
    while (add(&shop, 'a', 190 * 1024) == GUARD_OK)
        assert_true(outbox.bytes > before && (before = outbox.bytes) > 0);
    assert_true(outbox.bytes <= POD_OUTBOX_BYTES_MAX + POD_ROW_BYTES_MAX);
    assert_true(outbox.bytes > POD_OUTBOX_BYTES_MAX - POD_ROW_BYTES_MAX);
    assert_int_equal(pod_outbox_room(&outbox, POD_ROW_BYTES_MAX, NULL), GUARD_E_IO);
    pod_outbox_empty(&outbox);
    for (uint32_t i = 0; i < POD_OUTBOX_ROWS_MAX; i++)
        assert_int_equal(add(other(i), 'a', 10), GUARD_OK);
    assert_int_equal(add(other(POD_OUTBOX_ROWS_MAX), 'a', 10), GUARD_E_IO);
    assert_int_equal(add(other(0), 'a', 10), GUARD_OK); /* it has a row */
    assert_int_equal(pod_outbox_room(&outbox, 0, NULL), GUARD_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_service_has_rows_in_the_order_of_its_records, begin,
                                        end),
        cmocka_unit_test_setup_teardown(it_waits_for_its_time_and_for_the_database, begin, end),
        cmocka_unit_test_setup_teardown(it_is_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
