/* SPDX-License-Identifier: Apache-2.0 */
/* See leaf.h. */
#include "patch/leaf.h"

#include "detect/likeness.h"
#include "patch/byte_set.h"
#include "profile/summary.h"

enum { SCRATCH = 64 * 1024 };

static inline uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

static bool same(const uint8_t *a, const uint8_t *b, size_t len, bool ignore_case)
{
    if (!ignore_case)
        return len == 0 || memcmp(a, b, len) == 0;
    for (size_t i = 0; i < len; i++) {
        if (lower(a[i]) != lower(b[i]))
            return false;
    }
    return true;
}

static bool contains_exact(struct guard_span text, struct guard_span part)
{
    const uint8_t *end = text.ptr + (text.len - part.len) + 1;
    const uint8_t last = part.ptr[part.len - 1];
    for (const uint8_t *at = text.ptr; at < end; at++) {
        at = memchr(at, part.ptr[0], (size_t)(end - at));
        if (at == NULL)
            return false;
        if (at[part.len - 1] == last && memcmp(at, part.ptr, part.len) == 0)
            return true;
    }
    return false;
}

static bool contains(struct guard_span text, struct guard_span part, bool ignore_case)
{
    if (part.len == 0 || part.len > text.len)
        return part.len == 0;
    if (!ignore_case)
        return contains_exact(text, part);
    for (size_t at = 0; at <= text.len - part.len; at++) {
        if (same(text.ptr + at, part.ptr, part.len, true))
            return true;
    }
    return false;
}

static bool compare(enum guard_patch_operator op, struct guard_span text, struct guard_span part,
                    bool ignore_case)
{
    if (op == GUARD_OPERATOR_CONTAINS)
        return contains(text, part, ignore_case);
    if (part.len > text.len || (op == GUARD_OPERATOR_EQUALS && part.len != text.len))
        return false;
    size_t from = op == GUARD_OPERATOR_ENDS ? text.len - part.len : 0;
    return part.len == 0 || same(text.ptr + from, part.ptr, part.len, ignore_case);
}

bool gd_glob(struct guard_span pattern, struct guard_span text, bool ignore_case)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = SIZE_MAX;
    size_t back = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            back = t;
        } else if (p < pattern.len && same(pattern.ptr + p, text.ptr + t, 1, ignore_case)) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++back;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

/* Beyond 64 bits it is as large as one can be. */
static bool integer(struct guard_span text, int64_t *out)
{
    bool minus = text.len > 0 && text.ptr[0] == '-';
    size_t at = text.len > 0 && (minus || text.ptr[0] == '+');
    int64_t value = 0;
    bool over = false;
    if (at == text.len)
        return false;
    for (; at < text.len; at++) {
        uint8_t byte = text.ptr[at];
        if (byte < '0' || byte > '9')
            return false;
        over = over || __builtin_mul_overflow(value, (int64_t)10, &value) ||
               __builtin_add_overflow(value, (int64_t)(byte - '0'), &value);
    }
    *out = over ? (minus ? INT64_MIN : INT64_MAX) : minus ? -value : value;
    return true;
}

static bool within(const struct gd_patch_node *node, int64_t number)
{
    return (node->min == -1 || number >= node->min) && (node->max == -1 || number <= node->max);
}

static bool outside(struct guard_span text, struct guard_span set_text)
{
    struct gd_byte_set set;
    if (gd_byte_set_parse(&set, set_text) != NULL)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!gd_byte_set_has(&set, text.ptr[i]))
            return true;
    }
    return false;
}

static bool is_slash(uint8_t byte)
{
    return byte == '/' || byte == '\\';
}

static bool goes_to_files(struct guard_span text)
{
    static const struct guard_span places[] = {{(const uint8_t *)"/etc/", 5},
                                               {(const uint8_t *)"/proc/", 6},
                                               {(const uint8_t *)"c:\\", 3}};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (contains(text, places[i], true))
            return true;
    }
    return false;
}

static bool traverses(struct guard_span text)
{
    bool dots = false;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] != '.' || text.ptr[i + 1] != '.')
            continue;
        bool before = i == 0 || is_slash(text.ptr[i - 1]);
        bool after = i + 2 == text.len || is_slash(text.ptr[i + 2]);
        if (before && after)
            return true;
        if (!dots && goes_to_files(gd_span_from(text, i)))
            return true;
        dots = true;
    }
    return false;
}

static bool has_type(const struct gd_patch_node *node, struct guard_span text, uint32_t types,
                     const struct guard_alloc *alloc)
{
    struct guard_arena scratch;
    struct gd_summary summary;
    guard_arena_init(&scratch, alloc, SCRATCH);
    gd_summary_init(&summary);
    gd_summary_add(&summary, text, 0, &scratch);
    guard_arena_reset(&scratch);
    /* What its grammar says is what it is, but for texts. */
    const uint32_t text_type = 1u << GUARD_TYPE_STRING;
    uint32_t found = (types & ~text_type) != 0 ? types : summary.types | types;
    return (found & node->types) != 0;
}

static bool reads_like(const struct gd_patch_node *node, struct guard_span text, bool is_name)
{
    struct gd_likeness likeness;
    if (is_name)
        gd_likeness_of_name(text, ~node->likeness, &likeness);
    else
        gd_likeness_of_but(text, ~node->likeness, &likeness);
    return (likeness.classes & node->likeness) != 0;
}

static enum gd_truth one_of(const struct gd_patch_set *set, const struct gd_patch_node *node,
                            struct guard_span text, uint32_t *which)
{
    for (uint32_t i = 0; i < node->texts.count; i++) {
        struct guard_span part = gd_patch_span(set, set->texts[node->texts.first + i]);
        if (compare((enum guard_patch_operator)node->op, text, part,
                    (node->flags & GD_PATCH_IGNORE_CASE) != 0)) {
            *which = i;
            return GD_TRUE;
        }
    }
    return GD_FALSE;
}

static enum gd_truth matches(const struct gd_patch_set *set, const struct gd_patch_node *node,
                             struct guard_span text, const struct guard_matcher *matcher)
{
    if (matcher == NULL || matcher->find == NULL || node->texts.count == 0)
        return GD_UNKNOWN;
    enum guard_match found = matcher->find(matcher->ctx, node->pattern,
                                           gd_patch_span(set, set->texts[node->texts.first]),
                                           (node->flags & GD_PATCH_IGNORE_CASE) != 0, text);
    return found == GUARD_MATCH_NO ? GD_FALSE : GD_TRUE;
}

static enum gd_truth truth(bool holds)
{
    return holds ? GD_TRUE : GD_FALSE;
}

enum gd_truth gd_leaf_holds(const struct gd_patch_set *set, const struct gd_patch_node *node,
                            struct guard_span text, uint32_t types, bool is_name,
                            const struct guard_matcher *matcher, const struct guard_alloc *alloc,
                            uint32_t *which)
{
    int64_t number;
    *which = 0;
    switch ((int)node->op) {
    case GUARD_OPERATOR_CONTAINS:
    case GUARD_OPERATOR_EQUALS:
    case GUARD_OPERATOR_BEGINS:
    case GUARD_OPERATOR_ENDS:
        return one_of(set, node, text, which);
    case GUARD_OPERATOR_REGEX:
        return matches(set, node, text, matcher);
    case GUARD_OPERATOR_TYPE:
        return truth(has_type(node, text, types, alloc));
    case GUARD_OPERATOR_LENGTH:
        return truth(within(node, (int64_t)text.len));
    case GUARD_OPERATOR_RANGE:
        return truth(integer(text, &number) && within(node, number));
    case GUARD_OPERATOR_CHARSET:
        return truth(node->texts.count > 0 &&
                     outside(text, gd_patch_span(set, set->texts[node->texts.first])));
    case GUARD_OPERATOR_TRAVERSAL:
        return truth(traverses(text));
    case GUARD_OPERATOR_LIKENESS:
        return truth(reads_like(node, text, is_name));
    default:
        return GD_FALSE;
    }
}
