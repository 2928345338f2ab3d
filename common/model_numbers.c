/* SPDX-License-Identifier: Apache-2.0 */
/* See model_numbers.h. */
#include "common/model_numbers.h"

#include <string.h>

/* Which rule fires beyond the limit at an end. */
static enum guard_rule rule_of(enum guard_number number, enum guard_end end)
{
    static const enum guard_rule upper[GUARD_NUMBER_COUNT] = {
        [GUARD_NUMBER_LENGTH] = GUARD_RULE_LENGTH, [GUARD_NUMBER_SHORTEST] = GUARD_RULE_LENGTH,
        [GUARD_NUMBER_DIGITS] = GUARD_RULE_DIGITS, [GUARD_NUMBER_SPECIALS] = GUARD_RULE_SPECIALS,
        [GUARD_NUMBER_ITEMS] = GUARD_RULE_ITEMS,   [GUARD_NUMBER_BODY] = GUARD_RULE_SIZE,
        [GUARD_NUMBER_DEPTH] = GUARD_RULE_DEPTH,   [GUARD_NUMBER_TIME] = GUARD_RULE_LATENCY,
    };
    return end == GUARD_END_LOWER ? GUARD_RULE_SHORT : upper[number];
}

/* As far as `limits`, of the model in force, say. */
static struct number_limit limit_of(const struct guard_histogram *shown,
                                    const struct guard_histogram *limits, enum guard_end end,
                                    bool armed)
{
    struct number_limit limit = {.known = limits->limited[end]};
    if (!limit.known)
        return limit;
    limit.armed = armed;
    limit.at = limits->limits[end];
    limit.beyond = guard_histogram_beyond(shown, end, limit.at);
    return limit;
}

bool number_of_field(struct number_view *out, const struct guard_model_field *field,
                     const struct guard_model_field *in_force, enum guard_number number)
{
    const struct guard_histogram *shown = &field->numbers[number];
    *out = (struct number_view){.number = number, .histogram = shown};
    if (shown->count == 0)
        return false;
    for (int i = 0; in_force != NULL && i < 2; i++) {
        enum guard_end end = (enum guard_end)i;
        /* Both ends of lengths are told together where the shortest one has no buckets. */
        bool joined = number == GUARD_NUMBER_LENGTH && end == GUARD_END_LOWER &&
                      field->numbers[GUARD_NUMBER_SHORTEST].count == 0;
        enum guard_number of = joined ? GUARD_NUMBER_SHORTEST : number;
        bool armed = in_force->trusted && in_force->strength[rule_of(number, end)] > 0;
        out->limits[i] = limit_of(shown, &in_force->numbers[of], end, armed);
    }
    return true;
}

bool number_of_endpoint(struct number_view *out, const struct guard_model_endpoint *endpoint,
                        const struct guard_model_endpoint *in_force, enum guard_number number)
{
    const struct guard_histogram *shown = &endpoint->numbers[number - GUARD_FIELD_NUMBERS];
    *out = (struct number_view){.number = number, .histogram = shown};
    if (shown->count == 0)
        return false;
    if (in_force != NULL)
        out->limits[GUARD_END_UPPER] =
            limit_of(shown, &in_force->numbers[number - GUARD_FIELD_NUMBERS], GUARD_END_UPPER,
                     in_force->trusted && in_force->strength[rule_of(number, GUARD_END_UPPER)] > 0);
    return true;
}

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

const struct guard_model_endpoint *model_same_endpoint(const struct guard_model *model,
                                                       const struct guard_model_endpoint *endpoint)
{
    for (uint32_t i = 0; i < model->endpoint_count + model->answer_count; i++) {
        const struct guard_model_endpoint *at = &model->endpoints[i];
        if (at->status == endpoint->status && same(at->method, endpoint->method) &&
            same(at->template_text, endpoint->template_text))
            return at;
    }
    return NULL;
}

const struct guard_model_field *model_same_field(const struct guard_model *model,
                                                 const struct guard_model_endpoint *of,
                                                 const struct guard_model_field *field,
                                                 uint32_t *hint)
{
    const struct guard_model_field *fields = &model->fields[of->first_field];
    for (uint32_t i = 0; i < of->field_count; i++) {
        uint32_t at = (*hint + i) % of->field_count;
        if (fields[at].location != field->location || !same(fields[at].path, field->path))
            continue;
        *hint = at + 1;
        return &fields[at];
    }
    return NULL;
}
