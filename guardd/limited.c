/* SPDX-License-Identifier: Apache-2.0 */
/* See limited.h. */
#include "limited.h"

#include "common/file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { NICENESS = 10 };

void limited_to(int resource, rlim_t most)
{
    const struct rlimit limits = {most, most};
    (void)setrlimit((__rlimit_resource_t)resource, &limits);
}

static rlim_t own_memory(void)
{
    uint8_t *text = NULL;
    size_t len = 0;
    rlim_t pages = 0;
    if (file_read("/proc/self/statm", 256, &text, &len, NULL) == GUARD_OK)
        pages = strtoull((const char *)text, NULL, 10);
    free(text);
    return pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void let_go(int fd)
{
    unsigned first = LIMITED_FD;
    if (fd >= 0 && dup2(fd, LIMITED_FD) == LIMITED_FD)
        first++;
    (void)close_range(first, ~0u, 0);
}

void limited_become(const struct limited *limited)
{
    rlim_t memory = own_memory();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    let_go(limited->fd);
    limited_to(RLIMIT_CPU, limited->cpu_s);
    limited_to(RLIMIT_CORE, 0);
    if (memory > 0)
        limited_to(RLIMIT_AS, memory + limited->memory);
    if (limited->written > 0)
        limited_to(RLIMIT_FSIZE, limited->written);
    if (nice(NICENESS) == -1)
        errno = 0; /* as fast as others, then */
}
