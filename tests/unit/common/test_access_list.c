/* SPDX-License-Identifier: Apache-2.0 */
/* The list of who may use the API: read, written, and refused with the place of what is wrong. */
#include "common/access_list.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HASH "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA"
#define TOKEN(name, role, id)                                                                      \
    "{\"name\":\"" name "\",\"role\":\"" role "\",\"id\":\"" id "\",\"hash\":\"" HASH "\"}"
#define ID "0123456789abcdef"
#define OTHER "0123456789abcdee"

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void entries_are_read(void **state)
{
    static const char text[] =
        "{\"entries\":[\n"
        "{\"name\":\"ann\",\"role\":\"operator\",\"services\":[\"shop*\",\"b\"],\"id\":\"" ID
        "\",\"hash\":\"" HASH "\",\"created_ms\":1,\"expires_ms\":1800000000000},\n"
        "{\"name\":\"bob\",\"role\":\"viewer\",\"subject\":\"CN=bob,O=a\"}\n]}";
    struct access_list list;
    struct guard_err err = {.text = ""};
    (void)state;
    assert_int_equal(access_list_parse(&list, "access.json", span_of(text), &err), GUARD_OK);
    assert_int_equal(list.count, 2);
    const struct access_entry *ann = &list.entries[0];
    assert_string_equal(ann->name, "ann");
    assert_int_equal(ann->role, API_ROLE_OPERATOR);
    assert_int_equal(ann->service_count, 2);
    assert_string_equal(ann->services[0], "shop*");
    assert_int_equal(ann->expires_ms, 1800000000000);
    assert_string_equal(ann->hash, HASH);
    assert_string_equal(ann->subject, "");
    assert_string_equal(list.entries[1].subject, "CN=bob,O=a");
    access_list_free(&list);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
    static const struct {
        const char *text;
        const char *told;
    } bad[] = {
        {"", "a:1:1"},
        {"[]", "must be an object"},
        {"{\"entries\":[],\"more\":1}", "must be an object"},
        {"{\"entries\":{}}", "must be an object"},
        {"{\"entries\":[\n1]}", "a:2:1: must be an object"},
        {"{\"entries\":[\n{\"name\":\"a/b\"}]}", "a:2:9: must be 1 to 64"},
        {"{\"entries\":[\n{\"role\":\"viewer\"}]}", "a:2:1: name and role"},
        {"{\"entries\":[\n{\"name\":\"a\",\"role\":\"local\"}]}", "a:2:20: must be viewer"},
        {"{\"entries\":[\n{\"name\":\"a\",\"role\":\"root\"}]}", "a:2:20: must be viewer"},
        {"{\"entries\":[\n{\"name\":\"a\",\"role\":\"viewer\"}]}", "a:2:1: an entry has either"},
        {"{\"entries\":[{\"name\":\"a\",\"role\":\"viewer\",\"id\":\"" ID "\"}]}",
         "an entry has either"},
        {"{\"entries\":[{\"name\":\"a\",\"role\":\"viewer\",\"id\":\"xyz\",\"hash\":\"" HASH
         "\"}]}",
         "16 hexadecimal"},
        {"{\"entries\":[{\"name\":\"a\",\"role\":\"viewer\",\"id\":\"" ID
         "\",\"hash\":\"secret\"}]}",
         "no hash"},
        {"{\"entries\":[{\"name\":\"a\",\"role\":\"viewer\",\"subject\":\"a\\nb\"}]}",
         "is no subject"},
        {"{\"entries\":[" TOKEN("a", "reporter", ID) "]}", "a reporter is bound"},
        {"{\"entries\":[{\"name\":\"a\",\"role\":\"front\",\"subject\":\"x\"}]}", "a front is"},
        {"{\"entries\":[{\"name\":\"a\",\"role\":\"viewer\",\"services\":[\"a/b\"]}]}",
         "must be a service's name"},
        {"{\"entries\":[{\"name\":\"a\",\"role\":\"viewer\",\"services\":\"a\"}]}",
         "must be a list"},
        {"{\"entries\":[{\"name\":\"a\",\"expires_ms\":-1}]}", "is no time"},
        {"{\"entries\":[{\"name\":\"a\",\"expires_ms\":\"1\"}]}", "is no time"},
        {"{\"entries\":[{\"name\":\"a\",\"expires_ms\":99999999999999999999}]}", "is no time"},
        {"{\"entries\":[{\"name\":\"a\",\"extra\":1}]}", "no such member"},
        {"{\"entries\":[\n" TOKEN("a", "viewer", ID) ",\n" TOKEN("a", "viewer", OTHER) "]}",
         "a:3:1: another entry has this name"},
        {"{\"entries\":[\n" TOKEN("a", "viewer", ID) ",\n" TOKEN("b", "viewer", ID) "]}",
         "a:3:1: another entry has this id"},
        {"{\"entries\":[{\"name\":\"a\",\"role\":\"viewer\",\"subject\":\"x\"},\n"
         "{\"name\":\"b\",\"role\":\"viewer\",\"subject\":\"x\"}]}",
         "another entry has this subject"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct access_list list;
        struct guard_err err = {.text = ""};
        enum guard_rc rc = access_list_parse(&list, "a", span_of(bad[i].text), &err);
        if (rc == GUARD_OK || strstr(err.text, bad[i].told) == NULL)
            fail_msg("%s: %s", bad[i].text, err.text);
        access_list_free(&list);
    }
}

static void no_more_entries_than_allowed(void **state)
{
    size_t cap = (size_t)1 << 20;
    char *text = malloc(cap);
    struct access_list list;
    struct guard_err err = {.text = ""};
    (void)state;
    assert_non_null(text);
    for (int extra = 0; extra <= 1; extra++) {
        size_t len = (size_t)snprintf(text, cap, "{\"entries\":[");
        for (int i = 0; i < ACCESS_ENTRIES_MAX + extra; i++)
            len += (size_t)snprintf(text + len, cap - len,
                                    "%s\n{\"name\":\"n%d\",\"role\":\"viewer\",\"subject\":\"%d\"}",
                                    i > 0 ? "," : "", i, i);
        len += (size_t)snprintf(text + len, cap - len, "]}");
        struct guard_span bytes = {(const uint8_t *)text, len};
        assert_int_equal(access_list_parse(&list, "a", bytes, &err),
                         extra == 0 ? GUARD_OK : GUARD_E_LIMIT);
        access_list_free(&list);
    }
    free(text);
}

static void what_is_written_is_read_and_is_its_owners_alone(void **state)
{
    char dir[] = "/tmp/access-XXXXXX";
    char path[64];
    struct stat info;
    struct access_list list;
    struct guard_err err = {.text = ""};
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/access.json", dir);
    assert_int_equal(access_list_load(&list, dir, &err), GUARD_OK);
    assert_int_equal(list.count, 0);
    list.entries[list.count++] = (struct access_entry){.name = "a",
                                                       .role = API_ROLE_REPORTER,
                                                       .services = {"s*", "t"},
                                                       .service_count = 2,
                                                       .subject = "",
                                                       .id = ID,
                                                       .hash = HASH,
                                                       .created_ms = 5,
                                                       .expires_ms = 6};
    assert_int_equal(access_list_save(&list, dir, &err), GUARD_OK);
    access_list_free(&list);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(access_list_load(&list, dir, &err), GUARD_OK);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.entries[0].services[1], "t");
    assert_int_equal(list.entries[0].expires_ms, 6);
    access_list_free(&list);
    assert_int_equal(chmod(path, 0620), 0);
    assert_int_equal(access_list_load(&list, dir, &err), GUARD_E_STATE);
    access_list_free(&list);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_read),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(no_more_entries_than_allowed),
        cmocka_unit_test(what_is_written_is_read_and_is_its_owners_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
