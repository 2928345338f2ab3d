/* SPDX-License-Identifier: Apache-2.0 */
/* outputs.yaml: what is read, what stands there when nothing is said, and that each mistake is
 * refused with its place. */
#include "common/outputs/document.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "apiVersion: guard/v1alpha1\nkind: Outputs\n"

static struct outputs_document document;

static enum guard_rc parse(const char *text, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    enum guard_rc rc = outputs_parse(
        &document, "o", (struct guard_span){(const uint8_t *)text, strlen(text)}, &arena, err);
    guard_arena_reset(&arena);
    return rc;
}

static void test_reads(void **state)
{
    (void)state;
    struct guard_err err;
    assert_int_equal(
        parse(HEAD "foldSeconds: 5\n"
                   "outputs:\n"
                   "  - {name: a, type: webhook, url: 'https://h.example:8443/x?y=1', form: ecs,\n"
                   "     secretFile: /s, tokenFile: /t, caFile: /c, batch: 7}\n"
                   "  - {name: b, type: alertmanager, url: 'http://[::1]:9093', services: [s, t],\n"
                   "     actions: [block, pass], leastScore: 2.5}\n"
                   "  - {name: c, type: syslog, address: 'tcp://[::1]:601', facility: authpriv}\n"
                   "  - {name: d, type: syslog, address: 'unix:/dev/log'}\n"
                   "  - {name: e, type: file, path: /f, maxMiB: 3}\n",
              &err),
        GUARD_OK);
    const struct output_cfg *list = document.list;
    assert_int_equal(document.count, 5);
    assert_int_equal(document.fold_s, 5);
    assert_string_equal(list[0].target, "https://h.example:8443");
    assert_string_equal(list[0].path, "/x?y=1");
    assert_int_equal(list[0].form, OUTPUT_OF_ECS);
    assert_int_equal(list[0].batch, 7);
    assert_string_equal(list[0].secret_file, "/s");
    assert_string_equal(list[1].target, "http://[::1]:9093");
    assert_string_equal(list[1].path, "/api/v2/alerts");
    assert_int_equal(list[1].actions, OUTPUT_BLOCK | OUTPUT_PASS);
    assert_int_equal(list[1].service_count, 2);
    assert_string_equal(list[1].services[1], "t");
    assert_true(list[1].least_score > 2.4 && list[1].least_score < 2.6);
    assert_int_equal(list[2].facility, 10);
    assert_int_equal(list[3].facility, 16);
    assert_int_equal(list[3].actions, OUTPUT_PASS | OUTPUT_ALERT | OUTPUT_BLOCK);
    assert_int_equal(list[4].max_mib, 3);
    assert_int_equal(list[4].batch, 100);
    assert_int_equal(parse(HEAD "outputs: []\n", &err), GUARD_OK);
    assert_int_equal(document.count, 0);
    assert_int_equal(document.fold_s, 60);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum guard_rc rc;
        const char *message;
    } cases[] = {
        {"kind: Outputs\n", GUARD_E_SYNTAX, "o:1:1: apiVersion and kind are needed"},
        {"apiVersion: guard/v9\nkind: Outputs\n", GUARD_E_VERSION, "o:1:13: apiVersion: must be"},
        {HEAD "outputs: x\n", GUARD_E_SYNTAX, "o:3:10: outputs: must be a list"},
        {HEAD "output: []\n", GUARD_E_SYNTAX, "o:3:1: unknown member \"output\""},
        {HEAD "foldSeconds: 0\n", GUARD_E_RANGE, "o:3:14: must be a number from 1 to 3600"},
        {HEAD "foldSeconds: 3601\n", GUARD_E_RANGE, "from 1 to 3600"},
        {HEAD "outputs: [x]\n", GUARD_E_SYNTAX, "o:3:11: each output must be a mapping"},
        {HEAD "outputs: [{name: a}]\n", GUARD_E_SYNTAX, "o:3:11: name and type are needed"},
        {HEAD "outputs: [{name: ../a, type: file, path: /x}]\n", GUARD_E_RANGE, "must be 1 to 32"},
        {HEAD "outputs: [{name: a, type: mail}]\n", GUARD_E_RANGE, "must be file, webhook"},
        {HEAD "outputs: [{name: a, type: file}]\n", GUARD_E_SYNTAX, "path: is needed"},
        {HEAD "outputs: [{name: a, type: file, path: x}]\n", GUARD_E_RANGE, "an absolute path"},
        {HEAD "outputs: [{name: a, type: file, path: /x, url: y}]\n", GUARD_E_RANGE,
         "url: doesn't belong to the type file"},
        {HEAD "outputs: [{name: a, type: webhook, url: 'ftp://x'}]\n", GUARD_E_RANGE,
         "url: must be http://"},
        {HEAD "outputs: [{name: a, type: webhook, url: 'http://user@x/'}]\n", GUARD_E_RANGE,
         "url: must be http://"},
        {HEAD "outputs: [{name: a, type: webhook, url: 'http:///'}]\n", GUARD_E_RANGE,
         "url: must be http://"},
        {HEAD "outputs: [{name: a, type: webhook, url: 'http://x/ y'}]\n", GUARD_E_RANGE,
         "must be a text without blanks"},
        {HEAD "outputs: [{name: a, type: webhook, url: \"http://x/\\0\"}]\n", GUARD_E_RANGE,
         "must be a text without blanks"},
        {HEAD "outputs: [{name: a, type: webhook, url: 'http://x', batch: 501}]\n", GUARD_E_RANGE,
         "from 1 to 500"},
        {HEAD "outputs: [{name: a, type: syslog, address: 'udp://localhost:514'}]\n", GUARD_E_RANGE,
         "address: must be udp://ADDRESS:PORT"},
        {HEAD "outputs: [{name: a, type: syslog, address: 'udp://127.0.0.1:70000'}]\n",
         GUARD_E_RANGE, "address: must be"},
        {HEAD "outputs: [{name: a, type: syslog, address: 'udp://127.0.0.1:1', facility: mail}]\n",
         GUARD_E_RANGE, "must be user, daemon"},
        {HEAD "outputs: [{name: a, type: file, path: /x, actions: []}]\n", GUARD_E_SYNTAX,
         "must be a list of pass"},
        {HEAD "outputs: [{name: a, type: file, path: /x, actions: [no]}]\n", GUARD_E_RANGE,
         "must be pass, alert or block"},
        {HEAD "outputs: [{name: a, type: file, path: /x, services: ['..']}]\n", GUARD_E_RANGE,
         "must be the name of a service"},
        {HEAD "outputs: [{name: a, type: file, path: /x, leastScore: nan}]\n", GUARD_E_RANGE,
         "must be a number from 0"},
        {HEAD "outputs:\n  - {name: a, type: file, path: /x}\n  - {name: a, type: file, path: "
              "/y}\n",
         GUARD_E_RANGE, "o:5:5: name: \"a\" is there twice"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_err err = {.text = ""};
        enum guard_rc rc = parse(cases[i].text, &err);
        if (rc != cases[i].rc || strstr(err.text, cases[i].message) == NULL)
            fail_msg("%s: %d %s", cases[i].text, (int)rc, err.text);
    }
}

static void test_limits(void **state)
{
    (void)state;
    char text[16384] = HEAD "outputs:\n";
    struct guard_err err;
    for (int i = 0; i < OUTPUTS_MAX + 1; i++) {
        size_t len = strlen(text);
        if (i == OUTPUTS_MAX)
            assert_int_equal(parse(text, &err), GUARD_OK);
        snprintf(text + len, sizeof(text) - len, "  - {name: a%d, type: file, path: /x%d}\n", i, i);
    }
    assert_int_equal(parse(text, &err), GUARD_E_LIMIT);
    snprintf(text, sizeof(text), HEAD "outputs: [{name: a, type: file, path: /%0*d}]\n",
             OUTPUT_TEXT_MAX - 1, 0);
    assert_int_equal(parse(text, &err), GUARD_OK);
    snprintf(text, sizeof(text), HEAD "outputs: [{name: a, type: file, path: /%0*d}]\n",
             OUTPUT_TEXT_MAX, 0);
    assert_int_equal(parse(text, &err), GUARD_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads), cmocka_unit_test(test_refuses),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
