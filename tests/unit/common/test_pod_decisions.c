/* SPDX-License-Identifier: Apache-2.0 */
/* What people decide about pods: written, read the same, replaced by the later one, and refused by
 * its place when the file says what can't be. */
#include "common/file.h"
#include "common/pods/decisions.h"
#include "common/state.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct guard_span service = GUARD_SPAN_LITERAL("shop");

struct world {
    char dir[64];
    struct guard_arena arena;
    struct pod_decisions *decisions;
    struct guard_err err;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct guard_alloc heap = heap_alloc();
    snprintf(world->dir, sizeof(world->dir), "/tmp/guard-decisions-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    guard_arena_init(&world->arena, &heap, POD_DECISIONS_ARENA);
    *state = world;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static int teardown(void **state)
{
    struct world *world = *state;
    guard_arena_reset(&world->arena);
    int rc = nftw(world->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(world);
    return rc;
}

static struct change by(struct world *world, const char *reason)
{
    return (struct change){.dir = world->dir,
                           .service = service,
                           .who = {.by = "ann", .uid = 1, .via = "cli"},
                           .reason = reason};
}

static enum guard_rc load(struct world *world)
{
    guard_arena_reset(&world->arena);
    return pod_decisions_load(&world->decisions, world->dir, service, &world->arena, &world->err);
}

static enum guard_rc decide(struct world *world, uint64_t id, enum guard_pod_review review)
{
    const struct change change = by(world, "a \"reason\"");
    const struct pod_decision decision = {.id = id, .review = review, .what = "runs /bin/x"};
    return change_pod_decision(&change, &decision, &world->err);
}

static void test_the_later_decision_holds(void **state)
{
    struct world *world = *state;
    assert_int_equal(load(world), GUARD_OK);
    assert_int_equal(world->decisions->count, 0);
    assert_int_equal(decide(world, 1, GUARD_POD_APPROVED), GUARD_OK);
    assert_int_equal(decide(world, UINT64_MAX, GUARD_POD_APPROVED), GUARD_OK);
    assert_int_equal(decide(world, 1, GUARD_POD_REFUSED), GUARD_OK);
    assert_int_equal(load(world), GUARD_OK);
    assert_int_equal(world->decisions->count, 2);
    assert_true(world->decisions->list[0].id == 1);
    assert_int_equal(world->decisions->list[0].review, GUARD_POD_REFUSED);
    assert_string_equal(world->decisions->list[0].why, "a \"reason\"");
    assert_string_equal(world->decisions->list[0].by, "ann");
    assert_true(world->decisions->list[1].id == UINT64_MAX);
}

static void test_a_session_ends(void **state)
{
    struct world *world = *state;
    const struct change change = by(world, "why");
    assert_int_equal(change_pod_session(&change, "prod", "web-1", 60, &world->err), GUARD_OK);
    assert_int_equal(change_pod_session(&change, "prod", "web-2", 60, &world->err), GUARD_OK);
    assert_int_equal(load(world), GUARD_OK);
    assert_int_equal(world->decisions->session_count, 2);
    assert_int_equal(change_pod_session(&change, "prod", "web-1", 0, &world->err), GUARD_OK);
    assert_int_equal(load(world), GUARD_OK);
    assert_int_equal(world->decisions->session_count, 1);
    assert_string_equal(world->decisions->sessions[0].pod, "web-2");
    assert_int_equal(change_pod_session(&change, "prod", "a/b", 60, &world->err), GUARD_E_RANGE);
    assert_int_equal(change_pod_session(&change, "", "a", 60, &world->err), GUARD_E_RANGE);
    assert_int_equal(change_pod_session(&change, "a", "b", 86401, &world->err), GUARD_E_RANGE);
}

static void test_too_many_are_refused(void **state)
{
    struct world *world = *state;
    char path[STATE_PATH_MAX];
    size_t cap = 1 << 20, len = 0;
    char *text = malloc(cap);
    assert_int_equal(decide(world, 1, GUARD_POD_APPROVED), GUARD_OK); /* makes the folders */
    len += (size_t)snprintf(text, cap, "{\"decisions\":[");
    for (uint32_t i = 0; i < POD_DECISIONS_MAX; i++)
        len += (size_t)snprintf(text + len, cap - len,
                                "%s{\"id\":\"%016x\",\"decision\":\"approve\",\"time_ms\":5}",
                                i > 0 ? "," : "", i + 10);
    snprintf(text + len, cap - len, "]}");
    assert_int_equal(state_path(path, world->dir, "pods", service, ".decisions"), GUARD_OK);
    assert_int_equal(file_replace(path, (struct guard_span){(uint8_t *)text, strlen(text)}, 0600,
                                  false, &world->err),
                     GUARD_OK);
    free(text);
    assert_int_equal(load(world), GUARD_OK);
    assert_int_equal(world->decisions->count, POD_DECISIONS_MAX);
    assert_int_equal(decide(world, 1, GUARD_POD_APPROVED), GUARD_E_LIMIT);
    assert_int_equal(decide(world, 10, GUARD_POD_REFUSED), GUARD_OK); /* in the place of one */
}

static void test_a_broken_file_is_named_by_its_place(void **state)
{
    static const char *const texts[] = {
        "{\"decisions\":[{\"id\":\"1\",\"decision\":\"approve\",\"time_ms\":5}]}",
        "{\"decisions\":[{\"id\":\"0000000000000001\",\"decision\":\"yes\",\"time_ms\":5}]}",
        "{\"decisions\":[{\"id\":\"0000000000000001\",\"decision\":\"refuse\"}]}",
        "{\"sessions\":[{\"pod\":\"x\",\"until_ms\":5}]}",
        "{\"decisions\":[",
    };
    struct world *world = *state;
    char path[STATE_PATH_MAX];
    assert_int_equal(state_prepare(world->dir, &world->err), GUARD_OK);
    assert_int_equal(state_path(path, world->dir, "pods", service, ".decisions"), GUARD_OK);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(
            file_replace(path, (struct guard_span){(const uint8_t *)texts[i], strlen(texts[i])},
                         0600, false, &world->err),
            GUARD_OK);
        assert_int_not_equal(load(world), GUARD_OK);
        assert_non_null(strstr(world->err.text, "shop.decisions:"));
        assert_int_not_equal(decide(world, 1, GUARD_POD_APPROVED), GUARD_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_later_decision_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_session_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_broken_file_is_named_by_its_place, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
