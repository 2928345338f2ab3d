/* SPDX-License-Identifier: Apache-2.0 */
/* The books of each container: counted = received + deduplicated + dropped, whatever is lost where.
 * What the kernel says it sent and we never saw is dropped, and an alarm. */
#include "report.h"

#include "event_features.h"

#include "common/file.h"
#include "common/log.h"
#include "common/pods/pod_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    NAME_WAIT_MS =
        30000,    /* for the list of pods to have a container: its kubelet tells of it late */
    IDLE_MAX = 2, /* intervals without a task until a container is forgotten */
    IN_FLIGHT_MAX = 256, /* programs that were between counting and saying how it ended */
};

static const struct guard_span no_service = {NULL, 0};
/* What a pod has besides the containers that it lists; no container can have the name. */
static const char sandbox[] = "POD";

static uint64_t unix_ms(const struct report *report, uint64_t boot_ns)
{
    return (boot_ns + (uint64_t)report->real_offset_ns) / 1000000;
}

void report_set_clock(struct report *report)
{
    struct timespec real, boot;
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    report->real_offset_ns =
        (int64_t)(real.tv_sec - boot.tv_sec) * 1000000000 + (int64_t)(real.tv_nsec - boot.tv_nsec);
    programs_set_clock(report->programs, (uint64_t)report->real_offset_ns);
}

static struct guard_span text(const char *chars)
{
    return (struct guard_span){(const uint8_t *)chars, strlen(chars)};
}

static struct guard_pod_identity identity(const struct report *report,
                                          const struct container *container)
{
    const struct pod_cgroup *names = &container->names;
    struct guard_pod_identity id = {.name_space = GUARD_SPAN_LITERAL("-"),
                                    .workload = GUARD_SPAN_LITERAL("-"),
                                    .pod = text(names->pod),
                                    .container = text(names->container),
                                    .node = text(report->node)};
    if (names->kubernetes && strlen(names->pod) <= GUARD_POD_UID_MAX)
        id.uid = text(names->pod);
    if (pod_list_name(report->pods, names, &id) == POD_LISTED && container->named)
        id.container = text(sandbox);
    return id;
}

/* Whether its records wait for its name. By another one they would be another container's. */
static bool waits_for_name(const struct report *report, struct container *container)
{
    struct guard_pod_identity id = {.pod = {NULL, 0}};
    uint64_t now_ms = clock_unix_ms();
    if (!container->named)
        container->named =
            !report->named_by_list || report->closing ||
            (container->names.pod[0] != '\0' && !container->names.kubernetes) ||
            now_ms < container->incarnation || now_ms - container->incarnation >= NAME_WAIT_MS ||
            pod_list_name(report->pods, &container->names, &id) == POD_LISTED_CONTAINER;
    return !container->named;
}

static uint64_t since(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now; /* the kernel had forgotten it and begins anew */
}

/* What the kernel counted since the last record, and whether what it sent has come. */
static void close_books(struct report *report, struct container *container,
                        const struct cgroup_state *state, bool drained,
                        struct guard_pod_record *record)
{
    const struct event_counts *now = &state->counts, *before = &container->counted;
    bool anew = now->counted < before->counted;
    if (anew) {
        container->received_all = container->received;
        container->lost = 0;
    }
    uint64_t came = container->received_all + container->lost;
    uint64_t missing = drained && now->sent > came ? now->sent - came : 0;
    uint64_t ended = now->sent + now->deduplicated + now->dropped;
    uint64_t unbalanced = now->counted > ended + IN_FLIGHT_MAX ? now->counted - ended : 0;
    record->received = container->received - container->unkept;
    record->deduplicated = since(now->deduplicated, anew ? 0 : before->deduplicated);
    record->dropped = since(now->dropped, anew ? 0 : before->dropped) + missing + container->unkept;
    record->counted = record->received + record->deduplicated + record->dropped;
    container->lost += missing;
    report->lost += missing;
    if (unbalanced > report->unbalanced)
        report->unbalanced = unbalanced;
    if (missing > 0)
        log_event("alarm", "events-lost", no_service, "%s: %" PRIu64 " that the kernel sent",
                  container->names.pod, missing);
    container->counted = *now;
}

static void set_rates(struct container *container, const struct cgroup_state *state,
                      struct guard_pod_record *record)
{
    record->rates_known = 1U << GUARD_POD_BYTES_OUT | 1U << GUARD_POD_CONNECTIONS;
    record->rates[GUARD_POD_BYTES_OUT] = since(state->bytes_out, container->bytes_out);
    record->rates[GUARD_POD_CONNECTIONS] = since(state->connections, container->connections);
    container->bytes_out = state->bytes_out;
    container->connections = state->connections;
}

static uint32_t read_features(struct report *report, const struct container *container,
                              struct guard_pod_feature *features, uint64_t until_ms)
{
    static struct pod_gather_tag tags[GUARD_POD_FEATURES_MAX];
    uint32_t count = pod_gather_features(&container->gather, features, tags);
    for (uint32_t i = 0; i < count; i++) {
        const struct seen_key key = {
            .cgroup = container->cgroup, .hash = tags[i].number, .kind = tags[i].kind};
        uint64_t seen = programs_seen(report->programs, &key);
        if (seen > features[i].count)
            features[i].count = seen;
        if (features[i].first_ms > until_ms)
            features[i].first_ms = until_ms; /* the clock was set back */
    }
    return count;
}

/* Its next one, which begins at from_ms and ends now. */
static struct guard_pod_record record_of(const struct report *report,
                                         const struct container *container, uint64_t from_ms,
                                         const struct guard_pod_feature *features)
{
    const uint32_t all = (1U << GUARD_POD_KINDS) - 1;
    uint64_t now = clock_unix_ms();
    struct guard_pod_record record = {
        .id = identity(report, container),
        .source = GUARD_POD_PODWATCH,
        .origin = {pod_producer("podwatch", report->node, container->names.container),
                   container->incarnation, container->sequence + 1},
        .blind = all & ~programs_sees(report->programs),
        .from_ms = from_ms < now ? from_ms : now,
        .until_ms = now,
        .started_ms = unix_ms(report, container->started_boot_ns),
        .features = features,
    };
    if (now - record.from_ms > GUARD_POD_INTERVAL_MAX_MS)
        record.from_ms = now - GUARD_POD_INTERVAL_MAX_MS; /* the clock was set forward */
    if (container->started_boot_ns == 0 || record.started_ms > now)
        record.started_ms = 0;
    return record;
}

static void add_record(struct report *report, struct container *container,
                       const struct guard_pod_record *record)
{
    struct guard_err err;
    if (pod_files_add(report->files, record, &err) != GUARD_OK)
        log_event("alarm", "record-refused", no_service, "%s", err.text);
    report->records++;
    container->sequence++;
}

/* drained: all that the kernel had sent when it was asked for its state was read. */
static void hand_over(struct report *report, struct container *container,
                      const struct cgroup_state *state, bool drained)
{
    static struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    struct guard_pod_record record = record_of(report, container, container->from_ms, features);
    record.feature_count = read_features(report, container, features, record.until_ms);
    close_books(report, container, state, drained, &record);
    set_rates(container, state, &record);
    add_record(report, container, &record);
    container->from_ms = record.until_ms;
    container->received = 0;
    container->unkept = 0;
    container->urgent = false;
    pod_gather_clear(&container->gather, &report->containers.room);
    pod_news_clear(&container->news);
}

/* Of no length and without counts and amounts: those are told with the interval, so that nobody can
 * have much in pieces that are too short to tell of it. */
static void hand_news_over(struct report *report, struct container *container)
{
    static struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    struct guard_pod_record record = record_of(report, container, UINT64_MAX, features);
    (void)read_features(report, container, features, record.until_ms);
    record.feature_count = pod_news_take(&container->news, features);
    add_record(report, container, &record);
}

static void flush(struct report *report)
{
    struct guard_err err;
    bool failing = pod_files_flush(report->files, &err) != GUARD_OK;
    if (failing && !report->failing)
        log_event("alarm", "records-not-written", no_service, "%s", err.text);
    if (!failing && report->failing)
        log_event("info", "records-written-again", no_service, "%" PRIu64 " were lost",
                  report->files->records_lost);
    report->failing = failing;
}

/* The kernel forgets cgroups of which long nothing was heard. */
static bool state_of(const struct report *report, const struct container *container,
                     struct cgroup_state *out)
{
    if (programs_cgroup(report->programs, container->cgroup, out))
        return true;
    *out = (struct cgroup_state){.counts = container->counted,
                                 .bytes_out = container->bytes_out,
                                 .connections = container->connections};
    return false;
}

/* In the middle of an interval. */
static void close_early(struct report *report, struct container *container)
{
    struct cgroup_state state;
    (void)state_of(report, container, &state);
    hand_over(report, container, &state, false);
}

static void take_names(struct container *container, const struct event_cgroup *event)
{
    struct guard_span names[EVENT_LEVELS];
    size_t count = 0;
    for (; count < EVENT_LEVELS && event->names[count][0] != '\0'; count++)
        names[count] =
            (struct guard_span){(const uint8_t *)event->names[count],
                                strnlen(event->names[count], sizeof(event->names[count]))};
    if (!pod_cgroup_of_names(&container->names, names, count) && count > 0)
        pod_name_clean(container->names.pod, sizeof(container->names.pod), names[0]);
    container->started_boot_ns = event->started_boot_ns;
}

/* Until its names come: they are told first, but the ring may have been full. */
static void name_by_number(struct container *container)
{
    snprintf(container->names.pod, sizeof(container->names.pod), "cgroup-%llu",
             container->cgroup & ~CGROUP_OF_V1);
    snprintf(container->names.container, sizeof(container->names.container), "-");
}

static bool is_hard(const struct guard_pod_feature *feature)
{
    return (guard_pod_hard_kinds() >> feature->kind & 1) != 0;
}

/* False: there was no room. What is told before its time frees the container's own, so that a hard
 * sign always finds room, whatever floods. */
static bool keep(struct report *report, struct container *container, const struct event *event,
                 const struct guard_pod_feature *feature)
{
    const struct pod_gather_tag tag = {.number = event->key.hash, .kind = event->key.kind};
    struct pod_room *room = &report->containers.room;
    uint32_t before = container->gather.count;
    enum guard_rc rc = pod_gather_add(&container->gather, room, feature, tag);
    if (rc == GUARD_E_LIMIT || (rc == GUARD_E_NOMEM && is_hard(feature))) {
        close_early(report, container);
        before = 0;
        rc = pod_gather_add(&container->gather, room, feature, tag);
    }
    report->unkept += rc != GUARD_OK;
    if (rc == GUARD_OK && container->gather.count > before)
        report->news |= pod_news_meets(&container->news, feature, (uint16_t)before);
    return rc == GUARD_OK;
}

/* By what the container was told, or another of its pod: a resolver beside it asks for all. */
static void name_destination(const struct report *report, const struct container *container,
                             struct guard_pod_feature *feature, uint64_t at_ms)
{
    const struct guard_span address = {feature->address, feature->address_len};
    const struct named *named = NULL;
    if (feature->kind != GUARD_POD_DESTINATION || feature->port == DNS_PORT)
        return;
    for (uint32_t i = 0; i <= report->containers.count && named == NULL; i++) {
        const struct container *of = i == 0 ? container : report->containers.entries[i - 1];
        if (strcmp(of->names.pod, container->names.pod) == 0)
            named = name_table_find(&of->dns, address, at_ms);
    }
    if (named == NULL)
        return;
    feature->flags |= GUARD_POD_ANSWERED;
    feature->text = text(named->name);
    feature->detail = (struct guard_span){named->resolver, named->resolver_len};
}

static void take_answer(struct report *report, const struct event_answer *event)
{
    struct dns_answer answer;
    struct container *container = containers_find(&report->containers, event->head.key.cgroup);
    size_t len = event->len < ANSWER_CAP ? event->len : ANSWER_CAP;
    uint64_t at_ms = unix_ms(report, event->head.boot_ns);
    if (container == NULL || event->resolver_len > sizeof(event->resolver) ||
        !dns_answer_read(&answer, (struct guard_span){event->bytes, len})) {
        report->answers_refused++;
        return;
    }
    const struct guard_pod_feature asked = {
        .kind = GUARD_POD_DNS, .text = text(answer.name), .count = 1, .first_ms = at_ms};
    (void)keep(report, container, &event->head, &asked);
    name_table_add(&container->dns, &report->containers.names, &answer,
                   (struct guard_span){event->resolver, event->resolver_len}, at_ms);
}

static void gather(struct report *report, struct container *container, const struct event *event)
{
    struct guard_pod_feature features[EVENT_FEATURES_MAX];
    uint64_t at_ms = unix_ms(report, event->boot_ns);
    uint32_t count = features_of_event(event, at_ms, features);
    bool hard = false, kept = true;
    for (uint32_t i = 0; i < count; i++) {
        name_destination(report, container, &features[i], at_ms);
        kept &= keep(report, container, event, &features[i]);
        hard |= is_hard(&features[i]);
    }
    container->unkept += !kept;
    container->urgent |= hard;
    report->urgent |= hard;
}

static bool has_news(const struct container *container)
{
    return container->news.waiting > 0;
}

static bool is_urgent(const struct container *container)
{
    return container->urgent;
}

/* Of those that have something to be told before its time: whether some have a name, and whether
 * some wait for theirs. */
static bool any_named(struct report *report, bool (*has)(const struct container *container),
                      bool *waiting)
{
    bool any = false;
    *waiting = false;
    for (uint32_t i = 0; i < report->containers.count; i++) {
        struct container *container = report->containers.entries[i];
        if (!has(container))
            continue;
        bool waits = waits_for_name(report, container);
        any |= !waits;
        *waiting |= waits;
    }
    return any;
}

static void tell_news(struct report *report)
{
    bool waiting;
    if (!report->news || !any_named(report, has_news, &waiting) ||
        !pod_pace_allows(&report->news_pace, clock_monotonic_ms()))
        return;
    for (uint32_t i = 0; i < report->containers.count; i++) {
        struct container *container = report->containers.entries[i];
        if (has_news(container) && container->named)
            hand_news_over(report, container);
    }
    report->news = waiting;
    flush(report);
}

static void tell_hard(struct report *report)
{
    bool waiting;
    if (!report->urgent || !any_named(report, is_urgent, &waiting) ||
        !pod_pace_allows(&report->pace, clock_monotonic_ms()))
        return;
    for (uint32_t i = 0; i < report->containers.count; i++) {
        struct container *container = report->containers.entries[i];
        if (is_urgent(container) && container->named)
            close_early(report, container);
    }
    report->urgent = waiting;
    flush(report);
}

void report_urgent(struct report *report)
{
    tell_hard(report);
    tell_news(report);
}

void report_event(void *ctx, const struct event *event)
{
    struct report *report = ctx;
    if (event->kind == EVENT_ANSWER) {
        report->received[EVENT_ANSWER]++;
        take_answer(report, (const struct event_answer *)event);
        return;
    }
    struct container *container =
        containers_get(&report->containers, event->key.cgroup, clock_unix_ms());
    if (event->kind < EVENT_KINDS)
        report->received[event->kind]++;
    if (container == NULL)
        return;
    container->received++;
    container->received_all++;
    container->idle = 0;
    if (event->kind == EVENT_CGROUP)
        take_names(container, (const struct event_cgroup *)event);
    else if (container->names.pod[0] == '\0')
        name_by_number(container);
    gather(report, container, event);
}

/* Whether it still has tasks. Counts are read before the ring: what is sent later may come, too,
 * but nothing that was sent may be missing. */
static bool close_interval(struct report *report, struct container *container)
{
    struct cgroup_state state;
    bool known = state_of(report, container, &state);
    bool alive = known && state.alive_epoch == programs_epoch(report->programs);
    programs_read(report->programs);
    name_table_expire(&container->dns, &report->containers.names, clock_unix_ms());
    container->idle = alive ? 0 : container->idle + 1;
    bool waits = waits_for_name(report, container);
    if ((alive || container->received > 0 || state.counts.counted != container->counted.counted) &&
        !waits)
        hand_over(report, container, &state, true);
    pod_news_interval(&container->news);
    return waits || container->idle < IDLE_MAX;
}

void report_interval(struct report *report)
{
    programs_mark(report->programs);
    programs_read(report->programs);
    for (uint32_t i = report->containers.count; i-- > 0;)
        if (!close_interval(report, report->containers.entries[i])) {
            programs_forget(report->programs, report->containers.entries[i]->cgroup);
            containers_remove(&report->containers, i);
        }
    report->urgent = report->news = false;
    /* What was read after their books were closed. */
    for (uint32_t i = 0; i < report->containers.count; i++) {
        report->urgent |= report->containers.entries[i]->urgent;
        report->news |= report->containers.entries[i]->news.waiting > 0;
    }
    flush(report);
    pod_pace_interval(&report->pace);
    pod_pace_interval(&report->news_pace);
    programs_next_epoch(report->programs);
}

void report_free(struct report *report)
{
    containers_free(&report->containers);
}
