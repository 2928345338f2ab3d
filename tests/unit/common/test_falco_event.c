/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of Falco as features; what is none, and what no feature is. */
#include "common/pods/falco_event.h"

#include "common/file.h"

#include <stdio.h>
#include <string.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct guard_arena arena;

static enum guard_rc read_line(struct falco_event *out, const char *line)
{
    struct guard_err err;
    guard_arena_reset(&arena);
    return falco_event_read(out, (struct guard_span){(const uint8_t *)line, strlen(line)}, &arena,
                            &err);
}

#define EVENT(fields)                                                                              \
    "{\"time\":\"2024-05-01T10:00:00.5Z\",\"rule\":\"r\",\"output_fields\":{\"container.id\":"     \
    "\"0123456789ab\"," fields "}}"

static void is_text(struct guard_span text, const char *want)
{
    assert_int_equal(text.len, strlen(want));
    assert_memory_equal(text.ptr, want, text.len);
}

static void test_programs(void **state)
{
    struct falco_event event;
    assert_int_equal(read_line(&event, EVENT("\"evt.type\":\"execve\",\"proc.exepath\":\"/bin/a\","
                                             "\"proc.pname\":\"sh\",\"user.uid\":33")),
                     GUARD_OK);
    assert_true(event.about_pod);
    assert_int_equal(event.feature.kind, GUARD_POD_EXEC);
    assert_int_equal(event.feature.user, 33);
    assert_true(event.feature.first_ms == 1714557600500);
    is_text(event.feature.text, "/bin/a");
    is_text(event.feature.detail, "sh");
    is_text(event.container, "0123456789ab");
    read_line(&event, EVENT("\"evt.type\":\"execveat\",\"proc.name\":\"a\","
                            "\"evt.arg.flags\":\"EXE_WRITABLE|EXE_UPPER_LAYER\""));
    assert_int_equal(event.feature.kind, GUARD_POD_DROPPED);
    read_line(&event,
              EVENT("\"evt.type\":\"execve\",\"proc.name\":\"a\","
                    "\"proc.is_exe_from_memfd\":\"true\",\"proc.is_exe_upper_layer\":true"));
    assert_int_equal(event.feature.kind, GUARD_POD_MEMFD);
}

static void test_destinations(void **state)
{
    struct falco_event event;
    static const uint8_t address[] = {192, 0, 2, 9};
    read_line(&event, EVENT("\"evt.type\":\"connect\",\"fd.name\":\"10.0.0.1:4->192.0.2.9:443\","
                            "\"fd.l4proto\":\"tcp\""));
    assert_true(event.about_pod);
    assert_int_equal(event.feature.port, 443);
    assert_int_equal(event.feature.transport, 6);
    assert_memory_equal(event.feature.address, address, 4);
    read_line(&event, EVENT("\"evt.type\":\"sendto\",\"fd.rip\":\"2001:db8::1\",\"fd.rport\":53,"
                            "\"fd.l4proto\":\"udp\""));
    assert_int_equal(event.feature.address_len, 16);
    assert_int_equal(event.feature.port, 53);
    assert_int_equal(event.feature.transport, 17);
    read_line(&event, EVENT("\"evt.type\":\"connect\",\"fd.name\":\"/var/run/socket\""));
    assert_false(event.about_pod);
}

static void test_files_and_others(void **state)
{
    struct falco_event event;
    read_line(&event, EVENT("\"evt.type\":\"openat\",\"fd.name\":\"/etc/shadow\""));
    assert_int_equal(event.feature.kind, GUARD_POD_SECRET);
    read_line(&event, EVENT("\"evt.type\":\"openat\",\"fd.name\":\"/bin/x\","
                            "\"evt.is_open_write\":true"));
    assert_int_equal(event.feature.kind, GUARD_POD_WRITE);
    read_line(&event, EVENT("\"evt.type\":\"ptrace\""));
    assert_false(event.about_pod);
    read_line(&event, "{\"output_fields\":{\"container.id\":\"host\",\"evt.type\":\"execve\","
                      "\"proc.name\":\"a\"}}");
    assert_false(event.about_pod);
}

static void test_no_events(void **state)
{
    static const char *const lines[] = {
        "", "{}", "[]", "null", "text", "{\"output_fields\":{\"a\":1}", "{\"output_fields\":7}"};
    struct falco_event event;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(read_line(&event, lines[i]), GUARD_E_SYNTAX);
}

static void test_long_texts_are_cut(void **state)
{
    struct falco_event event;
    char line[2048], path[600];
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    snprintf(line, sizeof(line), EVENT("\"evt.type\":\"execve\",\"proc.exepath\":\"%s\""), path);
    assert_int_equal(read_line(&event, line), GUARD_OK);
    assert_int_equal(event.feature.text.len, GUARD_POD_TEXT_MAX);
}

int main(void)
{
    struct guard_alloc heap = heap_alloc();
    guard_arena_init(&arena, &heap, 1 << 20);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_programs),           cmocka_unit_test(test_destinations),
        cmocka_unit_test(test_files_and_others),   cmocka_unit_test(test_no_events),
        cmocka_unit_test(test_long_texts_are_cut),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guard_arena_reset(&arena);
    return failed;
}
