/* SPDX-License-Identifier: Apache-2.0 */
/* One process of a capture. Names and arguments are whatever an intruder made of them: JSON escapes
 * what is a control, and each has its room. The environment isn't read: secrets stand there. */
#include "capture.h"

#include "common/json_writer.h"
#include "common/sha256.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = (1 << 20) - 1, /* of the buffer; escaped all of it fits */
    ARGUMENTS_MAX = 32 * 1024,
    LINK_MAX = 512,
    FILES_MAX = 256,
    HASHED_MAX = 128,
    HASH_BYTES = 256 << 20,
    CHUNK = 64 * 1024,
};

/* Executables that were read, so that a hundred workers cost one. */
struct hashed {
    dev_t device;
    ino_t inode;
    char hex[SHA256_HEX_CAP];
};
static struct hashed hashed[HASHED_MAX];
static uint32_t hashed_count;

static void put_text(struct json_writer *json, const char *name, const char *text, size_t len)
{
    json_string(json, name, (struct guard_span){(const uint8_t *)text, len});
}

static size_t read_at(int proc, const char *name, char *out, size_t max)
{
    size_t len = 0;
    ssize_t got = 0;
    int fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && len < max && (got = read(fd, out + len, max - len)) > 0)
        len += (size_t)got;
    if (fd >= 0)
        close(fd);
    return len;
}

static void put_link(struct json_writer *json, const char *name, int at, const char *link)
{
    char text[LINK_MAX];
    ssize_t len = readlinkat(at, link, text, sizeof(text));
    if (len >= 0)
        put_text(json, name, text, (size_t)len);
    else
        json_null(json, name);
}

/* "Name:\tvalue" of the status file, as a text. */
static void put_status(struct json_writer *json, const char *name, const char *status,
                       const char *wanted)
{
    const char *at = strstr(status, wanted);
    at = at != NULL ? at + strlen(wanted) : "";
    put_text(json, name, at, strcspn(at, "\n"));
}

static void put_status_of(struct json_writer *json, int proc)
{
    char status[8192];
    size_t len = read_at(proc, "status", status, sizeof(status) - 1);
    status[len] = '\0';
    /* The first line is the name, which the kernel escapes. */
    put_status(json, "name", status, "Name:\t");
    put_status(json, "parent", status, "\nPPid:\t");
    put_status(json, "users", status, "\nUid:\t");
    put_status(json, "groups", status, "\nGid:\t");
    put_status(json, "capabilities", status, "\nCapEff:\t");
    put_status(json, "pids", status, "\nNSpid:\t");
}

static void put_started(struct json_writer *json, int proc)
{
    char text[1024];
    enum { STARTED = 20 };
    size_t len = read_at(proc, "stat", text, sizeof(text) - 1);
    text[len] = '\0';
    const char *at = strrchr(text, ')');
    for (int i = 0; at != NULL && i < STARTED; i++)
        at = strchr(at + 1, ' ');
    json_integer(json, "startedTicks", at != NULL ? (int64_t)strtoull(at, NULL, 10) : 0);
}

static void put_arguments(struct json_writer *json, int proc)
{
    static char text[ARGUMENTS_MAX + 1];
    size_t len = read_at(proc, "cmdline", text, sizeof(text));
    bool cut = len > ARGUMENTS_MAX;
    len = cut ? ARGUMENTS_MAX : len;
    json_open(json, "arguments", '[');
    for (size_t at = 0; at < len;) {
        size_t one = strnlen(text + at, len - at);
        put_text(json, NULL, text + at, one);
        at += one + 1;
    }
    json_close(json, ']');
    json_bool(json, "argumentsCut", cut);
}

static void put_files(struct json_writer *json, int proc)
{
    uint32_t count = 0;
    int fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    json_open(json, "files", '{');
    while (dir != NULL && (entry = readdir(dir)) != NULL && count < FILES_MAX) {
        if (entry->d_name[0] == '.')
            continue;
        put_link(json, entry->d_name, dirfd(dir), entry->d_name);
        count++;
    }
    json_close(json, '}');
    json_bool(json, "filesCut", count == FILES_MAX);
    if (dir != NULL)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
}

/* Whole, or the first HASH_BYTES: then it is no hash of the file, and none is told. */
static bool hash_file(int fd, char out[SHA256_HEX_CAP])
{
    static uint8_t chunk[CHUNK];
    struct sha256 hash;
    uint64_t total = 0;
    ssize_t got;
    sha256_begin(&hash);
    while ((got = read(fd, chunk, sizeof(chunk))) > 0 && (total += (uint64_t)got) <= HASH_BYTES)
        sha256_add(&hash, (struct guard_span){chunk, (size_t)got});
    sha256_end_hex(&hash, out);
    return got == 0;
}

static int open_executable(int proc, struct stat *info)
{
    int fd = openat(proc, "exe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || (fstat(fd, info) == 0 && S_ISREG(info->st_mode)))
        return fd;
    close(fd);
    return -1;
}

static const struct hashed *hash_of(struct capture *capture, int proc, bool *unlinked)
{
    static struct hashed one;
    struct stat info;
    int fd = open_executable(proc, &info);
    if (fd < 0)
        return NULL;
    *unlinked = info.st_nlink == 0;
    for (uint32_t i = 0; i < hashed_count; i++) {
        if (hashed[i].device == info.st_dev && hashed[i].inode == info.st_ino) {
            close(fd);
            return &hashed[i];
        }
    }
    one = (struct hashed){.device = info.st_dev, .inode = info.st_ino};
    bool good = hash_file(fd, one.hex);
    close(fd);
    if (good) {
        capture->executables++;
        hashed[hashed_count % HASHED_MAX] = one;
        hashed_count += hashed_count < HASHED_MAX - 1;
    }
    return good ? &one : NULL;
}

void capture_process(struct capture *capture, int out, pid_t pid, int proc)
{
    struct json_writer *json = capture->json;
    bool unlinked = false;
    const struct hashed *hash = hash_of(capture, proc, &unlinked);
    json_writer_init(json, capture->buffer, LINE_MAX_BYTES);
    json_open(json, NULL, '{');
    json_integer(json, "pid", pid);
    put_status_of(json, proc);
    put_started(json, proc);
    put_link(json, "program", proc, "exe");
    if (hash != NULL)
        json_text(json, "sha256", hash->hex);
    else
        json_null(json, "sha256");
    json_bool(json, "unlinked", unlinked);
    put_link(json, "folder", proc, "cwd");
    put_link(json, "root", proc, "root");
    put_arguments(json, proc);
    put_files(json, proc);
    json_close(json, '}');
    if (json->overflow) {
        json_writer_init(json, capture->buffer, LINE_MAX_BYTES);
        json_open(json, NULL, '{');
        json_integer(json, "pid", pid);
        json_bool(json, "cut", true);
        json_close(json, '}');
        capture->cut = true;
    }
    capture->buffer[json->len] = '\n';
    if (capture_put(capture, out, capture->buffer, json->len + 1))
        capture->processes++;
}

void capture_executable(struct capture *capture, int proc)
{
    static uint8_t chunk[CHUNK];
    struct stat info;
    bool unlinked = false;
    ssize_t got;
    const struct hashed *hash = hash_of(capture, proc, &unlinked);
    int fd = hash != NULL && unlinked ? open_executable(proc, &info) : -1;
    if (fd < 0)
        return;
    bool room = info.st_size >= 0 && (uint64_t)info.st_size <= capture->left;
    capture->cut |= !room;
    int out = room ? capture_file(capture, hash->hex) : -1;
    while (out >= 0 && (got = read(fd, chunk, sizeof(chunk))) > 0 &&
           capture_put(capture, out, chunk, (size_t)got))
        continue;
    if (out >= 0)
        close(out);
    close(fd);
}
