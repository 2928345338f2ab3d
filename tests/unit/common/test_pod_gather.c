/* SPDX-License-Identifier: Apache-2.0 */
/* Gathering features within bounds, and files of records that are there as a whole. */
#include "common/pods/gather.h"
#include "common/pods/record_files.h"

#include "common/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct guard_pod_feature exec_of(const char *path)
{
    return (struct guard_pod_feature){.kind = GUARD_POD_EXEC,
                                      .text = {(const uint8_t *)path, strlen(path)},
                                      .count = 1,
                                      .first_ms = 5};
}

static void test_equal_features_are_one(void **state)
{
    struct pod_gather gather = {0};
    struct pod_room room = {.own = POD_GATHER_BLOCKS_MAX};
    struct guard_pod_feature out[GUARD_POD_FEATURES_MAX];
    struct guard_pod_feature feature = exec_of("/bin/a");
    for (int i = 0; i < 3; i++)
        assert_int_equal(pod_gather_add(&gather, &room, &feature, (struct pod_gather_tag){7, 1}),
                         GUARD_OK);
    feature.user = 1;
    assert_int_equal(pod_gather_add(&gather, &room, &feature, (struct pod_gather_tag){8, 1}),
                     GUARD_OK);
    assert_int_equal(pod_gather_features(&gather, out, NULL), 2);
    assert_int_equal(out[0].count, 3);
    assert_memory_equal(out[1].text.ptr, "/bin/a", 6);
    pod_gather_clear(&gather, &room);
    assert_int_equal(pod_gather_features(&gather, out, NULL), 0);
    assert_int_equal(room.given, 0);
    assert_int_equal(room.segment_count, 0);
}

static void test_what_was_counted_before_adds_its_bytes_only(void **state)
{
    struct pod_gather gather = {0};
    struct pod_room room = {.own = POD_GATHER_BLOCKS_MAX};
    struct guard_pod_feature out[GUARD_POD_FEATURES_MAX];
    const struct pod_gather_tag tag = {7, 1};
    struct guard_pod_feature feature = exec_of("/bin/a");
    struct guard_pod_feature unkept = exec_of("/bin/b"); /* it found no room when it was counted */
    feature.bytes_out = 10;
    assert_int_equal(pod_gather_add(&gather, &room, &feature, tag), GUARD_OK);
    feature.count = unkept.count = 0;
    assert_int_equal(pod_gather_add(&gather, &room, &feature, tag), GUARD_OK);
    assert_int_equal(pod_gather_add(&gather, &room, &unkept, tag), GUARD_OK);
    assert_int_equal(pod_gather_features(&gather, out, NULL), 2);
    assert_int_equal(out[0].count, 1);
    assert_int_equal(out[0].bytes_out, 20);
    assert_int_equal(out[1].count, 1);
    pod_gather_clear(&gather, &room);
}

static void test_what_is_too_much_is_refused(void **state)
{
    struct pod_gather gather = {0};
    struct pod_room room = {.own = POD_GATHER_BLOCKS_MAX};
    static struct guard_pod_feature out[GUARD_POD_FEATURES_MAX];
    static struct pod_gather_tag tags[GUARD_POD_FEATURES_MAX];
    char path[400];
    uint32_t added = 0;
    memset(path, 'a', sizeof(path));
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(path, 8, "%06u", i);
        path[6] = '/';
        path[sizeof(path) - 1] = '\0';
        struct guard_pod_feature feature = exec_of(path);
        feature.detail = feature.text;
        enum guard_rc rc = pod_gather_add(&gather, &room, &feature, (struct pod_gather_tag){i, 1});
        added += rc == GUARD_OK;
        assert_true(rc == GUARD_OK || rc == GUARD_E_LIMIT);
    }
    assert_int_equal(added, GUARD_POD_FEATURES_MAX);
    assert_in_range(gather.blocks, 1, POD_GATHER_BLOCKS_MAX);
    assert_int_equal(pod_gather_features(&gather, out, tags), GUARD_POD_FEATURES_MAX);
    for (uint32_t i = 0; i < GUARD_POD_FEATURES_MAX; i++) {
        snprintf(path, 8, "%06u", i);
        assert_int_equal(out[i].text.len, GUARD_POD_TEXT_MAX);
        assert_int_equal(out[i].detail.len, GUARD_POD_TEXT_MAX);
        assert_memory_equal(out[i].text.ptr, path, 6);
        assert_memory_equal(out[i].detail.ptr, path, 6);
        assert_int_equal(tags[i].number, i);
    }
    pod_gather_clear(&gather, &room);
}

enum { GATHERERS = 64, OWN = 2, SHARED = 512 };

static uint32_t flood(struct pod_gather *gather, struct pod_room *room, uint32_t features)
{
    char path[GUARD_POD_TEXT_MAX + 1];
    uint32_t kept = 0;
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    for (uint32_t i = 0; i < features; i++) {
        snprintf(path, 8, "%06u", gather->count + i);
        path[6] = '/';
        struct guard_pod_feature feature = exec_of(path);
        kept += pod_gather_add(gather, room, &feature, (struct pod_gather_tag){i, 1}) == GUARD_OK;
    }
    return kept;
}

static void test_who_floods_leaves_room_for_others(void **state)
{
    static struct pod_gather gathers[GATHERERS];
    struct pod_gather quiet = {0};
    struct pod_room room = {.own = OWN, .shared = SHARED};
    (void)state;
    /* One after the other, each as much as it can get. */
    for (uint32_t i = 0; i < GATHERERS; i++) {
        (void)flood(&gathers[i], &room, GUARD_POD_FEATURES_MAX);
        assert_true(gathers[i].blocks >= OWN + 1);
        assert_true(gathers[i].blocks <= OWN + SHARED / 17 + 1);
        assert_true(room.taken <= SHARED);
    }
    assert_true(room.given <= GATHERERS * OWN + SHARED);
    /* Who comes last has its own for sure, and its part of what is left. */
    assert_true(flood(&quiet, &room, 3) == 3);
    assert_true(quiet.blocks <= OWN);
    for (uint32_t i = 0; i < GATHERERS; i++)
        pod_gather_clear(&gathers[i], &room);
    assert_int_equal(room.taken, 0);
    assert_int_equal(room.given, quiet.blocks);
    /* Alone now it may have a seventeenth. */
    (void)flood(&quiet, &room, GUARD_POD_FEATURES_MAX);
    assert_in_range(quiet.blocks, OWN + SHARED / 17, OWN + SHARED / 17 + 1);
    pod_gather_clear(&quiet, &room);
    assert_int_equal(room.taken, 0);
    assert_int_equal(room.segment_count, 0);
}

static uint32_t files_in(const char *dir, bool remove)
{
    char path[512];
    uint32_t count = 0;
    struct dirent *entry;
    DIR *open_dir = opendir(dir);
    while ((entry = readdir(open_dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        if (remove)
            unlink(path);
    }
    closedir(open_dir);
    return count;
}

static void test_files(void **state)
{
    char dir[] = "/tmp/guard-pods-XXXXXX";
    struct pod_files files;
    struct guard_err err;
    struct guard_pod_record record = {
        .id = {.name_space = GUARD_SPAN_LITERAL("-"),
               .workload = GUARD_SPAN_LITERAL("w"),
               .pod = GUARD_SPAN_LITERAL("p"),
               .container = GUARD_SPAN_LITERAL("-")},
        .source = GUARD_POD_SIDECAR,
        .origin = {1, 1, 1},
        .until_ms = 10,
    };
    assert_non_null(mkdtemp(dir));
    assert_int_equal(pod_files_open(&files, dir, 0xabc, 0x5, &err), GUARD_OK);
    assert_int_equal(pod_files_flush(&files, &err), GUARD_OK);
    assert_int_equal(files_in(dir, false), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pod_files_add(&files, &record, &err), GUARD_OK);
    record.source = 77;
    assert_int_equal(pod_files_add(&files, &record, &err), GUARD_E_RANGE);
    assert_int_equal(files.records_lost, 1);
    assert_int_equal(pod_files_flush(&files, &err), GUARD_OK);
    char path[512];
    snprintf(path, sizeof(path), "%s/0000000000000abc-0000000000000005-00000000000000000001.pods",
             dir);
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(files_in(dir, true), 1);
    rmdir(dir);
    record.source = GUARD_POD_SIDECAR;
    assert_int_equal(pod_files_add(&files, &record, &err), GUARD_OK);
    assert_int_equal(pod_files_flush(&files, &err), GUARD_E_IO);
    assert_int_equal(files.records_lost, 2);
    pod_files_close(&files);
    assert_int_equal(pod_files_open(&files, dir, 1, 1, &err), GUARD_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_features_are_one),
        cmocka_unit_test(test_what_was_counted_before_adds_its_bytes_only),
        cmocka_unit_test(test_what_is_too_much_is_refused),
        cmocka_unit_test(test_who_floods_leaves_room_for_others),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
