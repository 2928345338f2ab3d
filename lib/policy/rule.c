/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint rules of a Guardian: which templates they stand for and which of them wins. */
#include "policy/plan.h"

static const struct {
    struct guard_span text;
    enum gd_segment_kind kind;
    uint32_t types;
} placeholders[] = {
    {GUARD_SPAN_LITERAL("{}"), GD_SEGMENT_ANY, 0},
    {GUARD_SPAN_LITERAL("{*}"), GD_SEGMENT_REST, 0},
    {GUARD_SPAN_LITERAL("{int}"), GD_SEGMENT_TYPED, 1u << GUARD_TYPE_INT},
    {GUARD_SPAN_LITERAL("{uuid}"), GD_SEGMENT_TYPED, 1u << GUARD_TYPE_UUID},
    {GUARD_SPAN_LITERAL("{hex}"), GD_SEGMENT_TYPED, 1u << GUARD_TYPE_HEX},
    {GUARD_SPAN_LITERAL("{date}"), GD_SEGMENT_TYPED, 1u << GUARD_TYPE_DATE},
    {GUARD_SPAN_LITERAL("{email}"), GD_SEGMENT_TYPED, 1u << GUARD_TYPE_EMAIL},
    {GUARD_SPAN_LITERAL("{token}"), GD_SEGMENT_TYPED, 1u << GUARD_TYPE_TOKEN},
};

static struct gd_plan_segment segment_parse(struct guard_span text)
{
    struct gd_plan_segment segment = {GD_SEGMENT_LITERAL, text, 0};
    for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
        if (gd_span_equal(text, placeholders[i].text)) {
            segment.kind = placeholders[i].kind;
            segment.types = placeholders[i].types;
        }
    }
    return segment;
}

static enum guard_rc rule_parse(struct gd_plan *plan, const struct guard_endpoint_rule *rule,
                                struct gd_plan_rule *out)
{
    struct guard_span text = rule->template_text;
    out->rule = rule;
    if (text.len == 0 || text.ptr[0] != '/')
        return guard_fail(plan->err, GUARD_E_RANGE, "a template begins with '/': \"%.*s\"",
                          (int)text.len, (const char *)text.ptr);
    for (size_t begin = 1; begin <= text.len;) {
        size_t end = begin;
        while (end < text.len && text.ptr[end] != '/')
            end++;
        if (out->segment_count == GD_PLAN_SEGMENTS || end - begin > GD_POLICY_NAME_MAX)
            return guard_fail(plan->err, GUARD_E_LIMIT,
                              "a template has at most %d segments of %d bytes",
                              (int)GD_PLAN_SEGMENTS, (int)GD_POLICY_NAME_MAX);
        struct gd_plan_segment *segment = &out->segments[out->segment_count++];
        *segment = segment_parse(gd_span(text.ptr + begin, end - begin));
        if (segment->kind == GD_SEGMENT_REST && end < text.len)
            return guard_fail(plan->err, GUARD_E_RANGE,
                              "\"{*}\" is the last segment of a template: \"%.*s\"", (int)text.len,
                              (const char *)text.ptr);
        out->weight += (uint32_t)(GD_SEGMENT_REST - segment->kind);
        begin = end + 1;
    }
    return GUARD_OK;
}

enum guard_rc gd_plan_rules(struct gd_plan *plan)
{
    const struct guard_guardian *guardian = plan->guardian;
    for (uint32_t i = 0; i < guardian->endpoint_count; i++) {
        struct gd_plan_rule parsed = {0};
        GUARD_TRY(rule_parse(plan, &guardian->endpoints[i], &parsed));
        if (gd_vector_add(&plan->rules, 1) == NULL)
            return plan->rules.rc;
        struct gd_plan_rule *rules = (void *)plan->rules.ptr;
        uint32_t at = plan->rules.count - 1;
        for (; at > 0 && rules[at - 1].weight > parsed.weight; at--)
            rules[at] = rules[at - 1];
        rules[at] = parsed;
    }
    return GUARD_OK;
}

bool gd_rule_has_method(const struct guard_endpoint_rule *rule, struct guard_span method)
{
    for (uint32_t i = 0; i < rule->method_count; i++) {
        if (gd_span_equal(rule->methods[i], method))
            return true;
    }
    return rule->method_count == 0;
}

static bool segment_covers(const struct gd_plan_segment *general,
                           const struct gd_plan_segment *special)
{
    switch (general->kind) {
    case GD_SEGMENT_LITERAL:
        return special->kind == GD_SEGMENT_LITERAL && gd_span_equal(general->text, special->text);
    case GD_SEGMENT_TYPED:
        return special->kind == GD_SEGMENT_TYPED && general->types == special->types;
    case GD_SEGMENT_ANY:
        return special->kind != GD_SEGMENT_REST;
    case GD_SEGMENT_REST:
        return true;
    }
    return false;
}

bool gd_rule_covers(const struct gd_plan *plan, const struct gd_plan_rule *rule, uint32_t node)
{
    uint32_t depth = gd_plan_node(plan, node)->depth;
    uint32_t count = rule->segment_count;
    bool rest = rule->segments[count - 1].kind == GD_SEGMENT_REST;
    if (rest ? depth < count : depth != count)
        return false;
    for (; depth > 0; depth--, node = gd_plan_node(plan, node)->parent) {
        const struct gd_plan_segment *general =
            &rule->segments[depth > count ? count - 1 : depth - 1];
        if (!segment_covers(general, &gd_plan_node(plan, node)->segment))
            return false;
    }
    return true;
}

bool gd_rules_forbid(const struct gd_plan *plan, uint32_t node, struct guard_span method)
{
    bool said = false;
    bool listed = false;
    uint32_t weight = 0;
    for (uint32_t i = plan->rules.count; i-- > 0;) {
        const struct gd_plan_rule *rule = gd_plan_rule(plan, i);
        if (said && rule->weight < weight)
            break;
        if (!gd_rule_covers(plan, rule, node))
            continue;
        said = true;
        weight = rule->weight;
        listed |= gd_rule_has_method(rule->rule, method);
    }
    return said && !listed;
}
