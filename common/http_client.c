/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface with a set of descriptors of our own, which is one descriptor for the
 * program's loop. */
#include "common/http_client.h"

#include "common/file.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    URL_CAP = 2048,
    SOCKET_PATH_MAX = 100, /* of an address; longer ones go by their folder's descriptor */
    CONNECT_MS = 10000,
    KEEPALIVE_S = 30,
    KEEPALIVE_EACH_S = 10, /* the kernel gives up after nine */
    EVENTS = 64,
    CONNECTIONS_KEPT = 32,
};

struct transfer {
    struct transfer *next;
    struct http_client *client;
    CURL *easy;
    struct curl_slist *headers;
    uint8_t *body;
    uint8_t *answer;
    size_t answer_len;
    size_t answer_max;
    bool too_long;
    bool revocable;
    int folder; /* of the socket, while this lasts; -1 */
    char etag[HTTP_ETAG_CAP];
    char content_type[HTTP_TYPE_CAP];
    uint32_t retry_after_s;
    bool (*part)(void *ctx, struct guard_span piece);
    const char *part_type;
    char failure[CURL_ERROR_SIZE];
    void (*done)(void *ctx, const struct http_answer *answer);
    void *ctx;
};

struct http_client {
    CURLM *multi;
    int epoll_fd;
    char *socket_path; /* NULL: by TCP */
    char *base;        /* the URL before the path */
    char *token_file;
    char *ca_file;
    char *token;
    char *certificate_file, *key_file;
    char *ca_text, *certificate_text, *key_text;
    const char *agent;
    struct transfer *transfers;
    uint32_t count;
    bool unverified;
    bool timer;        /* libcurl wants to be called */
    uint64_t timer_ms; /* then, monotonic */
};

/* --- where --- */

static bool starts_with(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

/* HOST or HOST:PORT, with a literal IPv6 address in brackets. */
static bool host_valid(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ".-_:[]";
    size_t len = strlen(text);
    return len > 0 && len <= 256 && strspn(text, letters) == len && text[0] != ':';
}

enum guard_rc http_server_check(const char *server, struct guard_err *err)
{
    if (starts_with(server, "unix:")) {
        size_t len = strlen(server + 5);
        if (len > 0 && len < 1024)
            return GUARD_OK;
    } else if (starts_with(server, "http://") && host_valid(server + 7)) {
        return GUARD_OK;
    } else if (starts_with(server, "https://") && host_valid(server + 8)) {
        return GUARD_OK;
    }
    return guard_fail(err, GUARD_E_RANGE,
                      "\"%s\": must be unix:PATH, http://HOST[:PORT] or https://HOST[:PORT]",
                      server);
}

/* --- libcurl's descriptors --- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    struct http_client *client = ctx;
    struct epoll_event event = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(client->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                   (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    if (epoll_ctl(client->epoll_fd, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0)
        (void)epoll_ctl(client->epoll_fd, known != NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd,
                        &event);
    curl_multi_assign(client->multi, fd, client);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
    struct http_client *client = ctx;
    (void)multi;
    client->timer = ms >= 0;
    client->timer_ms = clock_monotonic_ms() + (ms > 0 ? (uint64_t)ms : 0);
    return 0;
}

/* --- what comes --- */

static long status_of(const struct transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t len = size * count;
    if (transfer->part != NULL && status_of(transfer) == 200 &&
        starts_with(transfer->content_type, transfer->part_type))
        return transfer->part(transfer->ctx, (struct guard_span){(const uint8_t *)data, len}) ? len
                                                                                              : 0;
    if (len > transfer->answer_max - transfer->answer_len) {
        transfer->too_long = true;
        return 0;
    }
    uint8_t *grown = realloc(transfer->answer, transfer->answer_len + len + 1);
    if (grown == NULL)
        return 0;
    memcpy(grown + transfer->answer_len, data, len);
    transfer->answer = grown;
    transfer->answer_len += len;
    grown[transfer->answer_len] = '\0';
    return len;
}

/* The value of a header of that name, without blanks around; false when it is another one. */
static bool header_value(const char *line, size_t len, const char *name, char *out, size_t cap)
{
    size_t name_len = strlen(name);
    if (len <= name_len || line[name_len] != ':')
        return false;
    for (size_t i = 0; i < name_len; i++) {
        if ((line[i] | 0x20) != name[i])
            return false;
    }
    size_t from = name_len + 1;
    while (from < len && line[from] == ' ')
        from++;
    while (len > from && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
        len--;
    if (len - from >= cap)
        return false;
    memcpy(out, line + from, len - from);
    out[len - from] = '\0';
    return true;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t len = size * count;
    char number[16];
    if (starts_with(line, "HTTP/")) { /* of the answer itself, behind an interim one */
        transfer->etag[0] = transfer->content_type[0] = '\0';
        transfer->retry_after_s = 0;
    }
    (void)header_value(line, len, "content-type", transfer->content_type,
                       sizeof(transfer->content_type));
    (void)header_value(line, len, "etag", transfer->etag, sizeof(transfer->etag));
    if (header_value(line, len, "retry-after", number, sizeof(number))) {
        unsigned long seconds = strtoul(number, NULL, 10);
        transfer->retry_after_s = seconds > 86400 ? 86400 : (uint32_t)seconds;
    }
    return len;
}

/* --- requests --- */

static void transfer_free(struct transfer *transfer)
{
    if (transfer->easy != NULL)
        curl_easy_cleanup(transfer->easy);
    for (struct curl_slist *header = transfer->headers; header != NULL; header = header->next)
        explicit_bzero(header->data, strlen(header->data)); /* one may hold a token */
    curl_slist_free_all(transfer->headers);
    if (transfer->folder >= 0)
        close(transfer->folder);
    free(transfer->body);
    free(transfer->answer);
    free(transfer);
}

static bool add_header(struct transfer *transfer, const char *text)
{
    struct curl_slist *grown = curl_slist_append(transfer->headers, text);
    if (grown != NULL)
        transfer->headers = grown;
    return grown != NULL;
}

static enum guard_rc put_token(struct transfer *transfer, const uint8_t *token, size_t len,
                               const char *where, struct guard_err *err)
{
    char text[HTTP_TOKEN_MAX + 32];
    bool good = len > 0;
    for (size_t i = 0; i < len; i++)
        good = good && token[i] > 0x20 && token[i] < 0x7f;
    int written = snprintf(text, sizeof(text), "Authorization: Bearer %.*s", (int)len, token);
    if (!good || written < 0 || (size_t)written >= sizeof(text))
        return guard_fail(err, GUARD_E_IO, "%s: holds no token", where);
    good = add_header(transfer, text);
    explicit_bzero(text, sizeof(text));
    return good ? GUARD_OK : guard_fail(err, GUARD_E_NOMEM, "no memory for a request");
}

static enum guard_rc add_token(struct transfer *transfer, const char *path, struct guard_err *err)
{
    uint8_t *token = NULL;
    size_t len = 0;
    GUARD_TRY(file_read(path, HTTP_TOKEN_MAX, &token, &len, err));
    while (len > 0 && (token[len - 1] == '\n' || token[len - 1] == '\r'))
        len--;
    enum guard_rc rc = put_token(transfer, token, len, path, err);
    explicit_bzero(token, len);
    free(token);
    return rc;
}

/* A socket's address has room for 107 bytes. */
static bool set_socket(struct transfer *transfer, const char *path)
{
    char by_folder[320];
    char folder[1024];
    const char *slash = strrchr(path, '/');
    if (strlen(path) <= SOCKET_PATH_MAX || slash == NULL)
        return curl_easy_setopt(transfer->easy, CURLOPT_UNIX_SOCKET_PATH, path) == CURLE_OK;
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    transfer->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (transfer->folder >= 0) {
        snprintf(by_folder, sizeof(by_folder), "/proc/self/fd/%d/%.250s", transfer->folder,
                 slash + 1);
        path = by_folder;
    }
    return curl_easy_setopt(transfer->easy, CURLOPT_UNIX_SOCKET_PATH, path) == CURLE_OK;
}

static bool set_request(struct transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    const struct http_client *client = transfer->client;
    char url[URL_CAP];
    int len = snprintf(url, sizeof(url), "%s%s",
                       request->server != NULL ? request->server : client->base, request->path);
    bool good = len > 0 && (size_t)len < sizeof(url) &&
                curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
                curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
    if (client->socket_path != NULL && request->server == NULL)
        good = good && set_socket(transfer, client->socket_path);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)request->alone);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, (long)request->alone);
    for (size_t i = 0; i < HTTP_HEADERS_MAX && request->headers[i] != NULL; i++)
        good = good && add_header(transfer, request->headers[i]);
    if (request->body.ptr != NULL) {
        transfer->body = malloc(request->body.len + 1);
        good = good && transfer->body != NULL && add_header(transfer, "Expect:");
        if (good && request->body.len > 0)
            memcpy(transfer->body, request->body.ptr, request->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    }
    if (request->part == NULL) {
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    } else {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)(request->timeout_ms / 1000 + 1));
    }
    return good && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK;
}

static bool set_file(CURL *easy, CURLoption option, const char *path)
{
    return path == NULL || curl_easy_setopt(easy, option, path) == CURLE_OK;
}

static bool set_text(CURL *easy, CURLoption option, char *text)
{
    struct curl_blob blob = {
        .data = text, .len = text != NULL ? strlen(text) : 0, .flags = CURL_BLOB_NOCOPY};
    return text == NULL || curl_easy_setopt(easy, option, &blob) == CURLE_OK;
}

static bool set_rules(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    const struct http_client *client = transfer->client;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->failure);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    /* An answer that doesn't end is waited for long: a peer that is gone is to be noticed. */
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_EACH_S);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (client->unverified) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (client->ca_file != NULL || client->ca_text != NULL) /* those alone are trusted */
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, client->agent) == CURLE_OK &&
           set_text(easy, CURLOPT_CAINFO_BLOB, client->ca_text) &&
           set_text(easy, CURLOPT_SSLCERT_BLOB, client->certificate_text) &&
           set_text(easy, CURLOPT_SSLKEY_BLOB, client->key_text) &&
           set_file(easy, CURLOPT_CAINFO, client->ca_file) &&
           set_file(easy, CURLOPT_SSLCERT, client->certificate_file) &&
           set_file(easy, CURLOPT_SSLKEY, client->key_file);
}

enum guard_rc http_client_start(struct http_client *client, const struct http_request *request,
                                struct guard_err *err)
{
    if (request->server != NULL) {
        GUARD_TRY(http_server_check(request->server, err));
        if (starts_with(request->server, "unix:") || client->token != NULL ||
            client->token_file != NULL)
            return guard_fail(err, GUARD_E_RANGE,
                              "\"%s\": only by TCP, and by a client without a token",
                              request->server);
    }
    if (client->count == HTTP_REQUESTS_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "%d requests are under way", (int)HTTP_REQUESTS_MAX);
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    if (transfer == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a request");
    *transfer = (struct transfer){.client = client,
                                  .folder = -1,
                                  .answer_max = request->answer_max,
                                  .revocable = request->revocable,
                                  .part = request->part,
                                  .part_type = request->part_type,
                                  .done = request->done,
                                  .ctx = request->ctx};
    transfer->easy = curl_easy_init();
    enum guard_rc rc = GUARD_OK;
    if (client->token_file != NULL && transfer->easy != NULL)
        rc = add_token(transfer, client->token_file, err);
    else if (client->token != NULL && transfer->easy != NULL)
        rc = put_token(transfer, (const uint8_t *)client->token, strlen(client->token),
                       "what is given", err);
    if (rc == GUARD_OK &&
        (transfer->easy == NULL || !set_rules(transfer) || !set_request(transfer, request) ||
         curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK))
        rc = guard_fail(err, GUARD_E_NOMEM, "a request can't be begun");
    if (rc != GUARD_OK) {
        transfer_free(transfer);
        return rc;
    }
    transfer->next = client->transfers;
    client->transfers = transfer;
    client->count++;
    return GUARD_OK;
}

/* --- their end --- */

static void unlink_transfer(struct http_client *client, struct transfer *transfer)
{
    struct transfer **at = &client->transfers;
    while (*at != transfer)
        at = &(*at)->next;
    *at = transfer->next;
    client->count--;
    curl_multi_remove_handle(client->multi, transfer->easy);
}

static void finish(struct http_client *client, struct transfer *transfer, CURLcode code)
{
    long status = 0;
    struct http_answer answer = {
        .failure = "", .etag = transfer->etag, .content_type = transfer->content_type};
    if (code == CURLE_OK)
        status = status_of(transfer);
    answer.status = (unsigned)status;
    answer.retry_after_s = transfer->retry_after_s;
    answer.too_long = code != CURLE_OK && transfer->too_long;
    if (code == CURLE_OK)
        answer.body = (struct guard_span){transfer->answer, transfer->answer_len};
    else if (transfer->too_long)
        answer.failure = "the answer is too long";
    else
        answer.failure =
            transfer->failure[0] != '\0' ? transfer->failure : curl_easy_strerror(code);
    unlink_transfer(client, transfer);
    transfer->done(transfer->ctx, &answer);
    transfer_free(transfer);
}

static void collect(struct http_client *client)
{
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        struct transfer *transfer = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        finish(client, transfer, code);
    }
}

void http_client_run(struct http_client *client)
{
    struct epoll_event events[EVENTS];
    int ignored = 0;
    if (client == NULL)
        return;
    int count = epoll_wait(client->epoll_fd, events, EVENTS, 0);
    for (int i = 0; i < count; i++) {
        int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(client->multi, events[i].data.fd, what, &ignored);
    }
    if (client->timer && clock_monotonic_ms() >= client->timer_ms) {
        client->timer = false;
        curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &ignored);
    }
    collect(client);
}

void http_client_revoke(struct http_client *client)
{
    for (struct transfer *at = client->transfers; at != NULL;) {
        struct transfer *next = at->next; /* what a call begins comes before all others */
        if (at->revocable)
            finish(client, at, CURLE_ABORTED_BY_CALLBACK);
        at = next;
    }
}

int http_client_fd(const struct http_client *client)
{
    return client != NULL ? client->epoll_fd : -1;
}

uint32_t http_client_wait_ms(const struct http_client *client, uint32_t max)
{
    if (client == NULL || !client->timer)
        return max;
    uint64_t now = clock_monotonic_ms();
    uint64_t left = client->timer_ms > now ? client->timer_ms - now : 0;
    return left < max ? (uint32_t)left : max;
}

uint32_t http_client_busy(const struct http_client *client)
{
    return client != NULL ? client->count : 0;
}

/* --- life --- */

static bool copy_text(char **out, const char *text)
{
    *out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *out != NULL;
}

static bool copy_span(char **out, struct guard_span text)
{
    *out = text.len > 0 ? strndup((const char *)text.ptr, text.len) : NULL;
    return text.len == 0 || *out != NULL;
}

static bool set_up(struct http_client *client, const struct http_client_cfg *cfg)
{
    bool by_socket = starts_with(cfg->server, "unix:");
    client->base = strdup(by_socket ? "http://guardd" : cfg->server);
    client->unverified = cfg->unverified;
    client->agent = cfg->agent != NULL ? cfg->agent : "guardd";
    client->socket_path = by_socket ? strdup(cfg->server + 5) : NULL;
    return client->base != NULL && (!by_socket || client->socket_path != NULL) &&
           copy_text(&client->token_file, cfg->token_file) &&
           copy_text(&client->ca_file, cfg->ca_file) && copy_text(&client->token, cfg->token) &&
           copy_text(&client->certificate_file, cfg->certificate_file) &&
           copy_text(&client->key_file, cfg->key_file) &&
           copy_span(&client->ca_text, cfg->ca_text) &&
           copy_span(&client->certificate_text, cfg->certificate_text) &&
           copy_span(&client->key_text, cfg->key_text);
}

enum guard_rc http_client_open(struct http_client **out, const struct http_client_cfg *cfg,
                               struct guard_err *err)
{
    GUARD_TRY(http_server_check(cfg->server, err));
    struct http_client *client = calloc(1, sizeof(*client));
    if (client == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for an HTTP client");
    client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    bool good = client->epoll_fd >= 0 && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    client->multi = good ? curl_multi_init() : NULL;
    if (client->multi == NULL || !set_up(client, cfg)) {
        http_client_close(client);
        return guard_fail(err, GUARD_E_IO, "the HTTP client can't be set up");
    }
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    *out = client;
    return GUARD_OK;
}

void http_client_close(struct http_client *client)
{
    if (client == NULL)
        return;
    while (client->transfers != NULL)
        finish(client, client->transfers, CURLE_ABORTED_BY_CALLBACK);
    if (client->multi != NULL)
        curl_multi_cleanup(client->multi);
    if (client->epoll_fd >= 0)
        close(client->epoll_fd);
    free(client->base);
    free(client->socket_path);
    free(client->token_file);
    free(client->ca_file);
    if (client->token != NULL)
        explicit_bzero(client->token, strlen(client->token));
    free(client->token);
    free(client->certificate_file);
    free(client->key_file);
    free(client->ca_text);
    free(client->certificate_text);
    if (client->key_text != NULL)
        explicit_bzero(client->key_text, strlen(client->key_text));
    free(client->key_text);
    free(client);
}
