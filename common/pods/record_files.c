/* SPDX-License-Identifier: Apache-2.0 */
/* Files of pod records: written beside, then renamed, so that the reader never meets a half. */
#include "common/pods/record_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_CAP = 1024, FILE_FIRST = 4096, PRODUCER_CHARS = 16 };

static const char of_gate[] = ".gate.pods";

enum guard_rc pod_files_open(struct pod_files *files, const char *dir, uint64_t producer,
                             uint64_t incarnation, struct guard_err *err)
{
    *files = (struct pod_files){.producer = producer, .incarnation = incarnation};
    int len = snprintf(files->dir, sizeof(files->dir), "%s", dir);
    if (len < 0 || (size_t)len >= sizeof(files->dir))
        return guard_fail(err, GUARD_E_LIMIT, "%.100s...: the path is too long", dir);
    if (access(dir, W_OK | X_OK) != 0)
        return guard_fail(err, GUARD_E_IO, "%s: %s", dir, strerror(errno));
    return GUARD_OK;
}

static bool make_room(struct pod_files *files)
{
    size_t capacity = files->capacity > 0 ? files->capacity : FILE_FIRST;
    while (capacity < files->len + GUARD_POD_RECORD_MAX)
        capacity *= 2;
    if (capacity == files->capacity)
        return true;
    uint8_t *more = realloc(files->bytes, capacity);
    if (more == NULL)
        return false;
    files->bytes = more;
    files->capacity = capacity;
    return true;
}

enum guard_rc pod_files_add(struct pod_files *files, const struct guard_pod_record *record,
                            struct guard_err *err)
{
    size_t len = 0;
    if (files->len + GUARD_POD_RECORD_MAX > POD_FILE_BYTES_FULL) {
        enum guard_rc rc = pod_files_flush(files, err);
        if (rc != GUARD_OK) {
            files->records_lost++; /* beside those that waited */
            return rc;
        }
    }
    if (!make_room(files)) {
        files->records_lost++;
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a pod record");
    }
    enum guard_rc rc =
        guard_pod_record_encode(record, files->bytes + files->len, GUARD_POD_RECORD_MAX, &len, err);
    if (rc != GUARD_OK) {
        files->records_lost++;
        return rc;
    }
    files->len += len;
    files->records++;
    return GUARD_OK;
}

bool pod_files_room(const char *dir)
{
    DIR *open_dir = opendir(dir);
    if (open_dir == NULL)
        return true; /* writing says why */
    uint32_t count = 0;
    while (count < POD_FILES_MAX && readdir(open_dir) != NULL)
        count++;
    closedir(open_dir);
    return count < POD_FILES_MAX;
}

static bool is_of_gate(const char *name)
{
    size_t len = strlen(name);
    return len >= sizeof(of_gate) && strcmp(name + len - (sizeof(of_gate) - 1), of_gate) == 0;
}

/* One that fills the share leaves half of what was left to each that comes later. */
static bool has_gate_room(const struct pod_files *files)
{
    char own[PRODUCER_CHARS + 1];
    uint32_t count = 0, of_own = 0;
    DIR *dir = opendir(files->dir);
    snprintf(own, sizeof(own), "%016" PRIx64, files->producer);
    for (struct dirent *entry = NULL; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (!is_of_gate(entry->d_name))
            continue;
        count++;
        of_own += strncmp(entry->d_name, own, PRODUCER_CHARS) == 0;
    }
    if (dir != NULL)
        closedir(dir);
    return count + of_own < POD_FILES_GATES_MAX;
}

static bool write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, bytes, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes += put;
        len -= (size_t)put;
    }
    return true;
}

static enum guard_rc write_file(struct pod_files *files, struct guard_err *err)
{
    char path[PATH_CAP], temporary[PATH_CAP];
    snprintf(path, sizeof(path), "%s/%016" PRIx64 "-%016" PRIx64 "-%020" PRIu64 "%s", files->dir,
             files->producer, files->incarnation, files->sequence + 1,
             files->of_gate ? of_gate : ".pods");
    snprintf(temporary, sizeof(temporary), "%s/%016" PRIx64 ".tmp", files->dir, files->producer);
    if (!pod_files_room(files->dir) || (files->of_gate && !has_gate_room(files)))
        return guard_fail(err, GUARD_E_LIMIT, "%s: nobody reads what lies there", files->dir);
    (void)unlink(temporary); /* of one that was killed */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return guard_fail(err, GUARD_E_IO, "%s: %s", temporary, strerror(errno));
    bool written = write_all(fd, files->bytes, files->len);
    int error = errno;
    if (close(fd) != 0 && written) {
        written = false;
        error = errno;
    }
    if (written && rename(temporary, path) == 0)
        return GUARD_OK;
    error = written ? errno : error;
    (void)unlink(temporary);
    return guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(error));
}

enum guard_rc pod_files_flush(struct pod_files *files, struct guard_err *err)
{
    if (files->records == 0)
        return GUARD_OK;
    enum guard_rc rc = write_file(files, err);
    if (rc == GUARD_OK)
        files->sequence++;
    else
        files->records_lost += files->records;
    files->records = 0;
    files->len = 0;
    if (files->capacity > 4 * GUARD_POD_RECORD_MAX) {
        free(files->bytes);
        files->bytes = NULL;
        files->capacity = 0;
    }
    return rc;
}

void pod_files_close(struct pod_files *files)
{
    free(files->bytes);
    *files = (struct pod_files){0};
}

uint64_t pod_producer(const char *sensor, const char *node, const char *container)
{
    const char *const parts[] = {sensor, node, container};
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        for (const char *c = parts[i];; c++) {
            hash = (hash ^ (uint8_t)*c) * UINT64_C(1099511628211);
            if (*c == '\0')
                break;
        }
    return hash != 0 ? hash : 1;
}
