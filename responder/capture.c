/* SPDX-License-Identifier: Apache-2.0 */
/* A process is held by its directory in /proc, which is its own for ever: it can't become that of
 * another with the same number. Those count that the group lists before and after it was opened. */
#include "capture.h"

#include "common/file.h"
#include "common/json_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 20, FILES_MORE = 64, MEMORY = 256 << 20 };

bool capture_put(struct capture *capture, int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    if (len > capture->left) {
        capture->cut = true;
        return false;
    }
    capture->left -= len;
    while (len > 0) {
        ssize_t put = write(fd, at, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            capture->cut = true;
            return false;
        }
        at += put;
        len -= (size_t)put;
    }
    return true;
}

int capture_file(struct capture *capture, const char *name)
{
    return openat(capture->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  0600);
}

void capture_copy(struct capture *capture, int out, int at, const char *name)
{
    char text[16384];
    ssize_t got;
    int len = snprintf(text, sizeof(text), "== %s\n", name);
    int fd = openat(at, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    bool good = capture_put(capture, out, text, (size_t)len);
    while (good && (got = read(fd, text, sizeof(text))) > 0)
        good = capture_put(capture, out, text, (size_t)got);
    close(fd);
}

static bool is_listed(const pid_t *pids, size_t count, pid_t pid)
{
    for (size_t i = 0; i < count; i++) {
        if (pids[i] == pid)
            return true;
    }
    return false;
}

static bool lives(int proc)
{
    char byte;
    int fd = openat(proc, "stat", O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && read(fd, &byte, 1) == 1;
    if (fd >= 0)
        close(fd);
    return good;
}

static int open_process(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%ld", (long)pid);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void put_sockets(struct capture *capture, int proc)
{
    static const char *const names[] = {"net/tcp",  "net/tcp6", "net/udp",
                                        "net/udp6", "net/raw",  "net/unix"};
    int out = capture_file(capture, "sockets.txt");
    for (size_t i = 0; out >= 0 && i < sizeof(names) / sizeof(names[0]); i++)
        capture_copy(capture, out, proc, names[i]);
    if (out >= 0)
        close(out);
}

/* What is small and says most comes first: a large program must not take its room. */
static void put_processes(struct capture *capture)
{
    static pid_t pids[POD_GROUP_PIDS_MAX], again[POD_GROUP_PIDS_MAX];
    static int opened[POD_GROUP_PIDS_MAX];
    size_t count = 0, count_again = 0;
    int first = -1;
    capture->cut |= !pod_group_pids(capture->cfg->group, pids, capture->cfg->processes, &count);
    for (size_t i = 0; i < count; i++)
        opened[i] = open_process(pids[i]);
    (void)pod_group_pids(capture->cfg->group, again, POD_GROUP_PIDS_MAX, &count_again);
    int out = capture_file(capture, "processes.jsonl");
    for (size_t i = 0; i < count; i++) {
        bool ours = opened[i] >= 0 && is_listed(again, count_again, pids[i]) && lives(opened[i]);
        if (ours && out >= 0)
            capture_process(capture, out, pids[i], opened[i]);
        if (!ours && opened[i] >= 0)
            close(opened[i]);
        opened[i] = ours ? opened[i] : -1;
        capture->gone += !ours;
        first = first < 0 ? opened[i] : first;
    }
    if (out >= 0)
        close(out);
    if (first >= 0)
        put_sockets(capture, first);
    for (size_t i = 0; i < count; i++) {
        if (opened[i] < 0)
            continue;
        capture_executable(capture, opened[i]);
        close(opened[i]);
    }
}

static void put_group(struct capture *capture)
{
    static const char *const names[] = {
        "memory.max", "memory.current", "memory.events", "cpu.max",       "cpu.stat",
        "pids.max",   "pids.current",   "io.stat",       "cgroup.events", "cgroup.stat"};
    int out = capture_file(capture, "cgroup.txt");
    if (out < 0)
        return;
    capture_put(capture, out, capture->cfg->group->path, strlen(capture->cfg->group->path));
    capture_put(capture, out, "\n", 1);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        capture_copy(capture, out, capture->cfg->group->fd, names[i]);
    close(out);
}

static bool put_order(struct capture *capture)
{
    char text[POD_ORDER_BYTES_MAX];
    struct guard_err err;
    size_t len = 0;
    int out = capture_file(capture, "order.json");
    bool good = out >= 0 &&
                pod_order_write(capture->cfg->order, text, sizeof(text), &len, &err) == GUARD_OK &&
                capture_put(capture, out, text, len);
    if (out >= 0)
        close(out);
    return good;
}

static void put_summary(struct capture *capture, uint64_t began_ms)
{
    char text[1024];
    struct json_writer json;
    int out = capture_file(capture, "summary.json");
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_integer(&json, "version", 1);
    json_integer(&json, "time_ms", (int64_t)began_ms);
    json_integer(&json, "took_ms", (int64_t)(clock_unix_ms() - began_ms));
    json_integer(&json, "processes", capture->processes);
    json_integer(&json, "executables", capture->executables);
    json_integer(&json, "ended_meanwhile", capture->gone);
    json_bool(&json, "cut", capture->cut);
    json_close(&json, '}');
    capture->left += sizeof(text); /* it always finds room */
    if (out >= 0) {
        capture_put(capture, out, text, json.len);
        close(out);
    }
}

/* What a pod's files may make this child do is bounded by the kernel, too. */
static void limit(const struct capture_cfg *cfg)
{
    const struct rlimit files = {cfg->processes + FILES_MORE, cfg->processes + FILES_MORE};
    const struct rlimit size = {cfg->bytes + 1, cfg->bytes + 1};
    const struct rlimit core = {0, 0};
    (void)setrlimit(RLIMIT_NOFILE, &files);
    (void)setrlimit(RLIMIT_FSIZE, &size);
    (void)setrlimit(RLIMIT_CORE, &core);
}

int capture_run(const struct capture_cfg *cfg, int group_fd)
{
    struct pod_group group = *cfg->group;
    struct capture_cfg own = *cfg;
    struct capture capture = {.cfg = &own, .left = cfg->bytes};
    struct json_writer json;
    uint64_t began_ms = clock_unix_ms();
    group.fd = group_fd;
    own.group = &group;
    capture.json = &json;
    limit(cfg);
    if (mkdir(cfg->folder, 0700) != 0 ||
        (capture.folder = open(cfg->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        printf("%s: %s\n", cfg->folder, strerror(errno));
        fflush(stdout);
        return 1;
    }
    capture.buffer = malloc(BUFFER);
    if (capture.buffer == NULL || !put_order(&capture))
        return 1;
    put_group(&capture);
    put_processes(&capture);
    put_summary(&capture, began_ms);
    (void)fsync(capture.folder);
    free(capture.buffer);
    close(capture.folder);
    printf("%u processes, %u executables, %u ended meanwhile%s\n", capture.processes,
           capture.executables, capture.gone, capture.cut ? ", not all found room" : "");
    fflush(stdout);
    return 0;
}
