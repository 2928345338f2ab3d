/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of executable documents. What nests (selections, lists, objects) stands in frames, so
 * that depth costs no stack. */
#include "http/graphql.h"

#include "base/span.h"
#include "http/graphql_token.h"

enum { DEPTH_MAX = 64 };

struct frame {
    uint32_t node;
    uint32_t items;
    enum gd_graphql_group group;
};

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    struct gd_graphql_token token;            /* the next one */
    const struct gd_graphql_handler *handler; /* NULL: nothing is reported */
    struct gd_buffer *text;
    uint32_t leaves_left;
    uint32_t depth_limit;
    bool cut;
    bool failed;
    uint32_t depth;
    struct frame frames[DEPTH_MAX];
};

static void fail(struct reader *reader, enum guard_fault fault)
{
    bool at_end = reader->cut && reader->at == reader->end;
    if (!reader->failed && reader->handler != NULL &&
        !(at_end && fault == GUARD_FAULT_GRAPHQL_SYNTAX))
        reader->handler->fault(reader->handler->ctx, fault);
    reader->failed = true;
    reader->token.kind = GD_GRAPHQL_BAD;
}

static void advance(struct reader *reader)
{
    if (!reader->failed)
        reader->token = gd_graphql_next(&reader->at, reader->end);
}

static bool at_mark(const struct reader *reader, char mark)
{
    return reader->token.kind == GD_GRAPHQL_MARK && reader->token.text.ptr[0] == (uint8_t)mark;
}

static bool take_mark(struct reader *reader, char mark)
{
    if (!at_mark(reader, mark))
        return false;
    advance(reader);
    return true;
}

static void need_mark(struct reader *reader, char mark)
{
    if (!take_mark(reader, mark))
        fail(reader, GUARD_FAULT_GRAPHQL_SYNTAX);
}

static struct guard_span need_name(struct reader *reader)
{
    struct guard_span name = reader->token.text;
    if (reader->token.kind != GD_GRAPHQL_NAME) {
        fail(reader, GUARD_FAULT_GRAPHQL_SYNTAX);
        return gd_span("", 0);
    }
    advance(reader);
    return name;
}

static bool is_word(struct guard_span name, const char *word)
{
    return gd_span_equal(name, gd_span(word, strlen(word)));
}

static uint32_t node_of(const struct reader *reader, uint32_t parent, enum gd_graphql_place place,
                        struct guard_span name)
{
    if (reader->handler == NULL || parent == GD_GRAPHQL_SKIP || reader->failed)
        return GD_GRAPHQL_SKIP;
    return reader->handler->node(reader->handler->ctx, parent, place, name);
}

/* Counts one more field or value. */
static bool take_leaf(struct reader *reader)
{
    if (reader->leaves_left == 0) {
        fail(reader, GUARD_FAULT_LEAVES);
        return false;
    }
    reader->leaves_left--;
    return !reader->failed;
}

static void report_leaf(const struct reader *reader, uint32_t node)
{
    if (node != GD_GRAPHQL_SKIP && !reader->failed)
        reader->handler->leaf(reader->handler->ctx, node);
}

static void report_value(const struct reader *reader, uint32_t node, enum gd_graphql_type type,
                         struct guard_span text)
{
    if (node != GD_GRAPHQL_SKIP)
        reader->handler->value(reader->handler->ctx, node, type, text);
}

static void push(struct reader *reader, uint32_t node, enum gd_graphql_group group)
{
    if (reader->depth == reader->depth_limit) {
        fail(reader, GUARD_FAULT_DEPTH);
        return;
    }
    reader->frames[reader->depth++] = (struct frame){node, 0, group};
    if (node != GD_GRAPHQL_SKIP)
        reader->handler->open(reader->handler->ctx, node, group);
}

static void pop(struct reader *reader)
{
    const struct frame *frame = &reader->frames[--reader->depth];
    if (frame->node != GD_GRAPHQL_SKIP)
        reader->handler->close(reader->handler->ctx, frame->node, frame->items);
}

static void string_value(struct reader *reader, uint32_t node)
{
    struct guard_span text = reader->token.text;
    if (reader->token.escaped && node != GD_GRAPHQL_SKIP) {
        if (!gd_graphql_decode(text, reader->text)) {
            fail(reader, GUARD_FAULT_GRAPHQL_SYNTAX);
            return;
        }
        if (reader->text->failed) {
            fail(reader, GUARD_FAULT_MEMORY);
            return;
        }
        text = gd_buffer_span(reader->text);
    }
    report_value(reader, node, GD_GRAPHQL_STRING, text);
}

static enum gd_graphql_type type_of_name(struct guard_span name)
{
    if (is_word(name, "true"))
        return GD_GRAPHQL_TRUE;
    if (is_word(name, "false"))
        return GD_GRAPHQL_FALSE;
    return is_word(name, "null") ? GD_GRAPHQL_NULL : GD_GRAPHQL_ENUM;
}

/* A value that isn't nested, or the beginning of one that is. */
static void begin_value(struct reader *reader, uint32_t node)
{
    if (!take_leaf(reader))
        return;
    struct guard_span text = reader->token.text;
    switch (reader->token.kind) {
    case GD_GRAPHQL_QUOTED:
        string_value(reader, node);
        break;
    case GD_GRAPHQL_BLOCK:
        report_value(reader, node, GD_GRAPHQL_STRING, text);
        break;
    case GD_GRAPHQL_DIGITS:
        report_value(reader, node, GD_GRAPHQL_NUMBER, text);
        break;
    case GD_GRAPHQL_NAME:
        report_value(reader, node, type_of_name(text), text);
        break;
    case GD_GRAPHQL_MARK:
        if (take_mark(reader, '$')) {
            struct guard_span name = reader->token.text;
            if (reader->token.kind == GD_GRAPHQL_NAME)
                report_value(reader, node, GD_GRAPHQL_REFERENCE, name);
            else
                fail(reader, GUARD_FAULT_GRAPHQL_SYNTAX);
        } else if (at_mark(reader, '[')) {
            push(reader, node, GD_GRAPHQL_LIST);
        } else if (at_mark(reader, '{')) {
            push(reader, node, GD_GRAPHQL_OBJECT);
        } else {
            fail(reader, GUARD_FAULT_GRAPHQL_SYNTAX);
        }
        break;
    case GD_GRAPHQL_END:
    case GD_GRAPHQL_BAD:
    case GD_GRAPHQL_DOTS:
        fail(reader, GUARD_FAULT_GRAPHQL_SYNTAX);
        break;
    }
    advance(reader);
}

/* A value with all that is nested in it. */
static void read_value(struct reader *reader, uint32_t node)
{
    uint32_t base = reader->depth;
    begin_value(reader, node);
    while (reader->depth > base && !reader->failed) {
        struct frame *frame = &reader->frames[reader->depth - 1];
        bool list = frame->group == GD_GRAPHQL_LIST;
        if (take_mark(reader, list ? ']' : '}')) {
            pop(reader);
            continue;
        }
        frame->items++;
        if (list) {
            begin_value(reader, node_of(reader, frame->node, GD_GRAPHQL_ELEMENT, gd_span("", 0)));
            continue;
        }
        struct guard_span name = need_name(reader);
        need_mark(reader, ':');
        begin_value(reader, node_of(reader, frame->node, GD_GRAPHQL_MEMBER, name));
    }
}

static void read_arguments(struct reader *reader, uint32_t node)
{
    if (!take_mark(reader, '('))
        return;
    do {
        struct guard_span name = need_name(reader);
        need_mark(reader, ':');
        read_value(reader, node_of(reader, node, GD_GRAPHQL_ARGUMENT, name));
    } while (!reader->failed && !at_mark(reader, ')'));
    need_mark(reader, ')');
}

static void read_directives(struct reader *reader, uint32_t node)
{
    while (take_mark(reader, '@')) {
        struct guard_span name = need_name(reader);
        if (!take_leaf(reader))
            return;
        uint32_t directive = node_of(reader, node, GD_GRAPHQL_DIRECTIVE, name);
        report_leaf(reader, directive);
        read_arguments(reader, directive);
    }
}

/* "[[Type!]!]!" */
static void read_type(struct reader *reader)
{
    uint32_t lists = 0;
    while (take_mark(reader, '['))
        lists++;
    (void)need_name(reader);
    (void)take_mark(reader, '!');
    for (; lists > 0 && !reader->failed; lists--) {
        need_mark(reader, ']');
        (void)take_mark(reader, '!');
    }
}

static void read_variables(struct reader *reader, uint32_t node)
{
    if (!take_mark(reader, '('))
        return;
    do {
        need_mark(reader, '$');
        struct guard_span name = need_name(reader);
        need_mark(reader, ':');
        read_type(reader);
        if (take_mark(reader, '='))
            read_value(reader, node_of(reader, node, GD_GRAPHQL_VARIABLE, name));
        read_directives(reader, GD_GRAPHQL_SKIP);
    } while (!reader->failed && !at_mark(reader, ')'));
    need_mark(reader, ')');
}

/* At '{': the selection set begins. */
static void begin_selection(struct reader *reader, uint32_t node)
{
    if (!at_mark(reader, '{')) {
        fail(reader, GUARD_FAULT_GRAPHQL_SYNTAX);
        return;
    }
    push(reader, node, GD_GRAPHQL_SELECTION);
    advance(reader);
    /* An empty one isn't allowed. */
    if (at_mark(reader, '}'))
        fail(reader, GUARD_FAULT_GRAPHQL_SYNTAX);
}

static void read_field(struct reader *reader, uint32_t parent)
{
    struct guard_span name = need_name(reader);
    if (take_mark(reader, ':'))
        name = need_name(reader); /* what came first was an alias */
    uint32_t node = node_of(reader, parent, GD_GRAPHQL_FIELD, name);
    read_arguments(reader, node);
    read_directives(reader, node);
    if (at_mark(reader, '{'))
        begin_selection(reader, node);
    else
        report_leaf(reader, node);
}

/* Behind "...". */
static void read_spread(struct reader *reader, uint32_t parent)
{
    if (reader->token.kind == GD_GRAPHQL_NAME && !is_word(reader->token.text, "on")) {
        advance(reader);
        uint32_t node = node_of(reader, parent, GD_GRAPHQL_SPREAD, gd_span("", 0));
        report_leaf(reader, node);
        read_directives(reader, node);
        return;
    }
    struct guard_span type = gd_span("", 0);
    if (reader->token.kind == GD_GRAPHQL_NAME) {
        advance(reader);
        type = need_name(reader);
    }
    uint32_t node = node_of(reader, parent, GD_GRAPHQL_TYPE, type);
    read_directives(reader, node);
    begin_selection(reader, node);
}

/* The selections up to the end of the outermost set, which has begun. */
static void read_selections(struct reader *reader)
{
    while (reader->depth > 0 && !reader->failed) {
        struct frame *frame = &reader->frames[reader->depth - 1];
        if (take_mark(reader, '}')) {
            pop(reader);
            continue;
        }
        frame->items++;
        if (!take_leaf(reader))
            return;
        uint32_t node = frame->node;
        if (reader->token.kind == GD_GRAPHQL_DOTS) {
            advance(reader);
            read_spread(reader, node);
        } else {
            read_field(reader, node);
        }
    }
}

static void read_operation(struct reader *reader, struct guard_span word)
{
    uint32_t node = node_of(reader, GD_GRAPHQL_ROOT, GD_GRAPHQL_OPERATION, word);
    if (reader->token.kind == GD_GRAPHQL_NAME)
        advance(reader);
    read_variables(reader, node);
    read_directives(reader, node);
    begin_selection(reader, node);
    read_selections(reader);
}

static void read_fragment(struct reader *reader)
{
    struct guard_span name = need_name(reader);
    struct guard_span on = need_name(reader);
    struct guard_span type = need_name(reader);
    if (is_word(name, "on") || !is_word(on, "on"))
        fail(reader, GUARD_FAULT_GRAPHQL_SYNTAX);
    uint32_t node = node_of(reader, GD_GRAPHQL_ROOT, GD_GRAPHQL_FRAGMENT, type);
    read_directives(reader, node);
    begin_selection(reader, node);
    read_selections(reader);
}

static bool is_operation(struct guard_span word)
{
    return is_word(word, "query") || is_word(word, "mutation") || is_word(word, "subscription");
}

static void read_definition(struct reader *reader)
{
    if (at_mark(reader, '{')) {
        begin_selection(reader, node_of(reader, GD_GRAPHQL_ROOT, GD_GRAPHQL_OPERATION,
                                        GUARD_SPAN_LITERAL("query")));
        read_selections(reader);
        return;
    }
    struct guard_span word = need_name(reader);
    if (is_operation(word))
        read_operation(reader, word);
    else if (is_word(word, "fragment"))
        read_fragment(reader);
    else
        fail(reader, GUARD_FAULT_GRAPHQL_SYNTAX);
}

static bool read_document(struct reader *reader)
{
    advance(reader);
    do {
        read_definition(reader);
    } while (!reader->failed && reader->token.kind != GD_GRAPHQL_END);
    while (reader->depth > 0)
        pop(reader);
    return !reader->failed;
}

static void begin(struct reader *reader, struct guard_span text, const struct gd_limits *limits)
{
    reader->at = text.ptr;
    reader->end = text.len == 0 ? text.ptr : text.ptr + text.len;
    reader->handler = NULL;
    reader->leaves_left = limits->leaves;
    reader->depth_limit = limits->depth < DEPTH_MAX ? limits->depth : DEPTH_MAX;
    reader->cut = false;
    reader->failed = false;
    reader->depth = 0;
}

bool gd_graphql_looks(struct guard_span text)
{
    const uint8_t *at = text.ptr;
    if (text.len == 0 || memchr(text.ptr, '{', text.len) == NULL)
        return false;
    struct gd_graphql_token token = gd_graphql_next(&at, text.ptr + text.len);
    if (token.kind == GD_GRAPHQL_MARK && token.text.ptr[0] == '{') {
        /* JSON begins so too. */
        token = gd_graphql_next(&at, text.ptr + text.len);
        return token.kind == GD_GRAPHQL_NAME || token.kind == GD_GRAPHQL_DOTS;
    }
    return token.kind == GD_GRAPHQL_NAME &&
           (is_operation(token.text) || is_word(token.text, "fragment"));
}

bool gd_graphql_check(struct guard_span text, const struct gd_limits *limits)
{
    struct reader reader;
    begin(&reader, text, limits);
    return read_document(&reader);
}

void gd_graphql_read(struct guard_span text, bool cut, const struct gd_graphql_handler *handler,
                     const struct gd_limits *limits, struct gd_buffer *scratch)
{
    struct reader reader;
    begin(&reader, text, limits);
    reader.cut = cut;
    reader.handler = handler;
    reader.text = scratch;
    (void)read_document(&reader);
}
