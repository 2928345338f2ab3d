/* SPDX-License-Identifier: Apache-2.0 */
/* An object of programs before the kernel has it: what is in it is found by name, and what isn't is
 * refused by name. */
#include "common/bpf/kernel_object.h"
#include "responder/contain_object.h"
#include "responder/contain_rules.h"

#include <guard/error.h>

#include <stdlib.h>
#include <string.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct kernel_object *open_it(void)
{
    struct kernel_object *object = NULL;
    struct guard_err err;
    assert_int_equal(
        kernel_object_open(&object, (struct guard_span){contain_object_bytes, contain_object_len},
                           &err),
        GUARD_OK);
    return object;
}

static void test_constants(void **state)
{
    static const struct contain_allow allowed[CONTAIN_ALLOW_MAX];
    struct kernel_object *object = open_it();
    struct guard_err err;
    (void)state;
    assert_int_equal(kernel_object_set(object, "allowed", allowed, sizeof(allowed), &err),
                     GUARD_OK);
    assert_int_equal(kernel_object_set(object, "allowed", allowed, sizeof(allowed) - 1, &err),
                     GUARD_E_STATE);
    assert_int_equal(kernel_object_set(object, "allow", allowed, sizeof(allowed), &err),
                     GUARD_E_STATE);
    assert_non_null(strstr(err.text, "allow"));
    assert_int_equal(kernel_object_resize(object, "groups", 4, &err), GUARD_OK);
    assert_int_equal(kernel_object_resize(object, "group", 4, &err), GUARD_E_STATE);
    assert_non_null(strstr(err.text, "group"));
    kernel_object_close(object);
}

static void test_what_is_wanted(void **state)
{
    struct kernel_object *object = open_it();
    (void)state;
    assert_true(kernel_object_wants(object, "contain_exec"));
    assert_true(kernel_object_wants(object, "contain_socket"));
    assert_false(kernel_object_wants(object, "contain_nothing"));
    kernel_object_want(object, "contain_exec", false);
    assert_false(kernel_object_wants(object, "contain_exec"));
    kernel_object_want_only(object, "contain_exec");
    assert_true(kernel_object_wants(object, "contain_exec"));
    assert_false(kernel_object_wants(object, "contain_socket"));
    kernel_object_close(object);
}

static void test_what_is_not_loaded_shares_nothing(void **state)
{
    struct kernel_object *object = open_it();
    struct guard_err err;
    struct kernel_ring *ring = NULL;
    (void)state;
    assert_null(kernel_object_variable(object, "allowed", sizeof(struct contain_allow)));
    assert_true(kernel_object_map(object, "none") < 0);
    assert_int_equal(kernel_ring_open(&ring, object, "groups", NULL, NULL, &err), GUARD_E_IO);
    assert_null(ring);
    assert_null(kernel_attach(object, "contain_nothing"));
    kernel_object_close(object);
}

/* Each piece of it, and bytes that are none. */
static void test_what_is_no_object(void **state)
{
    struct kernel_object *object = NULL;
    struct guard_err err;
    (void)state;
    for (size_t len = 0; len < contain_object_len; len += len < 64 ? 1 : 997) {
        uint8_t *piece = malloc(len + 1); /* behind its end is nothing */
        memcpy(piece, contain_object_bytes, len);
        if (kernel_object_open(&object, (struct guard_span){piece, len}, &err) == GUARD_OK)
            kernel_object_close(object); /* what is missing is no section of programs */
        else
            assert_null(object);
        free(piece);
    }
    static const uint8_t none[4096];
    assert_int_equal(kernel_object_open(&object, (struct guard_span){none, sizeof(none)}, &err),
                     GUARD_E_IO);
    assert_non_null(strstr(err.text, "can't be opened"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_what_is_wanted),
        cmocka_unit_test(test_what_is_not_loaded_shares_nothing),
        cmocka_unit_test(test_what_is_no_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
