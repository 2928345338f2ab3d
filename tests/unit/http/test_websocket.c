/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames: the examples of RFC 6455, and what it forbids, however they are cut. */
#include "body_check.h"

static void client(struct guard_span frames, const char *expected)
{
    check_framed(GUARD_BODY_WEBSOCKET, gd_span(NULL, 0), GD_PROTOBUF_NONE, true, frames,
                 &trace_limits, expected);
}

static void server(struct guard_span frames, const char *expected)
{
    check_framed(GUARD_BODY_WEBSOCKET, gd_span(NULL, 0), GD_PROTOBUF_NONE, false, frames,
                 &trace_limits, expected);
}

/* RFC 6455, 5.7 */
static void test_examples(void **state)
{
    (void)state;
    server(TEXT("\x81\x05Hello"), "text Hello|\n");
    client(TEXT("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "text Hello|\n");
    server(TEXT("\x01\x03Hel\x80\x02lo"), "text Hello|\n");
    server(TEXT("\x89\x05Hello"), "<ping Hello>");
    client(TEXT("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "<pong Hello>");
    server(TEXT("\x01\x03Hel\x89\x00\x80\x02lo\x88\x02\x03\xe8"),
           "text Hel<ping >lo|\n<close \\x03\\xE8>");
    server(TEXT("\x82\x00\x81\x00"), "binary |\ntext |\n");
}

static void test_lengths(void **state)
{
    (void)state;
    static uint8_t frame[70000];
    static char expected[70100];
    const size_t lengths[] = {125, 126, 256, 65535, 65536};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t len = lengths[i];
        uint8_t wide[] = {
            0x82, 127, 0, 0, 0, 0, 0, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
        uint8_t middle[] = {0x82, 126, (uint8_t)(len >> 8), (uint8_t)len};
        uint8_t narrow[] = {0x82, (uint8_t)len};
        const uint8_t *head = len > 65535 ? wide : len > 125 ? middle : narrow;
        size_t head_len = len > 65535 ? sizeof(wide) : len > 125 ? sizeof(middle) : sizeof(narrow);
        memcpy(frame, head, head_len);
        memset(frame + head_len, 'x', len);
        size_t text_len = (size_t)snprintf(expected, sizeof(expected), "binary ");
        memset(expected + text_len, 'x', len);
        memcpy(expected + text_len + len, "|\n", 3);
        struct trace trace;
        trace_init(&trace);
        assert_true(trace_body(&trace, GUARD_BODY_WEBSOCKET, gd_span(NULL, 0),
                               gd_span(frame, head_len + len), &trace_limits,
                               (struct trace_cuts){4093, 0}, NULL));
        assert_string_equal(trace.text, expected);
        trace_fini(&trace);
    }
    /* Not the shortest form, or beyond all. */
    server(TEXT("\x81\x7e\x00\x01x"), "! websocket websocket-syntax\ntext x|\n");
    server(TEXT("\x81\x7f\0\0\0\0\0\0\0\x01x"), "! websocket websocket-syntax\ntext x|\n");
    server(TEXT("\x81\x7f\x80\0\0\0\0\0\0\x01x"), "! websocket websocket-syntax\n");
}

static void test_forbidden(void **state)
{
    (void)state;
    client(TEXT("\x81\x01x"), "! websocket websocket-syntax\ntext x|\n");
    server(TEXT("\x81\x81\0\0\0\0x"), "! websocket websocket-syntax\ntext x|\n");
    server(TEXT("\xa1\x01x\x91\x01y"), "! websocket websocket-syntax\ntext x|\ntext y|\n");
    server(TEXT("\x83\x01x"), "! websocket websocket-syntax\nbinary x|\n");
    server(TEXT("\x8b\x01x\x81\x01y"), "! websocket websocket-syntax\ntext y|\n");
    server(TEXT("\x09\x01x"), "! websocket websocket-syntax\n<ping x>");
    server(TEXT("\x80\x01x"), "! websocket websocket-syntax\nbinary x|\n");
    server(TEXT("\x01\x01x\x81\x01y"), "text x! websocket websocket-syntax\n|\ntext y|\n");
    server(TEXT("\x88\x01x"), "! websocket websocket-syntax\n<close x>");
    server(TEXT("\x88\x03\x03\xe8\xff"), "! websocket invalid-utf8\n<close \\x03\\xE8\\xFF>");
    server(TEXT("\xc1\x02\xca\x48\x81\x01x"), "! websocket content-encoding\ntext ~\ntext x|\n");
}

static void test_utf8(void **state)
{
    (void)state;
    server(TEXT("\x01\x02\xe2\x82\x89\x00\x80\x01\xac"), "text \\xE2\\x82<ping >\\xAC|\n");
    server(TEXT("\x81\x02\xe2\x82"), "text \\xE2\\x82! websocket invalid-utf8\n|\n");
    server(TEXT("\x81\x02\xc0\xaf"), "text \\xC0\\xAF! websocket overlong\n|\n");
    server(TEXT("\x81\x03\xed\xa0\x80"), "text \\xED\\xA0\\x80! websocket invalid-utf8\n|\n");
    server(TEXT("\x81\x04\xf0\x9f\x98\x80"), "text \\xF0\\x9F\\x98\\x80|\n");
    server(TEXT("\x82\x01\xff"), "binary \\xFF|\n");
}

static void test_ends(void **state)
{
    (void)state;
    server(TEXT("\x81"), "! websocket truncated\n");
    server(TEXT("\x81\x02x"), "text x! websocket truncated\n~\n");
    server(TEXT("\x01\x01x"), "text x! websocket truncated\n~\n");
    const struct gd_limits limits = {.names = 4, .leaves = 3, .depth = 2, .value = 4};
    check_framed(GUARD_BODY_WEBSOCKET, gd_span(NULL, 0), GD_PROTOBUF_NONE, false,
                 TEXT("\x81\x06hellox\x01\x03hel\x80\x02lo\x81\x02ok"), &limits,
                 "text hell! websocket value-length\n~\ntext hell~\ntext ok|\n");
}

static void test_memory(void **state)
{
    (void)state;
    sweep_body(GUARD_BODY_WEBSOCKET, gd_span(NULL, 0), TEXT("\x81\x05Hello"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),  cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_forbidden), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_ends),      cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
