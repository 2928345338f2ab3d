/* SPDX-License-Identifier: Apache-2.0 */
/* See remote_server.h. A token or a key that others may read is refused, and so is HTTP without TLS
 * to another host: whoever listens would have the token, and all that clients did. */
#include "remote_server.h"

#include "command.h"
#include "common/file.h"
#include "common/http_client.h"
#include "common/kubernetes/access_review.h"
#include "common/secret.h"
#include "remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool starts_with(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

/* The host of "http://HOST[:PORT]" is this one, as it is written: nothing is looked up. */
static bool is_loopback(const char *base)
{
    const char *host = base + strlen("http://");
    if (starts_with(host, "[::1]"))
        return host[5] == '\0' || host[5] == ':';
    size_t len = strcspn(host, ":");
    if (len == 9 && strncmp(host, "localhost", 9) == 0)
        return true;
    unsigned parts[4];
    int end = 0;
    return sscanf(host, "%3u.%3u.%3u.%3u%n", &parts[0], &parts[1], &parts[2], &parts[3], &end) ==
               4 &&
           (size_t)end == len && parts[0] == 127 && parts[1] < 256 && parts[2] < 256 &&
           parts[3] < 256;
}

static bool prefix_valid(const char *prefix)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    return strspn(prefix, letters) == strlen(prefix) && strstr(prefix, "..") == NULL &&
           strstr(prefix, "//") == NULL;
}

static bool split(struct remote_server *server)
{
    const char *text = server->place.server;
    const char *host = starts_with(text, "unix:") ? NULL : strstr(text, "://");
    const char *slash = host != NULL ? strchr(host + 3, '/') : NULL;
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    snprintf(server->base, sizeof(server->base), "%.*s", (int)len, text);
    snprintf(server->prefix, sizeof(server->prefix), "%s", slash != NULL ? slash : "");
    len = strlen(server->prefix);
    if (len > 0 && server->prefix[len - 1] == '/')
        server->prefix[len - 1] = '\0';
    return prefix_valid(server->prefix) && len < 256;
}

static bool private_file(const char *path)
{
    struct stat info;
    if (path[0] == '\0')
        return true;
    if (stat(path, &info) != 0)
        return complain(0, "%s: %s", path, strerror(errno)) != 0;
    return (info.st_mode & 077) == 0 || complain(0, "%s: others may read it: chmod 600", path) != 0;
}

bool remote_server_check(struct remote_server *server)
{
    const struct context *place = &server->place;
    char shown[CONTEXT_TEXT_MAX];
    if (!split(server) || http_server_check(server->base, NULL) != GUARD_OK)
        return complain(0, "\"%s\": a server is unix:PATH or https://HOST[:PORT][/PREFIX]",
                        clean(shown, sizeof(shown), place->server, strlen(place->server))) != 0;
    if (starts_with(server->base, "http://") && !is_loopback(server->base) && !place->insecure_http)
        return complain(0,
                        "%s: without TLS everybody on the way reads tokens and what clients did: "
                        "say https://, or --insecure-http",
                        server->base) != 0;
    if ((place->cert[0] != '\0') != (place->key[0] != '\0'))
        return complain(0, "--cert and --key belong together") != 0;
    return true;
}

/* "" when there is none. */
static bool read_token(const char *path, char out[REMOTE_TOKEN_CAP])
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    if (!private_file(path))
        return false;
    if (file_read(path, REMOTE_TOKEN_CAP - 1, &bytes, &len, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    bytes[strcspn((const char *)bytes, "\r\n")] = '\0';
    snprintf(out, REMOTE_TOKEN_CAP, "%s", (const char *)bytes);
    explicit_bzero(bytes, len);
    free(bytes);
    return true;
}

static bool take_token(struct remote_server *server, bool env)
{
    const char *path = server->place.token_file;
    const char *token = env ? getenv("GUARD_TOKEN") : NULL;
    const char *env_path = env ? getenv("GUARD_TOKEN_FILE") : NULL;
    char id[SECRET_ID_LEN + 1];
    server->token[0] = '\0';
    if (!private_file(server->place.key))
        return false;
    if (path[0] != '\0') {
        if (!read_token(path, server->token))
            return false;
    } else if (token != NULL && token[0] != '\0') {
        snprintf(server->token, sizeof(server->token), "%s", token);
    } else if (env_path != NULL && env_path[0] != '\0') {
        path = env_path;
        if (!read_token(path, server->token))
            return false;
    }
    bool named = path[0] != '\0';
    return (server->token[0] == '\0' && !named) ||
           (strncmp(server->token, "guard_", 6) == 0
                ? secret_id(server->token, strlen(server->token), id)
                : cluster_token_formed(server->token)) ||
           complain(0, "%s holds no token, neither as `guard token add` prints it nor a cluster's",
                    named ? path : "$GUARD_TOKEN") != 0;
}

/* --- which --- */

static bool from_context(struct remote_server *server, const char *name)
{
    static struct contexts contexts;
    const struct context *found = contexts_read(&contexts) ? context_find(&contexts, name) : NULL;
    if (found == NULL)
        return false;
    server->place = *found;
    return true;
}

/* The context in use, when there is one; server stays "" when there is none. */
static bool from_use(struct remote_server *server)
{
    static struct contexts contexts;
    if (!contexts_read(&contexts))
        return false;
    return contexts.current[0] == '\0' || from_context(server, contexts.current);
}

static bool take(char out[CONTEXT_TEXT_MAX], const char *text)
{
    if (text != NULL && strlen(text) >= CONTEXT_TEXT_MAX)
        return complain(0, "an option is too long") != 0;
    if (text != NULL)
        snprintf(out, CONTEXT_TEXT_MAX, "%s", text);
    return true;
}

static const char *variable(const char *name)
{
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* *env: whether the token of the environment is meant for it. Those of contexts are known by their
 * own alone. */
static bool choose(struct remote_server *out, const char *const *values, bool files, bool *env)
{
    const char *server = values[REMOTE_SERVER];
    const char *context = values[REMOTE_CONTEXT];
    memset(out, 0, sizeof(*out));
    *env = true;
    if ((server != NULL) + (context != NULL) + files > 1)
        return complain(0, "--state, --server and --context: one of them") != 0;
    if (files)
        return true;
    if (server == NULL && context == NULL) {
        server = variable("GUARD_SERVER");
        context = server == NULL ? variable("GUARD_CONTEXT") : NULL;
    }
    if (server != NULL)
        return take(out->place.server, server);
    *env = false;
    if (context != NULL)
        return from_context(out, context);
    return variable("GUARD_STATE") != NULL || from_use(out);
}

bool remote_server_find(struct remote_server *out, const char *const *values, bool files)
{
    bool env;
    bool any = false;
    if (!choose(out, values, files, &env))
        return false;
    for (int i = REMOTE_TOKEN_FILE; i < REMOTE_OPTIONS_COUNT; i++)
        any = any || values[i] != NULL;
    if (out->place.server[0] == '\0')
        return !any || complain(0, "--token-file, --ca, --cert, --key and --insecure-http are for "
                                   "--server and --context") != 0;
    struct context *place = &out->place;
    place->insecure_http = place->insecure_http || values[REMOTE_INSECURE] != NULL;
    return take(place->token_file, values[REMOTE_TOKEN_FILE]) &&
           take(place->ca, values[REMOTE_CA]) && take(place->cert, values[REMOTE_CERT]) &&
           take(place->key, values[REMOTE_KEY]) && remote_server_check(out) && take_token(out, env);
}
