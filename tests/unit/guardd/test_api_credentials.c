/* SPDX-License-Identifier: Apache-2.0 */
/* Who is let in at which door, at what cost, and how guesses are limited. */
#include "guardd/api/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Of the tokens that all tests use: hashing costs time. */
static char tokens[3][SECRET_TOKEN_LEN + 1];
static char hashes[3][SECRET_HASH_CAP];
static char ids[3][SECRET_ID_LEN + 1];
static char dir[] = "/tmp/credentials-XXXXXX";
static struct credentials credentials;
static uint64_t mono_ms = 1000000; /* later in each test: buckets are full again */

enum { ANN, FRONT, OLD };
enum { NOW_MS = 1000000 };

static void save(struct access_list *list)
{
    struct guard_err err;
    assert_int_equal(access_list_save(list, dir, &err), GUARD_OK);
}

/* With or without ann. */
static void write_list(bool ann)
{
    struct access_entry entries[4];
    struct access_list list = {.entries = entries};
    if (ann)
        entries[list.count++] = (struct access_entry){.name = "ann",
                                                      .role = API_ROLE_VIEWER,
                                                      .services = {"shop*"},
                                                      .service_count = 1,
                                                      .subject = "",
                                                      .id = ids[ANN],
                                                      .hash = hashes[ANN]};
    entries[list.count++] = (struct access_entry){.name = "nginx",
                                                  .role = API_ROLE_FRONT,
                                                  .subject = "",
                                                  .id = ids[FRONT],
                                                  .hash = hashes[FRONT]};
    entries[list.count++] = (struct access_entry){.name = "old",
                                                  .role = API_ROLE_ADMIN,
                                                  .subject = "",
                                                  .id = ids[OLD],
                                                  .hash = hashes[OLD],
                                                  .expires_ms = NOW_MS};
    entries[list.count++] = (struct access_entry){
        .name = "bob", .role = API_ROLE_OPERATOR, .subject = "CN=bob", .id = "", .hash = ""};
    save(&list);
}

static int group_setup(void **state)
{
    struct guard_err err;
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    for (int i = 0; i < 3; i++) {
        if (secret_new(tokens[i]) != GUARD_OK || secret_hash(tokens[i], hashes[i]) != GUARD_OK ||
            !secret_id(tokens[i], SECRET_TOKEN_LEN, ids[i]))
            return -1;
    }
    write_list(true);
    return credentials_init(&credentials, dir, &err) == GUARD_OK ? 0 : -1;
}

static int group_teardown(void **state)
{
    char path[64];
    (void)state;
    credentials_fini(&credentials);
    snprintf(path, sizeof(path), "%s/access.json", dir);
    unlink(path);
    return rmdir(dir);
}

/* Nothing is known, nothing was spent. */
static int setup(void **state)
{
    struct guard_err err;
    (void)state;
    write_list(true);
    credentials_fini(&credentials);
    mono_ms += 1000000;
    return credentials_init(&credentials, dir, &err) == GUARD_OK ? 0 : -1;
}

static struct api_access access_of;
static unsigned retry_s;

static enum credentials_answer ask_at(const struct credentials_given *given, uint64_t now_ms)
{
    retry_s = 0;
    return credentials_check(&credentials, given, false, now_ms, mono_ms, &access_of, &retry_s);
}

/* At a time at which costly checks may begin. */
static enum credentials_answer ask(const struct credentials_given *given)
{
    mono_ms = credentials.free_ms > mono_ms ? credentials.free_ms : mono_ms;
    return ask_at(given, NOW_MS);
}

static enum credentials_answer bearer(const char *token)
{
    static char header[256];
    snprintf(header, sizeof(header), "Bearer %s", token);
    return ask(&(struct credentials_given){.authorization = header, .front_door = true});
}

static const char *wrong(const char *token)
{
    static char other[SECRET_TOKEN_LEN + 1];
    snprintf(other, sizeof(other), "%s", token);
    other[SECRET_TOKEN_LEN - 3] = other[SECRET_TOKEN_LEN - 3] == 'A' ? 'B' : 'A';
    return other;
}

static void the_local_door_is_for_its_user_and_root(void **state)
{
    (void)state;
    assert_int_equal(ask(&(struct credentials_given){.uid = geteuid()}), CREDENTIALS_GOOD);
    assert_int_equal(access_of.role, API_ROLE_LOCAL);
    assert_int_equal(ask(&(struct credentials_given){.uid = 0}), CREDENTIALS_GOOD);
    assert_int_equal(ask(&(struct credentials_given){.uid = 54321}), CREDENTIALS_NONE);
    assert_int_equal(ask(&(struct credentials_given){.uid = -1}), CREDENTIALS_NONE);
    assert_int_equal(access_of.role, API_ROLE_NONE);
    assert_int_equal(ask(&(struct credentials_given){.uid = 0, .front_door = true}),
                     CREDENTIALS_NONE);
}

static void tokens_are_known_after_one_costly_check(void **state)
{
    (void)state;
    uint64_t before = credentials.checks;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(bearer(tokens[ANN]), CREDENTIALS_GOOD);
        assert_string_equal(access_of.name, "ann");
        assert_int_equal(access_of.role, API_ROLE_VIEWER);
        assert_string_equal(access_of.services[0], "shop*");
    }
    assert_int_equal(credentials.checks - before, 1);
    /* Another one can't be it any more: no cost. */
    assert_int_equal(bearer(wrong(tokens[ANN])), CREDENTIALS_BAD);
    assert_int_equal(credentials.checks - before, 1);
    /* A token counts at the local door as well, even for root. */
    char header[256];
    snprintf(header, sizeof(header), "bearer   %s", tokens[ANN]);
    assert_int_equal(ask(&(struct credentials_given){.authorization = header}), CREDENTIALS_GOOD);
    assert_int_equal(access_of.role, API_ROLE_VIEWER);
    snprintf(header, sizeof(header), "Basic %s", tokens[ANN]);
    assert_int_equal(ask(&(struct credentials_given){.authorization = header}), CREDENTIALS_BAD);
    assert_int_equal(ask(&(struct credentials_given){.authorization = ""}), CREDENTIALS_BAD);
}

static void expired_tokens_are_refused(void **state)
{
    char header[256];
    (void)state;
    snprintf(header, sizeof(header), "Bearer %s", tokens[OLD]);
    const struct credentials_given given = {.authorization = header, .front_door = true};
    assert_int_equal(ask_at(&given, NOW_MS - 1), CREDENTIALS_GOOD);
    struct api_access kept = access_of;
    assert_true(credentials_still(&credentials, &kept, NOW_MS - 1, mono_ms));
    assert_false(credentials_still(&credentials, &kept, NOW_MS, mono_ms));
    assert_int_equal(ask_at(&given, NOW_MS), CREDENTIALS_BAD);
    assert_int_equal(access_of.role, API_ROLE_NONE);
}

static void subjects_are_believed_of_nginx_alone(void **state)
{
    (void)state;
    struct credentials_given given = {
        .subject = "CN=bob", .front = tokens[FRONT], .front_door = true, .uid = 54321};
    assert_int_equal(ask(&given), CREDENTIALS_GOOD);
    assert_int_equal(access_of.role, API_ROLE_OPERATOR);
    assert_string_equal(access_of.name, "bob");
    assert_string_equal(access_of.subject, "CN=bob");
    given.front = NULL;
    assert_int_equal(ask(&given), CREDENTIALS_NONE);
    given.front = wrong(tokens[FRONT]);
    assert_int_equal(ask(&given), CREDENTIALS_BAD);
    given.front = tokens[ANN]; /* a token, but not nginx's */
    assert_int_equal(ask(&given), CREDENTIALS_BAD);
    given.front = tokens[FRONT];
    given.subject = "CN=eve";
    assert_int_equal(ask(&given), CREDENTIALS_BAD);
    given.subject = "";
    assert_int_equal(ask(&given), CREDENTIALS_NONE);
    given.subject = "CN=bob";
    given.front_door = false;
    assert_int_equal(ask(&given), CREDENTIALS_NONE);
    /* nginx's own token is nobody's. */
    assert_int_equal(bearer(tokens[FRONT]), CREDENTIALS_GOOD);
    for (int right = 0; right < API_RIGHTS; right++)
        assert_false(api_role_has(access_of.role, (enum api_right)right));
}

static void wrong_tokens_are_limited(void **state)
{
    char first[SECRET_TOKEN_LEN + 1];
    (void)state;
    uint64_t before = credentials.checks;
    snprintf(first, sizeof(first), "%s", wrong(tokens[ANN]));
    int refused = 0;
    enum credentials_answer answer = CREDENTIALS_BAD;
    credentials.free_ms = 0;
    char header[256];
    snprintf(header, sizeof(header), "Bearer %s", first);
    const struct credentials_given given = {.authorization = header, .front_door = true};
    for (int i = 0; i < 100; i++) {
        credentials.free_ms = 0; /* without rest in between */
        answer = ask_at(&given, NOW_MS);
        refused += answer == CREDENTIALS_BAD;
    }
    assert_int_equal(answer, CREDENTIALS_LIMITED);
    assert_int_equal(refused, CREDENTIALS_WRONG_BURST);
    assert_int_equal(credentials.checks - before, CREDENTIALS_WRONG_BURST);
    assert_in_range(retry_s, 1, 2);
    /* The right one is limited with them while it isn't known yet, others aren't. */
    assert_int_equal(bearer(tokens[FRONT]), CREDENTIALS_GOOD);
    mono_ms += CREDENTIALS_WRONG_MS;
    assert_int_equal(bearer(tokens[ANN]), CREDENTIALS_GOOD);
    for (int i = 0; i < 100; i++)
        answer = ask_at(&given, NOW_MS);
    assert_int_equal(answer, CREDENTIALS_LIMITED);
    assert_int_equal(bearer(tokens[ANN]), CREDENTIALS_GOOD); /* now it is known */
}

static void texts_that_name_no_token_cost_nothing_and_are_limited(void **state)
{
    static const char none[] = "guard_0000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    (void)state;
    uint64_t before = credentials.checks;
    int refused = 0;
    for (int i = 0; i < 1000; i++)
        refused += bearer(i % 2 == 0 ? none : "x") == CREDENTIALS_BAD;
    assert_int_equal(refused, CREDENTIALS_UNKNOWN_BURST);
    assert_int_equal(credentials.checks, before);
    assert_int_equal(bearer(tokens[ANN]), CREDENTIALS_GOOD);
}

static void costly_checks_leave_time_for_other_work(void **state)
{
    char header[256];
    (void)state;
    snprintf(header, sizeof(header), "Bearer %s", tokens[ANN]);
    const struct credentials_given ann = {.authorization = header, .front_door = true};
    assert_int_equal(
        credentials_check(&credentials, &ann, true, NOW_MS, mono_ms, &access_of, &retry_s),
        CREDENTIALS_LATER);
    assert_int_equal(ask_at(&ann, NOW_MS), CREDENTIALS_GOOD);
    uint64_t rest = credentials.free_ms - mono_ms;
    assert_true(rest >= CREDENTIALS_REST);
    char other[256];
    snprintf(other, sizeof(other), "Bearer %s", tokens[FRONT]);
    const struct credentials_given front = {.authorization = other, .front_door = true};
    assert_int_equal(ask_at(&front, NOW_MS), CREDENTIALS_LATER);
    assert_int_equal(ask_at(&ann, NOW_MS), CREDENTIALS_GOOD); /* known */
    mono_ms += rest;
    assert_int_equal(ask_at(&front, NOW_MS), CREDENTIALS_GOOD);
}

static void what_is_removed_is_refused_at_once(void **state)
{
    struct api_access kept;
    (void)state;
    assert_int_equal(bearer(tokens[ANN]), CREDENTIALS_GOOD);
    assert_int_equal(bearer(tokens[FRONT]), CREDENTIALS_GOOD);
    kept = access_of;
    uint64_t checks = credentials.checks;
    assert_int_equal(bearer(tokens[ANN]), CREDENTIALS_GOOD);
    struct api_access ann = access_of;
    write_list(false);
    credentials_watch(&credentials);
    assert_int_equal(bearer(tokens[ANN]), CREDENTIALS_BAD);
    assert_false(credentials_still(&credentials, &ann, NOW_MS, mono_ms));
    /* Whose hash is the same is known on. */
    assert_true(credentials_still(&credentials, &kept, NOW_MS, mono_ms));
    assert_int_equal(bearer(tokens[FRONT]), CREDENTIALS_GOOD);
    assert_int_equal(credentials.checks, checks);
}

static void another_token_of_the_same_name_is_another(void **state)
{
    struct access_entry entry = {
        .name = "ann", .role = API_ROLE_ADMIN, .subject = "", .id = ids[OLD], .hash = hashes[OLD]};
    struct access_list list = {.entries = &entry, .count = 1};
    (void)state;
    assert_int_equal(bearer(tokens[ANN]), CREDENTIALS_GOOD);
    struct api_access ann = access_of;
    save(&list);
    credentials_watch(&credentials);
    assert_false(credentials_still(&credentials, &ann, NOW_MS, mono_ms));
}

static void a_bad_list_leaves_the_last_good_one(void **state)
{
    char path[64];
    (void)state;
    snprintf(path, sizeof(path), "%s/access.json", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"entries\":[\n{\"name\":}]}", file);
    fclose(file);
    credentials_watch(&credentials);
    assert_non_null(strstr(credentials.err.text, "access.json:2:"));
    assert_int_equal(bearer(tokens[ANN]), CREDENTIALS_GOOD);
    unlink(path);
    credentials_watch(&credentials);
    assert_string_equal(credentials.err.text, "");
    assert_int_equal(bearer(tokens[ANN]), CREDENTIALS_BAD);
}

/* A session of ann's, as a login begins it. */
static const char *begin_session(void)
{
    static char secret[SESSION_SECRET_LEN + 1];
    uint64_t serial;
    assert_int_equal(bearer(tokens[ANN]), CREDENTIALS_GOOD);
    assert_int_equal(session_begin(&credentials.sessions, &access_of, mono_ms, secret, &serial),
                     GUARD_OK);
    return secret;
}

static void a_session_is_its_entrys_at_the_front_door(void **state)
{
    struct credentials_given given = {
        .session = begin_session(), .front_door = true, .uid = geteuid()};
    (void)state;
    assert_int_equal(ask(&given), CREDENTIALS_GOOD);
    assert_string_equal(access_of.name, "ann");
    assert_int_equal(access_of.role, API_ROLE_VIEWER);
    assert_string_equal(access_of.services[0], "shop*");
    struct api_access kept = access_of;
    given.front_door = false; /* the local door asks who the process is */
    given.uid = 54321;
    assert_int_equal(ask(&given), CREDENTIALS_NONE);
    given.front_door = true;
    session_end(&credentials.sessions, kept.session);
    assert_int_equal(ask(&given), CREDENTIALS_BAD);
    assert_false(credentials_still(&credentials, &kept, NOW_MS, mono_ms));
    given.session = begin_session();
    write_list(false);
    credentials_watch(&credentials);
    assert_int_equal(ask(&given), CREDENTIALS_BAD);
    assert_int_equal(access_of.role, API_ROLE_NONE);
}

static void pages_of_others_cannot_use_a_session(void **state)
{
    static const char *const foreign[] = {"cross-site", "same-site", "", "x"};
    struct credentials_given given = {.session = begin_session(), .front_door = true};
    (void)state;
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        given.site = foreign[i];
        assert_int_equal(ask(&given), CREDENTIALS_CROSS);
        assert_int_equal(access_of.role, API_ROLE_NONE);
    }
    given.site = "none"; /* an address that was typed */
    assert_int_equal(ask(&given), CREDENTIALS_GOOD);
    given.site = "same-origin";
    assert_int_equal(ask(&given), CREDENTIALS_GOOD);
    given.changes = true;
    assert_int_equal(ask(&given), CREDENTIALS_CROSS);
    given.console = "1";
    assert_int_equal(ask(&given), CREDENTIALS_GOOD);
    given.site = "cross-site";
    assert_int_equal(ask(&given), CREDENTIALS_CROSS);
    /* Nor what a browser does with a certificate. */
    const struct credentials_given certificate = {
        .subject = "CN=bob", .front = tokens[FRONT], .site = "cross-site", .front_door = true};
    assert_int_equal(ask(&certificate), CREDENTIALS_CROSS);
}

static void a_certificate_counts_when_the_session_is_over(void **state)
{
    const struct credentials_given given = {.session = "0123456789012345678901234567890123456789"
                                                       "012345678901234567890123",
                                            .subject = "CN=bob",
                                            .front = tokens[FRONT],
                                            .front_door = true};
    (void)state;
    assert_int_equal(ask(&given), CREDENTIALS_GOOD);
    assert_string_equal(access_of.name, "bob");
}

static void a_code_lets_in_once(void **state)
{
    struct session_owner owner = {.name = "bob", .subject = "CN=bob"};
    char code[SESSION_SECRET_LEN + 1];
    char header[SESSION_SECRET_LEN + 16];
    const struct credentials_given given = {.authorization = header, .front_door = true};
    (void)state;
    assert_int_equal(session_code_make(&credentials.sessions, &owner, mono_ms, code), GUARD_OK);
    snprintf(header, sizeof(header), "Login %s", code);
    assert_int_equal(ask(&given), CREDENTIALS_GOOD);
    assert_int_equal(access_of.role, API_ROLE_OPERATOR);
    assert_int_equal(ask(&given), CREDENTIALS_BAD);
    assert_int_equal(access_of.role, API_ROLE_NONE);
}

static void guesses_at_codes_are_limited(void **state)
{
    struct session_owner owner = {.name = "bob", .subject = "CN=bob"};
    char code[SESSION_SECRET_LEN + 1];
    char header[SESSION_SECRET_LEN + 16];
    const struct credentials_given given = {.authorization = header, .front_door = true};
    (void)state;
    assert_int_equal(session_code_make(&credentials.sessions, &owner, mono_ms, code), GUARD_OK);
    snprintf(header, sizeof(header), "Login %064d", 0);
    for (int i = 0; i < CREDENTIALS_UNKNOWN_BURST; i++)
        assert_int_equal(ask(&given), CREDENTIALS_BAD);
    assert_int_equal(ask(&given), CREDENTIALS_LIMITED);
    assert_int_equal(retry_s, 1);
    snprintf(header, sizeof(header), "Login %s", code); /* who has one isn't held up */
    assert_int_equal(ask(&given), CREDENTIALS_GOOD);
}

static void a_session_of_another_certificate_is_anothers(void **state)
{
    struct api_access kept;
    (void)state;
    assert_int_equal(ask(&(struct credentials_given){
                         .subject = "CN=bob", .front = tokens[FRONT], .front_door = true}),
                     CREDENTIALS_GOOD);
    kept = access_of;
    assert_true(credentials_still(&credentials, &kept, NOW_MS, mono_ms));
    snprintf(kept.subject, sizeof(kept.subject), "CN=bobby"); /* bob's entry was another's */
    assert_false(credentials_still(&credentials, &kept, NOW_MS, mono_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_local_door_is_for_its_user_and_root, setup),
        cmocka_unit_test_setup(tokens_are_known_after_one_costly_check, setup),
        cmocka_unit_test_setup(expired_tokens_are_refused, setup),
        cmocka_unit_test_setup(subjects_are_believed_of_nginx_alone, setup),
        cmocka_unit_test_setup(wrong_tokens_are_limited, setup),
        cmocka_unit_test_setup(texts_that_name_no_token_cost_nothing_and_are_limited, setup),
        cmocka_unit_test_setup(costly_checks_leave_time_for_other_work, setup),
        cmocka_unit_test_setup(what_is_removed_is_refused_at_once, setup),
        cmocka_unit_test_setup(another_token_of_the_same_name_is_another, setup),
        cmocka_unit_test_setup(a_bad_list_leaves_the_last_good_one, setup),
        cmocka_unit_test_setup(a_session_is_its_entrys_at_the_front_door, setup),
        cmocka_unit_test_setup(pages_of_others_cannot_use_a_session, setup),
        cmocka_unit_test_setup(a_certificate_counts_when_the_session_is_over, setup),
        cmocka_unit_test_setup(a_code_lets_in_once, setup),
        cmocka_unit_test_setup(guesses_at_codes_are_limited, setup),
        cmocka_unit_test_setup(a_session_of_another_certificate_is_anothers, setup),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
