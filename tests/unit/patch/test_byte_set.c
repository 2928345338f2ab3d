/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of bytes as people write them. */
#include "patch/byte_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *text, const char *in, const char *out)
{
    struct gd_byte_set set;
    assert_null(gd_byte_set_parse(&set, gd_span(text, strlen(text))));
    for (; *in != '\0'; in++)
        assert_true(gd_byte_set_has(&set, (uint8_t)*in));
    for (; *out != '\0'; out++)
        assert_false(gd_byte_set_has(&set, (uint8_t)*out));
}

static void ranges_escapes_and_complements(void **state)
{
    (void)state;
    expect("a-z0-9._-", "az09._-", "A /{");
    expect("-a", "-a", "b");
    expect("\\d\\-x", "059-x", "a\\");
    expect("\\]\\\\", "]\\", "[");
    expect("\\x20-\\x7e", " ~a", "\x1f\x7f\x80\xff");
    expect("^a-c", "d\x80\xff", "abc");
    expect("\\w\\s", "aZ_9 \t\n", "-.");
    expect("a-", "a-", "b");
}

static void what_is_none_is_told(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "^", "z-a", "\\q", "\\x2", "\\xg0", "\\", "a-\\", "\\1"};
    struct gd_byte_set set;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(gd_byte_set_parse(&set, gd_span(bad[i], strlen(bad[i]))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_escapes_and_complements),
        cmocka_unit_test(what_is_none_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
