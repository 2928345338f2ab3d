/* SPDX-License-Identifier: Apache-2.0 */
/* Orders and reports are read as they are written, byte by byte; what may not be said is refused by
 * the member's name; their files appear whole and once. */
#include "common/file.h"
#include "common/pods/orders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char order_text[] =
    "{\"version\":1,\"id\":\"00ab-7\",\"decided\":\"2026-01-31T09:15:00.250Z\",\"service\":"
    "\"shop\","
    "\"namespace\":\"prod\",\"workload\":\"web\",\"container\":\"app\",\"pod\":{\"name\":\"web-"
    "7f9c-2\","
    "\"uid\":\"5f1c\"},\"replicas\":4,\"ready\":3,\"dryRun\":true,\"reason\":\"REPLACE pod "
    "prod/web-7f9c-2\","
    "\"evidence\":[{\"kind\":\"process\",\"text\":\"runs /tmp/x by "
    "/app/server\",\"hard\":\"dropped\"},"
    "{\"kind\":\"gate\",\"text\":\"request GET /lookup\",\"hard\":null}],\"exchange\":\"5f3a\"}";
static const char step_text[] = "{\"version\":1,\"id\":\"00ab-7\",\"at\":\"2026-01-31T09:15:01."
                                "000Z\",\"step\":\"outOfService\","
                                "\"outcome\":\"later\",\"detail\":\"the \\\"budget\\\" is spent\"}";
static const char end_text[] =
    "{\"version\":1,\"id\":\"00ab-7\",\"at\":\"2026-01-31T09:16:00.000Z\","
    "\"end\":\"kept\",\"detail\":\"step\"}";

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void test_an_order_is_read_as_it_is_written(void **state)
{
    struct pod_order order;
    struct guard_err err = {.text = ""};
    char out[POD_ORDER_BYTES_MAX];
    size_t len = 0;
    if (pod_order_read(&order, span(order_text), &err) != GUARD_OK)
        fail_msg("%s", err.text);
    assert_string_equal(order.pod, "web-7f9c-2");
    assert_string_equal(order.uid, "5f1c");
    assert_string_equal(order.name_space, "prod");
    assert_true(order.decided_ms == UINT64_C(1769850900250));
    assert_int_equal(order.replicas, 4);
    assert_int_equal(order.ready, 3);
    assert_true(order.dry_run);
    assert_int_equal(order.evidence_count, 2);
    assert_string_equal(order.evidence[0].hard, "dropped");
    assert_string_equal(order.evidence[1].hard, "");
    assert_string_equal(order.exchange, "5f3a");
    assert_int_equal(pod_order_write(&order, out, sizeof(out), &len, &err), GUARD_OK);
    assert_int_equal(len, strlen(order_text));
    assert_memory_equal(out, order_text, len);
    for (size_t size = 0; size < len; size += 7)
        assert_int_equal(pod_order_write(&order, out, size, &len, &err), GUARD_E_LIMIT);
}

static void test_every_cut_is_refused(void **state)
{
    struct pod_order order;
    struct pod_report_line line;
    struct guard_err err;
    for (size_t len = 0; len < strlen(order_text); len++) {
        assert_int_not_equal(
            pod_order_read(&order, (struct guard_span){(const uint8_t *)order_text, len}, &err),
            GUARD_OK);
        assert_int_equal(order.id[0], '\0');
    }
    for (size_t len = 0; len < strlen(end_text); len++)
        assert_int_not_equal(
            pod_report_read(&line, (struct guard_span){(const uint8_t *)end_text, len}, &err),
            GUARD_OK);
}

/* The text with one thing put in another's place. */
static const char *with(const char *text, const char *find, const char *put)
{
    static char out[64 * 1024];
    const char *at = strstr(text, find);
    assert_non_null(at);
    snprintf(out, sizeof(out), "%.*s%s%s", (int)(at - text), text, put, at + strlen(find));
    return out;
}

static void test_what_may_not_be_is_refused_by_name(void **state)
{
    static const struct {
        const char *find, *put;
        enum guard_rc rc;
        const char *name;
    } cases[] = {
        {"\"version\":1", "\"version\":2", GUARD_E_VERSION, "version: "},
        {"\"version\":1", "\"version\":1.0", GUARD_E_RANGE, "version: "},
        {"00ab-7", "../../x", GUARD_E_RANGE, "id: "},
        {"00ab-7", "", GUARD_E_RANGE, "id: "},
        {"2026-01-31T09:15:00.250Z", "2026-01-31 09:15", GUARD_E_RANGE, "decided: "},
        {"2026-01-31T09:15:00.250Z", "2026-01-31T09:15:00", GUARD_E_RANGE, "decided: "},
        {"\"shop\"", "\"a/b\"", GUARD_E_RANGE, "service: "},
        {"\"prod\"", "\"..\"", GUARD_E_RANGE, "namespace: "},
        {"\"web\"", "\"\"", GUARD_E_RANGE, "workload: "},
        {"web-7f9c-2\",", "a/b\",", GUARD_E_RANGE, "name: "},
        {"\"replicas\":4", "\"replicas\":-4", GUARD_E_RANGE, "replicas: "},
        {"\"replicas\":4", "\"replicas\":1000001", GUARD_E_RANGE, "replicas: "},
        {"\"replicas\":4", "\"replicas\":99999999999999999999", GUARD_E_RANGE, "replicas: "},
        {"\"ready\":3", "\"ready\":4", GUARD_E_RANGE, "ready: "},
        {"\"dryRun\":true", "\"dryRun\":\"true\"", GUARD_E_SYNTAX, "dryRun: "},
        {"\"dryRun\":true", "\"dryRun\":truefalse", GUARD_E_SYNTAX, "dryRun: "},
        {"\"dryRun\":true,", "", GUARD_E_SYNTAX, "dryRun: is missing"},
        {"\"dryRun\":true", "\"dryRun\":true,\"dryRun\":false", GUARD_E_SYNTAX,
         "dryRun: is said twice"},
        {"\"dryRun\"", "\"command\":\"rm\",\"dryRun\"", GUARD_E_RANGE, "order: "},
        {"REPLACE pod", "a\\nb", GUARD_E_RANGE, "reason: "},
        {"REPLACE pod", "a\\u001b[2J", GUARD_E_RANGE, "reason: "},
        {"REPLACE pod", "a\xff", GUARD_E_RANGE, "reason: "},
        {"\"gate\"", "\"\"", GUARD_E_RANGE, "kind: "},
        {"\"evidence\":[", "\"evidence\":[1,", GUARD_E_SYNTAX, "evidence: "},
        {"\"5f3a\"", "5", GUARD_E_SYNTAX, "exchange: "},
        {"\"5f3a\"", "nil", GUARD_E_SYNTAX, "exchange: "},
        {"\"5f3a\"}", "\"5f3a\"}{}", GUARD_E_SYNTAX, "order: "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pod_order order;
        struct guard_err err = {.text = ""};
        enum guard_rc rc =
            pod_order_read(&order, span(with(order_text, cases[i].find, cases[i].put)), &err);
        if (rc != cases[i].rc || strncmp(err.text, cases[i].name, strlen(cases[i].name)) != 0)
            fail_msg("%s for %s: %d, %s", cases[i].put, cases[i].find, (int)rc, err.text);
    }
}

static void test_an_order_has_bounds(void **state)
{
    static const char more[] = "{\"kind\":\"file\",\"text\":\"x\",\"hard\":null},";
    char list[16 * sizeof(more)] = "\"evidence\":[", reason[POD_ORDER_REASON_MAX + 2];
    struct pod_order order;
    struct guard_err err;
    for (int i = 0; i < 7; i++)
        memcpy(list + strlen(list), more, sizeof(more));
    assert_int_equal(pod_order_read(&order, span(with(order_text, "\"evidence\":[", list)), &err),
                     GUARD_E_LIMIT);
    memset(reason, 'r', sizeof(reason));
    reason[sizeof(reason) - 1] = '\0';
    assert_int_equal(
        pod_order_read(&order, span(with(order_text, "REPLACE pod prod/web-7f9c-2", reason)), &err),
        GUARD_E_RANGE);
    reason[sizeof(reason) - 2] = '\0';
    assert_int_equal(
        pod_order_read(&order, span(with(order_text, "REPLACE pod prod/web-7f9c-2", reason)), &err),
        GUARD_OK);
    char *long_text = malloc(POD_ORDER_BYTES_MAX + 2);
    memset(long_text, ' ', POD_ORDER_BYTES_MAX + 1);
    long_text[POD_ORDER_BYTES_MAX + 1] = '\0';
    memcpy(long_text, order_text, strlen(order_text));
    assert_int_equal(pod_order_read(&order, span(long_text), &err), GUARD_E_LIMIT);
    free(long_text);
}

static void test_what_is_longest_can_be_written(void **state)
{
    static struct pod_order order, again;
    static char out[POD_ORDER_BYTES_MAX];
    struct guard_err err;
    size_t len = 0;
    assert_int_equal(pod_order_read(&order, span(order_text), &err), GUARD_OK);
    memset(order.name_space, 'n', sizeof(order.name_space) - 1);
    memset(order.workload, 'w', sizeof(order.workload) - 1);
    memset(order.container, 'c', sizeof(order.container) - 1);
    memset(order.pod, 'p', sizeof(order.pod) - 1);
    memset(order.reason, '"', sizeof(order.reason) - 1);
    for (order.evidence_count = 0; order.evidence_count < POD_ORDER_EVIDENCE_MAX;
         order.evidence_count++) {
        struct pod_order_evidence *evidence = &order.evidence[order.evidence_count];
        memset(evidence->kind, 'k', sizeof(evidence->kind) - 1);
        memset(evidence->text, '\\', sizeof(evidence->text) - 1);
    }
    assert_int_equal(pod_order_write(&order, out, sizeof(out), &len, &err), GUARD_OK);
    assert_int_equal(pod_order_read(&again, (struct guard_span){(uint8_t *)out, len}, &err),
                     GUARD_OK);
    assert_memory_equal(&order, &again, sizeof(order));
    order.reason[0] = '\t';
    assert_int_equal(pod_order_write(&order, out, sizeof(out), &len, &err), GUARD_E_RANGE);
}

static void test_reports(void **state)
{
    static const char *const texts[] = {step_text, end_text};
    struct pod_report_line line;
    struct guard_err err = {.text = ""};
    char out[POD_REPORT_LINE_MAX];
    size_t len = 0;
    for (size_t i = 0; i < 2; i++) {
        if (pod_report_read(&line, span(texts[i]), &err) != GUARD_OK)
            fail_msg("%s", err.text);
        assert_int_equal(line.ended, i == 1);
        assert_int_equal(pod_report_write(&line, out, sizeof(out), &len, &err), GUARD_OK);
        assert_int_equal(len, strlen(texts[i]));
        assert_memory_equal(out, texts[i], len);
    }
    assert_int_equal(line.end, GUARD_POD_KEPT);
    assert_int_equal(pod_report_read(&line, span(with(step_text, "later", "sooner")), &err),
                     GUARD_E_RANGE);
    assert_int_equal(pod_report_read(&line, span(with(end_text, "kept", "going on")), &err),
                     GUARD_E_RANGE);
    assert_int_equal(
        pod_report_read(&line, span(with(end_text, "\"end\"", "\"step\":\"tell\",\"end\"")), &err),
        GUARD_E_RANGE);
    for (uint32_t step = 0; step < GUARD_POD_STEPS; step++)
        assert_non_null(pod_report_step_name((enum guard_pod_step)step));
    assert_null(pod_report_step_name(GUARD_POD_STEPS));
    assert_null(pod_report_outcome_name(POD_REPORT_OUTCOMES));
    assert_null(pod_report_end_name(GUARD_POD_GOING_ON));
    line = (struct pod_report_line){.id = "a", .step = GUARD_POD_STEPS};
    assert_int_equal(pod_report_write(&line, out, sizeof(out), &len, &err), GUARD_E_RANGE);
}

static void test_texts_become_clean(void **state)
{
    char out[8];
    pod_order_text(out, sizeof(out), span("a\nb\xff\x1b"));
    assert_string_equal(out, "a?b??");
    pod_order_text(out, sizeof(out), span("abcde\xe2\x82\xac")); /* no half of a character */
    assert_string_equal(out, "abcde");
    pod_order_text(out, sizeof(out), span("\xc2\x9b[2J"));
    assert_string_equal(out, "?[2J");
}

static void test_files(void **state)
{
    char dir[] = "/tmp/guard-orders-XXXXXX", path[STATE_PATH_MAX];
    struct pod_order order, again;
    struct guard_err err;
    struct stat info;
    uint8_t *bytes = NULL;
    size_t len = 0;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(pod_orders_prepare(dir, &err), GUARD_OK);
    assert_int_equal(pod_orders_prepare(dir, &err), GUARD_OK);
    assert_int_equal(pod_order_read(&order, span(order_text), &err), GUARD_OK);
    assert_int_equal(pod_order_place(dir, &order, &err), GUARD_OK);
    assert_int_equal(pod_order_place(dir, &order, &err), GUARD_E_REPLAY);
    assert_int_equal(pod_order_path(path, dir, "../x"), GUARD_E_RANGE);
    assert_int_equal(pod_order_path(path, dir, order.id), GUARD_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640 & ~umask(umask(0)));
    assert_int_equal(file_read(path, POD_ORDER_BYTES_MAX, &bytes, &len, &err), GUARD_OK);
    assert_int_equal(pod_order_read(&again, (struct guard_span){bytes, len}, &err), GUARD_OK);
    free(bytes);
    assert_memory_equal(&order, &again, sizeof(order));
    assert_int_equal(unlink(path), 0);

    /* What has a report was given before, also when the order was taken away. */
    assert_int_equal(pod_report_path(path, dir, order.id), GUARD_OK);
    assert_int_equal(file_append_line(path, span(step_text), &err), GUARD_OK);
    assert_int_equal(pod_order_place(dir, &order, &err), GUARD_E_REPLAY);
    assert_int_equal(unlink(path), 0);

    /* Nobody takes them: there is an end. */
    uint32_t placed = 0;
    for (; placed < 2 * POD_ORDERS_MAX; placed++) {
        snprintf(order.id, sizeof(order.id), "n-%u", placed);
        if (pod_order_place(dir, &order, &err) != GUARD_OK)
            break;
    }
    assert_int_equal(placed, POD_ORDERS_MAX);
    for (uint32_t i = 0; i < placed; i++) {
        snprintf(order.id, sizeof(order.id), "n-%u", i);
        assert_int_equal(pod_order_path(path, dir, order.id), GUARD_OK);
        assert_int_equal(unlink(path), 0);
    }
    static const char *const folders[] = {"/pods/orders", "/pods/reports", "/pods", ""};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", dir, folders[i]);
        assert_int_equal(rmdir(path), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_order_is_read_as_it_is_written),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_what_may_not_be_is_refused_by_name),
        cmocka_unit_test(test_an_order_has_bounds),
        cmocka_unit_test(test_what_is_longest_can_be_written),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_texts_become_clean),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
