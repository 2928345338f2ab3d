/* SPDX-License-Identifier: Apache-2.0 */
/* A flood of one attack is one series: a line at once, counts each window, an end; no count gets
 * lost, and numbers of lines go on after a restart. */
#include "guardd/alerts.h"

#include "common/document_members.h"
#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static struct alerts alerts;

static int setup(void **state)
{
    struct guard_err err;
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/test_alerts.XXXXXX");
    memset(&alerts, 0, sizeof(alerts));
    return mkdtemp(dir) != NULL && alerts_open(&alerts, dir, &err) == GUARD_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    alerts_close(&alerts);
    unlink(alerts.path);
    return rmdir(dir);
}

static void send(const char *service, const char *method, int count)
{
    char text[256];
    for (int i = 0; i < count; i++) {
        int len = snprintf(text, sizeof(text),
                           "{\"service\":\"%s\",\"verdict\":\"block\",\"action\":\"block\","
                           "\"method\":\"%s\",\"suppressed\":2,\"id\":\"%x\"}",
                           service, method, (unsigned)i);
        alerts_take(&alerts, (struct guard_span){(const uint8_t *)text, (size_t)len});
    }
}

/* The members of a line that tell of its series, or "" behind the last. */
static void line_of(int number, char out[128])
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len = 0;
    FILE *file = fopen(alerts.path, "r");
    out[0] = '\0';
    for (int i = 0; file != NULL && i < number && len >= 0; i++)
        len = getline(&line, &cap, file);
    if (len > 0) {
        guard_arena_init(&arena, &heap, (size_t)4 << 20);
        assert_int_equal(document_parse(&document, "l",
                                        (struct guard_span){(const uint8_t *)line, (size_t)len},
                                        &arena, NULL),
                         GUARD_OK);
        snprintf(out, 128, "%s %s count=%s suppressed=%s total=%s seq=%s",
                 text_of(document.root, "method"), text_of(document.root, "state"),
                 text_of(document.root, "count"), text_of(document.root, "suppressed"),
                 text_of(document.root, "total"), text_of(document.root, "seq"));
        guard_arena_reset(&arena);
    }
    free(line);
    if (file != NULL)
        fclose(file);
}

static void expect(int number, const char *expected)
{
    char line[128];
    line_of(number, line);
    assert_string_equal(line, expected);
}

static void test_series(void **state)
{
    (void)state;
    uint64_t now = clock_unix_ms();
    send("shop", "GET", 10);
    expect(1, "GET first count=1 suppressed=2 total=1 seq=1");
    alerts_flush(&alerts, now + 1000);
    expect(2, "");
    alerts_flush(&alerts, now + ALERT_WINDOW_MS + 1000);
    expect(2, "GET more count=9 suppressed=18 total=10 seq=2");
    send("shop", "GET", 3);
    expect(3, "");
    alerts_flush(&alerts, now + ALERT_WINDOW_MS + 1000);
    expect(3, "GET more count=3 suppressed=6 total=13 seq=3");
    alerts_flush(&alerts, now + ALERT_WINDOW_MS + 1000);
    expect(4, "GET end count=0 suppressed=0 total=13 seq=4");
    send("shop", "GET", 1); /* another series */
    expect(5, "GET first count=1 suppressed=2 total=1 seq=5");
    alerts_flush(&alerts, now + ALERT_WINDOW_MS + 1000);
    expect(6, ""); /* of what came once nothing more is told */
}

static void test_restart(void **state)
{
    struct guard_err err;
    (void)state;
    send("shop", "GET", 4);
    alerts_close(&alerts);
    expect(2, "GET end count=3 suppressed=6 total=4 seq=2");
    memset(&alerts, 0, sizeof(alerts));
    assert_int_equal(alerts_open(&alerts, dir, &err), GUARD_OK);
    assert_int_equal(alerts.sequence, 2);
    send("shop", "GET", 1);
    expect(3, "GET first count=1 suppressed=2 total=1 seq=3");
}

static void test_many_kinds(void **state)
{
    (void)state;
    uint64_t total = 0;
    char line[128];
    for (int i = 0; i < ALERT_FOLDS_MAX + 50; i++) {
        char service[16];
        snprintf(service, sizeof(service), "s%d", i);
        send(service, "GET", 3);
    }
    alerts_close(&alerts);
    for (int number = 1;; number++) {
        line_of(number, line);
        if (line[0] == '\0')
            break;
        total += strtoull(strstr(line, "count=") + 6, NULL, 10);
    }
    assert_int_equal(total, 3 * (ALERT_FOLDS_MAX + 50));
    assert_int_equal(alerts.failed, 0);
}

static void test_patches(void **state)
{
    static const char text[] =
        "{\"service\":\"shop\",\"verdict\":\"alert\",\"action\":\"alert\",\"findings\":["
        "{\"rule\":\"patch\",\"patch\":\"%s\",\"shadow\":%s},{\"rule\":\"name\",\"patch\":\"c\"}]}";
    static const struct guard_span shop = GUARD_SPAN_LITERAL("shop");
    static const struct guard_span a = GUARD_SPAN_LITERAL("a");
    static const struct guard_span b = GUARD_SPAN_LITERAL("b");
    char alert[512];
    char line[1024] = "";
    (void)state;
    for (int i = 0; i < 4; i++) {
        int len = snprintf(alert, sizeof(alert), text, i < 3 ? "a" : "b", i < 2 ? "true" : "false");
        alerts_take(&alerts, (struct guard_span){(const uint8_t *)alert, (size_t)len});
    }
    assert_int_equal(alerts.patches.count, 2);
    assert_int_equal(patch_hits_find(&alerts.patches, shop, a)->hits, 1);
    assert_int_equal(patch_hits_find(&alerts.patches, shop, a)->shadow_hits, 2);
    assert_int_equal(patch_hits_find(&alerts.patches, shop, b)->hits, 1);
    assert_int_equal(alerts.written, 2); /* two patches are two kinds */
    FILE *file = fopen(alerts.path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    assert_non_null(strstr(line, "\"patch\":\"a\",\"shadow\":true"));
    fclose(file);
    patch_hits_free(&alerts.patches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_series, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_patches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_kinds, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
