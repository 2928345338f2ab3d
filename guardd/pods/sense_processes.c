/* SPDX-License-Identifier: Apache-2.0 */
/* Containers' first processes have no parent in a shared namespace, and number 1 is the pod's own
 * (pause): so whose an ancestor is the first of guardd's container is guardd's or the gate's. */
#include "sense_processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STAT_CAP = 512, ANCESTORS_MAX = 64, START_FIELD = 22, PARENT_FIELD = 4, FLAGS_FIELD = 9 };
enum { FORKED_FLAG = 0x40 }; /* the kernel's PF_FORKNOEXEC */

struct table {
    struct sense_process entries[SENSE_PROCESSES_MAX]; /* by pid */
    uint32_t count;
};

struct sense_processes {
    DIR *proc;
    pid_t first; /* of guardd's container */
    struct table tables[2];
    uint32_t now;
};

static int by_pid(const void *a, const void *b)
{
    const struct sense_process *left = a, *right = b;
    return (left->pid > right->pid) - (left->pid < right->pid);
}

static const struct sense_process *find(const struct table *table, pid_t pid)
{
    const struct sense_process wanted = {.pid = pid};
    return bsearch(&wanted, table->entries, table->count, sizeof(wanted), by_pid);
}

/* "12 (a name) with ) in it) S 1 ...": fields are counted behind the last ')'. False: it is over, a
 * zombie or of no form. */
static bool read_stat(struct sense_process *out, char *text)
{
    char *begin = strchr(text, '('), *end = strrchr(text, ')');
    if (begin == NULL || end == NULL || end < begin || end[1] != ' ' || end[2] == 'Z' ||
        end[2] == 'X')
        return false;
    (void)snprintf(out->program, sizeof(out->program), "[%.*s]", (int)(end - begin - 1), begin + 1);
    char *at = end + 2;
    for (int field = 3; field < START_FIELD; field++) {
        if (field == PARENT_FIELD)
            out->parent = (pid_t)strtol(at, NULL, 10);
        if (field == FLAGS_FIELD)
            out->forked = (strtoul(at, NULL, 10) & FORKED_FLAG) != 0;
        at = strchr(at, ' ');
        if (at == NULL)
            return false;
        at++;
    }
    out->start = strtoull(at, NULL, 10);
    return true;
}

static bool read_text(int dir, const char *name, char *out, size_t size)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, out, size - 1);
    close(fd);
    out[len > 0 ? len : 0] = '\0';
    return len > 0;
}

/* False: it has ended meanwhile. */
static bool read_process(struct sense_process *out, int proc, const char *name)
{
    char text[STAT_CAP];
    struct stat owner;
    *out = (struct sense_process){.pid = (pid_t)strtol(name, NULL, 10)};
    int dir = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return false;
    bool there = fstat(dir, &owner) == 0 && read_text(dir, "stat", text, sizeof(text)) &&
                 read_stat(out, text);
    if (there) {
        char path[SENSE_PROGRAM_CAP];
        ssize_t len = readlinkat(dir, "exe", path, sizeof(path) - 1);
        out->user = owner.st_uid;
        if (len > 0) { /* else it is another user's, or a thread of the kernel */
            memcpy(out->program, path, (size_t)len);
            out->program[len] = '\0';
        }
    }
    close(dir);
    return there;
}

/* False: there are more than there is room for, or nothing can be read. */
static bool read_all(struct sense_processes *processes, struct table *out)
{
    bool all = true;
    out->count = 0;
    rewinddir(processes->proc);
    for (struct dirent *entry; (entry = readdir(processes->proc)) != NULL;) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        if (out->count == SENSE_PROCESSES_MAX) {
            all = false;
            break;
        }
        out->count +=
            read_process(&out->entries[out->count], dirfd(processes->proc), entry->d_name);
    }
    qsort(out->entries, out->count, sizeof(out->entries[0]), by_pid);
    return all && out->count > 0;
}

/* The ancestor that has no parent, or whose parent has ended. */
static pid_t first_of(const struct table *table, pid_t pid)
{
    for (int i = 0; i < ANCESTORS_MAX; i++) {
        const struct sense_process *process = find(table, pid);
        if (process == NULL || process->parent == 0)
            break;
        pid = process->parent;
    }
    return pid;
}

enum guard_rc sense_processes_open(struct sense_processes **out, const char *proc,
                                   struct guard_err *err)
{
    struct sense_processes *made = calloc(1, sizeof(*made));
    *out = NULL;
    if (made == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    made->proc = opendir(proc);
    enum guard_rc rc = made->proc == NULL
                           ? guard_fail(err, GUARD_E_IO, "%.100s: %s", proc, strerror(errno))
                           : GUARD_OK;
    if (rc == GUARD_OK) {
        (void)read_all(made, &made->tables[0]);
        made->first = first_of(&made->tables[0], getpid());
        made->tables[0].count = 0;
        if (made->first == 1)
            rc = guard_fail(err, GUARD_E_STATE,
                            "the containers share no process namespace (shareProcessNamespace of a "
                            "pod)");
    }
    if (rc == GUARD_OK)
        *out = made;
    else
        sense_processes_close(made);
    return rc;
}

/* As it was then; NULL: it wasn't there, or was another one. */
static const struct sense_process *same(const struct table *before,
                                        const struct sense_process *process)
{
    const struct sense_process *then = find(before, process->pid);
    bool is = then != NULL && then->start == process->start && then->user == process->user &&
              strcmp(then->program, process->program) == 0;
    return is ? then : NULL;
}

/* It still is what its parent is, or the runtime's. One whose parent is another program or gone is
 * told at once: who forks again and again is at no two looks the same, but somebody at its head is
 * of that kind. */
static bool may_become_another(const struct sense_process *one, const struct sense_process *parent)
{
    return one->forked &&
           (one->parent == 0 || (parent != NULL && strcmp(parent->program, one->program) == 0));
}

bool sense_processes_look(struct sense_processes *processes, sense_process_fn process, void *ctx)
{
    const struct table *before = &processes->tables[processes->now];
    processes->now = !processes->now;
    struct table *now = &processes->tables[processes->now];
    bool all = read_all(processes, now);
    for (uint32_t i = 0; i < now->count; i++) {
        struct sense_process *one = &now->entries[i];
        const struct sense_process *then = same(before, one);
        const struct sense_process *parent = find(now, one->parent);
        bool young = then == NULL && before->count > 0 && may_become_another(one, parent);
        one->told = then != NULL && then->told;
        if (one->pid == 1 || one->told || young || first_of(now, one->pid) == processes->first)
            continue;
        one->told = true;
        process(ctx, one, parent != NULL ? parent->program : "-");
    }
    return all;
}

void sense_processes_close(struct sense_processes *processes)
{
    if (processes == NULL)
        return;
    if (processes->proc != NULL)
        closedir(processes->proc);
    free(processes);
}
