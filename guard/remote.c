/* SPDX-License-Identifier: Apache-2.0 */
/* The one HTTP client of a run, used one request after the other. What answers may be anything:
 * sizes and times are bounded, redirects aren't followed, and of texts only clean ones are shown.
 */
#include "remote.h"

#include "common/file.h"
#include "common/state.h"
#include "remote_server.h"
#include "state_files.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ANSWER_MAX = 4 << 20,
    ANSWER_MS = 60000,   /* of a whole answer */
    QUIET_MS = 30000,    /* of one that doesn't end */
    BUSY_MS = 60000,     /* for so long a busy server is asked again, */
    BUSY_PAUSE_MS = 200, /* after so long, unless it says how long */
    BUSY_PAUSE_MAX_MS = 5000,
    PROBLEM_ARENA = 1 << 20,
    PATH_MAX_BYTES = 1536,
};

static struct {
    struct http_client *client;
    struct remote_server server;
} link_to;

static void hang_up(void)
{
    http_client_close(link_to.client);
    link_to.client = NULL;
    explicit_bzero(link_to.server.token, sizeof(link_to.server.token));
}

static const char *file_or_none(const char *path)
{
    return path[0] != '\0' ? path : NULL;
}

static bool is_socket(void)
{
    return strncmp(link_to.server.base, "unix:", 5) == 0;
}

bool remote_open(struct remote *out, const struct arguments *arguments, int state, int first,
                 struct guard_arena *arena)
{
    struct guard_err err;
    const struct context *place = &link_to.server.place;
    *out = (struct remote){NULL, arena};
    if (!remote_server_find(&link_to.server, arguments->values + first,
                            arguments->values[state] != NULL))
        return false;
    if (place->server[0] == '\0')
        return true;
    const struct http_client_cfg cfg = {.server = link_to.server.base,
                                        .ca_file = file_or_none(place->ca),
                                        .token = file_or_none(link_to.server.token),
                                        .certificate_file = file_or_none(place->cert),
                                        .key_file = file_or_none(place->key)};
    if (http_client_open(&link_to.client, &cfg, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    atexit(hang_up);
    out->server = is_socket() ? place->server + 5 : place->server;
    return true;
}

bool remote_files_only(const char *state)
{
    static struct remote_server server;
    static const char *const none[REMOTE_OPTIONS_COUNT];
    return remote_server_find(&server, none, state != NULL) &&
           (server.place.server[0] == '\0' ||
            complain(0, "works on files only, and a server is meant: say --state DIR") != 0);
}

void remote_body(struct remote_body *body)
{
    json_writer_init(&body->json, body->text, sizeof(body->text));
    json_open(&body->json, NULL, '{');
}

/* --- one request --- */

struct asking {
    struct remote_reply *reply;
    char type[HTTP_TYPE_CAP];
    char failure[256];
    uint32_t retry_after_s;
    bool (*part)(void *ctx, struct guard_span piece);
    void *ctx;
};

static void done(void *ctx, const struct http_answer *answer)
{
    struct asking *asking = ctx;
    struct remote_reply *reply = asking->reply;
    reply->status = answer->status;
    asking->retry_after_s = answer->retry_after_s;
    snprintf(asking->failure, sizeof(asking->failure), "%s", answer->failure);
    snprintf(asking->type, sizeof(asking->type), "%s", answer->content_type);
    snprintf(reply->etag, sizeof(reply->etag), "%s", answer->etag);
    if (answer->status == 0)
        return;
    reply->bytes = malloc(answer->body.len + 1);
    if (reply->bytes == NULL)
        return;
    if (answer->body.len > 0)
        memcpy(reply->bytes, answer->body.ptr, answer->body.len);
    reply->bytes[answer->body.len] = '\0';
    reply->len = answer->body.len;
}

static bool hand_on(void *ctx, struct guard_span piece)
{
    struct asking *asking = ctx;
    return asking->part(asking->ctx, piece);
}

static void run_all(void)
{
    while (http_client_busy(link_to.client) > 0) {
        struct pollfd waiting = {.fd = http_client_fd(link_to.client), .events = POLLIN};
        (void)poll(&waiting, 1, (int)http_client_wait_ms(link_to.client, 1000));
        http_client_run(link_to.client);
    }
}

static bool begin(const struct remote_request *request, struct asking *asking)
{
    char path[PATH_MAX_BYTES];
    char by[192];
    char type[128];
    char accept[128];
    char user[128];
    char shown[128];
    struct guard_err err;
    int len = snprintf(path, sizeof(path), "%s/api/v1%s", link_to.server.prefix, request->path);
    if (len < 0 || (size_t)len >= sizeof(path))
        return complain(0, "what is asked for is too long") != 0;
    snprintf(accept, sizeof(accept), "Accept: %s", request->type);
    snprintf(type, sizeof(type), "Content-Type: %s", request->content_type);
    user_name(user, sizeof(user));
    snprintf(by, sizeof(by), "X-Guard-By: %s", clean(shown, sizeof(shown), user, strlen(user)));
    struct http_request http = {.method = request->method,
                                .path = path,
                                .headers = {accept},
                                .body = request->body,
                                .answer_max = request->answer_max,
                                .timeout_ms = asking->part != NULL ? QUIET_MS : ANSWER_MS,
                                .part = asking->part != NULL ? hand_on : NULL,
                                .part_type = request->type,
                                .done = done,
                                .ctx = asking};
    int headers = 1;
    if (is_socket()) /* elsewhere nobody believes it */
        http.headers[headers++] = by;
    if (request->body.ptr != NULL)
        http.headers[headers++] = type;
    if (request->condition != NULL)
        http.headers[headers++] = request->condition;
    return http_client_start(link_to.client, &http, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

static bool asked(const struct remote *remote, const struct remote_request *request,
                  struct asking *asking, bool quiet)
{
    char shown[256];
    *asking->reply = (struct remote_reply){0};
    if (!begin(request, asking))
        return false;
    run_all();
    if (asking->reply->status != 0 && asking->reply->bytes != NULL)
        return true;
    if (asking->reply->status != 0)
        snprintf(asking->failure, sizeof(asking->failure), "no memory");
    if (!quiet)
        complain(0, "%s: %s%s", remote->server,
                 clean(shown, sizeof(shown), asking->failure, strlen(asking->failure)),
                 is_socket() ? ": does guardd run?" : "");
    return false;
}

static bool is_type(const char *type, const char *wanted)
{
    size_t len = strlen(wanted);
    return strncasecmp(type, wanted, len) == 0 && strchr("; \t", type[len]) != NULL;
}

static void tell_problem(const struct remote *remote, const struct asking *asking)
{
    char detail[1024];
    char field[256];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    const struct remote_reply *reply = asking->reply;
    guard_arena_init(&arena, &heap, PROBLEM_ARENA);
    if (reply->status >= 300 && reply->status < 400)
        complain(0, "%s: answers %u, to go elsewhere: that isn't followed", remote->server,
                 reply->status);
    else if (is_type(asking->type, "application/problem+json") &&
             document_parse(&document, "answer", (struct guard_span){reply->bytes, reply->len},
                            &arena, NULL) == GUARD_OK) {
        const char *text = text_of(document.root, "field");
        clean(field, sizeof(field), text, strlen(text));
        text = text_of(document.root, "detail");
        complain(0, "%s%s%s", field, field[0] != '\0' ? ": " : "",
                 clean(detail, sizeof(detail), text, strlen(text)));
    } else if (reply->status == 429 || reply->status >= 502)
        complain(0, "%s: answers %u: try again later", remote->server, reply->status);
    else
        complain(0, "%s: what answers isn't guardd (status %u)", remote->server, reply->status);
    guard_arena_reset(&arena);
}

/* Limits of rate in front of guardd, and guardd that is busy comparing: pass by themselves. */
static bool wait_a_while(const struct remote_request *request, const struct asking *asking,
                         uint64_t begun_ms)
{
    uint64_t pause = asking->retry_after_s > 0 ? (uint64_t)asking->retry_after_s * 1000
                                               : (uint64_t)BUSY_PAUSE_MS;
    if ((asking->reply->status != 429 && asking->reply->status != 503) ||
        strcmp(request->method, "GET") != 0 || pause > BUSY_PAUSE_MAX_MS ||
        clock_monotonic_ms() + pause - begun_ms > BUSY_MS)
        return false;
    const struct timespec time = {.tv_sec = (time_t)(pause / 1000),
                                  .tv_nsec = (long)(pause % 1000) * 1000000L};
    nanosleep(&time, NULL);
    return true;
}

static void drop(struct remote_reply *reply)
{
    free(reply->bytes);
    reply->bytes = NULL;
    reply->len = 0;
}

bool remote_fetch(const struct remote *remote, const struct remote_request *request,
                  struct remote_reply *reply)
{
    struct asking asking = {.reply = reply};
    uint64_t begun_ms = clock_monotonic_ms();
    for (;;) {
        if (!asked(remote, request, &asking, false))
            return false;
        if (!wait_a_while(request, &asking, begun_ms))
            break;
        drop(reply);
    }
    bool problem = is_type(asking.type, "application/problem+json");
    if (reply->status == 404 && request->may_lack && problem) {
        drop(reply);
        return true;
    }
    if (reply->status >= 200 && reply->status < 300 && is_type(asking.type, request->type))
        return true;
    tell_problem(remote, &asking);
    drop(reply);
    return false;
}

bool remote_is_ready(const struct remote *remote)
{
    char shown[512];
    struct remote_reply reply;
    struct asking asking = {.reply = &reply};
    const struct remote_request request = {
        .method = "GET", .path = "/health/ready", .type = "application/json", .answer_max = 4096};
    if (!asked(remote, &request, &asking, false))
        return false;
    bool good = reply.status == 200 && is_type(asking.type, request.type);
    if (!good && is_type(asking.type, request.type))
        complain(0, "%s: isn't ready: %s", remote->server,
                 clean(shown, sizeof(shown), (const char *)reply.bytes, reply.len));
    else if (!good)
        tell_problem(remote, &asking);
    drop(&reply);
    return good;
}

bool remote_ask(const struct remote *remote, const char *method, const char *path,
                struct remote_body *body, struct document *out, struct guard_span *text)
{
    struct guard_err err;
    struct remote_reply reply;
    struct remote_request request = {.method = method,
                                     .path = path,
                                     .type = "application/json",
                                     .content_type = "application/json",
                                     .answer_max = ANSWER_MAX};
    if (body != NULL) {
        json_close(&body->json, '}');
        if (body->json.overflow)
            return complain(0, "the reason is too long") != 0;
        request.body = (struct guard_span){(const uint8_t *)body->text, body->json.len};
    }
    if (!remote_fetch(remote, &request, &reply))
        return false;
    uint8_t *copy = guard_arena_get(remote->arena, reply.len + 1);
    bool good = copy != NULL || complain(0, "no memory") != 0;
    if (good) {
        memcpy(copy, reply.bytes, reply.len + 1);
        good = document_parse(out, "answer", (struct guard_span){copy, reply.len}, remote->arena,
                              &err) == GUARD_OK ||
               complain(0, "%s: %s", remote->server, err.text) != 0;
        /* What reads documents reads YAML, too. */
        if (good && (reply.len == 0 || copy[0] != '{' || out->root->kind != DOCUMENT_MAPPING))
            good = complain(0, "%s: what answers isn't guardd", remote->server) != 0;
    }
    if (good && text != NULL)
        *text = (struct guard_span){copy, reply.len};
    free(reply.bytes);
    return good;
}

bool remote_service(const struct remote *remote, const char *method, struct guard_span service,
                    const char *rest, struct remote_body *body, struct document *out)
{
    char path[512];
    if (!state_service_valid(service))
        return complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    snprintf(path, sizeof(path), "/services/%.*s%s", (int)service.len, (const char *)service.ptr,
             rest);
    return remote_ask(remote, method, path, body, out, NULL);
}

enum remote_end remote_stream(const struct remote *remote, const char *path, const char *last_id,
                              bool quiet, bool (*part)(void *ctx, struct guard_span piece),
                              void *ctx)
{
    char condition[160];
    struct remote_reply reply;
    struct asking asking = {.reply = &reply, .part = part, .ctx = ctx};
    const struct remote_request request = {.method = "GET",
                                           .path = path,
                                           .type = "text/event-stream",
                                           .condition = last_id[0] != '\0' ? condition : NULL,
                                           .answer_max = ANSWER_MAX};
    snprintf(condition, sizeof(condition), "Last-Event-ID: %s", last_id);
    if (!asked(remote, &request, &asking, quiet))
        return REMOTE_LOST;
    bool whole = reply.status == 200 && is_type(asking.type, request.type);
    bool later = reply.status == 429 || reply.status >= 502;
    if (!whole && (!later || !quiet))
        tell_problem(remote, &asking);
    free(reply.bytes);
    return whole || later ? REMOTE_LOST : REMOTE_REFUSED;
}

bool remote_escape(char *out, size_t cap, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~";
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;
    for (; *text != '\0' && len + 4 < cap; text++) {
        uint8_t byte = (uint8_t)*text;
        if (strchr(plain, byte) != NULL) {
            out[len++] = (char)byte;
        } else {
            out[len++] = '%';
            out[len++] = digits[byte >> 4];
            out[len++] = digits[byte & 15];
        }
    }
    out[len] = '\0';
    return *text == '\0';
}
