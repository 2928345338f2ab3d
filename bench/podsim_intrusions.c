/* SPDX-License-Identifier: Apache-2.0 */
/* Intruders: what they do, what is found of it, and that they come back. */
#include "podsim_service.h"

#include <math.h>
#include <string.h>

/* --- what is found --- */

bool podsim_is_intruded(const struct service *service, const struct slot *slot)
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
    podsim_plan(service, service->now + podsim_wait(&service->random, waits[slot->visit]), RETURN,
                slot->visit + 1, slot->intruder);
}

void podsim_count_intruder(struct service *service, struct slot *slot, bool replaced)
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

/* --- what they do --- */

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
    {END, END, END, END},                                             /* much data in an hour */
    {END, END, END, END},                                             /* much data in a day */
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
    uint32_t at = podsim_any_slot(service);
    struct slot *slot = &service->slots[at];
    if (slot->intruded >= 0 || intruder->count == 0)
        return GUARD_OK;
    slot->intruded = service->now;
    slot->attack = 0;
    slot->visit = visit;
    slot->intruder = which;
    slot->counted = slot->gone = false;
    service->counts->returns[visit - 1]++;
    podsim_plan(service, service->now + 2 * DAY, ROLL_SLOT, at, slot->serial);
    return podsim_burst(service, at, intruder->things, intruder->count,
                        podsim_happens(&service->random, service->params->gate_sees), 0);
}

bool podsim_takes(uint32_t attack)
{
    return attack == PODSIM_TAKEN || attack >= PODSIM_TAKEN + 2;
}

static void take(struct service *service, uint32_t at)
{
    const struct podsim_params *params = service->params;
    const double times[] = {params->taken_at_once, 0, params->taken_hour, params->taken_day};
    struct slot *slot = &service->slots[at];
    double lasts = times[slot->attack - PODSIM_TAKEN];
    double bytes =
        params->taken_bytes * exp(params->taken_spread * podsim_normal(&service->random));
    if (service->place_count == 0)
        return;
    slot->taken = (struct transfer){bytes / lasts, service->now + lasts,
                                    (uint32_t)podsim_below(&service->random, service->place_count)};
    podsim_detail(service, at, lasts < 3600 ? lasts : 3600, SHORT);
}

static enum guard_rc intrude(struct service *service)
{
    const struct podsim_params *params = service->params;
    struct thing things[4];
    uint32_t count = 0, at = podsim_any_slot(service);
    struct slot *slot = &service->slots[at];
    podsim_plan_next(service, INTRUSION, params->intrusions_per_1000_days / 1000);
    if (slot->intruded >= 0)
        return GUARD_OK;
    slot->intruded = service->now;
    slot->attack = (uint32_t)podsim_below(&service->random, PODSIM_ATTACKS);
    service->counts->intrusions++;
    service->counts->by_kind[slot->attack]++;
    for (; attacks[slot->attack][count] != END; count++)
        things[count] =
            podsim_new_thing(service, (enum guard_pod_kind)attacks[slot->attack][count]);
    slot->intruder = remember(service, things, count);
    /* Its pod is taken away in the end, found or not. */
    podsim_plan(service, service->now + 2 * DAY, ROLL_SLOT, at, slot->serial);
    if (podsim_takes(slot->attack))
        take(service, at);
    if (slot->attack == PODSIM_TAKEN && podsim_happens(&service->random, 0.5))
        things[count++] = podsim_new_thing(service, GUARD_POD_RESPONSE);
    return podsim_burst(service, at, things, count,
                        podsim_happens(&service->random, params->gate_sees), 0);
}

static enum guard_rc beacon(struct service *service, uint32_t at)
{
    const struct thing things[2] = {{GUARD_POD_DESTINATION, 999999}, {GUARD_POD_EXEC, 999999}};
    if (service->slots[at].attack != PODSIM_ATTACKS || service->slots[at].intruded < 0)
        return GUARD_OK;
    podsim_plan(service, service->now + 3600, BEACON, at, 0);
    return podsim_burst(service, at, things, 2, false, 0);
}

void podsim_plan_intrusions(struct service *service)
{
    const struct podsim_params *params = service->params;
    /* Intrusions come when something was learned. */
    if (params->intrusions_per_1000_days > 0)
        podsim_plan(
            service,
            DAY + podsim_wait(&service->random, 1000 * DAY / params->intrusions_per_1000_days),
            INTRUSION, 0, 0);
    if (service->base > 1 && podsim_happens(&service->random, params->poisoned)) {
        service->slots[1].intruded = 0;
        service->slots[1].attack = PODSIM_ATTACKS;
        service->counts->poisoned++;
        podsim_plan(service, 300, BEACON, 1, 0);
    }
}

enum guard_rc podsim_happen_intrusion(struct service *service, const struct podsim_event *event)
{
    if (event->kind == INTRUSION)
        return intrude(service);
    if (event->kind == RETURN)
        return come_back(service, event->slot, (uint32_t)event->what);
    return beacon(service, event->slot);
}
