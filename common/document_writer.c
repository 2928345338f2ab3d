/* SPDX-License-Identifier: Apache-2.0 */
/* One recursion over the tree, twice: to measure and to write. */
#include "common/document_writer.h"

#include <string.h>

enum { KEY_MAX = 1000 }; /* YAML looks no further for the colon */

struct writing {
    char *out; /* NULL: only measured */
    size_t len;
    enum document_form form;
    bool long_key;
};

static void put(struct writing *writing, const char *text, size_t len)
{
    if (writing->out != NULL)
        memcpy(writing->out + writing->len, text, len);
    writing->len += len;
}

static void put_text(struct writing *writing, const char *text)
{
    put(writing, text, strlen(text));
}

static void put_line(struct writing *writing, uint32_t depth)
{
    put(writing, "\n", 1);
    for (uint32_t i = 0; i < depth; i++)
        put(writing, "  ", 2);
}

static void put_escaped(struct writing *writing, uint32_t character)
{
    static const char digits[] = "0123456789abcdef";
    const char text[6] = {'\\',
                          'u',
                          digits[character >> 12 & 15],
                          digits[character >> 8 & 15],
                          digits[character >> 4 & 15],
                          digits[character & 15]};
    put(writing, text, sizeof(text));
}

/* Characters that end lines for YAML, or that it doesn't take as they are. The parser has checked
 * the UTF-8. Returns their bytes, 0 for others. */
static size_t special(const uint8_t *at, size_t len, uint32_t *character)
{
    if (at[0] == 0xc2 && len >= 2 && at[1] < 0xa0) {
        *character = at[1];
        return 2;
    }
    if (at[0] == 0xe2 && len >= 3 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9)) {
        *character = 0x2000U | (at[2] & 0x3fU);
        return 3;
    }
    if (at[0] == 0xef && len >= 3 && at[1] == 0xbb && at[2] == 0xbf) {
        *character = 0xfeff;
        return 3;
    }
    return 0;
}

/* JSON's strings are YAML's double-quoted scalars. */
static void put_quoted(struct writing *writing, struct guard_span text)
{
    put(writing, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        uint32_t character = text.ptr[i];
        size_t bytes = special(text.ptr + i, text.len - i, &character);
        if (bytes > 0) {
            put_escaped(writing, character);
            i += bytes - 1;
        } else if (character == '\n') {
            put(writing, "\\n", 2);
        } else if (character == '"' || character == '\\') {
            const char pair[2] = {'\\', (char)character};
            put(writing, pair, 2);
        } else if (character < 0x20 || character == 0x7f) {
            put_escaped(writing, character);
        } else {
            put(writing, (const char *)text.ptr + i, 1);
        }
    }
    put(writing, "\"", 1);
}

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* A number, or a word, of JSON. */
static bool is_json_word(const char *text)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || strcmp(text, "null") == 0)
        return true;
    text += text[0] == '-';
    size_t whole = digits(text);
    if (whole == 0 || (whole > 1 && text[0] == '0'))
        return false;
    text += whole;
    if (text[0] == '.') {
        size_t part = digits(text + 1);
        if (part == 0)
            return false;
        text += 1 + part;
    }
    if (text[0] == 'e' || text[0] == 'E') {
        text += 1 + (text[1] == '+' || text[1] == '-');
        size_t power = digits(text);
        if (power == 0)
            return false;
        text += power;
    }
    return text[0] == '\0';
}

/* Lines that a literal block scalar gives back byte by byte. */
static bool is_literal(struct guard_span text)
{
    if (memchr(text.ptr, '\n', text.len) == NULL || text.ptr[0] == ' ' || text.ptr[0] == '\n' ||
        (text.len >= 2 && memcmp(text.ptr + text.len - 2, "\n\n", 2) == 0))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool good = text.ptr[i] == '\n' || (text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f);
        bool at_end = text.ptr[i] == ' ' && (i + 1 == text.len || text.ptr[i + 1] == '\n');
        if (!good || at_end)
            return false;
    }
    return true;
}

static void put_literal(struct writing *writing, struct guard_span text, uint32_t depth)
{
    bool ends = text.ptr[text.len - 1] == '\n';
    put_text(writing, ends ? "|" : "|-");
    for (size_t begin = 0; begin < text.len;) {
        const uint8_t *feed = memchr(text.ptr + begin, '\n', text.len - begin);
        size_t end = feed != NULL ? (size_t)(feed - text.ptr) : text.len;
        if (end > begin)
            put_line(writing, depth);
        else
            put(writing, "\n", 1);
        put(writing, (const char *)text.ptr + begin, end - begin);
        begin = end + 1;
    }
}

static void put_scalar(struct writing *writing, const struct document_node *node, uint32_t depth)
{
    const char *text = (const char *)node->text.ptr;
    bool yaml = writing->form == DOCUMENT_YAML;
    if (!node->quoted && node->text.len == 0)
        put_text(writing, "null");
    else if (!node->quoted &&
             (yaml ? memchr(text, '\n', node->text.len) == NULL : is_json_word(text)))
        put(writing, text, node->text.len);
    else if (yaml && node->quoted && node->text.len > 0 && is_literal(node->text))
        put_literal(writing, node->text, depth);
    else
        put_quoted(writing, node->text);
}

static void put_key(struct writing *writing, const struct document_node *key)
{
    bool bare = writing->form == DOCUMENT_YAML && !key->quoted && key->text.len > 0 &&
                memchr(key->text.ptr, '\n', key->text.len) == NULL;
    writing->long_key = writing->long_key || key->text.len > KEY_MAX;
    if (bare)
        put(writing, (const char *)key->text.ptr, key->text.len);
    else
        put_quoted(writing, key->text);
    put(writing, ":", 1);
}

static void put_node(struct writing *writing, const struct document_node *node, uint32_t depth);

/* inline_first: the line has the dash of an element that this is. */
static void put_yaml_children(struct writing *writing, const struct document_node *node,
                              uint32_t depth, bool inline_first)
{
    bool list = node->kind == DOCUMENT_SEQUENCE;
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        if (!inline_first)
            put_line(writing, depth);
        inline_first = false;
        if (list)
            put(writing, "- ", 2);
        else
            put_key(writing, child->key);
        if (child->kind == DOCUMENT_SCALAR || child->first == NULL) {
            put(writing, " ", list ? 0 : 1);
            put_node(writing, child, depth + 1);
        } else {
            /* Lists stand below their key without a further indent, as kubectl writes them. */
            bool flat = !list && child->kind == DOCUMENT_SEQUENCE;
            put_yaml_children(writing, child, depth + !flat, list);
        }
    }
}

static void put_json_children(struct writing *writing, const struct document_node *node,
                              uint32_t depth)
{
    bool list = node->kind == DOCUMENT_SEQUENCE;
    bool lines = writing->form == DOCUMENT_LINES;
    put(writing, list ? "[" : "{", 1);
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        if (lines)
            put_line(writing, depth + 1);
        if (!list) {
            put_key(writing, child->key);
            put(writing, " ", lines);
        }
        put_node(writing, child, depth + 1);
        put(writing, ",", child->next != NULL);
    }
    if (lines)
        put_line(writing, depth);
    put(writing, list ? "]" : "}", 1);
}

static void put_node(struct writing *writing, const struct document_node *node, uint32_t depth)
{
    if (node->kind == DOCUMENT_SCALAR)
        put_scalar(writing, node, depth);
    else if (node->first == NULL)
        put_text(writing, node->kind == DOCUMENT_SEQUENCE ? "[]" : "{}");
    else if (writing->form == DOCUMENT_YAML)
        put_yaml_children(writing, node, depth, true);
    else
        put_json_children(writing, node, depth);
}

static void put_all(struct writing *writing, const struct document_node *node)
{
    put_node(writing, node, 0);
    if (writing->form != DOCUMENT_JSON)
        put(writing, "\n", 1);
}

enum guard_rc document_write(const struct document_node *node, enum document_form form,
                             struct guard_arena *arena, struct guard_span *out,
                             struct guard_err *err)
{
    struct writing writing = {.form = form};
    put_all(&writing, node);
    if (writing.long_key)
        return guard_fail(err, GUARD_E_LIMIT, "a key is longer than %d bytes", KEY_MAX);
    writing.out = guard_arena_get(arena, writing.len + 1);
    if (writing.out == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    writing.len = 0;
    put_all(&writing, node);
    *out = (struct guard_span){(const uint8_t *)writing.out, writing.len};
    return GUARD_OK;
}
