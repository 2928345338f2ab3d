/* SPDX-License-Identifier: Apache-2.0 */
/* What an alert becomes in each form: nothing of it breaks out of structured data, long texts are
 * cut at characters, and buffers that are too small are said to be. */
#include "common/outputs/form.h"

#include "common/document.h"
#include "common/file.h"
#include "common/outputs/syslog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct output_place place = {
    .host = "gate1", .pid = 7, .now_ms = UINT64_C(1764268860000), .fold_ms = 60000};
static const char alert[] =
    "{\"time_ms\":1764268800001,\"id\":\"0a\",\"service\":\"shop\",\"verdict\":\"block\","
    "\"action\":\"block\",\"method\":\"GET\",\"template\":\"/a\\\"b]\\\\\",\"client\":\"::1\","
    "\"explanation\":\"why \xc3\xa4\",\"score\":2,\"status\":403,\"generation\":3,\"findings\":[{"
    "\"part\":\"request\",\"location\":\"query\",\"name\":\"q\",\"rule\":\"character\"}],"
    "\"suppressed\":2,\"count\":5,\"first_ms\":1764268800001,\"last_ms\":1764268801002,\"seq\":9,"
    "\"series\":\"s-1\",\"state\":\"more\",\"since_ms\":1764268800001,\"total\":6}";

static char out[OUTPUT_ALERT_MAX];

static size_t write_form(const struct output_cfg *cfg, const char *text, size_t cap)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    const struct guard_span line = {(const uint8_t *)text, strlen(text)};
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    assert_int_equal(document_parse(&document, "a", line, &arena, NULL), GUARD_OK);
    size_t len = output_write(out, cap, cfg, &place, document.root, line);
    guard_arena_reset(&arena);
    out[len] = '\0';
    return len;
}

static void test_syslog(void **state)
{
    (void)state;
    const struct output_cfg cfg = {.kind = OUTPUT_SYSLOG, .facility = SYSLOG_LOCAL0};
    static const char expected[] =
        "<132>1 2025-11-27T18:40:01.002Z gate1 guardd 7 BLOCK [guard@32473 id=\"0a\" "
        "service=\"shop\" verdict=\"block\" action=\"block\" method=\"GET\" "
        "template=\"/a\\\"b\\]\\\\\" client=\"::1\" series=\"s-1\" state=\"more\" status=\"403\" "
        "generation=\"3\" seq=\"9\" count=\"5\" total=\"6\" suppressed=\"2\" score=\"2\" "
        "part=\"request\" location=\"query\" name=\"q\" rule=\"character\"] \xef\xbb\xbfwhy "
        "\xc3\xa4";
    char framed[sizeof(expected) + 8];
    snprintf(framed, sizeof(framed), "%zu %s", sizeof(expected) - 1, expected);
    assert_int_equal(write_form(&cfg, alert, sizeof(out) - 1), strlen(framed));
    assert_string_equal(out, framed);
    assert_int_equal(write_form(&cfg, alert, strlen(framed) - 1), 0);
}

static void test_alertmanager(void **state)
{
    (void)state;
    const struct output_cfg cfg = {.kind = OUTPUT_ALERTMANAGER};
    assert_true(write_form(&cfg, alert, sizeof(out) - 1) > 0);
    assert_non_null(strstr(out, "\"alertname\":\"GuardBlocked\""));
    assert_non_null(strstr(out, "\"series\":\"s-1\""));
    assert_non_null(strstr(out, "\"total\":\"6\""));
    assert_non_null(strstr(out, "\"startsAt\":\"2025-11-27T18:40:00.001Z\""));
    assert_non_null(
        strstr(out, "\"endsAt\":\"2025-11-27T18:46:00.000Z\"")); /* if nothing follows */
    static const char over[] =
        "{\"action\":\"alert\",\"state\":\"end\",\"since_ms\":1764268800001,\"last_ms\":0}";
    assert_true(write_form(&cfg, over, sizeof(out) - 1) > 0);
    assert_non_null(strstr(out, "\"endsAt\":\"2025-11-27T18:40:00.002Z\""));
    assert_int_equal(write_form(&cfg, alert, 64), 0);
}

static void test_lines(void **state)
{
    (void)state;
    struct output_cfg cfg = {.kind = OUTPUT_FILE};
    assert_int_equal(write_form(&cfg, alert, sizeof(out) - 1), sizeof(alert));
    assert_memory_equal(out, alert, sizeof(alert) - 1);
    assert_int_equal(out[sizeof(alert) - 1], '\n');
    assert_int_equal(write_form(&cfg, alert, sizeof(alert) - 1), 0);
    cfg.kind = OUTPUT_WEBHOOK;
    assert_int_equal(write_form(&cfg, alert, sizeof(out) - 1), sizeof(alert) - 1);
    cfg.form = OUTPUT_OF_ECS;
    assert_true(write_form(&cfg, alert, sizeof(out) - 1) > 0);
    assert_non_null(strstr(out, "\"@timestamp\":\"2025-11-27T18:40:00.001Z\""));
    assert_non_null(strstr(out, "\"series\":\"s-1\",\"state\":\"more\",\"seq\":9,\"total\":6,"
                                "\"suppressed\":2"));
}

static void test_wants(void **state)
{
    (void)state;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct output_cfg cfg = {.actions = OUTPUT_BLOCK, .least_score = 2};
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    assert_int_equal(document_parse(&document, "a",
                                    (struct guard_span){(const uint8_t *)alert, strlen(alert)},
                                    &arena, NULL),
                     GUARD_OK);
    assert_true(output_wants(&cfg, document.root));
    cfg.least_score = 2.1;
    assert_false(output_wants(&cfg, document.root));
    cfg = (struct output_cfg){.actions = OUTPUT_ALERT | OUTPUT_PASS};
    assert_false(output_wants(&cfg, document.root));
    cfg = (struct output_cfg){
        .actions = OUTPUT_BLOCK, .services = {"sho", "shop2"}, .service_count = 2};
    assert_false(output_wants(&cfg, document.root));
    memcpy(cfg.services[0], "shop", 5);
    assert_true(output_wants(&cfg, document.root));
    guard_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_syslog),
                                       cmocka_unit_test(test_alertmanager),
                                       cmocka_unit_test(test_lines), cmocka_unit_test(test_wants)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
