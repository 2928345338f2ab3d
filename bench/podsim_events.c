/* SPDX-License-Identifier: Apache-2.0 */
/* A heap by time. */
#include "podsim_events.h"

void podsim_push(struct podsim_events *events, const struct podsim_event *event)
{
    if (events->count == PODSIM_EVENTS) {
        events->overflowed = true;
        return;
    }
    uint32_t at = events->count++;
    for (; at > 0 && events->heap[(at - 1) / 2].time > event->time; at = (at - 1) / 2)
        events->heap[at] = events->heap[(at - 1) / 2];
    events->heap[at] = *event;
}

struct podsim_event podsim_pop(struct podsim_events *events)
{
    struct podsim_event top = events->heap[0];
    struct podsim_event last = events->heap[--events->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= events->count)
            break;
        child +=
            child + 1 < events->count && events->heap[child + 1].time < events->heap[child].time;
        if (events->heap[child].time >= last.time)
            break;
        events->heap[at] = events->heap[child];
        at = child;
    }
    events->heap[at] = last;
    return top;
}
