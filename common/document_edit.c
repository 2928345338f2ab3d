/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes are linked lists, so every change is a walk to the place. */
#include "common/document_edit.h"

#include "common/document_members.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Texts that every reader of YAML takes for a text without quotes. */
static bool is_plain(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    bool letter = (text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z');
    size_t len = strlen(text);
    if (!letter && text[0] != '/' && !(text[0] == '-' && text[1] == '-'))
        return false;
    for (size_t i = 0; i < len; i++) {
        bool alnum = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
                     (text[i] >= '0' && text[i] <= '9');
        if (!alnum && strchr("/._:=@+-", text[i]) == NULL)
            return false;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0)
            return false;
    }
    return text[len - 1] != ':';
}

static struct document_node *node_new(struct document_edit *edit, enum document_kind kind)
{
    struct document_node *node = guard_arena_get(edit->arena, sizeof(*node));
    if (node == NULL)
        edit->failed = true;
    else
        *node = (struct document_node){.kind = kind, .line = 1, .column = 1, .last_line = 1};
    return node;
}

static struct document_node *scalar_new(struct document_edit *edit, const char *text, bool quoted)
{
    struct document_node *node = node_new(edit, DOCUMENT_SCALAR);
    size_t len = strlen(text);
    uint8_t *copy = guard_arena_get(edit->arena, len + 1);
    if (copy == NULL)
        edit->failed = true;
    if (node == NULL || copy == NULL)
        return NULL;
    memcpy(copy, text, len + 1);
    node->text = (struct guard_span){copy, len};
    node->bytes = node->text;
    node->quoted = quoted;
    return node;
}

static void append(struct document_node *parent, struct document_node *child)
{
    struct document_node **end = &parent->first;
    while (*end != NULL)
        end = &(*end)->next;
    child->next = NULL;
    *end = child;
    parent->count++;
}

/* In the place of the member of that name, else at the end. */
static void put_member(struct document_edit *edit, struct document_node *mapping, const char *name,
                       struct document_node *value)
{
    struct document_node **at = &mapping->first;
    while (*at != NULL && strcmp((const char *)(*at)->key->text.ptr, name) != 0)
        at = &(*at)->next;
    if (*at != NULL) {
        value->key = (*at)->key;
        value->next = (*at)->next;
        *at = value;
        return;
    }
    value->key = scalar_new(edit, name, !is_plain(name));
    if (value->key != NULL)
        append(mapping, value);
}

static bool is_null(const struct document_node *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != DOCUMENT_SCALAR || node->quoted)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp((const char *)node->text.ptr, words[i]) == 0)
            return true;
    }
    return false;
}

static struct document_node *member(struct document_edit *edit, struct document_node *parent,
                                    const char *name, enum document_kind kind)
{
    if (parent == NULL)
        return NULL;
    const struct document_node *found = member_of(parent, name);
    if (found == NULL || is_null(found)) {
        struct document_node *made = node_new(edit, kind);
        if (made != NULL)
            put_member(edit, parent, name, made);
        return made;
    }
    for (struct document_node *child = parent->first; child != NULL; child = child->next) {
        if (child == found)
            return child->kind == kind ? child : NULL;
    }
    return NULL;
}

struct document_node *edit_mapping(struct document_edit *edit, struct document_node *parent,
                                   const char *name)
{
    return member(edit, parent, name, DOCUMENT_MAPPING);
}

struct document_node *edit_list(struct document_edit *edit, struct document_node *parent,
                                const char *name)
{
    return member(edit, parent, name, DOCUMENT_SEQUENCE);
}

struct document_node *edit_new_mapping(struct document_edit *edit)
{
    return node_new(edit, DOCUMENT_MAPPING);
}

struct document_node *edit_element(struct document_edit *edit, struct document_node *list)
{
    struct document_node *made = list != NULL ? node_new(edit, DOCUMENT_MAPPING) : NULL;
    if (made != NULL)
        append(list, made);
    return made;
}

static void put_scalar(struct document_edit *edit, struct document_node *mapping, const char *name,
                       const char *text, bool quoted)
{
    struct document_node *value = mapping != NULL ? scalar_new(edit, text, quoted) : NULL;
    if (value != NULL)
        put_member(edit, mapping, name, value);
}

void edit_text(struct document_edit *edit, struct document_node *mapping, const char *name,
               const char *value)
{
    put_scalar(edit, mapping, name, value, !is_plain(value));
}

void edit_number(struct document_edit *edit, struct document_node *mapping, const char *name,
                 long value)
{
    char text[24];
    snprintf(text, sizeof(text), "%ld", value);
    put_scalar(edit, mapping, name, text, false);
}

void edit_word(struct document_edit *edit, struct document_node *mapping, const char *name,
               const char *word)
{
    put_scalar(edit, mapping, name, word, false);
}

void edit_add_text(struct document_edit *edit, struct document_node *list, const char *value)
{
    struct document_node *element = list != NULL ? scalar_new(edit, value, !is_plain(value)) : NULL;
    if (element != NULL)
        append(list, element);
}

void edit_remove(struct document_node *parent, const struct document_node *child)
{
    struct document_node **at = parent != NULL ? &parent->first : NULL;
    while (at != NULL && *at != NULL && *at != child)
        at = &(*at)->next;
    if (at != NULL && *at != NULL) {
        *at = child->next;
        parent->count--;
    }
}

void edit_to_front(struct document_node *list, struct document_node *child)
{
    if (list == NULL || child == NULL)
        return;
    edit_remove(list, child);
    child->next = list->first;
    list->first = child;
    list->count++;
}

void edit_replace(struct document_node *node, const struct document_node *by)
{
    if (node == NULL || by == NULL)
        return;
    node->kind = by->kind;
    node->text = by->text;
    node->bytes = by->bytes;
    node->quoted = by->quoted;
    node->first = by->first;
    node->count = by->count;
}

struct document_node *edit_copy(struct document_edit *edit, const struct document_node *node)
{
    struct document_node *copy = node_new(edit, node->kind);
    if (copy == NULL)
        return NULL;
    *copy = *node;
    copy->first = NULL;
    copy->next = NULL;
    struct document_node **end = &copy->first;
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        *end = edit_copy(edit, child);
        if (*end == NULL)
            return NULL;
        end = &(*end)->next;
    }
    return copy;
}

struct document_node *edit_add_copy(struct document_edit *edit, struct document_node *list,
                                    const struct document_node *node)
{
    struct document_node *copy = list != NULL && node != NULL ? edit_copy(edit, node) : NULL;
    if (copy != NULL)
        append(list, copy);
    return copy;
}

const char *edit_keep(struct document_edit *edit, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len >= 0 ? guard_arena_get(edit->arena, (size_t)len + 1) : NULL;
    if (text == NULL) {
        edit->failed = true;
        return "";
    }
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}
