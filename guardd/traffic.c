/* SPDX-License-Identifier: Apache-2.0 */
/* Each number grows only: rates and quantiles are what asks for them makes of it. */
#include "traffic.h"

const double traffic_bounds[TRAFFIC_BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                               0.1,   0.25,   0.5,   1,    2.5,   10};

void traffic_observe(struct traffic *traffic, const struct guard_record_head *head)
{
    uint32_t class = head->status >= 100 && head->status < 600 ? head->status / 100 : 0;
    traffic->classes[class]++;
    traffic->verdicts[head->decision == GUARD_BLOCK ? 2 : head->decision == GUARD_ALERT ? 1 : 0]++;
    if (head->latency_us == UINT32_MAX)
        return;
    traffic->timed++;
    traffic->time_us += head->latency_us;
    for (uint32_t i = 0; i < TRAFFIC_BOUNDS; i++) {
        if ((double)head->latency_us <= traffic_bounds[i] * 1e6) {
            traffic->within[i]++;
            return;
        }
    }
}

static void add(uint64_t *to, const uint64_t *from, int count)
{
    for (int i = 0; i < count; i++)
        to[i] += from[i] < UINT64_MAX - to[i] ? from[i] : UINT64_MAX - to[i];
}

void traffic_add(struct traffic *to, const struct traffic *from)
{
    add(to->verdicts, from->verdicts, TRAFFIC_VERDICTS);
    add(to->classes, from->classes, TRAFFIC_CLASSES);
    add(to->within, from->within, TRAFFIC_BOUNDS);
    add(&to->timed, &from->timed, 1);
    add(&to->time_us, &from->time_us, 1);
}

uint64_t traffic_exchanges(const struct traffic *traffic)
{
    uint64_t sum = 0;
    for (int i = 0; i < TRAFFIC_VERDICTS; i++)
        sum += traffic->verdicts[i];
    return sum;
}

double traffic_quantile(const struct traffic *traffic, double share)
{
    double wanted = share * (double)traffic->timed;
    double below = 0;
    double low = 0;
    for (int i = 0; i < TRAFFIC_BOUNDS; i++) {
        double here = (double)traffic->within[i];
        if (here > 0 && below + here >= wanted)
            return low + (traffic_bounds[i] - low) * (wanted - below) / here;
        below += here;
        low = traffic_bounds[i];
    }
    return low;
}
