/* SPDX-License-Identifier: Apache-2.0 */
/* Files of records that nobody reads: what clients of a gate make takes no room from sensors. */
#include "common/pods/record_files.h"

#include "unit/pods/sample.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct world {
    char dir[64];
    struct pod_files sensor, gate, other_gate;
};

static struct world world;

static void open_one(struct pod_files *files, uint64_t producer, bool of_gate)
{
    struct guard_err err;
    assert_int_equal(pod_files_open(files, world.dir, producer, 1, &err), GUARD_OK);
    files->of_gate = of_gate;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(world.dir, sizeof(world.dir), "/tmp/guard-record-files-XXXXXX");
    assert_non_null(mkdtemp(world.dir));
    open_one(&world.sensor, 1, false);
    open_one(&world.gate, 2, true);
    open_one(&world.other_gate, 3, true);
    return 0;
}

static int tear_down(void **state)
{
    char path[400];
    (void)state;
    pod_files_close(&world.sensor);
    pod_files_close(&world.gate);
    pod_files_close(&world.other_gate);
    DIR *dir = opendir(world.dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", world.dir, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(path), 0);
    }
    closedir(dir);
    return rmdir(world.dir);
}

static enum guard_rc put(struct pod_files *files)
{
    char pod[32];
    struct guard_err err;
    struct guard_pod_record record = sample_record(pod, 1, files->sequence + 1, 1700000000000);
    assert_int_equal(pod_files_add(files, &record, &err), GUARD_OK);
    return pod_files_flush(files, &err);
}

static void lay(uint64_t producer, const char *suffix, uint32_t count)
{
    char path[400];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%016x-%016x-%020u%s", world.dir, (unsigned)producer, 0, i,
                 suffix);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
    }
}

/* Of those of its life before the last one that fits is written. */
static void test_a_gate_leaves_room_for_sensors_and_other_gates(void **state)
{
    (void)state;
    lay(2, ".gate.pods", POD_FILES_GATES_MAX / 2 - 1);
    assert_int_equal(put(&world.gate), GUARD_OK);
    assert_int_equal(put(&world.gate), GUARD_E_LIMIT);
    assert_int_equal(world.gate.records_lost, 1);
    lay(3, ".gate.pods", POD_FILES_GATES_MAX / 4 - 1);
    assert_int_equal(put(&world.other_gate), GUARD_OK);
    assert_int_equal(put(&world.other_gate), GUARD_E_LIMIT);
    assert_int_equal(put(&world.sensor), GUARD_OK);
}

static void test_all_gates_together_leave_room_for_sensors(void **state)
{
    (void)state;
    lay(2, ".gate.pods", POD_FILES_GATES_MAX - 1);
    assert_int_equal(put(&world.other_gate), GUARD_OK);
    assert_int_equal(put(&world.other_gate), GUARD_E_LIMIT);
    lay(1, ".pods",
        POD_FILES_MAX - POD_FILES_GATES_MAX - 3); /* it counts itself and what is above */
    assert_int_equal(put(&world.sensor), GUARD_OK);
    assert_int_equal(put(&world.sensor), GUARD_E_LIMIT);
    assert_int_equal(world.sensor.records_lost, 1);
}

/* It was started anew: what lies there of its life before is its own. */
static void test_a_life_before_counts(void **state)
{
    (void)state;
    lay(2, ".gate.pods", POD_FILES_GATES_MAX / 2);
    assert_int_equal(put(&world.gate), GUARD_E_LIMIT);
}

static void test_names_say_whose_they_are(void **state)
{
    char path[400];
    (void)state;
    assert_int_equal(put(&world.gate), GUARD_OK);
    assert_int_equal(put(&world.sensor), GUARD_OK);
    snprintf(path, sizeof(path), "%s/%016x-%016x-%020d.gate.pods", world.dir, 2, 1, 1);
    assert_int_equal(access(path, F_OK), 0);
    snprintf(path, sizeof(path), "%s/%016x-%016x-%020d.pods", world.dir, 1, 1, 1);
    assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_gate_leaves_room_for_sensors_and_other_gates, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_all_gates_together_leave_room_for_sensors, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_life_before_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_say_whose_they_are, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
