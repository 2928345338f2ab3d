/* SPDX-License-Identifier: Apache-2.0 */
/* One service's life: its pods, what they do, and what its sensors tell the learner of it. Events
 * stand in a heap by time; all of chance comes from the service's own seed. */
#include "podsim.h"
#include "podsim_events.h"

#include "common/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 160, /* pods at once at most */
    USUAL = 64,
    INTRUDERS = 256, /* of one service, that may come back */
    TOLD = 8,        /* features of one record */
    SECOND = 1000,
    DAY = 86400,
};

struct slot {
    bool alive;
    uint32_t serial; /* of its name */
    uint32_t template;
    double started;
    double intruded; /* when, < 0: not */
    uint32_t attack;
    uint32_t intruder;
    uint32_t visit; /* of its intruder: 0 is the first */
    bool counted;   /* its intrusion was found */
    bool gone;      /* its intrusion led to a replacement */
    enum podsim_cause last;
};

/* A thing that pods do, made from a number. */
struct thing {
    enum guard_pod_kind kind;
    uint64_t number;
};

/* What an intruder does, to do it again. */
struct intruder {
    struct thing things[4];
    uint32_t count;
};

struct service {
    const struct podsim_params *params;
    const struct guard_pod_rules *rules;
    struct podsim_counts *counts;
    struct podsim_random random;
    struct guard_pods *pods;
    struct guard_err *err;
    struct podsim_events events;
    struct slot slots[SLOTS];
    struct intruder intruders[INTRUDERS];
    uint32_t intruder_count;
    uint32_t base;   /* replicas */
    uint32_t wanted; /* now */
    uint32_t serials;
    uint32_t template;
    uint64_t things; /* numbers given away */
    struct thing usual[USUAL];
    uint32_t usual_count;
    bool sidecar;
    bool scales;
    bool unpacks;
    bool reports_crashes;
    double job_every; /* days; 0: none */
    bool job_of_all, job_runs;
    uint32_t leader;
    struct thing job[3], crash[3];
    uint64_t sequence;
    uint64_t requests;
    double now;
    char texts[TOLD][2][96];
    struct guard_pod_feature told[TOLD];
    uint32_t told_count;
};

static const uint64_t start_ms = UINT64_C(1700006400000); /* a midnight */

/* --- events --- */

static void push(struct service *service, double time, enum podsim_event_kind kind, uint32_t slot,
                 uint64_t what)
{
    podsim_push(&service->events, &(struct podsim_event){time, kind, slot, what});
}

/* The next of events that come with a rate per day; 0: never. */
static void push_next(struct service *service, enum podsim_event_kind kind, double per_day)
{
    if (per_day > 0)
        push(service, service->now + podsim_wait(&service->random, DAY / per_day), kind, 0, 0);
}

/* --- what is told --- */

static struct thing new_thing(struct service *service, enum guard_pod_kind kind)
{
    return (struct thing){kind, ++service->things};
}

static struct thing any_thing(struct service *service)
{
    static const enum guard_pod_kind kinds[] = {GUARD_POD_DESTINATION, GUARD_POD_DESTINATION,
                                                GUARD_POD_EXEC, GUARD_POD_WRITE, GUARD_POD_DNS};
    return new_thing(service, kinds[podsim_below(&service->random, 5)]);
}

static bool visible(const struct service *service, enum guard_pod_kind kind)
{
    return !service->sidecar || kind == GUARD_POD_DESTINATION || kind == GUARD_POD_LISTEN ||
           kind == GUARD_POD_DNS || kind >= GUARD_POD_OUTBOUND;
}

static struct guard_pod_feature *tell(struct service *service, struct thing thing, double time)
{
    static const char *const before[GUARD_POD_KINDS] = {
        "",          "",       "/usr/bin/", "/usr/bin/",         "/srv/", "/run/secrets/", "",
        "/opt/new/", "memfd:", "/usr/bin/", "POST api.example/", "GET /", "GET /"};
    uint32_t at = service->told_count;
    if (at == TOLD || !visible(service, thing.kind))
        return NULL;
    struct guard_pod_feature *feature = &service->told[service->told_count++];
    podsim_spell(service->texts[at][0], sizeof(service->texts[at][0]), before[thing.kind],
                 thing.number);
    if (thing.kind == GUARD_POD_DNS)
        (void)snprintf(service->texts[at][0], sizeof(service->texts[at][0]), "www.n%llu.example",
                       (unsigned long long)thing.number);
    const char *text = thing.kind == GUARD_POD_DESTINATION ? "" : service->texts[at][0];
    const char *detail = thing.kind == GUARD_POD_EXEC ? "/app/server" : "";
    *feature = (struct guard_pod_feature){
        .kind = thing.kind,
        .text = {(const uint8_t *)text, strlen(text)},
        .detail = {(const uint8_t *)detail, strlen(detail)},
        .address_len = thing.kind == GUARD_POD_DESTINATION ? 4 : 0,
        .address = {(uint8_t)(20 + thing.number % 50), (uint8_t)(thing.number >> 8),
                    (uint8_t)thing.number, 7},
        .port = (uint16_t)(thing.number % 3 == 0 ? 443 : 1024 + thing.number % 5000),
        .transport = 6,
        .count = 1,
        .first_ms = start_ms + (uint64_t)(time * SECOND),
    };
    return feature;
}

/* --- pods --- */

static uint32_t live_count(const struct service *service)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < SLOTS; i++)
        count += service->slots[i].alive;
    return count;
}

/* Of the live ones. */
static uint32_t any_slot(struct service *service)
{
    uint32_t nth = (uint32_t)podsim_below(&service->random, live_count(service));
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (service->slots[i].alive && nth-- == 0)
            return i;
    }
    return 0;
}

static void start(struct service *service, uint32_t at)
{
    struct slot *slot = &service->slots[at];
    *slot = (struct slot){.alive = true,
                          .serial = ++service->serials,
                          .template = service->template,
                          .started = service->now,
                          .intruded = -1,
                          .last = PODSIM_START};
    push(service, service->now + 30, USUAL_TOLD, at, slot->serial);
    push(service, service->now + 600, USUAL_TOLD, at, slot->serial);
    push(service, service->now + service->params->interval * podsim_share(&service->random), RECORD,
         at, slot->serial);
}

static void restart(struct service *service, uint32_t at)
{
    if (at == service->leader)
        service->leader = at + 1 < service->base ? at + 1 : 0;
    start(service, at);
}

/* --- records --- */

static bool is_intruded(const struct service *service, const struct slot *slot)
{
    return slot->intruded >= 0 && service->now >= slot->intruded;
}

/* He comes into any pod again, an hour later or so, then three hours, then nine. */
static void plan_return(struct service *service, const struct slot *slot)
{
    static const double waits[PODSIM_RETURNS] = {3600, 3 * 3600, 9 * 3600};
    if (slot->visit >= PODSIM_RETURNS ||
        !podsim_happens(&service->random, service->params->returns))
        return;
    push(service, service->now + podsim_wait(&service->random, waits[slot->visit]), RETURN,
         slot->visit + 1, slot->intruder);
}

static void count_intruder(struct service *service, struct slot *slot, bool replaced)
{
    struct podsim_counts *counts = service->counts;
    bool in_time = service->now - slot->intruded <= 3600 && !slot->counted;
    bool first = slot->visit == 0;
    bool replaces = replaced && !slot->gone;
    slot->gone |= replaced;
    if (slot->attack == PODSIM_ATTACKS) {
        counts->poisoned_found += !slot->counted;
    } else {
        counts->found += first && in_time;
        counts->found_by_kind[slot->attack] += first && in_time;
        counts->replaced += first && replaces;
        counts->replaced_by_kind[slot->attack] += first && replaces;
        if (!first)
            counts->returns_told[slot->visit - 1] += in_time;
        /* Told is enough for people: they take the pod away. */
        if (replaces || (!first && !slot->counted))
            plan_return(service, slot);
    }
    slot->counted = true;
}

static void count_verdict(struct service *service, uint32_t at,
                          const struct guard_pod_verdict *verdict)
{
    struct slot *slot = &service->slots[at];
    struct podsim_counts *counts = service->counts;
    if (verdict->decision == GUARD_POD_NORMAL)
        return;
    if (is_intruded(service, slot)) {
        count_intruder(service, slot, verdict->decision == GUARD_POD_REPLACE);
        return;
    }
    counts->alerts += verdict->decision == GUARD_POD_ALERT;
    counts->changes += verdict->decision == GUARD_POD_CHANGE;
    if (verdict->decision == GUARD_POD_REPLACE) {
        counts->false_replacements++;
        counts->causes[slot->last]++;
    }
    if (!podsim_happens(&service->random, service->params->approved))
        return;
    for (uint32_t i = 0; i < verdict->count; i++)
        push(service, service->now + service->params->approve_after, APPROVE, 0,
             verdict->evidence[i].id);
}

static void fill_rates(struct service *service, const struct slot *slot,
                       struct guard_pod_record *record)
{
    const double day = 6.283 * service->now / DAY;
    double load = (1.2 + sin(day)) * exp(0.3 * (podsim_share(&service->random) - 0.5));
    double minutes = (double)(record->until_ms - record->from_ms) / 60000;
    double out = 2e6 * load * minutes;
    double cpu = 2e7 * load * minutes;
    if (is_intruded(service, slot) && slot->attack == 7)
        out *= 25;
    if (is_intruded(service, slot) && slot->attack == 6 && !service->sidecar)
        cpu *= 10;
    record->rates_known = 1u << GUARD_POD_BYTES_OUT | 1u << GUARD_POD_CPU_US;
    record->rates[GUARD_POD_BYTES_OUT] = (uint64_t)out;
    record->rates[GUARD_POD_CPU_US] = (uint64_t)cpu;
}

static uint32_t blind_of(const struct service *service)
{
    uint32_t blind = 0;
    for (uint32_t kind = 0; kind < GUARD_POD_KINDS; kind++)
        blind |= visible(service, (enum guard_pod_kind)kind) ? 0 : 1u << kind;
    return blind;
}

static enum guard_rc observe(struct service *service, struct guard_pod_record *record,
                             struct guard_pod_verdict *verdict)
{
    /* As guardd does: what is a week old makes room, then what is a day old. */
    static const uint64_t days[] = {7, 1};
    enum guard_rc rc =
        guard_pods_observe(service->pods, service->rules, record, verdict, service->err);
    for (uint32_t i = 0; i < 2 && rc == GUARD_E_LIMIT; i++) {
        guard_pods_forget(service->pods, record->until_ms - days[i] * DAY * SECOND);
        rc = guard_pods_observe(service->pods, service->rules, record, verdict, service->err);
    }
    return rc;
}

/* Hands what was told to the learner, as a record of the slot. */
static enum guard_rc hand_over(struct service *service, uint32_t at, double from, bool amounts)
{
    char pod[32], hash[16];
    struct slot *slot = &service->slots[at];
    struct guard_pod_verdict verdict;
    (void)snprintf(pod, sizeof(pod), "web-%u", slot->serial);
    (void)snprintf(hash, sizeof(hash), "t%u", slot->template);
    from = from < slot->started ? slot->started : from;
    bool lossy = podsim_happens(&service->random, service->params->lossy);
    struct guard_pod_record record = {
        .id = {.name_space = GUARD_SPAN_LITERAL("sim"),
               .workload = GUARD_SPAN_LITERAL("web"),
               .pod = {(const uint8_t *)pod, strlen(pod)},
               .container = GUARD_SPAN_LITERAL("app"),
               .template_hash = {(const uint8_t *)hash, strlen(hash)}},
        .source = service->sidecar ? GUARD_POD_SIDECAR : GUARD_POD_PODWATCH,
        .origin = {1, 1, ++service->sequence},
        .blind = blind_of(service),
        .started_ms = start_ms + (uint64_t)(slot->started * SECOND),
        .from_ms = start_ms + (uint64_t)(from * SECOND),
        .until_ms = start_ms + (uint64_t)(service->now * SECOND),
        .counted = lossy,
        .dropped = lossy,
        .features = service->told,
        .feature_count = service->told_count,
    };
    if (amounts && record.until_ms - record.from_ms > 60000)
        fill_rates(service, slot, &record);
    service->told_count = 0;
    service->counts->records++;
    GUARD_TRY(observe(service, &record, &verdict));
    count_verdict(service, at, &verdict);
    if (verdict.decision == GUARD_POD_REPLACE)
        restart(service, at);
    return GUARD_OK;
}

static enum guard_rc send(struct service *service, uint32_t at, double from)
{
    return hand_over(service, at, from, true);
}

/* --- what happens --- */

static enum guard_rc tell_usual(struct service *service, const struct podsim_event *event)
{
    bool startup = service->now - service->slots[event->slot].started < 60;
    uint32_t half = service->usual_count / 4;
    uint32_t first = startup ? 0 : half;
    uint32_t last = startup ? half : service->usual_count;
    enum guard_rc rc = GUARD_OK;
    if (startup && service->unpacks) {
        (void)tell(service, (struct thing){GUARD_POD_WRITE, 1}, service->now - 5);
        (void)tell(service, (struct thing){GUARD_POD_DROPPED, 1}, service->now - 4);
    }
    for (uint32_t i = first; i < last && rc == GUARD_OK; i++) {
        (void)tell(service, service->usual[i], service->now - 1);
        if (service->told_count == TOLD || i + 1 == last)
            rc = send(service, event->slot, service->now - 10);
    }
    return rc;
}

static void roll_out(struct service *service)
{
    const struct podsim_params *params = service->params;
    service->template ++;
    if (podsim_happens(&service->random, params->rollout_changes)) {
        uint64_t changes = 1 + podsim_below(&service->random, 4);
        for (uint64_t i = 0; i < changes && service->usual_count < USUAL; i++)
            service->usual[service->usual_count++] = any_thing(service);
    }
    double time = service->now;
    bool canary = podsim_happens(&service->random, params->rollout_canary);
    bool first = true;
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (!service->slots[i].alive)
            continue;
        push(service, time, ROLL_SLOT, i, service->slots[i].serial);
        time += first && canary ? params->canary_time : params->rollout_step;
        first = false;
    }
    push_next(service, ROLLOUT, params->rollouts_per_day);
}

static void scale(struct service *service)
{
    uint32_t more = service->base / 2 == 0 ? 1 : service->base / 2;
    bool grow = service->wanted == service->base;
    service->wanted = grow ? service->base + more : service->base;
    for (uint32_t i = service->base; i < service->base + more && i < SLOTS; i++) {
        if (grow)
            start(service, i);
        else
            service->slots[i].alive = false;
    }
    push(service, service->now + DAY / 2.0, SCALE, 0, 0);
}

/* A request id that some things carry that followed it. */
static void request_id(struct service *service, char *out, size_t size)
{
    (void)snprintf(out, size, "r%llu", (unsigned long long)++service->requests);
}

static void follow(struct service *service, struct guard_pod_feature *feature, const char *id)
{
    if (feature != NULL && podsim_happens(&service->random, service->params->in_flight))
        feature->request = (struct guard_span){(const uint8_t *)id, strlen(id)};
}

static void tell_request(struct service *service, const char *id, double time)
{
    struct guard_pod_feature *feature = tell(service, (struct thing){GUARD_POD_REQUEST, 1}, time);
    if (feature != NULL)
        feature->request = (struct guard_span){(const uint8_t *)id, strlen(id)};
}

/* Things of one cause, with the request that was answered then. */
static enum guard_rc burst(struct service *service, uint32_t at, const struct thing *things,
                           uint32_t count, bool deviates, uint32_t flags)
{
    char id[32];
    request_id(service, id, sizeof(id));
    for (uint32_t i = 0; i < count; i++) {
        struct guard_pod_feature *feature = tell(service, things[i], service->now - 2);
        follow(service, feature, id);
        if (feature != NULL)
            feature->flags = flags;
    }
    if (deviates)
        tell_request(service, id, service->now - 3);
    return send(service, at, service->now - 10);
}

static enum guard_rc do_job(struct service *service)
{
    enum guard_rc rc = GUARD_OK;
    for (uint32_t i = 0; i < SLOTS && rc == GUARD_OK; i++) {
        if (!service->slots[i].alive || (!service->job_of_all && i != service->leader))
            continue;
        service->slots[i].last = PODSIM_JOB;
        rc = burst(service, i, service->job, service->job_runs ? 3 : 1, false, 0);
    }
    push(service, service->now + service->job_every * DAY, JOB, 0, 0);
    return rc;
}

static enum guard_rc do_rare(struct service *service)
{
    const struct podsim_params *params = service->params;
    double both = params->rare_single + params->rare_double;
    bool two = podsim_happens(&service->random, params->rare_double / both);
    const struct thing things[2] = {new_thing(service, GUARD_POD_DESTINATION),
                                    new_thing(service, GUARD_POD_EXEC)};
    uint32_t at = any_slot(service);
    service->slots[at].last = PODSIM_RARE;
    push_next(service, RARE, both * live_count(service));
    return burst(service, at, things + podsim_below(&service->random, two ? 1 : 2), two ? 2 : 1,
                 false, 0);
}

static enum guard_rc do_crash(struct service *service)
{
    const struct podsim_params *params = service->params;
    double both = params->crashes + params->crashes_by_request;
    bool deviates = podsim_happens(&service->random, params->crashes_by_request / both);
    uint32_t at = any_slot(service);
    service->slots[at].last = PODSIM_CRASH;
    push_next(service, CRASH, both * live_count(service));
    GUARD_TRY(burst(service, at, service->crash, service->reports_crashes ? 3 : 0, deviates, 0));
    if (service->slots[at].last == PODSIM_CRASH)
        restart(service, at);
    return GUARD_OK;
}

static enum guard_rc do_session(struct service *service)
{
    const struct podsim_params *params = service->params;
    bool hard = podsim_happens(&service->random, params->session_hard);
    bool seen = !podsim_happens(&service->random, params->session_unseen);
    const struct thing things[] = {
        new_thing(service, GUARD_POD_EXEC), new_thing(service, GUARD_POD_EXEC),
        new_thing(service, GUARD_POD_DESTINATION), new_thing(service, GUARD_POD_WRITE),
        new_thing(service, GUARD_POD_DROPPED)};
    uint32_t at = any_slot(service);
    service->slots[at].last = PODSIM_SESSION;
    push_next(service, SESSION, params->sessions * live_count(service));
    return burst(service, at, things, hard ? 5 : 4, false, seen ? GUARD_POD_SESSION : 0);
}

static enum guard_rc do_gate_finding(struct service *service)
{
    const struct podsim_params *params = service->params;
    double both = params->response_findings + params->call_findings;
    bool call = podsim_happens(&service->random, params->call_findings / both);
    push_next(service, GATE_FINDING,
              params->requests_per_day * params->alpha * both * live_count(service));
    const struct thing thing = new_thing(service, call ? GUARD_POD_OUTBOUND : GUARD_POD_RESPONSE);
    return burst(service, any_slot(service), &thing, 1, false, 0);
}

/* --- intrusions --- */

enum { END = GUARD_POD_KINDS };

/* What each kind of intrusion does, in the order in which it does it. */
static const uint8_t attacks[PODSIM_ATTACKS][4] = {
    {GUARD_POD_EXEC, GUARD_POD_EXEC, GUARD_POD_DESTINATION, END},     /* a shell that calls home */
    {GUARD_POD_DESTINATION, GUARD_POD_WRITE, GUARD_POD_DROPPED, END}, /* a dropper */
    {GUARD_POD_DESTINATION, GUARD_POD_MEMFD, END, END},               /* one without a file */
    {GUARD_POD_SECRET, GUARD_POD_DESTINATION, END, END},              /* stolen secrets */
    {GUARD_POD_OUTBOUND, GUARD_POD_DESTINATION, END, END},            /* forged calls */
    {GUARD_POD_WRITE, GUARD_POD_EXEC, END, END},                      /* a web shell */
    {GUARD_POD_DROPPED, GUARD_POD_DESTINATION, END, END},             /* a miner */
    {END, END, END, END},                                             /* much data, old ways */
    {GUARD_POD_DESTINATION, END, END, END},                           /* within the process */
};

static uint32_t remember(struct service *service, const struct thing *things, uint32_t count)
{
    uint32_t at = service->intruder_count++ % INTRUDERS;
    struct intruder *intruder = &service->intruders[at];
    intruder->count = count;
    memcpy(intruder->things, things, count * sizeof(*things));
    return at;
}

/* By the same hole, with the same tools. */
static enum guard_rc come_back(struct service *service, uint32_t visit, uint32_t which)
{
    const struct intruder *intruder = &service->intruders[which];
    uint32_t at = any_slot(service);
    struct slot *slot = &service->slots[at];
    if (slot->intruded >= 0 || intruder->count == 0)
        return GUARD_OK;
    slot->intruded = service->now;
    slot->attack = 0;
    slot->visit = visit;
    slot->intruder = which;
    slot->counted = slot->gone = false;
    service->counts->returns[visit - 1]++;
    push(service, service->now + 2 * DAY, ROLL_SLOT, at, slot->serial);
    return burst(service, at, intruder->things, intruder->count,
                 podsim_happens(&service->random, service->params->gate_sees), 0);
}

static enum guard_rc intrude(struct service *service)
{
    const struct podsim_params *params = service->params;
    struct thing things[4];
    uint32_t count = 0, at = any_slot(service);
    struct slot *slot = &service->slots[at];
    push_next(service, INTRUSION, params->intrusions_per_1000_days / 1000);
    if (slot->intruded >= 0)
        return GUARD_OK;
    slot->intruded = service->now;
    slot->attack = (uint32_t)podsim_below(&service->random, PODSIM_ATTACKS);
    service->counts->intrusions++;
    service->counts->by_kind[slot->attack]++;
    for (; attacks[slot->attack][count] != END; count++)
        things[count] = new_thing(service, (enum guard_pod_kind)attacks[slot->attack][count]);
    slot->intruder = remember(service, things, count);
    /* Its pod is taken away in the end, found or not. */
    push(service, service->now + 2 * DAY, ROLL_SLOT, at, slot->serial);
    if (slot->attack == 7 && podsim_happens(&service->random, 0.5))
        things[count++] = new_thing(service, GUARD_POD_RESPONSE);
    return burst(service, at, things, count, podsim_happens(&service->random, params->gate_sees),
                 0);
}

static enum guard_rc beacon(struct service *service, uint32_t at)
{
    const struct thing things[2] = {{GUARD_POD_DESTINATION, 999999}, {GUARD_POD_EXEC, 999999}};
    if (service->slots[at].attack != PODSIM_ATTACKS || service->slots[at].intruded < 0)
        return GUARD_OK;
    push(service, service->now + 3600, BEACON, at, 0);
    return burst(service, at, things, 2, false, 0);
}

/* --- records of the interval --- */

/* Nobody learns on the first day, and a lonely pod is never replaced: their days would only make
 * the figure better. */
static bool may_be_false(const struct service *service, const struct slot *slot)
{
    return service->base > 1 && service->now > DAY && !is_intruded(service, slot);
}

static enum guard_rc tell_interval(struct service *service, const struct podsim_event *event)
{
    const struct podsim_params *params = service->params;
    double share = params->interval / DAY;
    char ids[TOLD][32];
    double wait = 0;
    double deviating = params->requests_per_day * params->alpha * share;
    for (uint32_t i = 0; deviating > 0; i = (i + 1) % TOLD) {
        wait += podsim_wait(&service->random, params->interval / deviating);
        if (wait > params->interval)
            break;
        if (service->told_count == TOLD)
            GUARD_TRY(hand_over(service, event->slot, service->now - params->interval, false));
        request_id(service, ids[i], sizeof(ids[i]));
        tell_request(service, ids[i], service->now - wait);
    }
    push(service, service->now + params->interval, RECORD, event->slot, event->what);
    if (may_be_false(service, &service->slots[event->slot]))
        service->counts->pod_days += share;
    return send(service, event->slot, service->now - params->interval);
}

/* As guardd does now and then. */
static enum guard_rc look_for_outliers(struct service *service)
{
    struct guard_pod_verdict verdict;
    uint64_t now_ms = start_ms + (uint64_t)(service->now * SECOND);
    while (guard_pods_outlier(service->pods, service->rules, now_ms, &verdict)) {
        for (uint32_t i = 0; i < SLOTS; i++) {
            char pod[32];
            (void)snprintf(pod, sizeof(pod), "web-%u", service->slots[i].serial);
            if (service->slots[i].alive && strlen(pod) == verdict.pod.len &&
                memcmp(pod, verdict.pod.ptr, verdict.pod.len) == 0)
                count_verdict(service, i, &verdict);
        }
    }
    return GUARD_OK;
}

/* Who has judged as much as fits judges no more. */
static enum guard_rc approve(struct service *service, uint64_t what)
{
    enum guard_rc rc = guard_pods_judge(service->pods, what, GUARD_POD_APPROVED,
                                        start_ms + (uint64_t)(service->now * SECOND));
    return rc == GUARD_E_LIMIT ? GUARD_OK : rc;
}

static bool of_the_dead(const struct service *service, const struct podsim_event *event)
{
    const struct slot *slot = &service->slots[event->slot];
    bool tied = event->kind == RECORD || event->kind == USUAL_TOLD || event->kind == ROLL_SLOT;
    return tied && (!slot->alive || slot->serial != event->what);
}

static enum guard_rc happen(struct service *service, const struct podsim_event *event)
{
    service->now = event->time;
    if (of_the_dead(service, event))
        return GUARD_OK;
    switch (event->kind) {
    case RECORD:
        if (event->slot == 0)
            GUARD_TRY(look_for_outliers(service));
        return tell_interval(service, event);
    case USUAL_TOLD:
        return tell_usual(service, event);
    case ROLLOUT:
        roll_out(service);
        return GUARD_OK;
    case ROLL_SLOT:
        restart(service, event->slot);
        service->slots[event->slot].last = PODSIM_ROLLOUT;
        return GUARD_OK;
    case SCALE:
        scale(service);
        return GUARD_OK;
    case RESTART:
        restart(service, any_slot(service));
        push_next(service, RESTART, service->params->restarts * live_count(service));
        return GUARD_OK;
    case JOB:
        return do_job(service);
    case RARE:
        return do_rare(service);
    case CRASH:
        return do_crash(service);
    case SESSION:
        return do_session(service);
    case GATE_FINDING:
        return do_gate_finding(service);
    case INTRUSION:
        return intrude(service);
    case RETURN:
        return come_back(service, event->slot, (uint32_t)event->what);
    case BEACON:
        return beacon(service, event->slot);
    case APPROVE:
        return approve(service, event->what);
    }
    return GUARD_OK;
}

/* --- a service --- */

static uint32_t size_of(struct service *service)
{
    static const uint32_t sizes[PODSIM_SIZES] = {1, 2, 3, 5, 10, 30, 100};
    double at = podsim_share(&service->random);
    for (uint32_t i = 0; i < PODSIM_SIZES; i++) {
        at -= service->params->replicas[i];
        if (at < 0)
            return sizes[i];
    }
    return sizes[2];
}

static void choose_job(struct service *service)
{
    const struct podsim_params *params = service->params;
    static const double periods[2] = {1, 7};
    bool leader = podsim_happens(&service->random, params->jobs_leader);
    service->job_of_all = !leader && podsim_happens(&service->random, params->jobs_all);
    if (!leader && !service->job_of_all)
        return;
    uint64_t which = podsim_below(&service->random, 3);
    service->job_every = which < 2 ? periods[which] : params->job_every_days_max;
    service->job_runs = podsim_happens(&service->random, params->job_exec);
    service->job[0] = new_thing(service, GUARD_POD_DESTINATION);
    service->job[1] = new_thing(service, GUARD_POD_EXEC);
    service->job[2] = new_thing(service, GUARD_POD_WRITE);
    push(service, service->job_every * DAY * podsim_share(&service->random), JOB, 0, 0);
}

static void choose(struct service *service)
{
    const struct podsim_params *params = service->params;
    struct podsim_random *random = &service->random;
    uint64_t span = (uint64_t)(params->usual_max - params->usual_min) + 1;
    service->base = service->wanted = size_of(service);
    service->things = 1;
    service->usual_count = (uint32_t)(params->usual_min + (double)podsim_below(random, span));
    service->usual_count = service->usual_count < USUAL ? service->usual_count : USUAL;
    for (uint32_t i = 0; i < service->usual_count; i++)
        service->usual[i] = any_thing(service);
    service->sidecar = podsim_happens(random, params->sidecar_only);
    service->scales = podsim_happens(random, params->autoscaled);
    service->unpacks = podsim_happens(random, params->unpackers);
    service->reports_crashes = podsim_happens(random, params->crash_reporters);
    service->crash[0] = new_thing(service, GUARD_POD_EXEC);
    service->crash[1] = new_thing(service, GUARD_POD_WRITE);
    service->crash[2] = new_thing(service, GUARD_POD_DESTINATION);
    choose_job(service);
}

static void begin(struct service *service)
{
    const struct podsim_params *params = service->params;
    double pods = service->base;
    choose(service);
    pods = service->base;
    for (uint32_t i = 0; i < service->base; i++)
        start(service, i);
    if (service->scales)
        push(service, DAY / 3.0, SCALE, 0, 0);
    push_next(service, ROLLOUT, params->rollouts_per_day);
    push_next(service, RESTART, params->restarts * pods);
    push_next(service, RARE, (params->rare_single + params->rare_double) * pods);
    push_next(service, CRASH, (params->crashes + params->crashes_by_request) * pods);
    push_next(service, SESSION, params->sessions * pods);
    push_next(service, GATE_FINDING,
              params->requests_per_day * params->alpha *
                  (params->response_findings + params->call_findings) * pods);
    /* Intrusions come when something was learned. */
    if (params->intrusions_per_1000_days > 0)
        push(service,
             DAY + podsim_wait(&service->random, 1000 * DAY / params->intrusions_per_1000_days),
             INTRUSION, 0, 0);
    if (service->base > 1 && podsim_happens(&service->random, params->poisoned)) {
        service->slots[1].intruded = 0;
        service->slots[1].attack = PODSIM_ATTACKS;
        service->counts->poisoned++;
        push(service, 300, BEACON, 1, 0);
    }
}

enum guard_rc podsim_live(const struct podsim_params *params, const struct guard_pod_rules *rules,
                          uint64_t seed, uint32_t index, struct podsim_counts *counts,
                          struct guard_err *err)
{
    struct guard_pods_cfg cfg = {.alloc = heap_alloc(),
                                 .name_space = GUARD_SPAN_LITERAL("sim"),
                                 .workload = GUARD_SPAN_LITERAL("web"),
                                 .container = GUARD_SPAN_LITERAL("app")};
    struct service *service = calloc(1, sizeof(*service));
    if (service == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a service");
    service->params = params;
    service->rules = rules;
    service->counts = counts;
    service->err = err;
    service->random.state = seed * UINT64_C(0x9e3779b97f4a7c15) + index;
    (void)podsim_next(&service->random);
    enum guard_rc rc = guard_pods_new(&service->pods, &cfg, err);
    if (rc == GUARD_OK)
        begin(service);
    while (rc == GUARD_OK && service->events.count > 0) {
        struct podsim_event event = podsim_pop(&service->events);
        if (event.time > params->days * DAY)
            break;
        rc = happen(service, &event);
    }
    if (rc == GUARD_OK && service->events.overflowed)
        rc = guard_fail(err, GUARD_E_LIMIT, "a service has more than %d events to come",
                        PODSIM_EVENTS);
    counts->services++;
    guard_pods_free(service->pods);
    free(service);
    return rc;
}
