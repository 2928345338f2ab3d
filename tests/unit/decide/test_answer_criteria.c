/* SPDX-License-Identifier: Apache-2.0 */
/* What a person writes about responses overrides what was learned of them, in both directions, and
 * holds where nothing was learned. */
#include "unit/policy/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { CRITERIA = 6 };

static struct world world;
static struct guard_endpoint_rule rule;
static struct guard_response_rule response, failures, everywhere, everywhere_failures;
static struct guard_criterion criteria[CRITERIA], failing[CRITERIA], common[CRITERIA];
static struct guard_span media[1], values[2];
static bool learned;

static struct guard_response_rule nothing_said(struct guard_criterion *fields)
{
    return (struct guard_response_rule){.body_max = -1, .fields = fields};
}

/* An endpoint rule, and one of the service, that say nothing yet. */
static void begin(bool with_model)
{
    world_init(&world);
    learned = with_model;
    if (learned)
        world_learn_responses(&world);
    world.cfg.configured_only = !learned;
    guard_guardian_set_mode(&world.guardian, GUARD_MODE_BLOCK);
    response = nothing_said(criteria);
    failures = nothing_said(failing);
    everywhere = nothing_said(common);
    everywhere_failures = nothing_said(NULL);
    rule = (struct guard_endpoint_rule){
        .template_text = world_span("/users/{int}"), .mode = -1, .body_max = -1};
    rule.response = &response;
    world.guardian.endpoints = &rule;
    world.guardian.endpoint_count = 1;
}

static struct guard_criterion *said(struct guard_response_rule *in, enum guard_location location,
                                    const char *name)
{
    in->fields[in->field_count] = world_criterion(location, name);
    return &in->fields[in->field_count++];
}

static const struct guard_finding *find(const struct answer *answer, int wanted, const char *name)
{
    return world_finding(answer, (enum guard_rule)wanted, name);
}

/* Nothing at all; or a finding that is a person's; or one that was learned. */
enum expected { NOTHING, CONFIGURED, LEARNED };

static void expect(const char *method, const char *target, const struct reply *reply,
                   enum expected expected, int wanted, const char *name)
{
    const struct ask ask = {method, target, NULL, NULL, NULL};
    struct guard_policy *policy = world_policy(&world);
    struct answer answer;
    world_reply(&answer, policy, &ask, reply);
    char line[256] = "";
    if (answer.verdict->finding_count > 0)
        guard_explain_finding(&answer.verdict->findings[0], line, sizeof(line));
    if (expected == NOTHING) {
        if (answer.verdict->finding_total > 0)
            fail_msg("%s %s %u: %s", method, target, reply->status, line);
        assert_int_equal(answer.verdict->action, GUARD_PASS);
    } else {
        const struct guard_finding *finding = find(&answer, wanted, name);
        if (finding == NULL)
            fail_msg("%s %s %u: no %s, but %s", method, target, reply->status,
                     guard_rule_name((enum guard_rule)wanted), line);
        assert_int_equal(finding->part, GUARD_PART_RESPONSE);
        assert_int_equal(finding->configured, expected == CONFIGURED);
        assert_int_equal(answer.verdict->action, GUARD_BLOCK);
        guard_explain_finding(finding, line, sizeof(line));
        assert_non_null(strstr(line, "response"));
        assert_int_equal(strstr(line, "(configured)") != NULL, expected == CONFIGURED);
    }
    world_answer_free(&answer);
    world_policy_free(policy);
}

#define JSON "application/json"
#define NO_STORE "cache-control: no-store\n"
static const struct reply usual = {200, JSON, NO_STORE, "{\"id\":7,\"name\":\"tom\"}"};

static void get(uint32_t status, const char *type, const char *headers, const char *body,
                enum expected expected, int wanted, const char *name)
{
    const struct reply reply = {status, type, headers, body};
    expect("GET", "/users/7", &reply, expected, wanted, name);
}

static void passes(uint32_t status, const char *type, const char *headers, const char *body)
{
    get(status, type, headers, body, NOTHING, 0, NULL);
}

static void violates(uint32_t status, const char *type, const char *headers, const char *body,
                     int wanted, const char *name)
{
    get(status, type, headers, body, CONFIGURED, wanted, name);
}

static void test_statuses(void **state)
{
    static const struct guard_status_range some[] = {{200, 200}, {302, 302}, {400, 499}};
    static const struct guard_status_range all[] = {{200, 299}, {500, 500}};
    (void)state;
    for (int with_model = 0; with_model <= 1; with_model++) {
        begin(with_model == 1);
        response.statuses = some;
        response.status_count = 3;
        passes(200, usual.type, usual.headers, usual.body);
        passes(302, NULL, NO_STORE, NULL); /* never learned */
        passes(404, JSON, NO_STORE, "{\"error\":\"not found\"}");
        violates(201, JSON, NO_STORE, usual.body, GUARD_RULE_STATUS, NULL);
        violates(500, JSON, NO_STORE, NULL, GUARD_RULE_STATUS, NULL);
        violates(304, NULL, NO_STORE, NULL, GUARD_RULE_STATUS, NULL);
        /* The service's hold where the endpoint has none, and where there is none. */
        world.guardian.response = &everywhere;
        everywhere.statuses = all;
        everywhere.status_count = 2;
        passes(404, JSON, NO_STORE, "{\"error\":\"not found\"}");
        response.status_count = 0;
        violates(404, JSON, NO_STORE, NULL, GUARD_RULE_STATUS, NULL);
        passes(500, NULL, NO_STORE, NULL); /* the service never failed, but may */
        const struct reply other = {301, NULL, NO_STORE, NULL};
        expect("GET", "/nowhere", &other, CONFIGURED, GUARD_RULE_STATUS, NULL);
        expect("OPTIONS", "/users/7", &other, CONFIGURED, GUARD_RULE_STATUS, NULL);
    }
    begin(true);
    response.statuses = all;
    response.status_count = 2;
    const struct reply refused = {400, NULL, NO_STORE, NULL};
    expect("GET", "/users/7", &refused, CONFIGURED, GUARD_RULE_STATUS, NULL);
    expect("GET", "/users/7'", &refused, NOTHING, 0, NULL); /* the template isn't this path's */
    begin(true);
    get(500, NULL, NO_STORE, NULL, LEARNED, GUARD_RULE_STATUS, NULL);
    get(302, NULL, NO_STORE, NULL, LEARNED, GUARD_RULE_STATUS, NULL);
}

static void test_media(void **state)
{
    (void)state;
    for (int with_model = 0; with_model <= 1; with_model++) {
        begin(with_model == 1);
        media[0] = GUARD_SPAN_LITERAL("text/plain");
        response.media_types = media;
        response.media_count = 1;
        passes(200, "text/plain; charset=utf-8", NO_STORE, NULL);
        violates(200, JSON, NO_STORE, usual.body, GUARD_RULE_CONTENT_TYPE, NULL);
        passes(404, JSON, NO_STORE, "{\"error\":\"not found\"}");
        if (learned) /* what fails stays learned */
            get(404, "text/html", NO_STORE, "gone", LEARNED, GUARD_RULE_CONTENT_TYPE, NULL);
        response.failures = &failures;
        failures.media_types = media;
        failures.media_count = 1;
        violates(404, JSON, NO_STORE, "{\"error\":\"not found\"}", GUARD_RULE_CONTENT_TYPE, NULL);
        violates(503, JSON, NO_STORE, "{\"error\":\"not found\"}", GUARD_RULE_CONTENT_TYPE, NULL);
    }
}

/* Every response has a size. */
static void test_size(void **state)
{
    static const char large[] = "{\"id\":7,\"name\":\"tomtomtomtomtomtomtomtomtom\"}";
    (void)state;
    for (int with_model = 0; with_model <= 1; with_model++) {
        begin(with_model == 1);
        response.body_max = 30;
        passes(200, usual.type, usual.headers, usual.body);
        violates(200, JSON, NO_STORE, large, GUARD_RULE_SIZE, "");
        violates(404, JSON, NO_STORE, "{\"error\":\"not found, really not found\"}",
                 GUARD_RULE_SIZE, "");
        response.failures = &failures;
        failures.body_max = 8;
        violates(404, JSON, NO_STORE, "{\"error\":\"not found\"}", GUARD_RULE_SIZE_FAR, "");
        passes(200, usual.type, usual.headers, usual.body);
        const struct reply other = {200, JSON, NO_STORE, large};
        expect("GET", "/nowhere", &other, NOTHING, 0, NULL);
        world.guardian.response = &everywhere;
        everywhere.body_max = 40;
        expect("GET", "/nowhere", &other, CONFIGURED, GUARD_RULE_SIZE, "");
        response.body_max = 400;
        if (!learned)
            passes(200, JSON, NO_STORE, large); /* the endpoint's replaces the service's */
    }
    begin(true); /* larger than ever, but allowed */
    response.body_max = 4096;
    static char body[700];
    (void)snprintf(body, sizeof(body), "{\"id\":7,\"name\":\"tom\"}%*s", 600, "");
    passes(200, JSON, NO_STORE, body);
    response.body_max = -1;
    get(200, JSON, NO_STORE, body, LEARNED, GUARD_RULE_SIZE, "");
}

static void test_fields(void **state)
{
    (void)state;
    for (int with_model = 0; with_model <= 1; with_model++) {
        begin(with_model == 1);
        said(&response, GUARD_LOCATION_JSON, "id")->types = 1u << GUARD_TYPE_INT;
        criteria[0].required = 1;
        said(&response, GUARD_LOCATION_JSON, "password")->forbidden = true;
        said(&response, GUARD_LOCATION_JSON, "mail")->length_max = 5;
        passes(200, JSON, NO_STORE, "{\"id\":7}");
        passes(200, JSON, NO_STORE, "{\"id\":7,\"mail\":\"a@b\"}");
        violates(200, JSON, NO_STORE, "{\"id\":7,\"mail\":\"ann@b\\u0063\"}", GUARD_RULE_LENGTH,
                 "mail");
        violates(200, JSON, NO_STORE, "{\"id\":\"x\"}", GUARD_RULE_TYPE, "id");
        violates(200, JSON, NO_STORE, "{\"mail\":\"a\"}", GUARD_RULE_MISSING, "id");
        violates(200, JSON, NO_STORE, "{\"id\":7,\"password\":\"x\"}", GUARD_RULE_NAME, "password");
        /* No content lacks nothing, and what fails is another document. */
        passes(204, NULL, NO_STORE, NULL);
        passes(404, JSON, NO_STORE, "{\"error\":\"not found\"}");
        const struct reply head = {200, JSON, NO_STORE, NULL};
        if (!learned)
            expect("HEAD", "/users/7", &head, NOTHING, 0, NULL);
        expect("GET", "/users/7", &head, CONFIGURED, GUARD_RULE_MISSING, "id");
        response.failures = &failures;
        said(&failures, GUARD_LOCATION_JSON, "error")->required = 1;
        passes(404, JSON, NO_STORE, "{\"error\":\"not found\"}");
        violates(404, JSON, NO_STORE, "{}", GUARD_RULE_MISSING, "error");
        /* Said of every response. */
        world.guardian.response = &everywhere;
        said(&everywhere, GUARD_LOCATION_JSON, "secret")->forbidden = true;
        const struct reply other = {200, JSON, NO_STORE, "{\"secret\":1}"};
        expect("GET", "/nowhere", &other, CONFIGURED, GUARD_RULE_NAME, "secret");
        violates(200, JSON, NO_STORE, "{\"id\":7,\"secret\":1}", GUARD_RULE_NAME, "secret");
    }
}

static void test_closed(void **state)
{
    (void)state;
    begin(false);
    response.closed = true;
    said(&response, GUARD_LOCATION_JSON, "items[].id")->types = 1u << GUARD_TYPE_INT;
    passes(200, JSON, NO_STORE, "{\"items\":[{\"id\":1},{\"id\":2}]}");
    violates(200, JSON, NO_STORE, "{\"items\":[{\"id\":1,\"x\":2}]}", GUARD_RULE_NAME, "items[].x");
    violates(200, JSON, NO_STORE, "{\"items\":[],\"more\":1}", GUARD_RULE_NAME, "more");
    violates(200, "text/html", NO_STORE, "<p>", GUARD_RULE_NAME, "");
    passes(200, JSON, NO_STORE "x-new: 1\n", "{\"items\":[]}");
    passes(404, JSON, NO_STORE, "{\"error\":1}");
    response.failures = &failures;
    failures.closed = true;
    said(&failures, GUARD_LOCATION_JSON, "error");
    passes(404, JSON, NO_STORE, "{\"error\":1}");
    violates(404, JSON, NO_STORE, "{\"error\":1,\"trace\":\"x\"}", GUARD_RULE_NAME, "trace");
    /* What was learned is among what is known. */
    begin(true);
    response.closed = true;
    said(&response, GUARD_LOCATION_JSON, "mail");
    passes(200, JSON, NO_STORE, "{\"id\":7,\"name\":\"tom\",\"mail\":\"Tom <t@x>\"}");
    violates(200, JSON, NO_STORE, "{\"id\":7,\"role\":1}", GUARD_RULE_NAME, "role");
}

#define TRACE "Traceback (most recent call last):\\n  File \\\"a.py\\\", line 1, in b"
#define KEY "-----BEGIN RSA PRIVATE KEY-----\\nMIIEowIBAAKCAQEA0Z3V\\n"

static void test_leaks(void **state)
{
    const uint32_t trace = 1u << GUARD_LEAK_STACK_TRACE;
    const uint32_t key = 1u << GUARD_LEAK_PRIVATE_KEY;
    (void)state;
    for (int with_model = 0; with_model <= 1; with_model++) {
        begin(with_model == 1);
        said(&response, GUARD_LOCATION_JSON, "name")->types = 1u << GUARD_TYPE_TEXT;
        criteria[0].classes_said = true;
        criteria[0].classes = (UINT64_C(1) << GUARD_CLASS_COUNT) - 1;
        criteria[0].length_max = 200;
        struct guard_model_field *name = &world.fields[world.model.field_count - 1];
        name->digits_max = name->specials_max = 100;
        response.leaks_forbidden = trace;
        response.leaks_allowed = key;
        passes(200, JSON, NO_STORE, "{\"name\":\"" KEY "\"}");
        violates(200, JSON, NO_STORE, "{\"name\":\"" TRACE "\"}", GUARD_RULE_LEAK, "");
        violates(500, JSON, NO_STORE, "{\"name\":\"" TRACE "\"}", GUARD_RULE_LEAK, "");
        /* The service forbids what the endpoint allows. */
        world.guardian.response = &everywhere;
        everywhere.leaks_forbidden = key;
        passes(200, JSON, NO_STORE, "{\"name\":\"" KEY "\"}");
        for (uint32_t status = 200; status <= 500; status += 100) {
            const struct reply other = {status, "text/plain", NO_STORE, KEY};
            expect("GET", "/nowhere", &other, CONFIGURED, GUARD_RULE_LEAK, "");
            expect("GET", "/users/7'", &other, CONFIGURED, GUARD_RULE_LEAK, "");
        }
        response.leaks_allowed = 0;
        violates(404, "text/plain", NO_STORE, KEY, GUARD_RULE_LEAK, "");
    }
    begin(true); /* what a person says nothing of stays learned */
    response.leaks_forbidden = trace;
    get(200, JSON, NO_STORE, "{\"name\":\"" KEY "\"}", LEARNED, GUARD_RULE_LEAK, "");
    get(302, JSON, NO_STORE, "{\"name\":\"" KEY "\"}", LEARNED, GUARD_RULE_LEAK, "");
    get(500, JSON, NO_STORE, "{\"name\":\"" KEY "\"}", LEARNED, GUARD_RULE_LEAK, "");
}

static void test_headers(void **state)
{
    (void)state;
    for (int with_model = 0; with_model <= 1; with_model++) {
        begin(with_model == 1);
        world.guardian.response = &everywhere;
        said(&everywhere, GUARD_LOCATION_HEADER, "X-Powered-By")->forbidden = true;
        values[0] = GUARD_SPAN_LITERAL("no-store");
        said(&response, GUARD_LOCATION_HEADER, "cache-control")->values = values;
        criteria[0].value_count = 1;
        criteria[0].required = 1;
        said(&response, GUARD_LOCATION_COOKIE, "session")->forbidden = true;
        passes(200, usual.type, usual.headers, usual.body);
        passes(404, JSON, NO_STORE, "{\"error\":\"not found\"}");
        for (uint32_t status = 200; status <= 500; status += 100) {
            if (learned && (status == 300 || status == 500))
                continue; /* never learned: a status of its own */
            violates(status, NULL, "cache-control: public\n", NULL, GUARD_RULE_LITERAL,
                     "cache-control");
            violates(status, NULL, NULL, NULL, GUARD_RULE_MISSING, "cache-control");
            violates(status, NULL, NO_STORE "set-cookie: session=1\n", NULL, GUARD_RULE_NAME,
                     "session");
            violates(status, NULL, NO_STORE "x-powered-by: php\n", NULL, GUARD_RULE_NAME,
                     "x-powered-by");
            const struct reply other = {status, NULL, NO_STORE "x-powered-by: php\n", NULL};
            expect("GET", "/nowhere", &other, CONFIGURED, GUARD_RULE_NAME, "x-powered-by");
        }
        const struct reply other = {200, NULL, "cache-control: max-age=60\n", NULL};
        expect("GET", "/nowhere", &other, NOTHING, 0, NULL);
    }
    begin(true); /* that the service never failed is still known */
    world.guardian.response = &everywhere;
    said(&everywhere, GUARD_LOCATION_HEADER, "x-powered-by")->forbidden = true;
    get(500, NULL, NO_STORE, NULL, LEARNED, GUARD_RULE_STATUS, NULL);
    get(200, JSON, "cache-control: x'\n", usual.body, LEARNED, GUARD_RULE_CHARACTER,
        "cache-control");
}

/* An endpoint's header starts from what was learned of it in responses of this status. */
static void test_learned_headers(void **state)
{
    (void)state;
    begin(true);
    for (uint32_t i = 0; i < world.model.field_count; i++) {
        if (world.fields[i].location == GUARD_LOCATION_HEADER &&
            world.fields[i].name.len == strlen("cache-control"))
            world.fields[i].required = true;
    }
    said(&response, GUARD_LOCATION_HEADER, "x-mine")->length_max = 3;
    for (uint32_t status = 200; status <= 404; status += 204) {
        get(status, NULL, NO_STORE "x-mine: 123\n", NULL, NOTHING, 0, NULL);
        get(status, NULL, NULL, NULL, LEARNED, GUARD_RULE_MISSING, "cache-control");
        get(status, NULL, NO_STORE "x-mine: 1234\n", NULL, CONFIGURED, GUARD_RULE_LENGTH, "x-mine");
    }
    said(&response, GUARD_LOCATION_HEADER, "cache-control")->length_max = 20;
    for (uint32_t status = 200; status <= 404; status += 204) {
        get(status, NULL, NO_STORE, NULL, NOTHING, 0, NULL);
        get(status, NULL, NULL, NULL, LEARNED, GUARD_RULE_MISSING, "cache-control");
        get(status, NULL, "cache-control: no'store\n", NULL, LEARNED, GUARD_RULE_CHARACTER,
            "cache-control");
    }
}

/* What isn't said stays learned, also at a template that only a person wrote, and beside it. */
static void test_learned_stays(void **state)
{
    (void)state;
    static const char *const templates[] = {"/users/{int}", "/users/{}", "/users/{*}"};
    for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
        begin(true);
        rule.template_text = world_span(templates[i]);
        response.body_max = 300;
        passes(200, usual.type, usual.headers, usual.body);
        get(200, JSON, NO_STORE, "{\"id\":7,\"role\":1}", LEARNED, GUARD_RULE_NAME, "role");
        get(404, JSON, NO_STORE, "{\"error\":\"not found\",\"trace\":1}", LEARNED, GUARD_RULE_NAME,
            "trace");
        get(200, JSON, NO_STORE "x-new: 1\n", usual.body, LEARNED, GUARD_RULE_NAME, "x-new");
        get(404, JSON, NO_STORE "x-new: 1\n", NULL, LEARNED, GUARD_RULE_NAME, "x-new");
    }
    /* One that a person wrote beside it takes it, and takes nothing away. */
    begin(true);
    rule.template_text = world_span("/users/{}");
    rule.response = NULL;
    get(200, JSON, NO_STORE, "{\"id\":7,\"role\":1}", LEARNED, GUARD_RULE_NAME, "role");
    const struct reply role = {200, JSON, NO_STORE, "{\"id\":7,\"role\":1}"};
    expect("GET", "/users/tom", &role, LEARNED, GUARD_RULE_NAME, "role");
}

static void check_mode(enum guard_mode service, int32_t endpoint, enum guard_decision wanted)
{
    static const struct guard_status_range good[] = {{200, 200}};
    const struct ask ask = {"GET", "/users/7", NULL, NULL, NULL};
    for (uint32_t status = 201; status <= 501; status += 100) {
        const struct reply reply = {status, NULL, NO_STORE, NULL};
        begin(false);
        response.statuses = good;
        response.status_count = 1;
        world.guardian.response_mode = service;
        rule.mode = endpoint;
        struct guard_policy *policy = world_policy(&world);
        struct answer answer;
        world_reply(&answer, policy, &ask, &reply);
        assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
        assert_int_equal(answer.verdict->action, wanted);
        assert_int_equal(guard_txn_response_mode(answer.txn, status),
                         endpoint >= 0 ? (enum guard_mode)endpoint : service);
        world_answer_free(&answer);
        world_policy_free(policy);
    }
}

static void test_modes(void **state)
{
    (void)state;
    check_mode(GUARD_MODE_BLOCK, -1, GUARD_BLOCK);
    check_mode(GUARD_MODE_ALERT, -1, GUARD_ALERT);
    check_mode(GUARD_MODE_OBSERVE, -1, GUARD_PASS);
    check_mode(GUARD_MODE_ALERT, GUARD_MODE_BLOCK, GUARD_BLOCK);
    check_mode(GUARD_MODE_BLOCK, GUARD_MODE_OBSERVE, GUARD_PASS);
}

/* The last rule of equal templates speaks, the more special one before all. */
static void test_more_rules(void **state)
{
    static struct guard_endpoint_rule rules[3];
    static struct guard_response_rule said_of[3];
    (void)state;
    begin(false);
    const int64_t limits[] = {100, 4, 25};
    static const char *const templates[] = {"/users/{int}", "/{*}", "/users/{}"};
    for (size_t i = 0; i < 3; i++) {
        said_of[i] = nothing_said(NULL);
        said_of[i].body_max = limits[i];
        rules[i] = (struct guard_endpoint_rule){
            .template_text = world_span(templates[i]), .mode = -1, .body_max = -1};
        rules[i].response = &said_of[i];
    }
    world.guardian.endpoints = rules;
    world.guardian.endpoint_count = 3;
    passes(200, JSON, NO_STORE, "{\"name\":\"tomtomtomtomtomtom\"}");
    const struct reply name = {200, JSON, NO_STORE, "{\"name\":\"tomtomtomtomtomtom\"}"};
    expect("GET", "/users/tom", &name, CONFIGURED, GUARD_RULE_SIZE, "");
    expect("GET", "/a", &usual, CONFIGURED, GUARD_RULE_SIZE_FAR, "");
}

static void test_bad_rules(void **state)
{
    static const struct guard_status_range bad[] = {{99, 200}, {200, 600}, {300, 200}};
    struct guard_err err = {""};
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)state;
    for (int i = 0; i < 7; i++) {
        begin(false);
        if (i < 3) {
            response.statuses = &bad[i];
            response.status_count = 1;
        } else if (i == 3) {
            said(&response, GUARD_LOCATION_QUERY, "q");
        } else if (i == 4) {
            response.leaks_allowed = response.leaks_forbidden = 1;
        } else if (i == 5) {
            response.leaks_allowed = 1u << GUARD_LEAK_COUNT;
        } else {
            response.failures = &failures;
            failures.failures = &everywhere_failures;
        }
        assert_int_equal(
            guard_policy_compile(&bytes, &len, NULL, &world.guardian, &world.cfg, NULL, &err),
            GUARD_E_RANGE);
        assert_null(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_media),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_leaks),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_learned_stays),
        cmocka_unit_test(test_learned_headers),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_more_rules),
        cmocka_unit_test(test_bad_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
