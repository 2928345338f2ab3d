/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests that change something: one flat JSON object, whose members are named by the
 * handler. Read by the reader of all documents, so that complaints name line, column and member. */
#ifndef GUARDD_API_BODY_H
#define GUARDD_API_BODY_H

#include "api.h"

#include "common/document.h"

struct api_body {
    struct document document;
    struct guard_arena arena;
};

/* names: the members that may be there, ended by NULL. False after a problem; api_body_close in any
 * case. */
bool api_body_open(struct api_body *body, const struct api_request *request,
                   struct api_response *response, const char *const *names);
void api_body_close(struct api_body *body);
/* A text of at most max bytes; *out "" when it is absent and not needed. False after a problem. */
bool api_body_text(const struct api_body *body, struct api_response *response, const char *name,
                   bool needed, size_t max, const char **out);
/* A whole number from 1 to max; 0 when it is absent and not needed. */
bool api_body_number(const struct api_body *body, struct api_response *response, const char *name,
                     bool needed, uint64_t max, uint64_t *out);
/* Whether the body says to be YAML or JSON, for handlers that take whole documents. False after a
 * problem. */
bool api_body_is_document(const struct api_request *request, struct api_response *response);

#endif
