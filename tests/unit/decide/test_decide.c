/* SPDX-License-Identifier: Apache-2.0 */
/* Every learned rule fires just beyond its border and is silent on it. */
#include "unit/policy/world.h"

#include "policy/plan.h"
#include "policy/policy.h"
#include "profile/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { NOTHING = -1 };

struct row {
    struct ask ask;
    int rule; /* NOTHING: no finding at all */
    const char *name;
    enum guard_location location;
};

#define GET(target)                                                                                \
    {                                                                                              \
        "GET", target, NULL, NULL, NULL                                                            \
    }
#define POST(target, body)                                                                         \
    {                                                                                              \
        "POST", target, NULL, body, NULL                                                           \
    }
#define ORDER(rest) POST("/orders", "{\"item\":\"chair\"" rest "}")

static const struct row rows[] = {
    /* what was learned passes, each border included */
    {GET("/search?username=tom"), NOTHING, NULL, GUARD_LOCATION_NONE},
    {GET("/search?username=christine&id=2024&sort=asc&note=fine,+thanks"), NOTHING, NULL,
     GUARD_LOCATION_NONE},
    {GET("/users/7"), NOTHING, NULL, GUARD_LOCATION_NONE},
    {GET("/files/plan-b"), NOTHING, NULL, GUARD_LOCATION_NONE},
    {POST("/login", "user=tom&password=secret1"), NOTHING, NULL, GUARD_LOCATION_NONE},
    {ORDER(
         ",\"qty\":12,\"address\":{\"zip\":\"12345\"},\"tags\":[\"new\",\"new\",\"new\",\"sale\"]"),
     NOTHING, NULL, GUARD_LOCATION_NONE},
    /* request */
    {GET("/admin"), GUARD_RULE_PATH, "seg0", GUARD_LOCATION_PATH},
    {GET("/search/x"), GUARD_RULE_PATH, "seg1", GUARD_LOCATION_PATH},
    {GET("/users"), GUARD_RULE_PATH, "", GUARD_LOCATION_PATH},
    {GET("/users/abc"), GUARD_RULE_PATH, "seg1", GUARD_LOCATION_PATH},
    {{"DELETE", "/users/7", NULL, NULL, NULL}, GUARD_RULE_METHOD, "", GUARD_LOCATION_NONE},
    {{"POST", "/login", "host: shop.test\ncontent-type: application/json\n", "{}", NULL},
     GUARD_RULE_CONTENT_TYPE,
     "",
     GUARD_LOCATION_NONE},
    {{"POST", "/login", "host: shop.test\n", "user=tom", NULL},
     GUARD_RULE_CONTENT_TYPE,
     "",
     GUARD_LOCATION_NONE},
    {GET("/search?username=%ZZ"), GUARD_RULE_FAULT, "", GUARD_LOCATION_QUERY},
    {GET("/search?username=tom&username=bob"), GUARD_RULE_FAULT, "", GUARD_LOCATION_QUERY},
    /* names */
    {GET("/search?username=tom&x=1"), GUARD_RULE_NAME, "x", GUARD_LOCATION_QUERY},
    {GET("/search?id=1"), GUARD_RULE_MISSING, "username", GUARD_LOCATION_QUERY},
    {ORDER(",\"x\":{\"y\":[1]}"), GUARD_RULE_NAME, "x", GUARD_LOCATION_JSON},
    {ORDER(",\"address\":{\"zip\":\"12345\",\"x\":1}"), GUARD_RULE_NAME, "address.x",
     GUARD_LOCATION_JSON},
    {ORDER(",\"address\":{\"city\":\"Rome\"}"), GUARD_RULE_MISSING, "address.zip",
     GUARD_LOCATION_JSON},
    {POST("/orders", "{\"qty\":1}"), GUARD_RULE_MISSING, "item", GUARD_LOCATION_JSON},
    {{"GET", "/users/7", "host: shop.test\nx-evil: 1\n", NULL, NULL},
     GUARD_RULE_NAME,
     "x-evil",
     GUARD_LOCATION_HEADER},
    {{"GET", "/users/7", "host: shop.test\ncookie: x=1\n", NULL, NULL},
     GUARD_RULE_NAME,
     "x",
     GUARD_LOCATION_COOKIE},
    {{"GET", "/users/7", "accept: */*\n", NULL, NULL},
     GUARD_RULE_MISSING,
     "host",
     GUARD_LOCATION_HEADER},
    /* values */
    {GET("/search?username=to%27m"), GUARD_RULE_CHARACTER, "username", GUARD_LOCATION_QUERY},
    {GET("/search?username=toM"), GUARD_RULE_ALPHABET, "username", GUARD_LOCATION_QUERY},
    {GET("/search?username=tom&note=a-+b"), GUARD_RULE_TRANSITION, NULL, GUARD_LOCATION_QUERY},
    {GET("/search?username=tom&note=a+-+b-+a+,-a"), GUARD_RULE_TRANSITIONS, "note",
     GUARD_LOCATION_QUERY},
    {GET("/search?username=tom&id=abc"), GUARD_RULE_TYPE, "id", GUARD_LOCATION_QUERY},
    {GET("/search?username=christinee"), GUARD_RULE_LENGTH, "username", GUARD_LOCATION_QUERY},
    {GET("/search?username=christinechristineaa"), GUARD_RULE_LENGTH_FAR, "username",
     GUARD_LOCATION_QUERY},
    {GET("/search?username=to"), GUARD_RULE_SHORT, "username", GUARD_LOCATION_QUERY},
    {GET("/search?username=tom&id=20240"), GUARD_RULE_DIGITS, "id", GUARD_LOCATION_QUERY},
    {GET("/search?username=tom&note=a-b-b"), GUARD_RULE_SPECIALS, "note", GUARD_LOCATION_QUERY},
    {GET("/search?username=tom&sort=acs"), GUARD_RULE_LITERAL, "sort", GUARD_LOCATION_QUERY},
    {GET("/search?username=tom&tag[]=red&tag[]=red&tag[]=red&tag[]=red"), GUARD_RULE_ITEMS, "tag[]",
     GUARD_LOCATION_QUERY},
    {ORDER(",\"tags\":[\"new\",\"new\",\"new\",\"sale\",\"new\"]"), GUARD_RULE_ITEMS, "tags",
     GUARD_LOCATION_JSON},
    {ORDER(",\"qty\":\"1\""), GUARD_RULE_TYPE, "qty", GUARD_LOCATION_JSON},
    {ORDER(",\"qty\":{\"$gt\":0}"), GUARD_RULE_TYPE, "qty", GUARD_LOCATION_JSON},
    {ORDER(",\"address\":{\"zip\":\"1'345\"}"), GUARD_RULE_CHARACTER, "address.zip",
     GUARD_LOCATION_JSON},
    {{"GET", "/files/read;me", NULL, NULL, NULL},
     GUARD_RULE_CHARACTER,
     "seg1",
     GUARD_LOCATION_PATH},
    {{"GET", "/users/7", "host: shop.test\naccept: ${jndi}\n", NULL, NULL},
     GUARD_RULE_CHARACTER,
     "accept",
     GUARD_LOCATION_HEADER},
};

static struct world world;

static void test_rules(void **state)
{
    (void)state;
    world_init(&world);
    struct guard_policy *policy = world_policy(&world);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer answer;
        world_ask(&answer, policy, &rows[i].ask);
        char line[256] = "";
        if (answer.verdict->finding_count > 0)
            guard_explain_finding(&answer.verdict->findings[0], line, sizeof(line));
        if (rows[i].rule == NOTHING) {
            if (answer.verdict->finding_total != 0 || answer.verdict->decision != GUARD_PASS)
                fail_msg("%s %s: %s", rows[i].ask.method, rows[i].ask.target, line);
        } else {
            const struct guard_finding *finding =
                world_finding(&answer, (enum guard_rule)rows[i].rule, rows[i].name);
            if (finding == NULL)
                fail_msg("%s %s %s: no %s at %s, but %s", rows[i].ask.method, rows[i].ask.target,
                         rows[i].ask.body != NULL ? rows[i].ask.body : "",
                         guard_rule_name((enum guard_rule)rows[i].rule), rows[i].name, line);
            assert_int_equal(finding->location, rows[i].location);
            assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
            assert_int_equal(answer.verdict->action, GUARD_BLOCK);
        }
        world_answer_free(&answer);
    }
    world_policy_free(policy);
}

/* A rule that isn't armed says nothing, and switches nothing else off. */
static void test_disarmed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].rule == NOTHING)
            continue;
        world_init(&world);
        for (uint32_t k = 0; k < world.model.field_count; k++)
            world.fields[k].strength[rows[i].rule] = 0;
        for (uint32_t k = 0; k < world.model.endpoint_count; k++)
            world.endpoints[k].strength[rows[i].rule] = 0;
        for (uint32_t k = 0; k < world.model.node_count; k++)
            world.nodes[k].strength[0] = world.nodes[k].strength[1] = 0;
        world.model.service_strength[rows[i].rule] = 0;
        struct guard_policy *policy = world_policy(&world);
        struct answer answer;
        world_ask(&answer, policy, &rows[i].ask);
        if (world_finding(&answer, (enum guard_rule)rows[i].rule, NULL) != NULL)
            fail_msg("%s fires on %s though it isn't armed",
                     guard_rule_name((enum guard_rule)rows[i].rule), rows[i].ask.target);
        world_answer_free(&answer);
        world_policy_free(policy);
    }
}

static void test_size_and_depth(void **state)
{
    (void)state;
    world_init(&world);
    static char body[600];
    int head = snprintf(body, sizeof(body), "{\"item\":\"chair\",\"tags\":[");
    struct guard_policy *policy = world_policy(&world);
    for (int extra = 0; extra < 2; extra++) {
        int len = 512 + extra;
        memset(body + head, ' ', (size_t)(len - head));
        body[len - 2] = ']';
        body[len - 1] = '}';
        body[len] = '\0';
        struct ask ask = POST("/orders", body);
        struct answer answer;
        world_ask(&answer, policy, &ask);
        const struct guard_finding *finding = world_finding(&answer, GUARD_RULE_SIZE, "");
        assert_int_equal(finding != NULL, extra);
        if (finding != NULL) {
            assert_int_equal(finding->detail, 513);
            assert_int_equal(finding->expected, 512);
        }
        world_answer_free(&answer);
    }
    struct ask deep = ORDER(",\"tags\":[[[[1]]]]");
    struct answer answer;
    world_ask(&answer, policy, &deep);
    assert_non_null(world_finding(&answer, GUARD_RULE_DEPTH, ""));
    world_answer_free(&answer);
    world_policy_free(policy);
}

/* A limit just below a benign value: that rule alone fires. */
static void test_single_limits(void **state)
{
    (void)state;
    static const struct {
        size_t limit;
        enum guard_rule rule;
    } limits[] = {
        {offsetof(struct guard_model_field, digits_max), GUARD_RULE_DIGITS},
        {offsetof(struct guard_model_field, specials_max), GUARD_RULE_SPECIALS},
        {offsetof(struct guard_model_field, length_max), GUARD_RULE_LENGTH},
    };
    struct ask ask = GET("/search?username=tom&note=a-1");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        for (uint32_t below = 0; below < 2; below++) {
            world_init(&world);
            struct guard_model_field *note =
                world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "note");
            world_teach(note, "a-1");
            uint32_t value = limits[i].rule == GUARD_RULE_LENGTH ? 3 : 1;
            *(uint32_t *)(void *)((char *)note + limits[i].limit) = value - below;
            struct guard_policy *policy = world_policy(&world);
            struct answer answer;
            world_ask(&answer, policy, &ask);
            assert_int_equal(answer.verdict->finding_count, below);
            if (below)
                assert_int_equal(answer.verdict->findings[0].rule, limits[i].rule);
            world_answer_free(&answer);
            world_policy_free(policy);
        }
    }
}

/* Who sends tokens sends one that is spelled like a hash by chance; who sends words doesn't. */
static void test_accidental_types(void **state)
{
    (void)state;
    world_init(&world);
    world_teach(world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "note"), "xyzxyz98");
    struct guard_model_field *name =
        world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "username");
    name->classes |= 1u << GUARD_CLASS_DIGIT;
    name->transitions[GUARD_CLASS_LOWER] |= 1u << GUARD_CLASS_DIGIT;
    name->digits_max = 8;
    struct guard_policy *policy = world_policy(&world);
    struct ask asks[] = {GET("/search?username=tom&note=abcdef12"),
                         GET("/search?username=abcdef12")};
    for (int i = 0; i < 2; i++) {
        struct answer answer;
        world_ask(&answer, policy, &asks[i]);
        assert_int_equal(world_finding(&answer, GUARD_RULE_TYPE, NULL) != NULL, i);
        world_answer_free(&answer);
    }
    world_policy_free(policy);
}

/* Hashes of values can be forged: a value that isn't like those of a closed set is judged although
 * its hash is one of the set's. */
static void test_forged_literal(void **state)
{
    (void)state;
    const struct guard_span forged = GUARD_SPAN_LITERAL("asc'--");
    world_init(&world);
    struct guard_model_field *sort =
        world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "sort");
    uint64_t literals[3] = {
        gd_policy_literal(world.model.literal_key, gd_hash_fast(0, forged), NULL)};
    memcpy(literals + 1, sort->literals, 2 * sizeof(*literals));
    gd_sort_u64(literals, 3);
    sort->literals = literals;
    sort->literal_count = 3;
    struct guard_policy *policy = world_policy(&world);
    struct ask asks[] = {GET("/search?username=tom&sort=asc\'--"),
                         GET("/search?username=tom&sort=asc")};
    for (int i = 0; i < 2; i++) {
        struct answer answer;
        world_ask(&answer, policy, &asks[i]);
        assert_int_equal(world_finding(&answer, GUARD_RULE_CHARACTER, "sort") != NULL, i == 0);
        assert_int_equal(answer.verdict->decision, i == 0 ? GUARD_BLOCK : GUARD_PASS);
        assert_null(world_finding(&answer, GUARD_RULE_LITERAL, NULL));
        world_answer_free(&answer);
    }
    world_policy_free(policy);
}

/* Only the topmost unknown name is reported. */
static void test_unknown_subtree(void **state)
{
    (void)state;
    world_init(&world);
    struct guard_policy *policy = world_policy(&world);
    struct ask ask = ORDER(",\"x\":{\"a\":{\"b\":\"it's = 1\"},\"c\":[1,2]}");
    struct answer answer;
    world_ask(&answer, policy, &ask);
    assert_int_equal(answer.verdict->finding_total, 1);
    assert_non_null(world_finding(&answer, GUARD_RULE_NAME, "x"));
    world_answer_free(&answer);
    world_policy_free(policy);
}

static struct guard_client client_of(const char *subject, uint8_t third)
{
    struct guard_client client = {
        .unit = GUARD_UNIT_PREFIX, .address_len = 4, .address = {192, 0, third, 1}};
    if (subject != NULL) {
        client.unit = GUARD_UNIT_SUBJECT;
        client.subject = world_span(subject);
    }
    return client;
}

/* Closed sets of clients hold prefixes and, of subjects, what records hold of them. */
static void test_client(void **state)
{
    (void)state;
    static const struct {
        const char *subject;
        uint8_t third;
        bool known;
    } clients[] = {{NULL, 2, true}, {NULL, 3, false}, {"CN=shop", 9, true}, {"CN=other", 2, false}};
    world_init(&world);
    uint8_t digest[GUARD_DIGEST_BYTES];
    guard_digest(digest, world_span("CN=shop"));
    struct guard_client subject = client_of("", 0), prefix = client_of(NULL, 2);
    subject.subject = (struct guard_span){digest, GD_SUBJECT_DIGEST};
    prefix.address[3] = 250;
    world.prefixes[0] = gd_policy_client(world.model.client_key, &subject);
    world.prefixes[1] = gd_policy_client(world.model.client_key, &prefix);
    if (world.prefixes[0] > world.prefixes[1]) {
        uint32_t first = world.prefixes[1];
        world.prefixes[1] = world.prefixes[0];
        world.prefixes[0] = first;
    }
    world.model.clients_closed = true;
    world.model.client_prefixes = world.prefixes;
    world.model.client_prefix_count = 2;
    struct guard_policy *policy = world_policy(&world);
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        struct guard_arena arena;
        guard_arena_init(&arena, &world_heap, 256 * 1024);
        struct guard_txn_cfg cfg = {.policy = policy, .service = world.guardian.service};
        struct guard_txn *txn = NULL;
        struct guard_client client = client_of(clients[i].subject, clients[i].third);
        assert_int_equal(guard_txn_begin(&txn, &cfg, &arena), GUARD_OK);
        guard_txn_client(txn, &client);
        guard_txn_request(txn, world_span("GET"), world_span("/users/7"), 11);
        guard_txn_header(txn, world_span("host"), world_span("shop.test"));
        (void)guard_txn_headers_end(txn);
        const struct guard_verdict *verdict = guard_txn_request_end(txn);
        assert_int_equal(verdict->finding_count, clients[i].known ? 0 : 1);
        if (!clients[i].known)
            assert_int_equal(verdict->findings[0].rule, GUARD_RULE_CLIENT);
        guard_arena_reset(&arena);
    }
    /* who is unknown isn't judged */
    struct ask ask = {"GET", "/users/7", NULL, NULL, NULL};
    struct answer answer;
    world_ask(&answer, policy, &ask);
    assert_int_equal(answer.verdict->finding_count, 0);
    world_answer_free(&answer);
    world_policy_free(policy);
}

/* What one client did once, without support, is noticed and never blocks by itself. */
static void test_pending(void **state)
{
    (void)state;
    static const struct ask asks[] = {GET("/search?username=to%27m"),
                                      GET("/search?username=tom&fresh=1"),
                                      {"PUT", "/orders", NULL, NULL, NULL}};
    for (int strong = 0; strong < 2; strong++) {
        world_init(&world);
        struct guard_model_field *name =
            world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "username");
        const unsigned quote = GUARD_CLASS_PUNCTUATION + 6;
        name->pending_classes = UINT64_C(1) << quote;
        name->pending_types = 1u << GUARD_TYPE_TEXT;
        name->pending_transitions[GUARD_CLASS_LOWER] = UINT64_C(1) << quote;
        name->pending_transitions[quote] = 1u << GUARD_CLASS_LOWER;
        name->specials_max = 1;
        struct guard_model_field *fresh =
            world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "note");
        fresh->name = fresh->path = GUARD_SPAN_LITERAL("fresh");
        fresh->trusted = false;
        world_teach(fresh, "1");
        fresh->length_min = 1;
        fresh->digits_max = 1;
        if (strong) {
            for (int rule = 0; rule < GUARD_RULE_COUNT; rule++)
                name->strength[rule] = fresh->strength[rule] = world.nodes[4].strength[1] = 2000;
        }
        struct guard_policy *policy = world_policy(&world);
        for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
            struct answer answer;
            world_ask(&answer, policy, &asks[i]);
            assert_true(answer.verdict->finding_count > 0);
            assert_int_equal(answer.verdict->decision, GUARD_ALERT);
            assert_true(answer.verdict->score < answer.verdict->threshold);
            world_answer_free(&answer);
        }
        /* with something nobody ever sent beside it, it does */
        struct ask both = GET("/search?username=to%27m%3B--");
        struct answer answer;
        world_ask(&answer, policy, &both);
        assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
        world_answer_free(&answer);
        world_policy_free(policy);
    }
}

static void test_modes(void **state)
{
    (void)state;
    static const enum guard_decision actions[] = {GUARD_PASS, GUARD_ALERT, GUARD_BLOCK};
    for (int mode = GUARD_MODE_OBSERVE; mode <= GUARD_MODE_BLOCK; mode++) {
        world_init(&world);
        world.guardian.request_mode = (enum guard_mode)mode;
        struct guard_policy *policy = world_policy(&world);
        struct ask attack = GET("/search?username=tom+or+1%3D1");
        struct answer answer;
        world_ask(&answer, policy, &attack);
        assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
        assert_int_equal(answer.verdict->action, actions[mode]);
        world_answer_free(&answer);
        world_policy_free(policy);
    }
}

/* Programs that nobody trains aren't blocked by what was learned. */
static void test_exempt(void **state)
{
    (void)state;
    static const struct ask asks[] = {{"OPTIONS", "/orders", NULL, NULL, NULL},
                                      GET("/.well-known/acme-challenge/Xy_z")};
    world_init(&world);
    struct guard_policy *policy = world_policy(&world);
    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        struct answer answer;
        world_ask(&answer, policy, &asks[i]);
        assert_int_equal(answer.verdict->finding_count > 0, i == 1);
        assert_int_equal(answer.verdict->decision, GUARD_PASS);
        assert_int_equal(answer.verdict->action, GUARD_PASS);
        world_answer_free(&answer);
    }
    world_policy_free(policy);
}

/* The target of OPTIONS is that of another method. Whoever sends it, whatever for: a known value
 * passes, and so does what isn't known by name; one that no method lets pass doesn't. */
static void test_options(void **state)
{
    (void)state;
    static const char *const passes[] = {
        "/search?q=tom",
        "/search?unknown=1'or'1",
        "/users/17",
        "/users",
        "/nowhere/x'y",
        "/orders",
        "/",
        "*",
    };
    static const struct {
        const char *target;
        const char *place;
    } blocked[] = {{"/search?username=tom%27%20or%201=1", "username"},
                   {"/users/1%27or%271", "seg1"}};
    static const char headers[] =
        "host: shop.test\norigin: https://other.example\nx-odd: (select 1)\n"
        "access-control-request-method: PATCH\n"
        "access-control-request-headers: x-a'b, content-type\n";
    world_init(&world);
    struct guard_policy *policy = world_policy(&world);
    struct answer answer;
    for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++) {
        const struct ask ask = {"OPTIONS", passes[i], headers, NULL, NULL};
        world_ask(&answer, policy, &ask);
        if (answer.verdict->decision != GUARD_PASS || answer.verdict->finding_total != 0)
            fail_msg("%s: %u findings", passes[i], answer.verdict->finding_total);
        world_answer_free(&answer);
    }
    for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++) {
        const struct ask ask = {"OPTIONS", blocked[i].target, headers, NULL, NULL};
        world_ask(&answer, policy, &ask);
        assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
        assert_true(gd_span_equal(answer.verdict->findings[0].name, world_span(blocked[i].place)));
        world_answer_free(&answer);
    }
    world_policy_free(policy);
}

/* The threshold is the operator's number: evidence below it alerts or passes. */
static void test_threshold(void **state)
{
    (void)state;
    static const struct {
        double alpha;
        uint16_t threshold;
        enum guard_decision decision;
    } budgets[] = {{1e-3, 300, GUARD_BLOCK},
                   {3e-5, 452, GUARD_ALERT},
                   {1e-5, 500, GUARD_ALERT},
                   {1e-6, 600, GUARD_PASS}};
    for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
        world_init(&world);
        world.cfg.alpha = budgets[i].alpha;
        struct guard_policy *policy = world_policy(&world);
        struct ask ask = GET("/admin");
        struct answer answer;
        world_ask(&answer, policy, &ask);
        assert_int_equal(answer.verdict->threshold, budgets[i].threshold);
        assert_int_equal(answer.verdict->decision, budgets[i].decision);
        world_answer_free(&answer);
        world_policy_free(policy);
    }
}

/* More deviations than a verdict holds: the strongest stay, all are counted. */
static void test_many_findings(void **state)
{
    (void)state;
    static char target[8192];
    size_t len = (size_t)snprintf(target, sizeof(target), "/search?username=tom");
    for (int i = 0; i < 200; i++)
        len += (size_t)snprintf(target + len, sizeof(target) - len, "&x%d=1", i);
    snprintf(target + len, sizeof(target) - len, "&id=1%%27");
    world_init(&world);
    struct guard_policy *policy = world_policy(&world);
    struct ask ask = GET(target);
    struct answer answer;
    world_ask(&answer, policy, &ask);
    assert_int_equal(answer.verdict->finding_count, GUARD_FINDINGS_MAX);
    assert_true(answer.verdict->finding_total > 200);
    assert_int_equal(answer.verdict->findings[0].rule, GUARD_RULE_CHARACTER);
    for (uint32_t i = 1; i < answer.verdict->finding_count; i++)
        assert_true(answer.verdict->findings[i].strength > 0);
    world_answer_free(&answer);
    world_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_disarmed),
        cmocka_unit_test(test_size_and_depth),
        cmocka_unit_test(test_single_limits),
        cmocka_unit_test(test_accidental_types),
        cmocka_unit_test(test_forged_literal),
        cmocka_unit_test(test_unknown_subtree),
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_exempt),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_many_findings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
