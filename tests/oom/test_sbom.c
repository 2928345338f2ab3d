/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an inventory in memory that fails at each place in turn. */
#include "common/sbom/cyclonedx.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool take(void *ctx, const struct cyclonedx_component *component)
{
    (void)component;
    return guard_arena_get(ctx, 40000) != NULL;
}

static enum guard_rc attempt(struct guard_alloc *alloc, void *ctx)
{
    const char *text = ctx;
    struct guard_arena arena;
    guard_arena_init(&arena, alloc, 1 << 20);
    enum guard_rc rc = cyclonedx_read("f", (struct guard_span){(const uint8_t *)text, strlen(text)},
                                      &arena, take, &arena, NULL);
    guard_arena_reset(&arena);
    return rc;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    char text[] = "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":["
                  "{\"name\":\"\\u0061\",\"components\":[{\"purl\":\"pkg:npm\\/x\"}]},{}]}";
    assert_true(failing_alloc_sweep(attempt, text, false) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
