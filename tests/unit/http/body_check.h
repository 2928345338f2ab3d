/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of all body parsers do with one body. */
#ifndef TEST_BODY_CHECK_H
#define TEST_BODY_CHECK_H

#include "trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(text) gd_span(text, sizeof(text) - 1)
#define BIT(fault) (UINT64_C(1) << (fault))

/* The trace, however the body is cut: whole, into two at every place, into single bytes. */
static inline void check_framed(enum guard_body_kind kind, struct guard_span boundary,
                                enum gd_protobuf_framing framing, bool from_client,
                                struct guard_span text, const struct gd_limits *limits,
                                const char *expected)
{
    for (size_t cut = 0; cut <= text.len; cut++) {
        struct trace trace;
        struct trace_cuts cuts = {cut == text.len ? 1 : 0, cut};
        trace_init(&trace);
        trace.framing = framing;
        trace.from_client = from_client;
        assert_true(trace_body(&trace, kind, boundary, text, limits, cuts, NULL));
        assert_int_equal(trace.open, 0);
        if (strcmp(trace.text, expected) != 0)
            fail_msg("cut at %zu:\n%s\nexpected:\n%s", cut, trace.text, expected);
        trace_fini(&trace);
    }
}

static inline void check_body(enum guard_body_kind kind, struct guard_span boundary,
                              struct guard_span text, const struct gd_limits *limits,
                              const char *expected)
{
    check_framed(kind, boundary, GD_PROTOBUF_NONE, false, text, limits, expected);
}

/* Each allocation fails in turn: told once, survived, nothing leaks. */
static inline void sweep_body(enum guard_body_kind kind, struct guard_span boundary,
                              struct guard_span text, size_t step)
{
    bool failed = true;
    for (unsigned at = 1; failed; at++) {
        struct trace_alloc alloc = {.fail_at = at};
        struct trace trace;
        trace_init(&trace);
        bool begun = trace_body(&trace, kind, boundary, text, &trace_limits,
                                (struct trace_cuts){step, 0}, &alloc);
        failed = alloc.calls >= at;
        assert_int_equal(alloc.live, 0);
        assert_int_equal(trace.open, 0);
        assert_int_equal((trace.faults & BIT(GUARD_FAULT_MEMORY)) != 0, failed && begun);
        trace_fini(&trace);
        assert_true(at < 1000);
    }
}

#endif
