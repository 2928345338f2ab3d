/* SPDX-License-Identifier: Apache-2.0 */
/* The file that knows libbpf. A kernel, its lockdown or the capabilities at hand may refuse any
 * program; each is tried, and the rest works without it. */
#include "programs.h"

#include "common/log.h"

#include <guard/pod.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Made by bpftool of bpf/podwatch.bpf.c; its conversions are not ours. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wunused-function"
typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
#include <podwatch.skel.h>
#pragma GCC diagnostic pop

enum { CPUS_MAX = 4096, LIST_BUF = 4096 };

static const struct guard_span no_service = {NULL, 0};

enum attach { PLAIN, CGROUP, ITERATOR };
#define KIND(name) (1U << GUARD_POD_##name)

/* What it tells. */
static const struct program_spec {
    const char *name;
    enum attach attach;
    uint32_t sees;
} specs[] = {
    {"watch_exec", PLAIN, KIND(EXEC) | KIND(DROPPED) | KIND(MEMFD) | KIND(USER) | KIND(ROOT)},
    {"watch_fork", PLAIN, 0},
    {"watch_exit", PLAIN, 0},
    {"watch_state", PLAIN, KIND(LISTEN)},
    {"watch_connect4", CGROUP, KIND(DESTINATION)},
    {"watch_connect6", CGROUP, KIND(DESTINATION)},
    {"watch_sendmsg4", CGROUP, KIND(DESTINATION)},
    {"watch_sendmsg6", CGROUP, KIND(DESTINATION)},
    {"watch_send", PLAIN, 0},
    {"watch_egress", CGROUP, 0},
    {"watch_answers", CGROUP, KIND(DNS)},
    {"watch_openat", PLAIN, KIND(WRITE) | KIND(SECRET)},
    {"watch_openat2", PLAIN, 0},
    {"watch_open", PLAIN, 0},
    {"watch_creat", PLAIN, 0},
    {"list_tasks", ITERATOR, 0},
    {"list_sockets", ITERATOR, 0},
    {"mark_tasks", ITERATOR, 0},
};
enum { SPECS = sizeof(specs) / sizeof(specs[0]) };

struct programs {
    struct podwatch_bpf *skeleton;
    struct ring_buffer *ring;
    programs_handler *handler;
    void *ctx;
    int cgroup_fd;
    int cpus;
    uint32_t sees, attached;
    struct event_counts *of_cpus;
    struct bpf_link *links[SPECS];
};

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level, (void)format, (void)arguments;
    return 0;
}

static size_t place_of(const char *name)
{
    size_t i = 0;
    while (strcmp(specs[i].name, name) != 0)
        i++;
    return i;
}

static void set_read_only(struct podwatch_bpf *skeleton, const struct programs_cfg *cfg)
{
    size_t len = strnlen(cfg->root, ROOT_CAP - 1);
    memset((char *)skeleton->rodata->root_name, 0, ROOT_CAP);
    memcpy((char *)skeleton->rodata->root_name, cfg->root, len);
    *(uint32_t *)&skeleton->rodata->root_len = (uint32_t)len;
    *(bool *)&skeleton->rodata->look_at_v1 = cfg->look_at_v1;
    *(uint64_t *)&skeleton->rodata->seed = cfg->seed;
    memcpy((void *)skeleton->rodata->prefixes, cfg->prefixes, sizeof(cfg->prefixes));
    *(uint32_t *)&skeleton->rodata->prefix_count = cfg->prefix_count;
}

/* Small maps: only whether it would be taken is asked. */
static int try_one(const char *name, const struct programs_cfg *cfg)
{
    struct podwatch_bpf *skeleton = podwatch_bpf__open();
    struct bpf_program *program;
    if (skeleton == NULL)
        return errno;
    set_read_only(skeleton, cfg);
    bpf_map__set_max_entries(skeleton->maps.seen, 1024);
    bpf_map__set_max_entries(skeleton->maps.cgroups, 1024);
    bpf_object__for_each_program(program, skeleton->obj)
        bpf_program__set_autoload(program, strcmp(bpf_program__name(program), name) == 0);
    int error = -podwatch_bpf__load(skeleton);
    podwatch_bpf__destroy(skeleton);
    return error;
}

static void tell_refused(const char *name, const char *what, int error)
{
    log_event("warn", "program-refused", no_service, "%s: %s: %s", name, what, strerror(error));
}

static struct podwatch_bpf *open_all(const struct programs_cfg *cfg)
{
    struct podwatch_bpf *skeleton = podwatch_bpf__open();
    if (skeleton != NULL)
        set_read_only(skeleton, cfg);
    return skeleton;
}

/* All at once, as on most kernels; otherwise without those that are refused alone. */
static enum guard_rc load(struct programs *programs, const struct programs_cfg *cfg,
                          struct guard_err *err)
{
    bool refused[SPECS] = {false};
    programs->skeleton = open_all(cfg);
    if (programs->skeleton == NULL)
        return guard_fail(err, GUARD_E_IO, "programs can't be opened: %s", strerror(errno));
    int error = -podwatch_bpf__load(programs->skeleton);
    if (error == 0)
        return GUARD_OK;
    podwatch_bpf__destroy(programs->skeleton);
    for (size_t i = 0; i < SPECS; i++) {
        int why = try_one(specs[i].name, cfg);
        refused[i] = why != 0;
        if (refused[i] && strcmp(specs[i].name, "watch_egress") != 0)
            tell_refused(specs[i].name, "not loaded", why);
    }
    programs->skeleton = open_all(cfg);
    if (programs->skeleton == NULL)
        return guard_fail(err, GUARD_E_IO, "programs can't be opened: %s", strerror(errno));
    for (size_t i = 0; i < SPECS; i++) {
        struct bpf_program *program =
            bpf_object__find_program_by_name(programs->skeleton->obj, specs[i].name);
        bool instead = strcmp(specs[i].name, "watch_egress") == 0 &&
                       !bpf_program__autoload(programs->skeleton->progs.watch_send);
        bool wanted = bpf_program__autoload(program) || instead;
        bpf_program__set_autoload(program, wanted && !refused[i]);
    }
    error = -podwatch_bpf__load(programs->skeleton);
    return error == 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_IO, "no program can be loaded: %s", strerror(error));
}

static void attach_all(struct programs *programs)
{
    for (size_t i = 0; i < SPECS; i++) {
        struct bpf_program *program =
            bpf_object__find_program_by_name(programs->skeleton->obj, specs[i].name);
        if (!bpf_program__autoload(program))
            continue;
        if (specs[i].attach == CGROUP && programs->cgroup_fd < 0)
            programs->links[i] = NULL, errno = ENOENT;
        else if (specs[i].attach == CGROUP)
            programs->links[i] = bpf_program__attach_cgroup(program, programs->cgroup_fd);
        else if (specs[i].attach == ITERATOR)
            programs->links[i] = bpf_program__attach_iter(program, NULL);
        else
            programs->links[i] = bpf_program__attach(program);
        if (programs->links[i] == NULL)
            tell_refused(specs[i].name, "not attached", errno);
        else {
            programs->attached++;
            programs->sees |= specs[i].sees;
        }
    }
}

/* Connections are seen by their sockets where the hooks of cgroups are missing: TCP's only. */
static void connect_otherwise(struct programs *programs)
{
    if (programs->links[place_of("watch_connect4")] != NULL ||
        programs->links[place_of("watch_state")] == NULL)
        return;
    programs->skeleton->bss->connect_by_state = true;
    programs->sees |= KIND(DESTINATION);
    log_event("warn", "datagrams-unseen", no_service, "%s",
              "connections are told by their sockets: TCP only");
}

static int on_event(void *ctx, void *data, size_t len)
{
    struct programs *programs = ctx;
    if (len >= sizeof(struct event))
        programs->handler(programs->ctx, data);
    return 0;
}

static enum guard_rc start(struct programs *programs, const struct programs_cfg *cfg,
                           struct guard_err *err)
{
    programs->cpus = libbpf_num_possible_cpus();
    if (programs->cpus < 1 || programs->cpus > CPUS_MAX)
        return guard_fail(err, GUARD_E_IO, "how many processors there are can't be told");
    programs->of_cpus = calloc((size_t)programs->cpus, sizeof(struct event_counts));
    if (programs->of_cpus == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    GUARD_TRY(load(programs, cfg, err));
    programs->cgroup_fd = open(cfg->cgroup_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    programs->ring =
        ring_buffer__new(bpf_map__fd(programs->skeleton->maps.ring), on_event, programs, NULL);
    if (programs->ring == NULL)
        return guard_fail(err, GUARD_E_IO, "the ring can't be mapped: %s", strerror(errno));
    return GUARD_OK;
}

enum guard_rc programs_open(struct programs **out, const struct programs_cfg *cfg,
                            programs_handler *handler, void *ctx, struct guard_err *err)
{
    struct programs *programs = calloc(1, sizeof(*programs));
    if (programs == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    *programs = (struct programs){.handler = handler, .ctx = ctx, .cgroup_fd = -1};
    libbpf_set_print(quiet);
    enum guard_rc rc = start(programs, cfg, err);
    if (rc != GUARD_OK) {
        programs_close(programs);
        return rc;
    }
    attach_all(programs);
    connect_otherwise(programs);
    malloc_trim(0); /* the kernel's types aren't needed any more */
    *out = programs;
    return GUARD_OK;
}

void programs_close(struct programs *programs)
{
    if (programs == NULL)
        return;
    for (size_t i = 0; i < SPECS; i++)
        bpf_link__destroy(programs->links[i]);
    ring_buffer__free(programs->ring);
    podwatch_bpf__destroy(programs->skeleton);
    if (programs->cgroup_fd >= 0)
        close(programs->cgroup_fd);
    free(programs->of_cpus);
    free(programs);
}

int programs_fd(const struct programs *programs)
{
    return ring_buffer__epoll_fd(programs->ring);
}

void programs_read(struct programs *programs)
{
    (void)ring_buffer__consume(programs->ring);
}

static void run_iterator(struct programs *programs, const char *name)
{
    char nothing[LIST_BUF];
    const struct bpf_link *link = programs->links[place_of(name)];
    int fd = link != NULL ? bpf_iter_create(bpf_link__fd(link)) : -1;
    if (fd < 0)
        return;
    ssize_t got;
    while ((got = read(fd, nothing, sizeof(nothing))) > 0 || (got < 0 && errno == EAGAIN))
        continue;
    close(fd);
}

void programs_list(struct programs *programs)
{
    run_iterator(programs, "list_tasks");
    programs_read(programs);
    run_iterator(programs, "list_sockets");
    programs_mark(programs);
}

void programs_mark(struct programs *programs)
{
    run_iterator(programs, "mark_tasks");
}

uint32_t programs_sees(const struct programs *programs)
{
    return programs->sees;
}

uint32_t programs_attached(const struct programs *programs)
{
    return programs->attached;
}

void programs_next_epoch(struct programs *programs)
{
    programs->skeleton->data->epoch++;
    programs->skeleton->bss->shared_taken = 0;
}

uint32_t programs_epoch(const struct programs *programs)
{
    return programs->skeleton->data->epoch;
}

void programs_set_clock(struct programs *programs, uint64_t real_offset_ns)
{
    programs->skeleton->bss->real_offset_ns = real_offset_ns;
}

bool programs_cgroup(const struct programs *programs, uint64_t cgroup, struct cgroup_state *out)
{
    return bpf_map_lookup_elem(bpf_map__fd(programs->skeleton->maps.cgroups), &cgroup, out) == 0;
}

void programs_forget(const struct programs *programs, uint64_t cgroup)
{
    (void)bpf_map_delete_elem(bpf_map__fd(programs->skeleton->maps.cgroups), &cgroup);
}

uint64_t programs_seen(const struct programs *programs, const struct seen_key *key)
{
    struct seen_entry entry;
    if (bpf_map_lookup_elem(bpf_map__fd(programs->skeleton->maps.seen), key, &entry) != 0 ||
        entry.epoch != programs_epoch(programs))
        return 1;
    return entry.count;
}

void programs_counts(const struct programs *programs, struct event_counts out[EVENT_KINDS])
{
    int fd = bpf_map__fd(programs->skeleton->maps.counts);
    for (uint32_t kind = 0; kind < EVENT_KINDS; kind++) {
        out[kind] = (struct event_counts){0};
        if (bpf_map_lookup_elem(fd, &kind, programs->of_cpus) != 0)
            continue;
        for (int i = 0; i < programs->cpus; i++) {
            out[kind].counted += programs->of_cpus[i].counted;
            out[kind].sent += programs->of_cpus[i].sent;
            out[kind].deduplicated += programs->of_cpus[i].deduplicated;
            out[kind].dropped += programs->of_cpus[i].dropped;
        }
    }
}
