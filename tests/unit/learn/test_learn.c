/* SPDX-License-Identifier: Apache-2.0 */
/* From requests to a model by the public functions: the model is a function of the pile's bytes. */
#include "unit/learn/tree.h"

#include <guard/crypto.h>
#include <guard/pile.h>
#include <guard/txn.h>

static struct guard_alloc heap(void)
{
    return (struct guard_alloc){NULL, tree_alloc, tree_release};
}

static struct guard_pile_cfg pile_cfg(void)
{
    struct guard_pile_cfg cfg = {.alloc = heap(), .service = GUARD_SPAN_LITERAL("shop")};
    memset(cfg.key, 7, sizeof(cfg.key));
    return cfg;
}

static void observe(struct guard_pile *pile, uint32_t sequence, const char *target, uint32_t client)
{
    struct guard_alloc alloc = heap();
    struct guard_arena arena;
    guard_arena_init(&arena, &alloc, 1 << 20);
    struct guard_txn_cfg cfg = {.service = GUARD_SPAN_LITERAL("shop"),
                                .time_ms = 1700000000000u + sequence * 100000u};
    struct guard_txn *txn;
    assert_int_equal(guard_txn_begin(&txn, &cfg, &arena), GUARD_OK);
    struct guard_client who = {.unit = GUARD_UNIT_PREFIX,
                               .address_len = 4,
                               .address = {10, (uint8_t)(client >> 8), (uint8_t)client, 1}};
    guard_txn_client(txn, &who);
    guard_txn_request(txn, GUARD_SPAN_LITERAL("GET"), gd_span(target, strlen(target)), 11);
    guard_txn_header(txn, GUARD_SPAN_LITERAL("Host"), GUARD_SPAN_LITERAL("shop.example"));
    (void)guard_txn_headers_end(txn);
    (void)guard_txn_request_end(txn);
    guard_txn_response(txn, 200, 1000);
    uint8_t record[GUARD_RECORD_MAX];
    size_t len;
    assert_int_equal(guard_txn_record(txn, record, sizeof(record), &len), GUARD_OK);
    struct guard_source source = {1, 1, sequence};
    assert_int_equal(guard_pile_observe(pile, &source, gd_span(record, len), NULL), GUARD_OK);
    guard_arena_reset(&arena);
}

static struct guard_pile *pile_of_traffic(void)
{
    struct guard_pile_cfg cfg = pile_cfg();
    struct guard_pile *pile;
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_OK);
    char target[64];
    for (uint32_t i = 1; i <= 600; i++) {
        if (i % 3 == 0)
            snprintf(target, sizeof(target), "/items/%u", i);
        else
            snprintf(target, sizeof(target), "/users?username=%.*s&lang=%s", (int)(3 + i % 5),
                     "annabella", i % 2 != 0 ? "de" : "en");
        observe(pile, i, target, i % 50);
    }
    return pile;
}

static struct guard_model *learn(struct guard_pile *pile)
{
    struct guard_model *model;
    struct guard_learn_cfg cfg = {.alloc = heap()};
    assert_int_equal(guard_learn(&model, pile, &cfg, NULL), GUARD_OK);
    return model;
}

static void assert_same(const struct guard_model *a, const struct guard_model *b)
{
    assert_memory_equal(a->pile_digest, b->pile_digest, sizeof(a->pile_digest));
    assert_int_equal(a->node_count, b->node_count);
    assert_int_equal(a->endpoint_count, b->endpoint_count);
    assert_int_equal(a->field_count, b->field_count);
    assert_int_equal(a->progress, b->progress);
    for (uint32_t i = 0; i < a->field_count; i++) {
        assert_true(gd_span_equal(a->fields[i].path, b->fields[i].path));
        assert_int_equal(a->fields[i].classes, b->fields[i].classes);
        assert_memory_equal(a->fields[i].strength, b->fields[i].strength,
                            sizeof(a->fields[i].strength));
    }
}

static void test_from_requests_to_model(void **state)
{
    (void)state;
    struct guard_pile *pile = pile_of_traffic();
    struct guard_model *model = learn(pile);
    assert_true(tree_is(model->service, "shop"));
    assert_int_equal(model->exchanges, 600);
    assert_int_equal(model->anonymous, 0);
    assert_true(model->ready);
    const struct guard_model_endpoint *users = tree_endpoint(model, "GET", "/users");
    assert_non_null(users);
    assert_non_null(tree_endpoint(model, "GET", "/items/{int}"));
    const struct guard_model_field *name = tree_field(model, users, "username");
    assert_non_null(name);
    assert_int_equal(name->classes, 1u << GUARD_CLASS_LOWER);
    assert_true(name->strength[GUARD_RULE_CHARACTER] >= 250);
    const struct guard_model_field *lang = tree_field(model, users, "lang");
    assert_true(lang->closed);
    assert_int_equal(lang->literal_count, 2);
    assert_true(tree_field(model, NULL, "host")->required);

    uint8_t *bytes, digest[GUARD_DIGEST_BYTES];
    size_t len;
    assert_int_equal(guard_pile_encode(pile, &bytes, &len, NULL), GUARD_OK);
    guard_digest(digest, gd_span(bytes, len));
    assert_memory_equal(digest, model->pile_digest, sizeof(digest));

    struct guard_model *again = learn(pile);
    assert_same(model, again);
    guard_model_free(again);
    struct guard_pile_cfg cfg = pile_cfg();
    struct guard_pile *decoded;
    assert_int_equal(guard_pile_decode(&decoded, &cfg, gd_span(bytes, len), NULL), GUARD_OK);
    again = learn(decoded);
    assert_same(model, again);
    guard_model_free(again);
    guard_pile_free(decoded);
    free(bytes);
    guard_model_free(model);
    guard_pile_free(pile);
}

/* Without the key nobody could tell a value again, so no set is closed; everything else stays. */
static void test_without_key(void **state)
{
    (void)state;
    struct guard_pile *pile = pile_of_traffic();
    uint8_t *bytes;
    size_t len;
    assert_int_equal(guard_pile_encode(pile, &bytes, &len, NULL), GUARD_OK);
    guard_pile_free(pile);
    struct guard_pile_cfg cfg = {.alloc = heap()};
    assert_int_equal(guard_pile_decode(&pile, &cfg, gd_span(bytes, len), NULL), GUARD_OK);
    free(bytes);
    struct guard_model *model = learn(pile);
    const struct guard_model_field *lang =
        tree_field(model, tree_endpoint(model, "GET", "/users"), "lang");
    assert_non_null(lang);
    assert_false(lang->closed);
    assert_int_equal(lang->strength[GUARD_RULE_LITERAL], 0);
    assert_true(lang->strength[GUARD_RULE_CHARACTER] > 0);
    guard_model_free(model);
    guard_pile_free(pile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_requests_to_model),
        cmocka_unit_test(test_without_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
