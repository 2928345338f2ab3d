/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the list of tokens in memory that fails at each place in turn: the last good list stays,
 * nothing leaks, and it is read as soon as there is memory again. */
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

/* Of all code that is linked in statically; libraries have their own. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static int countdown; /* 0: nothing fails */

static bool fails(void)
{
    return countdown > 0 && --countdown == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

#define HASH "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA"

static char dir[] = "/tmp/oom-access-XXXXXX";
static char path[64];

static void write_list(const char *name)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "{\"entries\":[\n{\"name\":\"%s\",\"role\":\"viewer\",\"id\":\"0123456789abcdef\","
            "\"hash\":\"" HASH "\"}]}",
            name);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

static void the_list_is_read_when_there_is_memory_again(void **state)
{
    struct credentials credentials;
    struct guard_err err;
    int place = 0;
    bool failed = true;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/access.json", dir);
    while (failed) {
        write_list("old");
        assert_int_equal(credentials_init(&credentials, dir, &err), GUARD_OK);
        assert_int_equal(credentials.list.count, 1);
        write_list("newer");
        countdown = ++place;
        credentials_watch(&credentials);
        failed = countdown == 0;
        countdown = 0;
        assert_int_equal(credentials.list.count, 1);
        assert_string_equal(credentials.list.entries[0].name, failed ? "old" : "newer");
        assert_int_equal(strstr(credentials.err.text, "no memory") != NULL, failed);
        credentials_watch(&credentials);
        assert_string_equal(credentials.list.entries[0].name, "newer");
        assert_string_equal(credentials.err.text, "");
        credentials_fini(&credentials);
    }
    assert_true(place > 3);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_is_read_when_there_is_memory_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
