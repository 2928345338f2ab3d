/* SPDX-License-Identifier: Apache-2.0 */
/* Guardians side by side: canonical documents are taken apart into lines "path: value", in which
 * elements of lists are known by what they are about, not by their place. */
#include "common/guardian_diff.h"

#include "common/clean.h"
#include "common/document.h"
#include "common/guardian.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An expression of a patch in it is whole. */
enum { LINE_CAP = 20480 };

struct lines {
    struct guard_arena *arena;
    const char **list;
    uint32_t count;
    uint32_t cap;
};

/* Controls are escaped, so that a NUL doesn't hide what is behind it. */
static void append(char line[LINE_CAP], const char *before, struct guard_span text)
{
    size_t len = strlen(line);
    len += (size_t)snprintf(line + len, LINE_CAP - len, "%s", before);
    for (size_t i = 0; i < text.len && len + 5 < LINE_CAP; i++) {
        if (text.ptr[i] >= 0x20)
            line[len++] = (char)text.ptr[i];
        else
            len += (size_t)snprintf(line + len, LINE_CAP - len, "\\x%02x", text.ptr[i]);
    }
    line[len < LINE_CAP ? len : LINE_CAP - 1] = '\0';
}

static void append_word(char line[LINE_CAP], const char *before, const char *text)
{
    append(line, before, (struct guard_span){(const uint8_t *)text, strlen(text)});
}

/* "a", "a, b" of a list. */
static void append_value(char line[LINE_CAP], const char *before, const struct document_node *value)
{
    if (value->kind == DOCUMENT_SCALAR) {
        append(line, before, value->bytes);
        return;
    }
    for (const struct document_node *child = value->first; child != NULL; child = child->next) {
        append(line, before, child->bytes);
        before = ", ";
    }
}

/* "[GET /users/{}]", "[json id]", "[CVE-2021-44228]": methods and path of an endpoint, place and
 * name of a criterion, id of a patch. */
static void append_identity(char line[LINE_CAP], const struct document_node *element)
{
    static const char *const members[] = {"id", "methods", "path", "in", "name"};
    const char *before = "[";
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        for (const struct document_node *child = element->first; child != NULL;
             child = child->next) {
            if (strcmp((const char *)child->key->text.ptr, members[i]) != 0)
                continue;
            append_value(line, before, child);
            before = " ";
        }
    }
    append_word(line, "", "]");
}

static void append_index(char line[LINE_CAP], unsigned index)
{
    char word[16];
    snprintf(word, sizeof(word), "[%u]", index);
    append_word(line, "", word);
}

static bool line_add(struct lines *lines, const char *text)
{
    if (lines->count == lines->cap) {
        uint32_t cap = lines->cap == 0 ? 256 : lines->cap * 2;
        const char **list = guard_arena_get(lines->arena, cap * sizeof(*list));
        if (list == NULL)
            return false;
        if (lines->count > 0)
            memcpy(list, lines->list, lines->count * sizeof(*list));
        lines->list = list;
        lines->cap = cap;
    }
    char *copy = guard_arena_get(lines->arena, strlen(text) + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, text, strlen(text) + 1);
    lines->list[lines->count++] = copy;
    return true;
}

/* Conditions in all and any have no names: two that look at one place are told apart by where they
 * stand. */
static bool is_numbered(const struct document_node *list)
{
    const char *key = list->key != NULL ? (const char *)list->key->text.ptr : "";
    return strcmp(key, "all") == 0 || strcmp(key, "any") == 0;
}

static bool is_list_of_mappings(const struct document_node *node)
{
    return node->kind == DOCUMENT_SEQUENCE && node->first != NULL &&
           node->first->kind == DOCUMENT_MAPPING;
}

/* Every member below the node; the prefix is cut back to what it was. Nested no deeper than
 * documents are. */
static bool flatten(struct lines *lines, const struct document_node *node, char prefix[LINE_CAP])
{
    size_t len = strlen(prefix);
    bool good = true;
    if (node->kind == DOCUMENT_MAPPING) {
        for (const struct document_node *child = node->first; good && child != NULL;
             child = child->next) {
            append(prefix, len > 0 ? "." : "", child->key->text);
            good = flatten(lines, child, prefix);
            prefix[len] = '\0';
        }
        return good;
    }
    if (is_list_of_mappings(node)) {
        unsigned index = 0;
        for (const struct document_node *child = node->first; good && child != NULL;
             child = child->next) {
            if (is_numbered(node))
                append_index(prefix, index++);
            else
                append_identity(prefix, child);
            good = line_add(lines, prefix) && flatten(lines, child, prefix);
            prefix[len] = '\0';
        }
        return good;
    }
    append_value(prefix, ": ", node);
    good = line_add(lines, prefix);
    prefix[len] = '\0';
    return good;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum guard_rc read_lines(const struct guard_guardian *guardian, struct lines *lines,
                                struct guard_err *err)
{
    struct guard_span text;
    struct document document;
    char prefix[LINE_CAP] = "";
    GUARD_TRY(guardian_write(guardian, lines->arena, &text, err));
    GUARD_TRY(document_parse(&document, "guardian", text, lines->arena, err));
    if (!flatten(lines, document.root, prefix))
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    if (lines->count > 0)
        qsort(lines->list, lines->count, sizeof(*lines->list), compare);
    return GUARD_OK;
}

static void say(const struct line_sink *to, char sign, const char *text)
{
    char line[LINE_CAP + 2];
    line[0] = sign;
    line[1] = ' ';
    clean(line + 2, LINE_CAP, text, strlen(text));
    to->line(to->ctx, line);
}

static uint32_t say_differences(const struct lines *a, const struct lines *b,
                                const struct line_sink *to)
{
    uint32_t said = 0;
    for (uint32_t i = 0, k = 0; i < a->count || k < b->count;) {
        int order = i == a->count ? 1 : k == b->count ? -1 : strcmp(a->list[i], b->list[k]);
        if (order != 0) {
            say(to, order < 0 ? '-' : '+', order < 0 ? a->list[i] : b->list[k]);
            said++;
        }
        i += order <= 0;
        k += order >= 0;
    }
    return said;
}

enum guard_rc guardian_diff(const struct guard_guardian *guardian_a,
                            const struct guard_guardian *guardian_b, struct guard_arena *arena,
                            const struct line_sink *to, uint32_t *said, struct guard_err *err)
{
    struct lines a = {.arena = arena};
    struct lines b = {.arena = arena};
    GUARD_TRY(read_lines(guardian_a, &a, err));
    GUARD_TRY(read_lines(guardian_b, &b, err));
    *said = say_differences(&a, &b, to);
    return GUARD_OK;
}
