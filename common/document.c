/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the tree from libyaml's events; JSON is read by the same parser, being a subset of YAML as
 * far as documents of people go. */
#include "common/document.h"

#include "common/document_bytes.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

struct building {
    struct document *document;
    struct document_stream *stream; /* NULL: one document only */
    uint32_t first;                 /* of ours in the stream */
    struct document_cursor cursor;
    struct document_cursor begin; /* of the document */
    yaml_parser_t parser;
    struct document_node *stack[DOCUMENT_STREAM_DEPTH_MAX];
    struct document_node *last[DOCUMENT_STREAM_DEPTH_MAX]; /* last child of each open node */
    struct document_node *key[DOCUMENT_STREAM_DEPTH_MAX];  /* pending key of each open mapping */
    uint32_t depth;
    uint32_t depth_max;
    uint32_t nodes;
    uint32_t nodes_max;
    struct guard_err *err;
};

enum { PATH_CAP = 120 };

/* Appends the way from `at` to a node to path[len]; 0: the node isn't there. Names of foreign
 * documents are cut, never the rest. */
static size_t path_to(const struct document_node *at, const struct document_node *node, char *path,
                      size_t len)
{
    uint32_t index = 0;
    if (at == node || at->key == node)
        return len;
    for (const struct document_node *child = at->first; child != NULL; child = child->next) {
        int wrote = at->kind == DOCUMENT_SEQUENCE
                        ? snprintf(path + len, PATH_CAP - len, "[%u]", index++)
                        : snprintf(path + len, PATH_CAP - len, "%s%.40s", len > 0 ? "." : "",
                                   (const char *)child->key->text.ptr);
        size_t room = PATH_CAP - 1 - len;
        size_t end = len + ((size_t)wrote < room ? (size_t)wrote : room);
        size_t found = path_to(child, node, path, end);
        if (found > 0)
            return found;
    }
    path[len] = '\0';
    return 0;
}

enum guard_rc document_fail(const struct document *document, const struct document_node *node,
                            enum guard_rc rc, struct guard_err *err, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    char path[PATH_CAP] = "";
    if (document->root != NULL)
        (void)path_to(document->root, node, path, 0);
    bool deep = strpbrk(path, ".[") != NULL;
    return guard_fail(err, rc, "%s:%u:%u: %s%s%s%s", document->name, node->line, node->column, text,
                      deep ? " (at " : "", path + (deep ? 0 : strlen(path)), deep ? ")" : "");
}

enum guard_rc document_fail_member(const struct document *document,
                                   const struct document_node *node, enum guard_rc rc,
                                   struct guard_err *err, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    char path[PATH_CAP] = "";
    if (document->root != NULL)
        (void)path_to(document->root, node, path, 0);
    return guard_fail(err, rc, "%s:%u:%u: %s%s%s", document->name, node->line, node->column, path,
                      path[0] != '\0' ? ": " : "", text);
}

static enum guard_rc fail_at(struct building *building, const yaml_mark_t *mark, enum guard_rc rc,
                             const char *text)
{
    return guard_fail(building->err, rc, "%s:%zu:%zu: %s", building->document->name, mark->line + 1,
                      mark->column + 1, text);
}

static struct document_node *node_new(struct building *building, enum document_kind kind,
                                      const yaml_mark_t *mark)
{
    struct document_node *node = guard_arena_get(building->document->arena, sizeof(*node));
    if (node != NULL)
        *node = (struct document_node){
            .kind = kind, .line = (uint32_t)mark->line + 1, .column = (uint32_t)mark->column + 1};
    if (node != NULL)
        node->last_line = node->line;
    return node;
}

static enum guard_rc take_key(struct building *building, struct document_node *node,
                              const yaml_mark_t *mark)
{
    uint32_t level = building->depth - 1;
    if (node->kind != DOCUMENT_SCALAR)
        return fail_at(building, mark, GUARD_E_SYNTAX, "a key must be a text");
    if (building->stack[level]->count == DOCUMENT_MEMBERS_MAX)
        return fail_at(building, mark, GUARD_E_LIMIT, "a mapping with too many members");
    for (const struct document_node *other = building->stack[level]->first; other != NULL;
         other = other->next) {
        if (other->key->text.len == node->text.len &&
            memcmp(other->key->text.ptr, node->text.ptr, node->text.len) == 0)
            return fail_at(building, mark, GUARD_E_SYNTAX, "this key stands here twice");
    }
    building->key[level] = node;
    return GUARD_OK;
}

/* Hangs a node below the innermost open one, as key or as value. */
static enum guard_rc attach(struct building *building, struct document_node *node,
                            const yaml_mark_t *mark)
{
    if (building->depth == 0) {
        if (building->document->root != NULL)
            return fail_at(building, mark, GUARD_E_SYNTAX, "only one document is allowed");
        building->document->root = node;
        return GUARD_OK;
    }
    uint32_t level = building->depth - 1;
    struct document_node *parent = building->stack[level];
    if (parent->kind == DOCUMENT_MAPPING && building->key[level] == NULL)
        return take_key(building, node, mark);
    node->key = building->key[level];
    building->key[level] = NULL;
    if (building->last[level] == NULL)
        parent->first = node;
    else
        building->last[level]->next = node;
    building->last[level] = node;
    parent->count++;
    return GUARD_OK;
}

/* Where a line begins, what ends there ended on the one before. */
static uint32_t last_line(const yaml_mark_t *end)
{
    return (uint32_t)end->line + (end->column > 0 || end->line == 0 ? 1 : 0);
}

static enum guard_rc add_node(struct building *building, enum document_kind kind,
                              const yaml_event_t *event)
{
    const yaml_mark_t *mark = &event->start_mark;
    if (++building->nodes > building->nodes_max)
        return fail_at(building, mark, GUARD_E_LIMIT, "the document is too large");
    struct document_node *node = node_new(building, kind, mark);
    if (node == NULL)
        return fail_at(building, mark, GUARD_E_NOMEM, "no memory");
    if (kind == DOCUMENT_SCALAR) {
        size_t len = event->data.scalar.length;
        uint8_t *text = guard_arena_get(building->document->arena, len + 1);
        if (text == NULL)
            return fail_at(building, mark, GUARD_E_NOMEM, "no memory");
        memcpy(text, event->data.scalar.value, len);
        text[len] = '\0';
        node->text = (struct guard_span){text, len};
        node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        node->bytes = node->text;
        node->last_line = last_line(&event->end_mark);
        if (event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE &&
            document_bytes(&building->cursor, mark->index, event->end_mark.index, node->text,
                           building->document->arena, &node->bytes) != GUARD_OK)
            return fail_at(building, mark, GUARD_E_NOMEM, "no memory");
    }
    GUARD_TRY(attach(building, node, mark));
    if (kind == DOCUMENT_SCALAR)
        return GUARD_OK;
    if (building->depth == building->depth_max)
        return fail_at(building, mark, GUARD_E_LIMIT, "nested too deeply");
    building->stack[building->depth] = node;
    building->last[building->depth] = NULL;
    building->key[building->depth] = NULL;
    building->depth++;
    return GUARD_OK;
}

static void end_node(struct building *building, const yaml_event_t *event)
{
    uint32_t level = --building->depth;
    struct document_node *node = building->stack[level];
    bool bracket = event->end_mark.index > event->start_mark.index;
    if (bracket)
        node->last_line = last_line(&event->end_mark);
    else if (building->last[level] != NULL)
        node->last_line = building->last[level]->last_line;
}

static bool decorated(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL;
    return event->type == YAML_MAPPING_START_EVENT &&
           (event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL);
}

/* libyaml counts characters. */
static size_t byte_of(struct document_cursor *cursor, size_t character)
{
    for (; cursor->byte < cursor->source.len; cursor->byte++) {
        bool begins = (cursor->source.ptr[cursor->byte] & 0xc0) != 0x80;
        if (begins && cursor->character == character)
            break;
        cursor->character += begins;
    }
    return cursor->byte;
}

static enum guard_rc begin_document(struct building *building, const yaml_mark_t *mark)
{
    struct document_stream *stream = building->stream;
    if (stream == NULL)
        return GUARD_OK;
    if (stream->count == DOCUMENT_STREAM_MAX)
        return fail_at(building, mark, GUARD_E_LIMIT, "too many documents");
    struct guard_span all = building->begin.source;
    bool first = stream->count == building->first;
    size_t begin = first ? 0 : byte_of(&building->begin, mark->index);
    if (!first) {
        struct guard_span *before = &stream->sources[stream->count - 1];
        before->len = (size_t)(all.ptr + begin - before->ptr);
    }
    stream->sources[stream->count] = (struct guard_span){all.ptr + begin, all.len - begin};
    stream->documents[stream->count] =
        (struct document){.name = building->document->name, .arena = building->document->arena};
    building->document = &stream->documents[stream->count++];
    return GUARD_OK;
}

static enum guard_rc take_event(struct building *building, const yaml_event_t *event)
{
    if (event->type == YAML_ALIAS_EVENT || decorated(event))
        return fail_at(building, &event->start_mark, GUARD_E_SYNTAX,
                       "anchors, aliases and tags are not allowed");
    switch ((int)event->type) {
    case YAML_SCALAR_EVENT:
        return add_node(building, DOCUMENT_SCALAR, event);
    case YAML_SEQUENCE_START_EVENT:
        return add_node(building, DOCUMENT_SEQUENCE, event);
    case YAML_MAPPING_START_EVENT:
        return add_node(building, DOCUMENT_MAPPING, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        end_node(building, event);
        return GUARD_OK;
    case YAML_DOCUMENT_START_EVENT:
        return begin_document(building, &event->start_mark);
    default:
        return GUARD_OK;
    }
}

static enum guard_rc parse_failure(struct building *building)
{
    const yaml_parser_t *parser = &building->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "unreadable";
    if (parser->error == YAML_MEMORY_ERROR)
        return guard_fail(building->err, GUARD_E_NOMEM, "%s: no memory", building->document->name);
    return fail_at(building, &parser->problem_mark, GUARD_E_SYNTAX, problem);
}

static enum guard_rc parse_events(struct building *building)
{
    bool done = false;
    while (!done) {
        yaml_event_t event;
        if (!yaml_parser_parse(&building->parser, &event))
            return parse_failure(building);
        enum guard_rc rc = take_event(building, &event);
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        GUARD_TRY(rc);
    }
    return GUARD_OK;
}

/* What may be a directive for tags, which we don't allow: libyaml compares each with all before it.
 */
static size_t directives(struct guard_span bytes)
{
    size_t count = 0;
    for (size_t i = 0; i + 4 <= bytes.len; i++)
        count += bytes.ptr[i] == '%' && memcmp(bytes.ptr + i, "%TAG", 4) == 0;
    return count;
}

static enum guard_rc parse(struct building *building, struct guard_span bytes, size_t max)
{
    const char *name = building->document->name;
    if (bytes.len > max)
        return guard_fail(building->err, GUARD_E_LIMIT, "%s: larger than %zu bytes", name, max);
    if (directives(bytes) > DOCUMENT_DIRECTIVES_MAX)
        return guard_fail(building->err, GUARD_E_LIMIT, "%s: too many directives", name);
    building->cursor.source = bytes;
    building->begin.source = bytes;
    if (!yaml_parser_initialize(&building->parser))
        return guard_fail(building->err, GUARD_E_NOMEM, "%s: no memory", name);
    yaml_parser_set_encoding(&building->parser, YAML_UTF8_ENCODING);
    /* It takes no NULL, not even for nothing. */
    yaml_parser_set_input_string(&building->parser,
                                 bytes.ptr != NULL ? bytes.ptr : (const uint8_t *)"", bytes.len);
    enum guard_rc rc = parse_events(building);
    yaml_parser_delete(&building->parser);
    return rc;
}

enum guard_rc document_parse(struct document *out, const char *name, struct guard_span bytes,
                             struct guard_arena *arena, struct guard_err *err)
{
    *out = (struct document){.name = name, .arena = arena};
    struct building building = {.document = out,
                                .depth_max = DOCUMENT_DEPTH_MAX,
                                .nodes_max = DOCUMENT_NODES_MAX,
                                .err = err};
    GUARD_TRY(parse(&building, bytes, DOCUMENT_BYTES_MAX));
    if (out->root == NULL)
        return guard_fail(err, GUARD_E_SYNTAX, "%s:1:1: the document is empty", name);
    return GUARD_OK;
}

enum guard_rc document_parse_stream(struct document_stream *out, const char *name,
                                    struct guard_span bytes, struct guard_arena *arena,
                                    struct guard_err *err)
{
    struct document blank = {.name = name, .arena = arena};
    struct building building = {.document = &blank,
                                .stream = out,
                                .first = out->count,
                                .depth_max = DOCUMENT_STREAM_DEPTH_MAX,
                                .nodes_max = DOCUMENT_STREAM_NODES_MAX,
                                .err = err};
    return parse(&building, bytes, DOCUMENT_STREAM_BYTES_MAX);
}
