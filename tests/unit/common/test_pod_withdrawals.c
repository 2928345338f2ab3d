/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods are withdrawn, as it goes down the tree: what was signed is read again, and nothing
 * else is taken; a pod is meant by its names and its uid. */
#include "common/pods/withdrawals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pod_withdrawals table, again;
static char text[POD_WITHDRAWALS_BYTES];
static size_t len;
static uint8_t public_key[GUARD_KEY_BYTES], secret[64];

static const uint64_t start = UINT64_C(1764000000000);

static struct guard_span span(const char *of)
{
    return (struct guard_span){(const uint8_t *)of, strlen(of)};
}

static enum guard_rc read_as(const char *service, struct guard_err *err)
{
    return pod_withdrawals_read(&again, (struct guard_span){(uint8_t *)text, len}, span(service),
                                public_key, err);
}

static void sign(void)
{
    struct guard_err err = {.text = ""};
    if (pod_withdrawals_sign(&table, span("shop"), secret, text, sizeof(text), &len, &err) !=
        GUARD_OK)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    const uint8_t seed[GUARD_KEY_BYTES] = {7};
    (void)state;
    guard_keypair(public_key, secret, seed);
    memset(&table, 0, sizeof(table));
    table.issued_ms = start;
    table.count = POD_WITHDRAWALS_MAX;
    for (uint32_t i = 0; i < table.count; i++) {
        struct pod_withdrawal *one = &table.list[i];
        snprintf(one->id, sizeof(one->id), "5c1f-%u", i);
        snprintf(one->name_space, sizeof(one->name_space), "prod");
        snprintf(one->workload, sizeof(one->workload), "-");
        memset(one->pod, 'p', sizeof(one->pod) - 1);
        snprintf(one->uid, sizeof(one->uid), "u-%u", i);
        snprintf(one->by, sizeof(one->by), "guardd");
        memset(one->reason, '"', sizeof(one->reason) - 1);
        one->ordered = i % 2 == 0;
        one->begun_ms = start;
        one->until_ms = start + 3600 * 1000;
    }
    sign();
    return 0;
}

/* Also the largest one that there may be. */
static void what_was_signed_is_read_again(void **state)
{
    struct guard_err err = {.text = ""};
    (void)state;
    if (read_as("shop", &err) != GUARD_OK)
        fail_msg("%s", err.text);
    assert_memory_equal(&again, &table, sizeof(table));
}

static void another_service_key_or_byte_is_refused(void **state)
{
    struct guard_err err;
    (void)state;
    assert_int_equal(read_as("cart", &err), GUARD_E_FOREIGN);
    assert_int_equal(again.count, 0);
    for (size_t at = 0; at < len; at += len / 50) {
        text[at] ^= 1;
        assert_int_not_equal(read_as("shop", &err), GUARD_OK);
        assert_int_equal(again.count, 0);
        text[at] ^= 1;
    }
    public_key[0] ^= 1;
    assert_int_equal(read_as("shop", &err), GUARD_E_SIGNATURE);
    len = 100;
    assert_int_equal(read_as("shop", &err), GUARD_E_SYNTAX);
}

static void what_lasts_too_long_is_refused_even_if_signed(void **state)
{
    struct guard_err err = {.text = ""};
    (void)state;
    table.list[3].until_ms++;
    sign();
    assert_int_equal(read_as("shop", &err), GUARD_E_RANGE);
    assert_non_null(strstr(err.text, "lasts longer than 3600 s"));
    assert_int_equal(again.count, 0);
}

static void a_pod_is_said_by_its_names(void **state)
{
    static const char *const bad[] = {
        "",        "prod",  "prod/",      "/web-1",      "prod/web-1/",
        "a/b/c/d", "a/b c", "prod/we%62", "prod/web&x=", "a//b"};
    struct pod_self self;
    struct guard_err err;
    (void)state;
    assert_int_equal(pod_self_read(&self, "prod/web-1", &err), GUARD_OK);
    assert_string_equal(self.name_space, "prod");
    assert_string_equal(self.pod, "web-1");
    assert_string_equal(self.uid, "");
    assert_int_equal(pod_self_read(&self, "-/web-1/5f1c-2", &err), GUARD_OK);
    assert_string_equal(self.uid, "5f1c-2");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (pod_self_read(&self, bad[i], &err) != GUARD_E_SYNTAX)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_string_equal(self.pod, "");
    }
}

static void names_are_the_same_and_uids_where_both_are_known(void **state)
{
    struct pod_withdrawal one = {.name_space = "prod", .pod = "web-1", .uid = "u-1"};
    struct pod_self self = {.name_space = "prod", .pod = "web-1", .uid = "u-1"};
    const struct pod_self nobody = {.pod = ""};
    (void)state;
    assert_true(pod_withdrawal_is_of(&one, &self));
    self.uid[2] = '2'; /* a later pod of the same name */
    assert_false(pod_withdrawal_is_of(&one, &self));
    self.uid[0] = '\0';
    assert_true(pod_withdrawal_is_of(&one, &self));
    self.pod[0] = 'x';
    assert_false(pod_withdrawal_is_of(&one, &self));
    self.pod[0] = 'w';
    one.name_space[0] = 't';
    assert_false(pod_withdrawal_is_of(&one, &self));
    one = (struct pod_withdrawal){.pod = ""};
    assert_false(pod_withdrawal_is_of(&one, &nobody));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_signed_is_read_again, set_up),
        cmocka_unit_test_setup(another_service_key_or_byte_is_refused, set_up),
        cmocka_unit_test_setup(what_lasts_too_long_is_refused_even_if_signed, set_up),
        cmocka_unit_test(a_pod_is_said_by_its_names),
        cmocka_unit_test(names_are_the_same_and_uids_where_both_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
