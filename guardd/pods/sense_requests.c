/* SPDX-License-Identifier: Apache-2.0 */
/* Gates count up while they live; one that is started again has another name. */
#include "sense_requests.h"

#include <string.h>

static struct sense_gate *find(struct sense_requests *requests, const char *id)
{
    for (uint32_t i = 0; i < requests->count; i++) {
        if (strcmp(requests->gates[i].id, id) == 0)
            return &requests->gates[i];
    }
    return NULL;
}

static struct sense_gate *add(struct sense_requests *requests, const char *id)
{
    if (requests->count < GATES_MAX)
        requests->count++;
    struct sense_gate *gate = &requests->gates[requests->next];
    requests->next = (requests->next + 1) % GATES_MAX;
    *gate = (struct sense_gate){.exchanges = 0};
    memcpy(gate->id, id, sizeof(gate->id));
    return gate;
}

static const struct gate_told *find_told(const struct gate_report *report,
                                         struct guard_span service)
{
    for (uint32_t i = 0; i < report->count; i++) {
        struct guard_span name = report->list[i].service->name;
        if (name.len == service.len && memcmp(name.ptr, service.ptr, name.len) == 0)
            return &report->list[i];
    }
    return NULL;
}

bool sense_requests_since(struct sense_requests *requests, const struct gates *told,
                          struct guard_span service, uint64_t *out)
{
    const uint32_t number = gate_number("exchanges");
    bool known = false, looked = requests->looked;
    *out = 0;
    requests->looked = true;
    for (uint32_t i = 0; i < told->count; i++) {
        const struct gate_told *of = find_told(&told->list[i], service);
        if (of == NULL)
            continue;
        uint64_t exchanges = of->numbers[number];
        struct sense_gate *gate = find(requests, told->list[i].id);
        if (gate == NULL)
            gate = add(requests, told->list[i].id);
        if (exchanges > gate->exchanges &&
            __builtin_add_overflow(*out, exchanges - gate->exchanges, out))
            *out = UINT64_MAX;
        gate->exchanges = exchanges;
        known = true;
    }
    return known && looked;
}
