/* SPDX-License-Identifier: Apache-2.0 */
/* Protocol buffers: the examples of the encoding guide, messages of a real encoder, frames, and
 * what is broken, all however they are cut. */
#include "body_check.h"

static void bare(struct guard_span message, const struct gd_limits *limits, const char *expected)
{
    check_framed(GUARD_BODY_BYTES, gd_span(NULL, 0), GD_PROTOBUF_BARE, false, message, limits,
                 expected);
}

static void grpc(struct guard_span frames, const struct gd_limits *limits, const char *expected)
{
    check_framed(GUARD_BODY_GRPC, gd_span(NULL, 0), GD_PROTOBUF_GRPC, false, frames, limits,
                 expected);
}

/* protobuf.dev, "Encoding". */
static void test_guide(void **state)
{
    (void)state;
    bare(TEXT("\x08\x96\x01"), &trace_limits, "${\n$.1=150\n$}1\n");
    bare(TEXT("\x12\x07testing"), &trace_limits, "${\n$.2=\"testing\n$}1\n");
    bare(TEXT("\x1a\x03\x08\x96\x01"), &trace_limits, "${\n$.3{\n$.3.1=150\n$.3}1\n$}1\n");
    /* -2 as int32 */
    bare(TEXT("\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &trace_limits,
         "${\n$.1=18446744073709551614\n$}1\n");
    /* Test4: d "hello", e 1 2 3 one by one */
    bare(TEXT("\x22\x05hello\x28\x01\x28\x02\x28\x03"), &trace_limits,
         "${\n$.4=\"hello\n$.5=1\n$.5=2\n$.5=3\n$}4\n");
    /* Test5: f packed 3 270 86942 */
    bare(TEXT("\x32\x06\x03\x8e\x02\x9e\xa7\x05"), &trace_limits,
         "${\n$.6=\"\\x03\\x8E\\x02\\x9E\\xA7\\x05\n$}1\n");
    /* Groups */
    bare(TEXT("\x43\x08\x01\x12\x01x\x44\x08\x02"), &trace_limits,
         "${\n$.8{\n$.8.1=1\n$.8.2=\"x\n$.8}2\n$.1=2\n$}2\n");
    bare(TEXT("\x0d\0\0\x80\x3f\x11\0\0\0\0\0\0\xf0\x3f\x1a\0"), &trace_limits,
         "${\n$.1=fixed \\x00\\x00\\x80?\n$.2=fixed \\x00\\x00\\x00\\x00\\x00\\x00\\xF0?\n"
         "$.3=\"\n$}3\n");
}

/* What protoc encodes: an order with an item, an address and text of several lines. */
static void test_real(void **state)
{
    (void)state;
    bare(TEXT("\x08\x96\x01\x12\x09"
              "Jos\xc3\xa9 42!\x1a\x1b\x0a\x03"
              "a-1\x10\x03\x19\0\0\0\0\0\0\x23\x40\x22\x01x\x22\x02yy*"
              "\x02\0\xff\xc2\x3e\x02\x08\x02"),
         &trace_limits,
         "${\n$.1=150\n$.2=\"Jos\\xC3\\xA9 42!\n$.3{\n$.3.1=\"a-1\n$.3.2=3\n"
         "$.3.3=fixed \\x00\\x00\\x00\\x00\\x00\\x00#@\n$.3.4=\"x\n$.3.4=\"yy\n"
         "$.3.5=\"\\x00\\xFF\n$.3}6\n$.1000{\n$.1000.1=2\n$.1000}1\n$}4\n");
    /* A message of one long string begins with a line feed and looks like text all through. */
    bare(TEXT("\x22\x26\x0a\x24"
              "0f8fad5b-d9cb-469f-a165-70867728950e"),
         &trace_limits, "${\n$.4{\n$.4.1=\"0f8fad5b-d9cb-469f-a165-70867728950e\n$.4}1\n$}1\n");
    /* Texts that could be messages, or that begin with a line feed and can't. */
    bare(TEXT("\x12\x02hi\x12\x05\nline\x12\x03\xe2\x82\xac"), &trace_limits,
         "${\n$.2=\"hi\n$.2=\"\\x0Aline\n$.2=\"\\xE2\\x82\\xAC\n$}3\n");
}

static void test_frames(void **state)
{
    (void)state;
    grpc(TEXT("\0\0\0\0\3\x08\x96\x01\0\0\0\0\0\0\0\0\0\2\x08\1"), &trace_limits,
         "${\n$.1=150\n$}1\n${\n$}0\n${\n$.1=1\n$}1\n");
    grpc(TEXT("\1\0\0\0\2\x1f\x8b\1\0\0\0\0\0\0\0\0\2\x08\1"), &trace_limits,
         "! protobuf content-encoding\n${\n$.1=1\n$}1\n");
    grpc(TEXT("\2\0\0\0\2\x08\1"), &trace_limits, "! protobuf protobuf-syntax\n");
    grpc(TEXT("\0\0\0\0\x05\x08\1\x12\1"), &trace_limits, "! protobuf truncated\n${\n$.1=1\n$}1\n");
    grpc(TEXT("\0\0\0\0\x09\x08\1\x12\x05he"), &trace_limits,
         "! protobuf truncated\n${\n$.1=1\n$.2=\"he\n$}1\n");
    grpc(TEXT("\0\0\0"), &trace_limits, "! protobuf truncated\n");
    check_framed(GUARD_BODY_GRPC, gd_span(NULL, 0), GD_PROTOBUF_GRPC_WEB, false,
                 TEXT("\0\0\0\0\2\x08\1\x80\0\0\0\x0fgrpc-status: 0\n"), &trace_limits,
                 "${\n$.1=1\n$}1\ntrailer grpc-status=0\n");
    grpc(TEXT("\x80\0\0\0\0"), &trace_limits, "! protobuf protobuf-syntax\n");
}

static void web(struct guard_span frames, const char *expected)
{
    check_framed(GUARD_BODY_GRPC, gd_span(NULL, 0), GD_PROTOBUF_GRPC_WEB, false, frames,
                 &trace_limits, expected);
}

/* The last frame of gRPC-Web: the block of header fields of HTTP/1. */
static void test_trailers(void **state)
{
    (void)state;
    web(TEXT("\x80\0\0\0\x26grpc-status:0\r\ngrpc-message: all ok \r\n"),
        "trailer grpc-status=0\ntrailer grpc-message=all ok\n");
    web(TEXT("\x80\0\0\0\x06x:a\r\n\n"), "trailer x=a\n");
    web(TEXT("\x80\0\0\0\0"), "");
    web(TEXT("\x80\0\0\0\x0bno field\na:"), "! protobuf protobuf-syntax\ntrailer a=\n");
    web(TEXT("\x80\0\0\0\x07"
             "b d:1\na"),
        "! protobuf protobuf-syntax\n");
    web(TEXT("\x81\0\0\0\x02zz"), "! protobuf content-encoding\n");
    web(TEXT("\x80\0\0\0\x09x:a"), "! protobuf truncated\ntrailer x=a\n");
    /* What follows them is nobody's. */
    web(TEXT("\x80\0\0\0\x03x:a\0\0\0\0\2\x08\1"), "trailer x=a\n! protobuf protobuf-syntax\n");
}

static void web_text(struct guard_span frames, const char *expected)
{
    check_framed(GUARD_BODY_GRPC, gd_span(NULL, 0), GD_PROTOBUF_GRPC_WEB_TEXT, false, frames,
                 &trace_limits, expected);
}

static void test_text(void **state)
{
    (void)state;
    /* All of it as one piece; a piece for each frame; pieces that end anywhere. */
    web_text(TEXT("AAAAAAIIAQAAAAADCJYBgAAAAA9ncnBjLXN0YXR1czowDQo="),
             "${\n$.1=1\n$}1\n${\n$.1=150\n$}1\ntrailer grpc-status=0\n");
    web_text(TEXT("AAAAAAIIAQ==AAAAAAMIlgE=gAAAAA9ncnBjLXN0YXR1czowDQo="),
             "${\n$.1=1\n$}1\n${\n$.1=150\n$}1\ntrailer grpc-status=0\n");
    web_text(TEXT("AA==AAAAAgg=AQAAAAADCJY=AYAAAAAPZ3JwYy1zdGF0dXM6MA0K"),
             "${\n$.1=1\n$}1\n${\n$.1=150\n$}1\ntrailer grpc-status=0\n");
    web_text(TEXT("AAAAAAIIAQ==AAA"), "${\n$.1=1\n$}1\n! protobuf truncated\n");
    web_text(TEXT("AAAAAAIIAQ==!AAAAAAMIlgE="), "${\n$.1=1\n$}1\n! protobuf protobuf-syntax\n");
    web_text(TEXT("AAAAAA"), "! protobuf truncated\n");
    web_text(TEXT(""), "");
}

static void test_broken(void **state)
{
    (void)state;
    bare(TEXT("\x08"), &trace_limits, "${\n! protobuf protobuf-syntax\n$}0\n");
    bare(TEXT("\x00\x01"), &trace_limits, "${\n! protobuf protobuf-syntax\n$}0\n");
    bare(TEXT("\x0e\x01"), &trace_limits, "${\n! protobuf protobuf-syntax\n$}0\n");
    bare(TEXT("\x08\x01\x0c"), &trace_limits, "${\n$.1=1\n! protobuf protobuf-syntax\n$}1\n");
    bare(TEXT("\x0b\x08\x01"), &trace_limits,
         "${\n$.1{\n$.1.1=1\n! protobuf protobuf-syntax\n$.1}1\n$}1\n");
    bare(TEXT("\x0b\x14"), &trace_limits, "${\n$.1{\n! protobuf protobuf-syntax\n$.1}0\n$}1\n");
    bare(TEXT("\x0a\x05"
              "ab"),
         &trace_limits, "${\n! protobuf protobuf-syntax\n$}0\n");
    bare(TEXT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &trace_limits,
         "${\n! protobuf protobuf-syntax\n$}0\n");
}

static void test_limits(void **state)
{
    (void)state;
    const struct gd_limits limits = {.names = 4, .leaves = 3, .depth = 2, .value = 12};
    bare(TEXT("\x08\1\x08\2\x08\3\x08\4"), &limits,
         "${\n$.1=1\n$.1=2\n$.1=3\n! protobuf leaves\n$}3\n");
    /* The third level stays bytes. */
    bare(TEXT("\x0a\6\x0a\4\x0a\2\x08\1"), &limits,
         "${\n$.1{\n! protobuf depth\n$.1.1=\"\\x0A\\x02\\x08\\x01\n$.1}1\n$}1\n");
    grpc(TEXT("\0\0\0\0\x10\x08\1\x0a\x0c"
              "abcdefghijkl\0\0\0\0\2\x08\2"),
         &limits, "! protobuf value-length\n${\n$.1=1\n$.1=\"abcdefgh\n$}1\n${\n$.1=2\n$}1\n");
}

/* Time is linear: nothing looks at the same bytes at each level again. */
static void test_deep(void **state)
{
    (void)state;
    enum { LEVELS = 60, SIZE = 60000 };
    static uint8_t message[SIZE + 8 * LEVELS];
    size_t len = sizeof(message);
    memset(message, 'x', len);
    message[len - 1] = 1;
    size_t at = 8 * LEVELS;
    while (at >= 8) {
        size_t inner = len - at;
        at -= 4;
        message[at] = 0x22;
        message[at + 1] = (uint8_t)(inner | 0x80);
        message[at + 2] = (uint8_t)(inner >> 7 | 0x80);
        message[at + 3] = (uint8_t)(inner >> 14);
    }
    struct trace trace;
    trace_init(&trace);
    trace.framing = GD_PROTOBUF_BARE;
    assert_true(trace_body(&trace, GUARD_BODY_BYTES, gd_span(NULL, 0),
                           gd_span(message + at, len - at), &trace_limits,
                           (struct trace_cuts){0, 0}, NULL));
    assert_int_equal(trace.open, 0);
    trace_fini(&trace);
}

static void test_memory(void **state)
{
    (void)state;
    sweep_body(GUARD_BODY_GRPC, gd_span(NULL, 0),
               TEXT("\0\0\0\0\x09\x08\1\x12\5hello\0\0\0\0\2\x08\1"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guide),    cmocka_unit_test(test_real), cmocka_unit_test(test_frames),
        cmocka_unit_test(test_trailers), cmocka_unit_test(test_text), cmocka_unit_test(test_broken),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_deep), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
