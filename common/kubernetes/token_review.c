/* SPDX-License-Identifier: Apache-2.0 */
/* An API server that doesn't know of audiences says none: then a token that must be for ours is
 * nobody's. */
#include "common/kubernetes/token_review.h"

#include "common/clean.h"
#include "common/document_members.h"
#include "common/json_writer.h"

#include <string.h>

bool token_review_write(char *out, size_t cap, const char *token, bool for_us, size_t *len)
{
    struct json_writer json;
    json_writer_init(&json, out, cap);
    json_open(&json, NULL, '{');
    json_text(&json, "apiVersion", "authentication.k8s.io/v1");
    json_text(&json, "kind", "TokenReview");
    json_open(&json, "spec", '{');
    json_text(&json, "token", token);
    if (for_us) {
        json_open(&json, "audiences", '[');
        json_text(&json, NULL, TOKEN_AUDIENCE);
        json_close(&json, ']');
    }
    json_close(&json, '}');
    json_close(&json, '}');
    *len = json.len;
    return !json.overflow;
}

static bool says_us(const struct document_node *status)
{
    const struct document_node *list = child_of(status, "audiences", DOCUMENT_SEQUENCE);
    for (const struct document_node *one = list != NULL ? list->first : NULL; one != NULL;
         one = one->next) {
        if (one->kind == DOCUMENT_SCALAR &&
            strcmp((const char *)one->text.ptr, TOKEN_AUDIENCE) == 0)
            return true;
    }
    return false;
}

enum guard_rc token_review_read(const struct document_node **user, const struct document_node *root,
                                bool for_us, struct guard_err *err)
{
    const struct document_node *status = child_of(root, "status", DOCUMENT_MAPPING);
    char said[161];
    *user = child_of(status, "user", DOCUMENT_MAPPING);
    if (status == NULL || strcmp(text_of(root, "kind"), "TokenReview") != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "the answer is no TokenReview");
    if (!true_in(status, "authenticated")) {
        const char *error = text_of(status, "error");
        return guard_fail(err, GUARD_E_FOREIGN, "the cluster doesn't know it: %s",
                          clean(said, sizeof(said), error, strlen(error)));
    }
    if (for_us && !says_us(status))
        return guard_fail(err, GUARD_E_FOREIGN, "it isn't for the audience " TOKEN_AUDIENCE);
    return GUARD_OK;
}
