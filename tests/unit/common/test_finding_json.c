/* SPDX-License-Identifier: Apache-2.0 */
/* Programs read these lines: their bytes are a contract. */
#include "common/finding_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct guard_finding quote = {.rule = GUARD_RULE_CHARACTER,
                                           .location = GUARD_LOCATION_QUERY,
                                           .name = GUARD_SPAN_LITERAL("user\"name"),
                                           .detail = GUARD_CLASS_PUNCTUATION + 6,
                                           .observed = GUARD_SPAN_LITERAL("aaa'"),
                                           .values = 48211,
                                           .clients = 3120,
                                           .strength = 450};
static const struct guard_finding far = {.rule = GUARD_RULE_LENGTH,
                                         .location = GUARD_LOCATION_JSON,
                                         .name = GUARD_SPAN_LITERAL("a.b[].c"),
                                         .detail = 12,
                                         .expected = 5,
                                         .strength = 9999,
                                         .configured = true};
static const struct guard_finding stranger = {.rule = GUARD_RULE_CLIENT,
                                              .part = GUARD_PART_CLIENT,
                                              .location = GUARD_LOCATION_CLIENT,
                                              .expected = 2,
                                              .strength = 233};

static void expect(const struct guard_finding *finding, enum finding_form form, const char *wanted)
{
    char text[512];
    struct json_writer json;
    json_writer_init(&json, text, sizeof(text) - 1);
    finding_json(&json, finding, form);
    assert_false(json.overflow);
    text[json.len] = '\0';
    assert_string_equal(text, wanted);
}

static void test_of_verdict(void **state)
{
    (void)state;
    expect(&quote, FINDING_OF_VERDICT,
           "{\"part\":\"request\",\"location\":\"query\",\"name\":\"user\\\"name\",\"rule\":"
           "\"character\",\"observed\":\"\\\"'\\\" in aaa'\",\"expected\":\"as seen before\","
           "\"p\":3.16228e-05}");
    expect(&far, FINDING_OF_VERDICT,
           "{\"part\":\"request\",\"location\":\"json\",\"name\":\"a.b[].c\",\"rule\":\"length\","
           "\"observed\":\"12\",\"expected\":\"at most 5\",\"p\":0,\"configured\":true}");
    expect(&stranger, FINDING_OF_VERDICT,
           "{\"part\":\"client\",\"location\":\"client\",\"name\":\"\",\"rule\":\"client\","
           "\"observed\":\"\",\"expected\":\"one of 2 clients\",\"p\":0.00467735}");
}

static void test_of_alert(void **state)
{
    (void)state;
    expect(&quote, FINDING_OF_ALERT,
           "{\"part\":\"request\",\"location\":\"query\",\"name\":\"user\\\"name\",\"rule\":"
           "\"character\",\"observed\":\"\\\"'\\\" in aaa'\",\"expected\":\"as seen before\","
           "\"p\":3.16228e-05,\"configured\":false}");
    expect(
        &far, FINDING_OF_ALERT,
        "{\"part\":\"request\",\"location\":\"json\",\"name\":\"a.b[].c\",\"rule\":\"length\","
        "\"observed\":\"12\",\"expected\":\"at most 5\",\"p\":1.02329e-100,\"configured\":true}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_verdict),
        cmocka_unit_test(test_of_alert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
