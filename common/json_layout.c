/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the text, twice: to measure and to write. A string of JSON is a double-quoted
 * scalar of YAML, so texts stay as they are; only brackets, commas and line ends differ. */
#include "common/json_layout.h"

#include <string.h>

struct layout {
    const uint8_t *at;
    const uint8_t *end;
    char *out; /* NULL: only measured */
    size_t len;
    int depth;
    bool yaml;
    bool element[JSON_LAYOUT_DEPTH_MAX]; /* whether the level is an array */
    bool first[JSON_LAYOUT_DEPTH_MAX];
    bool dash; /* the line has but the dash of an element */
};

static void put(struct layout *layout, const void *text, size_t len)
{
    if (layout->out != NULL)
        memcpy(layout->out + layout->len, text, len);
    layout->len += len;
}

static void put_line(struct layout *layout, int depth)
{
    put(layout, "\n", 1);
    for (int i = 0; i < depth; i++)
        put(layout, "  ", 2);
}

/* The end of the string, number or word that begins here. */
static const uint8_t *scalar_end(const struct layout *layout)
{
    const uint8_t *at = layout->at;
    if (*at != '"') {
        while (at < layout->end && strchr(",]}", *at) == NULL)
            at++;
        return at;
    }
    for (at++; at < layout->end && *at != '"'; at++)
        at += *at == '\\';
    return at < layout->end ? at + 1 : layout->end;
}

/* Letters and dashes alone, and none of the words that YAML takes for something else. */
static bool is_plain(const uint8_t *text, size_t len)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    char lower[8];
    for (size_t i = 0; i < len; i++) {
        bool letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
        if (!letter && (i == 0 || text[i] != '-'))
            return false;
    }
    if (len >= sizeof(lower))
        return true;
    for (size_t i = 0; i < len; i++)
        lower[i] = (char)(text[i] | 0x20);
    lower[len] = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(lower, words[i]) == 0)
            return false;
    }
    return len > 0;
}

static void put_scalar(struct layout *layout, bool key)
{
    const uint8_t *end = scalar_end(layout);
    size_t len = (size_t)(end - layout->at);
    bool bare = key && layout->yaml && len >= 2 && is_plain(layout->at + 1, len - 2);
    put(layout, bare ? layout->at + 1 : layout->at, bare ? len - 2 : len);
    layout->at = end;
}

/* A new element or member begins. */
static void begin_item(struct layout *layout)
{
    bool element = layout->element[layout->depth - 1];
    bool first = layout->first[layout->depth - 1];
    layout->first[layout->depth - 1] = false;
    if (!layout->yaml) {
        if (!first)
            put(layout, ",", 1);
        put_line(layout, layout->depth);
    } else if (!(first && layout->dash) && !(first && layout->depth == 1)) {
        put_line(layout, layout->depth - 1);
    }
    layout->dash = false;
    if (layout->yaml && element) {
        put(layout, "- ", 2);
        layout->dash = true;
    }
}

static bool open_bracket(struct layout *layout)
{
    bool array = *layout->at == '[';
    bool empty = layout->at + 1 < layout->end && (layout->at[1] == ']' || layout->at[1] == '}');
    if (empty) {
        put(layout, array ? "[]" : "{}", 2);
        layout->at += 2;
        return true;
    }
    if (layout->depth == JSON_LAYOUT_DEPTH_MAX)
        return false;
    if (!layout->yaml)
        put(layout, layout->at, 1);
    layout->element[layout->depth] = array;
    layout->first[layout->depth++] = true;
    layout->at++;
    return true;
}

static void close_bracket(struct layout *layout)
{
    layout->depth--;
    if (!layout->yaml) {
        put_line(layout, layout->depth);
        put(layout, layout->at, 1);
    }
    layout->at++;
}

/* One value; brackets only open. */
static bool put_value(struct layout *layout)
{
    if (layout->at >= layout->end)
        return false;
    if (*layout->at == '{' || *layout->at == '[')
        return open_bracket(layout);
    put_scalar(layout, false);
    return true;
}

static bool put_member(struct layout *layout)
{
    if (layout->element[layout->depth - 1])
        return put_value(layout);
    put_scalar(layout, true);
    if (layout->at >= layout->end || *layout->at++ != ':' || layout->at >= layout->end)
        return false;
    bool opens = (*layout->at == '{' || *layout->at == '[') && layout->at + 1 < layout->end &&
                 layout->at[1] != '}' && layout->at[1] != ']';
    put(layout, ": ", layout->yaml && opens ? 1 : 2);
    layout->dash = false;
    return put_value(layout);
}

static bool run(struct layout *layout)
{
    if (!put_value(layout))
        return false;
    while (layout->depth > 0 && layout->at < layout->end) {
        if (*layout->at == ']' || *layout->at == '}') {
            close_bracket(layout);
            continue;
        }
        if (*layout->at == ',')
            layout->at++;
        begin_item(layout);
        if (!put_member(layout))
            return false;
    }
    put(layout, "\n", 1);
    return layout->depth == 0 && layout->at == layout->end;
}

enum guard_rc json_layout(struct guard_span json, enum json_layout kind, struct guard_arena *arena,
                          struct guard_span *out, struct guard_err *err)
{
    struct layout layout = {
        .at = json.ptr, .end = json.ptr + json.len, .yaml = kind == JSON_LAYOUT_YAML};
    if (!run(&layout))
        return guard_fail(err,
                          layout.depth == JSON_LAYOUT_DEPTH_MAX ? GUARD_E_LIMIT : GUARD_E_SYNTAX,
                          "no JSON text, or nested too deep");
    char *text = guard_arena_get(arena, layout.len);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    layout = (struct layout){
        .at = json.ptr, .end = json.ptr + json.len, .yaml = kind == JSON_LAYOUT_YAML, .out = text};
    (void)run(&layout);
    *out = (struct guard_span){(const uint8_t *)text, layout.len};
    return GUARD_OK;
}
