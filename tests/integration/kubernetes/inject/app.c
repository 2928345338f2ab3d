/* SPDX-License-Identifier: Apache-2.0 */
/* A service for pods of tests: answers everything with the target that it saw, /seen with all of
 * them but the probes', /probes with the number of these. Listens on $PORT, 8080 without it.
 * /intrude is the hole that an intruder comes in by: it runs a program that no file holds.
 * `app pause SECONDS` waits, as a preStop hook where there is no shell. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static char seen[65536];
static unsigned probes;

static void intrude(int client)
{
    char *const words[] = {"intruder", "pause", "600", NULL};
    int program = memfd_create("intruder", MFD_CLOEXEC);
    int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fork() != 0) {
        close(program);
        close(own);
        return;
    }
    close(client);
    while (sendfile(program, own, NULL, 1 << 20) > 0)
        continue;
    fexecve(program, words, environ);
    _exit(1);
}

static void answer(int fd)
{
    char request[8192];
    char target[2048] = "";
    char head[256];
    size_t len = 0;
    ssize_t got;
    while (len + 1 < sizeof(request) &&
           (got = read(fd, request + len, sizeof(request) - 1 - len)) > 0) {
        len += (size_t)got;
        request[len] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL)
            break;
    }
    if (sscanf(request, "%*15s %2047s", target) != 1)
        return;
    if (strcmp(target, "/intrude") == 0)
        intrude(fd);
    char count[16];
    probes += strcmp(target, "/healthz") == 0;
    snprintf(count, sizeof(count), "%u", probes);
    if (strcmp(target, "/seen") != 0 && strcmp(target, "/probes") != 0 &&
        strcmp(target, "/healthz") != 0 && strlen(seen) + strlen(target) + 2 < sizeof(seen)) {
        size_t end = strlen(seen);
        snprintf(seen + end, sizeof(seen) - end, "%s\n", target);
    }
    const char *body = strcmp(target, "/seen") == 0     ? seen
                       : strcmp(target, "/probes") == 0 ? count
                                                        : target;
    int head_len = snprintf(head, sizeof(head),
                            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                            "Connection: close\r\n\r\n",
                            strlen(body));
    if (write(fd, head, (size_t)head_len) < 0 || write(fd, body, strlen(body)) < 0)
        return;
}

static void stop(int number)
{
    (void)number;
    _exit(0);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "pause") == 0)
        return (int)sleep((unsigned)strtoul(argv[2], NULL, 10));
    const char *port = getenv("PORT");
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)(port != NULL ? strtol(port, NULL, 10) : 8080))};
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, stop); /* as process 1 it has no default */
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 64) != 0)
        return 1;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        answer(fd);
        close(fd);
    }
}
