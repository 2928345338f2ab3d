/* SPDX-License-Identifier: Apache-2.0 */
/* What people may see of values, and what counts as a secret. */
#include "profile/summary.h"

#include "exchange.h"

static void check(const char *value, const char *mask)
{
    char out[64];
    size_t len = gd_mask(text(value), out, sizeof(out));
    assert_int_equal(len, strlen(mask));
    assert_memory_equal(out, mask, len);
}

static void test_mask(void **state)
{
    (void)state;
    check("tom or 1=1", "aaa aa 0=0");
    check("Tom's <b>\t\x7f", "Aaa'a <a>..");
    check("", "");
    /* Letters of any script are letters; what may be syntax stays. */
    check("\xd0\x96\xc3\xa4\xe2\x80\x99\xf0\x9f\x98\x80", "aa\xe2\x80\x99\xf0\x9f\x98\x80");
    check("\xff\xc3(\xc2\x85", "..(.");
    char out[4];
    assert_int_equal(gd_mask(text("abcdef"), out, 4), 4);
    assert_int_equal(gd_mask(text("abc\xe2\x80\x99"), out, 4), 3);
    assert_int_equal(gd_mask(text("abc"), out, 0), 0);
}

static void test_secret_names(void **state)
{
    (void)state;
    const char *const secret[] = {
        "password",   "user_password", "newPasswordConfirm",
        "PASSWD",     "passwd2",       "pwd",
        "Pin",        "otp",           "pass",
        "AUTH",       "client_secret", "x-secret",
        "token",      "accessToken",   "csrf_token",
        "a-tokens",   "Authorization", "authenticate",
        "Cookie",     "set-cookie",    "session",
        "sessionId",  "PHPSESSID",     "jsessionid",
        "api-key",    "X-Api-Key",     "apiKey",
        "my_api_key", "credentials",   "private_key",
        "privateKey", "accessKeyId",   "access_key",
        "signature",  "xpassphrase",
    };
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
        if (!gd_is_secret_name(text(secret[i])))
            fail_msg("%s is no secret", secret[i]);
    }
    const char *const open[] = {
        "",
        "a",
        "name",
        "author",
        "passenger",
        "passport",
        "keyboard",
        "monkey",
        "api",
        "compass",
        "opinion",
        "side",
        "description",
        "accept-language",
        "user-agent",
        "accessible",
        "signal",
        "created",
        "credit",
    };
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        if (gd_is_secret_name(text(open[i])))
            fail_msg("%s is a secret", open[i]);
    }
}

static void test_secret_values(void **state)
{
    (void)state;
    struct guard_span name = text("x");
    assert_true(gd_is_secret(name, text("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl")));
    assert_true(gd_is_secret(name, text("0123456789abcdef0123456789abcdef")));
    assert_true(gd_is_secret(name, text("QWxhZGRpbjpvcGVuIHNlc2FtZQ==")));
    assert_false(gd_is_secret(name, text("0123456789abcdef")));
    assert_false(gd_is_secret(name, text("a text of some length, with 1 digit")));
    assert_false(gd_is_secret(name, text("")));
    assert_true(gd_is_secret(text("password"), text("x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_secret_names),
        cmocka_unit_test(test_secret_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
