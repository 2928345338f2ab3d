/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the gate of one replica finds more than chance explains. Every gate finds something now
 * and then, here at one endpoint, there at another: one finding that no other replica ever had says
 * nothing of a replica, many of them at once do. */
#include "pods/profile.h"

#include <math.h>

enum { FEWEST = 3 };

/* Of a window, of which a day has 144: once in thousands of days of a replica. */
static const double seldom = 1e-6;

/* How many a window of the replica has by what the others met: an endpoint counts once for each
 * replica, as it is told once of each. One more for those that nobody met yet. */
static double by_chance(const struct gd_pod_view *view)
{
    double met = 1;
    for (uint32_t i = 0; i < view->pods->entry_count; i++) {
        const struct gd_pod_entry *entry = view->pods->entries[i];
        if (entry->kind == GUARD_POD_RESPONSE || entry->kind == GUARD_POD_OUTBOUND)
            met += gd_pod_others_with(view, entry);
    }
    return met / ((double)view->days[GUARD_POD_RESPONSE] + 1) * view->rules->window_ms /
           GD_POD_DAY_MS;
}

/* That there are so many or more, where there are so many in the mean (Poisson). */
static double at_least(uint32_t count, double mean)
{
    double is = exp(-mean), below = 0;
    for (uint32_t i = 0; i < count; i++) {
        below += is;
        is *= mean / (i + 1);
    }
    return below < 1 ? 1 - below : 0;
}

bool gd_pod_finds_much(const struct gd_pod_view *view, const struct gd_pod_case *from)
{
    uint32_t own = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        const struct guard_pod_evidence *evidence = &from->evidence[i];
        own += gd_pod_is_door((enum guard_pod_kind)evidence->kind) && evidence->with == 0 &&
               !evidence->session && gd_pod_in_window(view, evidence);
    }
    /* A release changes answers in many places: of its first pod no other tells what is usual. */
    return own >= FEWEST && view->ready && view->same_old > 0 &&
           at_least(own, by_chance(view)) < seldom;
}
