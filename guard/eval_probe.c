/* SPDX-License-Identifier: Apache-2.0 */
/* A rule says for each value of one feature, at each service, which class it takes it for: the one
 * in which the value has the larger share on the other side. Ties say nothing and count half. */
#include "eval_probe.h"

#include "eval_key.h"
#include "eval_values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct eval_probe_value {
    uint32_t feature;
    uint32_t service;      /* index of a service, or of a header */
    uint32_t counts[2][2]; /* side, attack */
};

const char *eval_feature_name(enum eval_feature feature)
{
    static const char *const names[EVAL_FEATURES] = {
        "header order", "header presence", "line ends", "version", "method", "content length",
        "hour",         "five minutes",    "client",    "response"};
    return names[feature];
}

/* NULL when there is no room. */
static struct eval_probe_value *value_at(struct eval_table *table, struct eval_probe_value **values,
                                         uint32_t *count, uint32_t *cap, uint64_t key)
{
    bool added = false;
    if (*count == *cap) {
        uint32_t more = *cap == 0 ? 64 : *cap * 2;
        struct eval_probe_value *grown =
            more <= EVAL_PROBE_VALUES_MAX ? realloc(*values, more * sizeof(*grown)) : NULL;
        if (grown == NULL)
            return NULL;
        *values = grown;
        *cap = more;
    }
    uint32_t *index = eval_table_at(table, key, &added);
    if (index == NULL)
        return NULL;
    if (added) {
        (*values)[*count] = (struct eval_probe_value){.feature = 0};
        *index = ++*count;
    }
    return &(*values)[*index - 1];
}

struct noting {
    struct eval_probe *probe;
    uint32_t service;
    unsigned side;
    unsigned attack;
};

static void note(const struct noting *noting, enum eval_feature feature, uint64_t value)
{
    struct eval_probe *probe = noting->probe;
    uint64_t parts[3] = {(uint64_t)feature, noting->service, value};
    uint64_t key = eval_hash(3, (struct guard_span){(const uint8_t *)parts, sizeof(parts)});
    struct eval_probe_value *slot =
        value_at(&probe->table, &probe->values, &probe->count, &probe->cap, key);
    if (slot == NULL)
        return;
    slot->feature = feature;
    slot->service = noting->service;
    slot->counts[noting->side][noting->attack]++;
}

static uint64_t line_ends(struct guard_span body)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < body.len; i++) {
        bool after_cr = i > 0 && body.ptr[i - 1] == '\r';
        if (body.ptr[i] == '\n')
            seen |= after_cr ? 1 : 2;
        else if (after_cr)
            seen |= 4;
    }
    return seen | (body.len > 0 && body.ptr[body.len - 1] == '\n' ? 8 : 0);
}

static uint64_t length_told(const struct guard_exchange *exchange)
{
    struct guard_span header = eval_header(exchange, "content-length");
    char text[24];
    int len = snprintf(text, sizeof(text), "%zu", exchange->body.len);
    if (header.len == 0)
        return exchange->body.len > 0 ? 1 : 2;
    return header.len == (size_t)len && memcmp(header.ptr, text, header.len) == 0 ? 3 : 4;
}

static void note_headers(const struct noting *noting, const struct guard_exchange *exchange)
{
    uint64_t order = 1;
    struct noting pooled = *noting;
    pooled.service = 0;
    for (uint32_t i = 0; i < exchange->header_count; i++) {
        uint64_t name = eval_hash(5, exchange->headers[i].name);
        bool again = false;
        order = eval_hash(order, exchange->headers[i].name);
        for (uint32_t k = 0; k < i && !again; k++)
            again = eval_span_same(exchange->headers[k].name, exchange->headers[i].name);
        if (!again)
            note(&pooled, EVAL_FEATURE_HEADER, name);
    }
    note(noting, EVAL_FEATURE_ORDER, order);
}

void eval_probe_add(struct eval_probe *probe, const struct guard_exchange *exchange,
                    struct guard_span service, const struct eval_label *label)
{
    struct guard_span origin = label->base.len > 0 ? label->base : exchange->id;
    struct noting noting = {.probe = probe,
                            .side = (unsigned)(eval_hash(7, origin) >> 20) & 1,
                            .attack = label->attack};
    struct eval_probe_value *slot =
        value_at(&probe->service_table, &probe->services, &probe->service_count,
                 &probe->service_cap, eval_hash(11, service));
    if (slot == NULL || (!label->attack && eval_span_is(label->class_name, "lookalike")))
        return;
    noting.service = (uint32_t)(slot - probe->services);
    slot->counts[noting.side][noting.attack]++;
    probe->totals[noting.side][noting.attack]++;
    note_headers(&noting, exchange);
    note(&noting, EVAL_FEATURE_LINES, line_ends(exchange->body));
    note(&noting, EVAL_FEATURE_VERSION, exchange->version);
    note(&noting, EVAL_FEATURE_METHOD, eval_hash(13, exchange->method));
    note(&noting, EVAL_FEATURE_LENGTH, length_told(exchange));
    note(&noting, EVAL_FEATURE_HOUR, exchange->time_ms / 3600000);
    note(&noting, EVAL_FEATURE_MINUTES, exchange->time_ms / 300000);
    note(&noting, EVAL_FEATURE_CLIENT, exchange->client.len > 0);
    note(&noting, EVAL_FEATURE_RESPONSE, exchange->status / 100 + 10u * exchange->response_known);
}

/* How much of a value's attack (or benign) exchanges on one side the rule of the other gets right:
 * 1, 0, or 0.5 for a tie. */
static double right_share(const uint32_t counts[2], double benign, double attacks, unsigned attack)
{
    double of_attacks = attacks > 0 ? counts[1] / attacks : 0;
    double of_benign = benign > 0 ? counts[0] / benign : 0;
    if (of_attacks == of_benign)
        return 0.5;
    return (of_attacks > of_benign) == (attack == 1) ? 1 : 0;
}

static double balanced(const struct eval_probe *probe, const double right[2])
{
    double attacks = (double)(probe->totals[0][1] + probe->totals[1][1]);
    double benign = (double)(probe->totals[0][0] + probe->totals[1][0]);
    return attacks == 0 || benign == 0 ? NAN : (right[1] / attacks + right[0] / benign) / 2;
}

/* Of a header only presence is noted; absence is the rest. */
static double presence_accuracy(const struct eval_probe *probe,
                                const struct eval_probe_value *value)
{
    double right[2] = {0, 0};
    for (unsigned side = 0; side < 2; side++) {
        const uint64_t *other = probe->totals[1 - side];
        for (unsigned attack = 0; attack < 2; attack++) {
            double there =
                right_share(value->counts[1 - side], (double)other[0], (double)other[1], attack);
            double with = value->counts[side][attack];
            right[attack] +=
                with * there + ((double)probe->totals[side][attack] - with) * (1 - there);
        }
    }
    return balanced(probe, right);
}

static double header_accuracy(const struct eval_probe *probe)
{
    double best = NAN;
    for (uint32_t i = 0; i < probe->count; i++) {
        if (probe->values[i].feature != EVAL_FEATURE_HEADER)
            continue;
        double accuracy = presence_accuracy(probe, &probe->values[i]);
        if (!isnan(accuracy) && !(accuracy <= best))
            best = accuracy;
    }
    return best;
}

double eval_probe_accuracy(const struct eval_probe *probe, enum eval_feature feature)
{
    double right[2] = {0, 0};
    if (feature == EVAL_FEATURE_HEADER)
        return header_accuracy(probe);
    for (uint32_t i = 0; i < probe->count; i++) {
        const struct eval_probe_value *value = &probe->values[i];
        if (value->feature != (uint32_t)feature)
            continue;
        const struct eval_probe_value *service = &probe->services[value->service];
        for (unsigned side = 0; side < 2; side++) {
            const uint32_t *other = service->counts[1 - side];
            for (unsigned attack = 0; attack < 2; attack++)
                right[attack] += value->counts[side][attack] *
                                 right_share(value->counts[1 - side], other[0], other[1], attack);
        }
    }
    return balanced(probe, right);
}

void eval_probe_free(struct eval_probe *probe)
{
    eval_table_free(&probe->table);
    eval_table_free(&probe->service_table);
    free(probe->values);
    free(probe->services);
    *probe = (struct eval_probe){.values = NULL};
}
