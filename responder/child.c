/* SPDX-License-Identifier: Apache-2.0 */
/* Between fork and exec only what is allowed there is called; this program has one thread. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_SUCH = 127, KEPT = 3, READS_MAX = 64, KILLED_MAX = 64 };

static pid_t killed[KILLED_MAX]; /* and not ended yet */

/* Its own group, ended with the parent, nothing but the pipe. */
static bool settle(pid_t parent, int out)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};
    const int numbers[] = {SIGTERM, SIGINT, SIGPIPE};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaction(numbers[i], &usual, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || setpgid(0, 0) != 0)
        return false;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
           dup2(out, STDERR_FILENO) >= 0;
}

static enum guard_rc begin(struct child *child, int *out, struct guard_err *err)
{
    int pipes[2];
    pid_t parent = getpid();
    *child = (struct child){.out = -1};
    if (pipe2(pipes, O_CLOEXEC) != 0 || fcntl(pipes[0], F_SETFL, O_NONBLOCK) != 0)
        return guard_fail(err, GUARD_E_IO, "no pipe: %s", strerror(errno));
    child->pid = fork();
    if (child->pid == 0) {
        if (!settle(parent, pipes[1]))
            _exit(NO_SUCH);
        *out = pipes[1];
        return GUARD_OK;
    }
    int saved = errno;
    close(pipes[1]);
    child->out = pipes[0];
    if (child->pid > 0)
        return GUARD_OK;
    close(pipes[0]);
    *child = (struct child){.out = -1};
    return guard_fail(err, GUARD_E_IO, "no process: %s", strerror(saved));
}

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return;
}

enum guard_rc child_command(struct child *child, char *const *argv, char *const *environment,
                            struct guard_err *err)
{
    int out;
    GUARD_TRY(begin(child, &out, err));
    if (child->pid > 0)
        return GUARD_OK;
    execve(argv[0], argv, environment);
    say(argv[0]);
    say(": can't be executed: ");
    say(strerror(errno));
    _exit(NO_SUCH);
}

enum guard_rc child_run(struct child *child, child_function *run, void *ctx, int kept,
                        struct guard_err *err)
{
    int out;
    GUARD_TRY(begin(child, &out, err));
    if (child->pid > 0)
        return GUARD_OK;
    bool good = kept >= 0 ? dup2(kept, KEPT) >= 0 : true;
    if (!good || close_range(kept >= 0 ? KEPT + 1 : KEPT, ~0u, 0) != 0)
        _exit(NO_SUCH);
    _exit(run(ctx, kept >= 0 ? KEPT : -1));
}

/* What is beyond the room is read and forgotten, so that a child that writes much isn't held up. */
static void take_output(struct child *child)
{
    char more[4096];
    ssize_t got;
    for (int i = 0; i < READS_MAX && (got = read(child->out, more, sizeof(more))) > 0; i++) {
        size_t room = CHILD_TEXT_MAX - child->len;
        size_t len = (size_t)got < room ? (size_t)got : room;
        memcpy(child->text + child->len, more, len);
        child->len += len;
    }
}

static void end_text(struct child *child)
{
    size_t len = 0;
    while (len < child->len && child->text[len] != '\n' && child->text[len] != '\0')
        len++;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)child->text[i] < ' ' || child->text[i] == 0x7f)
            child->text[i] = '?';
    }
    child->text[len] = '\0';
    child->len = len;
}

static void forget(struct child *child)
{
    take_output(child);
    end_text(child);
    close(child->out);
    child->out = -1;
    child->pid = 0;
}

enum child_state child_look(struct child *child, int *status)
{
    int how;
    take_output(child);
    pid_t got = waitpid(child->pid, &how, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR))
        return CHILD_RUNS;
    (void)kill(-child->pid, SIGKILL); /* what it left behind */
    forget(child);
    bool exited = got > 0 && WIFEXITED(how);
    *status = got < 0 ? NO_SUCH : exited ? WEXITSTATUS(how) : WTERMSIG(how);
    return exited ? CHILD_EXITED : CHILD_KILLED;
}

void child_kill(struct child *child)
{
    size_t i = 0;
    if (child->pid <= 0)
        return;
    (void)kill(-child->pid, SIGKILL);
    (void)kill(child->pid, SIGKILL); /* its group may not be made yet */
    while (i < KILLED_MAX - 1 && killed[i] != 0)
        i++;
    killed[i] = child->pid;
    forget(child);
    child_reap();
}

void child_reap(void)
{
    for (size_t i = 0; i < KILLED_MAX; i++) {
        if (killed[i] != 0 && waitpid(killed[i], NULL, WNOHANG) != 0)
            killed[i] = 0;
    }
}
