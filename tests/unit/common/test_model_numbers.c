/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers with the limits of the model in force: drawn in a line, and as JSON within its bound. */
#include "common/model_json.h"
#include "common/model_numbers.h"
#include "common/number_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct guard_bucket some[] = {
    {3, 3, 50, 8}, {4, 4, 400, 8}, {5, 5, 110, 8}, {8, 8, 8, 5}, {192, 223, 1, 1},
};

/* Lengths of one value each: the lower limit stands with the shortest ones, which have no buckets.
 */
static struct guard_model_field field_of(struct guard_bucket *buckets, uint32_t count)
{
    struct guard_model_field field = {.trusted = true};
    field.numbers[GUARD_NUMBER_LENGTH] = (struct guard_histogram){
        .buckets = buckets, .count = count, .limited = {false, true}, .limits = {0, 8}};
    field.numbers[GUARD_NUMBER_SHORTEST] =
        (struct guard_histogram){.limited = {true, false}, .limits = {4, 0}};
    field.strength[GUARD_RULE_LENGTH] = field.strength[GUARD_RULE_SHORT] = 300;
    return field;
}

static void assert_text(const struct guard_model_field *field,
                        const struct guard_model_field *in_force, bool blocks, const char *golden)
{
    struct number_view view;
    char text[NUMBER_TEXT_MAX];
    assert_true(number_of_field(&view, field, in_force, GUARD_NUMBER_LENGTH));
    assert_true(number_text_tells(&view));
    number_text(&view, blocks, text);
    assert_string_equal(text, golden);
}

static void a_line_draws_buckets_gaps_and_limits(void **state)
{
    (void)state;
    struct guard_model_field field = field_of(some, 5);
    assert_text(
        &field, &field, false,
        "length    :|@- .|.  half to 4, 99 of 100 to 8 bytes; limit 4..8; 51 of 569 beyond");
    assert_text(
        &field, &field, true,
        "length    \u2582|\u2588\u2583 \u2581|\u2581  half to 4, 99 of 100 to 8 bytes; limit "
        "4..8; 51 of 569 beyond");
    assert_text(&field, NULL, false,
                "length    :@- . .  half to 4, 99 of 100 to 8 bytes; no limit yet");
}

/* Another model may be in force than the one that was learned last. */
static void limits_are_those_in_force(void **state)
{
    (void)state;
    struct guard_model_field field = field_of(some, 5), in_force = field_of(some, 5);
    struct number_view view;
    in_force.numbers[GUARD_NUMBER_LENGTH].limits[GUARD_END_UPPER] = 4;
    in_force.numbers[GUARD_NUMBER_SHORTEST].limited[GUARD_END_LOWER] = false;
    in_force.strength[GUARD_RULE_LENGTH] = 0;
    assert_text(
        &field, &in_force, false,
        "length    :@|- . .  half to 4, 99 of 100 to 8 bytes; limit to 4, not enforced; 119 "
        "of 569 beyond");
    assert_true(number_of_field(&view, &field, &field, GUARD_NUMBER_LENGTH));
    assert_true(view.limits[GUARD_END_LOWER].armed && view.limits[GUARD_END_UPPER].armed);
    field.trusted = false;
    assert_true(number_of_field(&view, &field, &field, GUARD_NUMBER_LENGTH));
    assert_false(view.limits[GUARD_END_LOWER].armed || view.limits[GUARD_END_UPPER].armed);
    assert_false(number_of_field(&view, &field, &field, GUARD_NUMBER_DIGITS));
}

/* Told apart from the longest, the shortest keep the lower limit. */
static void shortest_has_its_own_limit(void **state)
{
    (void)state;
    struct guard_model_field field = field_of(some, 5);
    struct number_view view;
    field.numbers[GUARD_NUMBER_SHORTEST].buckets = some;
    field.numbers[GUARD_NUMBER_SHORTEST].count = 2;
    assert_true(number_of_field(&view, &field, &field, GUARD_NUMBER_LENGTH));
    assert_false(view.limits[GUARD_END_LOWER].known);
    assert_true(number_of_field(&view, &field, &field, GUARD_NUMBER_SHORTEST));
    assert_true(view.limits[GUARD_END_LOWER].known && !view.limits[GUARD_END_UPPER].known);
    assert_int_equal(view.limits[GUARD_END_LOWER].beyond, 50);
}

static void what_a_limit_tells_alone_is_not_drawn(void **state)
{
    (void)state;
    struct guard_bucket two[] = {{1, 1, 9, 1}, {2, 2, 9, 1}};
    struct guard_histogram histogram = {.buckets = two, .count = 1};
    struct number_view view = {.number = GUARD_NUMBER_DIGITS, .histogram = &histogram};
    assert_false(number_text_tells(&view));
    histogram.count = 2;
    assert_true(number_text_tells(&view));
    histogram.count = 1;
    view.number = GUARD_NUMBER_TIME;
    assert_true(number_text_tells(&view));
    histogram.count = 0;
    assert_false(number_text_tells(&view));
}

/* As many buckets as there can be, all counts as long as they get. */
static void the_most_buckets_fit(void **state)
{
    (void)state;
    static struct guard_bucket many[MODEL_JSON_LENGTHS_MAX];
    static char room[MODEL_JSON_FIELD_MAX];
    static char name[512];
    char text[NUMBER_TEXT_MAX];
    struct json_writer json;
    struct number_view view;
    for (uint32_t i = 0; i < MODEL_JSON_LENGTHS_MAX; i++)
        many[i] = (struct guard_bucket){UINT32_MAX - 2 * MODEL_JSON_LENGTHS_MAX + 2 * i,
                                        UINT32_MAX - 2 * MODEL_JSON_LENGTHS_MAX + 2 * i, UINT64_MAX,
                                        GUARD_BUCKET_CLIENTS_MAX};
    memset(name, '\1', sizeof(name));
    struct guard_model_field field = field_of(many, MODEL_JSON_LENGTHS_MAX);
    field.path = (struct guard_span){(const uint8_t *)name, sizeof(name)};
    field.values = INT64_MAX;
    field.classes = UINT64_MAX;
    field.types = field.pending_types = UINT32_MAX;
    for (int i = 0; i < GUARD_FIELD_NUMBERS; i++) {
        field.numbers[i] = field.numbers[0];
        field.numbers[i].limited[GUARD_END_LOWER] = field.numbers[i].limited[GUARD_END_UPPER] =
            true;
    }
    for (int i = 0; i < GUARD_RULE_COUNT; i++)
        field.strength[i] = 600;
    json_writer_init(&json, room, sizeof(room));
    model_json_field(&json, &field, &field, 4);
    assert_false(json.overflow);
    assert_true(number_of_field(&view, &field, &field, GUARD_NUMBER_LENGTH));
    for (int blocks = 0; blocks < 2; blocks++) {
        number_text(&view, blocks != 0, text);
        assert_non_null(strstr(text, " beyond"));
        size_t columns = 0;
        for (const char *at = text + 10; strncmp(at, "  half", 6) != 0; at++)
            columns += (*at & 0xc0) != 0x80;
        assert_true(columns >= 32 && columns <= 2 * NUMBER_TEXT_GROUPS + 6);
    }
}

static void the_same_is_found_in_another_model(void **state)
{
    (void)state;
    struct guard_model_field fields[] = {
        {.location = GUARD_LOCATION_QUERY, .path = GUARD_SPAN_LITERAL("a")},
        {.location = GUARD_LOCATION_FORM, .path = GUARD_SPAN_LITERAL("a")},
        {.location = GUARD_LOCATION_QUERY, .path = GUARD_SPAN_LITERAL("b")},
    };
    struct guard_model_endpoint endpoints[] = {
        {.method = GUARD_SPAN_LITERAL("GET"), .template_text = GUARD_SPAN_LITERAL("/a")},
        {.method = GUARD_SPAN_LITERAL("GET"),
         .template_text = GUARD_SPAN_LITERAL("/b"),
         .field_count = 3},
        {.method = GUARD_SPAN_LITERAL("GET"),
         .template_text = GUARD_SPAN_LITERAL("/b"),
         .status = 2},
    };
    const struct guard_model model = {
        .endpoints = endpoints, .endpoint_count = 2, .answer_count = 1, .fields = fields};
    uint32_t hint = 2;
    struct guard_model_endpoint asked = endpoints[2];
    assert_ptr_equal(model_same_endpoint(&model, &asked), &endpoints[2]);
    asked.status = 0;
    assert_ptr_equal(model_same_endpoint(&model, &asked), &endpoints[1]);
    asked.status = 4;
    assert_null(model_same_endpoint(&model, &asked));
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(model_same_field(&model, &endpoints[1], &fields[i], &hint), &fields[i]);
    struct guard_model_field other = {.location = GUARD_LOCATION_FORM,
                                      .path = GUARD_SPAN_LITERAL("b")};
    assert_null(model_same_field(&model, &endpoints[1], &other, &hint));
    assert_null(model_same_field(&model, &endpoints[0], &fields[0], &hint));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_draws_buckets_gaps_and_limits),
        cmocka_unit_test(limits_are_those_in_force),
        cmocka_unit_test(shortest_has_its_own_limit),
        cmocka_unit_test(what_a_limit_tells_alone_is_not_drawn),
        cmocka_unit_test(the_most_buckets_fit),
        cmocka_unit_test(the_same_is_found_in_another_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
