/* SPDX-License-Identifier: Apache-2.0 */
/* Targets and cookies: what is reported, and what two servers might read differently. */
#include "trace.h"

#include "http/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(text) gd_span(text, sizeof(text) - 1)
#define BIT(fault) (UINT64_C(1) << (fault))

typedef void view_function(struct guard_span, const struct gd_limits *, struct guard_arena *,
                           const struct gd_view *);

static void run(view_function *function, struct trace *trace, struct guard_span text,
                const struct gd_limits *limits, struct trace_alloc *alloc)
{
    struct guard_alloc source = trace_allocator(alloc);
    struct guard_arena arena;
    guard_arena_init(&arena, &source, 1 << 20);
    struct gd_view view = trace_view(trace);
    uint8_t *copy = malloc(text.len + 1);
    memcpy(copy + 1, text.ptr, text.len);
    function(gd_span(copy + 1, text.len), limits, &arena, &view);
    free(copy);
    guard_arena_reset(&arena);
}

static void expect(view_function *function, struct guard_span text, const struct gd_limits *limits,
                   const char *expected)
{
    struct trace_alloc alloc = {0};
    struct trace trace;
    trace_init(&trace);
    run(function, &trace, text, limits, &alloc);
    assert_string_equal(trace.text, expected);
    trace_fini(&trace);
}

static void target(struct guard_span text, const char *expected)
{
    expect(gd_target_view, text, &trace_limits, expected);
}

static void cookie(struct guard_span text, const char *expected)
{
    expect(gd_cookie_view, text, &trace_limits, expected);
}

static void test_path(void **state)
{
    (void)state;
    target(TEXT("/"), "seg0=\n");
    target(TEXT(""), "");
    target(TEXT("/users/42"), "seg0=users\nseg1=42\n");
    target(TEXT("/users/"), "seg0=users\nseg1=\n");
    target(TEXT("/a%20b/%C3%A9"), "seg0=a b\nseg1=\\xC3\\xA9\n");
    target(TEXT("/a+b"), "seg0=a+b\n");
    target(TEXT("http://host:80/a?b=1"), "seg0=a\nquery b=1\n");
    assert_true(gd_span_equal(gd_target_authority(TEXT("http://host:80/a?b=1")), TEXT("host:80")));
    assert_true(gd_span_equal(gd_target_authority(TEXT("h+2://a@b?x://y")), TEXT("a@b")));
    assert_int_equal(gd_target_authority(TEXT("http:///a")).len, 0);
    assert_int_equal(gd_target_authority(TEXT("/a://b/c")).len, 0);
    assert_int_equal(gd_target_authority(TEXT("*")).len, 0);
    assert_int_equal(gd_target_authority(TEXT("")).len, 0);
    target(TEXT("HTTP://host"), "seg0=\n");
    target(TEXT("http://host?b=1"), "seg0=\nquery b=1\n");
    target(TEXT("*"), "seg0=*\n");
    target(TEXT("host:443"), "seg0=host:443\n");
    target(TEXT("?a=1"), "query a=1\n");
    target(TEXT("/a?"), "seg0=a\n");
}

static void test_path_faults(void **state)
{
    (void)state;
    target(TEXT("/a//b"), "seg0=a\n! path empty-segment\nseg1=\nseg2=b\n");
    target(TEXT("//"), "! path empty-segment\nseg0=\nseg1=\n");
    target(TEXT("/a/../b/./c"), "seg0=a\n! path dot-segment\nseg1=..\nseg2=b\nseg3=.\nseg4=c\n");
    target(TEXT("/%2e%2E/etc"), "! path dot-segment\nseg0=..\nseg1=etc\n");
    target(TEXT("/..;/admin"), "! path dot-segment\nseg0=..;\nseg1=admin\n");
    target(TEXT("/a%2fb"), "! path encoded-separator\nseg0=a/b\n");
    target(TEXT("/x%2f..%5cb"), "! path dot-segment\n! path encoded-separator\nseg0=x/..\\b\n");
    target(TEXT("/a\\b"), "! path encoded-separator\nseg0=a\\b\n");
    target(TEXT("/%2541"), "! path double-encoded\nseg0=%41\n");
    target(TEXT("/100%"), "! path bad-escape\nseg0=100%\n");
    target(TEXT("/%zz%4"), "! path bad-escape\nseg0=%zz%4\n");
    target(TEXT("/%00"), "! path nul\nseg0=\\x00\n");
    target(TEXT("/%c0%af"), "! path overlong\nseg0=\\xC0\\xAF\n");
    target(TEXT("/%ff"), "! path invalid-utf8\nseg0=\\xFF\n");
    target(TEXT("/a#b?c=d"), "! path fragment\nseg0=a#b\nquery c=d\n");
    target(TEXT("/a?c=d#e"), "seg0=a\n! query fragment\nquery c=d#e\n");
    target(TEXT("/..."), "seg0=...\n");
}

static void test_query(void **state)
{
    (void)state;
    target(TEXT("/?a=1&b=&c&&=x&a%5B%5D=y+z%2B"),
           "seg0=\nquery a=1\nquery b=\nquery c=\nquery =x\nquery a[]=y z+\n");
    target(TEXT("/?a=b=c?d/e"), "seg0=\nquery a=b=c?d/e\n");
    target(TEXT("/?u=tom+or+1=1"), "seg0=\nquery u=tom or 1=1\n");
    target(TEXT("/?a=1&a=2&%61=3"), "seg0=\nquery a=1\nquery a=2\nquery a=3\n");
    target(TEXT("/?a=1;x=2"), "seg0=\n! query semicolon-pair\nquery a=1;x=2\n");
    target(TEXT("/?a;b=1"), "seg0=\n! query semicolon-pair\nquery a;b=1\n");
    target(TEXT("/?a=1;2&b=;&c=1;=2&d=;;&e=1;2;3=4"),
           "seg0=\nquery a=1;2\nquery b=;\nquery c=1;=2\nquery d=;;\n! query semicolon-pair\nquery "
           "e=1;2;3=4\n");
    target(TEXT("/?a=%3bx=2"), "seg0=\nquery a=;x=2\n");
    target(TEXT("/?a=%252e%u0041"),
           "seg0=\n! query bad-escape\n! query double-encoded\nquery a=%2e%u0041\n");
    target(TEXT("/?%c0%af=%00"), "seg0=\n! query nul\n! query overlong\nquery \\xC0\\xAF=\\x00\n");
}

static void test_cookies(void **state)
{
    (void)state;
    cookie(TEXT("a=1; b=\"x y\";c=%20;;d ; =e;a=2"),
           "cookie a=1\ncookie b=x y\ncookie c= \ncookie d=\ncookie =e\n"
           "cookie a=2\n");
    cookie(TEXT("a=b=c; d=\"; e=+"), "cookie a=b=c\ncookie d=\"\ncookie e=+\n");
    cookie(TEXT("a=%; \xff=1"),
           "! cookie bad-escape\ncookie a=%\n! cookie invalid-utf8\ncookie \\xFF=1\n");
    cookie(TEXT(""), "");
    cookie(TEXT(" ; ;"), "");
}

static void test_limits(void **state)
{
    (void)state;
    struct gd_limits limits = {.names = 2, .value = 4};
    expect(gd_target_view, TEXT("/a/b/c?a=1&b=2&c=3&d=4"), &limits,
           "seg0=a\nseg1=b\n! path names\nquery a=1\nquery b=2\n! query names\n");
    expect(gd_target_view, TEXT("/abcdef?abc\xc3\xa9=%41%42%43%44%45"), &limits,
           "! path value-length\nseg0=abcd\n! query value-length\nquery abc=ABCD\n");
    expect(gd_cookie_view, TEXT("a=1;b=12345;c=3"), &limits,
           "cookie a=1\n! cookie value-length\ncookie b=1234\n! cookie names\n");
}

/* Every name and value needs decoding, so every piece needs memory. */
static void test_allocation_failures(void **state)
{
    (void)state;
    char text[30000] = "/%61/%62?";
    size_t len = strlen(text);
    while (len < sizeof(text) - 50)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%%6e%zu=%%41%%42+%%43%%44&", len);
    bool failed = true;
    for (unsigned at = 1; failed; at++) {
        struct trace_alloc alloc = {.fail_at = at};
        struct trace trace;
        trace_init(&trace);
        run(gd_target_view, &trace, gd_span(text, len), &(struct gd_limits){9999, 0, 0, 65536},
            &alloc);
        failed = alloc.calls >= at;
        assert_int_equal((trace.faults & BIT(GUARD_FAULT_MEMORY)) != 0, failed);
        assert_int_equal(alloc.live, 0);
        assert_true(trace.calls > 1000);
        trace_fini(&trace);
    }
}

/* 64 KiB of one character, for each character that means something. */
static void test_hostile(void **state)
{
    (void)state;
    char *text = malloc(65537);
    for (const char *byte = "/?&=;%+.#\\\" \t"; *byte != '\0'; byte++) {
        memset(text, *byte, 65536);
        text[0] = '/';
        text[1] = *byte == '/' ? '/' : '?';
        struct trace_alloc alloc = {0};
        struct trace trace;
        trace_init(&trace);
        run(gd_target_view, &trace, gd_span(text, 65536), &trace_limits, &alloc);
        run(gd_cookie_view, &trace, gd_span(text, 65536), &trace_limits, &alloc);
        assert_true(trace.calls <= 1024);
        trace_fini(&trace);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),    cmocka_unit_test(test_path_faults),
        cmocka_unit_test(test_query),   cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
