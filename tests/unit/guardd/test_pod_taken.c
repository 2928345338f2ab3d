/* SPDX-License-Identifier: Apache-2.0 */
/* Files that were read: found again whatever was removed before, and removed when it is due. */
#include "guardd/pods/taken.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct world {
    char dir[64];
    struct pod_taken taken;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    snprintf(world->dir, sizeof(world->dir), "/tmp/guard-taken-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    assert_int_equal(rmdir(world->dir), 0);
    free(world);
    return 0;
}

static void path_of(char path[256], const struct world *world, const char *name)
{
    snprintf(path, 256, "%s/%s", world->dir, name);
}

static void take(struct world *world, const char *name, uint64_t mark)
{
    char path[256];
    path_of(path, world, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    close(fd);
    pod_taken_add(&world->taken, name, mark);
}

static bool is_there(const struct world *world, const char *name)
{
    char path[256];
    path_of(path, world, name);
    return access(path, F_OK) == 0;
}

/* Each has one reason to go: learned ones with what was saved, others with the parent's answer. */
static void test_what_is_removed_when(void **state)
{
    struct world *world = *state;
    take(world, "learned.pods", 0);
    take(world, "answered.pods", 4);
    take(world, "waits.pods", 5);
    assert_int_equal(world->taken.removable, 3);
    pod_taken_remove(&world->taken, world->dir, 4, false);
    assert_true(is_there(world, "learned.pods"));
    assert_false(is_there(world, "answered.pods"));
    assert_true(is_there(world, "waits.pods"));
    assert_false(pod_taken_has(&world->taken, "answered.pods"));
    assert_true(pod_taken_has(&world->taken, "learned.pods"));
    assert_true(pod_taken_has(&world->taken, "waits.pods"));
    pod_taken_remove(&world->taken, world->dir, 4, true);
    assert_false(is_there(world, "learned.pods"));
    assert_true(is_there(world, "waits.pods"));
    assert_int_equal(world->taken.removable, 0);
    pod_taken_undo(&world->taken, 4); /* the parent takes none: it is to be read again */
    assert_false(pod_taken_has(&world->taken, "waits.pods"));
    assert_true(is_there(world, "waits.pods"));
    pod_taken_add(&world->taken, "waits.pods", 0);
    pod_taken_remove(&world->taken, world->dir, 4, true);
    assert_int_equal(world->taken.count, 0);
}

/* A folder is no file: it is passed over from now on, and somebody else may have removed one. */
static void test_what_can_not_be_removed(void **state)
{
    struct world *world = *state;
    char path[256];
    path_of(path, world, "folder.pods");
    assert_int_equal(mkdir(path, 0700), 0);
    pod_taken_add(&world->taken, "folder.pods", 0);
    pod_taken_add(&world->taken, "gone.pods", 0);
    for (int i = 0; i < 2; i++) {
        pod_taken_remove(&world->taken, world->dir, 0, true);
        assert_true(pod_taken_has(&world->taken, "folder.pods"));
        assert_false(pod_taken_has(&world->taken, "gone.pods"));
    }
    assert_int_equal(rmdir(path), 0);
}

static void test_as_many_as_there_is_room_for(void **state)
{
    struct world *world = *state;
    char name[POD_LISTING_NAME];
    for (int i = 0; i < POD_TAKEN_MAX; i++) {
        assert_true(pod_taken_has_room(&world->taken));
        snprintf(name, sizeof(name), "%016x-%016x-%020d.pods", 7, 1, i);
        assert_false(pod_taken_has(&world->taken, name));
        pod_taken_add(&world->taken, name, i % 2 == 0 ? 1 : 2);
    }
    assert_false(pod_taken_has_room(&world->taken));
    pod_taken_undo(&world->taken, 1);
    for (int i = 0; i < POD_TAKEN_MAX; i++) {
        snprintf(name, sizeof(name), "%016x-%016x-%020d.pods", 7, 1, i);
        assert_int_equal(pod_taken_has(&world->taken, name), i % 2 == 0);
    }
    assert_int_equal(world->taken.count, POD_TAKEN_MAX / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_removed_when, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_can_not_be_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_as_many_as_there_is_room_for, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
