/* SPDX-License-Identifier: Apache-2.0 */
/* Guardians side by side: canonical documents are taken apart into lines "path: value", in which
 * elements of lists are known by what they are about, not by their place. */
#include "guardian_text.h"

#include "command.h"
#include "common/document.h"
#include "common/file.h"
#include "common/guardian.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_CAP = 1024, ARENA_MAX = 64 << 20 };

struct lines {
    struct guard_arena *arena;
    const char **list;
    uint32_t count;
    uint32_t cap;
};

bool is_guardian_name(const char *path)
{
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t len = strlen(path), end = strlen(endings[i]);
        if (len > end && strcmp(path + len - end, endings[i]) == 0)
            return true;
    }
    return false;
}

/* The document as the writer would write it. */
static bool canonical(const char *path, struct guard_arena *arena, struct guard_span *out)
{
    struct guard_guardian guardian;
    struct guard_err err;
    if (guardian_load(&guardian, path, arena, &err) == GUARD_OK &&
        guardian_write(&guardian, arena, out, &err) == GUARD_OK)
        return true;
    return complain(0, "%s", err.text) != 0;
}

bool guardian_text_print(const char *path)
{
    static const char begin[] = "\nconfigured:\n";
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_span text;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    bool good = canonical(path, &arena, &text);
    const char *at = good ? memmem(text.ptr, text.len, begin, sizeof(begin) - 1) : NULL;
    if (good && at == NULL)
        printf("people say nothing of what is normal\n");
    if (at != NULL)
        printf("what people say\n");
    const char *end = good ? (const char *)text.ptr + text.len : NULL;
    for (at = at != NULL ? at + sizeof(begin) - 1 : end; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        print_clean(at, (size_t)(stop - at));
        putchar('\n');
        at = stop + 1;
    }
    guard_arena_reset(&arena);
    return good;
}

static void append(char line[LINE_CAP], const char *before, struct guard_span text)
{
    size_t len = strlen(line);
    snprintf(line + len, LINE_CAP - len, "%s%.*s", before, (int)text.len, (const char *)text.ptr);
}

static void append_word(char line[LINE_CAP], const char *before, const char *text)
{
    append(line, before, (struct guard_span){(const uint8_t *)text, strlen(text)});
}

/* "a", "a, b" of a list. */
static void append_value(char line[LINE_CAP], const char *before, const struct document_node *value)
{
    if (value->kind == DOCUMENT_SCALAR) {
        append(line, before, value->text);
        return;
    }
    for (const struct document_node *child = value->first; child != NULL; child = child->next) {
        append(line, before, child->text);
        before = ", ";
    }
}

/* "[GET /users/{}]", "[json id]": methods and path of an endpoint, place and name of a criterion.
 */
static void append_identity(char line[LINE_CAP], const struct document_node *element)
{
    static const char *const members[] = {"methods", "path", "in", "name"};
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
        for (const struct document_node *child = node->first; good && child != NULL;
             child = child->next) {
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

static bool read_lines(const char *path, struct lines *lines)
{
    struct guard_span text;
    struct document document;
    struct guard_err err;
    char prefix[LINE_CAP] = "";
    if (!canonical(path, lines->arena, &text))
        return false;
    if (document_parse(&document, path, text, lines->arena, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    if (!flatten(lines, document.root, prefix))
        return complain(0, "%s: no memory", path) != 0;
    qsort(lines->list, lines->count, sizeof(*lines->list), compare);
    return true;
}

static void print_line(char sign, const char *text)
{
    printf("%c ", sign);
    print_clean(text, strlen(text));
    putchar('\n');
}

static int print_differences(const struct lines *a, const struct lines *b)
{
    int printed = 0;
    for (uint32_t i = 0, k = 0; i < a->count || k < b->count;) {
        int order = i == a->count ? 1 : k == b->count ? -1 : strcmp(a->list[i], b->list[k]);
        if (order != 0) {
            print_line(order < 0 ? '-' : '+', order < 0 ? a->list[i] : b->list[k]);
            printed++;
        }
        i += order <= 0;
        k += order >= 0;
    }
    return printed;
}

int guardian_text_diff(const char *path_a, const char *path_b)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    struct lines a = {.arena = &arena}, b = {.arena = &arena};
    int printed = -1;
    if (read_lines(path_a, &a) && read_lines(path_b, &b))
        printed = print_differences(&a, &b);
    guard_arena_reset(&arena);
    return printed;
}
