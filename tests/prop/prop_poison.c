/* SPDX-License-Identifier: Apache-2.0 */
/* D - 1 clients may send anything while a service is learned: no rule gets weaker by it, and
 * nothing of theirs is called normal or pending. The others are many and steady here;
 * docs/internals/learn.md says what can't be had in general. */
#include "unit/learn/tree.h"

#include "support/random.h"

/* SLACK, in hundredths of a decade: ten records of a client prove no more than one in other epochs,
 * so that epochs which are full by three clients take some trials from the others. */
enum { RUNS = 8, EPOCHS = 6, CLIENTS = 24, ATTACKERS = 3, FIRST_ATTACKER = 900, SLACK = 10 };

static const char *const users[] = {"tom", "ann", "robert", "li", "maria", "jo"};
static const char *const paths[] = {"users", "orders", "search", "items"};
static const char *const names[] = {"username", "page", "sort", "q", "other"};

/* All that is ever seen is seen in each epoch, by each client. */
static void send_benign(struct tree *tree)
{
    char text[16];
    for (uint32_t i = 0; i < EPOCHS * CLIENTS * 12; i++) {
        uint32_t epoch = i / (CLIENTS * 12), client = 1 + i % CLIENTS, kind = i / CLIENTS % 12;
        struct gd_cell *at = tree_request(tree, epoch, client, kind == 7 ? "POST" : "GET",
                                          paths[kind == 7 ? 1 : kind % 3]);
        (void)tree_value(tree, at, GUARD_LOCATION_QUERY, "username", users[kind % 6]);
        snprintf(text, sizeof(text), "%u", 10 + kind * 7);
        (void)tree_value(tree, at, GUARD_LOCATION_QUERY, "page", text);
        (void)tree_value(tree, at, GUARD_LOCATION_QUERY, "sort", kind % 2 == 0 ? "up" : "down");
        (void)tree_value(tree, tree->root, GUARD_LOCATION_HEADER, "accept", "text");
        (void)tree_see(tree, tree->root, GD_KIND_STATUS, 0, 2, NULL);
        if (kind == 7)
            (void)tree_see(tree, at, GD_KIND_SIZE, 0, gd_bucket(200), NULL);
    }
}

static const char *anything(struct test_random *random, char text[64])
{
    static const char letters[] = "abzAZ09 '\"<>()=;-./%*&|$@!#[]{}~^_,:?\\+`";
    size_t len = test_random_below(random, 63);
    if (test_random_once_in(random, 3))
        return users[test_random_below(random, 6)];
    test_random_text(random, text, len, letters, sizeof(letters) - 1);
    text[len] = '\0';
    return text;
}

static void send_one(struct tree *tree, struct test_random *random, uint32_t epoch, uint32_t client)
{
    static const char *const methods[] = {"GET", "POST", "DELETE"};
    char text[64], path[24];
    snprintf(path, sizeof(path), "x%u", (unsigned)test_random_below(random, 500));
    struct gd_cell *at =
        tree_request(tree, epoch, client, methods[test_random_below(random, 3)],
                     test_random_once_in(random, 4) ? path : paths[test_random_below(random, 4)]);
    /* What is always there is there: that a name may be missing, one record still teaches. */
    for (uint32_t i = 0; i < 5; i++) {
        if (i < 3 || test_random_once_in(random, 3))
            (void)tree_value(tree, at, GUARD_LOCATION_QUERY, names[i], anything(random, text));
    }
    (void)tree_value(tree, tree->root, GUARD_LOCATION_HEADER, "accept", anything(random, text));
    if (test_random_once_in(random, 3))
        (void)tree_value(tree, tree->root, GUARD_LOCATION_HEADER, path, anything(random, text));
    (void)tree_see(tree, tree->root, GD_KIND_STATUS, 0, 2 + 2 * test_random_below(random, 2), NULL);
    (void)tree_see(tree, at, GD_KIND_SIZE, 0, test_random_below(random, 60), NULL);
    (void)tree_see(tree, at, GD_KIND_FAULT, 0,
                   GUARD_LOCATION_QUERY << 8 | test_random_below(random, GUARD_FAULT_COUNT), NULL);
}

/* One client or three, once or a thousand times, at one time or at any. */
static void send_attacks(struct tree *tree, struct test_random *random)
{
    uint32_t clients = (uint32_t)test_random_between(random, 1, ATTACKERS);
    static const uint32_t often[] = {1, 3, 30, 300, 1000};
    uint32_t count = often[test_random_below(random, 5)];
    uint32_t only = (uint32_t)test_random_below(random, 2 * EPOCHS);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t epoch = only < EPOCHS ? only : (uint32_t)test_random_below(random, EPOCHS);
        send_one(tree, random, epoch, FIRST_ATTACKER + i % clients);
    }
}

static void no_weaker(const char *what, struct guard_span name, const uint16_t *before,
                      const uint16_t *after)
{
    for (uint32_t rule = 0; rule < GUARD_RULE_COUNT; rule++) {
        if (after[rule] + SLACK < before[rule])
            fail_msg("%s %.*s: rule %s fell from %u to %u", what, (int)name.len,
                     (const char *)name.ptr, guard_rule_name((enum guard_rule)rule), before[rule],
                     after[rule]);
    }
}

static void fields_no_weaker(const struct guard_model *before, const struct guard_model *after,
                             const struct guard_model_endpoint *a,
                             const struct guard_model_endpoint *b)
{
    uint32_t first = a == NULL ? before->first_service_field : a->first_field;
    uint32_t count = a == NULL ? before->service_field_count : a->field_count;
    for (uint32_t i = first; i < first + count; i++) {
        const struct guard_model_field *old = &before->fields[i];
        char path[64];
        snprintf(path, sizeof(path), "%.*s", (int)old->path.len, (const char *)old->path.ptr);
        const struct guard_model_field *now = tree_field(after, b, path);
        assert_non_null(now);
        no_weaker("field", old->path, old->strength, now->strength);
        assert_true(old->classes == now->classes && now->pending_classes == 0);
        assert_true(old->types == now->types && now->pending_types == 0);
        assert_true(old->length_max == now->length_max && old->length_min == now->length_min);
        assert_true(old->digits_max == now->digits_max && old->specials_max == now->specials_max);
        assert_true(old->closed == now->closed && old->literal_count == now->literal_count);
    }
}

static void model_no_weaker(const struct guard_model *before, const struct guard_model *after)
{
    assert_int_equal(before->node_count, after->node_count);
    for (uint32_t i = 0; i < before->node_count; i++) {
        assert_true(gd_span_equal(before->nodes[i].text, after->nodes[i].text));
        for (uint32_t rule = 0; rule < 2; rule++) {
            if (after->nodes[i].strength[rule] + SLACK < before->nodes[i].strength[rule])
                fail_msg("node %u: %u fell from %u to %u", i, rule, before->nodes[i].strength[rule],
                         after->nodes[i].strength[rule]);
        }
    }
    for (uint32_t i = 0; i < before->endpoint_count; i++) {
        const struct guard_model_endpoint *old = &before->endpoints[i], *now = NULL;
        for (uint32_t j = 0; j < after->endpoint_count; j++) {
            if (gd_span_equal(after->endpoints[j].method, old->method) &&
                gd_span_equal(after->endpoints[j].template_text, old->template_text))
                now = &after->endpoints[j];
        }
        assert_non_null(now);
        assert_true(old->trusted == now->trusted && (now->ready || !old->ready));
        assert_int_equal(old->body_max, now->body_max);
        no_weaker("endpoint", old->template_text, old->strength, now->strength);
        fields_no_weaker(before, after, old, now);
    }
    no_weaker("service", before->service, before->service_strength, after->service_strength);
    fields_no_weaker(before, after, NULL, NULL);
}

static void test_few_weaken_nothing(void **state)
{
    (void)state;
    struct test_random random = test_random_start("poison");
    struct tree tree;
    tree_init(&tree);
    send_benign(&tree);
    struct guard_model *before = tree_learn(&tree);
    tree_fini(&tree);
    for (uint32_t run = 0; run < RUNS; run++) {
        tree_init(&tree);
        send_benign(&tree);
        send_attacks(&tree, &random);
        struct guard_model *after = tree_learn(&tree);
        model_no_weaker(before, after);
        guard_model_free(after);
        tree_fini(&tree);
    }
    guard_model_free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_few_weaken_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
