/* SPDX-License-Identifier: Apache-2.0 */
/* The guide's example is read as it says; destinations are what they look like. */
#include "responder/config.h"

#include "responder/config_values.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *guide_path;
static struct responder_cfg cfg;
static struct guard_arena arena;

static void the_guides_example_is_read(void **state)
{
    struct guard_err err = {""};
    uint8_t *bytes;
    size_t len;
    (void)state;
    assert_int_equal(file_read(guide_path, DOCUMENT_BYTES_MAX, &bytes, &len, &err), GUARD_OK);
    const char *begin = strstr((char *)bytes, "```yaml\n") + 8;
    const char *end = strstr(begin, "```");
    const struct guard_span text = {(const uint8_t *)begin, (size_t)(end - begin)};
    assert_int_equal(config_parse(&cfg, "guide", text, &arena, &err), GUARD_OK);
    const struct workload_cfg *cart = config_workload(&cfg, "shop", "cart", "app");
    assert_non_null(cart);
    assert_false(cfg.dry_run || cart->plan.dry_run);
    assert_int_equal(cart->plan.steps, (1 << GUARD_POD_STEPS) - 1);
    assert_true(cart->steps[GUARD_POD_REMOVE].kill);
    assert_string_equal(cart->steps[GUARD_POD_WAIT_READY].command[0], "/etc/guard/is-ready");
    assert_int_equal(cart->steps[GUARD_POD_WAIT_READY].every_ms, 2000);
    assert_int_equal(cart->plan.timeout_ms[GUARD_POD_CAPTURE], 10000);
    assert_int_equal(cfg.allow_count, 2);
    assert_null(config_workload(&cfg, "shop", "other", "app"));
    free(bytes);
}

static void all_is_off_unless_it_is_said(void **state)
{
    struct guard_err err = {""};
    (void)state;
    const struct guard_span text = GUARD_SPAN_LITERAL(
        "apiVersion: guard/v1alpha1\nkind: Responder\nstate: /a\nguardState: /b\ncgroupRoot: /c\n"
        "workloads: [{namespace: n, workload: w}]\n");
    assert_int_equal(config_parse(&cfg, "c", text, &arena, &err), GUARD_OK);
    assert_true(cfg.dry_run && cfg.workloads[0].plan.dry_run);
    assert_int_equal(cfg.workloads[0].plan.steps, 0);
    assert_int_equal(cfg.by, CONTAIN_BY_DENY);
}

/* The steps of a cluster: what they are done by, and what they need of each other. */
static void steps_of_a_cluster_are_read(void **state)
{
    static const char head[] = "apiVersion: guard/v1alpha1\nkind: Responder\nstate: /a\n"
                               "guardState: /b\ncgroupRoot: /c\n%s\n"
                               "workloads: [{namespace: n, workload: w, steps: {%s}}]\n";
    static const struct {
        const char *more, *steps, *complaint; /* NULL: it is fine */
    } cases[] = {
        {"kubernetes: in-cluster", "remove: {evict: true}", NULL},
        {"kubernetes: /k", "outOfService: {relabel: {app: '', a.b/c: d}, denyPolicy: true}", NULL},
        {"kubernetes: in-cluster",
         "outOfService: {relabel: {app: ''}, keep: 1}, waitReady: {replacement: true}", NULL},
        {"", "remove: {evict: true}", "kubernetes is needed for remove"},
        {"kubernetes: somewhere", "remove: {evict: true}", "must be an absolute path"},
        {"kubernetes: /k", "remove: {evict: true, kill: true}", "one of command, kill"},
        {"kubernetes: /k", "waitReady: {replacement: true}", "needs outOfService: relabel"},
        {"kubernetes: /k", "outOfService: {denyPolicy: true}", "denyPolicy needs relabel"},
        {"kubernetes: /k", "outOfService: {relabel: {}}", "either command or relabel"},
        {"kubernetes: /k", "outOfService: {relabel: {'a b': ''}}", "is no label"},
        {"kubernetes: /k", "outOfService: {relabel: {guard.security/quarantined: ''}}", "of ours"},
        {"kubernetes: /k", "outOfService: {relabel: {a: 'x y'}}", "is no label"},
        {"kubernetes: /k", "outOfService: {relabel: {a: ''}, keep: 0}", "a number from 1"},
        {"kubernetes: /k", "contain: {evict: true}", "unknown member"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_err err = {""};
        char text[1024];
        int len = snprintf(text, sizeof(text), head, cases[i].more, cases[i].steps);
        const struct guard_span span = {(const uint8_t *)text, (size_t)len};
        enum guard_rc rc = config_parse(&cfg, "c", span, &arena, &err);
        if (cases[i].complaint == NULL) {
            assert_int_equal(rc, GUARD_OK);
        } else {
            assert_int_not_equal(rc, GUARD_OK);
            assert_non_null(strstr(err.text, cases[i].complaint));
            assert_non_null(strstr(err.text, "c:"));
        }
    }
}

static enum guard_rc destination(const char *text, struct contain_allow *out)
{
    struct document document = {.name = "c"};
    struct guard_err err;
    struct document_node node = {.kind = DOCUMENT_SCALAR,
                                 .text = {(const uint8_t *)text, strlen(text)}};
    const struct reading reading = {&document, &err};
    return read_destination(&reading, &node, out);
}

static void destinations_are_what_they_look_like(void **state)
{
    static const char *const wrong[] = {
        "",           "10.0.0.0/33", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:",   "host:53",
        "[fd00::]53", "[fd00::",     "fd00::/129", "10.0.0.1/",      "10.0.0.1/8x", "10.0.0.1:5x"};
    struct contain_allow out;
    (void)state;
    assert_int_equal(destination("10.1.2.0/24:53", &out), GUARD_OK);
    assert_int_equal(out.address[3], htonl(0x0a010200));
    assert_int_equal(out.address[2], htonl(0xffff));
    assert_int_equal(out.mask[3], htonl(0xffffff00));
    assert_int_equal(out.mask[0], 0xffffffff);
    assert_int_equal(out.port, htons(53));
    assert_int_equal(destination("[fd00::/8]:443", &out), GUARD_OK);
    assert_int_equal(out.mask[0], htonl(0xff000000));
    assert_int_equal(out.mask[3], 0);
    assert_int_equal(destination("fd00::1", &out), GUARD_OK);
    assert_int_equal(out.mask[3], 0xffffffff);
    assert_int_equal(out.port, 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(destination(wrong[i], &out), GUARD_E_RANGE);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guides_example_is_read),
        cmocka_unit_test(all_is_off_unless_it_is_said),
        cmocka_unit_test(steps_of_a_cluster_are_read),
        cmocka_unit_test(destinations_are_what_they_look_like),
    };
    struct guard_alloc heap = heap_alloc();
    guide_path = argc > 1 ? argv[1] : "docs/guide/pod-responder.md";
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guard_arena_reset(&arena);
    return failed;
}
