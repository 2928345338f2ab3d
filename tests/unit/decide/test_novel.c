/* SPDX-License-Identifier: Apache-2.0 */
/* What a release looks like is told of, and while its revision is new not blocked; everything else
 * is blocked as ever. */
#include "unit/policy/world.h"

#include "policy/policy.h"
#include "profile/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct world world;
static struct guard_policy *policy;
static struct answer answer;

static const struct guard_verdict *ask(const char *method, const char *target, const char *body,
                                       bool shadow)
{
    struct ask asked = {method, target, NULL, body, NULL};
    world_shadow = shadow;
    policy = world_policy(&world);
    world_ask(&answer, policy, &asked);
    return answer.verdict;
}

static void done(void)
{
    world_answer_free(&answer);
    world_policy_free(policy);
}

static void check(const char *method, const char *target, const char *body, bool novel)
{
    const struct guard_verdict *verdict = ask(method, target, body, false);
    if (verdict->decision != GUARD_BLOCK || verdict->novel != novel)
        fail_msg("%s %s: decision %d, novel %d", method, target, (int)verdict->decision,
                 (int)verdict->novel);
    done();
    verdict = ask(method, target, body, true);
    if (verdict->decision != (novel ? GUARD_ALERT : GUARD_BLOCK) || verdict->novel != novel)
        fail_msg("%s %s: decision %d while the revision is new", method, target,
                 (int)verdict->decision);
    assert_true(verdict->finding_count > 0);
    done();
}

static void test_new_elements(void **state)
{
    (void)state;
    world_init(&world);
    check("GET", "/coupons", NULL, true);
    check("GET", "/coupons/summer-2026?page=2", NULL, true);
    check("DELETE", "/users/7", NULL, true);
    check("GET", "/search?username=tom&coupon=summer26", NULL, true);
    check("GET", "/search?username=tom&a=1&b=2&c=3", NULL, true);
}

/* A known value that deviates, what reads like an attack, a path with syntax: as before. */
static void test_all_else(void **state)
{
    (void)state;
    world_init(&world);
    check("GET", "/search?username=tom%20or%201=1", NULL, false);
    check("GET", "/search?username=tom%20or%201=1&coupon=summer26", NULL, false);
    check("GET", "/search?username=tom&coupon=1%27%20or%20%271%27=%271", NULL, false);
    check("GET", "/search?username=tom&coupon=%3Cscript%3Ealert(1)%3C/script%3E", NULL, false);
    check("GET", "/coupons/..%2f..%2fetc%2fpasswd", NULL, false);
    check("GET", "/coupons/1%27%20union%20select%201", NULL, false);
    check("GET", "/users/1%27or1=1", NULL, false);
}

static const struct guard_verdict *ask_all(const struct ask *asked, bool shadow)
{
    world_shadow = shadow;
    policy = world_policy(&world);
    world_ask(&answer, policy, asked);
    return answer.verdict;
}

/* What isn't sent any more; as if told by a revision, and what is blocked beside it as ever. */
static void test_gone(void **state)
{
    (void)state;
    world_init(&world);
    check("GET", "/search?id=42", NULL, true);
    check("GET", "/search?id=42&coupon=summer26", NULL, true);
    check("GET", "/search?id=42%27%20or%20%271%27=%271", NULL, false);
    check("GET", "/search?note=%3Cscript%3Ealert(1)%3C/script%3E", NULL, false);
    /* Which programs leave out headers of browsers, no revision says; clients do. */
    static struct guard_policy_release release;
    const struct ask bare = {"GET", "/search?username=tom",
                             "user-agent: curl/7.88.1\naccept: */*\n", NULL, NULL};
    const struct guard_verdict *verdict = ask_all(&bare, true);
    assert_true(verdict->novel && verdict->decision == GUARD_BLOCK);
    assert_int_equal(verdict->novel_count, 1);
    release = (struct guard_policy_release){verdict->novel_elements[0], UINT64_MAX};
    done();
    world.cfg.releases = &release;
    world.cfg.release_count = 1;
    for (int shadow = 0; shadow < 2; shadow++) {
        assert_int_equal(ask_all(&bare, shadow == 1)->decision, GUARD_ALERT);
        done();
    }
    check("GET", "/search?id=42", NULL, true); /* another name that is gone */
}

/* A body of another type, if it is read; what is in it is new, too. */
static void test_content_type(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        const char *type;
        const char *body;
        bool novel;
    } cases[] = {
        {"/login", "application/json", "{\"user\":\"tom\",\"password\":\"secret1\"}", true},
        {"/login", "application/vnd.v2+json", "{\"user\":\"tom\"}", true},
        {"/orders", "application/x-www-form-urlencoded", "item=chair&qty=1", true},
        {"/login", "application/json", "{\"user\":\"1' or '1'='1\"}", false},
        {"/login", "text/plain", "user=tom", false},
        {"/orders", "application/xml", "<order><item>chair</item></order>", false},
        {"/orders", "application/octet-stream", "\x01\x02\x03", false},
    };
    world_init(&world);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char headers[256];
        (void)snprintf(headers, sizeof(headers),
                       "host: shop.test\nuser-agent: curl/7.88.1\naccept: */*\ncontent-type: %s\n",
                       cases[i].type);
        const struct ask asked = {"POST", cases[i].target, headers, cases[i].body, NULL};
        for (int shadow = 0; shadow < 2; shadow++) {
            const struct guard_verdict *verdict = ask_all(&asked, shadow == 1);
            enum guard_decision wanted = shadow == 1 && cases[i].novel ? GUARD_ALERT : GUARD_BLOCK;
            if (verdict->decision != wanted || verdict->novel != cases[i].novel)
                fail_msg("%s as %s: decision %d, novel %d", cases[i].target, cases[i].type,
                         (int)verdict->decision, (int)verdict->novel);
            done();
        }
    }
}

/* An endpoint that succeeds in another way; not a service that fails, nor a body that nobody
 * reads. */
static void test_answers(void **state)
{
    (void)state;
    static const struct {
        struct reply reply;
        bool novel;
    } cases[] = {
        {{303, NULL, "cache-control: no-store\n", NULL}, true},
        {{200, "application/vnd.v2+json", "cache-control: no-store\n",
          "{\"id\":7,\"name\":\"tom\"}"},
         true},
        {{200, "application/octet-stream", "cache-control: no-store\n", "\x01\x02\x03"}, false},
        {{500, "application/json", "cache-control: no-store\n", "{\"error\":\"not found\"}"},
         false},
    };
    const struct ask asked = {"GET", "/users/7", NULL, NULL, NULL};
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        bool novel = cases[i / 2].novel;
        world_shadow = i % 2 == 1;
        world_init(&world);
        world_learn_responses(&world);
        world.guardian.response_mode = GUARD_MODE_BLOCK;
        policy = world_policy(&world);
        world_reply(&answer, policy, &asked, &cases[i / 2].reply);
        enum guard_decision wanted = world_shadow && novel ? GUARD_ALERT : GUARD_BLOCK;
        if (answer.verdict->decision != wanted || answer.verdict->novel != novel)
            fail_msg("%s, %u: decision %d, novel %d",
                     cases[i / 2].reply.type != NULL ? cases[i / 2].reply.type : "no type",
                     cases[i / 2].reply.status, (int)answer.verdict->decision,
                     (int)answer.verdict->novel);
        done();
    }
}

/* Though nothing is measured of what values read like, they aren't let in. */
static void test_unarmed_likeness(void **state)
{
    (void)state;
    world_init(&world);
    world.model.service_strength[GUARD_RULE_LIKENESS] = 0;
    check("GET", "/search?username=tom&coupon=1%27%20or%20%271%27=%271", NULL, false);
    check("GET", "/coupons?code=1%27%20or%20%271%27=%271", NULL, false);
}

/* Behind more new names than there is room for, a deviating value may be hidden. */
static void test_crowd(void **state)
{
    (void)state;
    char target[2048] = "/search?username=tom";
    world_init(&world);
    for (int i = 0; i < 60; i++) {
        size_t len = strlen(target);
        (void)snprintf(target + len, sizeof(target) - len, "&new%d=1", i);
    }
    check("GET", target, NULL, false);
}

static void test_configured(void **state)
{
    (void)state;
    static struct guard_endpoint_rule rule;
    static struct guard_criterion criterion;
    world_init(&world);
    criterion = world_criterion(GUARD_LOCATION_QUERY, "coupon");
    criterion.forbidden = 1;
    rule = (struct guard_endpoint_rule){.template_text = world_span("/search"),
                                        .body_max = -1,
                                        .mode = -1,
                                        .fields = &criterion,
                                        .field_count = 1};
    world.guardian.endpoints = &rule;
    world.guardian.endpoint_count = 1;
    check("GET", "/search?username=tom&coupon=summer26", NULL, false);
}

/* New fields of a response, and the object that they make larger. */
static void test_responses(void **state)
{
    (void)state;
    const struct reply grown = {200, "application/json", "cache-control: no-store\n",
                                "{\"id\":7,\"name\":\"tom\",\"loyalty\":3}"};
    const struct reply leak = {200, "application/json", "cache-control: no-store\n",
                               "{\"id\":7,\"name\":\"tom\",\"key\":\"-----BEGIN RSA PRIVATE "
                               "KEY-----\\nMIIEowIBAAKCAQEA0Z3V\\n\"}"};
    for (int shadow = 0; shadow < 2; shadow++) {
        struct ask asked = {"GET", "/users/7", NULL, NULL, NULL};
        world_shadow = shadow == 1;
        world_init(&world);
        world_learn_responses(&world);
        world.guardian.response_mode = GUARD_MODE_BLOCK;
        world.cfg.alpha = 1e-3;
        policy = world_policy(&world);
        world_reply(&answer, policy, &asked, &grown);
        assert_true(answer.verdict->novel);
        assert_int_equal(answer.verdict->decision, shadow == 1 ? GUARD_ALERT : GUARD_BLOCK);
        world_answer_free(&answer);
        world_reply(&answer, policy, &asked, &leak);
        assert_false(answer.verdict->novel);
        assert_int_equal(answer.verdict->decision, GUARD_BLOCK);
        done();
    }
}

/* What the record tells the learner, and what people read. */
static void test_told(void **state)
{
    (void)state;
    uint8_t bytes[GUARD_RECORD_MAX];
    char line[256];
    size_t len = 0;
    struct guard_record_head head;
    world_init(&world);
    const struct guard_verdict *verdict = ask("GET", "/search?username=tom&coupon=x", NULL, true);
    assert_int_equal(guard_txn_record(answer.txn, bytes, sizeof(bytes), &len), GUARD_OK);
    assert_int_equal(guard_record_head_read(gd_span(bytes, len), &head), GUARD_OK);
    assert_true(head.novel && head.decision == GUARD_ALERT);
    guard_explain(verdict, guard_txn_method(answer.txn), guard_txn_template(answer.txn), line,
                  sizeof(line));
    assert_non_null(strstr(line, "ALERT GET /search param coupon: name never seen"));
    assert_non_null(strstr(line, "; not blocked, as the revision is new"));
    done();
    /* A client that is blocked by a verdict on it stays blocked, whatever it asks for. */
    (void)ask("GET", "/search?username=tom+or+1=1", NULL, true);
    assert_int_equal(guard_txn_record(answer.txn, bytes, sizeof(bytes), &len), GUARD_OK);
    assert_int_equal(guard_record_head_read(gd_span(bytes, len), &head), GUARD_OK);
    assert_true(!head.novel && head.decision == GUARD_BLOCK);
    done();
}

/* Each new element by itself: when all of them are let in the request is, and only then. */
static void test_released(void **state)
{
    (void)state;
    static struct guard_policy_release releases[2];
    const char *const two = "/search?username=tom&coupon=summer26&sort2=price";
    world_init(&world);
    const struct guard_verdict *verdict = ask("GET", two, NULL, false);
    assert_int_equal(verdict->novel_count, 2);
    uint64_t elements[2] = {verdict->novel_elements[0], verdict->novel_elements[1]};
    assert_int_not_equal(elements[0], elements[1]);
    done();
    /* The same whatever its value is. */
    verdict = ask("GET", "/search?username=ada&coupon=winter", NULL, false);
    assert_int_equal(verdict->novel_count, 1);
    uint64_t coupon = verdict->novel_elements[0];
    assert_true(coupon == elements[0] || coupon == elements[1]);
    done();
    releases[0] = (struct guard_policy_release){coupon, 1000};
    world.cfg.releases = releases;
    world.cfg.release_count = 1;
    verdict = ask("GET", "/search?username=tom&coupon=x", NULL, false);
    assert_true(verdict->novel && verdict->released);
    assert_int_equal(verdict->decision, GUARD_ALERT);
    done();
    verdict = ask("GET", two, NULL, false);
    assert_int_equal(verdict->decision, GUARD_BLOCK);
    assert_int_not_equal(verdict->novel_elements[0],
                         coupon); /* that which isn't let in is told first */
    done();
    check("GET", "/search?username=tom%20or%201=1&coupon=x", NULL, false);
    check("GET", "/search?username=tom&coupon=%27%20or%20%271%27=%271", NULL, false);
    check("GET", "/users/7?coupon=x", NULL, true); /* another endpoint */
    releases[0].until_ms = 0;
    check("GET", "/search?username=tom&coupon=x", NULL, true);
}

/* What a policy knows of revisions: of more than it holds the newest. */
static void test_revisions(void **state)
{
    (void)state;
    struct guard_policy_revision known[GUARD_POLICY_REVISIONS + 2];
    uint64_t until = 1;
    world_init(&world);
    policy = world_policy(&world);
    assert_int_equal(guard_policy_revision(policy, 7, &until), GUARD_REVISION_NONE);
    world_policy_free(policy);
    for (uint32_t i = 0; i < GUARD_POLICY_REVISIONS + 2; i++)
        known[i] = (struct guard_policy_revision){i + 1, 100 * i};
    world.cfg.revisions = known;
    world.cfg.revision_count = GUARD_POLICY_REVISIONS + 2;
    policy = world_policy(&world);
    for (uint32_t i = 0; i < GUARD_POLICY_REVISIONS + 2; i++) {
        enum guard_revision_state found = guard_policy_revision(policy, i + 1, &until);
        assert_int_equal(found, i < 2 ? GUARD_REVISION_UNKNOWN : GUARD_REVISION_KNOWN);
        if (i >= 2)
            assert_int_equal(until, 100 * i);
    }
    world_policy_free(policy);
    assert_int_equal(guard_revision_id(gd_span(NULL, 0)), 0);
    assert_int_not_equal(guard_revision_id(world_span("v1")), guard_revision_id(world_span("v2")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_elements), cmocka_unit_test(test_all_else),
        cmocka_unit_test(test_gone),         cmocka_unit_test(test_content_type),
        cmocka_unit_test(test_answers),      cmocka_unit_test(test_unarmed_likeness),
        cmocka_unit_test(test_crowd),        cmocka_unit_test(test_configured),
        cmocka_unit_test(test_responses),    cmocka_unit_test(test_told),
        cmocka_unit_test(test_revisions),    cmocka_unit_test(test_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
