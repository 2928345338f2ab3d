/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods a node's agent may speak for: those that the API server says are there, as what it
 * says they are. */
#include "guardd/api/pod_places.h"

#include "unit/pods/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cluster_stand_in.h"

static struct pod_places *places;
static uint64_t answers, mono;

static int setup(void **state)
{
    struct guard_err err;
    (void)state;
    memset(&server, 0, sizeof(server));
    answers = 0;
    mono = clock_monotonic_ms();
    return pod_places_open(&places, (struct api_client *)&server, &answers, &err) == GUARD_OK ? 0
                                                                                              : -1;
}

static int teardown(void **state)
{
    (void)state;
    while (server.count > 0)
        answer(0, NULL);
    pod_places_close(places);
    return 0;
}

static struct guard_pod_identity cart(void)
{
    return (struct guard_pod_identity){.service = sample_span("shop.cart"),
                                       .name_space = sample_span("shop"),
                                       .workload = sample_span("cart"),
                                       .pod = sample_span("cart-7d9f-x"),
                                       .uid = sample_span("u-1"),
                                       .container = sample_span("app"),
                                       .template_hash = sample_span("7d9f"),
                                       .node = sample_span("node-1")};
}

static const char stored[] =
    "{\"metadata\":{\"name\":\"cart-7d9f-x\",\"namespace\":\"shop\",\"uid\":\"u-1\",\"labels\":{"
    "\"pod-template-hash\":\"7d9f\"},\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":"
    "\"cart-7d9f\",\"controller\":true}]},\"spec\":{\"nodeName\":\"node-1\",\"containers\":[{"
    "\"name\":\"app\"}]}}";

static enum pod_place look_at(const char *node, struct guard_pod_identity id, uint64_t begun_ms)
{
    return pod_places_look(places, node, &id, begun_ms, mono);
}

static enum pod_place look(const char *node, struct guard_pod_identity id)
{
    return look_at(node, id, mono);
}

static void a_pod_is_asked_for_once(void **state)
{
    struct guard_pod_identity sandbox = cart();
    (void)state;
    assert_int_equal(look("node-1", cart()), POD_PLACE_UNKNOWN);
    assert_int_equal(look("node-1", cart()), POD_PLACE_UNKNOWN);
    assert_int_equal(server.count, 1);
    assert_string_equal(server.calls[0].method, "GET");
    answer(200, stored);
    assert_int_equal(answers, 1);
    mono += 3600 * 1000;
    assert_int_equal(look("node-1", cart()), POD_PLACE_HERE);
    sandbox.container = sample_span("POD");
    assert_int_equal(look("node-1", sandbox), POD_PLACE_HERE);
    assert_int_equal(server.count, 0);
}

static void another_nodes_pod_is_nobodys_to_frame(void **state)
{
    struct guard_pod_identity forged;
    (void)state;
    assert_int_equal(look("node-2", cart()), POD_PLACE_UNKNOWN);
    answer(200, stored);
    assert_int_equal(look("node-2", cart()), POD_PLACE_OTHER);
    assert_int_equal(look("node-1", cart()), POD_PLACE_HERE);
    /* A pod of its own as what it isn't. */
    const char *words[] = {"service", "workload", "template", "container"};
    for (int i = 0; i < 4; i++) {
        forged = cart();
        if (i == 0)
            forged.service = sample_span("shop.payments");
        else if (i == 1)
            forged.workload = sample_span("payments");
        else if (i == 2)
            forged.template_hash = sample_span("9999");
        else
            forged.container = sample_span("other");
        uint64_t begun_ms = mono;
        mono += 10;
        assert_int_equal(look_at("node-1", forged, begun_ms + 5), POD_PLACE_UNKNOWN);
        answer(200, stored);
        if (look_at("node-1", forged, begun_ms + 5) != POD_PLACE_OTHER)
            fail_msg("another %s was believed", words[i]);
    }
    /* One of that name that was before it. */
    forged = cart();
    forged.uid = sample_span("u-0");
    assert_int_equal(look("node-1", forged), POD_PLACE_UNKNOWN);
    answer(200, stored);
    assert_int_equal(look("node-1", forged), POD_PLACE_OTHER);
}

static void who_isnt_there_is_refused_and_asked_for_again_later(void **state)
{
    (void)state;
    assert_int_equal(look("node-1", cart()), POD_PLACE_UNKNOWN);
    answer(404, "{\"kind\":\"Status\"}");
    assert_int_equal(look("node-1", cart()), POD_PLACE_OTHER);
    mono += 1;
    assert_int_equal(look("node-1", cart()), POD_PLACE_UNKNOWN);
    answer(200, stored);
    assert_int_equal(look("node-1", cart()), POD_PLACE_HERE);
}

/* Labels are changed when a pod is taken out of service: records of before come after it. */
static void what_it_was_a_moment_ago_counts(void **state)
{
    struct guard_pod_identity after = cart();
    static const char taken_out[] =
        "{\"metadata\":{\"name\":\"cart-7d9f-x\",\"namespace\":\"shop\",\"uid\":\"u-1\"},\"spec\":{"
        "\"nodeName\":\"node-1\",\"containers\":[{\"name\":\"app\"}]}}";
    (void)state;
    after.service = sample_span("shop.cart-7d9f-x");
    after.workload = after.pod;
    after.template_hash = sample_span("");
    assert_int_equal(look("node-1", cart()), POD_PLACE_UNKNOWN);
    answer(200, stored);
    mono += 1;
    assert_int_equal(look("node-1", after), POD_PLACE_UNKNOWN);
    answer(200, taken_out);
    assert_int_equal(look("node-1", after), POD_PLACE_HERE);
    assert_int_equal(look("node-1", cart()), POD_PLACE_HERE);
    /* And when it is gone. */
    after.container = sample_span("none");
    mono += 1;
    assert_int_equal(look("node-1", after), POD_PLACE_UNKNOWN);
    answer(404, "{\"kind\":\"Status\"}");
    assert_int_equal(look("node-1", after), POD_PLACE_OTHER);
    assert_int_equal(look("node-1", cart()), POD_PLACE_HERE);
}

static void a_server_that_is_away_says_nothing_of_a_pod(void **state)
{
    const char *why;
    (void)state;
    assert_int_equal(pod_places_failed_ms(places, &why), 0);
    assert_int_equal(look("node-1", cart()), POD_PLACE_UNKNOWN);
    answer(500, "{\"kind\":\"Status\"}");
    assert_int_equal(look("node-1", cart()), POD_PLACE_UNKNOWN);
    assert_true(pod_places_failed_ms(places, &why) > 0);
    assert_string_equal(why, "a message");
    server.full = true;
    answer(200, stored);
    server.full = false;
    assert_int_equal(look("node-1", cart()), POD_PLACE_HERE);
}

static void what_is_no_name_isnt_asked_for(void **state)
{
    static const char *const names[] = {"", "../secrets/x", "a/b", "A", "a?b", "a%2F", ".."};
    struct guard_pod_identity id;
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        id = cart();
        id.pod = sample_span(names[i]);
        assert_int_equal(look("node-1", id), POD_PLACE_OTHER);
        id = cart();
        id.name_space = sample_span(names[i]);
        assert_int_equal(look("node-1", id), POD_PLACE_OTHER);
    }
    id = cart();
    id.uid = sample_span("");
    assert_int_equal(look("node-1", id), POD_PLACE_OTHER);
    assert_int_equal(server.count, 0);
}

/* A node that makes names up keeps nobody from being asked for, and takes no memory. */
static void one_node_has_its_part(void **state)
{
    uint32_t asked = 0;
    (void)state;
    for (uint32_t i = 0; i < 3 * POD_PLACES_MAX; i++) {
        char name[32];
        struct guard_pod_identity id = cart();
        snprintf(name, sizeof(name), "x-%u", i);
        id.pod = sample_span(name);
        uint32_t before = server.count;
        (void)look("node-9", id);
        asked += server.count - before;
        if (server.count > 0)
            answer(404, "{\"kind\":\"Status\"}");
        mono += POD_PLACES_EACH_MS;
    }
    uint64_t passed_ms = (uint64_t)3 * POD_PLACES_MAX * POD_PLACES_EACH_MS;
    assert_true(asked <= POD_PLACES_NODE_BURST + passed_ms / POD_PLACES_NODE_EACH_MS + 1);
    assert_int_equal(look("node-1", cart()), POD_PLACE_UNKNOWN);
    assert_int_equal(server.count, 1);
    /* Nor do more than so many wait at once. */
    answer(200, stored);
    mono += 3600 * 1000;
    for (uint32_t i = 0; i < 2 * POD_PLACES_ASKED_MAX; i++) {
        char name[32];
        struct guard_pod_identity id = cart();
        snprintf(name, sizeof(name), "y-%u", i);
        id.pod = sample_span(name);
        (void)look("node-1", id);
    }
    assert_int_equal(server.count, POD_PLACES_BURST);
}

/* An agent sends one batch at a time: a node that sends many keeps none but its last one here. */
static void of_a_nodes_batches_the_last_one_waits(void **state)
{
    (void)state;
    uint64_t other = pod_places_wait(places, "node-2", 0, mono);
    uint64_t first = pod_places_wait(places, "node-1", 0, mono);
    assert_true(other != 0 && first != 0);
    assert_int_equal(pod_places_wait(places, "node-1", first, mono), first);
    uint64_t second = pod_places_wait(places, "node-1", 0, mono);
    assert_true(second != 0 && second != first);
    assert_int_equal(pod_places_wait(places, "node-1", first, mono), 0);
    assert_int_equal(pod_places_wait(places, "node-1", second, mono), second);
    assert_int_equal(pod_places_wait(places, "node-2", other, mono), other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pod_is_asked_for_once, setup, teardown),
        cmocka_unit_test_setup_teardown(another_nodes_pod_is_nobodys_to_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(who_isnt_there_is_refused_and_asked_for_again_later, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_it_was_a_moment_ago_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_is_away_says_nothing_of_a_pod, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_no_name_isnt_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(one_node_has_its_part, setup, teardown),
        cmocka_unit_test_setup_teardown(of_a_nodes_batches_the_last_one_waits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
