/* SPDX-License-Identifier: Apache-2.0 */
/* The growth cap: who owns enough clients for long enough can teach anything, but only so much of
 * it at a time, and people see that the rest waits (Kloft and Laskov bound what a poisoner reaches
 * by the updates that it is allowed). Elements are counted in two passes, so that the cap goes to
 * those that most clients vouch for. docs/internals/learn.md */
#include "base/span.h"

#include <guard/model.h>

enum { BUCKETS = 33 }; /* by the logarithm of clients */

/* Walks two models side by side: they are written in one order, so that the next is the usual hit.
 */
struct side {
    const struct guard_model *model;
    const struct guard_model *parent;
    const struct guard_review *review;
    uint32_t hint;
};

struct cap {
    uint32_t buckets[BUCKETS];
    uint32_t from;  /* the bucket that is the last to be let in */
    uint32_t of_it; /* how many of that one */
    uint32_t left;  /* of the endpoint at hand */
    bool counting;
    struct guard_growth *out;
};

static uint32_t bucket_of(uint32_t clients)
{
    return clients == 0 ? 0 : 32 - (uint32_t)__builtin_clz(clients);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t elements_of(const struct guard_model_field *fields, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (fields[i].trusted)
            sum += 1 + (uint32_t)__builtin_popcountll(fields[i].classes) +
                   (uint32_t)__builtin_popcount(fields[i].likeness);
    }
    return sum;
}

uint32_t guard_model_elements(const struct guard_model *model)
{
    uint32_t sum = elements_of(model->fields, model->field_count);
    for (uint32_t i = 0; i < model->endpoint_count; i++)
        sum += model->endpoints[i].trusted;
    return sum;
}

static bool same_endpoint(const struct guard_model_endpoint *a,
                          const struct guard_model_endpoint *b)
{
    return a->status == b->status && gd_span_equal(a->method, b->method) &&
           gd_span_equal(a->template_text, b->template_text);
}

static const struct guard_model_endpoint *endpoint_before(struct side *side,
                                                          const struct guard_model_endpoint *now)
{
    uint32_t count = side->parent->endpoint_count + side->parent->answer_count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = side->hint + i < count ? side->hint + i : side->hint + i - count;
        if (!same_endpoint(now, &side->parent->endpoints[at]))
            continue;
        side->hint = at + 1 < count ? at + 1 : 0;
        return &side->parent->endpoints[at];
    }
    return NULL;
}

static const struct guard_model_field *field_before(const struct guard_model_field *fields,
                                                    uint32_t count, uint32_t *hint,
                                                    const struct guard_model_field *now)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = *hint + i < count ? *hint + i : *hint + i - count;
        if (fields[at].location != now->location || !gd_span_equal(fields[at].path, now->path))
            continue;
        *hint = at + 1 < count ? at + 1 : 0;
        return &fields[at];
    }
    return NULL;
}

static bool same_element(const struct guard_review_element *a, const struct guard_review_element *b)
{
    return a->kind == b->kind && a->status == b->status && a->location == b->location &&
           a->code == b->code && gd_span_equal(a->method, b->method) &&
           gd_span_equal(a->template_text, b->template_text) && gd_span_equal(a->name, b->name) &&
           gd_span_equal(a->text, b->text);
}

static bool is_accepted(const struct side *side, const struct guard_review_element *element)
{
    for (uint32_t i = 0; side->review != NULL && i < side->review->count; i++) {
        const struct guard_review_entry *entry = &side->review->entries[i];
        if (entry->decision == GUARD_REVIEW_ACCEPTED && same_element(&entry->element, element))
            return true;
    }
    return false;
}

/* Whether a new element is let in; the first pass only counts. */
static bool let_in(struct cap *cap, const struct side *side,
                   const struct guard_review_element *element, uint32_t clients)
{
    uint32_t bucket = bucket_of(clients);
    if (is_accepted(side, element))
        return true;
    if (cap->counting) {
        cap->buckets[bucket]++;
        return true;
    }
    bool room = cap->left > 0 && (bucket > cap->from || (bucket == cap->from && cap->of_it > 0));
    if (room) {
        cap->left--;
        cap->of_it -= bucket == cap->from;
        cap->out->grown++;
        return true;
    }
    if (cap->out->held < GUARD_GROWTH_SHOWN)
        cap->out->first[cap->out->held] = *element;
    cap->out->held++;
    return false;
}

static struct guard_review_element element_of(const struct guard_model_endpoint *endpoint,
                                              const struct guard_model_field *field,
                                              enum guard_review_kind kind, uint32_t code)
{
    struct guard_review_element element = {.kind = kind, .code = code};
    if (endpoint != NULL) {
        element.status = endpoint->status;
        element.method = endpoint->method;
        element.template_text = endpoint->template_text;
    }
    if (field != NULL) {
        element.location = field->location;
        element.name = field->path;
    }
    return element;
}

/* Characters and likenesses that a known field took on; those of a new one come with it. */
static uint64_t hold_bits(struct cap *cap, const struct side *side,
                          const struct guard_model_endpoint *endpoint,
                          const struct guard_model_field *field, enum guard_review_kind kind,
                          uint64_t fresh)
{
    uint64_t held = 0;
    for (; fresh != 0; fresh &= fresh - 1) {
        uint32_t code = (uint32_t)__builtin_ctzll(fresh);
        struct guard_review_element element = element_of(endpoint, field, kind, code);
        if (!let_in(cap, side, &element, field->clients))
            held |= UINT64_C(1) << code;
    }
    return held;
}

static void hold_field(struct cap *cap, const struct side *side,
                       const struct guard_model_endpoint *endpoint, struct guard_model_field *field,
                       const struct guard_model_field *before)
{
    if (before == NULL || !before->trusted) {
        struct guard_review_element element = element_of(endpoint, field, GUARD_REVIEW_NAME, 0);
        if (!let_in(cap, side, &element, field->clients))
            field->trusted = field->required = false;
        return;
    }
    uint64_t classes = hold_bits(cap, side, endpoint, field, GUARD_REVIEW_CHARACTER,
                                 field->classes & ~before->classes);
    uint64_t likeness = hold_bits(cap, side, endpoint, field, GUARD_REVIEW_LIKENESS,
                                  field->likeness & ~before->likeness);
    field->classes &= ~classes;
    field->pending_classes |= classes;
    field->likeness &= ~(uint32_t)likeness;
    field->pending_likeness |= (uint32_t)likeness;
}

/* Of one owner; endpoint NULL: headers and cookies of the service. */
static void hold_fields(struct cap *cap, const struct side *side,
                        const struct guard_model_endpoint *endpoint, uint32_t first, uint32_t count,
                        const struct guard_model_field *before, uint32_t before_count)
{
    uint32_t hint = 0;
    for (uint32_t i = first; i < first + count; i++) {
        struct guard_model_field *field = &side->model->fields[i];
        if (field->trusted && field->parent != GUARD_NO_INDEX &&
            !side->model->fields[field->parent].trusted)
            field->trusted = field->required = false; /* waits with what it is a part of */
        if (field->trusted)
            hold_field(cap, side, endpoint, field,
                       field_before(before, before_count, &hint, field));
    }
}

static uint32_t fields_held(const struct guard_model *model, const struct guard_model_endpoint *of)
{
    return of->first_field <= model->field_count &&
                   of->field_count <= model->field_count - of->first_field
               ? of->field_count
               : 0;
}

/* A new endpoint comes with all of its fields: unknown paths have none that count. */
static void hold_endpoint(struct cap *cap, struct side *side, struct guard_model_endpoint *endpoint)
{
    const struct guard_model_endpoint *before = endpoint_before(side, endpoint);
    cap->left = UINT32_MAX;
    if (!endpoint->trusted)
        return;
    if (before == NULL || !before->trusted) {
        struct guard_review_element element = element_of(endpoint, NULL, GUARD_REVIEW_METHOD, 0);
        element.method = gd_span(NULL, 0);
        element.text = endpoint->method;
        if (endpoint->status == 0 && !let_in(cap, side, &element, endpoint->clients))
            endpoint->trusted = false;
        return;
    }
    uint32_t had = fields_held(side->parent, before);
    const struct guard_model_field *fields =
        side->parent->fields + (had > 0 ? before->first_field : 0);
    cap->left =
        larger(GUARD_GROWTH_ENDPOINT_LEAST, elements_of(fields, had) / GUARD_GROWTH_ENDPOINT_SHARE);
    hold_fields(cap, side, endpoint, endpoint->first_field, fields_held(side->model, endpoint),
                fields, had);
}

static void pass(struct cap *cap, struct side *side)
{
    const struct guard_model *model = side->model;
    const struct guard_model *parent = side->parent;
    side->hint = 0;
    for (uint32_t i = 0; i < model->endpoint_count + model->answer_count; i++)
        hold_endpoint(cap, side, &model->endpoints[i]);
    cap->left = UINT32_MAX;
    hold_fields(cap, side, NULL, model->first_service_field, model->service_field_count,
                parent->fields + parent->first_service_field, parent->service_field_count);
}

void guard_model_hold_growth(struct guard_model *model, const struct guard_model *parent,
                             const struct guard_review *review, struct guard_growth *out)
{
    struct cap cap = {.counting = true, .out = out};
    struct side side = {.model = model, .parent = parent, .review = review};
    uint32_t allowed =
        larger(GUARD_GROWTH_LEAST, guard_model_elements(parent) / GUARD_GROWTH_SHARE);
    *out = (struct guard_growth){.grown = 0};
    pass(&cap, &side);
    cap.counting = false;
    cap.from = 0;
    cap.of_it = UINT32_MAX;
    for (uint32_t bucket = BUCKETS; bucket-- > 0;) {
        if (cap.buckets[bucket] > allowed) {
            cap.from = bucket;
            cap.of_it = allowed;
            break;
        }
        allowed -= cap.buckets[bucket];
    }
    pass(&cap, &side);
}
