/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAPI documents of a service made by hand: schemas by what is known, what can't be said is
 * counted and named, hostile names and models do no harm, the size is bounded. */
#include "common/openapi.h"
#include "common/openapi_parts.h"
#include "unit/policy/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ARENA_MAX = 256 << 20 };

static struct world world;
static struct guard_arena arena;
static char notes[65536];
static uint32_t note_count;

static int setup(void **state)
{
    (void)state;
    struct guard_alloc heap = world_heap;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    world_init(&world);
    notes[0] = '\0';
    note_count = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guard_arena_reset(&arena);
    return 0;
}

static void note(void *ctx, const char *text)
{
    (void)ctx;
    size_t len = strlen(notes);
    note_count++;
    (void)snprintf(notes + len, sizeof(notes) - len, "%s\n", text);
}

static enum guard_rc try_write(bool pending, struct guard_span *out)
{
    static const struct line_sink sink = {note, NULL};
    const struct openapi_cfg cfg = {&world.model, &world.guardian, pending, &sink};
    return openapi_write(&cfg, &arena, out, NULL);
}

/* The document, NUL-terminated. */
static const char *written(bool pending)
{
    struct guard_span out;
    assert_int_equal(try_write(pending, &out), GUARD_OK);
    char *text = guard_arena_get(&arena, out.len + 1);
    assert_non_null(text);
    memcpy(text, out.ptr, out.len);
    text[out.len] = '\0';
    return text;
}

#define HAS(text, part) assert_non_null(strstr(text, part))
#define HAS_NOT(text, part) assert_null(strstr(text, part))

static void test_schemas_follow_what_is_known(void **state)
{
    (void)state;
    const char *text = written(false);
    HAS(text, "\"/users/{seg1}\":{");
    HAS(text, "{\"name\":\"seg1\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":"
              "\"integer\",\"minimum\":0,\"maximum\":9999}}");
    HAS(text, "{\"name\":\"username\",\"in\":\"query\",\"required\":true,\"schema\":{\"type\":"
              "\"string\",\"pattern\":\"^[a-z]*$\",\"minLength\":3,\"maxLength\":9,\"x-guard\":{"
              "\"types\":[\"word\"]}}}");
    HAS(text, "\"closed\":2"); /* sort */
    HAS(text, "{\"name\":\"tag[]\",\"in\":\"query\",\"schema\":{\"type\":\"array\",\"maxItems\":3,"
              "\"items\":{\"type\":\"string\"");
    HAS(text, "\"qty\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":99}");
    HAS(text, "\"zip\":{\"type\":[\"integer\",\"string\"]");
    HAS(text, "\"required\":[\"zip\"]");
    HAS(text, "\"application/x-www-form-urlencoded\":{\"schema\":{\"type\":\"object\"");
    HAS(text, "\"responses\":{\"default\":{");
    HAS(text, "\"x-guard\":{\"exchanges\":5000,\"clients\":120,\"epochs\":0,\"ready\":true}");
    HAS_NOT(text, "\"put\"");
    HAS(text, "\"pendingLeftOut\":1");
}

static void test_lengths_are_characters(void **state)
{
    (void)state;
    struct guard_model_field *field =
        world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "username");
    field->classes |= UINT64_C(1) << GUARD_CLASS_LATIN;
    field->length_min = 6;
    field->types = 1u << GUARD_TYPE_WORD;
    HAS(written(false), "\"schema\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":9,");
    field->strength[GUARD_RULE_LENGTH] = 0; /* proves nothing */
    field->strength[GUARD_RULE_CHARACTER] = 0;
    HAS(written(false), "{\"name\":\"username\",\"in\":\"query\",\"required\":true,\"schema\":{"
                        "\"type\":\"string\",\"x-guard\":");
}

static void test_every_character_of_a_pattern_is_itself(void **state)
{
    (void)state;
    struct guard_model_field *field =
        world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "username");
    field->classes = ((UINT64_C(1) << GUARD_CLASS_LATIN) - 1) & ~(UINT64_C(1) << GUARD_CLASS_SPACE);
    field->types = 1u << GUARD_TYPE_TEXT;
    HAS(written(false), "\"pattern\":\"^[a-zA-Z0-9\\\\t\\\\n\\\\r"
                        "\\\\u0000-\\\\u0008\\\\u000b\\\\u000c\\\\u000e-\\\\u001f\\\\u007f"
                        "!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]\\\\^_`{|}~]*$\"");
}

static void formats(struct guard_model_field *field, uint32_t types, uint64_t classes,
                    const char *wanted)
{
    field->types = types;
    field->classes = classes;
    field->length_min = field->length_max = 10;
    HAS(written(false), wanted);
}

static void test_formats_are_those_of_all_values(void **state)
{
    (void)state;
    const uint64_t digits = UINT64_C(1) << GUARD_CLASS_DIGIT;
    const uint64_t dot = UINT64_C(1) << (GUARD_CLASS_PUNCTUATION + '.' - '!');
    const uint64_t dash = UINT64_C(1) << (GUARD_CLASS_PUNCTUATION + '-' - '!');
    const uint64_t colon = UINT64_C(1) << (GUARD_CLASS_PUNCTUATION + 15);
    struct guard_model_field *field =
        world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "username");
    formats(field, 1u << GUARD_TYPE_UUID, digits | dash, "\"format\":\"uuid\"");
    formats(field, 1u << GUARD_TYPE_EMAIL, digits, "\"format\":\"email\"");
    formats(field, 1u << GUARD_TYPE_URL, digits, "\"format\":\"uri\"");
    formats(field, 1u << GUARD_TYPE_IP, digits | dot, "\"format\":\"ipv4\"");
    formats(field, 1u << GUARD_TYPE_IP, digits | colon, "\"format\":\"ipv6\"");
    formats(field, 1u << GUARD_TYPE_DATE, digits | dash, "\"format\":\"date\"");
    formats(field, 1u << GUARD_TYPE_DATE, digits | dash | colon, "\"types\":[\"date\"]");
    formats(field, 1u << GUARD_TYPE_BOOL, 1, "\"schema\":{\"type\":\"boolean\"}");
    formats(field, 1u << GUARD_TYPE_DECIMAL, digits | dot | dash,
            "\"type\":\"number\",\"minimum\":-999999999,\"maximum\":9999999999");
    formats(field, 1u << GUARD_TYPE_UUID | 1u << GUARD_TYPE_EMPTY, digits | dash,
            "\"types\":[\"empty\",\"uuid\"]");
}

static void test_what_openapi_cant_say_is_named_and_counted(void **state)
{
    (void)state;
    world.endpoints[WORLD_SEARCH].method = world_span("PROPFIND");
    world.endpoints[WORLD_LOGIN].method = world_span("post");
    world_field(&world, WORLD_ORDER, GUARD_LOCATION_JSON, "item")->name =
        GUARD_SPAN_LITERAL("a\0b");
    world_field(&world, WORLD_ORDER, GUARD_LOCATION_JSON, "qty")->name = world_span("\xff\xfe");
    world_field(&world, WORLD_FILE, GUARD_LOCATION_PATH, "seg1")->location = GUARD_LOCATION_QUERY;
    world_field(&world, WORLD_FILE, GUARD_LOCATION_QUERY, "seg1")->name =
        world_span("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa~0123456789abcde");
    const char *text = written(false);
    HAS(text, "\"leftOut\":{\"methods\":2,\"headers\":2,\"names\":3}");
    HAS(notes, "PROPFIND /search: OpenAPI has no such method\n");
    HAS(notes, "header parameter \"accept\": OpenAPI ignores it");
    HAS_NOT(text, "propfind");
    HAS_NOT(text, "header.accept");
    assert_int_equal(note_count, 7);
}

static void test_one_path_in_two_forms_is_there_once(void **state)
{
    (void)state;
    const struct guard_model_node *users = &world.nodes[world.endpoints[WORLD_USER].node];
    uint32_t again = world.model.node_count++;
    world.nodes[again] = (struct guard_model_node){
        .text = world_span("{}"), .parent = users->parent, .wildcard = true};
    world.endpoints[WORLD_FILE].node = again;
    const char *text = written(false);
    HAS(text, "\"leftOut\":{\"templates\":1,");
    HAS_NOT(text, "/files/");
}

static void test_literal_segments_are_escaped(void **state)
{
    (void)state;
    struct guard_model_node *node = &world.nodes[world.endpoints[WORLD_SEARCH].node];
    node->text = world_span("{id}/a b?#%\xff");
    HAS(written(false), "\"/%7Bid%7D%2Fa%20b%3F%23%25%FF\":{");
    node->text = world_span("{rest}");
    node->wildcard = true;
    HAS(written(false), "\"paths\":1");
}

static void test_hostile_texts_steer_nothing(void **state)
{
    (void)state;
    world.endpoints[WORLD_SEARCH].method = world_span("\x1b[2J\nGET");
    world_field(&world, WORLD_USER, GUARD_LOCATION_PATH, "seg0")->location = GUARD_LOCATION_QUERY;
    struct guard_model_field *field = world_field(&world, WORLD_USER, GUARD_LOCATION_QUERY, "seg0");
    field->name = field->path = world_span("\"},\"x\":{\x1b\xe2\x80\xae");
    const char *text = written(false);
    HAS(text, "\"name\":\"\\\"},\\\"x\\\":{\\u001b\\u202e\"");
    HAS(notes, "?[2J?GET");
    HAS_NOT(notes, "\x1b");
}

/* x[0].x[0]... */
static void test_depth_is_bounded(void **state)
{
    (void)state;
    enum { DEEP = 200 };
    static struct guard_model_field fields[DEEP];
    for (uint32_t i = 0; i < DEEP; i++) {
        fields[i] =
            (struct guard_model_field){.location = GUARD_LOCATION_JSON,
                                       .parent = i == 0 ? GUARD_NO_INDEX : i - 1,
                                       .name = world_span(i % 2 == 0 ? "x" : "[]"),
                                       .path = world_span("x"),
                                       .types = 1u << GUARD_TYPE_OBJECT | 1u << GUARD_TYPE_ARRAY,
                                       .trusted = true};
    }
    world.model.fields = fields;
    world.model.field_count = DEEP;
    world.model.service_field_count = world.model.first_service_field = 0;
    world.model.endpoint_count = 0;
    world.endpoints[0] = world.endpoints[WORLD_ORDER];
    world.endpoints[0].first_field = 0;
    world.endpoints[0].field_count = DEEP;
    world.model.endpoint_count = 1;
    HAS(written(false), "\"leftOut\":{\"depth\":1}");
}

static void test_size_is_bounded(void **state)
{
    (void)state;
    enum { MANY = 3000, LEN = 16 };
    static struct guard_model_endpoint endpoints[MANY];
    static struct guard_model_node nodes[MANY + 1];
    static char names[MANY][LEN];
    nodes[0] = world.nodes[0];
    for (uint32_t i = 0; i < MANY; i++) {
        (void)snprintf(names[i], LEN, "p%u", i);
        nodes[i + 1] = (struct guard_model_node){.text = world_span(names[i])};
        endpoints[i] = world.endpoints[WORLD_SEARCH];
        endpoints[i].node = i + 1;
    }
    world.model.nodes = nodes;
    world.model.node_count = MANY + 1;
    world.model.endpoints = endpoints;
    world.model.endpoint_count = MANY;
    const char *text = written(false);
    size_t len = strlen(text);
    assert_true(len > OPENAPI_BYTES_MAX / 2 && len <= OPENAPI_BYTES_MAX);
    const char *left = strstr(text, "\"size\":");
    assert_non_null(left);
    uint32_t there = 0;
    for (const char *at = text; (at = strstr(at, "\"get\":")) != NULL; at++)
        there++;
    assert_int_equal(there + strtoul(left + 7, NULL, 10), MANY);
    assert_int_equal(note_count, OPENAPI_NOTES_MAX + 1);
    HAS(notes, "more; they are counted in x-guard");
    assert_string_equal(text + len - 3, "}}}");
}

static void test_a_model_that_isnt_well_formed_is_refused(void **state)
{
    (void)state;
    struct guard_span out;
    world.endpoints[WORLD_SEARCH].field_count = 1000;
    assert_int_equal(try_write(false, &out), GUARD_E_RANGE);
    world.endpoints[WORLD_SEARCH].field_count = 1;
    world.fields[world.endpoints[WORLD_SEARCH].first_field].parent = 77;
    assert_int_equal(try_write(false, &out), GUARD_E_RANGE);
    world.fields[world.endpoints[WORLD_SEARCH].first_field].parent = GUARD_NO_INDEX;
    world.endpoints[WORLD_SEARCH].node = 9999;
    HAS(written(false), "\"paths\":1");
    world.nodes[1].parent = 1; /* in a circle */
    world.endpoints[WORLD_SEARCH].node = 1;
    HAS(written(false), "\"paths\":1");
}

static void test_pending_is_marked(void **state)
{
    (void)state;
    struct guard_model_field *field = world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "id");
    field->pending_types = 1u << GUARD_TYPE_TEXT;
    HAS_NOT(written(false), "x-guard-pending");
    const char *text = written(true);
    HAS(text, "{\"name\":\"id\",\"in\":\"query\",\"schema\":{\"type\":\"string\",\"x-guard\":{"
              "\"types\":[\"int\",\"text\"]},\"x-guard-pending\":true}}");
    HAS(text, "\"put\":{");
    HAS(text, "\"pendingShown\":2");
}

static void test_maps_keyed_by_identities_have_patterns(void **state)
{
    (void)state;
    world_field(&world, WORLD_ORDER, GUARD_LOCATION_JSON, "address")->name = world_span("{int}");
    HAS(written(false), "\"patternProperties\":{\"^[0-9]+$\":{\"type\":\"object\",\"properties\":{"
                        "\"zip\":");
}

static void test_values_that_people_allow_have_types_of_json(void **state)
{
    (void)state;
    struct guard_criterion criteria[2] = {world_criterion(GUARD_LOCATION_JSON, "qty"),
                                          world_criterion(GUARD_LOCATION_JSON, "gift")};
    struct guard_span values[] = {world_span("-7"), world_span("12"), world_span("x")};
    struct guard_endpoint_rule rule = {.template_text = world_span("/orders"),
                                       .mode = -1,
                                       .body_max = 99,
                                       .closed = true,
                                       .fields = criteria,
                                       .field_count = 2};
    criteria[0].values = values;
    criteria[0].value_count = 3;
    criteria[1].forbidden = true;
    world.guardian.endpoints = &rule;
    world.guardian.endpoint_count = 1;
    const char *text = written(false);
    HAS(text, "\"qty\":{\"type\":\"integer\",\"enum\":[-7,12]}");
    HAS(text, "\"gift\":false");
    HAS(text, "\"additionalProperties\":false}");
    HAS(text, "\"maxBytes\":99");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_schemas_follow_what_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lengths_are_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_character_of_a_pattern_is_itself, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_formats_are_those_of_all_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_openapi_cant_say_is_named_and_counted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_one_path_in_two_forms_is_there_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_literal_segments_are_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_texts_steer_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_size_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_model_that_isnt_well_formed_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pending_is_marked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_maps_keyed_by_identities_have_patterns, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_values_that_people_allow_have_types_of_json, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
