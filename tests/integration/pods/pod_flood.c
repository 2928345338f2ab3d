/* SPDX-License-Identifier: Apache-2.0 */
/* Many containers that flood at once: a process in each control group that is named on standard
 * input, all released together when it ends. Each sends datagrams to destinations of its own, opens
 * files for writing by paths as long as may be, and runs programs by different spellings of a path.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_CAP = 1024, LONG_PATH = 250, BITS = 12 };

static useconds_t pause_us;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void enter(char *folder)
{
    char path[PATH_CAP];
    folder[strcspn(folder, "\n")] = '\0';
    snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, "0", 1) != 1)
        die(path);
    close(fd);
}

static void rest(void)
{
    if (pause_us > 0)
        usleep(pause_us);
}

static void send_to(long count, unsigned number)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000200U + number)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (long i = 0; i < count; i++) {
        to.sin_port = htons((unsigned short)(1000 + i));
        sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
        rest();
    }
    close(fd);
}

static void open_files(long count)
{
    char path[LONG_PATH + 1];
    memset(path, 'x', sizeof(path));
    for (long i = 0; i < count; i++) {
        int len = snprintf(path, sizeof(path), "/usr/bin/none/%06ld", i);
        path[len] = 'x';
        path[LONG_PATH] = '\0';
        int fd = open(path, O_WRONLY);
        if (fd >= 0)
            close(fd);
        rest();
    }
}

static void run_programs(long count)
{
    char *const arguments[] = {"true", NULL}, *const environment[] = {NULL};
    for (long i = 0; i < count; i++) {
        char path[PATH_CAP] = "/bin";
        size_t len = 4;
        pid_t pid;
        for (int bit = 0; bit < BITS; bit++, len += 3)
            memcpy(path + len, (i >> bit & 1) != 0 ? "/./" : "///", 3);
        memcpy(path + len, "true", sizeof("true"));
        if (posix_spawn(&pid, path, NULL, NULL, arguments, environment) == 0)
            waitpid(pid, NULL, 0);
        rest();
    }
}

int main(int count, char **words)
{
    char folder[PATH_CAP], byte;
    int gate[2];
    unsigned number = 0;
    if (count != 5 || pipe(gate) != 0)
        die("usage: pod_flood FILES DESTINATIONS PROGRAMS PAUSE_US < FOLDERS");
    pause_us = (useconds_t)strtoul(words[4], NULL, 10);
    while (fgets(folder, sizeof(folder), stdin) != NULL) {
        number++;
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid > 0)
            continue;
        close(gate[1]);
        enter(folder);
        (void)!read(gate[0], &byte, 1);
        open_files(strtol(words[1], NULL, 10));
        send_to(strtol(words[2], NULL, 10), number);
        run_programs(strtol(words[3], NULL, 10));
        _exit(0);
    }
    close(gate[1]);
    while (wait(NULL) > 0)
        continue;
    return 0;
}
