/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's life: what it has when the first request comes, the timer that looks after rings and
 * policies, and the memory and randomness that exchanges draw from without a system call. */
#include "counters.h"
#include "patch_costs.h"
#include "patterns.h"

#include "common/file.h"

enum {
    TICK_MS = 500,
    REPORT_MS = 1,         /* between two parts of one */
    CHUNKS_KEPT_MAX = 128, /* 2 MiB: what a worker keeps after a rush */
    ALERT_RING_BYTES = 256 * 1024,
    DECODERS_BYTES_MAX = 64 * 1024 * 1024, /* of all bodies that are being decoded */
    DECODER_BYTES_MAX = 12 * 1024 * 1024,  /* of one: the largest window of Zstandard is 8 MiB */
};

struct gate_worker gate_worker;

static ngx_event_t tick_event;
static ngx_msec_t next_upkeep;

uint64_t gate_unix_ms(void)
{
    ngx_time_t *now = ngx_timeofday();
    return (uint64_t)now->sec * 1000 + now->msec;
}

struct gate_chunk {
    struct gate_chunk *next;
    size_t size;
};

/* The header lies before what the arena gets, which stays aligned to 16. */
static void *chunk_get(void *ctx, size_t size)
{
    struct gate_chunk *chunk = gate_worker.free_chunks;
    if (size == GUARD_ARENA_CHUNK && chunk != NULL) {
        gate_worker.free_chunks = chunk->next;
        gate_worker.free_chunk_count--;
        return chunk + 1;
    }
    chunk = malloc(sizeof(*chunk) + size);
    if (chunk == NULL)
        return NULL;
    chunk->size = size;
    return chunk + 1;
}

static void chunk_put(void *ctx, void *ptr)
{
    struct gate_chunk *chunk = (struct gate_chunk *)ptr - 1;
    if (chunk->size != GUARD_ARENA_CHUNK || gate_worker.free_chunk_count >= CHUNKS_KEPT_MAX) {
        free(chunk);
        return;
    }
    chunk->next = gate_worker.free_chunks;
    gate_worker.free_chunks = chunk;
    gate_worker.free_chunk_count++;
}

void gate_random_id(uint8_t out[16])
{
    static uint8_t buffer[4096];
    static size_t used = sizeof(buffer);
    if (used == sizeof(buffer)) {
        if (random_bytes(buffer, sizeof(buffer)) != GUARD_OK) {
            /* Ids needn't be secret, only different. */
            for (size_t i = 0; i < sizeof(buffer); i++)
                buffer[i] = (uint8_t)ngx_random();
        }
        used = 0;
    }
    ngx_memcpy(out, buffer + used, 16);
    used += 16;
}

static uint64_t new_incarnation(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool open_ring(struct ring_writer **ring, const char *suffix, size_t size, ngx_log_t *log)
{
    struct guard_err err;
    char path[STATE_PATH_MAX];
    const struct guard_span none = {NULL, 0};
    const char *state = (const char *)gate_worker.conf->state.data;
    if (state_path(path, state, "rings", none, "") == GUARD_OK &&
        ring_writer_open(ring, path, "gate", suffix, size, new_incarnation(), &err) == GUARD_OK)
        return true;
    *ring = NULL;
    if (!gate_worker.rings_failed)
        ngx_log_error(NGX_LOG_ERR, log, 0, "guard: exchanges aren't handed out: %s", err.text);
    return false;
}

static bool keep_ring(struct ring_writer **ring, const char *suffix, size_t size, ngx_log_t *log)
{
    if (*ring != NULL)
        ring_writer_touch(*ring, gate_unix_ms());
    if (*ring != NULL && ring_writer_broken(*ring)) {
        ngx_log_error(
            NGX_LOG_ERR, log, 0,
            "guard: a ring's file (%s) was changed by another process; a new one is begun", suffix);
        ring_writer_close(*ring);
        *ring = NULL;
    }
    return *ring != NULL || open_ring(ring, suffix, size, log);
}

static void keep_rings(ngx_log_t *log)
{
    bool records = keep_ring(&gate_worker.records, ".ring", gate_worker.conf->ring_size, log);
    bool failed = gate_worker.rings_failed;
    gate_worker.rings_failed = failed || !records; /* said once for both */
    bool alerts = keep_ring(&gate_worker.alerts, ".alerts", ALERT_RING_BYTES, log);
    if (records && alerts && failed)
        ngx_log_error(NGX_LOG_NOTICE, log, 0, "guard: exchanges are handed out again");
    gate_worker.rings_failed = !records || !alerts;
}

static void report_not_inspected(ngx_log_t *log)
{
    if (gate_worker.not_inspected != gate_worker.not_inspected_logged) {
        gate_worker.not_inspected_logged = gate_worker.not_inspected;
        return;
    }
    if (gate_worker.failing)
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "guard: inspecting again; %uL exchanges were not inspected so far",
                      gate_worker.not_inspected);
    gate_worker.failing = false;
}

static void on_tick(ngx_event_t *event)
{
    if ((ngx_msec_int_t)(next_upkeep - ngx_current_msec) <= 0) {
        next_upkeep = ngx_current_msec + TICK_MS;
        keep_rings(event->log);
        report_not_inspected(event->log);
        gate_alerts_flush(false);
        gate_join_tick();
    }
    if (ngx_exiting)
        gate_counters_leaving();
    /* Also in a worker that only finishes its streams, which may be days: they follow policies. It
     * is cancelable, so that nobody waits for it. */
    ngx_msec_t next = gate_policies_slice(event->log);
    ngx_add_timer(event, gate_report_slice() ? REPORT_MS : next);
}

static ngx_int_t init_services(const gate_main_conf_t *conf)
{
    const ngx_str_t *names = conf->services.elts;
    gate_worker.services = calloc(conf->services.nelts, sizeof(*gate_worker.services));
    if (gate_worker.services == NULL)
        return NGX_ERROR;
    gate_worker.service_count = conf->services.nelts;
    for (size_t i = 0; i < gate_worker.service_count; i++)
        gate_worker.services[i].name = (struct guard_span){names[i].data, names[i].len};
    return NGX_OK;
}

ngx_int_t gate_worker_init(ngx_cycle_t *cycle)
{
    static ngx_connection_t nobody; /* nginx's debug log wants a connection behind every timer */
    const gate_main_conf_t *conf =
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_guard_module);
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
        return NGX_OK;
    if (conf == NULL || conf->services.nelts == 0)
        return NGX_OK;
    gate_worker.conf = conf;
    gate_worker.started_ms = gate_unix_ms();
    gate_worker.chunks = (struct guard_alloc){NULL, chunk_get, chunk_put};
    gate_worker.decoders.limit = DECODERS_BYTES_MAX;
    gate_worker.decoders.limit_each = DECODER_BYTES_MAX;
    if (guard_memo_new(&gate_worker.memo, &gate_worker.chunks) != GUARD_OK)
        gate_worker.memo = NULL; /* slower, that's all */
    if (init_services(conf) != NGX_OK || gate_counters_attach() != NGX_OK)
        return NGX_ERROR;
    if (random_bytes(&gate_worker.hash_seed, sizeof(gate_worker.hash_seed)) != GUARD_OK)
        gate_worker.hash_seed = (uint64_t)ngx_random() << 32 ^ (uint64_t)ngx_random();
    gate_patch_costs_attach();
    gate_join_worker_init();
    keep_rings(cycle->log);
    gate_timer_init(cycle->log);
    gate_patterns_init(cycle->log);
    gate_policies_load(cycle);

    nobody.fd = (ngx_socket_t)-1;
    tick_event.handler = on_tick;
    tick_event.data = &nobody;
    tick_event.log = cycle->log;
    tick_event.cancelable = 1;
    next_upkeep = ngx_current_msec + TICK_MS;
    /* So that workers don't all look at once. */
    ngx_add_timer(&tick_event, TICK_MS + (ngx_msec_t)(ngx_pid % 100) * TICK_MS / 100);
    return NGX_OK;
}

void gate_worker_exit(ngx_cycle_t *cycle)
{
    if (gate_worker.conf == NULL)
        return;
    gate_alerts_flush(true);
    gate_report_last();
    ring_writer_close(gate_worker.records);
    ring_writer_close(gate_worker.alerts);
    gate_policies_close();
    gate_patterns_close();
    guard_memo_free(gate_worker.memo);
    decoder_pool_close(&gate_worker.decoders);
    while (gate_worker.free_chunks != NULL) {
        struct gate_chunk *chunk = gate_worker.free_chunks;
        gate_worker.free_chunks = chunk->next;
        free(chunk);
    }
    gate_patch_costs_detach();
    gate_counters_detach();
    free(gate_worker.services);
    ngx_memzero(&gate_worker, sizeof(gate_worker));
}
