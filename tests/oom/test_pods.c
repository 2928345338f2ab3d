/* SPDX-License-Identifier: Apache-2.0 */
/* A pod profile without memory: it says so, leaks nothing, and can be freed. */
#include "support/failing_alloc.h"
#include "support/pod_traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static enum guard_rc fill(struct guard_pods *pods, struct pod_traffic *traffic, uint32_t first)
{
    struct guard_err err;
    struct guard_pod_rules rules;
    struct guard_pod_verdict verdict;
    enum guard_rc rc = GUARD_OK;
    guard_pod_rules_default(&rules);
    for (uint32_t i = 0; i < 40 && rc == GUARD_OK; i++) {
        struct guard_pod_record record = pod_traffic_next(traffic, first + i % 7);
        record.dropped = record.counted;
        rc = guard_pods_observe(pods, &rules, &record, &verdict, &err);
        if (rc == GUARD_OK)
            rc = guard_pods_judge(pods, 1 + i, GUARD_POD_APPROVED, 1);
    }
    return rc;
}

static enum guard_rc live(struct guard_alloc *alloc, void *ctx)
{
    (void)ctx;
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    struct guard_pods *one = NULL, *two = NULL, *three = NULL;
    struct guard_pods_cfg cfg = pod_traffic_cfg(alloc);
    struct pod_traffic traffic = {.random = {1}, .now_ms = UINT64_C(1700000000000)};
    enum guard_rc rc = guard_pods_new(&one, &cfg, &err);
    if (rc == GUARD_OK)
        rc = guard_pods_new(&two, &cfg, &err);
    if (rc == GUARD_OK)
        rc = fill(one, &traffic, 0);
    if (rc == GUARD_OK)
        rc = fill(two, &traffic, 10);
    if (rc == GUARD_OK)
        rc = guard_pods_merge(one, two, NULL, &err);
    if (rc == GUARD_OK)
        rc = guard_pods_encode(one, &bytes, &len, &err);
    if (rc == GUARD_OK)
        rc = guard_pods_decode(&three, &cfg, (struct guard_span){bytes, len}, &err);
    alloc->free(alloc->ctx, bytes);
    guard_pods_free(one);
    guard_pods_free(two);
    guard_pods_free(three);
    return rc;
}

static void test_profile(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(live, NULL, false) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_profile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
