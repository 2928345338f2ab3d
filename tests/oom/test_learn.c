/* SPDX-License-Identifier: Apache-2.0 */
/* Learning takes all its memory from the caller: whichever allocation fails, the answer is
 * GUARD_E_NOMEM and nothing is kept. */
#include "support/failing_alloc.h"
#include "unit/learn/tree.h"

static void grow(struct tree *tree)
{
    char text[32];
    for (uint32_t i = 0; i < 400; i++) {
        snprintf(text, sizeof(text), "users/name%u/orders", i);
        struct gd_cell *get =
            tree_request(tree, i % 4, 1 + i % 37, "GET", i % 2 != 0 ? text : "search");
        snprintf(text, sizeof(text), "f%u", i % 50);
        (void)tree_value(tree, get, GUARD_LOCATION_QUERY, text, "tom");
        struct gd_cell *country =
            tree_value(tree, get, GUARD_LOCATION_QUERY, "country", i % 3 != 0 ? "de" : "fr");
        if (i >= 40 && i < 44) /* two who attack both endpoints */
            (void)tree_see(tree, country, GD_KIND_LIKENESS, 0, 1 + i % 2, NULL);
        (void)tree_value(tree, get, GUARD_LOCATION_PATH, "seg1", "tom");
        (void)tree_named(tree, get, GD_KIND_MEDIA, 0, "application/json");
        struct gd_cell *object = tree_structure(tree, get, "a", GUARD_TYPE_OBJECT, 1);
        (void)tree_value(tree, object, GUARD_LOCATION_JSON, "b", "17");
        (void)tree_value(tree, tree->root, GUARD_LOCATION_HEADER, "host", "shop");
    }
}

/* Waits: in one epoch only. */
static void grow_pending(struct tree *tree)
{
    for (uint32_t i = 0; i < 6; i++) {
        struct gd_cell *get = tree_request(tree, 3, 1 + i, "GET", "search");
        (void)tree_value(tree, get, GUARD_LOCATION_QUERY, "page", "1");
    }
}

static enum guard_rc attempt(struct guard_alloc *alloc, void *ctx)
{
    struct tree *tree = ctx;
    struct guard_model *model = NULL;
    const struct guard_review_entry entries[] = {
        {{.kind = GUARD_REVIEW_PATH, .text = GUARD_SPAN_LITERAL("news")}, GUARD_REVIEW_ACCEPTED},
        {{.kind = GUARD_REVIEW_CHARACTER,
          .method = GUARD_SPAN_LITERAL("GET"),
          .template_text = GUARD_SPAN_LITERAL("/search"),
          .location = GUARD_LOCATION_JSON,
          .name = GUARD_SPAN_LITERAL("a.b"),
          .code = GUARD_CLASS_UPPER},
         GUARD_REVIEW_ACCEPTED},
    };
    const struct guard_review review = {entries, 2};
    struct guard_learn_cfg cfg = {.alloc = *alloc, .review = &review};
    struct gd_model_source source = {
        .root = tree->root, .service = tree->root->text, .keyed = true, .epochs = 4};
    enum guard_rc rc = gd_model_build(&model, &source, &cfg, NULL);
    assert_true((rc == GUARD_OK) == (model != NULL));
    if (rc == GUARD_OK) {
        assert_int_equal(model->endpoint_count, 2);
        assert_int_equal(model->pending_count, 1);
        assert_true(model->field_count > 50);
    }
    guard_model_free(model);
    return rc;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    grow(&tree);
    grow_pending(&tree);
    uint64_t calls = failing_alloc_sweep(attempt, &tree, false);
    assert_true(calls > 10);
    tree_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
