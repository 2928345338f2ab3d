/* SPDX-License-Identifier: Apache-2.0 */
/* The store's promises, held by each back end: the one in a file, and PostgreSQL when
 * GUARD_TEST_POSTGRES says where (tests/integration/postgres.py starts it). */
#include "guardd/store.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/guard-store-XXXXXX";
static char where[512];
static bool shared;

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static struct store *open_as(const char *node)
{
    struct store *store = NULL;
    struct guard_err err;
    bool damaged = true;
    if (store_open(&store, where, node, &damaged, &err) != GUARD_OK)
        fail_msg("%s", err.text);
    assert_false(damaged);
    return store;
}

static void begin(struct store *store)
{
    struct guard_err err;
    assert_int_equal(store_begin(store, &err), GUARD_OK);
}

static void commit(struct store *store)
{
    struct guard_err err;
    assert_int_equal(store_commit(store, &err), GUARD_OK);
}

struct seen {
    uint32_t count;
    char text[2048];
};

static enum guard_rc see_service(void *ctx, const struct store_service *service)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);
    seen->count++;
    snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s %u %" PRIu64 " %.*s;",
             (int)service->name.len, (const char *)service->name.ptr, service->key[0],
             service->generation, (int)service->pile.len,
             service->pile.len > 0 ? (const char *)service->pile.ptr : "");
    return GUARD_OK;
}

static void save_service(struct store *store, const char *name, uint8_t key, uint64_t generation,
                         const char *pile)
{
    struct guard_err err;
    struct store_service service = {.name = span(name), .generation = generation};
    memset(service.key, key, sizeof(service.key));
    if (pile[0] != '\0')
        service.pile = span(pile);
    assert_int_equal(store_save_service(store, &service, &err), GUARD_OK);
}

static void test_services_survive(void **state)
{
    (void)state;
    struct guard_err err;
    struct seen seen = {0};
    struct store *store = open_as("a");
    begin(store);
    save_service(store, "b-service", 1, 1, "");
    save_service(store, "a-service", 2, 7, "pile");
    save_service(store, "b-service", 9, UINT64_MAX, "other"); /* a key stays what it was */
    commit(store);
    store_close(store);
    store = open_as("a");
    assert_int_equal(store_load_services(store, see_service, &seen, &err), GUARD_OK);
    assert_string_equal(seen.text, "a-service 2 7 pile;b-service 1 18446744073709551615 other;");
    store_close(store);
}

static enum guard_rc refuse(void *ctx, const struct store_service *service)
{
    (void)service;
    ++*(int *)ctx;
    return GUARD_E_NOMEM;
}

static void test_a_failure_of_who_takes_stops(void **state)
{
    (void)state;
    struct guard_err err;
    int calls = 0;
    struct store *store = open_as("a");
    begin(store);
    save_service(store, "a-service", 2, 7, "pile");
    save_service(store, "b-service", 2, 7, "pile");
    commit(store);
    assert_int_equal(store_load_services(store, refuse, &calls, &err), GUARD_E_NOMEM);
    assert_int_equal(calls, 1);
    begin(store); /* it is usable all the same */
    commit(store);
    store_close(store);
}

static void test_what_is_rolled_back_never_was(void **state)
{
    (void)state;
    struct guard_err err;
    struct seen seen = {0};
    uint64_t incarnation = 1;
    uint64_t sequence = 1;
    struct store *store = open_as("a");
    begin(store);
    save_service(store, "gone", 1, 1, "pile");
    assert_int_equal(store_save_position(store, "gone.ring", 5, 6, &err), GUARD_OK);
    store_rollback(store);
    assert_int_equal(store_load_position(store, "gone.ring", &incarnation, &sequence, &err),
                     GUARD_OK);
    assert_int_equal(incarnation + sequence, 0);
    begin(store);
    save_service(store, "gone", 1, 1, "pile");
    assert_int_equal(store_save_position(store, "gone.ring", 5, 6, &err), GUARD_OK);
    store_close(store); /* as a kill does */
    store = open_as("a");
    assert_int_equal(store_load_services(store, see_service, &seen, &err), GUARD_OK);
    assert_null(strstr(seen.text, "gone"));
    store_close(store);
}

static void test_positions(void **state)
{
    (void)state;
    struct guard_err err;
    uint64_t incarnation = 0;
    uint64_t sequence = 0;
    struct store *store = open_as("a");
    begin(store);
    assert_int_equal(store_save_position(store, "x.ring", UINT64_MAX, 2, &err), GUARD_OK);
    assert_int_equal(store_save_position(store, "x.ring", UINT64_MAX - 1, 3, &err), GUARD_OK);
    commit(store);
    assert_int_equal(store_load_position(store, "x.ring", &incarnation, &sequence, &err), GUARD_OK);
    assert_true(incarnation == UINT64_MAX - 1 && sequence == 3);
    if (shared) { /* another guardd's ring of that name is another one */
        struct store *other = open_as("b");
        assert_int_equal(store_load_position(other, "x.ring", &incarnation, &sequence, &err),
                         GUARD_OK);
        assert_true(incarnation == 0 && sequence == 0);
        store_close(other);
    }
    assert_int_equal(store_forget_position(store, "x.ring", &err), GUARD_OK);
    assert_int_equal(store_forget_position(store, "x.ring", &err), GUARD_OK);
    assert_int_equal(store_load_position(store, "x.ring", &incarnation, &sequence, &err), GUARD_OK);
    assert_true(incarnation == 0 && sequence == 0);
    store_close(store);
}

static void see_generation(void *ctx, const struct store_generation *generation)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof(seen->text) - len, "%" PRIu64 " %" PRIu64 " %" PRIu64 ";",
             generation->number, generation->created_ms, generation->exchanges);
}

static enum guard_rc see_bytes(void *ctx, struct guard_span bytes, struct guard_err *err)
{
    struct seen *seen = ctx;
    (void)err;
    snprintf(seen->text, sizeof(seen->text), "%.*s", (int)bytes.len, (const char *)bytes.ptr);
    return GUARD_OK;
}

static void test_generations(void **state)
{
    (void)state;
    struct guard_err err;
    struct seen seen = {0};
    struct store *store = open_as("a");
    begin(store);
    for (uint64_t i = 1; i <= 3; i++) {
        struct store_generation one = {span("g-service"), i, 10 * i, 100 * i, span("old")};
        assert_int_equal(store_save_generation(store, &one, &err), GUARD_OK);
    }
    struct store_generation again = {span("g-service"), 3, 31, 301, span("new")};
    assert_int_equal(store_save_generation(store, &again, &err), GUARD_OK);
    assert_int_equal(store_drop_generation(store, span("g-service"), 2, &err), GUARD_OK);
    assert_int_equal(store_drop_generation(store, span("g-service"), 2, &err), GUARD_OK);
    commit(store);
    assert_int_equal(store_list_generations(store, span("g-service"), see_generation, &seen, &err),
                     GUARD_OK);
    assert_string_equal(seen.text, "1 10 100;3 31 301;");
    assert_int_equal(store_load_generation(store, span("g-service"), 3, see_bytes, &seen, &err),
                     GUARD_OK);
    assert_string_equal(seen.text, "new");
    assert_int_equal(store_load_generation(store, span("g-service"), 2, see_bytes, &seen, &err),
                     GUARD_E_RANGE);
    store_close(store);
}

static void see_revision(void *ctx, const struct store_revision *revision)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s;", (int)revision->text.len,
             (const char *)revision->text.ptr);
}

static void test_revisions_replace_those_before(void **state)
{
    (void)state;
    struct guard_err err;
    struct seen seen = {0};
    const struct store_revision first[] = {{span("r1"), 1, 2}, {span("r2"), 3, 4}};
    const struct store_revision second[] = {{span("r3"), 5, 6}};
    struct store *store = open_as("a");
    begin(store);
    assert_int_equal(store_save_revisions(store, span("r-service"), first, 2, &err), GUARD_OK);
    assert_int_equal(store_save_revisions(store, span("r-service"), second, 1, &err), GUARD_OK);
    commit(store);
    assert_int_equal(store_list_revisions(store, span("r-service"), see_revision, &seen, &err),
                     GUARD_OK);
    assert_string_equal(seen.text, "r3;");
    store_close(store);
}

static enum guard_rc see_note(void *ctx, struct guard_span name, struct guard_span value)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s=%zu;", (int)name.len,
             (const char *)name.ptr, value.len);
    return GUARD_OK;
}

static enum guard_rc see_delta(void *ctx, uint64_t number, struct guard_span pile)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof(seen->text) - len, "%" PRIu64 "=%zu;", number, pile.len);
    return GUARD_OK;
}

static void test_notes_and_deltas(void **state)
{
    (void)state;
    struct guard_err err;
    struct seen seen = {0};
    struct store *store = open_as("a");
    begin(store);
    assert_int_equal(store_save_note(store, "k", span("b"), span("123"), &err), GUARD_OK);
    assert_int_equal(store_save_note(store, "k", span("a"), span(""), &err), GUARD_OK);
    assert_int_equal(store_save_note(store, "k", span("c"), span("1"), &err), GUARD_OK);
    assert_int_equal(store_save_note(store, "k", span("c"), span("22"), &err), GUARD_OK);
    assert_int_equal(store_drop_note(store, "k", span("b"), &err), GUARD_OK);
    for (uint64_t i = 1; i <= 4; i++)
        assert_int_equal(store_add_delta(store, span("d-service"), i, span("pile"), &err),
                         GUARD_OK);
    assert_int_equal(store_drop_deltas(store, span("d-service"), 2, &err), GUARD_OK);
    commit(store);
    assert_int_equal(store_list_notes(store, "k", see_note, &seen, &err), GUARD_OK);
    assert_string_equal(seen.text, "a=0;c=2;");
    seen.text[0] = '\0';
    assert_int_equal(store_list_deltas(store, span("d-service"), see_delta, &seen, &err), GUARD_OK);
    assert_string_equal(seen.text, "3=4;4=4;");
    store_close(store);
}

static enum guard_rc see_counts(void *ctx, uint64_t at_s, struct guard_span counts)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof(seen->text) - len, "%" PRIu64 "=%.*s;", at_s, (int)counts.len,
             (const char *)counts.ptr);
    return GUARD_OK;
}

static void save_history(struct store *store, enum store_history which, uint64_t at_s,
                         const char *counts)
{
    struct guard_err err;
    assert_int_equal(store_save_history(store, which, span("h-service"), at_s, span(counts), &err),
                     GUARD_OK);
}

static void check_history(struct store *store, const char *expected)
{
    struct guard_err err;
    struct seen seen = {0};
    assert_int_equal(
        store_list_history(store, span("h-service"), 0, INT64_MAX, see_counts, &seen, &err),
        GUARD_OK);
    assert_string_equal(seen.text, expected);
}

static void test_history(void **state)
{
    (void)state;
    struct guard_err err;
    struct seen seen = {0};
    struct store *store = open_as("a");
    begin(store);
    save_history(store, STORE_HISTORY_OWN, 3600, "hour");
    save_history(store, STORE_HISTORY_OWN, 7260, "old");
    save_history(store, STORE_HISTORY_OWN, 7260, "new");
    save_history(store, STORE_HISTORY_OWN, 7320, "late");
    save_history(store, STORE_HISTORY_UNTOLD, 7260, "up");
    save_history(store, STORE_HISTORY_UNTOLD, 7320, "up too");
    commit(store);
    check_history(store, "3600=hour;7260=new;7320=late;"); /* what is untold is in there already */
    assert_int_equal(
        store_list_history(store, span("h-service"), 7260, 7320, see_counts, &seen, &err),
        GUARD_OK);
    assert_int_equal(store_load_history(store, STORE_HISTORY_OWN, span("h-service"), 7320,
                                        see_counts, &seen, &err),
                     GUARD_OK);
    assert_int_equal(
        store_load_history(store, STORE_HISTORY_OWN, span("other"), 7320, see_counts, &seen, &err),
        GUARD_OK);
    assert_string_equal(seen.text, "7260=new;7320=late;");
    seen.text[0] = '\0';
    begin(store);
    assert_int_equal(store_list_fine_history(store, STORE_HISTORY_OWN, span("h-service"), 7320,
                                             see_counts, &seen, &err),
                     GUARD_OK);
    assert_int_equal(
        store_drop_fine_history(store, STORE_HISTORY_OWN, span("h-service"), 7320, &err), GUARD_OK);
    assert_int_equal(store_list_untold_history(store, span("h-service"), see_counts, &seen, &err),
                     GUARD_OK);
    assert_int_equal(store_drop_untold_history(store, span("h-service"), 7260, &err), GUARD_OK);
    assert_int_equal(store_list_untold_history(store, span("h-service"), see_counts, &seen, &err),
                     GUARD_OK);
    commit(store);
    assert_string_equal(seen.text, "7260=new;7260=up;7320=up too;7320=up too;");
    check_history(store, "3600=hour;7320=late;");
    if (shared) { /* each has rows of its own, and all are read */
        struct store *other = open_as("b");
        begin(other);
        save_history(other, STORE_HISTORY_OWN, 7320, "b's");
        commit(other);
        check_history(store, "3600=hour;7320=late;7320=b's;");
        store_close(other);
    }
    begin(store);
    assert_int_equal(store_drop_history(store, span("h-service"), 7320, &err), GUARD_OK);
    commit(store);
    check_history(store, shared ? "7320=late;7320=b's;" : "7320=late;");
    begin(store);
    assert_int_equal(store_forget_service(store, span("h-service"), &err), GUARD_OK);
    commit(store);
    check_history(store, "");
    store_close(store);
}

static bool raise(struct store *store, const char *name, uint64_t value)
{
    struct guard_err err;
    bool raised = false;
    begin(store);
    assert_int_equal(store_raise_note(store, "r", span(name), value, &raised, &err), GUARD_OK);
    commit(store);
    return raised;
}

static void test_notes_that_only_grow(void **state)
{
    (void)state;
    struct guard_err err;
    struct store *store = open_as("a");
    assert_true(raise(store, "x", 255));
    assert_false(raise(store, "x", 255));
    assert_false(raise(store, "x", 9));
    assert_true(raise(store, "x", 256));
    assert_true(raise(store, "y", 1));
    begin(store);
    assert_int_equal(store_drop_low_notes(store, "r", 256, &err), GUARD_OK);
    commit(store);
    assert_false(raise(store, "x", 256));
    assert_true(raise(store, "y", 1));
    store_close(store);
}

static void test_a_service_is_forgotten_whole(void **state)
{
    (void)state;
    struct guard_err err;
    struct seen seen = {0};
    const struct store_revision revision = {span("r1"), 1, 2};
    const struct store_generation generation = {span("f-service"), 1, 2, 3, span("pile")};
    struct store *store = open_as("a");
    begin(store);
    save_service(store, "f-service", 1, 2, "pile");
    save_service(store, "f-stays", 1, 2, "pile");
    assert_int_equal(store_save_revisions(store, span("f-service"), &revision, 1, &err), GUARD_OK);
    assert_int_equal(store_save_generation(store, &generation, &err), GUARD_OK);
    assert_int_equal(store_add_delta(store, span("f-service"), 1, span("pile"), &err), GUARD_OK);
    commit(store);
    for (int i = 0; i < 2; i++) {
        begin(store);
        assert_int_equal(store_forget_service(store, span("f-service"), &err), GUARD_OK);
        commit(store);
    }
    assert_int_equal(store_load_services(store, see_service, &seen, &err), GUARD_OK);
    assert_null(strstr(seen.text, "f-service"));
    assert_non_null(strstr(seen.text, "f-stays"));
    seen.text[0] = '\0';
    assert_int_equal(store_list_generations(store, span("f-service"), see_generation, &seen, &err),
                     GUARD_OK);
    assert_int_equal(store_list_revisions(store, span("f-service"), see_revision, &seen, &err),
                     GUARD_OK);
    assert_int_equal(store_list_deltas(store, span("f-service"), see_delta, &seen, &err), GUARD_OK);
    assert_string_equal(seen.text, "");
    store_close(store);
}

/* --- of shared databases --- */

static enum guard_rc see_feed(void *ctx, const struct store_feed *feed)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);
    seen->count++;
    snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s %" PRIu64 " %.*s;",
             (int)feed->node.len, (const char *)feed->node.ptr, feed->number, (int)feed->pile.len,
             (const char *)feed->pile.ptr);
    return GUARD_OK;
}

static void test_one_learns_and_the_fence_keeps_the_last_one_out(void **state)
{
    (void)state;
    struct guard_err err;
    uint64_t first = 0;
    uint64_t second = 0;
    if (!shared)
        skip();
    struct store *a = open_as("a");
    struct store *b = open_as("b");
    assert_true(store_shared(a) && store_session(a) > 0);
    assert_int_equal(store_claim(a, span("one"), &first, &err), GUARD_OK);
    assert_true(first > 0);
    assert_int_equal(store_claim(b, span("one"), &second, &err), GUARD_OK);
    assert_int_equal(second, 0);
    begin(a);
    assert_int_equal(store_take_outcome(a), STORE_CERTAIN);
    assert_int_equal(store_confirm(a, span("one"), first, &err), GUARD_OK);
    commit(a);
    begin(b);
    assert_int_equal(store_confirm(b, span("one"), first + 1, &err), GUARD_E_STATE);
    store_rollback(b);
    store_close(a);
    for (int i = 0; i < 1000 && second == 0; i++) {
        assert_int_equal(store_claim(b, span("one"), &second, &err), GUARD_OK);
        usleep(10000);
    }
    assert_int_equal(second, first + 1);
    a = open_as("a");
    begin(a);
    assert_int_equal(store_confirm(a, span("one"), first, &err), GUARD_E_STATE);
    store_rollback(a);
    store_close(a);
    store_close(b);
}

static void test_all_have_one_key_for_a_service(void **state)
{
    (void)state;
    struct guard_err err;
    uint8_t first[GUARD_KEY_BYTES] = {1, 2, 3};
    uint8_t second[GUARD_KEY_BYTES] = {4, 5, 6};
    const uint8_t expected[GUARD_KEY_BYTES] = {1, 2, 3};
    if (!shared)
        skip();
    struct store *a = open_as("a");
    struct store *b = open_as("b");
    assert_int_equal(store_service_key(a, span("key"), first, &err), GUARD_OK);
    assert_int_equal(store_service_key(b, span("key"), second, &err), GUARD_OK);
    assert_memory_equal(first, expected, sizeof(expected));
    assert_memory_equal(second, expected, sizeof(expected));
    store_close(a);
    store_close(b);
}

static enum guard_rc see_policy(void *ctx, const struct store_policy *policy)
{
    struct seen *seen = ctx;
    if (policy->service.len == 3 && memcmp(policy->service.ptr, "pol", 3) == 0)
        seen->count = (uint32_t)policy->generation + 1;
    return GUARD_OK;
}

static void test_feeds_and_policies(void **state)
{
    (void)state;
    struct guard_err err;
    struct seen seen = {0};
    uint8_t key[GUARD_KEY_BYTES] = {1};
    if (!shared)
        skip();
    struct store *a = open_as("a");
    struct store *b = open_as("b");
    struct store_feed feed = {.service = span("pol"), .number = 1, .pile = span("p1")};
    begin(a);
    assert_int_equal(store_save_feed(a, &feed, &err), GUARD_OK);
    feed.pile = span("p2"); /* one that was saved stays as it is: it may have been merged */
    assert_int_equal(store_save_feed(a, &feed, &err), GUARD_OK);
    commit(a);
    begin(b);
    assert_int_equal(store_save_feed(b, &feed, &err), GUARD_OK);
    commit(b);
    assert_int_equal(store_list_feeds(b, span("pol"), 7, see_feed, &seen, &err), GUARD_OK);
    assert_string_equal(seen.text, "a 1 p1;b 1 p2;");
    feed.node = span("a");
    assert_int_equal(store_take_feed(b, &feed, 7, &err), GUARD_OK);
    seen = (struct seen){0};
    assert_int_equal(store_list_feeds(b, span("pol"), 7, see_feed, &seen, &err), GUARD_OK);
    assert_string_equal(seen.text, "b 1 p2;");
    /* The next learner, to whom the last one left no pile that holds it. */
    seen = (struct seen){0};
    assert_int_equal(store_list_feeds(b, span("pol"), 8, see_feed, &seen, &err), GUARD_OK);
    assert_string_equal(seen.text, "a 1 p1;b 1 p2;");
    assert_int_equal(store_drop_taken(b, span("pol"), 7, &err), GUARD_OK);
    seen = (struct seen){0};
    assert_int_equal(store_list_feeds(b, span("pol"), 8, see_feed, &seen, &err), GUARD_OK);
    assert_string_equal(seen.text, "b 1 p2;");

    seen = (struct seen){0};
    assert_int_equal(store_service_key(a, span("pol"), key, &err), GUARD_OK);
    assert_int_equal(store_list_policies(a, see_policy, &seen, &err), GUARD_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(store_load_policy(a, span("pol"), see_bytes, &seen, &err), GUARD_E_RANGE);
    assert_int_equal(store_save_policy(a, span("pol"), 41, span("bytes"), true, &err), GUARD_OK);
    assert_int_equal(store_list_policies(b, see_policy, &seen, &err), GUARD_OK);
    assert_int_equal(seen.count, 42);
    assert_int_equal(store_load_policy(b, span("pol"), see_bytes, &seen, &err), GUARD_OK);
    assert_string_equal(seen.text, "bytes");
    store_close(a);
    store_close(b);
}

static enum guard_rc see_producer(void *ctx, struct guard_span name, struct guard_span reporter)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);
    seen->count++;
    snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s %.*s;", (int)name.len,
             (const char *)name.ptr, (int)reporter.len, (const char *)reporter.ptr);
    return GUARD_OK;
}

static void test_whoever_came_first_has_a_producer(void **state)
{
    (void)state;
    struct guard_err err;
    struct seen seen = {0};
    if (!shared)
        skip();
    struct store *a = open_as("a");
    struct store *b = open_as("b");
    assert_int_equal(store_bind_producers(a, span("000000000000000a,000000000000000b"), span("one"),
                                          see_producer, &seen, &err),
                     GUARD_OK);
    assert_int_equal(seen.count, 2);
    seen = (struct seen){0};
    assert_int_equal(
        store_bind_producers(b, span("000000000000000b"), span("two"), see_producer, &seen, &err),
        GUARD_OK);
    assert_string_equal(seen.text, "000000000000000b one;");
    store_close(a);
    store_close(b);
}

static enum guard_rc see_told(void *ctx, const struct store_told *told)
{
    assert_true(told->age_ms < 60000);
    return see_producer(ctx, told->reporter, told->document);
}

static void test_what_one_is_told_others_hear_once(void **state)
{
    (void)state;
    struct guard_err err;
    uint64_t of_a = 0;
    uint64_t of_b = 0;
    struct seen seen = {0};
    const struct store_told told = {
        .service = span("told"), .reporter = span("who"), .document = span("what")};
    if (!shared)
        skip();
    struct store *a = open_as("a");
    struct store *b = open_as("b");
    begin(a);
    assert_int_equal(store_save_told(a, &told, &err), GUARD_OK);
    assert_int_equal(store_list_told(b, &of_b, see_told, &seen, &err), GUARD_OK);
    assert_int_equal(seen.count, 0); /* nobody was promised it yet */
    commit(a);
    assert_int_equal(store_list_told(b, &of_b, see_told, &seen, &err), GUARD_OK);
    assert_string_equal(seen.text, "who what;");
    assert_int_equal(store_list_told(b, &of_b, see_told, &seen, &err), GUARD_OK);
    assert_int_equal(store_list_told(a, &of_a, see_told, &seen, &err), GUARD_OK);
    assert_int_equal(seen.count, 1); /* not again, and not by who told it */
    assert_int_equal(store_drop_told(a, &err), GUARD_OK);
    store_close(a);
    store_close(b);
}

static enum guard_rc see_head(void *ctx, struct guard_span kind, struct guard_span service,
                              uint64_t revision)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof(seen->text) - len, "%.*s %.*s %" PRIu64 ";", (int)kind.len,
             (const char *)kind.ptr, (int)service.len, (const char *)service.ptr, revision);
    return GUARD_OK;
}

static enum guard_rc see_document(void *ctx, uint64_t revision, struct guard_span content)
{
    struct seen *seen = ctx;
    seen->count++;
    snprintf(seen->text, sizeof(seen->text), "%" PRIu64 " %.*s", revision,
             content.ptr != NULL ? (int)content.len : 4,
             content.ptr != NULL ? (const char *)content.ptr : "gone");
    return GUARD_OK;
}

static enum guard_rc see_change(void *ctx, const struct store_change *change)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);
    seen->count++;
    if (seen->count <= 2)
        snprintf(seen->text + len, sizeof(seen->text) - len,
                 "%s %" PRIu64 " %.*s %.*s %.*s %" PRIu64 "%s;", change->kind, change->revision,
                 (int)change->node.len, (const char *)change->node.ptr, (int)change->who.len,
                 (const char *)change->who.ptr, (int)change->why.len, (const char *)change->why.ptr,
                 change->time_ms, change->removed ? " gone" : "");
    return GUARD_OK;
}

static enum guard_rc put_document(struct store *store, const char *kind, uint64_t revision,
                                  struct guard_span content)
{
    struct guard_err err;
    const struct store_document document = {
        .kind = kind, .service = span("doc"), .revision = revision, .content = content};
    const struct store_change change = {
        .who = span("tom"), .why = span("x"), .time_ms = 1000 + revision};
    begin(store);
    enum guard_rc rc = store_save_document(store, &document, &change, true, &err);
    if (rc == GUARD_OK)
        commit(store);
    else
        store_rollback(store);
    return rc;
}

static void test_documents_change_by_one_revision(void **state)
{
    const struct guard_span gone = {NULL, 0};
    struct guard_err err;
    struct seen seen = {0};
    uint64_t found = 0;
    (void)state;
    if (!shared)
        skip();
    struct store *a = open_as("a");
    struct store *b = open_as("b");
    assert_int_equal(store_load_document(a, "bypass", span("doc"), see_document, &seen, &err),
                     GUARD_OK);
    assert_int_equal(seen.count, 0);
    assert_int_equal(put_document(a, "bypass", 1, span("one")), GUARD_OK);
    assert_int_equal(put_document(b, "bypass", 1, span("other")), GUARD_E_STATE);
    assert_int_equal(put_document(b, "bypass", 3, span("other")), GUARD_E_STATE);
    assert_int_equal(put_document(b, "bypass", 2, span("two")), GUARD_OK);
    assert_int_equal(store_load_document(a, "bypass", span("doc"), see_document, &seen, &err),
                     GUARD_OK);
    assert_string_equal(seen.text, "2 two");
    assert_int_equal(put_document(a, "bypass", 3, gone), GUARD_OK);
    assert_int_equal(store_load_document(b, "bypass", span("doc"), see_document, &seen, &err),
                     GUARD_OK);
    assert_string_equal(seen.text, "3 gone");
    assert_int_equal(store_find_document(b, "bypass", span("doc"), 0, span("two"), &found, &err),
                     GUARD_OK);
    assert_int_equal(found, 2);
    assert_int_equal(store_find_document(b, "bypass", span("doc"), 2, span("two"), &found, &err),
                     GUARD_OK);
    assert_int_equal(found, 0); /* an old one that comes again is a change */
    seen = (struct seen){0};
    assert_int_equal(store_list_changes(a, span("doc"), see_change, &seen, &err), GUARD_OK);
    assert_string_equal(seen.text, "bypass 3 a tom x 1003 gone;bypass 2 b tom x 1002;");
    for (uint64_t revision = 1; revision <= 60; revision++)
        assert_int_equal(put_document(a, "review", revision, span("r")), GUARD_OK);
    seen = (struct seen){0};
    assert_int_equal(store_list_changes(a, span("doc"), see_change, &seen, &err), GUARD_OK);
    assert_int_equal(seen.count, 50 + 3);
    /* With what was learned goes what was decided of it, as a revision that others see. */
    begin(a);
    assert_int_equal(store_forget_service(a, span("doc"), &err), GUARD_OK);
    commit(a);
    seen = (struct seen){0};
    assert_int_equal(store_list_changes(a, span("doc"), see_change, &seen, &err), GUARD_OK);
    assert_int_equal(seen.count, 3);
    seen = (struct seen){0};
    assert_int_equal(store_list_documents(b, see_head, &seen, &err), GUARD_OK);
    assert_non_null(strstr(seen.text, "bypass doc 3;"));
    assert_non_null(strstr(seen.text, "review doc 61;"));
    assert_int_equal(store_load_document(b, "review", span("doc"), see_document, &seen, &err),
                     GUARD_OK);
    assert_string_equal(seen.text, "61 gone");
    store_close(a);
    store_close(b);
}

static void test_a_file_isnt_shared(void **state)
{
    (void)state;
    struct guard_err err;
    uint64_t fence = 0;
    if (shared)
        skip();
    struct store *store = open_as("a");
    assert_false(store_shared(store));
    assert_int_equal(store_claim(store, span("one"), &fence, &err), GUARD_E_STATE);
    store_close(store);
}

static void test_places_that_are_none(void **state)
{
    (void)state;
    struct guard_err err;
    struct store *store = NULL;
    bool damaged;
    assert_int_equal(store_open(&store, "sqlite:", "a", &damaged, &err), GUARD_E_RANGE);
    assert_int_equal(store_open(&store, "postgresql://u:secret@/db", "a", &damaged, &err),
                     GUARD_E_RANGE);
    assert_null(strstr(err.text, "secret"));
    assert_int_equal(store_open(&store, "postgresql://u@/db?password=secret", "a", &damaged, &err),
                     GUARD_E_RANGE);
    assert_int_equal(store_open(&store, "postgresql://u@/db?nonsense=1", "a", &damaged, &err),
                     GUARD_E_RANGE);
    assert_null(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_services_survive),
        cmocka_unit_test(test_a_failure_of_who_takes_stops),
        cmocka_unit_test(test_what_is_rolled_back_never_was),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_generations),
        cmocka_unit_test(test_revisions_replace_those_before),
        cmocka_unit_test(test_notes_and_deltas),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_notes_that_only_grow),
        cmocka_unit_test(test_a_service_is_forgotten_whole),
        cmocka_unit_test(test_one_learns_and_the_fence_keeps_the_last_one_out),
        cmocka_unit_test(test_all_have_one_key_for_a_service),
        cmocka_unit_test(test_feeds_and_policies),
        cmocka_unit_test(test_whoever_came_first_has_a_producer),
        cmocka_unit_test(test_what_one_is_told_others_hear_once),
        cmocka_unit_test(test_documents_change_by_one_revision),
        cmocka_unit_test(test_a_file_isnt_shared),
        cmocka_unit_test(test_places_that_are_none),
    };
    const char *database = getenv("GUARD_TEST_POSTGRES");
    shared = database != NULL;
    if (mkdtemp(folder) == NULL)
        return 1;
    if (shared)
        snprintf(where, sizeof(where), "%s", database);
    else
        snprintf(where, sizeof(where), "sqlite:%s/guard.db", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const files[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[600];
        snprintf(path, sizeof(path), "%s/guard.db%s", folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
    return failed;
}
