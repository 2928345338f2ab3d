/* SPDX-License-Identifier: Apache-2.0 */
/* What is read back of alerts.open after a kill: all of it, nothing of what isn't whole or isn't
 * ours, and never more than there may be. */
#include "guardd/alert_series.h"
#include "guardd/alerts.h"

#include "common/file.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static char path[128];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/test_series.XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/alerts.open", dir);
    return 0;
}

static int teardown(void **state)
{
    char log[128];
    (void)state;
    snprintf(log, sizeof(log), "%s/alerts.jsonl", dir);
    unlink(log);
    unlink(path);
    return rmdir(dir);
}

static struct alerts *open_all(void)
{
    struct guard_err err;
    struct alerts *alerts = calloc(1, sizeof(*alerts));
    assert_non_null(alerts);
    assert_int_equal(alerts_open(alerts, dir, &err), GUARD_OK);
    return alerts;
}

static void end_all(struct alerts *alerts)
{
    alerts_close(alerts);
    alerts_forget_positions(alerts);
    free(alerts);
}

static void write_file(const char *text, size_t len)
{
    struct guard_err err;
    assert_int_equal(
        file_replace(path, (struct guard_span){(const uint8_t *)text, len}, 0640, false, &err),
        GUARD_OK);
}

static void test_positions_come_back(void **state)
{
    struct alerts *alerts = open_all();
    uint64_t incarnation = 0, sequence = 0;
    (void)state;
    alerts_note_position(alerts, "gate-0.alerts", UINT64_MAX - 1, 77);
    alerts_save(alerts, dir);
    end_all(alerts);
    alerts = open_all();
    alerts_restore(alerts, dir);
    assert_true(alerts_position(alerts, "gate-0.alerts", &incarnation, &sequence));
    assert_true(incarnation == UINT64_MAX - 1 && sequence == 77);
    alerts_forget_position(alerts, "gate-0.alerts");
    assert_false(alerts_position(alerts, "gate-0.alerts", &incarnation, &sequence));
    end_all(alerts);
}

/* A file that says more rings than there may be costs no time and no memory. */
static void test_positions_are_bounded(void **state)
{
    enum { LINES = 20000, LINE = 80, ROOM = LINES * LINE + 64 };
    char *text = malloc(ROOM);
    size_t len = 0;
    (void)state;
    assert_non_null(text);
    for (int i = 0; i < LINES; i++)
        len += (size_t)snprintf(
            text + len, ROOM - len,
            "{\"ring\":\"r%d.alerts\",\"incarnation\":\"1\",\"sequence\":\"2\"}\n", i);
    len += (size_t)snprintf(text + len, ROOM - len, "{\"end\":true}\n");
    write_file(text, len);
    free(text);
    struct alerts *alerts = open_all();
    alerts_restore(alerts, dir);
    assert_int_equal(alerts->position_count, ALERT_POSITIONS_MAX);
    end_all(alerts);
}

static void test_damaged_files_do_no_harm(void **state)
{
    static const char good[] =
        "{\"seq\":\"5\",\"series\":\"3\"}\n"
        "{\"ring\":\"gate-0.alerts\",\"incarnation\":\"1\",\"sequence\":\"2\"}\n"
        "{\"key\":\"9\",\"since_ms\":\"1\",\"total\":\"4\",\"count\":\"2\",\"ended\":false,"
        "\"ids\":[\"a\",7,[]],\"line\":\"{\\\"service\\\":\\\"shop\\\"\"}\n"
        "{\"end\":true}\n";
    struct test_random random = test_random_start("series");
    char text[sizeof(good)];
    (void)state;
    for (int i = 0; i < 600; i++) {
        size_t len = sizeof(good) - 1;
        memcpy(text, good, sizeof(good));
        if (i < (int)len)
            len = (size_t)i;
        else
            text[test_random_below(&random, (uint32_t)len)] = (char)test_random_below(&random, 256);
        write_file(text, len);
        struct alerts *alerts = open_all();
        alerts_restore(alerts, dir);
        assert_true(alerts->position_count <= ALERT_POSITIONS_MAX);
        end_all(alerts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_positions_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_positions_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_files_do_no_harm, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
