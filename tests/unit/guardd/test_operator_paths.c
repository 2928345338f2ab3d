/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses canaries are sent to, whose they are, and what is concluded of what came. */
#include "guardd/operator/paths.h"
#include "guardd/operator/tally.h"

#include "common/kubernetes/json_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ARENA = 4 << 20 };

static struct paths paths;
static struct tallies tallies;

typedef void taker(struct paths *paths, const struct document_node *node);

static void take(taker *take_it, const char *json)
{
    const struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document_node *node;
    struct guard_err err = {.text = ""};
    guard_arena_init(&arena, &heap, ARENA);
    if (json_tree_parse(&node, (struct guard_span){(const uint8_t *)json, strlen(json)}, &arena,
                        &err) != GUARD_OK)
        fail_msg("%s: %s", json, err.text);
    take_it(&paths, node);
    guard_arena_reset(&arena);
}

static void service(const char *name, const char *address, const char *selector, const char *ports)
{
    char json[2048];
    snprintf(json, sizeof(json),
             "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"clusterIP\":\"%s\",\"selector\":%s,"
             "\"ports\":[%s]}}",
             name, address, selector, ports);
    take(paths_take_service, json);
}

/* more: members of the metadata, each with a comma before it. */
static void pod(const char *name, const char *address, const char *labels, const char *more)
{
    char json[2048];
    snprintf(
        json, sizeof(json),
        "{\"metadata\":{\"name\":\"%s\",\"labels\":%s%s},\"spec\":{\"containers\":[{\"ports\":["
        "{\"name\":\"http\",\"containerPort\":14080},{\"containerPort\":8080}]}]},\"status\":{"
        "\"phase\":\"Running\",\"podIP\":\"%s\",\"conditions\":[{\"type\":\"Ready\",\"status\":"
        "\"True\"}]}}",
        name, labels, more, address);
    take(paths_take_pod, json);
}

#define PORT_HTTP "{\"name\":\"http\",\"port\":80,\"targetPort\":\"http\"}"
#define SHOP "{\"app\":\"shop\"}"
#define SHOP_MANY "{\"app\":\"shop\",\"ports\":\"many\"}"

static int set_up(void **state)
{
    (void)state;
    return paths_begin(&paths, "prod", "") && tallies_begin(&tallies) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    paths_free(&paths);
    tallies_free(&tallies);
    return 0;
}

static void assert_server(uint32_t index, const char *expected)
{
    char server[CANARY_SERVER_CAP];
    assert_true(index < paths.target_count);
    assert_true(paths_server(&paths, &paths.targets[index], server, sizeof(server)));
    assert_string_equal(server, expected);
}

static void test_a_service_leads_to_the_pods_that_it_selects(void **state)
{
    (void)state;
    service("front", "10.96.0.7", "{\"app\":\"shop\",\"tier\":\"web\"}", PORT_HTTP);
    pod("shop-1", "10.1.0.1", "{\"app\":\"shop\",\"tier\":\"web\",\"x\":\"y\"}", "");
    pod("shop-2", "10.1.0.2", SHOP, "");
    pod("shop-3", "10.1.0.3", "{\"app\":\"shop\",\"tier\":\"webs\"}", "");
    pod("shop-4", "fd00::4", "{\"app\":\"shop\",\"tier\":\"web\"}", "");
    paths_take_addresses(&paths);
    assert_int_equal(paths.target_count, 3);
    assert_server(0, "http://10.1.0.1:14080");
    assert_server(1, "http://[fd00::4]:14080");
    assert_server(2, "http://10.96.0.7:80");
}

/* Behind two Services it is one target; both have addresses of their own. */
static void test_a_port_behind_two_services_is_asked_once(void **state)
{
    (void)state;
    service("front", "10.96.0.7", SHOP, PORT_HTTP);
    service("back", "10.96.0.8", SHOP, PORT_HTTP ",{\"name\":\"web\",\"port\":81}");
    pod("shop-1", "10.1.0.1", SHOP, "");
    paths_take_addresses(&paths);
    assert_int_equal(paths.target_count, 5);
    assert_server(0, "http://10.1.0.1:14080");
    assert_server(1, "http://10.1.0.1:81");
    assert_server(2, "http://10.96.0.7:80");
    assert_server(4, "http://10.96.0.8:81");
}

static void test_ports_are_those_that_speak_http(void **state)
{
    (void)state;
    service("many", "None", SHOP,
            PORT_HTTP ",{\"name\":\"grpc\",\"port\":90,\"targetPort\":9000}"
                      ",{\"name\":\"metrics\",\"port\":91,\"targetPort\":9100}"
                      ",{\"name\":\"web-admin\",\"port\":92,\"targetPort\":9200}"
                      ",{\"name\":\"https\",\"port\":443,\"targetPort\":9443}"
                      ",{\"name\":\"http-dns\",\"protocol\":\"UDP\",\"port\":53}"
                      ",{\"name\":\"http2c\",\"appProtocol\":\"kubernetes.io/h2c\",\"port\":94}"
                      ",{\"name\":\"x\",\"appProtocol\":\"http\",\"port\":95}");
    service("one", "", SHOP, "{\"port\":8080}");
    service("one-grpc", "", SHOP, "{\"name\":\"grpc\",\"port\":9999}");
    service("missing", "10.96.0.9", SHOP,
            "{\"name\":\"http\",\"port\":80,\"targetPort\":\"none\"}");
    pod("shop-1", "10.1.0.1", SHOP, "");
    paths_take_addresses(&paths);
    assert_int_equal(paths.target_count, 5);
    assert_server(0, "http://10.1.0.1:14080");
    assert_server(1, "http://10.1.0.1:9200");
    assert_server(2, "https://10.1.0.1:9443");
    assert_server(3, "http://10.1.0.1:95");
    assert_server(4, "http://10.1.0.1:8080");
}

/* Whoever may write Services and Endpoints of a namespace must not choose whom guardd talks to. */
static void test_nobody_else_is_asked(void **state)
{
    (void)state;
    static const char *const others[] = {"127.0.0.1", "169.254.169.254", "0.0.0.0",   "::1",
                                         "fe80::1",   "::ffff:7f00:1",   "224.0.0.1", "",
                                         "a.example", "10.1.0.1/x"};
    service("none", "10.96.0.1", "{}", PORT_HTTP);
    take(paths_take_service,
         "{\"metadata\":{\"name\":\"hand\"},\"spec\":{\"clusterIP\":\"10.96.0.2\","
         "\"ports\":[" PORT_HTTP "]}}");
    take(paths_take_service, "{\"metadata\":{\"name\":\"far\"},\"spec\":{\"type\":\"ExternalName\","
                             "\"selector\":" SHOP ",\"ports\":[" PORT_HTTP "]}}");
    take(paths_take_service, "{\"metadata\":[],\"spec\":\"x\"}");
    assert_int_equal(paths.service_count, 0);
    service("front", "127.0.0.1", SHOP, PORT_HTTP);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        pod("shop", others[i], SHOP, "");
    pod("leaving", "10.1.0.9", SHOP, ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"");
    take(paths_take_pod, "{\"metadata\":{\"name\":\"bare\",\"labels\":" SHOP "}}");
    take(paths_take_pod,
         "{\"metadata\":{\"name\":\"early\",\"labels\":" SHOP
         "},\"spec\":{\"containers\":[{\"ports\":["
         "{\"name\":\"http\",\"containerPort\":80}]}]},\"status\":{\"phase\":\"Running\",\"podIP\":"
         "\"10.1.0.8\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}}");
    paths_take_addresses(&paths);
    assert_int_equal(paths.target_count, 0);
}

static void test_what_is_too_much_is_left_out_and_told(void **state)
{
    (void)state;
    char name[32], address[32];
    for (unsigned i = 0; i < PATHS_SERVICES + 1; i++) {
        snprintf(name, sizeof(name), "s%u", i);
        service(name, "", i == 0 ? SHOP : "{\"app\":\"none\"}", PORT_HTTP);
    }
    assert_true(paths.more);
    assert_false(paths.rest);
    paths.more = false;
    for (unsigned i = 0; i < PATHS_PODS + 1; i++) {
        snprintf(name, sizeof(name), "shop-%05u", i);
        snprintf(address, sizeof(address), "10.1.%u.%u", i / 250, 1 + i % 250);
        pod(name, address, SHOP, "");
    }
    assert_true(paths.rest);
    assert_false(paths.more);
    assert_int_equal(paths.pod_count, PATHS_PODS);
    assert_int_equal(paths.target_count, PATHS_PODS);
}

/* Asks the next part, of at most three pods, all of which are bare; each sixth has few ports. True:
 * one more. */
static bool ask_part(unsigned first, unsigned pods, unsigned ports, unsigned asked[20])
{
    char name[32], address[32], more[512], after[PATH_NAME_CAP] = "";
    struct tallies before = tallies;
    if (paths.pod_count > 0 && paths.rest)
        snprintf(after, sizeof(after), "%s", paths.pods[paths.pod_count - 1].name);
    paths_free(&paths);
    assert_true(paths_begin(&paths, "prod", after) && tallies_begin(&tallies));
    paths.pods_max = 3;
    tallies_add(&tallies, "shop", true);
    if (before.count > 0)
        tallies_carry(&tallies, &before);
    tallies_free(&before);
    for (unsigned i = 0; i < ports; i++) {
        snprintf(name, sizeof(name), "s%03u", i / PATHS_PORTS);
        if (i % PATHS_PORTS > 0)
            continue;
        snprintf(more, sizeof(more), "{\"name\":\"http\",\"port\":%u}", 1000 + i);
        for (unsigned k = 1; k < PATHS_PORTS && i + k < ports; k++)
            snprintf(more + strlen(more), sizeof(more) - strlen(more),
                     ",{\"name\":\"http-%u\",\"port\":%u}", k, 1000 + i + k);
        service(name, "", i == 0 ? SHOP : SHOP_MANY, more);
    }
    for (unsigned i = first; i < pods; i++) {
        snprintf(name, sizeof(name), "shop-%02u", i);
        snprintf(address, sizeof(address), "10.1.0.%u", i + 1);
        pod(name, address, i % 6 == 5 ? SHOP : SHOP_MANY,
            ",\"annotations\":{\"guard.security/service\":\"shop\"}");
    }
    tallies_own(&tallies, &paths);
    for (uint32_t i = 0; i < paths.target_count; i++) {
        const struct canary_result bare = {.outcome = CANARY_BARE, .status = 404};
        tally_result(&paths, &paths.targets[i], &bare);
    }
    for (uint32_t i = 0; i < paths.pod_count; i++)
        asked[strtoul(paths.pods[i].name + 5, NULL, 10)]++;
    tally_count(&tallies.list[0], 0, &paths);
    return paths.rest;
}

static void test_parts_ask_each_pod_once_and_are_counted_together(void **state)
{
    (void)state;
    unsigned asked[20] = {0};
    struct canary_state canary = {.doubted = true};
    assert_true(ask_part(0, 10, 1, asked));
    assert_true(ask_part(0, 10, 1, asked));
    assert_true(ask_part(2, 10, 1, asked));  /* two that were asked are gone, */
    assert_false(ask_part(2, 11, 1, asked)); /* and one came */
    for (unsigned i = 0; i < 11; i++)
        assert_int_equal(asked[i], 1);
    tally_conclude(&tallies.list[0], false, &canary);
    assert_non_null(strstr(canary.message, "11 of 11 pods answer without a gate"));
    assert_int_equal(tallies.list[0].pods, 11);
}

/* Without room for all ports of a pod it is the next part's, whole. */
static void test_ports_dont_fall_between_parts(void **state)
{
    (void)state;
    unsigned asked[20] = {0};
    assert_true(ask_part(0, 6, 1800, asked));
    assert_int_equal(paths.pod_count, 2);
    assert_false(paths.more);
    assert_true(ask_part(0, 6, 1800, asked));
    assert_false(ask_part(0, 6, 1800, asked));
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(asked[i], 1);
    assert_int_equal(tallies.list[0].bare, 6);
}

static void test_who_came_in_a_later_part_waits(void **state)
{
    (void)state;
    unsigned asked[20] = {0};
    struct tallies before;
    struct canary_state canary = {.status = NULL};
    assert_true(ask_part(0, 5, 1, asked));
    before = tallies;
    assert_true(tallies_begin(&tallies));
    tallies_add(&tallies, "cart", true);
    tallies_add(&tallies, "shop", true);
    tallies_carry(&tallies, &before);
    assert_false(tallies.list[0].keyed);
    assert_int_equal(tallies.list[0].pods, 0);
    assert_true(tallies.list[1].keyed);
    assert_int_equal(tallies.list[1].bare, 3);
    tally_conclude(&tallies.list[0], false, &canary);
    assert_null(canary.status);
    before.list[0].keyed = false; /* there was no policy to ask by */
    tallies_carry(&tallies, &before);
    assert_false(tallies.list[1].keyed);
    tallies_free(&before);
}

static void test_pods_are_of_the_guardian_of_their_workload(void **state)
{
    (void)state;
    static const char *const whose[] = {"shop", "shop", "cart", "cart", "front", "shop"};
    tallies_add(&tallies, "front", true);
    tallies_add(&tallies, "shop", true);
    tallies_add(&tallies, "cart", false);
    service("front", "10.96.0.1", SHOP, PORT_HTTP);
    pod("shop-5d9-a", "10.1.0.1", "{\"app\":\"shop\",\"pod-template-hash\":\"5d9\"}",
        ",\"ownerReferences\":[{\"name\":\"x\"},{\"name\":\"shop-5d9\",\"controller\":true}]");
    pod("b", "10.1.0.2", SHOP, ",\"annotations\":{\"guard.security/service\":\"prod.shop\"}");
    pod("c", "10.1.0.3", SHOP, ",\"annotations\":{\"guard.security/service\":\"cart\"}");
    pod("cart", "10.1.0.4", SHOP, "");
    pod("d", "10.1.0.5", SHOP, ""); /* of its Service */
    pod("e", "10.1.0.6", "{\"app\":\"shop\",\"serving.knative.dev/service\":\"shop\"}", "");
    paths_take_addresses(&paths);
    tallies_own(&tallies, &paths);
    assert_int_equal(paths.target_count, 7);
    for (uint32_t i = 0; i < 6; i++)
        assert_string_equal(tallies.list[paths.targets[i].owner].name, whose[i]);
    assert_string_equal(tallies.list[paths.targets[6].owner].name, "front");
    assert_true(tallies_asks(&tallies, &paths.targets[0]));
    assert_false(tallies_asks(&tallies, &paths.targets[2])); /* there is no policy to ask by */
}

/* --- conclusions --- */

static void answer(uint32_t index, enum canary_outcome outcome, const char *said, unsigned status)
{
    struct canary_result result = {.outcome = outcome, .status = status};
    snprintf(result.gate.pod, sizeof(result.gate.pod), "%s", said);
    tally_result(&paths, &paths.targets[index], &result);
}

/* Three pods and an address, asked for one Guardian. */
static void three(void)
{
    tallies_add(&tallies, "shop", true);
    service("shop", "10.96.0.1", SHOP, PORT_HTTP);
    pod("shop-1", "10.1.0.1", SHOP, "");
    pod("shop-2", "10.1.0.2", SHOP, "");
    pod("shop-3", "10.1.0.3", SHOP, "");
    paths_take_addresses(&paths);
    tallies_own(&tallies, &paths);
    answer(0, CANARY_PROVED, "shop-1", 200);
    answer(1, CANARY_PROVED, "SHOP-2.prod.svc", 200);
    answer(2, CANARY_PROVED, "shop-3", 200);
    answer(3, CANARY_PROVED, "shop-2", 200);
}

static void conclude(struct canary_state *canary, const char *status, const char *reason,
                     const char *message)
{
    struct tally tally = tallies.list[0];
    tally_count(&tally, 0, &paths);
    tally_conclude(&tally, false, canary);
    if (status == NULL)
        assert_null(canary->status);
    else
        assert_string_equal(canary->status, status);
    assert_string_equal(canary->reason, reason);
    if (strstr(canary->message, message) == NULL)
        fail_msg("%s: not in: %s", message, canary->message);
}

static void test_all_proved(void **state)
{
    (void)state;
    struct canary_state canary = {.status = NULL};
    three();
    conclude(&canary, "False", "Proved", "gates of 3 of 3 pods answered; so did one behind");
    answer(3, CANARY_SILENT, "", 0);
    conclude(&canary, "False", "PodsProved", "the Service's address gave no answer");
}

static void test_bad_news_must_come_twice(void **state)
{
    (void)state;
    struct canary_state canary = {.status = NULL};
    three();
    conclude(&canary, "False", "Proved", "");
    answer(1, CANARY_BARE, "", 404);
    conclude(&canary, "False", "Proved", "");
    assert_true(canary.doubted);
    conclude(
        &canary, "True", "PodsUnguarded",
        "1 of 3 pods answer without a gate that has its policy: shop-2 (port 14080, status 404)");
    assert_false(canary.doubted);
    answer(1, CANARY_PROVED, "shop-2", 200);
    conclude(&canary, "False", "Proved", ""); /* good ones at once */
    answer(1, CANARY_BARE, "", 404);
    conclude(&canary, "False", "Proved", ""); /* and doubt begins anew */
    answer(1, CANARY_PROVED, "shop-2", 200);
    conclude(&canary, "False", "Proved", "");
    answer(1, CANARY_BARE, "", 404);
    conclude(&canary, "False", "Proved", "");
}

static void test_what_is_silent_is_unknown_and_hides_no_bare_one(void **state)
{
    (void)state;
    struct canary_state canary = {.doubted = true};
    three();
    answer(0, CANARY_SILENT, "", 0);
    conclude(&canary, "Unknown", "NoAnswer", "1 of 3 pods gave no answer: shop-1; gates of 2 did");
    answer(2, CANARY_BARE, "", 0);
    canary.doubted = true;
    conclude(&canary, "True", "PodsUnguarded",
             "1 of 3 pods answer without a gate that has its policy: shop-3");
    assert_null(strstr(canary.message, "shop-1"));
}

static void test_who_answers_must_be_who_was_asked(void **state)
{
    (void)state;
    struct canary_state canary = {.doubted = true};
    three();
    answer(0, CANARY_PROVED, "shop-2", 200);
    conclude(&canary, "True", "PodsUnguarded", "shop-1 (another pod's gate answered)");
    answer(0, CANARY_PROVED, "shop-11", 200);
    conclude(&canary, "True", "PodsUnguarded", "");
    answer(0, CANARY_PROVED, "shop-1", 200);
    conclude(&canary, "False", "Proved", "");
}

static void test_an_address_that_leads_past(void **state)
{
    (void)state;
    struct canary_state canary = {.doubted = true};
    three();
    answer(3, CANARY_BARE, "", 200);
    conclude(&canary, "True", "ServiceLeadsPast", "the address of Service shop");
}

static void test_who_wasnt_asked_isnt_counted(void **state)
{
    (void)state;
    struct canary_state canary = {.status = NULL};
    struct tally tally;
    three();
    paths.targets[2].result = TARGET_PENDING;
    tally = tallies.list[0];
    tally_count(&tally, 0, &paths);
    tally_conclude(&tally, true, &canary);
    assert_string_equal(canary.status, "False");
    assert_non_null(
        strstr(canary.message, "gates of 2 of 2 pods that were asked, of more answered"));
}

static void test_nothing_to_ask(void **state)
{
    (void)state;
    struct canary_state canary = {.status = "False", .doubted = true};
    tallies_add(&tallies, "shop", true);
    conclude(&canary, NULL, "", "no ready pod");
    tallies.list[0].keyed = false;
    conclude(&canary, NULL, "", "its policy isn't there yet");
}

static void test_many_names_are_cut(void **state)
{
    (void)state;
    struct canary_state canary = {.doubted = true};
    char name[PATH_NAME_CAP], address[32];
    tallies_add(&tallies, "shop", true);
    service("shop", "", SHOP, PORT_HTTP);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "shop-%0*u", (int)(i % 240) + 1, i);
        snprintf(address, sizeof(address), "10.1.1.%u", i + 1);
        pod(name, address, SHOP, "");
    }
    tallies_own(&tallies, &paths);
    for (uint32_t i = 0; i < paths.target_count; i++)
        answer(i, CANARY_BARE, "", 200);
    conclude(&canary, "True", "PodsUnguarded", "200 of 200 pods answer");
    assert_non_null(strstr(canary.message, ", ..."));
    assert_null(strstr(canary.message, "..., ..."));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_service_leads_to_the_pods_that_it_selects),
        TEST(test_a_port_behind_two_services_is_asked_once),
        TEST(test_ports_are_those_that_speak_http),
        TEST(test_nobody_else_is_asked),
        TEST(test_what_is_too_much_is_left_out_and_told),
        TEST(test_parts_ask_each_pod_once_and_are_counted_together),
        TEST(test_ports_dont_fall_between_parts),
        TEST(test_who_came_in_a_later_part_waits),
        TEST(test_pods_are_of_the_guardian_of_their_workload),
        TEST(test_all_proved),
        TEST(test_bad_news_must_come_twice),
        TEST(test_what_is_silent_is_unknown_and_hides_no_bare_one),
        TEST(test_who_answers_must_be_who_was_asked),
        TEST(test_an_address_that_leads_past),
        TEST(test_who_wasnt_asked_isnt_counted),
        TEST(test_nothing_to_ask),
        TEST(test_many_names_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
