/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and replacing whole files, the heap, the clock and randomness: the operating system as
 * programs use it. */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void *heap_get(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size == 0 ? 1 : size);
}

static void heap_put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

struct guard_alloc heap_alloc(void)
{
    return (struct guard_alloc){.ctx = NULL, .alloc = heap_get, .free = heap_put};
}

static enum guard_rc system_failure(struct guard_err *err, const char *path, const char *what)
{
    int saved = errno;
    enum guard_rc rc = guard_fail(err, GUARD_E_IO, "%s: %s: %s", path, what, strerror(saved));
    errno = saved;
    return rc;
}

static bool read_all(int fd, uint8_t *out, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = read(fd, out + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0) {
            errno = EIO; /* it shrank between fstat and here */
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

static enum guard_rc read_open_file(int fd, const char *path, size_t max, uint8_t **out,
                                    size_t *len, struct guard_err *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return system_failure(err, path, "can't be examined");
    if (!S_ISREG(info.st_mode))
        return guard_fail(err, GUARD_E_IO, "%s: is not a regular file", path);
    if ((uintmax_t)info.st_size > max)
        return guard_fail(err, GUARD_E_LIMIT, "%s: larger than %zu bytes", path, max);
    size_t size = (size_t)info.st_size;
    uint8_t *bytes = malloc(size + 1);
    if (bytes == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "%s: no memory for %zu bytes", path, size);
    if (!read_all(fd, bytes, size)) {
        free(bytes);
        return system_failure(err, path, "can't be read");
    }
    bytes[size] = '\0';
    *out = bytes;
    *len = size;
    return GUARD_OK;
}

static enum guard_rc read_and_close(int fd, const char *path, size_t max, uint8_t **out,
                                    size_t *len, struct guard_err *err)
{
    if (fd < 0)
        return system_failure(err, path, "can't be opened");
    enum guard_rc rc = read_open_file(fd, path, max, out, len, err);
    int saved = errno;
    close(fd);
    errno = saved;
    return rc;
}

enum guard_rc file_read(const char *path, size_t max, uint8_t **out, size_t *len,
                        struct guard_err *err)
{
    /* Without waiting: the name may have become a pipe. */
    return read_and_close(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), path, max, out, len, err);
}

enum guard_rc file_read_plain(const char *path, size_t max, uint8_t **out, size_t *len,
                              struct stat *info, struct guard_err *err)
{
    /* What is asked is the file that is read, not what had its name a moment before. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd >= 0 && (fstat(fd, info) != 0 || !S_ISREG(info->st_mode) || info->st_nlink != 1)) {
        close(fd);
        return guard_fail(err, GUARD_E_IO, "%s: is no plain file of one name", path);
    }
    return read_and_close(fd, path, max, out, len, err);
}

static bool write_all(int fd, struct guard_span bytes)
{
    size_t done = 0;
    while (done < bytes.len) {
        ssize_t n = write(fd, bytes.ptr + done, bytes.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* A new file of our own: what lies under its name, perhaps a link that somebody laid out or a file
 * that others may read, isn't written to. */
static int open_new(const char *path, unsigned mode)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(path, flags, (mode_t)mode);
    if (fd < 0 && errno == EEXIST && unlink(path) == 0)
        fd = open(path, flags, (mode_t)mode);
    return fd;
}

/* A rename survives a power cut when its folder is on the disk. Not all file systems can do it. */
static void sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    snprintf(folder, sizeof(folder), "%.*s", len == 0 ? 1 : (int)len, slash == NULL ? "." : path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

enum guard_rc file_replace(const char *path, struct guard_span bytes, unsigned mode, bool durable,
                           struct guard_err *err)
{
    char temporary[4096];
    int len = snprintf(temporary, sizeof(temporary), "%s.%ld.tmp", path, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof(temporary))
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", path);
    int fd = open_new(temporary, mode);
    if (fd < 0)
        return system_failure(err, temporary, "can't be made");
    bool good = write_all(fd, bytes) && (!durable || fsync(fd) == 0);
    int saved = errno;
    good = close(fd) == 0 && good;
    if (good && rename(temporary, path) == 0) {
        if (durable)
            sync_folder(path);
        return GUARD_OK;
    }
    if (good)
        saved = errno;
    unlink(temporary);
    errno = saved;
    return system_failure(err, path, "can't be replaced");
}

/* A part of a line would spoil the next one. What others appended meanwhile stays. */
static void take_back(int fd, off_t before, size_t len)
{
    struct stat after;
    if (fstat(fd, &after) == 0 && after.st_size > before &&
        (uintmax_t)(after.st_size - before) <= len)
        (void)!ftruncate(fd, before);
}

static bool ends_within_line(int fd, off_t size)
{
    char last;
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

enum guard_rc file_append_line(const char *path, struct guard_span line, struct guard_err *err)
{
    uint8_t *copy = malloc(line.len + 2);
    if (copy == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "%s: no memory for a line", path);
    copy[0] = '\n';
    if (line.len > 0)
        memcpy(copy + 1, line.ptr, line.len);
    copy[line.len + 1] = '\n';
    struct stat before;
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    bool sized = fd >= 0 && fstat(fd, &before) == 0;
    size_t skip = sized && ends_within_line(fd, before.st_size) ? 0 : 1;
    bool good = sized && write_all(fd, (struct guard_span){copy + skip, line.len + 2 - skip});
    int saved = errno;
    if (sized && !good)
        take_back(fd, before.st_size, line.len + 1);
    if (fd >= 0)
        close(fd);
    free(copy);
    errno = saved;
    return good ? GUARD_OK : system_failure(err, path, "can't be appended to");
}

void file_rotate(const char *path, uint64_t max, unsigned older)
{
    enum { PATH_CAP = 4096 };
    struct stat info;
    if (stat(path, &info) != 0 || (uintmax_t)info.st_size < max)
        return;
    for (unsigned i = older; i >= 1; i--) {
        char from[PATH_CAP];
        char to[PATH_CAP];
        if (i == 1)
            snprintf(from, sizeof(from), "%s", path);
        else
            snprintf(from, sizeof(from), "%s.%u", path, i - 1);
        snprintf(to, sizeof(to), "%s.%u", path, i);
        (void)rename(from, to);
    }
}

enum guard_rc random_bytes(void *out, size_t len)
{
    uint8_t *next = out;
    while (len > 0) {
        ssize_t n = getrandom(next, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return GUARD_E_IO;
        next += n;
        len -= (size_t)n;
    }
    return GUARD_OK;
}

bool clock_text(char out[CLOCK_TEXT_MAX], double unix_ms)
{
    char whole[32];
    struct tm parts;
    out[0] = '\0';
    if (!(unix_ms >= 0 && unix_ms < 1e15))
        return false;
    time_t seconds = (time_t)(unix_ms / 1000);
    if (gmtime_r(&seconds, &parts) == NULL)
        return false;
    (void)strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(out, CLOCK_TEXT_MAX, "%s.%03dZ", whole, (int)((int64_t)unix_ms % 1000));
    return true;
}

uint64_t clock_monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
