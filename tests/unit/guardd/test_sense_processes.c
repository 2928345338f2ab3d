/* SPDX-License-Identifier: Apache-2.0 */
/* Processes of a pod, of a made-up /proc: what is told when, above all of children that are about
 * to become another program. */
#include "guardd/pods/sense_processes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { RUNS = 0, FORKED = 0x40, APP = 40, CHILD = 41, GRANDCHILD = 42 };

static char proc[] = "/tmp/guard-proc-XXXXXX";
static char told[1024];

static void put(int pid, int parent, unsigned flags, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%d", proc, pid);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/%d/stat", proc, pid);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%d (%s) S %d 1 1 0 -1 %u 0 0 0 0 0 0 0 0 20 0 1 0 %d 0\n", pid, name, parent,
            flags | 0x400000U, 1000 + pid);
    assert_int_equal(fclose(file), 0);
}

static void take(int pid)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%d/stat", proc, pid);
    (void)unlink(path);
    snprintf(path, sizeof(path), "%s/%d", proc, pid);
    (void)rmdir(path);
}

static void note(void *ctx, const struct sense_process *process, const char *parent)
{
    size_t len = strlen(told);
    (void)ctx;
    snprintf(told + len, sizeof(told) - len, "%s by %s;", process->program, parent);
}

static const char *look(struct sense_processes *processes)
{
    told[0] = '\0';
    assert_true(sense_processes_look(processes, note, NULL));
    return told;
}

static int prepare(void **state)
{
    struct sense_processes *processes = NULL;
    (void)state;
    assert_non_null(mkdtemp(proc));
    put(1, 0, RUNS, "pause");
    put(getpid(), 0, RUNS, "guardd");
    put(APP, 0, RUNS, "app");
    assert_int_equal(sense_processes_open(&processes, proc, NULL), GUARD_OK);
    *state = processes;
    return 0;
}

static int release(void **state)
{
    sense_processes_close(*state);
    for (int pid = APP; pid <= GRANDCHILD; pid++)
        take(pid);
    take(1);
    take(getpid());
    (void)rmdir(proc);
    memcpy(strrchr(proc, '-') + 1, "XXXXXX", 7);
    return 0;
}

static void test_what_is_there_at_the_start_is_told_at_once(void **state)
{
    put(CHILD, APP, FORKED, "app");
    assert_string_equal(look(*state), "[app] by -;[app] by [app];");
    assert_string_equal(look(*state), "");
}

static void test_a_child_that_becomes_another_program_is_told_as_that_alone(void **state)
{
    look(*state);
    put(CHILD, APP, FORKED, "app");
    assert_string_equal(look(*state), "");
    put(CHILD, APP, RUNS, "sh");
    assert_string_equal(look(*state), "[sh] by [app];");
    assert_string_equal(look(*state), "");
}

static void test_a_child_that_stays_what_it_is_is_told_once(void **state)
{
    look(*state);
    put(CHILD, APP, FORKED, "app");
    assert_string_equal(look(*state), "");
    assert_string_equal(look(*state), "[app] by [app];");
    assert_string_equal(look(*state), "");
}

/* Each look meets another one, whose parent has ended and which is the first program's now. */
static void test_who_forks_before_each_look_is_told(void **state)
{
    look(*state);
    put(CHILD, 1, FORKED, "evil");
    assert_string_equal(look(*state), "[evil] by [pause];");
    put(GRANDCHILD, CHILD, FORKED, "evil"); /* its own child may wait: somebody at the head can't */
    assert_string_equal(look(*state), "");
}

static void test_who_was_put_here_may_wait(void **state)
{
    look(*state);
    put(CHILD, 0, FORKED, "runc:[2:INIT]");
    assert_string_equal(look(*state), "");
    put(CHILD, 0, RUNS, "probe");
    assert_string_equal(look(*state), "[probe] by -;");
}

static void test_a_child_that_runs_its_own_is_told_at_once(void **state)
{
    look(*state);
    put(CHILD, APP, RUNS, "app");
    assert_string_equal(look(*state), "[app] by [app];");
    take(CHILD);
    assert_string_equal(look(*state), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_there_at_the_start_is_told_at_once, prepare,
                                        release),
        cmocka_unit_test_setup_teardown(
            test_a_child_that_becomes_another_program_is_told_as_that_alone, prepare, release),
        cmocka_unit_test_setup_teardown(test_a_child_that_stays_what_it_is_is_told_once, prepare,
                                        release),
        cmocka_unit_test_setup_teardown(test_who_forks_before_each_look_is_told, prepare, release),
        cmocka_unit_test_setup_teardown(test_who_was_put_here_may_wait, prepare, release),
        cmocka_unit_test_setup_teardown(test_a_child_that_runs_its_own_is_told_at_once, prepare,
                                        release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
