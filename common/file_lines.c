/* SPDX-License-Identifier: Apache-2.0 */
/* Rewrites files of lines beside themselves. */
#include "common/file_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum guard_rc failure(struct guard_err *err, const char *path)
{
    return guard_fail(err, GUARD_E_IO, "%s: can't be rewritten: %s", path, strerror(errno));
}

/* NULL in a dry run. */
static bool put(FILE *out, const char *bytes, size_t len)
{
    return out == NULL || len == 0 || fwrite(bytes, 1, len, out) == len;
}

static bool filter_line(struct line_filter *filter, const char *line, size_t len, FILE *out,
                        char *room)
{
    size_t body = len > 0 && line[len - 1] == '\n' ? len - 1 : len;
    size_t changed = 0;
    enum line_fate fate = LINE_KEPT;
    if (body <= LINE_MAX_BYTES)
        fate = filter->fate(filter->ctx, (struct guard_span){(const uint8_t *)line, body}, room,
                            &changed);
    if (fate == LINE_KEPT)
        return put(out, line, len);
    filter->dropped += fate == LINE_DROPPED;
    filter->changed += fate == LINE_CHANGED;
    return fate == LINE_DROPPED || (put(out, room, changed) && put(out, "\n", 1));
}

static bool filter_all(struct line_filter *filter, FILE *in, FILE *out, char *room)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    bool good = true;
    while (good && (len = getline(&line, &cap, in)) > 0)
        good = filter_line(filter, line, (size_t)len, out, room);
    free(line);
    return good && ferror(in) == 0;
}

/* A temporary file of our own, as open as the old one. */
static FILE *open_beside(const char *temporary, const struct stat *info)
{
    (void)unlink(temporary);
    int fd =
        open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, info->st_mode & 0777);
    if (fd < 0)
        return NULL;
    (void)fchmod(fd, info->st_mode & 0777);
    (void)!fchown(fd, (uid_t)-1, info->st_gid);
    FILE *out = fdopen(fd, "w");
    if (out == NULL)
        close(fd);
    return out;
}

static enum guard_rc rewrite(const char *path, FILE *in, struct line_filter *filter, char *room,
                             struct guard_err *err)
{
    char temporary[4096];
    struct stat info;
    snprintf(temporary, sizeof(temporary), "%s.%ld.tmp", path, (long)getpid());
    FILE *out = fstat(fileno(in), &info) == 0 ? open_beside(temporary, &info) : NULL;
    if (out == NULL)
        return failure(err, temporary);
    bool good = filter_all(filter, in, out, room) && fflush(out) == 0 && fsync(fileno(out)) == 0;
    good = fclose(out) == 0 && good;
    if (good && rename(temporary, path) == 0)
        return GUARD_OK;
    enum guard_rc rc = failure(err, path);
    (void)unlink(temporary);
    return rc;
}

enum guard_rc file_filter_lines(const char *path, struct line_filter *filter, struct guard_err *err)
{
    struct line_filter counting = *filter;
    FILE *in = fopen(path, "re");
    enum guard_rc rc = GUARD_OK;
    if (in == NULL)
        return errno == ENOENT ? GUARD_OK : failure(err, path);
    char *room = malloc(LINE_OUT_MAX);
    if (room == NULL) {
        fclose(in);
        return guard_fail(err, GUARD_E_NOMEM, "%s: no memory for lines", path);
    }
    counting.dropped = 0;
    counting.changed = 0;
    if (!filter_all(&counting, in, NULL, room))
        rc = failure(err, path);
    else if (!filter->dry && counting.dropped + counting.changed > 0) {
        rewind(in);
        struct line_filter writing = counting; /* its counts are those already */
        rc = rewrite(path, in, &writing, room, err);
    }
    if (rc == GUARD_OK) {
        filter->dropped += counting.dropped;
        filter->changed += counting.changed;
    }
    free(room);
    fclose(in);
    return rc;
}
