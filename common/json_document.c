/* SPDX-License-Identifier: Apache-2.0 */
/* From document nodes to JSON; nested no deeper than documents are. */
#include "common/json_document.h"

#include <stdlib.h>
#include <string.h>

static bool digits(const char **at)
{
    const char *start = *at;
    while (**at >= '0' && **at <= '9')
        (*at)++;
    return *at > start;
}

/* Is it a number by JSON's grammar? */
static bool is_number(const char *text)
{
    const char *at = text + (text[0] == '-');
    const char *first = at;
    if (!digits(&at) || (first[0] == '0' && at - first > 1))
        return false;
    if (*at == '.') {
        at++;
        if (!digits(&at))
            return false;
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        if (!digits(&at))
            return false;
    }
    return *at == '\0';
}

static void scalar(struct json_writer *json, const char *name, const struct document_node *node)
{
    const char *text = (const char *)node->text.ptr;
    bool whole = strlen(text) == node->text.len;
    if (node->quoted || !whole)
        json_string(json, name, node->text);
    else if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        json_bool(json, name, text[0] == 't');
    else if (strcmp(text, "null") == 0)
        json_null(json, name);
    else if (is_number(text) && strpbrk(text, ".eE") == NULL && node->text.len <= 18)
        json_integer(json, name, strtoll(text, NULL, 10));
    else if (is_number(text))
        json_number(json, name, strtod(text, NULL));
    else
        json_string(json, name, node->text);
}

void json_members(struct json_writer *json, const struct document_node *mapping)
{
    for (const struct document_node *node = mapping->first; node != NULL; node = node->next)
        json_document(json, (const char *)node->key->text.ptr, node);
}

void json_document(struct json_writer *json, const char *name, const struct document_node *node)
{
    if (node->kind == DOCUMENT_SCALAR) {
        scalar(json, name, node);
        return;
    }
    bool list = node->kind == DOCUMENT_SEQUENCE;
    json_open(json, name, list ? '[' : '{');
    if (!list)
        json_members(json, node);
    for (const struct document_node *child = list ? node->first : NULL; child != NULL;
         child = child->next)
        json_document(json, NULL, child);
    json_close(json, list ? ']' : '}');
}
