/* SPDX-License-Identifier: Apache-2.0 */
/* A window of plain bytes is told as one by both variants, and one byte that may be encoded is
 * noticed wherever it stands. */
#include "detect/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool may_be_coded(unsigned byte)
{
    return byte == '%' || byte == '&' || byte == '\\' || byte == 0 || byte >= 0x80;
}

static void each_byte_is_told_at_each_place(void **state)
{
    (void)state;
    uint8_t window[GD_WINDOW];
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < GD_WINDOW; at++) {
            memset(window, 'a' + (int)(at % 26), sizeof(window));
            window[at] = (uint8_t)byte;
            assert_int_equal(gd_window_is_plain_bytes(window), !may_be_coded(byte));
            assert_int_equal(gd_window_is_plain(window), !may_be_coded(byte));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_byte_is_told_at_each_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
