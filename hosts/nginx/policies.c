/* SPDX-License-Identifier: Apache-2.0 */
/* Policies come in beside the traffic: a timer sees a changed file, reads it into private memory,
 * validates that copy in slices and switches. Whatever is wrong with a file, the policy in force
 * stays. */
#include "counters.h"
#include "module.h"
#include "patch_costs.h"
#include "patterns.h"

#include "common/file.h"

#include <fcntl.h>
#include <sys/stat.h>

enum {
    LOOK_MS = 500,
    SLICE_MS = 1,
    SLICE_BYTES = 64 * 1024,
    SLICE_SERVICES = 16,     /* files examined at a time after the directory changed */
    BACKGROUND_SERVICES = 4, /* and when it didn't: what was written in place is seen in the end */
};

/* The one file that is being taken in. */
static struct {
    struct gate_service *service; /* NULL: none */
    int fd;
    uint8_t *bytes;
    size_t size;
    size_t done;
    struct guard_policy_check *check;
    struct gate_file_id id;
} loader;

static size_t cursor;
static size_t left; /* services still to examine in this round */
static struct gate_file_id folder_seen[4];

static void identify(const struct stat *info, struct gate_file_id *out)
{
    *out = (struct gate_file_id){true, info->st_ino, info->st_size, info->st_mtim};
}

bool gate_file_examine(const char *path, struct gate_file_id *out)
{
    struct stat info;
    *out = (struct gate_file_id){.exists = false};
    if (stat(path, &info) != 0)
        return false;
    identify(&info, out);
    return true;
}

bool gate_file_same(const struct gate_file_id *a, const struct gate_file_id *b)
{
    return a->exists == b->exists && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static void let_go(void)
{
    guard_policy_check_free(loader.check);
    if (loader.fd >= 0)
        close(loader.fd);
    free(loader.bytes);
    ngx_memzero(&loader, sizeof(loader));
    loader.fd = -1;
}

static void refuse(ngx_log_t *log, enum guard_rc rc, const char *reason)
{
    struct gate_service *service = loader.service;
    bool passing = rc == GUARD_E_NOMEM; /* tried again, told once */
    if (!passing || !service->refused)
        ngx_log_error(NGX_LOG_ERR, log, 0, "guard: service %*s: policy refused: %s: %s; %s",
                      service->name.len, service->name.ptr, guard_rc_name(rc), reason,
                      service->policy != NULL ? "the one before stays in force"
                                              : "nothing is enforced");
    service->refused = true;
    service->policy_seen = loader.id;
    if (passing)
        service->policy_seen.inode = 0;
    let_go();
}

static void switch_policy(ngx_log_t *log)
{
    struct gate_service *service = loader.service;
    const struct guard_alloc heap = heap_alloc();
    struct guard_policy *policy;
    struct guard_policy_info info;
    enum guard_rc rc =
        guard_policy_open(&policy, &heap, (struct guard_span){loader.bytes, loader.size});
    if (rc != GUARD_OK) {
        refuse(log, rc, "can't be opened");
        return;
    }
    guard_policy_on_free(policy, free, loader.bytes);
    service->bytes = loader.bytes;
    service->bytes_len = loader.size;
    loader.bytes = NULL;
    if (service->policy != NULL)
        guard_policy_unref(service->policy); /* lives on while an exchange holds it */
    service->policy = policy;
    service->patterns_checked = 0;
    gate_patch_costs_forget(service);
    guard_policy_info(policy, &info);
    service->generation = info.generation;
    gate_counters_generation(service);
    service->generation_min = info.rollback ? info.replaces + 1 : info.generation;
    service->fail_closed = info.fail_closed;
    service->refused = false;
    service->expires_ms = info.expires_ms;
    service->policy_seen = loader.id;
    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "guard: service %*s: generation %uL is in force, mode %s%s", service->name.len,
                  service->name.ptr, info.generation, guard_mode_name(info.mode),
                  info.rollback ? " (a signed rollback)" : "");
    let_go();
}

static void load_begin(struct gate_service *service, const char *path,
                       const struct gate_file_id *id, ngx_log_t *log)
{
    struct stat info;
    loader.service = service;
    loader.id = *id;
    loader.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (loader.fd < 0 || fstat(loader.fd, &info) != 0) {
        refuse(log, GUARD_E_IO, strerror(errno));
        return;
    }
    identify(&info, &loader.id);
    if (!S_ISREG(info.st_mode) || info.st_size <= 0 || info.st_size > GUARD_POLICY_BYTES_MAX) {
        refuse(log, GUARD_E_LIMIT, "not a file of 1 byte to 16 MiB");
        return;
    }
    loader.size = (size_t)info.st_size;
    loader.bytes = malloc(loader.size);
    if (loader.bytes == NULL)
        refuse(log, GUARD_E_NOMEM, "no memory");
}

static void read_slice(ngx_log_t *log)
{
    size_t want = ngx_min(loader.size - loader.done, (size_t)SLICE_BYTES);
    ssize_t n = read(loader.fd, loader.bytes + loader.done, want);
    if (n < 0 && errno == EINTR)
        return;
    if (n < 0)
        refuse(log, GUARD_E_IO, strerror(errno));
    else if (n == 0)
        refuse(log, GUARD_E_IO, "shrank while it was read");
    else
        loader.done += (size_t)n;
}

static void load_slice(ngx_log_t *log)
{
    const struct guard_alloc heap = heap_alloc();
    struct guard_err err = {""};
    bool done = false;
    enum guard_rc rc;
    if (loader.done < loader.size) {
        read_slice(log);
        return;
    }
    if (loader.check == NULL && loader.service->bytes != NULL &&
        loader.size == loader.service->bytes_len &&
        memcmp(loader.bytes, loader.service->bytes, loader.size) == 0) {
        loader.service->policy_seen = loader.id; /* written once more */
        loader.service->refused = false;
        let_go();
        return;
    }
    if (loader.check == NULL) {
        rc = guard_policy_check_begin(
            &loader.check, &heap, (struct guard_span){loader.bytes, loader.size},
            loader.service->name, gate_worker.conf->key, loader.service->generation_min);
        if (rc != GUARD_OK)
            refuse(log, rc, "can't be checked");
        return;
    }
    rc = guard_policy_check_step(loader.check, &done, &err);
    if (rc != GUARD_OK)
        refuse(log, rc, err.text);
    else if (done)
        switch_policy(log);
}

static void follow_policy(struct gate_service *service, ngx_log_t *log)
{
    struct gate_file_id id;
    char path[STATE_PATH_MAX];
    if (!gate_worker.conf->key_known ||
        state_path(path, (const char *)gate_worker.conf->state.data, "policies", service->name,
                   ".policy") != GUARD_OK)
        return;
    gate_file_examine(path, &id);
    if (gate_file_same(&id, &service->policy_seen))
        return;
    if (id.exists) {
        load_begin(service, path, &id, log);
        return;
    }
    service->policy_seen = id;
    ngx_log_error(NGX_LOG_WARN, log, 0, "guard: service %*s: the policy's file is gone; %s",
                  service->name.len, service->name.ptr,
                  service->policy != NULL ? "its content stays in force" : "nothing is enforced");
}

/* It stays in force. Said once, and when a newer one came. */
static void note_expiry(struct gate_service *service, uint64_t now_ms, ngx_log_t *log)
{
    bool expired = service->expires_ms != 0 && service->expires_ms <= now_ms;
    if (expired && !service->expired)
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "guard: service %*s: generation %uL expired and no newer one came; it stays "
                      "in force",
                      service->name.len, service->name.ptr, service->generation);
    service->expired = expired;
}

/* A file that was renamed into a folder changes the folder; a change of the last second is looked
 * at twice because the system's clock for files is coarse. */
static bool folder_changed(const char *folder, struct gate_file_id *seen)
{
    struct gate_file_id id;
    char path[STATE_PATH_MAX];
    const struct guard_span none = {NULL, 0};
    if (state_path(path, (const char *)gate_worker.conf->state.data, folder, none, "") != GUARD_OK)
        return false;
    gate_file_examine(path, &id);
    bool changed =
        !gate_file_same(&id, seen) || id.changed.tv_sec + 1 >= (time_t)(gate_unix_ms() / 1000);
    *seen = id;
    return changed;
}

/* Said by who runs nginx. Unlike a withdrawal it is of all services, and requests are served. */
static void look_for_draining(void)
{
    struct stat info;
    char path[STATE_PATH_MAX];
    const struct guard_span none = {NULL, 0};
    gate_worker.draining = state_path(path, (const char *)gate_worker.conf->state.data, "", none,
                                      STATE_DRAINING) == GUARD_OK &&
                           stat(path, &info) == 0;
}

static void begin_round(ngx_log_t *log)
{
    look_for_draining();
    bool policies = folder_changed("policies", &folder_seen[0]);
    bool bypasses = folder_changed("bypass", &folder_seen[1]);
    bool withdrawals = folder_changed("withdrawn", &folder_seen[3]);
    bool verdicts = folder_changed("verdicts", &folder_seen[2]);
    left = policies || bypasses || withdrawals || verdicts
               ? gate_worker.service_count
               : ngx_min(gate_worker.service_count, (size_t)BACKGROUND_SERVICES);
    for (size_t i = 0; i < gate_worker.service_count; i++) {
        gate_bypass_expire(&gate_worker.services[i], log);
        note_expiry(&gate_worker.services[i], gate_unix_ms(), log);
    }
}

ngx_msec_t gate_policies_slice(ngx_log_t *log)
{
    if (loader.service != NULL) {
        load_slice(log);
        return SLICE_MS;
    }
    if (left == 0) {
        if (gate_patterns_slice(log))
            return SLICE_MS;
        begin_round(log);
    }
    for (int i = 0; i < SLICE_SERVICES && left > 0 && loader.service == NULL; i++, left--) {
        struct gate_service *service = &gate_worker.services[cursor];
        cursor = (cursor + 1) % gate_worker.service_count;
        gate_bypass_follow(service, log);
        gate_verdicts_follow(service, log);
        follow_policy(service, log);
    }
    return left > 0 || loader.service != NULL ? SLICE_MS : LOOK_MS;
}

void gate_policies_load(ngx_cycle_t *cycle)
{
    loader.fd = -1;
    look_for_draining();
    for (size_t i = 0; i < gate_worker.service_count; i++) {
        gate_bypass_follow(&gate_worker.services[i], cycle->log);
        gate_verdicts_follow(&gate_worker.services[i], cycle->log);
        follow_policy(&gate_worker.services[i], cycle->log);
        while (loader.service != NULL)
            load_slice(cycle->log);
    }
}

void gate_policies_close(void)
{
    let_go();
    for (size_t i = 0; i < gate_worker.service_count; i++) {
        if (gate_worker.services[i].policy != NULL)
            guard_policy_unref(gate_worker.services[i].policy);
        free(gate_worker.services[i].verdicts);
    }
}
