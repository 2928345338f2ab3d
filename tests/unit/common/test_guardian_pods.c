/* SPDX-License-Identifier: Apache-2.0 */
/* A Guardian's part "pods": what is said holds, what isn't stays the default, and what can't be is
 * refused with its place. */
#include "common/file.h"
#include "common/guardian.h"
#include "common/guardian_pods.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct guard_arena arena;

static int set_up(void **state)
{
    struct guard_alloc heap = heap_alloc();
    (void)state;
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return 0;
}

static enum guard_rc parse(struct guard_guardian *out, const char *text, struct guard_err *err)
{
    return guardian_parse(out, "g", (struct guard_span){(const uint8_t *)text, strlen(text)},
                          &arena, err);
}

static void what_is_not_said_is_the_default(void **state)
{
    struct guard_pod_rules rules, usual;
    struct guard_guardian guardian;
    struct guard_err err = {""};
    (void)state;
    guard_pod_rules_default(&usual);
    static const char *const texts[] = {"service: a\n", "service: a\npods: {}\n"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(parse(&guardian, texts[i], &err), GUARD_OK);
        assert_int_equal(guardian.pods.orders, -1);
        assert_int_equal(guardian.pods.withdraw_seconds, -1);
        memset(&rules, 0, sizeof(rules));
        guardian_pods_rules(&guardian.pods, &rules);
        assert_int_equal(rules.hard_kinds, usual.hard_kinds);
        assert_true(rules.alert_at == usual.alert_at && rules.replace_at == usual.replace_at);
        assert_int_equal(rules.independence, usual.independence);
    }
}

static void what_is_said_holds_and_is_written_again(void **state)
{
    static const char said[] = "service: a\npods:\n  orders: off\n  hardSigns: [memfd]\n"
                               "  alertStrength: 2.5\n  replaceStrength: 12\n"
                               "  independence: classes\n  withdrawSeconds: 900\n";
    struct guard_pod_rules rules;
    struct guard_guardian guardian;
    struct guard_span text, again;
    struct guard_err err = {""};
    (void)state;
    assert_int_equal(parse(&guardian, said, &err), GUARD_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(guardian.pods.orders, GUARD_POD_ORDERS_OFF);
        assert_int_equal(guardian.pods.withdraw_seconds, 900);
        guardian_pods_rules(&guardian.pods, &rules);
        assert_int_equal(rules.hard_kinds, 1u << GUARD_POD_MEMFD);
        assert_true(rules.alert_at == 2.5 && rules.replace_at == 12);
        assert_int_equal(rules.independence, GUARD_POD_CLASSES);
        assert_int_equal(guard_pod_rules_check(&rules, &err), GUARD_OK);
        assert_int_equal(guardian_write(&guardian, &arena, &text, &err), GUARD_OK);
        if (guardian_parse(&guardian, "w", text, &arena, &err) != GUARD_OK)
            fail_msg("%s\n%.*s", err.text, (int)text.len, (const char *)text.ptr);
    }
    assert_int_equal(guardian_write(&guardian, &arena, &again, &err), GUARD_OK);
    assert_int_equal(again.len, text.len);
    assert_memory_equal(again.ptr, text.ptr, text.len);
    /* Other readers of YAML make false of it, and JSON has it so. None acts alone: said, too. */
    assert_int_equal(
        parse(&guardian, "{\"service\":\"a\",\"pods\":{\"orders\":false,\"hardSigns\":[]}}", &err),
        GUARD_OK);
    assert_int_equal(guardian.pods.orders, GUARD_POD_ORDERS_OFF);
    guardian_pods_rules(&guardian.pods, &rules);
    assert_int_equal(rules.hard_kinds, 0);
    assert_int_equal(guardian_write(&guardian, &arena, &text, &err), GUARD_OK);
    assert_int_equal(guardian_parse(&guardian, "w", text, &arena, &err), GUARD_OK);
    assert_true(guardian.pods.hard_said);
    assert_int_equal(guardian.pods.hard_kinds, 0);
}

static void refuses_with_the_place(void **state)
{
    static const struct {
        const char *text;
        const char *place;
        const char *word;
    } cases[] = {
        {"pods: act\n", "g:2:7:", "mapping"},
        {"pods: {order: act}\n", "g:2:8:", "unknown member \"order\""},
        {"pods: {orders: on}\n", "g:2:16:", "off, dry-run or act"},
        {"pods: {orders: \"false\"}\n", "g:2:16:", "(at pods.orders)"},
        {"pods: {hardSigns: root}\n", "g:2:19:", "list"},
        {"pods: {hardSigns: [root, exec]}\n", "g:2:26:", "(at pods.hardSigns[1])"},
        {"pods: {hardSigns: [[root]]}\n", "g:2:20:", "dropped, memfd or root"},
        {"pods: {alertStrength: -1}\n", "g:2:23:", "0 to 100"},
        {"pods: {alertStrength: nan}\n", "g:2:23:", "number"},
        {"pods: {alertStrength: \"1\"}\n", "g:2:23:", "number"},
        {"pods: {alertStrength: 1x}\n", "g:2:23:", "number"},
        {"pods: {replaceStrength: 1001}\n", "g:2:25:", "0 to 1000"},
        {"pods: {replaceStrength: [1]}\n", "g:2:25:", "number"},
        {"pods: {independence: any}\n", "g:2:22:", "observers or classes"},
        {"pods: {withdrawSeconds: 59}\n", "g:2:25:", "60 to 3600"},
        {"pods: {withdrawSeconds: 3601}\n", "g:2:25:", "60 to 3600"},
        {"pods: {withdrawSeconds: 60.5}\n", "g:2:25:", "60 to 3600"},
        {"pods: {withdrawSeconds: \"60\"}\n", "g:2:25:", "60 to 3600"},
        {"pods: {withdrawSeconds: [60]}\n", "g:2:25:", "60 to 3600"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        struct guard_guardian guardian;
        struct guard_err err = {""};
        snprintf(text, sizeof(text), "service: a\n%s", cases[i].text);
        assert_int_not_equal(parse(&guardian, text, &err), GUARD_OK);
        if (strncmp(err.text, cases[i].place, strlen(cases[i].place)) != 0 ||
            strstr(err.text, cases[i].word) == NULL)
            fail_msg("case %zu: \"%s\" names neither %s nor %s", i, err.text, cases[i].place,
                     cases[i].word);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_said_is_the_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_said_holds_and_is_written_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_with_the_place, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
