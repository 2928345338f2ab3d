/* SPDX-License-Identifier: Apache-2.0 */
/* Patches and messages that the input describes: conditions of every kind over every place. The
 * scan, a missing matcher and looks at what came so far must change nothing that counts. */
#include "tests/support/random_patches.h"

static void *heap_get(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size == 0 ? 1 : size);
}

static void heap_put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static const struct guard_alloc heap = {NULL, heap_get, heap_put};

static void hold_against(const struct guard_policy *policy, const struct drawn_patches *patches,
                         struct draw *draw)
{
    static struct drawn_message message;
    draw_message(draw, &message);
    const char *broken = drawn_broken(policy, patches, &message, &heap);
    if (broken == NULL)
        return;
    fprintf(stderr, "%s\n", broken);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct drawn_patches patches;
    struct draw draw = {data, size};
    struct guard_guardian guardian;
    const struct guard_policy_cfg cfg = {.alloc = heap, .configured_only = true};
    struct guard_policy *policy = NULL;
    uint8_t *bytes = NULL;
    size_t len = 0;
    draw_patches(&draw, &patches);
    guard_guardian_default(&guardian, drawn_span("shop"));
    guardian.patches = patches.patches;
    guardian.patch_count = patches.count;
    if (guard_policy_compile(&bytes, &len, NULL, &guardian, &cfg, NULL, NULL) != GUARD_OK)
        return 0;
    /* What was compiled is believed. */
    if (guard_policy_load(&policy, &heap, (struct guard_span){bytes, len}, drawn_span("shop"), NULL,
                          NULL) != GUARD_OK)
        abort();
    hold_against(policy, &patches, &draw);
    guard_policy_unref(policy);
    free(bytes);
    return 0;
}
