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

/* What is blocked is one client: nothing wider, nobody else, never everybody. */
static void test_names_of_one(void **state)
{
    static const struct {
        const char *text;
        const char *name; /* NULL: refused */
    } cases[] = {
        {"192.0.2.7", "192.0.2.0/24"},
        {"192.0.2.7/32", "192.0.2.0/24"},
        {"192.0.2.0/24", "192.0.2.0/24"},
        {"192.0.2.0/23", NULL},
        {"192.0.2.0/0", NULL},
        {"0.0.0.0/0", NULL},
        {"192.0.2.0/", NULL},
        {"192.0.2.0/33", NULL},
        {"192.0.2.0/24/8", NULL},
        {"192.0.2.0/-1", NULL},
        {"192.0.2.0/ 24", NULL},
        {"192.0.2.0/0x18", NULL},
        {"192.0.2.0/4294967320", NULL},
        {"0.0.0.0", NULL},
        {"0.1.2.3", NULL},
        {"224.0.0.1", NULL},
        {"255.255.255.255", NULL},
        {"2001:db8:1:2ff::7", "2001:0db8:0001:0200::/56"},
        {"2001:db8:1:200::/56", "2001:0db8:0001:0200::/56"},
        {"2001:db8:1:200::/55", NULL},
        {"::/0", NULL},
        {"::", NULL},
        {"::1", NULL},
        {"ff02::1", NULL},
        {"::ffff:192.0.2.7", "192.0.2.0/24"},
        {"::ffff:192.0.2.0/120", "192.0.2.0/24"},
        {"::ffff:192.0.2.0/119", NULL},
        {"::ffff:0.0.0.0/96", NULL},
        {"::ffff:0.0.0.0/0", NULL},
        {"subject 0123456789abcdef", "subject 0123456789abcdef"},
        {"subject 0123456789ABCDEF", NULL},
        {"subject 0123456789abcde", NULL},
        {"subject 0123456789abcdef0", NULL},
        {"subject ", NULL},
        {"subject tom", NULL},
        {"tom", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[CLIENT_NAME_MAX];
        char again[CLIENT_NAME_MAX];
        uint8_t subject[GUARD_CLIENT_SUBJECT];
        struct guard_client client;
        const char *why = NULL;
        bool good = client_name_of_one(cases[i].text, out, &why);
        if (good != (cases[i].name != NULL))
            fail_msg("%s: %s", cases[i].text, good ? out : why);
        if (!good) {
            assert_non_null(why);
            continue;
        }
        assert_string_equal(out, cases[i].name);
        assert_true(client_name_of_one(out, again, &why));
        assert_string_equal(again, out);
        assert_true(client_of_name(out, &client, subject));
    }
}

static void test_clients_of_names(void **state)
{
    uint8_t subject[GUARD_CLIENT_SUBJECT];
    struct guard_client client;
    (void)state;
    assert_true(client_of_name("192.0.2.0/24", &client, subject));
    assert_int_equal(client.unit, GUARD_UNIT_PREFIX);
    assert_int_equal(client.address_len, 4);
    assert_memory_equal(client.address, "\xc0\x00\x02", 3);
    assert_true(client_of_name("2001:0db8:0001:0200::/56", &client, subject));
    assert_int_equal(client.address_len, 16);
    assert_memory_equal(client.address, "\x20\x01\x0d\xb8\x00\x01\x02", 7);
    assert_true(client_of_name("subject 00ff7a0123456789", &client, subject));
    assert_int_equal(client.unit, GUARD_UNIT_SUBJECT);
    assert_int_equal(client.subject.len, 8);
    assert_memory_equal(client.subject.ptr, "\x00\xff\x7a\x01\x23\x45\x67\x89", 8);
    assert_false(client_of_name("tom", &client, subject));
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
        cmocka_unit_test(test_names),        cmocka_unit_test(test_who_is_meant),
        cmocka_unit_test(test_names_of_one), cmocka_unit_test(test_clients_of_names),
        cmocka_unit_test(test_redacting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
