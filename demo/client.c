/* SPDX-License-Identifier: Apache-2.0 */
/* The client reads just enough of HTTP to know where an answer ends: a length, chunks, or the
 * connection's end. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NETWORKS = 250 };

void demo_client_init(struct demo_client *client, uint32_t number)
{
    memset(client, 0, sizeof(*client));
    /* 127.1.1.1, 127.1.2.1, ...: each client in a /24 network of its own. */
    client->from.s_addr =
        htonl((127U << 24) | ((1 + number / NETWORKS) << 16) | ((1 + number % NETWORKS) << 8) | 1U);
    client->fd = -1;
    client->idle = true;
}

void demo_client_fini(struct demo_client *client)
{
    if (client->fd >= 0) {
        (void)close(client->fd);
    }
    client->fd = -1;
    client->reused = false;
}

static bool open_connection(struct demo_client *client, const struct sockaddr_in *server)
{
    int one = 1;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = client->from};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    client->reused = false;
    if (client->fd < 0) {
        return false;
    }
    /* The port is chosen at connect, so that many clients never run out of ports. */
    (void)setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (bind(client->fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
        connect(client->fd, (const struct sockaddr *)server, sizeof(*server)) == 0 &&
        fcntl(client->fd, F_SETFL, O_NONBLOCK) == 0) {
        return true;
    }
    demo_client_fini(client);
    return false;
}

bool demo_client_start(struct demo_client *client, const struct sockaddr_in *server)
{
    client->idle = true;
    if (client->fd < 0 && !open_connection(client, server)) {
        return false;
    }
    client->idle = false;
    client->sent = 0;
    client->head_len = 0;
    client->in_body = false;
    client->chunked = false;
    client->close = false;
    client->status = 0;
    client->remaining = 0;
    client->line_len = 0;
    client->last_chunk = false;
    return true;
}

short demo_client_events(const struct demo_client *client)
{
    return (short)(client->sent < client->len ? POLLIN | POLLOUT : POLLIN);
}

static enum demo_progress end(struct demo_client *client, bool answered)
{
    client->idle = true;
    client->reused = true;
    if (client->close || !answered) {
        demo_client_fini(client);
    }
    return answered ? DEMO_ANSWERED : DEMO_FAILED;
}

static const char *find_header(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':') {
            const char *value = line + 3 + len;
            return value + strspn(value, " \t");
        }
    }
    return NULL;
}

/* Reads the head, which ends with a NUL here. False when it is no HTTP answer. */
static bool read_head(struct demo_client *client)
{
    const char *head = client->head;
    const char *length = find_header(head, "Content-Length");
    const char *coding = find_header(head, "Transfer-Encoding");
    const char *connection = find_header(head, "Connection");
    if (strncmp(head, "HTTP/1.", 7) != 0 || strlen(head) < 12) {
        return false;
    }
    for (int i = 9; i < 12; i++) {
        if (head[i] < '0' || head[i] > '9') {
            return false;
        }
        client->status = client->status * 10 + (unsigned)(head[i] - '0');
    }
    client->chunked = coding != NULL && strncasecmp(coding, "chunked", 7) == 0;
    client->close = connection != NULL && strncasecmp(connection, "close", 5) == 0;
    client->in_body = true;
    if (client->chunked || client->status == 204 || client->status == 304) {
        return true;
    }
    if (length == NULL) {
        client->close = true;
        client->remaining = UINT64_MAX;
        return true;
    }
    for (; *length >= '0' && *length <= '9' && client->remaining < UINT32_MAX; length++) {
        client->remaining = client->remaining * 10 + (uint64_t)(*length - '0');
    }
    return true;
}

/* One byte of a chunk's size line, or of the lines after the last chunk. True at the end of the
 * body. */
static bool chunk_byte(struct demo_client *client, char byte)
{
    if (byte != '\n') {
        int digit = byte >= '0' && byte <= '9'
                        ? byte - '0'
                        : ((byte | 32) >= 'a' && (byte | 32) <= 'f' ? (byte | 32) - 'a' + 10 : -1);
        if (byte == '\r') {
            return false;
        }
        client->line_len++;
        if (digit >= 0 && client->line_len <= 8 && !client->last_chunk) {
            client->remaining = client->remaining * 16 + (unsigned)digit;
        }
        return false;
    }
    if (client->last_chunk) {
        return client->line_len == 0;
    }
    client->last_chunk = client->remaining == 0;
    client->remaining += client->last_chunk ? 0 : 2; /* the chunk's line end */
    client->line_len = client->last_chunk ? 0 : UINT32_MAX;
    return false;
}

/* True at the end of the answer. */
static bool read_body(struct demo_client *client, const char *bytes, size_t len)
{
    if (!client->chunked) {
        client->remaining -= client->remaining == UINT64_MAX
                                 ? 0
                                 : (len < client->remaining ? len : client->remaining);
        return client->remaining == 0;
    }
    while (len > 0) {
        bool in_chunk = client->line_len == UINT32_MAX;
        if (in_chunk) {
            size_t part = len < client->remaining ? len : (size_t)client->remaining;
            client->remaining -= part;
            bytes += part;
            len -= part;
            client->line_len = client->remaining == 0 ? 0 : UINT32_MAX;
        } else {
            if (chunk_byte(client, *bytes)) {
                return true;
            }
            bytes++;
            len--;
        }
    }
    return false;
}

static enum demo_progress read_some(struct demo_client *client)
{
    char bytes[64 * 1024];
    char *into = client->in_body ? bytes : client->head + client->head_len;
    size_t room = client->in_body ? sizeof(bytes) : DEMO_HEAD_SIZE - client->head_len;
    ssize_t got = room > 0 ? recv(client->fd, into, room, 0) : 0;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return DEMO_BUSY;
    }
    if (got <= 0) {
        return end(client, client->in_body && client->remaining == UINT64_MAX);
    }
    if (client->in_body) {
        return read_body(client, bytes, (size_t)got) ? end(client, true) : DEMO_BUSY;
    }
    client->head_len += (size_t)got;
    client->head[client->head_len] = '\0';
    char *stop = strstr(client->head, "\r\n\r\n");
    if (stop == NULL) {
        return DEMO_BUSY;
    }
    size_t rest = client->head_len - (size_t)(stop + 4 - client->head);
    stop[2] = '\0';
    if (!read_head(client)) {
        return end(client, false);
    }
    bool done = !client->chunked && client->remaining == 0;
    return done || (rest > 0 && read_body(client, stop + 4, rest)) ? end(client, true) : DEMO_BUSY;
}

enum demo_progress demo_client_step(struct demo_client *client, const struct sockaddr_in *server)
{
    bool reused = client->reused;
    if (client->sent < client->len) {
        ssize_t sent = send(client->fd, client->request + client->sent, client->len - client->sent,
                            MSG_NOSIGNAL);
        if (sent > 0) {
            client->sent += (size_t)sent;
        }
    }
    enum demo_progress progress = read_some(client);
    /* The server may close a connection that it kept alive at the moment when the next request is
     * sent. */
    if (progress == DEMO_FAILED && reused && client->head_len == 0 &&
        demo_client_start(client, server)) {
        return DEMO_BUSY;
    }
    return progress;
}
