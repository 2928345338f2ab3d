/* SPDX-License-Identifier: Apache-2.0 */
/* Proposals are made aside, a few at a time, and end: by themselves, or by their limits. */
#include "guardd/proposals.h"

#include "common/file.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW_MS = 1000000 };

#define TEXT(text) ((struct guard_span){(const uint8_t *)(text), strlen(text)})

static struct service service;

static const char traversal[] =
    "GET /files?name=..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: x.example\r\n\r\n";

static int setup(void **state)
{
    (void)state;
    service = (struct service){.name = GUARD_SPAN_LITERAL("shop")};
    guard_guardian_default(&service.guardian, service.name);
    return 0;
}

static struct proposal_ask ask_of(const char *exploit)
{
    return (struct proposal_ask){.service = &service,
                                 .exploit = TEXT(exploit),
                                 .format = EXPLOIT_AUTO,
                                 .id = GUARD_SPAN_LITERAL("T-1")};
}

static uint64_t begin(struct proposals *proposals, const struct proposal_ask *ask)
{
    struct guard_err err;
    uint64_t ticket = 0;
    assert_int_equal(proposals_begin(proposals, ask, NOW_MS, PROPOSAL_MS, &ticket, &err), GUARD_OK);
    assert_int_not_equal(ticket, 0);
    return ticket;
}

/* Ends by itself: the clock stands. */
static enum guard_rc end(struct proposals *proposals, uint64_t ticket, char **bytes,
                         struct guard_err *err)
{
    size_t len = 0;
    siginfo_t info;
    for (int i = 0; i < PROPOSALS_MAX; i++) {
        if (proposals->jobs[i].ticket == ticket && proposals->jobs[i].child != 0)
            assert_int_equal(
                waitid(P_PID, (id_t)proposals->jobs[i].child, &info, WEXITED | WNOWAIT), 0);
    }
    assert_true(proposals_due(proposals, ticket, NOW_MS));
    enum guard_rc rc = proposals_take(proposals, ticket, bytes, &len, err);
    if (rc == GUARD_OK)
        assert_int_equal(strlen(*bytes), len);
    return rc;
}

static void is_made_and_measured(void **state)
{
    struct proposals proposals = {.last = 0};
    struct proposal_ask ask = ask_of(traversal);
    struct guard_err err;
    char *bytes = NULL;
    (void)state;
    ask.benign = TEXT("GET /files?name=report.pdf HTTP/1.1\r\nHost: x.example\r\n\r\n"
                      "GET /files?name=notes.txt HTTP/1.1\r\nHost: x.example\r\n\r\n");
    assert_int_equal(end(&proposals, begin(&proposals, &ask), &bytes, &err), GUARD_OK);
    assert_non_null(strstr(bytes, "\"service\":\"shop\""));
    assert_non_null(strstr(bytes, "\"narrowness\":\"syntax\""));
    assert_non_null(strstr(bytes, "\"enforceable\":true"));
    assert_non_null(strstr(bytes, "\"benign\":{\"hits\":0,\"of\":2,"));
    assert_non_null(strstr(bytes, "mode: shadow"));
    free(bytes);
}

static void says_what_is_wrong(void **state)
{
    static const struct {
        const char *exploit;
        const char *benign;
        const char *id;
        const char *says;
    } bad[] = {{"no exploit at all", "", "T-1", "exploit"},
               {traversal, "nothing that could be sent", "T-1", "benign"},
               {traversal, "", "-bad id", "id"}};
    struct proposals proposals = {.last = 0};
    struct guard_err err;
    char *bytes = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct proposal_ask ask = ask_of(bad[i].exploit);
        ask.benign = TEXT(bad[i].benign);
        ask.id = TEXT(bad[i].id);
        assert_int_equal(end(&proposals, begin(&proposals, &ask), &bytes, &err), GUARD_E_SYNTAX);
        assert_non_null(strstr(err.text, bad[i].says));
    }
}

static const struct proposal_job *job_of(const struct proposals *proposals, uint64_t ticket)
{
    int place = 0;
    while (proposals->jobs[place].ticket != ticket)
        place++;
    return &proposals->jobs[place];
}

/* A child that is stopped stands for one that doesn't come to an end. One that was done before that
 * gives its place to another. */
static uint64_t begin_held(struct proposals *proposals, const struct proposal_ask *ask,
                           pid_t *child)
{
    for (;;) {
        uint64_t ticket = begin(proposals, ask);
        struct guard_err err;
        siginfo_t info;
        char *bytes = NULL;
        *child = job_of(proposals, ticket)->child;
        assert_int_equal(kill(*child, SIGSTOP), 0);
        assert_int_equal(waitid(P_PID, (id_t)*child, &info, WEXITED | WSTOPPED | WNOWAIT), 0);
        if (info.si_code == CLD_STOPPED)
            return ticket;
        assert_int_equal(end(proposals, ticket, &bytes, &err), GUARD_OK);
        free(bytes);
    }
}

static void a_few_at_a_time_and_not_for_long(void **state)
{
    struct proposals proposals = {.last = 0};
    const struct proposal_ask ask = ask_of(traversal);
    struct guard_err err;
    uint64_t tickets[PROPOSALS_MAX];
    uint64_t more = 0;
    pid_t children[PROPOSALS_MAX];
    char *bytes = NULL;
    size_t len = 0;
    (void)state;
    for (int i = 0; i < PROPOSALS_MAX; i++)
        tickets[i] = begin_held(&proposals, &ask, &children[i]);
    assert_int_equal(proposals_begin(&proposals, &ask, NOW_MS, PROPOSAL_MS, &more, &err),
                     GUARD_E_LIMIT);
    assert_false(proposals_due(&proposals, tickets[0], NOW_MS + PROPOSAL_MS - 1));
    assert_true(proposals_due(&proposals, tickets[0], NOW_MS + PROPOSAL_MS));
    assert_int_equal(kill(children[0], 0), -1);
    assert_int_equal(proposals_take(&proposals, tickets[0], &bytes, &len, &err), GUARD_E_LIMIT);
    /* Its place is free; the other one is still at it, and is stopped when guardd ends. */
    assert_int_equal(end(&proposals, begin(&proposals, &ask), &bytes, &err), GUARD_OK);
    free(bytes);
    assert_int_equal(proposals_take(&proposals, tickets[1], &bytes, &len, &err), GUARD_E_STATE);
    assert_int_equal(kill(children[1], 0), -1);
    tickets[0] = begin_held(&proposals, &ask, &children[0]);
    proposals_close(&proposals);
    assert_int_equal(kill(children[0], 0), -1);
}

static void a_clock_set_back_makes_it_no_longer(void **state)
{
    struct proposals proposals = {.last = 0};
    const struct proposal_ask ask = ask_of(traversal);
    pid_t child;
    uint64_t ticket = begin_held(&proposals, &ask, &child);
    (void)state;
    assert_true(proposals_due(&proposals, ticket, NOW_MS - 1));
    proposals_close(&proposals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_made_and_measured),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(a_few_at_a_time_and_not_for_long),
        cmocka_unit_test(a_clock_set_back_makes_it_no_longer),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
