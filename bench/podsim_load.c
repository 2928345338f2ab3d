/* SPDX-License-Identifier: Apache-2.0 */
/* How much a service's pods do: requests, bytes to usual places, who scans it, and what sends much
 * though nobody intruded: backups, exports, leaders, releases. */
#include "podsim_service.h"

#include <math.h>

enum { ANSWER_BYTES = 3000, REQUEST_CPU_US = 20000, MINER_CPU_US = 8000000 };

/* Endpoints and calls of which findings are told; what is new is numbered far above. */
enum { FIRST_ENDPOINT = 1000000000, FIRST_CALL = 1100000000 };

/* --- choosing --- */

static double spread(struct service *service, double median, double sigma)
{
    return median * exp(sigma * podsim_normal(&service->random));
}

static void choose_places(struct service *service)
{
    const struct podsim_params *params = service->params;
    uint64_t most = (uint64_t)params->places_max;
    uint32_t wanted = 1 + (uint32_t)podsim_below(&service->random, most == 0 ? 1 : most);
    for (uint32_t i = 0;
         i < service->usual_count && service->place_count < wanted && service->place_count < PLACES;
         i++) {
        if (service->usual[i].kind != GUARD_POD_DESTINATION)
            continue;
        double mean = spread(service, params->volume, params->volume_spread) / 60;
        service->places[service->place_count++] =
            (struct place){.thing = service->usual[i], .before = mean, .now = mean};
    }
}

static void choose_backup(struct service *service)
{
    const struct podsim_params *params = service->params;
    bool leader = podsim_happens(&service->random, params->backup_leader);
    service->backup_of_all = !leader && podsim_happens(&service->random, params->backup_all);
    if (service->place_count == 0 || (!leader && !service->backup_of_all))
        return;
    service->backup_every = podsim_happens(&service->random, 0.5) ? 1 : params->backup_days;
    podsim_plan(service, service->backup_every * DAY * podsim_share(&service->random), BACKUP, 0,
                0);
}

void podsim_choose_load(struct service *service)
{
    const struct podsim_params *params = service->params;
    service->beside = service->sidecar || podsim_happens(&service->random, params->beside);
    service->sticky = podsim_happens(&service->random, params->sticky);
    service->noise = params->noise_min +
                     (params->noise_max - params->noise_min) * podsim_share(&service->random);
    service->requests = spread(service, params->requests_per_day, params->requests_spread) / DAY;
    service->leader_heavy = podsim_happens(&service->random, params->leader_heavy);
    choose_places(service);
    choose_backup(service);
}

double podsim_skew(struct service *service)
{
    const struct podsim_params *params = service->params;
    return spread(service, 1, service->sticky ? params->skew : params->skew_balanced);
}

/* --- now --- */

double podsim_demand(const struct service *service, const struct slot *slot)
{
    double load = (1 + 0.8 * sin(6.283185 * service->now / DAY)) * slot->skew;
    return service->now < service->surge_until ? load * service->params->surge_times : load;
}

double podsim_findings(const struct service *service, const struct slot *slot)
{
    double by_chance = service->requests * podsim_demand(service, slot) * service->params->alpha;
    return by_chance + (service->now < slot->until ? slot->findings : 0);
}

double podsim_flow(const struct service *service, uint32_t at, uint32_t place)
{
    const struct slot *slot = &service->slots[at];
    const struct place *to = &service->places[place];
    double mean = slot->template >= to->since ? to->now : to->before;
    mean *= podsim_demand(service, slot);
    if (place == 0 && service->leader_heavy && at == service->leader)
        mean *= service->params->leader_times;
    if (service->now < slot->usual.until && slot->usual.place == place)
        mean += slot->usual.rate;
    if (service->now < slot->taken.until && slot->taken.place == place)
        mean += slot->taken.rate;
    return mean;
}

static double around(struct service *service, double mean)
{
    double value = mean + sqrt(mean) * podsim_normal(&service->random);
    return value > 0 ? value : 0;
}

static void set_rate(struct guard_pod_record *record, enum guard_pod_rate rate, double value)
{
    record->rates_known |= 1u << rate;
    record->rates[rate] = (uint64_t)value;
}

/* One short interval, chosen by nothing that happened in it. */
void podsim_fill_rates(struct service *service, uint32_t at, struct guard_pod_record *record)
{
    const struct slot *slot = &service->slots[at];
    double seconds = (double)(record->until_ms - record->from_ms) / SECOND;
    double a_second = service->requests * podsim_demand(service, slot) +
                      (service->now < slot->until ? slot->extra : 0);
    double requests = around(service, a_second * seconds), calls = 0;
    for (uint32_t i = 0; i < service->place_count; i++)
        calls += podsim_flow(service, at, i) * seconds *
                 exp(service->noise * podsim_normal(&service->random) -
                     service->noise * service->noise / 2);
    double answers = requests * spread(service, ANSWER_BYTES, 0.3);
    set_rate(record, GUARD_POD_BYTES_OUT, calls + answers);
    set_rate(record, GUARD_POD_CONNECTIONS, around(service, 0.3 * requests));
    if (!service->beside)
        return;
    bool mined = podsim_is_intruded(service, slot) && slot->attack == PODSIM_MINER;
    set_rate(record, GUARD_POD_CALLS_OUT, calls);
    set_rate(record, GUARD_POD_REQUESTS, requests);
    set_rate(record, GUARD_POD_CPU_US,
             requests * spread(service, REQUEST_CPU_US, 0.2) + (mined ? MINER_CPU_US : 0));
}

/* --- what happens --- */

static double live(const struct service *service)
{
    return podsim_live_count(service);
}

static double findings_per_day(const struct service *service)
{
    const struct podsim_params *params = service->params;
    return service->requests * DAY * params->alpha *
           (params->response_findings + params->call_findings) * live(service);
}

void podsim_plan_load(struct service *service)
{
    const struct podsim_params *params = service->params;
    podsim_plan_next(service, GATE_FINDING, findings_per_day(service));
    podsim_plan_next(service, EXPORT, params->exports * live(service));
    podsim_plan_next(service, SURGE, params->surges);
    podsim_plan_next(service, SCAN, params->scans);
    podsim_plan_next(service, BROKEN, params->broken_clients);
}

void podsim_change_bodies(struct service *service)
{
    const struct podsim_params *params = service->params;
    if (service->place_count == 0 || !podsim_happens(&service->random, params->body_changes))
        return;
    struct place *place = &service->places[podsim_below(&service->random, service->place_count)];
    place->before = place->now;
    place->now = spread(service, place->now, params->body_spread);
    place->since = service->template;
    uint64_t endpoint = podsim_new_thing(service, GUARD_POD_RESPONSE).number;
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (service->slots[i].alive && podsim_happens(&service->random, params->release_findings))
            podsim_plan(service, service->now + 600 + 3600 * podsim_share(&service->random),
                        RELEASE_FINDING, i, endpoint);
    }
}

/* The n-th endpoint has 1/n of what is found. */
static uint64_t any_endpoint(struct service *service)
{
    uint32_t count = (uint32_t)service->params->endpoints;
    double sum = 0, at;
    for (uint32_t i = 1; i <= count; i++)
        sum += 1.0 / i;
    at = sum * podsim_share(&service->random);
    for (uint32_t i = 1; i <= count; i++) {
        at -= 1.0 / i;
        if (at < 0)
            return i;
    }
    return 1;
}

static enum guard_rc find_by_chance(struct service *service)
{
    const struct podsim_params *params = service->params;
    double both = params->response_findings + params->call_findings;
    bool call = podsim_happens(&service->random, params->call_findings / both);
    struct thing thing = {call ? GUARD_POD_OUTBOUND : GUARD_POD_RESPONSE,
                          (call ? FIRST_CALL : FIRST_ENDPOINT) + any_endpoint(service)};
    podsim_plan_next(service, GATE_FINDING, findings_per_day(service));
    podsim_find(service, thing, service->now, NULL);
    service->found = PODSIM_CHANCE;
    return podsim_send_gate(service, podsim_any_slot(service), service->now + 1);
}

static enum guard_rc find_release(struct service *service, const struct podsim_event *event)
{
    const struct slot *slot = &service->slots[event->slot];
    if (!slot->alive)
        return GUARD_OK;
    podsim_find(service, (struct thing){GUARD_POD_RESPONSE, event->what}, service->now, NULL);
    service->found = service->now <= slot->until ? slot->last : PODSIM_RELEASE;
    return podsim_send_gate(service, event->slot, service->now + 1);
}

static void back_up(struct service *service)
{
    const struct podsim_params *params = service->params;
    uint32_t place = service->place_count - 1;
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &service->slots[i];
        if (!slot->alive || (!service->backup_of_all && i != service->leader))
            continue;
        double rate = service->places[place].now * params->backup_times;
        slot->usual = (struct transfer){spread(service, rate, 0.3),
                                        service->now + params->backup_time, place};
        podsim_mark(service, i, PODSIM_TRANSFER);
        podsim_detail(service, i, params->backup_time, 60);
    }
    podsim_plan(service, service->now + service->backup_every * DAY, BACKUP, 0, 0);
}

static enum guard_rc export_much(struct service *service)
{
    const struct podsim_params *params = service->params;
    uint32_t at = podsim_any_slot(service);
    struct slot *slot = &service->slots[at];
    podsim_plan_next(service, EXPORT, params->exports * live(service));
    if (service->place_count == 0)
        return GUARD_OK;
    double bytes = spread(service, params->export_bytes, params->export_spread);
    uint32_t place = (uint32_t)podsim_below(&service->random, service->place_count);
    slot->usual =
        (struct transfer){bytes / params->export_time, service->now + params->export_time, place};
    podsim_mark(service, at, PODSIM_TRANSFER);
    podsim_detail(service, at, params->export_time, SHORT);
    if (!podsim_happens(&service->random, params->export_deviates))
        return GUARD_OK;
    podsim_find(service, (struct thing){GUARD_POD_REQUEST, 1}, service->now, NULL);
    return podsim_send_gate(service, at, service->now + 1);
}

static void surge(struct service *service)
{
    service->surge_until = service->now + 3600;
    podsim_plan_next(service, SURGE, service->params->surges);
}

struct client {
    double time, findings, requests, single, both;
    bool at_one;
    enum podsim_cause cause;
};

static void meet(struct service *service, uint32_t at, const struct client *client, double lasts,
                 double share)
{
    struct slot *slot = &service->slots[at];
    slot->findings = client->findings * share;
    slot->extra = client->requests * share;
    slot->until = service->now + lasts;
    podsim_mark(service, at, client->cause);
    podsim_detail(service, at, lasts < 3600 ? lasts : 3600, 3 * SHORT);
}

/* A client all of whose requests deviate, at one replica or at all; what it finds there that nobody
 * met before comes sometime on the way. */
static void come(struct service *service, const struct client *client)
{
    double lasts = podsim_wait(&service->random, client->time);
    uint32_t one = podsim_any_slot(service);
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (service->slots[i].alive && (i == one || !client->at_one))
            meet(service, i, client, lasts, client->at_one ? 1 : 1 / live(service));
    }
    double when = service->now + lasts * podsim_share(&service->random);
    if (podsim_happens(&service->random, client->single))
        podsim_plan(service, when, BRANCH, one, 1);
    if (podsim_happens(&service->random, client->both))
        podsim_plan(service, when, BRANCH, one, 2);
    if (podsim_happens(&service->random, service->params->burst_response))
        podsim_plan(service, service->now + lasts * podsim_share(&service->random), RELEASE_FINDING,
                    one, podsim_new_thing(service, GUARD_POD_RESPONSE).number);
}

static void scan(struct service *service)
{
    const struct podsim_params *params = service->params;
    const struct client client = {.time = params->scan_time,
                                  .findings = params->scan_findings,
                                  .requests = params->scan_requests,
                                  .single = params->scan_single,
                                  .both = params->scan_double,
                                  .at_one = service->sticky,
                                  .cause = PODSIM_SCAN};
    podsim_plan_next(service, SCAN, params->scans);
    come(service, &client);
}

static void break_client(struct service *service)
{
    const struct podsim_params *params = service->params;
    const struct client client = {.time = params->broken_time,
                                  .findings = params->broken_findings,
                                  .requests = params->broken_findings,
                                  .single = params->broken_single,
                                  .at_one = true,
                                  .cause = PODSIM_BROKEN};
    podsim_plan_next(service, BROKEN, params->broken_clients);
    come(service, &client);
}

/* By a request of the client that is there. */
static enum guard_rc branch(struct service *service, const struct podsim_event *event)
{
    const struct thing things[2] = {podsim_new_thing(service, GUARD_POD_DESTINATION),
                                    podsim_new_thing(service, GUARD_POD_EXEC)};
    if (!service->slots[event->slot].alive)
        return GUARD_OK;
    uint64_t first = event->what == 2 ? 0 : podsim_below(&service->random, 2);
    return podsim_burst(service, event->slot, things + first, (uint32_t)event->what, true, 0);
}

enum guard_rc podsim_happen_load(struct service *service, const struct podsim_event *event)
{
    if (event->kind == GATE_FINDING)
        return find_by_chance(service);
    if (event->kind == RELEASE_FINDING)
        return find_release(service, event);
    if (event->kind == EXPORT)
        return export_much(service);
    if (event->kind == BRANCH)
        return branch(service, event);
    if (event->kind == BACKUP)
        back_up(service);
    if (event->kind == SURGE)
        surge(service);
    if (event->kind == SCAN)
        scan(service);
    if (event->kind == BROKEN)
        break_client(service);
    return GUARD_OK;
}
