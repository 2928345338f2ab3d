/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes, names and limits of compiled policies, and Guardians and models that make no sense. */
#include "unit/policy/world.h"

#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ENDPOINTS = 64, PARAMETERS = 8 };

static struct world world;

static enum guard_rc compile(struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum guard_rc rc =
        guard_policy_compile(&bytes, &len, &world.model, &world.guardian, &world.cfg, NULL, err);
    assert_int_equal(bytes != NULL, rc == GUARD_OK);
    free(bytes);
    return rc;
}

/* 64 endpoints with 8 parameters each, of which every one has letters, digits, and some
 * punctuation. */
struct typical {
    struct guard_model model;
    struct guard_model_node nodes[ENDPOINTS + 1];
    struct guard_model_endpoint endpoints[ENDPOINTS];
    struct guard_model_field fields[ENDPOINTS * PARAMETERS];
    char names[ENDPOINTS * PARAMETERS][32];
    char segments[ENDPOINTS][16];
    char templates[ENDPOINTS][16];
};

static void typical_field(struct typical *typical, uint32_t index)
{
    static const char *const values[] = {"Tom Miller", "a-b_c.d", "2024-01-02", "x,y;z",
                                         "user@mail.test"};
    struct guard_model_field *field = &typical->fields[index];
    snprintf(typical->names[index], sizeof(typical->names[index]), "parameter_%u_%u",
             index % PARAMETERS, index);
    field->location = GUARD_LOCATION_QUERY;
    field->parent = GUARD_NO_INDEX;
    field->name = field->path = world_span(typical->names[index]);
    field->trusted = true;
    for (int rule = 0; rule < GUARD_RULE_COUNT; rule++)
        field->strength[rule] = WORLD_STRENGTH;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        world_teach(field, values[i]);
}

static struct typical *typical_new(void)
{
    struct typical *typical = calloc(1, sizeof(*typical));
    typical->model = world.model;
    typical->model.nodes = typical->nodes;
    typical->model.endpoints = typical->endpoints;
    typical->model.fields = typical->fields;
    typical->model.node_count = ENDPOINTS + 1;
    typical->model.endpoint_count = ENDPOINTS;
    typical->model.field_count = ENDPOINTS * PARAMETERS;
    typical->model.first_service_field = typical->model.service_field_count = 0;
    typical->nodes[0].parent = GUARD_NO_INDEX;
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        snprintf(typical->segments[i], sizeof(typical->segments[i]), "route%u", i);
        snprintf(typical->templates[i], sizeof(typical->templates[i]), "/route%u", i);
        typical->nodes[i + 1].text = world_span(typical->segments[i]);
        typical->endpoints[i] =
            (struct guard_model_endpoint){.method = GUARD_SPAN_LITERAL("GET"),
                                          .template_text = world_span(typical->templates[i]),
                                          .node = i + 1,
                                          .trusted = true,
                                          .first_field = i * PARAMETERS,
                                          .field_count = PARAMETERS};
        for (uint32_t k = 0; k < PARAMETERS; k++)
            typical_field(typical, i * PARAMETERS + k);
    }
    return typical;
}

static void test_typical_size(void **state)
{
    (void)state;
    world_init(&world);
    struct typical *typical = typical_new();
    world.model = typical->model;
    struct guard_policy *policy = world_policy(&world);
    assert_true(policy->header->length < 256 * 1024);
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        uint32_t node = gd_policy_find(policy, 0, GD_KEY_NODE, world_span(typical->segments[i]));
        assert_true(node != GD_POLICY_NONE);
        uint32_t endpoint = policy->nodes[node].endpoint_first;
        for (uint32_t k = 0; k < PARAMETERS; k++) {
            struct guard_span name = world_span(typical->names[i * PARAMETERS + k]);
            uint32_t field = gd_policy_find(policy, endpoint, GUARD_LOCATION_QUERY, name);
            assert_true(field != GD_POLICY_NONE);
            assert_int_equal(policy->fields[field].owner, endpoint);
            assert_int_equal(gd_policy_find(policy, endpoint, GUARD_LOCATION_FORM, name),
                             GD_POLICY_NONE);
            assert_int_equal(gd_policy_find(policy, endpoint + 1, GUARD_LOCATION_QUERY, name),
                             GD_POLICY_NONE);
        }
    }
    world_policy_free(policy);
    free(typical);
}

/* Names of any length, and names that differ in one byte only, wherever it is. */
static void test_names(void **state)
{
    (void)state;
    static char names[2 * 64 + 1][80];
    world_init(&world);
    struct guard_model_endpoint *endpoint = &world.endpoints[WORLD_LOGIN];
    struct guard_model_field *fields = calloc(2 * 64 + 1, sizeof(*fields));
    world.model.fields = fields;
    world.model.service_field_count = 0;
    for (int i = 0; i < WORLD_ENDPOINTS; i++)
        world.endpoints[i].first_field = world.endpoints[i].field_count = 0;
    endpoint->field_count = world.model.field_count = 2 * 64 + 1;
    for (int i = 0; i <= 2 * 64; i++) {
        int len = i <= 64 ? i : 64;
        memset(names[i], 'a', (size_t)len);
        if (i > 64)
            names[i][i - 65] = 'b';
        fields[i].location = GUARD_LOCATION_FORM;
        fields[i].parent = GUARD_NO_INDEX;
        fields[i].name = fields[i].path = world_span(names[i]);
        fields[i].trusted = true;
    }
    struct guard_policy *policy = world_policy(&world);
    uint32_t owner = GD_POLICY_NONE;
    for (uint32_t i = 0; i < policy->header->sections[GD_SECTION_ENDPOINTS].count; i++) {
        if (policy->endpoints[i].method_len == 4 &&
            gd_span_equal(gd_policy_span(policy, policy->endpoints[i].template_text),
                          GUARD_SPAN_LITERAL("/login")))
            owner = i;
    }
    for (int i = 0; i <= 2 * 64; i++) {
        uint32_t field = gd_policy_find(policy, owner, GUARD_LOCATION_FORM, world_span(names[i]));
        assert_true(field != GD_POLICY_NONE);
        assert_true(gd_span_equal(gd_policy_span(policy, policy->fields[field].name),
                                  world_span(names[i])));
    }
    assert_int_equal(gd_policy_find(policy, owner, GUARD_LOCATION_FORM, GUARD_SPAN_LITERAL("ab")),
                     GD_POLICY_NONE);
    char longer[70];
    memset(longer, 'a', 65);
    longer[65] = '\0';
    assert_int_equal(gd_policy_find(policy, owner, GUARD_LOCATION_FORM, world_span(longer)),
                     GD_POLICY_NONE);
    world_policy_free(policy);
    free(fields);
}

/* No name lies farther from its place than a lookup looks, at any number of names. */
static void test_probes(void **state)
{
    (void)state;
    static char names[4000][16];
    world_init(&world);
    struct guard_model_field *fields = calloc(4000, sizeof(*fields));
    for (int i = 0; i < WORLD_ENDPOINTS; i++)
        world.endpoints[i].first_field = world.endpoints[i].field_count = 0;
    world.model.fields = fields;
    world.model.service_field_count = 0;
    for (uint32_t i = 0; i < 4000; i++) {
        snprintf(names[i], sizeof(names[i]), "k%u", i);
        fields[i].location = GUARD_LOCATION_QUERY;
        fields[i].parent = GUARD_NO_INDEX;
        fields[i].name = fields[i].path = world_span(names[i]);
        fields[i].trusted = true;
    }
    for (uint32_t count = 1; count <= 4000; count = count * 3 / 2 + 1) {
        world.model.field_count = world.endpoints[0].field_count = count;
        struct guard_policy *policy = world_policy(&world);
        uint32_t owner = policy->fields[0].owner;
        for (uint32_t i = 0; i < count; i++)
            assert_true(gd_policy_find(policy, owner, GUARD_LOCATION_QUERY, world_span(names[i])) !=
                        GD_POLICY_NONE);
        world_policy_free(policy);
    }
    free(fields);
}

static struct guard_endpoint_rule rule;
static struct guard_criterion criterion;

static void with_rule(const char *template_text)
{
    world_init(&world);
    rule = (struct guard_endpoint_rule){
        .template_text = world_span(template_text), .mode = -1, .body_max = -1};
    criterion = (struct guard_criterion){.location = GUARD_LOCATION_QUERY,
                                         .name = GUARD_SPAN_LITERAL("x"),
                                         .required = -1,
                                         .length_max = -1,
                                         .length_min = -1,
                                         .items_max = -1};
    rule.fields = &criterion;
    world.guardian.endpoints = &rule;
    world.guardian.endpoint_count = 1;
}

static void test_bad_guardians(void **state)
{
    (void)state;
    struct guard_err err = {""};
    with_rule("users");
    assert_int_equal(compile(&err), GUARD_E_RANGE);
    assert_non_null(strstr(err.text, "users"));
    with_rule("/a/{*}/b");
    assert_int_equal(compile(&err), GUARD_E_RANGE);
    with_rule("/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5");
    assert_int_equal(compile(&err), GUARD_E_LIMIT);
    with_rule("/a");
    rule.field_count = 1;
    criterion.location = GUARD_LOCATION_CLIENT;
    assert_int_equal(compile(&err), GUARD_E_RANGE);
    with_rule("/a");
    static struct guard_span values[1];
    values[0] = GUARD_SPAN_LITERAL("a value of more than thirty-two bytes");
    rule.field_count = 1;
    criterion.values = values;
    criterion.value_count = 1;
    assert_int_equal(compile(&err), GUARD_E_RANGE);
    assert_non_null(strstr(err.text, "too long"));
    values[0] = GUARD_SPAN_LITERAL("12345");
    assert_int_equal(compile(&err), GUARD_E_RANGE);
    values[0] = GUARD_SPAN_LITERAL("1234");
    assert_int_equal(compile(&err), GUARD_OK);
    criterion.name = GUARD_SPAN_LITERAL("password");
    assert_int_equal(compile(&err), GUARD_E_RANGE);
    world_init(&world);
    world.guardian.service = GUARD_SPAN_LITERAL("other");
    assert_int_equal(compile(&err), GUARD_E_FOREIGN);
    static const double alphas[] = {-1, 1.5, __builtin_nan(""), -0.0001};
    for (size_t i = 0; i < sizeof(alphas) / sizeof(alphas[0]); i++) {
        world_init(&world);
        world.cfg.alpha = alphas[i];
        assert_int_equal(compile(&err), GUARD_E_RANGE);
    }
}

static void test_bad_models(void **state)
{
    (void)state;
    struct guard_err err = {""};
    world_init(&world);
    world.nodes[3].parent = 3;
    assert_int_equal(compile(&err), GUARD_E_RANGE);
    world_init(&world);
    world.endpoints[0].node = 1000;
    assert_int_equal(compile(&err), GUARD_E_RANGE);
    world_init(&world);
    world.endpoints[0].field_count = 1000;
    assert_int_equal(compile(&err), GUARD_E_RANGE);
    world_init(&world);
    world_field(&world, WORLD_ORDER, GUARD_LOCATION_JSON, "address.zip")->parent =
        world.model.field_count;
    assert_int_equal(compile(&err), GUARD_E_RANGE);
    world_init(&world);
    world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "id")->name =
        GUARD_SPAN_LITERAL("username");
    assert_int_equal(compile(&err), GUARD_E_RANGE);
    assert_non_null(strstr(err.text, "twice"));
    world_init(&world);
    uint64_t *literals = world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "sort")->literals;
    literals[0] = literals[1];
    assert_int_equal(compile(&err), GUARD_E_RANGE);
}

/* Without a model, or told to leave it out, only what a person wrote is there. */
static void test_no_model(void **state)
{
    (void)state;
    with_rule("/search");
    uint8_t *bytes = NULL;
    size_t len = 0;
    assert_int_equal(
        guard_policy_compile(&bytes, &len, NULL, &world.guardian, &world.cfg, NULL, NULL),
        GUARD_OK);
    assert_true(len < 4096);
    free(bytes);
    world.cfg.configured_only = true;
    struct guard_policy *policy = world_policy(&world);
    assert_int_equal(policy->header->flags & GD_POLICY_LEARNED, 0);
    assert_int_equal(policy->field_count, 0);
    world_policy_free(policy);
}

/* Of both keys of the model, and of nothing else that a policy holds. */
static void test_the_key_of_canaries(void **state)
{
    (void)state;
    uint8_t key[GUARD_KEY_BYTES] = {0};
    uint8_t other[GUARD_KEY_BYTES] = {0};
    world_init(&world);
    memset(world.model.literal_key, 1, sizeof(world.model.literal_key));
    struct guard_policy *policy = world_policy(&world);
    assert_true(guard_policy_canary_key(policy, key));
    world_policy_free(policy);
    world.cfg.generation++;
    world.guardian.request_mode = GUARD_MODE_OBSERVE;
    policy = world_policy(&world);
    assert_true(guard_policy_canary_key(policy, other));
    assert_memory_equal(key, other, sizeof(key));
    world_policy_free(policy);
    for (int i = 0; i < 2; i++) {
        (i == 0 ? world.model.literal_key : world.model.client_key)[3] ^= 1;
        policy = world_policy(&world);
        assert_true(guard_policy_canary_key(policy, other));
        assert_memory_not_equal(key, other, sizeof(key));
        world_policy_free(policy);
    }
    memset(world.model.literal_key, 0, sizeof(world.model.literal_key));
    policy = world_policy(&world);
    assert_false(guard_policy_canary_key(policy, other));
    world_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typical_size),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_bad_guardians),
        cmocka_unit_test(test_bad_models),
        cmocka_unit_test(test_no_model),
        cmocka_unit_test(test_the_key_of_canaries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
