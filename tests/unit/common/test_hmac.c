/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA256 against the vectors of RFC 4231, in one part and in several. */
#include "common/hmac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_vectors(void **state)
{
    (void)state;
    uint8_t long_key[131];
    char out[HMAC_HEX_CAP];
    memset(long_key, 0xaa, sizeof(long_key));
    const struct guard_span whole[] = {GUARD_SPAN_LITERAL("what do ya want for nothing?")};
    const struct guard_span parts[] = {
        GUARD_SPAN_LITERAL("what do ya want "), {NULL, 0}, GUARD_SPAN_LITERAL("for nothing?")};
    const struct guard_span larger[] = {
        GUARD_SPAN_LITERAL("Test Using Larger Than Block-Size Key - Hash Key First")};
    static const char second[] = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    hmac_sha256_hex(out, GUARD_SPAN_LITERAL("Jefe"), whole, 1);
    assert_string_equal(out, second);
    hmac_sha256_hex(out, GUARD_SPAN_LITERAL("Jefe"), parts, 3);
    assert_string_equal(out, second);
    hmac_sha256_hex(out, (struct guard_span){long_key, sizeof(long_key)}, larger, 1);
    assert_string_equal(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
