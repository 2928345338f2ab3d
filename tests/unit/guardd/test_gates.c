/* SPDX-License-Identifier: Apache-2.0 */
/* What gates tell of themselves is taken by name, once for each service, and never more than there
 * may be; who is silent isn't shown, and who is long gone is removed. */
#include "guardd/gates.h"

#include "common/file.h"
#include "support/random.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char id[] = "0123456789abcdef";
static const char good[] =
    "{\"time_ms\":5,\"running\":2,\"leaving\":1,\"rings_failed\":true}\n"
    "{\"service\":\"shop\",\"generation\":7,\"generation_oldest\":6,\"generation_newest\":7,"
    "\"mode\":\"block\",\"slow\":true,\"policy_refused\":false,\"news\":1,"
    "\"counts\":{\"exchanges\":41,\"overhead_ns\":-3,\"unheard_of\":9,\"late\":[1]}}\n"
    "{\"service\":\"shop\",\"counts\":{\"exchanges\":99}}\n"
    "{\"service\":\"stranger\",\"counts\":{\"exchanges\":99}}\n"
    "{\"service\":\"cart\",\"mode\":\"none\",\"counts\":{}}\n"
    "{\"end\":true}\n";

static char dir[64];
static char rings[80];
static struct service shop, cart;
static struct services services;

struct service *services_find(const struct services *all, struct guard_span name)
{
    (void)all;
    if (name.len == 4 && memcmp(name.ptr, "shop", 4) == 0)
        return &shop;
    return name.len == 4 && memcmp(name.ptr, "cart", 4) == 0 ? &cart : NULL;
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/test_gates.XXXXXX");
    services.count = 2;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(rings, sizeof(rings), "%s/rings", dir);
    return mkdir(rings, 0700);
}

static int teardown(void **state)
{
    char path[160];
    static const char *const files[] = {"0123456789abcdef.counts", "0123456789abcde.counts",
                                        "0123456789abcdeF.counts", "0123456789abcdef.ring",
                                        "fedcba9876543210.counts"};
    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", rings, files[i]);
        unlink(path);
    }
    return rmdir(rings) == 0 ? rmdir(dir) : -1;
}

static void put_file(const char *name, const char *text, size_t len)
{
    char path[160];
    struct guard_err err;
    snprintf(path, sizeof(path), "%s/%s", rings, name);
    assert_int_equal(
        file_replace(path, (struct guard_span){(const uint8_t *)text, len}, 0640, false, &err),
        GUARD_OK);
}

static struct gates *read_all(uint64_t now_ms)
{
    struct gates *gates = calloc(1, sizeof(*gates));
    assert_non_null(gates);
    gates_read(gates, dir, &services, now_ms);
    return gates;
}

static void end(struct gates *gates)
{
    gates_free(gates);
    free(gates);
}

static uint64_t number(const struct gate_told *told, const char *name)
{
    uint32_t at = gate_number(name);
    assert_true(at < gate_number_count);
    return told->numbers[at];
}

static void test_what_is_known_is_taken_once(void **state)
{
    (void)state;
    put_file("0123456789abcdef.counts", good, sizeof(good) - 1);
    put_file("0123456789abcde.counts", good, sizeof(good) - 1);
    put_file("0123456789abcdeF.counts", good, sizeof(good) - 1);
    put_file("0123456789abcdef.ring", good, sizeof(good) - 1);
    struct gates *gates = read_all(clock_unix_ms());
    assert_int_equal(gates->count, 1);
    const struct gate_report *report = &gates->list[0];
    assert_string_equal(report->id, id);
    assert_int_equal(report->running, 2);
    assert_int_equal(report->leaving, 1);
    assert_true(report->rings_failed);
    assert_int_equal(report->count, 2);
    const struct gate_told *told = &report->list[0];
    assert_ptr_equal(told->service, &shop);
    assert_true(told->has_policy && told->mode == GUARD_MODE_BLOCK);
    assert_int_equal(number(told, "exchanges"), 41);
    assert_int_equal(number(told, "generation_oldest"), 6);
    assert_int_equal(number(told, "slow"), 1);
    assert_int_equal(number(told, "policy_refused"), 0);
    assert_int_equal(number(told, "overhead_ns"), 0);
    assert_int_equal(number(told, "late"), 0);
    assert_ptr_equal(report->list[1].service, &cart);
    assert_false(report->list[1].has_policy);
    assert_int_equal(gate_number("unheard_of"), gate_number_count);
    end(gates);
}

static void test_the_silent_are_not_shown_and_the_gone_removed(void **state)
{
    char path[160];
    uint64_t now_ms = clock_unix_ms();
    (void)state;
    put_file("0123456789abcdef.counts", good, sizeof(good) - 1);
    snprintf(path, sizeof(path), "%s/0123456789abcdef.counts", rings);
    struct gates *gates = read_all(now_ms + GATE_SILENT_MS + 5000);
    assert_int_equal(gates->count, 0);
    end(gates);
    gates = read_all(now_ms - 3600000); /* the clock was set back */
    assert_int_equal(gates->count, 1);
    end(gates);
    gates_drop_old(dir, now_ms + GATE_SILENT_MS + 5000);
    assert_int_equal(access(path, F_OK), 0);
    gates_drop_old(dir, now_ms + GATE_DROPPED_MS + 5000);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_damaged_files_do_no_harm(void **state)
{
    struct test_random random = test_random_start("gates");
    char text[sizeof(good)];
    (void)state;
    for (int i = 0; i < 800; i++) {
        size_t len = sizeof(good) - 1;
        memcpy(text, good, sizeof(good));
        if (i < (int)len)
            len = (size_t)i;
        else
            text[test_random_below(&random, (uint32_t)len)] = (char)test_random_below(&random, 256);
        put_file("0123456789abcdef.counts", text, len);
        struct gates *gates = read_all(clock_unix_ms());
        assert_int_equal(gates->count, 1);
        assert_true(gates->list[0].count <= services.count);
        end(gates);
    }
}

/* Each line costs more to read than to write. */
static void test_only_so_many_lines_are_read(void **state)
{
    enum { MANY = 2 * SERVICES_MAX };
    static char text[MANY + sizeof(good)];
    (void)state;
    memset(text, '\n', MANY);
    memcpy(text + MANY, good, sizeof(good) - 1);
    put_file("0123456789abcdef.counts", text, MANY + sizeof(good) - 1);
    struct gates *gates = read_all(clock_unix_ms());
    assert_int_equal(gates->count, 1);
    assert_int_equal(gates->list[0].count, 0);
    end(gates);
    put_file("0123456789abcdef.counts", text + MANY / 2, MANY / 2 + sizeof(good) - 1);
    gates = read_all(clock_unix_ms());
    assert_int_equal(gates->list[0].count, 2);
    end(gates);
}

/* What leads elsewhere isn't followed, and what is too large isn't read. */
static void test_other_files_are_left_alone(void **state)
{
    char path[160];
    (void)state;
    put_file("0123456789abcdef.ring", good, sizeof(good) - 1);
    snprintf(path, sizeof(path), "%s/0123456789abcdef.counts", rings);
    assert_int_equal(symlink("0123456789abcdef.ring", path), 0);
    put_file("fedcba9876543210.counts", good, sizeof(good) - 1);
    char large[160];
    snprintf(large, sizeof(large), "%s/fedcba9876543210.counts", rings);
    assert_int_equal(truncate(large, GATES_BYTES_MAX + 1), 0);
    struct gates *gates = read_all(clock_unix_ms());
    assert_int_equal(gates->count, 0);
    end(gates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_known_is_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_silent_are_not_shown_and_the_gone_removed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_damaged_files_do_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_so_many_lines_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_files_are_left_alone, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
