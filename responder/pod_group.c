/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the hierarchy from its root down to pods and not further: what lies below a pod's group was
 * named by what runs in it. */
#include "pod_group.h"

#include "common/file.h"
#include "common/pods/cgroup_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum {
    CGROUP2_MAGIC = 0x63677270,
    DEPTH_MAX = 8,
    BELOW_MAX = 12, /* levels within a pod */
    DIRECTORIES_MAX = 65536,
    PROCS_BUF = 64 * 1024,
    UID_MIN = 32,
    STARTED_FIELD = 20, /* of /proc/PID/stat, behind the name */
    SLACK_MS = 100,
};

struct walk {
    const char *uid;
    struct pod_group *out;
    uint32_t directories;
    uint32_t found;
};

static bool is_uid(const char *text)
{
    return strlen(text) >= UID_MIN && strspn(text, "0123456789abcdef-") == strlen(text);
}

static int open_directory(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool takes(const struct walk *walk, const char *name, bool *of_other)
{
    const struct guard_span names[] = {{(const uint8_t *)name, strlen(name)}};
    struct pod_cgroup of;
    bool pod = pod_cgroup_of_names(&of, names, 1) && of.kubernetes;
    bool same = pod && strcmp(of.pod, walk->uid) == 0;
    *of_other = pod && !same;
    return same;
}

static bool keep(struct walk *walk, int at, const char *path)
{
    struct stat info;
    if (fstat(at, &info) != 0 || strlen(path) >= sizeof(walk->out->path))
        return false;
    if (walk->found++ > 0)
        return true;
    walk->out->fd = fcntl(at, F_DUPFD_CLOEXEC, 0);
    walk->out->number = info.st_ino;
    snprintf(walk->out->path, sizeof(walk->out->path), "%s", path);
    return walk->out->fd >= 0;
}

/* Takes fd over. False: not all could be looked at. */
static bool walk_down(struct walk *walk, int fd, const char *path, int depth)
{
    char below[POD_GROUP_PATH_MAX];
    bool of_other = false, good = true;
    DIR *dir = fdopendir(fd);
    const struct dirent *entry;
    if (dir == NULL) {
        close(fd);
        return false;
    }
    while (good && (entry = readdir(dir)) != NULL) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        bool mine = takes(walk, entry->d_name, &of_other);
        if (of_other)
            continue;
        int len = snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
        good = ++walk->directories <= DIRECTORIES_MAX && len > 0 && (size_t)len < sizeof(below);
        int at = good ? open_directory(dirfd(dir), entry->d_name) : -1;
        if (at < 0)
            continue; /* it ended meanwhile */
        if (mine) {
            good = keep(walk, at, below);
            close(at);
        } else if (depth < DEPTH_MAX) {
            good = walk_down(walk, at, below, depth + 1);
        } else {
            close(at);
        }
    }
    closedir(dir);
    return good;
}

/* By name, which a namespace of control groups may hide, and by the list, of which a pod may have
 * more than is looked at. */
static bool holds_me(const struct pod_group *group, const char *uid)
{
    static pid_t pids[POD_GROUP_PIDS_MAX];
    char text[2 * POD_GROUP_PATH_MAX] = "";
    struct pod_cgroup mine;
    size_t count;
    int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    if (fd >= 0)
        close(fd);
    const char *path = len > 0 ? strstr(text, "0::") : NULL;
    const struct guard_span span = {(const uint8_t *)path, path != NULL ? strcspn(path, "\n") : 0};
    if (path != NULL && pod_cgroup_of_path(&mine, span) && strcmp(mine.pod, uid) == 0)
        return true;
    (void)pod_group_pids(group, pids, POD_GROUP_PIDS_MAX, &count);
    for (size_t i = 0; i < count; i++) {
        if (pids[i] == getpid())
            return true;
    }
    return false;
}

static enum guard_rc open_root(const char *root, int *fd, struct guard_err *err)
{
    struct statfs of;
    *fd = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0)
        return guard_fail(err, GUARD_E_IO, "%s: can't be opened: %s", root, strerror(errno));
    if (fstatfs(*fd, &of) == 0 && of.f_type == CGROUP2_MAGIC)
        return GUARD_OK;
    close(*fd);
    return guard_fail(err, GUARD_E_IO, "%s: isn't of the second version's control groups", root);
}

enum guard_rc pod_group_find(struct pod_group *out, const char *root, const char *uid,
                             struct guard_err *err)
{
    struct walk walk = {.uid = uid, .out = out};
    int fd;
    *out = (struct pod_group){.fd = -1};
    if (!is_uid(uid))
        return guard_fail(err, GUARD_E_RANGE, "\"%.64s\" is no uid of a pod", uid);
    GUARD_TRY(open_root(root, &fd, err));
    enum guard_rc rc = GUARD_OK;
    if (!walk_down(&walk, fd, root, 0))
        rc = guard_fail(err, GUARD_E_LIMIT, "%s: not all of it can be looked at", root);
    else if (walk.found == 0)
        rc = guard_fail(err, GUARD_E_STATE, "no control group of pod %s below %s", uid, root);
    else if (walk.found > 1)
        rc =
            guard_fail(err, GUARD_E_RANGE, "%u control groups claim to be pod %s", walk.found, uid);
    else if (holds_me(out, uid))
        rc = guard_fail(err, GUARD_E_RANGE, "%.200s: holds the responder itself", out->path);
    if (rc != GUARD_OK)
        pod_group_close(out);
    return rc;
}

void pod_group_close(struct pod_group *group)
{
    if (group->fd >= 0)
        close(group->fd);
    group->fd = -1;
}

bool pod_group_lives(const struct pod_group *group)
{
    struct stat info;
    return group->fd >= 0 && stat(group->path, &info) == 0 && info.st_ino == group->number;
}

/* --- tasks --- */

struct listing {
    pid_t *out;
    size_t max;
    size_t count;
};

static bool read_procs(struct listing *list, int group)
{
    static char text[PROCS_BUF];
    size_t len = 0;
    ssize_t got;
    int fd = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENODEV;
    while ((got = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)got;
    close(fd);
    text[len] = '\0';
    /* Threaded groups below are listed with the process at their head. */
    if (got < 0)
        return errno == ENODEV || errno == EOPNOTSUPP;
    for (char *at = text, *end; *at != '\0'; at = end + 1) {
        long pid = strtol(at, &end, 10);
        if (end == at || *end != '\n')
            break;
        if (pid <= 0)
            continue; /* of another namespace of processes */
        if (list->count == list->max)
            return false;
        list->out[list->count++] = (pid_t)pid;
    }
    return len < sizeof(text) - 1;
}

static bool list_down(struct listing *list, int fd, int depth)
{
    bool good = read_procs(list, fd);
    DIR *dir = fdopendir(fd);
    const struct dirent *entry;
    if (dir == NULL) {
        close(fd);
        return false;
    }
    while (good && (entry = readdir(dir)) != NULL) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        int at = open_directory(dirfd(dir), entry->d_name);
        if (at >= 0 && depth == BELOW_MAX)
            good = close(at) != 0; /* nobody needs so many: what is below isn't seen */
        else if (at >= 0)
            good = list_down(list, at, depth + 1);
    }
    closedir(dir);
    return good;
}

bool pod_group_pids(const struct pod_group *group, pid_t *out, size_t max, size_t *count)
{
    struct listing list = {out, max, 0};
    int fd = open_directory(group->fd, ".");
    bool good = fd >= 0 ? list_down(&list, fd, 0) : errno == ENOENT;
    *count = list.count;
    return good;
}

static enum guard_rc put(const struct pod_group *group, const char *name, const char *text,
                         struct guard_err *err)
{
    int fd = openat(group->fd, name, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    return good ? GUARD_OK
                : guard_fail(err, GUARD_E_IO, "%.150s/%s: %s", group->path, name, strerror(saved));
}

enum guard_rc pod_group_freeze(const struct pod_group *group, bool frozen, struct guard_err *err)
{
    return put(group, "cgroup.freeze", frozen ? "1" : "0", err);
}

enum guard_rc pod_group_kill(const struct pod_group *group, struct guard_err *err)
{
    return put(group, "cgroup.kill", "1", err);
}

/* When a process began in Unix ms; 0: it has ended. */
static uint64_t started_ms(pid_t pid)
{
    char path[64], text[1024];
    struct timespec boot;
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    const char *at = strrchr(text, ')'); /* the name may hold anything */
    for (int field = 0; at != NULL && field < STARTED_FIELD; field++)
        at = strchr(at + 1, ' ');
    uint64_t ticks = at != NULL ? strtoull(at, NULL, 10) : 0;
    uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    uint64_t up_ms = (uint64_t)boot.tv_sec * 1000 + (uint64_t)boot.tv_nsec / 1000000;
    return clock_unix_ms() - up_ms + ticks * 1000 / per_second;
}

struct pod_group_tasks pod_group_look(const struct pod_group *group, uint64_t since_ms)
{
    static pid_t pids[POD_GROUP_PIDS_MAX];
    struct pod_group_tasks tasks = {false, false};
    size_t count = 0;
    bool all = pod_group_pids(group, pids, POD_GROUP_PIDS_MAX, &count);
    tasks.any = count > 0 || !all;
    for (size_t i = 0; i < count && !tasks.older; i++) {
        uint64_t began = started_ms(pids[i]);
        tasks.older = began != 0 && began + SLACK_MS < since_ms;
    }
    return tasks;
}
