/* SPDX-License-Identifier: Apache-2.0 */
/* The API server alone verifies; here nothing of a token is believed but when it ends, and that
 * only of one that was verified. */
#include "common/kubernetes/account_review.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/kubernetes/json_tree.h"
#include "common/kubernetes/pod_facts.h"
#include "common/kubernetes/token_review.h"
#include "common/traffic/base64.h"

#include <stdio.h>
#include <string.h>

enum { PAYLOAD_MAX = 4096, ARENA_MAX = 1 << 20 };
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char account_prefix[] = "system:serviceaccount:";

bool account_is_named(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    size_t namespace = strcspn(text, "/");
    size_t name = text[namespace] != '\0' ? strlen(text + namespace + 1) : 0;
    return namespace > 0 && namespace < ACCOUNT_NAMESPACE_CAP &&
           strspn(text, letters) == namespace && name > 0 && name < ACCOUNT_NAME_CAP &&
           strspn(text + namespace + 1, letters) == name;
}

/* --- trees --- */

static const struct document_node *list_in(const struct document_node *mapping, const char *name)
{
    const struct document_node *node = child_of(mapping, name, DOCUMENT_SEQUENCE);
    return node != NULL ? node->first : NULL;
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
           head + len + signature + 2 <= TOKEN_MAX;
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
                                            strcmp(text_of(claims, "aud"), TOKEN_AUDIENCE) == 0};
    for (; one != NULL; one = one->next)
        out->for_us = out->for_us || strcmp(text_at(one), TOKEN_AUDIENCE) == 0;
    out->of_pod = child_of(child_of(claims, "kubernetes.io", DOCUMENT_MAPPING), "pod",
                           DOCUMENT_MAPPING) != NULL;
    guard_arena_reset(&arena);
}

/* --- the review --- */

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

enum guard_rc account_review_read(struct account *out, const struct document_node *root,
                                  struct guard_err *err)
{
    const struct document_node *user = NULL;
    *out = (struct account){.namespace = ""};
    GUARD_TRY(token_review_read(&user, root, true, err));
    const struct document_node *extra = child_of(user, "extra", DOCUMENT_MAPPING);
    if (user == NULL || !read_user(out, text_of(user, "username")))
        return guard_fail(err, GUARD_E_FOREIGN, "it is of no service account: %.100s",
                          user != NULL ? text_of(user, "username") : "");
    if (!read_extra(extra, "authentication.kubernetes.io/pod-name", out->pod, sizeof(out->pod)) ||
        !read_extra(extra, "authentication.kubernetes.io/pod-uid", out->pod_uid,
                    sizeof(out->pod_uid)))
        return guard_fail(err, GUARD_E_FOREIGN, "it is of %s/%s and bound to no pod",
                          out->namespace, out->name);
    (void)read_extra(extra, "authentication.kubernetes.io/node-name", out->node, sizeof(out->node));
    return GUARD_OK;
}

/* --- the pod --- */

static enum guard_rc check_pod(const struct account *account, const struct document_node *pod,
                               struct guard_err *err)
{
    const struct document_node *metadata = child_of(pod, "metadata", DOCUMENT_MAPPING);
    return metadata != NULL && strcmp(text_of(metadata, "uid"), account->pod_uid) == 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_FOREIGN, "%s/%.100s isn't the pod that it was bound to",
                            account->namespace, account->pod);
}

enum guard_rc account_pod_node(char *out, size_t cap, const struct account *account,
                               const struct document_node *pod, struct guard_err *err)
{
    GUARD_TRY(check_pod(account, pod, err));
    const struct document_node *spec = child_of(pod, "spec", DOCUMENT_MAPPING);
    const char *node = spec != NULL ? text_of(spec, "nodeName") : "";
    if (!copy(out, cap, node, strlen(node)))
        return guard_fail(err, GUARD_E_FOREIGN, "%s/%.100s runs on no node", account->namespace,
                          account->pod);
    return account->node[0] == '\0' || strcmp(account->node, node) == 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_FOREIGN,
                            "%s/%.100s runs on %.100s, its token is of %.100s", account->namespace,
                            account->pod, node, account->node);
}

enum guard_rc account_pod_service(char out[ACCOUNT_SERVICE_CAP], const struct account *account,
                                  const struct document_node *pod, struct guard_err *err)
{
    const struct document_node *spec = child_of(pod, "spec", DOCUMENT_MAPPING);
    size_t len = strlen(account->namespace);
    GUARD_TRY(check_pod(account, pod, err));
    const char *service = pod_facts_told_service(spec);
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
