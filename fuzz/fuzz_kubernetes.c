/* SPDX-License-Identifier: Apache-2.0 */
/* What an API server streams and what a kubeconfig says: a whole event or a refusal, however it is
 * cut. */
#include "common/document_members.h"
#include "common/file.h"
#include "common/kubernetes/access_review.h"
#include "common/kubernetes/account_review.h"
#include "common/kubernetes/authority.h"
#include "common/kubernetes/config.h"
#include "common/kubernetes/json_tree.h"
#include "common/kubernetes/watch_stream.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(void *ctx, const struct watch_event *event)
{
    if (event->object == NULL || event->object->kind != DOCUMENT_MAPPING ||
        event->kind > WATCH_ERROR || event->resource_version == NULL)
        abort();
    ++*(uint32_t *)ctx;
    return true;
}

static uint32_t feed(const uint8_t *data, size_t size, size_t piece, enum guard_rc *rc)
{
    struct watch_stream stream = {.line = NULL};
    struct guard_err err;
    uint32_t count = 0;
    *rc = GUARD_OK;
    for (size_t at = 0; at < size && *rc == GUARD_OK; at += piece)
        *rc = watch_stream_feed(
            &stream, (struct guard_span){data + at, size - at < piece ? size - at : piece}, take,
            &count, &err);
    watch_stream_reset(&stream);
    return count;
}

/* Whoever it says they are, what is asked of them is one object of JSON again. */
static void read_user(const struct document_node *root, struct guard_arena *arena)
{
    static char text[ACCESS_REVIEW_MAX];
    const struct access_question question = {.verb = "get", .part = "decisions"};
    struct cluster_user user;
    struct guard_err err;
    struct document_node *asked = NULL;
    bool allowed = true;
    size_t len;
    if (access_review_read(&allowed, root, &err) != GUARD_OK && allowed)
        abort();
    if (user_review_read(&user, root, false, &err) == GUARD_OK) {
        if (user.name[0] == '\0' ||
            !access_review_write(text, sizeof(text), &user, &question, &len) ||
            json_tree_parse(&asked, (struct guard_span){(const uint8_t *)text, len}, arena, &err) !=
                GUARD_OK ||
            asked->count != 3)
            abort();
    }
    cluster_user_fini(&user);
}

/* The same bytes as what a cluster says of tokens, pods and Secrets: whom it lets in has a name,
 * and speaks for its own namespace alone. */
static void read_answer(const uint8_t *data, size_t size)
{
    const struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_err err;
    struct document_node *root = NULL;
    struct account account;
    struct authority authority;
    char service[ACCOUNT_SERVICE_CAP];
    guard_arena_init(&arena, &heap, 16 << 20);
    if (json_tree_parse(&root, (struct guard_span){data, size}, &arena, &err) == GUARD_OK &&
        root->kind == DOCUMENT_MAPPING) {
        if (account_review_read(&account, root, &err) == GUARD_OK &&
            (account.namespace[0] == '\0' || account.pod[0] == '\0' || account.pod_uid[0] == '\0'))
            abort();
        account = (struct account){.namespace = "a", .pod = "p", .pod_uid = "u"};
        if (account_pod_service(service, &account, root, &err) == GUARD_OK &&
            strncmp(service, "a.", 2) != 0)
            abort();
        read_user(root, &arena);
        authority_read(&authority, root);
        if (strnlen(authority.signer.key, sizeof(authority.signer.key)) ==
            sizeof(authority.signer.key))
            abort();
    }
    guard_arena_reset(&arena);
}

static void read_token(const uint8_t *data, size_t size)
{
    uint64_t expires_ms = 0;
    struct account_token says;
    char *text = malloc(size + 1);
    if (text == NULL)
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    if (account_token_expiry(text, &expires_ms) && (!account_token_formed(text) || expires_ms == 0))
        abort();
    account_token_says(text, &says);
    if ((says.for_us || says.of_pod) && !account_token_formed(text))
        abort();
    (void)cluster_token_formed(text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_answer(data, size);
    read_token(data, size);
    struct kubernetes_config config;
    struct guard_err err;
    enum guard_rc whole_rc, cut_rc;
    uint32_t whole = feed(data, size, size + 1, &whole_rc);
    uint32_t cut = feed(data, size, 7, &cut_rc);
    if (whole != cut || whole_rc != cut_rc)
        abort();
    if (kubernetes_config_parse(&config, "k", "/", (struct guard_span){data, size}, &err) ==
            GUARD_OK &&
        (config.http.server == NULL || strncmp(config.http.server, "https://", 8) != 0))
        abort();
    kubernetes_config_free(&config);
    return 0;
}
