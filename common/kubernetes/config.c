/* SPDX-License-Identifier: Apache-2.0 */
/* Only the current context is looked at. What would weaken the connection is refused by its name.
 */
#include "common/kubernetes/config.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/traffic/base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 16 << 20, NAMESPACE_FILE_MAX = 256 };
#define POD_FOLDER "/var/run/secrets/kubernetes.io/serviceaccount"

/* Tokens and keys lie in it, also in the document that they were read from: what goes back to the
 * heap holds nothing any more. Before each block stands how long it is. */
enum { BLOCK_HEAD = 16 };

static void *take_block(void *ctx, size_t size)
{
    (void)ctx;
    uint8_t *block = malloc(size + BLOCK_HEAD);
    if (block == NULL)
        return NULL;
    memcpy(block, &size, sizeof(size));
    return block + BLOCK_HEAD;
}

static void wipe_block(void *ctx, void *ptr)
{
    (void)ctx;
    if (ptr == NULL)
        return;
    uint8_t *block = (uint8_t *)ptr - BLOCK_HEAD;
    size_t size;
    memcpy(&size, block, sizeof(size));
    explicit_bzero(block, size + BLOCK_HEAD);
    free(block);
}

static void begin(struct kubernetes_config *config)
{
    struct guard_alloc heap = {.ctx = NULL, .alloc = take_block, .free = wipe_block};
    *config = (struct kubernetes_config){.namespace = "default"};
    guard_arena_init(&config->arena, &heap, ARENA_MAX);
}

void kubernetes_config_free(struct kubernetes_config *config)
{
    guard_arena_reset(&config->arena);
}

static const char *text_in(struct guard_arena *arena, const char *first, const char *second,
                           const char *third)
{
    size_t len = strlen(first) + strlen(second) + strlen(third) + 1;
    char *text = guard_arena_get(arena, len);
    if (text != NULL)
        snprintf(text, len, "%s%s%s", first, second, third);
    return text;
}

/* --- in a pod --- */

static enum guard_rc pod_namespace(struct kubernetes_config *config, struct guard_err *err)
{
    uint8_t *text = NULL;
    size_t len = 0;
    GUARD_TRY(file_read(POD_FOLDER "/namespace", NAMESPACE_FILE_MAX, &text, &len, err));
    size_t end = strcspn((const char *)text, " \r\n");
    bool fits = end > 0 && end < sizeof(config->namespace);
    if (fits)
        snprintf(config->namespace, sizeof(config->namespace), "%.*s", (int)end, text);
    free(text);
    return fits ? GUARD_OK : guard_fail(err, GUARD_E_SYNTAX, POD_FOLDER "/namespace: no namespace");
}

static enum guard_rc load_pod(struct kubernetes_config *config, struct guard_err *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    char server[320];
    if (host == NULL || port == NULL)
        return guard_fail(err, GUARD_E_RANGE,
                          "in-cluster: this is no pod: KUBERNETES_SERVICE_HOST and "
                          "KUBERNETES_SERVICE_PORT aren't set");
    bool six = strchr(host, ':') != NULL;
    snprintf(server, sizeof(server), "https://%s%.250s%s:%.8s", six ? "[" : "", host,
             six ? "]" : "", port);
    config->http.server = text_in(&config->arena, server, "", "");
    config->http.token_file = POD_FOLDER "/token";
    config->http.ca_file = POD_FOLDER "/ca.crt";
    GUARD_TRY(http_server_check(server, err));
    return pod_namespace(config, err);
}

/* --- a kubeconfig --- */

struct parsing {
    struct kubernetes_config *config;
    const struct document *document;
    const char *folder;
    struct guard_err *err;
};

/* The member `of` of the entry with that name in a list. */
static enum guard_rc find(const struct parsing *parsing, const char *list, const char *name,
                          const char *of, const struct document_node **out)
{
    const struct document_node *entries = member_of(parsing->document->root, list);
    const struct document_node *entry = entries != NULL ? entries->first : NULL;
    while (entry != NULL &&
           (entry->kind != DOCUMENT_MAPPING || strcmp(text_of(entry, "name"), name) != 0))
        entry = entry->next;
    *out = entry != NULL ? member_of(entry, of) : NULL;
    if (*out == NULL || (*out)->kind != DOCUMENT_MAPPING)
        return guard_fail(parsing->err, GUARD_E_SYNTAX, "%s: %s has no \"%.64s\"",
                          parsing->document->name, list, name);
    return GUARD_OK;
}

static enum guard_rc refuse(const struct parsing *parsing, const struct document_node *mapping,
                            const char *const *members, const char *why)
{
    for (size_t i = 0; members[i] != NULL; i++) {
        const struct document_node *node = member_of(mapping, members[i]);
        if (node != NULL && strcmp(text_of(mapping, members[i]), "false") != 0)
            return document_fail(parsing->document, node, GUARD_E_RANGE, parsing->err, "%s: %s",
                                 members[i], why);
    }
    return GUARD_OK;
}

/* A path of the file or of its folder. */
static const char *path_of(const struct parsing *parsing, const struct document_node *mapping,
                           const char *name)
{
    const char *path = text_of(mapping, name);
    if (path[0] == '\0')
        return NULL;
    return path[0] == '/' ? text_in(&parsing->config->arena, path, "", "")
                          : text_in(&parsing->config->arena, parsing->folder, "/", path);
}

static enum guard_rc data_of(const struct parsing *parsing, const struct document_node *mapping,
                             const char *name, struct guard_span *out)
{
    const struct document_node *node = member_of(mapping, name);
    *out = (struct guard_span){NULL, 0};
    if (node == NULL || node->text.len == 0)
        return GUARD_OK;
    uint8_t *bytes = guard_arena_get(&parsing->config->arena, node->text.len);
    if (bytes == NULL)
        return guard_fail(parsing->err, GUARD_E_NOMEM, "no memory for %s", name);
    if (!base64_decode(bytes, &out->len, node->text) || memchr(bytes, '\0', out->len) != NULL)
        return document_fail(parsing->document, node, GUARD_E_SYNTAX, parsing->err,
                             "%s: no text in base64", name);
    out->ptr = bytes;
    return GUARD_OK;
}

static enum guard_rc take_cluster(const struct parsing *parsing,
                                  const struct document_node *cluster)
{
    static const char *const refused[] = {"insecure-skip-tls-verify", "proxy-url", NULL};
    struct http_client_cfg *http = &parsing->config->http;
    char server[320];
    GUARD_TRY(refuse(parsing, cluster, refused, "isn't supported"));
    snprintf(server, sizeof(server), "%s", text_of(cluster, "server"));
    size_t len = strlen(server);
    if (len > 0 && server[len - 1] == '/')
        server[len - 1] = '\0';
    if (strncmp(server, "https://", 8) != 0 || http_server_check(server, parsing->err) != GUARD_OK)
        return guard_fail(parsing->err, GUARD_E_RANGE,
                          "%s: server: \"%.100s\": must be https://HOST[:PORT]",
                          parsing->document->name, server);
    http->server = text_in(&parsing->config->arena, server, "", "");
    http->ca_file = path_of(parsing, cluster, "certificate-authority");
    return data_of(parsing, cluster, "certificate-authority-data", &http->ca_text);
}

static enum guard_rc take_user(const struct parsing *parsing, const struct document_node *user)
{
    static const char *const refused[] = {"exec", "auth-provider", "username", "as", NULL};
    struct http_client_cfg *http = &parsing->config->http;
    GUARD_TRY(refuse(parsing, user, refused, "isn't supported; use a certificate or a token"));
    http->certificate_file = path_of(parsing, user, "client-certificate");
    http->key_file = path_of(parsing, user, "client-key");
    http->token_file = path_of(parsing, user, "tokenFile");
    if (text_of(user, "token")[0] != '\0')
        http->token = text_in(&parsing->config->arena, text_of(user, "token"), "", "");
    GUARD_TRY(data_of(parsing, user, "client-certificate-data", &http->certificate_text));
    return data_of(parsing, user, "client-key-data", &http->key_text);
}

enum guard_rc kubernetes_config_parse(struct kubernetes_config *out, const char *name,
                                      const char *folder, struct guard_span text,
                                      struct guard_err *err)
{
    struct document document;
    const struct document_node *context, *cluster, *user;
    begin(out);
    GUARD_TRY(document_parse(&document, name, text, &out->arena, err));
    if (document.root == NULL || document.root->kind != DOCUMENT_MAPPING)
        return guard_fail(err, GUARD_E_SYNTAX, "%s: no kubeconfig", name);
    const struct parsing parsing = {out, &document, folder, err};
    const char *current = text_of(document.root, "current-context");
    GUARD_TRY(find(&parsing, "contexts", current, "context", &context));
    GUARD_TRY(find(&parsing, "clusters", text_of(context, "cluster"), "cluster", &cluster));
    GUARD_TRY(find(&parsing, "users", text_of(context, "user"), "user", &user));
    const char *namespace = text_of(context, "namespace");
    if (strlen(namespace) >= sizeof(out->namespace))
        return guard_fail(err, GUARD_E_RANGE, "%s: the namespace's name is too long", name);
    if (namespace[0] != '\0')
        snprintf(out->namespace, sizeof(out->namespace), "%s", namespace);
    GUARD_TRY(take_cluster(&parsing, cluster));
    return take_user(&parsing, user);
}

enum guard_rc kubernetes_config_load(struct kubernetes_config *out, const char *where,
                                     struct guard_err *err)
{
    uint8_t *text = NULL;
    size_t len = 0;
    char folder[1024];
    begin(out);
    if (strcmp(where, "in-cluster") == 0)
        return load_pod(out, err);
    GUARD_TRY(file_read(where, DOCUMENT_BYTES_MAX, &text, &len, err));
    const char *slash = strrchr(where, '/');
    snprintf(folder, sizeof(folder), "%.*s", slash != NULL ? (int)(slash - where) : 1,
             slash != NULL ? where : ".");
    enum guard_rc rc =
        kubernetes_config_parse(out, where, folder, (struct guard_span){text, len}, err);
    explicit_bzero(text, len);
    free(text);
    return rc;
}
