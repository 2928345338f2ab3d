/* SPDX-License-Identifier: Apache-2.0 */
/* What the pod's sockets say of it. A connection of which the local port is listened on came to the
 * pod and is no destination; so who listens is asked after sockets have ended and before they are
 * told apart. */
#include "sense.h"

#include "gate_findings.h"
#include "sense_processes.h"
#include "sense_requests.h"
#include "sense_sockets.h"
#include "sense_spec.h"
#include "sense_table.h"
#include "sense_usage.h"

#include "guardd/alerts.h"

#include "common/file.h"
#include "common/log.h"
#include "common/pods/gather.h"
#include "common/pods/news.h"
#include "common/pods/pace.h"
#include "common/pods/record_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    LIST_MS = 5000, /* at connections; twice in shorter intervals */
    LOOK_MS = 1000, /* at processes */
    TCP = 6,
    UDP = 17,
    ENDED_MAX = 4096, /* of a batch */
    PORTS = 65536,
    PATH_CAP = 1024,
};

static const struct guard_span no_service = {NULL, 0};

/* Bytes, as the kernel tells them of a connection. */
struct moved {
    uint64_t out, in;
};

struct sense {
    struct sense_spec spec;
    const struct services *services;
    const char *state;
    struct sense_requests requests;
    struct sense_sockets sockets;
    struct sense_processes *processes; /* NULL: not wanted */
    struct sense_table table;
    struct pod_room room;
    struct pod_gather gather;
    struct pod_news news;
    struct pod_pace news_pace;
    struct pod_files files;
    struct gate_findings *findings;
    struct alerts *alerts;
    struct guard_pod_record record; /* what is counted for the next one */
    uint64_t overruns;              /* that were told */
    uint64_t listed_ms, looked_ms, from_ms;
    uint64_t sequence, incarnation;
    struct sense_usage usage;
    struct socket_told *ended;
    uint32_t ended_count;
    uint8_t listening[2][PORTS / 8]; /* in this interval, in the one before */
    uint32_t flags;                  /* of what is told */
    bool crowded;                    /* that there are too many processes was told */
    bool failing;                    /* the last record wasn't written */
    uint64_t lost_told;              /* records that weren't, as far as that was said */
};

enum guard_rc sense_check(const char *spec, struct guard_err *err)
{
    struct sense_spec read;
    return sense_spec_read(&read, spec, err);
}

static bool is_listening(const struct sense *sense, uint16_t port)
{
    uint8_t bit = (uint8_t)(1U << port % 8);
    return ((sense->listening[0][port / 8] | sense->listening[1][port / 8]) & bit) != 0;
}

static void set_listening(struct sense *sense, uint16_t port)
{
    sense->listening[0][port / 8] |= (uint8_t)(1U << port % 8);
}

static void tell(struct sense *sense, const struct guard_pod_feature *feature)
{
    const struct pod_gather_tag none = {0};
    uint32_t before = sense->gather.count;
    sense->record.counted++;
    if (pod_gather_add(&sense->gather, &sense->room, feature, none) != GUARD_OK)
        sense->record.dropped++;
    else if (sense->gather.count > before) {
        sense->record.received++;
        (void)pod_news_meets(&sense->news, feature, (uint16_t)before); /* it counts what waits */
    } else
        sense->record.deduplicated++;
}

/* A connection counts once in each interval, however often it is told there; moved: its bytes since
 * it was told. */
static void tell_destination(struct sense *sense, struct sense_socket *known,
                             const struct socket_told *told, const struct moved *moved)
{
    struct guard_pod_feature feature = {.kind = GUARD_POD_DESTINATION,
                                        .flags = sense->flags,
                                        .address_len = told->address_len,
                                        .port = told->remote.port,
                                        .transport = told->transport,
                                        .count = sense_table_first_told(&sense->table, known),
                                        .bytes_out = moved->out,
                                        .bytes_in = moved->in,
                                        .first_ms = clock_unix_ms()};
    memcpy(feature.address, told->remote.address, told->address_len);
    if (feature.port == 0)
        feature.flags |= GUARD_POD_NO_PORT;
    tell(sense, &feature);
}

/* What was there before the sensor, or before there was room to note it, moved its bytes at a time
 * that isn't known. */
static bool is_older(const struct sense *sense)
{
    return (sense->flags & GUARD_POD_SNAPSHOT) != 0 || sense->table.overflowed;
}

/* Since it was told last. */
static struct moved moved_since(struct sense_socket *known, const struct socket_told *told)
{
    if (!told->has_bytes || told->bytes_out < known->bytes_out || told->bytes_in < known->bytes_in)
        return (struct moved){0, 0}; /* of one that was reset the kernel has forgotten them */
    struct moved moved = {told->bytes_out - known->bytes_out, told->bytes_in - known->bytes_in};
    known->bytes_out = told->bytes_out;
    known->bytes_in = told->bytes_in;
    return moved;
}

static void add_bytes(struct sense *sense, const struct moved *moved, bool came)
{
    uint64_t *rates = sense->record.rates;
    rates[GUARD_POD_BYTES_OUT] += moved->out;
    rates[GUARD_POD_BYTES_IN] += moved->in;
    if (came)
        return;
    rates[GUARD_POD_CALLS_OUT] += moved->out;
    rates[GUARD_POD_CALLS_IN] += moved->in;
}

static void take_socket(struct sense *sense, const struct socket_told *told, bool ended)
{
    bool added;
    if (socket_end_is_any(told, &told->remote) || socket_is_inside(told) ||
        sense_sockets_is_own(&sense->sockets, told))
        return;
    struct sense_socket *known = sense_table_get(&sense->table, told->cookie, &added);
    if (known == NULL) {
        sense->record.counted++;
        sense->record.dropped++;
        return;
    }
    known->listing = sense->table.listing;
    known->ended |= ended;
    if (added)
        known->came = told->transport == TCP && is_listening(sense, told->local.port);
    struct moved moved = moved_since(known, told);
    if (added && !ended && is_older(sense))
        moved = (struct moved){0, 0};
    add_bytes(sense, &moved, known->came);
    if (known->came)
        return;
    sense->record.rates[GUARD_POD_CONNECTIONS] += added;
    if (added || moved.out > 0 || moved.in > 0)
        tell_destination(sense, known, told, &moved);
}

static void take_listener(void *ctx, const struct socket_told *told)
{
    struct sense *sense = ctx;
    const struct guard_pod_feature feature = {.kind = GUARD_POD_LISTEN,
                                              .flags = sense->flags,
                                              .port = told->local.port,
                                              .transport = TCP,
                                              .count = 1,
                                              .first_ms = clock_unix_ms()};
    if (!told->listens)
        return;
    if ((sense->listening[0][told->local.port / 8] >> told->local.port % 8 & 1) == 0)
        tell(sense, &feature);
    set_listening(sense, told->local.port);
}

static void take_live(void *ctx, const struct socket_told *told)
{
    take_socket(ctx, told, false);
}

static void list_listeners(struct sense *sense)
{
    if (sense_sockets_list(&sense->sockets, TCP, true, take_listener, sense) != GUARD_OK) {
        sense->record.counted++;
        sense->record.dropped++;
    }
}

static void take_ended(struct sense *sense)
{
    if (sense->ended_count == 0)
        return;
    list_listeners(sense);
    for (uint32_t i = 0; i < sense->ended_count; i++)
        if (sense->ended[i].transport == TCP &&
            socket_end_is_any(&sense->ended[i], &sense->ended[i].remote))
            set_listening(sense, sense->ended[i].local.port); /* a listener that ended, too */
    for (uint32_t i = 0; i < sense->ended_count; i++)
        take_socket(sense, &sense->ended[i], true);
    sense->ended_count = 0;
}

static void keep_ended(void *ctx, const struct socket_told *told)
{
    struct sense *sense = ctx;
    if (sense->ended_count == ENDED_MAX)
        take_ended(sense);
    sense->ended[sense->ended_count++] = *told;
}

static void list(struct sense *sense)
{
    sense_sockets_look_at_own(&sense->sockets);
    list_listeners(sense);
    bool all = sense_sockets_list(&sense->sockets, TCP, false, take_live, sense) == GUARD_OK;
    all &= sense_sockets_list(&sense->sockets, UDP, false, take_live, sense) == GUARD_OK;
    if (!all) {
        sense->record.counted++;
        sense->record.dropped++;
    }
    sense_table_listed(&sense->table);
    sense->flags = 0;
}

static void take_process(void *ctx, const struct sense_process *process, const char *parent)
{
    struct sense *sense = ctx;
    const struct guard_pod_feature feature = {
        .kind = GUARD_POD_EXEC,
        .flags = sense->flags,
        .text = {(const uint8_t *)process->program, strlen(process->program)},
        .detail = {(const uint8_t *)parent, strlen(parent)},
        .user = process->user,
        .count = 1,
        .first_ms = clock_unix_ms()};
    tell(sense, &feature);
}

static void look_at_processes(struct sense *sense)
{
    if (sense->processes == NULL || sense_processes_look(sense->processes, take_process, sense))
        return;
    sense->record.counted++;
    sense->record.dropped++;
    if (!sense->crowded)
        log_event("warn", "processes-unseen", no_service, "more than %d processes at a time",
                  SENSE_PROCESSES_MAX);
    sense->crowded = true;
}

static void set_usage(struct sense *sense, struct guard_pod_record *record)
{
    struct sense_usage now;
    if (sense->spec.cgroup[0] == '\0')
        return;
    sense_usage_read(&now, sense->spec.cgroup);
    uint32_t both = now.known & sense->usage.known;
    if ((both >> GUARD_POD_CPU_US & 1) != 0 && now.cpu_us >= sense->usage.cpu_us) {
        record->rates[GUARD_POD_CPU_US] = now.cpu_us - sense->usage.cpu_us;
        record->rates_known |= 1U << GUARD_POD_CPU_US;
    }
    if ((both >> GUARD_POD_PRESSURE_US & 1) != 0 && now.pressure_us >= sense->usage.pressure_us) {
        record->rates[GUARD_POD_PRESSURE_US] = now.pressure_us - sense->usage.pressure_us;
        record->rates_known |= 1U << GUARD_POD_PRESSURE_US;
    }
    if ((now.known >> GUARD_POD_MEMORY_BYTES & 1) != 0) {
        record->rates[GUARD_POD_MEMORY_BYTES] = now.memory_bytes;
        record->rates_known |= 1U << GUARD_POD_MEMORY_BYTES;
    }
    sense->usage = now;
}

static void set_requests(struct sense *sense, struct guard_pod_record *record, uint64_t now_ms)
{
    const char *name = sense->spec.service[0] != '\0' ? sense->spec.service : sense->spec.workload;
    struct gates gates;
    gates_read(&gates, sense->state, sense->services, now_ms);
    if (sense_requests_since(&sense->requests, &gates,
                             (struct guard_span){(const uint8_t *)name, strlen(name)},
                             &record->rates[GUARD_POD_REQUESTS]))
        record->rates_known |= 1U << GUARD_POD_REQUESTS;
    else
        record->rates[GUARD_POD_REQUESTS] = 0;
    gates_free(&gates);
}

/* An overrun is at least one that is lost. */
static void set_lost(struct sense *sense, struct guard_pod_record *record)
{
    uint64_t lost = sense->sockets.overruns - sense->overruns;
    record->dropped += lost;
    record->counted += lost;
    if (lost > 0 && sense->overruns == 0)
        log_event("warn", "sockets-lost", no_service, "%s",
                  "the kernel told more ended sockets than it had room for");
    sense->overruns = sense->sockets.overruns;
}

/* When it begins, and when it is over how many it were. */
static void tell_lost(struct sense *sense, enum guard_rc rc, const struct guard_err *err)
{
    if (rc != GUARD_OK && !sense->failing) {
        log_event("alarm", "pod-record-not-written", no_service, "%s", err->text);
    } else if (rc == GUARD_OK && sense->failing) {
        log_event("warn", "pod-records-lost", no_service, "%llu records were not written",
                  (unsigned long long)(sense->files.records_lost - sense->lost_told));
        sense->lost_told = sense->files.records_lost;
    }
    sense->failing = rc != GUARD_OK;
}

/* The next record, which ends now. */
static void set_head(struct sense *sense, struct guard_pod_record *record, uint64_t now_ms)
{
    uint32_t sees = 1U << GUARD_POD_DESTINATION | 1U << GUARD_POD_LISTEN;
    if (sense->processes != NULL)
        sees |= 1U << GUARD_POD_EXEC;
    record->id = sense_spec_identity(&sense->spec);
    record->source = GUARD_POD_SIDECAR;
    record->origin =
        (struct guard_source){pod_producer("sidecar", sense->spec.pod, sense->spec.container),
                              sense->incarnation, ++sense->sequence};
    record->blind = ((1U << GUARD_POD_KINDS) - 1) & ~sees;
    record->from_ms = record->until_ms = now_ms;
}

/* What was gathered, none of it later than now. */
static uint32_t read_features(const struct sense *sense, struct guard_pod_feature *out,
                              uint64_t now_ms)
{
    uint32_t count = pod_gather_features(&sense->gather, out, NULL);
    for (uint32_t i = 0; i < count; i++)
        if (out[i].first_ms > now_ms)
            out[i].first_ms = now_ms;
    return count;
}

static void write_file(struct sense *sense, const struct guard_pod_record *record)
{
    struct guard_err err;
    enum guard_rc rc = pod_files_add(&sense->files, record, &err);
    if (rc == GUARD_OK)
        rc = pod_files_flush(&sense->files, &err);
    tell_lost(sense, rc, &err);
}

/* Of no length and without counts and amounts, which the interval's record has, as podwatch's is.
 */
static void write_news(struct sense *sense, uint64_t now_ms)
{
    static struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    struct guard_pod_record record = {.features = features};
    set_head(sense, &record, now_ms);
    (void)read_features(sense, features, now_ms);
    record.feature_count = pod_news_take(&sense->news, features);
    write_file(sense, &record);
}

static void write_record(struct sense *sense, uint64_t now_ms)
{
    static struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    struct guard_pod_record *record = &sense->record;
    set_head(sense, record, now_ms);
    if (sense->from_ms < now_ms)
        record->from_ms = sense->from_ms;
    if (now_ms - record->from_ms > GUARD_POD_INTERVAL_MAX_MS)
        record->from_ms = now_ms - GUARD_POD_INTERVAL_MAX_MS; /* the clock was set forward */
    record->rates_known = 1U << GUARD_POD_BYTES_OUT | 1U << GUARD_POD_BYTES_IN |
                          1U << GUARD_POD_CONNECTIONS | 1U << GUARD_POD_CALLS_OUT |
                          1U << GUARD_POD_CALLS_IN;
    set_requests(sense, record, now_ms);
    set_usage(sense, record);
    set_lost(sense, record);
    record->features = features;
    record->feature_count = read_features(sense, features, now_ms);
    write_file(sense, record);
    sense->record = (struct guard_pod_record){0};
    pod_gather_clear(&sense->gather, &sense->room);
    sense_table_interval(&sense->table);
    pod_news_interval(&sense->news);
    pod_pace_interval(&sense->news_pace);
    memcpy(sense->listening[1], sense->listening[0], sizeof(sense->listening[0]));
    memset(sense->listening[0], 0, sizeof(sense->listening[0]));
    sense->from_ms = now_ms;
}

/* Without them the rest is seen all the same. */
static void open_processes(struct sense *sense)
{
    struct guard_err err;
    if (sense_processes_open(&sense->processes, "/proc", &err) != GUARD_OK)
        log_event("alarm", "processes-unseen", no_service, "%s", err.text);
}

static enum guard_rc prepare(struct sense *sense, const char *spec, const char *state,
                             struct guard_err *err)
{
    char dir[PATH_CAP];
    sense->room.own = POD_GATHER_BLOCKS_MAX; /* one gathers */
    sense->news_pace.limits = &pod_pace_news;
    GUARD_TRY(sense_spec_read(&sense->spec, spec, err));
    bool elsewhere = sense->spec.records[0] != '\0';
    int len = elsewhere ? snprintf(dir, sizeof(dir), "%s", sense->spec.records)
                        : snprintf(dir, sizeof(dir), "%s/pods", state);
    if (len < 0 || (size_t)len >= sizeof(dir))
        return guard_fail(err, GUARD_E_LIMIT, "%.100s...: the path is too long", state);
    if (!elsewhere && mkdir(dir, 0750) != 0 && errno != EEXIST)
        return guard_fail(err, GUARD_E_IO, "%s: %s", dir, strerror(errno));
    GUARD_TRY(sense_sockets_open(&sense->sockets, err));
    if (sense->spec.processes[0] != '\0')
        open_processes(sense);
    sense->incarnation = sense->from_ms = clock_unix_ms();
    GUARD_TRY(pod_files_open(&sense->files, dir, pod_producer("sidecar", sense->spec.pod, ""),
                             sense->incarnation, err));
    GUARD_TRY(gate_findings_open(&sense->findings, &sense->spec, dir, sense->incarnation, err));
    sense->ended = malloc(ENDED_MAX * sizeof(*sense->ended));
    return sense->ended != NULL ? GUARD_OK : guard_fail(err, GUARD_E_NOMEM, "no memory");
}

static void release(struct sense *sense)
{
    sense_sockets_close(&sense->sockets);
    sense_processes_close(sense->processes);
    sense_table_free(&sense->table);
    pod_gather_clear(&sense->gather, &sense->room);
    pod_files_close(&sense->files);
    gate_findings_close(sense->findings, 0);
    free(sense->ended);
    free(sense);
}

enum guard_rc sense_open(struct sense **out, const char *spec, const char *state,
                         const struct services *services, struct alerts *alerts,
                         struct guard_err *err)
{
    struct sense *sense = calloc(1, sizeof(*sense));
    if (sense == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    sense->sockets = (struct sense_sockets){.ended = -1, .asking = -1};
    sense->services = services;
    sense->state = state;
    enum guard_rc rc = prepare(sense, spec, state, err);
    if (rc != GUARD_OK) {
        release(sense);
        return rc;
    }
    if (sense->spec.cgroup[0] != '\0')
        sense_usage_read(&sense->usage, sense->spec.cgroup);
    set_requests(sense, &sense->record, sense->from_ms);
    sense->record = (struct guard_pod_record){0};
    sense->flags = GUARD_POD_SNAPSHOT;
    look_at_processes(sense);
    list(sense);
    sense->listed_ms = sense->looked_ms = sense->from_ms;
    sense->alerts = alerts;
    alerts->found = gate_findings_take;
    alerts->found_ctx = sense->findings;
    *out = sense;
    return GUARD_OK;
}

static bool elapsed(uint64_t now_ms, uint64_t then_ms, uint64_t period_ms)
{
    return now_ms < then_ms || now_ms - then_ms >= period_ms; /* now < then: it was set back */
}

void sense_tick(struct sense *sense, uint64_t now_ms)
{
    if (sense == NULL)
        return;
    sense_sockets_ended(&sense->sockets, keep_ended, sense);
    take_ended(sense);
    if (elapsed(now_ms, sense->looked_ms, LOOK_MS)) {
        look_at_processes(sense);
        sense->looked_ms = now_ms;
    }
    uint64_t half_ms = sense->spec.interval_ms / 2;
    if (elapsed(now_ms, sense->listed_ms, half_ms < LIST_MS ? half_ms : LIST_MS)) {
        list(sense);
        sense->listed_ms = now_ms;
    }
    if (elapsed(now_ms, sense->from_ms, sense->spec.interval_ms))
        write_record(sense, now_ms);
    else if (sense->news.waiting > 0 && pod_pace_allows(&sense->news_pace, now_ms))
        write_news(sense, now_ms);
    gate_findings_tick(sense->findings, now_ms);
}

void sense_close(struct sense *sense, uint64_t now_ms)
{
    if (sense == NULL)
        return;
    sense_sockets_ended(&sense->sockets, keep_ended, sense);
    take_ended(sense);
    look_at_processes(sense);
    list(sense);
    write_record(sense, now_ms);
    gate_findings_close(sense->findings, now_ms);
    sense->alerts->found = NULL;
    sense->findings = NULL;
    release(sense);
}
