/* SPDX-License-Identifier: Apache-2.0 */
/* guard-responder: one thread that takes guardd's orders and carries them out as far as its own
 * configuration and budgets allow. docs/internals/responder.md */
#include "contain.h"
#include "options.h"
#include "response.h"
#include "resumes.h"

#include "common/file.h"
#include "common/log.h"
#include "common/privileges.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif

enum { TICK_NS = 100000000, LOOK_MS = 500, ARENA_MAX = 16 << 20 };

/* Commands have them, too. */
static const struct privilege wanted[] = {
    {CAP_BPF, "BPF", "pods can only be frozen"},
    {CAP_PERFMON, "PERFMON", "pods can only be frozen"},
    {CAP_NET_ADMIN, "NET_ADMIN", "pods can only be frozen"},
    {CAP_SYS_PTRACE, "SYS_PTRACE", "captures lack executables and open files"},
    {CAP_DAC_OVERRIDE, "DAC_OVERRIDE", "files of guardd and of pods may be closed to it"},
    {CAP_KILL, "KILL", "commands can't end processes of others"},
};
static const struct guard_span no_service = {NULL, 0};
static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

struct program {
    struct responder responder;
    struct linux_actor actor;
    struct guard_arena arena;
    int lock;
};

static enum guard_rc make_folders(const char *state, struct guard_err *err)
{
    static const char *const names[] = {"", "/orders", "/captures", "/resume"};
    struct stat info;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[STATE_PATH_MAX];
        snprintf(path, sizeof(path), "%.900s%s", state, names[i]);
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return guard_fail(err, GUARD_E_IO, "%.200s: %s", path, strerror(errno));
        if (lstat(path, &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid() ||
            (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
            return guard_fail(err, GUARD_E_IO, "%.200s: must be a directory of ours, mode 0700",
                              path);
    }
    return GUARD_OK;
}

static enum guard_rc take_lock(struct program *program, struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    snprintf(path, sizeof(path), "%.900s/lock", program->responder.cfg.state);
    program->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (program->lock < 0)
        return guard_fail(err, GUARD_E_IO, "%.200s: %s", path, strerror(errno));
    return flock(program->lock, LOCK_EX | LOCK_NB) == 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_STATE, "%.200s: another one runs", path);
}

/* What a pod says to itself stays open: its own gate is there. */
static void allow_loopback(struct responder_cfg *cfg)
{
    struct contain_allow *four = &cfg->allow[cfg->allow_count];
    struct contain_allow *six = four + 1;
    *four = (struct contain_allow){.used = 1};
    *six = (struct contain_allow){.used = 1};
    four->address[2] = htonl(0xffff);
    four->address[3] = htonl(0x7f000000);
    six->address[3] = htonl(1);
    memset(four->mask, 0xff, sizeof(four->mask));
    four->mask[3] = htonl(0xff000000);
    memset(six->mask, 0xff, sizeof(six->mask));
}

static void load_programs(struct program *program)
{
    struct responder_cfg *cfg = &program->responder.cfg;
    struct guard_err err;
    allow_loopback(cfg);
    if (cfg->by == CONTAIN_BY_FREEZE || containing_open(&program->actor.containing, cfg->allow,
                                                        cfg->allow_count + 2, &err) == GUARD_OK)
        return;
    snprintf(program->actor.why_not, sizeof(program->actor.why_not), "%s", err.text);
    log_event(cfg->by == CONTAIN_BY_DENY ? "alarm" : "warn", "not-contained-by-programs",
              no_service, "%s%s", err.text,
              cfg->by == CONTAIN_BY_DENY ? ": nothing can be contained" : ": pods are frozen");
}

/* On a node a responder may well start before the guardd that gives the orders: it waits for that
 * one's folders, which only guardd can make as it needs them. */
static enum guard_rc await_mailbox(struct responder *responder, bool only_let_go,
                                   struct guard_err *err)
{
    const struct timespec second = {.tv_sec = 1};
    bool told = false;
    for (;;) {
        enum guard_rc rc = mailbox_open(&responder->mailbox, responder->cfg.guard, err);
        if (rc != GUARD_E_STATE || only_let_go || stopping)
            return rc;
        if (!told)
            log_event("warn", "guardd-awaited", no_service, "%s", err->text);
        told = true;
        nanosleep(&second, NULL);
    }
}

static enum guard_rc start(struct program *program, bool only_let_go, struct guard_err *err)
{
    struct responder *responder = &program->responder;
    GUARD_TRY(make_folders(responder->cfg.state, err));
    GUARD_TRY(take_lock(program, err));
    GUARD_TRY(privileges_keep(wanted, sizeof(wanted) / sizeof(wanted[0]), err));
    GUARD_TRY(await_mailbox(responder, only_let_go, err));
    program->actor.cfg = &responder->cfg;
    responder->actor = linux_actor(&program->actor);
    load_programs(program);
    /* Damaged books stop the acting, not the telling. */
    struct guard_err why;
    if (ledger_read(&responder->ledger, responder->cfg.state, &why) != GUARD_OK) {
        snprintf(responder->broken, sizeof(responder->broken), "%s", why.text);
        log_event("alarm", "acting-stopped", no_service, "%s", why.text);
    }
    return GUARD_OK;
}

static void resume_all(struct responder *responder)
{
    for (size_t i = 0; i < RESPONSES_MAX; i++) {
        if (responder->ledger.responses[i].used)
            response_resume(responder, &responder->ledger.responses[i], clock_unix_ms());
    }
}

static void run(struct responder *responder)
{
    const struct timespec tick = {.tv_nsec = TICK_NS};
    uint64_t last = 0;
    while (!stopping) {
        uint64_t now = clock_monotonic_ms();
        if (now - last >= LOOK_MS || last == 0) {
            last = now;
            intake_look_at_people(responder);
            resumes_look(responder, clock_unix_ms());
            intake_look(responder, clock_unix_ms());
        }
        for (size_t i = 0; i < RESPONSES_MAX; i++) {
            if (responder->ledger.responses[i].used)
                response_run(responder, &responder->ledger.responses[i], clock_unix_ms());
        }
        state_file_tick(responder, clock_unix_ms(), clock_monotonic_ms());
        child_reap();
        nanosleep(&tick, NULL);
    }
}

/* Programs go with this process; a frozen group would stay so. The ledger keeps what was held: the
 * next start holds it again. */
static void let_go(struct responder *responder)
{
    for (size_t i = 0; i < RESPONSES_MAX; i++) {
        struct response copy = responder->ledger.responses[i];
        char text[ACTED_TEXT_MAX + 1];
        if (!copy.used)
            continue;
        responder->actor.stop(responder->actor.ctx, &copy);
        if (copy.contained || copy.frozen)
            responder->actor.release(responder->actor.ctx, &copy, text);
    }
}

static int ask_to_resume(const char *state, const char *workload)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    const char *slash = strchr(workload, '/');
    snprintf(path, sizeof(path), "%.600s/resume/%.*s.%s", state, (int)(slash - workload), workload,
             slash + 1);
    if (file_replace(path, (struct guard_span){NULL, 0}, 0600, true, &err) == GUARD_OK)
        return 0;
    fprintf(stderr, "guard-responder: %s\n", err.text);
    return 1;
}

static void release(struct program *program)
{
    containing_close(program->actor.containing);
    mailbox_close(&program->responder.mailbox);
    guard_arena_reset(&program->arena);
}

static int serve(struct program *program, bool only_let_go)
{
    struct responder *responder = &program->responder;
    struct guard_err err;
    if (start(program, only_let_go, &err) != GUARD_OK) {
        if (!stopping)
            log_event("alarm", "not-started", no_service, "%s", err.text);
        release(program);
        return stopping ? 0 : 1;
    }
    if (!only_let_go) {
        log_event("info", "started", no_service, "%u workloads%s", responder->cfg.workload_count,
                  responder->cfg.dry_run ? ", dry run" : "");
        resume_all(responder);
        run(responder);
    }
    let_go(responder);
    state_file_end(responder, clock_unix_ms());
    log_event("info", "stopped", no_service, "%s", "nothing is contained any more");
    release(program);
    return 0;
}

int main(int argc, char **argv)
{
    static struct program program;
    struct guard_alloc heap = heap_alloc();
    struct sigaction action = {.sa_handler = on_signal};
    struct options options;
    struct guard_err err;
    int status;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!options_read(&options, argc, argv, &status))
        return status;
    prctl(PR_SET_DUMPABLE, 0);
    umask(077);
    guard_arena_init(&program.arena, &heap, ARENA_MAX);
    if (config_load(&program.responder.cfg, options.config, &program.arena, &err) != GUARD_OK) {
        fprintf(stderr, "guard-responder: %s\n", err.text);
        return 1;
    }
    if (options.check)
        return printf("%s: fine, %u workloads\n", options.config,
                      program.responder.cfg.workload_count) > 0
                   ? 0
                   : 1;
    if (options.resume != NULL)
        return ask_to_resume(program.responder.cfg.state, options.resume);
    return serve(&program, options.let_go);
}
