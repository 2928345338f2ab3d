/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions in decisions: what each part of a scope asks, until when one holds, and that whatever
 * it doesn't cover blocks as without it. */
#include "base/span.h"
#include "support/naive_matcher.h"
#include "unit/policy/world.h"

#include <guard/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S(text) GUARD_SPAN_LITERAL(text)
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

enum { NOW = 1000000, END = 2000000 };

static const char attack[] = "/search?username=tom+or+1%3D1";

struct fixture {
    struct world world;
    struct guard_exception exception;
    struct guard_patch patch;
    struct guard_span evil;
    struct guard_policy *policy;
    struct naive_matcher naive;
    struct guard_matcher matcher;
    struct guard_arena arena;
    struct guard_txn *txn;
    const struct guard_client_verdict *client; /* in force, or NULL */
    uint64_t now;
    bool partial;    /* the request doesn't end */
    char *rewritten; /* the host's buffer, once it was read; NULL: it stays as it is */
    const char *rewritten_to;
    struct guard_span wide; /* a name */
};

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    world_init(&f->world);
    guard_guardian_set_mode(&f->world.guardian, GUARD_MODE_BLOCK);
    f->now = NOW;
    f->evil = S("evil");
    f->wide = S("user*");
    f->exception = (struct guard_exception){.id = S("FP-1"),
                                            .author = S("alice"),
                                            .reason = S("a false alarm"),
                                            .created_ms = 1,
                                            .expires_ms = END};
    f->patch = (struct guard_patch){.id = S("P"),
                                    .mode = GUARD_PATCH_ENFORCE,
                                    .action = GUARD_PATCH_BLOCK,
                                    .when = {.op = GUARD_OPERATOR_CONTAINS,
                                             .places = GUARD_PLACE_QUERY,
                                             .texts = &f->evil,
                                             .text_count = 1,
                                             .min = -1,
                                             .max = -1}};
    f->world.guardian.exceptions = &f->exception;
    f->world.guardian.exception_count = 1;
    f->world.guardian.patches = &f->patch;
    f->world.guardian.patch_count = 1;
}

static void compile(struct fixture *f)
{
    f->policy = world_policy(&f->world);
    f->naive = (struct naive_matcher){.policy = f->policy};
    f->matcher = (struct guard_matcher){&f->naive, naive_scan, naive_find};
    guard_arena_init(&f->arena, &world_heap, 256 * 1024);
}

static void end(struct fixture *f)
{
    guard_arena_reset(&f->arena);
    world_policy_free(f->policy);
}

static const struct guard_verdict *send(struct fixture *f, const char *method, const char *target)
{
    const struct guard_client client = {
        .unit = GUARD_UNIT_PREFIX, .address_len = 4, .address = {192, 0, 2, 7}};
    const struct guard_txn_cfg cfg = {.policy = f->policy,
                                      .service = f->world.guardian.service,
                                      .time_ms = f->now,
                                      .matcher = &f->matcher};
    guard_arena_reset(&f->arena);
    assert_int_equal(guard_txn_begin(&f->txn, &cfg, &f->arena), GUARD_OK);
    guard_txn_client(f->txn, &client);
    if (f->client != NULL)
        guard_txn_client_verdict(f->txn, f->client, 60);
    guard_txn_request(f->txn, world_span(method), world_span(target), 11);
    if (f->rewritten != NULL)
        memcpy(f->rewritten, f->rewritten_to, strlen(f->rewritten_to));
    guard_txn_header(f->txn, S("Host"), S("shop.test"));
    guard_txn_header(f->txn, S("User-Agent"), S("curl/7.88.1"));
    guard_txn_header(f->txn, S("Accept"), S("*/*"));
    guard_txn_header(f->txn, S("Cookie"), S("lang=en"));
    (void)guard_txn_headers_end(f->txn);
    return f->partial ? guard_txn_request_check(f->txn, f->policy) : guard_txn_request_end(f->txn);
}

static bool excepted(const struct guard_verdict *verdict)
{
    if (verdict->exception.len == 0)
        return false;
    assert_int_equal(verdict->decision, GUARD_ALERT);
    assert_int_equal(verdict->action, GUARD_ALERT);
    assert_true(gd_span_equal(verdict->exception, S("FP-1")));
    assert_true(verdict->finding_count > 0);
    return true;
}

/* Whether the attack, or what target asks for, is let pass; else it must be blocked. */
static bool passes(struct fixture *f, const char *target)
{
    const struct guard_verdict *verdict = send(f, "GET", target);
    if (excepted(verdict))
        return true;
    assert_int_equal(verdict->decision, GUARD_BLOCK);
    assert_int_equal(verdict->action, GUARD_BLOCK);
    return false;
}

static bool passes_with(const struct guard_exception *scope, const char *target)
{
    struct fixture f;
    begin(&f);
    struct guard_exception exception = *scope;
    exception.id = f.exception.id;
    exception.author = f.exception.author;
    exception.reason = f.exception.reason;
    exception.created_ms = f.exception.created_ms;
    exception.expires_ms = f.exception.expires_ms;
    f.exception = exception;
    compile(&f);
    bool passed = passes(&f, target);
    end(&f);
    return passed;
}

static bool with_endpoint(const char *template_text, const char *target)
{
    const struct guard_span endpoint = world_span(template_text);
    return passes_with(&(struct guard_exception){.endpoints = &endpoint, .endpoint_count = 1},
                       target);
}

static bool with_name(enum guard_location location, const char *text)
{
    const struct guard_span name = world_span(text);
    return passes_with(&(struct guard_exception){.locations = UINT32_C(1) << location,
                                                 .names = &name,
                                                 .name_count = 1},
                       attack);
}

static void each_part_of_a_scope_is_asked(void **state)
{
    (void)state;
    assert_true(with_endpoint("/search", attack));
    assert_true(with_endpoint("/{}", attack));
    assert_true(with_endpoint("/{*}", attack));
    assert_false(with_endpoint("/users/{}", attack));
    assert_false(with_endpoint("/search/{}", attack));
    assert_true(with_name(GUARD_LOCATION_QUERY, "username"));
    assert_true(with_name(GUARD_LOCATION_QUERY, "user*"));
    assert_true(with_name(GUARD_LOCATION_QUERY, "*er*me"));
    assert_false(with_name(GUARD_LOCATION_QUERY, "user"));
    assert_false(with_name(GUARD_LOCATION_QUERY, "*id"));
    assert_false(with_name(GUARD_LOCATION_HEADER, "username"));
    const struct guard_span endpoint = S("/search");
    const struct guard_span methods[] = {S("POST"), S("GET")};
    struct guard_exception scope = {
        .endpoints = &endpoint, .endpoint_count = 1, .methods = methods, .method_count = 1};
    assert_false(passes_with(&scope, attack));
    scope.method_count = 2;
    assert_true(passes_with(&scope, attack));
}

static void clients_are_prefixes(void **state)
{
    static const struct {
        struct guard_address_prefix prefix;
        bool covers;
    } cases[] = {
        {{{192, 0, 2, 0}, 4, 24}, true},
        {{{192, 0, 2, 7}, 4, 32}, true},
        {{{192, 0, 2, 6}, 4, 31}, true},
        {{{192, 0, 2, 8}, 4, 29}, false},
        {{{192, 0, 2, 6}, 4, 32}, false},
        {{{128}, 4, 1}, true},
        {{{64}, 4, 2}, false},
        {{{192, 0, 2}, 16, 24}, false},
        {{{193, 0, 0, 0}, 4, 8}, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct guard_exception scope = {.clients = &cases[i].prefix, .client_count = 1};
        assert_int_equal(passes_with(&scope, attack), cases[i].covers);
    }
}

/* One path for the gate, another for the service: none is covered that could be another. */
static void paths_are_read_both_ways(void **state)
{
    (void)state;
    assert_false(with_endpoint("/static/{*}", "/static/../search?username=tom+or+1%3D1"));
    assert_false(with_endpoint("/search", "/static/%2e%2e/search?username=tom+or+1%3D1"));
    assert_false(with_endpoint("/search", "/search;a=b?username=tom+or+1%3D1"));
    assert_false(with_endpoint("/search", "//search?username=tom+or+1%3D1"));
    assert_true(with_endpoint("/search", "/%73earch?username=tom+or+1%3D1"));
}

static void it_ends_at_its_time(void **state)
{
    (void)state;
    struct fixture f;
    const struct guard_span endpoint = S("/search");
    begin(&f);
    f.exception.endpoints = &endpoint;
    f.exception.endpoint_count = 1;
    compile(&f);
    f.now = END - 1;
    assert_true(passes(&f, attack));
    f.now = END;
    assert_false(passes(&f, attack));
    f.now = 0; /* not known */
    assert_false(passes(&f, attack));
    /* Of what goes on, too. */
    f.now = END - 1;
    assert_true(passes(&f, attack));
    end(&f);
    begin(&f);
    f.exception.endpoints = &endpoint;
    f.exception.endpoint_count = 1;
    compile(&f);
    f.partial = true;
    f.now = END - 1;
    (void)send(&f, "GET", attack);
    assert_int_equal(guard_txn_request_check(f.txn, f.policy)->action, GUARD_ALERT);
    guard_txn_now(f.txn, END);
    assert_int_equal(guard_txn_request_check(f.txn, f.policy)->action, GUARD_BLOCK);
    end(&f);
}

static void only_its_own_findings_are_covered(void **state)
{
    (void)state;
    struct fixture f;
    const struct guard_span name = S("username");
    begin(&f);
    f.exception.names = &name;
    f.exception.name_count = 1;
    compile(&f);
    assert_true(passes(&f, attack));
    /* The other parameter's deviation blocks; the covered one is told as such. */
    const struct guard_verdict *verdict =
        send(&f, "GET", "/search?username=tom+or+1%3D1&id=1%27+or+1%3D1");
    assert_int_equal(verdict->decision, GUARD_BLOCK);
    assert_int_equal(verdict->exception.len, 0);
    bool covered = false, other = false;
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        bool own = gd_span_equal(verdict->findings[i].name, name);
        assert_int_equal(own, verdict->findings[i].exception.len > 0);
        covered |= own;
        other |= !own;
    }
    assert_true(covered && other);
    end(&f);
}

/* Deviations that are covered are many: they don't push out those that aren't. */
static void a_crowd_hides_nothing(void **state)
{
    (void)state;
    struct fixture f;
    char target[4096] = "/search?id=1%27+or+1%3D1";
    const struct guard_span name = S("x*");
    begin(&f);
    f.exception.names = &name;
    f.exception.name_count = 1;
    compile(&f);
    for (int i = 0; i < 100; i++) {
        size_t len = strlen(target);
        snprintf(target + len, sizeof(target) - len, "&x%d=1%%27+or+1%%3D1", i);
    }
    assert_int_equal(send(&f, "GET", target)->decision, GUARD_BLOCK);
    end(&f);
}

static void rules_choose(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.exception.rules[0] = UINT64_C(1) << GUARD_RULE_LENGTH;
    compile(&f);
    assert_false(passes(&f, attack));
    end(&f);
    begin(&f);
    f.exception.rules[0] = (UINT64_C(1) << GUARD_RULE_COUNT) - 1;
    compile(&f);
    assert_true(passes(&f, attack));
    end(&f);
}

static void patches_are_covered_by_id_unless_mandatory(void **state)
{
    (void)state;
    struct fixture f;
    const struct guard_span endpoint = S("/{*}");
    const struct guard_span ids[] = {S("Q"), S("P")};
    begin(&f); /* whatever the scope: a patch is named */
    f.exception.endpoints = &endpoint;
    f.exception.endpoint_count = 1;
    compile(&f);
    assert_int_equal(send(&f, "GET", "/search?username=evil")->decision, GUARD_BLOCK);
    end(&f);
    for (int mandatory = 0; mandatory < 2; mandatory++) {
        for (int mode = GUARD_MODE_ALERT; mode <= GUARD_MODE_BLOCK; mode++) {
            begin(&f);
            guard_guardian_set_mode(&f.world.guardian, (enum guard_mode)mode);
            f.patch.mandatory = mandatory == 1;
            f.exception.patches = ids;
            f.exception.patch_count = 2;
            compile(&f);
            const struct guard_verdict *verdict = send(&f, "GET", "/search?username=evil");
            assert_int_equal(verdict->action, mandatory == 1 ? GUARD_BLOCK : GUARD_ALERT);
            assert_int_equal(verdict->exception.len > 0, mandatory == 0);
            end(&f);
        }
    }
    begin(&f); /* of the patch, not of what else deviates */
    f.exception.patches = ids;
    f.exception.patch_count = 2;
    compile(&f);
    assert_false(passes(&f, attack));
    assert_false(passes(&f, "/search?username=evil&id=1%27+or+1%3D1"));
    assert_true(passes(&f, "/search?username=evil"));
    end(&f);
}

static void a_verdict_on_a_client_is_covered_by_name(void **state)
{
    (void)state;
    struct fixture f;
    const struct guard_client_verdict verdict = {
        .code = 1, .until_ms = END, .rule = GUARD_RULE_CLIENT_RATE, .detail = 9, .expected = 1};
    const struct guard_address_prefix prefix = {{192, 0, 2, 0}, 4, 24};
    for (int named = 0; named < 2; named++) {
        begin(&f);
        f.exception.clients = &prefix;
        f.exception.client_count = 1;
        if (named == 1)
            f.exception.rules[GUARD_RULE_CLIENT_VERDICT / 64] |= UINT64_C(1)
                                                                 << GUARD_RULE_CLIENT_VERDICT % 64;
        compile(&f);
        f.client = &verdict;
        const struct guard_verdict *told = send(&f, "GET", "/search?username=tom");
        assert_int_equal(told->action, named == 1 ? GUARD_ALERT : GUARD_BLOCK);
        assert_int_equal(excepted(told), named == 1);
        end(&f);
    }
}

/* What it is for isn't learned as if nothing had been found. */
static void the_record_tells_of_it(void **state)
{
    (void)state;
    struct fixture f;
    static uint8_t record[GUARD_RECORD_MAX];
    size_t len;
    struct guard_record_head head;
    const struct guard_span endpoint = S("/search");
    begin(&f);
    f.exception.endpoints = &endpoint;
    f.exception.endpoint_count = 1;
    compile(&f);
    assert_true(passes(&f, attack));
    assert_int_equal(guard_txn_record(f.txn, record, sizeof(record), &len), GUARD_OK);
    assert_int_equal(guard_record_head_read(gd_span(record, len), &head), GUARD_OK);
    assert_int_equal(head.decision, GUARD_ALERT);
    assert_true(head.excepted);
    (void)send(&f, "GET", "/search?username=tom");
    assert_int_equal(guard_txn_record(f.txn, record, sizeof(record), &len), GUARD_OK);
    assert_int_equal(guard_record_head_read(gd_span(record, len), &head), GUARD_OK);
    assert_false(head.excepted);
    end(&f);
}

static void responses_are_covered_by_their_request(void **state)
{
    (void)state;
    struct fixture f;
    const struct guard_span endpoints[] = {S("/users/{}"), S("/search")};
    for (int covered = 0; covered < 2; covered++) {
        begin(&f);
        world_learn_responses(&f.world);
        f.exception.endpoints = &endpoints[1 - covered];
        f.exception.endpoint_count = 1;
        compile(&f);
        assert_int_equal(send(&f, "GET", "/users/7")->decision, GUARD_PASS);
        assert_int_equal(guard_txn_response_begin(f.txn, 200), GUARD_OK);
        guard_txn_response_header(f.txn, S("content-type"), S("application/json"));
        guard_txn_response_header(f.txn, S("cache-control"), S("no-store"));
        (void)guard_txn_response_headers_end(f.txn);
        guard_txn_response_body(
            f.txn,
            S("{\"id\":1,\"name\":\"tom\",\"trace\":\"Traceback (most recent call last):\"}"));
        const struct guard_verdict *verdict = guard_txn_response_end(f.txn);
        assert_int_equal(verdict->decision, covered == 1 ? GUARD_ALERT : GUARD_BLOCK);
        assert_int_equal(excepted(verdict), covered == 1);
        assert_int_equal(excepted(guard_txn_whole(f.txn)), covered == 1);
        end(&f);
    }
}

static void lines_tell_of_it(void **state)
{
    (void)state;
    struct fixture f;
    char line[512];
    const struct guard_span endpoint = S("/search");
    begin(&f);
    f.exception.endpoints = &endpoint;
    f.exception.endpoint_count = 1;
    compile(&f);
    const struct guard_verdict *verdict = send(&f, "GET", attack);
    guard_explain(verdict, S("GET"), S("/search"), line, sizeof(line));
    assert_string_equal(
        line, "ALERT GET /search param username: looks like SQL: a tautology, never seen in 48,211 "
              "requests from 3,120 clients (rate <= 4e-5) [exception FP-1]; not blocked, by "
              "exception FP-1");
    end(&f);
}

/* One that was dated ahead would hold for longer than any may. */
static void it_holds_for_as_long_as_any_may(void **state)
{
    (void)state;
    struct fixture f;
    const uint64_t longest = UINT64_C(86400000) * GUARD_EXCEPTION_DAYS_MAX;
    begin(&f);
    f.exception.names = &f.wide;
    f.exception.name_count = 1;
    f.exception.created_ms = 2 * longest;
    f.exception.expires_ms = 3 * longest;
    compile(&f);
    f.now = 2 * longest - 1;
    assert_false(passes(&f, attack));
    f.now = 2 * longest;
    assert_true(passes(&f, attack));
    end(&f);
}

/* A host may use its buffers again, and what comes later may stand in them. */
static void what_was_asked_for_isnt_read_again(void **state)
{
    (void)state;
    struct fixture f;
    char method[] = "GET";
    char target[sizeof(attack)];
    const struct guard_span endpoint = S("/static");
    const struct guard_span put = S("PUT");
    begin(&f);
    f.exception.endpoints = &endpoint;
    f.exception.endpoint_count = 1;
    compile(&f);
    memcpy(target, attack, sizeof(attack));
    f.rewritten = target;
    f.rewritten_to = "/static";
    assert_false(passes(&f, target));
    end(&f);
    begin(&f);
    f.exception.methods = &put;
    f.exception.method_count = 1;
    f.exception.names = &f.wide;
    f.exception.name_count = 1;
    compile(&f);
    f.rewritten = method;
    f.rewritten_to = "PUT";
    assert_int_equal(send(&f, method, attack)->decision, GUARD_BLOCK);
    end(&f);
}

static void checking_again_takes_no_memory(void **state)
{
    (void)state;
    struct fixture f;
    const struct guard_span endpoint = S("/search");
    begin(&f);
    f.exception.endpoints = &endpoint;
    f.exception.endpoint_count = 1;
    compile(&f);
    f.partial = true;
    assert_true(excepted(send(&f, "GET", attack)));
    const size_t used = f.arena.used;
    for (int i = 0; i < 10000; i++)
        assert_true(excepted(guard_txn_request_check(f.txn, f.policy)));
    assert_int_equal(f.arena.used, used);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_of_a_scope_is_asked),
        cmocka_unit_test(clients_are_prefixes),
        cmocka_unit_test(paths_are_read_both_ways),
        cmocka_unit_test(it_ends_at_its_time),
        cmocka_unit_test(only_its_own_findings_are_covered),
        cmocka_unit_test(a_crowd_hides_nothing),
        cmocka_unit_test(rules_choose),
        cmocka_unit_test(patches_are_covered_by_id_unless_mandatory),
        cmocka_unit_test(a_verdict_on_a_client_is_covered_by_name),
        cmocka_unit_test(the_record_tells_of_it),
        cmocka_unit_test(responses_are_covered_by_their_request),
        cmocka_unit_test(lines_tell_of_it),
        cmocka_unit_test(it_holds_for_as_long_as_any_may),
        cmocka_unit_test(what_was_asked_for_isnt_read_again),
        cmocka_unit_test(checking_again_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
