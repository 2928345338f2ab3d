/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a node's pods: whole or the one before, nobody forgotten too early, and never more
 * than its reader takes. */
#include "guard/node_pod_list.h"

#include "common/file.h"
#include "common/kubernetes/json_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct node_pod_list list;
static char folder[40], path[64];
static uint64_t mono;

static void tell(enum informer_change change, const char *text)
{
    const struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document_node *root = NULL;
    guard_arena_init(&arena, &heap, 1 << 20);
    if (text != NULL)
        assert_int_equal(json_tree_parse(&root,
                                         (struct guard_span){(const uint8_t *)text, strlen(text)},
                                         &arena, NULL),
                         GUARD_OK);
    node_pod_list_take(&list, change, root);
    guard_arena_reset(&arena);
}

static void tell_pod(enum informer_change change, unsigned number, const char *phase,
                     unsigned containers)
{
    char text[16384];
    size_t len = (size_t)snprintf(text, sizeof(text),
                                  "{\"metadata\":{\"name\":\"p-%u\",\"namespace\":\"n\",\"uid\":"
                                  "\"u-%u\"},\"status\":{\"phase\":\"%s\",\"containerStatuses\":[",
                                  number, number, phase);
    for (unsigned i = 0; i < containers; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "%s{\"name\":\"c%u\",\"containerID\":\"x://%u-%u\"}",
                                i > 0 ? "," : "", i, number, i);
    snprintf(text + len, sizeof(text) - len, "]}}");
    tell(change, text);
}

/* How many pods its reader finds; -1: there is no file. */
static int in_file(void)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    struct pod_list *read;
    if (file_read(path, POD_LIST_BYTES_MAX, &bytes, &len, &err) != GUARD_OK)
        return -1;
    assert_int_equal(pod_list_parse(&read, (struct guard_span){bytes, len}, &err), GUARD_OK);
    free(bytes);
    int count = (int)pod_list_pods(read);
    pod_list_free(read);
    return count;
}

static void tick(uint64_t after_ms)
{
    mono += after_ms;
    node_pod_list_tick(&list, mono);
}

static int setup(void **state)
{
    (void)state;
    memset(&list, 0, sizeof(list));
    snprintf(folder, sizeof(folder), "/tmp/guard-node-pods.XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/pods.json", folder);
    list.path = path;
    mono = clock_monotonic_ms();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    node_pod_list_free(&list);
    (void)unlink(path);
    return rmdir(folder);
}

static void nothing_is_written_before_all_is_listed(void **state)
{
    (void)state;
    assert_int_equal(file_replace(path, GUARD_SPAN_LITERAL("{\"items\":[]}"), 0640, false, NULL),
                     GUARD_OK);
    tell(INFORMER_LISTING, NULL);
    tell_pod(INFORMER_OBJECT, 1, "Running", 1);
    tick(1000);
    assert_int_equal(list.files, 0);
    tell_pod(INFORMER_OBJECT, 2, "Running", 1);
    tell(INFORMER_LISTED, NULL);
    tick(1000);
    assert_int_equal(in_file(), 2);
    /* What isn't told there makes no file. */
    tell_pod(INFORMER_OBJECT, 2, "Pending", 1);
    tick(1000);
    assert_int_equal(list.files, 1);
    tell_pod(INFORMER_OBJECT, 2, "Running", 2);
    tick(1000);
    assert_int_equal(list.files, 2);
}

static void an_empty_node_has_a_file(void **state)
{
    (void)state;
    tell(INFORMER_LISTING, NULL);
    tell(INFORMER_LISTED, NULL);
    tick(0);
    assert_int_equal(in_file(), 0);
}

static void who_is_gone_stays_for_a_while(void **state)
{
    (void)state;
    tell(INFORMER_LISTING, NULL);
    for (unsigned i = 1; i <= 4; i++)
        tell_pod(INFORMER_OBJECT, i, i == 4 ? "Succeeded" : "Running", 1);
    tell(INFORMER_LISTED, NULL);
    tell_pod(INFORMER_GONE, 1, "Running", 1);
    /* Listed anew, without the second. */
    tell(INFORMER_LISTING, NULL);
    tell_pod(INFORMER_OBJECT, 3, "Running", 1);
    tell_pod(INFORMER_OBJECT, 4, "Succeeded", 1);
    tell(INFORMER_LISTED, NULL);
    tick(1000);
    assert_int_equal(in_file(), 4);
    tick(NODE_PODS_GONE_MS - 2000);
    assert_int_equal(in_file(), 4);
    tick(3000);
    assert_int_equal(in_file(), 1);
}

static void its_reader_takes_it_however_many_there_are(void **state)
{
    (void)state;
    tell(INFORMER_LISTING, NULL);
    for (unsigned i = 0; i < POD_LIST_PODS_MAX + 10; i++)
        tell_pod(INFORMER_OBJECT, i, "Running", 1);
    tell(INFORMER_LISTED, NULL);
    tick(0);
    assert_int_equal(in_file(), POD_LIST_PODS_MAX);
    assert_int_equal(list.left_out, 10);
    /* Who is gone makes room at once. */
    tell_pod(INFORMER_GONE, 5, "Running", 1);
    tell_pod(INFORMER_OBJECT, 5000, "Running", 1);
    tick(1000);
    assert_int_equal(in_file(), POD_LIST_PODS_MAX);
    assert_int_equal(list.left_out, 10);
    /* Containers, of those who are there: 60 of each would be fifteen times too many. */
    for (unsigned i = 0; i < POD_LIST_PODS_MAX; i++)
        tell_pod(INFORMER_OBJECT, i, "Running", 60);
    tick(1000);
    assert_true(list.containers <= POD_LIST_CONTAINERS_MAX);
    assert_int_equal(in_file(), POD_LIST_PODS_MAX);
}

static void a_folder_that_cant_be_written_is_tried_again(void **state)
{
    (void)state;
    list.path = "/nowhere/pods.json";
    tell(INFORMER_LISTING, NULL);
    tell(INFORMER_LISTED, NULL);
    tick(0);
    assert_true(list.failing);
    list.path = path;
    tick(NODE_PODS_RETRY_MS - 1);
    assert_int_equal(in_file(), -1);
    tick(1);
    assert_false(list.failing);
    assert_int_equal(in_file(), 0);
}

static void what_is_no_pod_is_passed_over(void **state)
{
    (void)state;
    tell(INFORMER_LISTING, NULL);
    tell(INFORMER_OBJECT, "{\"metadata\":{\"name\":\"p\"}}");
    tell(INFORMER_GONE, "{}");
    tell_pod(INFORMER_GONE, 9, "Running", 1);
    tell(INFORMER_LISTED, NULL);
    tick(0);
    assert_int_equal(in_file(), 0);
    assert_int_equal(list.left_out, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_written_before_all_is_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_node_has_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_gone_stays_for_a_while, setup, teardown),
        cmocka_unit_test_setup_teardown(its_reader_takes_it_however_many_there_are, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_cant_be_written_is_tried_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_no_pod_is_passed_over, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
