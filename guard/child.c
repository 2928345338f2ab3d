/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes of `guard run`: none outlives it. */
#include "run.h"

#include "command.h"
#include "common/file.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void run_child(char *const argv[], pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1); /* it died before the line above */
    /* A terminal's interrupt goes to us alone; we end the children in order. */
    setpgid(0, 0);
    execv(argv[0], argv);
    _exit(127);
}

bool child_start(struct child *child, char *const argv[])
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return complain(0, "%s: can't be started: %s", child->name, strerror(errno)) != 0;
    if (pid == 0)
        run_child(argv, parent);
    child->pid = pid;
    child->started_ms = clock_unix_ms();
    return true;
}

bool child_ended(const struct child *child)
{
    int status;
    pid_t pid = waitpid(child->pid, &status, WNOHANG);
    return pid == child->pid || (pid < 0 && errno == ECHILD);
}

void child_stop(struct child *child, int signal_number, uint64_t grace_ms)
{
    if (child->pid == 0)
        return;
    uint64_t start = clock_unix_ms();
    kill(child->pid, signal_number);
    while (!child_ended(child)) {
        struct timespec pause = {.tv_nsec = 20000000L};
        if (clock_unix_ms() - start > grace_ms) {
            kill(child->pid, SIGKILL);
            (void)waitpid(child->pid, NULL, 0);
            break;
        }
        nanosleep(&pause, NULL);
    }
    child->pid = 0;
}
