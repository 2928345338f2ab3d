/* SPDX-License-Identifier: Apache-2.0 */
/* The data store of the demo: a process of its own, so that its traffic with the service crosses a
 * real boundary, which executes each line of SQL that it is sent and answers with one JSON object
 * per row and, as the last line, an array: ["rows",N] or ["error","..."]. It trusts its caller
 * completely, as data stores do. */
#include "names.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PEERS = 16, LINE_SIZE = 256 * 1024, ANSWER_LIMIT = 4 * 1024 * 1024 };

struct peer {
    int fd;
    size_t len;
    char line[LINE_SIZE];
};

struct text {
    char *bytes; /* ANSWER_LIMIT of them */
    size_t len;
    bool full;
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static void put(struct text *out, const char *bytes, size_t len)
{
    if (len > ANSWER_LIMIT - out->len) {
        out->full = true;
        return;
    }
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
}

static void put_string(struct text *out, const char *text)
{
    put(out, "\"", 1);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        char escaped[8];
        if (byte == '"' || byte == '\\') {
            escaped[0] = '\\';
            escaped[1] = *text;
            put(out, escaped, 2);
        } else if (byte < 0x20) {
            (void)snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
            put(out, escaped, 6);
        } else {
            put(out, text, 1);
        }
    }
    put(out, "\"", 1);
}

static void put_row(struct text *out, sqlite3_stmt *statement)
{
    int columns = sqlite3_column_count(statement);
    for (int i = 0; i < columns; i++) {
        put(out, i == 0 ? "{" : ",", 1);
        put_string(out, sqlite3_column_name(statement, i));
        put(out, ":", 1);
        int type = sqlite3_column_type(statement, i);
        const char *value = (const char *)sqlite3_column_text(statement, i);
        if (type == SQLITE_NULL || value == NULL) {
            put(out, "null", 4);
        } else if (type == SQLITE_INTEGER) {
            put(out, value, strlen(value));
        } else {
            put_string(out, value);
        }
    }
    put(out, "}\n", 2);
}

/* Runs all statements of one line. */
static void execute(sqlite3 *database, const char *sql, struct text *out)
{
    char tail[64];
    unsigned long rows = 0;
    int rc = SQLITE_OK;
    out->len = 0;
    out->full = false;
    while (rc == SQLITE_OK && *sql != '\0') {
        sqlite3_stmt *statement = NULL;
        rc = sqlite3_prepare_v2(database, sql, -1, &statement, &sql);
        if (rc != SQLITE_OK || statement == NULL) {
            continue;
        }
        while ((rc = sqlite3_step(statement)) == SQLITE_ROW && !out->full) {
            put_row(out, statement);
            rows++;
        }
        rc = sqlite3_finalize(statement);
    }
    if (rc != SQLITE_OK || out->full) {
        out->len = 0;
        put(out, "[\"error\",", 9);
        put_string(out, out->full ? "the answer is too long" : sqlite3_errmsg(database));
        put(out, "]\n", 2);
        return;
    }
    (void)snprintf(tail, sizeof(tail), "[\"rows\",%lu]\n", rows);
    put(out, tail, strlen(tail));
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* False when the peer is gone or talks nonsense. */
static bool serve(struct peer *peer, sqlite3 *database, struct text *out)
{
    ssize_t got = recv(peer->fd, peer->line + peer->len, LINE_SIZE - 1 - peer->len, 0);
    if (got <= 0) {
        return got < 0 && errno == EINTR;
    }
    peer->len += (size_t)got;
    char *end = NULL;
    while ((end = memchr(peer->line, '\n', peer->len)) != NULL) {
        *end = '\0';
        execute(database, peer->line, out);
        if (!send_all(peer->fd, out->bytes, out->len)) {
            return false;
        }
        peer->len -= (size_t)(end + 1 - peer->line);
        memmove(peer->line, end + 1, peer->len);
    }
    return peer->len < LINE_SIZE - 1;
}

static bool run_sql(sqlite3 *database, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(database, sql, NULL, NULL, &message) == SQLITE_OK) {
        return true;
    }
    (void)fprintf(stderr, "guard-demo-store: %s\n", message != NULL ? message : "out of memory");
    sqlite3_free(message);
    return false;
}

static bool add_user(sqlite3_stmt *insert, uint64_t seed, uint64_t index)
{
    static const char *const roles[] = {"customer", "customer", "customer", "clerk", "admin"};
    char name[DEMO_NAME_SIZE];
    char full[2 * DEMO_NAME_SIZE + 8];
    char email[2 * DEMO_NAME_SIZE];
    uint64_t state = seed + index;
    demo_name(name, seed, index);
    (void)snprintf(full, sizeof(full), "%c%s %c.", name[0] - 'a' + 'A', name + 1,
                   (int)('A' + demo_below(&state, 26)));
    (void)snprintf(email, sizeof(email), "%s@example.com", name);
    bool bound =
        sqlite3_bind_text(insert, 1, name, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
        sqlite3_bind_text(insert, 2, full, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
        sqlite3_bind_text(insert, 3, email, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
        sqlite3_bind_text(insert, 4, roles[demo_below(&state, 5)], -1, SQLITE_STATIC) == SQLITE_OK;
    bool done = bound && sqlite3_step(insert) == SQLITE_DONE;
    return sqlite3_reset(insert) == SQLITE_OK && done;
}

static bool fill(sqlite3 *database, uint64_t seed)
{
    static const char schema[] =
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
        "DROP TABLE IF EXISTS users; DROP TABLE IF EXISTS coupons; DROP TABLE IF EXISTS orders;"
        "CREATE TABLE users(id INTEGER PRIMARY KEY, username TEXT UNIQUE, full_name TEXT, email "
        "TEXT, role TEXT);"
        "CREATE TABLE coupons(code TEXT PRIMARY KEY, percent INTEGER);"
        "CREATE TABLE orders(id INTEGER PRIMARY KEY, item TEXT, quantity INTEGER, coupon TEXT);"
        "INSERT INTO coupons "
        "VALUES('SPRING10',10),('SUMMER15',15),('WELCOME5',5),('LOYAL20',20),('STAFF90',90);"
        "BEGIN";
    sqlite3_stmt *insert = NULL;
    if (!run_sql(database, schema)) {
        return false;
    }
    bool ok =
        sqlite3_prepare_v2(
            database, "INSERT OR IGNORE INTO users(username,full_name,email,role) VALUES(?,?,?,?)",
            -1, &insert, NULL) == SQLITE_OK;
    for (uint64_t i = 0; ok && i < DEMO_USERS; i++) {
        ok = add_user(insert, seed, i);
    }
    ok = sqlite3_finalize(insert) == SQLITE_OK && ok;
    return ok && run_sql(database, "COMMIT");
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        (void)fprintf(stderr, "guard-demo-store: the path of the socket is too long: %s\n", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, PEERS) != 0) {
        (void)fprintf(stderr, "guard-demo-store: %s: %s\n", path, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    return fd;
}

static void accept_peer(int listener, struct peer *peers)
{
    int fd = accept(listener, NULL, NULL);
    for (size_t i = 0; fd >= 0 && i < PEERS; i++) {
        if (peers[i].fd < 0) {
            peers[i].fd = fd;
            peers[i].len = 0;
            return;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void serve_all(int listener, sqlite3 *database, struct peer *peers, struct text *out)
{
    struct pollfd watched[PEERS + 1];
    while (!stopping) {
        for (size_t i = 0; i < PEERS; i++) {
            watched[i] = (struct pollfd){peers[i].fd, POLLIN, 0};
        }
        watched[PEERS] = (struct pollfd){listener, POLLIN, 0};
        if (poll(watched, PEERS + 1, 1000) <= 0) {
            continue;
        }
        for (size_t i = 0; i < PEERS; i++) {
            if (watched[i].revents != 0 && !serve(&peers[i], database, out)) {
                (void)close(peers[i].fd);
                peers[i].fd = -1;
            }
        }
        if (watched[PEERS].revents != 0) {
            accept_peer(listener, peers);
        }
    }
}

static int run(const char *path, const char *file, uint64_t seed)
{
    int status = 1;
    int listener = -1;
    sqlite3 *database = NULL;
    struct text out = {.bytes = malloc(ANSWER_LIMIT)};
    struct peer *peers = calloc(PEERS, sizeof(*peers));
    if (out.bytes == NULL || peers == NULL) {
        (void)fputs("guard-demo-store: out of memory\n", stderr);
        goto out;
    }
    for (size_t i = 0; i < PEERS; i++) {
        peers[i].fd = -1;
    }
    if (sqlite3_open(file, &database) != SQLITE_OK || !fill(database, seed)) {
        (void)fprintf(stderr, "guard-demo-store: cannot make the database %s\n", file);
        goto out;
    }
    listener = listen_at(path);
    if (listener < 0) {
        goto out;
    }
    (void)printf("guard-demo-store: listening on %s\n", path);
    (void)fflush(stdout);
    serve_all(listener, database, peers, &out);
    (void)unlink(path);
    status = 0;
out:
    if (listener >= 0) {
        (void)close(listener);
    }
    (void)sqlite3_close(database);
    free(peers);
    free(out.bytes);
    return status;
}

static void usage(FILE *stream)
{
    (void)fputs("Usage: guard-demo-store --socket PATH [--database FILE] [--seed N]\n"
                "The data store of Guard's demo: executes the lines of SQL which it is sent. Do "
                "not expose it.\n",
                stream);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"database", required_argument, NULL, 'd'},
        {"seed", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *path = NULL;
    const char *file = ":memory:";
    uint64_t seed = 0;
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 's') {
            path = optarg;
        } else if (option == 'd') {
            file = optarg;
        } else if (option == 'h') {
            usage(stdout);
            return 0;
        } else if (option != 'r' || !demo_number(&seed, optarg, 0, UINT32_MAX)) {
            usage(stderr);
            return 2;
        }
    }
    if (path == NULL || optind != argc) {
        usage(stderr);
        return 2;
    }
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    return run(path, file, seed);
}
