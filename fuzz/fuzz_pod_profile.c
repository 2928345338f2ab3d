/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile bytes of pod profiles, with a digest that is right: whatever is read is bounded, is
 * written again as the same bytes, and merges with itself. */
#include <guard/crypto.h>
#include <guard/pods.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *take(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void give(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static void check(bool good)
{
    if (!good)
        abort();
}

static void use(struct guard_pods *pods, struct guard_span bytes)
{
    uint8_t *again = NULL;
    size_t len = 0;
    struct guard_err err;
    struct guard_pod_rules rules;
    struct guard_pod_verdict verdict;
    struct guard_pod_known known;
    struct guard_pod_replica replica;
    enum guard_merge outcome;
    guard_pod_rules_default(&rules);
    check(guard_pods_encode(pods, &again, &len, &err) == GUARD_OK);
    check(len == bytes.len && memcmp(again, bytes.ptr, len) == 0);
    free(again);
    check(guard_pods_merge(pods, pods, &outcome, &err) == GUARD_OK &&
          outcome == GUARD_MERGE_CONTAINED);
    for (uint32_t i = 0; guard_pods_known(pods, i, &known); i++)
        check(known.replicas > 0);
    for (uint32_t i = 0; guard_pods_replica(pods, i, 0, &replica); i++)
        check(replica.pod.len <= GUARD_POD_NAME_MAX);
    while (guard_pods_outlier(pods, &rules, UINT64_MAX / 2, &verdict))
        check(verdict.count > 0);
    guard_pods_forget(pods, UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_err err;
    struct guard_pods *pods;
    struct guard_pods_cfg cfg = {.alloc = {NULL, take, give}};
    memset(cfg.key, 5, sizeof(cfg.key));
    if (size < GUARD_DIGEST_BYTES)
        return 0;
    uint8_t *copy = malloc(size);
    check(copy != NULL);
    memcpy(copy, data, size);
    size_t content = size - GUARD_DIGEST_BYTES;
    guard_digest(copy + content, (struct guard_span){copy, content});
    struct guard_span bytes = {copy, size};
    if (guard_pods_decode(&pods, &cfg, bytes, &err) == GUARD_OK) {
        use(pods, bytes);
        guard_pods_free(pods);
    }
    free(copy);
    return 0;
}
