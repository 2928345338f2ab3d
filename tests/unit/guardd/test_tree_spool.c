/* SPDX-License-Identifier: Apache-2.0 */
/* Each delta is in exactly one file, whatever was killed where; the very oldest is never merged,
 * for it may have been sent. */
#include "guardd/tree/spool.h"

#include "common/file.h"

#include "support/pile_traffic.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct guard_span shop = {(const uint8_t *)"shop", 4};
static char state_dir[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(state_dir, sizeof(state_dir), "/tmp/guard-spool-XXXXXX");
    return mkdtemp(state_dir) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    char path[600];
    static const char *const folders[] = {"spool/s.shop", "spool/refused", "spool", ""};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", state_dir, folders[i]);
        DIR *dir = opendir(path);
        for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
            char file[900];
            snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
            (void)unlink(file);
        }
        if (dir != NULL)
            closedir(dir);
        (void)rmdir(path);
    }
    return 0;
}

/* Of delta `number`: ten records that follow those of the one before. */
static struct guard_span delta_of(uint64_t number)
{
    struct guard_pile_cfg cfg = traffic_cfg(&traffic_memory);
    struct guard_pile *pile = NULL;
    struct gd_profile profile = {.service = traffic_text("shop"), .method = traffic_text("GET")};
    uint8_t *bytes = NULL;
    size_t len = 0;
    profile.time_ms = UINT64_C(1700006400000);
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_OK);
    for (uint64_t i = 1; i <= 10; i++) {
        struct guard_source source = {9, 1, (number - 1) * 10 + i};
        assert_int_equal(gd_pile_observe_profile(pile, &source, &profile, NULL), GUARD_OK);
    }
    assert_int_equal(guard_pile_encode(pile, &bytes, &len, NULL), GUARD_OK);
    guard_pile_free(pile);
    return (struct guard_span){bytes, len};
}

static void put(struct spool *spool, struct spool_queue *queue, uint64_t number)
{
    struct guard_span bytes = delta_of(number);
    assert_int_equal(spool_put(spool, shop, queue, number, bytes, NULL), GUARD_OK);
    free((void *)bytes.ptr);
}

static void open_spool(struct spool *spool, struct spool_queue *queue)
{
    *queue = (struct spool_queue){.list = NULL};
    assert_int_equal(spool_open(spool, state_dir, 1 << 20, NULL), GUARD_OK);
    assert_int_equal(spool_scan(spool, shop, queue, NULL), GUARD_OK);
}

static uint64_t records_of(const struct spool *spool, struct spool_queue *queue)
{
    struct guard_pile_cfg cfg = {.alloc = traffic_memory};
    struct guard_pile *pile = NULL;
    struct guard_pile_stats stats;
    uint8_t *bytes = NULL;
    size_t len = 0;
    assert_int_equal(spool_read(spool, shop, queue, &bytes, &len, NULL), GUARD_OK);
    assert_int_equal(guard_pile_decode(&pile, &cfg, (struct guard_span){bytes, len}, NULL),
                     GUARD_OK);
    guard_pile_stats(pile, &stats);
    guard_pile_free(pile);
    free(bytes);
    return stats.exchanges;
}

static void test_first_in_first_out_over_restarts(void **state)
{
    struct spool spool;
    struct spool_queue queue;
    (void)state;
    open_spool(&spool, &queue);
    for (uint64_t number = 1; number <= 3; number++)
        put(&spool, &queue, number);
    uint64_t bytes = spool.bytes;
    spool_queue_free(&queue);
    open_spool(&spool, &queue);
    assert_int_equal(queue.count, 3);
    assert_int_equal(spool.bytes, bytes);
    for (uint64_t number = 1; number <= 3; number++) {
        assert_int_equal(queue.list[0].first, number);
        assert_int_equal(records_of(&spool, &queue), 10);
        spool_drop(&spool, shop, &queue);
    }
    assert_int_equal(spool.bytes, 0);
    assert_int_equal(spool.files, 0);
    spool_queue_free(&queue);
    open_spool(&spool, &queue);
    assert_int_equal(queue.count, 0);
    spool_queue_free(&queue);
}

static void test_the_very_oldest_is_never_merged(void **state)
{
    struct spool spool;
    struct spool_queue queue;
    (void)state;
    open_spool(&spool, &queue);
    for (uint64_t number = 1; number <= 4; number++)
        put(&spool, &queue, number);
    assert_true(spool_merge(&spool, shop, &queue));
    assert_true(spool_merge(&spool, shop, &queue));
    assert_false(spool_merge(&spool, shop, &queue));
    assert_int_equal(queue.count, 2);
    assert_int_equal(queue.list[0].first, 1);
    assert_int_equal(queue.list[0].last, 1);
    assert_int_equal(queue.list[1].first, 2);
    assert_int_equal(queue.list[1].last, 4);
    spool_queue_free(&queue);
    open_spool(&spool, &queue);
    assert_int_equal(queue.count, 2);
    spool_drop(&spool, shop, &queue);
    assert_int_equal(records_of(&spool, &queue), 30);
    spool_drop(&spool, shop, &queue);
    spool_queue_free(&queue);
}

/* As one that was killed between writing what two became and removing them, or while writing. */
static void test_what_a_kill_leaves_is_cleared(void **state)
{
    struct spool spool;
    struct spool_queue queue;
    char from[300];
    char to[300];
    (void)state;
    open_spool(&spool, &queue);
    for (uint64_t number = 1; number <= 3; number++)
        put(&spool, &queue, number);
    for (int i = 2; i <= 3; i++) {
        snprintf(from, sizeof(from), "%s/spool/s.shop/%016x-%016x", state_dir, (unsigned)i,
                 (unsigned)i);
        snprintf(to, sizeof(to), "%s/kept-%d", state_dir, i);
        assert_int_equal(link(from, to), 0);
    }
    assert_true(spool_merge(&spool, shop, &queue));
    for (int i = 2; i <= 3; i++) {
        snprintf(from, sizeof(from), "%s/spool/s.shop/%016x-%016x", state_dir, (unsigned)i,
                 (unsigned)i);
        snprintf(to, sizeof(to), "%s/kept-%d", state_dir, i);
        assert_int_equal(rename(to, from), 0);
    }
    snprintf(to, sizeof(to), "%s/spool/s.shop/0000000000000009-0000000000000009.77.tmp", state_dir);
    assert_int_equal(
        file_replace(to, (struct guard_span){(const uint8_t *)"x", 1}, 0600, false, NULL),
        GUARD_OK);
    spool_queue_free(&queue);
    open_spool(&spool, &queue);
    assert_int_equal(queue.count, 2);
    assert_int_equal(queue.list[1].first, 2);
    assert_int_equal(queue.list[1].last, 3);
    assert_int_equal(access(to, F_OK), -1);
    while (queue.count > 0)
        spool_drop(&spool, shop, &queue);
    spool_queue_free(&queue);
}

static void test_room_and_what_is_put_aside_are_bounded(void **state)
{
    struct spool spool;
    struct spool_queue queue;
    char path[300];
    uint32_t files = 0;
    (void)state;
    open_spool(&spool, &queue);
    for (uint64_t number = 1; number <= SPOOL_ASIDE_MAX + 5; number++) {
        put(&spool, &queue, number);
        spool_put_aside(&spool, shop, &queue);
    }
    assert_int_equal(spool.refused, SPOOL_ASIDE_MAX + 5);
    assert_int_equal(spool.lost, 5);
    assert_int_equal(spool.bytes, 0);
    snprintf(path, sizeof(path), "%s/spool/refused", state_dir);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        files += entry->d_name[0] != '.';
    closedir(dir);
    assert_int_equal(files, SPOOL_ASIDE_MAX);
    put(&spool, &queue, 100);
    spool.max = spool.bytes + 10;
    struct guard_span bytes = delta_of(101);
    assert_int_equal(spool_put(&spool, shop, &queue, 101, bytes, NULL), GUARD_E_LIMIT);
    free((void *)bytes.ptr);
    assert_int_equal(queue.count, 1);
    spool_queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_in_first_out_over_restarts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_very_oldest_is_never_merged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_kill_leaves_is_cleared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_room_and_what_is_put_aside_are_bounded, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
