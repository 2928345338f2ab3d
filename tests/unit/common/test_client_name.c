/* SPDX-License-Identifier: Apache-2.0 */
/* Who is meant when people name a client. */
#include "common/client_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void test_names(void **state)
{
    char out[CLIENT_NAME_MAX];
    (void)state;
    assert_true(client_name("192.0.2.7", out));
    assert_string_equal(out, "192.0.2.0/24");
    assert_true(client_name("192.0.2.0/24", out));
    assert_string_equal(out, "192.0.2.0/24");
    assert_true(client_name("2001:db8:1:2ff::7", out));
    assert_string_equal(out, "2001:0db8:0001:0200::/56");
    assert_true(client_name(out, out));
    assert_true(client_name("subject tom", out));
    assert_string_equal(out, "subject tom");
    assert_false(client_name("tom", out));
    assert_false(client_name("", out));
    assert_false(client_name("192.0.2.7.1", out));
    assert_false(client_name(
        "subject aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", out));
}

static void test_who_is_meant(void **state)
{
    static const struct {
        const char *who;
        const char *client;
        bool is;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.0/24", true},
        {"192.0.2.7", "192.0.2.8", false},
        {"192.0.2.7", "192.0.2.77", false},
        {"192.0.2.7", "192.0.3.0/24", false},
        {"192.0.2.0/24", "192.0.2.8", true},
        {"192.0.2.0/24", "192.0.2.0/24", true},
        {"192.0.2.0/24", "192.0.3.8", false},
        {"2001:db8::1", "2001:0db8:0:0:0:0:0:1", true},
        {"2001:db8::1", "2001:0db8:0000:0000::/56", true},
        {"2001:db8::1", "2001:db8::2", false},
        {"subject tom", "subject tom", true},
        {"subject tom", "subject tommy", false},
        {"nobody", "nobody", false},
        {"192.0.2.7", "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(client_is(cases[i].who, span(cases[i].client)), cases[i].is);
}

static void test_redacting(void **state)
{
    static const struct {
        const char *who;
        const char *line;
        const char *expected;
        uint32_t count;
    } cases[] = {
        {"192.0.2.7", "\"192.0.2.7\" and 192.0.2.0/24 for 3 s",
         "\"forgotten\" and forgotten for 3 s", 2},
        {"192.0.2.7", "192.0.2.70 1192.0.2.7 192.0.2.7", "192.0.2.70 1192.0.2.7 forgotten", 1},
        {"192.0.2.7", "it was 192.0.2.7.", "it was forgotten.", 1},
        {"192.0.2.7", "nothing", "nothing", 0},
        {"subject tom", "the subject tom!", "the forgotten!", 1},
        {"2001:db8::1", "[2001:DB8::1]", "[forgotten]", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[256];
        size_t len = 0;
        assert_int_equal(client_redact(cases[i].who, span(cases[i].line), out, sizeof(out), &len),
                         cases[i].count);
        assert_int_equal(len, strlen(cases[i].expected));
        assert_memory_equal(out, cases[i].expected, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_who_is_meant),
        cmocka_unit_test(test_redacting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
