/* SPDX-License-Identifier: Apache-2.0 */
/* A small HTTP client for one request over a Unix socket, bounded in size and time. */
#include "remote.h"

#include "command.h"
#include "common/file.h"
#include "common/secret.h"
#include "state_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 4 << 20, ANSWER_SECONDS = 60 };

bool remote_server(const char *option, const char **socket)
{
    static const char prefix[] = "unix:";
    const char *text = option != NULL ? option : getenv("GUARD_SERVER");
    *socket = NULL;
    if (text == NULL || text[0] == '\0')
        return true;
    if (strncmp(text, prefix, sizeof(prefix) - 1) != 0 || text[sizeof(prefix) - 1] == '\0')
        return complain(0, "--server is unix:PATH, the path of guardd's api.sock") != 0;
    *socket = text + sizeof(prefix) - 1;
    return true;
}

void remote_body(struct remote_body *body)
{
    json_writer_init(&body->json, body->text, sizeof(body->text));
    json_open(&body->json, NULL, '{');
}

/* By way of a descriptor: a socket's address has room for 107 bytes only. -1 after a message. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = ANSWER_SECONDS};
    int name = open(path, O_PATH | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", name);
    bool good = name >= 0 && fd >= 0 &&
                setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
                setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
                connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    if (!good)
        complain(0, "%s: %s: does guardd run?", path, strerror(errno));
    if (name >= 0)
        close(name);
    if (!good && fd >= 0)
        close(fd);
    return good ? fd : -1;
}

static bool send_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* Until the other end closes. */
static bool receive_all(int fd, char *out, size_t *len)
{
    *len = 0;
    while (*len < ANSWER_MAX) {
        ssize_t n = recv(fd, out + *len, ANSWER_MAX - *len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            return true;
        *len += (size_t)n;
    }
    return false;
}

/* The header for the token in the environment, or in a file that nobody else may read; "" when
 * there is none. False after a message: it is none. */
static bool authorize(char *out, size_t cap)
{
    const char *token = getenv("GUARD_TOKEN");
    const char *path = getenv("GUARD_TOKEN_FILE");
    char id[SECRET_ID_LEN + 1];
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct stat info;
    struct guard_err err;
    out[0] = '\0';
    if ((token == NULL || token[0] == '\0') && path != NULL && path[0] != '\0') {
        if (stat(path, &info) == 0 && (info.st_mode & 077) != 0)
            return complain(0, "%s: others may read it: chmod 600", path) != 0;
        if (file_read(path, 4096, &bytes, &len, &err) != GUARD_OK)
            return complain(0, "%s", err.text) != 0;
        bytes[strcspn((const char *)bytes, "\r\n")] = '\0';
        token = (const char *)bytes;
    }
    bool any = token != NULL && token[0] != '\0';
    bool good = !any || secret_id(token, strlen(token), id);
    if (any && good)
        snprintf(out, cap, "Authorization: Bearer %s\r\n", token);
    free(bytes);
    return good || complain(0, "$GUARD_TOKEN, or the file that $GUARD_TOKEN_FILE names, holds no "
                               "token as `guard token add` prints it") != 0;
}

static bool exchange(int fd, const char *method, const char *path, const char *authorization,
                     const struct remote_body *body, char *answer, size_t *len)
{
    char user[128];
    char shown[128];
    char head[1024];
    user_name(user, sizeof(user));
    int head_len =
        snprintf(head, sizeof(head),
                 "%s /api/v1%s HTTP/1.1\r\nHost: guardd\r\nConnection: close\r\n"
                 "%sX-Guard-By: %s\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 method, path, authorization, clean(shown, sizeof(shown), user, strlen(user)),
                 body != NULL ? body->json.len : 0);
    return head_len > 0 && (size_t)head_len < sizeof(head) &&
           send_all(fd, head, (size_t)head_len) &&
           (body == NULL || send_all(fd, body->text, body->json.len)) &&
           receive_all(fd, answer, len);
}

/* Status and body of a whole answer; 0 when it is none. */
static int take_apart(const char *answer, size_t len, struct guard_span *body)
{
    const char *end = memmem(answer, len, "\r\n\r\n", 4);
    if (len < 12 || strncmp(answer, "HTTP/1.", 7) != 0 || end == NULL)
        return 0;
    *body = (struct guard_span){(const uint8_t *)end + 4, len - (size_t)(end + 4 - answer)};
    return (int)strtol(answer + 9, NULL, 10);
}

static bool read_answer(const struct remote *remote, const char *answer, size_t len,
                        struct document *out, struct guard_span *text)
{
    struct guard_span body;
    struct guard_err err;
    char shown[1024];
    int status = take_apart(answer, len, &body);
    if (status == 0)
        return complain(0, "%s: what answers isn't guardd", remote->socket) != 0;
    if (document_parse(out, "answer", body, remote->arena, &err) != GUARD_OK)
        return complain(0, "%s: %s", remote->socket, err.text) != 0;
    if (status >= 300) {
        const char *detail = text_of(out->root, "detail");
        const char *field = text_of(out->root, "field");
        return complain(0, "%s%s%s", field, field[0] != '\0' ? ": " : "",
                        clean(shown, sizeof(shown), detail, strlen(detail))) != 0;
    }
    if (text == NULL)
        return true;
    uint8_t *copy = guard_arena_get(remote->arena, body.len + 1);
    if (copy == NULL)
        return complain(0, "no memory") != 0;
    memcpy(copy, body.ptr, body.len);
    *text = (struct guard_span){copy, body.len};
    return true;
}

bool remote_ask(const struct remote *remote, const char *method, const char *path,
                struct remote_body *body, struct document *out, struct guard_span *text)
{
    size_t len = 0;
    if (body != NULL)
        json_close(&body->json, '}');
    if (body != NULL && body->json.overflow)
        return complain(0, "the reason is too long") != 0;
    char authorization[128];
    if (!authorize(authorization, sizeof(authorization)))
        return false;
    char *answer = malloc(ANSWER_MAX);
    int fd = answer != NULL ? connect_to(remote->socket) : -1;
    bool good = fd >= 0;
    if (good && !exchange(fd, method, path, authorization, body, answer, &len))
        good = complain(0, "%s: no answer", remote->socket) != 0;
    good = good && read_answer(remote, answer, len, out, text);
    if (fd >= 0)
        close(fd);
    free(answer);
    return good;
}

bool remote_service(const struct remote *remote, const char *method, struct guard_span service,
                    const char *rest, struct remote_body *body, struct document *out)
{
    char path[256];
    if (!state_service_valid(service))
        return complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    snprintf(path, sizeof(path), "/services/%.*s%s", (int)service.len, (const char *)service.ptr,
             rest);
    return remote_ask(remote, method, path, body, out, NULL);
}
