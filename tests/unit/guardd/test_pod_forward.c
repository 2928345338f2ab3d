/* SPDX-License-Identifier: Apache-2.0 */
/* Records on their way up: the books, and what is given up. */
#include "unit/pods/sample.h"

#include "guardd/pods/forward.h"

#include "common/file.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char dir[] = "/tmp/guard-forward-XXXXXX";
static uint8_t bytes[GUARD_POD_RECORD_MAX];

static struct guard_span record_of(uint64_t sequence)
{
    char pod[32];
    size_t len = 0;
    struct guard_pod_record record = sample_record(pod, 1, sequence, 1700000000000);
    assert_int_equal(guard_pod_record_encode(&record, bytes, sizeof(bytes), &len, NULL), GUARD_OK);
    return (struct guard_span){bytes, len};
}

static struct pod_forward *open_it(void)
{
    struct pod_forward *forward = NULL;
    assert_int_equal(pod_forward_open(&forward, dir, NULL), GUARD_OK);
    return forward;
}

static void balanced(const struct pod_forward *forward)
{
    assert_int_equal(forward->counted,
                     forward->sent + forward->refused + forward->dropped + forward->records);
}

static void test_a_batch_and_its_answers(void **state)
{
    static struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    struct pod_forward *forward = open_it();
    struct pod_batch batch;
    (void)state;
    assert_int_equal(pod_forward_mark(forward), 0);
    assert_false(pod_forward_due(forward, 1000));
    for (uint64_t i = 1; i <= 3; i++)
        assert_true(pod_forward_add(forward, record_of(i)));
    assert_int_equal(pod_forward_mark(forward), 1);
    struct guard_span sent = pod_forward_begin(forward);
    assert_int_equal(pod_batch_read(&batch, features, sent, NULL), GUARD_OK);
    assert_int_equal(batch.count, 3);
    assert_memory_equal(batch.secret, forward->secret, POD_BATCH_SECRET);
    /* On its way nothing is added; without an answer it is sent again, and not at once. */
    assert_false(pod_forward_add(forward, record_of(4)));
    assert_false(pod_forward_due(forward, 1000));
    pod_forward_failed(forward, 5000);
    assert_false(pod_forward_due(forward, 4999));
    assert_true(pod_forward_due(forward, 5000));
    assert_int_equal(forward->settled, 0);
    balanced(forward);
    (void)pod_forward_begin(forward);
    pod_forward_taken(forward, 2);
    assert_int_equal(forward->settled, 1);
    assert_int_equal(forward->sent, 2);
    assert_int_equal(forward->refused, 1);
    assert_int_equal(pod_forward_mark(forward), 1);
    balanced(forward);
    /* One that takes more than there is, and one that takes none after all. */
    assert_true(pod_forward_add(forward, record_of(5)));
    (void)pod_forward_begin(forward);
    pod_forward_taken(forward, UINT64_MAX);
    assert_int_equal(forward->sent, 3);
    assert_true(pod_forward_add(forward, record_of(6)));
    pod_forward_undo(forward);
    assert_int_equal(forward->counted, 4);
    balanced(forward);
    pod_forward_close(forward);
}

static void test_it_is_full(void **state)
{
    struct pod_forward *forward = open_it();
    uint32_t count = 0;
    (void)state;
    while (pod_forward_add(forward, record_of(count + 1)))
        count++;
    assert_int_equal(count, POD_BATCH_RECORDS_MAX);
    assert_true(pod_forward_begin(forward).len <= POD_BATCH_BYTES_MAX);
    pod_forward_close(forward);
}

static void test_the_secret_stays(void **state)
{
    struct pod_forward *forward = open_it();
    uint8_t secret[POD_BATCH_SECRET];
    (void)state;
    memcpy(secret, forward->secret, sizeof(secret));
    pod_forward_close(forward);
    forward = open_it();
    assert_memory_equal(secret, forward->secret, sizeof(secret));
    pod_forward_close(forward);
}

static bool is_first(const void *ctx, const char *name)
{
    (void)ctx;
    return strstr(name, "-00000.pods") != NULL;
}

static uint32_t files(const char *path)
{
    uint32_t count = 0;
    DIR *open_dir = opendir(path);
    while (readdir(open_dir) != NULL)
        count++;
    closedir(open_dir);
    return count - 2;
}

static void test_the_oldest_are_given_up(void **state)
{
    enum { MORE = 10 };
    struct pod_forward *forward = open_it();
    char path[128], folder[64];
    struct guard_span one = record_of(1);
    (void)state;
    snprintf(folder, sizeof(folder), "%s/pods", dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    for (int i = 0; i < POD_FORWARD_FILES_MAX + MORE; i++) {
        snprintf(path, sizeof(path), "%s/a-%05d.pods", folder, i);
        assert_int_equal(file_replace(path, one, 0600, false, NULL), GUARD_OK);
    }
    pod_forward_bound(forward, folder, is_first, NULL);
    assert_int_equal(files(folder), POD_FORWARD_FILES_MAX);
    assert_int_equal(forward->dropped, MORE);
    balanced(forward);
    for (int i = 0; i <= MORE + 1; i++) {
        snprintf(path, sizeof(path), "%s/a-%05d.pods", folder, i);
        assert_int_equal(access(path, F_OK) == 0, i == 0 || i > MORE);
    }
    pod_forward_bound(forward, folder, is_first, NULL);
    assert_int_equal(forward->dropped, MORE);
    pod_forward_close(forward);
}

static int make_dir(void **state)
{
    char keys[64];
    (void)state;
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(keys, sizeof(keys), "%s/keys", dir);
    return mkdir(keys, 0700);
}

static void remove_folder(const char *path)
{
    char name[400];
    DIR *open_dir = opendir(path);
    for (struct dirent *entry = NULL; open_dir != NULL && (entry = readdir(open_dir)) != NULL;) {
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(name);
    }
    if (open_dir != NULL)
        closedir(open_dir);
    rmdir(path);
}

static int remove_dir(void **state)
{
    char path[64];
    (void)state;
    snprintf(path, sizeof(path), "%s/keys", dir);
    remove_folder(path);
    snprintf(path, sizeof(path), "%s/pods", dir);
    remove_folder(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch_and_its_answers), cmocka_unit_test(test_it_is_full),
        cmocka_unit_test(test_the_secret_stays), cmocka_unit_test(test_the_oldest_are_given_up)};
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
