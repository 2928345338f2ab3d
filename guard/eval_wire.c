/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 by hand, because libraries would refuse or repair what attacks send. */
#include "eval_wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 * 1024, PATIENCE_SECONDS = 60 };

static struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

unsigned eval_wire_free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof(address);
    unsigned port = 0;
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return 0;
    if (bind(probe, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        getsockname(probe, (struct sockaddr *)&address, &len) == 0)
        port = ntohs(address.sin_port);
    close(probe);
    return port;
}

bool eval_wire_open(struct eval_wire *wire, unsigned port)
{
    struct sockaddr_in address = loopback(port);
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    int one = 1;
    *wire = (struct eval_wire){-1, port};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return false;
    }
    wire->socket = fd;
    return true;
}

void eval_wire_close(struct eval_wire *wire)
{
    if (wire->socket >= 0)
        close(wire->socket);
    wire->socket = -1;
}

static bool is(struct guard_span name, const char *text)
{
    return name.len == strlen(text) && strncasecmp((const char *)name.ptr, text, name.len) == 0;
}

/* Headers of the connection itself are ours. */
static bool is_ours(struct guard_span name)
{
    return is(name, "connection") || is(name, "content-length") || is(name, "transfer-encoding") ||
           is(name, "expect") || is(name, "keep-alive") || is(name, "upgrade") ||
           (name.len > 0 && name.ptr[0] == ':') || name.len == 0;
}

/* A line end inside would make a header of its own. */
static void put_line(FILE *out, struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        fputc(c == '\r' || c == '\n' || c == '\0' ? ' ' : c, out);
    }
}

static void write_request(FILE *out, const struct guard_exchange *exchange)
{
    bool host = false;
    put_line(out, exchange->method);
    fputc(' ', out);
    put_line(out, exchange->target);
    fputs(" HTTP/1.1\r\n", out);
    for (uint32_t i = 0; i < exchange->header_count; i++) {
        const struct guard_header *header = &exchange->headers[i];
        if (is_ours(header->name) || (host && is(header->name, "host")))
            continue;
        host |= is(header->name, "host");
        put_line(out, header->name);
        fputs(": ", out);
        put_line(out, header->value);
        fputs("\r\n", out);
    }
    if (!host)
        fputs("Host: localhost\r\n", out);
    if (exchange->body.len > 0 || is(exchange->method, "post") || is(exchange->method, "put"))
        fprintf(out, "Content-Length: %zu\r\n", exchange->body.len);
    fputs("\r\n", out);
    fwrite(exchange->body.ptr != NULL ? exchange->body.ptr : (const uint8_t *)"", 1,
           exchange->body.len, out);
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static size_t length_of(const char *head)
{
    const char *header = strcasestr(head, "\r\ncontent-length:");
    return header != NULL ? strtoul(header + 17, NULL, 10) : 0;
}

/* Status, and whether the connection can be used again. */
static unsigned read_answer(int fd, bool no_body, bool *again)
{
    char answer[ANSWER_MAX + 1];
    size_t len = 0;
    unsigned status = 0;
    *again = false;
    for (;;) {
        ssize_t n = recv(fd, answer + len, ANSWER_MAX - len, 0);
        if (n <= 0)
            return status;
        len += (size_t)n;
        answer[len] = '\0';
        const char *end = strstr(answer, "\r\n\r\n");
        if (end == NULL)
            continue;
        if (sscanf(answer, "HTTP/1.%*u %u", &status) != 1)
            return 0;
        size_t due = (size_t)(end - answer) + 4 + (no_body ? 0 : length_of(answer));
        *again = strcasestr(answer, "\r\nconnection: close") == NULL;
        if (len >= due || due > ANSWER_MAX)
            return status;
    }
}

unsigned eval_wire_ask(struct eval_wire *wire, const struct guard_exchange *exchange)
{
    char *bytes = NULL;
    size_t len = 0;
    unsigned status = 0;
    FILE *out = open_memstream(&bytes, &len);
    if (out == NULL)
        return 0;
    write_request(out, exchange);
    if (fclose(out) != 0) {
        free(bytes);
        return 0;
    }
    for (int attempt = 0; attempt < 2 && status == 0; attempt++) {
        bool again = false;
        if (wire->socket < 0 && !eval_wire_open(wire, wire->port))
            break;
        /* What is refused early is answered before all of it was sent. */
        (void)send_all(wire->socket, bytes, len);
        status = read_answer(wire->socket, is(exchange->method, "head"), &again);
        if (!again)
            eval_wire_close(wire);
    }
    free(bytes);
    return status;
}
