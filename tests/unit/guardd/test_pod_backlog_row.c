/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of records with who sent them: written by one root, read by another, and damaged between. */
#include "guardd/pods/backlog_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint8_t mine[POD_BATCH_SECRET] = "mine", yours[POD_BATCH_SECRET] = "yours";

static struct guard_span text(const char *words)
{
    return (struct guard_span){(const uint8_t *)words, strlen(words)};
}

static struct pod_row row;

static enum guard_rc add(uint64_t batch, struct pod_reporter who, const uint8_t *secret,
                         const char *record)
{
    return pod_row_add(&row, batch, &who, secret, text(record));
}

static int free_row(void **state)
{
    (void)state;
    pod_row_free(&row);
    return 0;
}

static void check(struct guard_span *rest, const char *name, const char *records)
{
    struct pod_row_part part;
    assert_int_equal(pod_row_next(rest, &part, NULL), GUARD_OK);
    assert_string_equal(part.name, name);
    assert_int_equal(part.records.len, strlen(records));
    assert_memory_equal(part.records.ptr, records, part.records.len);
}

static void records_of_a_batch_stand_together(void **state)
{
    (void)state;
    struct guard_span rest;
    assert_int_equal(add(1, (struct pod_reporter){.name = "ann"}, mine, "one"), GUARD_OK);
    assert_int_equal(add(1, (struct pod_reporter){.name = "ann"}, mine, "two"), GUARD_OK);
    assert_int_equal(add(2, (struct pod_reporter){.name = "bob"}, mine, "three"), GUARD_OK);
    assert_int_equal(add(3, (struct pod_reporter){.name = "bob"}, mine, ""), GUARD_OK);
    rest = (struct guard_span){row.bytes, row.len};
    assert_int_equal(pod_row_read(&rest, NULL), GUARD_OK);
    check(&rest, "ann", "onetwo");
    check(&rest, "bob", "three");
    check(&rest, "bob", "");
    assert_int_equal(rest.len, 0);
}

static void who_sent_it_is_told_apart_and_no_secret_is_there(void **state)
{
    (void)state;
    static const struct pod_reporter who[] = {{.name = "a", .cluster_pod = "prod/web"},
                                              {.name = "b", .node = "node-1"},
                                              {.name = "c", .believed = true},
                                              {.name = "d"}};
    struct pod_row_part part[4];
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(add(i, who[i], i == 3 ? yours : mine, "record"), GUARD_OK);
    struct guard_span rest = {row.bytes, row.len};
    assert_int_equal(pod_row_read(&rest, NULL), GUARD_OK);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(pod_row_next(&rest, &part[i], NULL), GUARD_OK);
        assert_int_equal(part[i].of_cluster, i == 0);
        assert_int_equal(part[i].of_node, i == 1);
        assert_int_equal(part[i].believed, i == 2);
    }
    assert_memory_equal(part[0].secret, part[1].secret, POD_BATCH_SECRET);
    assert_memory_not_equal(part[0].secret, part[3].secret, POD_BATCH_SECRET);
    assert_null(memmem(row.bytes, row.len, "mine", 4));
}

static void a_long_name_is_cut_and_a_full_row_says_so(void **state)
{
    (void)state;
    char name[200];
    uint8_t *large = calloc(1, POD_ROW_BYTES_MAX);
    struct pod_reporter who = {.name = name};
    struct pod_row_part part;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_non_null(large);
    assert_int_equal(
        pod_row_add(&row, 1, &who, mine, (struct guard_span){large, GUARD_POD_RECORD_MAX}),
        GUARD_OK);
    size_t len = row.len;
    assert_int_equal(
        pod_row_add(&row, 1, &who, mine, (struct guard_span){large, GUARD_POD_RECORD_MAX}),
        GUARD_E_LIMIT);
    assert_int_equal(row.len, len);
    assert_int_equal(
        pod_row_add(&row, 1, &who, mine, (struct guard_span){large, POD_ROW_BYTES_MAX - len}),
        GUARD_OK);
    assert_int_equal(row.len, POD_ROW_BYTES_MAX);
    assert_int_equal(pod_row_add(&row, 1, &who, mine, text("x")), GUARD_E_LIMIT);
    struct guard_span rest = {row.bytes, row.len};
    assert_int_equal(pod_row_read(&rest, NULL), GUARD_OK);
    assert_int_equal(pod_row_next(&rest, &part, NULL), GUARD_OK);
    assert_int_equal(strlen(part.name), POD_SPEAKER_NAME_CAP - 1);
    assert_int_equal(rest.len, 0);
    free(large);
}

/* Each byte is cut off once, and each is another one once: nothing outside is ever read. */
static void what_is_damaged_is_no_row(void **state)
{
    (void)state;
    struct pod_row_part part;
    assert_int_equal(add(1, (struct pod_reporter){.name = "ann"}, mine, "one"), GUARD_OK);
    assert_int_equal(add(2, (struct pod_reporter){.name = "bob"}, mine, "two"), GUARD_OK);
    for (size_t len = 0; len < row.len; len++) {
        uint8_t *copy = malloc(len > 0 ? len : 1);
        assert_non_null(copy);
        memcpy(copy, row.bytes, len);
        struct guard_span rest = {copy, len};
        uint32_t parts = 0;
        enum guard_rc rc = pod_row_read(&rest, NULL);
        while (rc == GUARD_OK && rest.len > 0) {
            rc = pod_row_next(&rest, &part, NULL);
            parts += rc == GUARD_OK;
        }
        assert_true(parts < 2);
        free(copy);
    }
    for (size_t at = 0; at < row.len; at++) {
        row.bytes[at] ^= 0xff;
        struct guard_span rest = {row.bytes, row.len};
        enum guard_rc rc = pod_row_read(&rest, NULL);
        assert_true(at >= POD_ROW_HEAD || rc == (at < 4 ? GUARD_E_SYNTAX : GUARD_E_VERSION));
        while (rc == GUARD_OK && rest.len > 0)
            rc = pod_row_next(&rest, &part, NULL);
        row.bytes[at] ^= 0xff;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(records_of_a_batch_stand_together, free_row),
        cmocka_unit_test_teardown(who_sent_it_is_told_apart_and_no_secret_is_there, free_row),
        cmocka_unit_test_teardown(a_long_name_is_cut_and_a_full_row_says_so, free_row),
        cmocka_unit_test_teardown(what_is_damaged_is_no_row, free_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
