/* SPDX-License-Identifier: Apache-2.0 */
/* What counts for how long, and what an API server is asked: with a client that answers what a test
 * says. Tokens that end can't be had of a real server in a test's time. */
#include "guardd/api/accounts.h"
#include "guardd/api/cluster_reviews.h"

#include "common/file.h"
#include "common/kubernetes/account_review.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster_stand_in.h"

enum { KEEP_MS = 60000 };

static const char yes[] =
    "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"audiences\":[\"guard."
    "security\"],"
    "\"user\":{\"username\":\"system:serviceaccount:prod:default\",\"extra\":{"
    "\"authentication.kubernetes.io/pod-name\":[\"shop-1\"],"
    "\"authentication.kubernetes.io/pod-uid\":[\"u-1\"]}}}}";
static const char no[] =
    "{\"kind\":\"TokenReview\",\"status\":{\"user\":{},\"error\":\"not today\"}}";
static const char pod[] =
    "{\"metadata\":{\"uid\":\"u-1\"},\"spec\":{\"containers\":[{\"name\":\"guard\",\"args\":["
    "\"run\",\"--service\",\"prod.shop\"]}]}}";

/* --- tokens --- */

static struct accounts *accounts;
static uint64_t mono;
static uint64_t begin_s;
static unsigned retry_s;
static struct api_access access;

/* {"exp":NNNNNNNNNN} and a number, so that each is another one. */
static const char *token(uint64_t ends_s, unsigned number)
{
    static char text[256];
    char payload[64], coded[128];
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t len = (size_t)snprintf(payload, sizeof(payload), "{\"exp\":%llu,\"n\":%6u}  ",
                                  (unsigned long long)ends_s, number) /
                 3 * 3;
    size_t at = 0;
    for (size_t i = 0; i < len; i += 3) {
        unsigned bits = (unsigned)((uint8_t)payload[i] << 16 | (uint8_t)payload[i + 1] << 8 |
                                   (uint8_t)payload[i + 2]);
        for (int shift = 18; shift >= 0; shift -= 6)
            coded[at++] = digits[bits >> shift & 63];
    }
    coded[at] = '\0';
    snprintf(text, sizeof(text), "eyJ.%s.sig", coded);
    return text;
}

static const char *lasting(unsigned number)
{
    return token(begin_s + 3600, number);
}

static enum credentials_answer check(const char *text, uint64_t after_ms)
{
    return accounts_check(accounts, text, clock_unix_ms(), mono + after_ms, &access, &retry_s);
}

static int setup(void **state)
{
    struct guard_err err;
    (void)state;
    memset(&server, 0, sizeof(server));
    mono = clock_monotonic_ms();
    begin_s = clock_unix_ms() / 1000;
    return accounts_open(&accounts, "in-cluster", NULL, KEEP_MS, &err) == GUARD_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    accounts_close(accounts);
    return 0;
}

static void let_in(unsigned number)
{
    assert_int_equal(check(lasting(number), 0), CREDENTIALS_ASKED);
    answer(201, yes);
    answer(200, pod);
    assert_int_equal(check(lasting(number), 0), CREDENTIALS_GOOD);
}

/* --- tests --- */

static const char agent_pod[] =
    "{\"metadata\":{\"uid\":\"u-1\"},\"spec\":{\"nodeName\":\"node-1\",\"containers\":[{\"name\":"
    "\"guard\",\"args\":[\"run\",\"--service\",\"prod.shop\"]}]}}";

static void open_for(const char *node_agents)
{
    struct guard_err err;
    accounts_close(accounts);
    assert_int_equal(accounts_open(&accounts, "in-cluster", node_agents, KEEP_MS, &err), GUARD_OK);
}

static void a_nodes_agent_speaks_for_its_node_and_for_no_service(void **state)
{
    (void)state;
    assert_null(accounts_places(accounts));
    open_for("prod/default");
    assert_non_null(accounts_places(accounts));
    assert_int_equal(check(lasting(1), 0), CREDENTIALS_ASKED);
    answer(201, yes);
    answer(200, agent_pod);
    assert_int_equal(check(lasting(1), 0), CREDENTIALS_GOOD);
    assert_string_equal(access.node, "node-1");
    assert_int_equal(access.role, API_ROLE_REPORTER);
    assert_int_equal(access.service_count, 1);
    assert_string_equal(access.services[0], "");
    /* Other accounts speak for services, as ever. */
    static const char *const others[] = {"prod/defaul", "prod/default2", "pro/default",
                                         "prod2/default"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        open_for(others[i]);
        let_in(1);
        assert_string_equal(access.node, "");
        assert_string_equal(access.services[0], "prod.shop");
    }
}

static void an_agent_without_its_node_is_nobody(void **state)
{
    static const char moved[] =
        "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"audiences\":[\"guard."
        "security\"],\"user\":{\"username\":\"system:serviceaccount:prod:default\",\"extra\":{"
        "\"authentication.kubernetes.io/pod-name\":[\"shop-1\"],"
        "\"authentication.kubernetes.io/node-name\":[\"node-2\"],"
        "\"authentication.kubernetes.io/pod-uid\":[\"u-1\"]}}}}";
    (void)state;
    open_for("prod/default");
    assert_int_equal(check(lasting(1), 0), CREDENTIALS_ASKED);
    answer(201, yes);
    answer(200, pod); /* on no node yet */
    assert_int_equal(check(lasting(1), 0), CREDENTIALS_BAD);
    /* The token is of another node than the pod, by the word of a server that says it. */
    assert_int_equal(check(lasting(2), 0), CREDENTIALS_ASKED);
    answer(201, moved);
    answer(200, agent_pod);
    assert_int_equal(check(lasting(2), 0), CREDENTIALS_BAD);
}

static void what_names_an_account(void **state)
{
    static const char *const bad[] = {"", "a", "a/", "/a", "a/b/c", "A/b", "a b/c", "*/a"};
    (void)state;
    assert_true(account_is_named("guard-podwatch/guard-podwatch"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(account_is_named(bad[i]));
}

static void one_that_is_known_has_its_service_and_nothing_else(void **state)
{
    (void)state;
    let_in(1);
    assert_int_equal(access.role, API_ROLE_REPORTER);
    assert_string_equal(access.name, "pod:u-1");
    assert_int_equal(access.service_count, 1);
    assert_string_equal(access.services[0], "prod.shop");
    assert_true(accounts_are(&access));
    assert_true(accounts_still(accounts, &access, clock_unix_ms()));
    struct api_access other = access;
    other.id[0] = other.id[0] == '0' ? '1' : '0';
    assert_false(accounts_still(accounts, &other, clock_unix_ms()));
    assert_int_equal(server.count, 0);
}

/* One that waits for an answer while others' tokens come is no stranger by that. */
static void a_place_that_another_token_took_is_told_from_one_that_was_refused(void **state)
{
    unsigned number = 2;
    (void)state;
    let_in(1);
    const struct api_access first = access;
    assert_true(accounts_know(accounts, &first));
    while (accounts_know(accounts, &first) && number < 64 * ACCOUNTS_SETS)
        let_in(number++);
    assert_false(accounts_know(accounts, &first));
    assert_false(accounts_still(accounts, &first, clock_unix_ms()));
    assert_int_equal(check(lasting(1), 0), CREDENTIALS_ASKED);
    assert_false(accounts_know(accounts, &first));
    answer(201, no);
    assert_true(accounts_know(accounts, &first));
    assert_false(accounts_still(accounts, &first, clock_unix_ms()));
    assert_false(accounts_know(NULL, &first));
}

static void a_token_ends_when_it_says(void **state)
{
    char text[256];
    struct api_access let;
    uint64_t ends_s = clock_unix_ms() / 1000 + 600;
    (void)state;
    assert_int_equal(check(token(clock_unix_ms() / 1000 - 1, 1), 0), CREDENTIALS_BAD);
    assert_int_equal(server.count, 0); /* nobody is asked for it */
    snprintf(text, sizeof(text), "%s", token(ends_s, 2));
    assert_int_equal(check(text, 0), CREDENTIALS_ASKED);
    answer(201, yes);
    answer(200, pod);
    assert_int_equal(check(text, 0), CREDENTIALS_GOOD);
    let = access;
    assert_int_equal(accounts_check(accounts, text, ends_s * 1000 - 1, mono, &access, &retry_s),
                     CREDENTIALS_GOOD);
    assert_int_equal(accounts_check(accounts, text, ends_s * 1000, mono, &access, &retry_s),
                     CREDENTIALS_BAD);
    assert_true(accounts_still(accounts, &let, ends_s * 1000 - 1));
    assert_false(accounts_still(accounts, &let, ends_s * 1000));
}

static void what_was_said_is_asked_again_beside_its_use_and_then_waited_for(void **state)
{
    (void)state;
    let_in(1);
    assert_int_equal(check(lasting(1), KEEP_MS / 2 - 5000), CREDENTIALS_GOOD);
    assert_int_equal(server.count, 0);
    assert_int_equal(check(lasting(1), KEEP_MS / 2 + 5000), CREDENTIALS_GOOD);
    assert_int_equal(server.count, 1);
    assert_int_equal(check(lasting(1), KEEP_MS / 2 + 6000), CREDENTIALS_GOOD);
    assert_int_equal(server.count, 1); /* once */
    assert_int_equal(check(lasting(1), KEEP_MS + 5000), CREDENTIALS_ASKED);
    answer(201, no);
    assert_int_equal(check(lasting(1), 0), CREDENTIALS_BAD);
    assert_int_equal(check(lasting(1), KEEP_MS), CREDENTIALS_ASKED); /* after a while once more */
}

static void while_there_is_no_answer_the_last_one_holds(void **state)
{
    (void)state;
    let_in(1);
    assert_int_equal(check(lasting(1), KEEP_MS + 5000), CREDENTIALS_ASKED);
    answer(0, NULL);
    assert_int_equal(check(lasting(1), 1000), CREDENTIALS_GOOD);
    assert_int_equal(check(lasting(1), KEEP_MS + 5000), CREDENTIALS_ASKED);
    answer(403, NULL); /* its rights were taken: that is no word on the token */
    assert_int_equal(check(lasting(1), 1000), CREDENTIALS_GOOD);
    /* And who is new isn't let in, nor asked for at each try. */
    assert_int_equal(check(lasting(2), 0), CREDENTIALS_ASKED);
    answer(500, NULL);
    assert_int_equal(check(lasting(2), 1000), CREDENTIALS_UNCHECKED);
    assert_true(retry_s > 0);
    assert_int_equal(server.count, 0);
    assert_int_equal(check(lasting(2), 2 * ACCOUNTS_RETRY_MS), CREDENTIALS_ASKED);
}

static void a_pod_that_is_gone_or_of_another_service_is_refused(void **state)
{
    static const char *const pods[] = {
        "{\"metadata\":{\"uid\":\"u-2\"},\"spec\":{}}",
        "{\"metadata\":{\"uid\":\"u-1\"},\"spec\":{\"containers\":[{\"name\":\"guard\",\"args\":["
        "\"--service\",\"pay.shop\"]}]}}",
        "{\"metadata\":{\"uid\":\"u-1\"},\"spec\":{\"containers\":[{\"name\":\"guard\",\"args\":["
        "\"--service\",\"prod.*\"]}]}}",
        "{\"metadata\":{\"uid\":\"u-1\"},\"spec\":{\"initContainers\":[{\"name\":\"guard\","
        "\"args\":[\"--service\",\"prodx.shop\"]}]}}",
        "{\"metadata\":{\"uid\":\"u-1\"},\"spec\":{\"containers\":[{\"name\":\"guard\",\"args\":["
        "\"--service\",\"prod.\"]}]}}",
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(pods) / sizeof(pods[0]); i++) {
        assert_int_equal(check(lasting(i), 0), CREDENTIALS_ASKED);
        answer(201, yes);
        answer(200, pods[i]);
        assert_int_equal(check(lasting(i), 0), CREDENTIALS_BAD);
    }
    assert_int_equal(check(lasting(9), 0), CREDENTIALS_ASKED);
    answer(201, yes);
    answer(404, NULL);
    assert_int_equal(check(lasting(9), 0), CREDENTIALS_BAD);
}

static void guesses_are_limited_and_those_who_are_known_go_on(void **state)
{
    unsigned asked = 0;
    (void)state;
    let_in(1000);
    enum credentials_answer last = CREDENTIALS_ASKED;
    for (; asked < 3 * REVIEWS_WRONG_BURST && last == CREDENTIALS_ASKED; asked++) {
        last = check(lasting(asked), 0);
        if (last == CREDENTIALS_ASKED)
            answer(201, no);
    }
    assert_int_equal(last, CREDENTIALS_LIMITED);
    assert_in_range(asked, REVIEWS_WRONG_BURST, REVIEWS_WRONG_BURST + 3);
    assert_int_equal(check(lasting(1000), 0), CREDENTIALS_GOOD);
    assert_int_equal(check(lasting(1001), 60000), CREDENTIALS_ASKED);
}

static void only_so_many_are_asked_for_at_once(void **state)
{
    unsigned count = 0;
    (void)state;
    while (count < CALLS_MAX && check(lasting(count), 0) == CREDENTIALS_ASKED)
        count++;
    assert_int_equal(count, ACCOUNTS_ASKED_MAX);
    assert_int_equal(server.count, ACCOUNTS_ASKED_MAX);
    assert_int_equal(check(lasting(0), 0), CREDENTIALS_ASKED); /* it waits for the same answer */
    assert_int_equal(server.count, ACCOUNTS_ASKED_MAX);
    while (server.count > 0)
        answer(0, NULL);
    assert_int_equal(check(lasting(500), 0), CREDENTIALS_ASKED);
    server.full = true;
    assert_int_equal(check(lasting(501), 0), CREDENTIALS_UNCHECKED);
}

static void what_is_no_review_is_no_answer(void **state)
{
    static const char *const odd[] = {
        "{}",
        "{\"kind\":\"TokenReview\"}",
        "{\"kind\":\"Status\",\"status\":{\"authenticated\":true}}",
        "{\"kind\":\"TokenReview\",\"status\":\"x\"}",
    };
    static const char *const refused[] = {
        "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":\"true\",\"audiences\":["
        "\"guard.security\"]}}",
        "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"audiences\":[\"vault\"],"
        "\"user\":{"
        "\"username\":\"system:serviceaccount:prod:default\",\"extra\":{"
        "\"authentication.kubernetes.io/pod-name\":[\"shop-1\"],"
        "\"authentication.kubernetes.io/pod-uid\":[\"u-1\"]}}}}",
        "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"audiences\":["
        "\"guard.security\"],\"user\":{\"username\":\"ann\"}}}",
        "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"audiences\":["
        "\"guard.security\"],\"user\":{\"username\":\"system:serviceaccount:a:b:c\"}}}",
        "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"audiences\":["
        "\"guard.security\"],\"user\":{\"username\":\"system:serviceaccount:a:b\",\"extra\":[]}}}",
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_int_equal(check(lasting(i), 0), CREDENTIALS_ASKED);
        answer(201, odd[i]);
        assert_int_equal(check(lasting(i), 0), CREDENTIALS_UNCHECKED);
    }
    for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(check(lasting(100 + i), 0), CREDENTIALS_ASKED);
        answer(201, refused[i]);
        assert_int_equal(check(lasting(100 + i), 0), CREDENTIALS_BAD);
    }
}

static void other_tokens_are_not_the_clusters(void **state)
{
    (void)state;
    assert_null(accounts_token(NULL, "Bearer a.b.c"));
    assert_non_null(accounts_token(accounts, "bearer  a.b.c"));
    assert_null(accounts_token(accounts, "Bearer guard_0123456789abcdef_x"));
    assert_null(accounts_token(accounts, "Basic a.b.c"));
    assert_null(accounts_token(accounts, "Bearer a.b.c.d"));
    assert_null(accounts_token(accounts, "Bearer a..c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_nodes_agent_speaks_for_its_node_and_for_no_service, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_agent_without_its_node_is_nobody, setup, teardown),
        cmocka_unit_test(what_names_an_account),
        cmocka_unit_test_setup_teardown(one_that_is_known_has_its_service_and_nothing_else, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_place_that_another_token_took_is_told_from_one_that_was_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_token_ends_when_it_says, setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_was_said_is_asked_again_beside_its_use_and_then_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(while_there_is_no_answer_the_last_one_holds, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pod_that_is_gone_or_of_another_service_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(guesses_are_limited_and_those_who_are_known_go_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(only_so_many_are_asked_for_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_review_is_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(other_tokens_are_not_the_clusters, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
