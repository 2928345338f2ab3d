/* SPDX-License-Identifier: Apache-2.0 */
/* The service that the demo protects. It is vulnerable on purpose: it builds SQL by joining strings
 * and has its own idea of quoting. Never expose it, never copy from it. */
#include "names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BODY_LIMIT = 1024 * 1024,
    SQL_SIZE = 128 * 1024,
    ANSWER_SIZE = 5 * 1024 * 1024,
    CONNECTIONS = 2048
};

/* All of it is used by the server's only thread. */
struct service {
    struct demo_words words;
    const char *store_path;
    int store;    /* -1: not connected */
    char *answer; /* ANSWER_SIZE bytes */
    size_t answer_len;
    size_t rows_len; /* bytes of the answer before its last line */
    char *sql;       /* SQL_SIZE bytes */
};

struct upload {
    size_t len;
    bool too_long;
    char bytes[];
};

static bool store_connect(struct service *service)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (service->store >= 0) {
        return true;
    }
    if (strlen(service->store_path) >= sizeof(address.sun_path)) {
        return false;
    }
    memcpy(address.sun_path, service->store_path, strlen(service->store_path) + 1);
    service->store = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (service->store >= 0 &&
        connect(service->store, (struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(service->store);
        service->store = -1;
    }
    return service->store >= 0;
}

/* The last line of an answer is the only one that starts with '['. */
static bool answer_complete(struct service *service)
{
    const char *bytes = service->answer;
    size_t len = service->answer_len;
    if (len == 0 || bytes[len - 1] != '\n') {
        return false;
    }
    const char *before = memrchr(bytes, '\n', len - 1);
    const char *last = before == NULL ? bytes : before + 1;
    service->rows_len = (size_t)(last - bytes);
    return *last == '[';
}

static bool store_exchange(struct service *service)
{
    size_t len = strlen(service->sql);
    const char *next = service->sql;
    while (len > 0) {
        ssize_t sent = send(service->store, next, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        next += sent;
        len -= (size_t)sent;
    }
    service->answer_len = 0;
    do {
        ssize_t got = recv(service->store, service->answer + service->answer_len,
                           ANSWER_SIZE - 1 - service->answer_len, 0);
        if (got <= 0) {
            return false;
        }
        service->answer_len += (size_t)got;
    } while (!answer_complete(service));
    service->answer[service->answer_len] = '\0';
    return true;
}

/* Sends service->sql to the store; the answer's rows are service->answer up to rows_len. */
static bool store_query(struct service *service)
{
    size_t len = strlen(service->sql);
    for (size_t i = 0; i < len; i++) {
        if (service->sql[i] == '\n' || service->sql[i] == '\r') {
            service->sql[i] = ' ';
        }
    }
    service->sql[len] = '\n';
    service->sql[len + 1] = '\0';
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!store_connect(service)) {
            break;
        }
        if (store_exchange(service)) {
            return true;
        }
        (void)close(service->store);
        service->store = -1;
    }
    return false;
}

static bool store_refused(const struct service *service)
{
    return strncmp(service->answer + service->rows_len, "[\"error\"", 8) == 0;
}

/* The vulnerability. Old clients append a sort order to the value ("tom order by email"), so
 * somebody decided that only the first word needs quotes and that the rest may go into the query as
 * it is: tom              ->  'tom' tom or 1=1       ->  'tom' or 1=1           returns every row
 * A value that brings quotes of its own is put between quotes unchanged, the classic mistake:
 *     tom' or '1'='1   ->  'tom' or '1'='1'       returns every row
 */
static void append_quoted(char *sql, const char *value)
{
    size_t used = strlen(sql);
    size_t first = strcspn(value, " \t\r\n");
    if (strchr(value, '\'') != NULL) {
        first = strlen(value);
    }
    (void)snprintf(sql + used, SQL_SIZE - 2 - used, "'%.*s'%s", (int)first, value, value + first);
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, char *text,
                                   size_t len, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(len, text, mode);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_error(struct MHD_Connection *connection, unsigned status,
                                    const char *text)
{
    char line[128];
    int len = snprintf(line, sizeof(line), "{\"error\":\"%s\"}\n", text);
    return answer_text(connection, status, line, (size_t)len, MHD_RESPMEM_MUST_COPY);
}

/* {"<name>":[row,row],"count":n} */
static enum MHD_Result answer_rows(struct service *service, struct MHD_Connection *connection,
                                   unsigned status, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i + 1 < service->rows_len; i++) {
        if (service->answer[i] == '\n') {
            service->answer[i] = ',';
            count++;
        }
    }
    count += service->rows_len > 0 ? 1 : 0;
    size_t rows_len = service->rows_len > 0 ? service->rows_len - 1 : 0;
    char *text = NULL;
    int len = asprintf(&text, "{\"%s\":[%.*s],\"count\":%zu}\n", name, (int)rows_len,
                       service->answer, count);
    if (len < 0) {
        return MHD_NO;
    }
    return answer_text(connection, status, text, (size_t)len, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result answer_query(struct service *service, struct MHD_Connection *connection,
                                    unsigned status, const char *name)
{
    if (!store_query(service)) {
        return answer_error(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no data store");
    }
    if (store_refused(service)) {
        return answer_error(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "the query failed");
    }
    return answer_rows(service, connection, status, name);
}

static enum MHD_Result find_users(struct service *service, struct MHD_Connection *connection)
{
    const char *name =
        MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, service->words.users_param);
    if (name == NULL || name[0] == '\0' || strlen(name) > SQL_SIZE / 2) {
        return answer_error(connection, MHD_HTTP_BAD_REQUEST, "whom do you look for?");
    }
    (void)snprintf(service->sql, SQL_SIZE,
                   "SELECT username, full_name, email, role FROM users WHERE username = ");
    append_quoted(service->sql, name);
    return answer_query(service, connection, MHD_HTTP_OK, "users");
}

static enum MHD_Result show_order(struct service *service, struct MHD_Connection *connection,
                                  const char *id)
{
    uint64_t number = 0;
    if (!demo_number(&number, id, 0, INT64_MAX)) {
        return answer_error(connection, MHD_HTTP_BAD_REQUEST, "an order has a number");
    }
    (void)snprintf(service->sql, SQL_SIZE, "SELECT id, item, quantity FROM orders WHERE id = %llu",
                   (unsigned long long)number);
    return answer_query(service, connection, MHD_HTTP_OK, "orders");
}

/* The item goes in as hexadecimal digits, so here nothing can be injected; old orders go out. */
static void build_insert(char *sql, const char *item, json_int_t quantity)
{
    int used = snprintf(sql, SQL_SIZE, "INSERT INTO orders(quantity,item) VALUES(%lld,CAST(X'",
                        (long long)quantity);
    for (; *item != '\0'; item++) {
        used += snprintf(sql + used, 3, "%02x", (unsigned)(unsigned char)*item);
    }
    (void)snprintf(sql + used, (size_t)(SQL_SIZE - used),
                   "' AS TEXT)); DELETE FROM orders WHERE id <= last_insert_rowid() - 1000");
}

/* The coupon goes the same bad way as the user name. */
static enum MHD_Result add_order(struct service *service, struct MHD_Connection *connection,
                                 const struct upload *body)
{
    json_t *order = json_loadb(body->bytes, body->len, 0, NULL);
    const char *item = json_string_value(json_object_get(order, "item"));
    json_int_t quantity = json_integer_value(json_object_get(order, "quantity"));
    const char *coupon = json_string_value(json_object_get(order, service->words.orders_field));
    enum MHD_Result result = MHD_NO;
    if (item == NULL || quantity < 1 || strlen(item) > 1000 ||
        (coupon != NULL && strlen(coupon) > SQL_SIZE / 2)) {
        result =
            answer_error(connection, MHD_HTTP_BAD_REQUEST, "an order has an item and a quantity");
        goto out;
    }
    build_insert(service->sql, item, quantity);
    if (!store_query(service) || store_refused(service)) {
        result = answer_error(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no data store");
        goto out;
    }
    (void)snprintf(service->sql, SQL_SIZE, "SELECT code, percent FROM coupons WHERE code = ");
    append_quoted(service->sql, coupon != NULL && coupon[0] != '\0' ? coupon : "none");
    result = answer_query(service, connection, MHD_HTTP_CREATED, "coupons");
out:
    json_decref(order);
    return result;
}

/* Collects the body; the connection's state is freed in finish(). */
static enum MHD_Result collect(void **state, const char *data, size_t *len)
{
    struct upload *body = *state;
    if (body->too_long || *len > BODY_LIMIT - body->len) {
        body->too_long = true;
        *len = 0;
        return MHD_YES;
    }
    struct upload *grown = realloc(body, sizeof(*body) + body->len + *len);
    if (grown == NULL) {
        return MHD_NO;
    }
    memcpy(grown->bytes + grown->len, data, *len);
    grown->len += *len;
    *state = grown;
    *len = 0;
    return MHD_YES;
}

static enum MHD_Result route(struct service *service, struct MHD_Connection *connection,
                             const char *path, const char *method, const struct upload *body)
{
    size_t orders_len = strlen(service->words.orders_path);
    bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (get && strcmp(path, service->words.users_path) == 0) {
        return find_users(service, connection);
    }
    if (strncmp(path, service->words.orders_path, orders_len) == 0) {
        if (get && path[orders_len] == '/') {
            return show_order(service, connection, path + orders_len + 1);
        }
        if (path[orders_len] == '\0' && strcmp(method, "POST") == 0) {
            return body->too_long ? answer_error(connection, MHD_HTTP_CONTENT_TOO_LARGE, "too long")
                                  : add_order(service, connection, body);
        }
    }
    return answer_error(connection, MHD_HTTP_NOT_FOUND, "there is nothing here");
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *data, size_t *len, void **state)
{
    (void)version;
    if (*state == NULL) {
        *state = calloc(1, sizeof(struct upload));
        return *state != NULL ? MHD_YES : MHD_NO;
    }
    if (*len > 0) {
        return collect(state, data, len);
    }
    return route(context, connection, path, method, *state);
}

static void finish(void *context, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode reason)
{
    (void)context;
    (void)connection;
    (void)reason;
    free(*state);
    *state = NULL;
}

/* Serves until a signal of `stop` arrives. By poll: libmicrohttpd's loop over epoll fetches 128
 * events at a time, and when there were just as many, it waits for more before it serves them. */
static int run(struct service *service, uint16_t port, const sigset_t *stop)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, port, NULL, NULL, on_request, service,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_NOTIFY_COMPLETED, finish,
        NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
        300U, MHD_OPTION_END);
    if (daemon == NULL) {
        (void)fprintf(stderr, "guard-demo-service: cannot listen on 127.0.0.1:%u\n", port);
        return 1;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    (void)printf("guard-demo-service: listening on http://127.0.0.1:%u\n",
                 info != NULL ? info->port : port);
    (void)fflush(stdout);
    int number = 0;
    (void)sigwait(stop, &number);
    MHD_stop_daemon(daemon);
    return 0;
}

static void usage(FILE *stream)
{
    (void)fputs(
        "Usage: guard-demo-service --store SOCKET [--port N] [--users-path P] [--users-param N]\n"
        "                          [--orders-path P] [--orders-field N]\n"
        "The service of Guard's demo, on 127.0.0.1. It is vulnerable on purpose: do not expose "
        "it.\n",
        stream);
}

static bool set_option(struct service *service, uint64_t *port, int option)
{
    switch (option) {
    case 's':
        service->store_path = optarg;
        return true;
    case 'p':
        return demo_number(port, optarg, 0, UINT16_MAX);
    case 'u':
        service->words.users_path = optarg;
        return optarg[0] == '/';
    case 'n':
        service->words.users_param = optarg;
        return true;
    case 'o':
        service->words.orders_path = optarg;
        return optarg[0] == '/';
    case 'f':
        service->words.orders_field = optarg;
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"store", required_argument, NULL, 's'},
        {"port", required_argument, NULL, 'p'},
        {"users-path", required_argument, NULL, 'u'},
        {"users-param", required_argument, NULL, 'n'},
        {"orders-path", required_argument, NULL, 'o'},
        {"orders-field", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct service service = {.store = -1};
    uint64_t port = 0;
    int option = 0;
    sigset_t stop;
    demo_words_pick(&service.words, 0);
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            usage(stdout);
            return 0;
        }
        if (!set_option(&service, &port, option)) {
            usage(stderr);
            return 2;
        }
    }
    if (service.store_path == NULL || optind != argc) {
        usage(stderr);
        return 2;
    }
    service.answer = malloc(ANSWER_SIZE);
    service.sql = malloc(SQL_SIZE);
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTERM);
    (void)sigaddset(&stop, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &stop, NULL);
    int status =
        service.answer != NULL && service.sql != NULL ? run(&service, (uint16_t)port, &stop) : 1;
    if (service.store >= 0) {
        (void)close(service.store);
    }
    free(service.answer);
    free(service.sql);
    return status;
}
