/* SPDX-License-Identifier: Apache-2.0 */
/* A workload has one file, named by a hash: who asks twice asks once. */
#include "common/pods/resumes.h"

#include "common/file.h"
#include "common/state.h"

#include <guard/crypto.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

/* --- the responder's state --- */

/* At most max bytes of a regular file; -1 with errno. */
static ssize_t read_all(int fd, char *out, size_t max)
{
    struct stat info;
    size_t len = 0;
    ssize_t got = 0;
    if (fstat(fd, &info) != 0)
        return -1;
    if (!S_ISREG(info.st_mode) || info.st_size > (off_t)max) {
        errno = EFBIG;
        return -1;
    }
    while (len < max && (got = read(fd, out + len, max - len)) > 0)
        len += (size_t)got;
    return got < 0 ? -1 : (ssize_t)len;
}

static enum guard_rc read_state(struct responder_state *out, int fd, const char *path,
                                struct guard_err *err)
{
    char *text = malloc(RESPONDER_STATE_BYTES_MAX);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    ssize_t len = read_all(fd, text, RESPONDER_STATE_BYTES_MAX);
    enum guard_rc rc =
        len < 0 ? guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(errno))
                : responder_state_read(out, (struct guard_span){(uint8_t *)text, (size_t)len}, err);
    free(text);
    return rc;
}

enum guard_rc responder_state_load(struct responder_state *out, uint64_t *seen_ms, const char *dir,
                                   uint64_t now_ms, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    memset(out, 0, sizeof(*out));
    *seen_ms = 0;
    int len = snprintf(path, sizeof(path), "%s/pods/responder/state.json", dir);
    if (len < 0 || len >= STATE_PATH_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "%.100s...: the path is too long", dir);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        int saved = errno;
        if (fd >= 0)
            close(fd);
        errno = saved;
        return guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(saved));
    }
    enum guard_rc rc = read_state(out, fd, path, err);
    close(fd);
    uint64_t time_ms = info.st_mtim.tv_sec > 0 ? (uint64_t)info.st_mtim.tv_sec * 1000 +
                                                     (uint64_t)info.st_mtim.tv_nsec / 1000000
                                               : 0;
    *seen_ms = time_ms < now_ms ? time_ms : now_ms;
    return rc;
}

bool responder_lives(const struct responder_state *state, uint64_t seen_ms, uint64_t now_ms)
{
    return state->running && now_ms < seen_ms + RESPONDER_SILENT_MS;
}

/* --- asking --- */

static void id_of(char out[POD_ORDER_ID_MAX + 1], const char *name_space, const char *workload)
{
    /* With their ends, so that the two don't run together. */
    uint64_t hash =
        guard_checksum(3, (struct guard_span){(const uint8_t *)name_space, strlen(name_space) + 1});
    hash = guard_checksum(hash, span(workload));
    snprintf(out, POD_ORDER_ID_MAX + 1, "%016" PRIx64, hash);
}

static bool path_of(char out[STATE_PATH_MAX], const char *dir, const char *name)
{
    int len = snprintf(out, STATE_PATH_MAX, "%s/pods/resumes%s%s%s", dir,
                       name[0] != '\0' ? "/" : "", name, name[0] != '\0' ? ".json" : "");
    return len > 0 && len < STATE_PATH_MAX;
}

bool pod_resume_pending(const char *dir, const char *name_space, const char *workload)
{
    char path[STATE_PATH_MAX], id[POD_ORDER_ID_MAX + 1];
    struct stat info;
    id_of(id, name_space, workload);
    return path_of(path, dir, id) && lstat(path, &info) == 0;
}

static enum guard_rc check_state(const struct responder_state *state, uint64_t seen_ms,
                                 const char *name_space, const char *workload, uint64_t now_ms,
                                 struct guard_err *err)
{
    const struct responder_workload *of =
        responder_state_of(state, span(name_space), span(workload));
    if (!responder_lives(state, seen_ms, now_ms))
        return guard_fail(err, GUARD_E_STATE, "no responder lives that would take it");
    if (!state->resumes)
        return guard_fail(err, GUARD_E_STATE,
                          "the responder's file says that it takes no resumes from guardd: run "
                          "guard-responder --resume there");
    if (of == NULL)
        return guard_fail(err, GUARD_E_STATE, "%.100s/%.100s isn't configured at the responder",
                          name_space, workload);
    return of->budget.stopped ? GUARD_OK
                              : guard_fail(err, GUARD_E_STATE, "%.100s/%.100s isn't stopped",
                                           name_space, workload);
}

static enum guard_rc check(const char *dir, const char *name_space, const char *workload,
                           struct guard_err *err)
{
    struct responder_state *state = malloc(sizeof(*state));
    uint64_t seen_ms, now_ms = clock_unix_ms();
    if (state == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    errno = 0;
    enum guard_rc rc = responder_state_load(state, &seen_ms, dir, now_ms, err);
    if (rc == GUARD_E_IO && errno == ENOENT)
        rc = guard_fail(err, GUARD_E_STATE, "no responder takes orders of this guardd");
    else if (rc == GUARD_OK)
        rc = check_state(state, seen_ms, name_space, workload, now_ms, err);
    free(state);
    return rc;
}

static bool is_resume(const char *name)
{
    static const char suffix[] = ".json";
    size_t len = strlen(name), end = sizeof(suffix) - 1;
    return len > end && strcmp(name + len - end, suffix) == 0;
}

static bool has_room(const char *folder)
{
    uint32_t count = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return true; /* writing says why */
    for (const struct dirent *entry; count < POD_RESUMES_MAX && (entry = readdir(dir)) != NULL;)
        count += is_resume(entry->d_name); /* the responder removes what nobody finished */
    closedir(dir);
    return count < POD_RESUMES_MAX;
}

static enum guard_rc place(const struct change *change, const struct pod_resume *resume,
                           struct guard_err *err)
{
    char path[STATE_PATH_MAX], folder[STATE_PATH_MAX], text[POD_RESUME_BYTES_MAX];
    size_t len = 0;
    if (!path_of(path, change->dir, resume->id) || !path_of(folder, change->dir, ""))
        return guard_fail(err, GUARD_E_LIMIT, "%.100s...: the path is too long", change->dir);
    GUARD_TRY(state_prepare(change->dir, err));
    GUARD_TRY(pod_resume_write(resume, text, sizeof(text), &len, err));
    if (!pod_resume_pending(change->dir, resume->name_space, resume->workload) && !has_room(folder))
        return guard_fail(err, GUARD_E_LIMIT, "%s: nobody takes what lies there", folder);
    return file_replace(path, (struct guard_span){(const uint8_t *)text, len}, 0640, true, err);
}

enum guard_rc change_pod_resume(const struct change *change, const char *name_space,
                                const char *workload, struct guard_err *err)
{
    char after[2 * GUARD_POD_NAME_MAX + 2];
    struct pod_resume resume = {.asked_ms = clock_unix_ms()};
    if (!pod_order_name_valid(span(name_space)) || !pod_order_name_valid(span(workload)) ||
        strlen(name_space) > GUARD_POD_NAME_MAX || strlen(workload) > GUARD_POD_NAME_MAX)
        return guard_fail(err, GUARD_E_RANGE, "workload: say NAMESPACE/WORKLOAD");
    GUARD_TRY(check(change->dir, name_space, workload, err));
    id_of(resume.id, name_space, workload);
    snprintf(resume.name_space, sizeof(resume.name_space), "%s", name_space);
    snprintf(resume.workload, sizeof(resume.workload), "%s", workload);
    snprintf(resume.service, sizeof(resume.service), "%.*s", (int)change->service.len,
             (const char *)change->service.ptr);
    pod_order_text(resume.by, sizeof(resume.by), span(change->who.by));
    pod_order_text(resume.reason, sizeof(resume.reason), span(change->reason));
    snprintf(after, sizeof(after), "%s/%s", name_space, workload);
    GUARD_TRY(audit_append(change->dir, &change->who, change->service, "pods resume", "stopped",
                           after, change->reason, err));
    return place(change, &resume, err);
}
