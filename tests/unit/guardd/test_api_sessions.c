/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of browsers: each has a secret of its own, ends in time, and none pushes out others'. */
#include "guardd/api/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sessions sessions;
static char secret[SESSION_SECRET_LEN + 1];
static uint64_t serial;
static struct api_access found;

enum { NOW_MS = 1000000 };

static int setup(void **state)
{
    (void)state;
    return sessions_init(&sessions) == GUARD_OK ? 0 : -1;
}

static struct api_access somebody(const char *name)
{
    struct api_access access = {.role = API_ROLE_ADMIN};
    snprintf(access.name, sizeof(access.name), "%s", name);
    snprintf(access.id, sizeof(access.id), "0123456789abcdef");
    return access;
}

static enum guard_rc begin(const char *name, uint64_t now_ms)
{
    struct api_access access = somebody(name);
    return session_begin(&sessions, &access, now_ms, secret, &serial);
}

static void a_session_is_found_by_its_secret_alone(void **state)
{
    (void)state;
    assert_int_equal(begin("ann", NOW_MS), GUARD_OK);
    assert_true(session_find(&sessions, secret, NOW_MS, &found));
    assert_string_equal(found.name, "ann");
    assert_int_equal(found.session, serial);
    assert_int_equal(found.role, API_ROLE_NONE); /* the list says what it may do */
    char other[SESSION_SECRET_LEN + 2];
    snprintf(other, sizeof(other), "%s", secret);
    other[9] = other[9] == 'a' ? 'b' : 'a';
    assert_false(session_find(&sessions, other, NOW_MS, &found));
    snprintf(other, sizeof(other), "%s0", secret);
    assert_false(session_find(&sessions, other, NOW_MS, &found));
    assert_false(session_find(&sessions, "", NOW_MS, &found));
    session_end(&sessions, serial);
    assert_false(session_find(&sessions, secret, NOW_MS, &found));
    assert_false(session_lives(&sessions, serial, NOW_MS));
}

static void a_secret_is_never_used_twice(void **state)
{
    char first[SESSION_SECRET_LEN + 1];
    (void)state;
    assert_int_equal(begin("ann", NOW_MS), GUARD_OK);
    memcpy(first, secret, sizeof(first));
    assert_int_equal(begin("ann", NOW_MS), GUARD_OK);
    assert_string_not_equal(first, secret);
}

static void sessions_end_when_idle_and_in_the_end(void **state)
{
    (void)state;
    assert_int_equal(begin("ann", NOW_MS), GUARD_OK);
    assert_true(session_lives(&sessions, serial, NOW_MS + SESSION_IDLE_MS - 1));
    assert_false(session_find(&sessions, secret, NOW_MS + SESSION_IDLE_MS, &found));
    assert_int_equal(begin("ann", NOW_MS), GUARD_OK);
    for (uint64_t t = 0; t < SESSION_MS; t += SESSION_IDLE_MS / 2)
        assert_true(session_find(&sessions, secret, NOW_MS + t, &found));
    assert_int_equal(session_left_ms(&sessions, serial, NOW_MS + SESSION_MS - 5), 5);
    assert_false(session_find(&sessions, secret, NOW_MS + SESSION_MS, &found));
    assert_int_equal(session_left_ms(&sessions, serial, NOW_MS + SESSION_MS), 0);
}

static void a_session_that_is_renewed_ends_no_later(void **state)
{
    char first[SESSION_SECRET_LEN + 1];
    (void)state;
    assert_int_equal(begin("ann", NOW_MS), GUARD_OK);
    memcpy(first, secret, sizeof(first));
    for (uint64_t t = 0; t < SESSION_MS; t += SESSION_IDLE_MS / 2) {
        assert_true(session_find(&sessions, secret, NOW_MS + t, &found));
        assert_int_equal(session_begin(&sessions, &found, NOW_MS + t, secret, &serial), GUARD_OK);
        assert_int_equal(session_left_ms(&sessions, serial, NOW_MS + t), SESSION_MS - t);
        assert_false(session_lives(&sessions, found.session, NOW_MS + t)); /* the one before it */
    }
    assert_false(session_find(&sessions, first, NOW_MS, &found));
    assert_false(session_find(&sessions, secret, NOW_MS + SESSION_MS, &found));
}

static void the_one_that_is_idle_longest_gives_way(void **state)
{
    char secrets[SESSIONS_EACH][SESSION_SECRET_LEN + 1];
    (void)state;
    for (int i = 0; i < SESSIONS_EACH; i++) {
        assert_int_equal(begin("ann", NOW_MS + (uint64_t)i), GUARD_OK);
        memcpy(secrets[i], secret, sizeof(secret));
    }
    assert_true(session_find(&sessions, secrets[0], NOW_MS + 100, &found)); /* used again */
    assert_int_equal(begin("ann", NOW_MS + 101), GUARD_OK);
    for (int i = 0; i < SESSIONS_EACH; i++)
        assert_int_equal(session_find(&sessions, secrets[i], NOW_MS + 102, &found), i != 1);
}

static void another_entry_of_the_same_name_is_another(void **state)
{
    char first[SESSION_SECRET_LEN + 1];
    struct api_access later = somebody("ann");
    (void)state;
    assert_int_equal(begin("ann", NOW_MS), GUARD_OK);
    memcpy(first, secret, sizeof(first));
    later.id[0] = 'f';
    for (int i = 0; i < 2 * SESSIONS_EACH; i++)
        assert_int_equal(session_begin(&sessions, &later, NOW_MS + 1, secret, &serial), GUARD_OK);
    assert_true(session_find(&sessions, first, NOW_MS + 2, &found));
    later = somebody("ann");
    snprintf(later.subject, sizeof(later.subject), "CN=ann");
    for (int i = 0; i < 2 * SESSIONS_EACH; i++)
        assert_int_equal(session_begin(&sessions, &later, NOW_MS + 3, secret, &serial), GUARD_OK);
    assert_true(session_find(&sessions, first, NOW_MS + 4, &found));
}

static void a_session_that_is_over_is_no_other(void **state)
{
    uint64_t first;
    (void)state;
    assert_int_equal(begin("ann", NOW_MS), GUARD_OK);
    first = serial;
    assert_int_equal(begin("bob", NOW_MS), GUARD_OK);
    session_end(&sessions, first);
    assert_false(session_lives(&sessions, first, NOW_MS));
    assert_int_equal(session_left_ms(&sessions, first, NOW_MS), 0);
    assert_true(session_lives(&sessions, serial, NOW_MS));
    assert_false(session_lives(&sessions, 0, NOW_MS));
}

static void each_process_has_a_key_of_its_own(void **state)
{
    uint8_t first[GUARD_KEY_BYTES];
    (void)state;
    memcpy(first, sessions.key, sizeof(first));
    assert_int_equal(sessions_init(&sessions), GUARD_OK);
    assert_memory_not_equal(first, sessions.key, sizeof(first));
}

static void nobody_pushes_out_others(void **state)
{
    char anns[SESSION_SECRET_LEN + 1];
    char name[32];
    (void)state;
    assert_int_equal(begin("ann", NOW_MS), GUARD_OK);
    memcpy(anns, secret, sizeof(anns));
    for (int i = 0; i < 3 * SESSIONS_EACH; i++)
        assert_int_equal(begin("bob", NOW_MS + 1 + (uint64_t)i), GUARD_OK);
    int bobs = 0;
    for (int i = 0; i < SESSIONS_MAX; i++)
        bobs += strcmp(sessions.list[i].owner.name, "bob") == 0;
    assert_int_equal(bobs, SESSIONS_EACH);
    assert_true(session_find(&sessions, secret, NOW_MS + 100, &found)); /* the newest stays */
    for (int i = 0; i < SESSIONS_MAX - SESSIONS_EACH - 1; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(begin(name, NOW_MS + 200), GUARD_OK);
    }
    assert_int_equal(begin("late", NOW_MS + 300), GUARD_E_LIMIT);
    assert_true(session_find(&sessions, anns, NOW_MS + 300, &found));
    assert_int_equal(begin("late", NOW_MS + 300 + SESSION_IDLE_MS), GUARD_OK);
}

static void a_code_is_good_once(void **state)
{
    struct session_owner owner = {.name = "ann", .id = "0123456789abcdef"};
    char code[SESSION_SECRET_LEN + 1];
    (void)state;
    assert_int_equal(session_code_make(&sessions, &owner, NOW_MS, code), GUARD_OK);
    assert_false(session_find(&sessions, code, NOW_MS, &found)); /* it is no session */
    char other[SESSION_SECRET_LEN + 1];
    memcpy(other, code, sizeof(other));
    other[9] = other[9] == 'a' ? 'b' : 'a';
    assert_false(session_code_take(&sessions, other, NOW_MS, &found));
    assert_false(session_code_take(&sessions, "", NOW_MS, &found));
    assert_true(session_code_take(&sessions, code, NOW_MS, &found));
    assert_string_equal(found.name, "ann");
    assert_false(session_code_take(&sessions, code, NOW_MS, &found));
    assert_int_equal(session_code_make(&sessions, &owner, NOW_MS, code), GUARD_OK);
    assert_false(session_code_take(&sessions, code, NOW_MS + SESSION_CODE_MS, &found));
}

static void codes_are_bounded(void **state)
{
    struct session_owner owner = {.name = "ann"};
    char code[SESSION_SECRET_LEN + 1];
    (void)state;
    for (int i = 0; i < SESSION_CODES_MAX; i++)
        assert_int_equal(session_code_make(&sessions, &owner, NOW_MS, code), GUARD_OK);
    assert_int_equal(session_code_make(&sessions, &owner, NOW_MS, code), GUARD_E_LIMIT);
    assert_int_equal(session_code_make(&sessions, &owner, NOW_MS + SESSION_CODE_MS, code),
                     GUARD_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_session_is_found_by_its_secret_alone, setup),
        cmocka_unit_test_setup(a_secret_is_never_used_twice, setup),
        cmocka_unit_test_setup(sessions_end_when_idle_and_in_the_end, setup),
        cmocka_unit_test_setup(a_session_that_is_renewed_ends_no_later, setup),
        cmocka_unit_test_setup(the_one_that_is_idle_longest_gives_way, setup),
        cmocka_unit_test_setup(another_entry_of_the_same_name_is_another, setup),
        cmocka_unit_test_setup(a_session_that_is_over_is_no_other, setup),
        cmocka_unit_test_setup(each_process_has_a_key_of_its_own, setup),
        cmocka_unit_test_setup(nobody_pushes_out_others, setup),
        cmocka_unit_test_setup(a_code_is_good_once, setup),
        cmocka_unit_test_setup(codes_are_bounded, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
