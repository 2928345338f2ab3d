/* SPDX-License-Identifier: Apache-2.0 */
/* The grammars of types: what fits, and what nearly fits. */
#include "profile/summary.h"

#include "exchange.h"

static enum guard_type type_of(const char *value)
{
    struct gd_summary summary;
    struct guard_arena none = {.limit = 0};
    gd_summary_init(&summary);
    gd_summary_add(&summary, text(value), 0, &none);
    assert_int_equal(__builtin_popcount(summary.types), 1);
    return (enum guard_type)__builtin_ctz(summary.types);
}

struct expected {
    const char *value;
    enum guard_type type;
};

static void check(const struct expected *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum guard_type found = type_of(cases[i].value);
        if (found != cases[i].type)
            fail_msg("\"%s\" is %s, not %s", cases[i].value, guard_type_name(found),
                     guard_type_name(cases[i].type));
    }
}
#define CHECK(cases) check(cases, sizeof(cases) / sizeof((cases)[0]))

static void test_numbers(void **state)
{
    (void)state;
    const struct expected cases[] = {
        {"", GUARD_TYPE_EMPTY},      {"0", GUARD_TYPE_INT},       {"007", GUARD_TYPE_INT},
        {"-12", GUARD_TYPE_INT},     {"+12", GUARD_TYPE_INT},     {"1.5", GUARD_TYPE_DECIMAL},
        {"-.5", GUARD_TYPE_DECIMAL}, {"1e5", GUARD_TYPE_DECIMAL}, {"1.5E-10", GUARD_TYPE_DECIMAL},
        {"1e", GUARD_TYPE_TOKEN},    {"1.2.3", GUARD_TYPE_TOKEN}, {"--1", GUARD_TYPE_TOKEN},
        {"-", GUARD_TYPE_TOKEN},     {".", GUARD_TYPE_TOKEN},     {"1,000", GUARD_TYPE_TEXT},
        {"1 ", GUARD_TYPE_TEXT},     {"+49", GUARD_TYPE_INT},     {"e5", GUARD_TYPE_TOKEN},
        {"true", GUARD_TYPE_BOOL},   {"false", GUARD_TYPE_BOOL},  {"True", GUARD_TYPE_WORD},
    };
    CHECK(cases);
}

static void test_identities(void **state)
{
    (void)state;
    const struct expected cases[] = {
        {"f81d4fae-7dec-11d0-a765-00a0c91e6bf6", GUARD_TYPE_UUID},
        {"F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", GUARD_TYPE_UUID},
        {"f81d4fae-7dec-11d0-a765-00a0c91e6bfg", GUARD_TYPE_TOKEN},
        {"f81d4fae-7dec-11d0-a76500a0c91e6bf6--", GUARD_TYPE_TOKEN},
        {"deadbeef", GUARD_TYPE_WORD},
        {"deadbee1", GUARD_TYPE_HEX},
        {"deadbe1", GUARD_TYPE_TOKEN},
        {"507f1f77bcf86cd799439011", GUARD_TYPE_HEX},
        {"QWxhZGRpbjpvcGVuIHNlc2FtZQ==", GUARD_TYPE_BASE64},
        {"QWxhZGRpbjpvcGVuIHNlcYFt", GUARD_TYPE_WORD},
        {"QWxhZGRpbjpvcGVuIHNlc2F1", GUARD_TYPE_BASE64},
        {"dGVzdA", GUARD_TYPE_WORD},
        {"UserAccountSettings", GUARD_TYPE_WORD},
        {"a_b-C1a_b-C1a_b-C1", GUARD_TYPE_BASE64},
        {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", GUARD_TYPE_JWT},
        {"eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", GUARD_TYPE_JWT},
        {"eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0", GUARD_TYPE_TOKEN},
    };
    CHECK(cases);
}

static void test_dates(void **state)
{
    (void)state;
    const struct expected cases[] = {
        {"2024-02-29", GUARD_TYPE_DATE},
        {"2024-02-29T12:30", GUARD_TYPE_DATE},
        {"2024-02-29 12:30:59", GUARD_TYPE_DATE},
        {"2024-02-29T12:30:59.123456Z", GUARD_TYPE_DATE},
        {"2024-02-29T12:30:59+01:00", GUARD_TYPE_DATE},
        {"2024-02-29t12:30:59,5-0100", GUARD_TYPE_DATE},
        {"12:30", GUARD_TYPE_DATE},
        {"12:30:59Z", GUARD_TYPE_DATE},
        {"2024-2-29", GUARD_TYPE_TOKEN},
        {"2024-02-2a", GUARD_TYPE_TOKEN},
        {"2024-02-29x", GUARD_TYPE_TOKEN},
        {"2024-02-29 or 1", GUARD_TYPE_TEXT},
        {"2024-02-29T12:30:59+1", GUARD_TYPE_TEXT},
        {"2024/02/29", GUARD_TYPE_TEXT},
        {"2:30", GUARD_TYPE_TEXT},
        {"20x4-02-29", GUARD_TYPE_TOKEN},
    };
    CHECK(cases);
}

static void test_marked(void **state)
{
    (void)state;
    const struct expected cases[] = {
        {"a@b.de", GUARD_TYPE_EMAIL},
        {"tom.o+x_1-y@mail.example.com", GUARD_TYPE_EMAIL},
        {"t\xc3\xb6m@b\xc3\xbc"
         "cher.de",
         GUARD_TYPE_EMAIL},
        {"a@b", GUARD_TYPE_TEXT},
        {"a@b..de", GUARD_TYPE_TEXT},
        {"a@.de", GUARD_TYPE_TEXT},
        {"@b.de", GUARD_TYPE_TEXT},
        {"a'--@b.de", GUARD_TYPE_TEXT},
        {"a@b.de' or", GUARD_TYPE_TEXT},
        {"a@b@c.de", GUARD_TYPE_TEXT},
        {"192.168.0.1", GUARD_TYPE_IP},
        {"256.1.1.1", GUARD_TYPE_TOKEN},
        {"1.2.3", GUARD_TYPE_TOKEN},
        {"::1", GUARD_TYPE_IP},
        {"::", GUARD_TYPE_IP},
        {"2001:db8::ff00:42:8329", GUARD_TYPE_IP},
        {"1:2:3:4:5:6:7:8", GUARD_TYPE_IP},
        {"::ffff:10.0.0.1", GUARD_TYPE_IP},
        {"1:2:3:4:5:6:10.0.0.1", GUARD_TYPE_IP},
        {"1:2:3:4:5:6:7", GUARD_TYPE_TEXT},
        {"1::2::3", GUARD_TYPE_TEXT},
        {"12345::", GUARD_TYPE_TEXT},
        {":1", GUARD_TYPE_TEXT},
        {"1:2:3:4:5:6:7:8:", GUARD_TYPE_TEXT},
        {"https://example.com/a?b=c", GUARD_TYPE_URL},
        {"ftp://x", GUARD_TYPE_URL},
        {"jdbc:mysql://x", GUARD_TYPE_TEXT},
        {"javascript:alert(1)", GUARD_TYPE_TEXT},
        {"://x", GUARD_TYPE_TEXT},
        {"http:///etc/passwd", GUARD_TYPE_TEXT},
        {"http://", GUARD_TYPE_TEXT},
    };
    CHECK(cases);
}

static void test_texts(void **state)
{
    (void)state;
    const struct expected cases[] = {
        {"tom", GUARD_TYPE_WORD},
        {"T\xc3\xb6m", GUARD_TYPE_WORD},
        {"\xd0\x96\xd1\x83\xd0\xba", GUARD_TYPE_WORD},
        {"tom_1.x-y", GUARD_TYPE_TOKEN},
        {"t\xc3\xb6m_1", GUARD_TYPE_TOKEN},
        {"tom or 1=1", GUARD_TYPE_TEXT},
        {"a\tb\r\nc", GUARD_TYPE_TEXT},
        {"a\x01", GUARD_TYPE_BYTES},
        {"\xff\xfe", GUARD_TYPE_BYTES},
        {"a b\xff", GUARD_TYPE_BYTES},
        {"'", GUARD_TYPE_TEXT},
        {" ", GUARD_TYPE_TEXT},
    };
    CHECK(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_identities),
        cmocka_unit_test(test_dates),   cmocka_unit_test(test_marked),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
