/* SPDX-License-Identifier: Apache-2.0 */
/* A line that is put together: whatever comes, it ends within its room. */
#include "common/text_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Room of exactly so many bytes, so that one too far is seen. */
static struct text_line line_of(size_t cap)
{
    struct text_line line = {malloc(cap), cap, 0};
    assert_non_null(line.ptr);
    return line;
}

static void test_pieces(void **state)
{
    (void)state;
    struct text_line line = line_of(16);
    text_line_put(&line, "%d", 42);
    text_line_put(&line, "%s", "");
    text_line_put(&line, "; %s", "bytes");
    assert_string_equal(line.ptr, "42; bytes");
    assert_int_equal(line.len, 9);
    free(line.ptr);
}

static void test_cut_to_fit(void **state)
{
    (void)state;
    for (size_t cap = 1; cap <= 9; cap++) {
        struct text_line line = line_of(cap);
        text_line_put(&line, "abc");
        text_line_put(&line, "%s", "defgh");
        text_line_put(&line, "i");
        assert_int_equal(line.len, cap - 1);
        assert_int_equal(strlen(line.ptr), cap - 1);
        assert_memory_equal(line.ptr, "abcdefghi", cap - 1);
        free(line.ptr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_cut_to_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
