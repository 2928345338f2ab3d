/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors of the folders are opened once; what lies in them is opened by its name there. */
#include "mailbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char suffix[] = ".json";
enum { NAME_CAP = POD_ORDER_ID_MAX + 8, SUFFIX_LEN = sizeof(suffix) - 1 };

/* guardd makes them when it starts. */
static enum guard_rc cannot_open(struct guard_err *err, const char *state, const char *name)
{
    enum guard_rc rc = errno == ENOENT ? GUARD_E_STATE : GUARD_E_IO;
    return guard_fail(err, rc, "%.180s/pods%s: %s", state, name, strerror(errno));
}

static enum guard_rc open_folder(int *out, int pods, const char *state, const char *name,
                                 struct guard_err *err)
{
    *out = openat(pods, name + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *out >= 0 ? GUARD_OK : cannot_open(err, state, name);
}

enum guard_rc mailbox_open(struct mailbox *out, const char *state, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    *out = (struct mailbox){-1, -1};
    snprintf(path, sizeof(path), "%s/pods", state);
    int pods = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (pods < 0)
        return cannot_open(err, state, "");
    enum guard_rc rc = open_folder(&out->orders, pods, state, "/orders", err);
    if (rc == GUARD_OK)
        rc = open_folder(&out->reports, pods, state, "/reports", err);
    close(pods);
    if (rc != GUARD_OK)
        mailbox_close(out);
    return rc;
}

void mailbox_close(struct mailbox *mailbox)
{
    if (mailbox->orders >= 0)
        close(mailbox->orders);
    if (mailbox->reports >= 0)
        close(mailbox->reports);
    *mailbox = (struct mailbox){-1, -1};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

uint32_t mailbox_list(const struct mailbox *mailbox, order_id out[POD_ORDERS_MAX])
{
    uint32_t count = 0;
    int fd = openat(mailbox->orders, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    for (uint32_t i = 0; i < MAILBOX_LOOK_MAX && count < POD_ORDERS_MAX; i++) {
        if ((entry = readdir(dir)) == NULL)
            break;
        size_t len = strlen(entry->d_name);
        if (len <= SUFFIX_LEN || strcmp(entry->d_name + len - SUFFIX_LEN, suffix) != 0)
            continue;
        struct guard_span id = {(const uint8_t *)entry->d_name, len - SUFFIX_LEN};
        if (pod_order_id_valid(id))
            snprintf(out[count++], sizeof(order_id), "%.*s", (int)id.len, entry->d_name);
    }
    closedir(dir);
    qsort(out, count, sizeof(order_id), by_name);
    return count;
}

/* At most max bytes of a regular file; -1 with errno. */
static ssize_t read_file(int folder, const char *name, char *out, size_t max)
{
    struct stat info;
    size_t len = 0;
    ssize_t got = 0;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > (off_t)max) {
        close(fd);
        errno = EFBIG;
        return -1;
    }
    while (len < max && (got = read(fd, out + len, max - len)) > 0)
        len += (size_t)got;
    int saved = errno;
    close(fd);
    errno = saved;
    return got < 0 ? -1 : (ssize_t)len;
}

enum guard_rc mailbox_read(const struct mailbox *mailbox, const char *id, struct pod_order *out,
                           struct guard_err *err)
{
    char name[NAME_CAP];
    static char text[POD_ORDER_BYTES_MAX];
    snprintf(name, sizeof(name), "%s%s", id, suffix);
    ssize_t len = read_file(mailbox->orders, name, text, sizeof(text));
    if (len < 0)
        return guard_fail(err, GUARD_E_IO, "%s: %s", name, strerror(errno));
    GUARD_TRY(pod_order_read(out, (struct guard_span){(uint8_t *)text, (size_t)len}, err));
    return strcmp(out->id, id) == 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_FOREIGN, "id: another one than the file's name");
}

void mailbox_remove(const struct mailbox *mailbox, const char *id)
{
    char name[NAME_CAP];
    snprintf(name, sizeof(name), "%s%s", id, suffix);
    (void)unlinkat(mailbox->orders, name, 0);
}

bool mailbox_has_report(const struct mailbox *mailbox, const char *id)
{
    char name[NAME_CAP];
    struct stat info;
    snprintf(name, sizeof(name), "%s.jsonl", id);
    return fstatat(mailbox->reports, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool ends_with(int fd, off_t size, const char *line, size_t len)
{
    char last[POD_REPORT_LINE_MAX + 1];
    return size >= (off_t)len && len <= sizeof(last) &&
           pread(fd, last, len, size - (off_t)len) == (ssize_t)len && memcmp(last, line, len) == 0;
}

static enum guard_rc append(int fd, const char *name, const char *line, size_t len,
                            struct guard_err *err)
{
    struct stat info;
    char last = '\n';
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink != 1)
        return guard_fail(err, GUARD_E_IO, "%s: is no file of its own", name);
    if (ends_with(fd, info.st_size, line, len))
        return GUARD_OK;
    if (info.st_size + (off_t)len >= POD_REPORT_BYTES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the report is full", name);
    /* Behind a line that somebody was killed while writing it. */
    if (info.st_size > 0 && pread(fd, &last, 1, info.st_size - 1) == 1 && last != '\n' &&
        write(fd, "\n", 1) != 1)
        return guard_fail(err, GUARD_E_IO, "%s: %s", name, strerror(errno));
    if (write(fd, line, len) == (ssize_t)len)
        return GUARD_OK;
    int saved = errno;
    (void)!ftruncate(fd, info.st_size);
    return guard_fail(err, GUARD_E_IO, "%s: %s", name, strerror(saved));
}

enum guard_rc mailbox_report(const struct mailbox *mailbox, const struct pod_report_line *line,
                             struct guard_err *err)
{
    char name[NAME_CAP], text[POD_REPORT_LINE_MAX + 1];
    size_t len = 0;
    GUARD_TRY(pod_report_write(line, text, POD_REPORT_LINE_MAX, &len, err));
    text[len++] = '\n';
    snprintf(name, sizeof(name), "%s.jsonl", line->id);
    const int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(mailbox->reports, name, flags);
    bool fresh = fd < 0 && errno == ENOENT;
    if (fresh)
        fd = openat(mailbox->reports, name, flags | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        return guard_fail(err, GUARD_E_IO, "%s: %s", name, strerror(errno));
    if (fresh)
        (void)fchmod(fd, 0644); /* guardd is another user */
    enum guard_rc rc = append(fd, name, text, len, err);
    if (rc == GUARD_OK && fdatasync(fd) != 0)
        rc = guard_fail(err, GUARD_E_IO, "%s: %s", name, strerror(errno));
    close(fd);
    return rc;
}
