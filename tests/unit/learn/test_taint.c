/* SPDX-License-Identifier: Apache-2.0 */
/* How far the evidence of a suspect is withheld: at the endpoint where it attacked, with all that
 * it was answered there; elsewhere only what reads like an attack. */
#include "unit/learn/tree.h"

#include <guard/likeness.h>
#include <guard/traffic.h>

enum { EPOCHS = 4, CLIENTS = 60, ATTACKERS = 6, FIRST_ATTACKER = 500 };

/* What attackers do beside sending odd notes, which read like SQL, to /search. */
struct conduct {
    bool sort;   /* they attack a field of /search in which nobody writes text, */
    bool list;   /* one of another endpoint, */
    bool header; /* and a header */
    uint32_t attackers;
};

static void reads_like_sql(struct tree *tree, struct gd_cell *field)
{
    (void)tree_see(tree, field, GD_KIND_LIKENESS, 0, GUARD_LIKENESS_SQL, NULL);
}

static struct gd_cell *answer(struct tree *tree, struct gd_cell *endpoint, uint32_t status)
{
    (void)tree_see(tree, tree->root, GD_KIND_STATUS, 0, status, NULL);
    return tree_see(tree, endpoint, GD_KIND_STATUS, 0, status, NULL);
}

static void send_benign(struct tree *tree, uint32_t epoch, uint32_t client)
{
    struct gd_cell *at = tree_request(tree, epoch, client, "GET", "search");
    (void)tree_value(tree, at, GUARD_LOCATION_QUERY, "note", "to whom it may concern");
    (void)tree_value(tree, at, GUARD_LOCATION_QUERY, "sort", client % 2 == 0 ? "up" : "down");
    (void)tree_value(tree, tree->root, GUARD_LOCATION_HEADER, "accept", "text");
    (void)answer(tree, at, 2);
    at = tree_request(tree, epoch, client, "GET", "list");
    (void)tree_value(tree, at, GUARD_LOCATION_QUERY, "page", "7");
    (void)answer(tree, at, 2);
}

static void send_attack(struct tree *tree, uint32_t epoch, uint32_t client,
                        const struct conduct *conduct)
{
    struct gd_cell *at = tree_request(tree, epoch, client, "GET", "search");
    reads_like_sql(tree, tree_value(tree, at, GUARD_LOCATION_QUERY, "note", "a union select ~ b"));
    struct gd_cell *sort =
        tree_value(tree, at, GUARD_LOCATION_QUERY, "sort", conduct->sort ? "'or'1" : "up");
    if (conduct->sort)
        reads_like_sql(tree, sort);
    struct gd_cell *accept = tree_value(tree, tree->root, GUARD_LOCATION_HEADER, "accept", "text");
    if (conduct->header)
        reads_like_sql(tree, accept);
    (void)answer(tree, at, 5);
    at = tree_request(tree, epoch, client, "GET", "list");
    struct gd_cell *page = tree_value(tree, at, GUARD_LOCATION_QUERY, "page", "7^");
    if (conduct->list)
        reads_like_sql(tree, page);
    (void)tree_see(tree, at, GD_KIND_FAULT, 0, GUARD_LOCATION_QUERY << 8 | 1, NULL);
    (void)answer(tree, at, 2);
}

static struct guard_model *learn(const struct conduct *conduct)
{
    struct tree tree;
    tree_init(&tree);
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        for (uint32_t i = 0; i < 5 * CLIENTS; i++)
            send_benign(&tree, epoch, 1 + i % CLIENTS);
        for (uint32_t i = 0; i < conduct->attackers; i++)
            send_attack(&tree, epoch, FIRST_ATTACKER + i, conduct);
    }
    struct guard_model *model = tree_learn(&tree);
    tree_fini(&tree);
    return model;
}

struct learned {
    bool sign;    /* "~" of the notes is normal, */
    bool reading; /* and that they read like SQL, */
    bool failure; /* and failures of /search; */
    bool caret;   /* "^" of pages, elsewhere, */
    bool fault;   /* and malformed queries there */
};

static bool has_class(const struct guard_model_field *field, char sign)
{
    return (field->classes >> tree_class((unsigned char)sign) & 1) != 0;
}

static struct learned learned_of(const struct conduct *conduct)
{
    struct guard_model *model = learn(conduct);
    const struct guard_model_endpoint *search = tree_endpoint(model, "GET", "/search");
    const struct guard_model_endpoint *list = tree_endpoint(model, "GET", "/list");
    const struct guard_model_field *note = tree_field(model, search, "note");
    const struct guard_model_field *page = tree_field(model, list, "page");
    assert_non_null(note);
    assert_non_null(page);
    struct learned learned = {.sign = has_class(note, '~'),
                              .reading = (note->likeness >> GUARD_LIKENESS_SQL & 1) != 0,
                              .failure = (search->statuses >> 5 & 1) != 0,
                              .caret = has_class(page, '^'),
                              .fault = list->faults[GUARD_LOCATION_QUERY] != 0};
    guard_model_free(model);
    return learned;
}

/* Where people write, six who write so are users, as long as they do nothing else. */
static void test_text_teaches(void **state)
{
    (void)state;
    const struct learned learned = learned_of(&(struct conduct){.attackers = ATTACKERS});
    assert_true(learned.sign && learned.reading && learned.failure && learned.caret);
    assert_true(learned.fault);
}

static void test_an_attack_taints_its_endpoint(void **state)
{
    (void)state;
    const struct learned learned =
        learned_of(&(struct conduct){.sort = true, .attackers = ATTACKERS});
    assert_false(learned.sign || learned.reading || learned.failure);
    assert_true(learned.caret && learned.fault); /* which were sent elsewhere */
}

/* At one other place anybody may be misled: a link is enough for that. */
static void test_elsewhere_only_attacks_are_left(void **state)
{
    (void)state;
    const struct learned once = learned_of(&(struct conduct){.list = true, .attackers = ATTACKERS});
    assert_true(once.sign && once.reading && once.failure);
    assert_false(once.caret);
    const struct learned twice =
        learned_of(&(struct conduct){.list = true, .header = true, .attackers = ATTACKERS});
    assert_true(twice.sign && twice.failure);
    assert_false(twice.reading);
    const struct learned malformed =
        learned_of(&(struct conduct){.sort = true, .header = true, .attackers = ATTACKERS});
    assert_true(malformed.caret);
    assert_false(malformed.fault);
}

/* More than an eighth of those who are there are its users. */
static void test_many_taint_nothing_else(void **state)
{
    (void)state;
    const struct learned learned =
        learned_of(&(struct conduct){.sort = true, .attackers = CLIENTS / 4});
    assert_true(learned.sign && learned.reading && learned.failure && learned.caret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text_teaches),
                                       cmocka_unit_test(test_an_attack_taints_its_endpoint),
                                       cmocka_unit_test(test_elsewhere_only_attacks_are_left),
                                       cmocka_unit_test(test_many_taint_nothing_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
