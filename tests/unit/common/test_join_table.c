/* SPDX-License-Identifier: Apache-2.0 */
/* Who a call is attributed to: by trace, by time, to nobody; what a forged trace id can and can't
 * do; places of dead workers; several processes at once. */
#include "common/join_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 64 * 1024, NOW = 1000000, ME = 77 };

static struct join_table *table;
static void *memory;
static uint32_t cursor;
static uint64_t shop;

static int set_up(void **state)
{
    (void)state;
    memory = malloc(SIZE);
    table = join_table_init(memory, SIZE);
    cursor = 0;
    shop = join_service(GUARD_SPAN_LITERAL("shop"));
    return table == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static struct trace_parent trace_of(int trace, int span)
{
    struct trace_parent parent = {.flags = 1};
    memset(parent.trace, trace, sizeof(parent.trace));
    memset(parent.span, span, sizeof(parent.span));
    return parent;
}

/* Client number n, trace and span of equal bytes (trace 0: none). */
static struct join_exchange exchange_of(int client, int trace, int span)
{
    struct join_exchange exchange = {.service = shop,
                                     .trace = trace_of(trace, span),
                                     .traced = trace != 0,
                                     .time_ms = NOW,
                                     .unit = GUARD_UNIT_PREFIX,
                                     .address_len = 4,
                                     .address = {10, 0, 0, (uint8_t)client}};
    exchange.id[0] = (uint8_t)client;
    exchange.id[1] = (uint8_t)span;
    return exchange;
}

static int32_t enter(int client, int trace, int span)
{
    struct join_exchange exchange = exchange_of(client, trace, span);
    return join_enter(table, &cursor, ME, &exchange);
}

/* The client that the call is attributed to; 0 = nobody. */
static int find(int trace, int span, enum join_how how, uint64_t now_ms)
{
    struct trace_parent parent = trace_of(trace, span);
    struct join_exchange out = {.id = {0}};
    assert_int_equal(join_find(table, shop, trace != 0 ? &parent : NULL, true, now_ms, &out), how);
    return how == JOIN_BY_NOTHING ? 0 : out.address[3];
}

static void test_by_trace(void **state)
{
    (void)state;
    int32_t first = enter(1, 11, 21);
    int32_t second = enter(2, 12, 22);
    assert_true(first != JOIN_NONE && second != JOIN_NONE && first != second);
    assert_int_equal(find(11, 21, JOIN_BY_TRACE, NOW), 1);
    assert_int_equal(find(12, 22, JOIN_BY_TRACE, NOW), 2);
    /* A span that the service made. */
    assert_int_equal(find(12, 99, JOIN_BY_TRACE, NOW), 2);
    /* Neither a foreign trace nor none tells, when two are in flight. */
    assert_int_equal(find(13, 22, JOIN_BY_NOTHING, NOW), 0);
    assert_int_equal(find(0, 0, JOIN_BY_NOTHING, NOW), 0);
}

static void test_by_time(void **state)
{
    (void)state;
    assert_int_equal(find(0, 0, JOIN_BY_NOTHING, NOW), 0);
    int32_t first = enter(1, 0, 0);
    assert_int_equal(find(0, 0, JOIN_BY_TIME, NOW), 1);
    assert_int_equal(find(13, 1, JOIN_BY_TIME, NOW), 1);
    struct join_exchange out;
    assert_int_equal(join_find(table, shop, NULL, false, NOW, &out), JOIN_BY_NOTHING);
    assert_int_equal(
        join_find(table, join_service(GUARD_SPAN_LITERAL("other")), NULL, true, NOW, &out),
        JOIN_BY_NOTHING);
    int32_t second = enter(2, 0, 0);
    assert_int_equal(join_count(table, shop), 2);
    assert_int_equal(find(0, 0, JOIN_BY_NOTHING, NOW), 0);
    join_leave(table, first, NOW);
    assert_int_equal(find(0, 0, JOIN_BY_TIME, NOW), 2);
    join_leave(table, second, NOW);
    assert_int_equal(find(0, 0, JOIN_BY_NOTHING, NOW), 0);
}

static void test_other_services_do_not_count(void **state)
{
    (void)state;
    struct join_exchange other = exchange_of(5, 11, 21);
    other.service = join_service(GUARD_SPAN_LITERAL("other"));
    assert_true(join_enter(table, &cursor, ME, &other) != JOIN_NONE);
    assert_int_equal(find(11, 21, JOIN_BY_NOTHING, NOW), 0);
    enter(1, 0, 0);
    assert_int_equal(find(11, 21, JOIN_BY_TIME, NOW), 1);
}

/* Calls that come after the answer, but not for ever. */
static void test_lingering(void **state)
{
    (void)state;
    join_leave(table, enter(1, 11, 21), NOW);
    assert_int_equal(find(11, 21, JOIN_BY_TRACE, NOW + JOIN_LINGER_MS - 1), 1);
    assert_int_equal(find(11, 99, JOIN_BY_TRACE, NOW + JOIN_LINGER_MS - 1), 1);
    assert_int_equal(find(11, 21, JOIN_BY_NOTHING, NOW + JOIN_LINGER_MS), 0);
}

/* Client 2 sends the trace id of client 1. */
static void test_forged_trace(void **state)
{
    (void)state;
    int32_t victim = enter(1, 11, 21);
    int32_t forger = enter(2, 11, 22);
    /* Spans are ours, so each has its own; by the id alone nobody is joined, not even when one of
     * them is over and only the other is in flight. */
    assert_int_equal(find(11, 21, JOIN_BY_TRACE, NOW), 1);
    assert_int_equal(find(11, 22, JOIN_BY_TRACE, NOW), 2);
    assert_int_equal(find(11, 99, JOIN_BY_NOTHING, NOW), 0);
    join_leave(table, forger, NOW);
    assert_int_equal(find(11, 99, JOIN_BY_NOTHING, NOW + 1), 0);
    join_leave(table, victim, NOW);
    assert_int_equal(find(11, 99, JOIN_BY_NOTHING, NOW + 1), 0);
}

/* One trace, several exchanges of one client: a page that loads its parts. */
static void test_one_client_with_one_trace(void **state)
{
    (void)state;
    int32_t first = enter(1, 11, 21);
    (void)enter(1, 11, 22);
    assert_int_equal(find(11, 99, JOIN_BY_TRACE, NOW), 1);
    join_leave(table, first, NOW);
    struct trace_parent parent = trace_of(11, 99);
    struct join_exchange out;
    assert_int_equal(join_find(table, shop, &parent, true, NOW, &out), JOIN_BY_TRACE);
    assert_int_equal(out.id[1], 22); /* the one in flight */
}

/* Heads of trace ids may be equal, or zero. */
static void test_whole_ids_are_compared(void **state)
{
    (void)state;
    struct join_exchange exchange = exchange_of(1, 11, 21);
    memset(exchange.trace.trace, 0, 8);
    assert_true(join_enter(table, &cursor, ME, &exchange) != JOIN_NONE);
    (void)enter(2, 12, 22);
    struct join_exchange out;
    assert_int_equal(join_find(table, shop, &exchange.trace, true, NOW, &out), JOIN_BY_TRACE);
    exchange.trace.trace[15] ^= 1;
    assert_int_equal(join_find(table, shop, &exchange.trace, true, NOW, &out), JOIN_BY_NOTHING);
}

static void test_full(void **state)
{
    (void)state;
    int32_t at[2000];
    int count = 0;
    while (count < 2000 && (at[count] = enter(1, 11, 21)) != JOIN_NONE)
        count++;
    assert_true(count > 64 && count < 2000);
    for (int i = 0; i < count - 1; i++)
        join_leave(table, at[i], NOW);
    /* One is registered, one isn't: time tells nothing. */
    assert_int_equal(find(0, 0, JOIN_BY_NOTHING, NOW), 0);
    join_leave(table, JOIN_NONE, NOW);
    assert_int_equal(find(0, 0, JOIN_BY_TIME, NOW), 1);
    assert_true(enter(2, 12, 22) != JOIN_NONE);
}

static bool nobody_lives(uint32_t owner)
{
    (void)owner;
    return false;
}

static bool all_live(uint32_t owner)
{
    (void)owner;
    return true;
}

static void test_dead_workers(void **state)
{
    (void)state;
    struct join_exchange exchange = exchange_of(1, 11, 21);
    for (uint32_t owner = 1; owner <= 3; owner++)
        assert_true(join_enter(table, &cursor, owner, &exchange) != JOIN_NONE);
    assert_int_equal(join_count(table, shop), 3);
    uint32_t at = 0;
    join_sweep(table, &at, UINT32_MAX, 1, all_live, NOW);
    assert_int_equal(join_count(table, shop), 3);
    at = 2; /* behind owner 2's place, which is found by the next round */
    join_sweep(table, &at, 1, 1, nobody_lives, NOW);
    assert_int_equal(join_count(table, shop), 2);
    join_sweep(table, &at, UINT32_MAX, 1, nobody_lives, NOW);
    assert_int_equal(join_count(table, shop), 1);
    join_forget(table, 1, NOW);
    assert_int_equal(join_count(table, shop), 0);
}

static void test_open(void **state)
{
    (void)state;
    (void)enter(1, 11, 21);
    assert_ptr_equal(join_table_open(memory, SIZE), table);
    assert_null(join_table_open(memory, SIZE / 2));
    ((uint32_t *)memory)[1]++; /* another version */
    assert_null(join_table_open(memory, SIZE));
    assert_null(join_table_init(memory, 1000));
}

/* All carry one trace, so that readers copy each; but for that, each is equal bytes throughout:
 * whatever is found must be, too. */
static void hammer(struct join_table *shared, int seed, uint32_t owner)
{
    uint32_t own_cursor = (uint32_t)seed * 13;
    int32_t places[8];
    for (int round = 0; round < 3000000; round++) {
        int byte = 1 + (seed * 31 + round) % 200;
        struct join_exchange exchange = exchange_of(byte, 1, byte);
        memset(exchange.id, byte, sizeof(exchange.id));
        if (round >= 8)
            join_leave(shared, places[round % 8], NOW);
        places[round % 8] = join_enter(shared, &own_cursor, owner, &exchange);
    }
    for (int i = 0; i < 8; i++)
        join_leave(shared, places[i], NOW);
}

static void test_processes(void **state)
{
    (void)state;
    enum { WRITERS = 3, SHARED = 9 * 1024 };
    void *shared = mmap(NULL, SHARED, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    struct join_table *own = join_table_init(shared, SHARED);
    pid_t children[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            hammer(own, i, (uint32_t)i + 1);
            _exit(0);
        }
    }
    int running = WRITERS;
    int found = 0;
    int torn = 0;
    for (int round = 0; running > 0; round++) {
        int byte = 1 + round % 200;
        struct trace_parent parent = trace_of(1, byte);
        struct join_exchange out;
        enum join_how how = join_find(own, shop, &parent, true, NOW, &out);
        if (how != JOIN_BY_NOTHING) {
            found++;
            for (size_t i = 0; i < sizeof(out.id); i++)
                torn += out.id[i] != out.address[3] || out.id[i] != out.trace.span[0];
        }
        if (round % 64 == 0 && waitpid(-1, NULL, WNOHANG) > 0)
            running--;
    }
    assert_true(found > 0);
    assert_int_equal(torn, 0);
    assert_int_equal(join_count(own, shop), 0);
    struct join_exchange out;
    struct join_exchange last = exchange_of(9, 0, 0);
    uint32_t own_cursor = 0;
    assert_true(join_enter(own, &own_cursor, 9, &last) != JOIN_NONE);
    assert_int_equal(join_find(own, shop, NULL, true, NOW, &out), JOIN_BY_TIME);
    munmap(shared, SHARED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_by_trace),     TEST(test_by_time),
        TEST(test_lingering),    TEST(test_other_services_do_not_count),
        TEST(test_forged_trace), TEST(test_one_client_with_one_trace),
        TEST(test_full),         TEST(test_whole_ids_are_compared),
        TEST(test_dead_workers), TEST(test_open),
        TEST(test_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
