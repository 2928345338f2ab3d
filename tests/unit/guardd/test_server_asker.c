/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a request while what let it in runs out: with clusters that say what a test
 * says. */
#include "guardd/api/problem.h"
#include "guardd/api/server_parts.h"
#include "guardd/api/sharing.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- clusters --- */

static struct {
    bool person, agent;
    bool over;  /* what was said of the person */
    bool known; /* the agent's token */
    bool still; /* those who aren't a cluster's users may go on */
    bool permitted;
    uint64_t answers;
} said;

bool cluster_users_are(const struct api_access *access)
{
    (void)access;
    return said.person;
}

bool cluster_users_still(const struct api_access *access, uint64_t mono_ms)
{
    (void)access;
    (void)mono_ms;
    return !said.over;
}

bool accounts_are(const struct api_access *access)
{
    (void)access;
    return said.agent;
}

bool accounts_know(struct accounts *accounts, const struct api_access *access)
{
    (void)accounts;
    (void)access;
    return said.known;
}

bool admission_still(struct admission *admission, struct api_access *access)
{
    (void)admission;
    (void)access;
    return said.still;
}

uint64_t admission_answers(const struct admission *admission)
{
    (void)admission;
    return said.answers;
}

void admission_refuse(struct api_response *response, enum credentials_answer answer,
                      unsigned retry_s)
{
    (void)retry_s;
    assert_int_equal(answer, CREDENTIALS_BAD);
    response->status = 401;
}

bool api_permitted(const struct api_request *request, const struct api_route *route,
                   struct api_response *response)
{
    (void)request;
    (void)route;
    if (!said.permitted)
        response->status = 403;
    return said.permitted;
}

bool sharing_is_here(const struct api *api, const struct api_route *route,
                     struct api_response *response)
{
    (void)api;
    (void)route;
    (void)response;
    return true;
}

void problem(struct api_response *response, unsigned status, const char *kind, const char *field,
             const char *format, ...)
{
    (void)field;
    (void)format;
    assert_string_equal(kind, "access-not-checked");
    response->status = status;
}

/* --- tests --- */

static struct server server;
static struct exchange exchange;

static int setup(void **state)
{
    (void)state;
    memset(&said, 0, sizeof(said));
    memset(&server, 0, sizeof(server));
    said.still = said.permitted = said.known = true;
    exchange = (struct exchange){.server = &server, .admitted = true, .authorised = true};
    return 0;
}

static void let_in_again(void)
{
    assert_false(exchange.admitted);
    assert_false(exchange.authorised);
    assert_true(asker_stands(&exchange)); /* who isn't let in yet has nothing to lose */
    exchange.admitted = exchange.authorised = true;
}

static void who_is_known_goes_on(void **state)
{
    (void)state;
    assert_true(asker_stands(&exchange));
    said.person = true;
    assert_true(asker_stands(&exchange));
    said.person = false;
    said.agent = true;
    assert_true(asker_stands(&exchange));
    assert_true(exchange.admitted && exchange.authorised);
    assert_true(asker_permitted(&exchange));
    assert_int_equal(exchange.response.status, 0);
}

static void what_is_over_is_asked_for_again_and_not_for_ever(void **state)
{
    (void)state;
    said.person = said.over = true;
    for (int i = 0; i < SERVER_LAPSES; i++) {
        assert_true(asker_stands(&exchange));
        let_in_again();
    }
    assert_false(asker_stands(&exchange));
    assert_int_equal(exchange.response.status, 503);
    assert_int_equal(exchange.response.retry_after_s, CLUSTER_USERS_RETRY_MS / 1000);
}

static void a_handler_that_was_called_began_a_new_count(void **state)
{
    (void)state;
    said.person = true;
    for (int i = 0; i < 3 * SERVER_LAPSES; i++) {
        said.over = true;
        assert_true(asker_stands(&exchange));
        let_in_again();
        said.over = false;
        assert_true(asker_stands(&exchange));
        assert_true(asker_permitted(&exchange));
    }
    assert_int_equal(exchange.response.status, 0);
}

static void an_agent_whose_place_another_one_has_is_asked_for_again(void **state)
{
    (void)state;
    said.agent = true;
    said.known = said.still = false;
    assert_true(asker_stands(&exchange));
    let_in_again();
    /* One that is known and refused is nobody. */
    said.known = true;
    assert_true(asker_stands(&exchange));
    assert_true(exchange.admitted);
    assert_false(asker_permitted(&exchange));
    assert_int_equal(exchange.response.status, 401);
}

static void who_is_on_no_list_any_more_is_nobody(void **state)
{
    (void)state;
    said.still = false;
    assert_true(asker_stands(&exchange));
    assert_false(asker_permitted(&exchange));
    assert_int_equal(exchange.response.status, 401);
    said.still = true;
    said.permitted = false;
    assert_false(asker_permitted(&exchange));
    assert_int_equal(exchange.response.status, 403);
}

static bool handler_due;

static bool due(const struct api *api, const struct api_request *request, uint64_t now_ms)
{
    (void)api;
    assert_int_equal(request->wait.ticket, 7);
    assert_int_equal(now_ms, 1000);
    return handler_due;
}

static void waiting_for_a_cluster_leaves_what_a_handler_waits_for(void **state)
{
    (void)state;
    exchange.request.wait = (struct api_wait){.due = due, .ticket = 7};
    said.answers = 7;
    asker_wait(&exchange);
    handler_due = true;
    assert_false(exchange_due(&exchange, 1000));
    said.answers++;
    assert_true(exchange_due(&exchange, 1000));
    exchange.asked = false;
    assert_true(exchange_due(&exchange, 1000));
    handler_due = false;
    assert_false(exchange_due(&exchange, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, setup)
        TEST(who_is_known_goes_on),
        TEST(what_is_over_is_asked_for_again_and_not_for_ever),
        TEST(a_handler_that_was_called_began_a_new_count),
        TEST(an_agent_whose_place_another_one_has_is_asked_for_again),
        TEST(who_is_on_no_list_any_more_is_nobody),
        TEST(waiting_for_a_cluster_leaves_what_a_handler_waits_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
