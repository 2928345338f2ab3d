/* SPDX-License-Identifier: Apache-2.0 */
/* What our client asks an API server, and what it makes of the answers, by what a real one
 * answered: tests/data/kubernetes/transcripts.json, which
 * tests/integration/kubernetes/transcripts.py records. Each question is held against the recorded
 * one, but for tokens and moments. */
#include "guardd/api/accounts.h"
#include "guardd/api/cluster_users.h"
#include "guardd/service.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/kubernetes/lease.h"
#include "common/kubernetes/pod_actions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cluster_stand_in.h"

enum { FILE_MAX = 1 << 20 };

static const char *path;
static struct guard_arena arena;
static const struct document_node *exchanges;

/* A token of the cluster until 2100, which nobody signed. */
static const char token[] = "eyJ.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln";

static int load(void **state)
{
    const struct guard_alloc heap = heap_alloc();
    struct document_node *root = NULL;
    struct guard_err err;
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)state;
    guard_arena_init(&arena, &heap, 16 << 20);
    if (file_read(path, FILE_MAX, &bytes, &len, &err) != GUARD_OK ||
        json_tree_parse(&root, (struct guard_span){bytes, len}, &arena, &err) != GUARD_OK)
        return -1;
    free(bytes);
    exchanges = member_of(root, "exchanges");
    return exchanges != NULL ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    memset(&server, 0, sizeof(server));
    return 0;
}

static const struct document_node *exchange(const char *name)
{
    const struct document_node *found = member_of(exchanges, name);
    assert_non_null(found);
    return found;
}

static struct api_answer recorded(const char *name)
{
    const struct document_node *said = exchange(name);
    struct api_answer answer = {.status = (unsigned)whole_of(said, "status"),
                                .root = member_of(said, "answer"),
                                .retry_after_s = (uint32_t)whole_of(said, "retry_after_s")};
    assert_non_null(answer.root);
    if (answer.status >= 400)
        snprintf(answer.message, sizeof(answer.message), "%u: %.200s", answer.status,
                 text_of(answer.root, "message"));
    return answer;
}

/* In the text; a recorded one is as long or shorter. */
static void replace(char *text, const char *what, const char *by)
{
    for (char *at = text; (at = strstr(at, what)) != NULL; at += strlen(by)) {
        memmove(at + strlen(by), at + strlen(what), strlen(at + strlen(what)) + 1);
        memcpy(at, by, strlen(by));
    }
}

/* Each is one of 27 letters. */
static void replace_moments(char *text)
{
    static const char *const names[] = {"\"acquireTime\":\"", "\"renewTime\":\""};
    for (size_t i = 0; i < 2; i++) {
        char *at = strstr(text, names[i]);
        if (at != NULL)
            memcpy(at + strlen(names[i]), "2026-01-01T00:00:00.000000Z", 27);
    }
}

/* The question under way is that one, and is answered so. */
static void replay(const char *name)
{
    const struct document_node *asked = exchange(name);
    const struct api_answer answer = recorded(name);
    assert_int_equal(server.count, 1);
    replace(server.body, token, "TOKEN");
    replace_moments(server.body);
    assert_string_equal(server.calls[0].method, text_of(asked, "method"));
    assert_string_equal(server.body, text_of(asked, "body"));
    answer_as(&answer);
}

/* --- agents --- */

static struct accounts *accounts;
static struct api_access access;
static unsigned retry_s;

static enum credentials_answer check_agent(void)
{
    return accounts_check(accounts, token, clock_unix_ms(), clock_monotonic_ms(), &access,
                          &retry_s);
}

static int setup_agents(void **state)
{
    struct guard_err err;
    (void)setup(state);
    return accounts_open(&accounts, "in-cluster", NULL, 60000, &err) == GUARD_OK ? 0 : -1;
}

static int teardown_agents(void **state)
{
    (void)state;
    accounts_close(accounts);
    return 0;
}

static void an_agent_speaks_for_the_service_of_its_pod(void **state)
{
    (void)state;
    assert_int_equal(check_agent(), CREDENTIALS_ASKED);
    replay("agent");
    assert_string_equal(server.calls[0].path, text_of(exchange("agent-pod"), "path"));
    replay("agent-pod");
    assert_int_equal(check_agent(), CREDENTIALS_GOOD);
    assert_string_equal(access.services[0], "recorded.shop");
    assert_string_equal(access.subject, "recorded/shop-1");
}

static void a_pod_that_went_speaks_for_nothing(void **state)
{
    (void)state;
    assert_int_equal(check_agent(), CREDENTIALS_ASKED);
    replay("agent");
    replay("agent-pod-gone");
    assert_int_equal(check_agent(), CREDENTIALS_BAD);
}

static void tokens_of_no_pod_and_for_others_are_refused(void **state)
{
    static const char *const names[] = {"agent-of-no-pod", "token-of-others"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(check_agent(), CREDENTIALS_ASKED);
        replay(names[i]);
        assert_int_equal(check_agent(), CREDENTIALS_BAD);
        accounts_close(accounts);
        assert_int_equal(setup_agents(state), 0);
    }
}

/* --- users --- */

static struct cluster_users *users;

static int setup_users(void **state)
{
    struct guard_err err;
    (void)setup(state);
    return cluster_users_open(&users, "in-cluster", 60000, &err) == GUARD_OK ? 0 : -1;
}

static int teardown_users(void **state)
{
    (void)state;
    cluster_users_close(users);
    return 0;
}

static enum credentials_answer check_user(void)
{
    return cluster_users_check(users, token, clock_unix_ms(), clock_monotonic_ms(), &access,
                               &retry_s);
}

static enum credentials_answer wants(enum api_right right)
{
    static const char name[] = "recorded.shop";
    const struct cluster_wish wish = {
        .right = right, .whole = true, .service = {(const uint8_t *)name, sizeof(name) - 1}};
    return cluster_users_authorise(users, &wish, clock_monotonic_ms(), &access, &retry_s);
}

static void a_user_may_what_a_role_of_theirs_says(void **state)
{
    (void)state;
    assert_int_equal(check_user(), CREDENTIALS_ASKED);
    replay("user");
    assert_int_equal(check_user(), CREDENTIALS_GOOD);
    assert_string_equal(access.name, "user:system:serviceaccount:recorded:ann");
    assert_int_equal(wants(API_RIGHT_READ), CREDENTIALS_ASKED);
    replay("user-may-look");
    assert_int_equal(wants(API_RIGHT_READ), CREDENTIALS_GOOD);
    assert_int_equal(access.role, API_ROLE_VIEWER);
    assert_int_equal(wants(API_RIGHT_OPERATE), CREDENTIALS_ASKED);
    replay("user-may-not-change");
    assert_int_equal(wants(API_RIGHT_OPERATE), CREDENTIALS_ASKED);
    replay("user-may-decide");
    assert_int_equal(wants(API_RIGHT_OPERATE), CREDENTIALS_GOOD);
    assert_int_equal(access.role, API_ROLE_OPERATOR);
    assert_int_equal(wants(API_RIGHT_ADMINISTER), CREDENTIALS_ASKED);
    replay("user-may-not-administer");
    assert_int_equal(wants(API_RIGHT_ADMINISTER), CREDENTIALS_BAD);
}

static void who_is_nobody_is_refused_and_who_cannot_be_asked_for_waits(void **state)
{
    (void)state;
    assert_int_equal(check_user(), CREDENTIALS_ASKED);
    replay("token-of-nobody");
    assert_int_equal(check_user(), CREDENTIALS_BAD);
    (void)teardown_users(state);
    assert_int_equal(setup_users(state), 0);
    assert_int_equal(check_user(), CREDENTIALS_ASKED);
    replay("user");
    assert_int_equal(check_user(), CREDENTIALS_GOOD);
    assert_int_equal(wants(API_RIGHT_READ), CREDENTIALS_ASKED);
    const struct api_answer refused = recorded("review-by-who-may-not");
    assert_int_equal(refused.status, 403);
    answer_as(&refused);
    assert_int_equal(wants(API_RIGHT_READ), CREDENTIALS_UNCHECKED);
}

/* --- the lease --- */

static struct lease lease_of(const char *identity)
{
    struct lease lease = {
        .client = (struct api_client *)&server, .namespace = "recorded", .name = "guard-operator"};
    snprintf(lease.identity, sizeof(lease.identity), "%s", identity);
    return lease;
}

static void turn(struct lease *lease, const char *name)
{
    lease->next_ms = 0;
    lease_tick(lease, clock_monotonic_ms());
    assert_string_equal(server.calls[0].path, text_of(exchange(name), "path"));
    replay(name);
}

static void of_two_one_leads(void **state)
{
    struct lease one = lease_of("one"), two = lease_of("two");
    (void)state;
    turn(&one, "lease-absent");
    turn(&two, "lease-absent");
    turn(&one, "lease-made");
    turn(&two, "lease-made-twice");
    assert_true(lease_held(&one, clock_monotonic_ms()));
    assert_false(lease_held(&two, clock_monotonic_ms()));
    assert_string_equal(two.failure, ""); /* that another one was there before it is no trouble */
    snprintf(two.failure, sizeof(two.failure), "503: of before");
    turn(&two, "lease-read");
    assert_string_equal(two.failure, "");
    two.observed_ms -= LEASE_MS; /* nobody renewed it, as it saw */
    turn(&one, "lease-renewed");
    assert_true(lease_held(&one, clock_monotonic_ms()));
    turn(&two, "lease-written-too-late");
    assert_string_equal(two.failure, "");
    assert_false(lease_held(&two, clock_monotonic_ms()));
    assert_true(lease_held(&one, clock_monotonic_ms()));
}

/* --- evictions --- */

static struct pod_result result;

static void on_result(void *ctx, const struct pod_result *out)
{
    (void)ctx;
    result = *out;
}

static void evict(const char *name, const char *pod, const char *exchange_name_of_uid)
{
    const struct document_node *of = recorded(exchange_name_of_uid).root;
    struct pod_action action = {.done = on_result};
    struct guard_err err;
    const struct pod_ref ref = {"recorded", pod,
                                strcmp(name, "eviction-of-another") == 0
                                    ? "00000000-0000-4000-8000-000000000000"
                                    : text_of(member_of(of, "metadata"), "uid")};
    assert_int_equal(
        pod_evict((struct api_client *)&server, &action, &ref, EVICTION_V1BETA1, false, &err),
        GUARD_OK);
    assert_string_equal(server.calls[0].path, text_of(exchange(name), "path"));
    replay(name);
}

static void what_becomes_of_evictions(void **state)
{
    (void)state;
    evict("eviction", "shop-1", "agent-pod");
    assert_int_equal(result.outcome, POD_DONE);
    evict("eviction-of-another", "shop-1", "agent-pod");
    assert_int_equal(result.outcome, POD_GONE);
    evict("eviction-of-nobody", "shop-9", "agent-pod");
    assert_int_equal(result.outcome, POD_GONE);
    evict("eviction-beyond-the-budget", "tight-1", "tight-pod");
    assert_int_equal(result.outcome, POD_LATER);
    assert_true(result.budget);
    assert_true(result.retry_after_s > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_agent_speaks_for_the_service_of_its_pod, setup_agents,
                                        teardown_agents),
        cmocka_unit_test_setup_teardown(a_pod_that_went_speaks_for_nothing, setup_agents,
                                        teardown_agents),
        cmocka_unit_test_setup_teardown(tokens_of_no_pod_and_for_others_are_refused, setup_agents,
                                        teardown_agents),
        cmocka_unit_test_setup_teardown(a_user_may_what_a_role_of_theirs_says, setup_users,
                                        teardown_users),
        cmocka_unit_test_setup_teardown(who_is_nobody_is_refused_and_who_cannot_be_asked_for_waits,
                                        setup_users, teardown_users),
        cmocka_unit_test_setup(of_two_one_leads, setup),
        cmocka_unit_test_setup(what_becomes_of_evictions, setup),
    };
    if (argc != 2)
        return 2;
    path = argv[1];
    return cmocka_run_group_tests(tests, load, unload);
}
