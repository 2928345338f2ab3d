/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of paths, and which rules of a Guardian speak of which: as compiling a policy has it.
 */
#include "common/openapi_parts.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *text;
    enum openapi_segment_kind kind;
    uint32_t types;
} placeholders[] = {
    {"{}", OPENAPI_ANY, 0},
    {"{*}", OPENAPI_REST, 0},
    {"{rest}", OPENAPI_REST, 0},
    {"{int}", OPENAPI_TYPED, 1u << GUARD_TYPE_INT},
    {"{uuid}", OPENAPI_TYPED, 1u << GUARD_TYPE_UUID},
    {"{hex}", OPENAPI_TYPED, 1u << GUARD_TYPE_HEX},
    {"{date}", OPENAPI_TYPED, 1u << GUARD_TYPE_DATE},
    {"{email}", OPENAPI_TYPED, 1u << GUARD_TYPE_EMAIL},
    {"{token}", OPENAPI_TYPED, 1u << GUARD_TYPE_TOKEN},
};

static struct openapi_segment segment_parse(struct guard_span text)
{
    for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
        if (openapi_is(text, placeholders[i].text))
            return (struct openapi_segment){text, placeholders[i].kind, placeholders[i].types};
    }
    return (struct openapi_segment){text, OPENAPI_LITERAL, 0};
}

bool openapi_template_learned(const struct guard_model *model, uint32_t node,
                              struct openapi_template *out)
{
    uint32_t depth = 0;
    for (uint32_t at = node; at != 0; at = model->nodes[at].parent) {
        if (at >= model->node_count || ++depth > OPENAPI_SEGMENTS_MAX)
            return false;
    }
    out->count = depth;
    for (uint32_t at = node; at != 0; at = model->nodes[at].parent) {
        const struct guard_model_node *from = &model->nodes[at];
        struct openapi_segment *segment = &out->segments[--depth];
        *segment = (struct openapi_segment){from->text, OPENAPI_LITERAL, 0};
        if (from->wildcard && openapi_is(from->text, "{rest}"))
            segment->kind = OPENAPI_REST;
        else if (from->wildcard)
            *segment = (struct openapi_segment){
                from->text, from->types != 0 ? OPENAPI_TYPED : OPENAPI_ANY, from->types};
    }
    return true;
}

static bool stays(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL);
}

bool openapi_template_key(const struct openapi_template *template, char out[OPENAPI_KEY_MAX + 1])
{
    size_t len = 0;
    for (uint32_t i = 0; i < template->count; i++) {
        const struct openapi_segment *segment = &template->segments[i];
        char placeholder[16];
        struct guard_span text = segment->text;
        if (segment->kind == OPENAPI_REST || len + 3 * text.len + 16 > OPENAPI_KEY_MAX)
            return false;
        out[len++] = '/';
        if (segment->kind != OPENAPI_LITERAL) {
            int some = snprintf(placeholder, sizeof(placeholder), "{seg%u}", i);
            memcpy(out + len, placeholder, (size_t)some);
            len += (size_t)some;
            continue;
        }
        for (size_t k = 0; k < text.len; k++) {
            if (stays(text.ptr[k])) {
                out[len++] = (char)text.ptr[k];
            } else {
                snprintf(out + len, 4, "%%%02X", text.ptr[k]);
                len += 3;
            }
        }
    }
    out[len] = '\0';
    return len > 0;
}

static enum guard_rc rule_parse(const struct guard_endpoint_rule *rule, struct openapi_rule *out,
                                struct guard_err *err)
{
    struct guard_span text = rule->template_text;
    *out = (struct openapi_rule){.rule = rule};
    if (text.len == 0 || text.ptr[0] != '/')
        return guard_fail(err, GUARD_E_RANGE, "a template begins with '/'");
    for (size_t begin = 1; begin <= text.len;) {
        size_t end = begin;
        while (end < text.len && text.ptr[end] != '/')
            end++;
        if (out->template.count == OPENAPI_SEGMENTS_MAX)
            return guard_fail(err, GUARD_E_RANGE, "a template has at most %d segments",
                              OPENAPI_SEGMENTS_MAX);
        struct openapi_segment *segment = &out->template.segments[out->template.count++];
        *segment = segment_parse((struct guard_span){text.ptr + begin, end - begin});
        if (segment->kind == OPENAPI_REST && end < text.len)
            return guard_fail(err, GUARD_E_RANGE, "\"{*}\" is the last segment of a template");
        out->weight += (uint32_t)(OPENAPI_REST - segment->kind);
        begin = end + 1;
    }
    return GUARD_OK;
}

enum guard_rc openapi_rules(struct openapi *ctx, struct guard_err *err)
{
    const struct guard_guardian *guardian = ctx->cfg->guardian;
    if (guardian == NULL || guardian->endpoint_count == 0)
        return GUARD_OK;
    ctx->rules = guard_arena_get(ctx->arena, guardian->endpoint_count * sizeof(*ctx->rules));
    struct openapi_rule *parsed = guard_arena_get(ctx->arena, sizeof(*parsed));
    if (ctx->rules == NULL || parsed == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    for (uint32_t i = 0; i < guardian->endpoint_count; i++) {
        uint32_t at = ctx->rule_count++;
        GUARD_TRY(rule_parse(&guardian->endpoints[i], parsed, err));
        for (; at > 0 && ctx->rules[at - 1].weight > parsed->weight; at--)
            ctx->rules[at] = ctx->rules[at - 1];
        ctx->rules[at] = *parsed;
    }
    return GUARD_OK;
}

static bool segment_covers(const struct openapi_segment *general,
                           const struct openapi_segment *special)
{
    switch (general->kind) {
    case OPENAPI_LITERAL:
        return special->kind == OPENAPI_LITERAL && openapi_same(general->text, special->text);
    case OPENAPI_TYPED:
        return special->kind == OPENAPI_TYPED && general->types == special->types;
    case OPENAPI_ANY:
        return special->kind != OPENAPI_REST;
    case OPENAPI_REST:
        return true;
    }
    return false;
}

bool openapi_rule_covers(const struct openapi_rule *rule, const struct openapi_template *template)
{
    uint32_t count = rule->template.count;
    bool rest = rule->template.segments[count - 1].kind == OPENAPI_REST;
    if (rest ? template->count < count : template->count != count)
        return false;
    for (uint32_t i = 0; i < template->count; i++) {
        if (!segment_covers(&rule->template.segments[i < count ? i : count - 1],
                            &template->segments[i]))
            return false;
    }
    return true;
}

bool openapi_rule_has_method(const struct openapi_rule *rule, struct guard_span method)
{
    for (uint32_t i = 0; i < rule->rule->method_count; i++) {
        if (openapi_same(rule->rule->methods[i], method))
            return true;
    }
    return rule->rule->method_count == 0;
}

bool openapi_rules_forbid(const struct openapi *ctx, const struct openapi_template *template,
                          struct guard_span method)
{
    bool said = false;
    bool listed = false;
    uint32_t weight = 0;
    for (uint32_t i = ctx->rule_count; i-- > 0;) {
        const struct openapi_rule *rule = &ctx->rules[i];
        if (said && rule->weight < weight)
            break;
        if (!openapi_rule_covers(rule, template))
            continue;
        said = true;
        weight = rule->weight;
        listed |= openapi_rule_has_method(rule, method);
    }
    return said && !listed;
}
