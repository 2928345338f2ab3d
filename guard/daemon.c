/* SPDX-License-Identifier: Apache-2.0 */
/* Only guardd opens its database: commands ask it. */
#include "daemon.h"

#include "command.h"

#include "common/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

bool daemon_runs(const char *dir)
{
    char path[STATE_PATH_MAX];
    if (state_path(path, dir, "", (struct guard_span){NULL, 0}, "guardd.lock") != GUARD_OK)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool runs = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return runs;
}

/* Beside this program, else where it is installed. */
static bool find_daemon(char out[STATE_PATH_MAX])
{
    char own[STATE_PATH_MAX - 8];
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (slash != NULL)
        *slash = '\0';
    snprintf(out, STATE_PATH_MAX, "%s/guardd", own);
    if (access(out, X_OK) == 0)
        return true;
    snprintf(out, STATE_PATH_MAX, "/usr/sbin/guardd");
    return access(out, X_OK) == 0 || complain(0, "guardd isn't beside this program") != 0;
}

bool daemon_task(const char *dir, const char *store, const char *task)
{
    char program[STATE_PATH_MAX];
    char state[STATE_PATH_MAX + 16];
    char doing[STATE_PATH_MAX + 16];
    char keeping[STATE_PATH_MAX + 16];
    if (!find_daemon(program))
        return false;
    snprintf(state, sizeof(state), "--state=%s", dir);
    snprintf(doing, sizeof(doing), "--task=%s", task);
    snprintf(keeping, sizeof(keeping), "--store=%s", store != NULL ? store : "");
    char *argv[] = {program, state, doing, store != NULL ? keeping : NULL, NULL};
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        return complain(0, "guardd can't be started: %s", strerror(errno)) != 0;
    if (pid == 0) {
        execv(program, argv);
        _exit(127);
    }
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status == 0 || complain(0, "guardd couldn't do it") != 0;
}
