/* SPDX-License-Identifier: Apache-2.0 */
/* A PodList as Kubernetes writes it names pods and containers; a broken one names where. */
#include "common/pods/pod_list.h"

#include <string.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char list_text[] =
    "{\"kind\":\"PodList\",\"metadata\":{},\"items\":[{\"metadata\":{\"name\":\"cart-7d9f-x\","
    "\"namespace\":\"shop\",\"uid\":\"u-1\",\"labels\":{\"app\":\"cart\",\"pod-template-hash\":"
    "\"7d9f\"},\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":\"cart-7d9f\"}]},\"spec\":"
    "{\"containers\":[{\"name\":\"app\"}]},\"status\":{\"containerStatuses\":[{\"name\":\"app\","
    "\"containerID\":\"containerd://c1\",\"imageID\":\"r.example/cart@sha256:aa\"}]}},"
    "{\"metadata\":{\"name\":\"static\",\"uid\":\"u-2\",\"annotations\":{"
    "\"kubernetes.io/config.hash\":\"h-2\"}}},{\"metadata\":{\"name\":\"no uid\"}}]}";

static enum guard_rc parse(struct pod_list **out, const char *text, struct guard_err *err)
{
    return pod_list_parse(out, (struct guard_span){(const uint8_t *)text, strlen(text)}, err);
}

static void is(struct guard_span text, const char *want)
{
    assert_int_equal(text.len, strlen(want));
    if (text.len > 0)
        assert_memory_equal(text.ptr, want, text.len);
}

static void test_names(void **state)
{
    struct pod_list *list;
    struct guard_err err;
    struct guard_pod_identity id = {0};
    struct pod_cgroup names = {.pod = "u-1", .container = "c1", .kubernetes = true};
    assert_int_equal(parse(&list, list_text, &err), GUARD_OK);
    assert_int_equal(pod_list_pods(list), 2);
    assert_true(pod_list_name(list, &names, &id));
    is(id.name_space, "shop");
    is(id.workload, "cart");
    is(id.pod, "cart-7d9f-x");
    is(id.container, "app");
    is(id.image, "sha256:aa");
    is(id.template_hash, "7d9f");
    id = (struct guard_pod_identity){.container = GUARD_SPAN_LITERAL("kept")};
    memcpy(names.pod, "h-2", 4); /* static pods' groups have the hash of their file */
    assert_true(pod_list_name(list, &names, &id));
    is(id.pod, "static");
    is(id.workload, "static");
    is(id.container, "kept");
    memcpy(names.pod, "u-9", 4);
    assert_false(pod_list_name(list, &names, &id));
    assert_false(pod_list_name(NULL, &names, &id));
    pod_list_free(list);
}

static void test_broken(void **state)
{
    struct pod_list *list = NULL;
    struct guard_err err;
    char text[sizeof(list_text)];
    memcpy(text, list_text, sizeof(text));
    for (size_t len = 0; len < sizeof(list_text) - 1; len++) {
        text[len] = '\0';
        assert_int_not_equal(parse(&list, text, &err), GUARD_OK);
        text[len] = list_text[len];
    }
    assert_int_equal(parse(&list, "[]", &err), GUARD_E_SYNTAX);
    assert_non_null(strstr(err.text, "no PodList at byte"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
