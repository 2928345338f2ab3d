/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a control group is, by the names of both drivers, several runtimes and hostile ones. */
#include "common/pods/cgroup_name.h"

#include <string.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID "0f2dabcd-1111-4222-8333-0123456789ab"
#define UID_SYSTEMD "0f2dabcd_1111_4222_8333_0123456789ab"

static void check(const char *path, const char *pod, const char *container)
{
    struct pod_cgroup names;
    struct guard_span text = {(const uint8_t *)path, strlen(path)};
    assert_int_equal(pod_cgroup_of_path(&names, text), pod != NULL);
    if (pod != NULL)
        assert_string_equal(names.pod, pod);
    assert_string_equal(names.container, container);
}

static void test_drivers_and_runtimes(void **state)
{
    check("/kubepods/burstable/pod" UID "/" ID, UID, ID);
    check("/kubepods/pod" UID "/" ID "/", UID, ID);
    check("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_SYSTEMD
          ".slice/cri-containerd-" ID ".scope",
          UID, ID);
    check("/kubepods.slice/kubepods-pod" UID_SYSTEMD ".slice/crio-" ID ".scope", UID, ID);
    check("/kubepods/besteffort/pod0123456789abcdef0123456789abcdef/" ID,
          "0123456789abcdef0123456789abcdef", ID); /* a static pod's */
}

static void test_what_a_container_makes_inside_names_nothing(void **state)
{
    check("/kubepods/pod" UID "/" ID "/system.slice/nginx.service", UID, ID);
    check("/kubepods/pod" UID "/" ID "/podfake/x", UID, ID);
}

static void test_the_nearest_pod_counts(void **state)
{
    check("/kubepods/podaaaaaaaa-1111-4222-8333-0123456789ab/" ID "/kubepods/pod" UID "/" ID, UID,
          ID);
}

static void test_others(void **state)
{
    check("/docker/" ID, ID, "-");
    check("/system.slice/docker-" ID ".scope", ID, "-");
    check("/system.slice/cart.service", "cart.service", "-");
    check("/system.slice/cart.service/worker.service", "cart.service", "-");
    check("/", NULL, "-");
    check("", NULL, "-");
    check("/kubepods/burstable", NULL, "-");
    check("/kubepods/pod" UID, UID, "-");
    check("/user.slice/podcast", NULL, "-");
}

static void test_hostile(void **state)
{
    struct pod_cgroup names;
    char path[8192];
    memset(path, '/', sizeof(path));
    assert_false(pod_cgroup_of_path(&names, (struct guard_span){(uint8_t *)path, sizeof(path)}));
    memset(path, 'a', sizeof(path));
    assert_true(pod_cgroup_of_path(&names, (struct guard_span){(uint8_t *)path, sizeof(path)}));
    assert_int_equal(strlen(names.pod), POD_CGROUP_CAP - 1);
    check("/kubepods/pod" UID "/a b\n\x01\"\\", UID, "a_b____");
}

static void test_cleaning(void **state)
{
    char out[6];
    pod_name_clean(out, sizeof(out), GUARD_SPAN_LITERAL(""));
    assert_string_equal(out, "-");
    pod_name_clean(out, sizeof(out),
                   GUARD_SPAN_LITERAL("a/b\x7f\xff"
                                      "cde"));
    assert_string_equal(out, "a_b__");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drivers_and_runtimes),
        cmocka_unit_test(test_what_a_container_makes_inside_names_nothing),
        cmocka_unit_test(test_the_nearest_pod_counts),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_cleaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
