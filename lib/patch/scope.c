/* SPDX-License-Identifier: Apache-2.0 */
/* See scope.h. Paths are held against templates as they came, and as most servers read them. */
#include "patch/scope.h"

#include "base/arena.h"
#include "http/target.h"

/* The next segment; false at the end. */
static bool next_segment(struct guard_span *path, struct guard_span *segment)
{
    if (path->len == 0)
        return false;
    struct guard_span rest = gd_span_from(*path, path->ptr[0] == '/');
    const uint8_t *slash = rest.len > 0 ? memchr(rest.ptr, '/', rest.len) : NULL;
    *segment = gd_span_head(rest, slash != NULL ? (size_t)(slash - rest.ptr) : rest.len);
    *path = gd_span_from(rest, segment->len);
    return true;
}

static bool is_wildcard(struct guard_span segment)
{
    return segment.len >= 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

bool gd_template_fits(struct guard_span template_text, struct guard_span path)
{
    struct guard_span wanted = {NULL, 0};
    struct guard_span segment = {NULL, 0};
    while (next_segment(&template_text, &wanted)) {
        if (!next_segment(&path, &segment))
            return false;
        if (gd_span_equal(wanted, GUARD_SPAN_LITERAL("{*}")))
            return true;
        if (!is_wildcard(wanted) && !gd_span_equal(wanted, segment))
            return false;
    }
    return path.len == 0;
}

static bool endpoint_fits(const struct gd_patch_set *set, const struct gd_patch_entry *entry,
                          const struct gd_patch_scope *scope)
{
    for (uint32_t i = 0; i < entry->endpoints.count; i++) {
        struct guard_span one = gd_patch_span(set, set->texts[entry->endpoints.first + i]);
        if (gd_template_fits(one, scope->path) || gd_template_fits(one, scope->plain))
            return true;
    }
    return entry->endpoints.count == 0;
}

static bool listed(const struct gd_patch_set *set, struct gd_patch_range range,
                   struct guard_span text, bool ignore_case)
{
    for (uint32_t i = 0; i < range.count; i++) {
        struct guard_span one = gd_patch_span(set, set->texts[range.first + i]);
        if (ignore_case ? gd_span_equal_nocase(one, text) : gd_span_equal(one, text))
            return true;
    }
    return range.count == 0;
}

bool gd_patch_in_scope(const struct gd_patch_set *set, const struct gd_patch_entry *entry,
                       const struct gd_patch_scope *scope)
{
    return listed(set, entry->methods, scope->method, false) &&
           listed(set, entry->media, scope->media, true) && endpoint_fits(set, entry, scope);
}

static bool is_dots(struct guard_span segment)
{
    return gd_span_equal(segment, GUARD_SPAN_LITERAL("..")) ||
           gd_span_equal(segment, GUARD_SPAN_LITERAL("."));
}

/* No empty segments, dots resolved, parameters of segments dropped. */
static struct guard_span simplify(struct guard_span path, struct guard_arena *arena)
{
    uint8_t *out = gd_arena_get(arena, path.len + 1);
    struct guard_span segment = {NULL, 0};
    size_t len = 0;
    if (out == NULL)
        return gd_span(NULL, 0);
    while (next_segment(&path, &segment)) {
        const uint8_t *end = segment.len > 0 ? memchr(segment.ptr, ';', segment.len) : NULL;
        if (end != NULL)
            segment.len = (size_t)(end - segment.ptr);
        if (segment.len == 2 && is_dots(segment)) {
            while (len > 0 && out[--len] != '/')
                continue;
        } else if (segment.len > 0 && !is_dots(segment)) {
            out[len++] = '/';
            memcpy(out + len, segment.ptr, segment.len);
            len += segment.len;
        }
    }
    if (len == 0)
        out[len++] = '/';
    return gd_span(out, len);
}

void gd_patch_scope_path(struct gd_patch_scope *scope, struct guard_span target,
                         struct guard_arena *arena)
{
    uint64_t faults = 0;
    struct guard_span authority = gd_target_authority(target);
    if (authority.len > 0)
        target = gd_span_from(target, (size_t)(authority.ptr - target.ptr) + authority.len);
    const uint8_t *end = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
    if (end != NULL)
        target.len = (size_t)(end - target.ptr);
    scope->path = gd_percent_decode(target, false, arena, &faults);
    scope->plain = simplify(scope->path, arena);
}
