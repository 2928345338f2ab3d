/* SPDX-License-Identifier: Apache-2.0 */
/* A foreign document is read and translated in one arena: whichever chunk of it can't be had, the
 * answer is GUARD_E_NOMEM and nothing is kept. */
#include "common/guardian.h"
#include "common/knative_guardian.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char text[256 * 1024];

/* Large enough for several chunks. */
static void make_text(void)
{
    size_t len = (size_t)snprintf(text, sizeof(text),
                                  "metadata: {name: pay}\nspec:\n"
                                  "  control: {alert: true, auto: false, learn: true}\n"
                                  "  configured:\n    resp: {contentlength: 3}\n    req:\n"
                                  "      mediatype: [application/json]\n"
                                  "      qs:\n        kv:\n          vals:\n");
    for (int i = 0; i < 250; i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len,
                             "            parameter-%d: {letters: [{min: 0, max: 9}], digits: 3, "
                             "schars: 1, flags: %d}\n",
                             i, i);
}

static enum guard_rc attempt(struct guard_alloc *alloc, void *ctx)
{
    const struct guard_span path = GUARD_SPAN_LITERAL("/pay");
    const struct knative_import how = {.paths = &path, .path_count = 1};
    struct guard_arena arena;
    struct document document;
    struct guard_guardian guardian;
    struct guard_span yaml;
    (void)ctx;
    guard_arena_init(&arena, alloc, (size_t)32 << 20);
    enum guard_rc rc = document_parse(
        &document, "k", (struct guard_span){(const uint8_t *)text, strlen(text)}, &arena, NULL);
    if (rc == GUARD_OK)
        rc = knative_guardian(&guardian, &document, &how, NULL);
    if (rc == GUARD_OK)
        rc = guardian_write(&guardian, &arena, &yaml, NULL);
    if (rc == GUARD_OK)
        assert_int_equal(guardian.endpoints[0].field_count, 250);
    guard_arena_reset(&arena);
    return rc;
}

static void test_importing(void **state)
{
    (void)state;
    make_text();
    assert_true(failing_alloc_sweep(attempt, NULL, false) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_importing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
