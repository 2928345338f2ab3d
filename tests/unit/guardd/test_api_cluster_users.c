/* SPDX-License-Identifier: Apache-2.0 */
/* Who a cluster's users are and what they may, for how long that counts, and what the cluster is
 * asked: with a client that answers what a test says. */
#include "guardd/api/cluster_reviews.h"
#include "guardd/api/cluster_users.h"

#include "guardd/service.h"

#include "common/kubernetes/access_review.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cluster_stand_in.h"

enum { KEEP_MS = 60000 };

/* Written in the form of a kube-apiserver of 1.20, not recorded from one. */
static const char ann[] =
    "{\"kind\":\"TokenReview\",\"apiVersion\":\"authentication.k8s.io/v1\",\"metadata\":{"
    "\"creationTimestamp\":null},\"spec\":{\"token\":\"t\",\"audiences\":[\"https://kubernetes."
    "default.svc\"]},\"status\":{\"authenticated\":true,\"user\":{\"username\":\"ann\",\"uid\":"
    "\"u-1\",\"groups\":[\"shop-team\",\"system:authenticated\"],\"extra\":{\"example.org/"
    "team\":[\"shop\"]}},\"audiences\":[\"https://kubernetes.default.svc\"]}}";
static const char ben[] = "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"user\":{"
                          "\"username\":\"ben\"}}}";
static const char nobody[] =
    "{\"kind\":\"TokenReview\",\"status\":{\"user\":{},\"error\":\"[invalid bearer token]\"}}";
static const char allowed[] =
    "{\"kind\":\"SubjectAccessReview\",\"apiVersion\":\"authorization.k8s.io/v1\",\"metadata\":{"
    "\"creationTimestamp\":null},\"spec\":{\"user\":\"ann\"},\"status\":{\"allowed\":true,"
    "\"reason\":\"RBAC: allowed by RoleBinding \\\"ann/shop\\\" of Role \\\"view\\\"\"}}";
static const char denied[] = "{\"kind\":\"SubjectAccessReview\",\"status\":{\"allowed\":false}}";

static struct cluster_users *users;
static struct services services;
static struct service parts[64];
static uint64_t mono;
static unsigned retry_s;
static struct api_access access;

static void name_services(const char *const *names)
{
    services.count = 0;
    for (; *names != NULL; names++) {
        struct service *one = &parts[services.count];
        snprintf(one->name_text, sizeof(one->name_text), "%s", *names);
        one->name = (struct guard_span){(const uint8_t *)one->name_text, strlen(*names)};
        services.list[services.count++] = one;
    }
}

static int setup(void **state)
{
    static const char *const names[] = {"prod.shop", "prod.pay", "test.shop", "alone", NULL};
    struct guard_err err;
    (void)state;
    memset(&server, 0, sizeof(server));
    name_services(names);
    mono = clock_monotonic_ms();
    return cluster_users_open(&users, "in-cluster", KEEP_MS, &err) == GUARD_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cluster_users_close(users);
    return 0;
}

static enum credentials_answer check(const char *token, uint64_t after_ms)
{
    return cluster_users_check(users, token, clock_unix_ms(), mono + after_ms, &access, &retry_s);
}

static enum credentials_answer wants(enum api_right right, const char *service, bool whole,
                                     uint64_t after_ms)
{
    const struct cluster_wish wish = {.right = right,
                                      .whole = whole,
                                      .service = {(const uint8_t *)service, strlen(service)},
                                      .services = &services};
    return cluster_users_authorise(users, &wish, mono + after_ms, &access, &retry_s);
}

static void let_in(const char *token)
{
    assert_int_equal(check(token, 0), CREDENTIALS_ASKED);
    answer(201, ann);
    assert_int_equal(check(token, 0), CREDENTIALS_GOOD);
}

/* A JWT with that payload. */
static const char *jwt(const char *payload)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static char text[512];
    char padded[256], coded[400];
    size_t at = 0;
    size_t len = (size_t)snprintf(padded, sizeof(padded), "%s  ", payload) / 3 * 3;
    for (size_t i = 0; i < len; i += 3) {
        unsigned bits = (unsigned)((uint8_t)padded[i] << 16 | (uint8_t)padded[i + 1] << 8 |
                                   (uint8_t)padded[i + 2]);
        for (int shift = 18; shift >= 0; shift -= 6)
            coded[at++] = digits[bits >> shift & 63];
    }
    coded[at] = '\0';
    snprintf(text, sizeof(text), "eyJ.%s.sig", coded);
    return text;
}

/* --- tests --- */

static void who_it_is_goes_back_word_by_word(void **state)
{
    (void)state;
    let_in("opaque-token");
    assert_int_equal(access.role, API_ROLE_NONE);
    assert_string_equal(access.name, "user:ann");
    assert_string_equal(access.subject, "ann (shop-team, system:authenticated)");
    assert_true(cluster_users_are(&access));
    assert_int_equal(wants(API_RIGHT_EVIDENCE, "prod.shop", true, 0), CREDENTIALS_ASKED);
    assert_string_equal(
        server.body,
        "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\",\"spec\":{"
        "\"user\":\"ann\",\"uid\":\"u-1\",\"groups\":[\"shop-team\",\"system:authenticated\"],"
        "\"extra\":{\"example.org/team\":[\"shop\"]},\"resourceAttributes\":{\"group\":\"guard."
        "security\",\"resource\":\"guardians\",\"verb\":\"get\",\"namespace\":\"prod\",\"name\":"
        "\"shop\"}}}");
    answer(201, allowed);
    assert_int_equal(wants(API_RIGHT_EVIDENCE, "prod.shop", true, 0), CREDENTIALS_GOOD);
    assert_int_equal(access.role, API_ROLE_VIEWER);
    assert_int_equal(access.service_count, 1);
    assert_string_equal(access.services[0], "prod.shop");
    assert_int_equal(server.count, 0);
}

static void each_right_is_a_verb_of_its_own(void **state)
{
    static const struct {
        enum api_right right;
        const char *verb;
        enum api_role role;
    } rights[] = {
        {API_RIGHT_READ, "\"verb\":\"get\"", API_ROLE_VIEWER},
        {API_RIGHT_OPERATE, "\"verb\":\"update\"", API_ROLE_OPERATOR},
        {API_RIGHT_ADMINISTER, "\"verb\":\"administer\"", API_ROLE_ADMIN},
    };
    (void)state;
    let_in("t");
    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        assert_int_equal(wants(rights[i].right, "prod.shop", true, 0), CREDENTIALS_ASKED);
        assert_non_null(strstr(server.body, rights[i].verb));
        answer(201, allowed);
        assert_int_equal(wants(rights[i].right, "prod.shop", true, 0), CREDENTIALS_GOOD);
        assert_int_equal(access.role, rights[i].role);
    }
    assert_int_equal(wants(API_RIGHT_REPORT, "prod.shop", true, 0), CREDENTIALS_BAD);
    assert_int_equal(wants(API_RIGHT_NONE, "prod.shop", true, 0), CREDENTIALS_BAD);
    assert_int_equal(server.count, 0);
}

static void who_may_decide_needs_not_change_what_guardians_say(void **state)
{
    static const char part[] = "\"resource\":\"guardians\",\"subresource\":\"decisions\"";
    (void)state;
    let_in("t");
    assert_int_equal(wants(API_RIGHT_OPERATE, "prod.shop", true, 0), CREDENTIALS_ASKED);
    assert_null(strstr(server.body, "subresource"));
    answer(201, denied);
    assert_int_equal(wants(API_RIGHT_OPERATE, "prod.shop", true, 0), CREDENTIALS_ASKED);
    assert_non_null(strstr(server.body, part));
    assert_non_null(strstr(server.body, "\"verb\":\"update\""));
    answer(201, allowed);
    assert_int_equal(wants(API_RIGHT_OPERATE, "prod.shop", true, 0), CREDENTIALS_GOOD);
    assert_int_equal(access.role, API_ROLE_OPERATOR);
    assert_string_equal(access.services[0], "prod.shop");
    /* Nothing else has it: neither looks nor what an admin has. */
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 0), CREDENTIALS_ASKED);
    answer(201, denied);
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 0), CREDENTIALS_BAD);
    assert_int_equal(wants(API_RIGHT_ADMINISTER, "prod.shop", true, 0), CREDENTIALS_ASKED);
    answer(201, denied);
    assert_int_equal(wants(API_RIGHT_ADMINISTER, "prod.shop", true, 0), CREDENTIALS_BAD);
    assert_int_equal(server.count, 0);
}

static void what_is_allowed_and_what_is_denied_count_for_times_of_their_own(void **state)
{
    (void)state;
    let_in("t");
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 0), CREDENTIALS_ASKED);
    answer(201, denied);
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 0), CREDENTIALS_BAD);
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, CLUSTER_USERS_DENIED_MS / 2),
                     CREDENTIALS_BAD);
    assert_int_equal(server.count, 0);
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, CLUSTER_USERS_DENIED_MS + 5000),
                     CREDENTIALS_ASKED);
    answer(201, allowed);
    assert_int_equal(check("t", KEEP_MS - 5000), CREDENTIALS_GOOD);
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, KEEP_MS - 5000), CREDENTIALS_GOOD);
    assert_true(cluster_users_still(&access, mono + KEEP_MS - 5000));
    assert_false(cluster_users_still(&access, mono + KEEP_MS + 5000));
    assert_int_equal(server.count, 0);
    /* Then all of it is asked for again, and what was taken away isn't there any more. */
    assert_int_equal(check("t", KEEP_MS + 5000), CREDENTIALS_ASKED);
    answer(201, ann);
    assert_int_equal(check("t", 0), CREDENTIALS_GOOD);
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, KEEP_MS + 5000), CREDENTIALS_ASKED);
    answer(201, denied);
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 0), CREDENTIALS_BAD);
}

static void who_cannot_be_asked_for_is_not_let_in(void **state)
{
    (void)state;
    let_in("t");
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 0), CREDENTIALS_ASKED);
    answer(403, NULL); /* our own rights were taken: that is no word on theirs */
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 0), CREDENTIALS_UNCHECKED);
    assert_true(retry_s > 0);
    assert_int_equal(server.count, 0);
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 2 * CLUSTER_USERS_RETRY_MS),
                     CREDENTIALS_ASKED);
    answer(201, "{\"kind\":\"Status\",\"status\":{\"allowed\":true}}");
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 0), CREDENTIALS_UNCHECKED);
    /* And what it said of a token doesn't outlive its time. */
    assert_int_equal(check("t", KEEP_MS + 5000), CREDENTIALS_ASKED);
    answer(0, NULL);
    assert_int_equal(check("t", KEEP_MS + 5000), CREDENTIALS_ASKED);
    assert_int_equal(check("new", 0), CREDENTIALS_ASKED);
    answer(0, NULL);
    answer(500, NULL);
    assert_int_equal(check("new", 0), CREDENTIALS_UNCHECKED);
}

static void somebody_else_has_not_what_was_said_of_the_one_before(void **state)
{
    (void)state;
    let_in("t");
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 0), CREDENTIALS_ASKED);
    answer(201, allowed);
    assert_int_equal(wants(API_RIGHT_READ, "prod.pay", true, 0), CREDENTIALS_ASKED);
    assert_int_equal(check("t", KEEP_MS + 5000), CREDENTIALS_ASKED);
    struct api_call late = server.calls[0];
    server.calls[0] = server.calls[1];
    server.calls[1] = late;
    answer(201, ben);
    answer(201, allowed); /* of ann */
    assert_int_equal(check("t", 0), CREDENTIALS_GOOD);
    assert_string_equal(access.name, "user:ben");
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 0), CREDENTIALS_ASKED);
    assert_non_null(strstr(server.body, "\"user\":\"ben\""));
    answer(201, denied);
    assert_int_equal(wants(API_RIGHT_READ, "prod.pay", true, 0), CREDENTIALS_ASKED);
    answer(201, denied);
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 0), CREDENTIALS_BAD);
}

static void what_is_of_all_is_bound_to_the_namespaces_that_are_theirs(void **state)
{
    (void)state;
    let_in("t");
    assert_int_equal(wants(API_RIGHT_READ, "", false, 0), CREDENTIALS_ASKED);
    assert_null(strstr(server.body, "\"namespace\""));
    assert_non_null(strstr(server.body, "\"verb\":\"list\""));
    answer(201, denied);
    assert_int_equal(wants(API_RIGHT_READ, "", false, 0), CREDENTIALS_ASKED);
    assert_int_equal(server.count, 2); /* prod and test; "alone" is of no namespace */
    answer(201, allowed);
    assert_int_equal(wants(API_RIGHT_READ, "", false, 0), CREDENTIALS_ASKED);
    answer(201, denied);
    assert_int_equal(wants(API_RIGHT_READ, "", false, 0), CREDENTIALS_GOOD);
    assert_int_equal(access.service_count, 1);
    assert_string_equal(access.services[0], "prod.*");
    /* Who has all isn't asked for each. */
    assert_int_equal(wants(API_RIGHT_OPERATE, "", false, 0), CREDENTIALS_ASKED);
    answer(201, allowed);
    assert_int_equal(wants(API_RIGHT_OPERATE, "", false, 0), CREDENTIALS_GOOD);
    assert_int_equal(access.service_count, 0);
    assert_int_equal(server.count, 0);
    /* What is of no namespace needs the right to all. */
    assert_int_equal(wants(API_RIGHT_READ, "alone", true, 0), CREDENTIALS_ASKED);
    assert_null(strstr(server.body, "\"namespace\""));
}

static void a_part_of_many_namespaces_is_not_shown_as_all(void **state)
{
    static char names[CLUSTER_USERS_NAMESPACES + 1][16];
    const char *list[CLUSTER_USERS_NAMESPACES + 2] = {NULL};
    (void)state;
    for (int i = 0; i <= CLUSTER_USERS_NAMESPACES; i++) {
        snprintf(names[i], sizeof(names[i]), "ns%d.shop", i);
        list[i] = names[i];
    }
    name_services(list);
    let_in("t");
    assert_int_equal(wants(API_RIGHT_READ, "", false, 0), CREDENTIALS_ASKED);
    answer(201, denied);
    assert_int_equal(wants(API_RIGHT_READ, "", false, 0), CREDENTIALS_BAD);
    assert_int_equal(server.count, 0);
    assert_int_equal(wants(API_RIGHT_READ, "ns3.shop", false, 0), CREDENTIALS_ASKED);
    answer(201, allowed);
    assert_int_equal(wants(API_RIGHT_READ, "ns3.shop", false, 0), CREDENTIALS_GOOD);
}

static void guesses_are_limited_and_those_who_are_known_go_on(void **state)
{
    char token[32];
    unsigned asked = 0;
    (void)state;
    let_in("known");
    enum credentials_answer last = CREDENTIALS_ASKED;
    for (; asked < 3 * REVIEWS_WRONG_BURST && last == CREDENTIALS_ASKED; asked++) {
        snprintf(token, sizeof(token), "guess%u", asked);
        last = check(token, 0);
        if (last == CREDENTIALS_ASKED)
            answer(201, nobody);
    }
    assert_int_equal(last, CREDENTIALS_LIMITED);
    assert_in_range(asked, REVIEWS_WRONG_BURST, REVIEWS_WRONG_BURST + 3);
    assert_int_equal(check("known", 0), CREDENTIALS_GOOD);
    assert_int_equal(check("known", KEEP_MS + 5000), CREDENTIALS_ASKED);
    assert_int_equal(check("guess0", 0), CREDENTIALS_BAD);
}

static void only_so_many_are_asked_for_at_once(void **state)
{
    char token[32];
    unsigned count = 0;
    (void)state;
    do
        snprintf(token, sizeof(token), "t%u", count);
    while (check(token, 0) == CREDENTIALS_ASKED && ++count < CALLS_MAX);
    assert_int_equal(count, CLUSTER_USERS_ASKED_MAX);
    assert_int_equal(check("t0", 0), CREDENTIALS_ASKED); /* it waits for the same answer */
    assert_int_equal(server.count, CLUSTER_USERS_ASKED_MAX);
    while (server.count > 0)
        answer(0, NULL);
    server.full = true;
    assert_int_equal(check("other", 0), CREDENTIALS_UNCHECKED);
}

static void tokens_tell_whom_to_ask_and_nothing_else(void **state)
{
    char token[600];
    (void)state;
    assert_null(cluster_users_token(NULL, "Bearer t", false));
    assert_null(cluster_users_token(users, "Basic t", false));
    assert_null(cluster_users_token(users, "Bearer ", false));
    assert_null(cluster_users_token(users, "Bearer a b", false));
    assert_null(cluster_users_token(
        users, "Bearer guard_0123456789abcdef_0123456789012345678901234567890123456789012", false));
    assert_null(cluster_users_token(users, "Bearer nonsense", false));
    assert_string_equal(cluster_users_token(users, "bearer  abcdef.0123456+/b==", true),
                        "abcdef.0123456+/b==");
    snprintf(token, sizeof(token), "Bearer %s",
             jwt("{\"aud\":[\"guard.security\"],\"kubernetes.io\":{\"pod\":{\"name\":\"p\"}}}"));
    assert_null(cluster_users_token(users, token, true)); /* an agent's */
    assert_non_null(cluster_users_token(users, token, false));
    /* One that says to be for us must be. */
    snprintf(token, sizeof(token), "%s", jwt("{\"aud\":\"guard.security\"}"));
    assert_int_equal(check(token, 0), CREDENTIALS_ASKED);
    assert_non_null(strstr(server.body, "\"audiences\":[\"guard.security\"]"));
    answer(201, ann);
    assert_int_equal(check(token, 0), CREDENTIALS_BAD);
    /* One that has ended isn't asked for. */
    assert_int_equal(check(jwt("{\"exp\":1700000000}"), 0), CREDENTIALS_BAD);
    assert_int_equal(server.count, 0);
}

static void a_token_ends_before_what_was_said_of_it(void **state)
{
    char payload[64];
    uint64_t ends_s = clock_unix_ms() / 1000 + 20;
    (void)state;
    snprintf(payload, sizeof(payload), "{\"exp\":%llu}", (unsigned long long)ends_s);
    let_in(jwt(payload));
    assert_true(access.until_ms < mono + 25000);
    assert_int_equal(
        cluster_users_check(users, jwt(payload), ends_s * 1000, mono, &access, &retry_s),
        CREDENTIALS_BAD);
}

static void hostile_words_are_harmless(void **state)
{
    (void)state;
    assert_int_equal(check("t", 0), CREDENTIALS_ASKED);
    answer(201, "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,\"user\":{"
                "\"username\":\"a\\u001b[2J\\u0000\\n\\\"b\",\"groups\":[\"g\\r\\n\"],\"extra\":{"
                "\"k\\\":[],\\\"user\":[\"x\"]}}}}");
    assert_int_equal(check("t", 0), CREDENTIALS_GOOD);
    assert_string_equal(access.name, "user:a?[2J?"
                                     "?\"b");
    assert_string_equal(access.subject, "a?[2J?"
                                        "?\"b (g?"
                                        "?)");
    assert_int_equal(wants(API_RIGHT_READ, "prod.shop", true, 0), CREDENTIALS_ASKED);
    assert_non_null(strstr(server.body, "\"user\":\"a\\u001b[2J\\u0000\\u000a\\\"b\""));
    assert_non_null(strstr(server.body, "\"extra\":{\"k\\\":[],\\\"user\":[\"x\"]}"));
}

/* A group that was left out might be the one that is denied. */
static void who_has_too_many_groups_is_refused(void **state)
{
    static char text[64 * 1024];
    size_t len = (size_t)snprintf(text, sizeof(text),
                                  "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,"
                                  "\"user\":{\"username\":\"ann\",\"groups\":[\"g\"");
    (void)state;
    while (len < CLUSTER_USER_WORDS_MAX + 200)
        len += (size_t)snprintf(text + len, sizeof(text) - len, ",\"group-%zu\"", len);
    snprintf(text + len, sizeof(text) - len, "]}}}");
    assert_int_equal(check("t", 0), CREDENTIALS_ASKED);
    answer(201, text);
    assert_int_equal(check("t", 0), CREDENTIALS_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(who_it_is_goes_back_word_by_word),
        TEST(each_right_is_a_verb_of_its_own),
        TEST(who_may_decide_needs_not_change_what_guardians_say),
        TEST(what_is_allowed_and_what_is_denied_count_for_times_of_their_own),
        TEST(who_cannot_be_asked_for_is_not_let_in),
        TEST(somebody_else_has_not_what_was_said_of_the_one_before),
        TEST(what_is_of_all_is_bound_to_the_namespaces_that_are_theirs),
        TEST(a_part_of_many_namespaces_is_not_shown_as_all),
        TEST(guesses_are_limited_and_those_who_are_known_go_on),
        TEST(only_so_many_are_asked_for_at_once),
        TEST(tokens_tell_whom_to_ask_and_nothing_else),
        TEST(a_token_ends_before_what_was_said_of_it),
        TEST(hostile_words_are_harmless),
        TEST(who_has_too_many_groups_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
