/* SPDX-License-Identifier: Apache-2.0 */
/* What a person writes into the Guardian overrides what was learned, in both directions. */
#include "unit/policy/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct world world;
static struct guard_endpoint_rule rule;
static struct guard_criterion criteria[4];

/* One endpoint rule with up to four criteria. */
static void begin(const char *template_text)
{
    world_init(&world);
    rule = (struct guard_endpoint_rule){
        .template_text = world_span(template_text), .mode = -1, .body_max = -1, .fields = criteria};
    world.guardian.endpoints = &rule;
    world.guardian.endpoint_count = 1;
}

static struct guard_criterion *criterion(enum guard_location location, const char *name)
{
    criteria[rule.field_count] = world_criterion(location, name);
    return &criteria[rule.field_count++];
}

/* Asks once; expects the finding (configured and certain), or with NOTHING none at all. */
enum { NOTHING = -1 };
static void expect(const struct ask *ask, int wanted, const char *name)
{
    struct guard_policy *policy = world_policy(&world);
    struct answer answer;
    world_ask(&answer, policy, ask);
    char line[256] = "";
    if (answer.verdict->finding_count > 0)
        guard_explain_finding(&answer.verdict->findings[0], line, sizeof(line));
    if (wanted == NOTHING) {
        if (answer.verdict->finding_total > 0)
            fail_msg("%s: %s", ask->target, line);
    } else {
        const struct guard_finding *finding = world_finding(&answer, (enum guard_rule)wanted, name);
        if (finding == NULL)
            fail_msg("%s: no %s at %s, but %s", ask->target,
                     guard_rule_name((enum guard_rule)wanted), name, line);
        assert_true(finding->configured);
        assert_int_equal(finding->strength, 9999);
        assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
        guard_explain_finding(finding, line, sizeof(line));
        assert_non_null(strstr(line, "(configured)"));
        assert_null(strstr(line, "rate"));
    }
    world_answer_free(&answer);
    world_policy_free(policy);
}

static void get(const char *target, int wanted, const char *name)
{
    struct ask ask = {"GET", target, NULL, NULL, NULL};
    expect(&ask, wanted, name);
}

static void post(const char *target, const char *body, int wanted, const char *name)
{
    struct ask ask = {"POST", target, NULL, body, NULL};
    expect(&ask, wanted, name);
}

/* What isn't JSON forms trees as well. */
static void test_graphql(void **state)
{
    (void)state;
    begin("/graphql");
    criterion(GUARD_LOCATION_GRAPHQL, "query.user(id)")->types = 1u << GUARD_TYPE_INT;
    criterion(GUARD_LOCATION_GRAPHQL, "query.user.password")->forbidden = true;
    criterion(GUARD_LOCATION_GRAPHQL, "query....")->forbidden = true;
    post("/graphql", "{\"query\":\"{ user(id: 7) { name } }\"}", NOTHING, NULL);
    post("/graphql", "{\"query\":\"{ user(id: abc) { name } }\"}", GUARD_RULE_TYPE,
         "query.user(id)");
    post("/graphql", "{\"query\":\"{ user(id: 7) { name password } }\"}", GUARD_RULE_NAME,
         "query.user.password");
    post("/graphql", "{\"query\":\"{ user(id: 7) { name } ...Secret }\"}", GUARD_RULE_NAME,
         "query....");
}

static void test_protobuf(void **state)
{
    (void)state;
    begin("/stock");
    criterion(GUARD_LOCATION_PROTOBUF, "1")->length_max = 3;
    criterion(GUARD_LOCATION_PROTOBUF, "2")->forbidden = true;
    struct ask ask = {"POST", "/stock", "host: shop.test\ncontent-type: application/x-protobuf\n",
                      "\x0a\x03hat", NULL};
    expect(&ask, NOTHING, NULL);
    ask.body = "\x0a\x05scarf";
    expect(&ask, GUARD_RULE_LENGTH, "1");
    ask.body = "\x0a\x03hat\x10\x07";
    expect(&ask, GUARD_RULE_NAME, "2");
}

static void test_length(void **state)
{
    (void)state;
    begin("/search");
    struct guard_criterion *said = criterion(GUARD_LOCATION_QUERY, "username");
    said->length_max = 20;
    said->length_min = 2;
    get("/search?username=abbbaabbcciiaabbccii", NOTHING, NULL);
    get("/search?username=abbbaabbcciiaabbcciii", GUARD_RULE_LENGTH, "username");
    get("/search?username=t", GUARD_RULE_SHORT, "username");
}

static void test_types(void **state)
{
    (void)state;
    begin("/search");
    criterion(GUARD_LOCATION_QUERY, "username")->types = 1u << GUARD_TYPE_INT;
    get("/search?username=tom", GUARD_RULE_TYPE, "username");
    begin("/orders");
    criterion(GUARD_LOCATION_JSON, "address.zip")->types = 1u << GUARD_TYPE_TOKEN;
    post("/orders", "{\"item\":\"chair\",\"address\":{\"zip\":\"12345\"}}", NOTHING, NULL);
    post("/orders", "{\"item\":\"chair\",\"address\":{\"zip\":null}}", GUARD_RULE_TYPE,
         "address.zip");
}

static void test_classes(void **state)
{
    (void)state;
    begin("/search");
    struct guard_criterion *said = criterion(GUARD_LOCATION_QUERY, "username");
    const unsigned quote = GUARD_CLASS_PUNCTUATION + 6;
    said->classes_said = true;
    said->classes = 1u << GUARD_CLASS_LOWER | UINT64_C(1) << quote;
    said->types = 1u << GUARD_TYPE_TEXT;
    world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "username")->specials_max = 2;
    get("/search?username=o%27tom%27", NOTHING, NULL);
    get("/search?username=Tom", GUARD_RULE_ALPHABET, "username");
    get("/search?username=tom%3B", GUARD_RULE_CHARACTER, "username");
}

static void test_values(void **state)
{
    (void)state;
    static struct guard_span values[2];
    values[0] = GUARD_SPAN_LITERAL("NEW");
    values[1] = GUARD_SPAN_LITERAL("old=1");
    begin("/search");
    struct guard_criterion *said = criterion(GUARD_LOCATION_QUERY, "sort");
    said->values = values;
    said->value_count = 2;
    get("/search?username=tom&sort=NEW", NOTHING, NULL);
    get("/search?username=tom&sort=old%3D1", NOTHING, NULL);
    get("/search?username=tom&sort=asc", GUARD_RULE_LITERAL,
        "sort"); /* learned, but no longer allowed */
    begin("/orders");
    said = criterion(GUARD_LOCATION_JSON, "tags[]");
    said->values = values;
    said->value_count = 2;
    post("/orders", "{\"item\":\"chair\",\"tags\":[\"NEW\",\"old=1\"]}", NOTHING, NULL);
    post("/orders", "{\"item\":\"chair\",\"tags\":[\"NEW\",\"NEW;\"]}", GUARD_RULE_CHARACTER,
         "tags[]");
    post("/orders", "{\"item\":\"chair\",\"tags\":[\"new\"]}", GUARD_RULE_LITERAL, "tags[]");
}

static void test_required_and_forbidden(void **state)
{
    (void)state;
    begin("/search");
    criterion(GUARD_LOCATION_QUERY, "id")->required = 1;
    criterion(GUARD_LOCATION_QUERY, "username")->required = 0;
    criterion(GUARD_LOCATION_QUERY, "debug")->forbidden = true;
    get("/search?username=tom", GUARD_RULE_MISSING, "id");
    get("/search?id=1", NOTHING, NULL);
    get("/search?id=1&debug=1", GUARD_RULE_NAME, "debug");
}

/* A name that nobody sent yet, allowed by a person; its objects with it. */
static void test_new_names(void **state)
{
    (void)state;
    begin("/orders");
    criterion(GUARD_LOCATION_JSON, "gift.to[].name")->length_max = 5;
    criterion(GUARD_LOCATION_JSON, "gift.wrap")->types = 1u << GUARD_TYPE_BOOL;
    world_field(&world, WORLD_ORDER, GUARD_LOCATION_JSON, "")->items_max = 9;
    world.endpoints[WORLD_ORDER].depth_max = 9;
    post("/orders",
         "{\"item\":\"chair\",\"gift\":{\"to\":[{\"name\":\"Bo'b;\"}],\"wrap\":true,\"x\":1}}",
         NOTHING, NULL);
    post("/orders", "{\"item\":\"chair\",\"gift\":{\"to\":[{\"name\":\"Robert\"}]}}",
         GUARD_RULE_LENGTH, "gift.to[].name");
    post("/orders", "{\"item\":\"chair\",\"gift\":{\"wrap\":\"yes\"}}", GUARD_RULE_TYPE,
         "gift.wrap");
    rule.closed = true;
    post("/orders", "{\"item\":\"chair\",\"gift\":{\"x\":1}}", GUARD_RULE_NAME, "gift.x");
    post("/orders", "{\"item\":\"chair\",\"other\":1}", GUARD_RULE_NAME, "other");
}

static void test_endpoint(void **state)
{
    (void)state;
    static struct guard_span methods[1];
    static struct guard_span media[1];
    methods[0] = GUARD_SPAN_LITERAL("POST");
    media[0] = GUARD_SPAN_LITERAL("text/plain");
    begin("/orders");
    rule.methods = methods;
    rule.method_count = 1;
    rule.body_max = 20;
    post("/orders", "{\"item\":\"chair\"}", NOTHING, NULL);
    post("/orders", "{\"item\": \"chair\"     }", GUARD_RULE_SIZE, "");
    struct ask put = {"DELETE", "/orders", NULL, NULL, NULL};
    expect(&put, GUARD_RULE_METHOD, "");
    methods[0] = GUARD_SPAN_LITERAL("PATCH");
    post("/orders", "{\"item\":\"chair\"}", GUARD_RULE_METHOD, "");
    rule.method_count = 0;
    rule.media_types = media;
    rule.media_count = 1;
    post("/orders", "{\"item\":\"chair\"}", GUARD_RULE_CONTENT_TYPE, "");
}

/* Templates: what a person names is known, and keeps what was learned below it. */
static void test_templates(void **state)
{
    (void)state;
    begin("/users/{}");
    get("/users/7", NOTHING, NULL);
    struct guard_policy *policy = world_policy(&world);
    struct ask word = {"GET", "/users/x'y", NULL, NULL, NULL};
    struct answer answer;
    world_ask(&answer, policy, &word);
    assert_null(world_finding(&answer, GUARD_RULE_PATH, NULL));
    assert_non_null(
        world_finding(&answer, GUARD_RULE_CHARACTER, "seg1")); /* of the learned "/users/{int}" */
    assert_int_equal(guard_txn_template(answer.txn).len, strlen("/users/{}"));
    world_answer_free(&answer);
    world_policy_free(policy);
    begin("/static/{*}");
    get("/static/a", NOTHING, NULL);
    get("/static/a/b;c/d?x=1", NOTHING, NULL);
    begin("/v1/123/{uuid}");
    get("/v1/123/6ba7b810-9dad-11d1-80b4-00c04fd430c8", NOTHING, NULL);
    begin("/files/{}/raw"); /* beside a learned wildcard */
    get("/files/readme/raw", NOTHING, NULL);
    get("/files/readme", NOTHING, NULL);
    begin("/search");
    criterion(GUARD_LOCATION_PATH, "seg0")->length_max = 1; /* a literal segment isn't judged */
    get("/search?username=tom", NOTHING, NULL);
}

/* The more special rule wins where both speak. */
static void test_precedence(void **state)
{
    (void)state;
    static struct guard_endpoint_rule rules[2];
    begin("/users/{int}");
    rules[0] = rule;
    rules[0].mode = GUARD_MODE_OBSERVE;
    rules[1] = rule;
    rules[1].template_text = world_span("/{*}");
    rules[1].mode = GUARD_MODE_ALERT;
    world.guardian.endpoints = rules;
    world.guardian.endpoint_count = 2;
    struct guard_policy *policy = world_policy(&world);
    struct ask asks[] = {{"GET", "/users/7?x=1", NULL, NULL, NULL},
                         {"GET", "/search?id=1", NULL, NULL, NULL}};
    enum guard_decision actions[] = {GUARD_PASS, GUARD_ALERT};
    for (int i = 0; i < 2; i++) {
        struct answer answer;
        world_ask(&answer, policy, &asks[i]);
        assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
        assert_int_equal(answer.verdict->action, actions[i]);
        world_answer_free(&answer);
    }
    world_policy_free(policy);
}

/* Methods are what the most special rule says, even beside one that says all. */
static void test_method_precedence(void **state)
{
    (void)state;
    static struct guard_endpoint_rule rules[2];
    static struct guard_span methods[1];
    methods[0] = GUARD_SPAN_LITERAL("GET");
    begin("/users/{int}");
    rules[0] = rules[1] = rule;
    rules[0].methods = methods;
    rules[0].method_count = 1;
    rules[1].template_text = world_span("/users/{}");
    world.guardian.endpoints = rules;
    world.guardian.endpoint_count = 2;
    get("/users/7", NOTHING, NULL);
    world.endpoints[WORLD_USER].method = GUARD_SPAN_LITERAL("POST");
    post("/users/7", NULL, GUARD_RULE_METHOD, "");
}

/* Values at one endpoint, where the service has a closed set of its own. */
static void test_header_values(void **state)
{
    (void)state;
    static struct guard_span said[1];
    static uint64_t learned[] = {1, 2, 3};
    said[0] = GUARD_SPAN_LITERAL("text/html");
    begin("/search");
    struct guard_model_field *accept = world_field(&world, -1, GUARD_LOCATION_HEADER, "accept");
    accept->closed = true;
    accept->literals = learned;
    accept->literal_count = 3;
    struct guard_criterion *criterion_of = criterion(GUARD_LOCATION_HEADER, "accept");
    criterion_of->values = said;
    criterion_of->value_count = 1;
    struct ask allowed = {"GET", "/search?username=tom", "host: shop.test\naccept: text/html\n",
                          NULL, NULL};
    expect(&allowed, NOTHING, NULL);
    struct ask other = {"GET", "/search?username=tom", "host: shop.test\naccept: */*\n", NULL,
                        NULL};
    expect(&other, GUARD_RULE_LITERAL, "accept");
}

static void test_headers(void **state)
{
    (void)state;
    static struct guard_criterion service[2];
    begin("/search");
    service[0] = world_criterion(GUARD_LOCATION_HEADER, "X-Trace");
    service[0].length_max = 4;
    service[1] = world_criterion(GUARD_LOCATION_HEADER, "Host");
    service[1].required = 0;
    world.guardian.headers = service;
    world.guardian.header_count = 2;
    struct ask fits = {"GET", "/users/7", "x-trace: ab;c\n", NULL, NULL};
    expect(&fits, NOTHING, NULL);
    struct ask longer = {"GET", "/users/7", "x-trace: ab;cd\n", NULL, NULL};
    expect(&longer, GUARD_RULE_LENGTH, "x-trace");
    /* at one endpoint only; elsewhere the service's own header holds */
    criterion(GUARD_LOCATION_HEADER, "Accept")->length_max = 5;
    struct ask html = {"GET", "/search?username=tom", "accept: text/html\n", NULL, NULL};
    expect(&html, GUARD_RULE_LENGTH, "accept");
    struct ask elsewhere = {"GET", "/users/7", "accept: text/html\n", NULL, NULL};
    expect(&elsewhere, NOTHING, NULL);
    /* what isn't said of it stays learned there */
    struct guard_policy *policy = world_policy(&world);
    struct ask odd = {"GET", "/search?username=tom", "accept: a;b\n", NULL, NULL};
    struct answer answer;
    world_ask(&answer, policy, &odd);
    const struct guard_finding *finding = world_finding(&answer, GUARD_RULE_CHARACTER, "accept");
    assert_non_null(finding);
    assert_false(finding->configured);
    world_answer_free(&answer);
    world_policy_free(policy);
}

/* A service header that must be there is there when an endpoint says more of it. */
static void test_header_shadow(void **state)
{
    (void)state;
    begin("/search");
    criterion(GUARD_LOCATION_HEADER, "host")->length_max = 50;
    get("/search?username=tom", NOTHING, NULL);
    struct ask without = {"GET", "/search?username=tom", "accept: */*\n", NULL, NULL};
    struct guard_policy *policy = world_policy(&world);
    struct answer answer;
    world_ask(&answer, policy, &without);
    assert_non_null(world_finding(&answer, GUARD_RULE_MISSING, "host"));
    world_answer_free(&answer);
    world_policy_free(policy);
}

static void test_configured_only(void **state)
{
    (void)state;
    begin("/search");
    criterion(GUARD_LOCATION_QUERY, "id")->types = 1u << GUARD_TYPE_INT;
    world.cfg.configured_only = true;
    get("/search?id=1&x='or 1=1", NOTHING, NULL);
    get("/anything?x=1", NOTHING, NULL);
    get("/search?id=x", GUARD_RULE_TYPE, "id");
}

/* Configured rules obey the mode and block even where learned ones are never let to. */
static void test_mode_and_exemption(void **state)
{
    (void)state;
    begin("/orders");
    criterion(GUARD_LOCATION_QUERY, "debug")->forbidden = true;
    struct ask options = {"OPTIONS", "/orders?debug=1", NULL, NULL, NULL};
    expect(&options, GUARD_RULE_NAME, "debug");
    rule.mode = GUARD_MODE_ALERT;
    struct guard_policy *policy = world_policy(&world);
    struct answer answer;
    world_ask(&answer, policy, &options);
    assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
    assert_int_equal(answer.verdict->action, GUARD_ALERT);
    world_answer_free(&answer);
    world_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_graphql),
        cmocka_unit_test(test_protobuf),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_required_and_forbidden),
        cmocka_unit_test(test_new_names),
        cmocka_unit_test(test_endpoint),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_method_precedence),
        cmocka_unit_test(test_header_values),
        cmocka_unit_test(test_header_shadow),
        cmocka_unit_test(test_configured_only),
        cmocka_unit_test(test_mode_and_exemption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
