/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd without threads: it is run when its epoll descriptor or a waiting request says so.
 * A handler that isn't done, or whose turn is over, has its connection suspended until the next
 * turn. */
#include "server.h"

#include "cluster_reviews.h"
#include "common/clean.h"
#include "common/file.h"
#include "common/log.h"
#include "listener.h"
#include "problem.h"
#include "server_parts.h"
#include "sharing.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* --- connections --- */

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *server = ctx;
    struct peer *peer = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        peer = calloc(1, sizeof(*peer));
        if (peer == NULL)
            return; /* its requests are refused */
        *peer = (struct peer){
            .next = server->peers, .fd = info->connect_fd, .since_ms = clock_monotonic_ms()};
        if (server->peers != NULL)
            server->peers->before = peer;
        server->peers = peer;
        server->api.counts.connections++;
        *socket_context = peer;
        return;
    }
    if (peer == NULL)
        return;
    if (peer->next != NULL)
        peer->next->before = peer->before;
    if (peer->before != NULL)
        peer->before->next = peer->next;
    else
        server->peers = peer->next;
    server->api.counts.connections--;
    free(peer);
    *socket_context = NULL;
}

/* Who sends or reads byte by byte is never idle, but has had its time. */
static void sweep(struct server *server, uint64_t now_ms)
{
    if (now_ms - server->swept_ms < 500)
        return;
    server->swept_ms = now_ms;
    looks_tell(&server->looks, clock_unix_ms(), false);
    for (struct peer *peer = server->peers; peer != NULL; peer = peer->next) {
        if (peer->stream || peer->cut || now_ms - peer->since_ms < SERVER_REQUEST_MS)
            continue;
        peer->cut = true;
        server->api.counts.refused++;
        shutdown(peer->fd, SHUT_RDWR);
    }
}

/* --- exchanges --- */

static void drop_body(struct exchange *exchange)
{
    if (exchange->body_max == API_REPORT_MAX)
        exchange->server->api.counts.report_bytes -= exchange->body_len;
    free(exchange->body);
    exchange->body = NULL;
    exchange->body_len = 0;
    exchange->request.body = (struct guard_span){NULL, 0};
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *con_cls;
    (void)ctx;
    (void)connection;
    (void)code;
    if (exchange == NULL)
        return;
    if (exchange->peer != NULL) {
        exchange->peer->since_ms = clock_monotonic_ms();
        exchange->peer->stream = false;
    }
    if (!exchange->response.constant)
        free(exchange->response.bytes);
    if (exchange->response.file)
        close(exchange->response.file_fd);
    drop_body(exchange);
    free(exchange);
    *con_cls = NULL;
}

static void enqueue(struct exchange *exchange)
{
    struct server *server = exchange->server;
    exchange->next = NULL;
    server->waiting_count++;
    server->late_count += exchange->late;
    *server->last_waiting = exchange;
    server->last_waiting = &exchange->next;
}

static void wait_for_turn(struct exchange *exchange)
{
    enqueue(exchange);
    MHD_suspend_connection(exchange->connection);
}

/* Nothing of the library is done with it until its wait is due. */
static void park(struct exchange *exchange)
{
    struct server *server = exchange->server;
    exchange->next = server->parked;
    server->parked = exchange;
    server->api.counts.waiters++;
    exchange->peer->stream = true; /* it has its own time */
    MHD_suspend_connection(exchange->connection);
}

static void resume_parked(struct server *server)
{
    uint64_t now_ms = clock_unix_ms();
    struct exchange **at = &server->parked;
    while (*at != NULL) {
        struct exchange *exchange = *at;
        if (!server->closing && !exchange_due(exchange, now_ms)) {
            at = &exchange->next;
            continue;
        }
        *at = exchange->next;
        server->api.counts.waiters--;
        exchange->peer->stream = false;
        exchange->peer->since_ms = clock_monotonic_ms();
        MHD_resume_connection(exchange->connection);
    }
}

static enum MHD_Result take_param(void *ctx, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct api_request *request = ctx;
    (void)kind;
    if (request->param_count == API_PARAMS_MAX) {
        request->params_left_out = true;
        return MHD_NO;
    }
    request->params[request->param_count++] = (struct api_param){name, value != NULL ? value : ""};
    return MHD_YES;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    return value != NULL && strlen(value) <= API_HEADER_MAX ? value : NULL;
}

static void prepare(struct exchange *exchange, const char *url)
{
    struct MHD_Connection *connection = exchange->connection;
    struct api_request *request = &exchange->request;
    request->path = url;
    request->if_match = header(connection, "If-Match");
    request->if_none_match = header(connection, "If-None-Match");
    request->accept = header(connection, "Accept");
    request->content_type = header(connection, "Content-Type");
    request->by = header(connection, "X-Guard-By");
    request->last_event_id = header(connection, "Last-Event-ID");
    request->body = (struct guard_span){exchange->body, exchange->body_len};
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_param, request);
    exchange->prepared = true;
}

static void find_route(struct exchange *exchange)
{
    if (exchange->too_large)
        problem(&exchange->response, 413, "too-large", NULL, "a body has at most %d bytes",
                (int)exchange->body_max);
    else
        exchange->route = api_route_find(&exchange->request, &exchange->response);
}

/* --- who asks --- */

/* Tokens of clusters are longer than all else. */
static const char *authorization(struct MHD_Connection *connection)
{
    enum { AUTHORIZATION_MAX = 9 * 1024 };
    const char *value =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    return value != NULL && strlen(value) <= AUTHORIZATION_MAX ? value : NULL;
}

/* It isn't known yet. */
static bool is_open(enum credentials_answer answer)
{
    return answer == CREDENTIALS_LATER || answer == CREDENTIALS_ASKED;
}

static enum credentials_answer admit(struct exchange *exchange, bool cheap)
{
    struct server *server = exchange->server;
    struct MHD_Connection *connection = exchange->connection;
    const struct credentials_given given = {
        .authorization = authorization(connection),
        .subject = header(connection, "X-Guard-Subject"),
        .front = header(connection, "X-Guard-Front"),
        .session = MHD_lookup_connection_value(connection, MHD_COOKIE_KIND, SESSION_COOKIE),
        .site = header(connection, "Sec-Fetch-Site"),
        .console = header(connection, "X-Guard-Console"),
        .changes = strcmp(exchange->request.method, "GET") != 0 &&
                   strcmp(exchange->request.method, "HEAD") != 0,
        .front_door = exchange->door->front,
        .uid = exchange->request.uid,
    };
    unsigned retry_s = 0;
    enum credentials_answer answer =
        admission_check(&server->admission, &given, cheap, &exchange->request.access, &retry_s);
    exchange->admitted = answer == CREDENTIALS_GOOD;
    server->api.counts.checks = server->admission.credentials.checks;
    if (answer != CREDENTIALS_GOOD && !is_open(answer))
        admission_refuse(&exchange->response, answer, retry_s);
    return answer;
}

/* --- the stream of alerts --- */

static ssize_t read_stream(void *ctx, uint64_t position, char *out, size_t max)
{
    struct stream *stream = ctx;
    (void)position;
    int64_t n = stream->server->closing || !stream_may_go_on(stream)
                    ? -1
                    : log_stream_read(&stream->log, out, max, clock_monotonic_ms());
    if (n < 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n == 0) {
        MHD_suspend_connection(stream->connection);
        stream->suspended = true;
    }
    return (ssize_t)n;
}

static struct MHD_Response *open_stream(struct exchange *exchange)
{
    struct stream *stream = stream_new(exchange);
    if (stream == NULL)
        return NULL;
    struct MHD_Response *made = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, (size_t)32 * 1024, read_stream, stream, stream_end);
    if (made == NULL) {
        free(stream);
        return NULL;
    }
    stream->server->streams[stream->place] = stream;
    stream->server->api.counts.streams++;
    exchange->peer->stream = true;
    return made;
}

/* --- answers --- */

static struct MHD_Response *make_response(struct exchange *exchange)
{
    struct api_response *response = &exchange->response;
    if (response->stream) {
        struct MHD_Response *made = open_stream(exchange);
        if (made != NULL)
            return made;
        problem(response, 503, "busy", NULL, "there are %d readers already", (int)SERVER_STREAMS);
        response->retry_after_s = 30;
    }
    if (response->file) {
        struct MHD_Response *made =
            MHD_create_response_from_fd64((uint64_t)response->len, response->file_fd);
        response->file = made == NULL; /* the library's from here on */
        return made;
    }
    struct MHD_Response *made = MHD_create_response_from_buffer(
        response->len, response->bytes,
        response->constant || response->bytes == NULL ? MHD_RESPMEM_PERSISTENT
                                                      : MHD_RESPMEM_MUST_FREE);
    if (made != NULL)
        response->bytes = NULL; /* the library's from here on */
    return made;
}

static enum MHD_Result answer(struct exchange *exchange)
{
    const struct api_response *response = &exchange->response;
    char seconds[16];
    struct MHD_Response *made = make_response(exchange);
    if (made == NULL)
        return MHD_NO;
    if (response->content_type != NULL)
        MHD_add_response_header(made, "Content-Type", response->content_type);
    if (response->etag[0] != '\0')
        MHD_add_response_header(made, "ETag", response->etag);
    if (response->allow[0] != '\0')
        MHD_add_response_header(made, "Allow", response->allow);
    if (response->retry_after_s != 0) {
        snprintf(seconds, sizeof(seconds), "%u", response->retry_after_s);
        MHD_add_response_header(made, "Retry-After", seconds);
    }
    if (response->cookie[0] != '\0')
        MHD_add_response_header(made, "Set-Cookie", response->cookie);
    if (response->challenge != NULL)
        MHD_add_response_header(made, MHD_HTTP_HEADER_WWW_AUTHENTICATE, response->challenge);
    MHD_add_response_header(made, "Cache-Control", "no-store");
    MHD_add_response_header(made, "X-Content-Type-Options", "nosniff");
    api_count(&exchange->server->api.counts, response->status);
    enum MHD_Result queued = MHD_queue_response(exchange->connection, response->status, made);
    MHD_destroy_response(made);
    return queued;
}

/* Of those that wait for such a check only some may: each costs time of everybody. */
static enum MHD_Result admit_later(struct exchange *exchange)
{
    if (exchange->server->late_count < SERVER_LATE) {
        exchange->late = true;
        wait_for_turn(exchange);
        return MHD_YES;
    }
    problem(&exchange->response, 503, "busy", NULL, "too many tokens are to be checked just now");
    exchange->response.retry_after_s = 2;
    return answer(exchange);
}

static void refuse_waiting(struct api_response *response)
{
    problem(response, 503, "busy", NULL, "too many answers wait, or guardd ends");
    response->retry_after_s = 5;
}

/* What the cluster says may be of another one's token: then it waits on. */
static enum MHD_Result wait_for_cluster(struct exchange *exchange)
{
    struct server *server = exchange->server;
    if (server->closing || server->api.counts.waiters >= API_WAITERS_MAX) {
        refuse_waiting(&exchange->response);
        return answer(exchange);
    }
    asker_wait(exchange);
    park(exchange);
    return MHD_YES;
}

/* A look that can't be told is refused, but to guardd's own user, who can read the files. */
static void note_look(struct exchange *exchange)
{
    struct server *server = exchange->server;
    struct api_request *request = &exchange->request;
    char what[LOOKS_WHAT_CAP];
    struct guard_err err;
    if (exchange->route->right != API_RIGHT_EVIDENCE || exchange->response.status >= 400)
        return;
    const struct audit_who who = api_who(request);
    api_describe_look(request, what, sizeof(what));
    if (looks_note(&server->looks, &who, request->service, what, clock_unix_ms(), &err) == GUARD_OK)
        return;
    if (server->looks.failed++ == 0)
        log_event("alarm", "looks-not-told", (struct guard_span){NULL, 0}, "%s", err.text);
    if (request->access.role != API_ROLE_LOCAL)
        problem(&exchange->response, 507, "not-written", NULL, "the audit can't be written");
}

/* Whether it is known who asks; *result otherwise: what the library is told. */
static bool know(struct exchange *exchange, enum MHD_Result *result)
{
    if (exchange->admitted)
        return true;
    /* Not before those that wait for it. */
    enum credentials_answer admitted =
        admit(exchange, !exchange->late && exchange->server->late_count > 0);
    if (admitted != CREDENTIALS_GOOD)
        *result = admitted == CREDENTIALS_LATER   ? admit_later(exchange)
                  : admitted == CREDENTIALS_ASKED ? wait_for_cluster(exchange)
                                                  : answer(exchange);
    return admitted == CREDENTIALS_GOOD;
}

/* The same of what they may. */
static bool authorise(struct exchange *exchange, enum MHD_Result *result)
{
    struct server *server = exchange->server;
    enum credentials_answer authorised =
        admission_authorise(&server->admission, exchange->route, server->api.view.services,
                            &exchange->request, &exchange->response);
    exchange->authorised = authorised == CREDENTIALS_GOOD;
    if (!exchange->authorised)
        *result = authorised == CREDENTIALS_ASKED ? wait_for_cluster(exchange) : answer(exchange);
    return exchange->authorised;
}

/* Whether the handler may be called, again: what was said of who asks may be over meanwhile, and is
 * asked for again. */
static bool let_in(struct exchange *exchange, enum MHD_Result *result)
{
    exchange->asked = false;
    while (asker_stands(exchange)) {
        if (exchange->authorised) {
            if (asker_permitted(exchange))
                return true;
            break;
        }
        if (!know(exchange, result))
            return false;
        exchange->late = false;
        if (exchange->route == NULL)
            find_route(exchange);
        if (exchange->route == NULL)
            break;
        if (!authorise(exchange, result))
            return false;
    }
    *result = answer(exchange);
    return false;
}

static enum MHD_Result work(struct exchange *exchange)
{
    struct server *server = exchange->server;
    enum MHD_Result result = MHD_NO;
    if (exchange->refused)
        return answer(exchange);
    if (!let_in(exchange, &result))
        return result;
    if (clock_monotonic_ms() - server->turn_ms >= SERVER_TURN_MS) {
        wait_for_turn(exchange);
        return MHD_YES;
    }
    if (!sharing_begin(&server->api, &exchange->request, exchange->route, &exchange->response))
        return answer(exchange);
    enum api_step step =
        exchange->route->handler(&server->api, &exchange->request, &exchange->response);
    if (step == API_AGAIN) {
        wait_for_turn(exchange);
        return MHD_YES;
    }
    if (step == API_LATER) {
        if (!server->closing && server->api.counts.waiters < API_WAITERS_MAX) {
            if (!exchange->request.wait.keeps_body)
                drop_body(exchange);
            park(exchange);
            return MHD_YES;
        }
        refuse_waiting(&exchange->response);
    }
    sharing_end(&server->api, &exchange->request, exchange->route, &exchange->response);
    note_look(exchange);
    bool reads = strcmp(exchange->route->method, "GET") == 0;
    if (!reads && !exchange->response.quiet && exchange->response.status < 400)
        server->api.changed = true;
    return answer(exchange);
}

static enum MHD_Result take_body(struct exchange *exchange, const char *data, size_t len)
{
    struct api_counts *counts = &exchange->server->api.counts;
    bool report = exchange->body_max == API_REPORT_MAX;
    if (exchange->refused)
        return MHD_YES;
    if (exchange->too_large || len > exchange->body_max - exchange->body_len) {
        exchange->too_large = true;
        return MHD_YES;
    }
    if (report && counts->report_bytes + len > API_REPORTS_MAX)
        return MHD_NO; /* whoever sends it comes again, later */
    uint8_t *grown = realloc(exchange->body, exchange->body_len + len + 1);
    if (grown == NULL)
        return MHD_NO;
    memcpy(grown + exchange->body_len, data, len);
    exchange->body = grown;
    exchange->body_len += len;
    if (report)
        counts->report_bytes += len;
    return MHD_YES;
}

/* A body that says that it is too large isn't waited for. */
static bool says_too_large(struct MHD_Connection *connection, size_t max)
{
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length != NULL && (strlen(length) > 9 || strtol(length, NULL, 10) > (long)max);
}

static struct exchange *new_exchange(const struct door *door, struct MHD_Connection *connection,
                                     const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL || info == NULL || info->socket_context == NULL) {
        free(exchange);
        return NULL;
    }
    exchange->server = door->server;
    exchange->door = door;
    exchange->connection = connection;
    exchange->peer = info->socket_context;
    exchange->request.method = method;
    exchange->request.uid = listener_peer(exchange->peer->fd);
    return exchange;
}

static bool has_body(struct MHD_Connection *connection)
{
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return (length != NULL && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                       MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

/* Of whom nothing is allowed no body is kept. It is read all the same: an answer at this point
 * would end the connection, and a proxy that is still sending takes that for a failure. */
static enum MHD_Result begin(const struct door *door, struct MHD_Connection *connection,
                             const char *url, const char *method, void **con_cls)
{
    struct exchange *exchange = new_exchange(door, connection, method);
    if (exchange == NULL)
        return MHD_NO;
    exchange->body_max = api_body_max(url, method);
    *con_cls = exchange;
    if (!has_body(connection))
        return MHD_YES;
    enum credentials_answer admitted = admit(exchange, true);
    exchange->refused = admitted != CREDENTIALS_GOOD && !is_open(admitted);
    if (!says_too_large(connection, exchange->body_max))
        return MHD_YES;
    if (exchange->refused)
        return answer(exchange);
    exchange->too_large = true;
    prepare(exchange, url);
    find_route(exchange);
    return answer(exchange);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **con_cls)
{
    struct exchange *exchange = *con_cls;
    (void)version;
    if (exchange == NULL)
        return begin(ctx, connection, url, method, con_cls);
    if (*len > 0) {
        size_t some = *len;
        *len = 0;
        return take_body(exchange, data, some);
    }
    if (!exchange->prepared)
        prepare(exchange, url);
    return work(exchange);
}

/* --- turns --- */

/* Each of those that wait gets a turn before any gets a second one. Of those whose token is to be
 * checked only the oldest gets one, when it is time. */
static void resume_waiting(struct server *server)
{
    struct exchange *exchange = server->waiting;
    bool free = clock_monotonic_ms() >= server->admission.credentials.free_ms;
    server->waiting = NULL;
    server->last_waiting = &server->waiting;
    server->waiting_count = server->late_count = 0;
    while (exchange != NULL) {
        struct exchange *next = exchange->next;
        if (exchange->late && !free && !server->closing) {
            enqueue(exchange);
        } else {
            free = free && !exchange->late;
            MHD_resume_connection(exchange->connection);
        }
        exchange = next;
    }
}

static void resume_streams(struct server *server, uint64_t now_ms)
{
    for (int i = 0; i < SERVER_STREAMS; i++) {
        struct stream *stream = server->streams[i];
        if (stream == NULL || !stream->suspended ||
            (!server->closing && stream_may_go_on(stream) && !log_stream_due(&stream->log, now_ms)))
            continue;
        stream->suspended = false;
        MHD_resume_connection(stream->connection);
    }
}

static void turn(struct server *server)
{
    server->turn_ms = clock_monotonic_ms();
    sweep(server, server->turn_ms);
    resume_waiting(server);
    bool said = cluster_reviews_run(accounts_reviews(server->admission.accounts));
    said = cluster_reviews_run(cluster_users_reviews(server->admission.users)) || said;
    if (said)
        resume_parked(server);
    for (int i = 0; i < DOORS; i++) {
        if (server->doors[i].daemon != NULL)
            MHD_run(server->doors[i].daemon);
    }
}

/* Milliseconds until there is something to do that no descriptor tells of, at most max. */
static int pause_ms(struct server *server, uint64_t max)
{
    uint64_t now = clock_monotonic_ms();
    if (server->waiting_count > server->late_count)
        return 0;
    max = cluster_reviews_wait_ms(accounts_reviews(server->admission.accounts), (uint32_t)max);
    max = cluster_reviews_wait_ms(cluster_users_reviews(server->admission.users), (uint32_t)max);
    if (server->late_count > 0) {
        uint64_t free_ms = server->admission.credentials.free_ms;
        max = free_ms <= now ? 0 : free_ms - now < max ? free_ms - now : max;
    }
    for (int i = 0; i < DOORS; i++) {
        MHD_UNSIGNED_LONG_LONG due = 1;
        if (server->doors[i].daemon != NULL &&
            MHD_get_timeout(server->doors[i].daemon, &due) == MHD_YES && due == 0)
            return 0;
    }
    return (int)max;
}

static bool wait_for_clients(struct server *server, uint64_t max, int wake_fd, bool *woken)
{
    struct pollfd waited[DOORS + 3] = {
        {.fd = wake_fd, .events = POLLIN},
        {.fd = cluster_reviews_fd(accounts_reviews(server->admission.accounts)), .events = POLLIN},
        {.fd = cluster_reviews_fd(cluster_users_reviews(server->admission.users)),
         .events = POLLIN}};
    nfds_t count = 3;
    for (int i = 0; i < DOORS; i++) {
        if (server->doors[i].daemon != NULL)
            waited[count++] = (struct pollfd){.fd = server->doors[i].epoll_fd, .events = POLLIN};
    }
    bool good = poll(waited, count, pause_ms(server, max)) >= 0;
    *woken = good && waited[0].revents != 0;
    return good;
}

void server_run(struct server *server, uint32_t ms, int wake_fd)
{
    struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
    if (server == NULL) {
        (void)poll(&wake, 1, (int)ms);
        return;
    }
    uint64_t begin_ms = clock_monotonic_ms();
    resume_streams(server, begin_ms);
    resume_parked(server);
    turn(server);
    for (;;) {
        uint64_t spent = clock_monotonic_ms() - begin_ms;
        if (spent >= ms || server->api.changed)
            return;
        bool woken = false;
        if (!wait_for_clients(server, ms - spent, wake_fd, &woken))
            return;
        turn(server);
        if (woken)
            return;
    }
}

bool server_changed(struct server *server)
{
    bool changed = server != NULL && server->api.changed;
    if (changed)
        server->api.changed = false;
    return changed;
}

/* --- life --- */

static struct MHD_Daemon *start(struct door *door, int listener)
{
    const unsigned own = door->server->api.view.connections;
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, door,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listener, MHD_OPTION_CONNECTION_LIMIT,
        own > 0 ? own : (unsigned)SERVER_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)SERVER_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVER_HEADERS,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, door->server, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

static const char *socket_of(const struct door *door)
{
    return door->front ? API_FRONT_SOCKET : API_SOCKET;
}

static enum guard_rc open_door(struct server *server, int place, const char *group,
                               struct guard_err *err)
{
    struct door *door = &server->doors[place];
    int listener = -1;
    door->server = server;
    door->front = place == FRONT_DOOR;
    GUARD_TRY(listener_open(&listener, server->api.view.state, socket_of(door), group, err));
    door->daemon = start(door, listener);
    if (door->daemon == NULL) {
        close(listener);
        return guard_fail(err, GUARD_E_IO, "the HTTP library doesn't start");
    }
    door->epoll_fd = MHD_get_daemon_info(door->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return GUARD_OK;
}

static void close_doors(struct server *server)
{
    for (int i = 0; i < DOORS; i++) {
        if (server->doors[i].daemon != NULL)
            MHD_stop_daemon(server->doors[i].daemon);
    }
    admission_fini(&server->admission);
    free(server);
}

enum guard_rc server_open(struct server **out, const struct api_view *view, const char *group,
                          bool front, struct guard_err *err)
{
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for the API");
    server->api.view = *view;
    server->api.sessions = &server->admission.credentials.sessions;
    server->looks.dir = view->state;
    server->last_waiting = &server->waiting;
    enum guard_rc rc = admission_init(&server->admission, view, err);
    server->api.admission = &server->admission;
    if (rc == GUARD_OK)
        rc = open_door(server, LOCAL_DOOR, group, err);
    if (rc == GUARD_OK && front)
        rc = open_door(server, FRONT_DOOR, group, err);
    if (rc != GUARD_OK) {
        close_doors(server);
        return rc;
    }
    *out = server;
    return GUARD_OK;
}

void server_close(struct server *server)
{
    if (server == NULL)
        return;
    for (int i = 0; i < DOORS; i++) {
        if (server->doors[i].daemon != NULL)
            listener_remove(server->api.view.state, socket_of(&server->doors[i]));
    }
    server->closing = true;
    resume_streams(server, clock_monotonic_ms());
    resume_parked(server);
    turn(server);
    resume_waiting(server);
    looks_tell(&server->looks, clock_unix_ms(), true);
    close_doors(server);
}
