/* SPDX-License-Identifier: Apache-2.0 */
/* Reads flat bodies. */
#include "body.h"

#include "common/document_members.h"
#include "common/file.h"
#include "problem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ARENA_MAX = 16 << 20 };

static bool is_type(const char *content_type, const char *wanted)
{
    size_t len = strlen(wanted);
    return content_type != NULL && strncasecmp(content_type, wanted, len) == 0 &&
           strchr("; \t", content_type[len]) != NULL;
}

static bool known(const char *name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

bool api_body_open(struct api_body *body, const struct api_request *request,
                   struct api_response *response, const char *const *names)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_err err;
    guard_arena_init(&body->arena, &heap, ARENA_MAX);
    if (!is_type(request->content_type, "application/json")) {
        problem(response, 415, "bad-type", "Content-Type", "must be application/json");
        return false;
    }
    if (document_parse(&body->document, "body", request->body, &body->arena, &err) != GUARD_OK) {
        problem_document(response, 400, &err);
        return false;
    }
    const struct document_node *root = body->document.root;
    if (root->kind != DOCUMENT_MAPPING) {
        problem(response, 400, "bad-document", NULL, "the body must be an object");
        return false;
    }
    for (const struct document_node *node = root->first; node != NULL; node = node->next) {
        const char *name = (const char *)node->key->text.ptr;
        if (known(name, names))
            continue;
        (void)document_fail(&body->document, node->key, GUARD_E_SYNTAX, &err,
                            "%.64s: there is no such member", name);
        problem_document(response, 422, &err);
        return false;
    }
    return true;
}

void api_body_close(struct api_body *body)
{
    guard_arena_reset(&body->arena);
}

/* Absent ones are refused when they are needed; NULL and false then. */
static bool find(const struct api_body *body, struct api_response *response, const char *name,
                 bool needed, const struct document_node **out)
{
    *out = member_of(body->document.root, name);
    if (*out == NULL && needed)
        problem(response, 422, "bad-document", name, "is needed");
    return *out != NULL || !needed;
}

static bool refuse(const struct api_body *body, struct api_response *response,
                   const struct document_node *node, const char *name, const char *what,
                   uint64_t max)
{
    struct guard_err err;
    (void)document_fail(&body->document, node, GUARD_E_RANGE, &err, "%s: must be %s %" PRIu64, name,
                        what, max);
    problem_document(response, 422, &err);
    return false;
}

bool api_body_text(const struct api_body *body, struct api_response *response, const char *name,
                   bool needed, size_t max, const char **out)
{
    const struct document_node *node;
    *out = "";
    if (!find(body, response, name, needed, &node) || node == NULL)
        return node == NULL && !needed;
    const char *text = (const char *)node->text.ptr;
    if (node->kind != DOCUMENT_SCALAR || node->text.len > max || (needed && node->text.len == 0) ||
        strlen(text) != node->text.len)
        return refuse(body, response, node, name, "a text of bytes up to", max);
    *out = text;
    return true;
}

bool api_body_number(const struct api_body *body, struct api_response *response, const char *name,
                     bool needed, uint64_t max, uint64_t *out)
{
    const struct document_node *node;
    char *end = NULL;
    *out = 0;
    if (!find(body, response, name, needed, &node) || node == NULL)
        return node == NULL && !needed;
    const char *text = node->kind == DOCUMENT_SCALAR ? (const char *)node->text.ptr : "";
    errno = 0;
    *out = text[0] >= '1' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (end == NULL || *end != '\0' || errno != 0 || *out > max || node->quoted)
        return refuse(body, response, node, name, "a number from 1 to", max);
    return true;
}

bool api_body_is_document(const struct api_request *request, struct api_response *response)
{
    static const char *const types[] = {"application/yaml", "application/json", "text/yaml",
                                        "application/x-yaml"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (is_type(request->content_type, types[i]))
            return true;
    }
    problem(response, 415, "bad-type", "Content-Type",
            "must be application/yaml or application/json");
    return false;
}
