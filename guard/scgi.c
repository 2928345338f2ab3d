/* SPDX-License-Identifier: Apache-2.0 */
/* SCGI: "LENGTH:CONTENT_LENGTH<0>27<0>...," and the body. Only the first member matters here. */
#include "scgi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, DIGITS_MAX = 8, BACKLOG = 128 };

int scgi_listen(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)unlink(path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(path, 0660) != 0 || listen(fd, BACKLOG) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

static bool read_exactly(int fd, void *out, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t got = recv(fd, (uint8_t *)out + done, len - done, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* Digits up to the byte that ends them. */
static bool read_length(int fd, char end, size_t max, size_t *out)
{
    char digit = '\0';
    *out = 0;
    for (int i = 0; i <= DIGITS_MAX; i++) {
        if (!read_exactly(fd, &digit, 1))
            return false;
        if (digit == end)
            return i > 0 && *out <= max;
        if (digit < '0' || digit > '9')
            return false;
        *out = *out * 10 + (size_t)(digit - '0');
    }
    return false;
}

/* The value of CONTENT_LENGTH, which stands first. */
static bool content_length(const char *head, size_t len, size_t max, size_t *out)
{
    static const char name[] = "CONTENT_LENGTH";
    if (len < sizeof(name) + 2 || memcmp(head, name, sizeof(name)) != 0)
        return false;
    const char *value = head + sizeof(name);
    size_t digits = strspn(value, "0123456789");
    if (digits == 0 || digits > DIGITS_MAX || value[digits] != '\0')
        return false;
    *out = (size_t)strtoul(value, NULL, 10);
    return *out <= max;
}

bool scgi_read(int fd, size_t max, int wait_ms, uint8_t **body, size_t *len)
{
    char head[HEAD_MAX + 2];
    size_t head_len = 0;
    const struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    *body = NULL;
    if (!read_length(fd, ':', HEAD_MAX, &head_len) || !read_exactly(fd, head, head_len + 1) ||
        head[head_len] != ',')
        return false;
    head[head_len] = '\0';
    if (!content_length(head, head_len, max, len))
        return false;
    *body = malloc(*len + 1);
    if (*body != NULL && read_exactly(fd, *body, *len))
        return true;
    free(*body);
    *body = NULL;
    return false;
}

static void send_all(int fd, const void *bytes, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t sent = send(fd, (const uint8_t *)bytes + done, len - done, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        done += (size_t)sent;
    }
}

void scgi_answer(int fd, int status, struct guard_span body)
{
    char head[160];
    int len =
        snprintf(head, sizeof(head),
                 "Status: %d\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                 status, body.len);
    send_all(fd, head, (size_t)len);
    send_all(fd, body.ptr, body.len);
}
