/* SPDX-License-Identifier: Apache-2.0 */
/* The order of files that come in while their directory is read, in a directory that is played,
 * where each name is made at a given step of reading, and in a real one with writers that write. */
#include "guardd/pods/listing.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* --- the directory that is played --- */

enum { PLAYED_MAX = 1024, WRITERS = 3, FILES = 1500 };

struct played_file {
    char name[POD_LISTING_NAME];
    uint32_t made_at; /* the step: one for each entry that a listing comes by, of all listings */
};

static struct played_file played[PLAYED_MAX];
static uint32_t played_count, cursor, steps;
static bool playing;
static struct dirent entry;

/* In the order in which a listing comes by. */
static void play(const char *name, uint32_t made_at)
{
    struct played_file *file = &played[played_count++];
    snprintf(file->name, sizeof(file->name), "%s", name);
    file->made_at = made_at;
}

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    assert_non_null(found);
    return found;
}

DIR *opendir(const char *name)
{
    cursor = 0;
    return playing ? (DIR *)(void *)&entry : ((DIR * (*)(const char *)) real("opendir"))(name);
}

int closedir(DIR *dir)
{
    return playing ? 0 : ((int (*)(DIR *))real("closedir"))(dir);
}

struct dirent *readdir(DIR *dir)
{
    if (!playing)
        return ((struct dirent * (*)(DIR *)) real("readdir64"))(dir);
    while (cursor < played_count) {
        const struct played_file *file = &played[cursor++];
        if (file->made_at <= steps++) {
            memcpy(entry.d_name, file->name, sizeof(file->name));
            return &entry;
        }
    }
    return NULL;
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct pod_listing));
    played_count = steps = 0;
    playing = true;
    return 0;
}

static int tear_down(void **state)
{
    playing = false;
    free(*state);
    return 0;
}

static bool none(const void *ctx, const char *name)
{
    (void)ctx, (void)name;
    return false;
}

static void look(struct pod_listing *listing)
{
    pod_listing_look(listing, "played", none, NULL);
}

static void assert_next(struct pod_listing *listing, const char *name)
{
    const char *next = pod_listing_name(listing);
    if (name == NULL) {
        assert_null(next);
        return;
    }
    assert_non_null(next);
    assert_string_equal(next, name);
    pod_listing_next(listing);
}

/* The first listing has gone by the place of 1 when that is made, and meets 2. */
static void test_what_a_listing_missed_comes_before_what_it_met(void **state)
{
    play("a-1-01.pods", 1);
    play("a-1-02.pods", 1);
    look(*state);
    assert_next(*state, "a-1-01.pods");
    assert_next(*state, "a-1-02.pods");
    assert_next(*state, NULL);
}

/* The same in the second listing: nobody vouches for 4, of which 3 is missed again. */
static void test_what_the_second_listing_met_first_waits(void **state)
{
    play("a-1-03.pods", 5);
    play("a-1-04.pods", 5);
    play("a-1-01.pods", 0);
    play("b-1-09.pods", 0);
    look(*state); /* steps 0 to 3, 4 to 7: the second meets 4 and not 3 */
    assert_next(*state, "a-1-01.pods");
    assert_next(*state, "b-1-09.pods"); /* others don't wait for it */
    assert_next(*state, NULL);
    played[2].made_at = UINT32_MAX; /* removed */
    look(*state);
    assert_next(*state, "a-1-03.pods");
    assert_next(*state, "a-1-04.pods");
}

/* A sensor that was started anew: the last file of its life before is missed, the first one of the
 * new life is met. */
static void test_an_earlier_life_comes_first(void **state)
{
    play("a-1-07.pods", 1);
    play("a-2-01.pods", 1);
    look(*state);
    assert_next(*state, NULL); /* 7 isn't vouched for, and what follows waits */
    look(*state);
    assert_next(*state, "a-1-07.pods");
    assert_next(*state, "a-2-01.pods");
}

/* Its clock was set back: names of the new life stand before those of the old one, which say
 * nothing of what the new one has made. */
static void test_a_clock_that_was_set_back(void **state)
{
    play("a-1-01.pods", 4);
    play("a-1-02.pods", 4);
    play("a-9-05.pods", 0);
    look(*state); /* steps 0 to 2, 3 to 5: the second meets 2 and not 1 */
    assert_next(*state, NULL);
    look(*state);
    assert_next(*state, "a-1-01.pods");
    assert_next(*state, "a-1-02.pods");
    assert_next(*state, "a-9-05.pods");
}

/* A number that is missing keeps nobody waiting: somebody removed the file. */
static void test_gaps(void **state)
{
    play("a-1-02.pods", 0);
    play("a-1-09.pods", 0);
    look(*state);
    assert_next(*state, "a-1-02.pods");
    assert_next(*state, "a-1-09.pods");
}

static void test_who_is_held_waits_for_the_next_pass(void **state)
{
    char name[64];
    for (int i = 0; i < 2 * POD_LISTING_ROUND; i++) {
        snprintf(name, sizeof(name), "a-1-%03d.pods", i);
        play(name, 0);
    }
    play("b-1-01.pods", 0);
    look(*state);
    assert_next(*state, "a-1-000.pods");
    pod_listing_hold(*state); /* at 1 */
    for (int i = 0; i < 2; i++) {
        assert_next(*state, NULL);
        assert_false(pod_listing_is_over(*state));
        look(*state);
    }
    assert_next(*state, "b-1-01.pods");
    assert_next(*state, NULL);
    assert_true(pod_listing_is_over(*state));
    look(*state);
    assert_next(*state, "a-1-000.pods");
    pod_listing_restart(*state);
    assert_next(*state, NULL);
    assert_true(pod_listing_is_over(*state));
}

/* Nobody vouches for z, of which there is more behind the first look; then a can't be read. */
static void test_who_is_held_frees_nobody_else(void **state)
{
    enum { LATER = POD_LISTING_ROUND + 40 };
    char name[64];
    play("a-1-01.pods", 0);
    for (int i = 0; i < LATER; i++) {
        snprintf(name, sizeof(name), "z-1-%03d.pods", i);
        play(name, LATER + 1); /* between the listings */
    }
    look(*state);
    assert_string_equal(pod_listing_name(*state), "a-1-01.pods");
    pod_listing_hold(*state);
    assert_next(*state, NULL);
    assert_false(pod_listing_is_over(*state));
    look(*state);
    assert_next(*state, NULL);
    assert_true(pod_listing_is_over(*state));
    look(*state);
    assert_next(*state, "a-1-01.pods");
    assert_next(*state, "z-1-000.pods");
}

static void test_names_that_are_none(void **state)
{
    char long_one[POD_LISTING_NAME];
    memset(long_one, 'x', sizeof(long_one) - 1);
    long_one[sizeof(long_one) - 1] = '\0';
    play(".hidden.pods", 0);
    play(".pods", 0);
    play("0123.tmp", 0);
    play(long_one, 0);
    play("-.pods", 0);
    play("plain.pods", 0);
    look(*state);
    assert_next(*state, "-.pods");
    assert_next(*state, "plain.pods");
    assert_next(*state, NULL);
}

/* --- a real one --- */

static void path_of(char path[POD_LISTING_NAME + 64], const char *dir, int writer, int number)
{
    snprintf(path, POD_LISTING_NAME + 64, "%s/%016x-%016x-%020d.pods", dir, writer, 1, number);
}

static void write_file(const char *dir, int writer, int number)
{
    char path[POD_LISTING_NAME + 64], temporary[POD_LISTING_NAME];
    path_of(path, dir, writer, number);
    snprintf(temporary, sizeof(temporary), "%s/%016x.tmp", dir, writer);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || close(fd) != 0 || rename(temporary, path) != 0)
        _exit(1);
}

static pid_t begin_writer(const char *dir, int writer)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    for (int number = 1; pid == 0 && number <= FILES; number++)
        write_file(dir, writer, number);
    if (pid == 0)
        _exit(0);
    return pid;
}

struct last {
    long numbers[WRITERS];
};

static long writer_of(const char *name)
{
    long writer = strtol(name, NULL, 16);
    assert_in_range(writer, 0, WRITERS - 1);
    return writer;
}

static long number_of(const char *name)
{
    return strtol(strrchr(name, '-') + 1, NULL, 10);
}

static bool was_read(const void *ctx, const char *name)
{
    const struct last *last = ctx;
    return number_of(name) <= last->numbers[writer_of(name)];
}

/* What is there to be read: each writer's next ones. They stay, as while what they taught isn't
 * saved: a directory with many names takes the kernel some steps. Returns how many. */
static uint32_t read_real(struct pod_listing *listing, const char *dir, struct last *last)
{
    uint32_t count = 0;
    pod_listing_look(listing, dir, was_read, last);
    for (const char *name; (name = pod_listing_name(listing)) != NULL; count++) {
        assert_int_equal(number_of(name), last->numbers[writer_of(name)] + 1);
        last->numbers[writer_of(name)]++;
        pod_listing_next(listing);
    }
    return count;
}

static void remove_real(const char *dir)
{
    char path[POD_LISTING_NAME + 64];
    for (int writer = 0; writer < WRITERS; writer++) {
        for (int number = 1; number <= FILES; number++) {
            path_of(path, dir, writer, number);
            assert_int_equal(unlink(path), 0);
        }
    }
    assert_int_equal(rmdir(dir), 0);
}

static void test_writers_that_write(void **state)
{
    char dir[] = "/tmp/guard-listing-XXXXXX";
    pid_t writers[WRITERS];
    struct last last = {{0}};
    uint32_t count = 0;
    playing = false;
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < WRITERS; i++)
        writers[i] = begin_writer(dir, i);
    for (int ended = 0; ended < WRITERS;) {
        int status;
        count += read_real(*state, dir, &last);
        pid_t pid = waitpid(writers[ended], &status, WNOHANG);
        assert_true(pid >= 0);
        assert_true(pid == 0 || status == 0);
        ended += pid != 0;
    }
    while (count < WRITERS * FILES) {
        uint32_t more = read_real(*state, dir, &last);
        assert_true(more > 0 || !pod_listing_is_over(*state));
        count += more;
    }
    remove_real(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_a_listing_missed_comes_before_what_it_met, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_the_second_listing_met_first_waits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_an_earlier_life_comes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_clock_that_was_set_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gaps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_held_waits_for_the_next_pass, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_held_frees_nobody_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_that_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writers_that_write, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
