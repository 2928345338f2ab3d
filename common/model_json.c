/* SPDX-License-Identifier: Apache-2.0 */
/* In the order of their numbers, so that the same set is the same text. */
#include "common/model_json.h"

#include "common/model_numbers.h"
#include "common/model_text.h"
#include "common/review_text.h"

#include <guard/likeness.h>

void model_json_types(struct json_writer *json, const char *name, uint32_t types)
{
    json_open(json, name, '[');
    for (int i = 0; i < GUARD_TYPE_COUNT; i++) {
        if ((types >> i & 1) != 0)
            json_text(json, NULL, guard_type_name((enum guard_type)i));
    }
    json_close(json, ']');
}

void model_json_classes(struct json_writer *json, const char *name, uint64_t classes)
{
    json_open(json, name, '[');
    for (int i = 0; i < GUARD_CLASS_COUNT; i++) {
        char text[16];
        if ((classes >> i & 1) == 0)
            continue;
        guard_class_name((enum guard_class)i, text);
        json_text(json, NULL, text);
    }
    json_close(json, ']');
}

void model_json_likeness(struct json_writer *json, const char *name, uint32_t likeness)
{
    json_open(json, name, '[');
    for (int i = 0; i < GUARD_LIKENESS_COUNT; i++) {
        if ((likeness >> i & 1) != 0)
            json_text(json, NULL, guard_likeness_name((enum guard_likeness)i));
    }
    json_close(json, ']');
}

/* The rules that could fire here, and what they would prove: -log10 of p. */
static void write_rules(struct json_writer *json, const uint16_t strength[GUARD_RULE_COUNT])
{
    json_open(json, "rules", '[');
    for (int i = 0; i < GUARD_RULE_COUNT; i++) {
        if (strength[i] == 0)
            continue;
        json_open(json, NULL, '{');
        json_text(json, "rule", guard_rule_name((enum guard_rule)i));
        json_number(json, "strength", strength[i] / 100.0);
        json_close(json, '}');
    }
    json_close(json, ']');
}

/* In the words of the review; "" when nothing is lacking. */
static void write_lacks(struct json_writer *json, const struct guard_model_field *field,
                        uint32_t support)
{
    char text[REVIEW_LACKS_MAX];
    const struct guard_review_pending pending = {.records = field->values,
                                                 .clients = field->clients,
                                                 .support = field->support,
                                                 .epochs = field->epochs};
    json_text(json, "lacks", field->trusted ? "" : review_lacks(text, support, &pending));
}

/* Hostile piles hold any count. */
static int64_t clamped(uint64_t count)
{
    return count <= INT64_MAX ? (int64_t)count : INT64_MAX;
}

static void write_limit(struct json_writer *json, const char *name,
                        const struct number_limit *limit)
{
    if (!limit->known) {
        json_null(json, name);
        return;
    }
    json_open(json, name, '{');
    json_integer(json, "at", limit->at);
    json_bool(json, "armed", limit->armed);
    json_integer(json, "beyond", clamped(limit->beyond));
    json_close(json, '}');
}

static void write_distribution(struct json_writer *json, const struct number_view *view)
{
    const struct guard_histogram *histogram = view->histogram;
    json_open(json, NULL, '{');
    json_text(json, "of", guard_number_name(view->number));
    json_text(json, "unit", guard_number_unit(view->number));
    json_integer(json, "exchanges", clamped(guard_histogram_exchanges(histogram)));
    json_integer(json, "without", clamped(histogram->without));
    json_integer(json, "p50", guard_histogram_quantile(histogram, 500));
    json_integer(json, "p95", guard_histogram_quantile(histogram, 950));
    json_integer(json, "p99", guard_histogram_quantile(histogram, 990));
    write_limit(json, "lower", &view->limits[GUARD_END_LOWER]);
    write_limit(json, "upper", &view->limits[GUARD_END_UPPER]);
    json_open(json, "buckets", '[');
    for (uint32_t i = 0; i < histogram->count; i++) {
        json_open(json, NULL, '{');
        json_integer(json, "lower", histogram->buckets[i].lower);
        json_integer(json, "upper", histogram->buckets[i].upper);
        json_integer(json, "exchanges", clamped(histogram->buckets[i].exchanges));
        json_integer(json, "clients", histogram->buckets[i].clients);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

void model_json_field(struct json_writer *json, const struct guard_model_field *field,
                      const struct guard_model_field *in_force, uint32_t support)
{
    char norm[MODEL_TEXT_MAX];
    model_field_norm(field, norm);
    json_open(json, NULL, '{');
    json_text(json, "location", guard_location_name(field->location));
    json_string(json, "name", field->path);
    json_bool(json, "trusted", field->trusted);
    write_lacks(json, field, support);
    json_text(json, "normal", norm);
    json_bool(json, "required", field->required);
    json_integer(json, "values", (int64_t)field->values);
    json_integer(json, "clients", field->clients);
    json_integer(json, "epochs", field->epochs);
    model_json_types(json, "types", field->types);
    model_json_types(json, "pending_types", field->pending_types & ~field->types);
    model_json_classes(json, "characters", field->classes);
    model_json_classes(json, "pending_characters", field->pending_classes & ~field->classes);
    model_json_likeness(json, "reads_like", field->likeness);
    model_json_likeness(json, "pending_reads_like", field->pending_likeness & ~field->likeness);
    json_integer(json, "length_min", field->length_min);
    json_integer(json, "length_max", field->length_max);
    json_integer(json, "digits_max", field->digits_max);
    json_integer(json, "specials_max", field->specials_max);
    json_integer(json, "items_max", field->items_max);
    json_bool(json, "closed", field->closed);
    json_integer(json, "different_values", field->closed ? field->literal_count : 0);
    write_rules(json, field->strength);
    json_open(json, "distributions", '[');
    for (int i = 0; i < GUARD_FIELD_NUMBERS; i++) {
        struct number_view view;
        if (number_of_field(&view, field, in_force, (enum guard_number)i))
            write_distribution(json, &view);
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void write_readiness(struct json_writer *json, const char *name,
                            const struct guard_model_readiness *readiness)
{
    json_open(json, name, '{');
    json_bool(json, "ready", readiness->ready);
    json_string(json, "lacks", readiness->lacks);
    json_close(json, '}');
}

static void write_distributions(struct json_writer *json,
                                const struct guard_model_endpoint *endpoint,
                                const struct guard_model_endpoint *in_force)
{
    json_open(json, "distributions", '[');
    for (int i = GUARD_NUMBER_BODY; i < GUARD_NUMBER_COUNT; i++) {
        struct number_view view;
        if (number_of_endpoint(&view, endpoint, in_force, (enum guard_number)i))
            write_distribution(json, &view);
    }
    json_close(json, ']');
}

void model_json_endpoint(struct json_writer *json, const struct guard_model_endpoint *endpoint,
                         const struct guard_model_endpoint *in_force)
{
    const struct guard_model_readiness request = {endpoint->ready, endpoint->lacks};
    json_string(json, "method", endpoint->method);
    json_string(json, "template", endpoint->template_text);
    json_integer(json, "exchanges", (int64_t)endpoint->exchanges);
    json_integer(json, "clients", endpoint->clients);
    json_integer(json, "epochs", endpoint->epochs);
    write_readiness(json, "request", &request);
    write_readiness(json, "response", &endpoint->response);
    write_readiness(json, "time", &endpoint->time);
    json_open(json, "media_types", '[');
    for (uint32_t i = 0; i < endpoint->media_count; i++)
        json_string(json, NULL, endpoint->media_types[i]);
    json_close(json, ']');
    json_integer(json, "body_max", endpoint->body_max);
    json_integer(json, "latency_max_ms", endpoint->latency_max);
    write_rules(json, endpoint->strength);
    write_distributions(json, endpoint, in_force);
}

void model_json_answer(struct json_writer *json, const struct guard_model_endpoint *answer,
                       const struct guard_model_endpoint *in_force)
{
    json_open(json, NULL, '{');
    json_integer(json, "status", answer->status);
    json_integer(json, "exchanges", clamped(answer->exchanges));
    write_distributions(json, answer, in_force);
    json_close(json, '}');
}
