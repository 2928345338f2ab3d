/* SPDX-License-Identifier: Apache-2.0 */
/* Costs of patches are summed over gates, and what gates write that isn't a cost is left alone. */
#include "common/patch_costs.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/guard-costs.XXXXXX";

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/rings/%s", folder, name);
    assert_int_equal(file_replace(path, span(text), 0640, false, NULL), GUARD_OK);
}

static int make(void **state)
{
    char path[256];
    (void)state;
    snprintf(path, sizeof(path), "%s/rings", mkdtemp(folder) != NULL ? folder : "");
    return mkdir(path, 0700);
}

static void sums_over_gates(void **state)
{
    struct guard_patch patches[] = {{.id = span("a")}, {.id = span("b")}};
    struct patch_cost costs[2];
    (void)state;
    put("0123456789abcdef.counts",
        "{\"time_ms\":1,\"running\":1}\n{\"service\":\"shop\",\"exchanges\":5}\n"
        "{\"costs_of\":\"shop\",\"patch\":\"a\",\"tried\":10,\"held\":2,\"bytes\":100,\"timed\":3,"
        "\"timed_ns\":900}\n"
        "{\"costs_of\":\"pay\",\"patch\":\"a\",\"tried\":1000}\n"
        "{\"costs_of\":\"shop\",\"patch\":\"gone\",\"tried\":1000}\n{\"end\":true}\n");
    put("00000000000000ff.counts",
        "{\"costs_of\":\"shop\",\"patch\":\"a\",\"tried\":1,\"held\":1,\"bytes\":7,\"timed\":0,"
        "\"timed_ns\":0}\n");
    put("00000000000000ff.ring", "{\"costs_of\":\"shop\",\"patch\":\"b\",\"tried\":1}\n");
    patch_costs_of(folder, span("shop"), patches, 2, costs);
    assert_int_equal(costs[0].tried, 11);
    assert_int_equal(costs[0].held, 3);
    assert_int_equal(costs[0].bytes, 107);
    assert_int_equal(costs[0].timed, 3);
    assert_int_equal(costs[0].timed_ns, 900);
    assert_int_equal(costs[1].tried, 0);
}

/* Written by whoever has the gate. */
static void is_not_misled(void **state)
{
    static char many[64 * 1024];
    struct guard_patch patches[] = {{.id = span("a")}};
    struct patch_cost cost;
    (void)state;
    put("00000000000000ff.counts", "");
    put("0123456789abcdef.counts",
        "{\"costs_of\":[[\"shop\"]],\"patch\":{},\"tried\":9}\n{\"costs_of\":\"shop\"\n\n"
        "{\"costs_of\":\"shop\",\"patch\":\"a\",\"tried\":-5,\"held\":\"x\",\"bytes\":1e300}\n"
        "{\"costs_of\":\"shop\",\"patch\":\"a\",\"tried\":9223372036854775807,\"bytes\":1e300}\n"
        "{\"costs_of\":\"shop\",\"patch\":\"a\",\"tried\":9223372036854775807}\n"
        "{\"costs_of\":\"shop\",\"patch\":\"a\",\"tried\":3}");
    patch_costs_of(folder, span("shop"), patches, 1, &cost);
    assert_int_equal(cost.tried, INT64_MAX);
    assert_int_equal(cost.bytes, INT64_MAX);
    assert_int_equal(cost.held, 0);
    memset(many, '[', sizeof(many) - 1);
    memcpy(many, "{\"costs_of\":", 12);
    put("0123456789abcdef.counts", many);
    patch_costs_of(folder, span("shop"), patches, 1, &cost);
    assert_int_equal(cost.tried, 0);
}

static void count_line(void *ctx, const char *gate, struct guard_span service,
                       struct guard_span patch, const struct patch_cost *cost)
{
    uint32_t *count = ctx;
    (void)service;
    (void)patch;
    (void)cost;
    assert_string_equal(gate, "0123456789abcdef");
    ++*count;
}

static void silent_gates_are_told_apart(void **state)
{
    struct stat info;
    char path[256];
    uint32_t count = 0;
    (void)state;
    put("00000000000000ff.counts", "");
    put("0123456789abcdef.counts", "{\"costs_of\":\"shop\",\"patch\":\"a\",\"tried\":3}\n");
    snprintf(path, sizeof(path), "%s/rings/0123456789abcdef.counts", folder);
    assert_int_equal(stat(path, &info), 0);
    uint64_t at_ms = (uint64_t)info.st_mtim.tv_sec * 1000 + 999;
    patch_costs_read(folder, at_ms + 30000, 60000, count_line, &count);
    assert_int_equal(count, 1);
    patch_costs_read(folder, at_ms + 90000, 60000, count_line, &count);
    assert_int_equal(count, 1);
    patch_costs_read(folder, at_ms + 90000, 0, count_line, &count);
    assert_int_equal(count, 2);
    patch_costs_read("/nowhere/at/all", at_ms, 0, count_line, &count);
    assert_int_equal(count, 2);
}

static int drop(void **state)
{
    char path[256];
    static const char *const names[] = {"rings/0123456789abcdef.counts",
                                        "rings/00000000000000ff.counts",
                                        "rings/00000000000000ff.ring"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    snprintf(path, sizeof(path), "%s/rings", folder);
    (void)rmdir(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_over_gates),
        cmocka_unit_test(is_not_misled),
        cmocka_unit_test(silent_gates_are_told_apart),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
