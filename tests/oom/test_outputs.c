/* SPDX-License-Identifier: Apache-2.0 */
/* outputs.yaml read in memory that fails at each place in turn. */
#include "common/outputs/document.h"

#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char text[] = "apiVersion: guard/v1alpha1\nkind: Outputs\noutputs:\n"
                           "  - {name: a, type: webhook, url: 'http://x/y', services: [a, b]}\n"
                           "  - {name: b, type: syslog, address: 'udp://127.0.0.1:514'}\n";

static void test_outputs(void **state)
{
    (void)state;
    static struct outputs_document document;
    uint64_t failed = 0;
    for (uint64_t at = 1;; at++) {
        struct failing_alloc memory;
        struct guard_arena arena;
        struct guard_err err;
        failing_alloc_init(&memory, at);
        guard_arena_init(&arena, &memory.alloc, (size_t)4 << 20);
        enum guard_rc rc = outputs_parse(
            &document, "o", (struct guard_span){(const uint8_t *)text, sizeof(text) - 1}, &arena,
            &err);
        guard_arena_reset(&arena);
        assert_int_equal(memory.live, 0);
        if (memory.failures == 0) {
            assert_int_equal(rc, GUARD_OK);
            assert_int_equal(document.count, 2);
            break;
        }
        assert_int_equal(rc, GUARD_E_NOMEM);
        failed++;
    }
    assert_true(failed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_outputs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
