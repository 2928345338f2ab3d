/* SPDX-License-Identifier: Apache-2.0 */
/* Routes stay routes, identifiers become wildcards, and no single client decides which is which. */
#include "unit/learn/tree.h"

#include "learn/templates.h"

static const struct guard_model_node *child(const struct guard_model *model, uint32_t parent,
                                            const char *text)
{
    for (uint32_t i = 0; i < model->node_count; i++) {
        if (model->nodes[i].parent == parent && tree_is(model->nodes[i].text, text))
            return &model->nodes[i];
    }
    return NULL;
}

static void visit(struct tree *tree, uint32_t i, const char *path)
{
    (void)tree_request(tree, i % 4, 1 + i % 20, "GET", path);
}

static void test_typed_segments_are_wildcards_at_once(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 8; i++)
        visit(&tree, i, "users/{int}");
    struct guard_model *model = tree_learn(&tree);
    const struct guard_model_endpoint *endpoint = tree_endpoint(model, "GET", "/users/{int}");
    assert_non_null(endpoint);
    assert_true(endpoint->trusted);
    assert_true(model->nodes[endpoint->node].wildcard);
    assert_int_equal(model->nodes[endpoint->node].types, 1u << GUARD_TYPE_INT);
    guard_model_free(model);
    tree_fini(&tree);
}

static void test_several_types_share_a_wildcard(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 40; i++)
        visit(&tree, i, i % 2 != 0 ? "x/{hex}" : i < 20 ? "x/{int}" : "x/{uuid}");
    (void)tree_request(&tree, 1, 3, "GET", "x/{date}");
    struct guard_model *model = tree_learn(&tree);
    const struct guard_model_endpoint *endpoint = tree_endpoint(model, "GET", "/x/{}");
    assert_non_null(endpoint);
    assert_int_equal(endpoint->exchanges, 41);
    assert_int_equal(model->nodes[endpoint->node].types,
                     1u << GUARD_TYPE_HEX | 1u << GUARD_TYPE_INT | 1u << GUARD_TYPE_UUID);
    guard_model_free(model);
    tree_fini(&tree);
}

/* 300 routes, each asked for again and again, are no identifiers. */
static void test_many_routes_stay_literal(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    char path[32];
    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(path, sizeof(path), "page-%u", i % 300);
        (void)tree_request(&tree, i / 300 % 4, 1 + i / 100, "GET", path);
    }
    struct guard_model *model = tree_learn(&tree);
    assert_int_equal(model->node_count, 301);
    assert_int_equal(model->endpoint_count, 300);
    assert_true(model->nodes[0].strength[0] > 200);
    guard_model_free(model);
    tree_fini(&tree);
}

static void test_identifiers_collapse_beside_routes(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    char path[32];
    for (uint32_t i = 0; i < 200; i++) {
        snprintf(path, sizeof(path), "users/name%u/orders", i);
        visit(&tree, i, path);
        visit(&tree, i, "users/search");
    }
    struct guard_model *model = tree_learn(&tree);
    assert_non_null(tree_endpoint(model, "GET", "/users/search"));
    const struct guard_model_endpoint *orders = tree_endpoint(model, "GET", "/users/{}/orders");
    assert_non_null(orders);
    assert_int_equal(orders->exchanges, 200);
    assert_int_equal(model->endpoint_count, 2);
    const struct guard_model_node *users = child(model, 0, "users");
    assert_non_null(users);
    assert_int_equal(users->strength[0], 0); /* any segment fits */
    assert_true(model->nodes[0].strength[0] > 0);
    const struct guard_model_node *any = child(model, (uint32_t)(users - model->nodes), "{}");
    assert_non_null(any);
    assert_int_equal(any->types, 0);
    guard_model_free(model);
    tree_fini(&tree);
}

/* One client that asks for random paths neither becomes a wildcard nor routes; as many by many
 * clients do. */
static void scan(struct tree *tree, bool alone)
{
    char path[32];
    for (uint32_t i = 0; i < 500; i++) {
        visit(tree, i, i % 5 == 0 ? "a" : i % 5 == 1 ? "b" : i % 5 == 2 ? "c" : "d");
        snprintf(path, sizeof(path), "random%u", i);
        (void)tree_request(tree, i % 4, alone ? 77 : 1 + i % 20, "GET", path);
    }
}

static void test_one_scanner_changes_nothing(void **state)
{
    (void)state;
    for (int alone = 0; alone < 2; alone++) {
        struct tree tree;
        tree_init(&tree);
        scan(&tree, alone == 1);
        struct guard_model *model = tree_learn(&tree);
        assert_int_equal(model->node_count, alone == 1 ? 5 : 6);
        assert_true((child(model, 0, "{}") == NULL) == (alone == 1));
        assert_int_equal(model->nodes[0].pending, alone == 1 ? 500 : 0);
        guard_model_free(model);
        tree_fini(&tree);
    }
}

/* A few pages that only one has found are no sign of identifiers, many are; and what the loudest
 * found alone counts no more than what others did. */
static uint32_t nodes_with(uint32_t singles, uint32_t loud)
{
    struct tree tree;
    tree_init(&tree);
    char path[32];
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "page%u", i / 20 % 10);
        visit(&tree, i, path);
    }
    for (uint32_t i = 0; i < singles; i++) {
        snprintf(path, sizeof(path), "single%u", i);
        visit(&tree, i, path);
    }
    for (uint32_t i = 0; i < loud; i++) {
        snprintf(path, sizeof(path), "loud%u", i);
        (void)tree_request(&tree, i % 4, 77, "GET", path);
    }
    struct guard_model *model = tree_learn(&tree);
    uint32_t count = model->node_count;
    guard_model_free(model);
    tree_fini(&tree);
    return count;
}

static void test_share_of_what_is_new(void **state)
{
    (void)state;
    assert_int_equal(nodes_with(20, 0), 11);
    assert_int_equal(nodes_with(20, 2000), 11);
    assert_int_equal(nodes_with(400, 0), 12);
}

/* Beside identifiers a route is what has more than a twentieth of the traffic. */
static void test_rare_routes_join_the_wildcard(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    char path[32];
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "name%u", i);
        (void)tree_request(&tree, i / 50 % 4, 1 + i % 23, "GET",
                           i % 25 == 0   ? "rare"
                           : i % 10 == 1 ? "often"
                                         : path);
    }
    struct guard_model *model = tree_learn(&tree);
    assert_non_null(tree_endpoint(model, "GET", "/often"));
    assert_null(tree_endpoint(model, "GET", "/rare"));
    assert_int_equal(tree_endpoint(model, "GET", "/{}")->exchanges, 860 + 40);
    guard_model_free(model);
    tree_fini(&tree);
}

static void test_without_support_no_template(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 100; i++) {
        visit(&tree, i, "known");
        (void)tree_request(&tree, i % 4, 5, "GET", "one/client");
        (void)tree_request(&tree, 2, 1 + i % 20, "GET", "one/epoch");
    }
    struct guard_model *model = tree_learn(&tree);
    assert_non_null(tree_endpoint(model, "GET", "/known"));
    assert_null(tree_endpoint(model, "GET", "/one/client"));
    assert_null(tree_endpoint(model, "GET", "/one/epoch"));
    const struct guard_model_node *one = child(model, 0, "one");
    assert_non_null(one);
    assert_int_equal(one->pending, 2);
    guard_model_free(model);
    tree_fini(&tree);
}

static void test_texts_of_odd_paths(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 100; i++) {
        visit(&tree, i, "");
        visit(&tree, i, "dir/");
        visit(&tree, i, "dir");
    }
    struct guard_model *model = tree_learn(&tree);
    assert_non_null(tree_endpoint(model, "GET", "/"));
    assert_non_null(tree_endpoint(model, "GET", "/dir"));
    assert_non_null(tree_endpoint(model, "GET", "/dir/"));
    assert_int_equal(gd_segment_types(GUARD_SPAN_LITERAL("{int}")), 1u << GUARD_TYPE_INT);
    assert_int_equal(gd_segment_types(GUARD_SPAN_LITERAL("int")), 0);
    guard_model_free(model);
    tree_fini(&tree);
}

/* Nodes come parents first, siblings in the order of their texts. */
static void test_order(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    const char *paths[] = {"z/b", "z/a", "m", "a/{int}", "a/x"};
    for (uint32_t i = 0; i < 400; i++)
        visit(&tree, i, paths[i / 20 % 5]);
    struct guard_model *model = tree_learn(&tree);
    for (uint32_t i = 1; i < model->node_count; i++) {
        const struct guard_model_node *node = &model->nodes[i];
        assert_true(node->parent < i);
        if (node[-1].parent == node->parent)
            assert_true(node->wildcard || gd_span_compare(node[-1].text, node->text) < 0);
    }
    assert_int_equal(model->node_count, 8);
    guard_model_free(model);
    tree_fini(&tree);
}

static void test_full_table_disarms_its_parents(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    char path[32];
    for (uint32_t i = 0; i < (GD_TEMPLATES_MAX + 10) * 8; i++) {
        snprintf(path, sizeof(path), "p%u", i / 8);
        visit(&tree, i, path);
    }
    struct guard_model *model = tree_learn(&tree);
    assert_int_equal(model->node_count, GD_TEMPLATES_MAX);
    assert_int_equal(model->nodes[0].strength[0], 0);
    guard_model_free(model);
    tree_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typed_segments_are_wildcards_at_once),
        cmocka_unit_test(test_several_types_share_a_wildcard),
        cmocka_unit_test(test_many_routes_stay_literal),
        cmocka_unit_test(test_identifiers_collapse_beside_routes),
        cmocka_unit_test(test_one_scanner_changes_nothing),
        cmocka_unit_test(test_share_of_what_is_new),
        cmocka_unit_test(test_rare_routes_join_the_wildcard),
        cmocka_unit_test(test_without_support_no_template),
        cmocka_unit_test(test_texts_of_odd_paths),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_full_table_disarms_its_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
