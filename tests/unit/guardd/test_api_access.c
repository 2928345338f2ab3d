/* SPDX-License-Identifier: Apache-2.0 */
/* What roles may do, and which services patterns name. */
#include "guardd/api/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void roles_have_their_rights_and_no_others(void **state)
{
    static const char *const allowed[API_ROLES] = {
        [API_ROLE_NONE] = "",
        [API_ROLE_VIEWER] = "read evidence ",
        [API_ROLE_OPERATOR] = "read evidence operate ",
        [API_ROLE_ADMIN] = "read evidence operate administer ",
        [API_ROLE_REPORTER] = "report ",
        [API_ROLE_FRONT] = "",
        [API_ROLE_LOCAL] = "read evidence operate administer report ",
    };
    (void)state;
    for (int role = 0; role < API_ROLES; role++) {
        char have[128] = "";
        int len = 0;
        for (int right = 0; right < API_RIGHTS; right++) {
            if (api_role_has((enum api_role)role, (enum api_right)right))
                len += snprintf(have + len, sizeof(have) - (size_t)len, "%s ",
                                api_right_name((enum api_right)right));
        }
        assert_string_equal(have, allowed[role]);
    }
    assert_false(api_role_has(API_ROLES, API_RIGHT_READ));
    assert_false(api_role_has(API_ROLE_LOCAL, API_RIGHTS));
}

static bool covers(const char *pattern, const char *service)
{
    struct api_access access = {.role = API_ROLE_VIEWER, .service_count = 1};
    snprintf(access.services[0], sizeof(access.services[0]), "%s", pattern);
    return api_access_covers(&access,
                             (struct guard_span){(const uint8_t *)service, strlen(service)});
}

static void patterns_name_services(void **state)
{
    (void)state;
    assert_true(covers("shop", "shop"));
    assert_false(covers("shop", "shops"));
    assert_false(covers("shop", "sho"));
    assert_false(covers("shop", "Shop"));
    assert_true(covers("shop*", "shop"));
    assert_true(covers("shop*", "shop-2"));
    assert_false(covers("shop*", "a-shop"));
    assert_true(covers("*-dev", "a-dev"));
    assert_true(covers("*-dev", "a-dev-dev"));
    assert_false(covers("*-dev", "a-dev-"));
    assert_true(covers("a*b*c", "a-b-b-c"));
    assert_false(covers("a*b*c", "a-c-b"));
    assert_true(covers("*", "x"));
    assert_true(covers("a**", "a"));
    assert_false(covers("", "a"));
    /* What is of no service isn't theirs. */
    assert_false(covers("*", ""));
}

static void without_patterns_all_services_are_theirs(void **state)
{
    const struct api_access access = {.role = API_ROLE_VIEWER};
    (void)state;
    assert_true(api_access_covers(&access, GUARD_SPAN_LITERAL("shop")));
    assert_true(api_access_covers(&access, (struct guard_span){NULL, 0}));
    assert_true(api_access_unbound(&access));
}

static void one_of_several_patterns_is_enough(void **state)
{
    const struct api_access access = {.services = {"a", "b*"}, .service_count = 2};
    (void)state;
    assert_true(api_access_covers(&access, GUARD_SPAN_LITERAL("a")));
    assert_true(api_access_covers(&access, GUARD_SPAN_LITERAL("bc")));
    assert_false(api_access_covers(&access, GUARD_SPAN_LITERAL("c")));
    assert_false(api_access_unbound(&access));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_have_their_rights_and_no_others),
        cmocka_unit_test(patterns_name_services),
        cmocka_unit_test(without_patterns_all_services_are_theirs),
        cmocka_unit_test(one_of_several_patterns_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
