/* SPDX-License-Identifier: Apache-2.0 */
/* One service's life: its pods, what they do, and what its sensors tell the learner of it. Events
 * stand in a heap by time; all of chance comes from the service's own seed. */
#include "podsim_service.h"

#include "common/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- events --- */

void podsim_plan(struct service *service, double time, enum podsim_event_kind kind, uint32_t slot,
                 uint64_t what)
{
    podsim_push(&service->events, &(struct podsim_event){time, kind, slot, what});
}

void podsim_plan_next(struct service *service, enum podsim_event_kind kind, double per_day)
{
    if (per_day > 0)
        podsim_plan(service, service->now + podsim_wait(&service->random, DAY / per_day), kind, 0,
                    0);
}

/* --- what is told --- */

struct thing podsim_new_thing(struct service *service, enum guard_pod_kind kind)
{
    return (struct thing){kind, ++service->things};
}

static struct thing any_thing(struct service *service)
{
    static const enum guard_pod_kind kinds[] = {GUARD_POD_DESTINATION, GUARD_POD_DESTINATION,
                                                GUARD_POD_EXEC, GUARD_POD_WRITE, GUARD_POD_DNS};
    return podsim_new_thing(service, kinds[podsim_below(&service->random, 5)]);
}

/* --- pods --- */

uint32_t podsim_live_count(const struct service *service)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < SLOTS; i++)
        count += service->slots[i].alive;
    return count;
}

uint32_t podsim_any_slot(struct service *service)
{
    uint32_t nth = (uint32_t)podsim_below(&service->random, podsim_live_count(service));
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
                          .last = PODSIM_START,
                          .last_at = service->now,
                          .skew = podsim_skew(service)};
    podsim_plan(service, service->now + 30, USUAL_TOLD, at, slot->serial);
    podsim_plan(service, service->now + 600, USUAL_TOLD, at, slot->serial);
    podsim_plan(service, service->now + service->params->interval * podsim_share(&service->random),
                RECORD, at, slot->serial);
}

void podsim_mark(struct service *service, uint32_t at, enum podsim_cause cause)
{
    service->slots[at].last = cause;
    service->slots[at].last_at = service->now;
}

void podsim_restart(struct service *service, uint32_t at)
{
    if (at == service->leader)
        service->leader = at + 1 < service->base ? at + 1 : 0;
    start(service, at);
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
        (void)podsim_tell(service, &service->sensor, (struct thing){GUARD_POD_WRITE, 1},
                          service->now - 5);
        (void)podsim_tell(service, &service->sensor, (struct thing){GUARD_POD_DROPPED, 1},
                          service->now - 4);
    }
    for (uint32_t i = first; i < last && rc == GUARD_OK; i++) {
        (void)podsim_tell(service, &service->sensor, service->usual[i], service->now - 1);
        if (service->sensor.count == TOLD || i + 1 == last)
            rc = podsim_send(service, event->slot, service->now - SHORT);
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
    podsim_change_bodies(service);
    double time = service->now;
    bool canary = podsim_happens(&service->random, params->rollout_canary);
    bool first = true;
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (!service->slots[i].alive)
            continue;
        podsim_plan(service, time, ROLL_SLOT, i, service->slots[i].serial);
        time += first && canary ? params->canary_time : params->rollout_step;
        first = false;
    }
    podsim_plan_next(service, ROLLOUT, params->rollouts_per_day);
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
    podsim_plan(service, service->now + DAY / 2.0, SCALE, 0, 0);
}

void podsim_detail(struct service *service, uint32_t at, double seconds, double stride)
{
    struct slot *slot = &service->slots[at];
    double until = service->now + seconds;
    if (service->params->interval <= SHORT)
        return; /* each is told anyway */
    slot->stride = stride;
    slot->detailed = until > slot->detailed ? until : slot->detailed;
    if (!slot->detailing)
        podsim_plan(service, service->now + stride, DETAIL, at, slot->serial);
    slot->detailing = true;
}

static enum guard_rc tell_detail(struct service *service, const struct podsim_event *event)
{
    struct slot *slot = &service->slots[event->slot];
    slot->detailing = service->now + slot->stride <= slot->detailed;
    if (slot->detailing)
        podsim_plan(service, service->now + slot->stride, DETAIL, event->slot, event->what);
    podsim_tell_places(service, event->slot, slot->stride / SHORT);
    return podsim_send(service, event->slot, service->now - SHORT);
}

/* Evidence of amounts counts beside what is new for this long. */
enum { WINDOW = 600 };

enum guard_rc podsim_burst(struct service *service, uint32_t at, const struct thing *things,
                           uint32_t count, bool deviates, uint32_t flags)
{
    char id[24];
    GUARD_TRY(podsim_send_before(service, at));
    podsim_request_id(service, id, sizeof(id));
    for (uint32_t i = 0; i < count; i++) {
        bool of_gate = things[i].kind >= GUARD_POD_OUTBOUND;
        if (of_gate) {
            podsim_find(service, things[i], service->now - 2, id);
            continue;
        }
        struct guard_pod_feature *feature =
            podsim_tell(service, &service->sensor, things[i], service->now - 2);
        if (feature == NULL)
            continue;
        feature->flags = flags;
        if (podsim_happens(&service->random, service->params->in_flight))
            feature->request = (struct guard_span){(const uint8_t *)id, strlen(id)};
    }
    if (deviates)
        podsim_find(service, (struct thing){GUARD_POD_REQUEST, 1}, service->now - 3, id);
    podsim_detail(service, at, WINDOW, 3 * SHORT);
    return podsim_send_news(service, at);
}

static enum guard_rc do_job(struct service *service)
{
    enum guard_rc rc = GUARD_OK;
    for (uint32_t i = 0; i < SLOTS && rc == GUARD_OK; i++) {
        if (!service->slots[i].alive || (!service->job_of_all && i != service->leader))
            continue;
        podsim_mark(service, i, PODSIM_JOB);
        rc = podsim_burst(service, i, service->job, service->job_runs ? 3 : 1, false, 0);
    }
    podsim_plan(service, service->now + service->job_every * DAY, JOB, 0, 0);
    return rc;
}

static enum guard_rc do_rare(struct service *service)
{
    const struct podsim_params *params = service->params;
    double both = params->rare_single + params->rare_double;
    bool two = podsim_happens(&service->random, params->rare_double / both);
    const struct thing things[2] = {podsim_new_thing(service, GUARD_POD_DESTINATION),
                                    podsim_new_thing(service, GUARD_POD_EXEC)};
    uint32_t at = podsim_any_slot(service);
    podsim_mark(service, at, PODSIM_RARE);
    podsim_plan_next(service, RARE, both * podsim_live_count(service));
    return podsim_burst(service, at, things + podsim_below(&service->random, two ? 1 : 2),
                        two ? 2 : 1, podsim_happens(&service->random, params->rare_by_request), 0);
}

static enum guard_rc do_crash(struct service *service)
{
    const struct podsim_params *params = service->params;
    double both = params->crashes + params->crashes_by_request;
    bool deviates = podsim_happens(&service->random, params->crashes_by_request / both);
    uint32_t at = podsim_any_slot(service);
    podsim_mark(service, at, PODSIM_CRASH);
    podsim_plan_next(service, CRASH, both * podsim_live_count(service));
    GUARD_TRY(
        podsim_burst(service, at, service->crash, service->reports_crashes ? 3 : 0, deviates, 0));
    if (service->slots[at].last == PODSIM_CRASH)
        podsim_restart(service, at);
    return GUARD_OK;
}

static enum guard_rc do_session(struct service *service)
{
    const struct podsim_params *params = service->params;
    bool hard = podsim_happens(&service->random, params->session_hard);
    bool seen = !podsim_happens(&service->random, params->session_unseen);
    const struct thing things[] = {
        podsim_new_thing(service, GUARD_POD_EXEC), podsim_new_thing(service, GUARD_POD_EXEC),
        podsim_new_thing(service, GUARD_POD_DESTINATION),
        podsim_new_thing(service, GUARD_POD_WRITE), podsim_new_thing(service, GUARD_POD_DROPPED)};
    uint32_t at = podsim_any_slot(service);
    podsim_mark(service, at, PODSIM_SESSION);
    podsim_plan_next(service, SESSION, params->sessions * podsim_live_count(service));
    return podsim_burst(service, at, things, hard ? 5 : 4, false, seen ? GUARD_POD_SESSION : 0);
}

/* --- records of the interval --- */

/* Nobody learns on the first day, and a lonely pod is never replaced: their days would only make
 * the figure better. */
static bool may_be_false(const struct service *service, const struct slot *slot)
{
    return service->base > 1 && service->now > DAY && !podsim_is_intruded(service, slot);
}

/* Of the intervals of an hour one is told, chosen by nothing, with the most that went anywhere in
 * all of them: what is usual is learned as if each were. */
static enum guard_rc tell_interval(struct service *service, const struct podsim_event *event)
{
    const struct podsim_params *params = service->params;
    podsim_plan(service, service->now + params->interval, RECORD, event->slot, event->what);
    if (may_be_false(service, &service->slots[event->slot]))
        service->counts->pod_days += params->interval / DAY;
    podsim_tell_places(service, event->slot, params->interval / SHORT);
    return podsim_send(service, event->slot, service->now - SHORT);
}

/* As guardd does now and then. */
static enum guard_rc look_for_outliers(struct service *service)
{
    struct guard_pod_verdict verdict;
    uint64_t now_ms = podsim_ms(service->now);
    service->found = PODSIM_NOTHING;
    while (guard_pods_outlier(service->pods, service->rules, now_ms, &verdict)) {
        for (uint32_t i = 0; i < SLOTS; i++) {
            char pod[32];
            (void)snprintf(pod, sizeof(pod), "web-%u", service->slots[i].serial);
            if (service->slots[i].alive && strlen(pod) == verdict.pod.len &&
                memcmp(pod, verdict.pod.ptr, verdict.pod.len) == 0)
                podsim_count(service, i, &verdict);
        }
    }
    return GUARD_OK;
}

/* Who has judged as much as fits judges no more. */
static enum guard_rc approve(struct service *service, uint64_t what)
{
    enum guard_rc rc =
        guard_pods_judge(service->pods, what, GUARD_POD_APPROVED, podsim_ms(service->now));
    return rc == GUARD_E_LIMIT ? GUARD_OK : rc;
}

static bool of_the_dead(const struct service *service, const struct podsim_event *event)
{
    const struct slot *slot = &service->slots[event->slot];
    bool tied = event->kind == RECORD || event->kind == USUAL_TOLD || event->kind == ROLL_SLOT ||
                event->kind == DETAIL;
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
        podsim_restart(service, event->slot);
        podsim_mark(service, event->slot, PODSIM_ROLLOUT);
        return GUARD_OK;
    case SCALE:
        scale(service);
        return GUARD_OK;
    case RESTART:
        podsim_restart(service, podsim_any_slot(service));
        podsim_plan_next(service, RESTART, service->params->restarts * podsim_live_count(service));
        return GUARD_OK;
    case JOB:
        return do_job(service);
    case RARE:
        return do_rare(service);
    case CRASH:
        return do_crash(service);
    case SESSION:
        return do_session(service);
    case DETAIL:
        return tell_detail(service, event);
    case GATE_FINDING:
    case RELEASE_FINDING:
    case EXPORT:
    case BACKUP:
    case SURGE:
    case SCAN:
    case BROKEN:
    case BRANCH:
        return podsim_happen_load(service, event);
    case INTRUSION:
    case RETURN:
    case BEACON:
        return podsim_happen_intrusion(service, event);
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
    service->job[0] = podsim_new_thing(service, GUARD_POD_DESTINATION);
    service->job[1] = podsim_new_thing(service, GUARD_POD_EXEC);
    service->job[2] = podsim_new_thing(service, GUARD_POD_WRITE);
    podsim_plan(service, service->job_every * DAY * podsim_share(&service->random), JOB, 0, 0);
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
    service->crash[0] = podsim_new_thing(service, GUARD_POD_EXEC);
    service->crash[1] = podsim_new_thing(service, GUARD_POD_WRITE);
    service->crash[2] = podsim_new_thing(service, GUARD_POD_DESTINATION);
    choose_job(service);
    podsim_choose_load(service);
}

/* The first twenty minutes, and the intervals that tell how much is usual. */
enum { LEARNED = 1200, VOLUMES = 120 };

static void begin(struct service *service)
{
    const struct podsim_params *params = service->params;
    choose(service);
    double pods = service->base;
    for (uint32_t i = 0; i < service->base; i++) {
        start(service, i);
        /* So much that it is known how much is usual when others know it, too. */
        podsim_detail(service, i, LEARNED, LEARNED * pods / VOLUMES);
    }
    if (service->scales)
        podsim_plan(service, DAY / 3.0, SCALE, 0, 0);
    podsim_plan_next(service, ROLLOUT, params->rollouts_per_day);
    podsim_plan_next(service, RESTART, params->restarts * pods);
    podsim_plan_next(service, RARE, (params->rare_single + params->rare_double) * pods);
    podsim_plan_next(service, CRASH, (params->crashes + params->crashes_by_request) * pods);
    podsim_plan_next(service, SESSION, params->sessions * pods);
    podsim_plan_load(service);
    podsim_plan_intrusions(service);
}

enum guard_rc podsim_live(const struct podsim_params *params, const struct guard_pod_rules *rules,
                          uint64_t seed, uint32_t index, bool trace, struct podsim_counts *counts,
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
    service->trace = trace;
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
