/* SPDX-License-Identifier: Apache-2.0 */
/* Responses the whole way round: exchanges become records, a pile, a model, a policy, and under it
 * responses are judged as requests are. */
#include "base/span.h"
#include "decide/decide.h"

#include <guard/exchange.h>
#include <guard/pile.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CLIENTS = 200, EXCHANGES = 6000, LINE_MAX_BYTES = 64 * 1024 };

static void *get(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size == 0 ? 1 : size);
}

static void put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static const struct guard_alloc heap = {NULL, get, put};
static const struct guard_span service = {(const uint8_t *)"shop", 4};

struct reply {
    uint32_t status;
    const char *type; /* NULL: no Content-Type */
    const char *body;
    const char *header; /* a further one, as JSON: "[\"a\",\"b\"]", or NULL */
    uint32_t latency_ms;
};

struct world {
    struct guard_arena arena;
    struct guard_policy *policy;
    uint8_t *bytes;
    struct guard_txn *txn; /* of the last exchange */
    char line[LINE_MAX_BYTES];
};
static struct world world;

/* Plays GET target; the transaction stays until the next one. */
static struct guard_txn *play(uint32_t number, const char *target, const struct reply *reply)
{
    struct guard_exchange exchange;
    struct guard_err err;
    int len = snprintf(
        world.line, sizeof(world.line),
        "{\"time\":%u,\"request\":{\"method\":\"GET\",\"target\":\"%s\",\"headers\":[[\"host\","
        "\"shop\"]]},\"response\":{\"status\":%u,\"latency_ms\":%u,\"headers\":[%s%s%s%s%s],"
        "\"body\":\"%s\"}}",
        1700000000 + 20 * number, target, reply->status, reply->latency_ms,
        reply->type == NULL ? "" : "[\"content-type\",\"", reply->type == NULL ? "" : reply->type,
        reply->type == NULL ? "" : "\"]", reply->type != NULL && reply->header != NULL ? "," : "",
        reply->header == NULL ? "" : reply->header, reply->body);
    assert_true(len > 0 && (size_t)len < sizeof(world.line));
    guard_arena_reset(&world.arena);
    assert_int_equal(
        guard_exchange_read(&exchange, gd_span(world.line, (size_t)len), &world.arena, &err),
        GUARD_OK);
    const struct guard_client client = {.unit = GUARD_UNIT_PREFIX,
                                        .address_len = 4,
                                        .address = {10, 0, (uint8_t)(number % CLIENTS), 1}};
    const struct guard_txn_cfg cfg = {
        .policy = world.policy, .service = service, .time_ms = exchange.time_ms};
    assert_int_equal(guard_txn_begin(&world.txn, &cfg, &world.arena), GUARD_OK);
    guard_exchange_play(&exchange, &client, world.txn);
    return world.txn;
}

static const char *user(uint32_t number)
{
    static char body[256];
    static const char *const names[] = {"ann", "bob", "cyd", "dora", "eve"};
    (void)snprintf(body, sizeof(body), "{\\\"id\\\":%u,\\\"name\\\":\\\"%s\\\",\\\"tags\\\":[%s]}",
                   number % 900, names[number % 5], number % 3 == 0 ? "" : "\\\"new\\\"");
    return body;
}

/* Most are found, some lists are short, some users don't exist. */
static struct guard_txn *play_usual(uint32_t number)
{
    char target[64];
    struct reply reply = {200, "application/json", user(number), "[\"cache-control\",\"no-store\"]",
                          2 + number % 7};
    (void)snprintf(target, sizeof(target), "/users/%u", number % 900);
    if (number % 10 == 9)
        reply =
            (struct reply){404, "application/json", "{\\\"error\\\":\\\"not found\\\"}", NULL, 2};
    return play(number, target, &reply);
}

static struct guard_model *learn(void)
{
    static uint8_t record[GUARD_RECORD_MAX];
    const struct guard_pile_cfg pile_cfg = {.alloc = heap, .service = service};
    const struct guard_learn_cfg cfg = {.alloc = heap};
    struct guard_pile *pile = NULL;
    struct guard_model *model = NULL;
    struct guard_err err;
    assert_int_equal(guard_pile_new(&pile, &pile_cfg, &err), GUARD_OK);
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        size_t len;
        const struct guard_source source = {1, 1, i + 1};
        struct guard_txn *txn = play_usual(i);
        assert_int_equal(guard_txn_record(txn, record, sizeof(record), &len), GUARD_OK);
        assert_int_equal(guard_pile_observe(pile, &source, gd_span(record, len), &err), GUARD_OK);
    }
    assert_int_equal(guard_learn(&model, pile, &cfg, &err), GUARD_OK);
    guard_pile_free(pile);
    return model;
}

static void compile(const struct guard_model *model, enum guard_mode response, enum guard_mode time)
{
    struct guard_guardian guardian;
    struct guard_err err;
    size_t len;
    guard_guardian_default(&guardian, service);
    guard_guardian_set_mode(&guardian, GUARD_MODE_BLOCK);
    guardian.response_mode = response;
    guardian.time_mode = time;
    const struct guard_policy_cfg cfg = {.alloc = heap, .generation = 1, .alpha = 2e-3};
    /* The one before goes last: else the new one might stand where it stood. */
    struct guard_policy *before = world.policy;
    uint8_t *bytes = world.bytes;
    assert_int_equal(guard_policy_compile(&world.bytes, &len, model, &guardian, &cfg, NULL, &err),
                     GUARD_OK);
    assert_int_equal(
        guard_policy_load(&world.policy, &heap, gd_span(world.bytes, len), service, NULL, &err),
        GUARD_OK);
    if (before != NULL)
        guard_policy_unref(before);
    free(bytes);
}

static struct guard_model *model;

static int set_up(void **state)
{
    (void)state;
    guard_arena_init(&world.arena, &heap, 1 << 20);
    model = learn();
    compile(model, GUARD_MODE_BLOCK, GUARD_MODE_BLOCK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guard_arena_reset(&world.arena);
    guard_policy_unref(world.policy);
    free(world.bytes);
    guard_model_free(model);
    return 0;
}

static void test_model(void **state)
{
    (void)state;
    assert_int_equal(model->endpoint_count, 1);
    assert_int_equal(model->answer_count, 3); /* the service's 2xx and 4xx, the endpoint's 2xx */
    const struct guard_model_endpoint *endpoint = &model->endpoints[0];
    assert_int_equal(endpoint->statuses, 1u << 2);
    assert_in_range(endpoint->latency_max, 8, 10);
    for (uint32_t i = 0; i < model->answer_count; i++) {
        const struct guard_model_endpoint *answer = &model->endpoints[1 + i];
        bool failures = answer->status == 4;
        assert_true(answer->status == 2 || failures);
        assert_true(!failures || answer->answer_of == GUARD_NO_INDEX);
        for (uint32_t j = 0; j < answer->field_count; j++) {
            const struct guard_model_field *field = &model->fields[answer->first_field + j];
            bool head = field->location == GUARD_LOCATION_HEADER;
            if (!failures)
                assert_int_equal(head, answer->answer_of == GUARD_NO_INDEX);
        }
    }
}

static void test_usual(void **state)
{
    (void)state;
    for (uint32_t i = EXCHANGES; i < EXCHANGES + 200; i++)
        assert_int_equal(guard_txn_whole(play_usual(i))->decision, GUARD_PASS);
}

#define USER "{\\\"id\\\":7,\\\"name\\\":\\\"ann\\\",\\\"tags\\\":[]}"
#define NO_STORE "[\"cache-control\",\"no-store\"]"

/* What deviates, by which rule, first of all others. */
static void test_deviations(void **state)
{
    (void)state;
    static char many[LINE_MAX_BYTES / 2];
    size_t len = (size_t)snprintf(many, sizeof(many),
                                  "{\\\"id\\\":7,\\\"name\\\":\\\"ann\\\",\\\"tags\\\":[");
    for (int i = 0; i < 400; i++)
        len += (size_t)snprintf(many + len, sizeof(many) - len, "%s\\\"new\\\"", i > 0 ? "," : "");
    (void)snprintf(many + len, sizeof(many) - len, "]}");
    const struct {
        struct reply reply;
        enum guard_rule rule;
        enum guard_location location;
    } cases[] = {
        {{200, "application/json", many, NO_STORE, 4}, GUARD_RULE_ITEMS_FAR, GUARD_LOCATION_JSON},
        {{200, "text/html", "<b>tom</b>", NO_STORE, 4},
         GUARD_RULE_CONTENT_TYPE,
         GUARD_LOCATION_NONE},
        {{200, "application/json",
          "{\\\"id\\\":7,\\\"name\\\":\\\"ann\\\",\\\"tags\\\":[],\\\"password\\\":\\\"x\\\"}",
          NO_STORE, 4},
         GUARD_RULE_NAME,
         GUARD_LOCATION_JSON},
        {{200, "application/json", USER, NO_STORE ",[\"x-debug\",\"1\"]", 4},
         GUARD_RULE_NAME,
         GUARD_LOCATION_HEADER},
        {{200, "application/json", USER, NO_STORE ",[\"set-cookie\",\"sid=1; Path=/\"]", 4},
         GUARD_RULE_NAME,
         GUARD_LOCATION_COOKIE},
        {{200, "application/json", USER, NULL, 4}, GUARD_RULE_MISSING, GUARD_LOCATION_HEADER},
        {{302, NULL, "", NO_STORE ",[\"location\",\"http://evil\"]", 4},
         GUARD_RULE_STATUS,
         GUARD_LOCATION_NONE},
        {{500, "text/plain", "Traceback (most recent call last):", NULL, 4},
         GUARD_RULE_LEAK,
         GUARD_LOCATION_BODY},
        {{404, "application/json",
          "{\\\"error\\\":\\\"You have an error in your SQL syntax; check the manual\\\"}", NULL,
          2},
         GUARD_RULE_LEAK,
         GUARD_LOCATION_BODY},
        {{200, "application/json", USER, NO_STORE, 5000}, GUARD_RULE_LATENCY, GUARD_LOCATION_NONE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct guard_verdict *whole =
            guard_txn_whole(play(EXCHANGES + 1, "/users/7", &cases[i].reply));
        bool found = false;
        for (uint32_t j = 0; j < whole->finding_count; j++) {
            const struct guard_finding *finding = &whole->findings[j];
            assert_int_equal(finding->part, GUARD_PART_RESPONSE);
            found |= finding->rule == cases[i].rule && finding->location == cases[i].location;
        }
        if (!found || whole->decision != GUARD_BLOCK)
            print_error("case %zu: decision %d, score %u\n", i, whole->decision, whole->score);
        assert_true(found);
        assert_int_equal(whole->decision, GUARD_BLOCK);
        assert_int_equal(whole->action, GUARD_BLOCK);
        assert_int_equal(guard_txn_verdict(world.txn)->decision, GUARD_PASS);
    }
}

/* Each part has its mode; time is cut only where a person says so. */
static void test_modes(void **state)
{
    (void)state;
    const struct reply html = {200, "text/html", "<b>tom</b>", NO_STORE, 4};
    const struct reply late = {200, "application/json", USER, NO_STORE, 5000};
    compile(model, GUARD_MODE_ALERT, GUARD_MODE_ALERT);
    const struct guard_verdict *whole = guard_txn_whole(play(1, "/users/7", &html));
    assert_int_equal(whole->decision, GUARD_BLOCK);
    assert_int_equal(whole->action, GUARD_ALERT);
    whole = guard_txn_whole(play(1, "/users/7", &late));
    assert_int_equal(whole->decision, GUARD_ALERT);
    compile(model, GUARD_MODE_OBSERVE, GUARD_MODE_OBSERVE);
    whole = guard_txn_whole(play(1, "/users/7", &html));
    assert_int_equal(whole->action, GUARD_PASS);
    assert_int_equal(guard_txn_deadline_ms(world.txn), UINT32_MAX);
    compile(model, GUARD_MODE_BLOCK, GUARD_MODE_BLOCK);
    (void)play(1, "/users/7", &late);
    assert_in_range(guard_txn_deadline_ms(world.txn), 500, 600);
}

static struct guard_txn *begin(const char *target)
{
    const struct guard_txn_cfg cfg = {.policy = world.policy, .service = service};
    guard_arena_reset(&world.arena);
    assert_int_equal(guard_txn_begin(&world.txn, &cfg, &world.arena), GUARD_OK);
    guard_txn_request(world.txn, GUARD_SPAN_LITERAL("GET"), gd_span(target, strlen(target)), 11);
    guard_txn_header(world.txn, GUARD_SPAN_LITERAL("host"), GUARD_SPAN_LITERAL("shop"));
    (void)guard_txn_headers_end(world.txn);
    return world.txn;
}

/* While a response comes nothing is missing, but what is too much is seen at once. */
static void test_on_the_way(void **state)
{
    (void)state;
    struct guard_txn *txn = begin("/users/7");
    assert_int_equal(guard_txn_request_check(txn, world.policy)->decision, GUARD_PASS);
    (void)guard_txn_request_end(txn);
    assert_int_equal(guard_txn_response_begin(txn, 200), GUARD_OK);
    guard_txn_response_header(txn, GUARD_SPAN_LITERAL("Content-Type"),
                              GUARD_SPAN_LITERAL("application/json"));
    guard_txn_response_header(txn, GUARD_SPAN_LITERAL("Cache-Control"),
                              GUARD_SPAN_LITERAL("no-store"));
    assert_int_equal(guard_txn_response_headers_end(txn), GUARD_BODY_JSON);
    guard_txn_response_body(txn, GUARD_SPAN_LITERAL("{\"id\":7,"));
    assert_int_equal(guard_txn_response_check(txn, world.policy)->decision, GUARD_PASS);
    guard_txn_response_body(txn, GUARD_SPAN_LITERAL("\"tags\":["));
    for (int i = 0; i < 4000; i++)
        guard_txn_response_body(txn, GUARD_SPAN_LITERAL("\"new\","));
    assert_int_equal(guard_txn_response_check(txn, world.policy)->action, GUARD_BLOCK);
}

/* A stream is looked at for ever and takes no more memory for it. */
static void test_checks_take_no_memory(void **state)
{
    (void)state;
    struct guard_txn *txn = begin("/users/7");
    (void)guard_txn_request_end(txn);
    compile(model, GUARD_MODE_ALERT, GUARD_MODE_ALERT);
    assert_int_equal(guard_txn_response_begin(txn, 200), GUARD_OK);
    guard_txn_response_header(txn, GUARD_SPAN_LITERAL("Content-Type"),
                              GUARD_SPAN_LITERAL("text/event-stream"));
    assert_int_equal(guard_txn_response_headers_end(txn), GUARD_BODY_EVENTS);
    guard_txn_response_body(txn, GUARD_SPAN_LITERAL("data: 1\n\n"));
    (void)guard_txn_response_check(txn, world.policy);
    const uint8_t *next = world.arena.next;
    size_t used = world.arena.used;
    for (int i = 0; i < 1000; i++) {
        const struct guard_verdict *verdict = guard_txn_response_check(txn, world.policy);
        assert_int_equal(verdict->decision, GUARD_BLOCK); /* its type, in mode alert */
        assert_true(verdict->finding_count > 0);
    }
    assert_ptr_equal(world.arena.next, next);
    assert_int_equal(world.arena.used, used);
    assert_true(guard_txn_response_end(txn)->finding_count > 0);
    compile(model, GUARD_MODE_BLOCK, GUARD_MODE_BLOCK);
}

/* What leaks in base64 leaks. */
static void test_leak_in_text(void **state)
{
    (void)state;
    const struct guard_span pieces =
        GUARD_SPAN_LITERAL("AAAAACIKIHJvb3Q6eDowOjA6cm9vdDovcm9vdDovYmluL2Jhc2gK");
    struct guard_txn *txn = begin("/users/7");
    (void)guard_txn_request_end(txn);
    assert_int_equal(guard_txn_response_begin(txn, 200), GUARD_OK);
    guard_txn_response_header(txn, GUARD_SPAN_LITERAL("Content-Type"),
                              GUARD_SPAN_LITERAL("application/grpc-web-text"));
    assert_int_equal(guard_txn_response_headers_end(txn), GUARD_BODY_GRPC);
    for (size_t i = 0; i < pieces.len; i++)
        guard_txn_response_body(txn, gd_span(pieces.ptr + i, 1));
    const struct guard_verdict *verdict = guard_txn_response_end(txn);
    bool found = false;
    for (uint32_t i = 0; i < verdict->finding_count; i++)
        found |= verdict->findings[i].rule == GUARD_RULE_LEAK;
    assert_true(found);
}

/* Long streams follow new policies, also those that know nothing. */
static void test_policy_changes(void **state)
{
    (void)state;
    struct guard_txn *txn = begin("/users/7");
    (void)guard_txn_request_end(txn);
    assert_int_equal(guard_txn_response_begin(txn, 200), GUARD_OK);
    guard_txn_response_header(txn, GUARD_SPAN_LITERAL("Content-Type"),
                              GUARD_SPAN_LITERAL("text/html"));
    (void)guard_txn_response_headers_end(txn);
    assert_int_equal(guard_txn_response_check(txn, NULL)->decision, GUARD_PASS);
    assert_int_equal(guard_txn_response_check(txn, world.policy)->decision, GUARD_BLOCK);
    compile(model, GUARD_MODE_BLOCK, GUARD_MODE_BLOCK); /* the one before is gone */
    assert_int_equal(guard_txn_response_check(txn, world.policy)->decision, GUARD_BLOCK);
    assert_int_equal(guard_txn_response_end(txn)->action, GUARD_BLOCK);
}

/* What is exempt neither deviates nor teaches. */
static void test_exempt(void **state)
{
    (void)state;
    const struct guard_txn_cfg cfg = {.policy = world.policy, .service = service};
    guard_arena_reset(&world.arena);
    assert_int_equal(guard_txn_begin(&world.txn, &cfg, &world.arena), GUARD_OK);
    guard_txn_request(world.txn, GUARD_SPAN_LITERAL("OPTIONS"), GUARD_SPAN_LITERAL("/healthz"), 11);
    (void)guard_txn_headers_end(world.txn);
    assert_int_equal(guard_txn_request_end(world.txn)->decision, GUARD_PASS);
    assert_int_equal(guard_txn_response_begin(world.txn, 500), GUARD_OK);
    (void)guard_txn_response_headers_end(world.txn);
    assert_int_equal(guard_txn_response_end(world.txn)->decision, GUARD_PASS);
    static uint8_t record[GUARD_RECORD_MAX];
    size_t len;
    guard_txn_response(world.txn, 200, 1000);
    assert_int_equal(guard_txn_record(world.txn, record, sizeof(record), &len), GUARD_OK);
    const struct guard_pile_cfg pile_cfg = {.alloc = heap, .service = service};
    const struct guard_source source = {1, 1, 1};
    struct guard_pile *pile = NULL;
    struct guard_pile_stats stats;
    struct guard_err err;
    assert_int_equal(guard_pile_new(&pile, &pile_cfg, &err), GUARD_OK);
    assert_int_equal(guard_pile_observe(pile, &source, gd_span(record, len), &err), GUARD_OK);
    guard_pile_stats(pile, &stats);
    assert_int_equal(stats.unlearned, 1);
    guard_pile_free(pile);
}

/* POST with or without a body, recorded with or without what was in it. */
static struct guard_txn *post(const struct guard_policy *policy, uint32_t number, bool unseen,
                              const char *body)
{
    const struct guard_client client = {.unit = GUARD_UNIT_PREFIX,
                                        .address_len = 4,
                                        .address = {10, 0, (uint8_t)(number % CLIENTS), 1}};
    const struct guard_txn_cfg cfg = {.policy = policy,
                                      .service = service,
                                      .time_ms = 1700000000000 + 20000 * (uint64_t)number,
                                      .unseen = unseen};
    guard_arena_reset(&world.arena);
    assert_int_equal(guard_txn_begin(&world.txn, &cfg, &world.arena), GUARD_OK);
    guard_txn_client(world.txn, &client);
    guard_txn_request(world.txn, GUARD_SPAN_LITERAL("POST"), GUARD_SPAN_LITERAL("/orders?a=1"), 11);
    if (body != NULL) {
        guard_txn_header(world.txn, GUARD_SPAN_LITERAL("Content-Type"),
                         GUARD_SPAN_LITERAL("application/json"));
        guard_txn_header(world.txn, GUARD_SPAN_LITERAL("X-Some"), GUARD_SPAN_LITERAL("1"));
    }
    (void)guard_txn_headers_end(world.txn);
    if (body != NULL)
        guard_txn_body(world.txn, gd_span(body, strlen(body)));
    (void)guard_txn_request_end(world.txn);
    guard_txn_response(world.txn, 200, UINT32_MAX);
    return world.txn;
}

static void learn_posts(bool unseen)
{
    static uint8_t record[GUARD_RECORD_MAX];
    const struct guard_pile_cfg pile_cfg = {.alloc = heap, .service = service};
    const struct guard_learn_cfg cfg = {.alloc = heap};
    struct guard_pile *pile = NULL;
    struct guard_model *learned = NULL;
    struct guard_err err;
    assert_int_equal(guard_pile_new(&pile, &pile_cfg, &err), GUARD_OK);
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        size_t len;
        const struct guard_source source = {1, 1, i + 1};
        struct guard_txn *txn = post(NULL, i, unseen, NULL);
        assert_int_equal(guard_txn_record(txn, record, sizeof(record), &len), GUARD_OK);
        assert_int_equal(guard_pile_observe(pile, &source, gd_span(record, len), &err), GUARD_OK);
    }
    assert_int_equal(guard_learn(&learned, pile, &cfg, &err), GUARD_OK);
    compile(learned, GUARD_MODE_BLOCK, GUARD_MODE_BLOCK);
    guard_model_free(learned);
    guard_pile_free(pile);
}

/* What access logs don't tell is no evidence: neither that there are no bodies, nor no headers. */
static void test_unseen(void **state)
{
    (void)state;
    for (int unseen = 0; unseen <= 1; unseen++) {
        learn_posts(unseen != 0);
        const struct guard_verdict *verdict =
            guard_txn_whole(post(world.policy, 1, false, "{\"item\":1}"));
        assert_int_equal(verdict->decision, unseen != 0 ? GUARD_PASS : GUARD_BLOCK);
    }
    compile(model, GUARD_MODE_BLOCK, GUARD_MODE_BLOCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),        cmocka_unit_test(test_usual),
        cmocka_unit_test(test_deviations),   cmocka_unit_test(test_modes),
        cmocka_unit_test(test_on_the_way),   cmocka_unit_test(test_checks_take_no_memory),
        cmocka_unit_test(test_leak_in_text), cmocka_unit_test(test_policy_changes),
        cmocka_unit_test(test_exempt),       cmocka_unit_test(test_unseen),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
