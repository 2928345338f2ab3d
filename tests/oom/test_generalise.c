/* SPDX-License-Identifier: Apache-2.0 */
/* From an exploit to a patch, in memory that fails at each place in turn. */
#include "common/file.h"
#include "common/generalise/generalise.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static enum guard_rc attempt(struct guard_alloc *alloc, void *ctx)
{
    struct generalised made;
    enum guard_rc rc = generalise(&made, ctx, NULL, alloc, NULL);
    generalise_fini(&made);
    return rc;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "POST /a/b?x=;id HTTP/1.1\nHost: h\nContent-Type: application/json\n\n{\"a\":[{\"b\":1}]}",
        "id: x\nset: {r: randomLowercase(8)}\nrules:\n  r0:\n    request: {method: PUT, path: "
        "'/a/{{r}}/..;/b', body: 'a \"{{r}}\" <b>'}\n  r1:\n    request: {path: /c/d.asp}\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct guard_alloc heap = heap_alloc();
        struct exploit exploit;
        struct guard_span bytes = {(const uint8_t *)texts[i], strlen(texts[i])};
        assert_int_equal(exploit_read(&exploit, "f", bytes, EXPLOIT_AUTO, &heap, NULL), GUARD_OK);
        assert_true(failing_alloc_sweep(attempt, &exploit, false) > 0);
        exploit_fini(&exploit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
