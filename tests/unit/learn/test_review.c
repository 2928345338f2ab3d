/* SPDX-License-Identifier: Apache-2.0 */
/* What waits is listed, and decisions of people are a part of the model: accepted things are
 * normal, refused ones never are by being repeated. */
#include "unit/learn/tree.h"

#include <guard/likeness.h>

static const uint8_t QUERY = GUARD_LOCATION_QUERY;

#define TEXT(text) GUARD_SPAN_LITERAL(text)

static struct guard_review_element at_username(enum guard_review_kind kind, uint32_t code)
{
    return (struct guard_review_element){.kind = kind,
                                         .method = TEXT("GET"),
                                         .template_text = TEXT("/users"),
                                         .location = GUARD_LOCATION_QUERY,
                                         .name = TEXT("username"),
                                         .code = code};
}

static struct guard_model *learn(const struct tree *tree, const struct guard_review_entry *entries,
                                 uint32_t count)
{
    struct guard_model *model = NULL;
    struct guard_review review = {entries, count};
    struct guard_learn_cfg cfg = {.alloc = {NULL, tree_alloc, tree_release}, .review = &review};
    struct gd_model_source source = {
        .root = tree->root, .service = tree->root->text, .epochs = 32, .keyed = true};
    source.anonymous = tree->anonymous;
    assert_int_equal(gd_model_build(&model, &source, &cfg, NULL), GUARD_OK);
    return model;
}

static struct guard_model *learn_with(const struct tree *tree, struct guard_review_element element,
                                      enum guard_review_decision decision)
{
    struct guard_review_entry entry = {element, decision};
    return learn(tree, &entry, 1);
}

static const struct guard_review_pending *find(const struct guard_model *model,
                                               enum guard_review_kind kind, uint32_t code)
{
    for (uint32_t i = 0; i < model->pending_count; i++) {
        if (model->pending[i].element.kind == kind && model->pending[i].element.code == code)
            return &model->pending[i];
    }
    return NULL;
}

static const struct guard_model_field *username(const struct guard_model *model)
{
    const struct guard_model_field *field =
        tree_field(model, tree_endpoint(model, "GET", "/users"), "username");
    assert_non_null(field);
    return field;
}

static bool has(uint64_t classes, char byte)
{
    return (classes >> tree_class((unsigned char)byte) & 1) != 0;
}

static void say(struct tree *tree, uint32_t epoch, uint32_t client, const char *name)
{
    struct gd_cell *users = tree_request(tree, epoch, client, "GET", "users");
    (void)tree_value(tree, users, QUERY, "username", name);
}

/* 400 requests of 20 clients in four epochs. */
static void begin(struct tree *tree)
{
    static const char *const names[] = {"tom", "anna", "marie", "bob"};
    tree_init(tree);
    for (uint32_t i = 0; i < 400; i++)
        say(tree, i % 4, 1 + i % 20, names[i / 4 % 4]);
}

/* Of so many clients, in epochs from first to last. */
static void odd(struct tree *tree, uint32_t first, uint32_t last, uint32_t clients,
                const char *name)
{
    for (uint32_t epoch = first; epoch <= last; epoch++) {
        for (uint32_t i = 0; i < clients; i++)
            say(tree, epoch, 1 + i, name);
    }
}

static void test_what_waits_is_listed(void **state)
{
    (void)state;
    struct tree tree;
    begin(&tree);
    odd(&tree, 3, 3, 5, "o'neil");
    odd(&tree, 3, 3, 3, "a=b"); /* fewer than D clients: as if it had never been */
    for (uint32_t i = 0; i < 6; i++) {
        struct gd_cell *users = tree_request(&tree, 3, 1 + i, "GET", "users");
        struct gd_cell *field = tree_value(&tree, users, QUERY, "filter", "x");
        if (i == 0)
            (void)tree_see(&tree, field, GD_KIND_LIKENESS, 0, GUARD_LIKENESS_SQL, NULL);
        field->first_s = 1700000000;
        (void)tree_request(&tree, 3, 1 + i, "GET", "news");
        (void)tree_request(&tree, 3, 1 + i, "POST", "users");
    }
    struct guard_model *model = learn(&tree, NULL, 0);
    const struct guard_review_pending *quote =
        find(model, GUARD_REVIEW_CHARACTER, tree_class('\''));
    assert_non_null(quote);
    assert_true(tree_is(quote->element.name, "username") && tree_is(quote->element.method, "GET"));
    assert_true(tree_is(quote->element.template_text, "/users"));
    assert_int_equal(quote->clients, 5);
    assert_int_equal(quote->epochs, 1);
    assert_int_equal(quote->records, 5);
    assert_int_equal(quote->decision, GUARD_REVIEW_WAITING);
    assert_int_equal(quote->likeness, 0);
    assert_null(find(model, GUARD_REVIEW_CHARACTER, tree_class('=')));
    const struct guard_review_pending *name = find(model, GUARD_REVIEW_NAME, 0);
    assert_true(name != NULL && tree_is(name->element.name, "filter"));
    assert_int_equal(name->likeness, 1u << GUARD_LIKENESS_SQL);
    assert_int_equal(name->first_s, 1700000000);
    const struct guard_review_pending *path = find(model, GUARD_REVIEW_PATH, 0);
    assert_true(path != NULL && tree_is(path->element.text, "news"));
    assert_int_equal(path->first_s, 0); /* not known */
    const struct guard_review_pending *method = find(model, GUARD_REVIEW_METHOD, 0);
    assert_true(method != NULL && tree_is(method->element.text, "POST") &&
                tree_is(method->element.template_text, "/users"));
    /* Neighbours of a character that waits aren't things of their own. */
    assert_null(
        find(model, GUARD_REVIEW_PAIR, (uint32_t)(tree_class('o') << 6 | tree_class('\''))));
    assert_int_equal(model->pending_total, model->pending_count);
    for (uint32_t i = 1; i < model->pending_count; i++)
        assert_true(model->pending[i - 1].clients >= model->pending[i].clients);
    guard_model_free(model);
    tree_fini(&tree);
}

static void test_an_accepted_character_is_normal(void **state)
{
    (void)state;
    struct tree tree;
    begin(&tree);
    odd(&tree, 3, 3, 5, "o'neil");
    struct guard_review_element quote = at_username(GUARD_REVIEW_CHARACTER, tree_class('\''));
    struct guard_model *model = learn_with(&tree, quote, GUARD_REVIEW_ACCEPTED);
    const struct guard_model_field *field = username(model);
    assert_true(has(field->classes, '\'') && !has(field->pending_classes, '\''));
    /* With it come its neighbours, and how many special characters there are. */
    assert_true(has(field->transitions[tree_class('o')], '\''));
    assert_true(has(field->transitions[tree_class('\'')], 'n'));
    assert_int_equal(field->specials_max, 1);
    assert_int_equal(find(model, GUARD_REVIEW_CHARACTER, tree_class('\''))->decision,
                     GUARD_REVIEW_ACCEPTED);
    guard_model_free(model);
    /* Elsewhere it says nothing. */
    quote.name = TEXT("password");
    model = learn_with(&tree, quote, GUARD_REVIEW_ACCEPTED);
    field = username(model);
    assert_true(!has(field->classes, '\'') && has(field->pending_classes, '\''));
    assert_int_equal(field->specials_max, 0);
    guard_model_free(model);
    tree_fini(&tree);
}

/* The pile may have forgotten, or never known it. */
static void test_accepted_values_need_no_cell(void **state)
{
    (void)state;
    struct tree tree;
    begin(&tree);
    const struct guard_review_entry entries[] = {
        {at_username(GUARD_REVIEW_CHARACTER, tree_class('+')), GUARD_REVIEW_ACCEPTED},
        {at_username(GUARD_REVIEW_TYPE, GUARD_TYPE_EMAIL), GUARD_REVIEW_ACCEPTED},
        {at_username(GUARD_REVIEW_LIKENESS, GUARD_LIKENESS_LDAP), GUARD_REVIEW_ACCEPTED},
        {at_username(GUARD_REVIEW_PAIR, GUARD_CLASS_LOWER << 6 | GUARD_CLASS_DIGIT),
         GUARD_REVIEW_ACCEPTED},
        {at_username(GUARD_REVIEW_CHARACTER, 63), GUARD_REVIEW_ACCEPTED}, /* there is none */
    };
    struct guard_model *model = learn(&tree, entries, 5);
    const struct guard_model_field *field = username(model);
    assert_true(has(field->classes, '+'));
    assert_true((field->types >> GUARD_TYPE_EMAIL & 1) != 0);
    assert_int_equal(field->likeness, 1u << GUARD_LIKENESS_LDAP);
    assert_true(has(field->transitions[GUARD_CLASS_LOWER], '7'));
    assert_true(has(field->transitions[GUARD_CLASS_LOWER], '+'));
    assert_int_equal(model->pending_count, 0);
    guard_model_free(model);
    tree_fini(&tree);
}

/* However many clients repeat it: neither normal nor pending, and no false alarm either. */
static void test_a_refused_character_is_never_normal(void **state)
{
    (void)state;
    struct tree tree, clean;
    begin(&tree);
    begin(&clean);
    odd(&tree, 1, 3, 20, "o'neil");
    odd(&clean, 1, 3, 20, "oneil");
    struct guard_review_element quote = at_username(GUARD_REVIEW_CHARACTER, tree_class('\''));
    struct guard_model *free_model = learn(&tree, NULL, 0);
    assert_true(has(username(free_model)->classes, '\''));
    struct guard_model *model = learn_with(&tree, quote, GUARD_REVIEW_REFUSED);
    struct guard_model *without = learn(&clean, NULL, 0);
    const struct guard_model_field *field = username(model);
    assert_false(has(field->classes, '\'') || has(field->pending_classes, '\''));
    assert_true(field->strength[GUARD_RULE_CHARACTER] >=
                username(without)->strength[GUARD_RULE_CHARACTER]);
    assert_int_equal(find(model, GUARD_REVIEW_CHARACTER, tree_class('\''))->decision,
                     GUARD_REVIEW_REFUSED);
    guard_model_free(free_model);
    guard_model_free(model);
    guard_model_free(without);
    tree_fini(&tree);
    tree_fini(&clean);
}

static void filter(struct tree *tree, uint32_t first, uint32_t last, const char *value)
{
    for (uint32_t epoch = first; epoch <= last; epoch++) {
        for (uint32_t i = 0; i < 12; i++) {
            struct gd_cell *users = tree_request(tree, epoch, 1 + i, "GET", "users");
            (void)tree_value(tree, users, QUERY, "filter", value);
        }
    }
}

static const struct guard_model_field *filter_of(const struct guard_model *model)
{
    return tree_field(model, tree_endpoint(model, "GET", "/users"), "filter");
}

static void test_names(void **state)
{
    (void)state;
    struct tree tree;
    begin(&tree);
    filter(&tree, 3, 3, "a;b");
    struct guard_review_element name = at_username(GUARD_REVIEW_NAME, 0);
    name.name = TEXT("filter");
    struct guard_model *model = learn(&tree, NULL, 0);
    assert_false(filter_of(model)->trusted);
    guard_model_free(model);
    model = learn_with(&tree, name, GUARD_REVIEW_ACCEPTED);
    const struct guard_model_field *field = filter_of(model);
    assert_true(field->trusted && has(field->classes, ';'));
    assert_int_equal(field->length_max, 3);
    assert_int_equal(field->types, 1u << GUARD_TYPE_TEXT);
    guard_model_free(model);
    /* What comes later needs support of its own, and what reads like an attack in any case. */
    filter(&tree, 4, 4, "a;b");
    filter(&tree, 5, 5, "a=b");
    for (uint32_t i = 0; i < 4; i++) {
        struct gd_cell *users = tree_request(&tree, 3, 1 + i, "GET", "users");
        struct gd_cell *cell = tree_value(&tree, users, QUERY, "filter", "a;b");
        (void)tree_see(&tree, cell, GD_KIND_LIKENESS, 0, GUARD_LIKENESS_SQL, NULL);
    }
    model = learn_with(&tree, name, GUARD_REVIEW_ACCEPTED);
    field = filter_of(model);
    assert_true(has(field->classes, ';') && !has(field->classes, '='));
    assert_true(has(field->pending_classes, '='));
    assert_int_equal(field->likeness, 0);
    assert_non_null(find(model, GUARD_REVIEW_LIKENESS, GUARD_LIKENESS_SQL));
    guard_model_free(model);
    /* In three epochs it would be trusted. */
    model = learn(&tree, NULL, 0);
    assert_true(filter_of(model)->trusted);
    guard_model_free(model);
    model = learn_with(&tree, name, GUARD_REVIEW_REFUSED);
    assert_null(filter_of(model));
    guard_model_free(model);
    tree_fini(&tree);
}

static void test_members_are_named_by_their_path(void **state)
{
    (void)state;
    struct tree tree;
    begin(&tree);
    for (uint32_t i = 0; i < 80; i++) {
        struct gd_cell *users = tree_request(&tree, i % 4, 1 + i % 20, "GET", "users");
        struct gd_cell *object = tree_structure(&tree, users, "a", GUARD_TYPE_OBJECT, 1);
        (void)tree_value(&tree, object, GUARD_LOCATION_JSON, "b", "tom");
        if (i % 4 == 3)
            (void)tree_value(&tree, object, GUARD_LOCATION_JSON, "c", "tom");
    }
    struct guard_review_element name = at_username(GUARD_REVIEW_NAME, 0);
    name.location = GUARD_LOCATION_JSON;
    name.name = TEXT("a.c");
    struct guard_model *model = learn_with(&tree, name, GUARD_REVIEW_ACCEPTED);
    const struct guard_model_endpoint *users = tree_endpoint(model, "GET", "/users");
    assert_true(tree_field(model, users, "a.c")->trusted);
    guard_model_free(model);
    name.name = TEXT("a.b");
    model = learn_with(&tree, name, GUARD_REVIEW_REFUSED);
    assert_null(tree_field(model, tree_endpoint(model, "GET", "/users"), "a.b"));
    const struct guard_review_pending *waits = NULL;
    for (uint32_t i = 0; i < model->pending_count; i++) {
        if (model->pending[i].decision == GUARD_REVIEW_WAITING)
            waits = &model->pending[i];
    }
    assert_true(waits != NULL && tree_is(waits->element.name, "a.c"));
    guard_model_free(model);
    tree_fini(&tree);
}

/* What only clients saw whose values read like attacks isn't learned, however many they are: it is
 * held back, and people can let it in. */
static void test_what_suspects_bring_waits(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 2000; i++)
        say(&tree, i % 4, 1 + i % 200, i % 2 != 0 ? "tom" : "anna");
    for (uint32_t i = 0; i < 20; i++) {
        struct gd_cell *users = tree_request(&tree, 1 + i % 3, 1 + i % 5, "GET", "users");
        struct gd_cell *field = tree_value(&tree, users, QUERY, "username", "o'a=b");
        (void)tree_see(&tree, field, GD_KIND_LIKENESS, 0, GUARD_LIKENESS_SQL, NULL);
    }
    struct guard_model *model = learn(&tree, NULL, 0);
    assert_false(has(username(model)->classes, '\''));
    const struct guard_review_pending *quote =
        find(model, GUARD_REVIEW_CHARACTER, tree_class('\''));
    assert_true(quote != NULL && quote->epochs == 3 && quote->clients == 5);
    assert_int_equal(quote->likeness, 1u << GUARD_LIKENESS_SQL);
    assert_non_null(find(model, GUARD_REVIEW_LIKENESS, GUARD_LIKENESS_SQL));
    guard_model_free(model);
    const struct guard_review_entry entries[] = {
        {at_username(GUARD_REVIEW_CHARACTER, tree_class('\'')), GUARD_REVIEW_ACCEPTED},
        {at_username(GUARD_REVIEW_LIKENESS, GUARD_LIKENESS_SQL), GUARD_REVIEW_ACCEPTED}};
    model = learn(&tree, entries, 1);
    assert_true(has(username(model)->classes, '\'') && !has(username(model)->classes, '='));
    guard_model_free(model);
    /* Who may read like it is no suspect. */
    model = learn(&tree, entries, 2);
    assert_true(has(username(model)->classes, '\'') && has(username(model)->classes, '='));
    assert_int_equal(username(model)->likeness, 1u << GUARD_LIKENESS_SQL);
    guard_model_free(model);
    tree_fini(&tree);
}

static void test_paths_and_methods(void **state)
{
    (void)state;
    struct tree tree;
    begin(&tree);
    for (uint32_t i = 0; i < 12; i++) {
        struct gd_cell *news = tree_request(&tree, 3, 1 + i, "GET", "news/today");
        (void)tree_value(&tree, news, QUERY, "page", "1");
    }
    for (uint32_t i = 0; i < 40; i++)
        (void)tree_request(&tree, i % 4, 1 + i % 20, "DELETE", "users");
    struct guard_review_element path = {.kind = GUARD_REVIEW_PATH, .text = TEXT("news")};
    struct guard_review_element method = {
        .kind = GUARD_REVIEW_METHOD, .template_text = TEXT("/users"), .text = TEXT("DELETE")};
    struct guard_model *model = learn(&tree, NULL, 0);
    assert_null(tree_endpoint(model, "GET", "/news/today"));
    assert_true(tree_endpoint(model, "DELETE", "/users")->trusted);
    guard_model_free(model);
    const struct guard_review_entry entries[] = {{path, GUARD_REVIEW_ACCEPTED},
                                                 {method, GUARD_REVIEW_REFUSED}};
    model = learn(&tree, entries, 2);
    const struct guard_model_endpoint *news = tree_endpoint(model, "GET", "/news/today");
    assert_true(news != NULL && news->trusted);
    assert_true(tree_field(model, news, "page")->trusted);
    assert_false(tree_endpoint(model, "DELETE", "/users")->trusted);
    guard_model_free(model);
    path.template_text = TEXT("");
    path.text = TEXT("users");
    model = learn_with(&tree, path, GUARD_REVIEW_REFUSED);
    assert_null(tree_endpoint(model, "GET", "/users"));
    guard_model_free(model);
    tree_fini(&tree);
}

static void test_ids(void **state)
{
    (void)state;
    char id[GUARD_REVIEW_ID_CHARS + 1];
    char other[GUARD_REVIEW_ID_CHARS + 1];
    struct guard_review_element element = at_username(GUARD_REVIEW_CHARACTER, tree_class('='));
    guard_review_id(id, TEXT("shop"), &element);
    assert_string_equal(id, "cb57c5100581"); /* people wrote it down */
    guard_review_id(other, TEXT("till"), &element);
    assert_string_not_equal(id, other);
    /* Texts don't run into each other. */
    element.method = TEXT("GET/");
    element.template_text = TEXT("users");
    guard_review_id(other, TEXT("shop"), &element);
    assert_string_not_equal(id, other);
    assert_string_equal(guard_review_kind_name(GUARD_REVIEW_CONTENT_TYPE), "content-type");
    assert_string_equal(guard_review_kind_name(GUARD_REVIEW_KINDS), "unknown");
    assert_string_equal(guard_review_decision_name(GUARD_REVIEW_REFUSED), "refuse");
}

static void test_bounds(void **state)
{
    (void)state;
    enum { NAMES = GUARD_REVIEW_PENDING_MAX + 40 };
    char name[16];
    struct tree tree;
    begin(&tree);
    for (uint32_t i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        for (uint32_t k = 0; k < 4; k++) {
            struct gd_cell *users = tree_request(&tree, 3, 1 + k, "GET", "users");
            (void)tree_named(&tree, users, GD_KIND_NAME, QUERY, name);
        }
    }
    struct guard_model *model = learn(&tree, NULL, 0);
    assert_int_equal(model->pending_count, GUARD_REVIEW_PENDING_MAX);
    assert_int_equal(model->pending_total, NAMES);
    guard_model_free(model);
    static struct guard_review_entry entries[GUARD_REVIEW_ENTRIES_MAX + 1];
    struct guard_review review = {entries, GUARD_REVIEW_ENTRIES_MAX + 1};
    struct guard_learn_cfg cfg = {.alloc = {NULL, tree_alloc, tree_release}, .review = &review};
    struct gd_model_source source = {.root = tree.root, .service = tree.root->text};
    assert_int_equal(gd_model_build(&model, &source, &cfg, NULL), GUARD_E_LIMIT);
    assert_null(model);
    tree_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_waits_is_listed),
        cmocka_unit_test(test_an_accepted_character_is_normal),
        cmocka_unit_test(test_accepted_values_need_no_cell),
        cmocka_unit_test(test_a_refused_character_is_never_normal),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_members_are_named_by_their_path),
        cmocka_unit_test(test_what_suspects_bring_waits),
        cmocka_unit_test(test_paths_and_methods),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
