/* SPDX-License-Identifier: Apache-2.0 */
/* Whom people block and whom they let in stands in one file: the last word on a client counts, what
 * was said of others stays. */
#include "common/document_members.h"
#include "common/file.h"
#include "common/lifts.h"
#include "common/state.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/guard-lifts-XXXXXX";
static const struct change ann = {
    .dir = dir,
    .service = {(const uint8_t *)"shop", 4},
    .who = {.by = "ann", .via = "cli"},
    .reason = "she steals",
};

static struct client_block blocks[BLOCKS_MAX];
static uint32_t refused;

static int set_up(void **state)
{
    struct guard_err err;
    (void)state;
    return mkdtemp(dir) != NULL && state_prepare(dir, &err) == GUARD_OK ? 0 : -1;
}

static void put(const char *text)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    assert_int_equal(state_path(path, dir, "clients", ann.service, ".lifts"), GUARD_OK);
    assert_int_equal(file_replace(path, (struct guard_span){(const uint8_t *)text, strlen(text)},
                                  0640, false, &err),
                     GUARD_OK);
}

/* How many the list of the file names, of blocks into `blocks`. */
static uint32_t listed(const char *name)
{
    char path[STATE_PATH_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    uint32_t count = 0;
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    assert_int_equal(state_path(path, dir, "clients", ann.service, ".lifts"), GUARD_OK);
    assert_int_equal(document_load(&document, path, &arena, NULL), GUARD_OK);
    const struct document_node *list = member_of(document.root, name);
    for (const struct document_node *node = list->first; node != NULL; node = node->next)
        count++;
    if (strcmp(name, "blocks") == 0)
        assert_int_equal(blocks_read(list, clock_unix_ms(), blocks, BLOCKS_MAX, &refused), count);
    guard_arena_reset(&arena);
    return count;
}

static void test_the_last_word_on_a_client_counts(void **state)
{
    struct guard_err err;
    (void)state;
    put("{}");
    assert_int_equal(change_lift(&ann, "192.0.2.0/24", 60, &err), GUARD_OK);
    assert_int_equal(change_lift(&ann, "198.51.100.0/24", 60, &err), GUARD_OK);
    assert_int_equal(change_block(&ann, "192.0.2.0/24", 60, true, &err), GUARD_OK);
    assert_int_equal(listed("lifts"), 2);
    assert_int_equal(change_block(&ann, "192.0.2.0/24", 60, false, &err), GUARD_OK);
    assert_int_equal(change_block(&ann, "203.0.113.0/24", 120, false, &err), GUARD_OK);
    assert_int_equal(listed("lifts"), 1);
    assert_int_equal(listed("blocks"), 2);
    assert_string_equal(blocks[0].client, "203.0.113.0/24");
    assert_string_equal(blocks[0].why, "blocked by hand (ann): she steals");
    assert_true(blocks[0].since_ms + 120000 == blocks[0].until_ms);
    assert_int_equal(change_lift(&ann, "192.0.2.0/24", 60, &err), GUARD_OK);
    assert_int_equal(listed("blocks"), 1);
    assert_int_equal(change_block_end(&ann, "192.0.2.0/24", &err), GUARD_E_STATE);
    assert_int_equal(change_block_end(&ann, "203.0.113.0/24", &err), GUARD_OK);
    assert_int_equal(listed("blocks"), 0);
    assert_int_equal(listed("lifts"), 2);
}

static void test_times_have_bounds(void **state)
{
    struct guard_err err;
    (void)state;
    put("{}");
    assert_int_equal(change_block(&ann, "192.0.2.0/24", 0, false, &err), GUARD_E_RANGE);
    assert_int_equal(change_block(&ann, "192.0.2.0/24", BLOCK_SECONDS_MAX + 1UL, false, &err),
                     GUARD_E_RANGE);
    assert_int_equal(change_block(&ann, "192.0.2.0/24", BLOCK_SECONDS_MAX, false, &err), GUARD_OK);
    assert_int_equal(listed("blocks"), 1);
}

static void test_nobody_is_let_go_for_another(void **state)
{
    struct guard_err err;
    char name[32];
    (void)state;
    put("{}");
    for (int i = 0; i < BLOCKS_MAX; i++) {
        snprintf(name, sizeof(name), "10.0.%d.0/24", i);
        assert_int_equal(change_block(&ann, name, 60, false, &err), GUARD_OK);
    }
    assert_int_equal(change_block(&ann, "192.0.2.0/24", 60, true, &err), GUARD_E_LIMIT);
    assert_int_equal(change_block(&ann, "192.0.2.0/24", 60, false, &err), GUARD_E_LIMIT);
    assert_int_equal(change_block(&ann, "10.0.7.0/24", 90, false, &err), GUARD_OK);
    assert_int_equal(listed("blocks"), BLOCKS_MAX);
    assert_string_equal(blocks[0].client, "10.0.7.0/24");
}

static void test_a_damaged_file_is_not_written_over(void **state)
{
    struct guard_err err;
    (void)state;
    put("{\"blocks\":[");
    assert_int_equal(change_block(&ann, "192.0.2.0/24", 60, false, &err), GUARD_E_SYNTAX);
    assert_int_equal(change_block_end(&ann, "192.0.2.0/24", &err), GUARD_E_SYNTAX);
    assert_int_equal(change_lift(&ann, "192.0.2.0/24", 60, &err), GUARD_OK);
}

static void test_what_names_nobody_or_too_many_is_not_read(void **state)
{
    char text[1024];
    char path[STATE_PATH_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    (void)state;
    snprintf(text, sizeof(text),
             "{\"blocks\":[{\"client\":\"0.0.0.0/0\",\"until_ms\":2000},{\"client\":\"10.0.0.0/"
             "8\",\"until_ms\":2000},{\"client\":\"192.0.2.7\",\"until_ms\":2000},{\"client\":"
             "\"192.0.3.0/24\",\"until_ms\":1e18},{\"client\":\"192.0.4.0/24\",\"until_ms\":999},"
             "{\"client\":\"192.0.5.0/24\"},{\"client\":{}},7,{\"client\":\"::/0\",\"until_ms\":"
             "2000}]}");
    put(text);
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    assert_int_equal(state_path(path, dir, "clients", ann.service, ".lifts"), GUARD_OK);
    assert_int_equal(document_load(&document, path, &arena, NULL), GUARD_OK);
    const struct document_node *list = member_of(document.root, "blocks");
    assert_int_equal(blocks_read(list, 1000, blocks, BLOCKS_MAX, &refused), 1);
    assert_string_equal(blocks[0].client, "192.0.2.0/24");
    assert_int_equal(refused, 6);
    assert_int_equal(blocks_read(list, 1000, blocks, 0, &refused), 0);
    assert_int_equal(blocks_read(NULL, 1000, blocks, BLOCKS_MAX, &refused), 0);
    guard_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_word_on_a_client_counts),
        cmocka_unit_test(test_times_have_bounds),
        cmocka_unit_test(test_nobody_is_let_go_for_another),
        cmocka_unit_test(test_a_damaged_file_is_not_written_over),
        cmocka_unit_test(test_what_names_nobody_or_too_many_is_not_read),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
