/* SPDX-License-Identifier: Apache-2.0 */
/* JSON schemas made of what is known of values: types, limits, characters as an ECMA-262 pattern.
 * Whatever was learned as normal is valid by them; what Guard itself isn't sure of isn't said. */
#include "common/openapi_parts.h"

#include <stdio.h>
#include <string.h>

enum {
    EXACT_DIGITS = 15, /* numbers of so many digits are exact wherever JSON is read */
    LENGTH_MAX = 65536 /* of longer values only the head was seen */
};

#define TYPE(name) (1u << GUARD_TYPE_##name)
#define CLASS(name) (UINT64_C(1) << GUARD_CLASS_##name)
#define NUMBERS (TYPE(INT) | TYPE(DECIMAL))
#define STRUCTURES (TYPE(OBJECT) | TYPE(ARRAY))

static uint64_t mark(char c)
{
    static const char marks[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    const char *at = strchr(marks, c);
    return UINT64_C(1) << (GUARD_CLASS_PUNCTUATION + (at - marks));
}

static bool only(uint64_t classes, uint64_t allowed)
{
    return (classes & ~allowed) == 0;
}

/* "^[a-z0-9\-.]*$"; false when there are characters that such a set can't tell. */
static bool pattern_of(uint64_t classes, char out[256])
{
    static const char *const sets[] = {
        "a-z", "A-Z",       "0-9",
        " ",   "\\t\\n\\r", "\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f"};
    static const char marks[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    if (classes == 0 || classes >> GUARD_CLASS_LATIN != 0)
        return false;
    size_t len = (size_t)snprintf(out, 256, "^[");
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        if ((classes >> i & 1) != 0)
            len += (size_t)snprintf(out + len, 256 - len, "%s", sets[i]);
    }
    for (size_t i = 0; i + 1 < sizeof(marks); i++) {
        if ((classes >> (GUARD_CLASS_PUNCTUATION + i) & 1) != 0)
            len += (size_t)snprintf(out + len, 256 - len, "%s%c",
                                    strchr("\\[]^-", marks[i]) != NULL ? "\\" : "", marks[i]);
    }
    (void)snprintf(out + len, 256 - len, "]*$");
    return true;
}

/* A format that all the values have; NULL when they have none in common. */
static const char *format_of(const struct openapi_facts *facts)
{
    uint32_t types = facts->types & ~TYPE(STRING);
    if (types == TYPE(UUID))
        return "uuid";
    if (types == TYPE(EMAIL))
        return "email";
    if (types == TYPE(URL))
        return "uri";
    if (!facts->classes_known)
        return NULL;
    if (types == TYPE(IP) && (facts->classes & mark(':')) == 0)
        return "ipv4";
    if (types == TYPE(IP) && (facts->classes & mark('.')) == 0)
        return "ipv6";
    bool day = only(facts->classes, CLASS(DIGIT) | mark('-')) && facts->length_max == 10;
    return types == TYPE(DATE) && day ? "date" : NULL;
}

static int64_t power_of_ten(int64_t exponent)
{
    int64_t power = 1;
    for (int64_t i = 0; i < exponent; i++)
        power *= 10;
    return power;
}

/* Digits limit numbers, when nothing but digits, a point and a sign was there. */
static void put_bounds(struct openapi *ctx, const struct openapi_facts *facts)
{
    int64_t digits = facts->length_max;
    const uint64_t plain = CLASS(DIGIT) | mark('.') | mark('-');
    if (!facts->classes_known || digits < 1 || digits > EXACT_DIGITS ||
        (facts->types & NUMBERS) == 0 || !only(facts->classes, plain))
        return;
    bool negative = (facts->classes & mark('-')) != 0;
    json_integer(&ctx->json, "minimum", negative ? 1 - power_of_ten(digits - 1) : 0);
    json_integer(&ctx->json, "maximum", power_of_ten(digits) - 1);
}

static void put_string(struct openapi *ctx, const struct openapi_facts *facts)
{
    char pattern[256];
    const char *format = format_of(facts);
    if (format != NULL)
        json_text(&ctx->json, "format", format);
    if (facts->classes_known && pattern_of(facts->classes, pattern))
        json_text(&ctx->json, "pattern", pattern);
    /* Bytes become characters: there are never more of these, and no fewer than a quarter. */
    bool ascii = facts->classes_known && facts->classes >> GUARD_CLASS_LATIN == 0;
    int64_t least = ascii ? facts->length_min : (facts->length_min + 3) / 4;
    if (least > 0 && (facts->types & TYPE(EMPTY)) == 0)
        json_integer(&ctx->json, "minLength", least);
    if (facts->length_max >= 0 && facts->length_max < LENGTH_MAX)
        json_integer(&ctx->json, "maxLength", facts->length_max);
}

/* What OpenAPI has no words for. */
static void put_guard(struct openapi *ctx, const struct openapi_facts *facts, bool text)
{
    struct json_writer *json = &ctx->json;
    bool types = text && facts->types != 0 && format_of(facts) == NULL;
    if (types || facts->closed > 0) {
        json_open(json, "x-guard", '{');
        if (types)
            json_open(json, "types", '[');
        for (int type = 0; types && type < GUARD_TYPE_STRING; type++) {
            if ((facts->types >> type & 1) != 0)
                json_text(json, NULL, guard_type_name((enum guard_type)type));
        }
        if (types)
            json_close(json, ']');
        if (facts->closed > 0)
            json_integer(json, "closed", facts->closed);
        json_close(json, '}');
    }
    if (facts->pending)
        json_bool(json, "x-guard-pending", true);
}

/* Values are texts in a Guardian; in JSON they may be numbers or truth values, too. */
static void put_bare(struct openapi *ctx, uint32_t types, struct guard_span value)
{
    size_t sign = value.len > 1 && value.ptr[0] == '-' ? 1 : 0;
    int64_t number = 0;
    bool digits = value.len > sign && value.len - sign <= EXACT_DIGITS;
    for (size_t i = sign; digits && i < value.len; i++) {
        digits = value.ptr[i] >= '0' && value.ptr[i] <= '9';
        number = number * 10 + (value.ptr[i] - '0');
    }
    if (digits && (types & NUMBERS))
        json_integer(&ctx->json, NULL, sign > 0 ? -number : number);
    if ((types & TYPE(BOOL)) && (openapi_is(value, "true") || openapi_is(value, "false")))
        json_bool(&ctx->json, NULL, openapi_is(value, "true"));
}

static void put_enum(struct openapi *ctx, const struct openapi_facts *facts, bool text)
{
    json_open(&ctx->json, "enum", '[');
    for (uint32_t i = 0; i < facts->value_count; i++) {
        if (text)
            json_string(&ctx->json, NULL, facts->values[i]);
        else
            put_bare(ctx, facts->types, facts->values[i]);
    }
    json_close(&ctx->json, ']');
}

static void put_text_value(struct openapi *ctx, const struct openapi_facts *facts)
{
    struct json_writer *json = &ctx->json;
    uint32_t types = facts->types & ~(TYPE(STRING) | STRUCTURES);
    const uint64_t plain = CLASS(DIGIT) | mark('-') | mark('.');
    bool number = types != 0 && (types & ~NUMBERS) == 0 && facts->length_max > 0 &&
                  facts->length_max <= EXACT_DIGITS && facts->classes_known &&
                  only(facts->classes, plain);
    if (facts->value_count > 0) {
        json_text(json, "type", "string");
        put_enum(ctx, facts, true);
    } else if (number) {
        json_text(json, "type", types == TYPE(INT) ? "integer" : "number");
        put_bounds(ctx, facts);
    } else if (types == TYPE(BOOL)) {
        json_text(json, "type", "boolean");
    } else {
        json_text(json, "type", "string");
        put_string(ctx, facts);
        put_guard(ctx, facts, true);
        return;
    }
    put_guard(ctx, facts, false);
}

void openapi_text_schema(struct openapi *ctx, const char *name, const struct openapi_facts *facts,
                         bool array)
{
    struct json_writer *json = &ctx->json;
    json_open(json, name, '{');
    if (array && facts->items_max > 1) {
        json_text(json, "type", "array");
        json_integer(json, "maxItems", facts->items_max);
        json_open(json, "items", '{');
        put_text_value(ctx, facts);
        json_close(json, '}');
    } else {
        put_text_value(ctx, facts);
    }
    json_close(json, '}');
}

/* --- JSON documents --- */

/* STRING stands beside the type of a text, so with it a number may be either. */
static bool has_text(uint32_t types)
{
    return (types & ~(STRUCTURES | NUMBERS | TYPE(NULL) | TYPE(BOOL))) != 0;
}

static void put_types(struct openapi *ctx, uint32_t types)
{
    const char *names[6];
    uint32_t count = 0;
    if (types & TYPE(OBJECT))
        names[count++] = "object";
    if (types & TYPE(ARRAY))
        names[count++] = "array";
    if (types & TYPE(NULL))
        names[count++] = "null";
    if (types & TYPE(BOOL))
        names[count++] = "boolean";
    if (types & NUMBERS)
        names[count++] = types & TYPE(DECIMAL) ? "number" : "integer";
    if (has_text(types))
        names[count++] = "string";
    if (count == 1)
        json_text(&ctx->json, "type", names[0]);
    if (count < 2)
        return;
    json_open(&ctx->json, "type", '[');
    for (uint32_t i = 0; i < count; i++)
        json_text(&ctx->json, NULL, names[i]);
    json_close(&ctx->json, ']');
}

static void put_json(struct openapi *ctx, const struct openapi_tree *tree, const char *name,
                     uint32_t index, uint32_t depth);

/* Members of maps that are keyed by identities: one pattern stands for all of them. */
static const char *key_pattern(struct guard_span name)
{
    if (openapi_is(name, "{int}"))
        return "^[0-9]+$";
    if (openapi_is(name, "{uuid}"))
        return "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";
    return openapi_is(name, "{hex}") ? "^[0-9A-Fa-f]{16,}$" : NULL;
}

struct members {
    uint32_t plain;
    uint32_t patterns;
    uint32_t required;
    uint32_t unnamed; /* that can't be told */
};

static struct members count_members(struct openapi *ctx, const struct openapi_tree *tree,
                                    uint32_t first, bool roots)
{
    struct members found = {0};
    char text[OPENAPI_NAME_MAX];
    for (uint32_t i = first; i < tree->count; i = roots ? i + 1 : tree->nodes[i].next) {
        const struct openapi_node *node = &tree->nodes[i];
        if (node->location != GUARD_LOCATION_JSON || openapi_is(node->name, "[]") ||
            (roots && (node->parent != GUARD_NO_INDEX || node->name.len == 0)))
            continue;
        bool patterned = key_pattern(node->name) != NULL;
        if (!openapi_name(text, node->name) || openapi_shortened(node->name)) {
            char said[OPENAPI_NAME_MAX];
            openapi_leave_out(ctx, OPENAPI_NAME, "member \"%s\" of JSON: its name can't be told",
                              openapi_clean(said, node->path));
            found.unnamed++;
            continue;
        }
        found.patterns += patterned;
        found.plain += !patterned;
        found.required += !patterned && node->facts.required && !node->facts.forbidden;
    }
    return found;
}

enum members_wanted { PROPERTIES, PATTERNS, REQUIRED };

static void put_members(struct openapi *ctx, const struct openapi_tree *tree, uint32_t first,
                        bool roots, uint32_t depth, enum members_wanted wanted)
{
    static const char *const names[] = {"properties", "patternProperties", "required"};
    char text[OPENAPI_NAME_MAX];
    json_open(&ctx->json, names[wanted], wanted == REQUIRED ? '[' : '{');
    for (uint32_t i = first; i < tree->count; i = roots ? i + 1 : tree->nodes[i].next) {
        const struct openapi_node *node = &tree->nodes[i];
        if (node->location != GUARD_LOCATION_JSON || openapi_is(node->name, "[]") ||
            (roots && (node->parent != GUARD_NO_INDEX || node->name.len == 0)) ||
            !openapi_name(text, node->name) || openapi_shortened(node->name))
            continue;
        const char *pattern = key_pattern(node->name);
        if (wanted == REQUIRED && pattern == NULL && node->facts.required && !node->facts.forbidden)
            json_text(&ctx->json, NULL, text);
        else if (wanted == PROPERTIES && pattern == NULL && node->facts.forbidden)
            json_bool(&ctx->json, text, false);
        else if (wanted == (pattern == NULL ? PROPERTIES : PATTERNS))
            put_json(ctx, tree, pattern == NULL ? text : pattern, i, depth + 1);
    }
    json_close(&ctx->json, wanted == REQUIRED ? ']' : '}');
}

static void put_object(struct openapi *ctx, const struct openapi_tree *tree, uint32_t first,
                       bool roots, uint32_t depth)
{
    struct members found = count_members(ctx, tree, first, roots);
    if (depth >= OPENAPI_DEPTH_MAX) {
        if (found.plain + found.patterns > 0)
            openapi_leave_out(ctx, OPENAPI_DEPTH, "%u members of JSON: nested too deep",
                              found.plain + found.patterns);
        return;
    }
    if (found.plain > 0)
        put_members(ctx, tree, first, roots, depth, PROPERTIES);
    if (found.patterns > 0)
        put_members(ctx, tree, first, roots, depth, PATTERNS);
    if (found.required > 0)
        put_members(ctx, tree, first, roots, depth, REQUIRED);
    if (tree->closed && found.unnamed == 0 && found.plain + found.patterns > 0)
        json_bool(&ctx->json, "additionalProperties", false);
}

/* The element of an array; GUARD_NO_INDEX when nothing is known of it. */
static uint32_t element_of(const struct openapi_tree *tree, uint32_t first, bool roots)
{
    for (uint32_t i = first; i < tree->count; i = roots ? i + 1 : tree->nodes[i].next) {
        if (tree->nodes[i].location == GUARD_LOCATION_JSON &&
            openapi_is(tree->nodes[i].name, "[]") &&
            (!roots || tree->nodes[i].parent == GUARD_NO_INDEX))
            return i;
    }
    return GUARD_NO_INDEX;
}

static void put_json_value(struct openapi *ctx, const struct openapi_tree *tree,
                           const struct openapi_facts *facts, uint32_t first, bool roots,
                           uint32_t depth)
{
    put_types(ctx, facts->types);
    if (facts->value_count > 0)
        put_enum(ctx, facts, facts->types == 0 || has_text(facts->types));
    put_bounds(ctx, facts);
    if (has_text(facts->types))
        put_string(ctx, facts);
    put_object(ctx, tree, first, roots, depth);
    uint32_t element = element_of(tree, first, roots);
    if (element != GUARD_NO_INDEX && depth < OPENAPI_DEPTH_MAX)
        put_json(ctx, tree, "items", element, depth + 1);
    if ((facts->types & STRUCTURES) == TYPE(ARRAY) && facts->items_max >= 0)
        json_integer(&ctx->json, "maxItems", facts->items_max);
    put_guard(ctx, facts, has_text(facts->types));
}

static void put_json(struct openapi *ctx, const struct openapi_tree *tree, const char *name,
                     uint32_t index, uint32_t depth)
{
    const struct openapi_node *node = &tree->nodes[index];
    json_open(&ctx->json, name, '{');
    put_json_value(ctx, tree, &node->facts, node->first, false, depth);
    json_close(&ctx->json, '}');
}

void openapi_json_schema(struct openapi *ctx, const struct openapi_tree *tree)
{
    struct openapi_facts facts = {.length_min = -1, .length_max = -1, .items_max = -1};
    const struct openapi_node *document =
        openapi_tree_find(tree, GUARD_LOCATION_JSON, (struct guard_span){NULL, 0});
    if (document != NULL)
        facts = document->facts;
    json_open(&ctx->json, "schema", '{');
    put_json_value(ctx, tree, &facts, 0, true, 0);
    json_close(&ctx->json, '}');
}
