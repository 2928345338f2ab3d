/* SPDX-License-Identifier: Apache-2.0 */
/* Records, as the sensors and the gate lay them down, and what the learner's verdicts count for.
 * Findings of the gate are drawn where they can matter, about the time of what a sensor tells: all
 * others are tied to nothing. */
#include "podsim_service.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const uint64_t start_ms = UINT64_C(1700006400000); /* a midnight */

enum {
    ALL = (1u << GUARD_POD_KINDS) - 1,
    OF_GATE = 1u << GUARD_POD_OUTBOUND | 1u << GUARD_POD_RESPONSE | 1u << GUARD_POD_REQUEST,
    OF_SIDECAR = 1u << GUARD_POD_DESTINATION | 1u << GUARD_POD_LISTEN | 1u << GUARD_POD_DNS,
    BEFORE = 600, /* seconds that findings before what is new count */
    NEAR = 15,    /* seconds within which findings are drawn: more than a tie allows */
};

uint64_t podsim_ms(double time)
{
    return start_ms + (uint64_t)(time * SECOND);
}

static uint32_t seen_by(const struct service *service)
{
    return service->sidecar ? OF_SIDECAR : ALL & ~(uint32_t)OF_GATE;
}

/* --- what is told --- */

static struct guard_pod_feature *add(struct report *report, struct thing thing, double time)
{
    static const char *const before[GUARD_POD_KINDS] = {
        "",          "",       "/usr/bin/", "/usr/bin/",         "/srv/", "/run/secrets/", "",
        "/opt/new/", "memfd:", "/usr/bin/", "POST api.example/", "GET /", "GET /"};
    uint32_t at = report->count;
    if (at == TOLD)
        return NULL;
    struct guard_pod_feature *feature = &report->told[report->count++];
    char *text = report->texts[at];
    text[0] = '\0';
    if (thing.kind == GUARD_POD_DNS)
        (void)snprintf(text, sizeof(report->texts[at]), "www.n%llu.example",
                       (unsigned long long)thing.number);
    else if (thing.kind != GUARD_POD_DESTINATION)
        podsim_spell(text, sizeof(report->texts[at]), before[thing.kind], thing.number);
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
        .first_ms = podsim_ms(time),
    };
    return feature;
}

struct guard_pod_feature *podsim_tell(struct service *service, struct report *report,
                                      struct thing thing, double time)
{
    uint32_t sees = report == &service->gate ? (uint32_t)OF_GATE : seen_by(service);
    return (sees >> thing.kind & 1) != 0 ? add(report, thing, time) : NULL;
}

void podsim_request_id(struct service *service, char *out, size_t size)
{
    (void)snprintf(out, size, "r%llu", (unsigned long long)++service->request_count);
}

void podsim_find(struct service *service, struct thing thing, double time, const char *id)
{
    struct report *gate = &service->gate;
    uint32_t at = gate->count;
    struct guard_pod_feature *feature = podsim_tell(service, gate, thing, time);
    if (feature == NULL)
        return;
    if (id == NULL)
        podsim_request_id(service, gate->ids[at], sizeof(gate->ids[at]));
    else
        (void)snprintf(gate->ids[at], sizeof(gate->ids[at]), "%s", id);
    feature->request = (struct guard_span){(const uint8_t *)gate->ids[at], strlen(gate->ids[at])};
}

void podsim_tell_places(struct service *service, uint32_t at, double intervals)
{
    for (uint32_t i = 0; i < service->place_count && service->beside; i++) {
        double z = intervals > 1 ? podsim_most(&service->random, intervals)
                                 : podsim_normal(&service->random);
        double bytes = podsim_flow(service, at, i) * SHORT *
                       exp(service->noise * z - service->noise * service->noise / 2);
        struct guard_pod_feature *feature =
            podsim_tell(service, &service->sensor, service->places[i].thing, service->now - 5);
        if (feature != NULL)
            feature->bytes_out = (uint64_t)bytes;
    }
}

/* --- verdicts --- */

static void trace(const struct service *service, const struct slot *slot,
                  const struct guard_pod_verdict *verdict)
{
    char text[1024];
    if (!service->trace)
        return;
    (void)guard_pod_explain(verdict, text, sizeof(text));
    (void)fprintf(stderr, "day %.2f, %u replicas, after %s: %s\n", service->now / DAY,
                  service->base, podsim_cause_name(slot->last), text);
    for (uint32_t i = 0; i < verdict->count; i++)
        (void)fprintf(stderr, "    %.1f door %u: %s\n", verdict->evidence[i].strength,
                      verdict->evidence[i].door, verdict->evidence[i].text);
}

static enum podsim_group group_of(const struct service *service,
                                  const struct guard_pod_verdict *verdict)
{
    bool gate = false, amount = false, volume = false, new = false, hard = false;
    for (uint32_t i = 0; i < verdict->count; i++) {
        const struct guard_pod_evidence *evidence = &verdict->evidence[i];
        if (!evidence->hard && evidence->strength < service->rules->alert_at)
            continue;
        amount |= evidence->kind == GUARD_POD_AMOUNT;
        volume |= evidence->kind == GUARD_POD_VOLUME;
        gate |= evidence->kind < GUARD_POD_KINDS && (OF_GATE >> evidence->kind & 1) != 0;
        new |= evidence->kind < GUARD_POD_OUTBOUND;
        hard |= evidence->hard;
    }
    if (gate)
        return amount || volume || new ? PODSIM_BOTH : PODSIM_GATE;
    if (hard || new)
        return hard ? PODSIM_HARD : PODSIM_NEW;
    return volume ? PODSIM_VOLUME : PODSIM_AMOUNT;
}

/* What happened that explains it; for an hour at most what happened in the pod does. */
static enum podsim_cause cause_of(const struct service *service, const struct slot *slot,
                                  enum podsim_group group)
{
    if (group == PODSIM_GATE)
        return service->found;
    if (service->now <= slot->last_at + 3600)
        return slot->last;
    return service->now < service->surge_until ? PODSIM_SURGE : PODSIM_NOTHING;
}

static void count_alert(struct service *service, const struct slot *slot,
                        const struct guard_pod_verdict *verdict)
{
    struct podsim_counts *counts = service->counts;
    enum podsim_group group = group_of(service, verdict);
    counts->alerts += verdict->decision == GUARD_POD_ALERT;
    counts->changes += verdict->decision == GUARD_POD_CHANGE;
    counts->others[group][cause_of(service, slot, group)]++;
}

static bool was_said(const struct service *service, const struct slot *slot,
                     const struct told *told)
{
    uint32_t count = slot->said_count < SAID ? slot->said_count : SAID;
    for (uint32_t i = 0; i < count; i++) {
        const struct told *said = &slot->said[i];
        if (said->id == told->id && said->kind == told->kind && said->decision == told->decision &&
            said->at + DAY > service->now)
            return true;
    }
    return false;
}

/* As guardd does: each finding is told once a day for a pod and a decision. False: all that is
 * fresh was. */
static bool say(const struct service *service, struct slot *slot,
                const struct guard_pod_verdict *verdict)
{
    bool fresh = false;
    for (uint32_t i = 0; i < verdict->count; i++) {
        const struct guard_pod_evidence *evidence = &verdict->evidence[i];
        const struct told told = {evidence->id, evidence->kind, verdict->decision, service->now};
        if (was_said(service, slot, &told))
            continue;
        fresh |= evidence->fresh;
        slot->said[slot->said_count++ % SAID] = told;
    }
    return fresh;
}

void podsim_count(struct service *service, uint32_t at, const struct guard_pod_verdict *verdict)
{
    struct slot *slot = &service->slots[at];
    struct podsim_counts *counts = service->counts;
    if (verdict->decision == GUARD_POD_NORMAL || !say(service, slot, verdict))
        return;
    if (podsim_is_intruded(service, slot)) {
        podsim_count_intruder(service, slot, verdict->decision == GUARD_POD_REPLACE);
        return;
    }
    if (verdict->decision == GUARD_POD_REPLACE) {
        counts->false_replacements++;
        counts->causes[slot->last]++;
        trace(service, slot, verdict);
    } else {
        count_alert(service, slot, verdict);
    }
    if (!podsim_happens(&service->random, service->params->approved))
        return;
    for (uint32_t i = 0; i < verdict->count; i++)
        podsim_plan(service, service->now + service->params->approve_after, APPROVE, 0,
                    verdict->evidence[i].id);
}

/* --- records --- */

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

struct interval {
    double from, until;
    bool gate, counted; /* counted: not before its time */
    bool kept;          /* it is told again */
};

/* Hands what was told to the learner, as a record of the slot. */
static enum guard_rc hand_over(struct service *service, uint32_t at,
                               const struct interval *interval)
{
    char pod[32], hash[16];
    struct slot *slot = &service->slots[at];
    struct report *report = interval->gate ? &service->gate : &service->sensor;
    struct guard_pod_verdict verdict;
    (void)snprintf(pod, sizeof(pod), "web-%u", slot->serial);
    (void)snprintf(hash, sizeof(hash), "t%u", slot->template);
    double from = interval->from < slot->started ? slot->started : interval->from;
    bool lossy = interval->counted && podsim_happens(&service->random, service->params->lossy);
    struct guard_pod_record record = {
        .id = {.name_space = GUARD_SPAN_LITERAL("sim"),
               .workload = GUARD_SPAN_LITERAL("web"),
               .pod = {(const uint8_t *)pod, strlen(pod)},
               .container = GUARD_SPAN_LITERAL("app"),
               .template_hash = {(const uint8_t *)hash, strlen(hash)}},
        .source = interval->gate     ? GUARD_POD_GATE
                  : service->sidecar ? GUARD_POD_SIDECAR
                                     : GUARD_POD_PODWATCH,
        .origin = {1, 1, ++service->sequence},
        .blind = ALL & ~(interval->gate ? (uint32_t)OF_GATE : seen_by(service)),
        .started_ms = interval->gate ? 0 : podsim_ms(slot->started),
        .from_ms = podsim_ms(from < interval->until ? from : interval->until),
        .until_ms = podsim_ms(interval->until),
        .counted = lossy,
        .dropped = lossy,
        .features = report->told,
        .feature_count = report->count,
    };
    if (interval->counted && from < interval->until)
        podsim_fill_rates(service, at, &record);
    if (!interval->kept)
        report->count = 0;
    service->counts->records++;
    GUARD_TRY(observe(service, &record, &verdict));
    podsim_count(service, at, &verdict);
    if (verdict.decision == GUARD_POD_REPLACE)
        podsim_restart(service, at);
    return GUARD_OK;
}

enum guard_rc podsim_send_gate(struct service *service, uint32_t at, double until)
{
    const struct report *gate = &service->gate;
    struct interval interval = {.from = until, .until = until, .gate = true};
    for (uint32_t i = 0; i < gate->count; i++) {
        double first = (double)(gate->told[i].first_ms - start_ms) / SECOND;
        interval.from = first < interval.from ? first : interval.from;
    }
    return gate->count == 0 ? GUARD_OK : hand_over(service, at, &interval);
}

/* What the gate found by chance, or of a client that is there, the last first: no more than the
 * learner remembers matters. */
static enum guard_rc find_around(struct service *service, uint32_t at, double before, double after)
{
    double rate = podsim_findings(service, &service->slots[at]), time = after;
    while (rate > 0 && service->gate.count < TOLD) {
        time -= podsim_wait(&service->random, 1 / rate);
        if (time < -before)
            break;
        podsim_find(service, (struct thing){GUARD_POD_REQUEST, 1}, service->now + time, NULL);
    }
    return podsim_send_gate(service, at, service->now + after);
}

enum guard_rc podsim_send_before(struct service *service, uint32_t at)
{
    return find_around(service, at, BEFORE, 0);
}

static bool is_same(const struct service *service, uint32_t at, uint32_t serial)
{
    return service->slots[at].alive && service->slots[at].serial == serial;
}

enum guard_rc podsim_send(struct service *service, uint32_t at, double from)
{
    const struct interval interval = {.from = from, .until = service->now, .counted = true};
    uint32_t serial = service->slots[at].serial;
    GUARD_TRY(hand_over(service, at, &interval));
    return is_same(service, at, serial) ? find_around(service, at, NEAR, NEAR) : GUARD_OK;
}

/* The gate's and the sensor's come within a second, in any order. */
enum guard_rc podsim_send_news(struct service *service, uint32_t at)
{
    uint32_t serial = service->slots[at].serial;
    bool early = !service->sidecar && podsim_happens(&service->random, service->params->early);
    double end = service->now + SHORT * podsim_share(&service->random);
    const struct interval news = {.from = service->now, .until = service->now, .kept = true};
    const struct interval whole = {.from = end - SHORT, .until = end, .counted = true};
    if (podsim_happens(&service->random, 0.5))
        GUARD_TRY(podsim_send_gate(service, at, service->now));
    if (early && service->sensor.count > 0 && is_same(service, at, serial))
        GUARD_TRY(hand_over(service, at, &news));
    if (is_same(service, at, serial))
        GUARD_TRY(podsim_send_gate(service, at, service->now + 1));
    service->gate.count = 0;
    if (is_same(service, at, serial)) {
        podsim_tell_places(service, at, 1);
        GUARD_TRY(hand_over(service, at, &whole));
    }
    service->sensor.count = 0;
    return is_same(service, at, serial) ? find_around(service, at, 0, NEAR) : GUARD_OK;
}
