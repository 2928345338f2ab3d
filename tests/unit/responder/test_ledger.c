/* SPDX-License-Identifier: Apache-2.0 */
/* The books: what was written is read again, one changed byte is noticed, and nothing grows beyond
 * its room. */
#include "responder/ledger.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ledger ledger, again;
static char folder[] = "/tmp/guard-ledger-XXXXXX";

static struct pod_order order_of(const char *id, const char *uid, const char *text)
{
    struct pod_order order = {.decided_ms = 1000,
                              .service = "shop",
                              .name_space = "shop",
                              .workload = "cart",
                              .container = "app",
                              .pod = "cart-1",
                              .replicas = 4,
                              .ready = 3,
                              .reason = "r",
                              .evidence = {{.kind = "process"}},
                              .evidence_count = 1};
    snprintf(order.id, sizeof(order.id), "%s", id);
    snprintf(order.uid, sizeof(order.uid), "%s", uid);
    snprintf(order.evidence[0].text, sizeof(order.evidence[0].text), "%s", text);
    return order;
}

static void fill(void)
{
    struct guard_err err;
    struct pod_order order = order_of("order-1", "u1", "runs /tmp/x1");
    memset(&ledger, 0, sizeof(ledger));
    struct guard_pod_budget *budget = ledger_budget(&ledger, "shop", "cart");
    budget->begun = 3;
    budget->streak = 2;
    budget->last_ms = 1764000000123;
    budget->begun_ms[63] = 1764000000001;
    ledger_stop(&ledger, &order, POD_STOP_REPLACEMENT, 1764000000777);
    ledger_begin(&ledger, 1764000000000);
    assert_true(ledger_handle(&ledger, &order, 1764000000000, 1));
    uint64_t pod;
    assert_false(ledger_trace(&ledger, &order, 60000, 1764000000000, &pod));
    struct response *response = ledger_room(&ledger);
    *response = (struct response){.used = true,
                                  .order = order,
                                  .machine = {.step = GUARD_POD_REMOVE, .done = 7, .since_ms = 9},
                                  .acting = true,
                                  .acting_ms = 1764000000456,
                                  .contained = true,
                                  .held_ms = 1764000009000,
                                  .group_number = UINT64_MAX - 1,
                                  .telling = true,
                                  .line = {.id = "order-1", .at_ms = 5, .detail = "d\"\\"}};
    assert_int_equal(ledger_keep_order(folder, &order, &err), GUARD_OK);
    assert_int_equal(ledger_write(&ledger, folder, &err), GUARD_OK);
}

static void what_was_written_is_read_again(void **state)
{
    struct guard_err err = {""};
    (void)state;
    fill();
    assert_int_equal(ledger_read(&again, folder, &err), GUARD_OK);
    assert_memory_equal(again.workloads, ledger.workloads, sizeof(ledger.workloads));
    assert_memory_equal(again.handled, ledger.handled, sizeof(ledger.handled));
    assert_memory_equal(again.traces, ledger.traces, sizeof(ledger.traces));
    const struct response *read = ledger_response(&again, "order-1");
    assert_non_null(read);
    assert_int_equal(read->group_number, UINT64_MAX - 1);
    assert_true(read->acting && read->contained && read->telling && !read->frozen);
    assert_int_equal(read->machine.step, GUARD_POD_REMOVE);
    assert_int_equal(read->acting_ms, 1764000000456);
    assert_string_equal(read->line.detail, "d\"\\");
    assert_string_equal(read->order.evidence[0].text, "runs /tmp/x1");
    assert_int_equal(read->group.fd, -1);
}

static void one_changed_byte_is_noticed(void **state)
{
    char path[64];
    struct guard_err err;
    uint8_t *bytes;
    size_t len;
    (void)state;
    fill();
    snprintf(path, sizeof(path), "%s/ledger", folder);
    assert_int_equal(file_read(path, 1 << 20, &bytes, &len, &err), GUARD_OK);
    for (size_t i = 0; i < len; i += 37) {
        bytes[i] ^= 1;
        assert_int_equal(file_replace(path, (struct guard_span){bytes, len}, 0600, false, &err),
                         GUARD_OK);
        assert_int_equal(ledger_read(&again, folder, &err), GUARD_E_CHECKSUM);
        assert_int_equal(again.workload_count, 0);
        bytes[i] ^= 1;
    }
    assert_int_equal(file_replace(path, (struct guard_span){bytes, len / 2}, 0600, false, &err),
                     GUARD_OK);
    assert_int_equal(ledger_read(&again, folder, &err), GUARD_E_CHECKSUM);
    free(bytes);
}

static void another_pod_with_the_same_is_seen(void **state)
{
    uint64_t pod = 0;
    struct pod_order first = order_of("a", "u1", "runs /tmp/x17");
    struct pod_order same = order_of("b", "u2", "runs /tmp/x4");
    struct pod_order other = order_of("c", "u3", "runs /tmp/y4");
    (void)state;
    memset(&ledger, 0, sizeof(ledger));
    assert_false(ledger_trace(&ledger, &first, 1000, 5000, &pod));
    assert_false(ledger_trace(&ledger, &first, 1000, 5500, &pod)); /* itself */
    assert_false(ledger_trace(&ledger, &other, 1000, 5500, &pod));
    assert_true(ledger_trace(&ledger, &same, 1000, 6000, &pod));
    assert_int_equal(pod, ledger_pod("u1"));
    struct pod_order late = order_of("d", "u4", "runs /tmp/x4");
    assert_false(ledger_trace(&ledger, &late, 1000, 7000, &pod)); /* the window is over */
}

static void what_it_was_stopped_for_first_stays_until_a_person_says_so(void **state)
{
    struct pod_order order = order_of("a", "u1", "x"), other = order_of("b", "u2", "x");
    struct guard_err err;
    uint64_t pod;
    (void)state;
    memset(&ledger, 0, sizeof(ledger));
    ledger_stop(&ledger, &order, POD_STOP_REPLACEMENT, 5); /* it has no books */
    assert_int_equal(ledger.workload_count, 0);
    struct guard_pod_budget *budget = ledger_budget(&ledger, "shop", "cart");
    assert_false(ledger_resume(&ledger, "shop", "cart"));
    (void)ledger_trace(&ledger, &order, 1000, 5000, &pod);
    ledger_stop(&ledger, &order, POD_STOP_SAME_EVIDENCE, 6000);
    ledger_stop(&ledger, &order, POD_STOP_REPLACEMENT, 7000);
    assert_true(budget->stopped);
    assert_int_equal(ledger_write(&ledger, folder, &err), GUARD_OK);
    assert_int_equal(ledger_read(&again, folder, &err), GUARD_OK);
    assert_int_equal(again.workloads[0].stop, POD_STOP_SAME_EVIDENCE);
    assert_int_equal(again.workloads[0].stopped_ms, 6000);
    assert_false(ledger_resume(&ledger, "shop", "other"));
    assert_true(ledger_resume(&ledger, "shop", "cart"));
    assert_true(!budget->stopped && ledger.workloads[0].stopped_ms == 0);
    assert_false(ledger_trace(&ledger, &other, 1000, 5500, &pod)); /* what was seen is known */
}

static void nothing_grows_beyond_its_room(void **state)
{
    char id[24];
    uint64_t pod;
    (void)state;
    memset(&ledger, 0, sizeof(ledger));
    for (uint32_t i = 0; i < 2 * TRACES_MAX; i++) {
        snprintf(id, sizeof(id), "o%u", i);
        struct pod_order order = order_of(id, id, "x");
        bool kept = ledger_handle(&ledger, &order, 1000 + i, 100000);
        assert_int_equal(kept, i < HANDLED_MAX);
        (void)ledger_trace(&ledger, &order, 1000, 1000, &pod);
        ledger_begin(&ledger, i);
        (void)ledger_budget(&ledger, "n", id);
    }
    assert_int_equal(ledger.trace_count, TRACES_MAX);
    assert_int_equal(ledger.begun_count, BEGUN_MAX);
    assert_int_equal(ledger.workload_count, CONFIG_WORKLOADS_MAX);
    assert_true(ledger_was_handled(&ledger, "o0"));
    struct pod_order last = order_of("last", "u", "x");
    assert_true(ledger_handle(&ledger, &last, 200000, 100000)); /* the oldest is too old by now */
    assert_false(ledger_was_handled(&ledger, "o0"));
    struct guard_err err;
    assert_int_equal(ledger_write(&ledger, folder, &err), GUARD_OK);
    assert_int_equal(ledger_read(&again, folder, &err), GUARD_OK);
}

int main(void)
{
    char path[64];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(one_changed_byte_is_noticed),
        cmocka_unit_test(another_pod_with_the_same_is_seen),
        cmocka_unit_test(what_it_was_stopped_for_first_stays_until_a_person_says_so),
        cmocka_unit_test(nothing_grows_beyond_its_room),
    };
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof(path), "%s/orders", folder);
    mkdir(path, 0700);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(path, sizeof(path), "%s/orders/order-1.json", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/orders", folder);
    rmdir(path);
    snprintf(path, sizeof(path), "%s/ledger", folder);
    unlink(path);
    rmdir(folder);
    return failed;
}
