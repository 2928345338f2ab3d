/* SPDX-License-Identifier: Apache-2.0 */
/* On the cursor that reads foreign JSON elsewhere. The YAML parser isn't used: its keys have at
 * most 1,024 bytes, and it is slow for lists of thousands of objects. */
#include "common/kubernetes/json_tree.h"

#include "common/traffic/json_cursor.h"

#include <string.h>

struct planting {
    struct json_cursor cursor;
    struct guard_arena *arena;
    uint32_t nodes;
    uint32_t depth;
    uint32_t part_end; /* at so many nodes the part is too large; 0: in no part */
    bool overfull;     /* that is why it was refused */
};

static struct document_node *refuse(struct planting *planting, enum guard_rc rc, const char *wrong)
{
    json_cursor_refuse(&planting->cursor, rc, wrong);
    return NULL;
}

static struct document_node *new_node(struct planting *planting, enum document_kind kind)
{
    if (planting->nodes == JSON_TREE_NODES_MAX)
        return refuse(planting, GUARD_E_LIMIT, "too many values");
    if (planting->part_end > 0 && planting->nodes == planting->part_end) {
        planting->overfull = true;
        return refuse(planting, GUARD_E_LIMIT, "too many values in a part");
    }
    struct document_node *node = guard_arena_get(planting->arena, sizeof(*node));
    if (node == NULL)
        return refuse(planting, GUARD_E_NOMEM, "no memory");
    planting->nodes++;
    *node = (struct document_node){.kind = kind};
    return node;
}

static struct document_node *scalar(struct planting *planting, struct guard_span text, bool quoted)
{
    struct document_node *node = new_node(planting, DOCUMENT_SCALAR);
    uint8_t *copy = node != NULL ? guard_arena_get(planting->arena, text.len + 1) : NULL;
    if (copy == NULL)
        return refuse(planting, GUARD_E_NOMEM, "no memory");
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    node->text = node->bytes = (struct guard_span){copy, text.len};
    node->quoted = quoted;
    return node;
}

static struct document_node *value(struct planting *planting);

static void append(struct document_node *parent, struct document_node **last,
                   struct document_node *child)
{
    if (*last == NULL)
        parent->first = child;
    else
        (*last)->next = child;
    *last = child;
    parent->count++;
}

static struct document_node *mapping(struct planting *planting)
{
    struct document_node *node = new_node(planting, DOCUMENT_MAPPING);
    struct document_node *last = NULL;
    struct guard_span name;
    if (node == NULL || !json_cursor_enter(&planting->cursor, '{'))
        return NULL;
    while (json_cursor_member(&planting->cursor, &name)) {
        if (name.len == 13 && memcmp(name.ptr, "managedFields", 13) == 0) {
            json_cursor_skip(&planting->cursor);
            continue;
        }
        struct document_node *key = scalar(planting, name, true);
        struct document_node *child = key != NULL ? value(planting) : NULL;
        if (child == NULL)
            return NULL;
        child->key = key;
        append(node, &last, child);
    }
    return node;
}

static struct document_node *sequence(struct planting *planting)
{
    struct document_node *node = new_node(planting, DOCUMENT_SEQUENCE);
    struct document_node *last = NULL;
    if (node == NULL || !json_cursor_enter(&planting->cursor, '['))
        return NULL;
    while (json_cursor_element(&planting->cursor)) {
        struct document_node *child = value(planting);
        if (child == NULL)
            return NULL;
        append(node, &last, child);
    }
    return node;
}

static bool is_word(struct guard_span text)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        if (text.len == strlen(words[i]) && memcmp(text.ptr, words[i], text.len) == 0)
            return true;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("0123456789+-.eE", text.ptr[i]) == NULL || text.ptr[i] == '\0')
            return false;
    }
    return text.len > 0 && text.len < 64;
}

/* A text stands where the container stood: no document is right with one there. */
static struct document_node *left_out(struct planting *planting, const char *why)
{
    json_cursor_skip(&planting->cursor);
    return scalar(planting, (struct guard_span){(const uint8_t *)why, strlen(why)}, true);
}

static struct document_node *container(struct planting *planting, uint8_t bracket)
{
    if (planting->depth == JSON_TREE_DEPTH_MAX)
        return left_out(planting, "nested too deeply");
    const struct json_cursor begin = planting->cursor;
    uint32_t nodes = planting->nodes;
    bool part = planting->depth + 1 == JSON_TREE_PART_DEPTH;
    if (part)
        planting->part_end = nodes + JSON_TREE_PART_NODES;
    planting->depth++;
    struct document_node *node = bracket == '{' ? mapping(planting) : sequence(planting);
    planting->depth--;
    if (!part)
        return node;
    planting->part_end = 0;
    if (!planting->overfull)
        return node;
    planting->overfull = false;
    planting->cursor = begin;
    planting->nodes = nodes;
    return left_out(planting, "too many values");
}

static struct document_node *value(struct planting *planting)
{
    struct json_cursor *cursor = &planting->cursor;
    struct guard_span text;
    uint8_t first = json_cursor_peek(cursor);
    if (first == '{' || first == '[')
        return container(planting, first);
    if (first == '"')
        return json_cursor_string(cursor, &text) ? scalar(planting, text, true) : NULL;
    const uint8_t *from = cursor->at;
    json_cursor_skip(cursor);
    text = (struct guard_span){from, (size_t)(cursor->at - from)};
    if (cursor->wrong != NULL || !is_word(text))
        return refuse(planting, GUARD_E_SYNTAX, "no JSON value");
    return scalar(planting, text, false);
}

enum guard_rc json_tree_parse(struct document_node **out, struct guard_span text,
                              struct guard_arena *arena, struct guard_err *err)
{
    struct planting planting = {.arena = arena};
    json_cursor_init(&planting.cursor, text, arena);
    *out = value(&planting);
    if (*out != NULL && !json_cursor_done(&planting.cursor))
        json_cursor_refuse(&planting.cursor, GUARD_E_SYNTAX, "something behind the end");
    if (planting.cursor.wrong == NULL)
        return GUARD_OK;
    *out = NULL;
    return guard_fail(err, planting.cursor.rc, "at byte %zu: %s",
                      (size_t)(planting.cursor.at - planting.cursor.begin), planting.cursor.wrong);
}
