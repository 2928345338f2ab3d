/* SPDX-License-Identifier: Apache-2.0 */
/* What a model says of fields: support, limits, closed sets, required names, readiness, closed sets
 * of clients. Each decision is shown on both of its sides. */
#include "unit/learn/tree.h"

static const uint8_t QUERY = GUARD_LOCATION_QUERY;
static const uint8_t JSON = GUARD_LOCATION_JSON;

static const struct guard_model_field *name_field(const struct guard_model *model, const char *name)
{
    const struct guard_model_field *field =
        tree_field(model, tree_endpoint(model, "GET", "/users"), name);
    assert_non_null(field);
    return field;
}

static bool has_class(uint64_t classes, char byte)
{
    return (classes >> tree_class((unsigned char)byte) & 1) != 0;
}

/* n requests of 20 clients in 4 epochs. */
static void learn_names(struct tree *tree, uint32_t n)
{
    char name[32];
    for (uint32_t i = 0; i < n; i++) {
        struct gd_cell *users = tree_request(tree, i % 4, 1 + i % 20, "GET", "users");
        snprintf(name, sizeof(name), "%.*s", (int)(3 + i % 6), "abcdefgh");
        (void)tree_value(tree, users, QUERY, "username", name);
    }
}

static void odd_name(struct tree *tree, uint32_t epoch, uint32_t client, const char *name)
{
    struct gd_cell *users = tree_request(tree, epoch, client, "GET", "users");
    (void)tree_value(tree, users, QUERY, "username", name);
}

static void test_field_of_clean_traffic(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    learn_names(&tree, 1000);
    struct guard_model *model = tree_learn(&tree);
    const struct guard_model_field *field = name_field(model, "username");
    assert_true(field->trusted && field->required);
    assert_int_equal(field->values, 1000);
    assert_int_equal(field->clients, 20);
    assert_int_equal(field->epochs, 4);
    assert_int_equal(field->classes, 1u << GUARD_CLASS_LOWER);
    assert_int_equal(field->pending_classes, 0);
    assert_int_equal(field->types, 1u << GUARD_TYPE_WORD);
    assert_int_equal(field->transitions[GUARD_CLASS_LOWER], 1u << GUARD_CLASS_LOWER);
    assert_int_equal(field->length_max, 8);
    assert_int_equal(field->length_min, 3);
    assert_int_equal(field->digits_max, 0);
    assert_true(field->strength[GUARD_RULE_CHARACTER] >= 200);
    assert_true(field->strength[GUARD_RULE_MISSING] >= 200);
    assert_int_equal(field->strength[GUARD_RULE_NAME], 0);
    assert_int_equal(field->strength[GUARD_RULE_ITEMS], 0);
    guard_model_free(model);
    tree_fini(&tree);
}

/* A quote of one loud client, or of three, is as if it had never been; of D clients in two epochs
 * it is learned, in one epoch pending. */
static void test_elements_need_units_and_epochs(void **state)
{
    (void)state;
    for (uint32_t variant = 0; variant < 4; variant++) {
        struct tree tree;
        tree_init(&tree);
        learn_names(&tree, 400);
        for (uint32_t i = 0; i < 40; i++) {
            uint32_t units = variant == 0 ? 1 : variant == 3 ? 3 : 4;
            odd_name(&tree, variant == 1 ? 1 : i / 20, 1 + i % units, "o'neil");
        }
        struct guard_model *model = tree_learn(&tree);
        const struct guard_model_field *field = name_field(model, "username");
        assert_true(has_class(field->classes, '\'') == (variant == 2));
        assert_true(has_class(field->pending_classes, '\'') == (variant == 1));
        guard_model_free(model);
        tree_fini(&tree);
    }
}

static void test_anonymous_units_weigh_half(void **state)
{
    (void)state;
    for (uint32_t n = 7; n <= 8; n++) {
        struct tree tree;
        tree_init(&tree);
        for (uint32_t i = 0; i < n; i++)
            odd_name(&tree, i % 2, 0, "tom");
        struct guard_model *model = tree_learn(&tree);
        assert_true((model->endpoint_count == 1) == (n == 8));
        assert_int_equal(model->anonymous, n);
        guard_model_free(model);
        tree_fini(&tree);
    }
}

static void test_support_of_one_client(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    odd_name(&tree, 0, 9, "tom");
    odd_name(&tree, 1, 9, "tom");
    struct guard_model *model = tree_learn_with(&tree, 1);
    assert_int_equal(model->endpoint_count, 1);
    assert_true(model->endpoints[0].trusted);
    guard_model_free(model);
    struct guard_learn_cfg cfg = {.alloc = {NULL, tree_alloc, tree_release}, .support = 5};
    struct gd_model_source source = {.root = tree.root, .service = tree.root->text};
    assert_int_equal(gd_model_build(&model, &source, &cfg, NULL), GUARD_E_RANGE);
    assert_null(model);
    tree_fini(&tree);
}

/* Limits are those of the D-th most extreme client, in both directions. */
static void test_limits_by_distinct_clients(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    learn_names(&tree, 400);
    for (uint32_t i = 0; i < 50; i++) {
        odd_name(&tree, i % 4, 5,
                 "abcdefghabcdefghabcdefghabcdefgh12345678"); /* one client, 40 bytes */
        odd_name(&tree, i % 4, 1 + i % 3, "abcdefghabcdefg"); /* three, 15 */
        odd_name(&tree, i % 4, 1 + i % 4, "abcdefghabcd");    /* four, 12 */
        odd_name(&tree, i % 4, 6, "a");
    }
    struct guard_model *model = tree_learn(&tree);
    const struct guard_model_field *field = name_field(model, "username");
    /* At or beyond 15 bytes there are clients 1, 2, 3 and 5. */
    assert_int_equal(field->length_max, 15);
    assert_int_equal(field->length_min, 3);
    assert_int_equal(field->digits_max, 0);
    guard_model_free(model);
    tree_fini(&tree);
}

/* Six countries, ordered by chance; then ever new words. */
static void test_closed_sets(void **state)
{
    (void)state;
    static const char *const countries[] = {"de", "fr", "it", "es", "pl", "nl"};
    for (uint32_t variant = 0; variant < 3; variant++) {
        struct tree tree;
        tree_init(&tree);
        char word[16];
        for (uint32_t i = 0; i < 600; i++) {
            struct gd_cell *users = tree_request(&tree, i % 4, 1 + i * 7 % 41, "GET", "users");
            snprintf(word, sizeof(word), "%c%c%c", 'a' + i % 26, 'a' + i / 26 % 26, 'z');
            bool fresh = variant == 1 || (variant == 2 && i % 40 == 0);
            (void)tree_value(&tree, users, QUERY, "country", fresh ? word : countries[i / 3 % 6]);
        }
        struct guard_model *model = tree_learn(&tree);
        const struct guard_model_field *field = name_field(model, "country");
        assert_true(field->closed == (variant == 0));
        assert_int_equal(field->literal_count, variant == 0 ? 6 : 0);
        assert_true((field->strength[GUARD_RULE_LITERAL] > 0) == (variant == 0));
        for (uint32_t i = 1; i < field->literal_count; i++)
            assert_true(field->literals[i - 1] < field->literals[i]);
        guard_model_free(model);
        tree_fini(&tree);
    }
}

/* Words of a small or of a large set, all known: closed only when each came often enough. */
static bool closes(uint32_t words, uint32_t requests)
{
    struct tree tree;
    tree_init(&tree);
    char word[8];
    for (uint32_t i = 0; i < requests; i++) {
        snprintf(word, sizeof(word), "w%c", 'a' + i % words);
        odd_name(&tree, i / words % 4, 1 + i, word);
    }
    struct guard_model *model = tree_learn(&tree);
    bool closed = name_field(model, "username")->closed;
    guard_model_free(model);
    tree_fini(&tree);
    return closed;
}

static void test_closed_sets_need_repeats(void **state)
{
    (void)state;
    assert_true(closes(2, 100));
    assert_false(closes(2, 40));
    assert_true(closes(20, 400));
    assert_false(closes(20, 160));
}

/* The same form sent again and again by four clients is no closed set. */
static void test_replays_close_nothing(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 1000; i++)
        odd_name(&tree, i % 4, 1 + i % 4, i % 4 < 2 ? "tom" : "ann");
    struct guard_model *model = tree_learn(&tree);
    assert_false(name_field(model, "username")->closed);
    guard_model_free(model);
    tree_fini(&tree);
}

static void test_required_and_missing(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 200; i++) {
        struct gd_cell *users = tree_request(&tree, i % 4, 1 + i % 20, "GET", "users");
        (void)tree_value(&tree, users, QUERY, "always", "x");
        if (i != 77)
            (void)tree_value(&tree, users, QUERY, "nearly", "x");
        (void)tree_value(&tree, tree.root, GUARD_LOCATION_HEADER, "host", "shop");
        if (i % 2 == 0)
            (void)tree_value(&tree, tree.root, GUARD_LOCATION_COOKIE, "session", "abc");
    }
    struct guard_model *model = tree_learn(&tree);
    assert_true(name_field(model, "always")->required);
    assert_false(name_field(model, "nearly")->required);
    assert_int_equal(name_field(model, "nearly")->strength[GUARD_RULE_MISSING], 0);
    assert_int_equal(model->service_field_count, 2);
    assert_true(tree_field(model, NULL, "host")->required);
    assert_false(tree_field(model, NULL, "session")->required);
    guard_model_free(model);
    tree_fini(&tree);
}

/* What a client selects is its choice, and a field of a message at its default value isn't sent. */
static void test_choices_are_never_required(void **state)
{
    (void)state;
    const uint8_t GRAPHQL = GUARD_LOCATION_GRAPHQL;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 200; i++) {
        struct gd_cell *post = tree_request(&tree, i % 4, 1 + i % 20, "POST", "graphql");
        struct gd_cell *query = tree_value(&tree, post, GRAPHQL, "query", "x");
        struct gd_cell *user = tree_value(&tree, query, GRAPHQL, "user", "x");
        struct gd_cell *filter = tree_value(&tree, user, GRAPHQL, "(filter)", "x");
        (void)tree_value(&tree, filter, GRAPHQL, "owner", "x");
        (void)tree_value(&tree, user, GRAPHQL, "mail", "x");
        (void)tree_value(&tree, query, GRAPHQL, "$id", "x");
        (void)tree_value(&tree, post, GRAPHQL, "fragment User", "x");
        struct gd_cell *call = tree_request(&tree, i % 4, 1 + i % 20, "POST", "stock.Stock");
        struct gd_cell *item = tree_value(&tree, call, GUARD_LOCATION_PROTOBUF, "1", "x");
        (void)tree_value(&tree, item, GUARD_LOCATION_PROTOBUF, "2", "x");
    }
    struct guard_model *model = tree_learn(&tree);
    static const struct {
        const char *path, *name;
        bool required;
    } cases[] = {
        {"/graphql", "query", true},
        {"/graphql", "query.user", false},
        {"/graphql", "query.user.mail", false},
        {"/graphql", "query.user(filter)", true},
        {"/graphql", "query.user(filter).owner", true},
        {"/graphql", "query.$id", true},
        {"/graphql", "fragment User", false},
        {"/stock.Stock", "1", false},
        {"/stock.Stock", "1.2", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct guard_model_field *field =
            tree_field(model, tree_endpoint(model, "POST", cases[i].path), cases[i].name);
        assert_non_null(field);
        assert_int_equal(field->required, cases[i].required);
        assert_true((field->strength[GUARD_RULE_MISSING] > 0) == cases[i].required);
    }
    guard_model_free(model);
    tree_fini(&tree);
}

static void learn_document(struct tree *tree, uint32_t i)
{
    struct gd_cell *post = tree_request(tree, i % 4, 1 + i % 20, "POST", "orders");
    (void)tree_named(tree, post, GD_KIND_MEDIA, 0, "application/json");
    (void)tree_see(tree, post, GD_KIND_SIZE, 0, gd_bucket(90), NULL);
    (void)tree_see(tree, post, GD_KIND_DEPTH, 0, 3, NULL);
    (void)tree_structure(tree, post, "", GUARD_TYPE_OBJECT, 2);
    (void)tree_value(tree, post, JSON, "id", "17");
    struct gd_cell *lines = tree_structure(tree, post, "lines", GUARD_TYPE_ARRAY, 3);
    struct gd_cell *line = tree_structure(tree, lines, "[]", GUARD_TYPE_OBJECT, 2);
    (void)tree_value(tree, line, JSON, "sku", "abc");
    if (i % 2 == 0)
        (void)tree_value(tree, line, JSON, "note", "hi");
}

static void test_json_tree(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 400; i++)
        learn_document(&tree, i);
    struct gd_cell *post = tree_request(&tree, 1, 3, "POST", "orders");
    (void)tree_see(&tree, post, GD_KIND_SIZE, 0, gd_bucket(90000), NULL);
    struct guard_model *model = tree_learn(&tree);
    const struct guard_model_endpoint *orders = tree_endpoint(model, "POST", "/orders");
    assert_non_null(orders);
    const struct guard_model_field *sku = tree_field(model, orders, "lines[].sku");
    const struct guard_model_field *element = tree_field(model, orders, "lines[]");
    assert_non_null(sku);
    assert_non_null(element);
    assert_true(sku->parent < (uint32_t)(sku - model->fields));
    assert_ptr_equal(&model->fields[sku->parent], element);
    assert_true(sku->required);
    assert_false(tree_field(model, orders, "lines[].note")->required);
    assert_false(tree_field(model, orders, "id")->required); /* one request had no document */
    assert_int_equal(tree_field(model, orders, "id")->parent, GUARD_NO_INDEX);
    assert_int_equal(tree_field(model, orders, "lines")->items_max, 3);
    assert_true(element->strength[GUARD_RULE_NAME] > 0);
    assert_int_equal(element->strength[GUARD_RULE_CHARACTER], 0);
    assert_true(tree_field(model, orders, "lines")->strength[GUARD_RULE_ITEMS] > 0);
    assert_int_equal(orders->media_count, 1);
    assert_int_equal(orders->depth_max, 3);
    assert_int_equal(orders->body_max, gd_bucket_upper(gd_bucket(90)));
    assert_true(orders->body_seen);
    guard_model_free(model);
    tree_fini(&tree);
}

/* Segments are values only where the template has a wildcard. */
static void test_path_fields(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    for (uint32_t i = 0; i < 200; i++) {
        struct gd_cell *get = tree_request(&tree, i % 4, 1 + i % 20, "GET", "users/{int}/x");
        (void)tree_value(&tree, get, GUARD_LOCATION_PATH, "seg0", "users");
        (void)tree_value(&tree, get, GUARD_LOCATION_PATH, "seg1", "4711");
        (void)tree_value(&tree, get, GUARD_LOCATION_PATH, "seg2", "x");
        (void)tree_value(&tree, get, GUARD_LOCATION_PATH, "seg99999999999", "x");
    }
    struct guard_model *model = tree_learn(&tree);
    const struct guard_model_endpoint *endpoint = tree_endpoint(model, "GET", "/users/{int}/x");
    assert_non_null(endpoint);
    assert_int_equal(endpoint->field_count, 1);
    assert_non_null(tree_field(model, endpoint, "seg1"));
    guard_model_free(model);
    tree_fini(&tree);
}

static void test_few_records_require_nothing(void **state)
{
    (void)state;
    for (uint32_t n = 29; n <= 30; n++) {
        struct tree tree;
        tree_init(&tree);
        for (uint32_t i = 0; i < n; i++) {
            odd_name(&tree, i % 4, 1 + i % 20, "tom");
            (void)tree_value(&tree, tree.root, GUARD_LOCATION_HEADER, "host", "shop");
        }
        struct guard_model *model = tree_learn(&tree);
        assert_true(name_field(model, "username")->required == (n == 30));
        assert_false(tree_field(model, NULL, "host")->required); /* of 100 exchanges */
        guard_model_free(model);
        tree_fini(&tree);
    }
}

static void test_readiness(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    uint32_t progress = 0;
    static const struct {
        uint32_t clients, epochs, requests;
        const char *lacks;
    } steps[] = {
        {3, 1, 6, NULL}, /* no template yet */
        {3, 2, 12, NULL}, {4, 2, 20, "20 of 100 exchanges"}, {4, 2, 62, "62 of 100 exchanges"},
        {4, 2, 100, ""},
    };
    uint32_t sent = 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        for (; sent < steps[i].requests; sent++)
            odd_name(&tree, sent / 3 % steps[i].epochs, 1 + sent % steps[i].clients, "tom");
        struct guard_model *model = tree_learn(&tree);
        assert_true(model->progress >= progress);
        progress = model->progress;
        const struct guard_model_endpoint *users = tree_endpoint(model, "GET", "/users");
        assert_true((users == NULL) == (steps[i].lacks == NULL));
        if (users != NULL)
            assert_true(tree_is(users->lacks, steps[i].lacks));
        assert_true(model->ready == (i == 4));
        assert_true((progress == 1000) == (i == 4));
        guard_model_free(model);
    }
    tree_fini(&tree);
}

/* A method that few have used is listed, with what it lacks, but neither trusted nor ready. */
static void test_pending_endpoints(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    learn_names(&tree, 300);
    for (uint32_t i = 0; i < 9; i++)
        (void)tree_request(&tree, 1, 1 + i % 3, "DELETE", "users");
    for (uint32_t i = 0; i < 9; i++)
        (void)tree_request(&tree, 1, 1 + i % 5, "PUT", "users");
    for (uint32_t i = 0; i < 5; i++)
        (void)tree_request(&tree, i % 2, 0, "PATCH", "users");
    struct guard_model *model = tree_learn(&tree);
    const struct guard_model_endpoint *pending = tree_endpoint(model, "DELETE", "/users");
    assert_non_null(pending);
    assert_false(pending->trusted || pending->ready);
    assert_true(tree_is(pending->lacks, "3 of 4 clients"));
    assert_true(tree_is(tree_endpoint(model, "PUT", "/users")->lacks, "1 of 2 epochs"));
    assert_true(
        tree_is(tree_endpoint(model, "PATCH", "/users")->lacks, "5 of 8 units without a client"));
    assert_true(model->ready == false); /* 23 of 323 go to endpoints that aren't */
    guard_model_free(model);
    tree_fini(&tree);
}

static void test_closed_clients(void **state)
{
    (void)state;
    for (uint32_t variant = 0; variant < 6; variant++) {
        bool closed = variant == 0 || variant == 5;
        struct tree tree;
        tree_init(&tree);
        /* One or three that came once neither belong to the set nor open it; four do. */
        uint32_t others = variant == 2 ? 4 : variant == 5 ? 3 : 0;
        for (uint32_t i = 0; i < (variant == 4 ? 999 : 1200); i++)
            odd_name(&tree, i / 50 % 4, 1 + i % (variant == 1 ? 33 : 12), "tom");
        for (uint32_t i = 0; i < others; i++)
            odd_name(&tree, 3, 90 + i, "tom");
        if (variant == 3)
            odd_name(&tree, 3, 0, "tom");
        struct guard_model *model = tree_learn(&tree);
        assert_true(model->clients_closed == closed);
        assert_int_equal(model->client_prefix_count, closed ? 12 : 0);
        assert_true((model->service_strength[GUARD_RULE_CLIENT] > 0) == closed);
        guard_model_free(model);
        tree_fini(&tree);
    }
}

static void test_faults_need_support(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    learn_names(&tree, 200);
    for (uint32_t i = 0; i < 20; i++) {
        struct gd_cell *users = tree_request(&tree, i % 4, 1 + i % 20, "GET", "users");
        (void)tree_see(&tree, users, GD_KIND_FAULT, 0,
                       GUARD_LOCATION_QUERY << 8 | GUARD_FAULT_BAD_ESCAPE, NULL);
        if (i < 3)
            (void)tree_see(&tree, users, GD_KIND_FAULT, 0,
                           GUARD_LOCATION_QUERY << 8 | GUARD_FAULT_NUL, NULL);
        (void)tree_see(&tree, tree.root, GD_KIND_FAULT, 0, 0xffffff, NULL);
    }
    struct guard_model *model = tree_learn(&tree);
    const struct guard_model_endpoint *users = tree_endpoint(model, "GET", "/users");
    assert_int_equal(users->faults[GUARD_LOCATION_QUERY], 1u << GUARD_FAULT_BAD_ESCAPE);
    for (uint32_t i = 0; i < GUARD_LOCATION_COUNT; i++)
        assert_int_equal(model->service_faults[i], 0);
    guard_model_free(model);
    tree_fini(&tree);
}

/* A location without faults is a proof of its own beside the path. */
static void test_locations_prove_apart(void **state)
{
    (void)state;
    uint16_t strength[2];
    for (int with_query = 0; with_query < 2; with_query++) {
        struct tree tree;
        tree_init(&tree);
        for (uint32_t i = 0; i < 1000; i++) {
            struct gd_cell *users = tree_request(&tree, i % 4, 1 + i, "GET", "users");
            if (with_query != 0)
                (void)tree_value(&tree, users, QUERY, "username", "tom");
        }
        struct guard_model *model = tree_learn(&tree);
        strength[with_query] = model->endpoints[0].strength[GUARD_RULE_FAULT];
        guard_model_free(model);
        tree_fini(&tree);
    }
    assert_in_range(strength[1] - strength[0], 15, 31); /* half the rate: 0.3 decades */
}

/* What the service refuses of many clients is what unknown paths meet; of one client it is a scan.
 */
static uint16_t path_strength(uint32_t refused, uint32_t clients)
{
    struct tree tree;
    tree_init(&tree);
    learn_names(&tree, 1000);
    for (uint32_t i = 0; i < 1000 + refused; i++) {
        uint32_t id = 1 + i % clients;
        tree.epoch = i % 4;
        tree.tag = (uint32_t)tree_hash(&id, sizeof(id)) | 1;
        (void)tree_see(&tree, tree.root, GD_KIND_STATUS, 0, i < 1000 ? 2 : 4, NULL);
    }
    struct guard_model *model = tree_learn(&tree);
    uint16_t strength = model->nodes[0].strength[0];
    assert_true(model->nodes[1].strength[1] <= strength);
    guard_model_free(model);
    tree_fini(&tree);
    return strength;
}

static void test_refused_requests_weaken_paths(void **state)
{
    (void)state;
    uint16_t clean = path_strength(0, 20);
    assert_true(clean > 200);
    assert_int_equal(path_strength(500, 1), clean);
    assert_int_equal(path_strength(50000, 3), clean);
    assert_in_range(path_strength(500, 20), 80, 120); /* each of twenty, in about ten trials */
}

/* Hostile names fill their share of the model and no more, those of fewer than D clients none of
 * it; what has support stays. */
static uint32_t fields_with_names_of(uint32_t clients)
{
    struct tree tree;
    tree_init(&tree);
    learn_names(&tree, 100);
    char name[32];
    for (uint32_t client = 1; client <= clients; client++) {
        struct gd_cell *users = tree_request(&tree, 1, client, "GET", "users");
        for (uint32_t i = 0; i < 5000; i++) {
            snprintf(name, sizeof(name), "a%u", i);
            (void)tree_named(&tree, users, GD_KIND_NAME, QUERY, name);
        }
    }
    struct guard_model *model = tree_learn(&tree);
    uint32_t count = model->field_count;
    assert_true(name_field(model, "username")->trusted);
    guard_model_free(model);
    tree_fini(&tree);
    return count;
}

static void test_pending_names_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(fields_with_names_of(1), 1);
    assert_int_equal(fields_with_names_of(3), 1);
    assert_int_equal(fields_with_names_of(4), 4097);
}

static void test_empty_pile(void **state)
{
    (void)state;
    struct tree tree;
    tree_init(&tree);
    struct guard_model *model = tree_learn(&tree);
    assert_int_equal(model->node_count, 1);
    assert_int_equal(model->endpoint_count, 0);
    assert_int_equal(model->progress, 0);
    assert_false(model->ready);
    guard_model_free(model);
    guard_model_free(NULL);
    tree_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_field_of_clean_traffic),
        cmocka_unit_test(test_elements_need_units_and_epochs),
        cmocka_unit_test(test_anonymous_units_weigh_half),
        cmocka_unit_test(test_support_of_one_client),
        cmocka_unit_test(test_limits_by_distinct_clients),
        cmocka_unit_test(test_closed_sets),
        cmocka_unit_test(test_closed_sets_need_repeats),
        cmocka_unit_test(test_replays_close_nothing),
        cmocka_unit_test(test_required_and_missing),
        cmocka_unit_test(test_choices_are_never_required),
        cmocka_unit_test(test_json_tree),
        cmocka_unit_test(test_path_fields),
        cmocka_unit_test(test_few_records_require_nothing),
        cmocka_unit_test(test_readiness),
        cmocka_unit_test(test_pending_endpoints),
        cmocka_unit_test(test_closed_clients),
        cmocka_unit_test(test_faults_need_support),
        cmocka_unit_test(test_locations_prove_apart),
        cmocka_unit_test(test_refused_requests_weaken_paths),
        cmocka_unit_test(test_pending_names_are_bounded),
        cmocka_unit_test(test_empty_pile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
