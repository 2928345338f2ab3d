/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel, its lockdown or the capabilities at hand may refuse any program; each is tried, and the
 * rest works without it. */
#include "programs.h"

#include "podwatch_object.h"

#include "common/bpf/kernel_object.h"
#include "common/log.h"

#include <guard/pod.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_BUF = 4096, TRIED_ENTRIES = 1024 };

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
    struct kernel_object *object;
    struct kernel_ring *ring;
    programs_handler *handler;
    void *ctx;
    int cgroup_fd;
    int seen, cgroups, counts; /* maps */
    uint32_t cpus;
    /* Variables that the programs read, too. */
    uint32_t *epoch, *shared_taken;
    uint64_t *real_offset_ns;
    bool *connect_by_state;
    uint32_t sees, attached;
    struct event_counts *of_cpus;
    struct bpf_link *links[SPECS];
};

static size_t place_of(const char *name)
{
    size_t i = 0;
    while (strcmp(specs[i].name, name) != 0)
        i++;
    return i;
}

static enum guard_rc set_constants(struct kernel_object *object, const struct programs_cfg *cfg,
                                   struct guard_err *err)
{
    char root[ROOT_CAP] = {0};
    uint32_t len = (uint32_t)strnlen(cfg->root, ROOT_CAP - 1);
    memcpy(root, cfg->root, len);
    GUARD_TRY(kernel_object_set(object, "root_name", root, sizeof(root), err));
    GUARD_TRY(kernel_object_set(object, "root_len", &len, sizeof(len), err));
    GUARD_TRY(kernel_object_set(object, "look_at_v1", &cfg->look_at_v1, sizeof(bool), err));
    GUARD_TRY(kernel_object_set(object, "seed", &cfg->seed, sizeof(cfg->seed), err));
    GUARD_TRY(kernel_object_set(object, "prefixes", cfg->prefixes, sizeof(cfg->prefixes), err));
    return kernel_object_set(object, "prefix_count", &cfg->prefix_count, sizeof(cfg->prefix_count),
                             err);
}

static enum guard_rc open_all(struct kernel_object **out, const struct programs_cfg *cfg,
                              struct guard_err *err)
{
    GUARD_TRY(kernel_object_open(
        out, (struct guard_span){podwatch_object_bytes, podwatch_object_len}, err));
    return set_constants(*out, cfg, err);
}

/* Small maps: only whether it would be taken is asked. */
static enum guard_rc try_one(const char *name, const struct programs_cfg *cfg, int *why,
                             struct guard_err *err)
{
    struct kernel_object *object = NULL;
    enum guard_rc rc = open_all(&object, cfg, err);
    if (rc == GUARD_OK)
        rc = kernel_object_resize(object, "seen", TRIED_ENTRIES, err);
    if (rc == GUARD_OK)
        rc = kernel_object_resize(object, "cgroups", TRIED_ENTRIES, err);
    if (rc == GUARD_OK) {
        kernel_object_want_only(object, name);
        *why = kernel_object_load(object);
    }
    kernel_object_close(object);
    return rc;
}

static void tell_refused(const char *name, const char *what, int error)
{
    log_event("warn", "program-refused", no_service, "%s: %s: %s", name, what, strerror(error));
}

/* Without those that are refused alone. */
static enum guard_rc load_rest(struct programs *programs, const struct programs_cfg *cfg,
                               struct guard_err *err)
{
    bool refused[SPECS] = {false};
    for (size_t i = 0; i < SPECS; i++) {
        int why = 0;
        GUARD_TRY(try_one(specs[i].name, cfg, &why, err));
        refused[i] = why != 0;
        if (refused[i] && strcmp(specs[i].name, "watch_egress") != 0)
            tell_refused(specs[i].name, "not loaded", why);
    }
    GUARD_TRY(open_all(&programs->object, cfg, err));
    for (size_t i = 0; i < SPECS; i++) {
        bool instead = strcmp(specs[i].name, "watch_egress") == 0 &&
                       !kernel_object_wants(programs->object, "watch_send");
        bool wanted = kernel_object_wants(programs->object, specs[i].name) || instead;
        kernel_object_want(programs->object, specs[i].name, wanted && !refused[i]);
    }
    int error = kernel_object_load(programs->object);
    return error == 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_IO, "no program can be loaded: %s", strerror(error));
}

/* All at once, as on most kernels. */
static enum guard_rc load(struct programs *programs, const struct programs_cfg *cfg,
                          struct guard_err *err)
{
    GUARD_TRY(open_all(&programs->object, cfg, err));
    if (kernel_object_load(programs->object) == 0)
        return GUARD_OK;
    kernel_object_close(programs->object);
    programs->object = NULL;
    return load_rest(programs, cfg, err);
}

static enum guard_rc find_shared(struct programs *programs, struct guard_err *err)
{
    struct kernel_object *object = programs->object;
    programs->seen = kernel_object_map(object, "seen");
    programs->cgroups = kernel_object_map(object, "cgroups");
    programs->counts = kernel_object_map(object, "counts");
    programs->epoch = kernel_object_variable(object, "epoch", sizeof(uint32_t));
    programs->shared_taken = kernel_object_variable(object, "shared_taken", sizeof(uint32_t));
    programs->real_offset_ns = kernel_object_variable(object, "real_offset_ns", sizeof(uint64_t));
    programs->connect_by_state = kernel_object_variable(object, "connect_by_state", sizeof(bool));
    bool all = programs->seen >= 0 && programs->cgroups >= 0 && programs->counts >= 0 &&
               programs->epoch != NULL && programs->shared_taken != NULL &&
               programs->real_offset_ns != NULL && programs->connect_by_state != NULL;
    return all ? GUARD_OK
               : guard_fail(err, GUARD_E_STATE, "the programs aren't those of this guard-podwatch");
}

/* NULL: errno says why. */
static struct bpf_link *attach(const struct programs *programs, const struct program_spec *spec)
{
    if (spec->attach == ITERATOR)
        return kernel_attach_iterator(programs->object, spec->name);
    if (spec->attach == PLAIN)
        return kernel_attach(programs->object, spec->name);
    if (programs->cgroup_fd >= 0)
        return kernel_attach_group(programs->object, spec->name, programs->cgroup_fd);
    errno = ENOENT;
    return NULL;
}

static void attach_all(struct programs *programs)
{
    for (size_t i = 0; i < SPECS; i++) {
        if (!kernel_object_wants(programs->object, specs[i].name))
            continue;
        programs->links[i] = attach(programs, &specs[i]);
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
    *programs->connect_by_state = true;
    programs->sees |= KIND(DESTINATION);
    log_event("warn", "datagrams-unseen", no_service, "%s",
              "connections are told by their sockets: TCP only");
}

static void on_event(void *ctx, const void *data, size_t len)
{
    const struct programs *programs = ctx;
    if (len >= sizeof(struct event))
        programs->handler(programs->ctx, data);
}

static enum guard_rc start(struct programs *programs, const struct programs_cfg *cfg,
                           struct guard_err *err)
{
    programs->cpus = kernel_processors();
    if (programs->cpus == 0)
        return guard_fail(err, GUARD_E_IO, "how many processors there are can't be told");
    programs->of_cpus = calloc(programs->cpus, sizeof(struct event_counts));
    if (programs->of_cpus == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    GUARD_TRY(load(programs, cfg, err));
    GUARD_TRY(find_shared(programs, err));
    programs->cgroup_fd = open(cfg->cgroup_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return kernel_ring_open(&programs->ring, programs->object, "ring", on_event, programs, err);
}

enum guard_rc programs_open(struct programs **out, const struct programs_cfg *cfg,
                            programs_handler *handler, void *ctx, struct guard_err *err)
{
    struct programs *programs = calloc(1, sizeof(*programs));
    if (programs == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    *programs = (struct programs){.handler = handler, .ctx = ctx, .cgroup_fd = -1};
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
        kernel_detach(programs->links[i]);
    kernel_ring_close(programs->ring);
    kernel_object_close(programs->object);
    if (programs->cgroup_fd >= 0)
        close(programs->cgroup_fd);
    free(programs->of_cpus);
    free(programs);
}

int programs_fd(const struct programs *programs)
{
    return kernel_ring_fd(programs->ring);
}

void programs_read(struct programs *programs)
{
    kernel_ring_read(programs->ring);
}

static void run_iterator(struct programs *programs, const char *name)
{
    char nothing[LIST_BUF];
    const struct bpf_link *link = programs->links[place_of(name)];
    int fd = link != NULL ? kernel_iterate(link) : -1;
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
    ++*programs->epoch;
    *programs->shared_taken = 0;
}

uint32_t programs_epoch(const struct programs *programs)
{
    return *programs->epoch;
}

void programs_set_clock(struct programs *programs, uint64_t real_offset_ns)
{
    *programs->real_offset_ns = real_offset_ns;
}

bool programs_cgroup(const struct programs *programs, uint64_t cgroup, struct cgroup_state *out)
{
    return kernel_map_get(programs->cgroups, &cgroup, out);
}

void programs_forget(const struct programs *programs, uint64_t cgroup)
{
    kernel_map_remove(programs->cgroups, &cgroup);
}

uint64_t programs_seen(const struct programs *programs, const struct seen_key *key)
{
    struct seen_entry entry;
    if (!kernel_map_get(programs->seen, key, &entry) || entry.epoch != programs_epoch(programs))
        return 1;
    return entry.count;
}

void programs_counts(const struct programs *programs, struct event_counts out[EVENT_KINDS])
{
    for (uint32_t kind = 0; kind < EVENT_KINDS; kind++) {
        out[kind] = (struct event_counts){0};
        if (!kernel_map_get(programs->counts, &kind, programs->of_cpus))
            continue;
        for (uint32_t i = 0; i < programs->cpus; i++) {
            out[kind].counted += programs->of_cpus[i].counted;
            out[kind].sent += programs->of_cpus[i].sent;
            out[kind].deduplicated += programs->of_cpus[i].deduplicated;
            out[kind].dropped += programs->of_cpus[i].dropped;
        }
    }
}
