/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions and databases of patterns when memory runs out: a search that has none counts as a
 * hit, so that a patch isn't talked out of force; nothing leaks. */
#include "common/patterns/database.h"
#include "common/patterns/gather.h"
#include "common/patterns/regexes.h"
#include "common/patterns/sealed.h"

#include "tests/support/failing_alloc.h"

#include <guard/crypto.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

/* --- what takes its memory from an allocator --- */

static enum guard_rc search(struct guard_alloc *alloc, void *ctx)
{
    static const char *const expressions[] = {"a+b", "^(x|y)*z$", "[0-9]{3,5}", "(p(q(r)))+"};
    struct regexes *regexes = NULL;
    (void)ctx;
    enum guard_rc rc = regexes_new(&regexes, alloc);
    if (rc != GUARD_OK)
        return rc;
    for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
        static const char *const values[] = {"aab", "xyz", "12345", "pqrpqr"};
        struct guard_span expression = span(expressions[i]);
        uint64_t id = guard_pattern_id(expression, true, false);
        regexes_refill(regexes);
        enum guard_match match = regexes_find(regexes, id, expression, false, span(values[i]));
        assert_int_not_equal(match, GUARD_MATCH_NO);
        regexes_refill(regexes);
        assert_int_not_equal(regexes_find(regexes, id, expression, false, span(values[i])),
                             GUARD_MATCH_NO);
    }
    regexes_free(regexes);
    return GUARD_OK;
}

static void test_a_search_without_memory_is_no_miss(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(search, NULL, true) > 4);
}

/* --- what takes it from the heap --- */

static uint64_t calls;
static uint64_t fail_at; /* 0: never */
static bool fail_after;
static uint64_t failures;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

static bool fails(void)
{
    calls++;
    bool now = fail_at != 0 && (calls == fail_at || (fail_after && calls > fail_at));
    failures += now;
    if (now)
        errno = ENOMEM;
    return now;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return fails() ? NULL : __real_realloc(ptr, size);
}

struct found {
    uint32_t hits;
};

static void on_hit(void *ctx, uint64_t pattern)
{
    struct found *found = ctx;
    (void)pattern;
    found->hits++;
}

static enum guard_rc use(struct guard_span database)
{
    struct pattern_database *opened = NULL;
    struct found found = {0};
    GUARD_TRY(pattern_database_open(&opened, database, NULL));
    /* What can't be scanned is tried. */
    if (pattern_database_scan(opened, span("an evil ${jndi:x}"), on_hit, &found))
        assert_int_equal(found.hits > 0, true);
    pattern_database_close(opened);
    return GUARD_OK;
}

static enum guard_rc build_and_seal(void)
{
    struct guard_span texts[] = {span("evil"), span("${jndi:")};
    struct guard_patch patches[] = {{.id = span("a"),
                                     .mode = GUARD_PATCH_ENFORCE,
                                     .when = {.op = GUARD_OPERATOR_CONTAINS,
                                              .texts = texts,
                                              .text_count = 2,
                                              .min = -1,
                                              .max = -1}}};
    struct pattern_list list = {0};
    uint8_t name[GUARD_DIGEST_BYTES];
    uint8_t seed[GUARD_KEY_BYTES] = {1};
    uint8_t public_key[GUARD_KEY_BYTES];
    uint8_t secret[64];
    uint8_t *bytes = NULL;
    uint8_t *file = NULL;
    size_t len = 0;
    size_t file_len = 0;
    struct pattern_build told;
    struct sealed sealed;
    struct guard_span database;
    guard_keypair(public_key, secret, seed);
    enum guard_rc rc = patterns_gather(&list, patches, 1);
    if (rc == GUARD_OK) {
        list.count = patterns_sort(list.list, list.count);
        patterns_digest(name, list.list, list.count);
        rc = pattern_database_build(list.list, list.count, NULL, &bytes, &len, &told, NULL);
    }
    if (rc == GUARD_OK)
        rc = seal((struct guard_span){bytes, len}, name, secret, &file, &file_len);
    if (rc == GUARD_OK)
        rc = sealed_read(&sealed, (struct guard_span){file, file_len}, public_key, &database, NULL);
    if (rc == GUARD_OK)
        rc = use(database);
    free(bytes);
    free(file);
    pattern_list_free(&list);
    return rc;
}

/* Ours and those of the library that go by our malloc. */
static void test_a_database_without_memory_is_none(void **state)
{
    (void)state;
    if (!pattern_database_possible()) {
        print_message("skipped: this processor runs no databases\n");
        return;
    }
    for (fail_at = 0;; fail_at++) {
        for (int after = 0; after < 2; after++) {
            calls = failures = 0;
            fail_after = after == 1;
            enum guard_rc rc = build_and_seal();
            uint64_t failed = failures;
            if (fail_at == 0 || failed == 0)
                assert_int_equal(rc, GUARD_OK);
            else if (rc != GUARD_OK)
                assert_true(rc == GUARD_E_NOMEM || rc == GUARD_E_RANGE);
            if (fail_at > 0 && failed == 0) {
                assert_true(fail_at > 4);
                fail_at = 0;
                return;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_search_without_memory_is_no_miss),
        cmocka_unit_test(test_a_database_without_memory_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
