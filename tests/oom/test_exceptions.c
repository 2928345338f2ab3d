/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions with memory that fails at each place in turn: documents read, written and edited say
 * GUARD_E_NOMEM, and a decision never covers more than it would with memory. */
#include "common/guardian.h"
#include "common/guardian_edit.h"
#include "common/guardian_exception.h"
#include "support/failing_alloc.h"
#include "unit/policy/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ARENA = 64 << 20, TEXT_MAX = 128 * 1024, NOW = 1000000, LONG = 1500 };

static char text[TEXT_MAX];

/* Large enough for several chunks. */
static size_t make_list(char *to, size_t cap, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++) {
        len += (size_t)snprintf(to + len, cap - len,
                                "- id: e%d\n  author: alice\n  reason: a test\n"
                                "  created: 2026-11-01\n  expires: 2026-12-01\n  scope:\n"
                                "    clients: [192.0.2.0/24, \"2001:db8::/32\"]\n    names: [n0",
                                i);
        for (int k = 1; k < 30; k++)
            len += (size_t)snprintf(to + len, cap - len, ", \"n\\xe9%d*\"", k);
        len += (size_t)snprintf(to + len, cap - len, "]\n");
    }
    return len;
}

static struct guard_span span_of(const char *of)
{
    return (struct guard_span){(const uint8_t *)of, strlen(of)};
}

static enum guard_rc read_and_write(struct guard_alloc *alloc, void *ctx)
{
    struct guard_arena arena;
    struct exception_list list;
    struct guard_span written;
    (void)ctx;
    guard_arena_init(&arena, alloc, ARENA);
    enum guard_rc rc = exceptions_parse(&list, "e", span_of(text), NULL, &arena, NULL);
    if (rc == GUARD_OK)
        assert_int_equal(list.count, GUARD_EXCEPTIONS_MAX);
    if (rc == GUARD_OK)
        rc = exceptions_write(list.exceptions, list.count, &arena, &written, NULL);
    guard_arena_reset(&arena);
    return rc;
}

static void test_reading_and_writing(void **state)
{
    (void)state;
    make_list(text, sizeof(text), GUARD_EXCEPTIONS_MAX);
    assert_true(failing_alloc_sweep(read_and_write, NULL, false) > 4);
}

/* The document loses its first exception. */
static enum guard_rc edit(struct guard_alloc *alloc, void *ctx)
{
    struct guard_arena arena;
    struct guard_guardian now;
    struct guard_span edited = {NULL, 0};
    (void)ctx;
    guard_arena_init(&arena, alloc, ARENA);
    enum guard_rc rc = guardian_parse(&now, "g", span_of(text), &arena, NULL);
    if (rc == GUARD_OK) {
        struct guard_guardian wanted = now;
        assert_int_equal(now.exception_count, GUARD_EXCEPTIONS_MAX);
        wanted.exceptions++;
        wanted.exception_count--;
        rc = guardian_edit_exceptions(span_of(text), &now, &wanted, &arena, &edited, NULL);
    }
    if (rc == GUARD_OK)
        assert_true(edited.len < strlen(text));
    guard_arena_reset(&arena);
    return rc;
}

static void test_editing(void **state)
{
    static const char head[] = "service: shop\nexceptions:\n";
    (void)state;
    memcpy(text, head, sizeof(head));
    make_list(text + strlen(head), sizeof(text) - strlen(head), GUARD_EXCEPTIONS_MAX);
    assert_true(failing_alloc_sweep(edit, NULL, false) > 4);
}

/* The path's forms and the names of nested members are made in memory. */
static enum guard_rc decide(struct guard_alloc *alloc, void *ctx)
{
    const struct guard_policy *policy = ctx;
    static char body[64 * 1024];
    struct guard_arena arena;
    struct guard_txn *txn = NULL;
    const struct guard_txn_cfg cfg = {
        .policy = policy, .service = GUARD_SPAN_LITERAL("shop"), .time_ms = NOW};
    size_t len = (size_t)snprintf(body, sizeof(body), "{\"item\":\"chair\",\"evil\":{\"a\":1}");
    for (int i = 0; i < LONG; i++)
        len += (size_t)snprintf(body + len, sizeof(body) - len, ",\"m%d\":{\"a\":%d}", i, i);
    body[len++] = '}';
    guard_arena_init(&arena, alloc, 1024 * 1024);
    enum guard_rc rc = guard_txn_begin(&txn, &cfg, &arena);
    if (rc == GUARD_OK) {
        guard_txn_request(txn, world_span("POST"), world_span("/%6frders"), 11);
        guard_txn_header(txn, world_span("host"), world_span("shop.test"));
        guard_txn_header(txn, world_span("content-type"), world_span("application/json"));
        (void)guard_txn_headers_end(txn);
        guard_txn_body(txn, (struct guard_span){(const uint8_t *)body, len});
        const struct guard_verdict *verdict = guard_txn_request_end(txn);
        assert_int_equal(verdict->decision, GUARD_BLOCK);
        assert_true(verdict->finding_count > 0);
    }
    guard_arena_reset(&arena);
    return rc;
}

/* "evil" blocks though all the others are covered, whatever couldn't be had. */
static void test_decisions(void **state)
{
    static struct world world;
    (void)state;
    const struct guard_span endpoint = world_span("/orders");
    const struct guard_span names[] = {world_span("m*"), world_span("item")};
    struct guard_exception exception = {.id = world_span("E"),
                                        .author = world_span("alice"),
                                        .reason = world_span("a test"),
                                        .created_ms = 1,
                                        .expires_ms = NOW + 1,
                                        .endpoints = &endpoint,
                                        .endpoint_count = 1,
                                        .names = names,
                                        .name_count = 2};
    world_init(&world);
    guard_guardian_set_mode(&world.guardian, GUARD_MODE_BLOCK);
    world.guardian.exceptions = &exception;
    world.guardian.exception_count = 1;
    struct guard_policy *policy = world_policy(&world);
    assert_true(failing_alloc_sweep(decide, policy, true) > 2);
    world_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_and_writing),
        cmocka_unit_test(test_editing),
        cmocka_unit_test(test_decisions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
