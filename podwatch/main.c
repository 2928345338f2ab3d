/* SPDX-License-Identifier: Apache-2.0 */
/* guard-podwatch: one thread that reads what its programs in the kernel tell and hands records of
 * it over to guardd. docs/internals/pod-sensors.md */
#include "falco.h"
#include "options.h"
#include "report.h"
#include "status.h"

#include "common/file.h"
#include "common/log.h"
#include "common/pods/pod_list.h"
#include "common/privileges.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { TICK_MS = 200, CGROUP2_MAGIC = 0x63677270 };

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif

static const struct privilege wanted[] = {
    {CAP_BPF, "BPF", "nothing is seen"},
    {CAP_PERFMON, "PERFMON", "processes aren't seen"},
    {CAP_NET_ADMIN, "NET_ADMIN", "destinations are seen by sockets only"},
};
static const struct guard_span no_service = {NULL, 0};
static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

struct podwatch {
    struct podwatch_cfg cfg;
    struct programs *programs;
    struct report report;
    struct pod_files files;
    struct falco *falco;
    struct pod_list *pods;
    struct stat pods_stat;
    bool pods_refused; /* that was said */
};

static bool is_version_2(const char *path)
{
    struct statfs statfs_of;
    return statfs(path, &statfs_of) == 0 && statfs_of.f_type == CGROUP2_MAGIC;
}

/* Where both versions are in use, pods lie in the first's, and the second's has hooks only. */
static void find_hierarchy(struct programs_cfg *cfg)
{
    bool unified = is_version_2("/sys/fs/cgroup");
    cfg->look_at_v1 = !unified;
    if (cfg->cgroup_dir == NULL)
        cfg->cgroup_dir = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static enum guard_rc load_pods(const char *path, struct pod_list **out, struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    GUARD_TRY(file_read(path, POD_LIST_BYTES_MAX, &bytes, &len, err));
    enum guard_rc rc = pod_list_parse(out, (struct guard_span){bytes, len}, err);
    free(bytes);
    return rc;
}

/* When it was replaced. One that is wrong or half-written leaves the last one in force. */
static void read_pods(struct podwatch *podwatch)
{
    struct stat now = {.st_size = 0};
    struct guard_err err;
    struct pod_list *list = NULL;
    if (podwatch->cfg.pods == NULL)
        return;
    if (stat(podwatch->cfg.pods, &now) == 0 && same_file(&now, &podwatch->pods_stat))
        return;
    podwatch->pods_stat = now;
    if (load_pods(podwatch->cfg.pods, &list, &err) == GUARD_OK) {
        pod_list_free(podwatch->pods);
        podwatch->pods = list;
        podwatch->report.pods = list;
        podwatch->pods_refused = false;
        malloc_trim(0);
    } else if (!podwatch->pods_refused) {
        podwatch->pods_refused = true;
        log_event("warn", "pods-not-read", no_service, "%s: %s", podwatch->cfg.pods, err.text);
    }
}

static void write_status(struct podwatch *podwatch)
{
    struct falco_counts falco;
    struct guard_err err;
    falco_counts(podwatch->falco, &falco);
    if (podwatch->cfg.status != NULL && status_write(podwatch->cfg.status, &podwatch->report,
                                                     podwatch->pods, &falco, &err) != GUARD_OK)
        log_event("warn", "status-not-written", no_service, "%s", err.text);
}

static void interval(struct podwatch *podwatch)
{
    report_set_clock(&podwatch->report);
    falco_interval(podwatch->falco, &podwatch->files, podwatch->pods, podwatch->cfg.node);
    report_interval(&podwatch->report);
    write_status(podwatch);
}

static void wait_for_events(struct podwatch *podwatch)
{
    struct pollfd fds[] = {{.fd = programs_fd(podwatch->programs), .events = POLLIN},
                           {.fd = falco_fd(podwatch->falco), .events = POLLIN}};
    (void)poll(fds, sizeof(fds) / sizeof(fds[0]), TICK_MS);
    programs_read(podwatch->programs);
    read_pods(podwatch);
    report_urgent(&podwatch->report);
    falco_read(podwatch->falco, &podwatch->report.containers);
}

static void watch(struct podwatch *podwatch)
{
    uint64_t last = clock_monotonic_ms();
    while (!stopping) {
        wait_for_events(podwatch);
        uint64_t now = clock_monotonic_ms();
        if (now - last >= podwatch->cfg.interval_ms) {
            last = now;
            interval(podwatch);
        }
    }
    podwatch->report.closing = true;
    interval(podwatch);
}

static enum guard_rc start(struct podwatch *podwatch, struct guard_err *err)
{
    struct podwatch_cfg *cfg = &podwatch->cfg;
    find_hierarchy(&cfg->programs);
    GUARD_TRY(privileges_keep(wanted, sizeof(wanted) / sizeof(wanted[0]), err));
    GUARD_TRY(pod_files_open(&podwatch->files, cfg->records,
                             pod_producer("podwatch", cfg->node, ""), clock_unix_ms(), err));
    GUARD_TRY(random_bytes(&cfg->programs.seed, sizeof(cfg->programs.seed)));
    podwatch->report = (struct report){.files = &podwatch->files,
                                       .node = cfg->node,
                                       .named_by_list = cfg->pods != NULL,
                                       .pace = {.limits = &pod_pace_hard},
                                       .news_pace = {.limits = &pod_pace_news}};
    containers_init(&podwatch->report.containers);
    if (cfg->falco != NULL)
        GUARD_TRY(falco_open(&podwatch->falco, cfg->falco, &podwatch->report.containers.room, err));
    GUARD_TRY(
        programs_open(&podwatch->programs, &cfg->programs, report_event, &podwatch->report, err));
    podwatch->report.programs = podwatch->programs;
    if (programs_attached(podwatch->programs) == 0)
        return guard_fail(err, GUARD_E_IO, "the kernel takes none of the programs");
    read_pods(podwatch);
    report_set_clock(&podwatch->report);
    programs_list(podwatch->programs);
    programs_read(podwatch->programs);
    return GUARD_OK;
}

static void release(struct podwatch *podwatch)
{
    programs_close(podwatch->programs);
    falco_close(podwatch->falco);
    report_free(&podwatch->report);
    pod_files_close(&podwatch->files);
    pod_list_free(podwatch->pods);
}

int main(int argc, char **argv)
{
    static struct podwatch podwatch;
    struct sigaction action = {.sa_handler = on_signal};
    struct guard_err err;
    int status;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!options_read(&podwatch.cfg, argc, argv, &status))
        return status;
    prctl(PR_SET_DUMPABLE, 0);
    umask(027);
    if (start(&podwatch, &err) != GUARD_OK) {
        log_event("alarm", "not-started", no_service, "%s", err.text);
        release(&podwatch);
        return 1;
    }
    write_status(&podwatch);
    log_event("info", "started", no_service, "%u programs, %u containers",
              programs_attached(podwatch.programs), podwatch.report.containers.count);
    watch(&podwatch);
    log_event("info", "stopped", no_service, "%" PRIu64 " records", podwatch.report.records);
    release(&podwatch);
    return 0;
}
