/* SPDX-License-Identifier: Apache-2.0 */
/* Which lines of guardd's log tell that another pod does the same. */
#include "responder/alerts.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/guard-alerts-XXXXXX";
static char path[64];

static bool told(const char *service, uint64_t time_ms, const char *name, const char *observed)
{
    static const struct pod_order order = {.decided_ms = 1000,
                                           .service = "shop",
                                           .name_space = "prod",
                                           .workload = "cart",
                                           .pod = "cart-7f-1",
                                           .evidence = {{.text = "runs /tmp/x17 by server"}},
                                           .evidence_count = 1};
    char text[1024];
    struct guard_err err;
    int len = snprintf(text, sizeof(text),
                       "{\"time_ms\":1,\"service\":\"shop\"}\n\n{\"part\":\"pod\"\n"
                       "{\"time_ms\":%u,\"service\":\"%s\",\"findings\":[{\"part\":\"query\"},"
                       "{\"part\":\"pod\",\"name\":\"%s\",\"observed\":\"%s\"}]}\n",
                       (unsigned)time_ms, service, name, observed);
    const struct guard_span bytes = {(const uint8_t *)text, (size_t)len};
    assert_int_equal(file_replace(path, bytes, 0600, false, &err), GUARD_OK);
    return alerts_tell_of_another(folder, &order);
}

static void only_another_pod_with_the_same_counts(void **state)
{
    (void)state;
    assert_true(told("shop", 1000, "prod/cart-7f-2", "runs /tmp/x4 by server"));
    assert_false(told("shop", 999, "prod/cart-7f-2", "runs /tmp/x4 by server"));
    assert_false(told("other", 1000, "prod/cart-7f-2", "runs /tmp/x4 by server"));
    assert_false(told("shop", 1000, "prod/cart-7f-1", "runs /tmp/x4 by server"));
    assert_false(told("shop", 1000, "prod/web-7f-2", "runs /tmp/x4 by server"));
    assert_false(told("shop", 1000, "test/cart-7f-2", "runs /tmp/x4 by server"));
    assert_false(told("shop", 1000, "prod/cart-7f-2", "runs /tmp/y4 by server"));
}

static void what_is_no_log_tells_nothing(void **state)
{
    (void)state;
    assert_true(told("shop", 1000, "prod/cart-7f-2", "runs /tmp/x4 by server"));
    char other[80];
    snprintf(other, sizeof(other), "%s.other", path);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    const struct pod_order order = {.service = "shop"};
    assert_false(alerts_tell_of_another(folder, &order));
    unlink(path);
    assert_false(alerts_tell_of_another(folder, &order));
    unlink(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_another_pod_with_the_same_counts),
        cmocka_unit_test(what_is_no_log_tells_nothing),
    };
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof(path), "%s/alerts.jsonl", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
