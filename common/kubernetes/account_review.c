/* SPDX-License-Identifier: Apache-2.0 */
/* The API server alone verifies; here nothing of a token is believed but when it ends, and that
 * only of one that was verified. */
#include "common/kubernetes/account_review.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "common/kubernetes/json_tree.h"
#include "common/traffic/base64.h"

#include <stdio.h>
#include <string.h>

enum { PAYLOAD_MAX = 4096, ARENA_MAX = 1 << 20 };
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char account_prefix[] = "system:serviceaccount:";

/* --- trees --- */

static const struct document_node *mapping_in(const struct document_node *mapping, const char *name)
{
    const struct document_node *node =
        mapping != NULL && mapping->kind == DOCUMENT_MAPPING ? member_of(mapping, name) : NULL;
    return node != NULL && node->kind == DOCUMENT_MAPPING ? node : NULL;
}

static const struct document_node *list_in(const struct document_node *mapping, const char *name)
{
    const struct document_node *node =
        mapping != NULL && mapping->kind == DOCUMENT_MAPPING ? member_of(mapping, name) : NULL;
    return node != NULL && node->kind == DOCUMENT_SEQUENCE ? node->first : NULL;
}

static const char *text_at(const struct document_node *node)
{
    return node != NULL && node->kind == DOCUMENT_SCALAR ? (const char *)node->text.ptr : "";
}

/* --- the token --- */

/* Its second part; false: there are not three. */
static bool payload_of(const char *token, struct guard_span *out)
{
    size_t head = strspn(token, base64url);
    if (head == 0 || token[head] != '.')
        return false;
    const char *payload = token + head + 1;
    size_t len = strspn(payload, base64url);
    if (len == 0 || payload[len] != '.')
        return false;
    size_t signature = strspn(payload + len + 1, base64url);
    *out = (struct guard_span){(const uint8_t *)payload, len};
    return signature > 0 && payload[len + 1 + signature] == '\0' &&
           head + len + signature + 2 <= ACCOUNT_TOKEN_MAX;
}

bool account_token_formed(const char *token)
{
    struct guard_span payload;
    return payload_of(token, &payload);
}

/* The claims of a token, which nobody has verified, in the arena; NULL: they can't be read. */
static const struct document_node *claims_of(const char *token, struct guard_arena *arena)
{
    uint8_t text[PAYLOAD_MAX];
    struct guard_span payload;
    struct guard_err err;
    struct document_node *root = NULL;
    size_t len = 0;
    if (!payload_of(token, &payload) || payload.len > sizeof(text) ||
        !base64_decode(text, &len, payload) ||
        json_tree_parse(&root, (struct guard_span){text, len}, arena, &err) != GUARD_OK ||
        root->kind != DOCUMENT_MAPPING)
        return NULL;
    return root;
}

bool account_token_expiry(const char *token, uint64_t *expires_ms)
{
    struct guard_arena arena;
    const struct guard_alloc heap = heap_alloc();
    guard_arena_init(&arena, &heap, ARENA_MAX);
    const struct document_node *claims = claims_of(token, &arena);
    int64_t seconds = claims != NULL ? whole_of(claims, "exp") : 0;
    guard_arena_reset(&arena);
    if (seconds <= 0 || seconds > INT64_MAX / 1000)
        return false;
    *expires_ms = (uint64_t)seconds * 1000;
    return true;
}

void account_token_says(const char *token, struct account_token *out)
{
    struct guard_arena arena;
    const struct guard_alloc heap = heap_alloc();
    guard_arena_init(&arena, &heap, ARENA_MAX);
    const struct document_node *claims = claims_of(token, &arena);
    const struct document_node *one = list_in(claims, "aud");
    *out = (struct account_token){.for_us = claims != NULL &&
                                            strcmp(text_of(claims, "aud"), ACCOUNT_AUDIENCE) == 0};
    for (; one != NULL; one = one->next)
        out->for_us = out->for_us || strcmp(text_at(one), ACCOUNT_AUDIENCE) == 0;
    out->of_pod = mapping_in(mapping_in(claims, "kubernetes.io"), "pod") != NULL;
    guard_arena_reset(&arena);
}

/* --- the review --- */

bool account_review_write(char *out, size_t cap, const char *token, size_t *len)
{
    struct json_writer json;
    json_writer_init(&json, out, cap);
    json_open(&json, NULL, '{');
    json_text(&json, "apiVersion", "authentication.k8s.io/v1");
    json_text(&json, "kind", "TokenReview");
    json_open(&json, "spec", '{');
    json_text(&json, "token", token);
    json_open(&json, "audiences", '[');
    json_text(&json, NULL, ACCOUNT_AUDIENCE);
    json_close(&json, ']');
    json_close(&json, '}');
    json_close(&json, '}');
    *len = json.len;
    return !json.overflow;
}

/* The whole of it, or nothing: who is cut off is somebody else. */
static bool copy(char *out, size_t cap, const char *text, size_t len)
{
    if (len == 0 || len >= cap)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* "system:serviceaccount:NAMESPACE:NAME" */
static bool read_user(struct account *out, const char *user)
{
    const size_t prefix = sizeof(account_prefix) - 1;
    if (strncmp(user, account_prefix, prefix) != 0)
        return false;
    user += prefix;
    size_t namespace = strcspn(user, ":");
    if (user[namespace] != ':' || strchr(user + namespace + 1, ':') != NULL)
        return false;
    return copy(out->namespace, sizeof(out->namespace), user, namespace) &&
           copy(out->name, sizeof(out->name), user + namespace + 1, strlen(user + namespace + 1));
}

static bool read_extra(const struct document_node *extra, const char *name, char *out, size_t cap)
{
    const char *text = text_at(list_in(extra, name));
    return copy(out, cap, text, strlen(text));
}

/* An API server that doesn't know of audiences says none: then it is nobody's word. */
static bool for_us(const struct document_node *status)
{
    for (const struct document_node *one = list_in(status, "audiences"); one != NULL;
         one = one->next) {
        if (strcmp(text_at(one), ACCOUNT_AUDIENCE) == 0)
            return true;
    }
    return false;
}

enum guard_rc account_review_read(struct account *out, const struct document_node *root,
                                  struct guard_err *err)
{
    const struct document_node *status = mapping_in(root, "status");
    const struct document_node *user = mapping_in(status, "user");
    const struct document_node *extra = mapping_in(user, "extra");
    *out = (struct account){.namespace = ""};
    if (status == NULL || strcmp(text_of(root, "kind"), "TokenReview") != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "the answer is no TokenReview");
    const struct document_node *authenticated = member_of(status, "authenticated");
    if (strcmp(text_at(authenticated), "true") != 0 || authenticated->quoted)
        return guard_fail(err, GUARD_E_FOREIGN, "the cluster doesn't know it: %.160s",
                          text_of(status, "error"));
    if (!for_us(status))
        return guard_fail(err, GUARD_E_FOREIGN, "it isn't for the audience " ACCOUNT_AUDIENCE);
    if (user == NULL || !read_user(out, text_of(user, "username")))
        return guard_fail(err, GUARD_E_FOREIGN, "it is of no service account: %.100s",
                          user != NULL ? text_of(user, "username") : "");
    if (!read_extra(extra, "authentication.kubernetes.io/pod-name", out->pod, sizeof(out->pod)) ||
        !read_extra(extra, "authentication.kubernetes.io/pod-uid", out->pod_uid,
                    sizeof(out->pod_uid)))
        return guard_fail(err, GUARD_E_FOREIGN, "it is of %s/%s and bound to no pod",
                          out->namespace, out->name);
    return GUARD_OK;
}

/* --- the pod --- */

/* What stands behind "--service" in the arguments of the container "guard"; NULL: there is none. */
static const char *argument_in(const struct document_node *containers)
{
    for (const struct document_node *one = containers; one != NULL; one = one->next) {
        if (one->kind != DOCUMENT_MAPPING || strcmp(text_of(one, "name"), "guard") != 0)
            continue;
        for (const struct document_node *word = list_in(one, "args"); word != NULL;
             word = word->next) {
            if (strcmp(text_at(word), "--service") == 0)
                return text_at(word->next);
        }
    }
    return NULL;
}

enum guard_rc account_pod_service(char out[ACCOUNT_SERVICE_CAP], const struct account *account,
                                  const struct document_node *pod, struct guard_err *err)
{
    const struct document_node *metadata = mapping_in(pod, "metadata");
    const struct document_node *spec = mapping_in(pod, "spec");
    size_t len = strlen(account->namespace);
    if (metadata == NULL || strcmp(text_of(metadata, "uid"), account->pod_uid) != 0)
        return guard_fail(err, GUARD_E_FOREIGN, "%s/%.100s isn't the pod that it was bound to",
                          account->namespace, account->pod);
    const char *service = argument_in(list_in(spec, "containers"));
    if (service == NULL)
        service = argument_in(list_in(spec, "initContainers"));
    if (service == NULL) {
        int needed = snprintf(out, ACCOUNT_SERVICE_CAP, "%s.*", account->namespace);
        return needed < ACCOUNT_SERVICE_CAP
                   ? GUARD_OK
                   : guard_fail(err, GUARD_E_FOREIGN, "no service of %s can have a name that short",
                                account->namespace);
    }
    /* A star would be a pattern. */
    if (strncmp(service, account->namespace, len) != 0 || service[len] != '.' ||
        service[len + 1] == '\0' || strchr(service, '*') != NULL ||
        !copy(out, ACCOUNT_SERVICE_CAP, service, strlen(service)))
        return guard_fail(err, GUARD_E_FOREIGN,
                          "%s/%.100s speaks for \"%.80s\", which isn't its "
                          "namespace's",
                          account->namespace, account->pod, service);
    return GUARD_OK;
}
