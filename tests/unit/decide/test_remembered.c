/* SPDX-License-Identifier: Apache-2.0 */
/* What a memo knows of headers changes no verdict and no record: whatever comes, under whichever
 * policy, in whatever order, it is as without one. */
#include "unit/policy/world.h"

#include "base/span.h"
#include "profile/memo.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { POLICIES = 4, HEADERS_MAX = 5, ROUNDS = 4000, FLOOD = 1000 };

static struct world world;
static struct guard_policy *policies[POLICIES];
static struct guard_memo *memo;

/* Names that some policies know, values that fit some of them. */
static const char *const headers[][2] = {
    {"host", "shop.test"},
    {"user-agent", "curl/7.88.1"},
    {"accept", "*/*"},
    {"accept", "text/html"},
    {"accept", "text/<script>"},
    {"content-type", "application/json"},
    {"x-trace", "4711"},
    {"Accept-Language", "de-DE,de;q=0.8"},
    {"cookie", "lang=en; x=y"},
    {"user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"},
    {"authorization", "Basic Q"},
    {"server", "shop"},
};
enum { HEADERS = sizeof(headers) / sizeof(headers[0]) };
static const char *const targets[] = {"/search?username=tom", "/users/7", "/nowhere"};

struct choice {
    const struct guard_policy *policy;
    const char *target;
    uint32_t request[HEADERS_MAX];
    uint32_t request_count;
    uint32_t response[HEADERS_MAX];
    uint32_t response_count;
};

struct outcome {
    struct guard_arena arena;
    struct guard_txn *txn;
    struct guard_verdict request;
    struct guard_verdict response;
    uint8_t record[GUARD_RECORD_MAX];
    size_t len;
};
static struct outcome with, without;

static struct guard_model_field *header_field(const char *name)
{
    return world_field(&world, -1, GUARD_LOCATION_HEADER, name);
}

/* The service's answers of 2xx have the headers of its requests, but Accept must be there. */
static void add_answer(void)
{
    struct guard_model *model = &world.model;
    uint32_t first = model->field_count;
    for (uint32_t i = 0; i < model->service_field_count; i++) {
        world.fields[model->field_count] = world.fields[model->first_service_field + i];
        world.fields[model->field_count].required =
            gd_span_equal(world.fields[model->field_count].name, world_span("accept"));
        world.fields[model->field_count++].length_max += i;
    }
    struct guard_model_endpoint *answer = &world.endpoints[model->endpoint_count];
    *answer = world.endpoints[0];
    answer->status = 2;
    answer->answer_of = GUARD_NO_INDEX;
    answer->method = answer->template_text = world_span("");
    answer->first_field = first;
    answer->field_count = model->field_count - first;
    model->answer_count = 1;
}

static int setup(void **state)
{
    static struct guard_endpoint_rule rule;
    static struct guard_criterion criterion;
    (void)state;
    world_init(&world);
    policies[0] = world_policy(&world);
    header_field("user-agent")->length_max = 5;
    policies[1] = world_policy(&world);
    world_init(&world);
    criterion = world_criterion(GUARD_LOCATION_HEADER, "Accept");
    criterion.length_max = 3;
    rule = (struct guard_endpoint_rule){.template_text = world_span("/search"),
                                        .mode = -1,
                                        .body_max = -1,
                                        .fields = &criterion,
                                        .field_count = 1};
    world.guardian.endpoints = &rule;
    world.guardian.endpoint_count = 1;
    policies[2] = world_policy(&world);
    world_init(&world);
    add_answer();
    policies[3] = world_policy(&world);
    return guard_memo_new(&memo, &world_heap) == GUARD_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    guard_memo_free(memo);
    for (int i = 0; i < POLICIES; i++)
        world_policy_free(policies[i]);
    return 0;
}

static void begin(struct outcome *out, const struct choice *choice, struct guard_memo *knows)
{
    guard_arena_init(&out->arena, &world_heap, 256 * 1024);
    const struct guard_txn_cfg cfg = {.policy = choice->policy,
                                      .service = GUARD_SPAN_LITERAL("shop"),
                                      .hash_seed = 1,
                                      .memo = knows};
    assert_int_equal(guard_txn_begin(&out->txn, &cfg, &out->arena), GUARD_OK);
    guard_txn_request(out->txn, world_span("GET"), world_span(choice->target), 11);
    for (uint32_t i = 0; i < choice->request_count; i++)
        guard_txn_header(out->txn, world_span(headers[choice->request[i]][0]),
                         world_span(headers[choice->request[i]][1]));
    (void)guard_txn_headers_end(out->txn);
}

static void answer(struct outcome *out, const struct choice *choice)
{
    out->request = *guard_txn_request_end(out->txn);
    assert_int_equal(guard_txn_response_begin(out->txn, 200), GUARD_OK);
    for (uint32_t i = 0; i < choice->response_count; i++)
        guard_txn_response_header(out->txn, world_span(headers[choice->response[i]][0]),
                                  world_span(headers[choice->response[i]][1]));
    (void)guard_txn_response_headers_end(out->txn);
}

static void end(struct outcome *out)
{
    out->response = *guard_txn_response_end(out->txn);
    assert_int_equal(guard_txn_record(out->txn, out->record, sizeof(out->record), &out->len),
                     GUARD_OK);
}

static void assert_same_verdict(const struct guard_verdict *a, const struct guard_verdict *b)
{
    assert_int_equal(a->decision, b->decision);
    assert_int_equal(a->action, b->action);
    assert_int_equal(a->score, b->score);
    assert_int_equal(a->finding_total, b->finding_total);
    assert_int_equal(a->finding_count, b->finding_count);
    for (uint32_t i = 0; i < a->finding_count; i++) {
        assert_int_equal(a->findings[i].rule, b->findings[i].rule);
        assert_true(gd_span_equal(a->findings[i].name, b->findings[i].name));
        assert_true(gd_span_equal(a->findings[i].observed, b->findings[i].observed));
    }
}

/* Others take the places of all that the memo knows, and all of them is remembered, too. */
static void flood(uint32_t from)
{
    enum { TIMES = 3 };
    static uint8_t record[GUARD_RECORD_MAX];
    char value[32];
    for (uint32_t i = 0; i < TIMES * FLOOD; i++) {
        struct guard_arena arena;
        struct guard_txn *txn;
        size_t len;
        const struct guard_txn_cfg cfg = {.policy = policies[0], .hash_seed = 1, .memo = memo};
        (void)snprintf(value, sizeof(value), "curl/7.88.%u", from + i / TIMES);
        guard_arena_init(&arena, &world_heap, 64 * 1024);
        assert_int_equal(guard_txn_begin(&txn, &cfg, &arena), GUARD_OK);
        guard_txn_request(txn, world_span("GET"), world_span("/users/7"), 11);
        guard_txn_header(txn, world_span("user-agent"), world_span(value));
        (void)guard_txn_headers_end(txn);
        (void)guard_txn_request_end(txn);
        assert_int_equal(guard_txn_record(txn, record, sizeof(record), &len), GUARD_OK);
        guard_arena_reset(&arena);
    }
}

static struct choice choose(struct test_random *random)
{
    struct choice choice = {.policy = policies[test_random_below(random, POLICIES)],
                            .target = targets[test_random_below(random, 3)]};
    choice.request_count = (uint32_t)test_random_below(random, HEADERS_MAX + 1);
    choice.response_count = (uint32_t)test_random_below(random, HEADERS_MAX + 1);
    for (uint32_t i = 0; i < HEADERS_MAX; i++) {
        choice.request[i] = (uint32_t)test_random_below(random, HEADERS);
        choice.response[i] = (uint32_t)test_random_below(random, HEADERS);
    }
    return choice;
}

static void test_as_without(void **state)
{
    (void)state;
    struct test_random random = test_random_start("remembered");
    uint32_t passed = 0;
    flood(0);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const struct choice choice = choose(&random);
        begin(&with, &choice, memo);
        if (round % 200 == 50)
            flood(round);
        answer(&with, &choice);
        if (round % 200 == 150)
            flood(round + ROUNDS);
        end(&with);
        begin(&without, &choice, NULL);
        answer(&without, &choice);
        end(&without);
        assert_same_verdict(&with.request, &without.request);
        assert_same_verdict(&with.response, &without.response);
        assert_int_equal(with.len, without.len);
        assert_memory_equal(with.record, without.record, with.len);
        passed += with.request.finding_total == 0;
        guard_arena_reset(&with.arena);
        guard_arena_reset(&without.arena);
    }
    assert_in_range(passed, ROUNDS / 100, ROUNDS / 2);
}

/* It is used at all, and only for the policy that it was found under. */
static void test_is_remembered(void **state)
{
    (void)state;
    struct choice choice = {
        .policy = policies[0], .target = targets[1], .request = {0, 1}, .request_count = 2};
    struct gd_memo_visit visit;
    for (int i = 0; i < 4; i++) {
        begin(&with, &choice, memo);
        answer(&with, &choice);
        end(&with);
        assert_int_equal(with.request.finding_total, 0);
        guard_arena_reset(&with.arena);
    }
    gd_memo_look(&visit, memo, 1, world_span(headers[1][0]), world_span(headers[1][1]));
    assert_non_null(visit.found);
    assert_int_not_equal(visit.found->policy, 0);
    assert_int_not_equal(visit.found->record_len, 0);
    choice.policy = policies[1];
    begin(&with, &choice, memo);
    answer(&with, &choice);
    assert_int_equal(with.request.finding_total, 1);
    guard_arena_reset(&with.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_is_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_as_without, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
