/* SPDX-License-Identifier: Apache-2.0 */
/* All that the cluster said of a user goes back to it word by word: a group that was left out could
 * be the one that denies. */
#include "common/kubernetes/access_review.h"

#include "common/clean.h"
#include "common/document_members.h"
#include "common/json_writer.h"
#include "common/kubernetes/token_review.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char token68[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";

bool cluster_token_formed(const char *token)
{
    size_t len = strspn(token, token68);
    size_t padding = strspn(token + len, "=");
    return len >= CLUSTER_TOKEN_MIN && token[len + padding] == '\0' && len + padding <= TOKEN_MAX;
}

/* --- whose it is --- */

static void write_list(struct json_writer *json, const char *name, const struct document_node *list)
{
    json_open(json, name, '[');
    for (const struct document_node *one = list->first; one != NULL; one = one->next) {
        if (one->kind == DOCUMENT_SCALAR)
            json_string(json, NULL, one->text);
        else
            json->overflow = true;
    }
    json_close(json, ']');
}

static void write_extra(struct json_writer *json, const struct document_node *extra)
{
    char name[256];
    json_open(json, "extra", '{');
    for (const struct document_node *one = extra->first; one != NULL; one = one->next) {
        struct guard_span key = one->key->text;
        if (one->kind != DOCUMENT_SEQUENCE || key.len >= sizeof(name)) {
            json->overflow = true;
            break;
        }
        memcpy(name, key.ptr, key.len);
        name[key.len] = '\0';
        write_list(json, name, one);
    }
    json_close(json, '}');
}

/* What the tree's bounds made a text of isn't left out unsaid. */
static bool whole(const struct document_node *user, const char *name, enum document_kind kind)
{
    const struct document_node *node = member_of(user, name);
    return node == NULL || node->kind == kind ||
           (node->kind == DOCUMENT_SCALAR && !node->quoted &&
            strcmp((const char *)node->text.ptr, "null") == 0);
}

/* As members of a spec: without the braces around them. */
static enum guard_rc write_words(struct cluster_user *out, const struct document_node *user,
                                 struct guard_err *err)
{
    struct json_writer json;
    char *text = malloc(CLUSTER_USER_WORDS_MAX);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a user of the cluster");
    const struct document_node *name = child_of(user, "username", DOCUMENT_SCALAR);
    const struct document_node *uid = child_of(user, "uid", DOCUMENT_SCALAR);
    const struct document_node *groups = child_of(user, "groups", DOCUMENT_SEQUENCE);
    const struct document_node *extra = child_of(user, "extra", DOCUMENT_MAPPING);
    json_writer_init(&json, text, CLUSTER_USER_WORDS_MAX);
    json_open(&json, NULL, '{');
    json_string(&json, "user", name->text);
    if (uid != NULL)
        json_string(&json, "uid", uid->text);
    if (groups != NULL)
        write_list(&json, "groups", groups);
    if (extra != NULL)
        write_extra(&json, extra);
    json_close(&json, '}');
    if (json.overflow || !whole(user, "groups", DOCUMENT_SEQUENCE) ||
        !whole(user, "extra", DOCUMENT_MAPPING)) {
        free(text);
        return guard_fail(err, GUARD_E_LIMIT, "more than %d bytes are said of %.160s",
                          (int)CLUSTER_USER_WORDS_MAX, out->name);
    }
    out->words_len = json.len - 2;
    memmove(text, text + 1, out->words_len);
    text[out->words_len] = '\0';
    char *fitting = realloc(text, out->words_len + 1);
    out->words = fitting != NULL ? fitting : text;
    return GUARD_OK;
}

static void tell_groups(struct cluster_user *out, const struct document_node *groups)
{
    char one[CLUSTER_USER_GROUPS_CAP];
    size_t len = 0;
    for (const struct document_node *group = groups != NULL ? groups->first : NULL;
         group != NULL && len < sizeof(out->groups) - 1; group = group->next) {
        if (group->kind != DOCUMENT_SCALAR)
            continue;
        clean(one, sizeof(one), (const char *)group->text.ptr, group->text.len);
        int more = snprintf(out->groups + len, sizeof(out->groups) - len, "%s%s",
                            len > 0 ? ", " : "", one);
        len += more > 0 ? (size_t)more : 0;
    }
}

enum guard_rc user_review_read(struct cluster_user *out, const struct document_node *root,
                               bool for_us, struct guard_err *err)
{
    const struct document_node *user = NULL;
    *out = (struct cluster_user){.words = NULL};
    GUARD_TRY(token_review_read(&user, root, for_us, err));
    const struct document_node *name = child_of(user, "username", DOCUMENT_SCALAR);
    if (name == NULL || name->text.len == 0)
        return guard_fail(err, GUARD_E_FOREIGN, "the cluster doesn't say whose it is");
    clean(out->name, sizeof(out->name), (const char *)name->text.ptr, name->text.len);
    tell_groups(out, child_of(user, "groups", DOCUMENT_SEQUENCE));
    return write_words(out, user, err);
}

void cluster_user_fini(struct cluster_user *user)
{
    free(user->words);
    user->words = NULL;
}

/* --- what they may --- */

bool access_review_write(char *out, size_t cap, const struct cluster_user *user,
                         const struct access_question *question, size_t *len)
{
    static const char begin[] = "{\"apiVersion\":\"authorization.k8s.io/v1\","
                                "\"kind\":\"SubjectAccessReview\",\"spec\":{";
    static const char between[] = ",\"resourceAttributes\":";
    struct json_writer json;
    int head = snprintf(out, cap, "%s%s%s", begin, user->words, between);
    if (head < 0 || (size_t)head + 3 >= cap)
        return false;
    json_writer_init(&json, out + head, cap - (size_t)head - 3);
    json_open(&json, NULL, '{');
    json_text(&json, "group", "guard.security");
    json_text(&json, "resource", "guardians");
    if (question->part[0] != '\0')
        json_text(&json, "subresource", question->part);
    json_text(&json, "verb", question->verb);
    if (question->namespace.len > 0)
        json_string(&json, "namespace", question->namespace);
    if (question->name.len > 0)
        json_string(&json, "name", question->name);
    json_close(&json, '}');
    if (json.overflow)
        return false;
    memcpy(out + head + json.len, "}}", 3);
    *len = (size_t)head + json.len + 2;
    return true;
}

enum guard_rc access_review_read(bool *allowed, const struct document_node *root,
                                 struct guard_err *err)
{
    const struct document_node *status = child_of(root, "status", DOCUMENT_MAPPING);
    *allowed = false;
    if (status == NULL || strcmp(text_of(root, "kind"), "SubjectAccessReview") != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "the answer is no SubjectAccessReview");
    *allowed = true_in(status, "allowed") && !true_in(status, "denied");
    return GUARD_OK;
}
