/* SPDX-License-Identifier: Apache-2.0 */
/* Hits of patches are counted by service and patch, and hostile names don't grow the list. */
#include "guardd/patch_hits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void counts_by_service_and_patch(void **state)
{
    struct patch_hits hits = {0};
    (void)state;
    patch_hits_add(&hits, span("shop"), span("a"), false, 3);
    patch_hits_add(&hits, span("shop"), span("a"), true, 5);
    patch_hits_add(&hits, span("shop"), span("b"), false, 1);
    patch_hits_add(&hits, span("pay"), span("a"), false, 7);
    assert_int_equal(hits.count, 3);
    assert_int_equal(patch_hits_find(&hits, span("shop"), span("a"))->hits, 3);
    assert_int_equal(patch_hits_find(&hits, span("shop"), span("a"))->shadow_hits, 5);
    assert_int_equal(patch_hits_find(&hits, span("pay"), span("a"))->hits, 7);
    assert_null(patch_hits_find(&hits, span("pay"), span("b")));
    patch_hits_free(&hits);
}

static void knows_no_hostile_names(void **state)
{
    struct patch_hits hits = {0};
    char name[80];
    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    patch_hits_add(&hits, span("shop"), span(name), false, 1);
    patch_hits_add(&hits, span("shop"), span("a\"b"), false, 1);
    patch_hits_add(&hits, span("shop"), span(""), false, 1);
    patch_hits_add(&hits, span("../x"), span("a"), false, 1);
    patch_hits_add(&hits, (struct guard_span){NULL, 0}, span("a"), false, 1);
    assert_int_equal(hits.count, 0);
    assert_int_equal(hits.left_out, 5);
    for (int i = 0; i < PATCH_HITS_MAX + 10; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        patch_hits_add(&hits, span("shop"), span(name), false, 1);
    }
    assert_int_equal(hits.count, PATCH_HITS_MAX);
    assert_int_equal(hits.left_out, 15);
    patch_hits_free(&hits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_by_service_and_patch),
                                       cmocka_unit_test(knows_no_hostile_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
