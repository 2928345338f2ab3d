/* SPDX-License-Identifier: Apache-2.0 */
/* traceparent: what the specification calls valid, nothing else, and what we write is read again.
 */
#include "common/trace_context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

static bool reads(const char *value, struct trace_parent *out)
{
    size_t len = strlen(value);
    uint8_t *copy = malloc(len + 1); /* so that a byte too far is seen */
    memcpy(copy, value, len);
    bool good = trace_parent_read(out, (struct guard_span){copy, len});
    free(copy);
    return good;
}

static void test_valid(void **state)
{
    (void)state;
    static const char *const rows[] = {"00-" TRACE "-" SPAN "-01", "00-" TRACE "-" SPAN "-00",
                                       "00-" TRACE "-" SPAN "-ff", "01-" TRACE "-" SPAN "-01",
                                       "cc-" TRACE "-" SPAN "-01-what-comes"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trace_parent parent;
        char text[TRACE_PARENT_CHARS];
        assert_true(reads(rows[i], &parent));
        assert_int_equal(parent.trace[0], 0x0a);
        assert_int_equal(parent.trace[15], 0x9c);
        assert_int_equal(parent.span[7], 0x31);
        trace_parent_write(text, &parent);
        assert_memory_equal(text, "00", 2);
        assert_memory_equal(text + 2, rows[i] + 2, TRACE_PARENT_CHARS - 2);
    }
}

static void test_invalid(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "00",
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01-",
        "00-" TRACE "-" SPAN "-011",
        "01-" TRACE "-" SPAN "-011",
        "ff-" TRACE "-" SPAN "-01",
        "0g-" TRACE "-" SPAN "-01",
        "00_" TRACE "-" SPAN "-01",
        "00-" TRACE "_" SPAN "-01",
        "00-" TRACE "-" SPAN "_01",
        "00-" TRACE "-" SPAN "-0x",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-" TRACE "-" SPAN "\0-01",
        " 00-" TRACE "-" SPAN "-01",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trace_parent parent;
        if (reads(rows[i], &parent))
            fail_msg("\"%s\" is taken", rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_valid),
                                       cmocka_unit_test(test_invalid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
