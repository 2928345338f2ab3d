/* SPDX-License-Identifier: Apache-2.0 */
/* The database of patterns comes in beside the traffic, as policies do: read into private memory in
 * slices, held against its signature and digest, opened, switched. It is asked within one call of
 * libguard only, so that nobody uses the old one when it goes. Whatever is wrong with a file, the
 * one in force stays; without one, each patch is tried. */
#include "patterns.h"

#include "patch_costs.h"

#include "common/file.h"
#include "common/patterns/database.h"
#include "common/patterns/sealed.h"

#include <guard/crypto.h>

#include <fcntl.h>
#include <sys/stat.h>

enum { SLICE_BYTES = 64 * 1024 };

/* The file that is being taken in. */
static struct {
    int fd; /* -1: none */
    uint8_t *bytes;
    size_t done;
    struct sealed sealed;
    struct guard_digest_state digest;
    struct gate_file_id id;
} loader = {.fd = -1};

static bool key_known;
static uint8_t key[GUARD_KEY_BYTES]; /* once it is known it stays, as that of policies does */
static struct regexes *regexes;
static struct guard_matcher matcher;
static struct pattern_database *database; /* NULL: none */
static uint8_t database_name[GUARD_DIGEST_BYTES];
static uint64_t switches; /* tells databases apart; 0: none was in force yet */
static struct gate_file_id seen;
static bool refused;
static bool asked; /* the database, in the present call of libguard */

static bool scan(void *ctx, struct guard_span stream, guard_pattern_hit *hit, void *hit_ctx)
{
    return asked && pattern_database_scan(database, stream, hit, hit_ctx);
}

static void let_go(void)
{
    if (loader.fd >= 0)
        close(loader.fd);
    free(loader.bytes);
    loader.bytes = NULL;
    loader.fd = -1;
}

static void refuse(ngx_log_t *log, enum guard_rc rc, const char *reason)
{
    bool passing = rc == GUARD_E_NOMEM; /* tried again, told once */
    if (!passing || !refused)
        ngx_log_error(NGX_LOG_ERR, log, 0, "guard: database of patterns refused: %s: %s; %s",
                      guard_rc_name(rc), reason,
                      database != NULL ? "the one before stays in force"
                                       : "each patch is tried, which takes longer");
    refused = true;
    seen = loader.id;
    if (passing)
        seen.inode = 0;
    let_go();
}

static void switch_database(ngx_log_t *log)
{
    struct guard_err err;
    struct pattern_database *opened = NULL;
    struct pattern_database_info info;
    enum guard_rc rc = pattern_database_open(
        &opened, (struct guard_span){loader.bytes, (size_t)loader.sealed.len}, &err);
    if (rc != GUARD_OK) {
        refuse(log, rc, err.text);
        return;
    }
    pattern_database_close(database);
    database = opened;
    switches++;
    ngx_memcpy(database_name, loader.sealed.name, sizeof(database_name));
    refused = false;
    seen = loader.id;
    pattern_database_info(database, &info);
    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "guard: a database of %uD patterns is in force, %uz bytes of memory",
                  info.patterns, info.bytes);
    let_go();
}

static void load_begin(const char *path, ngx_log_t *log)
{
    struct stat info;
    uint8_t head[SEALED_HEAD_BYTES];
    struct guard_err err;
    loader.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (loader.fd < 0 || fstat(loader.fd, &info) != 0) {
        refuse(log, GUARD_E_IO, strerror(errno));
        return;
    }
    loader.id = (struct gate_file_id){true, info.st_ino, info.st_size, info.st_mtim};
    ssize_t n = S_ISREG(info.st_mode) ? read(loader.fd, head, sizeof(head)) : -1;
    enum guard_rc rc = sealed_open(&loader.sealed, (struct guard_span){head, n > 0 ? (size_t)n : 0},
                                   (uint64_t)info.st_size, key, &err);
    if (rc != GUARD_OK) {
        refuse(log, rc, err.text);
        return;
    }
    loader.done = 0;
    guard_digest_begin(&loader.digest);
    loader.bytes = malloc((size_t)loader.sealed.len + 1);
    if (loader.bytes == NULL)
        refuse(log, GUARD_E_NOMEM, "no memory");
}

static void check_digest(ngx_log_t *log)
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    guard_digest_end(&loader.digest, digest);
    if (ngx_memcmp(digest, loader.sealed.content, sizeof(digest)) != 0)
        refuse(log, GUARD_E_CHECKSUM, "its bytes aren't those that were signed");
    else
        switch_database(log);
}

static void load_slice(ngx_log_t *log)
{
    if (loader.done == loader.sealed.len) {
        check_digest(log);
        return;
    }
    size_t want = ngx_min((size_t)loader.sealed.len - loader.done, (size_t)SLICE_BYTES);
    ssize_t n = read(loader.fd, loader.bytes + loader.done, want);
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        refuse(log, GUARD_E_IO, n < 0 ? strerror(errno) : "shrank while it was read");
        return;
    }
    guard_digest_update(&loader.digest, (struct guard_span){loader.bytes + loader.done, (size_t)n});
    loader.done += (size_t)n;
}

/* A gate may be there before its guardd ever was. */
static bool find_key(ngx_log_t *log)
{
    if (key_known)
        return true;
    key_known = gate_node_key_read(gate_worker.conf, key);
    if (key_known)
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "guard: the node's key came: databases of patterns "
                      "are taken from now on");
    return key_known;
}

bool gate_patterns_slice(ngx_log_t *log)
{
    char path[STATE_PATH_MAX];
    struct gate_file_id id;
    const struct guard_span none = {NULL, 0};
    if (loader.fd >= 0) {
        load_slice(log);
        return true;
    }
    if (!find_key(log) || state_path(path, (const char *)gate_worker.conf->state.data, "patterns",
                                     none, "patterns.db") != GUARD_OK)
        return false;
    gate_file_examine(path, &id);
    if (gate_file_same(&id, &seen))
        return false;
    if (id.exists) {
        loader.id = id;
        load_begin(path, log);
        return true;
    }
    seen = id;
    ngx_log_error(NGX_LOG_WARN, log, 0, "guard: the database of patterns is gone; %s",
                  database != NULL ? "its content stays in force" : "each patch is tried");
    return false;
}

void gate_patterns_init(ngx_log_t *log)
{
    const struct guard_alloc heap = heap_alloc();
    if (regexes_new(&regexes, &heap) != GUARD_OK) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "guard: no memory for expressions of patches");
        regexes = NULL;
        return;
    }
    matcher = regexes_matcher(regexes);
    matcher.scan = scan; /* its ctx is for find */
    key_known = gate_worker.conf->node_key_known;
    ngx_memcpy(key, gate_worker.conf->node_key, sizeof(key));
    while (gate_patterns_slice(log))
        continue;
}

void gate_patterns_close(void)
{
    let_go();
    pattern_database_close(database);
    database = NULL;
    regexes_free(regexes);
    regexes = NULL;
}

const struct guard_matcher *gate_patterns_matcher(void)
{
    return regexes != NULL ? &matcher : NULL;
}

/* Found out once for a policy and a database. */
static bool covers(struct gate_service *service)
{
    struct guard_pattern pattern;
    if (database == NULL)
        return false;
    if (service->patterns_checked == switches)
        return service->patterns_known;
    service->patterns_checked = switches;
    /* Of one that names none nothing is known. */
    service->patterns_known = guard_policy_pattern(service->policy, 0, &pattern);
    for (uint32_t i = 0;
         service->patterns_known && guard_policy_pattern(service->policy, i, &pattern); i++)
        service->patterns_known = pattern_database_has(database, pattern.id);
    return service->patterns_known;
}

void gate_patterns_begin(const gate_exchange_t *exchange)
{
    gate_patch_costs_begin(exchange);
    if (regexes == NULL)
        return;
    regexes_refill(regexes);
    asked = exchange->policy != NULL && exchange->policy == exchange->service->policy &&
            covers(exchange->service);
}

void gate_patterns_info(struct gate_patterns_info *out)
{
    struct pattern_database_info info = {0};
    ngx_memzero(out, sizeof(*out));
    if (database != NULL)
        pattern_database_info(database, &info);
    if (regexes != NULL)
        regexes_count(regexes, &out->expressions);
    out->loaded = database != NULL;
    out->refused = refused;
    out->patterns = info.patterns;
    out->unfiltered = info.unfiltered;
    out->bytes = info.bytes;
    ngx_memcpy(out->name, database_name, sizeof(out->name));
}
