/* SPDX-License-Identifier: Apache-2.0 */
/* The request target and cookies as named, decoded values. Where servers disagree about what a
 * target means, one reading is reported together with a fault that says so. */
#include "http/target.h"

#include "base/arena.h"
#include "base/span.h"
#include "http/percent.h"

struct walk {
    const struct gd_limits *limits;
    struct guard_arena *arena;
    const struct gd_view *view;
    enum guard_location location;
    uint64_t seen; /* faults reported at this location */
};

static inline void report(struct walk *walk, uint64_t faults)
{
    if ((faults & ~walk->seen) != 0)
        gd_fault_report(walk->view, walk->location, faults, &walk->seen);
}

static size_t find(struct guard_span text, uint8_t byte)
{
    const uint8_t *at = text.len == 0 ? NULL : memchr(text.ptr, byte, text.len);
    return at == NULL ? text.len : (size_t)(at - text.ptr);
}

/* "..;v=1" is ".." for servers that know path parameters. */
static bool is_dots(struct guard_span piece)
{
    piece = gd_span_head(piece, find(piece, ';'));
    return (piece.len == 1 && piece.ptr[0] == '.') ||
           (piece.len == 2 && piece.ptr[0] == '.' && piece.ptr[1] == '.');
}

static uint64_t segment_faults(struct guard_span segment)
{
    uint64_t faults = 0;
    size_t start = 0;
    for (size_t i = 0; i <= segment.len; i++) {
        if (i < segment.len && segment.ptr[i] != '/' && segment.ptr[i] != '\\')
            continue;
        if (is_dots(gd_span(segment.ptr + start, i - start)))
            faults |= gd_fault_bit(GUARD_FAULT_DOT_SEGMENT);
        if (i < segment.len)
            faults |= gd_fault_bit(GUARD_FAULT_ENCODED_SEPARATOR);
        start = i + 1;
    }
    return faults;
}

static void view_path(struct walk *walk, struct guard_span path)
{
    size_t at = 0;
    if (path.len > 0 && path.ptr[0] == '/')
        at = 1;
    else if (path.len == 0)
        return;
    for (uint32_t index = 0; at <= path.len; index++) {
        if (index >= walk->limits->names) {
            report(walk, gd_fault_bit(GUARD_FAULT_NAMES));
            return;
        }
        size_t start = at;
        unsigned marks = gd_marks_until(path, &at, '/', '/');
        struct guard_span raw = gd_span(path.ptr + start, at - start);
        at++;
        uint64_t faults = 0;
        if (raw.len == 0) {
            if (at <= path.len)
                faults = gd_fault_bit(GUARD_FAULT_EMPTY_SEGMENT);
        } else {
            raw = gd_marked_text(raw, marks, false, walk->arena, &faults);
            if (marks & (GD_MARK_DOT | GD_MARK_PERCENT))
                faults |= segment_faults(raw);
            raw = gd_value_head(raw, walk->limits, &faults);
        }
        report(walk, faults);
        walk->view->segment(walk->view->ctx, index, raw);
    }
}

/* ';' followed by name= : a pair of its own for some servers. */
static bool hides_pair(struct guard_span pair)
{
    size_t name = 0; /* length of the name after the last ';' */
    bool open = false;
    for (size_t at = find(pair, ';'); at < pair.len; at++) {
        uint8_t byte = pair.ptr[at];
        if (byte == '=' && open && name > 0)
            return true;
        if (byte == ';' || byte == '=') {
            open = byte == ';';
            name = 0;
        } else {
            name++;
        }
    }
    return false;
}

static void view_query(struct walk *walk, struct guard_span query)
{
    uint32_t names = 0;
    for (size_t at = 0; at < query.len; at++) {
        size_t start = at;
        unsigned name_marks = gd_marks_until(query, &at, '=', '&');
        struct guard_span name = gd_span(query.ptr + start, at - start);
        struct guard_span value = {NULL, 0};
        unsigned value_marks = 0;
        if (at < query.len && query.ptr[at] == '=') {
            size_t value_start = ++at;
            value_marks = gd_marks_until(query, &at, '&', '&');
            value = gd_span(query.ptr + value_start, at - value_start);
        } else if (name.len == 0) {
            continue;
        }
        if (names++ >= walk->limits->names) {
            report(walk, gd_fault_bit(GUARD_FAULT_NAMES));
            return;
        }
        uint64_t faults = 0;
        if (((name_marks | value_marks) & GD_MARK_SEMICOLON) &&
            hides_pair(gd_span(query.ptr + start, at - start)))
            faults = gd_fault_bit(GUARD_FAULT_SEMICOLON_PAIR);
        name = gd_marked_text(name, name_marks, true, walk->arena, &faults);
        name = gd_value_head(name, walk->limits, &faults);
        value = gd_marked_text(value, value_marks, true, walk->arena, &faults);
        value = gd_value_head(value, walk->limits, &faults);
        report(walk, faults);
        walk->view->value(walk->view->ctx, walk->location, name, value);
    }
}

static bool is_scheme_byte(uint8_t byte)
{
    uint8_t letter = byte | 0x20;
    return (letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9') || byte == '+' ||
           byte == '-' || byte == '.';
}

/* What follows scheme and authority; the target itself when it isn't in absolute form. */
static struct guard_span skip_authority(struct guard_span target)
{
    size_t at = 0;
    while (at < target.len && is_scheme_byte(target.ptr[at]))
        at++;
    if (at == 0 || target.len - at < 3 || memcmp(target.ptr + at, "://", 3) != 0)
        return target;
    at += 3;
    while (at < target.len && target.ptr[at] != '/' && target.ptr[at] != '?' &&
           target.ptr[at] != '#')
        at++;
    return gd_span_from(target, at);
}

struct guard_span gd_target_authority(struct guard_span target)
{
    struct guard_span rest = skip_authority(target);
    struct guard_span head = gd_span_head(target, target.len - rest.len);
    return head.len == 0 ? head : gd_span_from(head, find(head, ':') + 3);
}

void gd_target_view(struct guard_span target, const struct gd_limits *limits,
                    struct guard_arena *arena, const struct gd_view *view)
{
    struct walk walk = {limits, arena, view, GUARD_LOCATION_PATH, 0};
    bool absolute = false;
    if (target.len > 0 && target.ptr[0] != '/') {
        struct guard_span rest = skip_authority(target);
        absolute = rest.len < target.len;
        target = rest;
    }
    size_t question = find(target, '?');
    /* Servers drop a fragment or don't; it stays in the value, so that what it holds is looked at.
     */
    size_t hash = find(target, '#');
    if (hash < question)
        report(&walk, gd_fault_bit(GUARD_FAULT_FRAGMENT));
    struct guard_span path = gd_span_head(target, question);
    view_path(&walk, path.len == 0 && absolute ? GUARD_SPAN_LITERAL("/") : path);

    walk.location = GUARD_LOCATION_QUERY;
    walk.seen = 0;
    if (hash < target.len && hash > question)
        report(&walk, gd_fault_bit(GUARD_FAULT_FRAGMENT));
    view_query(&walk, gd_span_from(target, question + 1));
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static inline struct guard_span trim(struct guard_span text)
{
    while (text.len > 0 && is_blank(text.ptr[0]))
        text = gd_span(text.ptr + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

void gd_cookie_view(struct guard_span value, const struct gd_limits *limits,
                    struct guard_arena *arena, const struct gd_view *view)
{
    struct walk walk = {limits, arena, view, GUARD_LOCATION_COOKIE, 0};
    uint32_t names = 0;
    for (size_t at = 0; at < value.len; at++) {
        size_t start = at;
        unsigned name_marks = gd_marks_until(value, &at, '=', ';');
        struct guard_span name = trim(gd_span(value.ptr + start, at - start));
        struct guard_span text = {NULL, 0};
        unsigned text_marks = 0;
        if (at < value.len && value.ptr[at] == '=') {
            size_t text_start = ++at;
            text_marks = gd_marks_until(value, &at, ';', ';');
            text = trim(gd_span(value.ptr + text_start, at - text_start));
        } else if (name.len == 0) {
            continue;
        }
        if (names++ >= limits->names) {
            report(&walk, gd_fault_bit(GUARD_FAULT_NAMES));
            return;
        }
        if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
            text = gd_span(text.ptr + 1, text.len - 2);
        uint64_t faults = 0;
        if (name_marks & (GD_MARK_NUL | GD_MARK_HIGH))
            faults = gd_text_faults(name, false);
        name = gd_value_head(name, limits, &faults);
        text = gd_marked_text(text, text_marks, false, arena, &faults);
        text = gd_value_head(text, limits, &faults);
        report(&walk, faults);
        view->value(view->ctx, GUARD_LOCATION_COOKIE, name, text);
    }
}
