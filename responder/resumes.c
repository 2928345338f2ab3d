/* SPDX-License-Identifier: Apache-2.0 */
/* Who may write there has fewer rights than this program: a resume names a workload and nothing
 * else that is acted on, and goes no further than --resume does. */
#include "resumes.h"

#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FUTURE_MS = 60 * 1000,
    NAMES_MAX = 8192, /* that a look goes through, whatever they are */
};

static const char suffix[] = ".json";
enum { SUFFIX_LEN = sizeof(suffix) - 1 };

static int open_folder(const char *guard)
{
    char path[STATE_PATH_MAX];
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int len = snprintf(path, sizeof(path), "%s/pods", guard);
    int pods = len > 0 && len < STATE_PATH_MAX ? open(path, flags) : -1;
    if (pods < 0)
        return -1;
    int folder = openat(pods, "resumes", flags);
    close(pods);
    return folder;
}

/* Written by who may write in the folder, and by nobody else since. */
static bool is_theirs(int folder, const struct stat *file)
{
    struct stat info;
    return S_ISREG(file->st_mode) && file->st_nlink == 1 &&
           (file->st_mode & (S_IWGRP | S_IWOTH)) == 0 && fstat(folder, &info) == 0 &&
           (file->st_uid == info.st_uid || file->st_uid == 0 || file->st_uid == geteuid());
}

static const char *read_file(int folder, const char *name, char *out, size_t max, size_t *len)
{
    struct stat info;
    ssize_t got = 0;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return strerror(errno);
    const char *wrong = fstat(fd, &info) != 0       ? strerror(errno)
                        : !is_theirs(folder, &info) ? "isn't a file of the folder's owner alone"
                                                    : NULL;
    *len = 0;
    while (wrong == NULL && *len < max && (got = read(fd, out + *len, max - *len)) > 0)
        *len += (size_t)got;
    if (wrong == NULL && got < 0)
        wrong = strerror(errno);
    close(fd);
    return wrong;
}

static const char *check(const struct responder *responder, const struct pod_resume *resume,
                         const char *file, uint64_t now_ms)
{
    size_t len = strlen(resume->id);
    if (strncmp(file, resume->id, len) != 0 || strcmp(file + len, suffix) != 0)
        return "id: another one than the file's name";
    if (!responder->cfg.resumes)
        return "this side's file says that none is taken from guardd";
    if (resume->asked_ms > now_ms + FUTURE_MS)
        return "asked for in the future";
    return resume->asked_ms + responder->cfg.order_ms < now_ms ? "too old: asked for long ago"
                                                               : NULL;
}

/* False: the books can't be written, and it stays. */
static bool take(struct responder *responder, int folder, const char *file, uint64_t now_ms)
{
    static char text[POD_RESUME_BYTES_MAX + 1];
    struct pod_resume resume = {.id = ""};
    struct guard_err err = {.text = ""};
    size_t len = 0;
    const char *wrong = read_file(folder, file, text, sizeof(text), &len);
    if (wrong == NULL &&
        pod_resume_read(&resume, (struct guard_span){(uint8_t *)text, len}, &err) != GUARD_OK)
        wrong = err.text;
    if (wrong == NULL)
        wrong = check(responder, &resume, file, now_ms);
    const struct guard_span service = {(const uint8_t *)resume.service, strlen(resume.service)};
    if (wrong == NULL && !ledger_resume(&responder->ledger, resume.name_space, resume.workload))
        wrong = "its workload isn't stopped";
    if (wrong != NULL) {
        log_event("alarm", "resume-refused", service, "pods/resumes/%.80s: %.200s", file, wrong);
        return true;
    }
    if (!responder_save(responder))
        return false;
    log_event("info", "resumed", service, "%.90s/%.90s by %s through guardd: %.300s",
              resume.name_space, resume.workload, resume.by, resume.reason);
    return true;
}

/* "ID.json.PID.tmp": what somebody who was killed was about to lay down. */
static bool is_unfinished(const char *name)
{
    const char *dot = strchr(name, '.');
    size_t id_len = dot != NULL ? (size_t)(dot - name) : 0;
    if (!pod_order_id_valid((struct guard_span){(const uint8_t *)name, id_len}) ||
        strncmp(dot, suffix, SUFFIX_LEN) != 0 || dot[SUFFIX_LEN] != '.')
        return false;
    const char *pid = dot + SUFFIX_LEN + 1;
    size_t digits = strspn(pid, "0123456789");
    return digits > 0 && strcmp(pid + digits, ".tmp") == 0;
}

/* Old enough that nobody writes it any more, and nobody else's than who writes there. */
static bool is_leftover(const struct responder *responder, int folder, const char *name,
                        uint64_t now_ms)
{
    struct stat info;
    if (!is_unfinished(name) || fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !is_theirs(folder, &info) || info.st_mtim.tv_sec < 0)
        return false;
    return (uint64_t)info.st_mtim.tv_sec * 1000 + responder->cfg.order_ms < now_ms;
}

void resumes_look(struct responder *responder, uint64_t now_ms)
{
    uint32_t resumes = 0, leftovers = 0;
    if (responder->broken[0] != '\0')
        return;
    int folder = open_folder(responder->cfg.guard);
    DIR *dir = folder >= 0 ? fdopendir(folder) : NULL;
    const struct dirent *entry;
    if (dir == NULL) {
        if (folder >= 0)
            close(folder);
        return;
    }
    for (uint32_t i = 0;
         i < NAMES_MAX && resumes < POD_RESUMES_MAX && (entry = readdir(dir)) != NULL; i++) {
        if (is_leftover(responder, folder, entry->d_name, now_ms)) {
            leftovers += unlinkat(folder, entry->d_name, 0) == 0;
            continue;
        }
        size_t len = strlen(entry->d_name);
        if (len <= SUFFIX_LEN || strcmp(entry->d_name + len - SUFFIX_LEN, suffix) != 0 ||
            !pod_order_id_valid(
                (struct guard_span){(const uint8_t *)entry->d_name, len - SUFFIX_LEN}))
            continue; /* a name beside, or nothing of guardd's */
        resumes++;
        if (take(responder, folder, entry->d_name, now_ms))
            (void)unlinkat(folder, entry->d_name, 0);
    }
    closedir(dir);
    if (leftovers > 0)
        log_event("info", "resume-leftovers", (struct guard_span){NULL, 0},
                  "pods/resumes: %u files that nobody finished were removed", leftovers);
}
