/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of a pod's object, and that a sensor that reads the list names records by just that.
 */
#include "common/kubernetes/pod_facts.h"

#include "common/file.h"
#include "common/kubernetes/json_tree.h"
#include "common/pods/pod_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct pod_facts facts;
static struct guard_arena arena; /* of the last tree */

static bool read_text(const char *text)
{
    const struct guard_alloc heap = heap_alloc();
    struct guard_err err;
    struct document_node *root = NULL;
    guard_arena_reset(&arena);
    guard_arena_init(&arena, &heap, 1 << 20);
    assert_int_equal(json_tree_parse(&root,
                                     (struct guard_span){(const uint8_t *)text, strlen(text)},
                                     &arena, &err),
                     GUARD_OK);
    return pod_facts_read(&facts, root);
}

static const char deployed[] =
    "{\"metadata\":{\"name\":\"cart-7d9f-x\",\"namespace\":\"shop\",\"uid\":\"u-1\","
    "\"labels\":{\"controller-revision-hash\":\"r\",\"pod-template-hash\":\"7d9f\"},"
    "\"ownerReferences\":[{\"kind\":\"Other\",\"name\":\"no\"},{\"kind\":\"ReplicaSet\","
    "\"name\":\"cart-7d9f\",\"controller\":true}]},"
    "\"spec\":{\"nodeName\":\"node-1\",\"containers\":[{\"name\":\"app\"},{\"name\":\"late\"}]},"
    "\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"app\",\"containerID\":"
    "\"containerd://c2\",\"imageID\":\"r.example/cart@sha256:aa\",\"lastState\":{\"terminated\":{"
    "\"containerID\":\"containerd://c1\"}}}]}}";

static void test_a_deployments_pod(void **state)
{
    (void)state;
    assert_true(read_text(deployed));
    assert_string_equal(facts.name, "cart-7d9f-x");
    assert_string_equal(facts.owner, "cart-7d9f");
    assert_string_equal(facts.workload, "cart");
    assert_string_equal(facts.template_hash, "7d9f");
    assert_string_equal(facts.service, "shop.cart");
    assert_string_equal(facts.node, "node-1");
    assert_false(facts.ended);
    assert_int_equal(facts.container_count, 3);
    assert_string_equal(facts.containers[0].id, "containerd://c2");
    assert_string_equal(facts.containers[1].name, "late");
    assert_string_equal(facts.containers[1].id, "");
    assert_string_equal(facts.containers[2].name, "app");
    assert_string_equal(facts.containers[2].id, "containerd://c1");
}

static void is(struct guard_span text, const char *want)
{
    assert_int_equal(text.len, strlen(want));
    assert_memory_equal(text.ptr, want, text.len);
}

static void named(const struct pod_list *list, const char *container, enum pod_listed want)
{
    struct guard_pod_identity id = {.container = GUARD_SPAN_LITERAL("-")};
    struct pod_cgroup names = {.pod = "u-1", .kubernetes = true};
    snprintf(names.container, sizeof(names.container), "%s", container);
    assert_int_equal(pod_list_name(list, &names, &id), want);
    is(id.name_space, facts.name_space);
    is(id.pod, facts.name);
    is(id.workload, facts.workload);
    is(id.template_hash, facts.template_hash);
    is(id.service, facts.service);
    is(id.container, want == POD_LISTED_CONTAINER ? "app" : "-");
}

static void test_the_list_says_the_same(void **state)
{
    char text[4096];
    struct json_writer json;
    struct guard_err err;
    struct pod_list *list;
    (void)state;
    assert_true(read_text(deployed));
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_open(&json, "items", '[');
    pod_facts_write(&facts, &json);
    json_close(&json, ']');
    json_close(&json, '}');
    assert_false(json.overflow);
    assert_int_equal(
        pod_list_parse(&list, (struct guard_span){(const uint8_t *)text, json.len}, &err),
        GUARD_OK);
    named(list, "c2", POD_LISTED_CONTAINER);
    named(list, "c1", POD_LISTED_CONTAINER); /* what it did before it was restarted */
    named(list, "c0", POD_LISTED);
    pod_list_free(list);
}

static void test_whose_a_pod_is(void **state)
{
    static const struct {
        const char *owner, *labels, *workload;
    } cases[] = {
        {"", "", "p-1"},
        {"{\"kind\":\"Job\",\"name\":\"dump-28391230\",\"controller\":true}", "", "dump"},
        {"{\"kind\":\"Job\",\"name\":\"dump-2024\",\"controller\":true}", "", "dump-2024"},
        {"{\"kind\":\"Job\",\"name\":\"28391230\",\"controller\":true}", "", "28391230"},
        {"{\"kind\":\"StatefulSet\",\"name\":\"db\",\"controller\":true}",
         "\"controller-revision-hash\":\"db-77\"", "db"},
        {"{\"kind\":\"Node\",\"name\":\"node-1\",\"controller\":true}", "", "p-1"},
        {"{\"kind\":\"ReplicaSet\",\"name\":\"web-1\",\"controller\":true}",
         "\"pod-template-hash\":\"2\"", "web-1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];
        snprintf(
            text, sizeof(text),
            "{\"metadata\":{\"name\":\"p-1\",\"namespace\":\"n\",\"uid\":\"u\",\"labels\":{%s},"
            "\"ownerReferences\":[%s]},\"spec\":{},\"status\":{\"phase\":\"Failed\"}}",
            cases[i].labels, cases[i].owner);
        assert_true(read_text(text));
        assert_string_equal(facts.workload, cases[i].workload);
        assert_true(facts.ended);
    }
}

/* Who makes a pod says what its gate's service is: of its own namespace, or it doesn't count. */
static void test_its_service(void **state)
{
    static const char *const cases[][2] = {
        {"n.other", "n.other"}, {"m.other", "n.p"}, {"n", "n.p"},
        {"n.*", "n.p"},         {"n./x", "n.p"},    {"nn.other", "n.p"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];
        snprintf(text, sizeof(text),
                 "{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\",\"uid\":\"u\"},\"spec\":{"
                 "\"initContainers\":[{\"name\":\"guard\",\"args\":[\"run\",\"--service\",\"%s\"]}]"
                 "}}",
                 cases[i][0]);
        assert_true(read_text(text));
        assert_string_equal(facts.service, cases[i][1]);
    }
    char text[1024], name[64];
    memset(name, 'a', sizeof(name));
    name[63] = '\0';
    snprintf(text, sizeof(text),
             "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"n\",\"uid\":\"u\"}}", name);
    assert_true(read_text(text));
    assert_string_equal(facts.service, ""); /* no service's name is so long */
}

static void test_what_is_no_pod(void **state)
{
    static const char *const cases[] = {
        "{}",
        "{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\"}}",
        "{\"metadata\":{\"name\":\"p\",\"uid\":\"u\"}}",
        "{\"metadata\":{\"namespace\":\"n\",\"uid\":\"u\"}}",
        "{\"metadata\":[]}",
    };
    char text[8192];
    size_t len = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_false(read_text(cases[i]));
    /* Half a name would be another pod's. */
    char name[400];
    memset(name, 'a', sizeof(name));
    name[POD_FACTS_NAME_CAP] = '\0';
    snprintf(text, sizeof(text),
             "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"n\",\"uid\":\"u\"}}", name);
    assert_false(read_text(text));
    /* And more containers than there is room for are no part of them. */
    len = (size_t)snprintf(text, sizeof(text),
                           "{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\",\"uid\":\"u\"},"
                           "\"spec\":{\"containers\":[");
    for (int i = 0; i <= POD_FACTS_CONTAINERS_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s{\"name\":\"c%d\"}",
                                i > 0 ? "," : "", i);
    snprintf(text + len, sizeof(text) - len, "]}}");
    assert_false(read_text(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_deployments_pod), cmocka_unit_test(test_the_list_says_the_same),
        cmocka_unit_test(test_whose_a_pod_is),    cmocka_unit_test(test_its_service),
        cmocka_unit_test(test_what_is_no_pod),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guard_arena_reset(&arena);
    return failed;
}
