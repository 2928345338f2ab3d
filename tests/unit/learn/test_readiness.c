/* SPDX-License-Identifier: Apache-2.0 */
/* What an endpoint lacks, part by part: whether its responses and its time can be judged is another
 * question than whether its requests can. */
#include "unit/learn/tree.h"

/* What a record of /report was answered with; ms 0: it wasn't timed. */
struct reply {
    uint32_t status; /* 0: no response was seen */
    uint32_t ms;
    const char *media;
};

static void send(struct tree *tree, uint32_t epoch, uint32_t client, const struct reply *reply)
{
    struct gd_cell *at = tree_request(tree, epoch, client, "GET", "report");
    if (reply->status != 0) {
        struct gd_cell *answer = tree_see(tree, at, GD_KIND_ANSWER, 0, reply->status, NULL);
        (void)tree_named(tree, answer, GD_KIND_MEDIA, 0, reply->media);
    }
    if (reply->ms != 0)
        (void)tree_see(tree, at, GD_KIND_LATENCY, 0, gd_bucket(reply->ms), NULL);
}

/* 200 requests of ten clients in four epochs. */
static void send_all(struct tree *tree, const struct reply *reply)
{
    for (uint32_t i = 0; i < 200; i++)
        send(tree, i / 50, 1 + i % 10, reply);
}

static void expect(const struct tree *tree, const char *response, const char *time)
{
    struct guard_model *model = tree_learn(tree);
    const struct guard_model_endpoint *report = tree_endpoint(model, "GET", "/report");
    assert_non_null(report);
    assert_true(report->ready);
    assert_true(tree_is(report->lacks, ""));
    assert_true(tree_is(report->response.lacks, response));
    assert_int_equal(report->response.ready, response[0] == '\0');
    assert_true(tree_is(report->time.lacks, time));
    assert_int_equal(report->time.ready, time[0] == '\0');
    assert_int_equal(report->time.ready, report->latency_max > 0);
    guard_model_free(model);
}

static void test_all_parts_are_ready(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    send_all(&tree, &(struct reply){2, 20, "application/json"});
    expect(&tree, "", "");
    tree_fini(&tree);
}

static void test_a_part_says_what_it_lacks(void **state)
{
    (void)state;
    static const struct {
        struct reply reply;
        const char *response, *time;
    } cases[] = {
        {{0, 20, ""}, "responses", ""},
        {{2, 0, "application/json"}, "", "times"},
        {{2, 20, "text/event-stream"}, "", "a bound: it streams"},
        {{2, 20, "application/grpc+proto"}, "", "a bound: it streams"},
        {{2, 90000, "application/json"}, "", "a bound: it takes more than 30 s"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tree tree;
        tree_init(&tree);
        send_all(&tree, &cases[i].reply);
        expect(&tree, cases[i].response, cases[i].time);
        tree_fini(&tree);
    }
}

/* Requests that came before responses were viewed make the endpoint ready, and nothing else. */
static void test_responses_need_evidence_of_their_own(void **state)
{
    (void)state;
    static const struct {
        uint32_t clients, epochs, count;
        const char *response, *time;
    } cases[] = {
        {3, 2, 40, "3 of 4 clients", "times of enough clients in two epochs"},
        {4, 1, 40, "1 of 2 epochs", "times of enough clients in two epochs"},
        {4, 2, 40, "40 of 100 exchanges", ""},
        {4, 2, 120, "", ""},
    };
    const struct reply none = {0}, reply = {2, 20, "application/json"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tree tree;
        tree_init(&tree);
        send_all(&tree, &none);
        for (uint32_t k = 0; k < cases[i].count; k++)
            send(&tree, 4 + k % cases[i].epochs, 1 + k / 2 % cases[i].clients, &reply);
        expect(&tree, cases[i].response, cases[i].time);
        tree_fini(&tree);
    }
}

/* The rare failure isn't what people wait for. */
static void test_the_usual_response_is_asked(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    send_all(&tree, &(struct reply){2, 20, "application/json"});
    for (uint32_t k = 0; k < 3; k++)
        send(&tree, 3, 1, &(struct reply){5, 20, "text/html"});
    expect(&tree, "", "");
    tree_fini(&tree);
}

/* Access logs know sizes and times, but no body. */
static void test_logs_show_no_bodies(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    send_all(&tree, &(struct reply){2, 20, "application/json"});
    tree_request(&tree, 0, 1, "GET", "report")->dropped_kinds |= 1u << GD_KIND_SIZE;
    expect(&tree, "bodies: they weren't recorded", "");
    tree_fini(&tree);
}

/* Of what isn't trusted itself nothing else is said. */
static void test_a_pending_endpoint_lacks_one_thing(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 200; i++)
        (void)tree_request(&tree, i / 50, 1 + i % 10, "GET", "report");
    for (uint32_t i = 0; i < 30; i++)
        (void)tree_request(&tree, i / 10, 1 + i % 3, "PUT", "report");
    struct guard_model *model = tree_learn(&tree);
    const struct guard_model_endpoint *put = tree_endpoint(model, "PUT", "/report");
    assert_non_null(put);
    assert_false(put->ready || put->response.ready || put->time.ready);
    assert_true(tree_is(put->lacks, "3 of 4 clients"));
    assert_true(tree_is(put->response.lacks, "3 of 4 clients"));
    assert_true(tree_is(put->time.lacks, "3 of 4 clients"));
    guard_model_free(model);
    tree_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_parts_are_ready),
        cmocka_unit_test(test_a_part_says_what_it_lacks),
        cmocka_unit_test(test_responses_need_evidence_of_their_own),
        cmocka_unit_test(test_the_usual_response_is_asked),
        cmocka_unit_test(test_logs_show_no_bodies),
        cmocka_unit_test(test_a_pending_endpoint_lacks_one_thing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
