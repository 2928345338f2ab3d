/* SPDX-License-Identifier: Apache-2.0 */
/* A matcher for patches that knows nothing but plain searching and the C library's expressions:
 * what a test holds the engine against. Expressions are those that both dialects read alike. */
#ifndef GUARD_TEST_NAIVE_MATCHER_H
#define GUARD_TEST_NAIVE_MATCHER_H

#include <guard/patch.h>

#include "policy/policy.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct naive_matcher {
    const struct guard_policy *policy;
    uint32_t scans;
    uint32_t finds;
    bool no_scan;
};

static inline uint8_t naive_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

static inline bool naive_contains(struct guard_span text, struct guard_span part, bool ignore_case)
{
    for (size_t at = 0; at + part.len <= text.len; at++) {
        size_t same = 0;
        while (same < part.len &&
               (ignore_case ? naive_lower(text.ptr[at + same]) == naive_lower(part.ptr[same])
                            : text.ptr[at + same] == part.ptr[same]))
            same++;
        if (same == part.len)
            return true;
    }
    return false;
}

static inline bool naive_regex(struct guard_span text, struct guard_span expression,
                               bool ignore_case, bool lines)
{
    regex_t compiled;
    char *pattern = strndup((const char *)expression.ptr, expression.len);
    char *copy = calloc(1, text.len + 1);
    bool found = false;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = copy[i] == '\0' ? '\x01' : copy[i];
    int flags =
        REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0) | (lines ? REG_NEWLINE : 0);
    if (regcomp(&compiled, pattern, flags) == 0) {
        found = regexec(&compiled, copy, 0, NULL, 0) == 0;
        regfree(&compiled);
    }
    free(pattern);
    free(copy);
    return found;
}

static inline bool naive_scan(void *ctx, struct guard_span stream, guard_pattern_hit *hit,
                              void *hit_ctx)
{
    struct naive_matcher *matcher = ctx;
    const struct gd_patch_set *set = &matcher->policy->patches;
    matcher->scans++;
    for (uint32_t i = 0; i < set->pattern_count && !matcher->no_scan; i++) {
        const struct gd_patch_pattern *pattern = &set->patterns[i];
        struct guard_span text = gd_patch_span(set, pattern->text);
        bool ignore_case = (pattern->flags & GD_PATTERN_IGNORE_CASE) != 0;
        if ((pattern->flags & GD_PATTERN_REGEX) != 0
                ? naive_regex(stream, text, ignore_case, true) ||
                      naive_regex(stream, text, ignore_case, false)
                : naive_contains(stream, text, ignore_case))
            hit(hit_ctx, pattern->id);
    }
    return !matcher->no_scan;
}

static inline enum guard_match naive_find(void *ctx, uint64_t pattern, struct guard_span expression,
                                          bool ignore_case, struct guard_span value)
{
    struct naive_matcher *matcher = ctx;
    (void)pattern;
    matcher->finds++;
    return naive_regex(value, expression, ignore_case, false) ? GUARD_MATCH_YES : GUARD_MATCH_NO;
}

#endif
