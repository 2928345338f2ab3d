/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of each kind become patches in memory that fails at each place in turn. */
#include "common/secrule/secrule.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static enum guard_rc attempt(struct guard_alloc *alloc, void *ctx)
{
    const char *text = ctx;
    struct secrule_import import;
    struct secrule_cfg cfg = {.wider = true};
    secrule_init(&import, alloc);
    enum guard_rc rc = secrule_read(
        &import, "f", (struct guard_span){(const uint8_t *)text, strlen(text)}, &cfg, NULL);
    secrule_fini(&import);
    return rc;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    static char rules[64000];
    static char many[120000];
    static const char *const parts[] = {
        "SecDefaultAction phase:2,deny\nSecMarker X\nSecFoo\nSecAction id:1,pass\n",
        "SecRule ARGS:json.a.0|ARGS:/^a/|REQUEST_BASENAME \"@pm a b|41|\" \"id:2,deny,msg:'x'\"\n",
        "SecRule ARGS \"!@rx a\\s+b\" \"id:3,deny,t:removeWhitespace,tag:CVE-2020-1111,chain\"\n",
        "SecRule QUERY_STRING \"@contains a b\" \"t:compressWhitespace,t:trim,t:urlDecode\"\n",
        "SecRule REQUEST_FILENAME \"@endsWith /x\" \"id:4,deny,t:normalizePath\"\n",
        "SecRule TX:a \"@eq 1\" \"id:5,deny\"\nSecRule ARGS \"@validateByteRange 1-2\" id:6,deny\n",
        "SecRule ARGS:id \"!@rx ^[0-9]+$\" \"id:7,deny\"\nSecRuleRemoveById 7\n",
    };
    size_t len = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        memcpy(rules + len, parts[i], strlen(parts[i]));
        len += strlen(parts[i]);
    }
    rules[len] = '\0';
    /* So many notes and patches that memory is asked for in between. */
    size_t filled = 0;
    while (filled + len < sizeof(many)) {
        memcpy(many + filled, rules, len);
        filled += len;
    }
    many[filled] = '\0';
    assert_true(failing_alloc_sweep(attempt, rules, false) > 0);
    assert_true(failing_alloc_sweep(attempt, many, false) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
