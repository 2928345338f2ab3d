/* SPDX-License-Identifier: Apache-2.0 */
/* Features as people read them: what a hostile program chose can't leave its line. */
#include "unit/pods/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(struct guard_pod_feature feature, const char *text)
{
    char line[256];
    size_t len = guard_pod_feature_text(&feature, line, sizeof(line));
    assert_string_equal(line, text);
    assert_int_equal(len, strlen(text));
}

static void test_says_what_was_done(void **state)
{
    (void)state;
    struct guard_pod_feature feature = sample_connect("db.example", 9, 5432);
    expect(feature, "connects to tcp 203.0.113.9:5432 (db.example)");
    feature.flags = GUARD_POD_NO_PORT;
    feature.text.len = 0;
    expect(feature, "connects to tcp 203.0.113.9:?");
    feature.address_len = 16;
    feature.flags = 0;
    feature.transport = 17;
    expect(feature, "connects to udp [cb00:7109:0:0:0:0:0:0]:5432");
    expect(sample_feature(GUARD_POD_EXEC, "/bin/sh", "/app/server"), "runs /bin/sh by /app/server");
    feature = sample_feature(GUARD_POD_ROOT, "/tmp/x", "");
    feature.user = 1000;
    expect(feature, "becomes root: /tmp/x, from user 1000");
}

static void test_escapes(void **state)
{
    (void)state;
    expect(sample_feature(GUARD_POD_EXEC, "/tmp/\x1b[31m\"\n\\x", ""),
           "runs /tmp/\\x1b[31m\\x22\\x0a\\x5cx");
}

static void test_fits(void **state)
{
    (void)state;
    char line[64];
    struct guard_pod_feature feature =
        sample_feature(GUARD_POD_DROPPED, "/tmp/\x01\x02\x03", "/bin/sh");
    for (size_t size = 1; size < sizeof(line); size++) {
        memset(line, '#', sizeof(line));
        size_t len = guard_pod_feature_text(&feature, line, size);
        assert_true(len < size);
        assert_int_equal(line[len], '\0');
        assert_int_equal(line[size], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_what_was_done),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
