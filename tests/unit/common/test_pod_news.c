/* SPDX-License-Identifier: Apache-2.0 */
/* What is told before its time: what was never met, and little of it. */
#include "common/pods/news.h"

#include <stdio.h>
#include <string.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct guard_pod_feature runs(const char *path)
{
    return (struct guard_pod_feature){.kind = GUARD_POD_EXEC,
                                      .text = {(const uint8_t *)path, strlen(path)},
                                      .detail = GUARD_SPAN_LITERAL("/app/server"),
                                      .count = 1};
}

static struct guard_pod_feature connects(uint8_t last, const char *name)
{
    struct guard_pod_feature feature = {.kind = GUARD_POD_DESTINATION,
                                        .address_len = 4,
                                        .address = {192, 0, 2, last},
                                        .port = 443,
                                        .transport = 6,
                                        .count = 1};
    if (name != NULL) {
        feature.text = (struct guard_span){(const uint8_t *)name, strlen(name)};
        feature.detail = GUARD_SPAN_LITERAL("\12\140\0\12");
        feature.flags = GUARD_POD_ANSWERED;
    }
    return feature;
}

static bool meets(struct pod_news *news, struct guard_pod_feature feature)
{
    return pod_news_meets(news, &feature, 0);
}

static void test_the_first_time_is_news_and_the_second_is_not(void **state)
{
    (void)state;
    struct pod_news news = {.settled = true};
    assert_true(meets(&news, runs("/bin/sh")));
    assert_false(meets(&news, runs("/bin/sh")));
    assert_true(meets(&news, runs("/bin/id")));
    assert_true(meets(&news, connects(1, NULL)));
    assert_true(meets(&news, connects(2, NULL)));
    pod_news_interval(&news);
    assert_false(meets(&news, connects(1, NULL)));
}

/* A name's addresses change all the time. */
static void test_named_destinations_are_known_by_name(void **state)
{
    (void)state;
    struct pod_news news = {.settled = true};
    assert_true(meets(&news, connects(1, "api.example")));
    assert_false(meets(&news, connects(2, "api.example")));
    assert_true(meets(&news, connects(2, "evil.example")));
}

static void test_starting_is_no_news_but_is_met(void **state)
{
    (void)state;
    struct pod_news news = {0};
    struct guard_pod_feature before = runs("/app/server");
    assert_false(meets(&news, runs("/bin/sh")));
    pod_news_interval(&news);
    assert_false(meets(&news, runs("/bin/sh")));
    before.flags = GUARD_POD_SNAPSHOT;
    assert_false(meets(&news, before));
    assert_false(meets(&news, runs("/app/server")));
    assert_true(meets(&news, runs("/bin/id")));
}

static void test_who_does_new_things_without_end_is_told_of_rarely(void **state)
{
    (void)state;
    struct pod_news news = {.settled = true};
    for (int interval = 0; interval < 3; interval++) {
        uint32_t told = 0, features = 0;
        for (int i = 0; i < 1000; i++) {
            char path[32];
            snprintf(path, sizeof(path), "/tmp/%d-%d", interval, i);
            features += meets(&news, runs(path));
            if (i % 100 == 99) {
                struct guard_pod_feature gathered[POD_NEWS_FEATURES_MAX] = {{.count = 1}};
                told += pod_news_take(&news, gathered) > 0;
            }
        }
        assert_int_equal(told, POD_NEWS_TOLD_MAX);
        assert_int_equal(features, POD_NEWS_TOLD_MAX * POD_NEWS_FEATURES_MAX);
        pod_news_interval(&news);
    }
    assert_true(meets(&news, runs("/bin/id")));
}

static void test_what_is_told_is_once_and_without_bytes(void **state)
{
    (void)state;
    struct pod_news news = {.settled = true};
    struct guard_pod_feature gathered[3] = {runs("/bin/true"), connects(1, NULL),
                                            connects(2, NULL)};
    (void)meets(&news, gathered[0]);
    pod_news_clear(&news); /* a record was made, for want of room */
    for (uint16_t i = 0; i < 3; i++)
        (void)pod_news_meets(&news, &gathered[i], i);
    gathered[2].count = 9; /* it went on */
    gathered[2].bytes_out = gathered[2].bytes_in = 1000;
    assert_int_equal(pod_news_take(&news, gathered), 2);
    assert_int_equal(gathered[0].address[3], 1);
    assert_int_equal(gathered[1].address[3], 2);
    assert_int_equal(gathered[1].count, 1);
    assert_int_equal(gathered[1].bytes_out + gathered[1].bytes_in, 0);
    assert_int_equal(pod_news_take(&news, gathered), 0);
}

/* A container that always does the same hundred things has no news after a while. */
static void test_a_hundred_things_are_remembered(void **state)
{
    (void)state;
    struct pod_news news = {.settled = true};
    uint32_t again = 0;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 100; i++) {
            char path[32];
            snprintf(path, sizeof(path), "/usr/bin/tool%d", i);
            again += meets(&news, runs(path)) && round > 0;
            pod_news_interval(&news);
        }
    }
    assert_in_range(again, 0, 90); /* of 900: those whose sets are too full push each other out */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_time_is_news_and_the_second_is_not),
        cmocka_unit_test(test_named_destinations_are_known_by_name),
        cmocka_unit_test(test_starting_is_no_news_but_is_met),
        cmocka_unit_test(test_who_does_new_things_without_end_is_told_of_rarely),
        cmocka_unit_test(test_what_is_told_is_once_and_without_bytes),
        cmocka_unit_test(test_a_hundred_things_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
